package schema

import (
	"fmt"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
)

// A Conflict says that a column has types, or numbers of units, which do not go
// together.
type Conflict struct {
	Column    string
	Has, Want fmt.Stringer
}

// units is the number of units of sparse codes, as the metadata of the field of
// their indices have it under unitsKey. An index into others is another unit.
type units string

const unitsKey = "aefeat.units" // patch.UnitsKey

func (u units) String() string { return fmt.Sprintf("of %s units", string(u)) }

func unitsOf(f arrow.Field) units {
	text, _ := f.Metadata.GetValue(unitsKey)
	return units(text)
}

func (e *Conflict) Error() string {
	return fmt.Sprintf("column %q is %s, expected %s", e.Column, e.Has, e.Want)
}

// Merge returns the schema that batches of both files have: the columns of a,
// then those that only b has. Columns are matched by name. A column is nullable
// if it is so in one of them, or is missing in one. Metadata is that of a. The
// error is a [*Conflict].
func Merge(a, b *arrow.Schema) (*arrow.Schema, error) {
	at := map[string]int{}
	for i := range b.NumFields() {
		at[b.Field(i).Name] = i
	}
	fields := a.Fields()
	for i := range fields {
		f := &fields[i]
		j, both := at[f.Name]
		if !both {
			f.Nullable = true
			continue
		}
		delete(at, f.Name)
		t, ok := mergeTypes(f.Type, b.Field(j).Type)
		if !ok {
			return nil, &Conflict{f.Name, b.Field(j).Type, f.Type}
		}
		if has, want := unitsOf(b.Field(j)), unitsOf(*f); has != want && has != "" && want != "" {
			return nil, &Conflict{f.Name, has, want}
		}
		f.Type = t
		f.Nullable = f.Nullable || b.Field(j).Nullable || t.ID() == arrow.NULL
	}
	for i := range b.NumFields() {
		f := b.Field(i)
		if _, added := at[f.Name]; added {
			f.Nullable = true
			fields = append(fields, f)
		}
	}
	meta := a.Metadata()
	return arrow.NewSchema(fields, &meta), nil
}

// families are types whose values are the same but for how they are counted:
// each type can take the values of those before it.
var families = [][]arrow.Type{
	{arrow.FIXED_SIZE_LIST, arrow.LIST, arrow.LARGE_LIST},
	{arrow.STRING, arrow.LARGE_STRING},
	{arrow.BINARY, arrow.LARGE_BINARY},
}

// widens reports whether a type can take the values of another one of its
// family.
func widens(to, from arrow.Type) bool {
	for _, f := range families {
		if i := slices.Index(f, from); i >= 0 && slices.Contains(f[i+1:], to) {
			return true
		}
	}
	return false
}

// mergeTypes returns the type that values of both types have. It takes types
// for equal whatever the fields of lists are called, and in whatever order
// those of structs are.
func mergeTypes(a, b arrow.DataType) (arrow.DataType, bool) {
	switch {
	case arrow.TypeEqual(a, b), b.ID() == arrow.NULL:
		return a, true
	case a.ID() == arrow.NULL:
		return b, true
	case a.ID() == b.ID():
		return mergeNested(a, b, a)
	case widens(b.ID(), a.ID()):
		return mergeNested(a, b, b)
	case widens(a.ID(), b.ID()):
		return mergeNested(a, b, a)
	}
	return nil, false
}

// mergeNested merges what is inside of types of one family, to a type like of.
func mergeNested(a, b, of arrow.DataType) (arrow.DataType, bool) {
	switch t := a.(type) {
	case *arrow.StructType:
		return mergeStructs(t, b.(*arrow.StructType))
	case *arrow.FixedSizeListType:
		if other, ok := b.(*arrow.FixedSizeListType); ok && t.Len() != other.Len() {
			return nil, false
		}
	case *arrow.MapType:
		return nil, false
	case arrow.ListLikeType:
	default:
		return of, a.ID() != b.ID() // of one ID they differ in something else
	}
	x, y := a.(arrow.NestedType).Fields(), b.(arrow.NestedType).Fields()
	elem, ok := mergeTypes(x[0].Type, y[0].Type)
	if !ok {
		return nil, false
	}
	x[0].Type = elem
	x[0].Nullable = x[0].Nullable || y[0].Nullable || y[0].Type.ID() == arrow.NULL
	return WithFields(of, x), true
}

// mergeStructs takes structs of the same fields.
func mergeStructs(a, b *arrow.StructType) (arrow.DataType, bool) {
	if a.NumFields() != b.NumFields() {
		return nil, false
	}
	fields := slices.Clone(a.Fields())
	for i := range fields {
		at, ok := fieldOf(b, fields[i].Name, i)
		if !ok {
			return nil, false
		}
		other := b.Field(at)
		if fields[i].Type, ok = mergeTypes(fields[i].Type, other.Type); !ok {
			return nil, false
		}
		fields[i].Nullable = fields[i].Nullable || other.Nullable || other.Type.ID() == arrow.NULL
	}
	return arrow.StructOf(fields...), true
}

// fieldOf returns the index of a field of a struct by its name, which most
// likely is i. Names that stand for two fields find those in the same places
// only.
func fieldOf(t *arrow.StructType, name string, i int) (int, bool) {
	if i < t.NumFields() && t.Field(i).Name == name {
		return i, true
	}
	at := t.FieldIndices(name)
	if len(at) != 1 {
		return 0, false
	}
	return at[0], true
}

package schema

import (
	"fmt"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
)

// A Conflict says that a column has types which do not go together.
type Conflict struct {
	Column    string
	Has, Want arrow.DataType
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

// wider are types and those whose values they can take, by what their offsets
// are.
var wider = map[arrow.Type]arrow.Type{
	arrow.LIST: arrow.LARGE_LIST, arrow.STRING: arrow.LARGE_STRING, arrow.BINARY: arrow.LARGE_BINARY,
}

// mergeTypes returns the type that values of both types have. It takes types
// for equal whatever the fields of lists are called, and in whatever order those
// of structs are.
func mergeTypes(a, b arrow.DataType) (arrow.DataType, bool) {
	switch {
	case arrow.TypeEqual(a, b), b.ID() == arrow.NULL:
		return a, true
	case a.ID() == arrow.NULL, wider[a.ID()] == b.ID() && b.ID() != arrow.LARGE_LIST:
		return b, true
	case wider[b.ID()] == a.ID() && a.ID() != arrow.LARGE_LIST:
		return a, true
	case a.ID() == b.ID(), wider[a.ID()] == b.ID(), wider[b.ID()] == a.ID():
		return mergeNested(a, b)
	}
	return nil, false
}

func mergeNested(a, b arrow.DataType) (arrow.DataType, bool) {
	switch t := a.(type) {
	case *arrow.StructType:
		return mergeStructs(t, b.(*arrow.StructType))
	case *arrow.FixedSizeListType:
		if t.Len() != b.(*arrow.FixedSizeListType).Len() {
			return nil, false
		}
	case *arrow.MapType:
		return nil, false
	case arrow.ListLikeType:
	default:
		return nil, false
	}
	of := a
	if wider[a.ID()] == b.ID() {
		of = b
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

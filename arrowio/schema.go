package arrowio

import (
	"fmt"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// cleanFields drops the field number -1 that the library gives to every column of a Parquet file without numbers.
func cleanFields(fields []arrow.Field) []arrow.Field {
	out := make([]arrow.Field, len(fields))
	for i, f := range fields {
		if at := f.Metadata.FindKey("PARQUET:field_id"); at >= 0 && f.Metadata.Values()[at] == "-1" {
			keys, values := slices.Clone(f.Metadata.Keys()), slices.Clone(f.Metadata.Values())
			f.Metadata = arrow.NewMetadata(slices.Delete(keys, at, at+1), slices.Delete(values, at, at+1))
		}
		f.Type = cleanType(f.Type)
		out[i] = f
	}
	return out
}

func cleanType(t arrow.DataType) arrow.DataType {
	if nested, ok := t.(arrow.NestedType); ok && t.ID() != arrow.EXTENSION && t.ID() != arrow.RUN_END_ENCODED && t.ID() != arrow.SPARSE_UNION && t.ID() != arrow.DENSE_UNION {
		return withFields(t, cleanFields(nested.Fields()))
	}
	return t
}

// withFields returns a type like t with other fields in it.
func withFields(t arrow.DataType, fields []arrow.Field) arrow.DataType {
	switch t := t.(type) {
	case *arrow.StructType:
		return arrow.StructOf(fields...)
	case *arrow.ListType:
		return arrow.ListOfField(fields[0])
	case *arrow.LargeListType:
		return arrow.LargeListOfField(fields[0])
	case *arrow.ListViewType:
		return arrow.ListViewOfField(fields[0])
	case *arrow.LargeListViewType:
		return arrow.LargeListViewOfField(fields[0])
	case *arrow.FixedSizeListType:
		return arrow.FixedSizeListOfField(t.Len(), fields[0])
	case *arrow.MapType:
		if entries, ok := fields[0].Type.(*arrow.StructType); ok && entries.NumFields() == 2 {
			m := arrow.MapOfFields(entries.Field(0), entries.Field(1))
			m.KeysSorted = t.KeysSorted
			return m
		}
	}
	return t
}

// checkType refuses decimals that the library cannot show as text.
func checkType(t arrow.DataType) error {
	switch t := t.(type) {
	case arrow.DecimalType:
		if limit := int32(t.BitWidth() * 3 / 10); t.GetScale() < -limit || t.GetScale() > limit || t.GetPrecision() < 1 || t.GetPrecision() > limit {
			return fmt.Errorf("%s is not a type", t)
		}
	case *arrow.DictionaryType:
		return checkType(t.ValueType)
	case arrow.ExtensionType:
		return checkType(t.StorageType())
	case arrow.NestedType:
		for _, f := range t.Fields() {
			if err := checkType(f.Type); err != nil {
				return err
			}
		}
	}
	return nil
}

// mergeSchemas returns the schema that batches of both files have. Names and types must agree; a column is nullable if it
// is in one of them. Metadata is that of a.
func mergeSchemas(a, b *arrow.Schema) (*arrow.Schema, error) {
	fields, err := mergeFields(a.Fields(), b.Fields())
	if err != nil {
		return nil, err
	}
	meta := a.Metadata()
	return arrow.NewSchema(fields, &meta), nil
}

func mergeFields(a, b []arrow.Field) ([]arrow.Field, error) {
	for i := range min(len(a), len(b)) {
		if a[i].Name != b[i].Name {
			return nil, fmt.Errorf("column %d is %q, expected %q", i+1, b[i].Name, a[i].Name)
		}
	}
	if len(a) > len(b) {
		return nil, fmt.Errorf("column %q is missing", a[len(b)].Name)
	}
	if len(b) > len(a) {
		return nil, fmt.Errorf("column %q is one too many", b[len(a)].Name)
	}
	out := slices.Clone(a)
	for i := range a {
		t, ok := mergeTypes(a[i].Type, b[i].Type)
		if !ok {
			return nil, fmt.Errorf("column %q is %s, expected %s", a[i].Name, b[i].Type, a[i].Type)
		}
		out[i].Type = t
		out[i].Nullable = a[i].Nullable || b[i].Nullable
	}
	return out, nil
}

// mergeTypes takes types for equal whatever the fields of lists are called.
func mergeTypes(a, b arrow.DataType) (arrow.DataType, bool) {
	if arrow.TypeEqual(a, b) {
		return a, true
	}
	if a.ID() != b.ID() {
		return nil, false
	}
	var x, y []arrow.Field
	switch t := a.(type) {
	case *arrow.StructType:
		fields, err := mergeFields(t.Fields(), b.(*arrow.StructType).Fields())
		if err != nil {
			return nil, false
		}
		return arrow.StructOf(fields...), true
	case *arrow.FixedSizeListType:
		if t.Len() != b.(*arrow.FixedSizeListType).Len() {
			return nil, false
		}
		x, y = t.Fields(), b.(*arrow.FixedSizeListType).Fields()
	case *arrow.MapType:
		return nil, false
	case arrow.ListLikeType:
		x, y = a.(arrow.NestedType).Fields(), b.(arrow.NestedType).Fields()
	default:
		return nil, false
	}
	elem, ok := mergeTypes(x[0].Type, y[0].Type)
	if !ok {
		return nil, false
	}
	x[0].Type = elem
	x[0].Nullable = x[0].Nullable || y[0].Nullable
	return withFields(a, x), true
}

// A selection is a column, or a field of a struct, to be read. No children: all of it.
type selection struct {
	index    int
	children []selection
}

// project chooses columns by their paths. The result is in the order of the
// schema.
func project(schema *arrow.Schema, paths [][]int) (*arrow.Schema, []selection, error) {
	if paths == nil {
		var all []selection
		for i := range schema.NumFields() {
			all = append(all, selection{index: i})
		}
		return schema, all, nil
	}
	var chosen []selection
	for _, path := range paths {
		if !leads(schema.Fields(), path) {
			return nil, nil, fmt.Errorf("no column has the path %v", path)
		}
		chosen = choose(chosen, path)
	}
	fields := selectFields(schema.Fields(), chosen)
	meta := schema.Metadata()
	return arrow.NewSchema(fields, &meta), chosen, nil
}

// leads reports whether a path ends at a field.
func leads(fields []arrow.Field, path []int) bool {
	if len(path) == 0 || path[0] < 0 || path[0] >= len(fields) {
		return false
	}
	if len(path) == 1 {
		return true
	}
	t, ok := fields[path[0]].Type.(*arrow.StructType)
	return ok && leads(t.Fields(), path[1:])
}

// choose adds a path to selections that are in order.
func choose(s []selection, path []int) []selection {
	at, found := slices.BinarySearchFunc(s, path[0], func(s selection, i int) int { return s.index - i })
	switch {
	case !found:
		one := selection{index: path[0]}
		if len(path) > 1 {
			one.children = choose(nil, path[1:])
		}
		return slices.Insert(s, at, one)
	case len(path) == 1:
		s[at].children = nil // all of it
	case s[at].children != nil:
		s[at].children = choose(s[at].children, path[1:])
	}
	return s
}

func selectFields(fields []arrow.Field, chosen []selection) []arrow.Field {
	out := make([]arrow.Field, len(chosen))
	for i, s := range chosen {
		out[i] = fields[s.index]
		if s.children != nil {
			out[i].Type = arrow.StructOf(selectFields(out[i].Type.(*arrow.StructType).Fields(), s.children)...)
		}
	}
	return out
}

// conform returns data as an array of type t, which differs in no more than the names, nullability and metadata of fields, and in that
// structs may have fewer of them. Buffers are shared.
func conform(data arrow.ArrayData, t arrow.DataType) arrow.ArrayData {
	if t.ID() == arrow.NULL {
		// The library makes these without the buffer that it later wants to see.
		return array.NewData(t, data.Len(), []*memory.Buffer{nil}, nil, data.Len(), 0)
	}
	if nested, ok := t.(arrow.NestedType); data.DataType() == t && (!ok || nested.NumFields() == 0) {
		data.Retain()
		return data
	}
	layout := t
	if ext, ok := t.(arrow.ExtensionType); ok {
		layout = ext.StorageType()
	}
	children := data.Children()
	var shaped []arrow.ArrayData
	switch layout := layout.(type) {
	case *arrow.StructType:
		have := data.DataType()
		if ext, ok := have.(arrow.ExtensionType); ok {
			have = ext.StorageType()
		}
		from := have.(*arrow.StructType)
		for i, f := range layout.Fields() {
			at := i
			if from.NumFields() != layout.NumFields() {
				at, _ = from.FieldIdx(f.Name)
			}
			shaped = append(shaped, conform(children[at], f.Type))
		}
	case arrow.NestedType:
		for i, f := range layout.Fields() {
			if i < len(children) {
				shaped = append(shaped, conform(children[i], f.Type))
			}
		}
	default:
		for _, c := range children {
			c.Retain()
			shaped = append(shaped, c)
		}
	}
	defer func() {
		for _, c := range shaped {
			c.Release()
		}
	}()
	if d, ok := data.Dictionary().(*array.Data); ok && d != nil {
		return array.NewDataWithDictionary(t, data.Len(), data.Buffers(), data.NullN(), data.Offset(), d)
	}
	buffers := data.Buffers()
	if _, ok := t.(arrow.UnionType); ok && data.Len() == 0 {
		// Nor has an empty one the buffers that it wants to see.
		buffers = slices.Clone(buffers)
		for i := 1; i < len(buffers); i++ {
			if buffers[i] == nil {
				buffers[i] = memory.NewBufferBytes([]byte{})
			}
		}
	}
	return array.NewData(t, data.Len(), buffers, shaped, data.NullN(), data.Offset())
}

func makeArray(data arrow.ArrayData) (arr arrow.Array, err error) {
	err = guard(func() error {
		arr = array.MakeFromData(data)
		return nil
	})
	return arr, err
}

// The keys of metadata that tell of an extension type.
const (
	extensionNameKey  = "ARROW:extension:name"
	extensionValueKey = "ARROW:extension:metadata"
)

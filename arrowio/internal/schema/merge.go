package schema

import (
	"fmt"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
)

// Merge returns the schema that batches of both files have. Names and types
// must agree; a column is nullable if it is in one of them. Metadata is that of
// a.
func Merge(a, b *arrow.Schema) (*arrow.Schema, error) {
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
	return WithFields(a, x), true
}

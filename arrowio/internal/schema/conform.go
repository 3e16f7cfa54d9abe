package schema

import (
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// Conform returns data as an array of type t, which differs in no more than the
// names, nullability and metadata of fields, and in that structs may have fewer
// of them. Buffers are shared.
func Conform(data arrow.ArrayData, t arrow.DataType) arrow.ArrayData {
	if t.ID() == arrow.NULL {
		// The library makes these without the buffer that it later
		// wants to see.
		return array.NewData(t, data.Len(), []*memory.Buffer{nil}, nil, data.Len(), 0)
	}
	_, dictionary := t.(*arrow.DictionaryType)
	nested, ok := t.(arrow.NestedType)
	if data.DataType() == t && !dictionary && (!ok || nested.NumFields() == 0) {
		data.Retain()
		return data
	}
	layout := t
	if ext, ok := t.(arrow.ExtensionType); ok {
		layout = ext.StorageType()
	}
	children := conformChildren(data, layout)
	defer func() {
		for _, c := range children {
			c.Release()
		}
	}()
	if d, ok := data.Dictionary().(*array.Data); ok && d != nil {
		values := Conform(d, layout.(*arrow.DictionaryType).ValueType)
		defer values.Release()
		return array.NewDataWithDictionary(t, data.Len(), data.Buffers(), data.NullN(), data.Offset(), values.(*array.Data))
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
	return array.NewData(t, data.Len(), buffers, children, data.NullN(), data.Offset())
}

// conformChildren returns the children that an array of a layout has of those
// of data, for the caller to release.
func conformChildren(data arrow.ArrayData, layout arrow.DataType) []arrow.ArrayData {
	children := data.Children()
	var out []arrow.ArrayData
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
			out = append(out, Conform(children[at], f.Type))
		}
	case arrow.NestedType:
		for i, f := range layout.Fields() {
			if i < len(children) {
				out = append(out, Conform(children[i], f.Type))
			}
		}
	default:
		for _, c := range children {
			c.Retain()
			out = append(out, c)
		}
	}
	return out
}

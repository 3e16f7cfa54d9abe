package schema

import (
	"math"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/aefeat/aefeat/arrowio/internal/bound"
)

// Conform returns data as an array of type t, with which its type was merged:
// it differs in no more than the names, nullability and metadata of fields,
// their order in structs, which may have fewer of them, and the width of
// offsets; or it has nulls alone. Buffers are shared where they can be; others
// are of mem.
func Conform(data arrow.ArrayData, t arrow.DataType, mem memory.Allocator) arrow.ArrayData {
	if t.ID() == arrow.NULL {
		// The library makes these without the buffer that it later
		// wants to see.
		return array.NewData(t, data.Len(), []*memory.Buffer{nil}, nil, data.Len(), 0)
	}
	if data.DataType().ID() == arrow.NULL {
		return Nulls(t, data.Len(), mem)
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
	children := conformChildren(data, layout, mem)
	defer func() {
		for _, c := range children {
			c.Release()
		}
	}()
	if d, ok := data.Dictionary().(*array.Data); ok && d != nil {
		values := Conform(d, layout.(*arrow.DictionaryType).ValueType, mem)
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
	if widens(layout.ID(), data.DataType().ID()) {
		offsets := widen(data, layout.(arrow.OffsetsDataType), mem)
		defer offsets.Release()
		buffers = slices.Clone(buffers)
		if len(buffers) == 1 { // lists of a fixed size have no offsets
			buffers = append(buffers, nil)
		}
		buffers[1] = offsets
	}
	return array.NewData(t, data.Len(), buffers, children, data.NullN(), data.Offset())
}

// widen returns the offsets of data as another type of its family has them. It
// panics with a [*bound.BeyondError] where these are too narrow.
func widen(data arrow.ArrayData, to arrow.OffsetsDataType, mem memory.Allocator) *memory.Buffer {
	at := func(i int) int64 { return 0 }
	n := data.Offset() + data.Len() + 1
	if list, ok := data.DataType().(*arrow.FixedSizeListType); ok {
		at = func(i int) int64 { return int64(i) * int64(list.Len()) }
	} else if b := data.Buffers()[1]; b != nil {
		from := arrow.Int32Traits.CastFromBytes(b.Bytes())
		n = len(from)
		at = func(i int) int64 { return int64(from[i]) }
	}
	offsets := memory.NewResizableBuffer(mem)
	offsets.Resize(to.OffsetTypeTraits().BytesRequired(n))
	if to.OffsetTypeTraits() == arrow.Int64Traits {
		wide := arrow.Int64Traits.CastFromBytes(offsets.Bytes())
		for i := range wide {
			wide[i] = at(i)
		}
		return offsets
	}
	if at(n-1) > math.MaxInt32 {
		offsets.Release()
		panic(&bound.BeyondError{What: "a batch of lists, beside lists of another type, is beyond the 2,147,483,647 values that it may have", Hint: "write smaller batches"})
	}
	narrow := arrow.Int32Traits.CastFromBytes(offsets.Bytes())
	for i := range narrow {
		narrow[i] = int32(at(i))
	}
	return offsets
}

// maxNulls bounds the memory of nulls. They take what values would.
const maxNulls = 1 << 30

// Nulls returns n nulls of a type. It panics with a [*bound.MemoryError] where
// they would take too much memory, for [bound.Guard].
func Nulls(t arrow.DataType, n int, mem memory.Allocator) arrow.ArrayData {
	budget := bound.NewBudget(mem)
	budget.Grant(maxNulls)
	storage := t
	if ext, ok := t.(arrow.ExtensionType); ok {
		storage = ext.StorageType()
	}
	a := array.MakeArrayOfNull(budget, storage, n)
	defer a.Release()
	budget.Grant(math.MaxInt64)
	return Conform(a.Data(), t, mem)
}

// conformChildren returns the children that an array of a layout has of those
// of data, for the caller to release.
func conformChildren(data arrow.ArrayData, layout arrow.DataType, mem memory.Allocator) []arrow.ArrayData {
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
			at, _ := fieldOf(from, f.Name, i)
			out = append(out, Conform(children[at], f.Type, mem))
		}
	case arrow.NestedType:
		for i, f := range layout.Fields() {
			if i < len(children) {
				out = append(out, Conform(children[i], f.Type, mem))
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

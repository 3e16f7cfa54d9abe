package ipc

import (
	"context"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/bitutil"
	"github.com/apache/arrow-go/v18/arrow/compute"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// A densifier replaces what cannot be written as it is.
//
// List views become lists, in files and streams alike: the library fails where
// a batch's views hold no values ("index out of range"), in a column or inside
// another. Dictionaries, where that is asked for or they are around a list
// view, become what they stand for.
type densifier struct {
	dictionaries bool
	mem          memory.Allocator
}

// all returns the densifier that leaves no dictionary.
func (d densifier) all() densifier { return densifier{dictionaries: true, mem: d.mem} }

// typeOf returns the type that data of type t gets; t itself if it stays.
func (d densifier) typeOf(t arrow.DataType) arrow.DataType {
	switch x := t.(type) {
	case *arrow.DictionaryType:
		if d.dictionaries || d.typeOf(x.ValueType) != x.ValueType {
			return d.all().typeOf(x.ValueType)
		}
	case *arrow.ListType:
		if f, changed := d.field(x.ElemField()); changed {
			return arrow.ListOfField(f)
		}
	case *arrow.LargeListType:
		if f, changed := d.field(x.ElemField()); changed {
			return arrow.LargeListOfField(f)
		}
	case *arrow.ListViewType:
		f, _ := d.field(x.ElemField())
		return arrow.ListOfField(f)
	case *arrow.LargeListViewType:
		f, _ := d.field(x.ElemField())
		return arrow.LargeListOfField(f)
	case *arrow.FixedSizeListType:
		if f, changed := d.field(x.ElemField()); changed {
			return arrow.FixedSizeListOfField(x.Len(), f)
		}
	case *arrow.MapType:
		k, kc := d.field(x.KeyField())
		v, vc := d.field(x.ItemField())
		if kc || vc {
			m := arrow.MapOfFields(k, v)
			m.KeysSorted = x.KeysSorted
			return m
		}
	case *arrow.StructType:
		fields := x.Fields()
		changed := false
		for i := range fields {
			f, c := d.field(fields[i])
			fields[i], changed = f, changed || c
		}
		if changed {
			return arrow.StructOf(fields...)
		}
	}
	return t
}

func (d densifier) field(f arrow.Field) (dense arrow.Field, changed bool) {
	t := d.typeOf(f.Type)
	changed = t != f.Type
	f.Type = t
	return f, changed
}

// data returns data of the type that typeOf gives, for the caller to release.
func (d densifier) data(data arrow.ArrayData) (arrow.ArrayData, error) {
	t := d.typeOf(data.DataType())
	if t == data.DataType() {
		data.Retain()
		return data, nil
	}
	switch data.DataType().(type) {
	case *arrow.DictionaryType:
		return d.expanded(data)
	case *arrow.ListViewType, *arrow.LargeListViewType:
		return d.list(data, t)
	}
	dense := make([]arrow.ArrayData, len(data.Children()))
	for i, c := range data.Children() {
		child, err := d.data(c)
		if err != nil {
			return nil, err
		}
		defer child.Release()
		dense[i] = child
	}
	return array.NewData(t, data.Len(), data.Buffers(), dense, data.NullN(), data.Offset()), nil
}

// expanded returns what a dictionary array stands for.
func (d densifier) expanded(data arrow.ArrayData) (arrow.ArrayData, error) {
	x := array.NewDictionaryData(data)
	defer x.Release()
	dense, err := d.all().data(x.Dictionary().Data())
	if err != nil {
		return nil, err
	}
	defer dense.Release()
	dictionary := array.MakeFromData(dense)
	defer dictionary.Release()
	values, err := d.lookUp(x, dictionary)
	if err != nil {
		return nil, err
	}
	defer values.Release()
	values.Data().Retain()
	return values.Data(), nil
}

// lookUp returns what a dictionary array stands for, its values taken from
// dictionary.
func (d densifier) lookUp(x *array.Dictionary, dictionary arrow.Array) (arrow.Array, error) {
	switch dictionary.DataType().(type) {
	case arrow.NestedType, *arrow.Decimal32Type, *arrow.Decimal64Type, arrow.ExtensionType,
		*arrow.BinaryViewType, *arrow.StringViewType: // which the library does not take from
	default:
		return compute.TakeArray(compute.WithAllocator(context.Background(), d.mem), dictionary, x.Indices())
	}
	null := array.MakeArrayOfNull(d.mem, dictionary.DataType(), 1)
	defer null.Release()
	parts := []arrow.Array{array.NewSlice(dictionary, 0, 0)}
	for i := range x.Len() {
		if x.IsNull(i) {
			null.Retain()
			parts = append(parts, null)
		} else {
			at := int64(x.GetValueIndex(i))
			parts = append(parts, array.NewSlice(dictionary, at, at+1))
		}
	}
	return concatenate(parts, d.mem)
}

// list returns the lists, of type t, that a list view has.
func (d densifier) list(data arrow.ArrayData, t arrow.DataType) (arrow.ArrayData, error) {
	a := array.MakeFromData(data)
	defer a.Release()
	view := a.(array.ListLike)
	n := view.Len()
	small, large := []int32{0}, []int64{0} // offsets
	parts := []arrow.Array{array.NewSlice(view.ListValues(), 0, 0)}
	for i := range n {
		end := large[i]
		if view.IsValid(i) {
			lo, hi := view.ValueOffsets(i)
			parts = append(parts, array.NewSlice(view.ListValues(), lo, hi))
			end += hi - lo
		}
		small, large = append(small, int32(end)), append(large, end)
	}
	values, err := concatenate(parts, d.mem)
	if err != nil {
		return nil, err
	}
	defer values.Release()
	child, err := d.data(values.Data())
	if err != nil {
		return nil, err
	}
	defer child.Release()
	offsets := memory.NewBufferBytes(arrow.Int32Traits.CastToBytes(small))
	if t.ID() == arrow.LARGE_LIST {
		offsets = memory.NewBufferBytes(arrow.Int64Traits.CastToBytes(large))
	}
	defer offsets.Release()
	var valid *memory.Buffer
	if view.NullN() > 0 {
		valid = memory.NewBufferBytes(make([]byte, bitutil.BytesForBits(int64(n))))
		defer valid.Release()
		bitutil.CopyBitmap(view.NullBitmapBytes(), data.Offset(), n, valid.Bytes(), 0)
	}
	return array.NewData(t, n, []*memory.Buffer{valid, offsets}, []arrow.ArrayData{child}, data.NullN(), 0), nil
}

// concatenate joins arrays and releases them.
func concatenate(parts []arrow.Array, mem memory.Allocator) (arrow.Array, error) {
	defer func() {
		for _, p := range parts {
			p.Release()
		}
	}()
	return array.Concatenate(parts, mem)
}

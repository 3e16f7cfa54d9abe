package ipc

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
)

// arrayBytes returns about how many bytes the values of an array take, of a
// slice those of the slice.
func arrayBytes(a arrow.Array) int64 { return rangeBytes(a, 0, int64(a.Len())) }

func rangeBytes(a arrow.Array, lo, hi int64) int64 {
	if hi <= lo {
		return 0
	}
	n := hi - lo
	switch x := a.(type) {
	case array.ExtensionArray:
		return rangeBytes(x.Storage(), lo, hi)
	case *array.Dictionary:
		return n*int64(x.Indices().DataType().(arrow.FixedWidthDataType).Bytes()) + arrayBytes(x.Dictionary())
	case *array.Struct:
		total := n / 8
		for i := range x.NumField() {
			total += rangeBytes(x.Field(i), lo, min(hi, int64(x.Field(i).Len())))
		}
		return total
	case *array.Map:
		first, _ := x.ValueOffsets(int(lo))
		_, last := x.ValueOffsets(int(hi - 1))
		return 4*n + rangeBytes(x.ListValues(), first, last)
	case *array.ListView, *array.LargeListView:
		return 16*n + arrayBytes(x.(array.ListLike).ListValues())
	case array.ListLike:
		first, _ := x.ValueOffsets(int(lo))
		_, last := x.ValueOffsets(int(hi - 1))
		return 4*n + rangeBytes(x.ListValues(), first, last)
	case *array.String:
		return 4*n + int64(x.ValueOffset(int(hi-1))+x.ValueLen(int(hi-1))-x.ValueOffset(int(lo)))
	case *array.LargeString:
		return 8*n + x.ValueOffset(int(hi-1)) + int64(x.ValueLen(int(hi-1))) - x.ValueOffset(int(lo))
	case *array.Binary:
		return 4*n + int64(x.ValueOffset(int(hi-1))+x.ValueLen(int(hi-1))-x.ValueOffset(int(lo)))
	case *array.LargeBinary:
		return 8*n + x.ValueOffset(int(hi-1)) + int64(x.ValueLen(int(hi-1))) - x.ValueOffset(int(lo))
	}
	if t, ok := a.DataType().(arrow.FixedWidthDataType); ok {
		return n * int64(t.BitWidth()) / 8
	}
	var total int64
	for _, b := range a.Data().Buffers() {
		if b != nil {
			total += int64(b.Len())
		}
	}
	return total
}

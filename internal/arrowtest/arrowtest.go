// Package arrowtest makes arrays and record batches for tests.
package arrowtest

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/float16"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// Numbers are the numeric types.
var Numbers = []arrow.DataType{
	arrow.PrimitiveTypes.Uint8, arrow.PrimitiveTypes.Uint16, arrow.PrimitiveTypes.Uint32, arrow.PrimitiveTypes.Uint64,
	arrow.PrimitiveTypes.Int8, arrow.PrimitiveTypes.Int16, arrow.PrimitiveTypes.Int32, arrow.PrimitiveTypes.Int64,
	arrow.FixedWidthTypes.Float16, arrow.PrimitiveTypes.Float32, arrow.PrimitiveTypes.Float64,
}

// JSONBatch makes a batch of one column, p, from JSON.
func JSONBatch(t testing.TB, mem memory.Allocator, typ arrow.DataType, values string) arrow.RecordBatch {
	t.Helper()
	a, _, err := array.FromJSON(mem, typ, strings.NewReader(values))
	if err != nil {
		t.Fatal(err)
	}
	defer a.Release()
	schema := arrow.NewSchema([]arrow.Field{{Name: "p", Type: typ, Nullable: true}}, nil)
	return array.NewRecordBatch(schema, []arrow.Array{a}, int64(a.Len()))
}

// A Maker builds random arrays. Whatever a reader may trip over turns up now
// and then: arrays that are slices of longer ones, nulls at every level,
// rubbish under the nulls, ragged lists, NaN and infinities.
type Maker struct {
	*rand.Rand
	Mem    memory.Allocator
	Nulls  float64 // chance of a null, per value
	Ragged float64 // chance of a list of another length
	Odd    float64 // chance of NaN or an infinity, per float
}

// Array returns n values of a field, with nulls only where it may have them.
// dims are the lengths of the lists, outermost first.
func (g *Maker) Array(f arrow.Field, n int, dims []int) arrow.Array {
	if !f.Nullable {
		defer func(p float64) { g.Nulls = p }(g.Nulls)
		g.Nulls = 0
	}
	t := f.Type
	if g.IntN(3) == 0 { // a slice of something longer
		before, after := g.IntN(12), g.IntN(5)
		whole := g.Piece(t, before+n+after, dims)
		defer whole.Release()
		return array.NewSlice(whole, int64(before), int64(before+n))
	}
	return g.Piece(t, n, dims)
}

func (g *Maker) bitmap(n int) (*memory.Buffer, int) {
	buf := memory.NewResizableBuffer(g.Mem)
	buf.Resize(n/8 + 1)
	for i := range buf.Bytes() {
		buf.Bytes()[i] = 0xff
	}
	nulls := 0
	for i := range n {
		if g.Float64() < g.Nulls {
			buf.Bytes()[i/8] &^= 1 << (i % 8)
			nulls++
		}
	}
	return buf, nulls
}

func (g *Maker) buffer(b []byte) *memory.Buffer {
	buf := memory.NewResizableBuffer(g.Mem)
	buf.Resize(len(b))
	copy(buf.Bytes(), b)
	return buf
}

func (g *Maker) length(usual int) int {
	if g.Float64() < g.Ragged {
		return g.IntN(2*usual + 1)
	}
	return usual
}

// Piece is Array for a type, never a slice of something longer.
func (g *Maker) Piece(t arrow.DataType, n int, dims []int) arrow.Array {
	valid, nulls := g.bitmap(n)
	var (
		buffers  = []*memory.Buffer{valid}
		children []arrow.ArrayData
		dict     arrow.Array
	)
	defer func() {
		for _, b := range buffers {
			b.Release()
		}
		if dict != nil {
			dict.Release()
		}
	}()
	child := func(f arrow.Field, n int, dims []int) {
		a := g.Array(f, n, dims)
		data := a.Data()
		data.Retain()
		a.Release()
		children = append(children, data)
	}
	defer func() {
		for _, c := range children {
			c.Release()
		}
	}()
	switch t := t.(type) {
	case *arrow.NullType:
		return array.NewNull(n)
	case *arrow.StructType:
		for _, f := range t.Fields() {
			d := dims
			if depth := levels(f.Type); depth != len(dims) {
				d = slices.Repeat([]int{2}, depth)
			}
			child(f, n, d)
		}
	case *arrow.FixedSizeListType:
		child(t.ElemField(), n*int(t.Len()), inner(dims))
	case *arrow.ListType, *arrow.LargeListType, *arrow.MapType:
		at := g.IntN(4)
		offsets := []int{at}
		for range n {
			at += g.length(outer(dims))
			offsets = append(offsets, at)
		}
		child(t.(arrow.ListLikeType).ElemField(), at+g.IntN(3), inner(dims))
		buffers = append(buffers, g.offsets(offsets, t.ID() == arrow.LARGE_LIST))
	case *arrow.ListViewType, *arrow.LargeListViewType:
		total := 3*outer(dims) + n*outer(dims)/2
		var offsets, sizes []int
		for range n {
			size := min(g.length(outer(dims)), total)
			offsets = append(offsets, g.IntN(total-size+1))
			sizes = append(sizes, size)
		}
		child(t.(arrow.ListLikeType).ElemField(), total, inner(dims))
		large := t.ID() == arrow.LARGE_LIST_VIEW
		buffers = append(buffers, g.offsets(offsets, large), g.offsets(sizes, large))
	case *arrow.FixedSizeBinaryType:
		buffers = append(buffers, g.buffer(g.bytes(n*t.ByteWidth)))
	case *arrow.BinaryType, *arrow.LargeBinaryType, *arrow.StringType, *arrow.LargeStringType:
		at := g.IntN(4)
		offsets := []int{at}
		for range n {
			at += g.length(outer(dims))
			offsets = append(offsets, at)
		}
		buffers = append(buffers, g.offsets(offsets, t.ID() == arrow.LARGE_BINARY || t.ID() == arrow.LARGE_STRING), g.buffer(g.text(at)))
	case *arrow.BinaryViewType:
		b := array.NewBinaryViewBuilder(g.Mem)
		defer b.Release()
		for range n {
			if g.Float64() < g.Nulls {
				b.AppendNull()
				continue
			}
			b.Append(g.bytes(g.length(outer(dims))))
		}
		return b.NewArray()
	case *arrow.DictionaryType:
		size := 1 + g.IntN(n+2)
		size = min(size, 100)
		dict = g.Array(arrow.Field{Type: t.ValueType, Nullable: g.Nulls > 0}, size, dims)
		width := t.IndexType.(arrow.FixedWidthDataType).Bytes()
		var raw []byte
		for range n {
			raw = append(raw, binary.LittleEndian.AppendUint64(nil, uint64(g.IntN(size)))[:width]...)
		}
		buffers = append(buffers, g.buffer(raw))
		data := array.NewDataWithDictionary(t, n, buffers, nulls, 0, dict.Data().(*array.Data))
		defer data.Release()
		return array.NewDictionaryData(data)
	case arrow.ExtensionType:
		storage := g.Array(arrow.Field{Type: t.StorageType(), Nullable: g.Nulls > 0}, n, dims)
		defer storage.Release()
		return array.NewExtensionArrayWithStorage(t, storage)
	default:
		buffers = append(buffers, g.buffer(g.numbers(t, n)))
	}
	data := array.NewData(t, n, buffers, children, nulls, 0)
	defer data.Release()
	return array.MakeFromData(data)
}

func (g *Maker) offsets(v []int, large bool) *memory.Buffer {
	var raw []byte
	for _, x := range v {
		if large {
			raw = binary.LittleEndian.AppendUint64(raw, uint64(x))
		} else {
			raw = binary.LittleEndian.AppendUint32(raw, uint32(x))
		}
	}
	return g.buffer(raw)
}

// outer and inner take dims apart. A list without a length there holds two
// values.
func outer(dims []int) int {
	if len(dims) == 0 {
		return 2
	}
	return dims[0]
}

func inner(dims []int) []int {
	if len(dims) == 0 {
		return nil
	}
	return dims[1:]
}

// text returns bytes that are letters, so that they do for strings as well.
func (g *Maker) text(n int) []byte {
	out := g.bytes(n)
	for i := range out {
		out[i] = 'a' + out[i]%26
	}
	return out
}

func (g *Maker) bytes(n int) []byte {
	out := make([]byte, n)
	for i := range out {
		out[i] = byte(g.Uint32())
	}
	return out
}

func (g *Maker) numbers(t arrow.DataType, n int) []byte {
	var out []byte
	for range n {
		odd := g.Float64() < g.Odd
		v := int64(g.IntN(2001) - 1000)
		switch t := t.(type) {
		case *arrow.TimestampType, *arrow.DurationType:
			out = binary.LittleEndian.AppendUint64(out, uint64(v)*uint64(1+g.IntN(1e9)))
			continue
		case *arrow.Time32Type, *arrow.Date32Type:
			out = binary.LittleEndian.AppendUint32(out, uint32(v+1000))
			continue
		case *arrow.Time64Type:
			out = binary.LittleEndian.AppendUint64(out, uint64(v+1000))
			continue
		case *arrow.Date64Type:
			out = binary.LittleEndian.AppendUint64(out, uint64(v*24*60*60*1000))
			continue
		case arrow.DecimalType:
			wide := slices.Repeat([]byte{byte(v >> 63)}, t.BitWidth()/8)
			binary.LittleEndian.PutUint32(wide, uint32(v))
			out = append(out, wide...)
			continue
		case *arrow.BooleanType:
			return g.bytes(n/8 + 1)
		}
		switch t.ID() {
		case arrow.FLOAT16:
			v := float16.New(g.Float32()).Uint16()
			if odd {
				v = []uint16{0x7c00, 0xfc00, 0x7e01}[g.IntN(3)]
			}
			out = binary.LittleEndian.AppendUint16(out, v)
		case arrow.FLOAT32:
			v := float32(g.NormFloat64())
			if odd {
				v = []float32{float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1))}[g.IntN(3)]
			}
			out = binary.LittleEndian.AppendUint32(out, math.Float32bits(v))
		case arrow.FLOAT64:
			v := g.NormFloat64()
			if odd {
				v = []float64{math.NaN(), math.Inf(1), 1e39, -1e300}[g.IntN(4)]
			}
			out = binary.LittleEndian.AppendUint64(out, math.Float64bits(v))
		default:
			out = append(out, g.bytes(t.(arrow.FixedWidthDataType).Bytes())...)
		}
	}
	return out
}

// levels is the number of lists, or bytes, around the values of a type.
func levels(t arrow.DataType) int {
	switch t := t.(type) {
	case arrow.ExtensionType:
		return levels(t.StorageType())
	case *arrow.DictionaryType:
		return levels(t.ValueType)
	case arrow.ListLikeType:
		return 1 + levels(t.Elem())
	case *arrow.FixedSizeBinaryType, *arrow.BinaryType, *arrow.LargeBinaryType, *arrow.BinaryViewType:
		return 1
	}
	return 0
}

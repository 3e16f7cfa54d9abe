package stage

import (
	"context"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/bitutil"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/aefeat/aefeat/model"
)

// features is what is added to one batch of m rows. What is not wanted is nil.
type features struct {
	t              *Transformer
	m              int
	code, y, score *values
	valid          *memory.Buffer // nil when all are
	nulls          int
}

// values are width float32 for each row, in one piece of memory.
type values struct {
	width  int
	stride int // elements from one column to the next; 0: rows in one piece
	buffer *memory.Buffer
	x      []float32
}

func newFeatures(t *Transformer, m int) *features {
	f := &features{t: t, m: m}
	switch t.code {
	case LayoutList:
		f.code = newValues(t.mem, m*t.model.Hidden, t.model.Hidden, 0)
	case LayoutColumns:
		// Columns begin at multiples of 64 bytes, as Arrow recommends.
		stride := (m + 15) / 16 * 16
		f.code = newValues(t.mem, stride*t.model.Hidden, t.model.Hidden, stride)
	}
	if t.y {
		f.y = newValues(t.mem, m*t.model.Inputs, t.model.Inputs, 0)
	}
	if t.score {
		f.score = newValues(t.mem, m, 1, 0)
	}
	return f
}

func newValues(mem memory.Allocator, elements, width, stride int) *values {
	v := &values{width: width, stride: stride, buffer: memory.NewResizableBuffer(mem)}
	v.buffer.Resize(elements * arrow.Float32SizeBytes)
	v.x = arrow.Float32Traits.CastFromBytes(v.buffer.Bytes())
	return v
}

// encode fills in the features of rows; those of the batch that are missing
// among them are null.
func (f *features) encode(ctx context.Context, w *worker, rows model.Rows, first int64) error {
	if f.nulls = f.m - rows.Len(); f.nulls > 0 {
		f.valid = memory.NewResizableBuffer(f.t.mem)
		f.valid.Resize(int(bitutil.BytesForBits(int64(f.m))))
		clear(f.valid.Bytes())
		for _, n := range rows.Number {
			bitutil.SetBit(f.valid.Bytes(), int(n-first))
		}
	}
	columns := f.t.code == LayoutColumns
	if columns && f.nulls > 0 {
		clear(f.code.x)
	}
	rowBytes := rows.Width * rows.Kind.Size()
	for lo := 0; lo < rows.Len(); lo += encodeRows {
		if err := ctx.Err(); err != nil {
			return err
		}
		hi := min(lo+encodeRows, rows.Len())
		chunk := model.Rows{Kind: rows.Kind, Width: rows.Width, Data: rows.Data[lo*rowBytes : hi*rowBytes], Number: rows.Number[lo:hi]}
		code := f.code.rows(lo, hi)
		if columns {
			code = w.codes[:(hi-lo)*f.code.width]
		}
		if err := w.encoder.Reconstruct(code, f.y.rows(lo, hi), f.score.rows(lo, hi), chunk); err != nil {
			return err
		}
		switch {
		case !columns:
		case f.nulls == 0:
			f.code.transpose(code, lo, hi)
		default:
			f.code.scatter(code, chunk.Number, first)
		}
	}
	if f.nulls > 0 {
		for _, v := range []*values{f.code, f.y, f.score} {
			v.spread(rows.Number, first)
		}
	}
	return nil
}

// rows returns where rows lo up to hi go; nil where they lie in columns.
func (v *values) rows(lo, hi int) []float32 {
	if v == nil || v.stride > 0 {
		return nil
	}
	return v.x[lo*v.width : hi*v.width]
}

// transpose copies rows lo up to hi into columns, 16 rows at a time: a cache
// line of each column.
func (v *values) transpose(from []float32, lo, hi int) {
	h := v.width
	for i := lo; i < hi; i += 16 {
		tile := from[(i-lo)*h:]
		n := min(16, hi-i)
		for j := range h {
			column := v.x[j*v.stride+i:][:n]
			for k := range column {
				column[k] = tile[k*h+j]
			}
		}
	}
}

// scatter copies rows into columns, to the places that their numbers tell.
func (v *values) scatter(from []float32, number []int64, first int64) {
	for i, n := range number {
		for j := range v.width {
			v.x[j*v.stride+int(n-first)] = from[i*v.width+j]
		}
	}
}

// spread moves rows, of which those with numbers lie at the front, to the
// places that their numbers tell, and leaves zeros between them. The last goes
// first: no row moves forward past one that has not moved.
func (v *values) spread(number []int64, first int64) {
	if v == nil || v.stride > 0 {
		return
	}
	end := len(v.x)
	for i := len(number) - 1; i >= 0; i-- {
		at := int(number[i]-first) * v.width
		copy(v.x[at:at+v.width], v.x[i*v.width:])
		clear(v.x[at+v.width : end])
		end = at
	}
	clear(v.x[:end])
}

// arrays returns the columns in the order of the schema. The caller releases
// them.
func (f *features) arrays() []arrow.Array {
	var arrays []arrow.Array
	switch f.t.code {
	case LayoutList:
		arrays = append(arrays, f.list(f.code))
	case LayoutColumns:
		for j := range f.code.width {
			arrays = append(arrays, f.column(f.code, j*f.code.stride))
		}
	}
	if f.y != nil {
		arrays = append(arrays, f.list(f.y))
	}
	if f.score != nil {
		arrays = append(arrays, f.column(f.score, 0))
	}
	return arrays
}

// column returns the m values from an element on as an array.
func (f *features) column(v *values, at int) arrow.Array {
	part := memory.SliceBuffer(v.buffer, at*arrow.Float32SizeBytes, f.m*arrow.Float32SizeBytes)
	defer part.Release()
	data := array.NewData(arrow.PrimitiveTypes.Float32, f.m, []*memory.Buffer{f.valid, part}, nil, f.nulls, 0)
	defer data.Release()
	return array.NewFloat32Data(data)
}

// list returns the rows as an array of fixed-size lists.
func (f *features) list(v *values) arrow.Array {
	elements := array.NewData(arrow.PrimitiveTypes.Float32, f.m*v.width, []*memory.Buffer{nil, v.buffer}, nil, 0, 0)
	defer elements.Release()
	data := array.NewData(listOf(v.width), f.m, []*memory.Buffer{f.valid}, []arrow.ArrayData{elements}, f.nulls, 0)
	defer data.Release()
	return array.NewFixedSizeListData(data)
}

func (f *features) release() {
	for _, v := range []*values{f.code, f.y, f.score} {
		if v != nil {
			v.buffer.Release()
		}
	}
	if f.valid != nil {
		f.valid.Release()
	}
}

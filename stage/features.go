package stage

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/bitutil"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/aefeat/aefeat/model"
	"github.com/aefeat/aefeat/patch"
)

// features is what is added to one batch of m rows. What is not wanted is nil.
type features struct {
	t              *Transformer
	m              int
	code, y, score *values
	sparse         *nonzeros      // codes of which the zeros are left out
	valid          *memory.Buffer // nil when all are
	nulls          int

	// offsets (m+1) of the lists of codes, where lists may have any length.
	offsets *memory.Buffer
}

// values are width float32 for each row, in one piece of memory.
type values struct {
	width  int
	stride int // elements from one column to the next; 0: rows in one piece
	buffer *memory.Buffer
	x      []float32
}

// variable reports whether codes are lists of any length, of which a batch has
// at most 2^31-1 values.
func (t *Transformer) variable() bool { return t.code == LayoutArray || t.code == LayoutSparse }

func newFeatures(t *Transformer, m int) (*features, error) {
	if t.variable() && m > math.MaxInt32/t.model.Hidden {
		return nil, &patch.RowError{Row: -1, Reason: fmt.Sprintf("lists of any length hold no %d codes of %d units in one batch", m, t.model.Hidden),
			Hint: "give smaller batches, or choose `Layout` list"}
	}
	f := &features{t: t, m: m}
	switch t.code {
	case LayoutSparse:
		f.sparse = newNonzeros(t.mem)
	case LayoutList, LayoutArray:
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
	return f, nil
}

func newValues(mem memory.Allocator, elements, width, stride int) *values {
	v := &values{width: width, stride: stride, buffer: memory.NewResizableBuffer(mem)}
	v.buffer.Resize(elements * arrow.Float32SizeBytes)
	v.x = arrow.Float32Traits.CastFromBytes(v.buffer.Bytes())
	return v
}

// encode fills in the features of rows; those of the batch that are missing
// among them are null. So are those that overflow, where they are skipped: they
// go into bad.
func (f *features) encode(ctx context.Context, w *worker, rows model.Rows, first int64, bad *patch.BadRows) error {
	done := 0 // rows that have features, whose numbers come first
	for lo := 0; lo < rows.Len(); lo += encodeRows {
		if err := ctx.Err(); err != nil {
			return err
		}
		chunk := cut(rows, lo, min(lo+encodeRows, rows.Len()))
		err := f.put(w, chunk, done, first)
		var overflow *model.RangeError
		switch {
		case err == nil:
			done += copy(rows.Number[done:], chunk.Number)
			continue
		case !f.t.skip || !errors.As(err, &overflow):
			return err
		}
		// A row's features do not depend on the rows beside it.
		for i := range chunk.Len() {
			row := cut(chunk, i, i+1)
			number := row.Number[0]
			switch err := f.put(w, row, done, first); {
			case err == nil:
				rows.Number[done] = number
				done++
			case errors.As(err, &overflow):
				bad.Add(patch.BadRow{Row: number, Reason: patch.OutOfRange})
			default:
				return err
			}
		}
	}
	f.void(rows.Number[:done], first)
	if f.t.variable() {
		f.measure(rows.Number[:done], first)
	}
	return nil
}

// put encodes a chunk of rows. In columns their features go where their numbers
// tell, elsewhere from row at on.
func (f *features) put(w *worker, chunk model.Rows, at int, first int64) error {
	m := chunk.Len()
	y, score := f.y.rows(at, at+m), f.score.rows(at, at+m)
	if f.sparse != nil && f.t.model.K > 0 {
		w.kept.Reset()
		err := w.encoder.ReconstructSparse(&w.kept, y, score, chunk)
		f.sparse.append(&w.kept)
		return err
	}
	code := f.code.rows(at, at+m)
	columns := f.t.code == LayoutColumns
	if columns || f.sparse != nil {
		code = w.codes[:m*f.t.model.Hidden]
	}
	if err := w.encoder.Reconstruct(code, y, score, chunk); err != nil {
		return err
	}
	switch start := chunk.Number[0]; {
	case f.sparse != nil:
		f.sparse.add(code, f.t.model.Hidden)
	case !columns:
	case chunk.Number[m-1]-start == int64(m-1):
		f.code.transpose(code, int(start-first), int(start-first)+m)
	default:
		f.code.scatter(code, chunk.Number, first)
	}
	return nil
}

// void makes the features of all rows but those with the given numbers null.
func (f *features) void(number []int64, first int64) {
	if f.nulls = f.m - len(number); f.nulls == 0 {
		return
	}
	f.valid = memory.NewResizableBuffer(f.t.mem)
	f.valid.Resize(int(bitutil.BytesForBits(int64(f.m))))
	clear(f.valid.Bytes())
	for _, n := range number {
		bitutil.SetBit(f.valid.Bytes(), int(n-first))
	}
	if f.t.code == LayoutList {
		f.code.spread(number, first)
	}
	f.y.spread(number, first)
	f.score.spread(number, first)
	if f.t.code == LayoutColumns {
		f.code.blank(f.valid.Bytes(), f.m)
	}
}

// measure says where the lists of codes end: those of rows with numbers follow
// one another, the others are empty.
func (f *features) measure(number []int64, first int64) {
	f.offsets = memory.NewResizableBuffer(f.t.mem)
	f.offsets.Resize((f.m + 1) * arrow.Int32SizeBytes)
	offsets := arrow.Int32Traits.CastFromBytes(f.offsets.Bytes())
	offsets[0] = 0
	k := 0
	for i := range f.m {
		offsets[i+1] = offsets[i]
		if k == len(number) || number[k]-first != int64(i) {
			continue
		}
		if f.sparse != nil {
			offsets[i+1] = f.sparse.ends[k]
		} else {
			offsets[i+1] += int32(f.code.width)
		}
		k++
	}
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

// blank sets what columns hold of m rows to zero where valid has no bit.
func (v *values) blank(valid []byte, m int) {
	for j := range v.width {
		column := v.x[j*v.stride:][:m]
		for i := range column {
			if bitutil.BitIsNotSet(valid, i) {
				column[i] = 0
			}
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
	case LayoutArray:
		arrays = append(arrays, f.lists(arrow.PrimitiveTypes.Float32, f.code.buffer))
	case LayoutSparse:
		arrays = append(arrays, f.lists(arrow.PrimitiveTypes.Uint32, f.sparse.indices), f.lists(arrow.PrimitiveTypes.Float32, f.sparse.values))
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

// lists returns elements of 4 bytes as an array of lists of any length.
func (f *features) lists(element arrow.DataType, buffer *memory.Buffer) arrow.Array {
	ends := arrow.Int32Traits.CastFromBytes(f.offsets.Bytes())
	elements := array.NewData(element, int(ends[f.m]), []*memory.Buffer{nil, buffer}, nil, 0, 0)
	defer elements.Release()
	data := array.NewData(arrow.ListOf(element), f.m, []*memory.Buffer{f.valid, f.offsets}, []arrow.ArrayData{elements}, f.nulls, 0)
	defer data.Release()
	return array.NewListData(data)
}

func (f *features) release() {
	if f.sparse != nil {
		f.sparse.indices.Release()
		f.sparse.values.Release()
	}
	if f.offsets != nil {
		f.offsets.Release()
	}
	for _, v := range []*values{f.code, f.y, f.score} {
		if v != nil {
			v.buffer.Release()
		}
	}
	if f.valid != nil {
		f.valid.Release()
	}
}

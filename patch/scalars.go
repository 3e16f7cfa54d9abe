package patch

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/bitutil"

	"github.com/aefeat/aefeat/model"
)

// scalarRows reads patches of which every value has a column of its own.
func (b *Binding) scalarRows(batch arrow.RecordBatch, m int) ([]byte, []int32, error) {
	n, size := len(b.columns), b.kind.Size()
	b.out = resize(b.out, words(m*n*size))
	data := asBytes(b.out)[:m*n*size]
	b.raw = resize(b.raw, n)
	for j := range b.columns {
		if err := b.scalarColumn(batch, j, m); err != nil {
			return nil, nil, err
		}
	}

	// Columns lie apart and rows together: take blocks of rows that stay in the
	// cache for all columns.
	const block = 64
	for lo := 0; lo < m; lo += block {
		hi := min(lo+block, m)
		for j := 0; j < n; {
			k := min(j+8, n)
			if slices.ContainsFunc(b.columns[j:k], func(c boundColumn) bool { return c.element != b.columns[j].element }) {
				k = j + 1
			}
			b.interleave(data, j, k, lo, hi)
			j = k
		}
	}

	b.rows = resize(b.rows, m)
	for i := range b.rows {
		b.rows[i] = int32(i)
	}
	rows := b.rows
	if b.anyBad {
		data = b.compact(data, rows)
		rows = b.keepGood(rows)
	}
	if numericTypes[b.source].float {
		data = b.dropNotFinite(data, rows, func(k, e int) float64 {
			if b.columns[e].element == "float64" {
				return arrow.Float64Traits.CastFromBytes(b.raw[e])[rows[k]]
			}
			return math.Inf(1)
		})
		rows = b.keepGood(rows)
	}
	return data, rows, nil
}

// scalarColumn finds the elements of column j and marks the rows where it has
// none.
func (b *Binding) scalarColumn(batch arrow.RecordBatch, j, m int) error {
	col := &b.columns[j]
	a := batch.Column(col.index[0])
	for depth, i := range col.index[1:] {
		st, ok := a.(*array.Struct)
		if !ok {
			return bindError(col.name, fmt.Sprintf("array of %s, expected a struct", a.DataType()), "")
		}
		b.markNulls(st, m, col.name, fmt.Sprintf("null value in struct %q", strings.Join(col.path[:depth+1], ".")))
		a = st.Field(i)
	}
	if a.Len() < m {
		return bindError(col.name, fmt.Sprintf("%d values in a batch of %d rows", a.Len(), m), "")
	}
	for {
		ext, ok := a.(array.ExtensionArray)
		if !ok {
			break
		}
		a = ext.Storage()
	}
	b.markNulls(a, m, col.name, "null value")
	if x, ok := a.(*array.Dictionary); ok {
		var err error
		b.raw[j], err = b.decoded(x, m, col)
		return err
	}
	if elementNames[a.DataType().ID()] != col.element {
		return bindError(col.name, fmt.Sprintf("array of %s, expected %s", a.DataType(), col.element), "")
	}
	var err error
	b.raw[j], err = numbers(a, m, col)
	return err
}

// decoded returns the m values that a dictionary's indexes stand for, those of
// bad rows left at 0. It outlives the look-ups of other columns.
func (b *Binding) decoded(x *array.Dictionary, m int, col *boundColumn) ([]byte, error) {
	rows := make([]int32, 0, m)
	for i := range m {
		if !b.bad[i] {
			rows = append(rows, int32(i))
		}
	}
	good := &cursor{rows: rows, perRow: 1, run: 1}
	if len(rows) < m {
		good.starts = make([]int, len(rows))
		for k, r := range rows {
			good.starts[k] = int(r)
		}
	}
	values, err := b.lookUp(x, good, col)
	if err != nil {
		return nil, err
	}
	size := numericTypes[col.element].bits / 8
	full := make([]byte, m*size)
	for k, r := range good.rows {
		at := good.start(k) * size
		copy(full[int(r)*size:], values[at:at+size])
	}
	return full, nil
}

// markNulls marks the rows that are null in a; text says so.
func (b *Binding) markNulls(a arrow.Array, m int, column, text string) {
	if a.NullN() == 0 {
		return
	}
	if bitmap := a.NullBitmapBytes(); len(bitmap) > 0 && len(bitmap) < int(bitutil.BytesForBits(int64(a.Data().Offset()+a.Len()))) {
		for i := range m {
			b.mark(int32(i), column, Damaged, func() string { return shortBitmap })
		}
		return
	}
	for i := range min(m, a.Len()) {
		if a.IsNull(i) {
			b.mark(int32(i), column, Null, func() string { return text })
		}
	}
}

// interleave puts rows lo to hi of the columns j to k, at most 8 of one type,
// into their places among the columns.
func (b *Binding) interleave(data []byte, j, k, lo, hi int) {
	n, element, raw := len(b.columns), b.columns[j].element, b.raw[j:k]
	at := lo*n + j
	switch b.kind {
	case model.Uint8:
		weave(data[at:], n, raw, lo, hi, arrow.Uint8Traits.CastFromBytes)
	case model.Float16:
		weave(arrow.Uint16Traits.CastFromBytes(data)[at:], n, raw, lo, hi, arrow.Uint16Traits.CastFromBytes)
	case model.Uint16:
		dst := arrow.Uint16Traits.CastFromBytes(data)[at:]
		if element == "uint8" {
			weave(dst, n, raw, lo, hi, arrow.Uint8Traits.CastFromBytes)
		} else {
			weave(dst, n, raw, lo, hi, arrow.Uint16Traits.CastFromBytes)
		}
	default:
		dst := arrow.Float32Traits.CastFromBytes(data)[at:]
		switch element {
		case "uint8":
			weave(dst, n, raw, lo, hi, arrow.Uint8Traits.CastFromBytes)
		case "uint16":
			weave(dst, n, raw, lo, hi, arrow.Uint16Traits.CastFromBytes)
		case "uint32":
			weave(dst, n, raw, lo, hi, arrow.Uint32Traits.CastFromBytes)
		case "uint64":
			weave(dst, n, raw, lo, hi, arrow.Uint64Traits.CastFromBytes)
		case "int8":
			weave(dst, n, raw, lo, hi, arrow.Int8Traits.CastFromBytes)
		case "int16":
			weave(dst, n, raw, lo, hi, arrow.Int16Traits.CastFromBytes)
		case "int32":
			weave(dst, n, raw, lo, hi, arrow.Int32Traits.CastFromBytes)
		case "int64":
			weave(dst, n, raw, lo, hi, arrow.Int64Traits.CastFromBytes)
		case "float16":
			for c, r := range raw {
				for i, v := range arrow.Uint16Traits.CastFromBytes(r)[lo:hi] {
					dst[i*n+c] = halfToFloat32(v)
				}
			}
		case "float32":
			weave(dst, n, raw, lo, hi, arrow.Float32Traits.CastFromBytes)
		case "float64":
			weave(dst, n, raw, lo, hi, arrow.Float64Traits.CastFromBytes)
		}
	}
}

// weave writes rows lo to hi of up to 8 columns side by side, n elements from
// row to row.
func weave[D, S number](dst []D, n int, columns [][]byte, lo, hi int, typed func([]byte) []S) {
	if len(columns) < 8 {
		for j, c := range columns {
			for i, v := range typed(c)[lo:hi] {
				dst[i*n+j] = D(v)
			}
		}
		return
	}
	m := hi - lo
	var c [8][]S
	for j := range c {
		c[j] = typed(columns[j])[lo:hi][:m]
	}
	c0, c1, c2, c3, c4, c5, c6, c7 := c[0][:m], c[1][:m], c[2][:m], c[3][:m], c[4][:m], c[5][:m], c[6][:m], c[7][:m]
	for i := range m {
		d := dst[i*n : i*n+8]
		d[0], d[1], d[2], d[3] = D(c0[i]), D(c1[i]), D(c2[i]), D(c3[i])
		d[4], d[5], d[6], d[7] = D(c4[i]), D(c5[i]), D(c6[i]), D(c7[i])
	}
}

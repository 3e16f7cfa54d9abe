package arrowio

import (
	"fmt"
	"math"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/bitutil"
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

	// Columns lie apart and rows together: take blocks of rows that stay in the first cache for all columns.
	const block = 32
	for lo := 0; lo < m; lo += block {
		hi := min(lo+block, m)
		for j, raw := range b.raw {
			b.interleave(data, j, raw, lo, hi)
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

// scalarColumn finds the elements of column j and marks the rows where it has none.
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
			return err
		}
		// The column must outlive the look-ups of the others.
		size := numericTypes[col.element].bits / 8
		full := make([]byte, m*size)
		for k, r := range good.rows {
			at := good.start(k) * size
			copy(full[int(r)*size:], values[at:at+size])
		}
		b.raw[j] = full
		return nil
	}
	if elementNames[a.DataType().ID()] != col.element {
		return bindError(col.name, fmt.Sprintf("array of %s, expected %s", a.DataType(), col.element), "")
	}
	size := a.DataType().(arrow.FixedWidthDataType).Bytes()
	values, lo := bufferBytes(a, 1), a.Data().Offset()*size
	if len(values) < lo+m*size {
		return bindError(col.name, fmt.Sprintf("%d bytes for %d values of %s", len(values), a.Data().Offset()+m, a.DataType()), "")
	}
	b.raw[j] = values[lo : lo+m*size]
	return nil
}

func (b *Binding) markNulls(a arrow.Array, m int, column, reason string) {
	if a.NullN() == 0 {
		return
	}
	if bitmap := a.NullBitmapBytes(); len(bitmap) > 0 && len(bitmap) < int(bitutil.BytesForBits(int64(a.Data().Offset()+a.Len()))) {
		for i := range m {
			b.mark(int32(i), column, func() string { return shortBitmap })
		}
		return
	}
	for i := range min(m, a.Len()) {
		if a.IsNull(i) {
			b.mark(int32(i), column, func() string { return reason })
		}
	}
}

// interleave puts rows lo to hi of column j into their places among the columns.
func (b *Binding) interleave(data []byte, j int, raw []byte, lo, hi int) {
	n, element := len(b.columns), b.columns[j].element
	switch b.kind {
	case Uint8:
		strided(data[lo*n+j:], n, raw[lo:hi])
	case Float16:
		strided(arrow.Uint16Traits.CastFromBytes(data)[lo*n+j:], n, arrow.Uint16Traits.CastFromBytes(raw)[lo:hi])
	case Uint16:
		dst := arrow.Uint16Traits.CastFromBytes(data)[lo*n+j:]
		if element == "uint8" {
			strided(dst, n, raw[lo:hi])
		} else {
			strided(dst, n, arrow.Uint16Traits.CastFromBytes(raw)[lo:hi])
		}
	default:
		dst := arrow.Float32Traits.CastFromBytes(data)[lo*n+j:]
		switch element {
		case "uint8":
			strided(dst, n, raw[lo:hi])
		case "uint16":
			strided(dst, n, arrow.Uint16Traits.CastFromBytes(raw)[lo:hi])
		case "uint32":
			strided(dst, n, arrow.Uint32Traits.CastFromBytes(raw)[lo:hi])
		case "uint64":
			strided(dst, n, arrow.Uint64Traits.CastFromBytes(raw)[lo:hi])
		case "int8":
			strided(dst, n, arrow.Int8Traits.CastFromBytes(raw)[lo:hi])
		case "int16":
			strided(dst, n, arrow.Int16Traits.CastFromBytes(raw)[lo:hi])
		case "int32":
			strided(dst, n, arrow.Int32Traits.CastFromBytes(raw)[lo:hi])
		case "int64":
			strided(dst, n, arrow.Int64Traits.CastFromBytes(raw)[lo:hi])
		case "float16":
			for i, v := range arrow.Uint16Traits.CastFromBytes(raw)[lo:hi] {
				dst[i*n] = halfToFloat32(v)
			}
		case "float32":
			strided(dst, n, arrow.Float32Traits.CastFromBytes(raw)[lo:hi])
		case "float64":
			strided(dst, n, arrow.Float64Traits.CastFromBytes(raw)[lo:hi])
		}
	}
}

func strided[D, S number](dst []D, stride int, src []S) {
	for i, v := range src {
		dst[i*stride] = D(v)
	}
}

package patch

import (
	"fmt"
	"slices"
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
			b.columns[j].weave(data, n, j, b.raw[j:k], lo, hi)
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
	if b.source.float {
		data = b.dropNotFinite(data, rows, func(k, e int) float64 {
			return b.columns[e].element.value(b.raw[e], int(rows[k]))
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
	if a.DataType().ID() != col.element.id {
		return bindError(col.name, fmt.Sprintf("array of %s, expected %s", a.DataType(), col.element.name), "")
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
	size := col.element.size
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

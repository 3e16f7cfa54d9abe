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
	rd, n := &b.reader, len(b.columns)
	data := rd.buffer(m * n * b.kind.Size())
	rd.raw = resize(rd.raw, n)
	defer clear(rd.raw) // it leads into the batch
	for j := range b.columns {
		var err error
		if rd.raw[j], err = rd.scalars(batch, &b.columns[j], m); err != nil {
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
			b.columns[j].weave(data, n, j, rd.raw[j:k], lo, hi)
			j = k
		}
	}

	rows := rd.every(m)
	if rd.any {
		data = b.compact(data, rows)
		rows = rd.keepGood(rows)
	}
	if b.source.float || b.source.huge {
		data = b.dropNotFinite(data, rows, func(k, e int) float64 {
			return b.columns[e].element.value(rd.raw[e], int(rows[k]))
		})
		rows = rd.keepGood(rows)
	}
	return data, rows, nil
}

// scalars returns the first m elements of a column of scalars, and marks the
// rows where it has none.
func (rd *rowReader) scalars(batch arrow.RecordBatch, column *boundColumn, m int) ([]byte, error) {
	rd.begin(column, nil, nil, 0)
	a := batch.Column(column.index[0])
	for depth, i := range column.index[1:] {
		st, ok := a.(*array.Struct)
		if !ok {
			return nil, bindError(column.name, fmt.Sprintf("array of %s, expected a struct", a.DataType()), "")
		}
		rd.markNulls(st, m, fmt.Sprintf("null value in struct %q", strings.Join(column.path[:depth+1], ".")))
		a = st.Field(i)
	}
	if a.Len() < m {
		return nil, bindError(column.name, fmt.Sprintf("%d values in a batch of %d rows", a.Len(), m), "")
	}
	a = stored(a)
	rd.markNulls(a, m, "null value")
	if x, ok := a.(*array.Dictionary); ok {
		return rd.decoded(x, m)
	}
	if column.elementOf(a) != column.element {
		return nil, bindError(column.name, fmt.Sprintf("array of %s, expected %s", a.DataType(), column.element.name), "")
	}
	return rd.firstNumbers(a, m)
}

// decoded returns the m values that a dictionary's indexes stand for, those of
// bad rows left at 0. It outlives the look-ups of other columns.
func (rd *rowReader) decoded(x *array.Dictionary, m int) ([]byte, error) {
	rows := make([]int32, 0, m)
	for i := range m {
		if !rd.bad[i] {
			rows = append(rows, int32(i))
		}
	}
	rd.rows = rows
	if len(rows) < m {
		rd.starts = make([]int, len(rows))
		for k, r := range rows {
			rd.starts[k] = int(r)
		}
	}
	values, err := rd.lookUp(x)
	if err != nil {
		return nil, err
	}
	size := rd.column.element.size
	full := make([]byte, m*size)
	for k, r := range rd.rows {
		at := rd.start(k) * size
		copy(full[int(r)*size:], values[at:at+size])
	}
	return full, nil
}

// markNulls marks the rows that are null in a; text says so.
func (rd *rowReader) markNulls(a arrow.Array, m int, text string) {
	if a.NullN() == 0 {
		return
	}
	if bitmap := a.NullBitmapBytes(); len(bitmap) > 0 && len(bitmap) < int(bitutil.BytesForBits(int64(a.Data().Offset()+a.Len()))) {
		for i := range m {
			rd.reject(int32(i), Damaged, func() string { return shortBitmap })
		}
		return
	}
	for i := range min(m, a.Len()) {
		if a.IsNull(i) {
			rd.reject(int32(i), Null, func() string { return text })
		}
	}
}

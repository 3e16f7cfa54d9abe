package stage

import (
	"slices"

	"github.com/aefeat/aefeat/model"
)

// cut returns rows lo up to hi of r.
func cut(r model.Rows, lo, hi int) model.Rows {
	rowBytes := r.Width * r.Kind.Size()
	return model.Rows{Kind: r.Kind, Width: r.Width, Data: r.Data[lo*rowBytes : hi*rowBytes], Number: slices.Clip(r.Number[lo:hi])}
}

// drop takes the rows at some positions out of rows. It moves the others
// together in into, which may be the memory that they lie in, and their numbers
// in place.
func drop(rows model.Rows, at []int, into []byte) model.Rows {
	rowBytes := rows.Width * rows.Kind.Size()
	number := rows.Number[:0]
	lo := 0
	for _, hi := range append(at, rows.Len()) {
		copy(into[len(number)*rowBytes:], rows.Data[lo*rowBytes:hi*rowBytes])
		number = append(number, rows.Number[lo:hi]...)
		lo = hi + 1
	}
	rows.Data, rows.Number = into[:len(number)*rowBytes], number
	return rows
}

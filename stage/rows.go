package stage

import (
	"fmt"
	"math"
	"slices"

	"github.com/aefeat/aefeat/model"
)

// rowSize is how many bytes a row takes.
func rowSize(r model.Rows) int { return r.Width * r.Kind.Size() }

// cut returns rows lo up to hi of r.
func cut(r model.Rows, lo, hi int) model.Rows {
	rowBytes := rowSize(r)
	return model.Rows{Kind: r.Kind, Width: r.Width, Data: r.Data[lo*rowBytes : hi*rowBytes], Number: slices.Clip(r.Number[lo:hi])}
}

// checkNumbers reports what keeps so many rows from being numbered from first
// on.
func checkNumbers(first, rows int64) error {
	switch {
	case first < 0:
		return &model.ConfigError{Setting: "FirstRow", Reason: fmt.Sprintf("%d is negative", first)}
	case rows > math.MaxInt64-first:
		return &model.ConfigError{Setting: "FirstRow", Reason: fmt.Sprintf("there are no numbers for %d rows from %d on", rows, first)}
	}
	return nil
}

// drop takes the rows at some positions out of rows. It moves the others
// together in into, which may be the memory that they lie in, and their numbers
// in place.
func drop(rows model.Rows, at []int, into []byte) model.Rows {
	rowBytes := rowSize(rows)
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

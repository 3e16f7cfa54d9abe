package stage

import (
	"errors"
	"fmt"
	"slices"

	"github.com/aefeat/aefeat/model"
	"github.com/aefeat/aefeat/patch"
)

// badRows is what is known of the rows that were left out.
type badRows struct {
	patch.BadRows
	outside error // names the first of those that the model does not take
}

// addOutside notes the rows at some positions among those with the given
// numbers: they are out of range, the first for the error first.
func (b *badRows) addOutside(number []int64, at []int, first error) {
	for _, i := range at {
		b.Add(patch.BadRow{Row: number[i], Reason: patch.OutOfRange})
	}
	if b.outside == nil {
		b.outside = first
	}
}

// none returns the error of having no rows left. If some were out of range, the
// settings may not suit the data: so it names the first of these.
func (b *badRows) none() error {
	switch n := b.Total(); {
	case n == 0:
		return ErrNoRows
	case b.outside == nil:
		return fmt.Errorf("%w: all %d were skipped", ErrNoRows, n)
	default:
		return fmt.Errorf("%w: all %d were skipped: %w", ErrNoRows, n, b.outside)
	}
}

// outside returns the error of the first row whose values m does not take, nil
// if there is none. With skip it also returns the positions of all such rows,
// ascending; an error without positions is one that no row can be left out for.
func outside(m *model.Model, rows model.Rows, skip bool) (at []int, first error) {
	first = m.Check(rows)
	if first == nil || !skip {
		return nil, first
	}
	var e *model.RangeError
	for lo, err := 0, first; errors.As(err, &e); err = m.Check(cut(rows, lo, rows.Len())) {
		i, _ := slices.BinarySearch(rows.Number[lo:], e.Row)
		at = append(at, lo+i)
		lo += i + 1
	}
	return at, first
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

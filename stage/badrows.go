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

// screen returns the positions of the rows that m does not take, and notes
// them; without skip the first of them is an error. Rows come from columns;
// fits is as for located.
func (b *badRows) screen(m *model.Model, rows model.Rows, skip bool, columns []string, fits *rulePlan) ([]int, error) {
	at, err := outside(m, rows, skip)
	if err == nil {
		return nil, nil
	}
	err = located(err, columns, m, fits)
	if len(at) == 0 {
		return nil, err
	}
	for _, i := range at {
		b.Add(patch.BadRow{Row: rows.Number[i], Reason: patch.OutOfRange})
	}
	if b.outside == nil {
		b.outside = err
	}
	return at, nil
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

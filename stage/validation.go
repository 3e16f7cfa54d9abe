package stage

import (
	"context"
	"fmt"

	"github.com/aefeat/aefeat/model"
)

// validation keeps the rows that are held out, and tells what models cost on
// them.
type validation struct {
	rows *store
}

// take moves the rows of a block that are marked so from it to the store.
func (v *validation) take(b *block) error {
	r, rowBytes := &b.rows, rowSize(b.rows)
	rest := 0
	for i, held := range b.held {
		row, number := r.Data[i*rowBytes:(i+1)*rowBytes], r.Number[i]
		if held {
			if err := v.rows.Append(row, r.Number[i:i+1]); err != nil {
				return err
			}
			continue
		}
		copy(r.Data[rest*rowBytes:], row)
		r.Number[rest] = number
		rest++
	}
	r.Data, r.Number, b.held = r.Data[:rest*rowBytes], r.Number[:rest], b.held[:0]
	return nil
}

// check reports that no row was held out, or that none is left beside those
// that were.
func (v *validation) check(trained int64) error {
	switch heldOut := v.rows.Rows(); {
	case heldOut == 0:
		return &model.ConfigError{Setting: "Validation", Reason: fmt.Sprintf("none of the %d rows was drawn to be held out", trained),
			Hint: "hold out a larger share, or use a `ValidationKey` that has more values"}
	case trained == 0:
		return &model.ConfigError{Setting: "Validation", Reason: fmt.Sprintf("all of the %d rows were drawn to be held out", heldOut),
			Hint: "hold out a smaller share, or use a `ValidationKey` that has more values"}
	}
	return nil
}

// judge tells the trainers of some models what the held-out rows cost at the
// weights as they are.
func (v *validation) judge(ctx context.Context, these []*training, tell func(done int64)) error {
	for _, one := range these {
		one.validator.Reset()
	}
	done := int64(0)
	err := v.rows.visit(ctx, 0, 0, func(rows model.Rows, order []int32) error {
		if err := sideBySide(these, func(one *training) error { return one.validator.Add(rows, order) }); err != nil {
			return err
		}
		done += int64(len(order))
		tell(done)
		return nil
	})
	if err != nil {
		return err
	}
	for _, one := range these {
		one.trainer.Validate(one.validator.Cost())
	}
	return nil
}

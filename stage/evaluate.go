package stage

import (
	"context"

	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/aefeat/aefeat/model"
	"github.com/aefeat/aefeat/patch"
)

// EvaluateConfig says where the patch is, as [TransformConfig] does.
type EvaluateConfig struct {
	Columns  []string // names or patterns of the patch columns; nil: those of the model
	Skip     bool     // leave bad rows out, instead of failing at the first
	PixelMax float64  // divisor for elements of another type than the model's; 0: that is an error
	FirstRow int64    // number of the first row, from 0 up, for errors
}

// Evaluation is the cost of a model over some rows, clean and with the model's
// own objective.
type Evaluation struct {
	model.Evaluation
	Skipped int64 `json:"skipped"` // bad rows left out

	// BadRows tells why they were, and which came first.
	BadRows patch.BadRows `json:"bad_rows,omitzero"`
}

// Evaluate returns the cost of m over all rows of r, which it does not
// release, and [ErrNoRows] when there are none. It has ended all goroutines
// when it returns; ctx is looked at between batches.
func Evaluate(ctx context.Context, m *model.Model, r array.RecordReader, c EvaluateConfig) (Evaluation, error) {
	if ctx == nil {
		return Evaluation{}, errNoContext
	}
	if err := checkNumbers(c.FirstRow, 0); err != nil {
		return Evaluation{}, err
	}
	schema, err := schemaOf(r)
	if err != nil {
		return Evaluation{}, err
	}
	m, binding, err := bindTo(m, schema, c.Columns, c.Skip, c.PixelMax)
	if err != nil {
		return Evaluation{}, err
	}
	if m.Params == nil {
		return Evaluation{}, errNoParams
	}
	evaluator := model.NewEvaluator(m)
	f := newFeed(binding.Kind(), m.Inputs)
	defer f.stop()
	columns := binding.Columns()
	var bad badRows // the consumer's until it has ended, then all
	f.start(func(rows model.Rows) error {
		at, err := bad.screen(m, rows, c.Skip, columns, "")
		if err != nil {
			return err
		}
		if len(at) > 0 {
			rows = drop(rows, at, rows.Data)
		}
		return evaluator.Add(rows)
	})
	in := &intake{binding: binding, next: c.FirstRow}
	if err := in.pour(ctx, r, f); err != nil {
		return Evaluation{}, err
	}
	bad.Merge(in.bad.BadRows)
	result := evaluator.Result()
	if result.Rows == 0 {
		return Evaluation{}, bad.none()
	}
	return Evaluation{Evaluation: result, Skipped: bad.Total(), BadRows: bad.BadRows}, nil
}

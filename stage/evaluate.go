package stage

import (
	"context"
	"fmt"

	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/aefeat/aefeat/model"
)

// EvaluateConfig says where the patch is, as [TransformConfig] does.
type EvaluateConfig struct {
	Columns  []string // names or patterns of the patch columns; nil: those of the model
	Skip     bool     // leave bad rows out and count them, instead of failing
	PixelMax float64  // divisor for elements of another type than the model's; 0: that is an error
	FirstRow int64    // number of the first row, for errors
}

// Evaluation is the cost of a model over some rows, clean and with the model's
// own objective.
type Evaluation struct {
	model.Evaluation
	Skipped int64 `json:"skipped"` // bad rows left out
}

// Evaluate returns the cost of m over all rows of r, which it does not
// release, and [ErrNoRows] when there are none. It has ended all goroutines
// when it returns; ctx is looked at between batches.
func Evaluate(ctx context.Context, m *model.Model, r array.RecordReader, c EvaluateConfig) (Evaluation, error) {
	if ctx == nil {
		return Evaluation{}, errNoContext
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
	f.start(func(rows model.Rows) error {
		if err := m.Check(rows); err != nil {
			return located(err, columns, "")
		}
		return evaluator.Add(rows)
	})
	var skipped int64
	next := c.FirstRow
	for r.Next() {
		if err := ctx.Err(); err != nil {
			return Evaluation{}, err
		}
		batch := r.RecordBatch()
		bound, left, err := binding.Rows(batch, next)
		if err != nil {
			if earlier := f.finish(ctx); earlier != nil {
				return Evaluation{}, earlier
			}
			return Evaluation{}, err
		}
		next += batch.NumRows()
		skipped += int64(len(left))
		if err := f.add(ctx, bound); err != nil {
			return Evaluation{}, err
		}
	}
	if err := readError(r); err != nil {
		return Evaluation{}, err
	}
	if err := f.finish(ctx); err != nil {
		return Evaluation{}, err
	}
	result := evaluator.Result()
	switch {
	case result.Rows == 0 && skipped > 0:
		return Evaluation{}, fmt.Errorf("%w: all %d were skipped", ErrNoRows, skipped)
	case result.Rows == 0:
		return Evaluation{}, ErrNoRows
	}
	return Evaluation{Evaluation: result, Skipped: skipped}, nil
}

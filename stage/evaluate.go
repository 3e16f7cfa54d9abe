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
	var evaluator *model.Evaluator
	bad, err := visit(ctx, m, r, c, func(m *model.Model) func(model.Rows) error {
		evaluator = model.NewEvaluator(m)
		return evaluator.Add
	})
	if err != nil {
		return Evaluation{}, err
	}
	result := evaluator.Result()
	if result.Rows == 0 {
		return Evaluation{}, bad.none()
	}
	return Evaluation{Evaluation: result, Skipped: bad.Total(), BadRows: bad.BadRows}, nil
}

// Activity is what the units of a model do on some rows, and how much its
// inputs vary over them.
type Activity struct {
	*model.Activity
	BadRows patch.BadRows // bad rows left out
}

// Observe returns the activity of m over all rows of r, which it does not
// release, in one pass that keeps a block of them; and [ErrNoRows] when there
// are none. It has ended all goroutines when it returns; ctx is looked at
// between batches.
func Observe(ctx context.Context, m *model.Model, r array.RecordReader, c EvaluateConfig) (Activity, error) {
	var a Activity
	bad, err := visit(ctx, m, r, c, func(m *model.Model) func(model.Rows) error {
		a.Activity = model.NewActivity(m)
		return a.Add
	})
	if err != nil {
		return Activity{}, err
	}
	if a.Rows() == 0 {
		return Activity{}, bad.none()
	}
	a.BadRows = bad.BadRows
	return a, nil
}

// visit hands the rows of r, but for bad ones, to what begin returns for the
// model, adapted to the input.
func visit(ctx context.Context, m *model.Model, r array.RecordReader, c EvaluateConfig, begin func(*model.Model) func(model.Rows) error) (badRows, error) {
	if ctx == nil {
		return badRows{}, errNoContext
	}
	if err := checkNumbers(c.FirstRow, 0); err != nil {
		return badRows{}, err
	}
	schema, err := schemaOf(r)
	if err != nil {
		return badRows{}, err
	}
	m, binding, err := bindTo(m, schema, c.Columns, c.Skip, c.PixelMax)
	if err != nil {
		return badRows{}, err
	}
	if m.Params == nil {
		return badRows{}, errNoParams
	}
	add := begin(m)
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
		return add(rows)
	})
	in := &intake{binding: binding, next: c.FirstRow}
	if err := in.pour(ctx, r, f); err != nil {
		return badRows{}, err
	}
	bad.Merge(in.bad.BadRows)
	return bad, nil
}

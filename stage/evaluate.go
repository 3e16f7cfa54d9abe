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

	// Decode decodes encoded images; nil: they are an error. Images says what
	// they become; where it is zero, what the model says.
	Decode patch.Decoder
	Images model.Images
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
	s, err := newScan(ctx, m, r, c)
	if err != nil {
		return Evaluation{}, err
	}
	evaluator := model.NewEvaluator(s.model)
	if err := s.run(ctx, evaluator.Add); err != nil {
		return Evaluation{}, err
	}
	return Evaluation{Evaluation: evaluator.Result(), Skipped: s.bad.Total(), BadRows: s.bad.BadRows}, nil
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
	s, err := newScan(ctx, m, r, c)
	if err != nil {
		return Activity{}, err
	}
	a := model.NewActivity(s.model)
	if err := s.run(ctx, a.Add); err != nil {
		return Activity{}, err
	}
	return Activity{a, s.bad.BadRows}, nil
}

package model

import (
	"math"

	"github.com/aefeat/aefeat/internal/f32"
)

// Evaluation is how a model does on rows, fed as they are, without
// corruption, in preprocessed space.
type Evaluation struct {
	Rows int64 `json:"rows"`
	Cost Cost  `json:"cost"` // by the model's own objective

	// MeanActivation is of rhohat over the units: the mean of a unit's codes
	// over the rows, codes of tanh through (1+a)/2, the form that is compared
	// with rho.
	MeanActivation struct {
		Mean float64 `json:"mean"`
		Min  float64 `json:"min"`
		Max  float64 `json:"max"`
	} `json:"mean_activation"`

	// DeadUnits counts the units whose codes hardly tell rows apart: over all
	// rows, the largest and the smallest are at most 1% of the unit's range
	// apart, wherever they lie. The range of sigmoid is 1 wide, that of tanh
	// 2; for relu and linear it is taken to be the widest difference that any
	// unit of the model shows on these rows. Fewer than two rows show nothing,
	// and count none.
	DeadUnits int `json:"dead_units"`

	// DenseUnits counts the units that are active on more than half of the
	// rows: their codes lie in the upper half of the range of sigmoid or tanh,
	// are above 0 for relu, or were kept of a k-sparse code. A linear code that
	// keeps all has none, as being active means nothing there.
	DenseUnits int `json:"dense_units"`

	// SaturatedUnits counts the units of sigmoid or tanh whose codes lie within
	// 1% of the range from either end of it on at least 99% of the rows, where
	// hardly any gradient comes through. A unit that is dead at an end of its
	// range is one of them.
	SaturatedUnits int `json:"saturated_units"`

	// NMSE is the squared error over the variance of the rows,
	// sum |x-y|^2 / (sum |x|^2 - |sum x|^2/m): 0 is perfect, 1 is no better
	// than the mean row. Where all rows are the same it is 0 for a perfect
	// reconstruction, and the largest float64 for any other.
	NMSE float64 `json:"nmse"`
}

// Evaluator evaluates a model on rows. How they are split over calls of Add
// does not matter. Evaluators of parts of the rows merge into one of the whole.
// It is not safe for concurrent use.
type Evaluator struct {
	tally
	pass   *pass
	errors float64   // sum of |y-x|^2
	energy float64   // sum of |x|^2
	inputs []float64 // sum of x (n)
	health *health
}

// NewEvaluator returns an evaluator of m.
func NewEvaluator(m *Model) *Evaluator {
	return &Evaluator{
		tally:  newTally(m),
		pass:   newPass(m, blockRows(m.Inputs), false, m.Contraction > 0),
		inputs: make([]float64, m.Inputs),
		health: newHealth(m.Config),
	}
}

// Add takes rows in. Nothing of r is kept. Values are trusted; see
// [Model.Check].
func (e *Evaluator) Add(r Rows) error {
	return e.pass.each(r, nil, e.work)
}

// work empties a full pass, for [pass.each].
func (e *Evaluator) work() error {
	e.fold()
	return nil
}

// fold takes the rows of the pass into the sums.
func (e *Evaluator) fold() {
	p, m, n := e.pass, e.pass.rows(), e.m.Inputs
	if m == 0 {
		return
	}
	loss := e.tally.add(p)
	if e.m.Loss == CrossEntropy {
		e.errors += f32.SumSquares(p.out[:m*n]) // dL/du is y - x
	} else {
		e.errors += 2 * loss
	}
	e.energy += f32.SumSquares(p.clean[:m*n])
	f32.ColumnSums(e.inputs, p.clean[:m*n])
	e.health.add(p.codes())
	p.reset()
}

// Result is the evaluation of the rows so far. Without rows all but the
// weight decay is 0. More rows may follow.
func (e *Evaluator) Result() Evaluation {
	e.fold()
	v := Evaluation{Rows: e.rows, Cost: e.cost()}
	if e.rows == 0 {
		return v
	}
	rho := &v.MeanActivation
	rho.Min, rho.Max = math.Inf(1), math.Inf(-1)
	for _, sum := range e.codes {
		q := e.m.rhohat(sum / float64(e.rows))
		rho.Mean += q / float64(e.m.Hidden)
		rho.Min, rho.Max = min(rho.Min, q), max(rho.Max, q)
	}
	v.DeadUnits, v.DenseUnits, v.SaturatedUnits = countUnits(e.health.units(e.rows))
	v.NMSE = e.nmse()
	return v
}

// Merge adds what b has gathered of other rows; b keeps its own. Both must be
// of the same settings and weights. The result depends, in the last digits, on
// which rows were whose and on the order of the merges, and on nothing else.
func (e *Evaluator) Merge(b *Evaluator) error {
	switch {
	case e == b:
		return errOwnSums
	case e.m == nil || b == nil || b.m == nil:
		return errNoSums
	case e.m.fingerprint(0) != b.m.fingerprint(0):
		return errForeignSums
	}
	e.fold()
	b.fold()
	e.tally.merge(&b.tally)
	e.errors += b.errors
	e.energy += b.energy
	addSums(e.inputs, b.inputs)
	e.health.merge(b.health)
	return nil
}

// MarshalBinary returns what was gathered as bytes, for an evaluator of the
// same model in another process. It keeps every bit. The layout is in the
// package comment.
func (e *Evaluator) MarshalBinary() ([]byte, error) {
	return marshalSums(e.settle())
}

// settle takes in the rows that wait and returns what the bytes hold.
func (e *Evaluator) settle() (sumsForm, error) {
	if e.m == nil {
		return sumsForm{}, errNoSums
	}
	e.fold()
	return e.form(), nil
}

// UnmarshalBinary replaces what e has gathered by what MarshalBinary wrote,
// under the same settings and weights; anything else is an error that leaves e
// as it was. e must come from [NewEvaluator].
func (e *Evaluator) UnmarshalBinary(data []byte) error {
	if e.m == nil {
		return errNoSums
	}
	if err := e.form().unmarshal(data); err != nil {
		return err
	}
	e.pass.reset()
	return nil
}

// form is what the bytes of what was gathered hold.
func (e *Evaluator) form() sumsForm {
	fields := append([]any{&e.rows, &e.loss, &e.errors, &e.energy, e.inputs, e.codes}, e.ofTerms()...)
	return sumsForm{kindEvaluation, e.m.fingerprint(0), append(fields, e.health.low, e.health.high, e.health.active, e.health.ends)}
}

func (e *Evaluator) nmse() float64 {
	mean := 0.0
	for _, sum := range e.inputs {
		mean += float64(sum * (sum / float64(e.rows)))
	}
	variance := e.energy - mean
	// Below this the difference is rounding: all rows are the same.
	if variance <= 0x1p-44*e.energy {
		if e.errors == 0 {
			return 0
		}
		return math.MaxFloat64
	}
	return e.errors / variance
}

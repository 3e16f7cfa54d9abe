package model

import "math"

// Validator computes the cost over rows that are held out of training: all
// terms, of rows corrupted as in training, but with one fixed sample of the
// noise, so that the costs of two epochs compare. Validators of parts of the
// rows merge into one of the whole. It is not safe for concurrent use.
type Validator struct {
	tally
	pass *pass
}

// NewValidator returns a validator of m, whose preprocessing is settled.
func NewValidator(m *Model) *Validator {
	v := &Validator{tally: newTally(m), pass: newPass(m, blockRows(m.Inputs), false, m.Contraction > 0)}
	v.pass.addNoise()
	v.pass.keep = m.K // as in training, not as in encoding
	return v
}

// Add takes rows in: those of r that order names, in its order, or all of them
// when order is nil. How rows are split over calls does not matter. Nothing of
// r is kept. Values are trusted; see [Model.Check].
func (v *Validator) Add(r Rows, order []int32) error { return v.pass.each(r, order, v.work) }

// work empties a full pass, for [pass.each].
func (v *Validator) work() error {
	v.fold()
	return nil
}

// fold takes the rows of the pass into the sums.
func (v *Validator) fold() {
	if v.pass.rows() == 0 {
		return
	}
	v.pass.corrupt(fixedNoise)
	v.tally.add(v.pass)
	v.pass.reset()
}

// Cost returns the cost over the rows added, at the weights as they are, which
// must not have changed since the first of them.
func (v *Validator) Cost() Cost {
	v.fold()
	return v.cost()
}

// Reset empties v, for a pass at other weights.
func (v *Validator) Reset() {
	v.pass.reset()
	v.reset()
}

// Rows is the number of rows added, merged ones included.
func (v *Validator) Rows() int64 { return v.rows + int64(v.pass.rows()) }

// Merge adds what b has gathered of other rows; b keeps its own. Both must be
// of the same settings and weights. The result depends, in the last digits, on
// which rows were whose and on the order of the merges, and on nothing else.
func (v *Validator) Merge(b *Validator) error {
	switch {
	case v == b:
		return errOwnSums
	case v.m == nil || b == nil || b.m == nil:
		return errNoSums
	case v.m.fingerprint(fixedNoise) != b.m.fingerprint(fixedNoise):
		return errForeignSums
	}
	v.fold()
	b.fold()
	v.tally.merge(&b.tally)
	return nil
}

// MarshalBinary returns what was gathered as bytes, for a validator of the same
// model in another process. It keeps every bit. The layout is in the package
// comment.
func (v *Validator) MarshalBinary() ([]byte, error) {
	return marshalSums(v.settle())
}

// settle takes in the rows that wait and returns what the bytes hold.
func (v *Validator) settle() (sumsForm, error) {
	if v.m == nil {
		return sumsForm{}, errNoSums
	}
	v.fold()
	return v.form(), nil
}

// UnmarshalBinary replaces what v has gathered by what MarshalBinary wrote,
// under the same settings and weights; anything else is an error that leaves v
// as it was. v must come from [NewValidator].
func (v *Validator) UnmarshalBinary(data []byte) error {
	if v.m == nil {
		return errNoSums
	}
	if err := v.form().unmarshal(data); err != nil {
		return err
	}
	v.pass.reset()
	return nil
}

// form is what the bytes of what was gathered hold.
func (v *Validator) form() sumsForm {
	return sumsForm{kindCost, v.m.fingerprint(fixedNoise), append([]any{&v.rows, &v.loss, v.codes}, v.ofTerms()...)}
}

// best remembers the parameters of the epoch whose held-out rows cost least.
type best struct {
	params []float32
	epoch  int     // its place in the history, counted from 1; 0: none yet
	cost   float64 // there
}

// state lists what a checkpoint of m keeps.
func (b *best) state(s *stateForm, m *Model) {
	s.floats("best.parameters", &b.params, len(m.Params.Flat))
	s.countInt("best.epoch", &b.epoch, len(m.History))
	s.number("best.cost", &b.cost)
}

// Validate takes in what held-out rows cost at the end of the epoch that
// [Trainer.EndEpoch] has just returned, and adds that to the model's history.
// The parameters are kept while nothing better comes. TrainOptions.Validate
// must be set.
func (t *Trainer) Validate(c Cost) {
	history := t.m.History
	if t.best.params == nil || len(history) == 0 {
		panic("model: Validate without TrainOptions.Validate or an epoch")
	}
	// A cost that is no number has no place in a file, and is no better.
	if finite := !math.IsNaN(c.Total) && !math.IsInf(c.Total, 0); finite {
		history[len(history)-1].Validation = &c
	} else {
		c.Total = math.Inf(1)
	}
	if t.best.epoch == 0 || c.Total < t.best.cost || math.IsInf(t.best.cost, 1) {
		copy(t.best.params, t.m.Params.Flat)
		t.best.epoch, t.best.cost = len(history), c.Total
		return
	}
	if t.o.Patience > 0 && len(history)-t.best.epoch >= t.o.Patience && t.Stopped() == NotStopped {
		t.stop = OutOfPatience
	}
}

// Finish ends the training. With [Trainer.Validate] it puts the parameters of
// the best epoch into the model, and their cost; without, it does nothing.
func (t *Trainer) Finish() {
	if t.best.epoch == 0 {
		return
	}
	copy(t.m.Params.Flat, t.best.params)
	e := t.m.History[t.best.epoch-1]
	t.m.Best, t.m.Cost = e.Epoch, &e.Cost
	t.finished = true
}

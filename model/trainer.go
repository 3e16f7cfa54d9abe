package model

import (
	"math"

	"github.com/aefeat/aefeat/internal/f32"
)

// horizonRows is the least number of rows that a running rhohat remembers.
// Memories much longer than this make the sparsity term overshoot: units
// swing between too active and too quiet.
const horizonRows = 1024

// Trainer trains a model in place: rows go in in training order, and the
// parameters follow. Every buffer is made by NewTrainer; Add allocates
// nothing. A Trainer is not safe for concurrent use.
//
// In mini-batches rhohat is a running mean over a horizon of max(batch, 1024)
// rows, corrected for its start, the batch at hand included.
type Trainer struct {
	m         *Model
	o         TrainOptions
	optimizer *optimizer
	gradient  *Params
	guard     guard
	epoch     int   // the running one, counted from 1
	err       error // what ended the training

	stop StopReason // but for what Stopped finds itself
	best best       // of Validate

	full   *Accumulator // of FullBatch
	search *search      // of LBFGS
	placed bool         // the parameters are where the search wants them

	// All below is for mini-batches.

	pass     *pass
	codes    []float64    // sums over the batch of the codes (h)
	biases   []float64    // of the gradient of b1 and b2 (h+n)
	squares  []float64    // of the squares of the slopes (h); nil when gamma is 0
	contract *contraction // nil when gamma is 0
	running  []float64    // running means of the codes (h), times weight; nil when beta is 0
	weight   float64
	pull     []float32 // beta c (h); nil when beta is 0

	seen  totals
	units []float64 // sums over the epoch of the codes (h)

	finished    int   // epochs of this trainer that ended
	epochSteps  int64 // of the first of them
	beforeEpoch int64 // steps before the running one
}

// totals are sums over the rows of an epoch so far.
type totals struct {
	rows                                              int64
	reconstruction, sparsity, contraction, activation float64
}

// NewTrainer returns a trainer of m, whose preprocessing is settled; what it
// learns must be there when the first rows are added. Its epochs, whose numbers
// key the noise, are counted on from the model's history. The error is a
// [*ConfigError].
func NewTrainer(m *Model, o TrainOptions) (*Trainer, error) {
	o, err := o.withDefaults(m.Preprocess.Method)
	if err != nil {
		return nil, err
	}
	if err := m.Config.Validate(); err != nil {
		return nil, err
	}
	if err := m.Preprocess.Allows(m.Config); err != nil {
		return nil, err
	}
	h, n := m.Hidden, m.Inputs
	t := &Trainer{
		m:         m,
		o:         o,
		optimizer: newOptimizer(o, len(m.Params.Flat)),
		gradient:  NewParams(n, h, m.Tied, nil),
		epoch:     len(m.History) + 1,
	}
	if o.Validate {
		t.best.params = make([]float32, len(m.Params.Flat))
	}
	if o.BatchSize == FullBatch {
		t.full = NewAccumulator(m)
		t.full.Reset(uint32(t.epoch))
		if o.Optimizer == LBFGS {
			t.search = newSearch(len(m.Params.Flat), o.Epochs)
			t.full.Reset(fixedNoise)
		}
		return t, nil
	}
	t.pass = newPass(m, o.BatchSize, true, m.Contraction > 0)
	t.codes = make([]float64, h)
	t.units = make([]float64, h)
	t.biases = make([]float64, h+n)
	if m.Contraction > 0 {
		t.squares = make([]float64, h)
		t.contract = newContraction(h)
	}
	if m.SparsityWeight > 0 {
		t.running = make([]float64, h)
		t.pull = make([]float32, h)
	}
	return t, nil
}

// Memory returns what a [Trainer] of a model with these settings takes, in
// bytes, before there is one: it grows with the product of inputs and hidden
// units, and with that of the batch and either. Preprocessing zca takes another
// copy of the batch's inputs.
func (o TrainOptions) Memory(c Config) int64 {
	switch {
	case o.Optimizer == LBFGS:
		o.BatchSize = FullBatch
	case o.BatchSize == 0:
		o.BatchSize = defaultBatchSize
	}
	n, h := float64(c.Inputs), float64(c.Hidden)
	matrices, rows := 2.0, float64(o.BatchSize)
	if c.Tied {
		matrices = 1
	}
	parameters := matrices*n*h + n + h
	copies := 3.0 // parameters, gradient, velocity
	switch o.Optimizer {
	case Adam:
		copies = 4
	case LBFGS:
		copies = 4 + 2*searchVectors // the last iterate and its gradient
	}
	if o.Validate {
		copies++
	}
	perRow := 2*n + 2*h + 2 // and the row's number
	if c.Corruption > 0 {
		perRow += n
	}
	slopes := c.Contraction > 0
	floats := copies * parameters
	if o.BatchSize == FullBatch {
		rows = chunkRows
		floats += parameters + 2*(parameters+h) // a chunk's sums, and all rows' in float64
		if c.SparsityWeight > 0 {
			floats += n*h + 2*(n*h+h)
			slopes = true
		}
		if c.Contraction > 0 {
			floats += 2 * h
		}
	}
	if slopes {
		perRow += h
	}
	return int64(min(4*(floats+rows*perRow), math.MaxInt64/2))
}

// Memory is the size in bytes of the parameters, the gradient, the
// optimizer's state and the buffers of a batch.
func (t *Trainer) Memory() int64 {
	b := t.optimizer.memory() + 4*int64(len(t.m.Params.Flat)+len(t.gradient.Flat)+len(t.best.params))
	if t.search != nil {
		b += t.search.memory()
	}
	if t.full != nil {
		return b + t.full.memory()
	}
	return b + t.pass.memory()
}

// Add trains on rows: those of r that order names, in its order, or all of
// them when order is nil. Batches are cut from the rows of all calls, however
// these are split; rows that do not fill a batch wait. With FullBatch the
// parameters stay as they are until EndEpoch.
//
// Under LBFGS the parameters are, during a pass, the point that it evaluates,
// and between passes the last iterate.
//
// Nothing of r is kept. Values are trusted; see [Model.Check]. A
// [*DivergedError] ends the training: all later calls return it.
func (t *Trainer) Add(r Rows, order []int32) error {
	if t.err != nil {
		return t.err
	}
	switch {
	case t.search != nil:
		return t.addTrial(r, order)
	case t.full != nil:
		return t.full.Add(r, order)
	}
	return t.pass.each(r, order, t.step)
}

// EndEpoch trains on the rows that wait, a short batch, or with FullBatch
// takes the epoch's one step. It returns what the epoch gave, and adds that to
// the model's history. An epoch without rows does nothing.
//
// The cost is the mean over the rows as training met them, at weights that
// moved meanwhile, but for the weight decay, which is that of the weights at
// the end. With FullBatch it is the exact cost before the step.
//
// Under LBFGS it ends an evaluation. The first is of the parameters as they
// were, and each iteration takes one or more: the one that ends an iteration
// returns its Epoch, with the exact cost at the new parameters, the others the
// zero Epoch.
func (t *Trainer) EndEpoch() (Epoch, error) {
	if t.err != nil {
		return Epoch{}, t.err
	}
	if t.search != nil {
		return t.endTrial()
	}
	if t.full == nil && t.pass.rows() > 0 {
		if err := t.step(); err != nil {
			return Epoch{}, err
		}
	}
	if t.full != nil {
		t.full.fold()
	}
	e := t.Running()
	if e.Rows == 0 {
		return e, nil
	}
	if t.full != nil {
		trivial := func() float64 { return t.m.trivialCost(t.full.rows, t.full.energy) }
		if err := t.judge(e.Cost, trivial); err != nil {
			return Epoch{}, err
		}
		t.full.Gradient(t.gradient.Flat)
		t.optimizer.step(t.m.Params.Flat, t.gradient.Flat, float32(t.o.LearningRate))
	}
	if err := t.judgeWeights(); err != nil {
		return Epoch{}, err
	}
	cost := e.Cost
	t.m.History = append(t.m.History, e)
	t.m.RowsSeen += e.Rows
	t.m.Cost = &cost
	t.epoch++
	t.seen = totals{}
	clear(t.units)
	if t.finished++; t.finished == 1 {
		t.epochSteps = t.optimizer.steps
	}
	t.beforeEpoch = t.optimizer.steps
	if t.full != nil {
		t.full.Reset(uint32(t.epoch))
	}
	return e, nil
}

// Running returns the epoch as far as it went, for progress. Rows that wait
// for their batch, or in a full batch for their chunk, are not in it.
func (t *Trainer) Running() Epoch {
	e := Epoch{Epoch: t.epoch}
	if t.full != nil {
		e.Rows, e.Cost = t.full.rows, t.full.cost()
		if e.Rows > 0 {
			sum := 0.0
			for _, v := range t.full.codes {
				sum += v
			}
			e.MeanActivation = t.m.rhohat(sum / float64(e.Rows) / float64(t.m.Hidden))
			e.Health = t.m.health(t.full.codes, e.Rows)
		}
		return e
	}
	e.Rows = t.seen.rows
	e.Cost.WeightDecay = t.m.weightDecay()
	if e.Rows > 0 {
		rows := float64(e.Rows)
		e.Cost.Reconstruction = t.seen.reconstruction / rows
		e.Cost.Sparsity = t.seen.sparsity / rows
		e.Cost.Contraction = t.seen.contraction / rows
		e.MeanActivation = t.m.rhohat(t.seen.activation / rows / float64(t.m.Hidden))
		e.Health = t.m.health(t.units, e.Rows)
	}
	e.Cost.sum()
	return e
}

// done is how many epochs of mini-batches are over, the running one in parts.
// The first counts once it has ended: until then its length is unknown.
func (t *Trainer) done() float64 {
	if t.finished == 0 {
		return 0
	}
	return float64(t.finished) + float64(t.optimizer.steps-t.beforeEpoch)/float64(t.epochSteps)
}

// rate is the learning rate of the mini-batch at hand.
func (t *Trainer) rate() float32 {
	left := 1.0
	if planned := float64(t.o.Epochs); planned > 1 && t.finished > 0 {
		left = min(1, max(0, 2*(planned-t.done())/planned))
	}
	return float32(t.o.LearningRate * left)
}

// step trains on the rows of the pass and empties it.
func (t *Trainer) step() error {
	if steps := t.optimizer.steps; steps < weightInterval || steps%weightInterval == 0 {
		if err := t.judgeWeights(); err != nil {
			return err
		}
	}
	t.pass.corrupt(uint32(t.epoch))
	if t.m.K > 0 {
		t.pass.keep = t.m.keepAt(t.done(), float64(t.o.Epochs))
	}
	cost := t.evaluate()
	trivial := func() float64 {
		rows := t.pass.rows()
		return t.m.trivialCost(int64(rows), f32.SumSquares(t.pass.clean[:rows*t.m.Inputs]))
	}
	if err := t.judge(cost, trivial); err != nil {
		return err
	}
	t.optimizer.step(t.m.Params.Flat, t.gradient.Flat, t.rate())
	t.pass.reset()
	return nil
}

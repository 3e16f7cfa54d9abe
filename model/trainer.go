package model

import (
	"math"

	"github.com/aefeat/aefeat/internal/f32"
)

// Trainer trains a model in place: rows go in in training order, and the
// parameters follow. Every buffer is made by NewTrainer; Add allocates
// nothing. A Trainer is not safe for concurrent use.
//
// In mini-batches rhohat is a running mean over a horizon of max(batch, 1024)
// rows, corrected for its start, the batch at hand included.
type Trainer struct {
	m      *Model
	o      TrainOptions
	engine engine
	err    error      // what ended the training
	stop   StopReason // but for what the engine finds itself
	best   best       // of Validate

	finished bool // its parameters are those of the best epoch
}

// engine is a way to train: what becomes of rows, and of a pass over them. A
// [*DivergedError] of its methods ends the training.
type engine interface {
	// add takes in the rows of r that order names, or all of them.
	add(r Rows, order []int32) error

	// end ends a pass over the rows. It returns the epoch that the history is
	// to have; one without rows if there is none.
	end() (Epoch, error)

	// running returns the epoch as far as it went.
	running() Epoch

	// stopped says why the engine would not go on.
	stopped() StopReason

	// evaluations counts the passes of an engine to which a pass is only an
	// evaluation.
	evaluations() int64

	// memory is the size in bytes of what the engine keeps beside the
	// parameters.
	memory() int64

	// allocate makes the buffers for rows: before, there is only the state.
	allocate()

	// state lists what a checkpoint keeps.
	state(*stateForm)

	// diverged returns the error of a training with such a cost.
	diverged(cost float64) error
}

// NewTrainer returns a trainer of m, whose preprocessing is settled; what it
// learns must be there when the first rows are added. Its epochs, whose numbers
// key the noise, are counted on from the model's history. The error is a
// [*ConfigError].
func NewTrainer(m *Model, o TrainOptions) (*Trainer, error) {
	o, err := o.WithDefaults(m.Config, m.Preprocess.Method)
	if err != nil {
		return nil, err
	}
	if err := m.Config.Validate(); err != nil {
		return nil, err
	}
	if err := m.Preprocess.Allows(m.Config); err != nil {
		return nil, err
	}
	t := bareTrainer(m, o)
	t.engine.allocate()
	return t, nil
}

// bareTrainer returns a trainer that has no buffers for rows yet. Its settings
// are settled.
func bareTrainer(m *Model, o TrainOptions) *Trainer {
	t := &Trainer{m: m, o: o, engine: newEngine(m, o)}
	if o.Validate {
		t.best.params = make([]float32, len(m.Params.Flat))
	}
	return t
}

// state lists what a checkpoint keeps beside the model.
func (t *Trainer) state(s *stateForm) {
	impatient := t.stop == OutOfPatience
	s.flag("out_of_patience", &impatient)
	if impatient {
		t.stop = OutOfPatience
	}
	if t.o.Validate {
		t.best.state(s, t.m)
	}
	t.engine.state(s)
}

// Memory returns what a [Trainer] of a model with these settings takes, in
// bytes, before there is one: it grows with the product of inputs and hidden
// units, and with that of the batch and either. Preprocessing zca takes another
// copy of the batch's inputs, and its batch is smaller where BatchSize is 0.
func (o TrainOptions) Memory(c Config) int64 {
	n, h := float64(c.Inputs), float64(c.Hidden)
	matrices, batch := 2.0, o.batchSize()
	if c.Tied {
		matrices = 1
	}
	parameters := matrices*n*h + n + h
	copies := 1 + o.Optimizer.vectors()
	if o.Validate {
		copies++
	}
	floats := copies * parameters
	if batch == FullBatch {
		return floatBytes(floats + c.sumsFloats(parameters))
	}
	if c.K > 0 {
		floats += wakerFloats * h
	}
	if c.skipsZeros(float64(batch)) {
		floats += float64(f32.NonzerosFloats(batch, c.Inputs))
	}
	return floatBytes(floats + passFloats(c, float64(batch), true, c.Contraction > 0))
}

// sumsFloats is the size of an [Accumulator], in float32 numbers, of a model
// with so many parameters.
func (c Config) sumsFloats(parameters float64) float64 {
	n, h := float64(c.Inputs), float64(c.Hidden)
	// The sums of a chunk, and those of all rows in float64.
	floats := parameters + 2*(parameters+h)
	if c.SparsityWeight > 0 {
		floats += n*h + 2*(n*h+h)
	}
	if c.Contraction > 0 {
		floats += 2 * h
	}
	return floats + passFloats(c, chunkRows, true, c.SparsityWeight > 0 || c.Contraction > 0)
}

// floatBytes returns the size of float32 numbers.
func floatBytes(floats float64) int64 { return int64(min(4*floats, math.MaxInt64/2)) }

// memory is the size in bytes of the parameters, the gradient, the
// optimizer's state and the buffers of a batch.
func (t *Trainer) memory() int64 {
	return 4*int64(len(t.m.Params.Flat)+len(t.best.params)) + t.engine.memory()
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
	return t.keep(t.engine.add(r, order))
}

// keep remembers an error that ends the training, and returns it.
func (t *Trainer) keep(err error) error {
	if diverged, ok := err.(*DivergedError); ok {
		t.err = diverged
	}
	return err
}

// EndEpoch trains on the rows that wait, as a short batch, or with FullBatch
// takes the epoch's one step. It returns what the epoch gave, and adds that to
// the model's history. An epoch without rows does nothing.
//
// The cost is the mean over the rows as training met them, while the weights
// moved; only the weight decay is that of the weights at the end. With
// FullBatch it is the exact cost before the step.
//
// Under LBFGS it ends an evaluation. The first is of the parameters as they
// were, and each iteration takes one or more: the one that ends an iteration
// returns its Epoch, with the exact cost at the new parameters, the others the
// zero Epoch.
func (t *Trainer) EndEpoch() (Epoch, error) {
	if t.err != nil {
		return Epoch{}, t.err
	}
	e, err := t.engine.end()
	if err != nil {
		return Epoch{}, t.keep(err)
	}
	if e.Rows > 0 {
		cost := e.Cost
		t.m.History = append(t.m.History, e)
		t.m.RowsSeen += e.Rows
		t.m.Cost = &cost
	}
	return e, nil
}

// Running returns the epoch as far as it went, for progress. Rows that wait
// for their batch, or in a full batch for their chunk, are not in it.
func (t *Trainer) Running() Epoch { return t.engine.running() }

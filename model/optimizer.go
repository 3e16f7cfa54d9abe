package model

import (
	"cmp"
	"fmt"

	"github.com/aefeat/aefeat/internal/f32"
)

// Optimizer is how the gradient moves the parameters.
type Optimizer uint8

// The optimizers.
const (
	// Adam is the method of D. Kingma and J. Ba, "Adam: a method for
	// stochastic optimization", ICLR 2015, with their 0.9, 0.999 and 1e-8.
	Adam Optimizer = iota
	// SGD is stochastic gradient descent with momentum:
	// v = momentum v + gradient, parameters -= rate v.
	SGD
	// LBFGS is the limited-memory method of Broyden, Fletcher, Goldfarb and
	// Shanno, for full batches: each pass over the rows is an evaluation of
	// the exact cost and its gradient, and an iteration takes one or a few.
	LBFGS
)

var optimizerNames = []string{"adam", "sgd", "lbfgs"}

// String returns the name that flags use.
func (o Optimizer) String() string { return nameOf(optimizerNames, o) }

// MarshalText returns the name of o.
func (o Optimizer) MarshalText() ([]byte, error) { return marshalName(optimizerNames, o) }

// UnmarshalText sets o to the optimizer of that name.
func (o *Optimizer) UnmarshalText(text []byte) error {
	return unmarshalName("optimizer", optimizerNames, o, text)
}

// WholePasses reports whether the optimizer evaluates the exact cost over all
// rows in each pass, and iterates: an iteration takes one or more passes, and
// stands where others have an epoch. Such an optimizer has no batches and no
// learning rate. [LBFGS] is one.
func (o Optimizer) WholePasses() bool { return o == LBFGS }

// vectors is how many vectors of all parameters the optimizer keeps, beside
// these, counted in float32 numbers.
func (o Optimizer) vectors() float64 {
	switch o {
	case Adam:
		return 3 // the gradient and its two moments
	case LBFGS:
		return float64(1 + 2*searchVectors) // the gradient, and what is in float64
	}
	return 2 // the gradient and the velocity
}

// newEngine returns the engine that o asks for, its defaults filled in. It is
// not allocated.
func newEngine(m *Model, o TrainOptions) engine {
	switch {
	case o.Optimizer == LBFGS:
		return newQuasiNewton(m, o)
	case o.BatchSize == FullBatch:
		return newFullBatch(m, o)
	}
	return newMiniBatch(m, o)
}

// FullBatch as a batch size makes one step of each pass over all rows.
const FullBatch = -1

// NoMomentum as a momentum makes SGD plain gradient descent.
const NoMomentum = -1

// TrainOptions say how parameters follow the gradient. The zero value is
// Adam on batches of 256; [TrainOptions.WithDefaults] tells all of it.
type TrainOptions struct {
	Optimizer Optimizer `json:"optimizer"`

	// LearningRate is the size of a step; 0: one of the defaults below. LBFGS
	// chooses its steps itself, and wants 0.
	LearningRate float64 `json:"learning_rate"`

	// Momentum is of SGD, in (0, 1). 0: DefaultMomentum; NoMomentum: none. The
	// other optimizers ignore it.
	Momentum float64 `json:"momentum"`

	// BatchSize is the number of rows of a step; FullBatch: all of them. 0:
	// 256, DefaultWhitenedBatch where that is said to hold, or FullBatch for
	// LBFGS, which knows no other.
	BatchSize int `json:"batch_size"`

	// Epochs is how many are planned. With two or more, mini-batches keep the
	// rate for the first half of them and then lower it linearly, to 0 at the
	// end. With 0 or 1, and for full batches, it is constant. Under LBFGS it
	// bounds the iterations; 0 is no bound.
	Epochs int `json:"epochs"`

	// Validate says that [Trainer.Validate] will be called after each epoch:
	// a copy of the best parameters is kept. Patience is how many epochs in a
	// row may fail to better them before the training stops; 0: any number.
	Validate bool `json:"validate"`
	Patience int  `json:"patience"`

	// Spread says that mini-batches set the model's Spread, for
	// [Average.Sorted].
	Spread bool `json:"spread,omitempty"`
}

// The learning rates and the momentum that stand in for 0.
const (
	DefaultAdamRate = 4e-3

	// DefaultPatchRate is that of Adam after PreprocessPatch. With twice this
	// the sparsity term of such patches runs away.
	DefaultPatchRate = 2e-3

	// DefaultWhitenedRate and DefaultWhitenedBatch are those of Adam after
	// PreprocessZCA where the sparsity term is on. The edges of photographs
	// take some thousand steps: with these, 20,000 patches and the usual epochs
	// make enough.
	DefaultWhitenedRate  = 0.01
	DefaultWhitenedBatch = 64

	// DefaultMomentum is customary: a gradient acts on about ten steps.
	DefaultMomentum = 0.9

	// DefaultSGDRate goes with that momentum. Ten times this makes the units of
	// a sparse model swing.
	DefaultSGDRate = 0.01
)

const (
	defaultBatchSize = 256
	maxBatchSize     = 1 << 24 // far more than any batch that is of use
	maxEpochs        = 100_000 // a model file's header holds so many costs
)

// Check reports what [NewTrainer] would refuse, as a [*ConfigError].
func (o TrainOptions) Check() error {
	_, err := o.WithDefaults(Config{}, PreprocessNone)
	return err
}

// batchSize is the batch size, its default filled in, but for whitened rows.
func (o TrainOptions) batchSize() int {
	switch {
	case o.BatchSize != 0:
		return o.BatchSize
	case o.Optimizer.WholePasses():
		return FullBatch
	}
	return defaultBatchSize
}

// WithDefaults returns o as [NewTrainer] takes it for a model of c on rows that
// were preprocessed by a method: what is 0 is filled in. The error is a
// [*ConfigError] about what is out of bounds.
func (o TrainOptions) WithDefaults(c Config, method string) (TrainOptions, error) {
	whitened := o.Optimizer == Adam && method == PreprocessZCA && c.SparsityWeight > 0
	if whitened {
		o.BatchSize = cmp.Or(o.BatchSize, DefaultWhitenedBatch)
	}
	o.BatchSize = o.batchSize()
	switch {
	case int(o.Optimizer) >= len(optimizerNames):
		return o, &ConfigError{"Optimizer", o.Optimizer.String(), ""}
	case o.Optimizer.WholePasses() && o.BatchSize != FullBatch:
		return o, &ConfigError{"BatchSize",
			fmt.Sprintf("%d rows are a batch, and L-BFGS needs the cost over all rows", o.BatchSize),
			"choose the full batch, or another `Optimizer`"}
	case o.Optimizer.WholePasses() && o.LearningRate != 0:
		return o, &ConfigError{"LearningRate",
			"L-BFGS finds the size of its steps itself",
			"leave it out, or choose another `Optimizer`"}
	}
	if o.Optimizer == SGD && o.Momentum == 0 {
		o.Momentum = DefaultMomentum
	}
	if o.LearningRate == 0 {
		switch {
		case whitened:
			o.LearningRate = DefaultWhitenedRate
		case o.Optimizer == Adam && method == PreprocessPatch:
			o.LearningRate = DefaultPatchRate
		case o.Optimizer == Adam:
			o.LearningRate = DefaultAdamRate
		case o.Optimizer == SGD:
			o.LearningRate = DefaultSGDRate
		}
	}
	switch {
	case !o.Optimizer.WholePasses() && !(o.LearningRate > 0 && o.LearningRate <= maxRate):
		return o, &ConfigError{"LearningRate", fmt.Sprintf("%v is not a positive number", o.LearningRate), ""}
	case o.Optimizer == SGD && !(o.Momentum > 0 && o.Momentum < 1) && o.Momentum != NoMomentum:
		return o, &ConfigError{"Momentum", fmt.Sprintf("%v is not a number from 0 to below 1", o.Momentum), ""}
	case o.Patience < 0:
		return o, &ConfigError{"Patience", fmt.Sprintf("%d is not a number of epochs", o.Patience), ""}
	case o.Patience > 0 && !o.Validate:
		return o, &ConfigError{"Patience",
			"no rows are held out to judge the epochs by",
			"hold some out, or leave `Patience` out"}
	case o.Epochs < 0:
		return o, &ConfigError{"Epochs", fmt.Sprintf("%d is not a number of epochs", o.Epochs), ""}
	case o.Epochs > maxEpochs:
		return o, &ConfigError{"Epochs", fmt.Sprintf("%d are more than the %d that a model file can tell of", o.Epochs, maxEpochs), ""}
	case o.BatchSize < 0 && o.BatchSize != FullBatch || o.BatchSize > maxBatchSize:
		return o, &ConfigError{"BatchSize", fmt.Sprintf("%d is not a number of rows", o.BatchSize), ""}
	}
	return o, nil
}

// maxRate keeps the rate finite in float32.
const maxRate = 1e38

// optimizer holds the state of the method that moves the parameters along a
// gradient, Adam or SGD.
type optimizer struct {
	o      TrainOptions
	steps  int64
	first  []float32 // Adam's m; the velocity of SGD
	second []float32 // Adam's v
}

func newOptimizer(o TrainOptions, parameters int) *optimizer {
	s := &optimizer{o: o, first: make([]float32, parameters)}
	if o.Optimizer == Adam {
		s.second = make([]float32, parameters)
	}
	return s
}

func (s *optimizer) memory() int64 { return 4 * int64(len(s.first)+len(s.second)) }

// state lists what a checkpoint keeps of so many parameters.
func (s *optimizer) state(f *stateForm, parameters int) {
	f.count("steps", &s.steps, maxCount)
	f.floats("first", &s.first, parameters)
	if s.second != nil {
		f.floats("second", &s.second, parameters)
	}
}

// step moves the parameters p by the gradient g.
func (s *optimizer) step(p, g []float32, rate float32) {
	s.steps++
	switch s.o.Optimizer {
	case Adam:
		f32.Adam(p, g, s.first, s.second, f32.AdamConfig{
			LearningRate: rate,
			Beta1:        0.9,
			Beta2:        0.999,
			Epsilon:      1e-8,
			Step:         int(s.steps),
		})
	case SGD:
		f32.Momentum(p, g, s.first, rate, float32(max(0, s.o.Momentum)))
	}
}

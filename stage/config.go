package stage

import (
	"time"

	"github.com/aefeat/aefeat/model"
	"github.com/aefeat/aefeat/patch"
)

// Config says what to fit and how. Of its fields only Model.Hidden, or Init,
// must be set. Those that JSON passes over are no settings of the model: a
// checkpoint does not keep them.
type Config struct {
	// Model holds the sizes and terms of the cost. Inputs 0: taken from the
	// data.
	Model model.Config

	// FitDecay lowers the WeightDecay of a k-sparse Model to that which suits
	// its first rows, model.Config.KSparseDecay, where it is larger.
	FitDecay bool `json:",omitzero"`

	// Init gives the initial weights, which must be there, and its Config where
	// Model is the zero value. Sizes of Model that are 0 are taken from it,
	// others must agree. Its preprocessing rule, if any, stays in force unless
	// Preprocess or PixelMax ask for another; one that learns must have done
	// so. It is not changed, and only weights, rule, columns and the number of
	// rows that it has seen go on: epochs are counted anew, and with them the
	// noise, the order of rows, the schedules of rate and k, the state of the
	// optimiser and patience. So two fits of two epochs, one from the other,
	// are not one of four: [Resume] is for that. Whoever has read it of a file
	// sets the Parent of the new model. nil: weights drawn by seed.
	Init *model.Model `json:"-"`

	// Train says how the parameters follow the gradient. Its Epochs stays 0 and
	// its Validate false: they follow from Epochs and Validation below.
	Train model.TrainOptions

	// Epochs is the number of passes over the rows, under model.LBFGS the most
	// iterations. 0: DefaultEpochs, or DefaultIterations. NoEpochs: none, the
	// model keeps its initial weights, and rows are needed only for a width or
	// a preprocessing rule that is not known without.
	Epochs int

	// Columns are names or patterns of the patch columns; nil: those of Init,
	// or found by patch.Bind.
	Columns []string

	// Units is the number of values in sparse codes whose metadata have lost
	// it. See [patch.BindOptions].
	Units int

	// Shape says which pixel each value of a row is, for pictures of the model.
	// Zero: that of Init, else what the data tell by [patch.Binding.Shape].
	Shape model.Shape

	// Decode decodes encoded images, PNG and others, as [patch.BindOptions]
	// says; nil: they are an error.
	Decode patch.Decoder `json:"-"`

	// Images says what encoded images become. Where it is zero that is what
	// Init says, and the images have the size and channels of Shape, if that is
	// known; else the first image tells.
	Images model.Images

	// Skip leaves bad rows out, and Report.BadRows tells of them, instead of
	// failing at the first. See the package comment.
	Skip bool

	// Preprocess is model.PreprocessScale or another method, which Model.Output
	// must suit; "": the rule of Init, else scale. Under model.PreprocessAuto
	// it is the rule of Init, else what model.ChoosePreprocess makes of the
	// first PreprocessRows rows, which wait for that; a sigmoid Output with the
	// squared Loss becomes linear where that is standardize.
	Preprocess string

	PixelMax float64 // divisor of scaling; 0: by the type of the elements

	ZCAEpsilon float64 // model.Preprocess.Epsilon of zca; 0: 0.1
	NoContrast bool    // zca without contrast normalisation

	// PreprocessRows is the number of rows that preprocessing learns from where
	// rows are not kept: without epochs, or with one unless Train.Optimizer is
	// model.LBFGS; and of those that decide what model.PreprocessAuto is. 0:
	// DefaultPreprocessRows.
	PreprocessRows int

	// Validation is the share of rows that are held out: never trained on, and
	// after each epoch their cost tells how the model does on new rows. The
	// model returned is then that of the best epoch, and Train.Patience may
	// end the fit early. 0: none. Which rows are held out is drawn by
	// Model.Seed for each row number; with ValidationKey, a column of integers,
	// strings or bytes, dictionary-encoded or not, for each of its values, so
	// that rows with one key (the patches of one image) stay together. Nulls
	// count as one key.
	Validation    float64
	ValidationKey string

	// Memory is a bound in bytes for kept rows and for reading them back. 0:
	// DefaultMemory. What the package comment calls the least budget is needed
	// where rows are kept.
	Memory int64 `json:"-"`

	// SpillDir is the folder of the spill file, which must be there where rows
	// are kept; "": the system's for temporary files.
	SpillDir string `json:"-"`

	FirstRow int64 // number of the first row, from 0 up

	// Observer, if not nil, is told of progress, by one goroutine at a time
	// but not always the caller's: some times a second in a fast fit, never
	// more than once for a thousand rows. Training waits for it.
	Observer func(Progress) `json:"-"`

	// Checkpoint, if not nil, is given what [Resume] goes on from: after each
	// epoch or iteration but the last, every CheckpointEvery in between, and at
	// last when the fit comes to its end, its context does, or an error that is
	// not of the training ends it. Training waits for it, on a goroutine that
	// is not always the caller's, and is what it would have been without. Its
	// error ends the fit. See Checkpoints in the package comment.
	Checkpoint func(*Checkpoint) error `json:"-"`

	// CheckpointEvery is the time between checkpoints of mini-batches. 0:
	// DefaultCheckpointEvery. Negative: none but where an epoch ends.
	CheckpointEvery time.Duration `json:"-"`

	// OtherKernels lets Resume go on with kernels of another class than the
	// checkpoint was computed with, and so to other bits. Elsewhere it means
	// nothing.
	OtherKernels bool `json:"-"`
}

// NoEpochs as Config.Epochs trains nothing.
const NoEpochs = -1

// What a Config of zeros stands for.
const (
	DefaultEpochs     = 5
	DefaultIterations = 400 // of L-BFGS, as in the exercise of Ng's notes
	DefaultMemory     = 1 << 30

	// With so many rows, in no order, the mean of an input is within a
	// hundredth of its deviation.
	DefaultPreprocessRows = 10_000
)

// Validate reports the first setting that is out of bounds or does not go with
// the others, as far as can be told without rows, as a [*model.ConfigError]. A
// folder that is missing is a [*SpillError].
func (c Config) Validate() error {
	_, err := newPlan(c)
	return err
}

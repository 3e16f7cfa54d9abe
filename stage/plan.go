package stage

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/aefeat/aefeat/internal/spill"
	"github.com/aefeat/aefeat/model"
	"github.com/aefeat/aefeat/patch"
)

// plan is what a fit will do: what a [Config] stands for, defaults filled in
// and rules checked. It is made once, does not change but for what the first
// rows choose, and is all that the rest
// of the fit reads of the settings.
type plan struct {
	config Config // as it was given

	init  *model.Model // nil: the weights are drawn
	model model.Config // Inputs is 0 while only rows can tell
	train model.TrainOptions
	rule  rulePlan

	epochs int     // or iterations, at most; 0: none
	share  float64 // of the rows that is held out; 0: none
	key    string  // of rows that are held out together; "": each by itself
	memory int64   // for rows that are kept and held out, of all stores
	stores int64   // that share it, each for some models of a sweep
	folder string  // of the spill file; "": the system's
	stored bool    // rows are kept, whatever the epochs are

	columns  []string
	units    int
	source   string // of cells of bytes; "": the first row tells
	decode   patch.Decoder
	images   model.Images // as they were asked for
	shape    model.Shape  // zero: unknown, or the data tell
	skip     bool
	first    int64 // number of the first row
	observer func(Progress)
	warnings []Warning // about settings that change nothing

	sweep  bool // the model is one of several
	member int  // which of them

	checkpoint      func(*Checkpoint) error
	checkpointEvery time.Duration
}

// newPlan resolves c. Its errors are those of [Config.Validate].
func newPlan(c Config) (*plan, error) {
	p, err := settledPlan(c)
	if err != nil {
		return nil, err
	}
	return p, p.settleMemory()
}

// settledPlan is newPlan without a look at what rows are kept in.
func settledPlan(c Config) (*plan, error) {
	p := &plan{
		config: c, init: c.Init, model: c.Model, train: c.Train,
		memory: cmp.Or(c.Memory, DefaultMemory), stores: 1, folder: c.SpillDir,
		columns: c.Columns, units: c.Units, decode: c.Decode, images: c.Images, shape: c.Shape, skip: c.Skip, first: c.FirstRow, observer: c.Observer,
		checkpoint: c.Checkpoint, checkpointEvery: cmp.Or(c.CheckpointEvery, DefaultCheckpointEvery),
	}
	if err := checkNumbers(c.FirstRow, 0); err != nil {
		return nil, err
	}
	if err := checkImages(c.Images); err != nil {
		return nil, err
	}
	if c.Units < 0 || c.Units > math.MaxInt32 {
		return nil, &model.ConfigError{Setting: "Units", Reason: fmt.Sprintf("%d is not a number of units", c.Units)}
	}
	for _, settle := range []func(Config) error{p.settlePasses, p.settleModel, p.settleRule} {
		if err := settle(c); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// settlePasses decides how often rows are visited, and which.
func (p *plan) settlePasses(c Config) error {
	switch {
	case c.Epochs < NoEpochs:
		return &model.ConfigError{Setting: "Epochs", Reason: fmt.Sprintf("%d is not a number of epochs", c.Epochs)}
	case c.Train.Epochs != 0:
		return &model.ConfigError{Setting: "Epochs", Reason: "the number of epochs is not one of the training's options here",
			Hint: "give it as the Config's own `Epochs`"}
	case !(c.Validation >= 0 && c.Validation < 1):
		return &model.ConfigError{Setting: "Validation", Reason: fmt.Sprintf("%v is not a share of the rows", c.Validation), Hint: "give a number from 0 to below 1, such as 0.1"}
	case c.Validation == 0 && c.ValidationKey != "":
		return &model.ConfigError{Setting: "ValidationKey", Reason: "there is a key, but no share of rows to hold out", Hint: "set `Validation` to a share such as 0.1"}
	case c.Validation == 0 && c.Train.Validate:
		return &model.ConfigError{Setting: "Validate", Reason: "no rows are held out", Hint: "set `Validation` to a share such as 0.1"}
	case c.Epochs == NoEpochs:
		return nil
	}
	p.share, p.key = c.Validation, c.ValidationKey
	p.epochs = DefaultEpochs
	if p.iterates() {
		p.epochs = DefaultIterations
	}
	p.epochs = cmp.Or(c.Epochs, p.epochs)
	p.train.Epochs, p.train.Validate = p.epochs, p.validates()
	return p.train.Check()
}

// settleModel takes from the initial model what the settings leave open.
func (p *plan) settleModel(Config) error {
	c, from := &p.model, p.init
	if from == nil {
		if err := c.Validate(); err != nil {
			return err
		}
		return p.checkShape(c.Inputs)
	}
	if *c == (model.Config{}) {
		*c = from.Config
	}
	c.Inputs, c.Hidden = cmp.Or(c.Inputs, from.Inputs), cmp.Or(c.Hidden, from.Hidden)
	for _, size := range []struct {
		name        string
		asked, have int
	}{{"Hidden", c.Hidden, from.Hidden}, {"Inputs", c.Inputs, from.Inputs}} {
		if size.asked != size.have {
			return &model.ConfigError{Setting: size.name,
				Reason: fmt.Sprintf("%d were asked for, the initial model has %d", size.asked, size.have),
				Hint:   "leave the number to the initial model"}
		}
	}
	if c.Tied != from.Tied {
		return &model.ConfigError{Setting: "Tied", Reason: "the initial model has the other kind of decoder",
			Hint: "leave the choice to the initial model"}
	}
	if fault := paramsFault(from); fault != "" {
		return &model.ConfigError{Setting: "Init", Reason: fault}
	}
	if p.shape == (model.Shape{}) {
		p.shape = from.Shape
	}
	if err := c.Validate(); err != nil {
		return err
	}
	return p.checkShape(c.Inputs)
}

// checkShape reports a shape that rows of n values cannot have; n is 0 while it
// is unknown.
func (p *plan) checkShape(n int) error {
	if p.shape == (model.Shape{}) {
		return nil
	}
	if err := p.shape.Validate(); err != nil {
		return &model.ConfigError{Setting: "Shape", Reason: err.Error()}
	}
	if n > 0 && p.shape.Len() != n {
		return &model.ConfigError{Setting: "Shape", Reason: fmt.Sprintf("%v has %d values, and rows have %d", p.shape, p.shape.Len(), n),
			Hint: fmt.Sprintf("leave `Shape` out, or give one of %d", n)}
	}
	return nil
}

// settleMemory checks that rows can be kept, as far as that is known without
// their size.
func (p *plan) settleMemory() error {
	if p.memory < 0 {
		return &model.ConfigError{Setting: "Memory", Reason: fmt.Sprintf("%d is not a number of bytes", p.memory)}
	}
	if !p.keeps() && !p.validates() {
		return nil
	}
	if _, _, err := p.budgets(p.model.Inputs); err != nil { // one byte for a value is the least
		return err
	}
	return spill.CheckFolder(p.folder)
}

// trains reports whether there is any epoch.
func (p *plan) trains() bool { return p.epochs > 0 }

// iterates reports whether passes are evaluations, which always visit the rows
// in one order.
func (p *plan) iterates() bool { return p.train.Optimizer.WholePasses() }

// whole reports whether a pass over all rows makes one gradient, which has no
// state in between.
func (p *plan) whole() bool { return p.iterates() || p.train.BatchSize == model.FullBatch }

// streams reports whether the rows of the first epoch are trained on one batch
// after another as they arrive, when training begins with a rule of
// preprocessing.
func (p *plan) streams(rule model.Preprocess) bool {
	learnsFromAll := p.keeps() && rule.Learns() && rule.Learned == nil
	return !p.whole() && !learnsFromAll
}

// keeps reports whether rows are visited again.
func (p *plan) keeps() bool { return p.stored || p.epochs > 1 || p.epochs == 1 && p.iterates() }

// validates reports whether rows are held out.
func (p *plan) validates() bool { return p.share > 0 }

// budgets shares the memory between rows that are kept and rows that are held
// out, as the rows are shared, but for the least that each needs. Rows have so
// many bytes; 0: not known yet.
func (p *plan) budgets(rowBytes int) (kept, heldOut int64, err error) {
	least, memory := spill.Minimum(rowBytes), p.memory/p.stores
	needed := least
	switch {
	case p.keeps() && p.validates():
		needed *= 2
		heldOut = min(max(int64(p.share*float64(memory)), least), memory-least)
	case p.validates():
		heldOut = memory
	}
	if needed *= p.stores; p.memory < needed {
		rows := "rows"
		if rowBytes > 0 {
			rows = fmt.Sprintf("rows of %d bytes", rowBytes)
		}
		return 0, 0, &model.ConfigError{Setting: "Memory",
			Reason: fmt.Sprintf("%d bytes are too few for %s", p.memory, rows),
			Hint:   fmt.Sprintf("give at least %dMiB with `Memory`", (needed+1<<20-1)>>20)}
	}
	return memory - heldOut, heldOut, nil
}

// bind finds the columns of the patch: those that were named, else those of
// the initial model where the data have them, else what the schema suggests.
func (p *plan) bind(schema *arrow.Schema) (*patch.Binding, error) {
	var from model.Images
	if p.init != nil {
		from = imagesOf(p.init)
	}
	from.Shape = p.shape
	o := patch.BindOptions{Columns: p.columns, Width: p.model.Inputs, Units: p.units, Source: p.source, Skip: p.skip, Decode: p.decode, Images: imagesAre(p.images, from)}
	if len(o.Columns) == 0 && p.init != nil && len(p.init.Binding.Columns) > 0 {
		o.Columns = p.init.Binding.Columns
		if b, err := patch.Bind(schema, o); err == nil {
			return b, nil
		}
		o.Columns = nil
	}
	b, err := patch.Bind(schema, o)
	if choice := (*patch.RowError)(nil); errors.As(err, &choice) && takesAny(choice.Hint) {
		choice.Hint = p.rule.mend(choice.Hint)
	}
	return b, err
}

// newModel makes the model, now that the first rows are known. binding is how
// they were read; nil: there are none, and none are needed.
func (p *plan) newModel(binding *patch.Binding, first model.Rows) (*model.Model, error) {
	c := p.model
	c.Inputs = cmp.Or(c.Inputs, first.Width)
	m, err := model.New(c)
	if err != nil {
		return nil, err
	}
	if p.init != nil {
		copy(m.Params.Flat, p.init.Params.Flat)
		m.Binding, m.RowsSeen = p.init.Binding, p.init.RowsSeen
	}
	if err := p.checkShape(c.Inputs); err != nil {
		return nil, err
	}
	m.Shape = p.shape
	if binding != nil {
		if err := useless(p.images, binding); err != nil {
			return nil, err
		}
		if m.Shape == (model.Shape{}) {
			m.Shape = binding.Shape()
		}
		m.Binding = model.Binding{Columns: binding.Columns(), Source: binding.Source(), Width: c.Inputs, Images: binding.Images()}
		if len(p.columns) > 0 {
			m.Binding.Columns = slices.Clone(p.columns)
		}
	}
	m.Preprocess, err = p.rule.settle(m.Binding.Source, first)
	if setting := (*model.ConfigError)(nil); binding != nil && errors.As(err, &setting) {
		if differ(binding.Columns()) && takesAny(setting.Hint) {
			setting.Hint = standardizeCure
		}
		setting.Hint = p.rule.mend(setting.Hint)
	}
	if err == nil && p.config.FitDecay && m.K > 0 {
		m.WeightDecay = min(m.WeightDecay, m.KSparseDecay(m.Preprocess, first))
	}
	return m, err
}

package stage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/aefeat/aefeat/internal/spill"
	"github.com/aefeat/aefeat/model"
	"github.com/aefeat/aefeat/patch"
)

// Config says what to fit and how. Of its fields only Model.Hidden, or Init,
// must be set.
type Config struct {
	// Model holds the sizes and terms of the cost. Inputs 0: taken from the
	// data.
	Model model.Config

	// Init gives the initial weights, and its Config where Model is the zero
	// value. Sizes of Model that are 0 are taken from it, others must agree.
	// Its preprocessing rule, if any, stays in force unless Preprocess or
	// PixelMax ask for another. It is not changed, nor are its epochs counted
	// on: with an equal Model.Seed noise and order are those of its first. nil:
	// weights drawn by seed.
	Init *model.Model

	Train model.TrainOptions // its Epochs is set to the number of passes below

	// Epochs is the number of passes over the rows, under model.LBFGS the most
	// iterations. 0: DefaultEpochs, or DefaultIterations. Negative: none, the
	// model keeps its initial weights, and rows are needed only for a width or a preprocessing
	// rule that is not known without.
	Epochs int

	Columns    []string // names or patterns of the patch columns; nil: those of Init, or found by patch.Bind
	Skip       bool     // leave bad rows out and count them, instead of failing
	Preprocess string   // model.PreprocessScale or another method, which Model.Output must suit; "": the rule of Init, else scale
	PixelMax   float64  // divisor of scaling; 0: by the type of the elements

	ZCAEpsilon float64 // model.Preprocess.Epsilon of zca; 0: 0.1
	NoContrast bool    // zca without contrast normalisation

	// PreprocessRows is the number of rows that preprocessing learns from where
	// rows are not kept: without epochs, or with one unless Train.Optimizer is
	// model.LBFGS. 0: DefaultPreprocessRows.
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
	// DefaultMemory. What the package comment calls the least budget is needed where
	// rows are kept.
	Memory int64

	SpillDir string // folder of the spill file; "": the system's for temporary files
	FirstRow int64  // number of the first row

	// Observer, if not nil, is told of progress, by one goroutine at a time
	// but not always the caller's: some times a second in a fast fit, never
	// more than once for a thousand rows. Training waits for it.
	Observer func(Progress)
}

// What a Config of zeros stands for.
const (
	DefaultEpochs     = 5
	DefaultIterations = 400 // of L-BFGS, as in the exercise of Ng's notes
	DefaultMemory     = 1 << 30

	// With so many rows, in no order, the mean of an input is within a
	// hundredth of its deviation.
	DefaultPreprocessRows = 10_000
)

// The phases of a fit.
const (
	PhaseLearn    = "learn"    // before the first epoch: preprocessing learns from rows as they arrive
	PhaseStream   = "stream"   // the first epoch: training on rows as they arrive
	PhaseArrange  = "arrange"  // the rows of the spill file are brought into buckets
	PhaseTrain    = "train"    // a later epoch
	PhaseValidate = "validate" // the cost of held-out rows, as part of the epoch that has just been trained
)

// Progress says how far a fit is.
type Progress struct {
	Phase          string
	Epoch, Epochs  int         // under model.LBFGS iterations; iteration 0 is the first evaluation
	Evaluations    int64       // that have ended under model.LBFGS
	Rows           int64       // done in this phase and epoch, or evaluation
	TotalRows      int64       // of these; 0 while unknown
	Cost           float64     // so far; NaN before any row has told
	MeanActivation float64     // likewise
	Done           bool        // the epoch has ended
	Result         model.Epoch // set when Done, and but for its validation in PhaseValidate
}

// Report tells about a fit that has ended.
type Report struct {
	Rows    int64         `json:"rows"`               // rows trained on, each counted once
	HeldOut int64         `json:"held_out,omitempty"` // rows held out for validation
	Skipped int64         `json:"skipped"`            // bad rows left out
	Spilled int64         `json:"spilled"`            // bytes written to the spill file
	Epochs  []model.Epoch `json:"epochs"`

	Stop        model.StopReason `json:"stop"`                  // why there were no more epochs
	Evaluations int64            `json:"evaluations,omitempty"` // passes over the rows under model.LBFGS
	Best        int              `json:"best_epoch,omitempty"`  // the epoch that held-out rows chose, the model's

	// Drift is model.Statistics.Drift, where preprocessing was learned from the
	// first rows of a stream: beyond MaxDrift these were no fair sample.
	Drift float64 `json:"drift,omitempty"`

	// Reach is model.Preprocess.Reach of the first rows, where the type of the
	// data alone chose the divisor: below MinReach it may be the wrong one.
	Reach float64 `json:"reach,omitempty"`
}

// Fitter fits a model to the record batches that are written to it. Its
// methods are for one goroutine at a time. After an error every further Write
// and Finish returns that error. Close must be called, whatever happened.
type Fitter struct {
	config  Config
	epochs  int
	binding *patch.Binding // nil when there is no schema
	holdout *holdout       // nil when no rows are held out
	next    int64          // number of the next row
	report  Report
	err     error

	// Set up once the first block of rows is there.
	feed     *feed
	model    *model.Model
	trainer  *model.Trainer
	store    *spill.Store // nil when no row is visited twice
	learning *learning    // nil when preprocessing learns nothing
	streamed int64        // rows trained on, or learned from, as they arrived

	// Of rows that are held out.
	held      *spill.Store
	validator *model.Validator
}

var errClosed = errors.New("stage: the fitter is finished or closed")

// NewFitter returns a Fitter for batches of the given schema. The schema may
// be nil for a fit that needs no rows: see Config.Epochs.
func NewFitter(schema *arrow.Schema, c Config) (*Fitter, error) {
	f := &Fitter{config: c, epochs: c.passes(), next: c.FirstRow}
	if f.config.Memory == 0 {
		f.config.Memory = DefaultMemory
	}
	if err := f.settle(); err != nil {
		return nil, err
	}
	if schema == nil {
		if f.epochs > 0 {
			return nil, errors.New("stage: a fit with epochs needs a schema")
		}
		return f, nil
	}
	if err := f.bind(schema); err != nil {
		return nil, err
	}
	if c.Validation > 0 && f.epochs > 0 {
		f.holdout = &holdout{share: c.Validation, seed: f.config.Model.Seed, column: c.ValidationKey}
		if err := f.holdout.resolve(schema); err != nil {
			return nil, err
		}
	}
	return f, nil
}

// Validate reports the first setting that is out of bounds or does not go with
// the others, as far as can be told without rows, as a [*model.ConfigError].
func (c Config) Validate() error { return (&Fitter{config: c}).settle() }

// passes returns the number of passes over the rows, or of iterations.
func (c Config) passes() int {
	switch {
	case c.Epochs != 0:
		return max(c.Epochs, 0)
	case c.iterates():
		return DefaultIterations
	}
	return DefaultEpochs
}

// iterates reports whether passes are evaluations, which always visit the
// rows in one order.
func (c Config) iterates() bool { return c.Train.Optimizer == model.LBFGS }

// keeps reports whether rows are visited again.
func (c Config) keeps() bool { return c.passes() > 1 || c.passes() == 1 && c.iterates() }

// bind finds the columns of the patch: those that were named, else those of
// Init where the data have them, else what the schema suggests.
func (f *Fitter) bind(schema *arrow.Schema) (err error) {
	c := f.config
	o := patch.BindOptions{Columns: c.Columns, Width: c.Model.Inputs, Skip: c.Skip}
	if len(o.Columns) == 0 && c.Init != nil && len(c.Init.Binding.Columns) > 0 {
		o.Columns = c.Init.Binding.Columns
		if f.binding, err = patch.Bind(schema, o); err == nil {
			return nil
		}
		o.Columns = nil
	}
	f.binding, err = patch.Bind(schema, o)
	return err
}

// settle takes from Init what Model leaves open, and checks the settings.
func (f *Fitter) settle() error {
	switch share := f.config.Validation; {
	case !(share >= 0 && share < 1):
		return &model.ConfigError{Setting: "Validation", Reason: fmt.Sprintf("%v is not a share of the rows", share), Hint: "give a number from 0 to below 1, such as 0.1"}
	case share == 0 && f.config.ValidationKey != "":
		return &model.ConfigError{Setting: "ValidationKey", Reason: "there is a key, but no share of rows to hold out", Hint: "set `Validation` to a share such as 0.1"}
	}
	switch c := f.config; {
	case c.PixelMax != 0 && !(c.PixelMax > 0 && c.PixelMax <= math.MaxFloat32):
		return &model.ConfigError{Setting: "PixelMax", Reason: fmt.Sprintf("%v is not a positive number", c.PixelMax)}
	case c.Memory < 0:
		return &model.ConfigError{Setting: "Memory", Reason: fmt.Sprintf("%d is not a number of bytes", c.Memory)}
	}
	train := &f.config.Train
	train.Epochs, train.Validate = f.config.passes(), f.config.Validation > 0
	if train.Epochs > 0 {
		if err := train.Check(); err != nil {
			return err
		}
	}
	c, from := &f.config.Model, f.config.Init
	if from != nil {
		if *c == (model.Config{}) {
			*c = from.Config
		}
		if c.Inputs == 0 {
			c.Inputs = from.Inputs
		}
		if c.Hidden == 0 {
			c.Hidden = from.Hidden
		}
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
	}
	if err := c.Validate(); err != nil {
		return err
	}
	return f.settleRule()
}

// Patch returns how the columns of the patch are bound; nil without a schema.
func (f *Fitter) Patch() *patch.Binding { return f.binding }

// Columns returns the names of the columns that the Fitter reads, for a
// projection of the input.
func (f *Fitter) Columns() []string {
	if f.binding == nil {
		return nil
	}
	columns := f.binding.Columns()
	if f.holdout != nil && f.holdout.column != "" && !slices.Contains(columns, f.holdout.column) {
		columns = append(columns, f.holdout.column)
	}
	return columns
}

// Write trains on the rows of a batch. It returns once they are copied; nothing
// of the batch is kept. Training runs on another goroutine, a few thousand rows
// behind, so an error of it may come from a later call, but the error of an
// earlier row comes before that of a later one.
//
// Errors are [*patch.RowError] for bad data, [*model.DivergedError],
// [*SpillError] and ctx's. One that came before anything of the batch was
// copied, as when ctx had ended already, does not end the Fitter: the batch may
// be written again.
func (f *Fitter) Write(ctx context.Context, batch arrow.RecordBatch) error {
	if f.err != nil {
		return f.err
	}
	if err := usable(ctx, batch); err != nil {
		return err
	}
	f.err = f.write(ctx, batch)
	return f.err
}

func (f *Fitter) write(ctx context.Context, batch arrow.RecordBatch) error {
	if f.binding == nil {
		return errors.New("stage: a fitter without a schema takes no rows")
	}
	first := f.next
	bound, skipped, err := f.binding.Rows(batch, first)
	f.next += batch.NumRows()
	var held []bool
	if err == nil && f.holdout != nil {
		held, err = f.holdout.mark(batch, bound, first)
	}
	if err != nil {
		// What is on its way lies before this row: so does its error.
		if earlier := f.drain(ctx); earlier != nil {
			return earlier
		}
		return err
	}
	f.report.Skipped += int64(len(skipped))
	if len(bound.Number) == 0 || f.Ready() {
		return nil
	}
	if f.feed == nil {
		f.feed = newFeed(bound.Kind, bound.Width)
	}
	for at := 0; at < len(bound.Number); {
		n := f.feed.current.fill(bound, at)
		if held != nil {
			f.feed.current.held = append(f.feed.current.held, held[at:at+n]...)
		}
		at += n
		if f.feed.current.full() {
			if err := f.deliver(ctx); err != nil {
				return err
			}
			if f.Ready() {
				return nil
			}
		}
	}
	return nil
}

// drain hands over what was copied so far and waits until it is trained on.
func (f *Fitter) drain(ctx context.Context) error {
	if f.feed == nil || f.Ready() {
		return nil
	}
	if len(f.feed.current.rows.Number) > 0 {
		if err := f.deliver(ctx); err != nil {
			return err
		}
	}
	return f.feed.wait(ctx)
}

// Ready reports whether Finish needs no more rows: without epochs, once the
// first rows have settled width and preprocessing.
func (f *Fitter) Ready() bool { return f.epochs == 0 && f.model != nil && !f.learns() }

// deliver checks and keeps the current block, and hands it to the trainer.
func (f *Fitter) deliver(ctx context.Context) error {
	rows := f.feed.current.rows
	if f.model == nil {
		if err := f.begin(rows); err != nil {
			return err
		}
	}
	if err := f.model.Check(rows); err != nil {
		return located(err, f.binding.Columns(), f.model.Preprocess.Method)
	}
	if f.epochs > 0 {
		if f.holdout != nil {
			if err := f.holdOut(f.feed.current); err != nil {
				return err
			}
			rows = f.feed.current.rows
		}
		f.report.Rows += int64(rows.Len())
	}
	if f.learns() && f.learning.ahead > 0 {
		return f.hold(f.feed.current)
	}
	if f.epochs == 0 {
		return nil
	}
	if f.store != nil {
		if err := f.store.Append(rows.Data, rows.Number); err != nil {
			return err
		}
	}
	return f.feed.send(ctx)
}

// holdOut moves the rows that are held out from b to their store.
func (f *Fitter) holdOut(b *block) error {
	r, rowBytes := &b.rows, b.rows.Width*b.rows.Kind.Size()
	kept := 0
	for i, held := range b.held {
		row, number := r.Data[i*rowBytes:(i+1)*rowBytes], r.Number[i]
		if held {
			if err := f.held.Append(row, r.Number[i:i+1]); err != nil {
				return err
			}
			f.report.HeldOut++
			continue
		}
		copy(r.Data[kept*rowBytes:], row)
		r.Number[kept] = number
		kept++
	}
	r.Data, r.Number, b.held = r.Data[:kept*rowBytes], r.Number[:kept], b.held[:0]
	return nil
}

// begin makes the model, now that the first rows are known, and starts to
// train it.
func (f *Fitter) begin(first model.Rows) error {
	c := f.config
	if c.Model.Inputs == 0 {
		c.Model.Inputs = first.Width
	}
	m, err := model.New(c.Model)
	if err != nil {
		return err
	}
	if c.Init != nil {
		copy(m.Params.Flat, c.Init.Params.Flat)
		m.Binding = c.Init.Binding
	}
	source := m.Binding.Source
	if f.binding != nil {
		source = f.binding.Source()
		m.Binding = model.Binding{Columns: f.binding.Columns(), Source: source, Width: c.Model.Inputs}
		if len(c.Columns) > 0 {
			m.Binding.Columns = slices.Clone(c.Columns)
		}
	}
	if m.Preprocess, err = f.rule(source, first); err != nil {
		return err
	}
	f.model = m
	if f.config.PixelMax == 0 && f.config.initial() == nil {
		f.report.Reach = m.Preprocess.Reach(first)
	}
	if f.epochs == 0 {
		return nil
	}

	if f.trainer, err = model.NewTrainer(m, c.Train); err != nil {
		return err
	}
	if err := f.keep(first.Width * first.Kind.Size()); err != nil {
		return err
	}
	f.feed.start(f.consume)
	return nil
}

// keep makes the stores for rows that are visited again. With two of them the
// budget is shared as the rows are, but for the least that each needs.
func (f *Fitter) keep(rowBytes int) (err error) {
	c, least := f.config, spill.Minimum(rowBytes)
	memory, held := c.Memory, int64(0)
	switch {
	case f.holdout != nil && f.config.keeps():
		held = min(max(int64(c.Validation*float64(memory)), least), memory-least)
		memory -= held
		least *= 2
	case f.holdout != nil:
		held = memory
	case !f.config.keeps():
		return nil
	}
	if c.Memory < least {
		return &model.ConfigError{Setting: "Memory",
			Reason: fmt.Sprintf("%d bytes are too few for rows of %d bytes", c.Memory, rowBytes),
			Hint:   fmt.Sprintf("give at least %dMiB with `Memory`", (least+1<<20-1)>>20)}
	}
	if f.config.keeps() {
		f.store, err = spill.New(spill.Config{Width: rowBytes, Seed: c.Model.Seed, Memory: memory, Dir: c.SpillDir})
		if err != nil {
			return err
		}
	}
	if f.holdout != nil {
		f.validator = model.NewValidator(f.model)
		f.held, err = spill.New(spill.Config{Width: rowBytes, Seed: c.Model.Seed, Memory: held, Dir: c.SpillDir})
	}
	return err
}

// consume takes the rows of a block as they arrive.
func (f *Fitter) consume(rows model.Rows) error {
	if l := f.learning; l != nil {
		if err := l.statistics.Add(rows); err != nil {
			return err
		}
		if !l.done {
			f.streamed += int64(rows.Len())
			f.observe(Progress{Phase: PhaseLearn, Rows: f.streamed})
			return nil
		}
	}
	return f.trainOn(rows)
}

// trainOn trains on rows of the first epoch.
func (f *Fitter) trainOn(rows model.Rows) error {
	if err := f.trainer.Add(rows, nil); err != nil {
		return err
	}
	f.streamed += int64(rows.Len())
	f.observe(Progress{Phase: PhaseStream, Rows: f.streamed})
	return nil
}

// observe fills in what every report holds and calls the observer.
func (f *Fitter) observe(p Progress) {
	if f.config.Observer == nil {
		return
	}
	p.Epochs, p.Epoch = f.epochs, len(f.report.Epochs)
	p.Evaluations = f.trainer.Evaluations()
	now := p.Result
	if !p.Done && p.Phase != PhaseLearn {
		if p.Phase != PhaseValidate {
			now = f.trainer.Running()
		}
		// What arranges rows comes after an epoch, and belongs to it.
		if p.Phase != PhaseArrange && !(f.config.iterates() && p.Evaluations == 0) {
			p.Epoch++
		}
	}
	p.Cost, p.MeanActivation = now.Cost.Total, now.MeanActivation
	if now.Rows == 0 {
		p.Cost, p.MeanActivation = math.NaN(), math.NaN()
	}
	f.config.Observer(p)
}

// Finish ends the input, trains the remaining epochs and returns the model,
// which is the caller's. [ErrNoRows] is the error when there was nothing to
// learn from. ctx is looked at about every thousand rows; the decomposition
// of zca, some seconds for a thousand inputs, comes to its end.
func (f *Fitter) Finish(ctx context.Context) (*model.Model, *Report, error) {
	if f.err != nil {
		return nil, nil, f.err
	}
	if ctx == nil {
		return nil, nil, errNoContext
	}
	err := f.finish(ctx)
	f.err = err
	if err == nil {
		f.report.Best = f.model.Best
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return nil, nil, err
	}
	return f.model, &f.report, nil
}

func (f *Fitter) finish(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := f.drain(ctx); err != nil {
		return err
	}
	switch {
	case f.model == nil && f.epochs == 0 && f.config.Model.Inputs > 0:
		if err := f.begin(model.Rows{}); err != nil {
			return err
		}
	case f.model == nil && f.report.Skipped > 0:
		return fmt.Errorf("%w: all %d were skipped", ErrNoRows, f.report.Skipped)
	case f.model == nil:
		return ErrNoRows
	}
	if f.epochs > 0 {
		defer f.trainer.Finish()
		if err := f.arrangeHeld(ctx); err != nil {
			return err
		}
	}
	streamed := !f.config.keeps() || f.learning == nil // what arrived was trained on
	if f.learns() {
		if err := f.learn(); err != nil {
			return err
		}
	}
	if f.epochs == 0 {
		return nil
	}
	if streamed {
		if err := f.endEpoch(ctx, PhaseStream); err != nil {
			return err
		}
	}
	if f.store == nil {
		if f.learning != nil {
			f.report.Drift = f.learning.statistics.Drift()
		}
		return nil
	}
	if err := f.arrange(ctx, f.store); err != nil {
		return err
	}
	for f.trainer.Stopped() == model.NotStopped {
		if err := f.pass(ctx); err != nil {
			return err
		}
		if err := f.endEpoch(ctx, PhaseTrain); err != nil {
			return err
		}
	}
	return nil
}

// arrange brings the rows of a store into buckets.
func (f *Fitter) arrange(ctx context.Context, s *spill.Store) error {
	err := s.Seal(ctx, func(done, total int64) {
		f.observe(Progress{Phase: PhaseArrange, Rows: done, TotalRows: total})
	})
	f.report.Spilled += s.Spilled()
	return err
}

// arrangeHeld does so with the rows that are held out, and sees to it that
// there are some, and others to train on.
func (f *Fitter) arrangeHeld(ctx context.Context) error {
	switch {
	case f.holdout == nil:
		return nil
	case f.report.HeldOut == 0:
		return &model.ConfigError{Setting: "Validation", Reason: fmt.Sprintf("none of the %d rows was drawn to be held out", f.report.Rows),
			Hint: "hold out a larger share, or use a `ValidationKey` that has more values"}
	case f.report.Rows == 0:
		return &model.ConfigError{Setting: "Validation", Reason: fmt.Sprintf("all of the %d rows were drawn to be held out", f.report.HeldOut),
			Hint: "hold out a smaller share, or use a `ValidationKey` that has more values"}
	}
	return f.arrange(ctx, f.held)
}

// pass trains on all kept rows once.
func (f *Fitter) pass(ctx context.Context) error {
	order := uint32(len(f.report.Epochs) + 1)
	if f.config.iterates() {
		order = 1
	}
	return f.visit(ctx, f.store, order, f.trainer.Add, Progress{Phase: PhaseTrain, TotalRows: f.report.Rows})
}

// visit hands all rows of a store to add, some at a time, in the order of an
// epoch, and reports how many as the Rows of p.
func (f *Fitter) visit(ctx context.Context, s *spill.Store, epoch uint32, add func(rows model.Rows, order []int32) error, p Progress) error {
	for bucket, err := range s.Epoch(ctx, epoch) {
		if err != nil {
			return err
		}
		rows := model.Rows{Kind: f.feed.kind, Width: f.model.Inputs, Data: bucket.Rows, Number: bucket.Number}
		for order := range slices.Chunk(bucket.Order, blockRows) {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := add(rows, order); err != nil {
				return err
			}
			p.Rows += int64(len(order))
			f.observe(p)
		}
	}
	return nil
}

// endEpoch ends a pass, and with it an epoch, unless it was an evaluation that
// ended no iteration.
func (f *Fitter) endEpoch(ctx context.Context, phase string) error {
	result, err := f.trainer.EndEpoch()
	if err == nil && result.Rows > 0 && f.holdout != nil {
		err = f.validate(ctx, &result)
	}
	if err != nil {
		return err
	}
	f.report.Stop, f.report.Evaluations = f.trainer.Stopped(), f.trainer.Evaluations()
	if result.Rows == 0 {
		return nil
	}
	f.report.Epochs = append(f.report.Epochs, result)
	f.observe(Progress{Phase: phase, Rows: f.report.Rows, TotalRows: f.report.Rows, Done: true, Result: result})
	return nil
}

// validate adds to the epoch that has just ended what the held-out rows cost.
func (f *Fitter) validate(ctx context.Context, e *model.Epoch) error {
	p := Progress{Phase: PhaseValidate, TotalRows: f.report.HeldOut, Result: *e}
	if err := f.visit(ctx, f.held, 0, f.validator.Add, p); err != nil {
		return err
	}
	f.trainer.Validate(f.validator.Cost())
	*e = f.model.History[len(f.model.History)-1]
	return nil
}

// Close ends the training goroutine and gives memory and spill file back. It
// may be called at any time and more than once.
func (f *Fitter) Close() error {
	if f.err == nil {
		f.err = errClosed
	}
	if f.feed != nil {
		f.feed.stop()
		f.feed = nil
	}
	var err error
	for _, store := range []**spill.Store{&f.store, &f.held} {
		if *store != nil {
			err = errors.Join(err, (*store).Close())
			*store = nil
		}
	}
	return err
}

// Run writes all batches of r, which it does not release, and finishes.
// Without epochs it reads no further than it needs. The batches may be a
// projection of the schema that has the columns of [Fitter.Columns].
func (f *Fitter) Run(ctx context.Context, r array.RecordReader) (*model.Model, *Report, error) {
	if r == nil {
		return nil, nil, errNoReader
	}
	for !f.Ready() && r.Next() {
		if err := f.Write(ctx, r.RecordBatch()); err != nil {
			return nil, nil, err
		}
	}
	if err := readError(r); err != nil {
		return nil, nil, err
	}
	return f.Finish(ctx)
}

// Fit makes a Fitter for the schema of r and runs it.
func Fit(ctx context.Context, r array.RecordReader, c Config) (*model.Model, *Report, error) {
	if r == nil {
		return nil, nil, errNoReader
	}
	f, err := NewFitter(r.Schema(), c)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	return f.Run(ctx, r)
}

// readError returns what ended the batches of r, nil for their end.
func readError(r array.RecordReader) error {
	if err := r.Err(); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	return nil
}

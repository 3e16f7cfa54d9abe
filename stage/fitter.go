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

	"github.com/aefeat/aefeat/arrowio"
	"github.com/aefeat/aefeat/internal/spill"
	"github.com/aefeat/aefeat/model"
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
	// PixelMax ask for another. It is not changed. nil: weights drawn by seed.
	Init *model.Model

	Train model.TrainOptions // its Epochs is set to the number of passes below

	// Epochs is the number of passes over the rows, under model.LBFGS the most
	// iterations. 0: 5, or 400 iterations. Negative: none, the model keeps its
	// initial weights, and rows are needed only for a width or a preprocessing
	// rule that is not known without.
	Epochs int

	Columns    []string // names or patterns of the patch columns; nil: those of Init, or found by arrowio.Bind
	Skip       bool     // leave bad rows out and count them, instead of failing
	Preprocess string   // model.PreprocessScale, or model.PreprocessNone; "": the rule of Init, else scale
	PixelMax   float64  // divisor of PreprocessScale; 0: by the type of the elements

	// Memory is a bound in bytes for kept rows and for reading them back. 0: 1
	// GiB. What the package comment calls the least budget is needed where
	// rows are kept.
	Memory int64

	SpillDir string // folder of the spill file; "": the system's for temporary files
	FirstRow int64  // number of the first row

	// Observer, if not nil, is told of progress, by one goroutine at a time
	// but not always the caller's: some times a second in a fast fit, never
	// more than once for a thousand rows. Training waits for it.
	Observer func(Progress)
}

const (
	defaultEpochs     = 5
	defaultIterations = 400 // of L-BFGS, as in the exercise of Ng's notes
	defaultMemory     = 1 << 30
)

// The phases of a fit.
const (
	PhaseStream  = "stream"  // the first epoch: training on rows as they arrive
	PhaseArrange = "arrange" // the rows of the spill file are brought into buckets
	PhaseTrain   = "train"   // a later epoch
)

// Progress says how far a fit is.
type Progress struct {
	Phase          string
	Epoch, Epochs  int   // under model.LBFGS iterations; iteration 0 is the first evaluation
	Evaluation     int64 // the one at work under model.LBFGS, counted from 0
	Rows           int64 // done in this phase and epoch, or evaluation
	TotalRows      int64 // of these; 0 while unknown
	Cost           float64
	MeanActivation float64
	Done           bool        // the epoch has ended
	Result         model.Epoch // set when Done
}

// Report tells about a fit that has ended.
type Report struct {
	Rows    int64         `json:"rows"`    // rows trained on, each counted once
	Skipped int64         `json:"skipped"` // bad rows left out
	Spilled int64         `json:"spilled"` // bytes written to the spill file
	Epochs  []model.Epoch `json:"epochs"`

	Stop        model.StopReason `json:"stop"`                  // why there were no more epochs
	Evaluations int64            `json:"evaluations,omitempty"` // passes over the rows under model.LBFGS
}

// Fitter fits a model to the record batches that are written to it. Its
// methods are for one goroutine at a time. After an error every further Write
// and Finish returns that error. Close must be called, whatever happened.
type Fitter struct {
	config  Config
	epochs  int
	binding *arrowio.Binding // nil when there is no schema
	next    int64            // number of the next row
	report  Report
	err     error

	// Set up once the first block of rows is there.
	feed    *feed
	model   *model.Model
	trainer *model.Trainer
	store   *spill.Store // nil when no row is visited twice
}

var errClosed = errors.New("stage: the fitter is finished or closed")

// NewFitter returns a Fitter for batches of the given schema. The schema may
// be nil for a fit that needs no rows: see Config.Epochs.
func NewFitter(schema *arrow.Schema, c Config) (*Fitter, error) {
	f := &Fitter{config: c, epochs: c.Epochs, next: c.FirstRow}
	if f.epochs == 0 {
		f.epochs = defaultEpochs
		if c.Train.Optimizer == model.LBFGS {
			f.epochs = defaultIterations
		}
	}
	f.epochs = max(f.epochs, 0)
	if int64(f.epochs) > math.MaxInt32 {
		return nil, &model.ConfigError{Setting: "epochs", Reason: fmt.Sprintf("%d is out of reach", f.epochs)}
	}
	if f.config.Memory == 0 {
		f.config.Memory = defaultMemory
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
	return f, nil
}

// bind finds the columns of the patch: those that were named, else those of
// Init where the data have them, else what the schema suggests.
func (f *Fitter) bind(schema *arrow.Schema) (err error) {
	c := f.config
	o := arrowio.BindOptions{Columns: c.Columns, Width: c.Model.Inputs, Skip: c.Skip}
	if len(o.Columns) == 0 && c.Init != nil && len(c.Init.Binding.Columns) > 0 {
		o.Columns = c.Init.Binding.Columns
		if f.binding, err = arrowio.Bind(schema, o); err == nil {
			return nil
		}
		o.Columns = nil
	}
	f.binding, err = arrowio.Bind(schema, o)
	return err
}

// settle takes from Init what Model leaves open, and checks the settings.
func (f *Fitter) settle() error {
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
		}{{"hidden units", c.Hidden, from.Hidden}, {"inputs", c.Inputs, from.Inputs}} {
			if size.asked != size.have {
				return &model.ConfigError{Setting: size.name,
					Reason: fmt.Sprintf("%d were asked for, the initial model has %d", size.asked, size.have),
					Hint:   "leave the number to the initial model"}
			}
		}
		if c.Tied != from.Tied {
			return &model.ConfigError{Setting: "tied weights", Reason: "the initial model is not of that kind",
				Hint: "leave the choice to the initial model"}
		}
	}
	return c.Validate()
}

// Columns returns the names of the columns that the Fitter reads, for a
// projection of the input.
func (f *Fitter) Columns() []string {
	if f.binding == nil {
		return nil
	}
	return f.binding.Columns()
}

// Write trains on the rows of a batch. It returns once they are copied; nothing
// of the batch is kept. Training runs on another goroutine, a few thousand rows
// behind, so an error of it may come from a later call, but the error of an
// earlier row comes before that of a later one.
//
// Errors are [*arrowio.RowError] for bad data, [*model.DivergedError],
// [*SpillError] and ctx's.
func (f *Fitter) Write(ctx context.Context, batch arrow.RecordBatch) error {
	if f.err == nil {
		f.err = f.write(ctx, batch)
	}
	return f.err
}

func (f *Fitter) write(ctx context.Context, batch arrow.RecordBatch) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if f.binding == nil {
		return errors.New("stage: a fitter without a schema takes no rows")
	}
	bound, err := f.binding.Rows(batch, f.next)
	f.next += batch.NumRows()
	if err != nil {
		// What is on its way lies before this row: so does its error.
		if earlier := f.drain(ctx); earlier != nil {
			return earlier
		}
		return err
	}
	f.report.Skipped += int64(len(bound.Skipped))
	if len(bound.Number) == 0 || f.Ready() {
		return nil
	}
	if f.feed == nil {
		f.feed = newFeed(model.Kind(bound.Kind), bound.Width)
	}
	for at := 0; at < len(bound.Number); {
		at += f.feed.current.fill(bound, at)
		if f.feed.current.full() {
			if err := f.deliver(ctx); err != nil {
				return err
			}
			if f.epochs == 0 {
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
func (f *Fitter) Ready() bool { return f.epochs == 0 && f.model != nil }

// deliver checks and keeps the current block, and hands it to the trainer.
func (f *Fitter) deliver(ctx context.Context) error {
	rows := f.feed.current.rows
	if f.model == nil {
		if err := f.begin(rows); err != nil {
			return err
		}
	}
	if err := f.model.Check(rows); err != nil {
		return located(err, f.binding.Columns())
	}
	if f.epochs == 0 {
		return nil
	}
	f.report.Rows += int64(rows.Len())
	if f.store != nil {
		if err := f.store.Append(rows.Data, rows.Number); err != nil {
			return err
		}
	}
	return f.feed.send(ctx)
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
	if f.epochs == 0 {
		return nil
	}

	c.Train.Epochs = f.epochs
	if f.trainer, err = model.NewTrainer(m, c.Train); err != nil {
		return err
	}
	if f.epochs > 1 || f.iterates() {
		rowBytes := first.Width * first.Kind.Size()
		if least := spill.Minimum(rowBytes); c.Memory < least {
			return &model.ConfigError{Setting: "memory",
				Reason: fmt.Sprintf("%d bytes are too few for rows of %d bytes", c.Memory, rowBytes),
				Hint:   fmt.Sprintf("give at least %dMiB with --memory", (least+1<<20-1)>>20)}
		}
		f.store, err = spill.New(spill.Config{Width: rowBytes, Seed: c.Model.Seed, Memory: c.Memory, Dir: c.SpillDir})
		if err != nil {
			return err
		}
	}
	var done int64
	f.feed.start(func(rows model.Rows) error {
		if err := f.trainer.Add(rows, nil); err != nil {
			return err
		}
		done += int64(rows.Len())
		f.observe(Progress{Phase: PhaseStream, Rows: done})
		return nil
	})
	return nil
}

// rule settles preprocessing.
func (f *Fitter) rule(source string, first model.Rows) (model.Preprocess, error) {
	method := f.config.Preprocess
	if from := f.config.Init; from != nil && from.Preprocess.Method != "" && (method == "" || method == from.Preprocess.Method) {
		return from.Preprocess.Adapt(source, f.config.PixelMax)
	}
	if method == "" {
		method = model.PreprocessScale
	}
	if source == "" && method != model.PreprocessNone {
		return model.Preprocess{}, fmt.Errorf("preprocessing %q depends on the type of the data: %w", method, ErrNoRows)
	}
	return model.NewPreprocess(method, source, f.config.PixelMax, first)
}

// observe fills in what every report holds and calls the observer.
func (f *Fitter) observe(p Progress) {
	if f.config.Observer == nil {
		return
	}
	p.Epochs, p.Epoch = f.epochs, len(f.report.Epochs)
	p.Evaluation = f.trainer.Evaluations()
	now := p.Result
	if !p.Done {
		now = f.trainer.Running()
		// What arranges rows comes after an epoch, and belongs to it.
		if p.Phase != PhaseArrange && !(f.iterates() && p.Evaluation == 0) {
			p.Epoch++
		}
	}
	p.Cost, p.MeanActivation = now.Cost.Total, now.MeanActivation
	f.config.Observer(p)
}

// Finish ends the input, trains the remaining epochs and returns the model,
// which is the caller's. [ErrNoRows] is the error when there was nothing to
// learn from. ctx is looked at about every thousand rows.
func (f *Fitter) Finish(ctx context.Context) (*model.Model, *Report, error) {
	if f.err != nil {
		return nil, nil, f.err
	}
	err := f.finish(ctx)
	f.err = err
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
	if f.epochs == 0 {
		return nil
	}
	if err := f.endEpoch(PhaseStream); err != nil {
		return err
	}
	if f.store == nil {
		return nil
	}
	err := f.store.Seal(ctx, func(done, total int64) {
		f.observe(Progress{Phase: PhaseArrange, Rows: done, TotalRows: total})
	})
	if err != nil {
		return err
	}
	f.report.Spilled = f.store.Spilled()
	for f.trainer.Stopped() == model.NotStopped {
		if err := f.pass(ctx); err != nil {
			return err
		}
		if err := f.endEpoch(PhaseTrain); err != nil {
			return err
		}
	}
	return nil
}

// iterates reports whether passes are evaluations, which always visit the
// rows in one order.
func (f *Fitter) iterates() bool { return f.config.Train.Optimizer == model.LBFGS }

// pass trains on all kept rows once.
func (f *Fitter) pass(ctx context.Context) error {
	kind, width := f.feed.kind, f.model.Inputs
	order := uint32(len(f.report.Epochs) + 1)
	if f.iterates() {
		order = 1
	}
	var done int64
	for bucket, err := range f.store.Epoch(ctx, order) {
		if err != nil {
			return err
		}
		rows := model.Rows{Kind: kind, Width: width, Data: bucket.Rows, Number: bucket.Number}
		for order := range slices.Chunk(bucket.Order, blockRows) {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := f.trainer.Add(rows, order); err != nil {
				return err
			}
			done += int64(len(order))
			f.observe(Progress{Phase: PhaseTrain, Rows: done, TotalRows: f.report.Rows})
		}
	}
	return nil
}

// endEpoch ends a pass, and with it an epoch, unless it was an evaluation that
// ended no iteration.
func (f *Fitter) endEpoch(phase string) error {
	result, err := f.trainer.EndEpoch()
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
	if f.store == nil {
		return nil
	}
	store := f.store
	f.store = nil
	return store.Close()
}

// Fit fits a model to all batches of r, which it does not release. Without
// epochs it reads no further than it needs.
func Fit(ctx context.Context, r array.RecordReader, c Config) (*model.Model, *Report, error) {
	f, err := NewFitter(r.Schema(), c)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
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

// readError returns what ended the batches of r, nil for their end.
func readError(r array.RecordReader) error {
	if err := r.Err(); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	return nil
}

package stage

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/aefeat/aefeat/model"
	"github.com/aefeat/aefeat/patch"
)

// Fitter fits a model to the record batches that are written to it. Its
// methods but Stop are for one goroutine at a time. A context that is nil or
// has ended already, and a batch that is nil or was released, do not end the
// Fitter: the call may be made again. After every other error each further
// Write and Finish returns that error. Close must be called, whatever happened.
//
// Rows go from the intake, which takes them out of the batches, block by block
// through a feed to the passes, which train on another goroutine.
type Fitter struct {
	plan   *plan // plans[0]: what it says of rows is that of all
	plans  []*plan
	intake *intake // nil without a schema
	feed   *feed   // nil before the first row, and once closed
	err    error

	// Made when the first block of rows is there, or is known not to come.
	models   []*model.Model // of the plans
	model    *model.Model   // models[0]
	reach    float64
	learning *learning // nil when preprocessing learns nothing
	passes   *passes   // nil without epochs
	choosing []*block  // full ones, which wait for what preprocessing is to be

	reading *reading       // the identity of the input; nil: nobody asks
	from    *Checkpoint    // that it goes on from; nil: from the start
	trainer *model.Trainer // of from
	form    *form          // that the first rows must have; nil: any
	notes   map[string]string
	asked   atomic.Bool // to stop
}

var (
	errClosed     = errors.New("stage: the fitter is finished or closed")
	errNoRowsDue  = errors.New("stage: a fitter without a schema takes no rows")
	errZeroFitter = errors.New("stage: a Fitter comes from NewFitter")
)

// NewFitter returns a Fitter for batches of the given schema. The schema may
// be nil for a fit that needs no rows: see Config.Epochs. Errors are those of
// [Config.Validate], and a [*patch.RowError] about the columns.
func NewFitter(schema *arrow.Schema, c Config) (*Fitter, error) {
	p, err := newPlan(c)
	if err != nil {
		return nil, err
	}
	return newFitter(schema, p)
}

// newFitter returns a Fitter that does what the plans say, which share the
// rows.
func newFitter(schema *arrow.Schema, plans ...*plan) (*Fitter, error) {
	p := plans[0]
	f := &Fitter{plan: p, plans: plans}
	if schema == nil {
		if p.trains() {
			return nil, errors.New("stage: a fit with epochs needs a schema")
		}
		return f, nil
	}
	var err error
	f.intake, err = newIntake(p, schema)
	if err != nil {
		return nil, err
	}
	if p.checkpoint != nil && p.trains() {
		f.reading, f.notes = &reading{}, map[string]string{}
	}
	return f, nil
}

// Patch returns a copy of how the columns of the patch are bound; nil without a
// schema. Its width is 0 until a row has shown it, where the schema does not.
func (f *Fitter) Patch() *patch.Binding {
	if f.intake == nil {
		return nil
	}
	return f.intake.binding.Clone()
}

// Columns returns the names of the columns that the Fitter reads, for a
// projection of the input.
func (f *Fitter) Columns() []string {
	if f.intake == nil {
		return nil
	}
	return f.intake.columns()
}

// Ready reports whether Finish needs no more rows: without epochs, once the
// first rows have settled width and preprocessing. Write then takes batches and
// reads nothing of them.
func (f *Fitter) Ready() bool {
	return f.model != nil && f.passes == nil && (f.learning == nil || f.learning.done)
}

// Write trains on the rows of a batch. It returns once they are copied; nothing
// of the batch is kept. Training runs on another goroutine, a few thousand rows
// behind, so an error of it may come from a later call, but the error of an
// earlier row comes before that of a later one.
//
// Errors are [*patch.RowError] for bad data, [*model.DivergedError],
// [*SpillError], [*InputChangedError] of a fit that is resumed, that of
// Config.Checkpoint, and ctx's. A ctx that is nil or has ended already, and a
// batch that is nil or was released, do not end the Fitter: the call may be
// made again. Every other error does, also that of a ctx which ends meanwhile.
func (f *Fitter) Write(ctx context.Context, batch arrow.RecordBatch) error {
	if f.err != nil {
		return f.err
	}
	if err := f.alive(ctx); err != nil {
		return err
	}
	return f.write(ctx, batch)
}

// write is Write for a ctx that may have ended.
func (f *Fitter) write(ctx context.Context, batch arrow.RecordBatch) error {
	if f.err != nil {
		return f.err
	}
	if err := patch.Usable(batch); err != nil {
		return err
	}
	f.err = f.ended(f.push(ctx, batch))
	return f.err
}

// push takes in a batch. Without epochs it reads no row after the one that a
// block ends with, so that what is read does not depend on how rows are cut
// into batches.
func (f *Fitter) push(ctx context.Context, batch arrow.RecordBatch) error {
	switch {
	case f.intake == nil:
		return errNoRowsDue
	case f.plan.trains():
		for part := range patch.Slices(batch, f.intake.binding.BatchRows) {
			if err := f.copy(ctx, part); err != nil {
				return err
			}
		}
		return nil
	}
	for lo, m := int64(0), batch.NumRows(); lo < m && !f.Ready(); {
		hi := min(lo+f.room(), m)
		part := batch.NewSlice(lo, hi)
		err := f.copy(ctx, part)
		part.Release()
		if err != nil {
			return err
		}
		lo = hi
	}
	return nil
}

// room is how many rows fit in the current block; 1 while the width of rows,
// and with it the size of a block, is not known.
func (f *Fitter) room() int64 {
	b := f.intake.binding
	switch {
	case f.feed != nil:
		return int64(f.feed.current.room())
	case b.Width() > 0:
		return int64(blockSize(b.Kind(), b.Width()))
	}
	return 1
}

// copy takes in the rows of a batch.
func (f *Fitter) copy(ctx context.Context, batch arrow.RecordBatch) error {
	rows, held, bad := f.intake.read(batch)
	if err := f.fill(ctx, rows, held); err != nil {
		return err
	}
	if bad != nil {
		// What is on its way lies before this row: so does its error.
		if err := f.endShort(); err != nil {
			return err
		}
		if earlier := f.drain(ctx); earlier != nil {
			return earlier
		}
	}
	return bad
}

// fill copies rows into blocks, and delivers those that are full.
func (f *Fitter) fill(ctx context.Context, rows model.Rows, held []bool) error {
	if rows.Len() == 0 || f.Ready() {
		return nil
	}
	if f.form != nil {
		if err := f.form.same(form{f.intake.binding.Source(), rows.Kind, rows.Width}); err != nil {
			return err
		}
		f.form = nil
	}
	if f.feed == nil {
		f.feed = newFeed(rows.Kind, rows.Width)
	}
	for at := 0; at < rows.Len(); {
		block := f.feed.current
		n := block.fill(rows, at)
		if held != nil {
			block.held = append(block.held, held[at:at+n]...)
		}
		at += n
		if block.full() {
			if err := f.deliver(ctx); err != nil || f.Ready() {
				return err
			}
		}
	}
	return nil
}

// drain delivers what was copied so far and waits until it is trained on.
func (f *Fitter) drain(ctx context.Context) error {
	if f.feed == nil || f.Ready() {
		return nil
	}
	if f.chooses() {
		f.wait()
		if err := f.choose(ctx); err != nil {
			return err
		}
	}
	if len(f.feed.current.rows.Number) > 0 {
		if err := f.deliver(ctx); err != nil {
			return err
		}
	}
	return f.feed.wait(ctx)
}

// chooses reports whether rows are still to decide what preprocessing is to be.
func (f *Fitter) chooses() bool { return f.model == nil && f.from == nil && f.plan.rule.choice > 0 }

// wait puts the current block among those that wait for preprocessing to be
// chosen.
func (f *Fitter) wait() {
	block := f.feed.current
	f.choosing, f.feed.current = append(f.choosing, block), newBlock(block.rows.Kind, block.rows.Width)
}

// choose lets the first rows decide, and goes on with all that wait for it.
func (f *Fitter) choose(ctx context.Context) error {
	waited, left := f.choosing, f.plan.rule.choice
	f.choosing = nil
	var method string
	var pixelMax float64
	for _, b := range waited {
		n := min(left, int64(b.rows.Len()))
		left -= n
		var err error
		method, pixelMax, err = model.ChoosePreprocess(f.intake.binding.Source(), cut(b.rows, 0, int(n)))
		if err != nil {
			return err
		}
		if method == model.PreprocessStandardize {
			break
		}
	}
	for _, p := range f.plans {
		if err := p.choose(method, pixelMax); err != nil {
			return p.named(err)
		}
	}
	for _, b := range waited {
		if err := f.fill(ctx, b.rows, b.held); err != nil {
			return err
		}
	}
	return nil
}

// deliver checks the current block and sends it on to where its rows are
// learned from and trained on. Preprocessing that is learned ahead comes first.
func (f *Fitter) deliver(ctx context.Context) error {
	block := f.feed.current
	if f.chooses() {
		f.wait()
		if int64(len(f.choosing)*block.size) < f.plan.rule.choice {
			return nil
		}
		return f.choose(ctx)
	}
	if f.model == nil {
		if err := f.begin(block.rows); err != nil {
			return err
		}
	}
	passOver, err := f.identify(block)
	if err != nil {
		return err
	}
	if err := f.screen(block); err != nil {
		return err
	}
	if f.passes != nil {
		if err := f.passes.take(block); err != nil {
			return err
		}
	}
	if passOver {
		if !f.passes.at.Visiting {
			f.passes.window.pass(block.rows) // it is as it was, without training
		}
		f.passes.observe(f.passes.trainings, Progress{Phase: PhaseResume, Rows: f.reading.Rows, TotalRows: f.reading.want.Rows})
		block.reset()
		return nil
	}
	if f.learning != nil && f.learning.waits() {
		enough, err := f.learning.wait(block.rows, f.passes != nil)
		block.reset()
		if err == nil && enough {
			err = f.learn(ctx)
		}
		return err
	}
	if f.passes == nil {
		block.reset()
		return nil
	}
	return f.feed.send(ctx)
}

// screen takes the rows that are out of range out of a block, unless the first
// of them is an error.
func (f *Fitter) screen(b *block) error {
	at, err := f.intake.bad.screen(f.model, b.rows, f.plan.skip, f.intake.binding.Columns(), &f.plan.rule)
	if err != nil || len(at) == 0 {
		return err
	}
	b.drop(at)
	return nil
}

// begin makes the models, now that the first rows are known, and all that
// trains them.
func (f *Fitter) begin(first model.Rows) error {
	if f.from != nil {
		return f.goOn(first)
	}
	for _, p := range f.plans {
		m, err := p.newModel(f.Patch(), first)
		if err != nil {
			return err
		}
		f.models = append(f.models, m)
	}
	f.model = f.models[0]
	f.reach = f.plan.rule.reach(f.model.Preprocess, first)
	if f.model.Preprocess.Learns() && f.model.Preprocess.Learned == nil {
		f.learning = newLearning(f.model.Preprocess, first, f.plan.rule.ahead)
	}
	if !f.plan.trains() {
		return nil
	}
	var trainings []*training
	for i, p := range f.plans {
		trainer, err := model.NewTrainer(f.models[i], p.train)
		if err != nil {
			return p.named(err)
		}
		trainings = append(trainings, &training{plan: p, model: f.models[i], trainer: trainer})
	}
	return f.train(trainings, first)
}

// train begins to train on rows like those of first.
func (f *Fitter) train(trainings []*training, first model.Rows) error {
	var err error
	if f.passes, err = newPasses(trainings, first); err != nil {
		return err
	}
	f.passes.asked = &f.asked
	f.passes.saver = newSaver(f)
	f.feed.start(f.consume)
	return nil
}

// consume takes the rows of a block as they arrive, on the feed's goroutine.
func (f *Fitter) consume(b *block) error {
	if l := f.learning; l != nil {
		if err := l.statistics.Add(b.rows); err != nil {
			return err
		}
		if !l.done {
			f.passes.observe(f.passes.trainings[:1], Progress{Phase: PhaseLearn, Rows: l.statistics.Rows()})
			return nil
		}
	}
	if err := f.passes.stream(b.rows); err != nil {
		return err
	}
	f.passes.at.Input = b.input
	return f.passes.between()
}

// learn ends the learning, and trains on the rows that have waited for it.
func (f *Fitter) learn(ctx context.Context) error {
	rule, waited, err := f.learning.end(ctx)
	if err != nil {
		return err
	}
	for _, m := range f.models {
		m.Preprocess = rule
	}
	if f.passes != nil {
		f.passes.at.Input = f.reading.seen()
	}
	for lo := 0; lo < waited.Len(); lo += blockRows {
		if err := f.passes.stream(cut(waited, lo, min(lo+blockRows, waited.Len()))); err != nil {
			return err
		}
	}
	return nil
}

// Finish ends the input, trains the remaining epochs and returns the model,
// which is the caller's. [ErrNoRows] is the error when there was nothing to
// learn from. ctx is looked at about every thousand rows, and meanwhile where
// zca is learned. A ctx that is nil or has ended already does not end the
// Fitter; every other error does.
func (f *Fitter) Finish(ctx context.Context) (*model.Model, *Report, error) {
	reports, err := f.finishAll(ctx)
	if err != nil {
		return nil, nil, err
	}
	return f.model, reports[0], nil
}

// finishAll is Finish for the models of all plans.
func (f *Fitter) finishAll(ctx context.Context) ([]*Report, error) {
	switch {
	case f.err != nil:
		return nil, f.err
	case f.plan == nil:
		return nil, errZeroFitter
	}
	if err := f.alive(ctx); err != nil {
		return nil, err
	}
	f.err = f.ended(f.finish(ctx))
	var reports []*Report
	err := f.err
	if err == nil {
		for i := range f.plans {
			reports = append(reports, f.report(i))
		}
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	return reports, err
}

func (f *Fitter) finish(ctx context.Context) error {
	if f.asked.Load() {
		if err := f.endShort(); err != nil {
			return err
		}
	}
	if err := f.drain(ctx); err != nil {
		return err
	}
	if f.intake != nil {
		f.intake.end()
	}
	if err := f.endInput(); err != nil {
		return err
	}
	if f.model == nil {
		if err := f.beginWithout(); err != nil {
			return err
		}
	} else if f.emptied() {
		return f.intake.bad.none()
	}
	if f.passes != nil {
		if err := f.passes.settle(ctx); err != nil {
			return err
		}
	}
	if f.learning != nil && !f.learning.done {
		if err := f.learn(ctx); err != nil {
			return err
		}
	}
	if f.passes == nil {
		return nil
	}
	if err := f.passes.run(ctx); err != nil {
		return err
	}
	for _, one := range f.passes.trainings {
		one.trainer.Finish()
	}
	return nil
}

// beginWithout makes a model without any rows, if there is need of none.
func (f *Fitter) beginWithout() error {
	switch {
	case !f.plan.trains() && f.plan.model.Inputs > 0:
		return f.begin(model.Rows{})
	case f.intake == nil:
		return ErrNoRows
	}
	return f.intake.bad.none()
}

// emptied reports whether the rows that settled the model, and all after them,
// were left out: there is nothing to train on, nor to learn from.
func (f *Fitter) emptied() bool {
	if f.passes != nil {
		return f.passes.rows == 0 && (f.passes.validation == nil || f.passes.validation.rows.Rows() == 0)
	}
	return f.learning != nil && f.learning.statistics.Rows() == 0
}

// report tells about the fit of a model, which has ended.
func (f *Fitter) report(i int) *Report {
	p, m := f.plans[i], f.models[i]
	r := &Report{Reach: f.reach, warnings: slices.Clone(p.warnings)}
	if f.intake != nil {
		r.Skipped, r.BadRows = f.intake.bad.Total(), f.intake.bad.BadRows
	}
	if f.passes != nil {
		f.passes.report(f.passes.trainings[i], r)
		if f.learning != nil {
			r.Drift = f.learning.drift()
		}
	}
	r.judgeDead(m.Config, p.config.FitDecay)
	r.judge()
	r.judgeWeights(m, p.init == nil)
	return r
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
	if f.passes != nil {
		return f.passes.close()
	}
	return nil
}

// Run writes all batches of r, which it does not release, and finishes.
// Without epochs it reads no further than it needs. The batches may be a
// projection of the schema that has the columns of [Fitter.Columns]. After an
// error that did not end the Fitter another Run goes on with the next batch of
// r: none was lost.
func (f *Fitter) Run(ctx context.Context, r array.RecordReader) (*model.Model, *Report, error) {
	m, report, err := f.run(ctx, r)
	if err != nil && f.err == nil { // the Fitter may not be used again
		err = joined(err, f.save())
	}
	return m, report, err
}

func (f *Fitter) run(ctx context.Context, r array.RecordReader) (*model.Model, *Report, error) {
	if _, err := schemaOf(r); err != nil {
		return nil, nil, err
	}
	for {
		if err := f.alive(ctx); err != nil {
			return nil, nil, err
		}
		if f.Ready() || f.enough() || !r.Next() {
			break
		}
		// What was read must not be lost, though ctx has ended since.
		if err := f.write(ctx, r.RecordBatch()); err != nil {
			return nil, nil, err
		}
	}
	if err := readError(r); err != nil {
		if errors.Is(err, ctx.Err()) { // of which the reader knew first
			err = f.alive(ctx)
		}
		return nil, nil, err
	}
	return f.Finish(ctx)
}

// Fit makes a Fitter for the schema of r and runs it.
func Fit(ctx context.Context, r array.RecordReader, c Config) (*model.Model, *Report, error) {
	schema, err := schemaOf(r)
	if err != nil {
		return nil, nil, err
	}
	f, err := NewFitter(schema, c)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	return f.Run(ctx, r)
}

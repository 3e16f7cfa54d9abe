package stage

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"

	"github.com/aefeat/aefeat/model"
)

// passes trains models: on rows as they arrive, and then, where rows are
// visited again, in passes over those that it has kept. After each epoch it has
// the models validated.
type passes struct {
	plan       *plan // that of the first model; what it says of rows is that of all
	trainings  []*training
	running    []*training // that the pass at hand trains
	window     *window     // nil when rows that arrive are not shuffled
	kept       *store      // nil when no row is visited again
	validation *validation // nil when no row is held out

	rows  int64 // to train on, each counted once
	at    position
	saver *saver       // nil when no checkpoints are made
	asked *atomic.Bool // to stop after the running epoch
	cut   bool         // its only epoch may have had more rows
}

// newPasses prepares to train on rows like those of first. The caller closes
// what it returns, with an error too.
func newPasses(trainings []*training, first model.Rows) (*passes, error) {
	p := trainings[0].plan
	t := &passes{plan: p, trainings: trainings, running: trainings}
	var err error
	if p.streams(trainings[0].model.Preprocess) {
		if t.window, err = p.newWindow(first); err != nil {
			return t, err
		}
	}
	if !p.keeps() && !p.validates() {
		return t, nil
	}
	kept, heldOut, err := p.budgets(rowSize(first))
	if err != nil {
		return t, err
	}
	if p.keeps() {
		if t.kept, err = p.newStore(first, kept); err != nil {
			return t, err
		}
	}
	if p.validates() {
		rows, err := p.newStore(first, heldOut)
		if err != nil {
			return t, err
		}
		t.validation = &validation{rows}
		for _, one := range trainings {
			one.validator = model.NewValidator(one.model)
		}
	}
	return t, nil
}

// take holds rows out of a block, and keeps the others if they are to be
// visited again.
func (t *passes) take(b *block) error {
	if t.validation != nil {
		if err := t.validation.take(b); err != nil {
			return err
		}
	}
	t.rows += int64(b.rows.Len())
	if t.kept == nil {
		return nil
	}
	return t.kept.Append(b.rows.Data, b.rows.Number)
}

// stream takes in rows of the first epoch, which arrive, and trains on as many
// that go out of the window. The memory of rows is for that.
func (t *passes) stream(rows model.Rows) error {
	rows = t.window.pass(rows)
	if rows.Len() == 0 {
		t.saver.trained() // not yet, but there is more to go on with
		return nil
	}
	if err := t.add(rows, nil); err != nil {
		return err
	}
	t.observe(t.running, Progress{Phase: PhaseStream, Rows: t.at.Rows})
	return nil
}

// add trains on rows.
func (t *passes) add(rows model.Rows, order []int32) error {
	if err := sideBySide(t.running, func(one *training) error { return one.trainer.Add(rows, order) }); err != nil {
		return err
	}
	if order == nil {
		t.at.Rows += int64(rows.Len())
	}
	t.at.Rows += int64(len(order))
	t.saver.trained()
	return nil
}

// streamed is how many rows of the first epoch were trained on or wait in the
// window.
func (t *passes) streamed() int64 {
	if t.window == nil {
		return t.at.Rows
	}
	return t.at.Rows + int64(t.window.Rows())
}

// between is told that a block of rows was trained on, where a checkpoint may
// be made.
func (t *passes) between() error {
	if t.inPass() {
		return nil
	}
	return t.saver.due()
}

// inPass reports whether rows have gone into a gradient of all of them, which
// no checkpoint holds.
func (t *passes) inPass() bool { return t.plan.whole() && t.at.Rows > 0 }

// lastSave makes the checkpoint of a fit whose context has ended.
func (t *passes) lastSave() error {
	if t.inPass() {
		return nil
	}
	return t.saver.save(true)
}

// settle is told that no more rows arrive.
func (t *passes) settle(ctx context.Context) error {
	if t.validation == nil {
		return nil
	}
	if err := t.validation.check(t.rows); err != nil {
		return err
	}
	return t.arrange(ctx, t.validation.rows)
}

// run ends the epoch of the rows that were streamed, if they were, and makes
// the passes that remain.
func (t *passes) run(ctx context.Context) error {
	if err := t.endStream(ctx); err != nil {
		return err
	}
	t.at.Visiting = true
	if t.kept != nil {
		if err := t.arrange(ctx, t.kept); err != nil {
			return err
		}
		if err := t.visits(ctx); err != nil {
			return err
		}
	}
	return t.saver.save(true)
}

// endStream ends the epoch of the rows that were streamed, or the validation
// that was interrupted.
func (t *passes) endStream(ctx context.Context) error {
	switch {
	case t.at.Unvalidated:
		return t.validate(ctx, PhaseTrain, t.running)
	case t.at.Visiting:
		return nil
	}
	if err := t.empty(ctx); err != nil || t.at.Rows == 0 {
		return err
	}
	return t.endEpoch(ctx, PhaseStream)
}

// stopStream is told that the stream ends after the rows so far, though the
// input may go on. The last checkpoint, which goes on with the next block, is
// of now.
func (t *passes) stopStream() error {
	t.cut = t.kept == nil
	streams := !t.at.Visiting && t.streamed() > 0 && !t.inPass()
	var err error
	if streams {
		err = t.saver.save(true)
	}
	if streams || t.cut {
		t.saver = nil
	}
	return err
}

// visits makes passes over the kept rows.
func (t *passes) visits(ctx context.Context) error {
	if t.at.Rows > t.kept.Rows() {
		return damagedCheckpoint("it is in an epoch of more than all rows")
	}
	for order := t.choose(); len(t.running) > 0; order = t.choose() {
		err := t.kept.visit(ctx, order, t.at.Rows, func(rows model.Rows, order []int32) error {
			if err := t.add(rows, order); err != nil {
				return err
			}
			t.observe(t.running, Progress{Phase: PhaseTrain, Rows: t.at.Rows, TotalRows: t.rows})
			return t.between()
		})
		if err != nil {
			return err
		}
		if err := t.endEpoch(ctx, PhaseTrain); err != nil {
			return err
		}
	}
	return nil
}

// choose makes those run next that go on and want the rows in the same order,
// the first of all that are wanted. It returns which that is.
func (t *passes) choose() (order uint32) {
	t.running = nil
	for _, one := range t.trainings {
		if !one.goesOn(t.asked.Load()) {
			continue
		}
		if wanted := one.order(); len(t.running) == 0 || wanted < order {
			order, t.running = wanted, []*training{one}
		} else if wanted == order {
			t.running = append(t.running, one)
		}
	}
	return order
}

// goesOn reports whether there is another pass.
func (t *passes) goesOn() bool {
	asked := t.asked.Load()
	return slices.ContainsFunc(t.trainings, func(one *training) bool { return one.goesOn(asked) })
}

// arrange brings the rows of a store into buckets.
func (t *passes) arrange(ctx context.Context, s *store) error {
	return s.Seal(ctx, func(done, total int64) {
		t.observe(t.trainings[:1], Progress{Phase: PhaseArrange, Rows: done, TotalRows: total})
	})
}

// endEpoch ends a pass, and with it an epoch, unless it was an evaluation that
// ended no iteration.
func (t *passes) endEpoch(ctx context.Context, phase string) error {
	var ended []*training
	for _, one := range t.running {
		e, err := one.trainer.EndEpoch()
		if err != nil {
			return one.plan.named(err)
		}
		if e.Rows > 0 {
			ended = append(ended, one)
		}
	}
	t.at.Visiting, t.at.Rows = true, 0
	t.saver.trained()
	if len(ended) == 0 {
		return t.between()
	}
	t.at.Unvalidated = t.validation != nil
	return t.validate(ctx, phase, ended)
}

// validate has held-out rows, if there are any, judge the epochs that have
// ended.
func (t *passes) validate(ctx context.Context, phase string, ended []*training) error {
	if t.validation != nil {
		err := t.validation.judge(ctx, ended, func(done int64) {
			t.observe(ended, Progress{Phase: PhaseValidate, Rows: done, TotalRows: t.validation.rows.Rows()})
		})
		if err != nil {
			return err
		}
		t.at.Unvalidated = false
	}
	t.observe(ended, Progress{Phase: phase, Rows: t.rows, TotalRows: t.rows, Done: true})
	if t.kept == nil || !t.goesOn() {
		return nil // the last one comes next
	}
	return t.saver.save(false)
}

// observe tells the observers of some models.
func (t *passes) observe(these []*training, p Progress) {
	for _, one := range these {
		one.observe(p)
	}
}

// report fills in what the passes know of a model.
func (t *passes) report(one *training, r *Report) {
	r.Rows, r.Epochs, r.Best = t.rows, slices.Clone(one.model.History), one.model.Best
	r.Stop, r.Evaluations = one.trainer.Stopped(), one.trainer.Evaluations()
	if t.cut || r.Stop == model.NotStopped {
		r.Stop = model.AskedToStop
	}
	if t.kept != nil {
		r.Spilled += t.kept.Spilled()
	}
	if t.validation != nil {
		r.HeldOut = t.validation.rows.Rows()
		r.Spilled += t.validation.rows.Spilled()
	}
}

// close gives memory and spill files back.
func (t *passes) close() error {
	err := t.window.close()
	if t.kept != nil {
		err = errors.Join(err, t.kept.Close())
	}
	if t.validation != nil {
		err = errors.Join(err, t.validation.rows.Close())
	}
	return err
}

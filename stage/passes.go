package stage

import (
	"context"
	"errors"
	"math"

	"github.com/aefeat/aefeat/model"
)

// passes trains a model: on rows as they arrive, and then, where rows are
// visited again, in passes over those that it has kept. After each epoch it has
// the model validated.
type passes struct {
	plan       *plan
	model      *model.Model
	trainer    *model.Trainer
	kept       *store      // nil when no row is visited again
	validation *validation // nil when no row is held out

	rows     int64 // to train on, each counted once
	streamed int64 // of these, trained on as they arrived
	epochs   []model.Epoch
}

// newPasses prepares to train m on rows like those of first. The caller closes
// what it returns, with an error too.
func newPasses(p *plan, m *model.Model, first model.Rows) (*passes, error) {
	t := &passes{plan: p, model: m}
	var err error
	if t.trainer, err = model.NewTrainer(m, p.train); err != nil {
		return t, err
	}
	kept, heldOut := int64(0), int64(0)
	if p.keeps() || p.validates() {
		if kept, heldOut, err = p.budgets(rowSize(first)); err != nil {
			return t, err
		}
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
		t.validation = &validation{rows, model.NewValidator(m)}
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

// stream trains on rows of the first epoch, which arrive.
func (t *passes) stream(rows model.Rows) error {
	if err := t.trainer.Add(rows, nil); err != nil {
		return err
	}
	t.streamed += int64(rows.Len())
	t.observe(Progress{Phase: PhaseStream, Rows: t.streamed})
	return nil
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
	if t.streamed > 0 {
		if err := t.endEpoch(ctx, PhaseStream); err != nil {
			return err
		}
	}
	if t.kept == nil {
		return nil
	}
	if err := t.arrange(ctx, t.kept); err != nil {
		return err
	}
	for t.trainer.Stopped() == model.NotStopped {
		order := uint32(len(t.epochs) + 1)
		if t.plan.iterates() {
			order = 1
		}
		err := t.kept.visit(ctx, order, t.trainer.Add, func(done int64) {
			t.observe(Progress{Phase: PhaseTrain, Rows: done, TotalRows: t.rows})
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

// arrange brings the rows of a store into buckets.
func (t *passes) arrange(ctx context.Context, s *store) error {
	return s.Seal(ctx, func(done, total int64) {
		t.observe(Progress{Phase: PhaseArrange, Rows: done, TotalRows: total})
	})
}

// endEpoch ends a pass, and with it an epoch, unless it was an evaluation that
// ended no iteration.
func (t *passes) endEpoch(ctx context.Context, phase string) error {
	e, err := t.trainer.EndEpoch()
	if err != nil || e.Rows == 0 {
		return err
	}
	if t.validation != nil {
		cost, err := t.validation.cost(ctx, func(done int64) {
			t.observe(Progress{Phase: PhaseValidate, Rows: done, TotalRows: t.validation.rows.Rows(), Result: e})
		})
		if err != nil {
			return err
		}
		t.trainer.Validate(cost)
		e = t.model.History[len(t.model.History)-1]
	}
	t.epochs = append(t.epochs, e)
	t.observe(Progress{Phase: phase, Rows: t.rows, TotalRows: t.rows, Done: true, Result: e})
	return nil
}

// observe fills in what every report holds and calls the observer.
func (t *passes) observe(p Progress) {
	if t.plan.observer == nil {
		return
	}
	p.Epochs, p.Epoch = t.plan.epochs, len(t.epochs)
	p.Evaluations = t.trainer.Evaluations()
	now := p.Result
	if !p.Done && p.Phase != PhaseLearn {
		if p.Phase != PhaseValidate {
			now = t.trainer.Running()
		}
		// What arranges rows comes after an epoch, and belongs to it.
		if p.Phase != PhaseArrange && !(t.plan.iterates() && p.Evaluations == 0) {
			p.Epoch++
		}
	}
	p.Cost, p.MeanActivation = now.Cost.Total, now.MeanActivation
	if now.Rows == 0 {
		p.Cost, p.MeanActivation = math.NaN(), math.NaN()
	}
	t.plan.observer(p)
}

// report fills in what the passes know.
func (t *passes) report(r *Report) {
	r.Rows, r.Epochs, r.Best = t.rows, t.epochs, t.model.Best
	r.Stop, r.Evaluations = t.trainer.Stopped(), t.trainer.Evaluations()
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
	var err error
	if t.kept != nil {
		err = t.kept.Close()
	}
	if t.validation != nil {
		err = errors.Join(err, t.validation.rows.Close())
	}
	return err
}

package stage

import (
	"math"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/aefeat/aefeat/model"
)

// training is a model that is trained, alone or beside others on the same rows.
type training struct {
	plan      *plan
	model     *model.Model
	trainer   *model.Trainer
	validator *model.Validator // nil when no row is held out
}

// goesOn reports whether there is another pass. One epoch there always is.
func (t *training) goesOn(asked bool) bool {
	return t.trainer.Stopped() == model.NotStopped && (!asked || len(t.model.History) == 0)
}

// order returns in which order the next pass visits the rows.
func (t *training) order() uint32 {
	if t.plan.iterates() {
		return 1
	}
	return uint32(len(t.model.History) + 1)
}

// observe fills in what every report holds and calls the observer. Of an epoch
// that is Done, or is validated, the result is the last of the history.
func (t *training) observe(p Progress) {
	if t.plan.observer == nil {
		return
	}
	p.Epochs, p.Epoch = t.plan.epochs, len(t.model.History)
	p.Evaluations = t.trainer.Evaluations()
	if p.Done || p.Phase == PhaseValidate {
		p.Result = t.model.History[len(t.model.History)-1]
	}
	now := p.Result
	if !p.Done && p.Phase != PhaseLearn {
		if p.Phase != PhaseValidate {
			now = t.trainer.Running()
		}
		// The others come after an epoch, and belong to it.
		if inEpoch := p.Phase == PhaseStream || p.Phase == PhaseTrain; inEpoch && !(t.plan.iterates() && p.Evaluations == 0) {
			p.Epoch++
		}
	}
	p.Cost, p.MeanActivation = now.Cost.Total, now.MeanActivation
	if now.Rows == 0 {
		p.Cost, p.MeanActivation = math.NaN(), math.NaN()
	}
	t.plan.observer(p)
}

// sideBySide calls do for each training, with as many at a time as there are
// processors: a small model alone would not keep them busy. It returns the
// error of the first, in their order, that has one.
func sideBySide(these []*training, do func(*training) error) error {
	if len(these) == 1 {
		return these[0].plan.named(do(these[0]))
	}
	errs := make([]error, len(these))
	var next atomic.Int64
	work := func() {
		for i := next.Add(1) - 1; i < int64(len(these)); i = next.Add(1) - 1 {
			errs[i] = these[i].plan.named(do(these[i]))
		}
	}
	var others sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(these)) - 1 {
		others.Go(work)
	}
	work()
	others.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

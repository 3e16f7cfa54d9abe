package model

import (
	"errors"
	"math"

	"github.com/aefeat/aefeat/internal/f32"
	"github.com/aefeat/aefeat/internal/lbfgs"
)

// searchMemory is how many steps the method remembers, as scipy's L-BFGS-B
// does. Each takes two vectors of all parameters.
const searchMemory = 10

// searchSettings are the constants of scipy's line search. Decrease keeps a
// line from being content with rounding. Below Tolerance and Flat a cost that
// is made of float32 numbers says little.
func searchSettings(iterations int) lbfgs.Settings {
	return lbfgs.Settings{
		Memory:   searchMemory,
		Decrease: 1e-3, Curvature: 0.9, Width: 0.1,
		Tolerance: 1e-6, Flat: 1e-6,
		Iterations: iterations,
	}
}

// quasiNewton is the engine of [LBFGS]: each pass over the rows is an
// evaluation of the exact cost, and an iteration, the epoch of its history,
// takes one or more of them.
//
// During a pass the parameters are the point that the search wants evaluated,
// between passes the last iterate. The search is in float64; what it is told of
// a point is of the parameters that the point was rounded to.
type quasiNewton struct {
	m        *Model
	o        TrainOptions
	sums     *Accumulator
	search   *lbfgs.Search
	gradient []float32
	wide     []float64 // the gradient for the search
	epoch    int       // the running one, counted from 1
	placed   bool      // the parameters are the search's point
}

func newQuasiNewton(m *Model, o TrainOptions) *quasiNewton {
	parameters := len(m.Params.Flat)
	return &quasiNewton{
		m:        m,
		o:        o,
		search:   lbfgs.New(make([]float64, parameters), searchSettings(o.Epochs)),
		gradient: make([]float32, parameters),
		wide:     make([]float64, parameters),
		epoch:    len(m.History) + 1,
	}
}

func (q *quasiNewton) allocate() {
	q.sums = NewAccumulator(q.m)
	q.sums.Reset(fixedNoise)
}

// errMidPass is the error of a checkpoint where sums over rows would be lost.
var errMidPass = errors.New("a pass over all rows is under way")

// state lists what a checkpoint keeps, between two passes.
func (q *quasiNewton) state(s *stateForm) {
	if !s.restoring() && (q.placed || q.sums.Rows() > 0) {
		s.fail("%w", errMidPass)
	}
	st, parameters := q.search.State(), len(q.m.Params.Flat)
	s.doubles("search.x", &st.X, parameters)
	s.doubles("search.gradient", &st.Gradient, parameters)
	s.number("search.cost", &st.Cost)
	pairs, trials, recent := len(st.Steps), len(st.Trials), len(st.Recent)
	s.countInt("search.pairs", &pairs, searchMemory)
	s.vectors("search.steps", &st.Steps, pairs, parameters)
	s.vectors("search.changes", &st.Changes, pairs, parameters)
	s.number("search.step", &st.Step)
	s.countInt("search.trials", &trials, math.MaxInt32) // Restore knows how many
	costs, slopes := make([]float64, len(st.Trials)), make([]float64, len(st.Trials))
	for i, t := range st.Trials {
		costs[i], slopes[i] = t.Cost, t.Slope
	}
	s.doubles("search.trial_costs", &costs, trials)
	s.doubles("search.trial_slopes", &slopes, trials)
	s.number("search.length", &st.Length)
	s.countInt("search.recent", &recent, math.MaxInt32)
	s.doubles("search.recent_costs", &st.Recent, recent)
	s.countInt("search.iterations", &st.Iterations, len(q.m.History))
	s.count("search.evaluations", &st.Evaluations, maxCount)
	s.flag("search.fresh", &st.Fresh)
	stop := int(st.Stop)
	s.countInt("search.stop", &stop, int(lbfgs.OutOfIterations))
	if !s.restoring() || s.err != nil {
		return
	}
	st.Stop = lbfgs.Stop(stop)
	st.Trials = make([]lbfgs.Trial, trials)
	for i := range st.Trials {
		st.Trials[i] = lbfgs.Trial{Cost: costs[i], Slope: slopes[i]}
	}
	search, err := lbfgs.Restore(st, searchSettings(q.o.Epochs))
	if err != nil {
		s.fail("%w", err)
		return
	}
	q.search = search
}

// searchVectors is the number of vectors of all parameters, in float64, that
// the search and the engine keep.
var searchVectors = lbfgs.Vectors(searchMemory) + 1

// memory is the size of the state in bytes, once the search has its full
// memory.
func (q *quasiNewton) memory() int64 {
	return q.sums.memory() + int64(len(q.gradient))*int64(4+8*searchVectors)
}

// errStopped is the error of a pass after the last.
var errStopped = errors.New("model: the training has stopped")

// place sets the parameters to the search's point. The first is that of the
// parameters as they are.
func (q *quasiNewton) place() error {
	switch {
	case q.search.Stopped() != lbfgs.Running:
		return errStopped
	case q.placed:
	case q.search.Evaluations() == 0:
		widenTo(q.search.Point(), q.m.Params.Flat)
	default:
		narrowTo(q.m.Params.Flat, q.search.Point())
	}
	q.placed = true
	return nil
}

// add takes rows into the evaluation at the search's point.
func (q *quasiNewton) add(r Rows, order []int32) error {
	if err := q.place(); err != nil {
		return err
	}
	return q.sums.Add(r, order)
}

// begin places the parameters for sums that others gather.
func (q *quasiNewton) begin() (*Accumulator, error) { return q.sums, q.place() }

// end ends an evaluation. Unless it ended an iteration too, the epoch it
// returns is zero and the parameters go back to the last iterate.
func (q *quasiNewton) end() (Epoch, error) {
	q.sums.fold()
	e := q.running()
	if e.Rows == 0 {
		if q.placed && q.search.Evaluations() > 0 {
			narrowTo(q.m.Params.Flat, q.search.X())
		}
		q.placed = false
		return e, nil
	}
	q.sums.Gradient(q.gradient)
	first := q.search.Evaluations() == 0
	if first {
		if err := q.judge(e.Cost.Total); err != nil {
			return Epoch{}, err
		}
	}
	widenTo(q.wide, q.gradient)
	iterate := q.search.Advance(e.Cost.Total, q.wide)
	q.sums.Reset(fixedNoise)
	q.placed = false
	if iterate {
		q.epoch++
		return e, nil
	}
	q.m.RowsSeen += e.Rows
	if first {
		cost := e.Cost
		q.m.Cost = &cost
	}
	narrowTo(q.m.Params.Flat, q.search.X())
	return Epoch{}, nil
}

// judge returns an error when there is no cost, or no gradient, to begin with.
func (q *quasiNewton) judge(cost float64) error {
	if math.IsNaN(cost) || math.IsInf(cost, 0) {
		return q.diverged(cost)
	}
	if !f32.AllFinite(q.gradient) {
		return q.diverged(math.NaN())
	}
	return nil
}

// diverged returns the error of the evaluation at hand.
func (q *quasiNewton) diverged(cost float64) error {
	return &DivergedError{Step: q.search.Evaluations() + 1, Cost: cost}
}

func (q *quasiNewton) running() Epoch { return q.sums.tally.epoch(q.epoch) }

func (q *quasiNewton) evaluations() int64 { return q.search.Evaluations() }

func (q *quasiNewton) stopped() StopReason {
	switch q.search.Stopped() {
	case lbfgs.Converged:
		return Converged
	case lbfgs.LineSearchFailed:
		return LineSearchFailed
	case lbfgs.OutOfIterations:
		return OutOfEpochs
	}
	return NotStopped
}

func widenTo(dst []float64, x []float32) {
	for i, v := range x {
		dst[i] = float64(v)
	}
}

func narrowTo(dst []float32, x []float64) {
	for i, v := range x {
		dst[i] = float32(v)
	}
}

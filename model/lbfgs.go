package model

import (
	"errors"
	"math"

	"gonum.org/v1/gonum/optimize"

	"github.com/aefeat/aefeat/internal/f32"
)

const (
	// searchStore is how many steps the method remembers, as scipy's
	// L-BFGS-B does. Each takes two vectors of all parameters.
	searchStore = 10

	// searchVectors is the number of vectors of all parameters, in float64,
	// that the method keeps: point, gradient and direction, those of the last
	// iterate, the start of the line, and what it remembers.
	searchVectors = 6 + 2*searchStore

	// The search has converged when stallIterations in a row lowered the cost
	// by less than a share of stallTolerance together, or when no component of
	// the gradient is beyond flatGradient, or of costs below 1 beyond such a
	// share of the cost. Below either a cost that is made of float32 numbers
	// has little to say.
	stallIterations = 5
	stallTolerance  = 1e-6
	flatGradient    = 1e-6

	// A line search that has not ended after so many evaluations has failed,
	// as in scipy's. Most take one.
	mostTrials = 20
)

// fixedNoise is the epoch that keys the noise where the cost must be one
// function of the parameters: under L-BFGS and on held-out rows. Epochs of
// training are counted from 1.
const fixedNoise = 0

// search is the state of L-BFGS: D. Liu and J. Nocedal, "On the limited memory
// BFGS method for large scale optimization", Mathematical Programming 45,
// 1989, with the line search of J. Moré and D. Thuente, ACM Transactions on
// Mathematical Software 20, 1994.
//
// It asks for one evaluation at a time: place sets the parameters, and advance
// takes what they cost. Near the minimum, cost and gradient are float32 noise:
// a search that finds nothing lower, or a direction that does not descend,
// makes it start afresh from the last iterate without its memory, and a
// second failure in a row makes it stop.
type search struct {
	method optimize.LinesearchMethod
	steps  *directions
	point  optimize.Location // to be evaluated next

	accepted []float32 // the last iterate
	gradient []float32 // there
	cost     float64   // there

	recent      [stallIterations]float64 // costs of the last iterates
	iterations  int
	most        int   // iterations; 0: no bound
	evaluations int64 // passes that ended
	trials      int   // of them, on the present line
	failed      bool  // no iterate since the last start
	stop        StopReason
}

// directions are those of L-BFGS. A start without memory, along the steepest
// descent, tries a move as long as the last, or for the first of 1.
type directions struct {
	optimize.LBFGS
	length float64 // of the last move; 0: none yet
}

func (d *directions) InitDirection(at *optimize.Location, direction []float64) float64 {
	step := d.LBFGS.InitDirection(at, direction)
	if d.length > 0 {
		step *= d.length
	}
	return step
}

func newSearch(parameters, iterations int) *search {
	steps := &directions{LBFGS: optimize.LBFGS{Store: searchStore}}
	return &search{
		steps: steps,
		method: optimize.LinesearchMethod{
			NextDirectioner: steps,
			// The constants of scipy's search. Without a decrease to ask for,
			// rounding would do.
			Linesearcher: &optimize.MoreThuente{DecreaseFactor: 1e-3, CurvatureFactor: 0.9, StepTolerance: 0.1},
		},
		point:    optimize.Location{X: make([]float64, parameters), Gradient: make([]float64, parameters)},
		accepted: make([]float32, parameters),
		gradient: make([]float32, parameters),
		most:     iterations,
	}
}

// memory is the size of the state in bytes, once the first pass has ended.
func (s *search) memory() int64 { return int64(len(s.accepted)) * (2*4 + searchVectors*8) }

// place sets params to the point to be evaluated. Before the first evaluation
// that is where they are.
func (s *search) place(params []float32) {
	if s.evaluations == 0 {
		return
	}
	for i, v := range s.point.X {
		params[i] = float32(v)
	}
}

// advance takes in the cost at params and its gradient, and finds the next
// point or a reason to stop. It reports whether params are a new iterate.
func (s *search) advance(params, gradient []float32, cost float64) bool {
	s.evaluations++
	if s.evaluations == 1 {
		s.accept(params, gradient, cost)
		if s.flat() {
			s.stop = Converged
			return false
		}
		s.start()
		return false
	}
	s.trials++
	var err error
	var op optimize.Operation
	finite := !math.IsNaN(cost) && !math.IsInf(cost, 0) && f32.AllFinite(gradient)
	if finite {
		s.point.F = cost
		widenTo(s.point.Gradient, gradient)
		op, err = s.method.Iterate(&s.point)
	}
	found := op == optimize.MajorIteration
	if finite && !found && err == nil && s.trials < mostTrials {
		return false
	}

	// The line has come to its end, for better or worse.
	lower := finite && cost < s.cost
	if lower {
		s.steps.length = distance(params, s.accepted)
		s.accept(params, gradient, cost)
		s.iterations++
		s.judge()
	}
	switch {
	case s.stop != NotStopped:
	case !found || !lower:
		s.failed = s.failed && !lower
		s.restart()
	default:
		s.failed = false
		s.trials = 0
		if _, err := s.method.Iterate(&s.point); err != nil {
			s.restart()
		}
	}
	return lower
}

// accept makes params the last iterate.
func (s *search) accept(params, gradient []float32, cost float64) {
	copy(s.accepted, params)
	copy(s.gradient, gradient)
	s.cost = cost
}

// judge stops the search when it has converged or is at its last iteration.
func (s *search) judge() {
	oldest := &s.recent[s.iterations%stallIterations]
	stalled := s.iterations > stallIterations && *oldest-s.cost <= stallTolerance*math.Abs(s.cost)
	*oldest = s.cost
	switch {
	case stalled || s.flat():
		s.stop = Converged
	case s.iterations == s.most:
		s.stop = OutOfEpochs
	}
}

// flat reports whether the gradient at the last iterate is next to nothing.
func (s *search) flat() bool {
	low, high := f32.Range(s.gradient)
	return float64(max(-low, high)) <= flatGradient*min(1, s.cost)
}

// restart starts again from the last iterate, or stops when that has led
// nowhere since the last start.
func (s *search) restart() {
	if s.failed {
		s.stop = LineSearchFailed
		return
	}
	s.start()
}

// start begins with a line along the steepest descent from the last iterate.
func (s *search) start() {
	s.failed = true // until there is an iterate
	s.trials = 0
	s.point.F = s.cost
	widenTo(s.point.X, s.accepted)
	widenTo(s.point.Gradient, s.gradient)
	if _, err := s.method.Init(&s.point); err != nil {
		s.stop = LineSearchFailed
	}
}

// distance is the Euclidean distance of x and y.
func distance(x, y []float32) float64 {
	sum := 0.0
	for i, v := range x {
		d := float64(v) - float64(y[i])
		sum += float64(d * d)
	}
	return math.Sqrt(sum)
}

func widenTo(dst []float64, x []float32) {
	for i, v := range x {
		dst[i] = float64(v)
	}
}

// errStopped is the error of a pass after the last.
var errStopped = errors.New("model: the training has stopped")

// addTrial takes rows into the evaluation at the search's point.
func (t *Trainer) addTrial(r Rows, order []int32) error {
	if err := t.place(); err != nil {
		return err
	}
	return t.full.Add(r, order)
}

// place sets the parameters to the search's point.
func (t *Trainer) place() error {
	if t.search.stop != NotStopped {
		return errStopped
	}
	if !t.placed {
		t.search.place(t.m.Params.Flat)
		t.placed = true
	}
	return nil
}

// endTrial ends an evaluation. Unless it ended an iteration too, the epoch it
// returns is zero and the parameters go back to the last iterate.
func (t *Trainer) endTrial() (Epoch, error) {
	t.full.fold()
	e := t.Running()
	if e.Rows == 0 {
		if t.placed && t.search.evaluations > 0 {
			copy(t.m.Params.Flat, t.search.accepted)
		}
		t.placed = false
		return e, nil
	}
	first := t.search.evaluations == 0
	if sum := e.Cost.Total; first && (math.IsNaN(sum) || math.IsInf(sum, 0)) {
		return Epoch{}, t.diverged(sum)
	}
	t.full.Gradient(t.gradient.Flat)
	if first && !f32.AllFinite(t.gradient.Flat) {
		return Epoch{}, t.diverged(math.NaN())
	}
	t.m.RowsSeen += e.Rows
	iterate := t.search.advance(t.m.Params.Flat, t.gradient.Flat, e.Cost.Total)
	t.full.Reset(fixedNoise)
	t.placed = false
	if first || iterate {
		cost := e.Cost
		t.m.Cost = &cost
	}
	if !iterate {
		copy(t.m.Params.Flat, t.search.accepted)
		return Epoch{}, nil
	}
	t.m.History = append(t.m.History, e)
	t.epoch++
	return e, nil
}

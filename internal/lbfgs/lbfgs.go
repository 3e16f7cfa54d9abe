// Package lbfgs minimises a smooth function of many variables with the
// limited-memory method of Broyden, Fletcher, Goldfarb and Shanno.
//
// [New] starts a search. Its caller asks [Search.Point] where to evaluate the
// function, hands cost and gradient to [Search.Advance], and goes on until
// [Search.Stopped] gives a reason to end. The search never calls the function:
// an evaluation may be a pass over a stream of rows, or the work of other
// machines. Between two evaluations [Search.State] is all that is to be kept,
// and [Restore] goes on from it to the same bits.
//
// # The method
//
// There are n variables and up to k remembered pairs s_i, y_i (n): the step of
// an iteration and the change of the gradient that came with it. The direction
// of a line is -H g, where H is what the pairs tell of the inverse Hessian,
// applied by the two-loop recursion: D. Liu and J. Nocedal, "On the limited
// memory BFGS method for large scale optimization", Mathematical Programming
// 45, 1989; J. Nocedal and S. Wright, "Numerical Optimization", 2nd edition,
// 2006, algorithm 7.4. Along the line gonum searches with the method of J. Moré
// and D. Thuente, ACM Transactions on Mathematical Software 20, 1994, for a
// point that meets the strong Wolfe conditions.
//
// Costs may carry rounding, as sums of float32 products do, so that near the
// minimum a line may hold no lower point, or the direction no descent. The
// search then starts afresh from its last iterate, without its memory and along
// the steepest descent. When that finds nothing lower either, it ends.
//
// # Memory, time and concurrency
//
// A search holds [Vectors] slices of n float64; an iteration without its
// evaluations takes 4k+1 products of two such vectors and as many sums. Equal
// costs and gradients give equal points on one kind of processor. A Search is
// not safe for concurrent use.
package lbfgs

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/optimize"
)

const (
	// A line search that has not ended after so many evaluations has failed,
	// as in scipy's. Near the minimum, where rounding hides every decrease, it
	// might go on for hundreds. One that gets on takes one to three.
	mostTrials = 20

	// stallIterations in a row are judged together: a single one may gain
	// little and be followed by one that gains much.
	stallIterations = 5

	// longestStep is the bound of gonum's line search.
	longestStep = 1e20

	// A pair is remembered only when s.y is beyond this share of y.y. Below, it
	// tells of rounding, and H would not stay positive definite.
	leastCurvature = 0x1p-52
)

// Settings say how to search. All but Iterations must be set.
type Settings struct {
	Memory int // k, the pairs that are remembered

	// Decrease and Curvature are the constants of the strong Wolfe conditions,
	// 0 < Decrease < Curvature < 1. A line search fails when the interval that
	// it has narrowed down to is less than Width wide, as a share of its end.
	Decrease, Curvature, Width float64

	// The search has converged when five iterations in a row lowered the cost
	// by no more than a share of Tolerance together, or when no component of
	// the gradient is beyond Flat, or for a cost below 1 beyond Flat times the
	// cost.
	Tolerance, Flat float64

	Iterations int // the most; 0: any number
}

// Stop says why a search has ended.
type Stop uint8

// The reasons.
const (
	Running          Stop = iota // it has not
	Converged                    // the cost is as low as the tolerances ask for
	LineSearchFailed             // no lower cost was found, twice in a row
	OutOfIterations              // Settings.Iterations are over
)

// Trial is an evaluation on a line: the cost, and its slope along the line's
// direction.
type Trial struct{ Cost, Slope float64 }

// State is what a search goes on from. Whatever follows from it, such as the
// present direction and point, is not in it. Slices of vectors are oldest
// first.
type State struct {
	X        []float64 // the last iterate (n)
	Gradient []float64 // there (n)
	Cost     float64   // there

	Steps   [][]float64 // s (k at most, n)
	Changes [][]float64 // y (as many, n)

	Step   float64 // where the line began, in multiples of its direction
	Trials []Trial // on the line so far

	Length      float64   // of the last move; 0: none yet
	Recent      []float64 // costs of the last iterates but the start, at most 5
	Iterations  int
	Evaluations int64
	Fresh       bool // no lower cost since the last start without memory

	// Stop is why the search has ended, OutOfIterations left aside: a search
	// that was given more of them goes on as if it had had them from the start.
	Stop Stop
}

// Search is a minimisation under way.
type Search struct {
	settings Settings
	state    State
	line     optimize.MoreThuente

	point     []float64 // to be evaluated next (n)
	direction []float64 // of the line (n)
	inverses  []float64 // 1/(s.y) of each pair
	shares    []float64 // of the two-loop recursion, for each pair
}

// Vectors is how many slices of n float64 a search holds that remembers memory
// pairs.
func Vectors(memory int) int { return 4 + 2*memory }

// New returns a search that starts at x (n). The search keeps x.
func New(x []float64, s Settings) *Search {
	return &Search{
		settings:  s,
		state:     State{X: x, Gradient: make([]float64, len(x))},
		point:     slices.Clone(x),
		direction: make([]float64, len(x)),
	}
}

// Point returns where to evaluate next (n). It belongs to the search, and holds
// until the next Advance. Before the first, it is the start, and may still be
// changed.
func (s *Search) Point() []float64 { return s.point }

// X returns the last iterate (n), the best point so far. It belongs to the
// search, and holds until an Advance finds a better one.
func (s *Search) X() []float64 { return s.state.X }

// Cost returns the cost at X.
func (s *Search) Cost() float64 { return s.state.Cost }

// Iterations returns how many iterates were found after the start.
func (s *Search) Iterations() int { return s.state.Iterations }

// Evaluations returns how often Advance was called.
func (s *Search) Evaluations() int64 { return s.state.Evaluations }

// Stopped returns why the search has ended, or Running.
func (s *Search) Stopped() Stop {
	st, most := &s.state, s.settings.Iterations
	if most > 0 && st.Iterations >= most && st.Stop != Converged {
		return OutOfIterations
	}
	return st.Stop
}

// Advance takes in the cost at Point and the gradient (n) there, which it does
// not keep, and finds the next point or a reason to stop. It reports whether
// the point is a new iterate. A cost or gradient that is not finite counts as
// one that is too high; at the start it ends the search. Advance panics once
// the search has ended.
func (s *Search) Advance(cost float64, gradient []float64) bool {
	st := &s.state
	if s.Stopped() != Running {
		panic("lbfgs: Advance of a search that has ended")
	}
	st.Evaluations++
	slope := floats.Dot(gradient, s.direction)
	finite := isFinite(cost) && isFinite(slope) && allFinite(gradient)
	if st.Evaluations == 1 {
		s.start(cost, gradient, finite)
		return false
	}
	found, more := false, false
	if finite {
		found, more = s.try(Trial{cost, slope})
	}
	if more {
		return false
	}

	// The line has come to its end, for better or worse.
	lower := finite && cost < st.Cost
	if lower {
		st.Length = floats.Distance(s.point, st.X, 2)
		if found {
			s.remember(gradient)
		}
		s.accept(cost, gradient)
		st.Iterations++
		s.judge()
	}
	switch {
	case st.Stop != Running:
	case found && lower:
		st.Fresh = false
		if !s.begin(s.firstStep()) {
			s.restart()
		}
	default:
		st.Fresh = st.Fresh && !lower
		s.restart()
	}
	return lower
}

// start takes in the evaluation of the start.
func (s *Search) start(cost float64, gradient []float64, finite bool) {
	s.accept(cost, gradient)
	switch {
	case !finite:
		s.state.Stop = LineSearchFailed
	case s.flat():
		s.state.Stop = Converged
	default:
		s.restart()
	}
}

// accept makes the point the last iterate.
func (s *Search) accept(cost float64, gradient []float64) {
	copy(s.state.X, s.point)
	copy(s.state.Gradient, gradient)
	s.state.Cost = cost
}

// judge stops the search when it has converged.
func (s *Search) judge() {
	st := &s.state
	full := len(st.Recent) == stallIterations
	stalled := full && st.Recent[0]-st.Cost <= s.settings.Tolerance*math.Abs(st.Cost)
	if full {
		st.Recent = st.Recent[:copy(st.Recent, st.Recent[1:])]
	}
	st.Recent = append(st.Recent, st.Cost)
	if stalled || s.flat() {
		st.Stop = Converged
	}
}

// flat reports whether the gradient at the last iterate is next to nothing.
func (s *Search) flat() bool {
	return floats.Norm(s.state.Gradient, math.Inf(1)) <= s.settings.Flat*min(1, s.state.Cost)
}

// restart starts without memory from the last iterate, or stops when that has
// led nowhere since the last such start.
func (s *Search) restart() {
	st := &s.state
	if st.Fresh {
		st.Stop = LineSearchFailed
		return
	}
	st.Fresh = true
	st.Steps, st.Changes, s.inverses = st.Steps[:0], st.Changes[:0], s.inverses[:0]
	if !s.begin(s.firstStep()) {
		st.Stop = LineSearchFailed
	}
}

// firstStep is what a line tries first, as a multiple of its direction: all of
// it, since H knows the scale. Without memory it is a move as long as the last,
// or of 1.
func (s *Search) firstStep() float64 {
	if len(s.state.Steps) > 0 {
		return 1
	}
	length := s.state.Length
	if length == 0 {
		length = 1
	}
	return min(length/floats.Norm(s.state.Gradient, 2), longestStep)
}

// begin begins a line at the last iterate, and reports whether there is one.
func (s *Search) begin(step float64) bool {
	st := &s.state
	st.Step, st.Trials = step, st.Trials[:0]
	s.aim()
	slope := floats.Dot(st.Gradient, s.direction)
	if !(slope < 0 && isFinite(slope) && step > 0 && step <= longestStep) {
		return false
	}
	s.line = optimize.MoreThuente{
		DecreaseFactor:  s.settings.Decrease,
		CurvatureFactor: s.settings.Curvature,
		StepTolerance:   s.settings.Width,
		MaximumStep:     longestStep,
	}
	s.line.Init(st.Cost, slope, step)
	return s.place(step)
}

// try takes in a trial on the line. found says that its point will do, more
// that there is another to be evaluated; with neither the line has failed.
func (s *Search) try(t Trial) (found, more bool) {
	s.state.Trials = append(s.state.Trials, t)
	op, step, err := s.line.Iterate(t.Cost, t.Slope)
	switch {
	case err != nil:
		return false, false
	case op == optimize.MajorIteration:
		return true, false
	case len(s.state.Trials) == mostTrials:
		return false, false
	}
	return false, s.place(step)
}

// place sets the point to one of the line, and reports whether that is another
// than the last iterate.
func (s *Search) place(step float64) bool {
	floats.AddScaledTo(s.point, s.state.X, step, s.direction)
	return !floats.Equal(s.point, s.state.X)
}

// aim sets the direction to -H g, without memory -g.
func (s *Search) aim() {
	st, d := &s.state, s.direction
	copy(d, st.Gradient)
	s.shares = slices.Grow(s.shares[:0], len(st.Steps))[:len(st.Steps)]
	for i := len(st.Steps) - 1; i >= 0; i-- {
		s.shares[i] = s.inverses[i] * floats.Dot(st.Steps[i], d)
		floats.AddScaled(d, -s.shares[i], st.Changes[i])
	}
	if last := len(st.Steps) - 1; last >= 0 {
		// The scale of H along the newest step, s.y/y.y.
		y := st.Changes[last]
		floats.Scale(1/(s.inverses[last]*floats.Dot(y, y)), d)
	}
	for i, step := range st.Steps {
		floats.AddScaled(d, s.shares[i]-s.inverses[i]*floats.Dot(st.Changes[i], d), step)
	}
	floats.Scale(-1, d)
}

// remember adds the pair that leads from the last iterate to the point, whose
// gradient is given. Beyond Settings.Memory the oldest gives up its place.
func (s *Search) remember(gradient []float64) {
	st := &s.state
	var step, change []float64
	if len(st.Steps) == s.settings.Memory {
		step, change = st.Steps[0], st.Changes[0]
		st.Steps = slices.Delete(st.Steps, 0, 1)
		st.Changes = slices.Delete(st.Changes, 0, 1)
		s.inverses = slices.Delete(s.inverses, 0, 1)
	} else {
		step, change = spare(st.Steps, len(gradient)), spare(st.Changes, len(gradient))
	}
	floats.SubTo(step, s.point, st.X)
	floats.SubTo(change, gradient, st.Gradient)
	curvature := floats.Dot(step, change)
	if !(curvature > leastCurvature*floats.Dot(change, change)) {
		return
	}
	st.Steps, st.Changes = append(st.Steps, step), append(st.Changes, change)
	s.inverses = append(s.inverses, 1/curvature)
}

// spare returns a vector of n for the end of x: the one that a restart left
// there, or a new one.
func spare(x [][]float64, n int) []float64 {
	if len(x) < cap(x) {
		if v := x[:len(x)+1][len(x)]; len(v) == n {
			return v
		}
	}
	return make([]float64, n)
}

func isFinite(v float64) bool { return v-v == 0 }

func allFinite(x []float64) bool {
	for _, v := range x {
		if !isFinite(v) {
			return false
		}
	}
	return true
}

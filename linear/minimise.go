package linear

import (
	"context"
	"fmt"
	"slices"

	"gonum.org/v1/gonum/optimize"
)

// DefaultIterations is a cap for what is hard to reach. MNIST pixels need 700
// with a penalty of 1e-5; 60,000 codes of 1,000 units need 300 with one of
// 1e-2, and 1,600 with one of 1e-5.
const DefaultIterations = 2000

// trialIterations caps a trial: what a penalty gains after so many does not
// make it the better one.
const trialIterations = 1000

// The search ends when stallIterations in a row together lower the cost by
// less than a share of the tolerance.
const (
	// With this one the cost is within 5e-6 of its minimum: 10,000 codes of
	// MNIST, 1,000 units, penalties of 1e-2 and 1e-3.
	tolerance = 1e-6

	// With this one it is within 2e-3, after half as many iterations, and the
	// accuracy within 0.1 points: enough to tell penalties apart.
	trialTolerance = 1e-4

	stallIterations = 5
)

// minimise finds the minimum of o from start.
//
// gonum reports a search direction that does not descend, or a line search
// that cannot go on, as an error; with costs that carry float32 rounding
// either may come up near the minimum. The search then starts afresh from the
// best point, without its history, and ends when that gains nothing more.
func minimise(ctx context.Context, o *objective, start []float64, iterations int, tolerance float64) ([]float64, Stats, error) {
	problem := optimize.Problem{Func: o.value, Grad: o.slope, Status: func() (optimize.Status, error) {
		return optimize.NotTerminated, ctx.Err()
	}}
	before := o.evaluations
	w := slices.Clone(start)
	stats := Stats{Cost: o.value(w)}
	for {
		result, err := optimize.Minimize(problem, w, &optimize.Settings{
			// gonum counts the starting point as an iteration.
			MajorIterations: iterations - stats.Iterations + 1,
			// An iteration takes one evaluation, rarely two or three: this
			// ends a line search that runs into infinities.
			FuncEvaluations: 100 + 10*min(iterations, 1<<40),
			Converger:       &optimize.FunctionConverge{Relative: tolerance, Iterations: stallIterations},
		}, &optimize.LBFGS{
			// The default line search is a bisection, slow where the first
			// step is far off.
			Linesearcher: &lineSearch{},
		})
		if ctx.Err() != nil {
			return nil, stats, ctx.Err()
		}
		if result == nil {
			return nil, stats, fmt.Errorf("linear: minimising the cost: %w", err)
		}
		gained := result.F < stats.Cost*(1-tolerance)
		if result.F <= stats.Cost {
			w, stats.Cost = result.X, result.F
		}
		stats.Iterations += max(result.MajorIterations-1, 0)
		stats.Evaluations = o.evaluations - before
		if result.Status != optimize.Failure {
			stats.Converged = result.Status == optimize.FunctionConvergence || result.Status == optimize.GradientThreshold
			return w, stats, nil
		}
		if !gained || stats.Iterations >= iterations {
			stats.Converged = !gained
			return w, stats, nil
		}
	}
}

// lineSearch is a search after More and Thuente that gives up after mostTrials
// points. Near the minimum, where rounding hides every decrease, theirs may go
// on for hundreds.
type lineSearch struct {
	optimize.MoreThuente
	trials int
}

// mostTrials is scipy's bound too. A search that gets on takes one to three.
const mostTrials = 20

func (l *lineSearch) Init(f, g, step float64) optimize.Operation {
	// The textbook's decrease; by default any would do, rounding too.
	l.MoreThuente, l.trials = optimize.MoreThuente{DecreaseFactor: 1e-4}, 0
	return l.MoreThuente.Init(f, g, step)
}

func (l *lineSearch) Iterate(f, g float64) (optimize.Operation, float64, error) {
	if l.trials++; l.trials > mostTrials {
		return optimize.NoOperation, 0, optimize.ErrLinesearcherFailure
	}
	return l.MoreThuente.Iterate(f, g)
}

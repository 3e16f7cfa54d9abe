package linear

import (
	"fmt"

	"gonum.org/v1/gonum/optimize"
)

const (
	// DefaultIterations is twice what MNIST pixels need to converge with a
	// penalty of 1e-3, on 5,000 and on 60,000 rows.
	DefaultIterations = 200

	// The search ends when stallIterations in a row lower the cost by less
	// than a share of stallTolerance each. Ten times stricter takes half as
	// many iterations again and moves the accuracy by less than 0.1 points.
	stallTolerance  = 1e-4
	stallIterations = 3
)

// minimise finds the minimum of o from zero weights.
//
// gonum reports a search direction that does not descend, or a line search
// that cannot go on, as an error; with costs that carry float32 rounding
// either may come up near the minimum. The search then starts afresh from the
// best point, without its history, and ends when that gains nothing more.
func minimise(o *objective, iterations int) ([]float64, Stats, error) {
	problem := optimize.Problem{Func: o.value, Grad: o.slope}
	w := make([]float64, len(o.gradient))
	stats := Stats{Cost: o.value(w)}
	for {
		result, err := optimize.Minimize(problem, w, &optimize.Settings{
			// gonum counts the starting point as an iteration.
			MajorIterations: iterations - stats.Iterations + 1,
			// An iteration takes one evaluation, rarely two or three: this
			// ends a line search that runs into infinities.
			FuncEvaluations: 10 * iterations,
			Converger:       &optimize.FunctionConverge{Relative: stallTolerance, Iterations: stallIterations},
		}, &optimize.LBFGS{
			// The default line search is a bisection, slow where the first
			// step is far off. The decrease asked for is the textbook's; by
			// default any would do, rounding too.
			Linesearcher: &optimize.MoreThuente{DecreaseFactor: 1e-4},
		})
		if result == nil {
			return nil, stats, fmt.Errorf("linear: minimising the cost: %w", err)
		}
		gained := result.F < stats.Cost*(1-stallTolerance)
		if result.F <= stats.Cost {
			w, stats.Cost = result.X, result.F
		}
		stats.Iterations += max(result.MajorIterations-1, 0)
		stats.Evaluations = o.evaluations
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

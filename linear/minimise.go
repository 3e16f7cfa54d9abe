package linear

import (
	"fmt"

	"gonum.org/v1/gonum/optimize"
)

const (
	// DefaultPenalty was chosen on 10,000 held-out MNIST training rows, for
	// raw pixels and for 196 sparse codes of them, fitted on 5,000 and on
	// 50,000 rows. Per cent right with a penalty of
	//
	//	              1e-4   3e-4   1e-3   3e-3   1e-2
	//	pixels  5,000 85.5   86.1   86.7   87.5   88.3
	//	codes   5,000 91.3   91.5   91.5   90.9   89.5
	//	pixels 50,000 93.6   93.9   94.2   94.3   94.2
	//	codes  50,000 96.6   96.5   96.3   95.9   95.0
	//
	// so that it is near the best of each, but for pixels of few rows.
	DefaultPenalty = 1e-3

	// DefaultIterations is twice what MNIST pixels need to converge with the
	// default penalty, on 5,000 and on 60,000 rows.
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

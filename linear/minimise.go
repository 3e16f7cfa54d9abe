package linear

import (
	"context"
	"fmt"
	"slices"

	"github.com/aefeat/aefeat/internal/lbfgs"
)

// DefaultIterations is a cap for what is hard to reach. MNIST pixels need 700
// with a penalty of 1e-5; 60,000 codes of 1,000 units need 300 with one of
// 1e-2, and 1,600 with one of 1e-5.
const DefaultIterations = 2000

// trialIterations caps a trial: what a penalty gains later does not make it the
// better one.
const trialIterations = 1000

// The search ends when five iterations in a row together lower the cost by
// less than a share of the tolerance.
const (
	// With this one the cost is within 5e-6 of its minimum: 10,000 codes of
	// MNIST, 1,000 units, penalties of 1e-2 and 1e-3.
	tolerance = 1e-6

	// With this one it is within 2e-3, after half as many iterations, and the
	// accuracy within 0.1 points: enough to tell penalties apart.
	trialTolerance = 1e-4
)

// minimise finds the minimum of o from start, which it leaves unchanged. Costs
// carry float32 rounding: where that hides every lower one, the search is over.
func minimise(ctx context.Context, o *objective, start []float64, iterations int, tolerance float64) ([]float64, Stats, error) {
	search := lbfgs.New(slices.Clone(start), lbfgs.Settings{
		Memory: 15,
		// The textbook's decrease, and lines as exact as they can be.
		Decrease: 1e-4, Curvature: 0.9, Width: 1e-10,
		Tolerance: tolerance, Flat: 1e-12,
		Iterations: iterations,
	})
	before := o.evaluations
	for search.Stopped() == lbfgs.Running {
		if err := ctx.Err(); err != nil {
			return nil, Stats{}, err
		}
		o.evaluate(search.Point())
		if search.Evaluations() == 0 && o.cost-o.cost != 0 {
			return nil, Stats{}, fmt.Errorf("linear: the cost at the start is %v", o.cost)
		}
		search.Advance(o.cost, o.gradient)
	}
	return search.X(), Stats{
		Iterations:  search.Iterations(),
		Evaluations: o.evaluations - before,
		Cost:        search.Cost(),
		Converged:   search.Stopped() != lbfgs.OutOfIterations,
	}, nil
}

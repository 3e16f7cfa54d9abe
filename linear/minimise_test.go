package linear

import (
	"math/rand/v2"
	"testing"
)

// Near the minimum the cost carries rounding, which no line search can see
// through: it must not try for long, nor take that for a failure.
func TestLineSearchesEndEarly(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for i := range 60 {
		m, n, classes := 20+r.IntN(600), 1+r.IntN(40), 2+r.IntN(4)
		x, labels := problem(m, n, classes, uint64(i))
		for _, penalty := range []float64{1e-1, 1e-3} {
			c, err := Fit(t.Context(), x, n, labels, classes, Config{Penalty: penalty})
			if err != nil {
				t.Fatal(err)
			}
			if s := c.Stats(); !s.Converged || s.Evaluations > 4*s.Iterations+60 {
				t.Errorf("m %d, n %d, %d classes, penalty %g: %+v", m, n, classes, penalty, s)
			}
		}
	}
}

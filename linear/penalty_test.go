package linear

import (
	"context"
	"errors"
	"math/rand/v2"
	"testing"
)

// Rows with one telling feature among many of noise want a strong penalty;
// classes that a sharp line parts, and many rows, a weak one.
func TestChoosePenalty(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	make := func(m, n int, noise float64) ([]float32, []int) {
		x, labels := make([]float32, m*n), make([]int, m)
		for i := range m {
			for j := range n {
				x[i*n+j] = float32(r.NormFloat64())
			}
			if float64(x[i*n])+noise*r.NormFloat64() > 0 {
				labels[i] = 1
			}
		}
		return x, labels
	}

	x, labels := make(200, 100, 0.5)
	noisy, err := Fit(t.Context(), x, 100, labels, 2, Config{})
	if err != nil {
		t.Fatal(err)
	}
	x, labels = make(5000, 3, 0)
	sharp, err := Fit(t.Context(), x, 3, labels, 2, Config{})
	if err != nil {
		t.Fatal(err)
	}
	if noisy.Penalty() < 100*sharp.Penalty() {
		t.Errorf("penalties %g for few noisy rows and %g for many sharp ones", noisy.Penalty(), sharp.Penalty())
	}
	if fixed, err := Fit(t.Context(), x, 3, labels, 2, Config{Penalty: 0.5}); err != nil || fixed.Penalty() != 0.5 {
		t.Errorf("a penalty that was given became %v (%v)", fixed.Penalty(), err)
	}
	var trials []Trial
	c, err := Fit(t.Context(), x, 3, labels, 2, Config{Observe: func(t Trial) { trials = append(trials, t) }})
	if err != nil {
		t.Fatal(err)
	}
	for i, tried := range trials {
		if tried.Held != 1000 || tried.Accuracy <= 0.5 || tried.Stats.Evaluations == 0 {
			t.Errorf("trial %d: %+v", i, tried)
		}
		for _, other := range trials {
			if tried.Penalty == c.Penalty() && (other.Accuracy > tried.Accuracy || other.Accuracy == tried.Accuracy && other.Penalty > tried.Penalty) {
				t.Errorf("chose %+v over %+v", tried, other)
			}
		}
	}
	if few, err := Fit(t.Context(), x[:12], 3, labels[:4], 2, Config{}); err != nil || few.Penalty() != penaltyOfFew {
		t.Errorf("four rows: penalty %v (%v)", few.Penalty(), err)
	}
}

func TestFitEndsWithItsContext(t *testing.T) {
	x, labels := problem(500, 20, 3, 7)
	ctx, cancel := context.WithCancel(t.Context())
	trials := 0
	_, err := Fit(ctx, x, 20, labels, 3, Config{Observe: func(Trial) { trials++; cancel() }})
	if !errors.Is(err, context.Canceled) || trials != 1 {
		t.Errorf("error %v after %d trials", err, trials)
	}
}

// A penalty so strong that no row is right but by chance says nothing about
// weaker ones: here labels hang on small differences of columns that are nearly
// equal.
func TestChoosePenaltyBeyondAFlatStretch(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	const m, n = 1000, 8
	x, labels := make([]float32, m*n), make([]int, m)
	for i := range m {
		row := x[i*n : (i+1)*n]
		common := r.NormFloat64()
		for j := range row {
			row[j] = float32(common + 0.003*r.NormFloat64())
		}
		if row[0] > row[1] {
			labels[i] = 1
		}
	}
	c, err := Fit(t.Context(), x, n, labels, 2, Config{})
	if err != nil {
		t.Fatal(err)
	}
	if right, err := c.Accuracy(x, labels); err != nil || right < 0.9 {
		t.Errorf("penalty %g: %v right (%v)", c.Penalty(), right, err)
	}
}

// Few rows of many features that all tell a little want one beyond 0.1.
func TestChooseStrongPenalty(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 10))
	const m, n = 400, 400
	x, labels := make([]float32, m*n), make([]int, m)
	for i := range m {
		labels[i] = r.IntN(2)
		for j := range n {
			x[i*n+j] = float32(0.1*float64(2*labels[i]-1) + r.NormFloat64())
		}
	}
	c, err := Fit(t.Context(), x, n, labels, 2, Config{})
	if err != nil {
		t.Fatal(err)
	}
	if c.Penalty() <= 0.1 {
		t.Errorf("penalty %g", c.Penalty())
	}
}

package model

import (
	"bytes"
	"errors"
	"math"
	"runtime"
	"testing"

	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat"
)

// minimise trains m on x until the trainer stops, and returns it.
func minimise(t testing.TB, m *Model, x []float32, o TrainOptions) *Trainer {
	t.Helper()
	o.Optimizer = LBFGS
	trainer := newTrainer(t, m, o)
	for passes := 0; trainer.Stopped() == NotStopped; passes++ {
		if passes == 5000 {
			t.Fatal("no end")
		}
		if err := trainer.Add(Float32Rows(x, m.Inputs), nil); err != nil {
			t.Fatal(err)
		}
		if _, err := trainer.EndEpoch(); err != nil {
			t.Fatal(err)
		}
	}
	return trainer
}

// The best linear autoencoder projects on the principal components: what it
// costs is half the variance in the others (P. Baldi and K. Hornik, "Neural
// networks and principal component analysis", Neural Networks 2, 1989).
func TestMinimumOfLinearUnits(t *testing.T) {
	const n, h, rows = 12, 3, 500
	x := randomRows(31, rows, n)
	for i := range x {
		x[i] *= 1 + float32(i%n)/4
	}
	var cov mat.SymDense
	stat.CovarianceMatrix(&cov, mat.NewDense(rows, n, widen(x)), nil)
	var eigen mat.EigenSym
	if !eigen.Factorize(&cov, false) {
		t.Fatal("no eigenvalues")
	}
	want := 0.0
	for _, v := range eigen.Values(nil)[:n-h] {
		want += v / 2 * (rows - 1) / rows
	}
	c := Plain(h)
	c.Activation, c.Output = Linear, Linear
	m := newModel(t, c, n, h)
	trainer := minimise(t, m, x, TrainOptions{})
	if got := m.Cost.Total; trainer.Stopped() != Converged || math.Abs(got-want) > 1e-4*want {
		t.Errorf("stopped by %v at cost %v, the minimum is %v", trainer.Stopped(), got, want)
	}
}

// Rows of small values have small gradients, which do not mean that there is
// nothing to learn.
func TestLBFGSOnSmallValues(t *testing.T) {
	const n, h, rows = 784, 4, 200
	// Histograms of two kinds, more in the first half of the bins or in the
	// second.
	x := make([]float32, rows*n)
	for i := range x {
		x[i] = 0.5 / n
		if i/n%2 == i%n*2/n {
			x[i] = 1.5 / n
		}
	}
	c := Plain(h)
	c.Output = Linear
	m := newModel(t, c, n, h)
	trainer := minimise(t, m, x, TrainOptions{Epochs: 400})
	if nmse := evaluate(t, m, x).NMSE; nmse > 0.01 {
		t.Errorf("nmse %v, stopped by %v after %d iterations", nmse, trainer.Stopped(), len(m.History))
	}
}

// At as many passes over the rows L-BFGS must be well below full-batch Adam.
func TestLBFGSBeatsAdam(t *testing.T) {
	const n, h, rows = 30, 12, 600
	x := randomRows(32, rows, n)
	config := Sparse(h)
	m := newModel(t, config, n, h)
	passes := minimise(t, m, x, TrainOptions{Epochs: 60}).Evaluations()

	other := newModel(t, config, n, h)
	adam := newTrainer(t, other, TrainOptions{BatchSize: FullBatch, LearningRate: 0.02})
	for range passes {
		if err := adam.Add(Float32Rows(x, n), nil); err != nil {
			t.Fatal(err)
		}
		if _, err := adam.EndEpoch(); err != nil {
			t.Fatal(err)
		}
	}
	if got, than := m.Cost.Total, evaluate(t, other, x).Cost.Total; got > 0.99*than {
		t.Errorf("cost %v after %d passes, of Adam %v", got, passes, than)
	}
}

// The history has the iterations, each cheaper than the one before, and the
// model holds the last of them: never a point that was tried and rejected.
func TestLBFGSHistory(t *testing.T) {
	const n, h, rows = 20, 8, 5000
	x := randomRows(33, rows, n)
	for _, c := range configs {
		t.Run(c.name, func(t *testing.T) {
			m := newModel(t, c.c, n, h)
			trainer := minimise(t, m, x, TrainOptions{Epochs: 8})
			if len(m.History) > 8 || trainer.Stopped() == OutOfEpochs && len(m.History) != 8 {
				t.Errorf("%d iterations, stopped by %v", len(m.History), trainer.Stopped())
			}
			if m.RowsSeen != rows*trainer.Evaluations() || trainer.Evaluations() <= int64(len(m.History)) {
				t.Errorf("%d rows in %d evaluations, %d iterations", m.RowsSeen, trainer.Evaluations(), len(m.History))
			}
			for i, e := range m.History {
				if e.Epoch != i+1 || e.Rows != rows || i > 0 && e.Cost.Total >= m.History[i-1].Cost.Total {
					t.Errorf("iteration %d: %+v", i+1, e)
				}
			}
			a := accumulate(t, m, x)
			if got := a.Cost(); got != *m.Cost || got != m.History[len(m.History)-1].Cost {
				t.Errorf("the parameters cost %+v, said to be %+v", got, *m.Cost)
			}
			if err := trainer.Add(Float32Rows(x, n), nil); err == nil {
				t.Error("rows are taken after the end")
			}
		})
	}
}

func TestLBFGSIsRepeatable(t *testing.T) {
	const n, h, rows = 30, 12, 9000
	x := randomRows(34, rows, n)
	train := func(procs, piece int) []byte {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(procs))
		config := Denoising(h)
		config.Sparsity, config.SparsityWeight, config.Seed = 0.1, 1, 5
		m := newModel(t, config, n, h)
		trainer := newTrainer(t, m, TrainOptions{Optimizer: LBFGS, Epochs: 12})
		for trainer.Stopped() == NotStopped {
			for i := 0; i < rows; i += piece {
				r := Float32Rows(x[i*n:min(i+piece, rows)*n], n)
				for row := i; row < min(i+piece, rows); row++ {
					r.Number = append(r.Number, int64(row))
				}
				if err := trainer.Add(r, nil); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := trainer.EndEpoch(); err != nil {
				t.Fatal(err)
			}
		}
		return bytesOf(t, m)
	}
	want := train(2, rows)
	if !bytes.Equal(train(1, 1000), want) {
		t.Error("one processor and 1,000 rows at a time give another model")
	}
	if !bytes.Equal(train(3, 4096), want) {
		t.Error("three processors and 4,096 rows at a time give another model")
	}
}

func TestInitialWeightsWithoutACost(t *testing.T) {
	linear := Plain(3)
	linear.Activation, linear.Output = Linear, Linear
	for _, c := range []struct {
		name  string
		spoil func(m *Model, x []float32)
	}{
		{"cost", func(m *Model, x []float32) { m.Params.EncoderWeight[0] = float32(math.NaN()) }},
		// A fill value of NetCDF, whose square float64 can hold.
		{"gradient", func(m *Model, x []float32) { x[5] = 9.96921e36 }},
		{"part of the gradient", func(m *Model, x []float32) { x[5] = 1e20 }},
	} {
		m := newModel(t, linear, 4, 3)
		x := randomRows(1, 10, 4)
		c.spoil(m, x)
		trainer := newTrainer(t, m, TrainOptions{Optimizer: LBFGS})
		if err := trainer.Add(Float32Rows(x, 4), nil); err != nil {
			t.Fatal(err)
		}
		_, err := trainer.EndEpoch()
		var diverged *DivergedError
		if !errors.As(err, &diverged) || diverged.LearningRate != 0 {
			t.Errorf("%s: error %v", c.name, err)
		}
	}
}

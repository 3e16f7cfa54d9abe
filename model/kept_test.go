package model

import (
	"bytes"
	"math"
	"runtime"
	"testing"
)

// keptConfigs are of models whose codes are lists in a pass.
var keptConfigs = []struct {
	name string
	c    Config
}{
	{"tied", Config{Tied: true, WeightDecay: 0.01, Output: Linear}},
	{"untied", Config{WeightDecay: 0.01, Output: Linear}},
	{"tied denoising cross-entropy", Config{Tied: true, Corruption: 0.3, Loss: CrossEntropy}},
	{"untied emphasised", Config{Corruption: 0.3, Emphasis: 2, Output: Linear}},
}

const keptInputs, keptHidden, keptRows, keptK = 50, 70, 300, 5

// keptModel returns a model whose codes are lists, with a unit that no row
// keeps.
func keptModel(t *testing.T, c Config) *Model {
	c.Activation, c.K = Linear, keptK
	m := newModel(t, c, keptInputs, keptHidden)
	m.Params.EncoderBias[9] = -30
	return m
}

// Sums over a pass with lists are those of dense products, to rounding.
func TestListsAgainstDense(t *testing.T) {
	x := randomRows(61, keptRows, keptInputs)
	for _, c := range keptConfigs {
		t.Run(c.name, func(t *testing.T) {
			m := keptModel(t, c.c)
			run := func(lists bool) ([]float32, Cost, Evaluation) {
				a, e := NewAccumulator(m), NewEvaluator(m)
				if a.pass.kept == nil || e.pass.kept == nil {
					t.Fatal("the codes are not lists")
				}
				if !lists {
					a.pass.kept, e.pass.kept = nil, nil
				}
				for _, err := range []error{a.Add(Float32Rows(x, keptInputs), nil), e.Add(Float32Rows(x, keptInputs))} {
					if err != nil {
						t.Fatal(err)
					}
				}
				return gradientOf(a), a.Cost(), e.Result()
			}
			gradient, cost, evaluation := run(true)
			wantGradient, wantCost, want := run(false)
			checkCost(t, cost, wantCost, 1e-6)
			checkCost(t, evaluation.Cost, want.Cost, 1e-6)
			if evaluation.MeanActivation != want.MeanActivation || evaluation.DeadUnits != want.DeadUnits ||
				evaluation.DenseUnits != want.DenseUnits || want.DeadUnits == 0 {
				t.Errorf("the evaluation is %+v, of dense codes %+v", evaluation, want)
			}
			for i, v := range wantGradient {
				if math.Abs(float64(gradient[i]-v)) > 1e-6 {
					t.Fatalf("gradient %d is %v, of dense products %v", i, gradient[i], v)
				}
			}
		})
	}
}

// Steps of mini-batches with lists go where those with dense products go, also
// where units are woken and while k falls, and to the same bits on any number
// of processors.
func TestStepsWithLists(t *testing.T) {
	x := randomRows(62, 8*keptRows, keptInputs)
	for _, c := range keptConfigs {
		t.Run(c.name, func(t *testing.T) {
			woken, listed := 0, 0
			train := func(lists bool) *Model {
				m := keptModel(t, c.c)
				trainer := newTrainer(t, m, TrainOptions{BatchSize: 150, Epochs: 4, LearningRate: 1e-3})
				p := trainer.engine.(*miniBatch).pass
				if !lists {
					p.kept = nil
				}
				for range 2 {
					for i := 0; i < len(x); i += 150 * keptInputs {
						if err := trainer.Add(Float32Rows(x[i:i+150*keptInputs], keptInputs), nil); err != nil {
							t.Fatal(err)
						}
						woken += len(p.waker.woken)
						if p.lists() {
							listed++
						}
					}
					if _, err := trainer.EndEpoch(); err != nil {
						t.Fatal(err)
					}
				}
				return m
			}
			got := train(true)
			if woken == 0 || listed == 0 || listed == 2*16 {
				t.Fatalf("%d units are woken, and %d of 32 steps have lists", woken, listed)
			}
			want := train(false)
			for i, v := range want.Params.Flat {
				// Adam turns rounding of a gradient near 0 into a share of a
				// step.
				if math.Abs(float64(got.Params.Flat[i]-v)) > 1e-3 {
					t.Fatalf("parameter %d is %v, of dense products %v", i, got.Params.Flat[i], v)
				}
			}
			defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
			for _, n := range []int{1, 2, 5} {
				runtime.GOMAXPROCS(n)
				if !bytes.Equal(bytesOf(t, train(true)), bytesOf(t, got)) {
					t.Errorf("on %d processors the bits differ", n)
				}
			}
		})
	}
}

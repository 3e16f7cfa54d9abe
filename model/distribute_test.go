package model

import (
	"errors"
	"math"
	"slices"
	"testing"
)

// Rows that are added and sums that are taken in make one pass, in any order.
func TestAddSums(t *testing.T) {
	const n, h, rows = 10, 4, 2 * chunkRows
	x := randomRows(3, rows, n)
	first, second := numbered(x, n, 0, chunkRows), numbered(x, n, chunkRows, rows)
	for name, o := range map[string]TrainOptions{
		"full batch": {BatchSize: FullBatch, LearningRate: 0.01},
		"lbfgs":      {Optimizer: LBFGS, Epochs: 4},
	} {
		for mix := range 3 {
			m, want := sumsModel(t, n, h), sumsModel(t, n, h)
			mixed, plain := newTrainer(t, m, o), newTrainer(t, want, o)
			for range 6 {
				noise, err := mixed.Begin()
				if errors.Is(err, errStopped) {
					break
				}
				if again, err := mixed.Begin(); err != nil || again != noise {
					t.Fatalf("%s: the noise of epoch %d, then %d, error %v", name, noise, again, err)
				}
				// What Begin places is what Add would.
				if err := plain.Add(first, nil); err != nil {
					t.Fatal(err)
				}
				nearFloats(t, m.Params.Flat, want.Params.Flat)
				if err := plain.Add(second, nil); err != nil {
					t.Fatal(err)
				}
				for part, r := range []Rows{first, second} {
					if mix == part { // with mix 2 both are sums
						err = mixed.Add(r, nil)
					} else {
						a := NewAccumulator(m)
						a.Reset(noise)
						if err := a.Add(r, nil); err != nil {
							t.Fatal(err)
						}
						err = mixed.AddSums(a)
					}
					if err != nil {
						t.Fatal(err)
					}
				}
				got, err := mixed.EndEpoch()
				if err != nil {
					t.Fatal(err)
				}
				e, err := plain.EndEpoch()
				if err != nil {
					t.Fatal(err)
				}
				if got.Epoch != e.Epoch || got.Rows != e.Rows {
					t.Fatalf("%s, mix %d: %+v, want %+v", name, mix, got, e)
				}
				checkCost(t, got.Cost, e.Cost, 1e-12)
				nearFloats(t, m.Params.Flat, want.Params.Flat)
			}
			if len(m.History) == 0 || mixed.Stopped() != plain.Stopped() || mixed.Evaluations() != plain.Evaluations() {
				t.Errorf("%s: %d epochs, stopped by %v", name, len(m.History), mixed.Stopped())
			}
		}
	}
}

// nearFloats fails the test unless numbers agree to a rounding of float32.
func nearFloats(t *testing.T, got, want []float32) {
	t.Helper()
	for i, w := range want {
		if d := math.Abs(float64(got[i] - w)); !(d <= 0x1p-23*max(1, math.Abs(float64(w)))) {
			t.Fatalf("number %d is %v, want %v", i, got[i], w)
		}
	}
}

// Sums of other weights, settings or noise are refused, and the epoch goes on.
func TestAddForeignSums(t *testing.T) {
	const n, h = 10, 4
	r := numbered(randomRows(4, 100, n), n, 0, 100)
	m := sumsModel(t, n, h)
	trainer := newTrainer(t, m, TrainOptions{BatchSize: FullBatch})
	noise, err := trainer.Begin()
	if err != nil || noise != 1 {
		t.Fatalf("noise of epoch %d, error %v", noise, err)
	}
	gathered := func(m *Model, noise uint32) *Accumulator {
		a := NewAccumulator(m)
		a.Reset(noise)
		if err := a.Add(r, nil); err != nil {
			t.Fatal(err)
		}
		return a
	}
	moved := sumsModel(t, n, h)
	moved.Params.EncoderBias[0] += 1e-6
	other := *m
	other.WeightDecay = 1
	for name, a := range map[string]*Accumulator{
		"other noise":    gathered(m, noise+1),
		"other weights":  gathered(moved, noise),
		"other settings": gathered(&other, noise),
		"nothing":        nil,
		"a zero value":   {},
		"its own":        trainer.engine.(*fullBatch).sums,
	} {
		if err := trainer.AddSums(a); err == nil {
			t.Errorf("%s: taken in", name)
		}
		if rows := trainer.engine.(*fullBatch).sums.Rows(); rows != 0 {
			t.Errorf("%s: %d rows after an error", name, rows)
		}
	}
	if err := trainer.AddSums(gathered(m, noise)); err != nil {
		t.Error(err)
	}
	if e, err := trainer.EndEpoch(); err != nil || e.Rows != 100 {
		t.Errorf("%d rows, error %v", e.Rows, err)
	}
	if noise, err := trainer.Begin(); err != nil || noise != 2 {
		t.Errorf("noise of epoch %d, error %v", noise, err)
	}
}

// Mini-batches, and trainings that are over, take no sums.
func TestNoSumsTaken(t *testing.T) {
	const n, h = 10, 4
	m := sumsModel(t, n, h)
	batches := newTrainer(t, m, TrainOptions{})
	var config *ConfigError
	if _, err := batches.Begin(); !errors.As(err, &config) || config.Setting != "BatchSize" {
		t.Errorf("mini-batches: %v", err)
	}
	if err := batches.AddSums(NewAccumulator(m)); !errors.As(err, &config) {
		t.Errorf("mini-batches: %v", err)
	}

	huge := newModel(t, Config{Output: Linear}, n, h)
	huge.Params.DecoderBias[0] = math.MaxFloat32
	diverging := newTrainer(t, huge, TrainOptions{BatchSize: FullBatch})
	if err := diverging.Add(numbered(randomRows(4, 9, n), n, 0, 9), nil); err != nil {
		t.Fatal(err)
	}
	_, diverged := diverging.EndEpoch()
	if diverged == nil {
		t.Fatal("a training with an endless cost goes on")
	}
	if _, err := diverging.Begin(); err != diverged {
		t.Errorf("after %v: %v", diverged, err)
	}
	if err := diverging.AddSums(NewAccumulator(huge)); err != diverged {
		t.Errorf("after %v: %v", diverged, err)
	}
}

// An evaluation that gets no rows leaves the last iterate behind.
func TestEvaluationWithoutRows(t *testing.T) {
	const n, h = 10, 4
	r := numbered(randomRows(5, 500, n), n, 0, 500)
	m := sumsModel(t, n, h)
	trainer := newTrainer(t, m, TrainOptions{Optimizer: LBFGS})
	for range 3 {
		if err := trainer.Add(r, nil); err != nil {
			t.Fatal(err)
		}
		if _, err := trainer.EndEpoch(); err != nil {
			t.Fatal(err)
		}
	}
	before := slices.Clone(m.Params.Flat)
	if _, err := trainer.Begin(); err != nil {
		t.Fatal(err)
	}
	if slices.Equal(m.Params.Flat, before) {
		t.Fatal("no point to evaluate")
	}
	if e, err := trainer.EndEpoch(); err != nil || e.Rows != 0 {
		t.Fatalf("%+v, error %v", e, err)
	}
	if !slices.Equal(m.Params.Flat, before) {
		t.Error("the parameters are not those of the last iterate")
	}
	if err := trainer.Add(r, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := trainer.EndEpoch(); err != nil {
		t.Error(err)
	}
}

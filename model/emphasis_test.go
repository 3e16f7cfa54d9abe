package model

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"
	"testing"
)

// engines is one way to ask for each engine of training.
var engines = map[string]TrainOptions{
	"mini-batch": {BatchSize: 64},
	"full batch": {BatchSize: FullBatch, LearningRate: 0.01},
	"lbfgs":      {Optimizer: LBFGS},
}

// An emphasis of 1 is none: the same bytes.
func TestEmphasisOfOne(t *testing.T) {
	const n, h, rows = 20, 7, 300
	x := randomRows(51, rows, n)
	for name, o := range engines {
		for _, noise := range []Noise{Masking, SaltPepper, Gaussian} {
			var files [][]byte
			for _, alpha := range []Emphasis{0, 1} {
				m := newModel(t, Config{Corruption: 0.25, Noise: noise, Emphasis: alpha}, n, h)
				trainer := newTrainer(t, m, o)
				if trainer.engine.memory() != newTrainer(t, newModel(t, Config{Corruption: 0.25, Noise: noise}, n, h), o).engine.memory() {
					t.Errorf("%s: an emphasis of %v takes memory", name, alpha)
				}
				trainPasses(t, trainer, x, 3)
				files = append(files, bytesOf(t, m))
			}
			if !bytes.Equal(files[0], files[1]) {
				t.Errorf("%s, %v: another model with an emphasis of 1", name, noise)
			}
			if bytes.Contains(files[0], []byte("emphasis")) {
				t.Errorf("%s, %v: the file tells of an emphasis", name, noise)
			}
		}
	}
}

func trainPasses(t testing.TB, trainer *Trainer, x []float32, passes int) {
	t.Helper()
	for range passes {
		if err := trainer.Add(Float32Rows(x, trainer.m.Inputs), nil); err != nil {
			t.Fatal(err)
		}
		if _, err := trainer.EndEpoch(); err != nil {
			t.Fatal(err)
		}
	}
}

// With all parameters 0 the output is one half, or 0 where it is linear, and
// the loss is known. A component that is masked counts as corrupted also where
// it was 0 before.
func TestEmphasisedLoss(t *testing.T) {
	const n, rows = 8, 50
	zeros := make([]float32, rows*n)
	ones := slices.Repeat([]float32{1}, rows*n)
	for _, tt := range []struct {
		c    Config
		x    []float32
		want float64 // of a row; 2 of 8 components are corrupted
	}{
		{Config{Emphasis: 0}, zeros, 8. / 8},
		{Config{Emphasis: 3}, zeros, (3*2 + 6) / 8.},
		{Config{Emphasis: 0.5}, zeros, (0.5*2 + 6) / 8},
		{Config{Emphasis: full}, zeros, 2. / 8},
		{Config{Emphasis: full, Noise: SaltPepper}, ones, 2. / 8},
		{Config{Emphasis: 3, Loss: CrossEntropy}, zeros, (3*2 + 6) * math.Ln2},
		{Config{Emphasis: full, Loss: CrossEntropy, Tied: true}, ones, 2 * math.Ln2},
		{Config{Emphasis: 3, Output: Linear}, ones, (3*2 + 6) / 2.},
		{Config{Emphasis: full, Output: Linear}, zeros, 0},
	} {
		tt.c.Corruption = 0.25
		m := newModel(t, tt.c, n, 3)
		clear(m.Params.Flat)
		if got := accumulate(t, m, tt.x).Cost().Reconstruction; math.Abs(got-tt.want) > 1e-6*tt.want {
			t.Errorf("%+v: loss %v, want %v", tt.c, got, tt.want)
		}
	}
}

// What the noise says that it has chosen is what it has changed, on any number
// of goroutines.
func TestChosen(t *testing.T) {
	const n, rows = 150, 100
	x := slices.Repeat([]float32{0.5}, rows*n)
	number := make([]int64, rows)
	for i := range number {
		number[i] = int64(3 * i)
	}
	for _, procs := range []int{1, 5} {
		for _, noise := range []Noise{Masking, SaltPepper} {
			for _, share := range []float64{0, 0.001, 0.1, 0.5, 1} {
				func() {
					defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(procs))
					c := newCorrupter(Config{Inputs: n, Corruption: share, Noise: noise, Seed: 4}, Preprocess{})
					c.chosen = make([]int32, rows*c.count)
					y := make([]float32, len(x))
					c.rows(y, x, n, number, 2)
					var want []int32
					for i, v := range y {
						if v != x[i] {
							want = append(want, int32(i%n))
						}
					}
					if !slices.Equal(c.chosen, want) {
						t.Errorf("%v of %v, %d processors: %v are said to be chosen, want %v", share, noise, procs, c.chosen, want)
					}
				}()
			}
		}
	}
}

// Every engine lowers the cost that it is given: an alpha that is not small
// shows in which components come out better.
func TestEmphasisedTraining(t *testing.T) {
	const n, h, rows = 30, 12, 400
	x := randomRows(52, rows, n)
	for k := range rows { // what is destroyed can be told from the rest
		for j := n / 2; j < n; j++ {
			x[k*n+j] = 1 - x[k*n+j-n/2]
		}
	}
	for name, o := range engines {
		for _, alpha := range []Emphasis{0.1, 5, full} {
			t.Run(fmt.Sprint(name, alpha), func(t *testing.T) {
				m := newModel(t, Config{Corruption: 0.3, Emphasis: alpha}, n, h)
				before := accumulate(t, m, x).Cost().Total
				trainer := newTrainer(t, m, o)
				trainPasses(t, trainer, x, 30)
				after := accumulate(t, m, x).Cost().Total
				if !(after < 0.9*before) {
					t.Errorf("cost %v, was %v", after, before)
				}
				if name == "lbfgs" {
					checkCost(t, *m.Cost, accumulate(t, m, x).Cost(), 1e-12)
				}
				v := NewValidator(m)
				if err := v.Add(Float32Rows(x, n), nil); err != nil {
					t.Fatal(err)
				}
				checkCost(t, v.Cost(), accumulate(t, m, x).Cost(), 1e-7)
			})
		}
	}
}

// The sums of two parts make the step of the whole, and sums of another
// emphasis are refused.
func TestEmphasisedSums(t *testing.T) {
	const n, h, rows = 10, 4, 2 * chunkRows
	x := randomRows(53, rows, n)
	c := Config{Corruption: 0.3, Noise: SaltPepper, Emphasis: full}
	for name, o := range engines {
		if name == "mini-batch" {
			continue
		}
		m, whole := newModel(t, c, n, h), newModel(t, c, n, h)
		trainer, want := newTrainer(t, m, o), newTrainer(t, whole, o)
		for range 4 {
			noise, err := trainer.Begin()
			if err != nil {
				t.Fatal(err)
			}
			for _, part := range []Rows{numbered(x, n, 0, chunkRows), numbered(x, n, chunkRows, rows)} {
				a, b := NewAccumulator(m), NewAccumulator(m)
				a.Reset(noise)
				b.Reset(noise)
				if err := a.Add(part, nil); err != nil {
					t.Fatal(err)
				}
				data, err := a.MarshalBinary()
				if err != nil {
					t.Fatal(err)
				}
				if err := b.UnmarshalBinary(data); err != nil {
					t.Fatal(err)
				}
				if err := trainer.AddSums(b); err != nil {
					t.Fatal(err)
				}
				other := *m
				other.Emphasis = 2
				foreign := NewAccumulator(&other)
				foreign.Reset(noise)
				if err := foreign.UnmarshalBinary(data); !errors.Is(err, errForeignSums) {
					t.Errorf("%s: sums of full emphasis at alpha 2: error %v", name, err)
				}
			}
			if _, err := trainer.EndEpoch(); err != nil {
				t.Fatal(err)
			}
			trainPasses(t, want, x, 1)
			nearFloats(t, m.Params.Flat, whole.Params.Flat)
		}
	}
}

// The emphasis is in the file where there is one, for readers that know it.
func TestEmphasisInTheFile(t *testing.T) {
	for alpha, want := range map[Emphasis]string{2.5: `\"emphasis\":2.5,`, full: `\"emphasis\":\"inf\",`} {
		m := newModel(t, Config{Corruption: 0.3, Emphasis: alpha}, 6, 2)
		file := bytesOf(t, m)
		// The settings are JSON in a string of JSON.
		if !bytes.Contains(file, []byte(want)) {
			t.Errorf("%v: no %s in the file", alpha, want)
		}
		again, err := Read(bytes.NewReader(file))
		if err != nil {
			t.Fatal(err)
		}
		if again.Emphasis != alpha {
			t.Errorf("emphasis %v, read as %v", alpha, again.Emphasis)
		}
		if !bytes.Equal(bytesOf(t, again), file) {
			t.Errorf("%v: another file after reading", alpha)
		}
		// A reader that does not know the key meets the same model.
		plain := newModel(t, Config{Corruption: 0.3}, 6, 2)
		x := randomRows(54, 10, 6)
		if evaluate(t, again, x) != evaluate(t, plain, x) {
			t.Errorf("%v: clean rows cost something else", alpha)
		}
	}
	for _, text := range []string{`"-inf"`, `"2"`, `-1`, `[]`, `1e300`} {
		var c Config
		err := json.Unmarshal([]byte(`{"hidden":2,"corruption":0.1,"emphasis":`+text+`}`), &c)
		if err == nil {
			err = c.Validate()
		}
		if err == nil {
			t.Errorf("%s is an emphasis", text)
		}
	}
	if s := fmt.Sprint(full, Emphasis(0.25)); s != "inf 0.25" {
		t.Errorf("written %q", s)
	}
}

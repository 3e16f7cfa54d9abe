package model

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/aefeat/aefeat/internal/rng"
)

func newTrainer(t testing.TB, m *Model, o TrainOptions) *Trainer {
	t.Helper()
	trainer, err := NewTrainer(m, o)
	if err != nil {
		t.Fatal(err)
	}
	return trainer
}

// bytesOf returns the model file of m.
func bytesOf(t testing.TB, m *Model) []byte {
	t.Helper()
	var b bytes.Buffer
	n, err := m.WriteTo(&b)
	if err != nil {
		t.Fatal(err)
	}
	if n != int64(b.Len()) {
		t.Errorf("WriteTo says %d bytes, wrote %d", n, b.Len())
	}
	return b.Bytes()
}

var optionsTested = []TrainOptions{
	{BatchSize: 64},
	{BatchSize: 1500, Optimizer: SGD, Momentum: 0.9},
	{BatchSize: FullBatch},
	{BatchSize: FullBatch, Optimizer: SGD, LearningRate: 1, Momentum: NoMomentum},
	{Optimizer: LBFGS},
}

// Equal seeds and rows give equal bytes: twice, on one processor or two, and
// however the rows are split over calls of Add.
func TestEqualRunsGiveEqualBytes(t *testing.T) {
	const n, h, rows = 30, 12, 5000
	x := randomRows(1, rows, n)
	number := make([]int64, rows)
	order := make([]int32, rows)
	for i := range number {
		number[i], order[i] = int64(i)+100, int32(i)
	}
	s := rng.New(1, rng.Shuffle, 0, 0)
	s.Shuffle(rows, func(i, j int) { order[i], order[j] = order[j], order[i] })
	shuffled, shuffledNumber := make([]float32, 0, len(x)), make([]int64, 0, rows)
	for _, row := range order {
		shuffled = append(shuffled, x[int(row)*n:int(row+1)*n]...)
		shuffledNumber = append(shuffledNumber, number[row])
	}

	train := func(t *testing.T, c Config, o TrainOptions, piece int) []byte {
		m := newModel(t, c, n, h)
		trainer := newTrainer(t, m, o)
		for range 2 {
			var err error
			if piece == 0 { // through an index
				r := Float32Rows(x, n)
				r.Number = number
				err = trainer.Add(r, order)
			}
			for i := 0; i < rows && piece > 0 && err == nil; i += piece {
				j := min(i+piece, rows)
				r := Float32Rows(shuffled[i*n:j*n], n)
				r.Number = shuffledNumber[i:j]
				err = trainer.Add(r, nil)
			}
			if err != nil {
				t.Fatal(err)
			}
			if _, err := trainer.EndEpoch(); err != nil {
				t.Fatal(err)
			}
		}
		return bytesOf(t, m)
	}
	for _, c := range []int{4, 6, 9, 14} {
		for _, o := range optionsTested {
			name := fmt.Sprintf("%s/%v %d", configs[c].name, o.Optimizer, o.BatchSize)
			t.Run(name, func(t *testing.T) {
				config := configs[c].c
				config.Seed = 7
				want := train(t, config, o, rows)
				if !bytes.Equal(train(t, config, o, 0), want) {
					t.Error("rows picked through an index give another model")
				}
				if !bytes.Equal(train(t, config, o, 7), want) {
					t.Error("7 rows at a time give another model")
				}
				for _, procs := range []int{1, 3} {
					func() {
						defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(procs))
						if !bytes.Equal(train(t, config, o, 1000), want) {
							t.Errorf("%d processors give another model", procs)
						}
					}()
				}
				config.Seed = 8
				if bytes.Equal(train(t, config, o, rows), want) {
					t.Error("another seed gives the same model")
				}
			})
		}
	}
}

// One step of plain gradient descent at rate 1 moves the parameters by minus
// the gradient.
func TestFullBatchStep(t *testing.T) {
	const n, h, rows = 40, 15, 4500
	x := randomRows(2, rows, n)
	for _, c := range configs {
		if c.c.Corruption > 0 {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			m := newModel(t, c.c, n, h)
			before := widen(m.Params.Flat)
			want := newReference(m.Config, before, rowsOf(x, n), rowsOf(x, n))
			trainer := newTrainer(t, m, TrainOptions{Optimizer: SGD, LearningRate: 1, Momentum: NoMomentum, BatchSize: FullBatch})
			if err := trainer.Add(Float32Rows(x, n), nil); err != nil {
				t.Fatal(err)
			}
			e, err := trainer.EndEpoch()
			if err != nil {
				t.Fatal(err)
			}
			checkCost(t, e.Cost, want.cost, 1e-6)
			after := widen(m.Params.Flat)
			for _, tensor := range tensorsOf(m.Config) {
				size := int(tensor.elements())
				largest := 0.0
				for _, g := range want.gradient[:size] {
					largest = max(largest, math.Abs(g))
				}
				for i, g := range want.gradient[:size] {
					rounding := 1e-7 * max(math.Abs(before[i]), math.Abs(after[i]))
					if moved := before[i] - after[i]; math.Abs(moved-g) > 5e-6*largest+rounding {
						t.Fatalf("%s[%d] moved by %v, its gradient is %v", tensor.name, i, moved, g)
					}
				}
				before, after, want.gradient = before[size:], after[size:], want.gradient[size:]
			}
			if len(m.History) != 1 || m.History[0] != e || *m.Cost != e.Cost || m.RowsSeen != rows || e.Rows != rows || e.Epoch != 1 {
				t.Errorf("epoch %+v, history %+v, %d rows seen", e, m.History, m.RowsSeen)
			}
		})
	}
}

// Mini-batches see rhohat as a running mean over the last max(batch, 1024)
// rows, corrected for its start.
func TestRunningMean(t *testing.T) {
	for _, batch := range []int{100, 2000} {
		m := newModel(t, Config{Sparsity: 0.1, SparsityWeight: 1}, 5, 3)
		trainer := newTrainer(t, m, TrainOptions{BatchSize: batch, Optimizer: SGD, LearningRate: 1e-3, Momentum: NoMomentum})
		x := randomRows(3, 4*batch, 5)
		mean, weight := make([]float64, 3), 0.0
		for step := range 4 {
			part := rowsOf(x[step*batch*5:(step+1)*batch*5], 5)
			r := newReference(m.Config, widen(m.Params.Flat), part, part)
			share := float64(batch) / math.Max(float64(batch), 1024)
			weight = (1-share)*weight + share
			cost := 0.0
			for i, q := range r.rhohat {
				mean[i] = (1-share)*mean[i] + share*q
				q = mean[i] / weight
				cost += 0.1*math.Log(0.1/q) + 0.9*math.Log(0.9/(1-q))
			}
			before := trainer.engine.(*miniBatch).cost.Sparsity
			if err := trainer.Add(Float32Rows(x[step*batch*5:(step+1)*batch*5], 5), nil); err != nil {
				t.Fatal(err)
			}
			if got := (trainer.engine.(*miniBatch).cost.Sparsity - before) / float64(batch); math.Abs(got-cost) > 1e-6*cost {
				t.Errorf("batch %d, step %d: sparsity term %v, want %v", batch, step, got, cost)
			}
		}
	}
}

// Every optimizer lowers every cost.
func TestTrainingLowersTheCost(t *testing.T) {
	const n, h, rows = 16, 6, 2000
	x := make([]float32, 0, rows*n) // two numbers make a row
	s := rng.New(4, rng.Shuffle, 0, 0)
	for range rows {
		u, v := s.Float64(), s.Float64()
		for j := range n {
			x = append(x, float32(0.5+0.4*u*math.Sin(float64(j))+0.1*v*math.Cos(float64(3*j))))
		}
	}
	for _, c := range configs {
		for _, o := range []TrainOptions{
			{BatchSize: 50},
			{BatchSize: 50, Optimizer: SGD, LearningRate: 0.01, Momentum: 0.5},
			{BatchSize: FullBatch, LearningRate: 0.02},
			{BatchSize: FullBatch, Optimizer: SGD, LearningRate: 0.05, Momentum: NoMomentum},
		} {
			t.Run(fmt.Sprintf("%s/%v %d", c.name, o.Optimizer, o.BatchSize), func(t *testing.T) {
				m := newModel(t, c.c, n, h)
				before := evaluate(t, m, x)
				trainer := newTrainer(t, m, o)
				var last Epoch
				for range 5 {
					if err := trainer.Add(Float32Rows(x, n), nil); err != nil {
						t.Fatal(err)
					}
					e, err := trainer.EndEpoch()
					if err != nil {
						t.Fatal(err)
					}
					last = e
				}
				after := evaluate(t, m, x)
				if !(after.Cost.Total < before.Cost.Total) {
					t.Errorf("cost %v, before training %v", after.Cost, before.Cost)
				}
				if c.c.Corruption == 0 && math.Abs(last.Cost.Total-after.Cost.Total) > 0.2*before.Cost.Total {
					t.Errorf("the epoch says %v, the evaluation %v", last.Cost, after.Cost)
				}
			})
		}
	}
}

func evaluate(t testing.TB, m *Model, x []float32) Evaluation {
	t.Helper()
	e := NewEvaluator(m)
	if err := e.Add(Float32Rows(x, m.Inputs)); err != nil {
		t.Fatal(err)
	}
	return e.Result()
}

func TestAddAllocatesNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("under the race detector pools drop what they are given")
	}
	const n, h, batch = 50, 20, 128
	x := randomRows(5, 2*batch, n)
	order := make([]int32, 2*batch)
	for i := range order {
		order[i] = int32(len(order) - 1 - i)
	}
	for _, c := range configs {
		trainer := newTrainer(t, newModel(t, c.c, n, h), TrainOptions{BatchSize: batch})
		r := Float32Rows(x, n)
		add := func() {
			if err := trainer.Add(r, order); err != nil {
				t.Fatal(err)
			}
		}
		for range 10 {
			add()
		}
		// A garbage collection may empty the pools of the kernels; one in
		// many runs is let pass.
		if got := testing.AllocsPerRun(50, add); got > 0.5 {
			t.Errorf("%s: %v allocations in two batches", c.name, got)
		}
	}
}

func TestDiverged(t *testing.T) {
	const n, h = 20, 8
	x := randomRows(6, 20_000, n)
	for _, c := range []struct {
		name string
		c    Config
		o    TrainOptions
	}{
		{"linear", Config{Activation: Linear, Output: Linear}, TrainOptions{Optimizer: SGD, LearningRate: 10, Momentum: NoMomentum, BatchSize: 100}},
		{"linear full batch", Config{Activation: Linear, Output: Linear}, TrainOptions{Optimizer: SGD, LearningRate: 10, Momentum: NoMomentum, BatchSize: FullBatch}},
		{"tied with momentum", Config{Activation: Linear, Output: Linear, Tied: true}, TrainOptions{Optimizer: SGD, LearningRate: 0.5, Momentum: 0.9, BatchSize: 100}},
		{"sparse", Sparse(h), TrainOptions{LearningRate: 1e3, BatchSize: 100}},
		{"sparse, gradient descent", Sparse(h), TrainOptions{Optimizer: SGD, LearningRate: 1e4, Momentum: NoMomentum, BatchSize: 100}},
		{"contractive", Contractive(h), TrainOptions{Optimizer: SGD, LearningRate: 1e30, Momentum: NoMomentum, BatchSize: 100}},
		{"overflow", Plain(h), TrainOptions{LearningRate: 1e38, BatchSize: 100}},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := newModel(t, c.c, n, h)
			trainer := newTrainer(t, m, c.o)
			var err error
			for epoch := 0; epoch < 50 && err == nil; epoch++ {
				if err = trainer.Add(Float32Rows(x, n), nil); err == nil {
					_, err = trainer.EndEpoch()
				}
			}
			var diverged *DivergedError
			if !errors.As(err, &diverged) {
				t.Fatalf("error %v, want a DivergedError", err)
			}
			if diverged.Step < 1 || diverged.LearningRate != c.o.LearningRate {
				t.Errorf("%+v", diverged)
			}
			t.Log(err)
			if again := trainer.Add(Float32Rows(x, n), nil); again != err {
				t.Errorf("then Add returns %v", again)
			}
			if _, again := trainer.EndEpoch(); again != err {
				t.Errorf("then EndEpoch returns %v", again)
			}
		})
	}
}

// Adam keeps the square of the gradient. Where float32 does not hold it, no
// weight would ever move again.
func TestGradientBeyondFloat32(t *testing.T) {
	const n, h = 20, 8
	x := randomRows(36, 1000, n)
	for i := range x {
		x[i] *= 1e12
	}
	m := newModel(t, Config{Activation: Linear, Output: Linear}, n, h)
	trainer := newTrainer(t, m, TrainOptions{BatchSize: 100})
	err := trainer.Add(Float32Rows(x, n), nil)
	var diverged *DivergedError
	if !errors.As(err, &diverged) || diverged.Step != 1 || !strings.Contains(err.Error(), "scale the values of") {
		t.Errorf("error %v, want a DivergedError at step 1 that says to scale the values", err)
	}
}

// Rows that make the cost jump are no divergence: blank rows first, single
// rows as batches, outliers a hundred times as large as the rest, a model that
// reconstructs perfectly.
func TestHealthyRunsGoOn(t *testing.T) {
	const n, h = 20, 25
	x := randomRows(7, 6000, n)
	clear(x[:2000*n])
	for i := 3000 * n; i < 6000*n; i++ {
		x[i] = 2*x[i] - 1
		if i/n%97 == 0 {
			x[i] *= 100
		}
	}
	for _, o := range []TrainOptions{
		{BatchSize: 1, LearningRate: 1e-3},
		{BatchSize: 10, LearningRate: 1e-3},
		{BatchSize: FullBatch, LearningRate: 1e-3},
	} {
		for _, c := range []Config{
			{Activation: Linear, Output: Linear},
			{Activation: ReLU, Output: Linear, WeightDecay: 1e-3},
			{Output: Linear, Sparsity: 0.1, SparsityWeight: 1},
		} {
			c.Inputs, c.Hidden = n, h
			m, err := New(c)
			if err != nil {
				t.Fatal(err)
			}
			if c.Activation == Linear { // perfect on all rows
				clear(m.Params.Flat)
				for i := range n {
					m.Params.EncoderWeight[i*n+i], m.Params.DecoderWeight[i*h+i] = 1, 1
				}
			}
			trainer := newTrainer(t, m, o)
			for range 2 {
				if err := trainer.Add(Float32Rows(x, n), nil); err != nil {
					t.Fatalf("%+v %+v: %v", c, o, err)
				}
				if _, err := trainer.EndEpoch(); err != nil {
					t.Fatalf("%+v %+v: %v", c, o, err)
				}
			}
		}
	}
}

func TestEmptyEpoch(t *testing.T) {
	for _, batch := range []int{0, FullBatch} {
		m := newModel(t, Sparse(3), 4, 3)
		before := bytesOf(t, m)
		trainer := newTrainer(t, m, TrainOptions{BatchSize: batch})
		if err := trainer.Add(Float32Rows(nil, 4), nil); err != nil {
			t.Fatal(err)
		}
		e, err := trainer.EndEpoch()
		if err != nil || e.Rows != 0 {
			t.Errorf("epoch %+v, error %v", e, err)
		}
		if !bytes.Equal(bytesOf(t, m), before) {
			t.Error("an epoch without rows changed the model")
		}
	}
}

func TestTrainOptions(t *testing.T) {
	m := newModel(t, Sparse(3), 4, 3)
	for _, o := range []TrainOptions{
		{Optimizer: 9},
		{LearningRate: -1},
		{LearningRate: math.NaN()},
		{LearningRate: math.Inf(1)},
		{Optimizer: SGD, Momentum: 1},
		{Optimizer: SGD, Momentum: -0.1},
		{BatchSize: -2},
		{Epochs: -1},
		{Epochs: 100_001},
		{BatchSize: 1 << 30},
		{Optimizer: LBFGS, BatchSize: 256},
		{Optimizer: LBFGS, LearningRate: 0.1},
		{Validate: true, Patience: -1},
		{Patience: 3},
	} {
		var config *ConfigError
		if _, err := NewTrainer(m, o); !errors.As(err, &config) {
			t.Errorf("%+v: error %v", o, err)
		}
	}
	if o := newTrainer(t, m, TrainOptions{}).o; o.BatchSize != 256 || o.LearningRate != 4e-3 {
		t.Errorf("defaults %+v", o)
	}
	if o := newTrainer(t, learnedModel(t, PreprocessPatch), TrainOptions{}).o; o.LearningRate != 2e-3 {
		t.Errorf("defaults after patch %+v", o)
	}
	if o := newTrainer(t, m, TrainOptions{Optimizer: SGD}).o; o.LearningRate != 0.01 || o.Momentum != 0.9 {
		t.Errorf("defaults of SGD %+v", o)
	}
	if o := newTrainer(t, m, TrainOptions{Optimizer: LBFGS}).o; o.BatchSize != FullBatch || o.LearningRate != 0 {
		t.Errorf("defaults of L-BFGS %+v", o)
	}
}

// Adam and SGD against their formulas in float64, over some steps.
func TestOptimizers(t *testing.T) {
	s := rng.New(8, rng.Shuffle, 0, 0)
	for _, o := range []TrainOptions{
		{LearningRate: 0.01},
		{Optimizer: SGD, LearningRate: 0.1, Momentum: 0.9},
		{Optimizer: SGD, LearningRate: 0.1, Momentum: NoMomentum},
	} {
		p, g := make([]float32, 37), make([]float32, 37)
		want, first, second := make([]float64, 37), make([]float64, 37), make([]float64, 37)
		opt := newOptimizer(o, len(p))
		for step := 1; step <= 20; step++ {
			for i := range g {
				g[i] = float32(s.Norm())
				d := float64(g[i])
				if o.Optimizer == SGD {
					first[i] = max(0, o.Momentum)*first[i] + d
					want[i] -= o.LearningRate * first[i]
					continue
				}
				first[i] = 0.9*first[i] + 0.1*d
				second[i] = 0.999*second[i] + 0.001*d*d
				want[i] -= o.LearningRate * first[i] / (1 - math.Pow(0.9, float64(step))) /
					(math.Sqrt(second[i]/(1-math.Pow(0.999, float64(step)))) + 1e-8)
			}
			opt.step(p, g, float32(o.LearningRate))
		}
		for i, w := range want {
			if math.Abs(float64(p[i])-w) > 1e-5 {
				t.Errorf("%+v: parameter %d is %v, want %v", o, i, p[i], w)
			}
		}
	}
}

// The rate holds for half of the epochs, then falls in a line that would reach
// 0 with the step after the last.
func TestRateFalls(t *testing.T) {
	c := Plain(2)
	c.Inputs = 3
	m, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	trainer := newTrainer(t, m, TrainOptions{LearningRate: 0.5, BatchSize: 2, Epochs: 4})
	rows := Float32Rows(make([]float32, 7*3), 3)
	var got []float32
	for range 4 {
		for i := range 4 {
			got = append(got, trainer.engine.(*miniBatch).rate())
			if err := trainer.Add(rows, []int32{0, 1}[:min(2, 7-2*i)]); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := trainer.EndEpoch(); err != nil {
			t.Fatal(err)
		}
	}
	want := []float32{8, 8, 8, 8, 8, 8, 8, 8, 8, 7, 6, 5, 4, 3, 2, 1}
	for i := range want {
		if got[i] != want[i]/16 {
			t.Fatalf("rates %v, want %v sixteenths", got, want)
		}
	}
}

// What a trainer takes is known before it is made.
func TestMemoryIsForeseen(t *testing.T) {
	all := Sparse(7)
	all.Corruption, all.Contraction, all.Tied = 0.25, 0.1, true
	emphasised := Denoising(4)
	emphasised.Emphasis = 2
	lists, untied := KSparse(40), KSparse(100)
	lists.K, untied.Tied = 2, false
	untied.K = 10
	zeros := Sparse(leastSkipping)
	zeros.Inputs = leastSkipping
	for _, c := range []Config{zeros, Plain(3), Sparse(5), Denoising(4), Contractive(6), all, emphasised, KSparse(6), lists, untied} {
		for _, o := range []TrainOptions{{}, {Optimizer: SGD, BatchSize: 10, Momentum: NoMomentum}, {BatchSize: FullBatch}, {Optimizer: LBFGS}, {Validate: true}} {
			c.Inputs = cmp.Or(c.Inputs, 11)
			m, err := New(c)
			if err != nil {
				t.Fatal(err)
			}
			if got, want := o.Memory(c), newTrainer(t, m, o).memory(); got != want {
				t.Errorf("%s with %+v: foreseen %d bytes, taken %d", c.Objective, o, got, want)
			}
		}
	}
	for _, c := range []Config{Plain(3), Sparse(5), Denoising(4), Contractive(6), all, emphasised, KSparse(6), lists} {
		m := newModel(t, c, 11, c.Hidden)
		parameters := 4 * int64(len(m.Params.Flat))
		for kind, want := range map[string]int64{
			KindGradient:   parameters + NewAccumulator(m).memory(),
			KindCost:       parameters + NewValidator(m).pass.memory(),
			KindEvaluation: parameters + NewEvaluator(m).pass.memory(),
		} {
			if got := m.GatherMemory(kind); got != want {
				t.Errorf("%s of %s: foreseen %d bytes, taken %d", kind, c.Objective, got, want)
			}
		}
	}
	if huge := (TrainOptions{}).Memory(Config{Inputs: 1 << 40, Hidden: 1 << 40}); huge <= 0 {
		t.Errorf("a huge model takes %d bytes", huge)
	}
}

// Skipping zeros changes no bit of a model.
func TestTrainerSkipsZeros(t *testing.T) {
	const n, h, rows = 80, 70, 3 * 64
	r := rand.New(rand.NewPCG(5, 5))
	x := make([]float32, rows*n)
	for i := range x {
		if r.IntN(5) == 0 {
			x[i] = r.Float32()
		}
	}
	tied, dense := Denoising(h), slices.Clone(x)
	tied.Tied = true
	for i := range 64 * n { // one batch is not mostly 0
		dense[i] += 0.1
	}
	for _, c := range []Config{Sparse(h), Denoising(h), Contractive(h), tied} {
		for _, data := range [][]float32{x, dense} {
			var got [2][]float32
			for skip := range got {
				trainer := newTrainer(t, newModel(t, c, n, h), TrainOptions{BatchSize: 64})
				p := trainer.engine.(*miniBatch).pass
				if skip == 0 {
					p.zeros = nil
				}
				if err := trainer.Add(Float32Rows(data, n), nil); err != nil {
					t.Fatal(err)
				}
				if p.skips != (skip == 1) {
					t.Errorf("%s: the last batch skips zeros: %t", c.Objective, p.skips)
				}
				got[skip] = trainer.m.Params.Flat
			}
			if !slices.Equal(got[0], got[1]) {
				t.Errorf("%s: other parameters when zeros are skipped", c.Objective)
			}
		}
	}
}

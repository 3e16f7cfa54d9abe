package model

import (
	"bytes"
	"fmt"
	"math"
	"testing"

	"github.com/aefeat/aefeat/internal/f32"
	"github.com/aefeat/aefeat/internal/rng"
)

// randomRows returns m rows of n values spread over [0, 1].
func randomRows(seed uint64, m, n int) []float32 {
	s := rng.New(seed, rng.Shuffle, 0, 0)
	x := make([]float32, m*n)
	for i := range x {
		x[i] = float32(s.Float64())
	}
	return x
}

// full is full emphasis.
var full = Emphasis(math.Inf(1))

// configs is one of each thing that the cost can be made of.
var configs = []struct {
	name string
	c    Config
}{
	{"plain", Config{}},
	{"sparse", Config{Sparsity: 0.1, SparsityWeight: 3, WeightDecay: 3e-3}},
	{"sparse tied", Config{Sparsity: 0.05, SparsityWeight: 2, WeightDecay: 1e-3, Tied: true}},
	{"sparse tanh linear", Config{Activation: Tanh, Output: Linear, Sparsity: 0.1, SparsityWeight: 1}},
	{"sparse contractive denoising", Config{Sparsity: 0.1, SparsityWeight: 1, WeightDecay: 1e-3, Contraction: 0.1, Corruption: 0.25}},
	{"denoising tied cross-entropy", Config{Loss: CrossEntropy, Tied: true, Corruption: 0.5}},
	{"denoising sparse gaussian", Config{Sparsity: 0.1, SparsityWeight: 1, Corruption: 0.3, Noise: Gaussian}},
	{"salt and pepper cross-entropy", Config{Loss: CrossEntropy, Corruption: 0.2, Noise: SaltPepper}},
	{"contractive tanh", Config{Activation: Tanh, Output: Tanh, Contraction: 0.2, WeightDecay: 1e-3}},
	{"contractive tied cross-entropy", Config{Loss: CrossEntropy, Tied: true, Contraction: 0.1}},
	{"contractive relu", Config{Activation: ReLU, Output: Linear, Contraction: 0.1, WeightDecay: 1e-3}},
	{"contractive linear", Config{Activation: Linear, Output: Linear, Contraction: 0.1}},
	{"relu to relu", Config{Activation: ReLU, Output: ReLU}},
	{"k-sparse", Config{Activation: Linear, Output: Linear, K: 2, WeightDecay: 1e-3}},
	{"k-sparse tied denoising cross-entropy", Config{Activation: Linear, Loss: CrossEntropy, Tied: true, K: 3, Corruption: 0.25}},
	{"linear tied", Config{Activation: Linear, Output: Linear, Tied: true}},
	{"emphasised masking", Config{Corruption: 0.25, Emphasis: 2.5, WeightDecay: 1e-3}},
	{"emphasis below 1, salt and pepper", Config{Corruption: 0.3, Noise: SaltPepper, Emphasis: 0.2, Output: Linear}},
	{"full emphasis tied cross-entropy", Config{Loss: CrossEntropy, Tied: true, Corruption: 0.6, Noise: SaltPepper, Emphasis: full}},
	{"emphasised sparse contractive", Config{Sparsity: 0.1, SparsityWeight: 1, Contraction: 0.1, Corruption: 0.25, Emphasis: 4}},
	{"emphasised k-sparse", Config{Activation: Linear, Output: Linear, K: 2, Corruption: 0.6, Emphasis: full}},
	{"k-sparse lists", Config{Activation: Linear, Output: Linear, K: 1, WeightDecay: 1e-3, Corruption: 0.25}},
	{"k-sparse lists tied", Config{Activation: Linear, Loss: CrossEntropy, Tied: true, K: 1}},
	{"emphasised k-sparse lists", Config{Activation: Linear, Output: Linear, Tied: true, K: 1, Corruption: 0.3, Emphasis: 3}},
}

// newModel returns a model whose biases are random too.
func newModel(t testing.TB, c Config, inputs, hidden int) *Model {
	t.Helper()
	c.Inputs, c.Hidden = inputs, hidden
	m, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	s := rng.New(c.Seed, rng.Shuffle, 1, 0)
	for _, bias := range [][]float32{m.Params.EncoderBias, m.Params.DecoderBias} {
		for i := range bias {
			bias[i] = float32(s.Norm() / 5)
		}
	}
	return m
}

func widen(x []float32) []float64 {
	y := make([]float64, len(x))
	for i, v := range x {
		y[i] = float64(v)
	}
	return y
}

func rowsOf(x []float32, n int) [][]float64 {
	var rows [][]float64
	for ; len(x) > 0; x = x[n:] {
		rows = append(rows, widen(x[:n]))
	}
	return rows
}

// corrupted returns x with the noise that training gives its rows.
func corrupted(m *Model, x []float32, epoch uint32) []float32 {
	if m.Corruption == 0 {
		return x
	}
	y := make([]float32, len(x))
	number := make([]int64, len(x)/m.Inputs)
	for i := range number {
		number[i] = int64(i)
	}
	newCorrupter(m.Config, m.Preprocess).rows(y, x, m.Inputs, number, epoch)
	return y
}

func accumulate(t testing.TB, m *Model, x []float32) *Accumulator {
	t.Helper()
	a := NewAccumulator(m)
	if err := a.Add(Float32Rows(x, m.Inputs), nil); err != nil {
		t.Fatal(err)
	}
	return a
}

func gradientOf(a *Accumulator) []float32 {
	g := make([]float32, len(a.m.Params.Flat))
	a.Gradient(g)
	return g
}

// At sizes of real use, with more than one chunk of rows, the accumulator
// still agrees with float64.
func TestAccumulatorFolds(t *testing.T) {
	const n, h, rows = 100, 30, 5000
	x := randomRows(1, rows, n)
	for _, c := range configs {
		switch c.name {
		case "sparse", "sparse contractive denoising", "denoising tied cross-entropy", "sparse tanh linear", "contractive relu",
			"emphasised masking", "full emphasis tied cross-entropy", "emphasised sparse contractive":
		default:
			continue // the golden values and the finite differences have all; k-sparse codes would differ where two z are equal but for rounding
		}
		t.Run(c.name, func(t *testing.T) {
			m := newModel(t, c.c, n, h)
			noisy := corrupted(m, x, 0)
			want := newReference(m.Config, widen(m.Params.Flat), rowsOf(x, n), rowsOf(noisy, n))
			a := accumulate(t, m, x)
			cost := checkCost(t, a.Cost(), want.cost, 1e-6)
			gradient := checkGradient(t, m.Config, gradientOf(a), want.gradient, 5e-6)
			t.Logf("cost off by %.2g, gradient by %.2g", cost, gradient)
		})
	}
}

// The gradient is the slope of the cost: central differences of the float64
// cost, at random sizes, along every parameter.
func TestFiniteDifferences(t *testing.T) {
	s := rng.New(2, rng.Shuffle, 0, 0)
	for _, c := range configs {
		t.Run(c.name, func(t *testing.T) {
			n, h, rows := 1+int(s.Uint32n(9)), 1+int(s.Uint32n(9)), 1+int(s.Uint32n(40))
			m := newModel(t, c.c, n, h)
			x := randomRows(s.Uint64(), rows, n)
			clean, noisy := rowsOf(x, n), rowsOf(corrupted(m, x, 0), n)
			params := widen(m.Params.Flat)
			cost := func() float64 { return newReference(m.Config, params, clean, noisy).cost.Total }
			slopes := make([]float64, len(params))
			for i, p := range params {
				const step = 1e-5
				params[i] = p + step
				up := cost()
				params[i] = p - step
				slopes[i] = (up - cost()) / (2 * step)
				params[i] = p
			}
			checkGradient(t, m.Config, gradientOf(accumulate(t, m, x)), slopes, 1e-5)
		})
	}
}

// The mini-batch knows rhohat before it goes backward, the accumulator after.
func TestOnePassIsTwoPass(t *testing.T) {
	const n, h, rows = 60, 20, 1000
	x := randomRows(3, rows, n)
	for _, c := range configs {
		t.Run(c.name, func(t *testing.T) {
			m := newModel(t, c.c, n, h)
			batch := newTrainer(t, m, TrainOptions{BatchSize: rows}).engine.(*miniBatch)
			batch.pass.take(Float32Rows(x, n), nil, 0)
			batch.pass.corrupt(0)
			cost := batch.evaluate().with(m.weightDecay())
			a := accumulate(t, m, x)
			checkCost(t, a.Cost(), cost, 1e-7)
			checkGradient(t, m.Config, gradientOf(a), widen(batch.gradient.Flat), 2e-6)
		})
	}
}

func TestMerge(t *testing.T) {
	const n, h, rows = 20, 7, 9000
	x := randomRows(4, rows, n)
	for _, c := range configs {
		t.Run(c.name, func(t *testing.T) {
			m := newModel(t, c.c, n, h)
			whole := accumulate(t, m, x)
			merged := NewAccumulator(m)
			for i, cut := range []int{0, 1, 4097, 6000, rows} {
				if i == 0 {
					continue
				}
				first := []int{0, 1, 4097, 6000}[i-1]
				part := Float32Rows(x[first*n:cut*n], n)
				for k := first; k < cut; k++ {
					part.Number = append(part.Number, int64(k))
				}
				shard := NewAccumulator(m)
				if err := shard.Add(part, nil); err != nil {
					t.Fatal(err)
				}
				if err := merged.Merge(shard); err != nil {
					t.Fatal(err)
				}
			}
			if merged.Rows() != rows {
				t.Errorf("merged %d rows, want %d", merged.Rows(), rows)
			}
			checkCost(t, merged.Cost(), whole.Cost(), 1e-7)
			checkGradient(t, m.Config, gradientOf(merged), widen(gradientOf(whole)), 2e-6)
		})
	}
}

func TestMarshalAccumulator(t *testing.T) {
	c := Config{Sparsity: 0.1, SparsityWeight: 1, Contraction: 0.1, Corruption: 0.25}
	m := newModel(t, c, 20, 7)
	a := accumulate(t, m, randomRows(5, 5000, 20))
	data, err := a.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	b := NewAccumulator(m)
	// These sums are replaced below.
	if err := b.Add(Float32Rows(randomRows(6, 3, 20), 20), nil); err != nil {
		t.Fatal(err)
	}
	if err := b.UnmarshalBinary(data); err != nil {
		t.Fatal(err)
	}
	again, err := b.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(data, again) || a.Cost() != b.Cost() || b.Rows() != 5000 {
		t.Error("what was unmarshalled is not what was marshalled")
	}
	equalFloats(t, gradientOf(b), gradientOf(a))

	moved := newModel(t, c, 20, 7)
	moved.Params.DecoderBias[3] += 1e-6
	other := c
	other.Sparsity = 0.2
	later := NewAccumulator(m)
	later.Reset(1)
	for name, b := range map[string]*Accumulator{
		"other weights":  NewAccumulator(moved),
		"other settings": NewAccumulator(newModel(t, other, 20, 7)),
		"other noise":    later,
	} {
		if err := b.UnmarshalBinary(data); err == nil {
			t.Errorf("%s: sums unmarshalled", name)
		}
		if err := b.Merge(a); err == nil {
			t.Errorf("%s: sums merged", name)
		}
		if b.Rows() != 0 {
			t.Errorf("%s: %d rows after an error", name, b.Rows())
		}
	}
	for _, length := range []int{0, 3, 8, 39, 40, len(data) - 1} {
		if err := b.UnmarshalBinary(data[:length]); err == nil {
			t.Errorf("%d of %d bytes unmarshalled", length, len(data))
		}
	}
	if err := b.UnmarshalBinary(append(data, 0)); err == nil {
		t.Error("a byte too many unmarshalled")
	}
}

func equalFloats(t *testing.T, got, want []float32) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d numbers, want %d", len(got), len(want))
	}
	for i, w := range want {
		if got[i] != w {
			t.Fatalf("number %d is %v, want %v", i, got[i], w)
		}
	}
}

// An accumulator that is reset is as good as new.
func TestResetAccumulator(t *testing.T) {
	m := newModel(t, configs[4].c, 10, 5)
	a := accumulate(t, m, randomRows(7, 100, 10))
	x := randomRows(8, 5000, 10)
	a.Reset(0)
	if err := a.Add(Float32Rows(x, 10), nil); err != nil {
		t.Fatal(err)
	}
	equalFloats(t, gradientOf(a), gradientOf(accumulate(t, m, x)))
	a.Reset(0)
	if c := a.Cost(); a.Rows() != 0 || c.Total != c.WeightDecay {
		t.Errorf("empty accumulator: %d rows, cost %+v", a.Rows(), c)
	}
}

// Units driven far into saturation, and targets of 0 and 1, give numbers.
func TestSaturated(t *testing.T) {
	x := randomRows(9, 300, 12)
	for i, v := range x {
		x[i] = float32(math.Round(float64(v)))
	}
	for _, c := range configs {
		for _, scale := range []float32{1e3, 1e6} {
			t.Run(fmt.Sprint(c.name, scale), func(t *testing.T) {
				m := newModel(t, c.c, 12, 9)
				f32.Scale(scale, m.Params.Flat)
				a := accumulate(t, m, x)
				cost := a.Cost()
				if math.IsNaN(cost.Total) || math.IsInf(cost.Total, 0) {
					t.Errorf("cost %+v", cost)
				}
				if !f32.AllFinite(gradientOf(a)) {
					t.Error("gradient is not finite")
				}
			})
		}
	}
}

// A million rows of one value each sum to a million: no float32 sum over
// rows is that long.
func TestManyRows(t *testing.T) {
	const rows = 1_000_000
	m := newModel(t, Config{Output: Linear, Sparsity: 0.1, SparsityWeight: 1, WeightDecay: 1e-3}, 4, 2)
	row := []float32{0.1, 0.7, 0.3, 0.9}
	want := newReference(m.Config, widen(m.Params.Flat), rowsOf(row, 4), rowsOf(row, 4))
	x := make([]float32, 0, 4*10_000)
	for len(x) < cap(x) {
		x = append(x, row...)
	}
	a, e := NewAccumulator(m), NewEvaluator(m)
	for range rows / 10_000 {
		if err := a.Add(Float32Rows(x, 4), nil); err != nil {
			t.Fatal(err)
		}
		if err := e.Add(Float32Rows(x, 4)); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("accumulator off by %.2g", checkCost(t, a.Cost(), want.cost, 3e-7))
	t.Logf("evaluator off by %.2g", checkCost(t, e.Result().Cost, want.cost, 3e-7))
	t.Logf("gradient off by %.2g", checkGradient(t, m.Config, gradientOf(a), want.gradient, 1e-5))
}

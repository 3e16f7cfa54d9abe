package model

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"runtime"
	"slices"
	"testing"

	"github.com/aefeat/aefeat/internal/rng"
)

var learning = []string{PreprocessPatch, PreprocessStandardize, PreprocessZCA}

// learn settles a rule for the rows of r, of a type that needs no look at
// them, and learns it from them.
func learn(t testing.TB, method, source string, r Rows, change ...func(*Preprocess)) Preprocess {
	t.Helper()
	p, err := NewPreprocess(method, source, 0, Rows{})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range change {
		f(&p)
	}
	s := NewStatistics(p, r.Width)
	if err := s.Add(r); err != nil {
		t.Fatal(err)
	}
	if p, err = s.Learn(t.Context()); err != nil {
		t.Fatal(err)
	}
	return p
}

// preprocessed returns the rows of r by rule p.
func preprocessed(p Preprocess, r Rows) []float32 {
	x := make([]float32, r.Len()*r.Width)
	p.convert(x, p.scratch(r.Len(), r.Width), r, nil, 0)
	return x
}

// sameBits fails the test unless two rules have learned the same.
func sameBits(t *testing.T, got, want Preprocess) {
	t.Helper()
	if got.Learned.Deviation != want.Learned.Deviation || got.Learned.Rows != want.Learned.Rows {
		t.Errorf("learned %+v, want %+v", got.Learned, want.Learned)
	}
	for i, tensor := range want.tensors(len(want.Learned.Mean)) {
		equalFloats(t, *got.tensors(len(got.Learned.Mean))[i].data, *tensor.data)
	}
}

// testdata/preprocess.json holds what numpy and scikit-learn make of rows.
func TestPreprocessingAgainstNumpy(t *testing.T) {
	data, err := os.ReadFile("../testdata/preprocess.json")
	if err != nil {
		t.Fatal(err)
	}
	var golden struct {
		Pixels                  []uint8Number
		Inputs                  int
		Deviation               float64
		Patch, Standardize, ZCA []float64
		WithoutContrast         []float64 `json:"zca_no_contrast"`
		Varied                  []float64 `json:"sklearn_varied"`
	}
	if err := json.Unmarshal(data, &golden); err != nil {
		t.Fatal(err)
	}
	n := golden.Inputs
	var pixels, varied []uint8
	for i, v := range golden.Pixels {
		pixels = append(pixels, uint8(v))
		if i%n != 4 {
			varied = append(varied, uint8(v))
		}
	}
	rows := Uint8Rows(pixels, n)
	without := func(epsilon float64) func(*Preprocess) {
		return func(p *Preprocess) { p.Contrast, p.Epsilon = 0, epsilon }
	}
	for _, c := range []struct {
		name string
		p    Preprocess
		rows Rows
		want []float64
	}{
		{"patch", learn(t, PreprocessPatch, "uint8", rows), rows, golden.Patch},
		{"standardize", learn(t, PreprocessStandardize, "uint8", rows), rows, golden.Standardize},
		{"zca", learn(t, PreprocessZCA, "uint8", rows), rows, golden.ZCA},
		{"zca without contrast", learn(t, PreprocessZCA, "uint8", rows, without(0.01)), rows, golden.WithoutContrast},
		{"zca of full rank", learn(t, PreprocessZCA, "uint8", Uint8Rows(varied, n-1), without(1e-12)), Uint8Rows(varied, n-1), golden.Varied},
	} {
		for i, got := range preprocessed(c.p, c.rows) {
			if math.Abs(float64(got)-c.want[i]) > 5e-6*max(1, math.Abs(c.want[i])) {
				t.Errorf("%s: value %d of row %d is %v, want %v", c.name, i%c.rows.Width, i/c.rows.Width, got, c.want[i])
			}
		}
	}
	if got := learn(t, PreprocessPatch, "uint8", rows).Learned.Deviation; math.Abs(got-golden.Deviation) > 1e-7 {
		t.Errorf("deviation %v, want %v", got, golden.Deviation)
	}
}

// uint8Number keeps encoding/json from taking a list of bytes for base64.
type uint8Number uint8

// exact are the statistics of rows in float64, by their definitions.
func exact(x [][]float64) (mean, variance []float64, covariance [][]float64) {
	n, m := len(x[0]), float64(len(x))
	mean, variance = make([]float64, n), make([]float64, n)
	for _, row := range x {
		for j, v := range row {
			mean[j] += v / m
		}
	}
	for i := range n {
		covariance = append(covariance, make([]float64, n))
		for j := range n {
			for _, row := range x {
				covariance[i][j] += (row[i] - mean[i]) * (row[j] - mean[j]) / (m - 1)
			}
		}
		variance[i] = covariance[i][i] * (m - 1) / m
	}
	return mean, variance, covariance
}

// Several chunks of rows of which one input is far from 0.
func TestStatistics(t *testing.T) {
	const n, rows = 7, 2*chunkRows + 1500
	x := randomRows(5, rows, n)
	for i := range rows {
		x[i*n+1] += 1000 + float32(i)/rows // which also drifts
		x[i*n+2] += x[i*n]                 // and two go together
	}
	r := Float32Rows(x, n)
	mean, variance, covariance := exact(rowsOf(x, n))

	p := learn(t, PreprocessStandardize, "float32", r)
	for j := range n {
		if got, want := float64(p.Learned.Mean[j]), mean[j]; math.Abs(got-want) > 1e-7*math.Abs(want) {
			t.Errorf("mean of %d is %v, want %v", j, got, want)
		}
		if got, want := float64(p.Learned.Scale[j]), 1/math.Sqrt(variance[j]+p.Epsilon); math.Abs(got-want) > 1e-6*want {
			t.Errorf("scale of %d is %v, want %v", j, got, want)
		}
	}

	// W is (C + epsilon)^-1/2 if it is symmetric and W (C + epsilon) W = 1.
	p = learn(t, PreprocessZCA, "float32", r, func(p *Preprocess) { p.Contrast, p.Epsilon = 0, 0.02 })
	if p.Learned.Rows != rows {
		t.Errorf("%d rows, want %d", p.Learned.Rows, rows)
	}
	w := p.Learned.Whiten
	for i := range n {
		for j := range n {
			if w[i*n+j] != w[j*n+i] {
				t.Fatal("whitening is not symmetric")
			}
			sum := 0.0
			for k := range n {
				for l := range n {
					c := covariance[k][l]
					if k == l {
						c += p.Epsilon
					}
					sum += float64(w[i*n+k]) * c * float64(w[l*n+j])
				}
			}
			want := 0.0
			if i == j {
				want = 1
			}
			if math.Abs(sum-want) > 3e-6 {
				t.Errorf("whitening leaves the covariance %v at (%d,%d)", sum, i, j)
			}
		}
	}
}

// Bits do not depend on how rows come or on the number of processors.
func TestStatisticsAreRepeatable(t *testing.T) {
	const n, rows = 33, chunkRows + 700
	r := Float32Rows(randomRows(6, rows, n), n)
	for _, method := range learning {
		p, err := NewPreprocess(method, "float32", 0, Rows{})
		if err != nil {
			t.Fatal(err)
		}
		want := learn(t, method, "float32", r)
		for _, c := range []struct{ size, procs int }{{1, 1}, {999, 3}, {chunkRows, 2}, {rows, 1}} {
			was := runtime.GOMAXPROCS(c.procs)
			s := NewStatistics(p, n)
			for i := 0; i < rows; i += c.size {
				part := Float32Rows(elements[float32](r.Data)[i*n:min(i+c.size, rows)*n], n)
				if err := s.Add(part); err != nil {
					t.Fatal(err)
				}
			}
			got, err := s.Learn(t.Context())
			runtime.GOMAXPROCS(was)
			if err != nil {
				t.Fatal(err)
			}
			sameBits(t, got, want)
		}
	}
}

// Statistics that are kept as bytes between any two calls go on to the same
// bits: what they learn, and the drift of rows after that.
func TestStatisticsState(t *testing.T) {
	const n, rows = 9, chunkRows + 900
	x := randomRows(12, rows, n)
	for _, method := range learning {
		p, err := NewPreprocess(method, "float32", 0, Rows{})
		if err != nil {
			t.Fatal(err)
		}
		whole, parts := NewStatistics(p, n), NewStatistics(p, n)
		var want, got Preprocess
		for i := 0; i < rows; i += 250 {
			r := Float32Rows(x[i*n:min(i+250, rows)*n], n)
			for _, s := range []*Statistics{whole, parts} {
				if err := s.Add(r); err != nil {
					t.Fatal(err)
				}
			}
			parts = restoredStatistics(t, parts)
			if i == 2500 {
				if want, err = whole.Learn(t.Context()); err != nil {
					t.Fatal(err)
				}
				if got, err = parts.Learn(t.Context()); err != nil {
					t.Fatal(err)
				}
				parts = restoredStatistics(t, parts)
			}
		}
		sameBits(t, got, want)
		if parts.Drift() != whole.Drift() || whole.Drift() == 0 || parts.Rows() != rows {
			t.Errorf("%s: drift %v over %d rows, want %v over %d", method, parts.Drift(), parts.Rows(), whole.Drift(), rows)
		}
	}
}

// restoredStatistics returns what comes of s through bytes, which must leave s
// as it was.
func restoredStatistics(t *testing.T, s *Statistics) *Statistics {
	t.Helper()
	data, err := s.MarshalState()
	if err != nil {
		t.Fatal(err)
	}
	if again, err := s.MarshalState(); err != nil || !bytes.Equal(again, data) {
		t.Fatal("the state is another after it was asked for")
	}
	restored, err := RestoreStatistics(s.p, s.n, data)
	if err != nil {
		t.Fatal(err)
	}
	return restored
}

func TestDamagedStatisticsState(t *testing.T) {
	const n = 5
	for _, method := range learning {
		for _, learned := range []bool{false, true} {
			p, err := NewPreprocess(method, "float32", 0, Rows{})
			if err != nil {
				t.Fatal(err)
			}
			s := NewStatistics(p, n)
			if err := s.Add(Float32Rows(randomRows(3, 8, n), n)); err != nil {
				t.Fatal(err)
			}
			if learned {
				if _, err := s.Learn(t.Context()); err != nil {
					t.Fatal(err)
				}
				if err := s.Add(Float32Rows(randomRows(4, 3, n), n)); err != nil {
					t.Fatal(err)
				}
			}
			data, err := s.MarshalState()
			if err != nil {
				t.Fatal(err)
			}
			refuse := func(what string, p Preprocess, n int, b []byte) {
				t.Helper()
				if _, err := RestoreStatistics(p, n, b); err == nil {
					t.Errorf("%s, %s: restored", method, what)
				}
			}
			for length := range data {
				refuse(fmt.Sprintf("%d bytes", length), p, n, data[:length])
			}
			for i := range data {
				b := bytes.Clone(data)
				b[i] ^= 0x81
				refuse(fmt.Sprintf("byte %d turned", i), p, n, b)
			}
			other := p
			other.Scale = 3
			refuse("another rule", other, n, data)
			refuse("another width", p, n+1, data)
		}
	}
}

func TestMergeStatistics(t *testing.T) {
	const n, rows = 9, 3000
	x := randomRows(7, rows, n)
	for _, method := range learning {
		p, err := NewPreprocess(method, "float32", 0, Rows{})
		if err != nil {
			t.Fatal(err)
		}
		whole := NewStatistics(p, n)
		for _, part := range [][2]int{{0, 10}, {10, 10}, {10, 2000}, {2000, rows}} {
			s := NewStatistics(p, n)
			if err := s.Add(Float32Rows(x[part[0]*n:part[1]*n], n)); err != nil {
				t.Fatal(err)
			}
			if err := whole.Merge(s); err != nil {
				t.Fatal(err)
			}
		}
		if whole.Rows() != rows {
			t.Errorf("%s: %d rows", method, whole.Rows())
		}
		got, err := whole.Learn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		want := learn(t, method, "float32", Float32Rows(x, n))
		closeTo(t, []float32{float32(got.Learned.Deviation)}, []float32{float32(want.Learned.Deviation)})
		for i, tensor := range want.tensors(n) {
			closeTo(t, *got.tensors(n)[i].data, *tensor.data)
		}
		other := p
		other.Scale = 2
		for _, s := range []*Statistics{NewStatistics(other, n), NewStatistics(p, n+1), whole} {
			if err := NewStatistics(p, n).Merge(s); err == nil {
				t.Errorf("%s: statistics of another kind merge", method)
			}
		}
	}
}

func closeTo(t *testing.T, got, want []float32) {
	t.Helper()
	for i, v := range want {
		if math.Abs(float64(got[i]-v)) > 2e-6*max(1, math.Abs(float64(v))) {
			t.Fatalf("value %d is %v, want %v", i, got[i], v)
		}
	}
}

// Rows that leave something to be divided by 0.
func TestLearningFromLittle(t *testing.T) {
	for _, c := range []struct {
		n int
		x []uint8
	}{
		{1, []uint8{7}},
		{1, []uint8{7, 7, 7}},
		{1, []uint8{7, 9, 200}},
		{3, []uint8{5, 6, 7}},
		{3, []uint8{9, 9, 9, 9, 9, 9}},
		{3, []uint8{0, 0, 0, 255, 255, 255}},
	} {
		r := Uint8Rows(c.x, c.n)
		for _, method := range learning {
			p := learn(t, method, "uint8", r)
			for i, v := range preprocessed(p, r) {
				flat := method == PreprocessPatch || r.Len() == 1 || slices.Min(c.x) == slices.Max(c.x) || method == PreprocessZCA && c.n == 1
				want := float32(0)
				if method == PreprocessPatch {
					want = 0.5
				}
				if c.n > 1 && method == PreprocessPatch && r.Len() == 1 {
					flat = false
				}
				if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) || flat && v != want {
					t.Errorf("%s of %v: value %d is %v", method, c.x, i, v)
				}
			}
		}
	}
	p, err := NewPreprocess(PreprocessZCA, "float32", 0, Rows{})
	if err != nil {
		t.Fatal(err)
	}
	var config *ConfigError
	if _, err := NewStatistics(p, 3).Learn(t.Context()); !errors.As(err, &config) {
		t.Errorf("without rows: %v", err)
	}
	for _, p.Method = range learning {
		s := NewStatistics(p, 2)
		if err := s.Add(Float32Rows([]float32{3e38, -3e38, 1, -3e38}, 2)); err != nil {
			t.Fatal(err)
		}
		// Only zca without contrast squares what no float32 holds.
		if p, err := s.Learn(t.Context()); err != nil && !errors.As(err, &config) || err == nil && p.validate() != nil {
			t.Errorf("%s: %v", p.Method, err)
		}
	}
}

// A constant input becomes 0 exactly, whatever its value.
func TestConstantInput(t *testing.T) {
	const n, rows = 3, 1500
	x := randomRows(8, rows, n)
	for _, v := range []float32{0, 1. / 3, 0.1, 1e6 + 0.3, -7} {
		for i := range rows {
			x[i*n+1] = v
		}
		p := learn(t, PreprocessStandardize, "float32", Float32Rows(x, n))
		if p.Learned.Scale[1] != 0 {
			t.Errorf("%v: scale %v", v, p.Learned.Scale[1])
		}
		for i, y := range preprocessed(p, Float32Rows(x, n)) {
			if i%n == 1 && y != 0 {
				t.Fatalf("%v becomes %v", v, y)
			}
		}
	}
}

// The unit of an input does not matter.
func TestSmallUnits(t *testing.T) {
	const n, rows = 3, 1500
	x := randomRows(8, rows, n)
	want := preprocessed(learn(t, PreprocessStandardize, "float32", Float32Rows(x, n)), Float32Rows(x, n))
	small := make([]float32, len(x))
	for i, v := range x {
		small[i] = v * 0x1p-30
	}
	for i, got := range preprocessed(learn(t, PreprocessStandardize, "float32", Float32Rows(small, n)), Float32Rows(small, n)) {
		if math.Abs(float64(got-want[i])) > 1e-5 {
			t.Fatalf("value %d of %v becomes %v, in a small unit %v", i, x[i], want[i], got)
		}
	}
}

// What patch makes lies in the range that it promises.
func TestPatchRange(t *testing.T) {
	const n = 64
	x := randomRows(9, 500, n)
	for i := range x {
		x[i] *= x[i] * x[i] * x[i] // long tails, so that some are cut off
	}
	r := Float32Rows(x, n)
	p := learn(t, PreprocessPatch, "float32", r)
	lo, hi := p.valueRange()
	least, most := float32(1), float32(0)
	for _, v := range preprocessed(p, r) {
		least, most = min(least, v), max(most, v)
	}
	if lo != 0.1 || hi != 0.9 || math.Abs(float64(least)-lo) > 1e-6 && least < 0.1 || math.Abs(float64(most)-hi) > 1e-6 {
		t.Errorf("values from %v to %v, range %v to %v", least, most, lo, hi)
	}
}

func TestDrift(t *testing.T) {
	const n, rows = 20, 4000
	even := randomRows(10, rows, n)
	for _, method := range learning {
		for _, c := range []struct {
			name        string
			later       func(x []float32)
			least, most float64
		}{
			{"alike", func([]float32) {}, 0, 0.06},
			{"brighter", func(x []float32) {
				for i := range x {
					x[i] = x[i]*3 + 2
				}
			}, 0.1, 100},
			{"one input of many", func(x []float32) {
				for i := 0; i < len(x); i += n {
					x[i] = 0.5
				}
			}, 0, 0.1},
		} {
			x := slices.Clone(even)
			c.later(x[1000*n:])
			p, err := NewPreprocess(method, "float32", 0, Rows{})
			if err != nil {
				t.Fatal(err)
			}
			if method == PreprocessZCA {
				p.Contrast = 0
			}
			s := NewStatistics(p, n)
			if s.Drift() != 0 {
				t.Error("drift before learning")
			}
			for _, part := range [][]float32{x[:1000*n], x[1000*n:]} {
				if err := s.Add(Float32Rows(part, n)); err != nil {
					t.Fatal(err)
				}
				if s.learned == nil {
					if _, err := s.Learn(t.Context()); err != nil {
						t.Fatal(err)
					}
				}
			}
			if d := s.Drift(); d < c.least || d > c.most {
				t.Errorf("%s, %s: drift %v, want %v to %v", method, c.name, d, c.least, c.most)
			}
		}
	}
}

// Memory bounds what the statistics hold. What Learn needs besides is its own
// affair.
func TestLearningMemory(t *testing.T) {
	for _, method := range learning {
		p, err := NewPreprocess(method, "uint8", 0, Rows{})
		if err != nil {
			t.Fatal(err)
		}
		s := NewStatistics(p, 300)
		held := 4*(len(s.chunk)+len(s.centre)+len(s.product)) + 8*(len(s.mean)+len(s.squares)+len(s.products)+len(s.sums)+len(s.parts)+len(s.delta))
		if got := p.Memory(300); got < int64(held) || got > int64(held)+300*(16+300*32) {
			t.Errorf("%s: %d bytes, of which statistics hold %d", method, got, held)
		}
	}
	if (Preprocess{Method: PreprocessScale}).Memory(300) != 0 {
		t.Error("scaling takes memory to learn")
	}
}

// The code of a row of a learned rule is the same bits wherever the row is,
// and training on such rows allocates nothing.
func TestLearnedRulesInUse(t *testing.T) {
	const n, h, rows = 37, 5, 1100
	x := make([]uint8, rows*n)
	s := rng.New(4, rng.Shuffle, 0, 0)
	for i := range x {
		x[i] = uint8(s.Uint32())
	}
	r := Uint8Rows(x, n)
	for _, method := range learning {
		m := newModel(t, Config{Output: Linear, Corruption: 0.25}, n, h)
		m.Preprocess = learn(t, method, "uint8", r)
		if err := m.Check(r); err != nil {
			t.Fatal(err)
		}
		codes := encodeAll(t, m, r)
		for range 50 {
			i := int(s.Uint32n(rows))
			j := i + 1 + int(s.Uint32n(uint32(min(20, rows-i))))
			equalFloats(t, encodeAll(t, m, Uint8Rows(x[i*n:j*n], n)), codes[i*h:j*h])
		}
		// The codes are those of preprocessed rows.
		plain := *m
		plain.Preprocess = Preprocess{}
		equalFloats(t, encodeAll(t, &plain, Float32Rows(preprocessed(m.Preprocess, r), n)), codes)

		trainer := newTrainer(t, m, TrainOptions{BatchSize: 64})
		add := func() {
			if err := trainer.Add(r, nil); err != nil {
				t.Fatal(err)
			}
		}
		add()
		// A garbage collection may empty the pools of the kernels.
		if allocs := testing.AllocsPerRun(20, add); !raceEnabled && allocs > 1 {
			t.Errorf("%s: %v allocations", method, allocs)
		}
	}
}

func TestAllows(t *testing.T) {
	for _, c := range []struct {
		method string
		c      Config
		ok     bool
	}{
		{PreprocessPatch, Config{}, true},
		{PreprocessPatch, Config{Loss: CrossEntropy}, true},
		{PreprocessPatch, Config{Corruption: 0.1, Noise: SaltPepper}, true},
		{PreprocessStandardize, Config{}, false},
		{PreprocessStandardize, Config{Output: Linear}, true},
		{PreprocessStandardize, Config{Output: Tanh}, true},
		{PreprocessStandardize, Config{Output: Linear, Corruption: 0.1, Noise: SaltPepper}, false},
		{PreprocessStandardize, Config{Output: Linear, Inputs: 1 << 20}, true},
		{PreprocessZCA, Config{Loss: CrossEntropy}, false},
		// Salt and pepper, but no corruption.
		{PreprocessZCA, Config{Output: Linear, Noise: SaltPepper}, true},
		{PreprocessZCA, Config{Output: Linear, Inputs: 1 << 20}, false},
		{PreprocessScale, Config{}, true},
	} {
		err := Preprocess{Method: c.method}.Allows(c.c)
		var config *ConfigError
		if c.ok != (err == nil) || err != nil && !errors.As(err, &config) {
			t.Errorf("%s with %+v: %v", c.method, c.c, err)
		}
	}
	m := newModel(t, Config{}, 3, 2)
	m.Preprocess = Preprocess{Method: PreprocessZCA}
	if _, err := NewTrainer(m, TrainOptions{}); err == nil {
		t.Error("a sigmoid output is trained on whitened rows")
	}
}

// Sums of rows that were preprocessed otherwise do not add up.
func TestFingerprintCoversWhatWasLearned(t *testing.T) {
	const n = 4
	x := randomRows(11, 100, n)
	for _, method := range learning {
		m := newModel(t, Config{Output: Linear}, n, 2)
		m.Preprocess = learn(t, method, "float32", Float32Rows(x, n))
		other := *m
		other.Preprocess = learn(t, method, "float32", Float32Rows(x[:50*n], n))
		other.Preprocess.Learned.Rows = m.Preprocess.Learned.Rows
		if err := NewAccumulator(m).Merge(NewAccumulator(&other)); err == nil {
			t.Errorf("%s: sums under different rules merge", method)
		}
	}
}

func BenchmarkPreprocess(b *testing.B) {
	const m, n = 256, 784
	x := make([]uint8, m*n)
	s := rng.New(4, rng.Shuffle, 0, 0)
	for i := range x {
		x[i] = uint8(s.Uint32())
	}
	r := Uint8Rows(x, n)
	p, err := NewPreprocess(PreprocessScale, "uint8", 0, Rows{})
	if err != nil {
		b.Fatal(err)
	}
	rules := []Preprocess{p}
	for _, method := range learning {
		rules = append(rules, learn(b, method, "uint8", r))
	}
	for _, p := range rules {
		b.Run(fmt.Sprintf("%s %dx%d", p.Method, m, n), func(b *testing.B) {
			dst, scratch := make([]float32, m*n), p.scratch(m, n)
			for b.Loop() {
				p.convert(dst, scratch, r, nil, 0)
			}
		})
	}
}

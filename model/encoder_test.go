package model

import (
	"errors"
	"math"
	"testing"
	"unsafe"

	"github.com/aefeat/aefeat/internal/rng"
)

func encodeAll(t testing.TB, m *Model, r Rows) []float32 {
	t.Helper()
	dst := make([]float32, r.Len()*m.Hidden)
	if err := NewEncoder(m).Encode(dst, r); err != nil {
		t.Fatal(err)
	}
	return dst
}

func TestEncode(t *testing.T) {
	const n, h, rows = 23, 9, 2500
	x := randomRows(1, rows, n)
	for _, f := range []Activation{Sigmoid, Tanh, ReLU, Linear} {
		m := newModel(t, Config{Activation: f, Output: Linear, Corruption: 0.5}, n, h)
		codes := encodeAll(t, m, Float32Rows(x, n))
		for i, row := range rowsOf(x, n) {
			for j := range h {
				z := dot(widen(m.Params.EncoderWeight[j*n:(j+1)*n]), row) + float64(m.Params.EncoderBias[j])
				want, _, _ := activate(f, z)
				if math.Abs(float64(codes[i*h+j])-want) > 1e-5 {
					t.Fatalf("%v: code %d of row %d is %v, want %v", f, j, i, codes[i*h+j], want)
				}
			}
		}
	}
}

// The code of a row is the same bits alone, in a batch, and at any place of it.
func TestCodeDependsOnItsRowAlone(t *testing.T) {
	const n, rows = 37, 1100
	x := randomRows(2, rows, n)
	for _, h := range []int{1, 15, 16, 33, 50} {
		m := newModel(t, Sparse(0), n, h)
		codes := encodeAll(t, m, Float32Rows(x, n))
		s := rng.New(1, rng.Shuffle, 0, 0)
		for range 100 {
			i := int(s.Uint32n(rows))
			j := i + 1 + int(s.Uint32n(uint32(min(20, rows-i))))
			equalFloats(t, encodeAll(t, m, Float32Rows(x[i*n:j*n], n)), codes[i*h:j*h])
		}
	}
}

// Reconstructions and scores are what the formulas give, in any company, and
// the codes beside them are those of Encode.
func TestReconstruct(t *testing.T) {
	const n, h, rows = 23, 9, 2500
	x := randomRows(1, rows, n)
	for _, c := range configs {
		m := newModel(t, c.c, n, h)
		code, y, score := make([]float32, rows*h), make([]float32, rows*n), make([]float32, rows)
		if err := NewEncoder(m).Reconstruct(code, y, score, Float32Rows(x, n)); err != nil {
			t.Fatal(err)
		}
		equalFloats(t, code, encodeAll(t, m, Float32Rows(x, n)))
		for i, row := range rowsOf(x, n) {
			want := 0.0
			for j := range n {
				u := float64(m.Params.DecoderBias[j])
				for l, a := range code[i*h : (i+1)*h] {
					w := m.Params.EncoderWeight[l*n+j]
					if !m.Tied {
						w = m.Params.DecoderWeight[j*h+l]
					}
					u += float64(a) * float64(w)
				}
				v, _, _ := activate(m.Output, u)
				if math.Abs(float64(y[i*n+j])-v) > 1e-5 {
					t.Fatalf("%s: component %d of row %d is %v, want %v", c.name, j, i, y[i*n+j], v)
				}
				want += (v - row[j]) * (v - row[j])
			}
			if math.Abs(float64(score[i])-want) > 1e-5*want {
				t.Fatalf("%s: the score of row %d is %v, want %v", c.name, i, score[i], want)
			}
		}
		e := NewEncoder(m)
		alone, one := make([]float32, rows), make([]float32, n)
		if err := e.Reconstruct(nil, nil, alone, Float32Rows(x, n)); err != nil {
			t.Fatal(err)
		}
		equalFloats(t, alone, score)
		for _, i := range []int{0, 17, 1500} {
			if err := e.Reconstruct(nil, one, alone[:1], Float32Rows(x[i*n:(i+1)*n], n)); err != nil {
				t.Fatal(err)
			}
			equalFloats(t, one, y[i*n:(i+1)*n])
			equalFloats(t, alone[:1], score[i:i+1])
		}
	}
}

// What overflows is an error about its row, never a code that is no number.
func TestOverflow(t *testing.T) {
	const n, h, rows = 4, 3, 1500
	c := Plain(h)
	c.Activation, c.Output = Linear, Linear
	m := newModel(t, c, n, h)
	for _, value := range []float32{3e38, -3e38} {
		x := randomRows(3, rows, n)
		for j := range n {
			x[1200*n+j] = value / 2
		}
		x[1200*n+2] = value
		for i := range m.Params.EncoderWeight {
			m.Params.EncoderWeight[i] = 2
		}
		r := Float32Rows(x, n)
		for row := range rows {
			r.Number = append(r.Number, int64(row+7))
		}
		err := NewEncoder(m).Encode(make([]float32, rows*h), r)
		var e *RangeError
		if !errors.As(err, &e) || e.Row != 1207 || e.Component != 2 || e.Value != float64(value) {
			t.Errorf("error %v", err)
		}
	}
	clear(m.Params.EncoderWeight)
	m.Params.EncoderBias[0] = 1e30
	for i := range m.Params.DecoderWeight {
		m.Params.DecoderWeight[i] = 1e30
	}
	x := randomRows(3, rows, n)
	if err := NewEncoder(m).Encode(make([]float32, rows*h), Float32Rows(x, n)); err != nil {
		t.Errorf("codes: %v", err)
	}
	var e *RangeError
	if err := NewEncoder(m).Reconstruct(nil, make([]float32, rows*n), nil, Float32Rows(x, n)); !errors.As(err, &e) || e.Row != 0 {
		t.Errorf("reconstructions: %v", err)
	}

	// The square of an error that float32 holds may be beyond it.
	clear(m.Params.DecoderWeight)
	x[1200*n+2] = 1e20
	score := make([]float32, rows)
	if err := NewEncoder(m).Reconstruct(nil, nil, score, Float32Rows(x, n)); !errors.As(err, &e) || e.Row != 1200 || e.Component != 2 {
		t.Errorf("scores: %v", err)
	}
}

// Rows of every kind give what their values give as float32.
func TestKinds(t *testing.T) {
	const n, h, rows = 6, 4, 300
	s := rng.New(3, rng.Shuffle, 0, 0)
	bytes, words, halves := make([]uint8, rows*n), make([]uint16, rows*n), make([]uint16, rows*n)
	for i := range bytes {
		bytes[i], words[i] = uint8(s.Uint32()), uint16(s.Uint32())
		halves[i] = uint16(s.Uint32n(0x3c01)) // 0 to 1
	}
	raw := func(p unsafe.Pointer) []byte { return unsafe.Slice((*byte)(p), 2*rows*n) }
	float16 := func(b uint16) float64 {
		exponent, fraction := int(b>>10), float64(b&0x3ff)
		if exponent == 0 {
			return math.Ldexp(fraction, -24)
		}
		return math.Ldexp(1024+fraction, exponent-25)
	}
	for _, c := range []struct {
		source string
		rows   Rows
		value  func(i int) float64
	}{
		{"uint8", Uint8Rows(bytes, n), func(i int) float64 { return float64(bytes[i]) / 255 }},
		{"uint16", Rows{Kind: Uint16, Width: n, Data: raw(unsafe.Pointer(&words[0]))}, func(i int) float64 { return float64(words[i]) / 65535 }},
		{"float16", Rows{Kind: Float16, Width: n, Data: raw(unsafe.Pointer(&halves[0]))}, func(i int) float64 { return float16(halves[i]) }},
	} {
		p, err := NewPreprocess(PreprocessScale, c.source, 0, Rows{})
		if err != nil {
			t.Fatal(err)
		}
		m := newModel(t, Sparse(0), n, h)
		m.Preprocess = p
		if err := m.Check(c.rows); err != nil {
			t.Errorf("%s: %v", c.source, err)
		}
		x := make([]float32, rows*n)
		for i := range x {
			x[i] = float32(c.value(i))
		}
		got := encodeAll(t, m, c.rows)
		m.Preprocess = Preprocess{}
		for i, want := range encodeAll(t, m, Float32Rows(x, n)) {
			if math.Abs(float64(got[i]-want)) > 1e-6 {
				t.Fatalf("%s: code %d is %v, want %v", c.source, i, got[i], want)
			}
		}
	}
}

func TestRowsThatDoNotFit(t *testing.T) {
	m := newModel(t, Sparse(0), 4, 2)
	aligned := make([]float32, 9)
	odd := unsafe.Slice((*byte)(unsafe.Pointer(&aligned[0])), 36)[2:18]
	for name, r := range map[string]Rows{
		"width":     Float32Rows(make([]float32, 6), 3),
		"kind":      {Kind: "int8", Width: 4, Data: make([]byte, 4)},
		"no kind":   {},
		"half row":  {Kind: Uint8, Width: 4, Data: make([]byte, 6)},
		"numbers":   {Kind: Uint8, Width: 4, Data: make([]byte, 8), Number: make([]int64, 3)},
		"alignment": {Kind: Float32, Width: 4, Data: odd},
	} {
		trainer := newTrainer(t, m, TrainOptions{})
		full := newTrainer(t, m, TrainOptions{BatchSize: FullBatch})
		for where, err := range map[string]error{
			"Encode":         NewEncoder(m).Encode(nil, r),
			"Trainer.Add":    trainer.Add(r, nil),
			"full batch":     full.Add(r, nil),
			"Evaluator.Add":  NewEvaluator(m).Add(r),
			"Accumulator":    NewAccumulator(m).Add(r, nil),
			"Model.Check":    m.Check(r),
			"without memory": NewEncoder(m).Encode(nil, r),
		} {
			if err == nil {
				t.Errorf("%s: %s takes it", name, where)
			}
		}
	}
	if err := NewEncoder(m).Encode(nil, Float32Rows(nil, 4)); err != nil {
		t.Errorf("no rows: %v", err)
	}
}

func TestEvaluation(t *testing.T) {
	const n, h, rows = 12, 5, 5000
	x := randomRows(4, rows, n)
	for _, c := range configs {
		t.Run(c.name, func(t *testing.T) {
			m := newModel(t, c.c, n, h)
			e := NewEvaluator(m)
			for i := 0; i < rows; {
				j := min(i+777, rows)
				if err := e.Add(Float32Rows(x[i*n:j*n], n)); err != nil {
					t.Fatal(err)
				}
				i = j
			}
			got := e.Result()
			if whole := evaluate(t, m, x); got != whole {
				t.Errorf("in pieces %+v, at once %+v", got, whole)
			}
			clean, plain := rowsOf(x, n), m.Config
			plain.Emphasis = 0 // there is no corruption to emphasise
			want := newReference(plain, widen(m.Params.Flat), clean, clean)
			checkCost(t, got.Cost, want.cost, 1e-6)
			var mean float64
			low, high := math.Inf(1), math.Inf(-1)
			for _, q := range want.rhohat {
				mean += q / h
				low, high = math.Min(low, q), math.Max(high, q)
			}
			for _, v := range [][2]float64{{got.MeanActivation.Mean, mean}, {got.MeanActivation.Min, low}, {got.MeanActivation.Max, high}} {
				if math.Abs(v[0]-v[1]) > 1e-6 {
					t.Errorf("mean activation %+v, want %v in %v to %v", got.MeanActivation, mean, low, high)
				}
			}
			if got.Rows != rows {
				t.Errorf("%d rows", got.Rows)
			}
		})
	}
}

func TestNMSE(t *testing.T) {
	const n, h, rows = 6, 2, 500
	x := randomRows(5, rows, n)
	clean := rowsOf(x, n)
	mean := make([]float64, n)
	for _, row := range clean {
		for j, v := range row {
			mean[j] += v / rows
		}
	}
	m := newModel(t, Config{Output: Linear}, n, h)
	clear(m.Params.Flat)
	copy(m.Params.DecoderBias, narrow(mean)) // every row is reconstructed as their mean
	if v := evaluate(t, m, x); math.Abs(v.NMSE-1) > 1e-6 {
		t.Errorf("nmse of the mean is %v, want 1", v.NMSE)
	}
	for _, c := range []Config{{Output: Linear}, {Loss: CrossEntropy}} {
		m := newModel(t, c, n, h)
		var wrong, variance float64
		for _, row := range clean {
			a := make([]float64, h)
			for i := range a {
				z := dot(widen(m.Params.EncoderWeight[i*n:(i+1)*n]), row) + float64(m.Params.EncoderBias[i])
				a[i], _, _ = activate(Sigmoid, z)
			}
			for j, v := range row {
				y, _, _ := activate(c.Output, dot(widen(m.Params.DecoderWeight[j*h:(j+1)*h]), a)+float64(m.Params.DecoderBias[j]))
				wrong += (v - y) * (v - y)
				variance += (v - mean[j]) * (v - mean[j])
			}
		}
		if v := evaluate(t, m, x); math.Abs(v.NMSE-wrong/variance) > 1e-5*v.NMSE {
			t.Errorf("nmse %v, want %v", v.NMSE, wrong/variance)
		}
	}
	same := make([]float32, 10*n)
	for i := range same {
		same[i] = 0.3
	}
	if v := evaluate(t, m, same); v.NMSE != math.MaxFloat64 {
		t.Errorf("nmse of equal rows %v", v.NMSE)
	}
	if v := evaluate(t, m, nil); v.NMSE != 0 || v.Rows != 0 || v.Cost.Total != 0 || v.DeadUnits != 0 {
		t.Errorf("evaluation of nothing %+v", v)
	}
}

func TestDeadUnits(t *testing.T) {
	const n, h = 2, 4
	x := randomRows(6, 1000, n)
	for _, c := range []struct {
		f     Activation
		scale []float32 // weights of each unit
		bias  []float32
		want  int
	}{
		{Sigmoid, []float32{5, 5, 0, 0.01}, []float32{0, 40, 0, 0}, 3}, // live, saturated, constant, all but constant
		{Tanh, []float32{5, 0.02, 0.005, 0}, []float32{0, 0, 0, 0}, 2},
		{ReLU, []float32{1, 1, 0.001, 0.1}, []float32{0, -5, 0, 0}, 2},
		{Linear, []float32{1000, 1, 100, 0}, []float32{0, 0, 0, 7}, 2},
	} {
		m := newModel(t, Config{Activation: c.f, Output: Linear}, n, h)
		for i, v := range c.scale {
			m.Params.EncoderWeight[i*n], m.Params.EncoderWeight[i*n+1] = v, v/2
		}
		copy(m.Params.EncoderBias, c.bias)
		if v := evaluate(t, m, x); v.DeadUnits != c.want {
			t.Errorf("%v: %d dead units, want %d", c.f, v.DeadUnits, c.want)
		}
		if v := evaluate(t, m, x[:n]); v.DeadUnits != 0 {
			t.Errorf("%v: %d dead units on one row", c.f, v.DeadUnits)
		}
	}
}

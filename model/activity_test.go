package model

import (
	"errors"
	"math"
	"slices"
	"testing"
)

// Against sums over all rows, of codes that an Encoder gives.
func TestActivity(t *testing.T) {
	for _, method := range append(slices.Clone(learning), PreprocessScale) {
		m := trainedModel(t, Config{Output: Linear})
		if method != PreprocessScale {
			m = learnedModel(t, method)
		}
		x := make([]uint8, 5*3000)
		for i := range x {
			x[i] = uint8(i * i % 251)
			if i%5 == 3 {
				x[i] = 7
			}
		}
		rows := Uint8Rows(x, 5)
		a := NewActivity(m)
		for _, part := range [][]uint8{x[:35], x[35:10000], x[10000:]} {
			if err := a.Add(Uint8Rows(part, 5)); err != nil {
				t.Fatal(err)
			}
		}
		codes := make([]float32, 3*3000)
		if err := NewEncoder(m).Encode(codes, rows); err != nil {
			t.Fatal(err)
		}
		for l, got := range a.MeanCodes() {
			want := 0.
			for i := l; i < len(codes); i += 3 {
				want += float64(codes[i]) / 3000
			}
			if math.Abs(got-want) > 1e-6 {
				t.Errorf("%s: mean code %d is %v, want %v", method, l, got, want)
			}
		}
		given := make([]float32, len(x))
		m.Preprocess.convert(given, make([]float32, len(x)), rows, nil, 0)
		stored := make([]float32, len(x))
		rows.convert(stored, nil, 0, 1./255, 0)
		for name, of := range map[string]struct {
			x   []float32
			got []float64
		}{"given": {given, a.Deviations(false)}, "stored": {stored, a.Deviations(true)}} {
			for j, got := range of.got {
				if want := deviation(of.x, j, 5); math.Abs(got-want) > 1e-5*(1+want) {
					t.Errorf("%s: deviation %d of %s values is %v, want %v", method, j, name, got, want)
				}
			}
		}
		if a.Rows() != 3000 {
			t.Errorf("%d rows", a.Rows())
		}
	}
}

// deviation is that of column j of x, rows of n.
func deviation(x []float32, j, n int) float64 {
	mean, squares, m := 0., 0., float64(len(x)/n)
	for i := j; i < len(x); i += n {
		mean += float64(x[i]) / m
	}
	for i := j; i < len(x); i += n {
		squares += (float64(x[i]) - mean) * (float64(x[i]) - mean) / m
	}
	return math.Sqrt(squares)
}

func TestActivityDead(t *testing.T) {
	m := newModel(t, Config{}, 2, 3)
	copy(m.Params.EncoderWeight, []float32{4, 0, 0, 0, 0, -4})
	x := []float32{0, 0, 1, 1, 0, 1, 1, 0}
	a := NewActivity(m)
	if err := a.Add(Float32Rows(x, 2)); err != nil {
		t.Fatal(err)
	}
	if got, want := a.Dead(), []bool{false, true, false}; !slices.Equal(got, want) {
		t.Errorf("dead: %v, want %v", got, want)
	}
	none := NewActivity(m)
	if slices.Contains(none.Dead(), true) || none.MeanCodes()[0] != 0 || none.Deviations(false)[0] != 0 {
		t.Errorf("without rows: %v %v %v", none.Dead(), none.MeanCodes(), none.Deviations(false))
	}
	var at *RangeError
	m = newModel(t, Config{Activation: Linear}, 2, 3)
	m.Params.EncoderWeight[0] = 1e38
	if err := NewActivity(m).Add(Float32Rows([]float32{1, 1, 1e30, 1}, 2)); !errors.As(err, &at) || at.Row != 1 {
		t.Errorf("a code that overflows: %v", err)
	}
	if err := NewActivity(m).Add(Float32Rows([]float32{1, 1, 1}, 3)); err == nil {
		t.Error("rows of another width: no error")
	}
}

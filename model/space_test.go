package model

import (
	"math"
	"testing"
)

// What preprocessing makes of a row and of the row a little further on tells
// what is right: weights on the input see the same difference, and a pattern in
// the input makes the pattern in the row.
func TestInputSpace(t *testing.T) {
	const n = 5
	for _, method := range learning {
		p := learn(t, method, "float32", Float32Rows(wideRows(40, n), n))
		p.Contrast = 0
		at := []float32{0.5, 0.4, 0.6, 0.45, 0.55}
		given := func(d []float32, length float64) []float64 {
			moved := make([]float32, n)
			for j := range moved {
				moved[j] = at[j] + float32(length)*d[j]
			}
			a, b, scratch := make([]float32, n), make([]float32, n), make([]float32, n)
			p.convert(a, scratch, Float32Rows(at, n), nil, 0)
			p.convert(b, scratch, Float32Rows(moved, n), nil, 0)
			difference := make([]float64, n)
			for j := range difference {
				difference[j] = float64(b[j]-a[j]) / length
			}
			return difference
		}
		w := []float32{1, -2, 0.5, 0.25, 0.25}
		d := []float32{0.3, 0.1, -0.2, 0.5, -0.7}
		want, got := 0., 0.
		for j, x := range given(d, 0.01) {
			want += float64(w[j]) * x
		}
		for j, v := range p.InputWeights(w, n) {
			got += float64(v) * float64(d[j])
		}
		if math.Abs(got-want) > 1e-3*(1+math.Abs(want)) {
			t.Errorf("%s: weights on the input see %v, on the row %v", method, got, want)
		}
		patterns, err := p.InputPatterns(w, n)
		if err != nil {
			t.Fatal(err)
		}
		for j, got := range given(patterns, 0.01) {
			if math.Abs(got-float64(w[j])) > 2e-3 { // w has mean 0
				t.Errorf("%s: the pattern makes %v of input %d, want %v", method, got, j, w[j])
			}
		}
	}
}

// wideRows are m rows of n values that vary and correlate.
func wideRows(m, n int) []float32 {
	x := make([]float32, m*n)
	for i := range x {
		x[i] = float32(0.5 + 0.3*math.Sin(float64(i*i)) + 0.1*math.Cos(float64(i/n)))
	}
	return x
}

// Nothing is divided by 0.
func TestInputSpaceOfConstants(t *testing.T) {
	const n = 3
	x := []float32{1, 1, 1, 1, 1, 1, 1, 1, 1}
	for _, method := range learning {
		p := learn(t, method, "float32", Float32Rows(x, n))
		patterns, err := p.InputPatterns([]float32{1, 2, 3}, n)
		for _, v := range append(patterns, p.InputWeights([]float32{1, 2, 3}, n)...) {
			if v-v != 0 || err != nil {
				t.Errorf("%s: %v (%v)", method, patterns, err)
			}
		}
	}
}

// What the rule knows of deviations is what an Activity sees of the rows that
// it was learned from.
func TestDeviations(t *testing.T) {
	const n = 5
	x := wideRows(400, n)
	for i := range x {
		if i%n == 2 {
			x[i] = 0.25
		}
	}
	for _, c := range []struct {
		method string
		input  bool
	}{{PreprocessStandardize, false}, {PreprocessStandardize, true}, {PreprocessZCA, false}, {PreprocessZCA, true}} {
		p := learn(t, c.method, "float32", Float32Rows(x, n), func(p *Preprocess) { p.Contrast = 0 })
		m := newModel(t, Config{Output: Linear}, n, 2)
		m.Preprocess = p
		a := NewActivity(m)
		if err := a.Add(Float32Rows(x, n)); err != nil {
			t.Fatal(err)
		}
		got, err := p.Deviations(n, c.input)
		if err != nil {
			t.Fatal(err)
		}
		for j, want := range a.Deviations(c.input) {
			// The covariance of zca divides by one less than there are rows.
			if math.Abs(got[j]-want) > 0.003*want+1e-4 {
				t.Errorf("%s, input %t: deviation %d is %v, want %v", c.method, c.input, j, got[j], want)
			}
		}
	}
	for _, method := range []string{PreprocessNone, PreprocessScale, PreprocessPatch} {
		p := Preprocess{Method: method}
		if method == PreprocessPatch {
			p = learn(t, method, "float32", Float32Rows(x, n))
		}
		if got, err := p.Deviations(n, true); got != nil || err != nil {
			t.Errorf("%s: %v (%v)", method, got, err)
		}
	}
}

package model

import (
	"math"
	"testing"
)

// A folded encoder gives the codes of an encoder: but for rounding where the
// whitening is in the weights, and bit for bit where ties would be decided
// otherwise.
func TestFoldedEncoder(t *testing.T) {
	const n, h, rows = 23, 9, 1500
	x := Float32Rows(randomRows(1, rows, n), n)
	for _, method := range PreprocessMethods() {
		for _, c := range []Config{{Output: Linear}, {Activation: Linear, Output: Linear, K: 3, KEncode: 1}} {
			m := newModel(t, c, n, h)
			p, err := NewPreprocess(method, "float32", 0, x)
			if err != nil {
				t.Fatal(err)
			}
			if p.Learns() {
				s := NewStatistics(p, n)
				if err := s.Add(x); err != nil {
					t.Fatal(err)
				}
				if p, err = s.Learn(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			m.Preprocess = p
			want, got := encodeAll(t, m, x), make([]float32, rows*h)
			if err := NewFoldedEncoder(m).Encode(got, x); err != nil {
				t.Fatal(err)
			}
			tolerance := 0.
			if method == PreprocessZCA && c.K == 0 {
				tolerance = 1e-6
			}
			for i, v := range want {
				if !(math.Abs(float64(got[i]-v)) <= tolerance) {
					t.Fatalf("%s, k %d: code %d is %v, want %v", method, c.K, i, got[i], v)
				}
			}
			if m.Preprocess.Learned != p.Learned || method == PreprocessZCA && p.Learned.Whiten == nil {
				t.Errorf("%s: folding has changed the model", method)
			}
		}
	}
}

// Weights that overflow in folding are left as they are.
func TestFoldedWeightsThatOverflow(t *testing.T) {
	const n, h = 4, 2
	m := newModel(t, Config{Activation: Sigmoid, Output: Linear}, n, h)
	m.Preprocess = Preprocess{Method: PreprocessZCA, Learned: &Learned{Mean: make([]float32, n), Whiten: make([]float32, n*n)}}
	for i := range n {
		m.Preprocess.Learned.Whiten[i*n+i] = 4
	}
	m.Params.EncoderWeight[0] = math.MaxFloat32 / 2
	x := Float32Rows([]float32{0.1, 0, 0, 0}, n)
	want, got := encodeAll(t, m, x), make([]float32, h)
	if err := NewFoldedEncoder(m).Encode(got, x); err != nil {
		t.Fatal(err)
	}
	equalFloats(t, got, want)
}

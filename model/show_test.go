package model

import (
	"math"
	"math/rand/v2"
	"testing"
)

// Preprocessing undone gives the rows back: what a model shows of rows with
// noise that touches nothing is the rows themselves.
func TestShowUndoesPreprocessing(t *testing.T) {
	const m, n = 200, 12
	r := rand.New(rand.NewPCG(3, 4))
	pixels := make([]uint8, m*n)
	for i := range pixels {
		pixels[i] = uint8(100 + 40*math.Sin(float64(i%n)/3+float64(i/n)) + float64(r.IntN(8)))
	}
	rows := Uint8Rows(pixels, n)
	for _, method := range PreprocessMethods() {
		c, err := ForObjective(ObjectiveDenoising, 5, method)
		if err != nil {
			t.Fatal(err)
		}
		if method == PreprocessNone {
			c.Output = Linear
		}
		c.Inputs, c.Corruption = n, 1e-9 // chooses no component
		shown := showAfter(t, c, method, rows)
		for i, v := range shown.Corrupted {
			if want := float64(pixels[i]); math.Abs(float64(v)-want) > 0.01 {
				t.Fatalf("%s: value %d is %v, want %v", method, i, v, want)
			}
			if shown.Original[i] != float32(pixels[i]) {
				t.Fatalf("%s: original %d is %v", method, i, shown.Original[i])
			}
		}
	}
}

// showAfter shows rows by a model of the settings, its preprocessing learned
// from them.
func showAfter(t *testing.T, c Config, method string, rows Rows) *Shown {
	t.Helper()
	m, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	if (Preprocess{Method: method}).Learns() {
		m.Preprocess = learn(t, method, "uint8", rows)
	} else if m.Preprocess, err = NewPreprocess(method, "uint8", 0, rows); err != nil {
		t.Fatal(err)
	}
	shown, err := m.Show(rows)
	if err != nil {
		t.Fatal(err)
	}
	return shown
}

// Without preprocessing the corrupted row is that of training, and the
// reconstruction is that of an encoder fed with it.
func TestShowNoise(t *testing.T) {
	const m, n = 20, 30
	x := make([]float32, m*n)
	for i := range x {
		x[i] = 0.25 + float32(i%7)/10
	}
	rows := Float32Rows(x, n)
	rows.Number = make([]int64, m)
	for i := range rows.Number {
		rows.Number[i] = int64(1000 + i)
	}
	c := Denoising(8)
	c.Inputs = n
	shown := showAfter(t, c, PreprocessNone, rows)
	masked := 0
	for i, v := range shown.Corrupted {
		if v == 0 {
			masked++
		} else if v != x[i] {
			t.Fatalf("value %d is %v, of %v", i, v, x[i])
		}
	}
	if want := m * int(math.RoundToEven(0.25*n)); masked != want {
		t.Errorf("%d values masked, want %d", masked, want)
	}
	model, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	y := make([]float32, m*n)
	if err := NewEncoder(model).Reconstruct(nil, y, nil, Float32Rows(shown.Corrupted, n)); err != nil {
		t.Fatal(err)
	}
	for i := range y {
		if math.Abs(float64(y[i]-shown.Reconstructed[i])) > 1e-6 {
			t.Fatalf("reconstruction %d is %v, want %v", i, shown.Reconstructed[i], y[i])
		}
	}
	c.Corruption = 0
	if shown := showAfter(t, c, PreprocessNone, rows); shown.Corrupted != nil {
		t.Error("noise without corruption")
	}
}

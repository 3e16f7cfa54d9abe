package model

import (
	"errors"
	"fmt"
	"math"
	"testing"
)

// listsOf returns what is not 0 of codes (m,h).
func listsOf(codes []float32, h int) *SparseCodes {
	c := &SparseCodes{}
	for ; len(codes) > 0; codes = codes[h:] {
		for i, v := range codes[:h] {
			if v != 0 {
				c.Index, c.Value = append(c.Index, uint32(i)), append(c.Value, v)
			}
		}
		c.End = append(c.End, len(c.Index))
	}
	return c
}

// Codes as lists are those of Encode without their zeros, bit for bit, and so
// are reconstructions and scores: of any number of units and codes kept, among
// equals and zeros, in several calls.
func TestReconstructSparse(t *testing.T) {
	const n, rows = 12, 1500
	x := randomRows(71, rows, n)
	for i := range 40 {
		clear(x[i*n : (i+1)*n]) // whose codes are the biases
	}
	for _, c := range []struct {
		h, k  int
		alpha float64
		tied  bool
	}{{40, 4, 1, true}, {40, 4, 2, false}, {40, 30, 1, false}, {40, 40, 1, true}, {700, 9, 1.5, true}, {1100, 400, 1, true}, {1100, 1, 1, false}} {
		t.Run(fmt.Sprint(c), func(t *testing.T) {
			m := newModel(t, Config{Activation: Linear, Output: Linear, K: c.k, KEncode: c.alpha, Tied: c.tied}, n, c.h)
			for i := range m.Params.EncoderBias {
				m.Params.EncoderBias[i] = float32(i%3) - 1
			}
			for i := 0; i+7 < c.h; i += 5 { // twins
				copy(m.Params.EncoderWeight[(i+7)*n:(i+8)*n], m.Params.EncoderWeight[i*n:(i+1)*n])
				m.Params.EncoderBias[i+7] = m.Params.EncoderBias[i]
			}
			code, y, score := make([]float32, rows*c.h), make([]float32, rows*n), make([]float32, rows)
			if err := NewEncoder(m).Reconstruct(code, y, score, Float32Rows(x, n)); err != nil {
				t.Fatal(err)
			}
			want := listsOf(encodeAll(t, m, Float32Rows(x, n)), c.h)
			e, got := NewEncoder(m), &SparseCodes{}
			gotY, gotScore := make([]float32, rows*n), make([]float32, rows)
			at := 0
			for _, size := range []int{1, 3, 1200, 296} {
				hi := at + size
				if err := e.ReconstructSparse(got, gotY[at*n:hi*n], gotScore[at:hi], Float32Rows(x[at*n:hi*n], n)); err != nil {
					t.Fatal(err)
				}
				at = hi
			}
			equalLists(t, got, want)
			equalFloats(t, gotY, y)
			equalFloats(t, gotScore, score)
			got.Reset()
			if err := e.ReconstructSparse(got, nil, nil, Float32Rows(x, n)); err != nil {
				t.Fatal(err)
			}
			equalLists(t, got, want)
		})
	}
}

func equalLists(t *testing.T, got, want *SparseCodes) {
	t.Helper()
	equalFloats(t, got.Value, want.Value)
	if fmt.Sprint(got.Index, got.End) != fmt.Sprint(want.Index, want.End) {
		t.Fatal("the lists differ")
	}
}

// A code that overflows is an error about its row, and leaves the lists as they
// were.
func TestSparseOverflow(t *testing.T) {
	const n, h, rows = 4, 600, 1500
	m := newModel(t, Config{Activation: Linear, Output: Linear, K: 2}, n, h)
	x := randomRows(72, rows, n)
	for i := range m.Params.EncoderWeight {
		m.Params.EncoderWeight[i] = 2
	}
	x[1200*n+2] = math.MaxFloat32
	r := Float32Rows(x, n)
	for row := range rows {
		r.Number = append(r.Number, int64(row+7))
	}
	got := &SparseCodes{Index: []uint32{5}, Value: []float32{1}, End: []int{1}}
	err := NewEncoder(m).ReconstructSparse(got, nil, nil, r)
	var e *RangeError
	if !errors.As(err, &e) || e.Row != 1207 || e.Component != 2 {
		t.Errorf("error %v", err)
	}
	equalLists(t, got, &SparseCodes{Index: []uint32{5}, Value: []float32{1}, End: []int{1}})
}

package model

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestUnmovedUnits(t *testing.T) {
	m := newModel(t, Config{Seed: 7}, 30, 40)
	if n := m.UnmovedUnits(); n != 40 {
		t.Errorf("%d of 40 units are as they were drawn", n)
	}
	p := m.Params
	for i := range 30 { // another length is no move
		p.EncoderWeight[i] *= 3
	}
	clear(p.EncoderWeight[30:60]) // no weights are not those drawn
	for i := 60; i < 90; i++ {
		p.EncoderWeight[i] *= -1
	}
	// cos = 1/sqrt(1+x^2) with a step of x times their length across: above 0.9
	// for 0.4, below for 0.6.
	for unit, x := range map[int]float64{3: 0.4, 4: 0.6} {
		w := p.EncoderWeight[30*unit : 30*(unit+1)]
		across := make([]float64, len(w))
		for i := 0; i+1 < len(w); i += 2 {
			across[i], across[i+1] = float64(w[i+1]), -float64(w[i])
		}
		for i := range w {
			w[i] += float32(x * across[i])
		}
	}
	if n := m.UnmovedUnits(); n != 37 {
		t.Errorf("%d units unmoved, want 37", n)
	}
}

// Against the definition, in float64, over more units than a block has.
func TestTwinUnits(t *testing.T) {
	const n, h = 13, 600
	m := newModel(t, Config{Seed: 7}, n, h)
	r := rand.New(rand.NewPCG(1, 2))
	w := m.Params.EncoderWeight
	for range 100 { // copies: longer, with noise and another mean, or turned round
		from, to, sign := r.IntN(h), r.IntN(h), float32(1-2*r.IntN(2))
		for j := range n {
			w[to*n+j] = sign*w[from*n+j] + 0.005*float32(r.NormFloat64()) + 5
		}
	}
	clear(w[:n]) // and units without weights
	clear(w[n : 2*n])
	want := 0
	for i := range h {
		for j := range h {
			if i != j && cosine(w[i*n:(i+1)*n], w[j*n:(j+1)*n]) > 0.9 {
				want++
				break
			}
		}
	}
	if got, of := m.TwinUnits(); got != want || want < 20 || of != h {
		t.Errorf("%d of %d units have a twin, want %d", got, of, want)
	}
	if got, _ := newModel(t, Config{}, n, 1).TwinUnits(); got != 0 {
		t.Errorf("a single unit has %d twins", got)
	}
	// Of one weight nothing is left without the mean.
	if got, of := newModel(t, Config{}, 1, 5000).TwinUnits(); got != 0 || of != 4096 {
		t.Errorf("%d of %d units have a twin", got, of)
	}
}

// cosine is that of two vectors less their means; 0 where one has no length.
func cosine(a, b []float32) float64 {
	mean := func(x []float32) (sum float64) {
		for _, v := range x {
			sum += float64(v) / float64(len(x))
		}
		return sum
	}
	ma, mb := mean(a), mean(b)
	var ab, aa, bb float64
	for i := range a {
		x, y := float64(a[i])-ma, float64(b[i])-mb
		ab, aa, bb = ab+x*y, aa+x*x, bb+y*y
	}
	if aa == 0 || bb == 0 {
		return 0
	}
	return ab / math.Sqrt(aa*bb)
}

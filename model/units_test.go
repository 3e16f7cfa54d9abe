package model

import (
	"math"
	"math/rand/v2"
	"testing"
)

// Units agree with sums over the codes of single rows, however these are split.
func TestUnitSums(t *testing.T) {
	const rows, h = 1000, 37
	r := rand.New(rand.NewPCG(1, 2))
	codes := make([]float32, rows*h)
	for i := range codes {
		codes[i] = float32(r.Float64() * float64(i%h) / h)
	}
	for _, c := range []Config{{Hidden: h}, {Hidden: h, Activation: Tanh}, {Hidden: h, Activation: ReLU}} {
		whole, parts := NewUnitSums(c), NewUnitSums(c)
		if whole.Units() != nil {
			t.Error("units of no rows")
		}
		whole.Add(codes)
		for at := 0; at < rows; {
			n := min(1+at%7, rows-at)
			parts.Add(codes[at*h : (at+n)*h])
			at += n
		}
		split := parts.Units()
		for i, u := range whole.Units() {
			if u != split[i] {
				t.Fatalf("unit %d: %+v, in parts %+v", i, u, split[i])
			}
			middle := float32(0)
			if c.Activation == Sigmoid {
				middle = 0.5
			}
			var mean float64
			active := 0
			low, high := codes[i], codes[i]
			for row := range rows {
				a := codes[row*h+i]
				mean += float64(a) / rows
				low, high = min(low, a), max(high, a)
				if a > middle {
					active++
				}
			}
			if c.Activation == Tanh {
				mean = (1 + mean) / 2
			}
			if math.Abs(u.Mean-mean) > 1e-12 || u.Low != low || u.High != high || u.Active != float64(active)/rows || u.Dense != (active > rows/2) {
				t.Errorf("%s unit %d: %+v, want mean %v, %v to %v, active on %d", c.Activation, i, u, mean, low, high, active)
			}
		}
	}
}

package f32

import (
	"math"
	"math/rand/v2"
	"testing"
)

// The row functions against their formulas in float64.
func TestRowFunctions(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	forClasses(t, func(t *testing.T) {
		for _, n := range []int{1, 2, 15, 16, 17, 64, 108, 784} {
			const m = 37
			x := normal(r, make([]float32, m*n))
			for i := range x {
				x[i] += 100 // a mean far from 0
			}
			mean, scale := normal(r, make([]float32, n)), normal(r, make([]float32, n))
			standard, contrast, clipped := clone(x), clone(x), clone(x)
			Standardize(standard, mean, scale)
			Contrast(contrast, n, 0.5, mean)
			Clip(clipped, n, 3, 0.25, 0.5)
			for i := range m {
				row := x[i*n : (i+1)*n]
				mu, variance := 0.0, 0.0
				for _, v := range row {
					mu += float64(v) / float64(n)
				}
				for _, v := range row {
					variance += (float64(v) - mu) * (float64(v) - mu) / float64(max(1, n-1))
				}
				for j, v := range row {
					d := float64(v) - mu
					for name, c := range map[string]struct {
						got  float32
						want float64
					}{
						"standardize": {standard[i*n+j], (float64(v) - float64(mean[j])) * float64(scale[j])},
						"contrast":    {contrast[i*n+j], d/math.Sqrt(variance+0.5) - float64(mean[j])},
						"clip":        {clipped[i*n+j], 0.25*max(-3, min(3, d)) + 0.5},
					} {
						if math.Abs(float64(c.got)-c.want) > 1e-5*max(1, math.Abs(c.want)) {
							t.Fatalf("%s, rows of %d: element %d of row %d is %v, want %v", name, n, j, i, c.got, c.want)
						}
					}
				}
			}
		}
	})
}

// Rows of equal elements have neither contrast nor rounding errors.
func TestFlatRows(t *testing.T) {
	forClasses(t, func(t *testing.T) {
		for _, n := range []int{1, 5, 16, 100} {
			for _, v := range []float32{0, 1. / 3, 0.1, 254. / 255, 1e6 + 0.3} {
				x := make([]float32, 3*n)
				fill(x, v)
				Contrast(x, n, 1e-4, nil)
				fill(x[n:2*n], v)
				Clip(x[n:2*n], n, 0, 0, 0.5)
				fill(x[2*n:], v)
				mean := make([]float32, n)
				fill(mean, v)
				Standardize(x[2*n:], mean, nil)
				for i, got := range x {
					if want := []float32{0, 0.5, 0}[i/n]; got != want {
						t.Fatalf("%d elements %v: function %d gives %v", n, v, i/n, got)
					}
				}
			}
		}
	})
}

func clone(x []float32) []float32 { return append([]float32(nil), x...) }

func fill(x []float32, v float32) {
	for i := range x {
		x[i] = v
	}
}

package f32

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
)

// sparseMatrix returns (m,n) elements, of which some are not 0.
func sparseMatrix(r *rand.Rand, m, n int, share float64) []float32 {
	x := make([]float32, m*n)
	for i := range x {
		if r.Float64() < share {
			x[i] = r.Float32()
		}
		if x[i] == 0 && r.IntN(2) == 0 {
			x[i] = float32(math.Copysign(0, -1))
		}
	}
	return x
}

func randomFloats(r *rand.Rand, n int) []float32 {
	return normal(r, make([]float32, n))
}

// Products with nonzeros alone have the bits of dense ones, on any number of
// cores.
func TestNonzeros(t *testing.T) {
	forClasses(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(1, 1))
		for _, s := range []struct{ m, n, h int }{{1, 1, 1}, {3, 17, 5}, {16, 16, 96}, {33, 300, 100}, {100, 321, 191}, {330, 70, 193}, {64, 784, 196}, {650, 20, 290}} {
			x := sparseMatrix(r, s.m, s.n, 0.2)
			w, delta := randomFloats(r, s.h*s.n), randomFloats(r, s.m*s.h)
			w[0] = 1e-30 // whose products vanish
			x[0] = 1e-30
			u, g := make([]float32, s.m*s.h), make([]float32, s.h*s.n)
			alpha := 1 / float32(s.m)
			Gemm(false, true, s.m, s.h, s.n, 1, x, s.n, w, s.n, 0, u, s.h)
			Gemm(true, false, s.h, s.n, s.m, alpha, delta, s.h, x, s.n, 0, g, s.n)
			z := NewNonzeros(s.m+5, s.n)
			for _, cores := range []int{1, 2, 5} {
				old := runtime.GOMAXPROCS(cores)
				name := fmt.Sprintf("%v, %d cores", s, cores)
				u2, g2 := randomFloats(r, len(u)), randomFloats(r, len(g))
				if s.m*s.n > 1000 && !z.Find(x) {
					t.Errorf("%s: not sparse", name)
				} else if z.Find(x) {
					if z.TimesTransposed(u2, w, s.h) != (s.h >= sliver) || !z.TransposedTimes(g2, alpha, delta, s.h) {
						t.Errorf("%s: not done", name)
					}
					if s.h >= sliver && !slices.EqualFunc(u2, u, sameBits) || !slices.EqualFunc(g2, g, sameBits) {
						t.Errorf("%s: other bits than dense", name)
					}
				}
				runtime.GOMAXPROCS(old)
			}
		}
	})
}

// What skipping zeros would get wrong, or slow, is left to dense products.
func TestNonzerosLeavesOthers(t *testing.T) {
	const m, n, h = 40, 64, 20
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	r := rand.New(rand.NewPCG(2, 2))
	z := NewNonzeros(m, n)
	for _, last := range []float32{-1e-45, nan, -nan, math.Float32frombits(0xffc00000), inf} {
		x := sparseMatrix(r, m, n, 0.1)
		x[len(x)-1] = last
		if z.Find(x) {
			t.Errorf("nonzeros found where an element is %v", last)
		}
	}
	if z.Find(sparseMatrix(r, m, n, 0.5)) {
		t.Error("half of the elements are few")
	}
	if !z.Find(sparseMatrix(r, m, n, 0.1)) {
		t.Fatal("a tenth of the elements are many")
	}
	for _, bad := range []float32{nan, inf} {
		w, a := randomFloats(r, h*n), randomFloats(r, m*h)
		w[5], a[7] = bad, bad
		if z.TimesTransposed(make([]float32, m*h), w, h) || z.TransposedTimes(make([]float32, h*n), 1, a, h) {
			t.Errorf("zeros are skipped beside %v", bad)
		}
	}
}

package f32

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// screening runs f in every class that has integers, whether they are faster
// there or not.
func screening(t *testing.T, f func(t *testing.T)) {
	forClasses(t, func(t *testing.T) {
		k := *active
		if k.integers == nil {
			t.Skip("no integers")
		}
		if k.screens = k.integers != nil; k.class.String() == "avx512" && !classes()[len(classes())-1].screens {
			t.Skip("no VNNI")
		}
		active = &k
		f(t)
	})
}

// A shortlist finds what a whole product has, to the bit, and knows the largest
// of columns.
func TestShortlist(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 10))
	normal := func(int) float32 { return float32(r.NormFloat64()) }
	for _, c := range []struct {
		name             string
		m, h, n, k       int
		x, w, bias       func(i int) float32
		odd              func(x, w, bias []float32)
		whole, anyNumber bool
	}{
		{name: "normal", m: 100, h: 500, n: 60, k: 9},
		{name: "long", m: 90, h: 450, n: 784, k: 25},
		{name: "short", m: 40, h: 33, n: 1, k: 1},
		{name: "three blocks", m: 33, h: 70, n: 901, k: 5},
		{name: "integers", m: 80, h: 300, n: 37, k: 7,
			x: func(int) float32 { return float32(r.IntN(5) - 2) }, w: func(int) float32 { return float32(r.IntN(5) - 2) }},
		{name: "zeros", m: 80, h: 300, n: 37, k: 7, x: func(int) float32 { return 0 }, bias: func(int) float32 { return 0 }},
		{name: "equal rows", m: 80, h: 300, n: 37, k: 7, x: func(i int) float32 { return float32(i % 37) }},
		{name: "positive", m: 80, h: 300, n: 200, k: 7,
			x: func(int) float32 { return r.Float32() }, w: func(int) float32 { return r.Float32() }},
		{name: "one large", m: 80, h: 300, n: 100, k: 7, odd: func(x, w, bias []float32) { x[5], w[3*100], bias[200] = 1e6, -1e5, 1e4 }},
		{name: "wide range", m: 80, h: 300, n: 100, k: 7,
			x: func(int) float32 { return float32(math.Exp(10 * r.NormFloat64())) }},
		{name: "tiny rows", m: 80, h: 300, n: 100, k: 7, odd: func(x, w, bias []float32) {
			for i := range 300 {
				x[i] *= 1e-30
			}
		}},
		{name: "not finite", m: 80, h: 300, n: 100, k: 7, anyNumber: true, odd: func(x, w, bias []float32) { x[150], x[999] = float32(math.NaN()), float32(math.Inf(1)) }},
		{name: "weights not finite", m: 80, h: 300, n: 100, k: 7, anyNumber: true, odd: func(x, w, bias []float32) { w[150] = float32(math.Inf(1)) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			draw := func(size int, value func(int) float32) []float32 {
				if value == nil {
					value = normal
				}
				x := make([]float32, size)
				for i := range x {
					x[i] = value(i)
				}
				return x
			}
			x, w, bias := draw(c.m*c.n, c.x), draw(c.h*c.n, c.w), draw(c.h, c.bias)
			if c.odd != nil {
				c.odd(x, w, bias)
			}
			screening(t, func(t *testing.T) {
				want, wantZ := NewSparse(c.m, c.h, c.m*c.k), make([]float32, c.m*c.h)
				Gemm(false, true, c.m, c.h, c.n, 1, x, c.n, w, c.n, 0, wantZ, c.h)
				want.SetLargest(wantZ, bias, c.k)
				var columns []Element
				for j := 0; j < c.h; j += 3 {
					columns = append(columns, Element{Column: int32(j)})
				}
				wantColumns := slices.Clone(columns)
				LargestOfColumns(wantColumns, wantZ, c.h)
				forWorkers(func() {
					l, got := NewShortlist(c.h, c.n, c.m), NewSparse(c.m, c.h, c.m*c.k)
					l.Set(w, bias)
					z, check := guarded(t, c.m*c.h, 3)
					l.Largest(got, z, x, c.k)
					check()
					if !slices.Equal(got.Start, want.Start) || !slices.Equal(got.Column, want.Column) || !slices.EqualFunc(got.Value, want.Value, sameBits) {
						t.Fatal("other elements than of the whole product")
					}
					if l.Memory() > 4*int64(ShortlistFloats(float64(c.h), float64(c.n), float64(c.m)))+1000 {
						t.Errorf("it takes %d bytes, more than foreseen", l.Memory())
					}
					found := slices.Clone(columns)
					l.LargestOfColumns(found)
					if !c.anyNumber && !slices.Equal(found, wantColumns) {
						t.Fatal("the largest of columns are others")
					}
					if n := len(l.likely); n > mostLikely*len(columns) {
						t.Errorf("%d elements wait, which is not bounded by the columns", n)
					}
				})
			})
		})
	}
}

// The bound holds for every estimate.
func TestShortlistBound(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 12))
	const m, h = 64, 200
	for _, n := range []int{1, 15, 16, 17, 100, 784} {
		x, w, bias := make([]float32, m*n), make([]float32, h*n), make([]float32, h)
		for _, p := range [][]float32{x, w, bias} {
			size := math.Exp(3 * r.NormFloat64())
			for i := range p {
				p[i] = float32(size * r.NormFloat64())
			}
		}
		screening(t, func(t *testing.T) {
			l, s, z := NewShortlist(h, n, m), NewSparse(m, h, m), make([]float32, m*h)
			l.Set(w, bias)
			l.Largest(s, z, x, 1)
			worst := 0.
			for i := range m {
				for j := range h {
					exact := float64(bias[j])
					for p := range n {
						exact += float64(x[i*n+p]) * float64(w[j*n+p])
					}
					worst = max(worst, math.Abs(exact-float64(z[i*h+j]))/float64(l.radius[i]))
				}
			}
			if !l.estimated || worst > 1 || n > 1 && worst < 1e-3 {
				t.Errorf("n = %d: an estimate is off by %v of the bound", n, worst)
			}
		})
	}
}

func BenchmarkShortlist(b *testing.B) {
	for _, c := range []struct{ m, h, n, k int }{{256, 1000, 784, 25}, {1024, 4096, 784, 32}, {1024, 16384, 768, 32}} {
		r := rand.New(rand.NewPCG(1, 2))
		z, w, x := make([]float32, c.m*c.h), make([]float32, c.h*c.n), make([]float32, c.m*c.n)
		normal(r, w)
		normal(r, x)
		s, l, bias := NewSparse(c.m, c.h, c.m*c.k), NewShortlist(c.h, c.n, c.m), make([]float32, c.h)
		l.Set(w, bias)
		for _, f := range []struct {
			name string
			call func()
		}{
			{"set", func() { l.Set(w, bias) }},
			{"largest", func() { l.Largest(s, z, x, c.k) }},
			{"whole", func() {
				Gemm(false, true, c.m, c.h, c.n, 1, x, c.n, w, c.n, 0, z, c.h)
				s.SetLargest(z, bias, c.k)
			}},
		} {
			b.Run(fmt.Sprintf("%s/%dx%dx%d/%d", f.name, c.m, c.h, c.n, c.k), func(b *testing.B) {
				for b.Loop() {
					f.call()
				}
			})
		}
	}
}

package f32

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// sparseCase is a random sparse matrix S (m,h), dense ones to multiply it by,
// and what comes of them, summed in float64.
type sparseCase struct {
	m, h, n, k   int
	alpha, decay float32
	raw, bias, z []float32 // (m,h), (h), and their sum
	w, x, y      []float32 // (h,n), (m,n), (m,n)
	dense        []float64 // S (m,h)
	inserted     []Element
	offset       int
}

// newSparseCase draws a case with elements of value.
func newSparseCase(r *rand.Rand, m, h, n, k int, value func() float32) *sparseCase {
	c := &sparseCase{
		m: m, h: h, n: n, k: k, offset: r.IntN(16),
		alpha: []float32{1, -2, 0.5}[r.IntN(3)], decay: []float32{0, 3}[r.IntN(2)],
		dense: make([]float64, m*h),
	}
	for _, x := range []struct {
		to   *[]float32
		size int
	}{{&c.raw, m * h}, {&c.bias, h}, {&c.w, h * n}, {&c.x, m * n}, {&c.y, m * n}} {
		for range x.size {
			*x.to = append(*x.to, value())
		}
	}
	for i, v := range c.raw {
		c.z = append(c.z, v+c.bias[i%h])
	}
	for i := range m {
		for j, v := range keepLargestSorted(c.z[i*h:(i+1)*h], k) {
			c.dense[i*h+j] = float64(v)
		}
	}
	for range r.IntN(4) {
		if at := r.IntN(m * h); c.dense[at] == 0 {
			e := Element{int32(at / h), int32(at % h), float32(1 + r.IntN(5))}
			c.dense[at] = float64(e.Value)
			c.inserted = append(c.inserted, e)
		}
	}
	return c
}

// run returns S (m,h), S^T (h,m), alpha S w (m,n), alpha S^T (x + y) +
// decay w (h,n), and x w^T where S is not 0 (m,h).
func (c *sparseCase) run(t *testing.T) [][]float32 {
	s, transposed, dots := NewSparse(c.m, c.h, c.m*c.k), new(Sparse), new(Sparse)
	z := slices.Clone(c.raw)
	s.SetLargest(z, c.bias, c.k)
	if !slices.Equal(z, c.z) {
		t.Fatal("SetLargest has not added the bias")
	}
	s.Insert(slices.Clone(c.inserted))
	transposed.Transpose(s)
	var out [][]float32
	var checks []func()
	add := func(size int) []float32 {
		x, check := guarded(t, size, c.offset)
		for i := range x {
			x[i] = float32(math.NaN())
		}
		out, checks = append(out, x), append(checks, check)
		return x
	}
	s.Fill(add(c.m * c.h))
	transposed.Fill(add(c.h * c.m))
	s.Product(add(c.m*c.n), c.n, c.alpha, c.w)
	SumProducts(add(c.h*c.n), c.n, c.alpha, transposed, c.x, transposed, c.y, c.decay, c.w)
	dots.Dots(s, c.x, c.w, c.n)
	dots.Fill(add(c.m * c.h))
	for _, check := range checks {
		check()
	}
	sums := make([]float64, c.h)
	s.ColumnSums(sums)
	for j, sum := range sums {
		want := 0.
		for i := range c.m {
			want += c.dense[i*c.h+j]
		}
		if math.Abs(sum-want) > 1e-12*float64(c.m)*(1+math.Abs(want)) {
			t.Fatalf("column %d adds up to %v, want %v", j, sum, want)
		}
	}
	return out
}

// exact returns what run does, and the sums of the sizes of the terms.
func (c *sparseCase) exact() (want, size [][]float64) {
	add := func(rows, columns, terms int, a func(i, p int) float64, b func(p, j int) float64, where func(i, j int) bool) {
		x, y := make([]float64, rows*columns), make([]float64, rows*columns)
		for i := range rows {
			for p := range terms {
				v := a(i, p)
				if v == 0 {
					continue
				}
				for j := range columns {
					if where == nil || where(i, j) {
						x[i*columns+j] += v * b(p, j)
						y[i*columns+j] += math.Abs(v * b(p, j))
					}
				}
			}
		}
		want, size = append(want, x), append(size, y)
	}
	s := func(i, j int) float64 { return c.dense[i*c.h+j] }
	alpha := float64(c.alpha)
	identity := func(p, j int) float64 {
		if p == j {
			return 1
		}
		return 0
	}
	add(c.m, c.h, c.h, s, identity, nil)
	add(c.h, c.m, c.m, func(i, p int) float64 { return s(p, i) }, identity, nil)
	add(c.m, c.n, c.h, func(i, p int) float64 { return alpha * s(i, p) }, func(p, j int) float64 { return float64(c.w[p*c.n+j]) }, nil)
	for _, x := range [][]float32{c.x, c.y} {
		add(c.h, c.n, c.m, func(i, p int) float64 { return alpha * s(p, i) }, func(p, j int) float64 { return float64(x[p*c.n+j]) }, nil)
	}
	for i := range want[3] {
		want[3][i] += want[4][i]
		size[3][i] += size[4][i]
	}
	want, size = want[:4], size[:4]
	for i, v := range c.w {
		want[3][i] += float64(c.decay) * float64(v)
		size[3][i] += math.Abs(float64(c.decay) * float64(v))
	}
	add(c.m, c.h, c.n, func(i, p int) float64 { return float64(c.x[i*c.n+p]) }, func(p, j int) float64 { return float64(c.w[j*c.n+p]) },
		func(i, j int) bool { return s(i, j) != 0 })
	return want, size
}

// check holds every class to the sums in float64, on any number of goroutines.
// AVX2 and AVX-512 give the same bits.
func (c *sparseCase) check(t *testing.T) {
	t.Helper()
	defer func(k *kernels) { active = k }(active)
	wants, sizes := c.exact()
	var fused [][]float32
	for _, active = range classes() {
		var first [][]float32
		forWorkers(func() {
			got := c.run(t)
			for i := range first {
				if !slices.EqualFunc(got[i], first[i], sameBits) {
					t.Fatalf("%v, %s: the number of goroutines changes the bits of output %d", active.class, c, i)
				}
			}
			first = got
		})
		for i, want := range wants {
			for j, v := range want {
				if got := float64(first[i][j]); !(math.Abs(got-v) <= 0x1p-24*float64(c.m+c.h+c.n)*sizes[i][j]) {
					t.Fatalf("%v, %s: element %d of output %d is %v, want %v", active.class, c, j, i, got, v)
				}
			}
			if active != &plain && fused != nil && !slices.EqualFunc(first[i], fused[i], sameBits) {
				t.Fatalf("%v, %s: output %d has not the bits of the class before", active.class, c, i)
			}
		}
		if active != &plain {
			fused = first
		}
	}
}

func (c *sparseCase) String() string {
	return fmt.Sprintf("%d rows, %d of %d columns, times %d", c.m, c.k, c.h, c.n)
}

// TestSparse multiplies matrices of many sizes, also past the width of a strip
// of registers, and of small integers, whose sums are exact.
func TestSparse(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	normal := func() float32 { return float32(r.NormFloat64()) }
	few := func() float32 { return float32(r.IntN(9) - 4) }
	for i, n := range []int{1, 2, 7, 8, 15, 16, 17, 31, 33, 47, 63, 64, 65, 79, 80, 81, 95, 100, 127, 129, 255, 256, 257, 300, 336, 337, 784} {
		for _, value := range []func() float32{normal, few} {
			m, h := 1+r.IntN(40), 1+r.IntN(10+20*i)
			newSparseCase(r, m, h, n, 1+r.IntN(min(h, 20)), value).check(t)
		}
	}
	newSparseCase(r, 300, 500, 120, 9, normal).check(t) // several items of a job
}

// TestLargestOfColumns looks for what is largest in more columns than an item
// has.
func TestLargestOfColumns(t *testing.T) {
	const m, n = 50, 200
	r := rand.New(rand.NewPCG(7, 8))
	z := make([]float32, m*n)
	for i := range z {
		z[i] = float32(r.IntN(60) - 80)
	}
	var elements, want []Element
	for j := 3; j < n; j += 2 {
		best := Element{0, int32(j), z[j]}
		for i := range m {
			if v := z[i*n+j]; v > best.Value {
				best.Row, best.Value = int32(i), v
			}
		}
		elements, want = append(elements, Element{9, int32(j), 99}), append(want, best)
	}
	forWorkers(func() {
		got := slices.Clone(elements)
		LargestOfColumns(got, z, n)
		if !slices.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	})
	LargestOfColumns(nil, z, n)
}

func TestTranspose(t *testing.T) {
	forClasses(t, func(t *testing.T) {
		for _, m := range []int{1, 15, 16, 17, 40} {
			for n := range 40 {
				if n == 0 {
					continue
				}
				src, want := make([]float32, m*n), make([]float32, m*n)
				for i := range src {
					src[i] = float32(i)
					want[i%n*m+i/n] = float32(i)
				}
				forWorkers(func() {
					dst, check := guarded(t, m*n, n%16)
					Transpose(dst, src, n)
					check()
					if !slices.Equal(dst, want) {
						t.Fatalf("(%d,%d) is not transposed", m, n)
					}
				})
			}
		}
	})
}

// FuzzSparse is TestSparse with any sizes.
func FuzzSparse(f *testing.F) {
	f.Add(uint8(3), uint16(100), uint16(70), uint8(5), uint64(1), true)
	f.Add(uint8(200), uint16(30), uint16(257), uint8(29), uint64(2), false)
	f.Fuzz(func(t *testing.T, rows uint8, columns, width uint16, k uint8, seed uint64, integers bool) {
		r := rand.New(rand.NewPCG(seed, 3))
		h := 1 + int(columns)%600
		value := func() float32 { return float32(r.NormFloat64()) }
		if integers {
			value = func() float32 { return float32(r.IntN(9) - 4) }
		}
		newSparseCase(r, 1+int(rows), h, 1+int(width)%400, 1+int(k)%h, value).check(t)
	})
}

// What is not a number, or not finite, stays so.
func TestSparseNotFinite(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	forClasses(t, func(t *testing.T) {
		for _, n := range []int{1, 16, 40, 300} {
			for _, odd := range []float32{inf, nan} {
				s := NewSparse(1, 3, 2)
				s.SetLargest([]float32{1, 5, 2}, make([]float32, 3), 2)
				w := make([]float32, 3*n)
				w[2*n-1] = odd
				u := make([]float32, n)
				s.Product(u, n, 1, w)
				d := new(Sparse)
				x := slices.Repeat([]float32{1}, n)
				d.Dots(s, x, w, n)
				if v := u[n-1]; v-v == 0 || d.Value[0]-d.Value[0] == 0 || d.Value[1] != 0 {
					t.Errorf("%v became %v in a product and %v in dots", odd, v, d.Value)
				}
			}
		}
		s := NewSparse(1, 40, 2)
		z := make([]float32, 40)
		z[7], z[33] = nan, inf
		s.SetLargest(z, make([]float32, 40), 1)
		if len(s.Value) != 1 || s.Value[0] == s.Value[0] {
			t.Errorf("of NaN and infinity %v is kept", s.Value)
		}
	})
}

func BenchmarkSparse(b *testing.B) {
	for _, c := range []struct{ m, h, n, k int }{{256, 1000, 784, 25}, {1024, 4096, 784, 32}} {
		r := rand.New(rand.NewPCG(1, 2))
		z, w, x, g := make([]float32, c.m*c.h), make([]float32, c.h*c.n), make([]float32, c.m*c.n), make([]float32, c.h*c.n)
		normal(r, z)
		normal(r, w)
		normal(r, x)
		s, transposed, dots := NewSparse(c.m, c.h, c.m*c.k), new(Sparse), new(Sparse)
		bias := make([]float32, c.h)
		s.SetLargest(z, bias, c.k)
		transposed.Transpose(s)
		u := make([]float32, c.m*c.n)
		for _, f := range []struct {
			name string
			call func()
		}{
			{"largest", func() { s.SetLargest(z, bias, c.k) }},
			{"product", func() { s.Product(u, c.n, 1, w) }},
			{"dots", func() { dots.Dots(s, x, w, c.n) }},
			{"transpose", func() { transposed.Transpose(s) }},
			{"gradient", func() { SumProducts(g, c.n, 1, transposed, x, transposed, u, 0.1, w) }},
			{"dense", func() { Gemm(false, true, c.m, c.h, c.n, 1, x, c.n, w, c.n, 0, z, c.h) }},
		} {
			b.Run(fmt.Sprintf("%s/%dx%dx%d", f.name, c.m, c.h, c.k), func(b *testing.B) {
				for b.Loop() {
					f.call()
				}
			})
		}
	}
}

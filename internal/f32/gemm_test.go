package f32

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
	"time"
)

// guard surrounds every slice that a kernel may write.
const guard = float32(-12345.678)

// guarded returns n elements inside a larger slice of guard words, and a
// check that nothing outside was written.
func guarded(t *testing.T, n, offset int) ([]float32, func()) {
	t.Helper()
	whole := make([]float32, n+offset+40)
	for i := range whole {
		whole[i] = guard
	}
	return whole[offset : offset+n : offset+n], func() {
		t.Helper()
		for i, v := range whole {
			if (i < offset || i >= offset+n) && v != guard {
				t.Fatalf("wrote outside: element %d of %d", i-offset, n)
			}
		}
	}
}

// forClasses runs f with every class of kernels that this machine has.
func forClasses(t *testing.T, f func(t *testing.T)) {
	was := active
	defer func() { active = was }()
	for _, k := range classes() {
		active = k
		t.Run(k.class.String(), f)
	}
}

// forWorkers runs f with several numbers of goroutines.
func forWorkers(f func()) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	for _, n := range []int{1, 2, 5} {
		runtime.GOMAXPROCS(n)
		f()
	}
}

type matrix struct {
	x     []float32
	ld    int
	trans bool
}

// newMatrix stores a (rows,cols) matrix with the given values, transposed or
// not, in rows that are odd apart.
func newMatrix(rows, cols int, trans bool, pad int, at func(i, j int) float32) matrix {
	r, c := rows, cols
	if trans {
		r, c = c, r
	}
	m := matrix{make([]float32, max(0, (r-1)*(c+pad)+c)), max(c+pad, 1), trans}
	for i := range m.x {
		m.x[i] = float32(math.NaN()) // what no product may read
	}
	for i := range rows {
		for j := range cols {
			m.x[m.index(i, j)] = at(i, j)
		}
	}
	return m
}

func (m matrix) index(i, j int) int {
	if m.trans {
		i, j = j, i
	}
	return i*m.ld + j
}

// Small integers make every order of a sum exact.
func integers(r *rand.Rand) func(i, j int) float32 {
	return func(int, int) float32 { return float32(r.IntN(17) - 8) }
}

func checkGemm(t *testing.T, r *rand.Rand, m, n, k int, transA, transB bool, alpha, beta float32, run func(func())) {
	t.Helper()
	a := newMatrix(m, k, transA, r.IntN(4), integers(r))
	b := newMatrix(k, n, transB, r.IntN(4), integers(r))
	ldc := n + r.IntN(3)
	c, check := guarded(t, (m-1)*ldc+n, r.IntN(16))
	want := slices.Clone(c)
	for i := range m {
		for j := range n {
			old := float32(r.IntN(9))
			if beta == 0 {
				old = float32(math.NaN())
			}
			c[i*ldc+j] = old
			var s float32
			for p := range k {
				s += a.x[a.index(i, p)] * b.x[b.index(p, j)]
			}
			s *= alpha
			if beta != 0 {
				s += beta * old
			}
			want[i*ldc+j] = s
		}
	}
	before := slices.Clone(c)
	run(func() {
		copy(c, before)
		Gemm(transA, transB, m, n, k, alpha, a.x, a.ld, b.x, b.ld, beta, c, ldc)
		check()
		for i, v := range c {
			if v != want[i] {
				t.Fatalf("(%d,%d,%d) trans %v %v alpha %v beta %v: element (%d,%d) is %v, want %v",
					m, n, k, transA, transB, alpha, beta, i/ldc, i%ldc, v, want[i])
			}
		}
	})
}

func once(f func()) { f() }

// everyClass runs f with every class and several numbers of goroutines.
func everyClass(f func()) {
	defer func(k *kernels) { active = k }(active)
	for _, active = range classes() {
		forWorkers(f)
	}
}

func TestGemmSmallSizes(t *testing.T) {
	forClasses(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(1, 2))
		sizes := []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 15, 16, 17, 23, 24, 25, 31, 32, 33, 34, 47, 48, 49}
		for _, m := range sizes {
			for _, n := range sizes {
				k := 1 + r.IntN(40)
				for trans := range 4 {
					alpha, beta := float32(1), float32(0)
					switch r.IntN(3) {
					case 1:
						beta = 1
					case 2:
						alpha, beta = -2, 3
					}
					checkGemm(t, r, m, n, k, trans&1 != 0, trans&2 != 0, alpha, beta, once)
				}
			}
		}
	})
}

func TestGemmBlocks(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for _, s := range [][3]int{{37, 70, 1030}, {130, 41, 513}, {1, 300, 600}, {300, 1, 512}, {65, 333, 64}, {50, 25, 1537}, {20, 700, 500}} {
		for trans := range 4 {
			checkGemm(t, r, s[0], s[1], s[2], trans&1 != 0, trans&2 != 0, 1, float32(trans&1), everyClass)
		}
	}
}

func TestGemmEmpty(t *testing.T) {
	c := []float32{1, float32(math.NaN()), 3}
	Gemm(false, false, 1, 3, 0, 1, nil, 1, nil, 3, 0, c, 3)
	if !slices.Equal(c, make([]float32, 3)) {
		t.Errorf("k = 0, beta = 0 left %v", c)
	}
	c = []float32{1, 2, 3}
	Gemm(false, false, 1, 3, 0, 1, nil, 1, nil, 3, 2, c, 3)
	if !slices.Equal(c, []float32{2, 4, 6}) {
		t.Errorf("k = 0, beta = 2 left %v", c)
	}
	Gemm(false, false, 0, 3, 2, 1, nil, 2, make([]float32, 6), 3, 0, nil, 3)
}

// TestGemmAccuracy compares random products with float64 sums.
func TestGemmAccuracy(t *testing.T) {
	forClasses(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(7, 8))
		const m, n, k = 31, 45, 900
		random := func(int, int) float32 { return float32(r.NormFloat64()) }
		for trans := range 4 {
			a, b := newMatrix(m, k, trans&1 != 0, 1, random), newMatrix(k, n, trans&2 != 0, 2, random)
			c := make([]float32, m*n)
			Gemm(trans&1 != 0, trans&2 != 0, m, n, k, 1, a.x, a.ld, b.x, b.ld, 0, c, n)
			for i := range m {
				for j := range n {
					var want, size float64
					for p := range k {
						v := float64(a.x[a.index(i, p)]) * float64(b.x[b.index(p, j)])
						want += v
						size += math.Abs(v)
					}
					if math.Abs(float64(c[i*n+j])-want) > 0x1p-24*size*math.Sqrt(k) {
						t.Fatalf("(%d,%d): %v, want %v", i, j, c[i*n+j], want)
					}
				}
			}
		}
	})
}

// TestGemmOrder: an element depends on its row of A, its column of B and k,
// not on the rest of the product, strides, transposes or goroutines.
func TestGemmOrder(t *testing.T) {
	forClasses(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(9, 10))
		const m, n, k = 61, 99, 1100
		random := func(int, int) float32 { return float32(r.NormFloat64()) }
		a, b := newMatrix(m, k, false, 0, random), newMatrix(k, n, false, 0, random)
		want := make([]float32, m*n)
		Gemm(false, false, m, n, k, 1, a.x, k, b.x, n, 0, want, n)
		forWorkers(func() {
			for trans := range 4 {
				x := newMatrix(m, k, trans&1 != 0, 3, func(i, j int) float32 { return a.x[a.index(i, j)] })
				y := newMatrix(k, n, trans&2 != 0, 1, func(i, j int) float32 { return b.x[b.index(i, j)] })
				got := make([]float32, m*n)
				Gemm(x.trans, y.trans, m, n, k, 1, x.x, x.ld, y.x, y.ld, 0, got, n)
				if !slices.Equal(got, want) {
					t.Fatalf("transposes %v %v change the bits", x.trans, y.trans)
				}
				i, j := r.IntN(m), r.IntN(n)
				rows, cols := 1+r.IntN(m-i), 1+r.IntN(n-j)
				part := make([]float32, rows*cols)
				Gemm(x.trans, y.trans, rows, cols, k, 1, x.x[x.index(i, 0):], x.ld, y.x[y.index(0, j):], y.ld, 0, part, cols)
				for l := range rows {
					if !slices.Equal(part[l*cols:(l+1)*cols], want[(i+l)*n+j:(i+l)*n+j+cols]) {
						t.Fatalf("%d rows from %d, %d columns from %d: other bits", rows, i, cols, j)
					}
				}
			}
		})
	})
}

// TestGemmFusedClasses: AVX2 and AVX-512 fuse and sum alike.
func TestGemmFusedClasses(t *testing.T) {
	defer func(k *kernels) { active = k }(active)
	r := rand.New(rand.NewPCG(11, 12))
	const m, n, k = 33, 61, 700
	random := func(int, int) float32 { return float32(r.NormFloat64()) }
	a, b := newMatrix(m, k, false, 0, random), newMatrix(k, n, true, 0, random)
	old := newMatrix(m, n, false, 0, random)
	var want []float32
	for _, active = range classes()[1:] {
		got := slices.Clone(old.x)
		Gemm(false, true, m, n, k, 0.3, a.x, a.ld, b.x, b.ld, 0.7, got, n)
		if want != nil && !slices.Equal(got, want) {
			t.Errorf("%v gives other bits than the class before", active.class)
		}
		want = got
	}
}

func TestGemmPanics(t *testing.T) {
	for name, f := range map[string]func(){
		"short A": func() {
			Gemm(false, false, 2, 2, 2, 1, make([]float32, 3), 2, make([]float32, 4), 2, 0, make([]float32, 4), 2)
		},
		"ldb": func() {
			Gemm(false, false, 2, 2, 2, 1, make([]float32, 4), 2, make([]float32, 4), 1, 0, make([]float32, 4), 2)
		},
		"short C": func() {
			Gemm(false, false, 2, 2, 2, 1, make([]float32, 4), 2, make([]float32, 4), 2, 0, make([]float32, 3), 2)
		},
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			f()
		}()
	}
}

var gemmShapes = [][3]int{
	{256, 196, 784}, {256, 784, 196}, {1024, 500, 784}, {784, 500, 1024}, {4096, 1600, 108}, {4096, 25, 64},
	{196, 784, 256}, {784, 196, 256}, // gradients
}

// BenchmarkGemm gives the mean rate and that of the fastest call, which other
// work on the machine disturbs least. Measure each number of cores in a run
// of its own: -cpu 1,2 runs all sub-benchmarks with one of the two.
func BenchmarkGemm(b *testing.B) {
	for _, s := range gemmShapes {
		m, n, k := s[0], s[1], s[2]
		x, y, z := make([]float32, m*k), make([]float32, k*n), make([]float32, m*n)
		for i := range x {
			x[i] = float32(i%7) - 3
		}
		for i := range y {
			y[i] = float32(i%5) - 2
		}
		for _, trans := range []string{"NN", "NT", "TN"} {
			tA, tB := trans[0] == 'T', trans[1] == 'T'
			lda, ldb := k, n
			if tA {
				lda = m
			}
			if tB {
				ldb = k
			}
			b.Run(fmt.Sprintf("%dx%dx%d/%s", m, n, k, trans), func(b *testing.B) {
				best := time.Duration(math.MaxInt64)
				for b.Loop() {
					start := time.Now()
					Gemm(tA, tB, m, n, k, 1, x, lda, y, ldb, 0, z, n)
					best = min(best, time.Since(start))
				}
				flop := 2 * float64(m*n*k)
				b.ReportMetric(flop*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
				b.ReportMetric(flop/best.Seconds()/1e9, "best-GFLOP/s")
			})
		}
	}
}

package f32

import (
	"maps"
	"math"
	"slices"
	"testing"
)

// FuzzElementwise runs a function of the package on rows of any size, with
// odd numbers among them, in each class and with several numbers of
// goroutines.
func FuzzElementwise(f *testing.F) {
	all := calls()
	names := slices.Sorted(maps.Keys(all))
	for i := range names {
		f.Add(uint8(i), uint16(7), uint16(37+i), uint64(i), i%2 == 0)
		f.Add(uint8(i), uint16(100), uint16(399-i), uint64(i), i%2 != 0)
	}
	f.Fuzz(func(t *testing.T, function uint8, rows, columns uint16, seed uint64, odd bool) {
		name := names[int(function)%len(names)]
		n := 1 + int(columns)%1000
		m := 1 + int(rows)%(2*chunk/n+2) // up to three items of a job
		const tolerance = 1e-5           // of terms up to 104, whose differences may be near 0
		agree(t, name, m, n, tolerance, func() (want [][]float32, wantSums []float64) {
			forWorkers(func() {
				got, sums := all[name](t, newSource(seed, 1, odd), m, n)
				for i := range want {
					if !slices.EqualFunc(got[i], want[i], sameBits) {
						t.Fatalf("%s, %v, %d rows of %d: output %d depends on the number of goroutines", name, active.class, m, n, i)
					}
				}
				if want != nil && !slices.EqualFunc(sums, wantSums, same[float64]) {
					t.Fatalf("%s, %v, %d rows of %d: a sum depends on the number of goroutines", name, active.class, m, n)
				}
				want, wantSums = got, sums
			})
			return want, wantSums
		})
	})
}

func sameBits(a, b float32) bool { return math.Float32bits(a) == math.Float32bits(b) }

// FuzzGemm multiplies matrices of any size, stride and transposition. Small
// integers must give exact products. Otherwise each class is near to sums in
// float64, AVX2 and AVX-512 give the same bits, and so do all numbers of
// goroutines; what is not a number, or not finite, stays so.
func FuzzGemm(f *testing.F) {
	for i := range 16 {
		f.Add(uint8(7*i), uint8(9*i+1), uint16(83*i), uint8(i), uint64(i))
	}
	f.Fuzz(func(t *testing.T, rows, columns uint8, length uint16, flags uint8, seed uint64) {
		r := newSource(seed, 2, flags&8 != 0)
		m, n := 1+int(rows), 1+int(columns)
		k := 1 + int(length)%min(1200, 4*serial/(m*n)) // products that goroutines share, but quick ones
		transA, transB := flags&1 != 0, flags&2 != 0
		alpha := []float32{1, -2, 0.5, 0}[flags>>4&3]
		beta := []float32{0, 1, 3, -0.5}[flags>>6&3]
		if flags&4 == 0 {
			checkGemm(t, r.Rand, m, n, k, transA, transB, alpha, beta, everyClass)
			return
		}
		random := func(int, int) float32 {
			if r.odd && r.IntN(2*k) == 0 {
				return oddities[r.IntN(len(oddities))]
			}
			return float32(r.NormFloat64())
		}
		g := product{
			a:     newMatrix(m, k, transA, r.IntN(20), random),
			b:     newMatrix(k, n, transB, r.IntN(20), random),
			c:     newMatrix(m, n, false, 0, random),
			alpha: alpha, beta: beta, m: m, n: n, k: k, ldc: n + r.IntN(20), offset: r.IntN(16),
		}
		g.check(t)
	})
}

// product is one call of Gemm.
type product struct {
	a, b, c              matrix
	alpha, beta          float32
	m, n, k, ldc, offset int
}

func (g product) check(t *testing.T) {
	var exact, tolerance []float64
	for i := range g.m {
		for j := range g.n {
			v, e := g.exact(i, j)
			exact, tolerance = append(exact, v), append(tolerance, e)
		}
	}
	var fused []float32
	defer func(k *kernels) { active = k }(active)
	for _, active = range classes() {
		var first []float32
		forWorkers(func() {
			got := g.run(t)
			if first != nil && !slices.EqualFunc(got, first, sameBits) {
				t.Fatalf("%v, (%d,%d,%d): the number of goroutines changes the bits", active.class, g.m, g.n, g.k)
			}
			first = got
		})
		for i, want := range exact {
			if got := float64(first[i]); !same(got, want) && !(math.Abs(got-want) <= tolerance[i]) {
				t.Fatalf("%v, (%d,%d,%d): element (%d,%d) is %v, want %v", active.class, g.m, g.n, g.k, i/g.n, i%g.n, got, want)
			}
		}
		if active == &plain {
			continue
		}
		if fused != nil && !slices.EqualFunc(first, fused, same[float32]) {
			t.Fatalf("%v, (%d,%d,%d): not the bits of the class before", active.class, g.m, g.n, g.k)
		}
		fused = first
	}
}

// run returns C (m,n), computed in rows that are ldc apart.
func (g product) run(t *testing.T) []float32 {
	c, check := guarded(t, (g.m-1)*g.ldc+g.n, g.offset)
	for i := range g.m {
		copy(c[i*g.ldc:], g.c.x[i*g.n:(i+1)*g.n])
	}
	Gemm(g.a.trans, g.b.trans, g.m, g.n, g.k, g.alpha, g.a.x, g.a.ld, g.b.x, g.b.ld, g.beta, c, g.ldc)
	check()
	var dense []float32
	for i := range g.m {
		dense = append(dense, c[i*g.ldc:i*g.ldc+g.n]...)
		for j := i*g.ldc + g.n; j < min((i+1)*g.ldc, len(c)); j++ {
			if c[j] != guard {
				t.Fatalf("(%d,%d,%d): wrote between rows", g.m, g.n, g.k)
			}
		}
	}
	return dense
}

// exact returns an element of the product in float64, and how far the sum in
// float32 may be from it.
func (g product) exact(i, j int) (want, tolerance float64) {
	size := 0.
	if g.alpha != 0 {
		for p := range g.k {
			v := float64(g.a.x[g.a.index(i, p)]) * float64(g.b.x[g.b.index(p, j)])
			want += v
			size += math.Abs(v)
		}
		want *= float64(g.alpha)
		size *= math.Abs(float64(g.alpha))
	}
	if g.beta != 0 {
		v := float64(g.beta) * float64(g.c.x[i*g.n+j])
		want += v
		size += math.Abs(v)
	}
	return want, 0x1p-24*size*float64(g.k+3) + 1e-37
}

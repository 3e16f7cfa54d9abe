package f32

import (
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// ulps is the distance of got from the exact value in units in the last place
// of the float32 nearest to it.
func ulps(got float32, exact float64) float64 {
	near := float32(exact)
	if got == near || got != got && near != near {
		return 0
	}
	up := math.Nextafter32(abs(near), float32(math.Inf(1)))
	unit := float64(up) - float64(abs(near))
	if math.IsInf(unit, 0) || unit != unit {
		return math.Inf(1)
	}
	return math.Abs(float64(got)-exact) / unit
}

func exactSigmoid(z float64) float64 {
	z = max(-30, min(z, 30))
	return 1 / (1 + math.Exp(-z))
}

// TestErrorBounds holds the bounds that the package comment states, at every
// 1000th float32.
func TestErrorBounds(t *testing.T) {
	const bound = 3
	functions := map[string]struct {
		call  func(x []float32)
		exact func(x float64) float64
		limit float64
	}{
		"sigmoid": {func(x []float32) { Activate(Sigmoid, x, make([]float32, len(x))) }, exactSigmoid, math.Inf(1)},
		"tanh":    {func(x []float32) { Activate(Tanh, x, make([]float32, len(x))) }, math.Tanh, math.Inf(1)},
	}
	forClasses(t, func(t *testing.T) {
		for name, f := range functions {
			var worst, at float64
			x, y := make([]float32, 0, 1<<12), make([]float32, 1<<12)
			flush := func() {
				n := copy(y, x)
				f.call(y[:n])
				for i, v := range x {
					if e := ulps(y[i], f.exact(float64(v))); !(e <= worst) {
						worst, at = e, float64(v)
					}
				}
				x = x[:0]
			}
			for b := uint64(0); b < 1<<32; b += 9973 {
				if v := math.Float32frombits(uint32(b)); v == v {
					if x = append(x, v); len(x) == cap(x) {
						flush()
					}
				}
			}
			flush()
			t.Logf("%s: %.2f ulps at %v", name, worst, at)
			if !(worst <= bound) {
				t.Errorf("%s: %v ulps at %v, more than %d", name, worst, at, bound)
			}
		}
		// softplus(u) is the cross-entropy of the target 0.
		var worst, at float64
		zero := []float32{0}
		for u := -100.0; u <= 100; u += 0.0117 {
			z := []float32{float32(u)}
			u := float64(z[0])
			got := OutputDelta(Sigmoid, CrossEntropy, z, zero, zero)
			exact := max(u, 0) + math.Log1p(math.Exp(-math.Abs(u)))
			if math.Abs(u) > 87 {
				continue // there exp(-|u|) is denormal
			}
			if e := ulps(float32(got), exact); !(e <= worst) {
				worst, at = e, u
			}
		}
		t.Logf("softplus: %.2f ulps at %v", worst, at)
		if !(worst <= bound) {
			t.Errorf("softplus: %v ulps at %v, more than %d", worst, at, bound)
		}
	})
}

func TestSpecialValues(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	forClasses(t, func(t *testing.T) {
		for f, want := range map[Activation][]float32{
			Sigmoid: {sigmoid(-30), sigmoid(30), nan, 0.5, 0.5},
			Tanh:    {-1, 1, nan, 0, float32(math.Copysign(0, -1))},
			ReLU:    {0, inf, nan, 0, 0},
			Linear:  {-inf, inf, nan, 0, 0},
		} {
			for _, payload := range []uint32{0x7fc00000, 0x7fc000ff, 0xffc12345, 0x7fffffff} {
				z := []float32{-inf, inf, math.Float32frombits(payload), 0, float32(math.Copysign(0, -1))}
				Activate(f, z, make([]float32, len(z)))
				for i := range z {
					if e := ulps(z[i], float64(want[i])); e > 2 {
						t.Errorf("activation %d: element %d is %v, want %v", f, i, z[i], want[i])
					}
				}
			}
		}
		for _, g := range []Activation{Sigmoid, Tanh, ReLU, Linear} {
			u := []float32{nan, 0}
			if l := OutputDelta(g, Squared, u, []float32{0, 0}, []float32{0, 0}); !math.IsNaN(l) || u[0] == u[0] && g != ReLU {
				t.Errorf("activation %d: NaN gave loss %v, delta %v", g, l, u[0])
			}
		}
		u := []float32{nan}
		if l := OutputDelta(Sigmoid, CrossEntropy, u, []float32{0}, []float32{0}); !math.IsNaN(l) || u[0] == u[0] {
			t.Errorf("cross-entropy: NaN gave loss %v, delta %v", l, u[0])
		}
		p, g, m, v := []float32{1}, []float32{nan}, []float32{0}, []float32{0}
		Adam(p, g, m, v, AdamConfig{LearningRate: 0.1, Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8, Step: 1})
		if p[0] == p[0] || m[0] == m[0] || v[0] == v[0] {
			t.Errorf("Adam hid a NaN: %v %v %v", p, m, v)
		}
		p, g, m, v = []float32{1}, []float32{0}, []float32{0x1p-126}, []float32{0x1.8p-126}
		Adam(p, g, m, v, AdamConfig{LearningRate: 0.1, Beta1: 0.5, Beta2: 0.5, Epsilon: 1e-8, Step: 9})
		if m[0] != 0 || v[0] != 0 {
			t.Errorf("denormal moments are %v and %v", m, v)
		}
		x := []float32{1, nan, 3}
		if Clip(x, 3, 1, 1, 0); x[0] == x[0] || x[1] == x[1] || x[2] == x[2] {
			t.Errorf("Clip hid a NaN: %v", x)
		}
		for _, f := range []Activation{ReLU, Linear} {
			d := []float32{5}
			HiddenDelta(f, d, []float32{1}, nil, []float32{nan}, 1)
			if d[0] != 5 {
				t.Errorf("activation %d: a second derivative makes %v of 5", f, d[0])
			}
		}
	})
}

// A call is one function of the package on m rows of n random elements. It
// returns every slice and sum that the function computed.
type call func(t *testing.T, r source, m, n int) ([][]float32, []float64)

// A source gives elements: normal ones, and if it is odd some of oddities
// among them.
type source struct {
	*rand.Rand
	odd bool
}

func newSource(seed1, seed2 uint64, odd bool) source {
	return source{rand.New(rand.NewPCG(seed1, seed2)), odd}
}

// oddities are not so large that products of two overflow.
var oddities = []float32{
	0, float32(math.Copysign(0, -1)), math.SmallestNonzeroFloat32, -0x1p-130, 0x1p-126, -0x1p-60,
	1, -30, 88.8, -104, 1 << 24, 1e12, -1e18,
	float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1)),
}

func (s source) fill(x []float32) []float32 {
	normal(s.Rand, x)
	if s.odd {
		for range len(x)/4 + 1 {
			x[s.IntN(len(x))] = oddities[s.IntN(len(oddities))]
		}
	}
	return x
}

func normal(r *rand.Rand, x []float32) []float32 {
	for i := range x {
		x[i] = 4 * float32(r.NormFloat64())
	}
	return x
}

// unaligned returns n elements that start anywhere.
func unaligned(r source, n int) []float32 {
	o := r.IntN(16)
	return r.fill(make([]float32, n+o))[o:]
}

// codes returns values of f, for slopes.
func codes(f Activation, r source, n int) []float32 {
	x := unaligned(r, n)
	activatePlain(f, x, make([]float32, n))
	return x
}

func calls() map[string]call {
	all := map[string]call{}
	add := func(name string, c call) { all[name] = c }
	// written returns a guarded slice of random values and its check.
	written := func(t *testing.T, r source, n int) ([]float32, func()) {
		x, check := guarded(t, n, r.IntN(16))
		return r.fill(x), check
	}
	for _, f := range []Activation{Sigmoid, Tanh, ReLU, Linear} {
		add(fmt.Sprintf("activate%d", f), func(t *testing.T, r source, m, n int) ([][]float32, []float64) {
			z, check := written(t, r, m*n)
			Activate(f, z, unaligned(r, n))
			check()
			return [][]float32{z}, nil
		})
		add(fmt.Sprintf("slope%d", f), func(t *testing.T, r source, m, n int) ([][]float32, []float64) {
			z, check := written(t, r, m*n)
			Slope(f, z, codes(f, r, m*n))
			check()
			return [][]float32{z}, nil
		})
		for bits := range 4 {
			add(fmt.Sprintf("hiddenDelta%d-%d", f, bits), func(t *testing.T, r source, m, n int) ([][]float32, []float64) {
				d, check := written(t, r, m*n)
				var c, k []float32
				if bits&1 != 0 {
					c = unaligned(r, n)
				}
				if bits&2 != 0 {
					k = unaligned(r, n)
				}
				a := codes(f, r, m*n)
				if f == Tanh {
					// 1 - a^2, fused or not, differs by what a large d shows.
					for _, x := range [][]float32{d, c, k} {
						clipPlain(16, x)
					}
				}
				HiddenDelta(f, d, a, c, k, n)
				check()
				return [][]float32{d}, nil
			})
		}
		add(fmt.Sprintf("squared%d", f), func(t *testing.T, r source, m, n int) ([][]float32, []float64) {
			u, check := written(t, r, m*n)
			l := OutputDelta(f, Squared, u, unaligned(r, n), codes(f, r, m*n))
			check()
			return [][]float32{u}, []float64{l}
		})
	}
	add("crossEntropy", func(t *testing.T, r source, m, n int) ([][]float32, []float64) {
		u, check := written(t, r, m*n)
		l := OutputDelta(Sigmoid, CrossEntropy, u, unaligned(r, n), codes(Sigmoid, r, m*n))
		check()
		return [][]float32{u}, []float64{l}
	})
	add("sums", func(t *testing.T, r source, m, n int) ([][]float32, []float64) {
		x := unaligned(r, m*n)
		sums, rows := make([]float64, 3*n+2), make([]float64, m)
		sums[n], sums[2*n+1] = 5, 7
		ColumnSums(sums[:n], x)
		ColumnSums(sums[:n], x) // added to what is there
		ColumnSumSquares(sums[n+1:2*n+1], x)
		if sums[n] != 5 || sums[2*n+1] != 7 {
			t.Error("wrote outside")
		}
		RowSumSquares(rows, x, n)
		return nil, append(append(sums, rows...), SumSquares(x))
	})
	add("axpy", func(t *testing.T, r source, m, n int) ([][]float32, []float64) {
		y, check := written(t, r, m*n)
		Axpy(-1.37, unaligned(r, m*n), y)
		Scale(0.77, y)
		check()
		return [][]float32{y}, nil
	})
	add("standardize", func(t *testing.T, r source, m, n int) ([][]float32, []float64) {
		var out [][]float32
		for range 5 {
			x, check := written(t, r, m*n)
			defer check()
			out = append(out, x)
		}
		Standardize(out[0], unaligned(r, n), unaligned(r, n))
		Standardize(out[1], unaligned(r, n), nil)
		Contrast(out[2], n, 0.01, unaligned(r, n))
		Contrast(out[3], n, 0.01, nil)
		Clip(out[4], n, 3, 0.4/3, 0.5)
		return out, nil
	})
	add("adam", func(t *testing.T, r source, m, n int) ([][]float32, []float64) {
		p, check1 := written(t, r, m*n)
		first, check2 := written(t, r, m*n)
		second, check3 := written(t, r, m*n)
		for i, v := range second {
			second[i] = abs(v)
		}
		Adam(p, unaligned(r, m*n), first, second, AdamConfig{LearningRate: 0.1, Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8, Step: 3})
		check1()
		check2()
		check3()
		return [][]float32{p, first, second}, nil
	})
	add("momentum", func(t *testing.T, r source, m, n int) ([][]float32, []float64) {
		p, check1 := written(t, r, m*n)
		v, check2 := written(t, r, m*n)
		Momentum(p, unaligned(r, m*n), v, 0.1, 0.9)
		check1()
		check2()
		return [][]float32{p, v}, nil
	})
	add("from", func(t *testing.T, r source, m, n int) ([][]float32, []float64) {
		bytes, words := make([]uint8, m*n+3)[3:], make([]uint16, m*n+1)[1:]
		halves := make([]uint16, m*n)
		for i := range bytes {
			bytes[i], words[i], halves[i] = uint8(r.Uint32()), uint16(r.Uint32()), uint16(r.Uint32())
			if halves[i]>>10&0x1f == 0x1f && !r.odd { // no infinities
				halves[i] ^= 1 << 12
			}
		}
		var out [][]float32
		order := make([]int32, m)
		for i := range order {
			order[i] = int32(r.IntN(m))
		}
		for _, order := range [][]int32{nil, order} {
			var to [4][]float32
			for i := range to {
				x, check := written(t, r, m*n)
				defer check()
				to[i] = x
			}
			FromUint8(to[0], bytes, n, order, 1./255, -0.5)
			FromUint16(to[1], words, n, order, 1./65535, 2)
			FromFloat16(to[2], halves, n, order, 0.7, 0.3)
			FromFloat32(to[3], unaligned(r, m*n), n, order, 0.7, 0.3)
			out = append(out, to[:]...)
		}
		return out, nil
	})
	add("range", func(t *testing.T, r source, m, n int) ([][]float32, []float64) {
		x := unaligned(r, m*n)
		finite := allFinitePlain(x)
		i := r.IntN(m * n)
		v := x[i]
		x[i] = float32(math.NaN())
		low, high := Range(x)
		if AllFinite(x) {
			t.Error("NaN is not finite")
		}
		x[i] = float32(math.Inf(1))
		if AllFinite(x) {
			t.Error("infinity is not finite")
		}
		x[i] = v
		if AllFinite(x) != finite {
			t.Errorf("all is finite: %v", finite)
		}
		return [][]float32{{low, high}}, nil
	})
	add("keepLargest", func(t *testing.T, r source, m, n int) ([][]float32, []float64) {
		z, check := written(t, r, m*n)
		d, checkGate := written(t, r, m*n)
		k := 1 + r.IntN(n+1)
		var want []float32
		for i := range m {
			want = append(want, keepLargestSorted(z[i*n:(i+1)*n], k)...)
		}
		isNaN := func(v float32) bool { return v != v }
		ordered := !slices.ContainsFunc(z, isNaN)
		KeepLargest(z, n, k)
		if ordered && !slices.Equal(z, want) {
			t.Errorf("%d rows of %d, %d kept: not the largest, of equals the first", m, n, k)
		}
		Gate(d, z)
		check()
		checkGate()
		return [][]float32{z, d}, nil
	})
	return all
}

// TestAgainstPlain compares each class with plain Go over all small sizes.
func TestAgainstPlain(t *testing.T) {
	for name, c := range calls() {
		t.Run(name, func(t *testing.T) {
			for n := 1; n <= 50; n++ {
				for _, m := range []int{1, 2, 3, 5} {
					agree(t, name, m, n, 1e-6, func() ([][]float32, []float64) {
						return c(t, newSource(uint64(n), uint64(m), false), m, n)
					})
				}
			}
		})
	}
}

// agree compares what a call of m rows of n gives in each class. AVX2 and
// AVX-512 are to give the same bits, and both those of plain Go to rounding.
// Sums are in float64 and of equal order, so that those of equal terms are
// equal.
func agree(t *testing.T, name string, m, n int, tolerance float64, run func() ([][]float32, []float64)) {
	t.Helper()
	defer func(k *kernels) { active = k }(active)
	active = &plain
	want, wantSums := run()
	var fused [][]float32
	for _, active = range classes()[1:] {
		got, sums := run()
		for i := range want {
			for j, v := range want[i] {
				if g := got[i][j]; !near(float64(g), float64(v), tolerance) {
					t.Fatalf("%s, %v, %d rows of %d: output %d, element %d is %v, plain Go gives %v", name, active.class, m, n, i, j, g, v)
				}
			}
		}
		for i, v := range wantSums {
			if exact := name == "sums"; exact && !same(sums[i], v) || !near(sums[i], v, tolerance) {
				t.Fatalf("%s, %v, %d rows of %d: sum %d is %v, plain Go gives %v", name, active.class, m, n, i, sums[i], v)
			}
		}
		for i := range fused {
			if !slices.EqualFunc(got[i], fused[i], same[float32]) {
				t.Fatalf("%s, %v, %d rows of %d: output %d is not that of the class before", name, active.class, m, n, i)
			}
		}
		fused = got
	}
}

// near reports whether got is want but for a share of it, or of 1.
func near(got, want, tolerance float64) bool {
	return same(got, want) || math.Abs(got-want) <= tolerance*max(1, math.Abs(want))
}

// same reports whether two numbers are equal, or both none.
func same[T float32 | float64](a, b T) bool { return a == b || a != a && b != b }

// TestHalf converts every finite binary16.
func TestHalf(t *testing.T) {
	forClasses(t, func(t *testing.T) {
		src, dst := make([]uint16, 1<<16), make([]float32, 1<<16)
		for i := range src {
			src[i] = uint16(i)
		}
		FromFloat16(dst, src, 1, nil, 1, 0)
		for i, v := range dst {
			e, f := i>>10&31, float64(i&1023)
			want := math.Ldexp(1024+f, e-25)
			switch {
			case e == 0:
				want = math.Ldexp(f, -24)
			case e == 31 && f != 0:
				want = math.NaN()
			case e == 31:
				want = math.Inf(1)
			}
			if i>>15 != 0 {
				want = -want
			}
			if w := float32(want); v != w && (v == v || w == w) {
				t.Fatalf("%#04x is %v, want %v", i, v, w)
			}
		}
	})
}

// TestWorkers: many rows, cut among goroutines, give the bits of one.
func TestWorkers(t *testing.T) {
	forClasses(t, func(t *testing.T) {
		for name, c := range calls() {
			var want uint64
			forWorkers(func() {
				slices, sums := c(t, newSource(1, 2, false), 150, 200)
				h := fnv.New64a()
				for _, s := range slices {
					for _, v := range s {
						bits := math.Float32bits(v)
						h.Write([]byte{byte(bits), byte(bits >> 8), byte(bits >> 16), byte(bits >> 24)})
					}
				}
				fmt.Fprint(h, sums)
				if want == 0 {
					want = h.Sum64()
				}
				if h.Sum64() != want {
					t.Errorf("%s depends on the number of goroutines", name)
				}
			})
		}
	})
}

func TestNoRows(t *testing.T) {
	forClasses(t, func(t *testing.T) {
		b := []float32{1, 2}
		Activate(Sigmoid, nil, b)
		Slope(Sigmoid, nil, nil)
		HiddenDelta(Tanh, nil, nil, b, nil, 2)
		if l := OutputDelta(Sigmoid, Squared, nil, b, nil); l != 0 {
			t.Errorf("loss of no rows: %v", l)
		}
		ColumnSums([]float64{0, 0}, nil)
		RowSumSquares(nil, nil, 2)
		if s := SumSquares(nil); s != 0 {
			t.Errorf("sum of nothing: %v", s)
		}
		Adam(nil, nil, nil, nil, AdamConfig{Step: 1})
		FromUint8(nil, nil, 3, nil, 1, 0)
		FromFloat16(nil, nil, 3, nil, 1, 0)
		if !AllFinite(nil) {
			t.Error("nothing is not finite")
		}
		if low, high := Range(nil); !math.IsInf(float64(low), 1) || !math.IsInf(float64(high), -1) {
			t.Errorf("range of nothing: %v %v", low, high)
		}
	})
}

func BenchmarkElementwise(b *testing.B) {
	const m, n = 256, 784
	x, y, z, w := make([]float32, m*n), make([]float32, m*n), make([]float32, m*n), make([]float32, m*n)
	for i := range x {
		x[i], y[i] = float32(i%13)/2-3, float32(i%11)/10
	}
	bias, sums, bytes := make([]float32, n), make([]float64, n), make([]uint8, m*n)
	for i := range bias {
		bias[i] = 0.5 // keeps repeated deltas from fading into denormals
	}
	for _, f := range []struct {
		name string
		call func()
	}{
		{"sigmoid", func() { Activate(Sigmoid, x, bias) }},
		{"tanh", func() { Activate(Tanh, x, bias) }},
		{"hiddenDelta", func() { HiddenDelta(Sigmoid, x, y, bias, bias, n) }},
		{"squared", func() { OutputDelta(Sigmoid, Squared, x, bias, y) }},
		{"crossEntropy", func() { OutputDelta(Sigmoid, CrossEntropy, x, bias, y) }},
		{"columnSums", func() { ColumnSums(sums, x) }},
		{"adam", func() {
			Adam(x, y, z, w, AdamConfig{LearningRate: 1e-3, Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8, Step: 10})
		}},
		{"momentum", func() { Momentum(x, y, z, 1e-3, 0.9) }},
		{"fromUint8", func() { FromUint8(x, bytes, 1, nil, 1./255, 0) }},
	} {
		b.Run(f.name, func(b *testing.B) {
			for b.Loop() {
				f.call()
			}
			b.ReportMetric(m*n*float64(b.N)/b.Elapsed().Seconds()/1e9, "Gelement/s")
		})
	}
}

// TestFromOrder compares rows that are picked with those converted in place.
func TestFromOrder(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 9))
	for _, n := range []int{1, 3, 16, 25, 784, chunk + 1} {
		const rows = 40
		bytes, words, floats := make([]uint8, rows*n), make([]uint16, rows*n), make([]float32, rows*n)
		for i := range bytes {
			bytes[i], words[i], floats[i] = uint8(r.Uint32()), uint16(r.Uint32N(0x7c00)), r.Float32()
		}
		order := make([]int32, 70)
		for i := range order {
			order[i] = r.Int32N(rows)
		}
		for name, from := range map[string]func(dst []float32, order []int32){
			"uint8":   func(dst []float32, order []int32) { FromUint8(dst, bytes, n, order, 1./255, -0.5) },
			"uint16":  func(dst []float32, order []int32) { FromUint16(dst, words, n, order, 1./65535, 2) },
			"float16": func(dst []float32, order []int32) { FromFloat16(dst, words, n, order, 0.7, 0.3) },
			"float32": func(dst []float32, order []int32) { FromFloat32(dst, floats, n, order, 0.7, 0.3) },
		} {
			all, picked := make([]float32, rows*n), make([]float32, len(order)*n)
			from(all, nil)
			from(picked, order)
			for i, row := range order {
				if !slices.Equal(picked[i*n:(i+1)*n], all[int(row)*n:(int(row)+1)*n]) {
					t.Fatalf("%s, rows of %d: row %d is not row %d", name, n, i, row)
				}
			}
		}
	}
}

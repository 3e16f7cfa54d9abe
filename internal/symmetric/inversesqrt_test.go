package symmetric

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
)

// sines returns the orthonormal eigenvectors (n,n), a row each, of the matrix
// of second differences, whose eigenvalues are 2 - 2 cos(pi (k+1) / (n+1)).
func sines(n int) []float64 {
	v := make([]float64, n*n)
	for k := range n {
		for i := range n {
			// The angle modulo 2 pi in whole numbers keeps it exact.
			angle := float64((k + 1) * (i + 1) % (2 * (n + 1)))
			v[k*n+i] = math.Sqrt(2/float64(n+1)) * math.Sin(math.Pi*angle/float64(n+1))
		}
	}
	return v
}

// compose returns sum_k values[k] v_k v_k^T, symmetric to the bit.
func compose(values, v []float64) []float64 {
	n := len(values)
	a := make([]float64, n*n)
	for k, value := range values {
		for i := range n {
			for j := range n {
				a[i*n+j] += value * (v[k*n+i] * v[k*n+j])
			}
		}
	}
	return a
}

// roots returns (values + epsilon)^-1/2.
func roots(values []float64, epsilon float64) []float64 {
	w := make([]float64, len(values))
	for i, v := range values {
		w[i] = 1 / math.Sqrt(v+epsilon)
	}
	return w
}

// rooted is InverseSqrt of a copy, without an error.
func rooted(t testing.TB, a []float64, n int, epsilon float64) []float64 {
	t.Helper()
	b := slices.Clone(a)
	if err := InverseSqrt(t.Context(), b, n, epsilon); err != nil {
		t.Fatal(err)
	}
	return b
}

func largest(x []float64) float64 {
	m := 0.
	for _, v := range x {
		m = max(m, math.Abs(v))
	}
	return m
}

// far is the largest difference of two matrices, relative to the largest
// element of the second.
func far(got, want []float64) float64 {
	d := make([]float64, len(got))
	for i := range d {
		d[i] = got[i] - want[i]
		if d[i] != d[i] {
			return math.NaN()
		}
	}
	return largest(d) / largest(want)
}

func symmetric(t testing.TB, a []float64, n int) {
	t.Helper()
	for i := range n {
		for j := range i {
			if a[i*n+j] != a[j*n+i] {
				t.Fatalf("n %d: (%d,%d) is %v and (%d,%d) %v", n, i, j, a[i*n+j], j, i, a[j*n+i])
			}
		}
	}
}

// Matrices of known eigenvectors and eigenvalues spread by some condition
// number, of all small sizes and beyond the sizes of blocks.
func TestKnownAxes(t *testing.T) {
	sizes := []int{97, 130, 300}
	for n := 1; n <= 70; n++ {
		sizes = append(sizes, n)
	}
	r := rand.New(rand.NewPCG(1, 2))
	for _, n := range sizes {
		v := sines(n)
		for i, condition := range []float64{1, 10, 1e4, 1e8, 1e11} {
			scale := []float64{1, 1e-20, 1e20}[(n+i)%3]
			values := make([]float64, n)
			for k := range values {
				values[k] = scale * math.Pow(condition, -r.Float64())
			}
			values[r.IntN(n)] = scale
			epsilon := scale / condition
			got := rooted(t, compose(values, v), n, epsilon)
			symmetric(t, got, n)
			if e := far(got, compose(roots(values, epsilon), v)); !(e <= 1e-15*(50+condition)) {
				t.Errorf("n %d, condition %g, scale %g: off by %g", n, condition, scale, e)
			}
		}
	}
}

// The second differences, already tridiagonal, without epsilon.
func TestSecondDifferences(t *testing.T) {
	for _, n := range []int{1, 2, 3, 64, 65, 200} {
		a, values := make([]float64, n*n), make([]float64, n)
		for i := range n {
			a[i*n+i] = 2
			if i > 0 {
				a[i*n+i-1], a[(i-1)*n+i] = -1, -1
			}
			values[i] = 4 * math.Pow(math.Sin(math.Pi*float64(i+1)/float64(2*n+2)), 2)
		}
		if e := far(rooted(t, a, n, 0), compose(roots(values, 0), sines(n))); !(e < 1e-11) {
			t.Errorf("n %d: off by %g", n, e)
		}
	}
}

// Fewer axes than inputs: epsilon alone is the variance of the others.
func TestRankDeficient(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for _, n := range []int{2, 5, 33, 70} {
		for _, epsilon := range []float64{1e-1, 1e-4, 1e-8} {
			values := make([]float64, n)
			for k := range n / 2 {
				values[k] = 0.1 + r.Float64()
			}
			v := sines(n)
			if e := far(rooted(t, compose(values, v), n, epsilon), compose(roots(values, epsilon), v)); !(e < 1e-14/epsilon) {
				t.Errorf("n %d, epsilon %g: off by %g", n, epsilon, e)
			}
		}
	}
}

// An input that never varies is 1/sqrt(epsilon) of itself, to the last bits,
// however large the others are, and the others are as without it.
func TestConstantInputs(t *testing.T) {
	const n, epsilon = 40, 1e-20
	v := sines(n)
	values := make([]float64, n)
	for k := range values {
		values[k] = 1 + float64(k)
	}
	inner := compose(values, v)
	want := rooted(t, inner, n, epsilon)
	const wide = n + 3
	place := func(i int) int { return i + min(1, i/3) + min(1, i/20) + min(1, i/39) }
	a, isConstant := make([]float64, wide*wide), make([]bool, wide)
	for i := range isConstant {
		isConstant[i] = true
	}
	for i := range n {
		isConstant[place(i)] = false
		for j := range n {
			a[place(i)*wide+place(j)] = inner[i*n+j]
		}
	}
	got := rooted(t, a, wide, epsilon)
	for i, constant := range isConstant {
		for j := range wide {
			if !constant {
				continue
			}
			want := 0.
			if i == j {
				want = 1e10
			}
			if v := got[i*wide+j]; math.Abs(v-want) > 1e-13*want {
				t.Errorf("(%d,%d) is %v, want %v", i, j, v, want)
			}
		}
	}
	kept := make([]float64, n*n)
	for i := range n {
		for j := range n {
			kept[i*n+j] = got[place(i)*wide+place(j)]
		}
	}
	if e := far(kept, want); !(e < 1e-13) {
		t.Errorf("the other inputs are off by %g", e)
	}
}

// A whole matrix without variance, and matrices of one element.
func TestLittle(t *testing.T) {
	for _, c := range []struct {
		a       []float64
		epsilon float64
		want    float64 // on the diagonal
	}{
		{nil, 0, 0},
		{nil, 1, 0},
		{[]float64{0}, 0.25, 2},
		{[]float64{4}, 0, 0.5},
		{[]float64{3}, 1, 0.5},
		{[]float64{5e-324}, 0, 1 / math.Sqrt(5e-324)},
		{[]float64{1.7e308}, 0, 1 / math.Sqrt(1.7e308)},
		{[]float64{1.7e308}, 1.7e308, 1 / math.Sqrt(1.7e308) / math.Sqrt2},
		{[]float64{1e-300}, 1e30, 1e-15},
		{make([]float64, 9), 1e-4, 100},
		{make([]float64, 70*70), 1e-30, 1e15},
	} {
		n := int(math.Sqrt(float64(len(c.a))))
		for i, v := range rooted(t, c.a, n, c.epsilon) {
			want := 0.
			if i%(n+1) == 0 {
				want = c.want
			}
			if math.Abs(v-want) > 1e-13*want {
				t.Errorf("%v + %v: element %d is %v, want %v", c.a, c.epsilon, i, v, want)
			}
		}
	}
}

// Rounding that leaves negative eigenvalues does not make the result larger
// than epsilon allows, nor bad.
func TestNegativeByRounding(t *testing.T) {
	const n = 50
	v := sines(n)
	values := make([]float64, n)
	for k := range values {
		values[k] = max(0, 20-float64(k))
		if k >= 20 {
			values[k] = -1e-7 * float64(k%3)
		}
	}
	a := compose(values, v)
	for _, epsilon := range []float64{0, 1e-30, 1e-9, 1e-7, 1e-3, 0.1} {
		got := rooted(t, a, n, epsilon)
		symmetric(t, got, n)
		if most := largest(got); !(most <= 1.001/math.Sqrt(max(epsilon/2, 2e-13))) {
			t.Errorf("epsilon %g: an element is %g", epsilon, most)
		}
		if e := far(got, compose(roots(slices.Repeat([]float64{0}, n), 1), v)); e != e {
			t.Errorf("epsilon %g: NaN", epsilon)
		}
	}
	for i := range values {
		values[i] = max(0, values[i])
	}
	if e := far(rooted(t, a, n, 0.1), compose(roots(values, 0.1), v)); !(e < 2e-6) {
		t.Errorf("epsilon 0.1: off by %g", e)
	}
}

func TestNoRoot(t *testing.T) {
	for _, bad := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		for _, at := range []int{0, 1, 4, 8} {
			a := []float64{1, 0, 0, 0, 1, 0, 0, 0, 1}
			a[at] = bad
			if err := InverseSqrt(t.Context(), a, 3, 1); !errors.Is(err, ErrNoRoot) {
				t.Errorf("%v at %d: %v", bad, at, err)
			}
		}
	}
	for _, epsilon := range []float64{0, math.NaN(), math.Inf(1)} {
		if err := InverseSqrt(t.Context(), make([]float64, 4), 2, epsilon); !errors.Is(err, ErrNoRoot) {
			t.Errorf("0 + %v: %v", epsilon, err)
		}
	}
	// A constant input beside another one, without epsilon.
	if err := InverseSqrt(t.Context(), []float64{1, 0, 0, 0}, 2, 0); !errors.Is(err, ErrNoRoot) {
		t.Errorf("singular: %v", err)
	}
}

// The sum of inverses is the root for all of its range.
func TestQuadrature(t *testing.T) {
	for _, ratio := range []float64{1, 1.5, 10, 1e3, 1e8, 1e14} {
		q := newQuadrature(0.3/ratio, 0.3)
		for i := range 101 {
			x := 0.3 * math.Pow(ratio, -float64(i)/100)
			sum := 0.
			for j, shift := range q.shifts {
				sum += q.weights[j] / (x + shift)
			}
			if e := math.Abs(sum*math.Sqrt(x) - 1); !(e < 3e-14) {
				t.Errorf("ratio %g: off by %g at %g", ratio, e, x)
			}
		}
		t.Logf("ratio %g: %d inverses", ratio, len(q.shifts))
	}
}

func covariance(n int) []float64 {
	r := rand.New(rand.NewPCG(5, uint64(n)))
	values := make([]float64, n)
	for k := range values {
		values[k] = 1 / (1 + r.Float64()*float64(k))
	}
	return compose(values, sines(n))
}

// Bits do not depend on the number of goroutines.
func TestWorkers(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	for _, n := range []int{7, 100, 321} {
		a := covariance(n)
		var want []float64
		for _, procs := range []int{1, 2, 5} {
			runtime.GOMAXPROCS(procs)
			got := rooted(t, a, n, 0.01)
			if want == nil {
				want = got
			}
			if !slices.Equal(got, want) {
				t.Errorf("n %d: %d processors give other bits", n, procs)
			}
		}
	}
}

// A countdown ends as a context when it has been asked often enough.
type countdown struct {
	context.Context
	left atomic.Int64
}

func (c *countdown) Err() error {
	if c.left.Add(-1) < 0 {
		return context.Canceled
	}
	return nil
}

// Wherever the context ends, work ends, after each goroutine has seen it once
// more at each level. There is a look at it before each column, at least.
func TestCancelled(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2))
	const n, plenty = 150, 1 << 40
	a := covariance(n)
	looks := func(left int64) (int64, error) {
		ctx := &countdown{Context: t.Context()}
		ctx.left.Store(left)
		err := InverseSqrt(ctx, slices.Clone(a), n, 0.1)
		return left - ctx.left.Load(), err
	}
	all, err := looks(plenty)
	if err != nil {
		t.Fatal(err)
	}
	if all < 3*n {
		t.Errorf("looks %d times at the context for %d columns", all, n)
	}
	for left := int64(0); left < all; left += 7 {
		if took, err := looks(left); !errors.Is(err, context.Canceled) || took > left+8 {
			t.Errorf("ended after %d looks: %v after %d", left, err, took)
		}
	}
}

func BenchmarkInverseSqrt(b *testing.B) {
	for _, n := range []int{192, 784, 1200, 3072} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			r := rand.New(rand.NewPCG(7, 8))
			a := make([]float64, n*n)
			for i := range n {
				for j := range i {
					v := r.NormFloat64()
					a[i*n+j], a[j*n+i] = v, v
				}
				a[i*n+i] = 3 * math.Sqrt(float64(n))
			}
			for b.Loop() {
				rooted(b, a, n, 0.1)
			}
		})
	}
}

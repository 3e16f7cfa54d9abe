package symmetric

import (
	"context"
	"math"
)

const (
	// least is what an eigenvalue counts at least, as a part of the largest.
	least = 1e-14

	// strip columns of a function are computed at a time.
	strip = 64
)

// inverseSqrt writes (T + epsilon)^-1/2 to f (n,n).
func (t *tridiagonal) inverseSqrt(ctx context.Context, f []float64, epsilon float64) error {
	n := t.n
	low, high := t.bounds()
	shift := max(epsilon, epsilon/2-low, least*(high+epsilon)-low)
	q := newQuadrature(low+shift, high+shift)
	inverses := make([]inverse, len(q.shifts))
	err := parallel(ctx, len(inverses), func(j int) {
		inverses[j] = t.inverse(shift+q.shifts[j], q.weights[j])
	})
	if err != nil {
		return err
	}
	err = parallel(ctx, (n+strip-1)/strip, func(item int) {
		first := item * strip
		last := min(first+strip, n)
		columns := make([]float64, len(inverses)*strip) // of a row of each
		for i := last - 1; i >= 0 && ctx.Err() == nil; i-- {
			from := max(i, first)
			row := f[i*n+from : i*n+last]
			for j := range inverses {
				part := columns[j*strip+from-first : j*strip+last-first]
				inverses[j].up(i, part, from == i)
				for k, v := range part {
					row[k] += v
				}
			}
		}
	})
	for i := range n {
		for j := range i {
			f[i*n+j] = f[j*n+i]
		}
	}
	return err
}

// An inverse is w (T + s)^-1. Its element (i,j) right of the diagonal is that
// below it times ratios[i].
type inverse struct{ diagonal, ratios []float64 }

// inverse returns w (T + s)^-1. As T + s = L D L^T, its inverse X obeys
// L^T X = D^-1 L^-1, which gives a row of X from the one below: D^-1 L^-1 is 0
// right of its diagonal.
func (t *tridiagonal) inverse(s, w float64) inverse {
	n := t.n
	x := inverse{make([]float64, n), make([]float64, n)}
	t.pivots(-s, x.diagonal)
	for i := n - 1; i >= 0; i-- {
		pivot := x.diagonal[i]
		x.diagonal[i] = w / pivot
		if i < n-1 {
			ratio := -t.beside[i] / pivot
			x.ratios[i] = ratio
			x.diagonal[i] += float64(ratio * ratio * x.diagonal[i+1])
		}
	}
	return x
}

// up takes a part of row i+1 to row i. The first element is new in row i if it
// is on the diagonal.
func (x *inverse) up(i int, part []float64, diagonal bool) {
	ratio := x.ratios[i]
	for k := range part {
		part[k] *= ratio
	}
	if diagonal {
		part[0] = x.diagonal[i]
	}
}

// pivots computes the factor D (n) of T - x = L D L^T, and reports whether it
// is positive, as it is for x below all eigenvalues.
func (t *tridiagonal) pivots(x float64, d []float64) bool {
	pivot := 1.
	for i, v := range t.diagonal {
		v -= x
		if i > 0 {
			v -= float64(t.beside[i-1] / pivot * t.beside[i-1])
		}
		if pivot = v; !(pivot > 0) {
			return false
		}
		d[i] = pivot
	}
	return true
}

// bounds returns the least eigenvalue, by bisection, and a bound of the
// largest, by S. Gershgorin's theorem.
func (t *tridiagonal) bounds() (low, high float64) {
	low, high = math.Inf(1), math.Inf(-1)
	above := math.Inf(1)
	for i, v := range t.diagonal {
		radius := 0.
		if i > 0 {
			radius += math.Abs(t.beside[i-1])
		}
		if i < t.n-1 {
			radius += math.Abs(t.beside[i])
		}
		low, high, above = min(low, v-radius), max(high, v+radius), min(above, v)
	}
	scratch := make([]float64, t.n)
	for {
		middle := low + (above-low)/2
		if !(low < middle && middle < above) || above-low < 0x1p-52*high {
			return low, high
		}
		if t.pivots(middle, scratch) {
			low = middle
		} else {
			above = middle
		}
	}
}

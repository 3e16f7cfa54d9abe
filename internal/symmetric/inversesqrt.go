package symmetric

import (
	"context"
	"errors"
	"math"
)

// ErrNoRoot is the error for a matrix that has no finite inverse square root
// in float64, or holds an element that is not finite.
var ErrNoRoot = errors.New("the matrix has no inverse square root")

// InverseSqrt replaces A (n,n), row-major, by
//
//	(A + epsilon)^-1/2 = V (D + epsilon)^-1/2 V^T
//
// where A = V D V^T is symmetric and without negative eigenvalues but for
// rounding, and epsilon >= 0 is a multiple of the unit matrix. The result is
// symmetric to the bit. After an error a holds anything.
//
// Where rounding has left A negative eigenvalues, those of A + epsilon are
// raised, all by as much, until the least is epsilon/2, and 1e-14 of the
// largest: of less, rounding leaves nothing. An input that goes with no other,
// its row being 0 beside the diagonal, has no part in that.
//
// It looks at ctx before each column and block of work, some milliseconds
// apart for n = 3,072, and then returns ctx.Err().
func InverseSqrt(ctx context.Context, a []float64, n int, epsilon float64) error {
	if len(a) != n*n {
		panic("symmetric: the matrix has another size")
	}
	scale := epsilon
	for _, v := range a {
		if scale = max(scale, math.Abs(v)); v-v != 0 {
			return ErrNoRoot
		}
	}
	if scale == 0 && n > 0 || scale-scale != 0 {
		return ErrNoRoot
	}
	// Numbers near 1 keep squares from overflowing. A power of 4 rounds
	// nothing, and has a root, which is in range where it may not be.
	_, exponent := math.Frexp(scale)
	root := math.Ldexp(1, -(exponent&^1)/2)
	for i := range a {
		a[i] *= root
		a[i] *= root
	}
	epsilon *= root
	epsilon *= root
	together, alone := part(a, n)
	m := len(together)
	for _, variance := range alone {
		if !(max(0, variance)+epsilon > 0) {
			return ErrNoRoot
		}
	}
	f := make([]float64, m*m)
	if m > 0 {
		t, err := tridiagonalize(ctx, a[:m*m], m)
		if err != nil {
			return err
		}
		if err := t.inverseSqrt(ctx, f, epsilon); err != nil {
			return err
		}
		if err := t.rotate(ctx, f); err != nil {
			return err
		}
	}
	clear(a)
	for i, variance := range alone {
		a[i*n+i] = root / math.Sqrt(max(0, variance)+epsilon)
	}
	for r, i := range together {
		for c, j := range together[r:] {
			v := root * f[r*m+r+c]
			a[i*n+j], a[j*n+i] = v, v
		}
	}
	return nil
}

// part returns the inputs of A (n,n) that go together with another one, and
// moves what A has of them to the front of a; of those that stand alone it
// returns the elements on the diagonal.
func part(a []float64, n int) (together []int, alone map[int]float64) {
	alone = map[int]float64{}
	for i := range n {
		row := a[i*n : (i+1)*n]
		isAlone := true
		for j, v := range row {
			isAlone = isAlone && (v == 0 || j == i)
		}
		if isAlone {
			alone[i] = row[i]
		} else {
			together = append(together, i)
		}
	}
	m := len(together)
	for r, i := range together {
		for c, j := range together {
			a[r*m+c] = a[i*n+j]
		}
	}
	return together, alone
}

package symmetric

import (
	"context"
	"math"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
)

const (
	// block reflections are applied at a time.
	block = 32

	// Work is cut into blocks of this many rows and columns of a matrix, 256
	// KiB, which stay in a second-level cache.
	rowsOf, columnsOf = 64, 512

	// serial elements of a matrix are faster multiplied by a vector on one
	// goroutine than on two.
	serial = 1 << 16

	// negligible numbers, beside elements near 1, count as 0.
	negligible = 0x1p-500
)

// A tridiagonal is a symmetric matrix T and the reflections that made it of
// another one, A: A = Q T Q^T, where Q = H_0 H_1 ... and
// H_k = 1 - tau_k v_k v_k^T. The first k+1 elements of v_k are 0, the next one
// is 1.
type tridiagonal struct {
	n        int
	diagonal []float64 // of T (n)
	beside   []float64 // element k is T[k,k+1] (n); the last one is 0
	tau      []float64 // (n)
	v        []float64 // row k is v_k from its element k+1 on (n,n)

	// u (2 block,n) has a block of reflections and, below, vectors that belong
	// to them.
	u []float64
}

// tridiagonalize takes a (n,n), and overwrites it with the reflections.
//
// As in J. Dongarra, D. Sorensen and S. Hammarling, "Block reduction of
// matrices to condensed forms for eigenvalue computations", 1989, what a block
// of reflections does to the rest of the matrix is done at once.
func tridiagonalize(ctx context.Context, a []float64, n int) (*tridiagonal, error) {
	t := &tridiagonal{
		n:        n,
		diagonal: make([]float64, n),
		beside:   make([]float64, n),
		tau:      make([]float64, n),
		v:        a,
		u:        make([]float64, 2*block*n),
	}
	for from := 0; from < n; from += block {
		clear(t.u)
		to := min(from+block, n)
		for k := from; k < to; k++ {
			if err := t.reduce(ctx, k, k-from); err != nil {
				return nil, err
			}
		}
		if err := t.subtract(ctx, a, to, to); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// reduce makes column k, the p-th of its block, tridiagonal. Of the block's
// columns before it, the matrix from there on has yet to see
// A - V W^T - W V^T, where V^T and W^T are the halves of u.
func (t *tridiagonal) reduce(ctx context.Context, k, p int) error {
	n := t.n
	row := t.v[k*n+k : (k+1)*n]
	gemv(blas.Trans, -1, t.part(k, n), t.swapped(nil, k), row)
	t.diagonal[k] = row[0]
	v := row[1:]
	if len(v) == 0 {
		return ctx.Err()
	}
	t.beside[k], t.tau[k] = reflect(v)
	w := t.u[(block+p)*n+k+1:][:len(v)]
	if err := multiply(ctx, w, t.v, n, k+1, v); err != nil {
		return err
	}
	var products [2 * block]float64
	gemv(blas.NoTrans, 1, t.part(k+1, n), v, products[:])
	gemv(blas.Trans, -1, t.part(k+1, n), swap(nil, products[:]), w)
	x, y := vector(v), vector(w)
	blas64.Scal(t.tau[k], y)
	blas64.Axpy(-t.tau[k]/2*blas64.Dot(x, y), x, y)
	copy(t.u[p*n+k+1:], v)
	return nil
}

// reflect finds the reflection 1 - tau v v^T that takes x to a vector whose
// elements but for the first, beta, are 0. It replaces x by v.
func reflect(x []float64) (beta, tau float64) {
	first, rest := x[0], vector(x[1:])
	norm := 0.
	if rest.N > 0 {
		norm = blas64.Nrm2(rest)
	}
	x[0] = 1
	if norm < negligible {
		clear(x[1:])
		return first, 0
	}
	beta = -math.Copysign(math.Hypot(first, norm), first)
	blas64.Scal(1/(first-beta), rest)
	return beta, (beta - first) / beta
}

// multiply computes y = A[from:,from:] x for a matrix A (n,n).
func multiply(ctx context.Context, y, a []float64, n, from int, x []float64) error {
	m := n - from
	rows := rowsOf
	if m*m < serial {
		rows = m
	}
	return parallel(ctx, (m+rows-1)/rows, func(item int) {
		i := item * rows
		part := y[i:min(i+rows, m)]
		gemv(blas.NoTrans, 1, blas64.General{Rows: len(part), Cols: m, Stride: n, Data: a[(from+i)*n+from:]}, x, part)
	})
}

// subtract computes A[i,j] -= (V W^T + W V^T)[i,j] for i >= row, j >= column,
// where V^T and W^T are the halves of u. V is 0 above that column.
func (t *tridiagonal) subtract(ctx context.Context, a []float64, row, column int) error {
	n := t.n
	return parallel(ctx, (n-row+rowsOf-1)/rowsOf, func(item int) {
		first := row + item*rowsOf
		last := min(first+rowsOf, n)
		weights := make([]float64, 0, rowsOf*2*block)
		for i := first; i < last; i++ {
			weights = t.swapped(weights, i)
		}
		for j := column; j < n; j += columnsOf {
			end := min(j+columnsOf, n)
			for i := first; i < last; i++ {
				u, w := t.part(j, end), weights[(i-first)*2*block:][:2*block]
				if i < column { // where V is 0
					u.Rows, w = block, w[:block]
				}
				gemv(blas.Trans, -1, u, w, a[i*n+j:i*n+end])
			}
		}
	})
}

// part is u[:,from:to].
func (t *tridiagonal) part(from, to int) blas64.General {
	return blas64.General{Rows: 2 * block, Cols: to - from, Stride: t.n, Data: t.u[from:]}
}

// swapped appends column i of u, its halves exchanged.
func (t *tridiagonal) swapped(dst []float64, i int) []float64 {
	var column [2 * block]float64
	for p := range column {
		column[p] = t.u[p*t.n+i]
	}
	return swap(dst, column[:])
}

func swap(dst, x []float64) []float64 {
	return append(append(dst, x[block:]...), x[:block]...)
}

// gemv computes y += alpha op(A) x.
func gemv(trans blas.Transpose, alpha float64, a blas64.General, x, y []float64) {
	if a.Rows > 0 && a.Cols > 0 {
		blas64.Gemv(trans, alpha, a, vector(x), 1, vector(y))
	}
}

func vector(x []float64) blas64.Vector { return blas64.Vector{N: len(x), Inc: 1, Data: x} }

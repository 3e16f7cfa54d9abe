package symmetric

import (
	"context"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
)

// rotate replaces F (n,n), symmetric, by Q F Q^T. Of the result only the
// diagonal and what is right of it are valid.
//
// A block of reflections is 1 - V S V^T (R. Schreiber and C. Van Loan, "A
// storage-efficient WY representation for products of Householder
// transformations", 1989). With G = F V it makes of F
//
//	F - V Y^T - Y V^T, where Y = G S^T - V (S V^T G S^T) / 2.
func (t *tridiagonal) rotate(ctx context.Context, f []float64) error {
	n := t.n
	g := make([]float64, block*n)
	for from := (n - 1) / block * block; n > 0 && from >= 0; from -= block {
		to := min(from+block, n)
		// What is left of column to+1 has yet to see the block before.
		for i := to + 1; i < n; i++ {
			for j := from + 1; j <= to; j++ {
				f[i*n+j] = f[j*n+i]
			}
		}
		clear(t.u)
		for k := from; k < to; k++ {
			copy(t.u[(k-from)*n+k+1:], t.v[k*n+k+1:(k+1)*n])
		}
		if err := t.products(ctx, g, f, from+1); err != nil {
			return err
		}
		t.weigh(g, from, to)
		if err := t.subtract(ctx, f, 0, from+1); err != nil {
			return err
		}
	}
	return nil
}

// products computes G^T = (F V)^T, where V^T is the upper half of u and is 0
// before a column.
func (t *tridiagonal) products(ctx context.Context, g, f []float64, column int) error {
	n := t.n
	clear(g)
	return parallel(ctx, (n+rowsOf-1)/rowsOf, func(item int) {
		i := item * rowsOf
		end := min(i+rowsOf, n)
		for j := column; j < n; j += columnsOf {
			part := blas64.General{Rows: end - i, Cols: min(columnsOf, n-j), Stride: n, Data: f[i*n+j:]}
			for p := range block {
				gemv(blas.NoTrans, 1, part, t.u[p*n+j:][:part.Cols], g[p*n+i:p*n+end])
			}
		}
	})
}

// weigh puts Y^T into the lower half of u, given G^T and V^T in the upper half,
// the reflections from from to to.
func (t *tridiagonal) weigh(g []float64, from, to int) {
	v := blas64.General{Rows: block, Cols: t.n, Stride: t.n, Data: t.u}
	y := blas64.General{Rows: block, Cols: t.n, Stride: t.n, Data: t.u[block*t.n:]}
	gt := blas64.General{Rows: block, Cols: t.n, Stride: t.n, Data: g}
	gram, inner, s, half := small(), small(), small(), small()
	blas64.Gemm(blas.NoTrans, blas.Trans, 1, v, v, 0, gram)
	blas64.Gemm(blas.NoTrans, blas.Trans, 1, v, gt, 0, inner)
	for i := range to - from {
		tau := t.tau[from+i]
		for row := range i {
			sum := 0.
			for k := row; k < i; k++ {
				sum += float64(s.Data[row*block+k] * gram.Data[k*block+i])
			}
			s.Data[row*block+i] = -tau * sum
		}
		s.Data[i*block+i] = tau
	}
	blas64.Gemm(blas.NoTrans, blas.Trans, 1, inner, s, 0, half)
	blas64.Gemm(blas.NoTrans, blas.NoTrans, 1, s, half, 0, inner)
	blas64.Gemm(blas.NoTrans, blas.NoTrans, 1, s, gt, 0, y)
	blas64.Gemm(blas.Trans, blas.NoTrans, -0.5, inner, v, 1, y)
}

func small() blas64.General {
	return blas64.General{Rows: block, Cols: block, Stride: block, Data: make([]float64, block*block)}
}

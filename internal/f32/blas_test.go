package f32

import (
	"math/rand/v2"
	"slices"
	"testing"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/gonum"
)

func TestBLAS(t *testing.T) {
	r := rand.New(rand.NewPCG(13, 14))
	const m, n, k = 19, 23, 30
	for _, tA := range []blas.Transpose{blas.NoTrans, blas.Trans} {
		for _, tB := range []blas.Transpose{blas.NoTrans, blas.Trans} {
			a := newMatrix(m, k, tA == blas.Trans, 2, integers(r))
			b := newMatrix(k, n, tB == blas.Trans, 0, integers(r))
			got := newMatrix(m, n, false, 1, integers(r))
			for i := range got.x {
				if got.x[i] != got.x[i] {
					got.x[i] = 0
				}
			}
			want := slices.Clone(got.x)
			BLAS{}.Sgemm(tA, tB, m, n, k, 2, a.x, a.ld, b.x, b.ld, -1, got.x, got.ld)
			gonum.Implementation{}.Sgemm(tA, tB, m, n, k, 2, a.x, a.ld, b.x, b.ld, -1, want, got.ld)
			if !slices.Equal(got.x, want) {
				t.Errorf("%c%c differs from gonum", tA, tB)
			}
		}
	}
}

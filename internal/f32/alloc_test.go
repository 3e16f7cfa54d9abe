//go:build !race

// The race detector makes sync.Pool forget.

package f32

import (
	"runtime"
	"testing"
)

func TestNothingAllocated(t *testing.T) {
	const m, n, k = 256, 196, 300
	a, b, c := make([]float32, m*k), make([]float32, k*n), make([]float32, m*n)
	bias, sums := make([]float32, n), make([]float64, n)
	s, transposed, dots := NewSparse(m, n, m*9+2), NewSparse(n, m, m*9+2), NewSparse(m, n, m*9+2)
	some := []Element{{3, 4, 1}, {1, 7, 2}}
	forWorkers(func() {
		runtime.GC()
		perCall := testing.AllocsPerRun(50, func() {
			Gemm(false, false, m, n, k, 1, a, k, b, n, 0, c, n)
			Gemm(true, true, n, n, m, 1, c, n, c, m, 0, a, n)
			Activate(Sigmoid, c, bias)
			OutputDelta(Sigmoid, Squared, c, bias, a[:m*n])
			ColumnSums(sums, c)
			Standardize(c, bias, bias)
			Contrast(c, n, 1, bias)
			Clip(c, n, 1, 1, 0)
			s.SetLargest(c, bias, 9)
			LargestOfColumns(some, c, n)
			s.Insert(some)
			s.Product(a[:m*k], k, 1, b[:n*k])
			dots.Dots(s, a[:m*k], b[:n*k], k)
			transposed.Transpose(dots)
			SumProducts(b[:n*k], k, 1, transposed, a[:m*k], transposed, a[:m*k], 0, nil)
			Transpose(a[:m*n], c, n)
		})
		if perCall >= 1 {
			t.Errorf("GOMAXPROCS %d: %v allocations", runtime.GOMAXPROCS(0), perCall)
		}
	})
}

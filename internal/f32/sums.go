package f32

import "sync"

// ColumnSums adds the column sums of x (m,n) to dst (n): dst[j] += sum_i x[i,j],
// in float64 and in the order of rows.
func ColumnSums(dst []float64, x []float32) { columnSums(dst, x, false) }

// ColumnSumSquares adds the sums of squares of the columns of x (m,n) to dst
// (n), in float64 and in the order of rows.
func ColumnSumSquares(dst []float64, x []float32) { columnSums(dst, x, true) }

func columnSums(dst []float64, x []float32, squares bool) {
	rows := rowsOf(x, len(dst))
	if rows == 0 {
		return
	}
	j := newJob()
	j.elem = elemArgs{kernel: active, x: x, n: len(dst), columns: dst, squares: squares}
	// Strips of whole registers, wide enough for chunk elements.
	strip := (max(1, chunk/rows) + sliver - 1) / sliver * sliver
	j.elem.rows = strip
	j.do((len(dst)+strip-1)/strip, func(j *job, item int) {
		e := &j.elem
		lo := item * e.rows
		dst := e.columns[lo:min(lo+e.rows, e.n)]
		if e.squares {
			e.kernel.columnSumSquares(dst, e.x[lo:], e.n, len(e.x)/e.n)
		} else {
			e.kernel.columnSums(dst, e.x[lo:], e.n, len(e.x)/e.n)
		}
	})
}

// RowSumSquares computes dst[i] = sum_j x[i,j]^2 for x (m,n) in float64.
func RowSumSquares(dst []float64, x []float32, n int) {
	if rowsOf(x, n) != len(dst) {
		panic(lengths)
	}
	for i := range dst {
		dst[i] = active.sumSquares(x[i*n : (i+1)*n])
	}
}

// SumSquares returns the sum of the squares of x in float64.
func SumSquares(x []float32) float64 {
	var total float64
	for ; len(x) > chunk; x = x[chunk:] {
		total += active.sumSquares(x[:chunk])
	}
	return total + active.sumSquares(x)
}

// AllFinite reports whether x holds no NaN and no infinity.
func AllFinite(x []float32) bool { return active.allFinite(x) }

// Range returns the smallest and the largest element of x, passing over NaN:
// +Inf and -Inf when there is none.
func Range(x []float32) (min, max float32) { return active.extremes(x) }

type sumBuffer struct{ x []float64 }

var sumBuffers = sync.Pool{New: func() any { return new(sumBuffer) }}

func getSums(n int) *sumBuffer {
	b := sumBuffers.Get().(*sumBuffer)
	if cap(b.x) < n {
		b.x = make([]float64, n)
	}
	b.x = b.x[:cap(b.x)]
	return b
}

package f32

// ColumnSums adds the column sums of x (m,n) to dst (n), in float64 and in the
// order of rows: dst[j] += sum_i x[i,j].
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
	// Strips of whole registers, wide enough for chunk elements.
	strip := (max(1, chunk/rows) + sliver - 1) / sliver * sliver
	scratch := getSums((len(dst) + sliver - 1) / sliver)
	j.elem = elemArgs{kernel: active, x: x, n: len(dst), rows: strip, columns: dst, squares: squares, sums: scratch.x}
	j.do((len(dst)+strip-1)/strip, func(j *job, item int) {
		e := &j.elem
		for lo := item * e.rows; lo < min((item+1)*e.rows, e.n); lo += sliver {
			sum := &e.sums[lo/sliver]
			dst := e.columns[lo:min(lo+sliver, e.n)]
			copy(sum[:], dst)
			if e.squares {
				e.kernel.columnSumSquares(sum, e.x[lo:], len(dst), e.n, len(e.x)/e.n)
			} else {
				e.kernel.columnSums(sum, e.x[lo:], len(dst), e.n, len(e.x)/e.n)
			}
			copy(dst, sum[:])
		}
	})
	sums.Put(scratch)
}

// RowSumSquares computes dst[i] = sum_j x[i,j]^2 for x (m,n) in float64.
func RowSumSquares(dst []float64, x []float32, n int) {
	if rowsOf(x, n) != len(dst) {
		panic(lengths)
	}
	scratch := getSums(1)
	for i := range dst {
		scratch.x[0] = lanes{}
		active.sumSquares(x[i*n:(i+1)*n], &scratch.x[0])
		dst[i] = scratch.x[0].total()
	}
	sums.Put(scratch)
}

// SumSquares returns the sum of the squares of x in float64.
func SumSquares(x []float32) float64 {
	if len(x) == 0 {
		return 0
	}
	j := newJob()
	j.elem = elemArgs{kernel: active, n: 1, x: x}
	return j.sumRows(len(x), func(j *job, item int) {
		e := &j.elem
		e.kernel.sumSquares(e.part(e.x, item), &e.sums[item])
	})
}

// AllFinite reports whether x holds no NaN and no infinity.
func AllFinite(x []float32) bool { return active.allFinite(x) }

// Range returns the smallest and the largest element of x, passing over NaN:
// +Inf and -Inf when there is none.
func Range(x []float32) (low, high float32) {
	return active.extremes(x)
}

package f32

import "math"

// Standardize computes x[i,j] = (x[i,j] - mean[j]) scale[j] for x (m,n), mean
// and scale (n). A nil scale stands for ones.
func Standardize(x, mean, scale []float32) {
	rows := rowsOf(x, len(mean))
	if scale != nil && len(scale) != len(mean) {
		panic(lengths)
	}
	if rows == 0 {
		return
	}
	j := newJob()
	j.elem = elemArgs{kernel: active, x: x, n: len(mean), bias: mean, y: scale}
	j.doRows(rows, func(j *job, item int) {
		e := &j.elem
		for x := e.part(e.x, item); len(x) > 0; x = x[e.n:] {
			e.kernel.axpy(-1, e.bias, x[:e.n])
			if e.y != nil {
				e.kernel.multiply(e.y, x[:e.n])
			}
		}
	})
}

// Contrast computes, for x (m,n),
//
//	x[i,j] = (x[i,j] - mean_i) / sqrt(var_i + epsilon) - mean[j]
//
// where mean_i and var_i are those of row i, var_i with the divisor n-1. A nil
// mean stands for zeros. A row of equal elements becomes -mean exactly.
func Contrast(x []float32, n int, epsilon float64, mean []float32) {
	rows := rowsOf(x, n)
	if mean != nil && len(mean) != n {
		panic(lengths)
	}
	if rows == 0 {
		return
	}
	j := newJob()
	j.elem = elemArgs{kernel: active, x: x, n: n, bias: mean, epsilon: epsilon}
	sums.Put(j.doRowsWithSums(rows, func(j *job, item int) {
		e := &j.elem
		for x := e.part(e.x, item); len(x) > 0; x = x[e.n:] {
			row, sum := x[:e.n], &e.sums[item]
			e.demean(row, sum)
			*sum = lanes{}
			e.kernel.sumSquares(row, sum)
			variance := sum.total() / float64(max(1, e.n-1))
			e.kernel.scale(float32(1/math.Sqrt(variance+e.epsilon)), row)
			if e.bias != nil {
				e.kernel.axpy(-1, e.bias, row)
			}
		}
	}))
}

// Clip computes x[i,j] = clip(x[i,j] - mean_i) scale + offset for x (m,n),
// where mean_i is that of row i and clip cuts off what is beyond +-limit.
func Clip(x []float32, n int, limit, scale, offset float32) {
	rows := rowsOf(x, n)
	if rows == 0 {
		return
	}
	j := newJob()
	j.elem = elemArgs{kernel: active, x: x, n: n, limit: limit, a: scale, b: offset}
	sums.Put(j.doRowsWithSums(rows, func(j *job, item int) {
		e := &j.elem
		for x := e.part(e.x, item); len(x) > 0; x = x[e.n:] {
			row := x[:e.n]
			e.demean(row, &e.sums[item])
			e.kernel.clip(e.limit, row)
			e.kernel.fromFloat32(row, row, e.a, e.b)
		}
	}))
}

// demean subtracts the mean of a row, summed in float64, from each element.
func (e *elemArgs) demean(row []float32, sum *lanes) {
	*sum = lanes{}
	whole := len(row) &^ (sliver - 1)
	if whole > 0 {
		e.kernel.columnSums(sum, row[:whole], sliver, sliver, whole/sliver)
	}
	if rest := row[whole:]; len(rest) > 0 {
		e.kernel.columnSums(sum, rest, len(rest), sliver, 1)
	}
	e.kernel.fromFloat32(row, row, 1, -float32(sum.total()/float64(len(row))))
}

package linear

import "math"

// A scaler standardises rows: (x - mean) * inverse, column by column.
type scaler struct {
	mean    []float64 // (n)
	inverse []float64 // (n) 1/deviation; 0 for a constant column
}

// newScaler learns the scaler of x (m,n), m >= 1.
func newScaler(x []float32, n int) scaler {
	m := float64(len(x) / n)
	mean, square := make([]float64, n), make([]float64, n)

	// Distances from the first row, so that the mean of a constant column is
	// exact and its deviation exactly 0.
	first := x[:n]
	for i := 0; i < len(x); i += n {
		for j, v := range x[i : i+n] {
			mean[j] += float64(v) - float64(first[j])
		}
	}
	for j := range mean {
		mean[j] = float64(first[j]) + mean[j]/m
	}
	for i := 0; i < len(x); i += n {
		for j, v := range x[i : i+n] {
			d := float64(v) - mean[j]
			square[j] += float64(d * d)
		}
	}

	inverse := square
	for j, sum := range square {
		deviation := math.Sqrt(sum / m)
		inverse[j] = 0
		// float32 has 24 bits: a smaller deviation is rounding, not signal.
		if deviation > math.Abs(mean[j])*0x1p-24 {
			inverse[j] = 1 / deviation
		}
	}
	return scaler{mean, inverse}
}

// folds reports whether the scaler may move into the weights. A product with
// a raw value carries the rounding of mean/deviation times what matters:
// over all columns that may be 10 in the root mean square, which leaves the
// logits five digits. Pixels and codes stay below 3.
func (s scaler) folds() bool {
	// Beyond extreme, products may leave the range of float32.
	const most, extreme = 10, 1e15
	var squares float64
	for j, inverse := range s.inverse {
		ratio := math.Abs(s.mean[j]) * inverse
		squares += float64(ratio * ratio)
		if inverse > extreme || inverse != 0 && inverse < 1/extreme || inverse == 0 && math.Abs(s.mean[j]) > extreme {
			return false
		}
	}
	return squares <= most*most*float64(len(s.inverse))
}

// apply writes the standardised rows of x (m,n) to dst, which may be x.
func (s scaler) apply(dst, x []float32) {
	n := len(s.mean)
	for i := 0; i < len(x); i += n {
		row, out := x[i:i+n], dst[i:i+n]
		for j, v := range row {
			out[j] = float32((float64(v) - s.mean[j]) * s.inverse[j])
		}
	}
}

package model

import (
	"math"

	"github.com/aefeat/aefeat/internal/f32"
)

// near is the cosine above which weights are as good as the same.
const near = 0.9

// maxCompared bounds the units of which each is compared with all others.
const maxCompared = 4096

// UnmovedUnits counts the hidden units whose encoder weights still are what
// [New] drew for them by Seed, but for their length: the cosine of both is
// above 0.9. A fit that leaves many so took too few steps, or too small ones.
func (m *Model) UnmovedUnits() int {
	unmoved, n := 0, m.Inputs
	drawn := make([]float32, n)
	for i := range m.Hidden {
		m.Params.draw(drawn, m.Seed, encoderTensor, i)
		w := m.Params.EncoderWeight[i*n : (i+1)*n]
		product, square, before := 0.0, 0.0, 0.0
		for j, v := range w {
			product += float64(v) * float64(drawn[j])
			square += float64(v) * float64(v)
			before += float64(drawn[j]) * float64(drawn[j])
		}
		if product > near*math.Sqrt(square*before) {
			unmoved++
		}
	}
	return unmoved
}

// TwinUnits counts, among so many hidden units, those with a near twin: another
// unit whose encoder weights have a cosine above 0.9 with theirs, once each
// unit's mean weight is taken off. Units of opposite weights are no twins,
// since a code that is never negative needs both. Of models with more than
// 4,096 units it compares the first 4,096. It takes 4,096^2 n multiplications
// at most, which are fewer than those of an epoch over as many rows, and 4 MiB.
func (m *Model) TwinUnits() (twins, compared int) {
	const block = 256
	n, h := m.Inputs, min(m.Hidden, maxCompared)
	w := m.Params.EncoderWeight[:h*n]
	means, norms := make([]float64, h), make([]float64, h)
	for i := range h {
		sum, square := 0.0, 0.0
		for _, v := range w[i*n : (i+1)*n] {
			sum += float64(v)
			square += float64(v) * float64(v)
		}
		means[i] = sum / float64(n)
		// The products are float32: what is left of weights that are all but
		// equal may be rounding.
		norms[i] = math.Inf(1)
		if left := square - sum*means[i]; left > 1e-5*square {
			norms[i] = math.Sqrt(left)
		}
	}
	products := make([]float32, block*h)
	for lo := 0; lo < h; lo += block {
		rows := min(block, h-lo)
		f32.Gemm(false, true, rows, h, n, 1, w[lo*n:], n, w, n, 0, products, h)
		for i := lo; i < lo+rows; i++ {
			for j, product := range products[(i-lo)*h : (i-lo+1)*h] {
				if j != i && float64(product)-float64(n)*means[i]*means[j] > near*norms[i]*norms[j] {
					twins++
					break
				}
			}
		}
	}
	return twins, h
}

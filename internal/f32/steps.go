//go:build (amd64 || arm64) && !purego

package f32

import "math"

// What classes of assembly share: the ends of kernels that take whole steps of
// 16.

// restAbove goes on with above where whole steps of 16 have found n.
func restAbove(x []float32, bound uint32, index []int32, n int) int {
	for i := len(x) &^ 15; i < len(x); i++ {
		index[n] = int32(i)
		n += int(1 - below(keyOf(x[i]), bound))
	}
	return n
}

func slopeLinear(dst, _ []float32) {
	for i := range dst {
		dst[i] = 1
	}
}

func noExtremes() (lows, highs [16]float32) {
	for i := range lows {
		lows[i], highs[i] = float32(math.Inf(1)), float32(math.Inf(-1))
	}
	return lows, highs
}

// foldExtremes joins the extremes of whole steps of 16 with the rest of x.
func foldExtremes(x []float32, lows, highs *[16]float32) (low, high float32) {
	low, high = extremesPlain(x[len(x)&^15:])
	for i := range lows {
		low, high = min(low, lows[i]), max(high, highs[i])
	}
	return low, high
}

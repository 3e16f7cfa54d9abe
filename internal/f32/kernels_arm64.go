//go:build !purego

package f32

import "github.com/aefeat/aefeat/internal/cpu"

func best() *kernels { return &neon }

// classes returns the classes that this machine has, the best one last.
func classes() []*kernels { return []*kernels{&plain, &neon} }

var neon = kernels{
	class: cpu.NEON,
	rows:  12, cols: sliver / 2, packed: true,
	panel: 128 << 10, // half of a second-level cache of 1 MiB
	packN: func(dst []float32, width, pitch int, src []float32, ld, cols, k int) {
		whole := cols / width
		if whole > 0 {
			packNNEON(dst, width, pitch, src, ld, whole, k)
		}
		if rest := cols - whole*width; rest > 0 {
			packNPlain(dst[whole*pitch:], width, pitch, src[whole*width:], ld, rest, k)
		}
	},
	packT: func(dst []float32, stride int, src []float32, ld, cols, k int) {
		if k < 4 {
			packTPlain(dst, stride, src, ld, cols, k)
			return
		}
		packTNEON(dst, stride, src, ld, cols, k)
	},
	tile: tileNEON,
	activate: func(f Activation, z, bias []float32) {
		[...]func(z, bias []float32){activateSigmoidNEON, activateTanhNEON, activateReLUNEON, activateLinearNEON}[f](z, bias)
	},
	slope: func(f Activation, dst, a []float32) {
		[...]func(dst, a []float32){slopeSigmoidNEON, slopeTanhNEON, slopeReLUNEON, slopeLinear}[f](dst, a)
	},
	hiddenDelta: func(f Activation, d, a, c, k []float32, h int) {
		[...]func(d, a, c, k []float32, h int){hiddenDeltaSigmoidNEON, hiddenDeltaTanhNEON, hiddenDeltaReLUNEON, hiddenDeltaLinearNEON}[f](d, a, c, k, h)
	},
	squared: func(g Activation, u, bias, x []float32, sum *lanes) {
		[...]func(u, bias, x []float32, sum *[16]float64){squaredSigmoidNEON, squaredTanhNEON, squaredReLUNEON, squaredLinearNEON}[g](u, bias, x, (*[16]float64)(sum))
	},
	crossEntropy: func(u, bias, x []float32, sum *lanes) {
		crossEntropyNEON(u, bias, x, (*[16]float64)(sum))
	},
	columnSums: func(sum *lanes, x []float32, cols, stride, rows int) {
		columnSumsNEON((*[16]float64)(sum), x, cols, stride, rows)
	},
	columnSumSquares: func(sum *lanes, x []float32, cols, stride, rows int) {
		columnSumSquaresNEON((*[16]float64)(sum), x, cols, stride, rows)
	},
	sumSquares: func(x []float32, sum *lanes) { sumSquaresNEON(x, (*[16]float64)(sum)) },
	axpy:       axpyNEON,
	scale:      scaleNEON,
	multiply:   multiplyNEON,
	clip:       clipNEON,
	adam: func(p, g, m, v []float32, s adamStep) {
		adamNEON(p, g, m, v, s.beta1, s.rest1, s.beta2, s.rest2, s.rate, s.root, s.epsilon)
	},
	momentum:    momentumNEON,
	fromUint8:   fromUint8NEON,
	fromUint16:  fromUint16NEON,
	fromFloat16: fromFloat16NEON,
	fromFloat32: fromFloat32NEON,
	sumRows:     sumRowsNEON,
	dot:         dotNEON,
	maxima:      maximaNEON,
	above: func(x []float32, bound uint32, index []int32) int {
		return restAbove(x, bound, index, aboveNEON(x, bound, index))
	},
	// None of a Shortlist's: NEON multiplies 16-bit integers no faster than
	// floats.
	allFinite: allFiniteNEON,
	extremes: func(x []float32) (low, high float32) {
		lows, highs := noExtremes()
		extremesNEON(x, &lows, &highs)
		return foldExtremes(x, &lows, &highs)
	},
}

//go:build !purego

package f32

import "github.com/aefeat/aefeat/internal/cpu"

func best() *kernels { return classes()[cpu.Best()] }

// classes returns the classes that this machine has, the best one last.
func classes() []*kernels {
	return []*kernels{&plain, &avx2, &avx512}[:cpu.Best()+1]
}

// Calls through these tables let their arguments escape, so scratch memory
// that assembly writes to comes from pools.

var avx512 = kernels{
	class: cpu.AVX512,
	rows:  14, cols: 2 * sliver,
	panel: 128 << 10,
	packN: packNAVX512,
	packT: func(dst []float32, stride int, src []float32, ld, cols, k int) {
		if k < 16 {
			packTPlain(dst, stride, src, ld, cols, k)
			return
		}
		packTAVX512(dst, stride, src, ld, cols, k)
	},
	tile: tileAVX512,
	activate: func(f Activation, z, bias []float32) {
		[...]func(z, bias []float32){activateSigmoidAVX512, activateTanhAVX512, activateReLUAVX512, activateLinearAVX512}[f](z, bias)
	},
	slope: func(f Activation, dst, a []float32) {
		[...]func(dst, a []float32){slopeSigmoidAVX512, slopeTanhAVX512, slopeReLUAVX512, slopeLinear}[f](dst, a)
	},
	hiddenDelta: func(f Activation, d, a, c, k []float32, h int) {
		[...]func(d, a, c, k []float32, h int){hiddenDeltaSigmoidAVX512, hiddenDeltaTanhAVX512, hiddenDeltaReLUAVX512, hiddenDeltaLinearAVX512}[f](d, a, c, k, h)
	},
	squared: func(g Activation, u, bias, x []float32, sum *lanes) {
		[...]func(u, bias, x []float32, sum *[16]float64){squaredSigmoidAVX512, squaredTanhAVX512, squaredReLUAVX512, squaredLinearAVX512}[g](u, bias, x, (*[16]float64)(sum))
	},
	crossEntropy: func(u, bias, x []float32, sum *lanes) {
		crossEntropyAVX512(u, bias, x, (*[16]float64)(sum))
	},
	columnSums: func(sum *lanes, x []float32, cols, stride, rows int) {
		columnSumsAVX512((*[16]float64)(sum), x, cols, stride, rows)
	},
	columnSumSquares: func(sum *lanes, x []float32, cols, stride, rows int) {
		columnSumSquaresAVX512((*[16]float64)(sum), x, cols, stride, rows)
	},
	sumSquares: func(x []float32, sum *lanes) { sumSquaresAVX512(x, (*[16]float64)(sum)) },
	axpy:       axpyAVX512,
	scale:      scaleAVX512,
	multiply:   multiplyAVX512,
	clip:       clipAVX512,
	adam: func(p, g, m, v []float32, s adamStep) {
		adamAVX512(p, g, m, v, s.beta1, s.rest1, s.beta2, s.rest2, s.rate, s.root, s.epsilon)
	},
	momentum:    momentumAVX512,
	fromUint8:   fromUint8AVX512,
	fromUint16:  fromUint16AVX512,
	fromFloat16: fromFloat16AVX512,
	fromFloat32: fromFloat32AVX512,
	sumRows:     sumRowsAVX512,
	dot:         dotAVX512,
	maxima:      maximaAVX512,
	above: func(x []float32, bound uint32, index []int32) int {
		return restAbove(x, bound, index, aboveAVX512(x, bound, index))
	},
	screens:   cpu.VNNI(),
	integers:  integersAVX512,
	estimate:  estimateAVX512,
	raise:     raiseAVX512,
	chains:    chainsAVX2,
	allFinite: allFiniteAVX512,
	extremes: func(x []float32) (low, high float32) {
		lows, highs := noExtremes()
		extremesAVX512(x, &lows, &highs)
		return foldExtremes(x, &lows, &highs)
	},
}

var avx2 = kernels{
	class: cpu.AVX2,
	rows:  6, cols: sliver,
	panel: 64 << 10, down: true,
	packN: packNAVX2,
	packT: func(dst []float32, stride int, src []float32, ld, cols, k int) {
		if k < 8 {
			packTPlain(dst, stride, src, ld, cols, k)
			return
		}
		packTAVX2(dst, stride, src, ld, cols, k)
	},
	tile: tileAVX2,
	activate: func(f Activation, z, bias []float32) {
		[...]func(z, bias []float32){activateSigmoidAVX2, activateTanhAVX2, activateReLUAVX2, activateLinearAVX2}[f](z, bias)
	},
	slope: func(f Activation, dst, a []float32) {
		[...]func(dst, a []float32){slopeSigmoidAVX2, slopeTanhAVX2, slopeReLUAVX2, slopeLinear}[f](dst, a)
	},
	hiddenDelta: func(f Activation, d, a, c, k []float32, h int) {
		[...]func(d, a, c, k []float32, h int){hiddenDeltaSigmoidAVX2, hiddenDeltaTanhAVX2, hiddenDeltaReLUAVX2, hiddenDeltaLinearAVX2}[f](d, a, c, k, h)
	},
	squared: func(g Activation, u, bias, x []float32, sum *lanes) {
		[...]func(u, bias, x []float32, sum *[16]float64){squaredSigmoidAVX2, squaredTanhAVX2, squaredReLUAVX2, squaredLinearAVX2}[g](u, bias, x, (*[16]float64)(sum))
	},
	crossEntropy: func(u, bias, x []float32, sum *lanes) {
		crossEntropyAVX2(u, bias, x, (*[16]float64)(sum))
	},
	columnSums: func(sum *lanes, x []float32, cols, stride, rows int) {
		columnSumsAVX2((*[16]float64)(sum), x, cols, stride, rows)
	},
	columnSumSquares: func(sum *lanes, x []float32, cols, stride, rows int) {
		columnSumSquaresAVX2((*[16]float64)(sum), x, cols, stride, rows)
	},
	sumSquares: func(x []float32, sum *lanes) { sumSquaresAVX2(x, (*[16]float64)(sum)) },
	axpy:       axpyAVX2,
	scale:      scaleAVX2,
	multiply:   multiplyAVX2,
	clip:       clipAVX2,
	adam: func(p, g, m, v []float32, s adamStep) {
		adamAVX2(p, g, m, v, s.beta1, s.rest1, s.beta2, s.rest2, s.rate, s.root, s.epsilon)
	},
	momentum: momentumAVX2,
	// AVX2 has no masks for narrow integers: what whole registers leave over
	// goes through one on the stack.
	fromUint8: func(dst []float32, src []uint8, scale, offset float32) {
		fromUint8AVX2(dst, src, scale, offset)
		if n := len(src) &^ 15; n < len(src) {
			var from [16]uint8
			var to [16]float32
			copy(from[:], src[n:])
			fromUint8AVX2(to[:], from[:], scale, offset)
			copy(dst[n:], to[:])
		}
	},
	fromUint16: func(dst []float32, src []uint16, scale, offset float32) {
		fromUint16AVX2(dst, src, scale, offset)
		if n := len(src) &^ 15; n < len(src) {
			var from [16]uint16
			var to [16]float32
			copy(from[:], src[n:])
			fromUint16AVX2(to[:], from[:], scale, offset)
			copy(dst[n:], to[:])
		}
	},
	fromFloat16: func(dst []float32, src []uint16, scale, offset float32) {
		fromFloat16AVX2(dst, src, scale, offset)
		if n := len(src) &^ 15; n < len(src) {
			var from [16]uint16
			var to [16]float32
			copy(from[:], src[n:])
			fromFloat16AVX2(to[:], from[:], scale, offset)
			copy(dst[n:], to[:])
		}
	},
	fromFloat32: fromFloat32AVX2,
	sumRows:     sumRowsAVX2,
	dot:         dotAVX2,
	maxima:      maximaAVX2,
	above: func(x []float32, bound uint32, index []int32) int {
		return restAbove(x, bound, index, aboveAVX2(x, bound, index))
	},
	screens:   true,
	integers:  integersAVX2,
	estimate:  estimateAVX2,
	raise:     raiseAVX2,
	chains:    chainsAVX2,
	allFinite: allFiniteAVX2,
	extremes: func(x []float32) (low, high float32) {
		lows, highs := noExtremes()
		extremesAVX2(x, &lows, &highs)
		return foldExtremes(x, &lows, &highs)
	},
}

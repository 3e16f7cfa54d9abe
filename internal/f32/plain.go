package f32

import "math"

// This file is the meaning of every kernel. Its loops round once per
// operation, where the source has parentheses or a conversion: float32(a*b)
// keeps compilers that could from fusing the product into a sum.

// plain is the class of plain Go.
var plain = kernels{
	rows:  4,
	cols:  sliver,
	panel: 64 << 10,
	packN: packNPlain, packT: packTPlain, tile: tilePlain,
	activate: activatePlain, slope: slopePlain,
	hiddenDelta: hiddenDeltaPlain, squared: squaredPlain, crossEntropy: crossEntropyPlain,
	columnSums: columnSumsPlain, columnSumSquares: columnSumSquaresPlain, sumSquares: sumSquaresPlain,
	axpy: axpyPlain, scale: scalePlain, multiply: multiplyPlain, clip: clipPlain, adam: adamPlain, momentum: momentumPlain,
	fromUint8: fromUint8Plain, fromUint16: fromUint16Plain, fromFloat16: fromFloat16Plain, fromFloat32: fromFloat32Plain,
	sumRows: sumRowsPlain, dot: dotPlain, maxima: maximaPlain, above: abovePlain,
	integers: integersPlain, estimate: estimatePlain, raise: raisePlain, chains: chainsPlain,
	allFinite: allFinitePlain, extremes: extremesPlain,
}

// packNPlain packs a (k,cols) matrix in tiles of width columns, pitch apart:
// tile t has src[p ld + t width + j] at dst[t pitch + p width + j]. What the
// last tile lacks in columns is anything. width is at most 16.
func packNPlain(dst []float32, width, pitch int, src []float32, ld, cols, k int) {
	for p := range k {
		row := src[p*ld : p*ld+cols]
		for t := 0; t*width < cols; t++ {
			copy(dst[t*pitch+p*width:], row[t*width:min((t+1)*width, cols)])
		}
	}
}

// packTPlain packs a (cols,k) block: dst[p stride + j] = src[j ld + p].
func packTPlain(dst []float32, stride int, src []float32, ld, cols, k int) {
	for j := range cols {
		for p, v := range src[j*ld : j*ld+k] {
			dst[p*stride+j] = v
		}
	}
}

// tilePlain computes C = alpha A B + beta C for a (rows,cols) tile of C, where
// element (i,p) of A is a[i rowStride + p kStride] and B is packed. Each
// element's products are added in the order of p, starting from 0.
func tilePlain(rows, cols, k int, a []float32, rowStride, kStride int, b []float32, alpha, beta float32, c []float32, ldc int) {
	for i := range rows {
		out := c[i*ldc : i*ldc+cols]
		for j := 0; j < cols; j += 4 {
			var s0, s1, s2, s3 float32
			at, bt := i*rowStride, j
			for range k {
				v, w := a[at], b[bt:bt+4:bt+4]
				s0 += float32(v * w[0])
				s1 += float32(v * w[1])
				s2 += float32(v * w[2])
				s3 += float32(v * w[3])
				at += kStride
				bt += sliver
			}
			sums := [4]float32{s0, s1, s2, s3}
			for l := range min(4, cols-j) {
				s := float32(alpha * sums[l])
				if beta != 0 {
					s += float32(beta * out[j+l])
				}
				out[j+l] = s
			}
		}
	}
}

// zMax bounds the argument of the sigmoid. To a float32 the sigmoid is 1 there.
const zMax = 30

func sigmoid(z float32) float32 {
	t := math.Exp(-float64(min(abs(z), zMax)))
	if z < 0 {
		return float32(t / (1 + t))
	}
	return float32(1 / (1 + t))
}

func abs(x float32) float32 { return math.Float32frombits(math.Float32bits(x) &^ (1 << 31)) }

func apply(f Activation, z float32) float32 {
	switch f {
	case Sigmoid:
		return sigmoid(z)
	case Tanh:
		return float32(math.Tanh(float64(z)))
	case ReLU:
		return max(z, 0)
	}
	return z
}

// slope returns f'(z) and f”(z) from a = f(z).
func slope(f Activation, a float32) (first, second float32) {
	switch f {
	case Sigmoid:
		first = a * (1 - a)
		return first, first * (1 - float32(2*a))
	case Tanh:
		first = 1 - float32(a*a)
		return first, first * float32(-2*a)
	case ReLU:
		if a > 0 {
			return 1, 0
		}
		return 0, 0
	}
	return 1, 0
}

func activatePlain(f Activation, z, bias []float32) {
	for ; len(z) > 0; z = z[len(bias):] {
		for j, b := range bias {
			z[j] = apply(f, z[j]+b)
		}
	}
}

func slopePlain(f Activation, dst, a []float32) {
	for i, v := range a {
		dst[i], _ = slope(f, v)
	}
}

func hiddenDeltaPlain(f Activation, d, a, c, k []float32, h int) {
	for ; len(d) > 0; d, a = d[h:], a[h:] {
		for j := range h {
			first, second := slope(f, a[j])
			s := d[j]
			if c != nil {
				s += c[j]
			}
			if k != nil && f < ReLU { // others have no second derivative
				s += float32(k[j] * second)
			}
			d[j] = s * first
		}
	}
}

// Sums over rows are kept as 16 float64 sums, element j of a row in sum j mod
// 16, and added pairwise at the end: the same order in every class.
type lanes [16]float64

func (s lanes) total() float64 {
	for n := len(s) / 2; n > 0; n /= 2 {
		for i := range n {
			s[i] += s[i+n]
		}
	}
	return s[0]
}

// squaredPlain adds |y-x|^2 to sum.
func squaredPlain(g Activation, u, bias, x []float32, sum *lanes) {
	for n := len(bias); len(u) > 0; u, x = u[n:], x[n:] {
		for j, b := range bias {
			y := apply(g, u[j]+b)
			e := y - x[j]
			sum[j%16] += float64(e) * float64(e)
			first, _ := slope(g, y)
			u[j] = e * first
		}
	}
}

// crossEntropyPlain adds L to sum.
func crossEntropyPlain(u, bias, x []float32, sum *lanes) {
	for n := len(bias); len(u) > 0; u, x = u[n:], x[n:] {
		for j, b := range bias {
			v := u[j] + b
			sum[j%16] += float64(crossEntropy(v, x[j]))
			u[j] = sigmoid(v) - x[j]
		}
	}
}

// crossEntropy returns softplus(u) - x u, without the cancellation: for x in
// [0,1] both terms are positive.
func crossEntropy(u, x float32) float32 {
	var s float32
	if u > 0 {
		s = 1
	}
	return float32(u*(s-x)) + float32(math.Log1p(math.Exp(-float64(abs(u)))))
}

// columnSumsPlain adds up to 16 columns of x, whose rows are stride apart, to
// sum.
func columnSumsPlain(sum *lanes, x []float32, cols, stride, rows int) {
	for i := range rows {
		for j, v := range x[i*stride : i*stride+cols] {
			sum[j] += float64(v)
		}
	}
}

func columnSumSquaresPlain(sum *lanes, x []float32, cols, stride, rows int) {
	for i := range rows {
		for j, v := range x[i*stride : i*stride+cols] {
			sum[j] += float64(v) * float64(v)
		}
	}
}

func sumSquaresPlain(x []float32, sum *lanes) {
	for i, v := range x {
		sum[i%16] += float64(v) * float64(v)
	}
}

func axpyPlain(alpha float32, x, y []float32) {
	for i, v := range x {
		y[i] += float32(alpha * v)
	}
}

func scalePlain(alpha float32, x []float32) {
	for i := range x {
		x[i] *= alpha
	}
}

func multiplyPlain(x, y []float32) {
	for i, v := range x {
		y[i] *= v
	}
}

func clipPlain(limit float32, x []float32) {
	for i, v := range x {
		x[i] = max(-limit, min(v, limit))
	}
}

// adamStep holds the constants of one step of Adam.
type adamStep struct {
	beta1, rest1 float32 // rest = 1-beta
	beta2, rest2 float32
	rate         float32 // learning rate / (1-beta1^step)
	root         float32 // 1 / sqrt(1-beta2^step)
	epsilon      float32
}

func adamPlain(p, g, m, v []float32, s adamStep) {
	for i, d := range g {
		m[i] = flush(float32(s.beta1*m[i]) + float32(s.rest1*d))
		v[i] = flush(float32(s.beta2*v[i]) + float32(s.rest2*float32(d*d)))
		root := float32(math.Sqrt(float64(v[i])))
		p[i] -= float32(s.rate*m[i]) / (float32(root*s.root) + s.epsilon)
	}
}

// flush turns denormals, which processors are slow at, into 0.
func flush(x float32) float32 {
	if abs(x) < 0x1p-126 {
		return 0
	}
	return x
}

func momentumPlain(p, g, v []float32, rate, momentum float32) {
	for i, d := range g {
		v[i] = float32(momentum*v[i]) + d
		p[i] -= float32(rate * v[i])
	}
}

func fromUint8Plain(dst []float32, src []uint8, scale, offset float32) {
	for i, v := range src {
		dst[i] = float32(float32(v)*scale) + offset
	}
}

func fromUint16Plain(dst []float32, src []uint16, scale, offset float32) {
	for i, v := range src {
		dst[i] = float32(float32(v)*scale) + offset
	}
}

func fromFloat16Plain(dst []float32, src []uint16, scale, offset float32) {
	for i, v := range src {
		dst[i] = float32(half(v)*scale) + offset
	}
}

// half converts the bits of an IEEE 754 binary16.
func half(h uint16) float32 {
	sign, exponent, fraction := uint32(h>>15)<<31, uint32(h>>10&0x1f), uint32(h&0x3ff)
	switch exponent {
	case 0: // zero and denormals: fraction units of 2^-24
		return math.Float32frombits(sign | math.Float32bits(float32(fraction)*0x1p-24))
	case 0x1f:
		return math.Float32frombits(sign | 0xff<<23 | fraction<<13)
	}
	return math.Float32frombits(sign | (exponent+112)<<23 | fraction<<13)
}

func fromFloat32Plain(dst, src []float32, scale, offset float32) {
	for i, v := range src {
		dst[i] = float32(v*scale) + offset
	}
}

// sumRowsPlain computes dst = alpha sum_i value[i] b[index[i]] + beta dst for
// rows b of the length of dst. Each element is summed in the order of i,
// starting from 0. beta is 0 or 1; when it is 0, dst is only written.
func sumRowsPlain(dst, b []float32, index []int32, value []float32, alpha, beta float32) {
	n := len(dst)
	for first := 0; first < n; first += sliver {
		var sums [sliver]float32
		part := dst[first:min(first+sliver, n)]
		for i, at := range index {
			v := value[i]
			for j, w := range b[int(at)*n+first:][:len(part)] {
				sums[j] += float32(v * w)
			}
		}
		for j := range part {
			sum := float32(alpha * sums[j])
			if beta != 0 {
				sum += part[j]
			}
			part[j] = sum
		}
	}
}

// dotPlain adds up the products in 64 sums, of elements j mod 64, and these
// pairwise.
func dotPlain(x, y []float32) float32 {
	var s [64]float32
	for i, v := range x {
		s[i%64] += float32(v * y[i])
	}
	for n := len(s) / 2; n > 0; n /= 2 {
		for i := range n {
			s[i] += s[i+n]
		}
	}
	return s[0]
}

// maximaPlain sets dst[j] to the largest key of the elements x[16i+j]. x is
// whole 16s.
func maximaPlain(x []float32, dst *[16]uint32) {
	clear(dst[:])
	for i, v := range x {
		dst[i%16] = max(dst[i%16], keyOf(v))
	}
}

// abovePlain lists, rising, the elements of x whose key is bound or more, and
// returns how many there are. index has room for all.
func abovePlain(x []float32, bound uint32, index []int32) int {
	n := 0
	for i, v := range x {
		index[n] = int32(i)
		n += int(1 - below(keyOf(v), bound))
	}
	return n
}

// integersPlain sets dst to x times inverse in 16-bit integers, two in the
// place of a float32. It writes zeros up to whole steps of 16.
func integersPlain(dst, x []float32, inverse float32) {
	round := func(i int) uint32 {
		if i >= len(x) {
			return 0
		}
		v := math.RoundToEven(float64(x[i] * inverse))
		return uint32(uint16(int16(max(math.MinInt16, min(v, math.MaxInt16)))))
	}
	for i := range roundUp(len(x), 16) / 2 {
		dst[i] = math.Float32frombits(round(2*i) | round(2*i+1)<<16)
	}
}

// estimatePlain computes C = diag(scale) A B diag(columns) + bias for a tile of
// C, which is whole in columns, where A and B are pairs of 16-bit integers. A
// has rows stride apart, and B is packed. Sums fit in 32 bits.
func estimatePlain(rows, pairs int, a []float32, stride int, b, scale, columns, bias, c []float32, ldc int) {
	for i := range rows {
		for j := range sliver {
			var sum int32
			for p := range pairs {
				v, w := math.Float32bits(a[i*stride+p]), math.Float32bits(b[p*sliver+j])
				sum += int32(int16(v))*int32(int16(w)) + int32(int16(v>>16))*int32(int16(w>>16))
			}
			c[i*ldc+j] = float32(float32(float32(sum)*columns[j])*scale[i]) + bias[j]
		}
	}
}

// raisePlain raises dst to x - less where that is more. NaN is not more.
func raisePlain(dst, x []float32, less float32) {
	for i, v := range x {
		if v -= less; v > dst[i] {
			dst[i] = v
		}
	}
}

// chainsPlain sets dst to the dot products of x with rows of b, which are
// stride apart: those that index names. The products are added in their order,
// starting from 0.
func chainsPlain(dst, x, b []float32, stride int, index []int32) {
	for i, row := range index {
		var sum float32
		for p, v := range b[int(row)*stride:][:len(x)] {
			sum += float32(x[p] * v)
		}
		dst[i] = sum
	}
}

func allFinitePlain(x []float32) bool {
	for _, v := range x {
		if v-v != 0 {
			return false
		}
	}
	return true
}

// extremesPlain passes over NaN.
func extremesPlain(x []float32) (low, high float32) {
	low, high = float32(math.Inf(1)), float32(math.Inf(-1))
	for _, v := range x {
		if v < low {
			low = v
		}
		if v > high {
			high = v
		}
	}
	return low, high
}

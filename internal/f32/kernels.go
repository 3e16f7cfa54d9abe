package f32

import (
	"runtime"

	"github.com/aefeat/aefeat/internal/cpu"
)

// The assembly and its stubs are written by the generators in _generate:
//
//go:generate go -C _generate run . -out ../asm_amd64.s -stubs ../asm_amd64.go -pkg f32
//go:generate go -C _generate run ./arm64 -out ../asm_arm64.s -stubs ../asm_arm64.go

// kernels is one class: what the functions of this package call.
type kernels struct {
	class      cpu.Class
	rows, cols int  // size of a tile of C
	packed     bool // tiles take A packed only
	panel      int  // elements of B that are packed at a time: half of a second-level cache
	down       bool // a tile's columns of B fit a first-level cache beside rows of A

	packN func(dst []float32, width, pitch int, src []float32, ld, cols, k int)
	packT func(dst []float32, stride int, src []float32, ld, cols, k int)
	tile  func(rows, cols, k int, a []float32, rowStride, kStride int, b []float32, alpha, beta float32, c []float32, ldc int)

	activate     func(f Activation, z, bias []float32)
	slope        func(f Activation, dst, a []float32)
	hiddenDelta  func(f Activation, d, a, c, k []float32, h int)
	squared      func(g Activation, u, bias, x []float32, sum *lanes)
	crossEntropy func(u, bias, x []float32, sum *lanes)

	columnSums, columnSumSquares func(sum *lanes, x []float32, cols, stride, rows int)
	sumSquares                   func(x []float32, sum *lanes)

	axpy     func(alpha float32, x, y []float32)
	scale    func(alpha float32, x []float32)
	multiply func(x, y []float32)
	clip     func(limit float32, x []float32)
	adam     func(p, g, m, v []float32, s adamStep)
	momentum func(p, g, v []float32, rate, momentum float32)

	fromUint8               func(dst []float32, src []uint8, scale, offset float32)
	fromUint16, fromFloat16 func(dst []float32, src []uint16, scale, offset float32)
	fromFloat32             func(dst, src []float32, scale, offset float32)

	sumRows func(dst, b []float32, index []int32, value []float32, alpha, beta float32)
	dot     func(x, y []float32) float32
	maxima  func(x []float32, dst *[16]uint32)
	above   func(x []float32, bound uint32, index []int32) int

	// Of a Shortlist, which is of use where integers are faster than floats:
	screens  bool
	integers func(dst, x []float32, inverse float32)
	estimate func(rows, pairs int, a []float32, stride int, b, scale, columns, bias, c []float32, ldc int)
	raise    func(dst, x []float32, less float32)
	chains   func(dst, x, b []float32, stride int, index []int32)

	allFinite func(x []float32) bool
	extremes  func(x []float32) (low, high float32)
}

// active is the class in use, the best that the processor runs. Tests change
// it.
var active = best()

// Kernels names the class in use: "avx512", "avx2", "neon", or "plain" with the
// architecture, whose compiler and mathematical functions the bits of plain Go
// depend on, as in "plain arm64".
func Kernels() string {
	name := active.class.String()
	if active.class == cpu.Plain {
		name += " " + runtime.GOARCH
	}
	return name
}

// SameBits reports whether two classes that Kernels has named give the same
// bits: one class does, and so do those that fuse.
func SameBits(a, b string) bool {
	fuses := func(name string) bool { return name == cpu.AVX2.String() || name == cpu.AVX512.String() }
	return a == b || fuses(a) && fuses(b)
}

// Package cpu says which class of vector kernels the processor can run.
//
// A class stands for the instructions that a kernel needs, not for a
// processor: every feature of a class is checked, the operating system's
// support for its registers included.
package cpu

// Class names a set of kernels. Higher classes of amd64 include the lower ones.
type Class uint8

const (
	Plain  Class = iota // Go only, any processor
	AVX2                // amd64 with AVX2 and FMA: 8 floats a register
	AVX512              // amd64 with AVX-512 F, BW, DQ, VL: 16 floats
	NEON                // arm64, all processors: 4 floats
)

// String returns the class's name in lower case.
func (c Class) String() string {
	switch c {
	case AVX512:
		return "avx512"
	case AVX2:
		return "avx2"
	case NEON:
		return "neon"
	}
	return "plain"
}

// Best returns the highest class that this processor runs.
func Best() Class { return best() }

// VNNI reports whether a processor of class AVX512 has the products of 16-bit
// integers of AVX-512 VNNI.
func VNNI() bool { return vnni() }

// Package f32 holds the float32 kernels of the model: the matrix product
// ([Gemm], or [BLAS] behind gonum's interface) and the loops around it
// ([Activate], [HiddenDelta], [OutputDelta], [Adam], sums and conversions),
// each one pass over memory. [Sparse] holds matrices that are mostly 0, and
// their products.
//
// Matrices are row-major. Slices may have any alignment, but arguments that
// are written must not overlap other arguments. Sizes that do not fit
// panic: they are the caller's mistake, never the data's.
//
// # What a result depends on
//
// Every function may use up to GOMAXPROCS goroutines, which split the output
// and never a sum, so results do not depend on how many there are. An
// element of a product is summed in one order that depends on k alone:
// not on m or n, on its place in the matrix, or on strides. So a row of C
// depends on that row of A alone. Products of a [Sparse] are summed in the
// order of its elements.
//
// # Classes
//
// The functions in plain.go are the meaning; assembly for AVX2, AVX-512 and
// NEON (arm64) computes the same, but fuses multiplications with additions and
// has its own exponential. Results may therefore differ in the last bits
// between plain Go and the others, while one class always gives the same bits.
// AVX2 and AVX-512 fuse and sum alike and give equal bits. NEON is a class of
// its own: its kernels fuse and sum as those do, but the compiler fuses the Go
// code around them. The build tag purego leaves the assembly out.
//
// # Errors of the elementwise functions
//
// At most 3 units in the last place of the exact result for sigmoid (with its
// argument clamped to +-30), tanh and softplus, whatever the argument.
//
// All functions are safe for concurrent use on distinct outputs.
package f32

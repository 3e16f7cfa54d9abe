//go:build !purego

package f32

// asm_amd64.s and its stubs are written by the generator in _generate:
//
//go:generate go -C _generate run . -out ../asm_amd64.s -stubs ../asm_amd64.go -pkg f32

import "github.com/aefeat/aefeat/internal/cpu"

func avx512() *kernels {
	k := plain
	k.class = cpu.AVX512
	k.rows, k.cols = 14, 2*sliver
	k.tile = tileAVX512
	k.packN = packNAVX512
	k.packT = func(dst []float32, stride int, src []float32, ld, cols, k int) {
		if k < 16 {
			packTPlain(dst, stride, src, ld, cols, k)
			return
		}
		packTAVX512(dst, stride, src, ld, cols, k)
	}
	return &k
}

func avx2() *kernels {
	k := plain
	k.class = cpu.AVX2
	k.rows, k.cols = 6, sliver
	k.tile = tileAVX2
	k.packN = packNAVX2
	k.packT = func(dst []float32, stride int, src []float32, ld, cols, k int) {
		if k < 8 {
			packTPlain(dst, stride, src, ld, cols, k)
			return
		}
		packTAVX2(dst, stride, src, ld, cols, k)
	}
	return &k
}

func best() *kernels {
	switch cpu.Best() {
	case cpu.AVX512:
		return avx512()
	case cpu.AVX2:
		return avx2()
	}
	return &plain
}

// classes returns the classes that this machine has, for tests.
func classes() []*kernels {
	all := []*kernels{&plain, avx2(), avx512()}
	return all[:cpu.Best()+1]
}

package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// estimate writes the products of pairs of 16-bit integers: a loop for every
// number of rows. Whole tiles of columns are written. t is a register that is
// free at the end.
func (s isa) estimate(name string, t VecPhysical) {
	TEXT("estimate"+name, NOSPLIT, "func(rows, pairs int, a []float32, stride int, b, scale, columns, bias, c []float32, ldc int)")
	Pragma("noescape")
	Doc("estimate" + name + " is estimatePlain.")
	rows, k := integer("rows"), integer("pairs")
	b := base("b")
	bases, second := [2]GPVirtual{b, b}, Mem{Base: b, Disp: s.bytes}
	if s.bytes == 64 {
		b1 := GP64()
		LEAQ(Mem{Base: k, Disp: 1}, b1) // sliverPitch
		SHLQ(Imm(6), b1)
		ADDQ(b, b1)
		bases[1], second = b1, Mem{Base: b1}
	}
	a := s.rowsFrom(base("a"), integer("stride"))
	for r := s.rows; r > 0; r-- {
		label := fmt.Sprintf("rows%d", r)
		Label(label)
		if r > 1 {
			CMPQ(rows, Imm(uint64(r)))
			JLT(LabelRef(fmt.Sprintf("rows%d", r-1)))
		}
		s.loop(label, r, 2, k, [2]Mem{{Base: b}, second}, bases, a.at, func(u int) { a.advance(r, u) })
		JMP(LabelRef("finish2"))
	}
	Label("finish2")
	scale, columns, bias, c, ldc := base("scale"), base("columns"), base("bias"), base("c"), integer("ldc")
	SHLQ(Imm(2), ldc)
	for r := range s.rows {
		VBROADCASTSS(Mem{Base: scale, Disp: 4 * r}, t)
		for w := range 2 {
			acc, at := s.acc(r, w), s.bytes*w
			VCVTDQ2PS(acc, acc)
			VMULPS(Mem{Base: columns, Disp: at}, acc, acc)
			VFMADD213PS(Mem{Base: bias, Disp: at}, t, acc)
			VMOVUPS(acc, Mem{Base: c, Disp: at})
		}
		if r < s.rows-1 {
			DECQ(rows)
			JZ(LabelRef("done"))
			ADDQ(ldc, c)
		}
	}
	Label("done")
	VZEROUPPER()
	RET()
}

// estimate512 needs VNNI.
func estimate512() {
	s := isa{
		rows: rows512, bytes: 64, unroll: 4,
		zero:  func(acc Op) { VPXORD(acc, acc, acc) },
		loadB: func(at Mem, w, _ int) { VMOVUPS(at, zmm[28+w]) },
		product: func(at Mem, row, width int) {
			for w := range width {
				VPDPWSSD_BCST(at, zmm[28+w], zmm[2*row+w])
			}
		},
	}
	s.estimate("AVX512", Z28)
}

func estimate256() {
	acc := isa{bytes: 32}.acc
	s := isa{
		rows: rows256, bytes: 32, unroll: 4,
		zero:  func(acc Op) { VXORPS(acc, acc, acc) },
		loadB: func(at Mem, w, _ int) { VMOVUPS(at, ymm[12+w]) },
		product: func(at Mem, row, width int) {
			VPBROADCASTD(at, Y14)
			for w := range width {
				VPMADDWD(ymm[12+w], Y14, Y15)
				VPADDD(Y15, acc(row, w), acc(row, w))
			}
		},
	}
	s.estimate("AVX2", Y12)
}

// integers rounds to 16 bits, and writes whole steps.
func (c class) integers() {
	c.function("integers", "func(dst, x []float32, inverse float32)")
	dst, x, n := base("dst"), base("x"), length("x")
	inverse := c.broadcast("inverse")
	var low VecVirtual
	c.over(n, c.masks(n), func(e element) {
		v := e.load(x)
		VMULPS(inverse, v, v)
		VCVTPS2DQ(v, v)
		to := Mem{Base: dst, Index: e.i, Scale: 2}
		switch {
		case c.wide:
			y := YMM()
			VPMOVSDW(v, y)
			VMOVDQU(y, to)
		case e.h == 0:
			low = v
		default:
			VPACKSSDW(v, low, low)
			VPERMQ(Imm(0xd8), low, low)
			VMOVDQU(low, to)
		}
	})
	c.done()
}

func (c class) raise() {
	c.function("raise", "func(dst, x []float32, less float32)")
	dst, x, n := base("dst"), base("x"), length("x")
	less := c.broadcast("less")
	c.over(n, c.masks(n), func(e element) {
		v, most := e.load(x), e.load(dst)
		VSUBPS(less, v, v)
		VMAXPS(most, v, v) // most if v is NaN
		e.store(v, dst)
	})
	c.done()
}

package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// chains computes 16 sums at a time, in AVX2: four elements of each row are
// transposed, and added one after the other. Two sets of 8 sums take turns, as
// each waits for itself. Both classes have this one.
func chains() {
	TEXT("chainsAVX2", NOSPLIT, "func(dst, x, b []float32, stride int, index []int32)")
	Pragma("noescape")
	Doc("chainsAVX2 is chainsPlain.")
	dst, index, left := base("dst"), base("index"), length("index")
	tail := AllocLocal(16)
	c := classes[1]
	n := length("x")
	rest := GP64()
	MOVQ(n, rest)
	ANDQ(Imm(3), rest)
	SUBQ(rest, n)
	mask := c.first(rest)[0].(VecVirtual)
	sums := []VecVirtual{YMM(), YMM()}
	pointers := AllocLocal(8 * 16)
	var r, t [4]VecVirtual // there are 16 registers
	for i := range r {
		r[i], t[i] = YMM(), YMM()
	}
	w, y := YMM(), XMM()

	Label("group")
	x := base("x")
	row, b, stride, count := GP64(), base("b"), integer("stride"), GP64()
	MOVQ(left, count)
	from := GP64()
	MOVQ(index, from)
	for i := range 16 {
		MOVLQSX(Mem{Base: from}, row)
		IMULQ(stride, row)
		LEAQ(Mem{Base: b, Index: row, Scale: 4}, row)
		MOVQ(row, pointers.Offset(8*i))
		// The last row stands for those that do not exist.
		next := GP64()
		LEAQ(Mem{Base: from, Disp: 4}, next)
		CMPQ(count, Imm(uint64(i+1)))
		CMOVQGT(next, from)
	}
	for _, s := range sums {
		VXORPS(s, s, s)
	}
	at := GP64()
	XORQ(at, at)

	step := func(values Register, offset int, masked bool) {
		for set, sum := range sums {
			for i := range r {
				p, q := GP64(), GP64()
				MOVQ(pointers.Offset(8*(8*set+i)), p)
				MOVQ(pointers.Offset(8*(8*set+4+i)), q)
				low, high := Mem{Base: p, Index: at, Scale: 4, Disp: offset}, Mem{Base: q, Index: at, Scale: 4, Disp: offset}
				if masked {
					VMASKMOVPS(low, mask.AsX(), r[i].AsX())
					VMASKMOVPS(high, mask.AsX(), y)
					VINSERTF128(Imm(1), y, r[i], r[i])
				} else {
					VMOVUPS(low, r[i].AsX())
					VINSERTF128(Imm(1), high, r[i], r[i])
				}
			}
			VUNPCKLPS(r[1], r[0], t[0])
			VUNPCKHPS(r[1], r[0], t[1])
			VUNPCKLPS(r[3], r[2], t[2])
			VUNPCKHPS(r[3], r[2], t[3])
			VUNPCKLPD(t[2], t[0], r[0])
			VUNPCKHPD(t[2], t[0], r[1])
			VUNPCKLPD(t[3], t[1], r[2])
			VUNPCKHPD(t[3], t[1], r[3])
			for i, v := range r {
				if masked {
					VBROADCASTSS(tail.Offset(4*i), w)
				} else {
					VBROADCASTSS(Mem{Base: values, Index: at, Scale: 4, Disp: offset + 4*i}, w)
				}
				VFMADD231PS(v, w, sum)
			}
		}
	}
	Label("four")
	CMPQ(at, n)
	JGE(LabelRef("rest"))
	step(x, 0, false)
	ADDQ(Imm(4), at)
	JMP(LabelRef("four"))
	Label("rest")
	CMPQ(rest, Imm(0))
	JEQ(LabelRef("store"))
	VMASKMOVPS(Mem{Base: x, Index: at, Scale: 4}, mask.AsX(), y)
	VMOVUPS(y, tail)
	step(x, 0, true)
	Label("store")
	// Those that exist
	CMPQ(left, Imm(16))
	JGE(LabelRef("whole"))
	for h, m := range c.first(left) {
		VMASKMOVPS(sums[h], m, Mem{Base: dst, Disp: 32 * h})
	}
	VZEROUPPER()
	RET()
	Label("whole")
	for h, s := range sums {
		VMOVUPS(s, Mem{Base: dst, Disp: 32 * h})
	}
	ADDQ(Imm(64), dst)
	ADDQ(Imm(64), index)
	SUBQ(Imm(16), left)
	JNZ(LabelRef("group"))
	VZEROUPPER()
	RET()
}

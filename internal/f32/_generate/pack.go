package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// packN walks along the rows of src, so that each line is read once though it
// may belong to two tiles. It writes whole registers: what follows a row of a
// tile is overwritten by its next, and up to 16 elements after its last are
// scratch.
func (c class) packN() {
	c.function("packN", "func(dst []float32, width, pitch int, src []float32, ld, cols, k int)")
	dst, width, pitch := base("dst"), integer("width"), integer("pitch")
	src, ld, cols, k := base("src"), integer("ld"), integer("cols"), integer("k")
	Comment("The tiles before the last, and the columns of the last")
	tiles := GP64()
	XORQ(tiles, tiles)
	Label("count")
	CMPQ(cols, width)
	JLE(LabelRef("counted"))
	SUBQ(width, cols)
	INCQ(tiles)
	JMP(LabelRef("count"))
	Label("counted")
	whole, last := c.first(width), c.first(cols)
	SHLQ(Imm(2), width)
	SHLQ(Imm(2), pitch)
	SHLQ(Imm(2), ld)
	ahead := GP64()
	MOVQ(ld, ahead)
	SHLQ(Imm(3), ahead)
	if c.parts() == 2 {
		CMPQ(width, I8(4*8))
		JG(LabelRef("wide"))
		c.packRows("1", dst, width, pitch, src, ld, k, tiles, ahead, whole[:1], last[:1])
		Label("wide")
	}
	c.packRows("2", dst, width, pitch, src, ld, k, tiles, ahead, whole, last)
}

// packRows is the loop of packN over rows, by as many registers a tile as
// there are masks. It fetches rows ahead, since they may be pages apart.
func (c class) packRows(name string, dst, width, pitch, src, ld, k, tiles, ahead Register, whole, last []Op) {
	zero := GP64()
	XORQ(zero, zero)
	move := func(from, to Register, masks []Op) {
		PREFETCHT0(Mem{Base: from, Index: ahead, Scale: 1})
		for h := range masks {
			r := element{c, zero, h, masks[h]}.load(from)
			element{c, zero, h, nil}.store(r, to)
		}
	}
	Label("row" + name)
	from, to, n := GP64(), GP64(), GP64()
	MOVQ(src, from)
	MOVQ(dst, to)
	MOVQ(tiles, n)
	TESTQ(n, n)
	JZ(LabelRef("last" + name))
	Label("tile" + name)
	move(from, to, whole)
	ADDQ(width, from)
	ADDQ(pitch, to)
	DECQ(n)
	JNZ(LabelRef("tile" + name))
	Label("last" + name)
	move(from, to, last)
	ADDQ(ld, src)
	ADDQ(width, dst)
	DECQ(k)
	JNZ(LabelRef("row" + name))
	c.done()
}

const packTSignature = "func(dst []float32, stride int, src []float32, ld, cols, k int)"

func packTArguments() (dst, stride, src, ld, k GPVirtual) {
	dst, stride = base("dst"), integer("stride")
	src, ld, k = base("src"), integer("ld"), integer("k")
	SHLQ(Imm(2), stride)
	SHLQ(Imm(2), ld)
	return
}

// rowPointers leaves the addresses of n rows of src on the stack, the last of
// the cols that exist standing for those that do not: columns beyond the edge
// are packed with anything, and never reach C.
func rowPointers(n int, src, ld Register) Mem {
	pointers := AllocLocal(8 * n)
	cols, p := Load(Param("cols"), GP64()), GP64()
	MOVQ(src, p)
	for i := range n {
		MOVQ(p, pointers.Offset(8*i))
		next := GP64()
		LEAQ(Mem{Base: p, Index: ld, Scale: 1}, next)
		CMPQ(cols, Imm(uint64(i+1)))
		CMOVQGT(next, p)
	}
	return pointers
}

// packTLoop writes the loop of a transposition of n steps of k at a time, the
// last n of which overlap those before unless n divides k. k >= n.
func packTLoop(n int, dst, stride, k Register, body func(at Register)) {
	at := GP64()
	XORQ(at, at)
	SUBQ(I32(n), k)
	Label("loop")
	body(at)
	CMPQ(at, k)
	JEQ(LabelRef("done"))
	next := GP64()
	LEAQ(Mem{Base: at, Disp: n}, next)
	CMPQ(next, k)
	CMOVQGT(k, next)
	// dst follows by (next-at) steps.
	delta := GP64()
	MOVQ(next, delta)
	SUBQ(at, delta)
	IMULQ(stride, delta)
	ADDQ(delta, dst)
	MOVQ(next, at)
	JMP(LabelRef("loop"))
	Label("done")
	VZEROUPPER()
	RET()
}

// packT512 transposes blocks of 16 by 16.
func packT512() {
	TEXT("packTAVX512", NOSPLIT, packTSignature)
	Pragma("noescape")
	Doc("packTAVX512 is packTPlain for k >= 16.")
	dst, stride, src, ld, k := packTArguments()
	pointers := rowPointers(16, src, ld)
	packTLoop(16, dst, stride, k, func(at Register) {
		rows := make([]Op, 16)
		for i := range rows {
			p := GP64()
			MOVQ(pointers.Offset(8*i), p)
			z := ZMM()
			VMOVUPS(Mem{Base: p, Index: at, Scale: 4}, z)
			rows[i] = z
		}
		out := GP64()
		MOVQ(dst, out)
		for i, z := range transpose512(rows) {
			VMOVUPS(z, Mem{Base: out})
			if i < 15 {
				ADDQ(stride, out)
			}
		}
	})
}

// transpose512 returns the columns of a 16 by 16 block: pairs, then pairs of
// pairs within 128-bit lanes, then lanes.
func transpose512(r []Op) []Op {
	pairs := make([]Op, 16)
	for i := 0; i < 16; i += 2 {
		lo, hi := ZMM(), ZMM()
		VUNPCKLPS(r[i+1], r[i], lo)
		VUNPCKHPS(r[i+1], r[i], hi)
		pairs[i], pairs[i+1] = lo, hi
	}
	quads := make([]Op, 16) // quads[4g+c], lane l: rows 4g..4g+3 of column 4l+c
	for g := range 4 {
		for c := range 4 {
			z := ZMM()
			a, b := pairs[4*g+c/2], pairs[4*g+2+c/2]
			if c%2 == 0 {
				VUNPCKLPD(b, a, z)
			} else {
				VUNPCKHPD(b, a, z)
			}
			quads[4*g+c] = z
		}
	}
	out := make([]Op, 16)
	for c := range 4 {
		low02, low13, high02, high13 := ZMM(), ZMM(), ZMM(), ZMM()
		VSHUFF32X4(Imm(0x88), quads[4+c], quads[c], low02)
		VSHUFF32X4(Imm(0xdd), quads[4+c], quads[c], low13)
		VSHUFF32X4(Imm(0x88), quads[12+c], quads[8+c], high02)
		VSHUFF32X4(Imm(0xdd), quads[12+c], quads[8+c], high13)
		z0, z1, z2, z3 := ZMM(), ZMM(), ZMM(), ZMM()
		VSHUFF32X4(Imm(0x88), high02, low02, z0)
		VSHUFF32X4(Imm(0xdd), high02, low02, z2)
		VSHUFF32X4(Imm(0x88), high13, low13, z1)
		VSHUFF32X4(Imm(0xdd), high13, low13, z3)
		out[c], out[4+c], out[8+c], out[12+c] = z0, z1, z2, z3
	}
	return out
}

// packT256 transposes blocks of 8 by 8, two side by side.
func packT256() {
	TEXT("packTAVX2", NOSPLIT, packTSignature)
	Pragma("noescape")
	Doc("packTAVX2 is packTPlain for k >= 8.")
	dst, stride, src, ld, k := packTArguments()
	pointers := rowPointers(16, src, ld)
	packTLoop(8, dst, stride, k, func(at Register) {
		for half := range 2 {
			rows := make([]Op, 8)
			for i := range rows {
				p := GP64()
				MOVQ(pointers.Offset(8*(8*half+i)), p)
				y := YMM()
				VMOVUPS(Mem{Base: p, Index: at, Scale: 4}, y)
				rows[i] = y
			}
			out := GP64()
			MOVQ(dst, out)
			for i, y := range transpose256(rows) {
				VMOVUPS(y, Mem{Base: out, Disp: 32 * half})
				if i < 7 {
					ADDQ(stride, out)
				}
			}
		}
	})
}

func transpose256(r []Op) []Op {
	pairs := make([]Op, 8)
	for i := 0; i < 8; i += 2 {
		lo, hi := YMM(), YMM()
		VUNPCKLPS(r[i+1], r[i], lo)
		VUNPCKHPS(r[i+1], r[i], hi)
		pairs[i], pairs[i+1] = lo, hi
	}
	quads := make([]Op, 8) // quads[4g+c], lane l: rows 4g..4g+3 of column 4l+c
	for g := range 2 {
		for c := range 4 {
			y := YMM()
			a, b := pairs[4*g+c/2], pairs[4*g+2+c/2]
			if c%2 == 0 {
				VUNPCKLPD(b, a, y)
			} else {
				VUNPCKHPD(b, a, y)
			}
			quads[4*g+c] = y
		}
	}
	out := make([]Op, 8)
	for c := range 4 {
		lo, hi := YMM(), YMM()
		VPERM2F128(Imm(0x20), quads[4+c], quads[c], lo)
		VPERM2F128(Imm(0x31), quads[4+c], quads[c], hi)
		out[c], out[4+c] = lo, hi
	}
	return out
}

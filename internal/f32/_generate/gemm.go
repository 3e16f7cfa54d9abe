package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/attr"
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

const tileSignature = "func(rows, cols, k int, a []float32, rowStride, kStride int, b []float32, alpha, beta float32, c []float32, ldc int)"

// alphaOffset is the place of alpha among a tile function's arguments; beta
// follows it.
const alphaOffset = 3*8 + 24 + 2*8 + 24

// Rows of a tile: as many accumulators as the registers hold beside two of B
// (AVX-512: 14x2 of 32) or two of B and two of A (AVX2: 6x2 of 16).
const (
	rows512 = 14
	rows256 = 6
)

var (
	zmm = []VecPhysical{Z0, Z1, Z2, Z3, Z4, Z5, Z6, Z7, Z8, Z9, Z10, Z11, Z12, Z13, Z14, Z15,
		Z16, Z17, Z18, Z19, Z20, Z21, Z22, Z23, Z24, Z25, Z26, Z27, Z28, Z29, Z30, Z31}
	ymm = []VecPhysical{Y0, Y1, Y2, Y3, Y4, Y5, Y6, Y7, Y8, Y9, Y10, Y11, Y12, Y13, Y14, Y15}
)

// isa is what the tile functions of the two classes do differently.
type isa struct {
	rows    int // of a tile
	bytes   int // of a register
	unroll  int
	zero    func(acc Op)
	widths  []int // of tiles in registers; 0: half a register
	loadB   func(at Mem, w, width int)
	product func(at Mem, row, width int) // acc[row] += A[row] B
}

// tile writes the products: a loop for every number of rows and all widths,
// so that edges cost no more than their share. Rows of A come as broadcast
// operands, either straight from a matrix whose rows are contiguous (kStride
// 1) or packed side by side (rowStride 1, kStride rows). Each loop ends in a
// jump to finish2 or finish1; half a register is finished as a whole one, whose
// upper half is 0. b are the addresses of the two registers of B.
func (s isa) tile(rows, k Register, b [2]Mem, bases [2]GPVirtual, narrow func()) {
	a := base("a")
	direct := s.rowsFrom(a, integer("rowStride"))
	kStride := Load(Param("kStride"), GP64())
	narrow()
	for _, width := range s.widths {
		switch width {
		case 1:
			Label("narrow")
		case 0:
			Label("half")
		}
		CMPQ(kStride, Imm(1))
		JEQ(LabelRef(fmt.Sprintf("direct%dx%d", s.rows, width)))
		for _, name := range []string{"packed", "direct"} {
			for r := s.rows; r > 0; r-- {
				Label(fmt.Sprintf("%s%dx%d", name, r, width))
				if r > 1 {
					CMPQ(rows, Imm(uint64(r)))
					JLT(LabelRef(fmt.Sprintf("%s%dx%d", name, r-1, width)))
				}
				at := func(row, u int) Mem { return Mem{Base: a, Disp: 4 * (u*s.rows + row)} }
				advance := func(u int) { ADDQ(I32(4*s.rows*u), a) }
				if name == "direct" {
					at, advance = direct.at, func(u int) { direct.advance(r, u) }
				}
				s.loop(fmt.Sprintf("%s%dx%d", name, r, width), r, width, k, b, bases, at, advance)
				JMP(LabelRef(fmt.Sprintf("finish%d", max(width, 1))))
			}
		}
	}
}

// matrixRows addresses rows of a matrix of 32-bit elements that are stride
// apart: one base register for four of them.
type matrixRows struct {
	bases           []Register
	stride, stride3 Register // in bytes; three of them
}

// rowsFrom returns as many rows as a tile has, from a on.
func (s isa) rowsFrom(a, stride Register) matrixRows {
	stride3 := GP64()
	SHLQ(Imm(2), stride)
	LEAQ(Mem{Base: stride, Index: stride, Scale: 2}, stride3)
	m := matrixRows{[]Register{a}, stride, stride3}
	for g := 4; g < s.rows; g += 4 {
		p := GP64()
		LEAQ(Mem{Base: m.bases[len(m.bases)-1], Index: stride, Scale: 4}, p)
		m.bases = append(m.bases, p)
	}
	return m
}

// at is element u of a row.
func (m matrixRows) at(row, u int) Mem {
	at := Mem{Base: m.bases[row/4], Disp: 4 * u}
	switch row % 4 {
	case 1:
		at.Index, at.Scale = m.stride, 1
	case 2:
		at.Index, at.Scale = m.stride, 2
	case 3:
		at.Index, at.Scale = m.stride3, 1
	}
	return at
}

// advance moves the first rows by u elements.
func (m matrixRows) advance(rows, u int) {
	for _, p := range m.bases[:(rows+3)/4] {
		ADDQ(I32(4*u), p)
	}
}

func (s isa) loop(name string, rows, width int, k Register, b [2]Mem, bases [2]GPVirtual, at func(row, u int) Mem, advance func(u int)) {
	registers := max(width, 1)
	for r := range rows {
		for w := range registers {
			s.zero(s.acc(r, w))
		}
	}
	body := func(steps int) {
		for u := range steps {
			for w := range registers {
				s.loadB(b[w].Offset(64*u), w, width)
			}
			for r := range rows {
				s.product(at(r, u), r, width)
			}
		}
		advance(steps)
		for w := range registers {
			if w == 0 || bases[1] != bases[0] {
				ADDQ(I32(64*steps), bases[w])
			}
		}
	}
	unroll := 1
	if rows == s.rows {
		unroll = s.unroll
		SUBQ(I32(unroll), k)
		JLT(LabelRef(name + "rest"))
		Label(name + "loop")
		body(unroll)
		SUBQ(I32(unroll), k)
		JGE(LabelRef(name + "loop"))
		Label(name + "rest")
		ADDQ(I32(unroll), k)
		JZ(LabelRef(fmt.Sprintf("finish%d", registers)))
	}
	Label(name + "step")
	body(1)
	DECQ(k)
	JNZ(LabelRef(name + "step"))
}

func (s isa) acc(r, w int) VecPhysical {
	if s.bytes == 64 {
		return zmm[2*r+w]
	}
	return ymm[2*r+w]
}

func tile512() {
	TEXT("tileAVX512", NOSPLIT, tileSignature)
	Pragma("noescape")
	Doc("tileAVX512 is tilePlain for tiles of up to 14 rows and 32 columns, two",
		"slivers of B.")
	rows := Load(Param("rows"), GP64())
	k := Load(Param("k"), GP64())
	b0 := Load(Param("b").Base(), GP64()).(GPVirtual)
	c := Load(Param("c").Base(), GP64())
	ldc := Load(Param("ldc"), GP64())
	SHLQ(Imm(2), ldc)
	b1 := GP64()
	LEAQ(Mem{Base: k, Disp: 1}, b1) // sliverPitch
	SHLQ(Imm(6), b1)
	ADDQ(b0, b1)
	Comment("K1 and K2: the columns that exist")
	Load(Param("cols"), RCX)
	NEGQ(RCX)
	mask := GP64()
	MOVQ(I64(-1), mask)
	SHRQ(CL, mask)
	KMOVW(mask.As32(), K1)
	SHRQ(Imm(16), mask)
	KMOVW(mask.As32(), K2)
	prefetchC(c, ldc, rows)
	s := isa{
		rows: rows512, bytes: 64, unroll: 4,
		widths: []int{2, 1, 0},
		zero:   func(acc Op) { VPXORD(acc, acc, acc) },
		loadB: func(at Mem, w, width int) {
			if width == 0 {
				VMOVUPS(at, zmm[28].AsY())
				return
			}
			VMOVUPS(at, zmm[28+w])
		},
		product: func(at Mem, row, width int) {
			if width == 0 {
				VFMADD231PS_BCST(at, zmm[28].AsY(), zmm[2*row].AsY())
			}
			for w := range width {
				VFMADD231PS_BCST(at, zmm[28+w], zmm[2*row+w])
			}
		},
	}
	s.tile(rows, k, [2]Mem{{Base: b0}, {Base: b1}}, [2]GPVirtual{b0, b1}, func() {
		CMPQ(RCX, I8(-8))
		JGE(LabelRef("half"))
		CMPQ(RCX, I8(-16))
		JGE(LabelRef("narrow"))
	})
	for width := 2; width > 0; width-- {
		Label(fmt.Sprintf("finish%d", width))
		VBROADCASTSS(NewParamAddr("alpha", alphaOffset), Z30)
		VBROADCASTSS(NewParamAddr("beta", alphaOffset+4), Z31)
		Comment("C is read through K3 and K4, which are empty when beta is 0")
		VPXORD(Z29, Z29, Z29)
		VCMPPS(Imm(notEqual), Z29, Z31, K5)
		KANDW(K1, K5, K3)
		KANDW(K2, K5, K4)
		for r := range rows512 {
			for w := range width {
				at := Mem{Base: c, Disp: 64 * w}
				VMOVUPS_Z(at, []Op{K3, K4}[w], Z29)
				VMULPS(Z31, Z29, Z29)
				VFMADD231PS(s.acc(r, w), Z30, Z29)
				VMOVUPS(Z29, []Op{K1, K2}[w], at)
			}
			if r < rows512-1 {
				DECQ(rows)
				JZ(LabelRef("done"))
				ADDQ(ldc, c)
			}
		}
		if width == 2 {
			JMP(LabelRef("done"))
		}
	}
	Label("done")
	VZEROUPPER()
	RET()
}

func prefetchC(c, ldc, rows Register) {
	p, n := GP64(), GP64()
	MOVQ(c, p)
	MOVQ(rows, n)
	Label("prefetch")
	PREFETCHT0(Mem{Base: p})
	PREFETCHT0(Mem{Base: p, Disp: 64})
	ADDQ(ldc, p)
	DECQ(n)
	JNZ(LabelRef("prefetch"))
}

func tile256() {
	TEXT("tileAVX2", NOSPLIT, tileSignature)
	Pragma("noescape")
	Doc("tileAVX2 is tilePlain for tiles of up to 6 rows and 16 columns, one sliver",
		"of B.")
	rows := Load(Param("rows"), GP64())
	k := Load(Param("k"), GP64())
	b := Load(Param("b").Base(), GP64()).(GPVirtual)
	c := Load(Param("c").Base(), GP64())
	ldc := Load(Param("ldc"), GP64())
	SHLQ(Imm(2), ldc)
	cols := Load(Param("cols"), GP64())
	prefetchC(c, ldc, rows)
	turn := 0
	s := isa{
		rows: rows256, bytes: 32, unroll: 4,
		widths: []int{2, 1},
		zero:   func(acc Op) { VXORPS(acc, acc, acc) },
		loadB:  func(at Mem, w, width int) { VMOVUPS(at, ymm[12+w]) },
		product: func(at Mem, row, width int) {
			v := ymm[14+turn]
			turn = 1 - turn
			VBROADCASTSS(at, v)
			for w := range width {
				VFMADD231PS(v, ymm[12+w], ymm[2*row+w])
			}
		},
	}
	s.tile(rows, k, [2]Mem{{Base: b}, {Base: b, Disp: 32}}, [2]GPVirtual{b, b}, func() {
		CMPQ(cols, Imm(8))
		JLE(LabelRef("narrow"))
	})
	alpha, beta, t := Y12, Y13, Y14
	for width := 2; width > 0; width-- {
		Label(fmt.Sprintf("finish%d", width))
		VBROADCASTSS(NewParamAddr("alpha", alphaOffset), alpha)
		VBROADCASTSS(NewParamAddr("beta", alphaOffset+4), beta)
		// Whole registers that are only written, whole ones that are added to,
		// and edges.
		write, edge := fmt.Sprintf("write%d", width), fmt.Sprintf("edge%d", width)
		CMPQ(cols, Imm(uint64(8*width)))
		JNE(LabelRef(edge))
		VXORPS(t, t, t)
		VUCOMISS(t.AsX(), beta.AsX())
		JEQ(LabelRef(write))
		finish := func(row func(r int)) {
			for r := range rows256 {
				row(r)
				if r < rows256-1 {
					DECQ(rows)
					JZ(LabelRef("done"))
					ADDQ(ldc, c)
				}
			}
			JMP(LabelRef("done"))
		}
		finish(func(r int) {
			for w := range width {
				at := Mem{Base: c, Disp: 32 * w}
				VMULPS(at, beta, t)
				VFMADD231PS(s.acc(r, w), alpha, t)
				VMOVUPS(t, at)
			}
		})
		Label(write)
		finish(func(r int) {
			for w := range width {
				VXORPS(t, t, t)
				VFMADD231PS(s.acc(r, w), alpha, t)
				VMOVUPS(t, Mem{Base: c, Disp: 32 * w})
			}
		})
		Label(edge)
		masks, n := GP64(), GP64()
		LEAQ(maskTable(), masks)
		MOVQ(I32(16), n)
		SUBQ(cols, n)
		LEAQ(Mem{Base: masks, Index: n, Scale: 4}, masks)
		// C is read through a mask that is empty when beta is 0.
		finish(func(r int) {
			for w := range width {
				at, mask := Mem{Base: c, Disp: 32 * w}, Y15
				VMOVUPS(Mem{Base: masks, Disp: 32 * w}, mask)
				VXORPS(t, t, t)
				VCMPPS(Imm(notEqual), t, beta, t)
				VPAND(mask, t, t)
				VMASKMOVPS(at, t, t)
				VMULPS(t, beta, t)
				VFMADD231PS(s.acc(r, w), alpha, t)
				VMASKMOVPS(t, mask, at)
			}
		})
	}
	Label("done")
	VZEROUPPER()
	RET()
}

var maskData *Mem

// maskTable is 16 words of ones, then 16 of zeros: at 4(16-n) begins the mask
// of n elements.
func maskTable() Mem {
	if maskData == nil {
		m := GLOBL("firstElements", attr.RODATA|attr.NOPTR)
		for i := range 32 {
			DATA(4*i, U32(0xffffffff*((31-i)/16)))
		}
		maskData = &m
	}
	return *maskData
}

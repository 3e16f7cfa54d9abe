package main

import (
	"fmt"
	"math"

	"github.com/mmcloughlin/avo/attr"
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// A class is an instruction set to write a kernel in. Kernels take steps of 16
// elements in both, two registers of 8 in AVX2, so that sums kept in 16 parts
// come out alike. Most arithmetic has one mnemonic for both and is written
// directly; this file has the rest.
type class struct {
	name string
	wide bool // 512-bit registers
}

var classes = []class{{"AVX512", true}, {"AVX2", false}}

// parts is the number of registers in a step of 16.
func (c class) parts() int {
	if c.wide {
		return 1
	}
	return 2
}

func (c class) reg() VecVirtual {
	if c.wide {
		return ZMM()
	}
	return YMM()
}

// function begins a kernel, called name + the class, that does what the plain
// one does.
func (c class) function(name, signature string) {
	TEXT(name+c.name, NOSPLIT, signature)
	Pragma("noescape")
	Doc(name + c.name + " is " + name + "Plain.")
}

func (c class) done() {
	VZEROUPPER()
	RET()
}

var labels int

// label returns a label that no other has.
func label(name string) string {
	labels++
	return fmt.Sprintf("%s%d", name, labels)
}

func base(name string) GPVirtual   { return Load(Param(name).Base(), GP64()).(GPVirtual) }
func length(name string) GPVirtual { return Load(Param(name).Len(), GP64()).(GPVirtual) }
func integer(name string) GPVirtual {
	return Load(Param(name), GP64()).(GPVirtual)
}

// broadcast returns a register full of a float32 parameter.
func (c class) broadcast(name string) VecVirtual {
	p, err := Param(name).Resolve()
	if err != nil {
		panic(err)
	}
	r := c.reg()
	VBROADCASTSS(p.Addr, r)
	return r
}

var constants = map[uint32]Mem{}

// bits returns 64 bytes of a 32-bit constant.
func bits(b uint32) Mem {
	m, ok := constants[b]
	if !ok {
		m = GLOBL(fmt.Sprintf("constant%08x", b), attr.RODATA|attr.NOPTR)
		for i := range 16 {
			DATA(4*i, U32(b))
		}
		constants[b] = m
	}
	return m
}

func constant(v float32) Mem { return bits(math.Float32bits(v)) }

// held returns a register that holds a constant.
func (c class) held(v float32) VecVirtual {
	r := c.reg()
	VMOVUPS(constant(v), r)
	return r
}

func (c class) zero() VecVirtual {
	r := c.reg()
	if c.wide {
		VPXORD(r, r, r)
	} else {
		VXORPS(r, r, r)
	}
	return r
}

// masks selects the first n mod 16 elements of a step, one mask for each
// register.
func (c class) masks(n Register) []Op {
	tail := GP64()
	MOVQ(n, tail)
	ANDQ(Imm(15), tail)
	return c.first(tail)
}

// first selects the first n elements of a step, up to 16.
func (c class) first(n Register) []Op {
	if c.wide {
		MOVQ(n, RCX)
		b, k := GP64(), K()
		MOVQ(U32(1), b)
		SHLQ(CL, b)
		DECQ(b)
		KMOVW(b.As32(), k)
		return []Op{k}
	}
	table, left, low, high := GP64(), GP64(), YMM(), YMM()
	MOVQ(n, left)
	NEGQ(left)
	LEAQ(maskTable(), table)
	VMOVUPS(Mem{Base: table, Index: left, Scale: 4, Disp: 64}, low)
	VMOVUPS(Mem{Base: table, Index: left, Scale: 4, Disp: 96}, high)
	return []Op{low, high}
}

// element is where a body works: elements i.. of part h of a step, all of them
// or those that mask selects.
type element struct {
	c    class
	i    Register
	h    int
	mask Op
}

// at is the address of elements of the given size.
func (e element) at(p Register, size uint8) Mem {
	return Mem{Base: p, Index: e.i, Scale: size, Disp: 8 * int(size) * e.h}
}

func (e element) load(p Register) VecVirtual {
	r := e.c.reg()
	switch {
	case e.mask == nil:
		VMOVUPS(e.at(p, 4), r)
	case e.c.wide:
		VMOVUPS_Z(e.at(p, 4), e.mask, r)
	default:
		VMASKMOVPS(e.at(p, 4), e.mask, r)
	}
	return r
}

func (e element) store(r Op, p Register) {
	switch {
	case e.mask == nil:
		VMOVUPS(r, e.at(p, 4))
	case e.c.wide:
		VMOVUPS(r, e.mask, e.at(p, 4))
	default:
		VMASKMOVPS(r, e.mask, e.at(p, 4))
	}
}

// clear zeroes what the mask leaves out.
func (e element) clear(r VecVirtual) {
	switch {
	case e.mask == nil:
	case e.c.wide:
		VMOVAPS_Z(r, e.mask, r)
	default:
		VANDPS(r, e.mask, r)
	}
}

// over runs body over n elements in steps of 16; masks are those of n.
func (c class) over(n Register, masks []Op, body func(e element)) {
	i, whole := GP64(), GP64()
	XORQ(i, i)
	MOVQ(n, whole)
	ANDQ(I8(-16), whole)
	loop, tail, end := label("step"), label("tail"), label("end")
	Label(loop)
	CMPQ(i, whole)
	JGE(LabelRef(tail))
	for h := range c.parts() {
		body(element{c, i, h, nil})
	}
	ADDQ(Imm(16), i)
	JMP(LabelRef(loop))
	Label(tail)
	CMPQ(i, n)
	JGE(LabelRef(end))
	for h := range c.parts() {
		body(element{c, i, h, masks[h]})
	}
	Label(end)
}

// rows repeats body for rows of n elements until none of total is left.
// advance moves the body's pointers on by the n*4 bytes that it is given.
func rows(total, n Register, body func(), pointers ...GPVirtual) {
	bytes := GP64()
	MOVQ(n, bytes)
	SHLQ(Imm(2), bytes)
	loop, end := label("row"), label("rows")
	Label(loop)
	CMPQ(total, Imm(0))
	JLE(LabelRef(end))
	body()
	for _, p := range pointers {
		ADDQ(bytes, p)
	}
	SUBQ(n, total)
	JMP(LabelRef(loop))
	Label(end)
}

// Predicates of comparisons. unordered and notLess hold for NaN.
const (
	unordered = 3
	notEqual  = 4
	notLess   = 5
	greater   = 14
)

// keep zeroes r where the comparison of a with b is false.
func (c class) keep(predicate uint64, a, b Op, r Op) VecVirtual {
	out := c.reg()
	if c.wide {
		k := K()
		VCMPPS(Imm(predicate), b, a, k)
		VMOVUPS_Z(r, k, out)
		return out
	}
	VCMPPS(Imm(predicate), b, a, out)
	VANDPS(r, out, out)
	return out
}

// choose returns yes where x is negative, sign bit and all, otherwise no.
func (c class) choose(x, yes, no VecVirtual) VecVirtual {
	out := c.reg()
	if c.wide {
		k := K()
		VPMOVD2M(x, k)
		VBLENDMPS(yes, no, k, out)
		return out
	}
	VBLENDVPS(x, yes, no, out)
	return out
}

// addDoubles adds the elements of r to two registers of float64 sums,
// multiplied by themselves if squares is set.
func (c class) addDoubles(r VecVirtual, sums [2]VecVirtual, squares bool) {
	for half := range 2 {
		var d VecVirtual
		if c.wide {
			d = ZMM()
			if half == 0 {
				VCVTPS2PD(r.AsY(), d)
			} else {
				y := YMM()
				VEXTRACTF64X4(Imm(1), r, y)
				VCVTPS2PD(y, d)
			}
		} else {
			d = YMM()
			if half == 0 {
				VCVTPS2PD(r.AsX(), d)
			} else {
				x := XMM()
				VEXTRACTF128(Imm(1), r, x)
				VCVTPS2PD(x, d)
			}
		}
		if squares {
			VFMADD231PD(d, d, sums[half])
		} else {
			VADDPD(d, sums[half], sums[half])
		}
	}
}

// doubles returns zeroed sums for each part of a step.
func (c class) doubles() [][2]VecVirtual {
	sums := make([][2]VecVirtual, c.parts())
	for i := range sums {
		sums[i] = [2]VecVirtual{c.zero(), c.zero()}
	}
	return sums
}

// storeDoubles writes 16 float64 sums.
func (c class) storeDoubles(sums [][2]VecVirtual, p Register) {
	at := 0
	for _, pair := range sums {
		for _, r := range pair {
			VMOVUPD(r, Mem{Base: p, Disp: at})
			at += int(r.Size())
		}
	}
}

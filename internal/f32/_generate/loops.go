package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// columns adds up to 16 columns of x to sum, which stays in registers.
func (c class) columns(name string, squares bool) {
	c.function(name, "func(sum *[16]float64, x []float32, cols, stride, rows int)")
	sum, x, cols, stride, left := integer("sum"), base("x"), integer("cols"), integer("stride"), integer("rows")
	SHLQ(Imm(2), stride)
	masks := c.masks(cols)
	sums := c.doubles()
	at := 0
	for _, pair := range sums {
		for _, r := range pair {
			VMOVUPD(Mem{Base: sum, Disp: at}, r)
			at += int(r.Size())
		}
	}
	zero := GP64()
	XORQ(zero, zero)
	strip := func(edge bool) {
		loop := label("row")
		Label(loop)
		for h := range c.parts() {
			e := element{c, zero, h, nil}
			if edge {
				e.mask = masks[h]
			}
			c.addDoubles(e.load(x), sums[h], squares)
		}
		ADDQ(stride, x)
		DECQ(left)
		JNZ(LabelRef(loop))
		c.storeDoubles(sums, sum)
		c.done()
	}
	CMPQ(cols, Imm(16))
	JNE(LabelRef("edge"))
	strip(false)
	Label("edge")
	strip(true)
}

func (c class) sumSquares() {
	c.function("sumSquares", "func(x []float32, sum *[16]float64)")
	x, n := base("x"), length("x")
	sums := c.doubles()
	c.over(n, c.masks(n), func(e element) { c.addDoubles(e.load(x), sums[e.h], true) })
	c.storeDoubles(sums, integer("sum"))
	c.done()
}

func (c class) axpy() {
	c.function("axpy", "func(alpha float32, x, y []float32)")
	x, n, y := base("x"), length("x"), base("y")
	alpha := c.broadcast("alpha")
	c.over(n, c.masks(n), func(e element) {
		v := e.load(y)
		VFMADD231PS(e.load(x), alpha, v)
		e.store(v, y)
	})
	c.done()
}

func (c class) scale() {
	c.function("scale", "func(alpha float32, x []float32)")
	x, n := base("x"), length("x")
	alpha := c.broadcast("alpha")
	c.over(n, c.masks(n), func(e element) {
		v := e.load(x)
		VMULPS(alpha, v, v)
		e.store(v, x)
	})
	c.done()
}

func (c class) multiply() {
	c.function("multiply", "func(x, y []float32)")
	x, n, y := base("x"), length("x"), base("y")
	c.over(n, c.masks(n), func(e element) {
		v := e.load(y)
		VMULPS(e.load(x), v, v)
		e.store(v, y)
	})
	c.done()
}

func (c class) clip() {
	c.function("clip", "func(limit float32, x []float32)")
	x, n := base("x"), length("x")
	limit := c.broadcast("limit")
	least := c.reg()
	VXORPS(least, least, least)
	VSUBPS(limit, least, least)
	c.over(n, c.masks(n), func(e element) {
		v := e.load(x)
		VMINPS(v, limit, v) // NaN if v is
		VMAXPS(v, least, v)
		e.store(v, x)
	})
	c.done()
}

func (c class) adam() {
	c.function("adam", "func(p, g, m, v []float32, beta1, rest1, beta2, rest2, rate, root, epsilon float32)")
	p, n, g, m, v := base("p"), length("p"), base("g"), base("m"), base("v")
	beta1, rest1, beta2, rest2 := c.broadcast("beta1"), c.broadcast("rest1"), c.broadcast("beta2"), c.broadcast("rest2")
	rate, root, epsilon := c.broadcast("rate"), c.broadcast("root"), c.broadcast("epsilon")
	// flush zeroes denormals.
	flush := func(x VecVirtual) VecVirtual {
		size := c.reg()
		VANDPS(bits(1<<31-1), x, size)
		return c.keep(notLess, size, constant(0x1p-126), x)
	}
	c.over(n, c.masks(n), func(e element) {
		d := e.load(g)
		first, t := e.load(m), c.reg()
		VMULPS(d, rest1, t)
		VFMADD213PS(t, beta1, first)
		first = flush(first)
		e.store(first, m)
		second := e.load(v)
		VMULPS(d, d, d)
		VMULPS(d, rest2, d)
		VFMADD213PS(d, beta2, second)
		second = flush(second)
		e.store(second, v)
		VSQRTPS(second, second)
		VFMADD213PS(epsilon, root, second)
		VMULPS(rate, first, first)
		VDIVPS(second, first, first)
		w := e.load(p)
		VSUBPS(first, w, w)
		e.store(w, p)
	})
	c.done()
}

func (c class) momentum() {
	c.function("momentum", "func(p, g, v []float32, rate, momentum float32)")
	p, n, g, v := base("p"), length("p"), base("g"), base("v")
	rate, momentum := c.broadcast("rate"), c.broadcast("momentum")
	c.over(n, c.masks(n), func(e element) {
		d := e.load(v)
		VFMADD213PS(e.load(g), momentum, d)
		e.store(d, v)
		w := e.load(p)
		VFNMADD231PS(d, rate, w)
		e.store(w, p)
	})
	c.done()
}

// conversion is one kind of source element: its size, how a register of them is
// made float32, and the source's name in Go.
type conversion struct {
	name, kind string
	size       uint8
	convert    func(c class, from Op) VecVirtual
}

var conversions = []conversion{
	{"Uint8", "uint8", 1, func(c class, from Op) VecVirtual {
		r := c.reg()
		VPMOVZXBD(from, r)
		VCVTDQ2PS(r, r)
		return r
	}},
	{"Uint16", "uint16", 2, func(c class, from Op) VecVirtual {
		r := c.reg()
		VPMOVZXWD(from, r)
		VCVTDQ2PS(r, r)
		return r
	}},
	{"Float16", "uint16", 2, half},
	{"Float32", "float32", 4, nil},
}

// half makes float32 of binary16: F16C is not part of the AVX2 class, which
// multiplies the shifted bits by 2^112 instead, denormals too, and gives
// infinities and NaN their exponent.
func half(c class, from Op) VecVirtual {
	r := c.reg()
	if c.wide {
		VCVTPH2PS(from, r)
		return r
	}
	sign, special := c.reg(), c.reg()
	VPMOVZXWD(from, r)
	VPSLLD(Imm(16), r, sign)
	VANDPS(bits(1<<31), sign, sign)
	VPSLLD(Imm(13), r, r)
	VANDPS(bits(0x7fff<<13), r, r)
	VPCMPGTD(bits(0x7bff<<13), r, special)
	VANDPS(bits(0xff<<23), special, special)
	VMULPS(constant(0x1p112), r, r)
	VORPS(special, r, r)
	VORPS(sign, r, r)
	return r
}

// from converts whole steps and, where the source can be masked, the rest.
func (c class) from(v conversion) {
	c.function("from"+v.name, "func(dst []float32, src []"+v.kind+", scale, offset float32)")
	dst, n, src := base("dst"), length("dst"), base("src")
	scale, offset := c.broadcast("scale"), c.broadcast("offset")
	c.over(n, c.masks(n), func(e element) {
		var r VecVirtual
		switch {
		case v.convert == nil:
			r = e.load(src)
		case e.mask == nil:
			r = v.convert(c, e.at(src, v.size))
		case c.wide && v.size == 1:
			x := XMM()
			VMOVDQU8_Z(e.at(src, 1), e.mask, x)
			r = v.convert(c, x)
		case c.wide:
			y := YMM()
			VMOVDQU16_Z(e.at(src, 2), e.mask, y)
			r = v.convert(c, y)
		default:
			return
		}
		VFMADD213PS(offset, scale, r)
		e.store(r, dst)
	})
	c.done()
}

// allFinite adds 0 x: 0, or NaN for NaN and infinities.
func (c class) allFinite() {
	c.function("allFinite", "func(x []float32) bool")
	x, n := base("x"), length("x")
	sum, zero := c.zero(), c.zero()
	c.over(n, c.masks(n), func(e element) {
		VFMADD231PS(e.load(x), zero, sum)
	})
	found := GP32()
	if c.wide {
		k := K()
		VCMPPS(Imm(unordered), sum, sum, k)
		KMOVW(k, found)
	} else {
		VCMPPS(Imm(unordered), sum, sum, sum)
		VMOVMSKPS(sum, found)
	}
	finite := GP8()
	TESTL(found, found)
	SETEQ(finite)
	Store(finite, ReturnIndex(0))
	c.done()
}

// extremes takes whole steps only: 16 lowest and highest elements.
func (c class) extremes() {
	TEXT("extremes"+c.name, NOSPLIT, "func(x []float32, low, high *[16]float32)")
	Pragma("noescape")
	Doc("extremes"+c.name+" updates low[j] and high[j] with the elements x[16i+j],",
		"passing over NaN. What is left of x after whole 16s is not looked at.")
	x, n, lows, highs := base("x"), length("x"), integer("low"), integer("high")
	i, first := GP64(), GP64()
	XORQ(first, first)
	low, high := make([]VecVirtual, c.parts()), make([]VecVirtual, c.parts())
	for h := range c.parts() {
		low[h], high[h] = element{c, first, h, nil}.load(lows), element{c, first, h, nil}.load(highs)
	}
	XORQ(i, i)
	Label("loop")
	ADDQ(Imm(16), i)
	CMPQ(i, n)
	JG(LabelRef("end"))
	for h := range c.parts() {
		v := c.reg()
		VMOVUPS(Mem{Base: x, Index: i, Scale: 4, Disp: 32*h - 64}, v)
		VMINPS(low[h], v, low[h])
		VMAXPS(high[h], v, high[h])
	}
	JMP(LabelRef("loop"))
	Label("end")
	for h := range c.parts() {
		element{c, first, h, nil}.store(low[h], lows)
		element{c, first, h, nil}.store(high[h], highs)
	}
	c.done()
}

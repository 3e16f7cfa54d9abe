package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// sumRows sums rows strip by strip, as many columns as registers hold.
func (c class) sumRows() {
	c.function("sumRows", "func(dst, b []float32, index []int32, value []float32, alpha, beta float32)")
	dst, n, b := base("dst"), length("dst"), base("b")
	index, count, value := base("index"), length("index"), base("value")
	masks := c.masks(n)
	stride := GP64()
	MOVQ(n, stride)
	SHLQ(Imm(2), stride)
	i, left := GP64(), GP64()
	XORQ(i, i)
	MOVQ(n, left)
	end := label("end")
	widths := []int{12, 6, 2, 1} // of 16 columns
	if !c.wide {
		widths = widths[1:]
	}
	for _, steps := range widths {
		loop, next := label("strip"), label("next")
		Label(loop)
		CMPQ(left, I32(16*steps))
		JLT(LabelRef(next))
		c.strip(steps, nil, i, dst, b, stride, index, count, value)
		ADDQ(I32(16*steps), i)
		SUBQ(I32(16*steps), left)
		JMP(LabelRef(loop))
		Label(next)
	}
	CMPQ(left, Imm(0))
	JLE(LabelRef(end))
	c.strip(1, masks, i, dst, b, stride, index, count, value)
	Label(end)
	c.done()
}

// register is where the s-th register from i on is.
func (c class) register(i Register, s int) element { return element{c, i, s * 2 / c.parts(), nil} }

// strip sums some steps of 16 columns, from column i on.
func (c class) strip(steps int, masks []Op, i, dst, b, stride, index, count, value GPVirtual) {
	sums := make([]VecVirtual, steps*c.parts())
	for s := range sums {
		sums[s] = c.zero()
	}
	parts := func(do func(s int, e element)) {
		for s := range sums {
			e := c.register(i, s)
			if masks != nil {
				e.mask = masks[s]
			}
			do(s, e)
		}
	}
	at := GP64()
	XORQ(at, at)
	loop, end := label("row"), label("rows")
	Label(loop)
	CMPQ(at, count)
	JGE(LabelRef(end))
	row := GP64()
	MOVLQSX(Mem{Base: index, Index: at, Scale: 4}, row)
	IMULQ(stride, row)
	ADDQ(b, row)
	v := c.reg()
	VBROADCASTSS(Mem{Base: value, Index: at, Scale: 4}, v)
	parts(func(s int, e element) {
		if e.mask == nil {
			VFMADD231PS(e.at(row, 4), v, sums[s])
		} else {
			VFMADD231PS(e.load(row), v, sums[s])
		}
	})
	INCQ(at)
	JMP(LabelRef(loop))
	Label(end)
	alpha, beta := c.broadcast("alpha"), c.broadcast("beta")
	add, done := label("add"), label("stored")
	bits := GP32()
	VMOVD(beta.AsX(), bits)
	TESTL(bits, bits)
	JNZ(LabelRef(add))
	parts(func(s int, e element) {
		t := c.reg()
		VMULPS(alpha, sums[s], t)
		e.store(t, dst)
	})
	JMP(LabelRef(done))
	Label(add)
	parts(func(s int, e element) {
		old := e.load(dst)
		VFMADD231PS(sums[s], alpha, old)
		e.store(old, dst)
	})
	Label(done)
}

// dot keeps 64 sums.
func (c class) dot() {
	c.function("dot", "func(x, y []float32) float32")
	x, n, y := base("x"), length("x"), base("y")
	masks := c.masks(n)
	sums := make([]VecVirtual, 4*c.parts())
	for s := range sums {
		sums[s] = c.zero()
	}
	i, left := GP64(), GP64()
	XORQ(i, i)
	MOVQ(n, left)
	loop, rest, end := label("loop"), label("rest"), label("end")
	Label(loop)
	CMPQ(left, Imm(64))
	JLT(LabelRef(rest))
	for s := range sums {
		e := c.register(i, s)
		VFMADD231PS(e.at(y, 4), e.load(x), sums[s])
	}
	ADDQ(Imm(64), i)
	SUBQ(Imm(64), left)
	JMP(LabelRef(loop))
	Label(rest)
	// Up to three whole steps, each with sums of its own, and what is left.
	p := c.parts()
	for step := range 4 {
		masked := label("masked")
		CMPQ(left, Imm(16))
		JLT(LabelRef(masked))
		if step < 3 {
			for h := range p {
				e := element{c, i, h, nil}
				VFMADD231PS(e.at(y, 4), e.load(x), sums[step*p+h])
			}
			ADDQ(Imm(16), i)
			SUBQ(Imm(16), left)
			next := label("next")
			JMP(LabelRef(next))
			Label(masked)
			c.dotMasked(masks, i, x, y, sums[step*p:step*p+p], left, end)
			Label(next)
			continue
		}
		Label(masked)
		c.dotMasked(masks, i, x, y, sums[step*p:step*p+p], left, end)
	}
	Label(end)
	Store(c.fold(sums), ReturnIndex(0))
	c.done()
}

// dotMasked adds the products of the elements that masks select, and goes to
// end.
func (c class) dotMasked(masks []Op, i, x, y GPVirtual, sums []VecVirtual, left GPVirtual, end string) {
	CMPQ(left, Imm(0))
	JLE(LabelRef(end))
	for h := range sums {
		e := element{c, i, h, masks[h]}
		VFMADD231PS(e.load(y), e.load(x), sums[h])
	}
	JMP(LabelRef(end))
}

// fold adds 64 sums up, halves to halves.
func (c class) fold(sums []VecVirtual) VecVirtual {
	for n := len(sums) / 2; n > 0 && len(sums) > 1; n = len(sums) / 2 {
		for s := range n {
			VADDPS(sums[s+n], sums[s], sums[s])
		}
		sums = sums[:n]
	}
	y := YMM()
	VMOVAPS(sums[0].AsY(), y)
	if c.wide {
		high := YMM()
		VEXTRACTF64X4(Imm(1), sums[0], high)
		VADDPS(high, y, y)
	}
	x, high := XMM(), XMM()
	VEXTRACTF128(Imm(1), y, high)
	VADDPS(high, y.AsX(), x)
	for _, order := range []uint64{0x4e, 0xb1} {
		VPERMILPS(Imm(order), x, high)
		VADDPS(high, x, x)
	}
	return x
}

// keys returns the keys of a register's elements, as signed numbers.
func (c class) keys(v VecVirtual, zero VecVirtual) VecVirtual {
	sign := c.reg()
	VADDPS(zero, v, v) // -0 becomes 0
	VPSRAD(Imm(31), v, sign)
	c.and(bits(1<<31-1), sign)
	c.xor(sign, v)
	return v
}

func (c class) and(x Op, r VecVirtual) {
	if c.wide {
		VPANDD(x, r, r)
	} else {
		VPAND(x, r, r)
	}
}

func (c class) xor(x Op, r VecVirtual) {
	if c.wide {
		VPXORD(x, r, r)
	} else {
		VPXOR(x, r, r)
	}
}

// maxima compares keys as signed numbers.
func (c class) maxima() {
	c.function("maxima", "func(x []float32, dst *[16]uint32)")
	x, n, dst := base("x"), length("x"), integer("dst")
	zero, i := c.zero(), GP64()
	XORQ(i, i)
	most := make([]VecVirtual, c.parts())
	for h := range most {
		most[h] = c.reg()
		VMOVUPS(bits(1<<31), most[h])
	}
	loop, end := label("step"), label("end")
	Label(loop)
	CMPQ(i, n)
	JGE(LabelRef(end))
	for h := range most {
		v := c.keys(element{c, i, h, nil}.load(x), zero)
		VPMAXSD(v, most[h], most[h])
	}
	ADDQ(Imm(16), i)
	JMP(LabelRef(loop))
	Label(end)
	for h := range most {
		c.xor(bits(1<<31), most[h])
		VMOVUPS(most[h], Mem{Base: dst, Disp: 32 * h})
	}
	c.done()
}

// above takes whole steps only.
func (c class) above() {
	TEXT("above"+c.name, NOSPLIT, "func(x []float32, bound uint32, index []int32) int")
	Pragma("noescape")
	Doc("above"+c.name+" is abovePlain of whole steps of 16. What is left of x is not", "looked at.")
	x, n, index := base("x"), length("x"), base("index")
	bound := c.broadcast("bound")
	c.xor(bits(1<<31), bound)
	zero, i, count := c.zero(), GP64(), GP64()
	XORQ(i, i)
	XORQ(count, count)
	ANDQ(I8(-16), n)
	loop, found, end := label("step"), label("found"), label("end")
	Label(loop)
	CMPQ(i, n)
	JGE(LabelRef(end))
	mask := c.notBelow(x, i, zero, bound)
	TESTL(mask, mask)
	JNZ(LabelRef(found))
	ADDQ(Imm(16), i)
	JMP(LabelRef(loop))
	Label(found)
	at, rest := GP32(), GP32()
	bit := label("bit")
	Label(bit)
	BSFL(mask, at)
	ADDL(i.As32(), at)
	MOVL(at, Mem{Base: index, Index: count, Scale: 4})
	INCQ(count)
	LEAL(Mem{Base: mask.As64(), Disp: -1}, rest)
	ANDL(rest, mask)
	JNZ(LabelRef(bit))
	ADDQ(Imm(16), i)
	JMP(LabelRef(loop))
	Label(end)
	Store(count, ReturnIndex(0))
	c.done()
}

// notBelow returns a bit for each element of a step whose key is bound or more.
func (c class) notBelow(x, i GPVirtual, zero, bound VecVirtual) GPVirtual {
	mask := GP32()
	for h := range c.parts() {
		v := c.keys(element{c, i, h, nil}.load(x), zero)
		if c.wide {
			k := K()
			VPCMPD(Imm(2), v, bound, k) // bound <= v
			KMOVW(k, mask)
			return mask
		}
		VPCMPGTD(v, bound, v)
		part := mask
		if h > 0 {
			part = GP32()
		}
		VMOVMSKPS(v, part)
		if h > 0 {
			SHLL(Imm(8), part)
			ORL(part, mask)
		}
	}
	XORL(U32(1<<16-1), mask)
	return mask
}

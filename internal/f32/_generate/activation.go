package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// split writes -a, a >= 0, as n ln 2 + r with |r| <= ln 2 / 2 and returns
// q = exp(r) - 1 and scale = 2^n. a is at most 87.
//
// q = r + r^2 P(r), where P interpolates (exp(r)-1-r)/r^2 at the Chebyshev
// points of the interval: its error is 1e-8 of exp(r).
func (c class) split(a VecVirtual) (q, scale VecVirtual) {
	// Adding 1.5*2^23 leaves the nearest integer in the low bits. 127 more
	// make it the exponent field of 2^n.
	const shift = 3<<22 + 127
	t, n := c.reg(), c.reg()
	VMOVUPS(constant(shift), t)
	VFNMADD231PS(constant(1.4426950408889634), a, t)
	VSUBPS(constant(shift), t, n)
	r := c.reg()
	// ln 2 in two parts. The first has 9 bits, so that n times it is exact.
	VMOVUPS(constant(0.693359375), r)
	VFNMSUB213PS(a, n, r) // -(n r) - a
	VFNMADD231PS(constant(-2.12194440054690583e-4), n, r)
	VPSLLD(Imm(23), t, t)
	p, square := c.reg(), c.reg()
	VMOVUPS(constant(0.0013926213466), p)
	for _, coefficient := range []float32{0.0083632029716, 0.041666554438, 0.16666576846, 0.5} {
		VFMADD213PS(constant(coefficient), r, p)
	}
	VMULPS(r, r, square)
	VFMADD213PS(r, square, p)
	return p, t
}

// exp returns exp(-a) for 0 <= a <= 87.
func (c class) exp(a VecVirtual) VecVirtual {
	q, scale := c.split(a)
	VFMADD213PS(scale, scale, q)
	return q
}

// magnitude returns the smaller of |x| and limit, or NaN.
func (c class) magnitude(x Op, limit VecVirtual) VecVirtual {
	a := c.reg()
	VANDPS(bits(1<<31-1), x, a)
	VMINPS(a, limit, a)
	return a
}

// function f of a layer, in registers: f(z), and from a = f(z) the slope f'(z)
// and f”(z)/f'(z).
type activation struct {
	name   string
	limit  float32 // of |z|; 0: none
	apply  func(c class, z, limit VecVirtual) VecVirtual
	slope  func(c class, a VecVirtual) VecVirtual
	second func(c class, a, first VecVirtual) VecVirtual
}

var activations = []activation{
	{"Sigmoid", 30, sigmoid, func(c class, a VecVirtual) VecVirtual {
		s := c.reg()
		VMOVUPS(constant(1), s)
		VSUBPS(a, s, s)
		VMULPS(a, s, s)
		return s
	}, func(c class, a, first VecVirtual) VecVirtual {
		s := c.reg()
		VMOVUPS(constant(1), s)
		VFNMADD231PS(constant(2), a, s)
		VMULPS(first, s, s)
		return s
	}},
	{"Tanh", 20, tanh, func(c class, a VecVirtual) VecVirtual {
		s := c.reg()
		VMOVUPS(constant(1), s)
		VFNMADD231PS(a, a, s)
		return s
	}, func(c class, a, first VecVirtual) VecVirtual {
		s := c.reg()
		VMULPS(constant(-2), a, s)
		VMULPS(first, s, s)
		return s
	}},
	{"ReLU", 0, func(c class, z, _ VecVirtual) VecVirtual {
		out, zero := c.reg(), c.zero()
		VMAXPS(z, zero, out) // NaN if z is
		return out
	}, func(c class, a VecVirtual) VecVirtual {
		return c.keep(greater, a, c.zero(), c.held(1))
	}, nil},
	{"Linear", 0, func(c class, z, _ VecVirtual) VecVirtual { return z }, nil, nil},
}

// sigmoid is t/(1+t) for negative z and 1/(1+t) otherwise, t = exp(-|z|).
func sigmoid(c class, z, limit VecVirtual) VecVirtual {
	return c.logistic(z, c.exp(c.magnitude(z, limit)))
}

func (c class) logistic(z, t VecVirtual) VecVirtual {
	one := c.held(1)
	y := c.choose(z, t, one)
	VADDPS(one, t, t)
	VDIVPS(t, y, y)
	return y
}

// tanh is -e/(2+e), e = exp(-2|z|)-1, with the sign of z.
func tanh(c class, z, limit VecVirtual) VecVirtual {
	a := c.reg()
	VADDPS(z, z, a)
	a = c.magnitude(a, limit)
	e, scale := c.split(a)
	less := c.reg()
	VSUBPS(constant(1), scale, less)
	VFMADD213PS(less, scale, e)
	d := c.reg()
	VADDPS(constant(2), e, d)
	VDIVPS(d, e, e)
	sign := c.reg()
	VANDPS(bits(1<<31), z, sign)
	VANDPS(bits(1<<31-1), e, e)
	VORPS(sign, e, e)
	return e
}

// log1p returns log(1+t) for 0 <= t <= 1: 2 atanh(s), s = t/(2+t), as
// 2s + s^3 Q(s^2) with Q interpolated at the Chebyshev points of [0,1/9].
func (c class) log1p(t VecVirtual) VecVirtual {
	s, w, q := c.reg(), c.reg(), c.reg()
	VADDPS(constant(2), t, s)
	VDIVPS(s, t, s)
	VMULPS(s, s, w)
	VMOVUPS(constant(0.23224329224), q)
	for _, coefficient := range []float32{0.21706575801, 0.28592357994, 0.39999706332, 0.66666667321} {
		VFMADD213PS(constant(coefficient), w, q)
	}
	VMULPS(w, q, q)
	VFMADD213PS(s, s, q) // s + s w Q
	VADDPS(s, q, q)
	return q
}

func (c class) activate(f activation) {
	c.function("activate"+f.name, "func(z, bias []float32)")
	z, total, bias, n := base("z"), length("z"), base("bias"), length("bias")
	masks := c.masks(n)
	var limit VecVirtual
	if f.limit != 0 {
		limit = c.held(f.limit)
	}
	rows(total, n, func() {
		c.over(n, masks, func(e element) {
			v := e.load(z)
			VADDPS(e.load(bias), v, v)
			e.store(f.apply(c, v, limit), z)
		})
	}, z)
	c.done()
}

func (c class) slope(f activation) {
	c.function("slope"+f.name, "func(dst, a []float32)")
	dst, n, a := base("dst"), length("dst"), base("a")
	c.over(n, c.masks(n), func(e element) {
		e.store(f.slope(c, e.load(a)), dst)
	})
	c.done()
}

// hiddenDelta skips c and k where their pointers are nil.
func (c class) hiddenDelta(f activation) {
	c.function("hiddenDelta"+f.name, "func(d, a, c, k []float32, h int)")
	d, total, a, h := base("d"), length("d"), base("a"), integer("h")
	slopes, curvature := base("c"), base("k")
	masks := c.masks(h)
	rows(total, h, func() {
		c.over(h, masks, func(e element) {
			s := e.load(d)
			with(slopes, func() { VADDPS(e.load(slopes), s, s) })
			if f.slope != nil {
				v := e.load(a)
				first := f.slope(c, v)
				if f.second != nil {
					with(curvature, func() {
						second := f.second(c, v, first)
						VFMADD231PS(e.load(curvature), second, s)
					})
				}
				VMULPS(first, s, s)
			}
			e.store(s, d)
		})
	}, d, a)
	c.done()
}

// with runs code where p is not nil.
func with(p Register, code func()) {
	skip := label("without")
	TESTQ(p, p)
	JZ(LabelRef(skip))
	code()
	Label(skip)
}

func (c class) squared(g activation) {
	c.function("squared"+g.name, "func(u, bias, x []float32, sum *[16]float64)")
	u, total, bias, n, x := base("u"), length("u"), base("bias"), length("bias"), base("x")
	masks := c.masks(n)
	sums := c.doubles()
	var limit VecVirtual
	if g.limit != 0 {
		limit = c.held(g.limit)
	}
	rows(total, n, func() {
		c.over(n, masks, func(e element) {
			v := e.load(u)
			VADDPS(e.load(bias), v, v)
			y := g.apply(c, v, limit)
			d := c.reg()
			VSUBPS(e.load(x), y, d)
			e.clear(d)
			c.addDoubles(d, sums[e.h], true)
			if g.slope != nil {
				VMULPS(g.slope(c, y), d, d)
			}
			e.store(d, u)
		})
	}, u, x)
	c.storeDoubles(sums, integer("sum"))
	c.done()
}

func (c class) crossEntropy() {
	c.function("crossEntropy", "func(u, bias, x []float32, sum *[16]float64)")
	u, total, bias, n, x := base("u"), length("u"), base("bias"), length("bias"), base("x")
	masks := c.masks(n)
	sums := c.doubles()
	limit := c.held(87)
	rows(total, n, func() {
		c.over(n, masks, func(e element) {
			v := e.load(u)
			VADDPS(e.load(bias), v, v)
			t := c.exp(c.magnitude(v, limit))
			loss := c.log1p(t)
			target := e.load(x)
			step := c.keep(greater, v, c.zero(), constant(1))
			VSUBPS(target, step, step)
			VFMADD231PS(v, step, loss)
			e.clear(loss)
			c.addDoubles(loss, sums[e.h], false)
			// As the clamped sigmoid: exp(-30) at least.
			least := c.held(9.3576230e-14)
			VMAXPS(t, least, t) // NaN if t is
			y := c.logistic(v, t)
			VSUBPS(target, y, y)
			e.store(y, u)
		})
	}, u, x)
	c.storeDoubles(sums, integer("sum"))
	c.done()
}

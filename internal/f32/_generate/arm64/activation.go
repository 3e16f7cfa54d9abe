package main

// horner returns the polynomial in x whose highest coefficient is first.
func (a *assembler) horner(x vec, coefficients ...float32) vec {
	p := a.constant(coefficients[0])
	for _, c := range coefficients[1:] {
		next := a.constant(c)
		a.fmla(next, p, x)
		a.free(p)
		p = next
	}
	return p
}

// split writes -x, x >= 0, as n ln 2 + r with |r| <= ln 2 / 2 and returns
// q = exp(r) - 1 and scale = 2^n. x is at most 87. The numbers are those of
// amd64, explained there.
func (a *assembler) split(x vec) (q, scale vec) {
	const shift = 3<<22 + 127
	t, n, r := a.constant(shift), a.vec(), a.vec()
	a.with(1.4426950408889634, func(v vec) { a.fmls(t, x, v) })
	a.with(shift, func(v vec) { a.op("FSUB", n, t, v) })
	a.op("FNEG", r, x)
	a.with(0.693359375, func(v vec) { a.fmls(r, n, v) })
	a.with(-2.12194440054690583e-4, func(v vec) { a.fmls(r, n, v) })
	a.free(n)
	a.emit("VSHL $23, %v.S4, %v.S4", t, t)
	p := a.horner(r, 0.0013926213466, 0.0083632029716, 0.041666554438, 0.16666576846, 0.5)
	square := a.vec()
	a.op("FMUL", square, r, r)
	a.fmla(r, square, p)
	a.free(square, p)
	return r, t
}

// exp returns exp(-x) for 0 <= x <= 87.
func (a *assembler) exp(x vec) vec {
	q, scale := a.split(x)
	a.fmla(scale, scale, q)
	a.free(q)
	return scale
}

// magnitude returns the smaller of |x| and limit, or NaN.
func (a *assembler) magnitude(x vec, limit float32) vec {
	m := a.vec()
	a.op("FABS", m, x)
	a.with(limit, func(v vec) { a.op("FMIN", m, m, v) })
	return m
}

// where returns x where a > b, otherwise 0.
func (a *assembler) where(left, right, x vec) vec {
	v := a.vec()
	a.op("FCMGT", v, left, right)
	a.and(v, v, x)
	return v
}

// An activation is the function f of a layer, in registers: f(z), and from
// y = f(z) the slope f'(z) and f”(z)/f'(z).
type activation struct {
	name   string
	apply  func(a *assembler, z vec) vec
	slope  func(a *assembler, y vec) vec
	second func(a *assembler, y vec) vec
}

var activations = []activation{
	{"Sigmoid", func(a *assembler, z vec) vec {
		return a.logistic(z, a.exp(a.magnitude(z, 30)))
	}, func(a *assembler, y vec) vec {
		s := a.constant(1)
		a.op("FSUB", s, s, y)
		a.op("FMUL", s, s, y)
		return s
	}, func(a *assembler, y vec) vec {
		s := a.constant(1)
		a.with(2, func(v vec) { a.fmls(s, y, v) })
		return s
	}},
	{"Tanh", (*assembler).tanh, func(a *assembler, y vec) vec {
		s := a.constant(1)
		a.fmls(s, y, y)
		return s
	}, func(a *assembler, y vec) vec {
		s := a.constant(-2)
		a.op("FMUL", s, s, y)
		return s
	}},
	{"ReLU", func(a *assembler, z vec) vec {
		v := a.zero()
		a.op("FMAX", v, v, z)
		return v
	}, func(a *assembler, y vec) vec {
		return a.where(y, a.zero(), a.constant(1))
	}, nil},
	{"Linear", func(a *assembler, z vec) vec { return z }, nil, nil},
}

// logistic is t/(1+t) for negative z and 1/(1+t) otherwise, t = exp(-|z|).
func (a *assembler) logistic(z, t vec) vec {
	y, negative, below := a.constant(1), a.vec(), a.vec()
	a.op("FADD", below, y, t)
	a.op("SSHR", negative, z)
	a.insert(y, t, negative)
	a.op("FDIV", y, y, below)
	a.free(negative, below)
	return y
}

// tanh is -e/(2+e), e = exp(-2|z|)-1, with the sign of z.
func (a *assembler) tanh(z vec) vec {
	x := a.vec()
	a.op("FADD", x, z, z)
	q, scale := a.split(a.magnitude(x, 20))
	e := a.vec()
	a.with(1, func(v vec) { a.op("FSUB", e, scale, v) })
	a.fmla(e, scale, q)
	below := a.constant(2)
	a.op("FADD", below, below, e)
	a.op("FDIV", e, e, below)
	a.insert(e, z, a.bits(1<<31))
	return e
}

// log1p returns log(1+t) for 0 <= t <= 1, as amd64 does.
func (a *assembler) log1p(t vec) vec {
	s, w := a.constant(2), a.vec()
	a.op("FADD", s, s, t)
	a.op("FDIV", s, t, s)
	a.op("FMUL", w, s, s)
	q := a.horner(w, 0.23224329224, 0.21706575801, 0.28592357994, 0.39999706332, 0.66666667321)
	a.op("FMUL", q, q, w)
	out := a.copy(s)
	a.fmla(out, s, q)
	a.op("FADD", out, out, s)
	a.free(s, w, q)
	return out
}

func (a *assembler) activate(f activation) {
	a.kernel("activate"+f.name, "func(z, bias []float32)", nil, func() {
		z, total, bias, n := a.base("z"), a.length("z"), a.gp(), a.length("bias")
		o := a.over(updated(z), read(bias))
		a.rows(total, n, func() {
			a.emit("MOVD %s, %v", a.argument("bias_base"), bias)
			o.run(n, func(h int) {
				v := o.get(z, h)
				a.op("FADD", v, v, o.get(bias, h))
				a.store(f.apply(a, v), z, 16*h)
			})
		})
	})
}

func (a *assembler) slope(f activation) {
	a.kernel("slope"+f.name, "func(dst, a []float32)", nil, func() {
		dst, n, y := a.base("dst"), a.length("dst"), a.base("a")
		o := a.over(written(dst), read(y))
		o.run(n, func(h int) { a.store(f.slope(a, o.get(y, h)), dst, 16*h) })
	})
}

// hiddenDelta skips c and k where they are nil.
func (a *assembler) hiddenDelta(f activation) {
	a.kernel("hiddenDelta"+f.name, "func(d, a, c, k []float32, h int)", nil, func() {
		d, total, y, n := a.base("d"), a.length("d"), a.base("a"), a.integer("h")
		slopes, slope := a.base("c"), a.gp()
		operands := []*operand{updated(d), read(y), {p: slope, size: 4, in: true, nil: slopes}}
		var curvatures, curvature gp
		if f.second != nil {
			curvatures, curvature = a.base("k"), a.gp()
			operands = append(operands, &operand{p: curvature, size: 4, in: true, nil: curvatures})
		}
		exists := func(p gp, write func()) {
			skip := a.label("without")
			a.emit("CBZ %v, %s", p, skip)
			a.scope(write)
			a.place(skip)
		}
		o := a.over(operands...)
		a.rows(total, n, func() {
			a.emit("MOVD %v, %v", slopes, slope)
			if f.second != nil {
				a.emit("MOVD %v, %v", curvatures, curvature)
			}
			o.run(n, func(h int) {
				s := o.get(d, h)
				exists(slopes, func() { a.op("FADD", s, s, o.get(slope, h)) })
				if f.slope != nil {
					v := o.get(y, h)
					first := f.slope(a, v)
					if f.second != nil {
						exists(curvatures, func() {
							second := f.second(a, v)
							a.op("FMUL", second, second, first)
							a.fmla(s, o.get(curvature, h), second)
						})
					}
					a.op("FMUL", s, s, first)
				}
				a.store(s, d, 16*h)
			})
		})
	})
}

const outputSignature = "func(u, bias, x []float32, sum *[16]float64)"

// output runs body over rows of u, plus the bias, and x.
func (a *assembler) output(name string, body func(o *over, v, x vec, h int, sums []vec) vec) {
	a.kernel(name, outputSignature, nil, func() {
		a.usesMasks = true
		u, total, bias, n, x := a.base("u"), a.length("u"), a.gp(), a.length("bias"), a.base("x")
		sum := a.integer("sum")
		sums := a.doubles(sum)
		o := a.over(updated(u), read(bias), read(x))
		a.rows(total, n, func() {
			a.emit("MOVD %s, %v", a.argument("bias_base"), bias)
			o.run(n, func(h int) {
				v := o.get(u, h)
				a.op("FADD", v, v, o.get(bias, h))
				a.store(body(o, v, o.get(x, h), h, sums[2*h:]), u, 16*h)
			})
		})
		a.storeDoubles(sums, sum)
	})
}

func (a *assembler) squared(g activation) {
	a.output("squared"+g.name, func(o *over, v, x vec, h int, sums []vec) vec {
		y, d := g.apply(a, v), a.vec()
		a.op("FSUB", d, y, x)
		o.clear(d, h)
		a.addDoubles(d, sums, true)
		if g.slope != nil {
			a.op("FMUL", d, d, g.slope(a, y))
		}
		return d
	})
}

func (a *assembler) crossEntropy() {
	a.output("crossEntropy", func(o *over, v, x vec, h int, sums []vec) vec {
		t := a.exp(a.magnitude(v, 87))
		loss := a.log1p(t)
		one := a.constant(1)
		step := a.where(v, a.zero(), one)
		a.op("FSUB", step, step, x)
		a.fmla(loss, v, step)
		o.clear(loss, h)
		a.addDoubles(loss, sums, false)
		a.free(loss, step, one)
		// As the clamped sigmoid: exp(-30) at least.
		a.with(9.3576230e-14, func(least vec) { a.op("FMAX", t, t, least) })
		y := a.logistic(v, t)
		a.op("FSUB", y, y, x)
		return y
	})
}

package main

// An operand is memory that a loop over elements works on.
type operand struct {
	p       gp
	size    int // bytes of an element
	in, out bool
	nil     gp // where not 0, the operand exists only if this is not nil

	start gp // of a rest
	slot  int
}

func read(p gp) *operand    { return &operand{p: p, size: 4, in: true} }
func written(p gp) *operand { return &operand{p: p, size: 4, out: true} }
func updated(p gp) *operand { return &operand{p: p, size: 4, in: true, out: true} }

// An over is a loop over elements in steps of 16, four registers, so that sums
// kept in 16 parts come out as in the other classes.
//
// NEON has no masked loads. What is left after whole steps goes through the
// stack: the operands' elements are copied there, their pointers moved there
// for one more step, and the results copied back.
type over struct {
	*assembler
	operands   []*operand
	left, rest gp
	from, to   gp
}

func (a *assembler) over(operands ...*operand) *over {
	o := &over{assembler: a, operands: operands, left: a.gp(), rest: a.gp(), from: a.gp(), to: a.gp()}
	for _, x := range operands {
		x.start, x.slot = a.gp(), a.local(16*x.size)
	}
	return o
}

// run writes the loop over n elements, and leaves the operands' pointers behind
// them. body computes register h of a step.
func (o *over) run(n gp, body func(h int)) {
	step, work, rest, end := o.label("step"), o.label("work"), o.label("rest"), o.label("end")
	o.emit("MOVD %v, %v", n, o.left)
	o.emit("MOVD $0, %v", o.rest)
	o.place(step)
	o.emit("SUBS $16, %v, %v", o.left, o.left)
	o.emit("BLT %s", rest)
	o.place(work)
	for h := range 4 {
		o.scope(func() { body(h) })
	}
	for _, x := range o.operands {
		o.emit("ADD $%d, %v", 16*x.size, x.p)
	}
	o.emit("CBZ %v, %s", o.rest, step)
	for _, x := range o.operands {
		o.leave(x)
	}
	if o.usesMasks {
		o.emit("MOVD $masks<>(SB), %v", masksAt)
	}
	o.emit("B %s", end)
	o.place(rest)
	o.emit("ADDS $16, %v, %v", o.left, o.rest)
	o.emit("BEQ %s", end)
	for _, x := range o.operands {
		o.enter(x)
	}
	if o.usesMasks {
		o.emit("ADD $64, %v", masksAt)
		o.emit("SUB %v<<2, %v", o.rest, masksAt)
	}
	o.emit("B %s", work)
	o.place(end)
}

// enter moves an operand to the stack.
func (o *over) enter(x *operand) {
	o.emit("MOVD %v, %v", x.p, x.start)
	if x.in {
		skip := o.label("without")
		if x.nil != 0 {
			o.emit("CBZ %v, %s", x.nil, skip)
		}
		o.emit("MOVD %v, %v", x.p, o.from)
		o.emit("MOVD $%d(RSP), %v", x.slot, o.to)
		o.move(o.rest, x.size, o.from, o.to)
		o.place(skip)
	}
	o.emit("MOVD $%d(RSP), %v", x.slot, x.p)
}

// leave moves it back.
func (o *over) leave(x *operand) {
	if x.out {
		o.emit("MOVD $%d(RSP), %v", x.slot, o.from)
		o.move(o.rest, x.size, o.from, x.start)
		o.emit("MOVD %v, %v", x.start, x.p)
		return
	}
	shift := map[int]int{1: 0, 2: 1, 4: 2}[x.size]
	o.emit("ADD %v<<%d, %v, %v", o.rest, shift, x.start, x.p)
}

// move copies n < 16 elements and moves both pointers on.
func (a *assembler) move(n gp, size int, from, to gp) {
	a.scope(func() {
		v, w := a.vec(), a.vec()
		for bit := 3; bit >= 0; bit-- {
			skip := a.label("move")
			a.emit("TBZ $%d, %v, %s", bit, n, skip)
			switch bytes := size << bit; bytes {
			case 32:
				a.emit("FLDPQ.P 32(%v), (F%d, F%d)", from, v, w)
				a.emit("FSTPQ.P (F%d, F%d), 32(%v)", v, w, to)
			case 1, 2:
				suffix, r := map[int]string{1: "BU", 2: "HU"}[bytes], "R24" // no kernel of small elements has masks
				a.emit("MOV%s.P %d(%v), %s", suffix, bytes, from, r)
				a.emit("MOV%s.P %s, %d(%v)", suffix, r, bytes, to)
			default:
				kind := map[int]string{4: "S", 8: "D", 16: "Q"}[bytes]
				a.emit("FMOV%s.P %d(%v), F%d", kind, bytes, from, v)
				a.emit("FMOV%s.P F%d, %d(%v)", kind, v, bytes, to)
			}
			a.place(skip)
		}
	})
}

// clear zeroes what lies beyond the elements.
func (o *over) clear(v vec, h int) {
	m := o.vec()
	o.load(m, masksAt, 16*h)
	o.and(v, v, m)
	o.free(m)
}

// get returns register h of an operand.
func (o *over) get(p gp, h int) vec {
	v := o.vec()
	o.load(v, p, 16*h)
	return v
}

// rows repeats body for rows of n elements until none of total is left.
func (a *assembler) rows(total, n gp, body func()) {
	loop, end := a.label("row"), a.label("rows")
	a.place(loop)
	a.emit("CMP $0, %v", total)
	a.emit("BLE %s", end)
	body()
	a.emit("SUB %v, %v", n, total)
	a.emit("B %s", loop)
	a.place(end)
}

// doubles returns 16 float64 sums, as they are in memory.
func (a *assembler) doubles(sum gp) (sums [8]vec) {
	for i := range sums {
		sums[i] = a.vec()
		a.load(sums[i], sum, 16*i)
	}
	return sums
}

func (a *assembler) storeDoubles(sums [8]vec, sum gp) {
	for i, v := range sums {
		a.store(v, sum, 16*i)
	}
}

// addDoubles adds the elements of v, multiplied by themselves if squares is
// set, to two registers of sums.
func (a *assembler) addDoubles(v vec, sums []vec, squares bool) {
	d := a.vec()
	for half, convert := range []string{"FCVTL.2D", "FCVTL2"} {
		a.op(convert, d, v)
		if squares {
			a.emit("VFMLA %v.D2, %v.D2, %v.D2", d, d, sums[half])
		} else {
			a.op("FADD.2D", sums[half], sums[half], d)
		}
	}
	a.free(d)
}

// columns adds up to 16 columns of x to sum, which stays in registers. Fewer go
// through zeros on the stack.
func (a *assembler) columns(name string, squares bool) {
	a.kernel(name, "func(sum *[16]float64, x []float32, cols, stride, rows int)", nil, func() {
		sum, x := a.integer("sum"), a.base("x")
		cols, stride, rows := a.integer("cols"), a.integer("stride"), a.integer("rows")
		slot, p, from, to := a.local(64), a.gp(), a.gp(), a.gp()
		sums := a.doubles(sum)
		z := a.zero()
		for h := range 4 {
			a.emit("FMOVQ F%d, %d(RSP)", z, slot+16*h)
		}
		a.place("row")
		a.emit("MOVD %v, %v", x, p)
		a.emit("CMP $16, %v", cols)
		a.emit("BEQ whole")
		a.emit("MOVD %v, %v", x, from)
		a.emit("MOVD $%d(RSP), %v", slot, to)
		a.move(cols, 4, from, to)
		a.emit("MOVD $%d(RSP), %v", slot, p)
		a.place("whole")
		for h := range 4 {
			a.load(z, p, 16*h)
			a.addDoubles(z, sums[2*h:], squares)
		}
		a.emit("ADD %v<<2, %v", stride, x)
		a.emit("SUBS $1, %v", rows)
		a.emit("BNE row")
		a.storeDoubles(sums, sum)
	})
}

func (a *assembler) sumSquares() {
	a.kernel("sumSquares", "func(x []float32, sum *[16]float64)", nil, func() {
		a.usesMasks = true
		x, n, sum := a.base("x"), a.length("x"), a.integer("sum")
		sums := a.doubles(sum)
		o := a.over(read(x))
		o.run(n, func(h int) {
			v := o.get(x, h)
			o.clear(v, h)
			a.addDoubles(v, sums[2*h:], true)
		})
		a.storeDoubles(sums, sum)
	})
}

func (a *assembler) axpy() {
	a.kernel("axpy", "func(alpha float32, x, y []float32)", nil, func() {
		x, n, y, alpha := a.base("x"), a.length("x"), a.base("y"), a.broadcast("alpha")
		o := a.over(read(x), updated(y))
		o.run(n, func(h int) {
			v := o.get(y, h)
			a.fmla(v, o.get(x, h), alpha)
			a.store(v, y, 16*h)
		})
	})
}

func (a *assembler) scale() {
	a.kernel("scale", "func(alpha float32, x []float32)", nil, func() {
		x, n, alpha := a.base("x"), a.length("x"), a.broadcast("alpha")
		o := a.over(updated(x))
		o.run(n, func(h int) {
			v := o.get(x, h)
			a.op("FMUL", v, v, alpha)
			a.store(v, x, 16*h)
		})
	})
}

func (a *assembler) multiply() {
	a.kernel("multiply", "func(x, y []float32)", nil, func() {
		x, n, y := a.base("x"), a.length("x"), a.base("y")
		o := a.over(read(x), updated(y))
		o.run(n, func(h int) {
			v := o.get(y, h)
			a.op("FMUL", v, v, o.get(x, h))
			a.store(v, y, 16*h)
		})
	})
}

func (a *assembler) clip() {
	a.kernel("clip", "func(limit float32, x []float32)", nil, func() {
		x, n, limit, least := a.base("x"), a.length("x"), a.broadcast("limit"), a.vec()
		a.op("FNEG", least, limit)
		o := a.over(updated(x))
		o.run(n, func(h int) {
			v := o.get(x, h)
			a.op("FMIN", v, v, limit)
			a.op("FMAX", v, v, least)
			a.store(v, x, 16*h)
		})
	})
}

func (a *assembler) adam() {
	a.kernel("adam", "func(p, g, m, v []float32, beta1, rest1, beta2, rest2, rate, root, epsilon float32)", nil, func() {
		p, n, g, m, v := a.base("p"), a.length("p"), a.base("g"), a.base("m"), a.base("v")
		beta1, rest1, beta2, rest2 := a.broadcast("beta1"), a.broadcast("rest1"), a.broadcast("beta2"), a.broadcast("rest2")
		rate, root, epsilon := a.broadcast("rate"), a.broadcast("root"), a.broadcast("epsilon")
		least := a.constant(0x1p-126)
		flush := func(x vec) { // zeroes denormals
			size := a.vec()
			a.op("FABS", size, x)
			a.op("FCMGT", size, least, size)
			a.op("BIC", x, x, size)
		}
		o := a.over(updated(p), read(g), updated(m), updated(v))
		o.run(n, func(h int) {
			d, first, second := o.get(g, h), a.vec(), a.vec()
			a.op("FMUL", first, d, rest1)
			a.fmla(first, o.get(m, h), beta1)
			flush(first)
			a.store(first, m, 16*h)
			a.op("FMUL", second, d, d)
			a.op("FMUL", second, second, rest2)
			a.fmla(second, o.get(v, h), beta2)
			flush(second)
			a.store(second, v, 16*h)
			a.op("FSQRT", second, second)
			below := a.copy(epsilon)
			a.fmla(below, second, root)
			a.op("FMUL", first, first, rate)
			a.op("FDIV", first, first, below)
			w := o.get(p, h)
			a.op("FSUB", w, w, first)
			a.store(w, p, 16*h)
		})
	})
}

func (a *assembler) momentum() {
	a.kernel("momentum", "func(p, g, v []float32, rate, momentum float32)", nil, func() {
		p, n, g, v := a.base("p"), a.length("p"), a.base("g"), a.base("v")
		rate, momentum := a.broadcast("rate"), a.broadcast("momentum")
		o := a.over(updated(p), read(g), updated(v))
		o.run(n, func(h int) {
			d := o.get(g, h)
			a.fmla(d, o.get(v, h), momentum)
			a.store(d, v, 16*h)
			w := o.get(p, h)
			a.fmls(w, d, rate)
			a.store(w, p, 16*h)
		})
	})
}

// A conversion is one kind of source element: its name in Go, its size, and how
// four of them become float32.
type conversion struct {
	name, kind string
	size       int
	get        func(a *assembler, p gp, h int) vec
}

var conversions = []conversion{
	{"Uint8", "uint8", 1, func(a *assembler, p gp, h int) vec {
		v := a.vec()
		a.emit("FMOVS %d(%v), F%d", 4*h, p, v)
		a.emit("VUXTL %v.B8, %v.H8", v, v)
		a.emit("VUXTL %v.H4, %v.S4", v, v)
		a.op("UCVTF", v, v)
		return v
	}},
	{"Uint16", "uint16", 2, func(a *assembler, p gp, h int) vec {
		v := a.vec()
		a.emit("FMOVD %d(%v), F%d", 8*h, p, v)
		a.emit("VUXTL %v.H4, %v.S4", v, v)
		a.op("UCVTF", v, v)
		return v
	}},
	{"Float16", "uint16", 2, func(a *assembler, p gp, h int) vec {
		v := a.vec()
		a.emit("FMOVD %d(%v), F%d", 8*h, p, v)
		a.op("FCVTL.4S", v, v)
		return v
	}},
	{"Float32", "float32", 4, func(a *assembler, p gp, h int) vec {
		v := a.vec()
		a.load(v, p, 16*h)
		return v
	}},
}

func (a *assembler) from(c conversion) {
	a.kernel("from"+c.name, "func(dst []float32, src []"+c.kind+", scale, offset float32)", nil, func() {
		dst, n, src := a.base("dst"), a.length("dst"), a.base("src")
		scale, offset := a.broadcast("scale"), a.broadcast("offset")
		o := a.over(written(dst), &operand{p: src, size: c.size, in: true})
		o.run(n, func(h int) {
			v := a.copy(offset)
			a.fmla(v, c.get(a, src, h), scale)
			a.store(v, dst, 16*h)
		})
	})
}

// allFinite adds 0 x: 0, or NaN for NaN and infinities.
func (a *assembler) allFinite() {
	a.kernel("allFinite", "func(x []float32) bool", nil, func() {
		a.usesMasks = true
		x, n := a.base("x"), a.length("x")
		z, sum := a.zero(), a.zero()
		o := a.over(read(x))
		o.run(n, func(h int) {
			v := o.get(x, h)
			o.clear(v, h)
			a.fmla(sum, v, z)
		})
		a.fold(sum)
		finite := a.gp()
		a.emit("FCMPS F%d, F%d", sum, sum)
		a.emit("CSET VC, %v", finite)
		a.emit("MOVB %v, %s", finite, a.argument("ret"))
	})
}

// fold adds up four elements, halves to halves, into the first.
func (a *assembler) fold(v vec) {
	t := a.vec()
	a.emit("VEXT $8, %v.B16, %v.B16, %v.B16", v, v, t)
	a.op("FADD", v, v, t)
	a.emit("VDUP %v.S[1], %v.S4", v, t)
	a.op("FADD", v, v, t)
	a.free(t)
}

func (a *assembler) extremes() {
	doc := []string{"extremesNEON updates low[j] and high[j] with the elements x[16i+j], passing",
		"over NaN. What is left of x after whole 16s is not looked at."}
	a.kernel("extremes", "func(x []float32, low, high *[16]float32)", doc, func() {
		x, n, lows, highs := a.base("x"), a.length("x"), a.integer("low"), a.integer("high")
		var low, high [4]vec
		for h := range 4 {
			low[h], high[h] = a.vec(), a.vec()
			a.load(low[h], lows, 16*h)
			a.load(high[h], highs, 16*h)
		}
		a.place("step")
		a.emit("SUBS $16, %v", n)
		a.emit("BLT end")
		v, found := a.vec(), a.vec()
		for h := range 4 {
			a.load(v, x, 16*h)
			a.op("FCMGT", found, low[h], v)
			a.insert(low[h], v, found)
			a.op("FCMGT", found, v, high[h])
			a.insert(high[h], v, found)
		}
		a.emit("ADD $64, %v", x)
		a.emit("B step")
		a.place("end")
		for h := range 4 {
			a.store(low[h], lows, 16*h)
			a.store(high[h], highs, 16*h)
		}
	})
}

package main

// sumRows sums strip by strip, as many columns as registers hold.
func (a *assembler) sumRows() {
	a.kernel("sumRows", "func(dst, b []float32, index []int32, value []float32, alpha, beta float32)", nil, func() {
		s := strips{assembler: a,
			dst: a.base("dst"), left: a.length("dst"), b: a.base("b"), stride: a.gp(),
			index: a.base("index"), count: a.length("index"), value: a.base("value"),
			i: a.gp(), v: a.gp(), n: a.gp(), row: a.gp(),
			alpha: a.broadcast("alpha"), beta: a.broadcast("beta"),
		}
		a.emit("LSL $2, %v, %v", s.left, s.stride)
		for _, columns := range []int{96, 32, 16, 4, 1} {
			loop, next := a.label("strip"), a.label("next")
			a.place(loop)
			a.emit("CMP $%d, %v", columns, s.left)
			a.emit("BLT %s", next)
			a.scope(func() { s.strip(columns) })
			a.emit("ADD $%d, %v", 4*columns, s.dst)
			a.emit("ADD $%d, %v", 4*columns, s.b)
			a.emit("SUB $%d, %v", columns, s.left)
			a.emit("B %s", loop)
			a.place(next)
		}
	})
}

// strips are what sumRows has in registers: what is left of dst and of the rows
// of b, and the elements.
type strips struct {
	*assembler
	dst, left, b, stride, index, count, value gp
	i, v, n, row                              gp
	alpha, beta                               vec
}

// strip sums so many columns: whole registers, or one column.
func (s strips) strip(columns int) {
	sums := make([]vec, (columns+3)/4)
	for i := range sums {
		sums[i] = s.zero()
	}
	kind := "Q"
	if columns == 1 {
		kind = "S"
	}
	value, x, y := s.vec(), s.vec(), s.vec()
	loop, end, write, done := s.label("row"), s.label("summed"), s.label("write"), s.label("stored")
	s.emit("MOVD %v, %v", s.index, s.i)
	s.emit("MOVD %v, %v", s.value, s.v)
	s.emit("MOVD %v, %v", s.count, s.n)
	s.place(loop)
	s.emit("CBZ %v, %s", s.n, end)
	s.emit("MOVW.P 4(%v), %v", s.i, s.row)
	s.emit("FMOVS.P 4(%v), F%d", s.v, value)
	s.emit("MADD %v, %v, %v, %v", s.stride, s.b, s.row, s.row)
	for i := range sums {
		switch {
		case len(sums) == 1:
			s.emit("FMOV%s (%v), F%d", kind, s.row, x)
			s.fmlaElement(sums[i], x, value, 0)
		case i%2 == 0:
			s.emit("FLDPQ %d(%v), (F%d, F%d)", 16*i, s.row, x, y)
			s.fmlaElement(sums[i], x, value, 0)
			s.fmlaElement(sums[i+1], y, value, 0)
		}
	}
	s.emit("SUB $1, %v", s.n)
	s.emit("B %s", loop)
	s.place(end)
	s.emit("FCMPS $(0.0), F%d", s.beta)
	s.emit("BEQ %s", write)
	for i, sum := range sums {
		s.emit("FMOV%s %d(%v), F%d", kind, 16*i, s.dst, x)
		s.fmla(x, sum, s.alpha)
		s.emit("FMOV%s F%d, %d(%v)", kind, x, 16*i, s.dst)
	}
	s.emit("B %s", done)
	s.place(write)
	for i, sum := range sums {
		s.op("FMUL", x, sum, s.alpha)
		s.emit("FMOV%s F%d, %d(%v)", kind, x, 16*i, s.dst)
	}
	s.place(done)
}

// dot keeps 64 sums. Up to three steps of 16 follow those of 64, each with sums
// of its own, and what is left goes through zeros on the stack.
func (a *assembler) dot() {
	a.kernel("dot", "func(x, y []float32) float32", nil, func() {
		x, n, y, to := a.base("x"), a.length("x"), a.base("y"), a.gp()
		slots := a.local(128)
		sums := make([]vec, 16)
		for i := range sums {
			sums[i] = a.zero()
		}
		step := func(x, y gp, sums []vec) {
			a.scope(func() {
				for h, sum := range sums {
					u, v := a.vec(), a.vec()
					a.load(u, x, 16*h)
					a.load(v, y, 16*h)
					a.fmla(sum, u, v)
					a.free(u, v)
				}
			})
		}
		next := func(elements int) {
			a.emit("ADD $%d, %v", 4*elements, x)
			a.emit("ADD $%d, %v", 4*elements, y)
			a.emit("SUB $%d, %v", elements, n)
		}
		a.place("loop")
		a.emit("CMP $64, %v", n)
		a.emit("BLT rest")
		step(x, y, sums)
		next(64)
		a.emit("B loop")
		a.place("rest")
		for i := range 4 {
			last, after := a.label("last"), a.label("after")
			a.emit("CMP $16, %v", n)
			a.emit("BLT %s", last)
			if i < 3 {
				step(x, y, sums[4*i:4*i+4])
				next(16)
				a.emit("B %s", after)
			}
			a.place(last)
			a.emit("CBZ %v, end", n)
			a.zeroExtend(n, x, to, slots)
			a.zeroExtend(n, y, to, slots+64)
			step(x, y, sums[4*i:4*i+4])
			a.emit("B end")
			a.place(after)
		}
		a.place("end")
		for count := 8; count > 0; count /= 2 {
			for i := range count {
				a.op("FADD", sums[i], sums[i], sums[i+count])
			}
		}
		a.fold(sums[0])
		a.emit("FMOVS F%d, %s", sums[0], a.argument("ret"))
	})
}

// zeroExtend moves n < 16 elements at p to the stack, followed by zeros.
func (a *assembler) zeroExtend(n, p, to gp, slot int) {
	z := a.zero()
	for h := range 4 {
		a.emit("FMOVQ F%d, %d(RSP)", z, slot+16*h)
	}
	a.free(z)
	a.emit("MOVD $%d(RSP), %v", slot, to)
	a.move(n, 4, p, to)
	a.emit("MOVD $%d(RSP), %v", slot, p)
}

// keys turns floats into their keys, as signed numbers.
func (a *assembler) keys(v, zero, positive vec) {
	sign := a.vec()
	a.op("FADD", v, v, zero) // -0 becomes 0
	a.op("SSHR", sign, v)
	a.and(sign, sign, positive)
	a.xor(v, v, sign)
	a.free(sign)
}

// maxima compares keys as signed numbers.
func (a *assembler) maxima() {
	a.kernel("maxima", "func(x []float32, dst *[16]uint32)", nil, func() {
		x, n, dst := a.base("x"), a.length("x"), a.integer("dst")
		z, positive, sign := a.zero(), a.bits(1<<31-1), a.bits(1<<31)
		var most [4]vec
		for h := range most {
			most[h] = a.copy(sign)
		}
		v := a.vec()
		a.place("step")
		a.emit("SUBS $16, %v", n)
		a.emit("BLT end")
		for h := range most {
			a.load(v, x, 16*h)
			a.keys(v, z, positive)
			a.op("SMAX", most[h], most[h], v)
		}
		a.emit("ADD $64, %v", x)
		a.emit("B step")
		a.place("end")
		for h := range most {
			a.xor(most[h], most[h], sign)
			a.store(most[h], dst, 16*h)
		}
	})
}

// above takes whole steps only.
func (a *assembler) above() {
	doc := []string{"aboveNEON is abovePlain of whole steps of 16. What is left of x is not looked", "at."}
	a.kernel("above", "func(x []float32, bound uint32, index []int32) int", doc, func() {
		x, n, index := a.base("x"), a.length("x"), a.base("index")
		i, first, found, at, ones := a.gp(), a.gp(), a.gp(), a.gp(), a.gp()
		z, positive, bound := a.zero(), a.bits(1<<31-1), a.broadcast("bound")
		a.xor(bound, bound, a.bits(1<<31))
		a.emit("MOVD %v, %v", index, first)
		a.emit("MOVD $0, %v", i)
		a.emit("MOVD $0x1111111111111111, %v", ones)
		a.place("step")
		a.emit("SUBS $16, %v", n)
		a.emit("BLT end")
		var v [4]vec
		for h := range v {
			v[h] = a.vec()
			a.load(v[h], x, 16*h)
			a.keys(v[h], z, positive)
			a.op("CMGE", v[h], v[h], bound)
		}
		// Four bits for each element: words to halves, to bytes, to these.
		a.emit("VUZP1 %v.H8, %v.H8, %v.H8", v[1], v[0], v[0])
		a.emit("VUZP1 %v.H8, %v.H8, %v.H8", v[3], v[2], v[2])
		a.emit("VUZP1 %v.B16, %v.B16, %v.B16", v[2], v[0], v[0])
		a.op("SHRN", v[0], v[0])
		a.emit("VMOV %v.D[0], %v", v[0], found)
		a.emit("AND %v, %v", ones, found)
		a.place("bit")
		a.emit("CBZ %v, next", found)
		a.emit("RBIT %v, %v", found, at)
		a.emit("CLZ %v, %v", at, at)
		a.emit("ADD %v>>2, %v, %v", at, i, at)
		a.emit("MOVW.P %v, 4(%v)", at, index)
		a.emit("SUB $1, %v, %v", found, at)
		a.emit("AND %v, %v", at, found)
		a.emit("B bit")
		a.place("next")
		a.emit("ADD $64, %v", x)
		a.emit("ADD $16, %v", i)
		a.emit("B step")
		a.place("end")
		a.emit("SUB %v, %v", first, index)
		a.emit("LSR $2, %v", index)
		a.emit("MOVD %v, %s", index, a.argument("ret"))
	})
}

package main

// A tile of C has 12 rows and 8 columns: 24 registers of sums, which leaves 6
// for A and 2 for B.
const (
	tileRows = 12
	tileCols = 8
	sliver   = 16 // floats between the rows of packed B
	unroll   = 4
)

// A tile writes the product of a tile: its registers, and where on the stack
// are its sums and a row of C.
type tile struct {
	*assembler
	rows, cols, k, a, b, c, ldc gp
	left, line, from, to        gp
	sumsAt, rowAt               int
}

// tile takes A packed, tileRows side by side. Sums of rows and columns beyond
// the edge are computed in fours and not stored.
func (a *assembler) tile() {
	doc := []string{"tileNEON is tilePlain for tiles of up to 12 rows and 8 columns, half a sliver",
		"of B, where A is packed: rowStride is 1 and kStride 12."}
	a.kernel("tile", "func(rows, cols, k int, a []float32, rowStride, kStride int, b []float32, alpha, beta float32, c []float32, ldc int)", doc, func() {
		t := tile{assembler: a,
			rows: a.integer("rows"), cols: a.integer("cols"), k: a.integer("k"),
			a: a.base("a"), b: a.base("b"), c: a.base("c"), ldc: a.integer("ldc"),
			left: a.gp(), line: a.gp(), from: a.gp(), to: a.gp(),
			sumsAt: a.local(4 * tileRows * tileCols), rowAt: a.local(4 * tileCols),
		}
		a.emit("LSL $2, %v", t.ldc)
		a.emit("CMP $4, %v", t.cols)
		a.emit("BLE narrow")
		for width := 2; width > 0; width-- {
			if width == 1 {
				a.place("narrow")
			}
			for groups := tileRows / 4; groups > 0; groups-- {
				fewer := a.label("fewer")
				if groups > 1 {
					a.emit("CMP $%d, %v", 4*groups-4, t.rows)
					a.emit("BLE %s", fewer)
				}
				a.scope(func() { t.compute(4*groups, width) })
				a.place(fewer)
			}
		}
		a.place("done")
	})
}

// compute writes the code for so many rows and registers a row.
func (t tile) compute(rows, width int) {
	var sums []vec // those of a row side by side
	for range rows * width {
		sums = append(sums, t.zero())
	}
	t.emit("MOVD %v, %v", t.k, t.left)
	if rows == tileRows && width == 2 {
		t.whole(sums)
	}
	loop, end := t.label("loop"), t.label("summed")
	t.place(loop)
	t.emit("CBZ %v, %s", t.left, end)
	t.scope(func() {
		var x, y []vec
		for i := range rows / 4 {
			x = append(x, t.vec())
			t.load(x[i], t.a, 16*i)
		}
		for w := range width {
			y = append(y, t.vec())
			t.load(y[w], t.b, 16*w)
		}
		t.emit("ADD $%d, %v", 4*tileRows, t.a)
		t.emit("ADD $%d, %v", 4*sliver, t.b)
		t.step(sums, x, y)
	})
	t.emit("SUB $1, %v", t.left)
	t.emit("B %s", loop)
	t.place(end)
	t.finish(sums, width)
}

// whole is the loop that nearly all of the time goes to: unroll steps of k of a
// whole tile. Two steps take six registers of A.
func (t tile) whole(sums []vec) {
	loop, rest := "whole", t.label("rest")
	t.emit("SUBS $%d, %v", unroll, t.left)
	t.emit("BLT %s", rest)
	t.scope(func() {
		var x [6]vec
		for i := range x {
			x[i] = t.vec()
		}
		y := []vec{t.vec(), t.vec()}
		t.emit("PCALIGN $32")
		t.place(loop)
		for u := range unroll {
			if u%2 == 0 {
				for i := 0; i < 6; i += 2 {
					t.emit("FLDPQ.P 32(%v), (F%d, F%d)", t.a, x[i], x[i+1])
				}
			}
			t.emit("FLDPQ.P %d(%v), (F%d, F%d)", 4*sliver, t.b, y[0], y[1])
			t.step(sums, x[u%2*3:][:3], y)
		}
		t.emit("SUBS $%d, %v", unroll, t.left)
		t.emit("BGE %s", loop)
	})
	t.place(rest)
	t.emit("ADD $%d, %v", unroll, t.left)
}

// step adds the products of one step of k.
func (t tile) step(sums, x, y []vec) {
	for i, sum := range sums {
		row := i / len(y)
		t.fmlaElement(sum, y[i%len(y)], x[row/4], row%4)
	}
}

// finish stores alpha times the sums, plus beta C.
func (t tile) finish(sums []vec, width int) {
	alpha, beta, c := t.broadcast("alpha"), t.broadcast("beta"), t.vec()
	write, edge := t.label("write"), t.label("edge")
	t.emit("CMP $%d, %v", 4*width, t.cols)
	t.emit("BNE %s", edge)
	t.emit("FCMPS $(0.0), F%d", beta)
	t.emit("BEQ %s", write)
	store := func(get func(w int)) {
		for i, sum := range sums {
			get(i % width)
			t.fmla(c, sum, alpha)
			t.store(c, t.c, 16*(i%width))
			if i%width == width-1 {
				t.emit("SUBS $1, %v", t.rows)
				t.emit("BEQ done")
				t.emit("ADD %v, %v", t.ldc, t.c)
			}
		}
	}
	store(func(w int) {
		t.load(c, t.c, 16*w)
		t.op("FMUL", c, c, beta)
	})
	t.place(write)
	store(func(int) { t.xor(c, c, c) })
	t.place(edge)
	for i, sum := range sums {
		t.emit("FMOVQ F%d, %d(RSP)", sum, t.sumsAt+16*i)
	}
	t.free(sums...)
	t.edge(width, alpha, beta, c)
}

// edge finishes rows that end within a register, from sums on the stack: a row
// of C goes there and comes back.
func (t tile) edge(width int, alpha, beta, c vec) {
	sum, loop := t.vec(), t.label("row")
	t.emit("MOVD $%d(RSP), %v", t.sumsAt, t.line)
	t.place(loop)
	t.emit("MOVD %v, %v", t.c, t.from)
	t.emit("MOVD $%d(RSP), %v", t.rowAt, t.to)
	t.move(t.cols, 4, t.from, t.to)
	for w := range width {
		write, add := t.label("write"), t.label("add")
		t.emit("FCMPS $(0.0), F%d", beta)
		t.emit("BEQ %s", write)
		t.emit("FMOVQ %d(RSP), F%d", t.rowAt+16*w, c)
		t.op("FMUL", c, c, beta)
		t.emit("B %s", add)
		t.place(write)
		t.xor(c, c, c)
		t.place(add)
		t.emit("FMOVQ.P 16(%v), F%d", t.line, sum)
		t.fmla(c, sum, alpha)
		t.emit("FMOVQ F%d, %d(RSP)", c, t.rowAt+16*w)
	}
	t.emit("MOVD $%d(RSP), %v", t.rowAt, t.from)
	t.emit("MOVD %v, %v", t.c, t.to)
	t.move(t.cols, 4, t.from, t.to)
	t.emit("ADD %v, %v", t.ldc, t.c)
	t.emit("SUBS $1, %v", t.rows)
	t.emit("BNE %s", loop)
	t.emit("B done")
}

// packT transposes blocks of 4 by 4. The last of the cols stands for those
// that a block lacks, and the last block of a column overlaps the one before.
func (a *assembler) packT() {
	doc := []string{"packTNEON is packTPlain for k >= 4. It writes columns in fours."}
	a.kernel("packT", "func(dst []float32, stride int, src []float32, ld, cols, k int)", doc, func() {
		dst, stride, src := a.base("dst"), a.integer("stride"), a.base("src")
		ld, cols, k := a.integer("ld"), a.integer("cols"), a.integer("k")
		a.emit("LSL $2, %v", stride)
		a.emit("LSL $2, %v", ld)
		p, out, left, next := []gp{a.gp(), a.gp(), a.gp(), a.gp()}, a.gp(), a.gp(), a.gp()
		r, t := []vec{}, []vec{}
		for range 4 {
			r, t = append(r, a.vec()), append(t, a.vec())
		}
		a.place("column")
		a.emit("MOVD %v, %v", src, p[0])
		for i := 1; i < 4; i++ {
			a.emit("ADD %v, %v, %v", ld, p[i-1], next)
			a.emit("CMP $%d, %v", i, cols)
			a.emit("CSEL GT, %v, %v, %v", next, p[i-1], p[i])
		}
		a.emit("MOVD %v, %v", dst, out)
		a.emit("MOVD %v, %v", k, left)
		a.place("block")
		for i := range 4 {
			a.emit("FMOVQ.P 16(%v), F%d", p[i], r[i])
		}
		for i := range 4 { // t[i%2 + 2(i/2)]: columns i%2 and i%2+2 of two rows
			pair := i / 2 * 2
			a.emit("VTRN%d %v.S4, %v.S4, %v.S4", i%2+1, r[pair+1], r[pair], t[i])
		}
		for i := range 4 {
			a.emit("VZIP%d %v.D2, %v.D2, %v.D2", i/2+1, t[2+i%2], t[i%2], r[i])
		}
		for i := range 4 {
			a.store(r[i], out, 0)
			a.emit("ADD %v, %v", stride, out)
		}
		a.emit("SUBS $4, %v", left)
		a.emit("BEQ end")
		a.emit("CMP $4, %v", left)
		a.emit("BGE block")
		a.emit("SUB $4, %v, %v", left, next) // back by so many
		for i := range 4 {
			a.emit("ADD %v<<2, %v", next, p[i])
		}
		a.emit("MADD %v, %v, %v, %v", stride, out, next, out)
		a.emit("MOVD $4, %v", left)
		a.emit("B block")
		a.place("end")
		a.emit("ADD %v<<2, %v", ld, src)
		a.emit("ADD $16, %v", dst)
		a.emit("SUBS $4, %v", cols)
		a.emit("BGT column")
	})
}

// packN copies tiles of a sliver's width and of a tile's rows.
func (a *assembler) packN() {
	doc := []string{"packNNEON is packNPlain for whole tiles, of width 16 or 12."}
	a.kernel("packN", "func(dst []float32, width, pitch int, src []float32, ld, tiles, k int)", doc, func() {
		dst, width, pitch, src := a.base("dst"), a.integer("width"), a.integer("pitch"), a.base("src")
		ld, tiles, k := a.integer("ld"), a.integer("tiles"), a.integer("k")
		from, to, n := a.gp(), a.gp(), a.gp()
		a.emit("LSL $2, %v", pitch)
		a.emit("LSL $2, %v", ld)
		for _, w := range []int{sliver, tileRows} {
			row, tile, next := a.label("row"), a.label("tile"), a.label("next")
			a.emit("CMP $%d, %v", w, width)
			a.emit("BNE %s", next)
			a.place(row)
			a.emit("MOVD %v, %v", src, from)
			a.emit("MOVD %v, %v", dst, to)
			a.emit("MOVD %v, %v", tiles, n)
			a.place(tile)
			a.scope(func() {
				for i := range w / 4 {
					v := a.vec()
					a.emit("FMOVQ.P 16(%v), F%d", from, v)
					a.store(v, to, 16*i)
				}
			})
			a.emit("ADD %v, %v", pitch, to)
			a.emit("SUBS $1, %v", n)
			a.emit("BNE %s", tile)
			a.emit("ADD %v, %v", ld, src)
			a.emit("ADD $%d, %v", 4*w, dst)
			a.emit("SUBS $1, %v", k)
			a.emit("BNE %s", row)
			a.emit("RET")
			a.place(next)
		}
	})
}

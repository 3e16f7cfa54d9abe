package f32

// The conversions set row i of dst (m,n) to row order[i] of src times scale,
// plus offset; without an order, to row i of src.

// FromUint8 converts rows of n values.
func FromUint8(dst []float32, src []uint8, n int, order []int32, scale, offset float32) {
	j := newJob()
	j.elem.u8 = src
	j.convert(dst, len(src), n, order, scale, offset, func(e *elemArgs, dst []float32, at int) {
		e.kernel.fromUint8(dst, e.u8[at:][:len(dst)], e.a, e.b)
	})
}

// FromUint16 converts rows of n values.
func FromUint16(dst []float32, src []uint16, n int, order []int32, scale, offset float32) {
	j := newJob()
	j.elem.u16 = src
	j.convert(dst, len(src), n, order, scale, offset, func(e *elemArgs, dst []float32, at int) {
		e.kernel.fromUint16(dst, e.u16[at:][:len(dst)], e.a, e.b)
	})
}

// FromFloat16 converts rows of n values, IEEE 754 binary16 bits.
func FromFloat16(dst []float32, src []uint16, n int, order []int32, scale, offset float32) {
	j := newJob()
	j.elem.u16 = src
	j.convert(dst, len(src), n, order, scale, offset, func(e *elemArgs, dst []float32, at int) {
		e.kernel.fromFloat16(dst, e.u16[at:][:len(dst)], e.a, e.b)
	})
}

// FromFloat32 converts rows of n values. Without an order, dst may be src.
func FromFloat32(dst, src []float32, n int, order []int32, scale, offset float32) {
	j := newJob()
	j.elem.y = src
	j.convert(dst, len(src), n, order, scale, offset, func(e *elemArgs, dst []float32, at int) {
		e.kernel.fromFloat32(dst, e.y[at:][:len(dst)], e.a, e.b)
	})
}

// convert runs from over the rows of dst, at being where in src they begin.
// The source is set.
func (j *job) convert(dst []float32, src, n int, order []int32, scale, offset float32, from func(e *elemArgs, dst []float32, at int)) {
	rows := rowsOf(dst, n)
	if order == nil && src != len(dst) || order != nil && (len(order) != rows || src%max(n, 1) != 0) {
		panic(lengths)
	}
	e := &j.elem
	e.kernel, e.n, e.x, e.order, e.a, e.b, e.from = active, max(n, 1), dst, order, scale, offset, from
	j.doRows(rows, func(j *job, item int) {
		e := &j.elem
		dst := e.part(e.x, item)
		first := item * e.rows
		if e.order == nil {
			e.from(e, dst, first*e.n)
			return
		}
		for i := 0; i*e.n < len(dst); i++ {
			e.from(e, dst[i*e.n:(i+1)*e.n], int(e.order[first+i])*e.n)
		}
	})
}

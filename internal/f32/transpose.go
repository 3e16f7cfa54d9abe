package f32

// Transpose sets dst (n,m) to src (m,n) transposed.
func Transpose(dst, src []float32, n int) {
	rows := rowsOf(src, n)
	if len(dst) != len(src) {
		panic(lengths)
	}
	if rows == 0 {
		return
	}
	j := newJob()
	j.elem = elemArgs{kernel: active, x: dst, y: src, n: n, rows: rows}
	j.do((rows+sliver-1)/sliver, func(j *job, item int) {
		e := &j.elem
		first := item * sliver
		dst, src := e.x[first:], e.y[first*e.n:]
		if e.rows-first < sliver { // whole registers would not fit
			packTPlain(dst, e.rows, src, e.n, e.rows-first, e.n)
			return
		}
		e.kernel.packT(dst, e.rows, src, e.n, sliver, e.n)
	})
}

package f32

// FromUint8 computes dst = src*scale + offset.
func FromUint8(dst []float32, src []uint8, scale, offset float32) {
	if len(dst) != len(src) {
		panic(lengths)
	}
	j := newJob()
	j.elem = elemArgs{kernel: active, n: 1, x: dst, u8: src, a: scale, b: offset}
	j.doRows(len(dst), func(j *job, item int) {
		e := &j.elem
		d := e.part(e.x, item)
		e.kernel.fromUint8(d, e.u8[item*e.rows:][:len(d)], e.a, e.b)
	})
}

// FromUint16 computes dst = src*scale + offset.
func FromUint16(dst []float32, src []uint16, scale, offset float32) {
	from16(dst, src, scale, offset, false)
}

// FromFloat16 computes dst = src*scale + offset, src holding IEEE 754
// binary16 bits.
func FromFloat16(dst []float32, src []uint16, scale, offset float32) {
	from16(dst, src, scale, offset, true)
}

func from16(dst []float32, src []uint16, scale, offset float32, half bool) {
	if len(dst) != len(src) {
		panic(lengths)
	}
	j := newJob()
	j.elem = elemArgs{kernel: active, n: 1, x: dst, u16: src, half: half, a: scale, b: offset}
	j.doRows(len(dst), func(j *job, item int) {
		e := &j.elem
		d := e.part(e.x, item)
		s := e.u16[item*e.rows:][:len(d)]
		if e.half {
			e.kernel.fromFloat16(d, s, e.a, e.b)
		} else {
			e.kernel.fromUint16(d, s, e.a, e.b)
		}
	})
}

// FromFloat32 computes dst = src*scale + offset. dst may be src.
func FromFloat32(dst, src []float32, scale, offset float32) {
	if len(dst) != len(src) {
		panic(lengths)
	}
	j := newJob()
	j.elem = elemArgs{kernel: active, n: 1, x: dst, y: src, a: scale, b: offset}
	j.doRows(len(dst), func(j *job, item int) {
		e := &j.elem
		e.kernel.fromFloat32(e.part(e.x, item), e.part(e.y, item), e.a, e.b)
	})
}

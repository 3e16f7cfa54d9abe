package patch

import (
	"fmt"
	"math"
	"unsafe"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/aefeat/aefeat/model"
)

type number interface {
	uint8 | uint16 | uint32 | uint64 | int8 | int16 | int32 | int64 | float32 | float64
}

// valueOf returns value i of a column.
func valueOf[T number](column []byte, i int) float64 {
	return float64(arrow.GetData[T](column)[i])
}

func halfValue(column []byte, i int) float64 {
	return float64(halfToFloat32(arrow.GetData[uint16](column)[i]))
}

// convert sets dst to the values of a column.
func convert[T number](dst []float32, column []byte) {
	src := arrow.GetData[T](column)
	dst = dst[:len(src)]
	for i, v := range src {
		dst[i] = float32(v)
	}
}

// A weaver writes rows lo to hi of up to 8 columns side by side into rows of n
// elements, the first column at element at of each.
type weaver func(rows []byte, n, at int, columns [][]byte, lo, hi int)

// weavers has one for each kind of rows that an element can get into.
type weavers map[model.Kind]weaver

// interleave is the weaver of values of type S into rows of type D.
func interleave[D, S number](rows []byte, n, at int, columns [][]byte, lo, hi int) {
	weave(arrow.GetData[D](rows)[lo*n+at:], n, columns, lo, hi, arrow.GetData[S])
}

// interleaveHalves is the weaver of float16 into float32.
func interleaveHalves(rows []byte, n, at int, columns [][]byte, lo, hi int) {
	dst := arrow.GetData[float32](rows)[lo*n+at:]
	for j, c := range columns {
		for i, v := range arrow.GetData[uint16](c)[lo:hi] {
			dst[i*n+j] = halfToFloat32(v)
		}
	}
}

// weave writes rows lo to hi of up to 8 columns side by side, n elements from
// row to row.
func weave[D, S number](dst []D, n int, columns [][]byte, lo, hi int, typed func([]byte) []S) {
	if len(columns) < 8 {
		for j, c := range columns {
			for i, v := range typed(c)[lo:hi] {
				dst[i*n+j] = D(v)
			}
		}
		return
	}
	m := hi - lo
	var c [8][]S
	for j := range c {
		c[j] = typed(columns[j])[lo:hi][:m]
	}
	c0, c1, c2, c3, c4, c5, c6, c7 := c[0][:m], c[1][:m], c[2][:m], c[3][:m], c[4][:m], c[5][:m], c[6][:m], c[7][:m]
	for i := range m {
		d := dst[i*n : i*n+8]
		d[0], d[1], d[2], d[3] = D(c0[i]), D(c1[i]), D(c2[i]), D(c3[i])
		d[4], d[5], d[6], d[7] = D(c4[i]), D(c5[i]), D(c6[i]), D(c7[i])
	}
}

// dropNotFinite marks the rows that hold NaN or an infinity and closes the gaps
// they leave. source returns an element as it was before it became float32, to
// tell an infinity from a value too large.
func (b *Binding) dropNotFinite(data []byte, rows []int32, source func(k, e int) float64) []byte {
	if allFinite(data, b.kind) {
		return data
	}
	width := b.width * b.kind.Size()
	for k, r := range rows {
		row := data[k*width : (k+1)*width]
		if allFinite(row, b.kind) {
			continue
		}
		e := 0
		for isFinite(floatAt(row, b.kind, e)) {
			e++
		}
		column := b.columns[0].name
		if b.scalar {
			column = b.columns[e].name
		}
		v, was := floatAt(row, b.kind, e), source(k, e)
		reason := NotFinite
		if isFinite(was) {
			reason = OutOfRange
		}
		b.reader.mark(r, column, reason, func() string {
			where := ""
			if !b.scalar {
				where = fmt.Sprintf(" at element %d", e)
			}
			if reason == OutOfRange {
				return fmt.Sprintf("%g%s is beyond the range of float32", was, where)
			}
			return fmt.Sprintf("%g%s", v, where)
		})
	}
	return b.compact(data, rows)
}

// compact closes the gaps that bad rows leave among rows. It writes to the
// reader's buffer, never to the batch.
func (b *Binding) compact(data []byte, rows []int32) []byte {
	return b.reader.closeGaps(b.reader.buffer(len(data)), data, rows, b.width*b.kind.Size())
}

func isFinite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// floatAt returns element e of a row of floats.
func floatAt(row []byte, kind model.Kind, e int) float64 {
	if kind == model.Float16 {
		return float64(halfToFloat32(arrow.Uint16Traits.CastFromBytes(row)[e]))
	}
	return float64(arrow.Float32Traits.CastFromBytes(row)[e])
}

// halfToFloat32 converts IEEE half-precision bits. The library's conversion
// loses the numbers below 2^-14.
func halfToFloat32(h uint16) float32 {
	sign, rest := uint32(h&0x8000)<<16, uint32(h&0x7fff)<<13
	switch {
	case rest >= 0x7c00<<13: // infinity or NaN
		return math.Float32frombits(sign | 0x7f800000 | rest&0x007fffff)
	case rest < 0x0400<<13: // below the normal numbers: a multiple of 2^-24
		v := float32(h&0x03ff) * (1.0 / (1 << 24))
		return math.Float32frombits(sign | math.Float32bits(v))
	}
	return math.Float32frombits(sign | rest + (127-15)<<23)
}

// allFinite reports whether no element is NaN or infinite, that is, has an
// exponent of all ones. It looks at a word of elements at a time: with the sign
// cleared, adding one to the lowest bit of the exponent carries into the sign
// of just those.
func allFinite(data []byte, kind model.Kind) bool {
	var clear, one, sign uint64 = 0x7fffffff_7fffffff, 0x00800000_00800000, 0x80000000_80000000
	if kind == model.Float16 {
		clear, one, sign = 0x7fff7fff_7fff7fff, 0x04000400_04000400, 0x80008000_80008000
	}
	size := kind.Size()
	for len(data) > 0 && !aligned(data, 8) { // a row may start inside a word
		if !isFinite(floatAt(data, kind, 0)) {
			return false
		}
		data = data[size:]
	}
	var w []uint64
	if len(data) >= 8 {
		w = unsafe.Slice((*uint64)(unsafe.Pointer(unsafe.SliceData(data))), len(data)/8)
	}
	var bad0, bad1, bad2, bad3 uint64
	for ; len(w) >= 4; w = w[4:] {
		bad0 |= w[0]&clear + one
		bad1 |= w[1]&clear + one
		bad2 |= w[2]&clear + one
		bad3 |= w[3]&clear + one
	}
	for _, v := range w {
		bad0 |= v&clear + one
	}
	if (bad0|bad1|bad2|bad3)&sign != 0 {
		return false
	}
	for data = data[len(data)&^7:]; len(data) > 0; data = data[size:] {
		if !isFinite(floatAt(data, kind, 0)) {
			return false
		}
	}
	return true
}

// resize returns a slice of n elements, s if it is large enough. What it holds
// is left as it is.
func resize[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}

// words returns how many 8-byte words hold n bytes.
func words(n int) int { return (n + 7) / 8 }

// asBytes returns the memory of w.
func asBytes(w []uint64) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(w))), 8*len(w))
}

// aligned reports whether data starts on a multiple of size bytes.
func aligned(data []byte, size int) bool {
	return uintptr(unsafe.Pointer(unsafe.SliceData(data)))%uintptr(size) == 0
}

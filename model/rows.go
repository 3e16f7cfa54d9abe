package model

import (
	"fmt"
	"slices"
	"unsafe"

	"github.com/aefeat/aefeat/internal/f32"
)

// Kind is how the elements of rows are stored.
type Kind string

// The kinds.
const (
	Uint8   Kind = "uint8"
	Uint16  Kind = "uint16"
	Float16 Kind = "float16" // IEEE half precision
	Float32 Kind = "float32"
)

// Size is the number of bytes of an element, 0 for an unknown kind.
func (k Kind) Size() int {
	switch k {
	case Uint8:
		return 1
	case Uint16, Float16:
		return 2
	case Float32:
		return 4
	}
	return 0
}

// Rows are m rows of n elements as they are stored, before preprocessing.
// They are never copied whole, and never kept after the call that takes them.
type Rows struct {
	Kind  Kind
	Width int // n

	// Data is m*n elements, row after row, in native byte order and aligned
	// for Kind.
	Data []byte

	// Number (m) are positions in the input, which key the noise and name rows
	// in errors; nil: 0 to m-1 in every call, so that rows of two calls share
	// their noise.
	Number []int64
}

// Float32Rows returns x, rows of n values, as Rows that share its memory.
// It panics when x does not hold whole rows.
func Float32Rows(x []float32, n int) Rows {
	if n < 1 || len(x)%n != 0 {
		panic("model: Float32Rows of a length that is not whole rows")
	}
	r := Rows{Kind: Float32, Width: n}
	if len(x) > 0 {
		r.Data = unsafe.Slice((*byte)(unsafe.Pointer(&x[0])), 4*len(x))
	}
	return r
}

// Uint8Rows returns x, rows of n values, as Rows that share its memory.
// It panics when x does not hold whole rows.
func Uint8Rows(x []uint8, n int) Rows {
	if n < 1 || len(x)%n != 0 {
		panic("model: Uint8Rows of a length that is not whole rows")
	}
	return Rows{Kind: Uint8, Width: n, Data: x}
}

// Len is the number of rows m.
func (r Rows) Len() int {
	if size := r.Width * r.Kind.Size(); size > 0 {
		return len(r.Data) / size
	}
	return 0
}

// AppendFloat32 appends the elements to dst as they are stored, without
// preprocessing.
func (r Rows) AppendFloat32(dst []float32) []float32 {
	first, more := len(dst), r.Len()*r.Width
	dst = slices.Grow(dst, more)[:first+more]
	r.convert(dst[first:], nil, 0, 1, 0)
	return dst
}

// check returns an error unless r holds whole rows of n elements.
func (r Rows) check(n int) error {
	size := r.Kind.Size()
	switch {
	case size == 0:
		return fmt.Errorf("rows of unknown kind %q", r.Kind)
	case r.Width != n:
		return fmt.Errorf("rows have %d values, the model takes %d", r.Width, n)
	case n < 1:
		return fmt.Errorf("rows of %d values", n)
	case len(r.Data)%(n*size) != 0:
		return fmt.Errorf("rows end in the middle: %d bytes are not a multiple of %d", len(r.Data), n*size)
	case r.Number != nil && len(r.Number) != r.Len():
		return fmt.Errorf("%d rows have %d numbers", r.Len(), len(r.Number))
	case len(r.Data) > 0 && uintptr(unsafe.Pointer(&r.Data[0]))%uintptr(size) != 0:
		return fmt.Errorf("rows are not aligned for %s", r.Kind)
	}
	return nil
}

// number is the position of row i in the input.
func (r Rows) number(i int) int64 {
	if r.Number == nil {
		return int64(i)
	}
	return r.Number[i]
}

// convert sets dst to x*scale + offset for the rows that order names, or for
// those from the i-th on when order is nil.
func (r Rows) convert(dst []float32, order []int32, i int, scale, offset float32) {
	lo, hi := 0, r.Len()*r.Width
	if order == nil {
		lo, hi = i*r.Width, i*r.Width+len(dst)
	}
	switch r.Kind {
	case Uint8:
		f32.FromUint8(dst, r.Data[lo:hi], r.Width, order, scale, offset)
	case Uint16:
		f32.FromUint16(dst, elements[uint16](r.Data)[lo:hi], r.Width, order, scale, offset)
	case Float16:
		f32.FromFloat16(dst, elements[uint16](r.Data)[lo:hi], r.Width, order, scale, offset)
	case Float32:
		f32.FromFloat32(dst, elements[float32](r.Data)[lo:hi], r.Width, order, scale, offset)
	}
}

// elements returns the values that b holds. b is aligned for them.
func elements[T uint16 | float32](b []byte) []T {
	if len(b) == 0 {
		return nil
	}
	return unsafe.Slice((*T)(unsafe.Pointer(&b[0])), len(b)/int(unsafe.Sizeof(T(0))))
}

package arrowio

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// Types of the Thrift compact protocol.
const (
	thriftStop   = 0
	thriftTrue   = 1
	thriftFalse  = 2
	thriftByte   = 3
	thriftI16    = 4
	thriftI32    = 5
	thriftI64    = 6
	thriftDouble = 7
	thriftBinary = 8
	thriftList   = 9
	thriftSet    = 10
	thriftMap    = 11
	thriftStruct = 12
)

// thriftDepth is deeper than anything in a Parquet footer, and far from the end of the stack.
const thriftDepth = 32

var errThriftEnd = errors.New("ends in the middle of a value")

// A thriftReader takes values out of Thrift compact bytes. It allocates nothing, and no length that it reads is ever larger than
// the bytes that are left. The first error stays: everything read after it is zero, and lists and structs end.
type thriftReader struct {
	b   []byte
	pos int
	err error
}

func (r *thriftReader) fail(err error) {
	if r.err == nil {
		r.err = err
	}
	r.pos = len(r.b)
}

func (r *thriftReader) left() int { return len(r.b) - r.pos }

func (r *thriftReader) byte() byte {
	if r.pos >= len(r.b) {
		r.fail(errThriftEnd)
		return 0
	}
	c := r.b[r.pos]
	r.pos++
	return c
}

func (r *thriftReader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b[r.pos:])
	if n <= 0 {
		r.fail(errThriftEnd)
		return 0
	}
	r.pos += n
	return v
}

func (r *thriftReader) i64() int64 {
	v := r.uvarint()
	return int64(v>>1) ^ -int64(v&1)
}

func (r *thriftReader) i32() int32 {
	v := r.i64()
	if v < math.MinInt32 || v > math.MaxInt32 {
		r.fail(fmt.Errorf("number %d is out of range", v))
		return 0
	}
	return int32(v)
}

// bytes returns a part of the input.
func (r *thriftReader) bytes() []byte {
	n := r.uvarint()
	if n > uint64(r.left()) {
		r.fail(errThriftEnd)
		return nil
	}
	b := r.b[r.pos : r.pos+int(n)]
	r.pos += int(n)
	return b
}

// list reads the head of a list of elements of one type. An element takes a byte at least.
func (r *thriftReader) list(elem byte) int {
	got, n := r.anyList()
	if n > 0 && got != elem {
		r.fail(fmt.Errorf("list of type %d, expected %d", got, elem))
		return 0
	}
	return n
}

func (r *thriftReader) anyList() (byte, int) {
	h := r.byte()
	n := uint64(h >> 4)
	if n == 15 {
		n = r.uvarint()
	}
	if n > uint64(r.left()) {
		r.fail(errThriftEnd)
		return 0, 0
	}
	return h & 15, int(n)
}

// fields calls f for every field of a struct. f reads the value or returns false, which skips it.
func (r *thriftReader) fields(depth int, f func(id int16, typ byte) bool) {
	if depth > thriftDepth {
		r.fail(errors.New("nested too deeply"))
		return
	}
	id := int16(0)
	for r.err == nil {
		h := r.byte()
		typ := h & 15
		if r.err != nil || typ == thriftStop {
			return
		}
		if delta := int16(h >> 4); delta != 0 {
			id += delta
		} else {
			id = int16(r.i64())
		}
		if r.err == nil && !f(id, typ) {
			r.skip(typ, depth+1)
		}
	}
}

func (r *thriftReader) skip(typ byte, depth int) {
	if depth > thriftDepth {
		r.fail(errors.New("nested too deeply"))
		return
	}
	switch typ {
	case thriftTrue, thriftFalse:
	case thriftByte:
		r.byte()
	case thriftI16, thriftI32, thriftI64:
		r.uvarint()
	case thriftDouble:
		if r.left() < 8 {
			r.fail(errThriftEnd)
			return
		}
		r.pos += 8
	case thriftBinary:
		r.bytes()
	case thriftList, thriftSet:
		elem, n := r.anyList()
		for i := 0; i < n && r.err == nil; i++ {
			r.skipElement(elem, depth+1)
		}
	case thriftMap:
		n := r.uvarint()
		if n == 0 {
			return
		}
		types := r.byte()
		if n > uint64(r.left()) {
			r.fail(errThriftEnd)
			return
		}
		for i := uint64(0); i < n && r.err == nil; i++ {
			r.skipElement(types>>4, depth+1)
			r.skipElement(types&15, depth+1)
		}
	case thriftStruct:
		r.fields(depth, func(int16, byte) bool { return false })
	default:
		r.fail(fmt.Errorf("unknown type %d", typ))
	}
}

// skipElement skips an element of a container, where a bool takes a byte.
func (r *thriftReader) skipElement(typ byte, depth int) {
	if typ == thriftTrue || typ == thriftFalse {
		r.byte()
		return
	}
	r.skip(typ, depth)
}

// want says whether a known field has the type that it should have. Another type is an error.
func (r *thriftReader) want(got, want byte) bool {
	if got != want {
		r.fail(fmt.Errorf("field of type %d, expected %d", got, want))
		return false
	}
	return true
}

// A thriftWriter makes Thrift compact bytes. Structs nest by begin and end.
type thriftWriter struct {
	b    []byte
	last []int16 // last field id of each open struct
}

func (w *thriftWriter) begin() { w.last = append(w.last, 0) }

func (w *thriftWriter) end() {
	w.b = append(w.b, thriftStop)
	w.last = w.last[:len(w.last)-1]
}

func (w *thriftWriter) field(id int16, typ byte) {
	top := &w.last[len(w.last)-1]
	if d := id - *top; d > 0 && d < 16 {
		w.b = append(w.b, byte(d)<<4|typ)
	} else {
		w.b = append(w.b, typ)
		w.b = binary.AppendVarint(w.b, int64(id))
	}
	*top = id
}

func (w *thriftWriter) i32(id int16, v int32) {
	w.field(id, thriftI32)
	w.b = binary.AppendVarint(w.b, int64(v))
}

func (w *thriftWriter) i64(id int16, v int64) {
	w.field(id, thriftI64)
	w.b = binary.AppendVarint(w.b, v)
}

func (w *thriftWriter) bool(id int16, v bool) {
	if v {
		w.field(id, thriftTrue)
	} else {
		w.field(id, thriftFalse)
	}
}

func (w *thriftWriter) text(s string) {
	w.b = binary.AppendUvarint(w.b, uint64(len(s)))
	w.b = append(w.b, s...)
}

func (w *thriftWriter) string(id int16, s string) {
	w.field(id, thriftBinary)
	w.text(s)
}

func (w *thriftWriter) list(id int16, elem byte, n int) {
	w.field(id, thriftList)
	if n < 15 {
		w.b = append(w.b, byte(n)<<4|elem)
		return
	}
	w.b = append(w.b, 15<<4|elem)
	w.b = binary.AppendUvarint(w.b, uint64(n))
}

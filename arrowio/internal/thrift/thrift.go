// Package thrift reads and writes the compact protocol of Thrift, in which
// Parquet has its footers and the headers of its pages.
package thrift

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// Types of values, by their numbers in the protocol. A bool that is a field is
// one of two types and has no bytes.
const (
	Stop   = 0
	True   = 1
	False  = 2
	Byte   = 3
	I16    = 4
	I32    = 5
	I64    = 6
	Double = 7
	Binary = 8
	List   = 9
	Set    = 10
	Map    = 11
	Struct = 12
)

// maxDepth is deeper than anything in a Parquet footer, and far from the end of
// the stack.
const maxDepth = 32

// ErrEnd is the error of a Reader whose bytes end too early.
var ErrEnd = errors.New("ends in the middle of a value")

// A Reader takes values out of bytes. It allocates nothing, and no length that
// it reads is ever larger than the bytes that are left. The first error stays:
// everything read after it is zero, and lists and structs end.
type Reader struct {
	b     []byte
	pos   int
	depth int // of structs and containers around
	err   error
}

// NewReader returns a Reader of b, which it does not copy.
func NewReader(b []byte) *Reader { return &Reader{b: b} }

// Err returns the first error.
func (r *Reader) Err() error { return r.err }

// Fail ends the reading with an error, unless there was one before.
func (r *Reader) Fail(err error) {
	if r.err == nil {
		r.err = err
	}
	r.pos = len(r.b)
}

// Pos returns the number of bytes read.
func (r *Reader) Pos() int { return r.pos }

// Since returns the bytes read since Pos was from.
func (r *Reader) Since(from int) []byte { return r.b[from:r.pos] }

// Left returns the number of bytes that are left.
func (r *Reader) Left() int { return len(r.b) - r.pos }

// Struct calls f for every field of a struct. f reads the value and returns
// true, or returns false to have it skipped.
func (r *Reader) Struct(f func(id int16, typ byte) bool) {
	if !r.enter() {
		return
	}
	defer r.leave()
	id := int16(0)
	for r.err == nil {
		h := r.byte()
		typ := h & 15
		if r.err != nil || typ == Stop {
			return
		}
		if delta := int16(h >> 4); delta != 0 {
			id += delta
		} else {
			id = int16(r.varint())
		}
		if r.err == nil && !f(id, typ) {
			r.skip(typ)
		}
	}
}

// Structs reads a field that is a list of structs: it calls f for each, which
// reads it.
func (r *Reader) Structs(typ byte, f func()) {
	if !r.Want(typ, List) {
		return
	}
	elem, n := r.list()
	if n > 0 && elem != Struct {
		r.Fail(fmt.Errorf("list of type %d, expected %d", elem, Struct))
	}
	for i := 0; i < n && r.err == nil; i++ {
		f()
	}
}

// Int32 reads a field of 32 bits into v.
func (r *Reader) Int32(typ byte, v *int32) {
	if !r.Want(typ, I32) {
		return
	}
	n := r.varint()
	if n < math.MinInt32 || n > math.MaxInt32 {
		r.Fail(fmt.Errorf("number %d is out of range", n))
		n = 0
	}
	*v = int32(n)
}

// Int64 reads a field of 64 bits into v.
func (r *Reader) Int64(typ byte, v *int64) {
	if r.Want(typ, I64) {
		*v = r.varint()
	}
}

// Bool reads a field that is true or false into v.
func (r *Reader) Bool(typ byte, v *bool) {
	if typ == False || r.Want(typ, True) {
		*v = typ == True
	}
}

// Bytes reads a field of bytes or text. They are a part of the input.
func (r *Reader) Bytes(typ byte) []byte {
	if !r.Want(typ, Binary) {
		return nil
	}
	return r.bytes()
}

// Raw skips a field and returns its bytes, a part of the input; nil after an
// error.
func (r *Reader) Raw(typ byte) []byte {
	from := r.pos
	r.skip(typ)
	if r.err != nil {
		return nil
	}
	return r.b[from:r.pos]
}

// Want says whether a field has the type that it should have. Another type is
// an error.
func (r *Reader) Want(got, want byte) bool {
	if got != want {
		r.Fail(fmt.Errorf("field of type %d, expected %d", got, want))
	}
	return got == want
}

func (r *Reader) enter() bool {
	if r.depth++; r.depth > maxDepth {
		r.Fail(errors.New("nested too deeply"))
		r.depth--
		return false
	}
	return true
}

func (r *Reader) leave() { r.depth-- }

func (r *Reader) skip(typ byte) {
	switch typ {
	case True, False:
	case Byte:
		r.byte()
	case I16, I32, I64:
		r.uvarint()
	case Double:
		if r.Left() < 8 {
			r.Fail(ErrEnd)
			return
		}
		r.pos += 8
	case Binary:
		r.bytes()
	case Struct:
		r.Struct(func(int16, byte) bool { return false })
	case List, Set, Map:
		if r.enter() {
			r.skipContainer(typ)
			r.leave()
		}
	default:
		r.Fail(fmt.Errorf("unknown type %d", typ))
	}
}

func (r *Reader) skipContainer(typ byte) {
	if typ != Map {
		elem, n := r.list()
		for i := 0; i < n && r.err == nil; i++ {
			r.skipElement(elem)
		}
		return
	}
	n := r.uvarint()
	if n == 0 {
		return
	}
	types := r.byte()
	if n > uint64(r.Left()) {
		r.Fail(ErrEnd)
		return
	}
	for i := uint64(0); i < n && r.err == nil; i++ {
		r.skipElement(types >> 4)
		r.skipElement(types & 15)
	}
}

// skipElement skips an element of a container, where a bool takes a byte.
func (r *Reader) skipElement(typ byte) {
	if typ == True || typ == False {
		r.byte()
		return
	}
	r.skip(typ)
}

// list reads the type and number of the elements of a list. An element takes a
// byte at least.
func (r *Reader) list() (elem byte, n int) {
	h := r.byte()
	count := uint64(h >> 4)
	if count == 15 {
		count = r.uvarint()
	}
	if count > uint64(r.Left()) {
		r.Fail(ErrEnd)
		return 0, 0
	}
	return h & 15, int(count)
}

func (r *Reader) bytes() []byte {
	n := r.uvarint()
	if n > uint64(r.Left()) {
		r.Fail(ErrEnd)
		return nil
	}
	b := r.b[r.pos : r.pos+int(n)]
	r.pos += int(n)
	return b
}

func (r *Reader) byte() byte {
	if r.pos >= len(r.b) {
		r.Fail(ErrEnd)
		return 0
	}
	c := r.b[r.pos]
	r.pos++
	return c
}

func (r *Reader) varint() int64 {
	v := r.uvarint()
	return int64(v>>1) ^ -int64(v&1)
}

func (r *Reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b[r.pos:])
	if n <= 0 {
		r.Fail(ErrEnd)
		return 0
	}
	r.pos += n
	return v
}

package thrift

import "encoding/binary"

// A Writer appends values to bytes. Structs nest by Begin and End.
type Writer struct {
	b    []byte
	last []int16 // last field id of each open struct
}

// Bytes returns what was written. It is valid until Reset.
func (w *Writer) Bytes() []byte { return w.b }

// Reset drops what was written and keeps the memory.
func (w *Writer) Reset() { w.b, w.last = w.b[:0], w.last[:0] }

// Raw appends bytes as they are, such as the value of a field.
func (w *Writer) Raw(b []byte) { w.b = append(w.b, b...) }

// Begin opens a struct: the whole value, the value of a field or an element.
func (w *Writer) Begin() { w.last = append(w.last, 0) }

// End closes the struct opened last.
func (w *Writer) End() {
	w.b = append(w.b, Stop)
	w.last = w.last[:len(w.last)-1]
}

// Field begins a field, whose value is to follow.
func (w *Writer) Field(id int16, typ byte) {
	top := &w.last[len(w.last)-1]
	if d := id - *top; d > 0 && d < 16 {
		w.b = append(w.b, byte(d)<<4|typ)
	} else {
		w.b = append(w.b, typ)
		w.b = binary.AppendVarint(w.b, int64(id))
	}
	*top = id
}

// BeginField opens a struct that is a field.
func (w *Writer) BeginField(id int16) {
	w.Field(id, Struct)
	w.Begin()
}

// Int32 writes a field of 32 bits.
func (w *Writer) Int32(id int16, v int32) {
	w.Field(id, I32)
	w.Element(int64(v))
}

// Int64 writes a field of 64 bits.
func (w *Writer) Int64(id int16, v int64) {
	w.Field(id, I64)
	w.Element(v)
}

// Bool writes a field that is true or false.
func (w *Writer) Bool(id int16, v bool) {
	if v {
		w.Field(id, True)
	} else {
		w.Field(id, False)
	}
}

// Text writes a field of text or bytes.
func (w *Writer) Text(id int16, s string) {
	w.Field(id, Binary)
	w.TextElement(s)
}

// List begins a field that is a list of n elements, which are to follow.
func (w *Writer) List(id int16, elem byte, n int) {
	w.Field(id, List)
	if n < 15 {
		w.b = append(w.b, byte(n)<<4|elem)
		return
	}
	w.b = append(w.b, 15<<4|elem)
	w.b = binary.AppendUvarint(w.b, uint64(n))
}

// Element writes an integer in a list.
func (w *Writer) Element(v int64) { w.b = binary.AppendVarint(w.b, v) }

// TextElement writes text in a list.
func (w *Writer) TextElement(s string) {
	w.b = binary.AppendUvarint(w.b, uint64(len(s)))
	w.b = append(w.b, s...)
}

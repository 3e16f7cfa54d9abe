package thrift

import (
	"bytes"
	"testing"
)

// A record has a value of every kind that a Writer can write.
func record() []byte {
	w := &Writer{}
	w.Begin()
	w.Int32(1, -7)
	w.Int64(20, 1<<40) // further than a delta of 15
	w.Bool(21, true)
	w.Text(22, "text")
	w.List(23, I32, 20)
	for i := range int64(20) {
		w.Element(i)
	}
	w.List(24, Struct, 2)
	for i := range int32(2) {
		w.Begin()
		w.Int32(1, i)
		w.End()
	}
	w.BeginField(25)
	w.Bool(1, false)
	w.End()
	w.Field(26, Map)
	w.Raw([]byte{1, Binary<<4 | I32, 1, 'k', 4})
	w.End()
	return w.Bytes()
}

// read reads the record and returns the number of fields that it has seen.
func read(r *Reader) (fields int, ok bool) {
	var (
		i32, sum int32
		i64      int64
		flag     bool
		text     []byte
	)
	r.Struct(func(id int16, typ byte) bool {
		fields++
		switch id {
		case 1:
			r.Int32(typ, &i32)
		case 20:
			r.Int64(typ, &i64)
		case 21:
			r.Bool(typ, &flag)
		case 22:
			text = r.Bytes(typ)
		case 24:
			r.Structs(typ, func() {
				r.Struct(func(_ int16, typ byte) bool {
					v := int32(0)
					r.Int32(typ, &v)
					sum += v
					return true
				})
			})
		default:
			return false
		}
		return true
	})
	return fields, i32 == -7 && i64 == 1<<40 && flag && string(text) == "text" && sum == 1
}

func TestRoundTrip(t *testing.T) {
	b := record()
	r := NewReader(b)
	fields, ok := read(r)
	if r.Err() != nil || fields != 8 || !ok || r.Left() != 0 || r.Pos() != len(b) {
		t.Fatalf("%d fields, %v, %d bytes left: %v", fields, ok, r.Left(), r.Err())
	}
	for n := range b {
		r := NewReader(b[:n])
		if read(r); r.Err() == nil {
			t.Errorf("%d of %d bytes are taken", n, len(b))
		}
	}
}

func TestWrongType(t *testing.T) {
	for name, read := range map[string]func(r *Reader, typ byte){
		"a number of 64 bits": func(r *Reader, typ byte) { var v int64; r.Int64(typ, &v) },
		"a bool":              func(r *Reader, typ byte) { var v bool; r.Bool(typ, &v) },
		"text":                func(r *Reader, typ byte) { r.Bytes(typ) },
		"structs":             func(r *Reader, typ byte) { r.Structs(typ, func() {}) },
	} {
		w := &Writer{}
		w.Begin()
		w.Int32(1, 5)
		w.End()
		r := NewReader(w.Bytes())
		r.Struct(func(_ int16, typ byte) bool { read(r, typ); return true })
		if r.Err() == nil {
			t.Errorf("32 bits are taken for %s", name)
		}
	}
}

// Nested structs and lists end before the stack does.
func TestDepth(t *testing.T) {
	for name, b := range map[string][]byte{
		"structs": bytes.Repeat([]byte{1<<4 | Struct}, 1<<20),
		"lists":   append([]byte{1<<4 | List}, bytes.Repeat([]byte{1<<4 | List}, 1<<20)...),
	} {
		r := NewReader(b)
		r.Struct(func(int16, byte) bool { return false })
		if r.Err() == nil {
			t.Errorf("a million nested %s are taken", name)
		}
	}
}

func FuzzReader(f *testing.F) {
	f.Add(record())
	f.Fuzz(func(t *testing.T, b []byte) {
		r := NewReader(b)
		read(r)
		if r.Pos() > len(b) {
			t.Errorf("%d of %d bytes read", r.Pos(), len(b))
		}
	})
}

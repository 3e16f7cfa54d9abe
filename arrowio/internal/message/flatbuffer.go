package message

import (
	"encoding/binary"
	"errors"
)

// ErrDamaged is the error of metadata that says nothing that can be followed.
var ErrDamaged = errors.New("its metadata is damaged")

// A table is a table in a flatbuffer. Every access is checked: a damaged one
// gives an error, never a read outside the bytes. The size that a table says it
// has is not looked at: writers share one description between tables whose
// fields begin at the same places, but end at others.
type table struct {
	b      []byte
	pos    int // of the table
	vtable []byte
}

// root returns the table that a flatbuffer holds.
func root(b []byte) (table, error) {
	if len(b) < 4 {
		return table{}, ErrDamaged
	}
	return tableAt(b, uint64(binary.LittleEndian.Uint32(b)))
}

func tableAt(b []byte, pos uint64) (table, error) {
	n := uint64(len(b))
	if pos+4 > n {
		return table{}, ErrDamaged
	}
	vt := int64(pos) - int64(int32(binary.LittleEndian.Uint32(b[pos:])))
	if vt < 0 || uint64(vt)+4 > n {
		return table{}, ErrDamaged
	}
	vsize := uint64(binary.LittleEndian.Uint16(b[vt:]))
	if vsize < 4 || vsize%2 != 0 || uint64(vt)+vsize > n {
		return table{}, ErrDamaged
	}
	return table{b: b, pos: int(pos), vtable: b[vt : uint64(vt)+vsize]}, nil
}

// at returns where a field of n bytes lies, 0 if it is absent.
func (t table) at(slot, n int) (int, error) {
	i := 4 + 2*slot
	if i+2 > len(t.vtable) {
		return 0, nil
	}
	off := int(binary.LittleEndian.Uint16(t.vtable[i:]))
	if off == 0 {
		return 0, nil
	}
	if off < 4 || off+n > len(t.b)-t.pos {
		return 0, ErrDamaged
	}
	return t.pos + off, nil
}

func (t table) byte(slot int, def byte) (byte, error) {
	at, err := t.at(slot, 1)
	if err != nil || at == 0 {
		return def, err
	}
	return t.b[at], nil
}

func (t table) int16(slot int, def int16) (int16, error) {
	at, err := t.at(slot, 2)
	if err != nil || at == 0 {
		return def, err
	}
	return int16(binary.LittleEndian.Uint16(t.b[at:])), nil
}

func (t table) int32(slot int, def int32) (int32, error) {
	at, err := t.at(slot, 4)
	if err != nil || at == 0 {
		return def, err
	}
	return int32(binary.LittleEndian.Uint32(t.b[at:])), nil
}

func (t table) int64(slot int, def int64) (int64, error) {
	at, err := t.at(slot, 8)
	if err != nil || at == 0 {
		return def, err
	}
	return int64(binary.LittleEndian.Uint64(t.b[at:])), nil
}

// target follows an offset. It returns 0 where the field is absent.
func (t table) target(slot int) (uint64, error) {
	at, err := t.at(slot, 4)
	if err != nil || at == 0 {
		return 0, err
	}
	off := uint64(binary.LittleEndian.Uint32(t.b[at:]))
	if off == 0 {
		return 0, ErrDamaged
	}
	return uint64(at) + off, nil
}

// table returns a table field and whether it is there.
func (t table) table(slot int) (table, bool, error) {
	pos, err := t.target(slot)
	if err != nil || pos == 0 {
		return table{}, false, err
	}
	sub, err := tableAt(t.b, pos)
	return sub, err == nil, err
}

// vector returns the bytes and the number of the elements of a vector. An
// absent one is empty.
func (t table) vector(slot, elem int) (vector, error) {
	pos, err := t.target(slot)
	if err != nil || pos == 0 {
		return vector{}, err
	}
	if pos+4 > uint64(len(t.b)) {
		return vector{}, ErrDamaged
	}
	n := uint64(binary.LittleEndian.Uint32(t.b[pos:]))
	if n*uint64(elem) > uint64(len(t.b))-pos-4 {
		return vector{}, ErrDamaged
	}
	return vector{b: t.b, pos: int(pos) + 4, n: int(n)}, nil
}

func (t table) string(slot int) (string, error) {
	v, err := t.vector(slot, 1)
	if err != nil {
		return "", err
	}
	return string(v.b[v.pos : v.pos+v.n]), nil
}

type vector struct {
	b      []byte
	pos, n int
}

// table returns element i of a vector of tables.
func (v vector) table(i int) (table, error) {
	at := v.pos + 4*i
	return tableAt(v.b, uint64(at)+uint64(binary.LittleEndian.Uint32(v.b[at:])))
}

func (v vector) int32(i int) int32 { return int32(binary.LittleEndian.Uint32(v.b[v.pos+4*i:])) }
func (v vector) int64(i int) int64 { return int64(binary.LittleEndian.Uint64(v.b[v.pos+8*i:])) }

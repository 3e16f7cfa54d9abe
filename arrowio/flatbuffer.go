package arrowio

import (
	"encoding/binary"
	"errors"
)

var errFlatbuffer = errors.New("its metadata is damaged")

// A fbTable is a table in a flatbuffer. Every access is checked: a damaged one gives an error, never a read outside the bytes.
type fbTable struct {
	b      []byte
	pos    int // of the table
	size   int
	vtable []byte
}

// fbRoot returns the table that a flatbuffer holds.
func fbRoot(b []byte) (fbTable, error) {
	if len(b) < 4 {
		return fbTable{}, errFlatbuffer
	}
	return fbAt(b, uint64(binary.LittleEndian.Uint32(b)))
}

func fbAt(b []byte, pos uint64) (fbTable, error) {
	n := uint64(len(b))
	if pos+4 > n {
		return fbTable{}, errFlatbuffer
	}
	vt := int64(pos) - int64(int32(binary.LittleEndian.Uint32(b[pos:])))
	if vt < 0 || uint64(vt)+4 > n {
		return fbTable{}, errFlatbuffer
	}
	vsize := uint64(binary.LittleEndian.Uint16(b[vt:]))
	size := uint64(binary.LittleEndian.Uint16(b[vt+2:]))
	if vsize < 4 || vsize%2 != 0 || uint64(vt)+vsize > n || size < 4 || pos+size > n {
		return fbTable{}, errFlatbuffer
	}
	return fbTable{b: b, pos: int(pos), size: int(size), vtable: b[vt : uint64(vt)+vsize]}, nil
}

// at returns where a field of n bytes lies, 0 if it is absent.
func (t fbTable) at(slot, n int) (int, error) {
	i := 4 + 2*slot
	if i+2 > len(t.vtable) {
		return 0, nil
	}
	off := int(binary.LittleEndian.Uint16(t.vtable[i:]))
	if off == 0 {
		return 0, nil
	}
	if off < 4 || off+n > t.size {
		return 0, errFlatbuffer
	}
	return t.pos + off, nil
}

func (t fbTable) byte(slot int, def byte) (byte, error) {
	at, err := t.at(slot, 1)
	if err != nil || at == 0 {
		return def, err
	}
	return t.b[at], nil
}

func (t fbTable) int16(slot int, def int16) (int16, error) {
	at, err := t.at(slot, 2)
	if err != nil || at == 0 {
		return def, err
	}
	return int16(binary.LittleEndian.Uint16(t.b[at:])), nil
}

func (t fbTable) int32(slot int, def int32) (int32, error) {
	at, err := t.at(slot, 4)
	if err != nil || at == 0 {
		return def, err
	}
	return int32(binary.LittleEndian.Uint32(t.b[at:])), nil
}

func (t fbTable) int64(slot int, def int64) (int64, error) {
	at, err := t.at(slot, 8)
	if err != nil || at == 0 {
		return def, err
	}
	return int64(binary.LittleEndian.Uint64(t.b[at:])), nil
}

// target follows an offset. It returns 0 where the field is absent.
func (t fbTable) target(slot int) (uint64, error) {
	at, err := t.at(slot, 4)
	if err != nil || at == 0 {
		return 0, err
	}
	off := uint64(binary.LittleEndian.Uint32(t.b[at:]))
	if off == 0 {
		return 0, errFlatbuffer
	}
	return uint64(at) + off, nil
}

// table returns a table field and whether it is there.
func (t fbTable) table(slot int) (fbTable, bool, error) {
	pos, err := t.target(slot)
	if err != nil || pos == 0 {
		return fbTable{}, false, err
	}
	sub, err := fbAt(t.b, pos)
	return sub, err == nil, err
}

// vector returns the bytes and the number of the elements of a vector. An absent one is empty.
func (t fbTable) vector(slot, elem int) (fbVector, error) {
	pos, err := t.target(slot)
	if err != nil || pos == 0 {
		return fbVector{}, err
	}
	if pos+4 > uint64(len(t.b)) {
		return fbVector{}, errFlatbuffer
	}
	n := uint64(binary.LittleEndian.Uint32(t.b[pos:]))
	if n*uint64(elem) > uint64(len(t.b))-pos-4 {
		return fbVector{}, errFlatbuffer
	}
	return fbVector{b: t.b, pos: int(pos) + 4, n: int(n)}, nil
}

func (t fbTable) string(slot int) (string, error) {
	v, err := t.vector(slot, 1)
	if err != nil {
		return "", err
	}
	return string(v.b[v.pos : v.pos+v.n]), nil
}

type fbVector struct {
	b      []byte
	pos, n int
}

// table returns element i of a vector of tables.
func (v fbVector) table(i int) (fbTable, error) {
	at := v.pos + 4*i
	return fbAt(v.b, uint64(at)+uint64(binary.LittleEndian.Uint32(v.b[at:])))
}

func (v fbVector) int32(i int) int32 { return int32(binary.LittleEndian.Uint32(v.b[v.pos+4*i:])) }
func (v fbVector) int64(i int) int64 { return int64(binary.LittleEndian.Uint64(v.b[v.pos+8*i:])) }

package message

import (
	"errors"
	"fmt"
	"math"
	"slices"
)

// ErrUnknownType is the error of a schema with a type that later versions of
// the format may have.
var ErrUnknownType = errors.New("unknown type")

// Types, by their numbers in the format.
const (
	typeNull        = 1
	typeInt         = 2
	typeFloat       = 3
	typeBinary      = 4
	typeUtf8        = 5
	typeBool        = 6
	typeDecimal     = 7
	typeDate        = 8
	typeTime        = 9
	typeTimestamp   = 10
	typeInterval    = 11
	typeList        = 12
	typeStruct      = 13
	typeUnion       = 14
	typeFixedBinary = 15
	typeFixedList   = 16
	typeMap         = 17
	typeDuration    = 18
	typeLargeBinary = 19
	typeLargeUtf8   = 20
	typeLargeList   = 21
	typeRunEnd      = 22
	typeBinaryView  = 23
	typeUtf8View    = 24
	typeListView    = 25
	typeLargeLView  = 26
)

// A parameters reads the parameters of a type. It remembers that one is
// damaged.
type parameters struct {
	t       table
	damaged bool
}

func (p *parameters) num(slot int, def int32) int {
	v, err := p.t.int32(slot, def)
	p.check(err == nil)
	return int(v)
}

func (p *parameters) short(slot int, def int16) int {
	v, err := p.t.int16(slot, def)
	p.check(err == nil)
	return int(v)
}

// unit reads a number below n.
func (p *parameters) unit(slot int, def int16, n int) int {
	v := p.short(slot, def)
	if v < 0 || v >= n {
		p.damaged = true
		return 0
	}
	return v
}

func (p *parameters) check(ok bool) { p.damaged = p.damaged || !ok }

// readType reads the parameters of the field's type and checks that they have a
// meaning.
func (f *field) readType(t table) error {
	p := &parameters{t: t}
	switch f.typ {
	case typeNull, typeBinary, typeUtf8, typeLargeBinary, typeLargeUtf8, typeBinaryView, typeUtf8View:
		p.check(len(f.children) == 0)
	case typeBool, typeInt, typeFloat, typeDecimal, typeFixedBinary:
		p.check(len(f.children) == 0)
		f.readNumber(p)
	case typeDate, typeTime, typeTimestamp, typeDuration, typeInterval:
		p.check(len(f.children) == 0)
		f.readTime(p)
	case typeFixedList, typeList, typeLargeList, typeListView, typeLargeLView, typeMap, typeStruct, typeRunEnd, typeUnion:
		f.readNested(p)
	default:
		return fmt.Errorf("column %q: %w %d", f.name, ErrUnknownType, f.typ)
	}
	if p.damaged {
		return fmt.Errorf("column %q: its type is damaged", f.name)
	}
	return nil
}

// readNumber reads the types of numbers and of bytes of one length.
func (f *field) readNumber(p *parameters) {
	switch f.typ {
	case typeBool:
		f.width = 1
	case typeInt:
		f.width = p.num(0, 0)
		p.check(slices.Contains([]int{8, 16, 32, 64, 128}, f.width))
		signed, err := p.t.byte(1, 0)
		f.params[0] = int64(signed)
		p.check(err == nil)
	case typeFloat:
		f.width = 16 << p.unit(0, 0, 3)
	case typeDecimal:
		precision, scale := p.num(0, 0), p.num(1, 0)
		f.width = p.num(2, 128)
		f.params = [3]int64{int64(precision), int64(scale)}
		digits := map[int]int{32: 9, 64: 18, 128: 38, 256: 76}[f.width]
		p.check(digits > 0 && precision >= 1 && precision <= digits && scale >= -digits && scale <= digits)
	case typeFixedBinary:
		n := p.num(0, 0)
		p.check(n >= 0 && n <= math.MaxInt32/8)
		f.width = 8 * n
	}
}

// readTime reads the types of dates, times and their differences.
func (f *field) readTime(p *parameters) {
	unit := 0
	switch f.typ {
	case typeDate:
		unit = p.unit(0, 1, 2)
		f.width = 32 << unit
	case typeTime:
		unit = p.unit(0, 1, 4)
		f.width = p.num(1, 32)
		p.check(f.width == 32 && unit < 2 || f.width == 64 && unit >= 2)
	case typeTimestamp:
		unit = p.unit(0, 0, 4)
		f.width = 64
		_, err := p.t.string(1)
		p.check(err == nil)
	case typeDuration:
		unit = p.unit(0, 1, 4)
		f.width = 64
	case typeInterval:
		unit = p.unit(0, 0, 3)
		f.width = 32 << unit
	}
	f.params[0] = int64(unit)
}

// readNested reads the types that have others in them.
func (f *field) readNested(p *parameters) {
	switch f.typ {
	case typeStruct:
	case typeFixedList:
		p.check(len(f.children) == 1)
		f.size = int64(p.num(0, 0))
		p.check(f.size >= 0)
	case typeMap:
		_, err := p.t.byte(0, 0)
		p.check(err == nil && len(f.children) == 1)
		if !p.damaged {
			entries := f.children[0]
			p.check(entries.typ == typeStruct && len(entries.children) == 2 && !entries.dictionary)
		}
	case typeRunEnd:
		p.check(len(f.children) == 2)
		if !p.damaged {
			ends := f.children[0]
			p.check(ends.typ == typeInt && ends.params[0] != 0 && ends.width >= 16 && !ends.dictionary && !ends.nullable)
		}
	case typeUnion:
		f.params[0] = int64(p.unit(0, 0, 2))
		ids, err := p.t.vector(1, 4)
		p.check(err == nil && len(f.children) <= 128 && (ids.n == 0 || ids.n == len(f.children)))
		if !p.damaged {
			for i := range ids.n {
				p.check(ids.int32(i) >= 0 && ids.int32(i) <= 127)
			}
		}
	default:
		p.check(len(f.children) == 1)
	}
}

package imageset

import (
	"encoding/binary"
	"math"
)

// An element is a type of number in IDX and .npy files.
type element struct {
	size int
	// value reads one; nil: bytes are kept as they are.
	value func(order binary.ByteOrder, b []byte) float32
}

// values reads numbers, 8-bit ones as bytes and others as float32.
func (e element) values(order binary.ByteOrder, data []byte) (bytes []uint8, floats []float32) {
	if e.value == nil {
		return data, nil
	}
	floats = make([]float32, len(data)/e.size)
	for i := range floats {
		floats[i] = e.value(order, data[i*e.size:])
	}
	return nil, floats
}

// The types, by the letter and size that .npy has for them.
var elements = map[string]element{
	"u1": {1, nil},
	"b1": {1, func(_ binary.ByteOrder, b []byte) float32 { return float32(min(b[0], 1)) }},
	"i1": {1, func(_ binary.ByteOrder, b []byte) float32 { return float32(int8(b[0])) }},
	"u2": {2, func(o binary.ByteOrder, b []byte) float32 { return float32(o.Uint16(b)) }},
	"i2": {2, func(o binary.ByteOrder, b []byte) float32 { return float32(int16(o.Uint16(b))) }},
	"u4": {4, func(o binary.ByteOrder, b []byte) float32 { return float32(o.Uint32(b)) }},
	"i4": {4, func(o binary.ByteOrder, b []byte) float32 { return float32(int32(o.Uint32(b))) }},
	"u8": {8, func(o binary.ByteOrder, b []byte) float32 { return float32(o.Uint64(b)) }},
	"i8": {8, func(o binary.ByteOrder, b []byte) float32 { return float32(int64(o.Uint64(b))) }},
	"f2": {2, func(o binary.ByteOrder, b []byte) float32 { return half(o.Uint16(b)) }},
	"f4": {4, func(o binary.ByteOrder, b []byte) float32 { return math.Float32frombits(o.Uint32(b)) }},
	"f8": {8, func(o binary.ByteOrder, b []byte) float32 { return float32(math.Float64frombits(o.Uint64(b))) }},
}

// half converts IEEE half precision.
func half(h uint16) float32 {
	exponent, fraction := int(h>>10&31), float64(h&1023)
	v := math.Ldexp(1024+fraction, exponent-25)
	switch exponent {
	case 0:
		v = math.Ldexp(fraction, -24)
	case 31:
		v = math.Inf(1)
		if fraction != 0 {
			v = math.NaN()
		}
	}
	if h>>15 != 0 {
		v = -v
	}
	return float32(v)
}

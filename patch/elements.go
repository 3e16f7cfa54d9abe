package patch

import (
	"github.com/apache/arrow-go/v18/arrow"

	"github.com/aefeat/aefeat/model"
)

// An element is a type of number that patches are made of: what it is called,
// how columns hold it, and how it gets from there into rows. All that the
// package knows of a type stands in its entry of elements.
type element struct {
	id   arrow.Type
	name string // in model files and messages; package model knows it too
	size int    // in bytes, as the buffer of a column has it
	kind model.Kind

	// An element covers the integers of so many bits, and the sign where it is
	// signed. Elements that are float may hold NaN and infinities.
	bits          int
	signed, float bool

	// huge elements may be beyond float32.
	huge bool

	// value returns element i of a column.
	value func(column []byte, i int) float64

	// toFloat32 converts a column of lists; nil: kind has the elements as they
	// are.
	toFloat32 func(dst []float32, src []byte)

	// weave interleaves scalar columns into rows of a kind. Float32 is one.
	weave weavers
}

// elements lists the types, narrow ones first: of columns that differ, cover
// takes the first that fits.
var elements = []*element{
	{
		// Unpacked to one byte each, 0 or 1.
		id: arrow.BOOL, name: "bool", size: 1, kind: model.Uint8, bits: 1,
		value: valueOf[uint8],
		weave: weavers{model.Uint8: interleave[uint8, uint8], model.Uint16: interleave[uint16, uint8], model.Float32: interleave[float32, uint8]},
	},
	{
		id: arrow.UINT8, name: "uint8", size: 1, kind: model.Uint8, bits: 8,
		value: valueOf[uint8],
		weave: weavers{model.Uint8: interleave[uint8, uint8], model.Uint16: interleave[uint16, uint8], model.Float32: interleave[float32, uint8]},
	},
	{
		id: arrow.INT8, name: "int8", size: 1, kind: model.Float32, bits: 8, signed: true,
		value: valueOf[int8], toFloat32: convert[int8],
		weave: weavers{model.Float32: interleave[float32, int8]},
	},
	{
		id: arrow.UINT16, name: "uint16", size: 2, kind: model.Uint16, bits: 16,
		value: valueOf[uint16],
		weave: weavers{model.Uint16: interleave[uint16, uint16], model.Float32: interleave[float32, uint16]},
	},
	{
		id: arrow.INT16, name: "int16", size: 2, kind: model.Float32, bits: 16, signed: true,
		value: valueOf[int16], toFloat32: convert[int16],
		weave: weavers{model.Float32: interleave[float32, int16]},
	},
	{
		id: arrow.FLOAT16, name: "float16", size: 2, kind: model.Float16, bits: 11, signed: true, float: true,
		value: halfValue,
		weave: weavers{model.Float16: interleave[uint16, uint16], model.Float32: interleaveHalves},
	},
	{
		id: arrow.UINT32, name: "uint32", size: 4, kind: model.Float32, bits: 32,
		value: valueOf[uint32], toFloat32: convert[uint32],
		weave: weavers{model.Float32: interleave[float32, uint32]},
	},
	{
		id: arrow.INT32, name: "int32", size: 4, kind: model.Float32, bits: 32, signed: true,
		value: valueOf[int32], toFloat32: convert[int32],
		weave: weavers{model.Float32: interleave[float32, int32]},
	},
	{
		id: arrow.FLOAT32, name: "float32", size: 4, kind: model.Float32, bits: 24, signed: true, float: true,
		value: valueOf[float32],
		weave: weavers{model.Float32: interleave[float32, float32]},
	},
	{
		id: arrow.UINT64, name: "uint64", size: 8, kind: model.Float32, bits: 64,
		value: valueOf[uint64], toFloat32: convert[uint64],
		weave: weavers{model.Float32: interleave[float32, uint64]},
	},
	{
		id: arrow.INT64, name: "int64", size: 8, kind: model.Float32, bits: 64, signed: true,
		value: valueOf[int64], toFloat32: convert[int64],
		weave: weavers{model.Float32: interleave[float32, int64]},
	},
	{
		// Whole numbers of any width, unpacked to float64.
		id: arrow.DECIMAL128, name: "decimal", size: 8, kind: model.Float32, bits: 64, signed: true, huge: true,
		value: valueOf[float64], toFloat32: convert[float64],
		weave: weavers{model.Float32: interleave[float32, float64]},
	},
	{
		id: arrow.FLOAT64, name: "float64", size: 8, kind: model.Float32, bits: 53, signed: true, float: true, huge: true,
		value: valueOf[float64], toFloat32: convert[float64],
		weave: weavers{model.Float32: interleave[float32, float64]},
	},
}

// elementOf returns the element that a type of Arrow is, nil if it is none.
// Decimals with digits behind the point are float64.
func elementOf(t arrow.DataType) *element {
	if d, ok := t.(arrow.DecimalType); ok {
		if d.GetScale() > 0 {
			return elementOfID(arrow.FLOAT64)
		}
		return elementOfID(arrow.DECIMAL128)
	}
	return elementOfID(t.ID())
}

// elementNamed returns nil for a name that no element has.
func elementNamed(name string) *element {
	for _, e := range elements {
		if e.name == name {
			return e
		}
	}
	return nil
}

func elementOfID(id arrow.Type) *element {
	for _, e := range elements {
		if e.id == id {
			return e
		}
	}
	return nil
}

// promote returns the narrowest element that covers all columns.
func promote(columns []leaf) *element {
	e := columns[0].element
	for _, c := range columns[1:] {
		e = cover(e, c.element)
	}
	return e
}

// cover returns the narrowest element that covers both, float64 where none
// does.
func cover(a, b *element) *element {
	for _, e := range elements {
		if e.covers(a) && e.covers(b) {
			return e
		}
	}
	return elementOfID(arrow.FLOAT64)
}

// covers reports whether e holds the values of o, and rows for e can have them.
func (e *element) covers(o *element) bool {
	switch {
	case e == o:
		return true
	case o.weave[e.kind] == nil || o.float && !e.float || o.huge && !e.huge || o.signed && !e.signed:
		return false
	case e.signed && !o.signed && !e.float: // the sign takes a bit
		return e.bits > o.bits
	}
	return e.bits >= o.bits
}

package main

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/float16"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// A table is rows of numbers, some of which may be bad.
type table struct {
	rows, width int
	values      []float64
	null        []bool // of rows; nil: none
	pixels      bool   // integers from 0 to 255, which all types but int8 hold
}

// drawTable draws rows. Large ones are more than a budget of 16 MiB keeps in
// memory as float32.
func drawTable(r *rand.Rand, large bool) *table {
	t := &table{rows: 1 + r.IntN(600), width: 1 + r.IntN(40), pixels: r.IntN(3) > 0}
	switch {
	case large:
		t.pixels = false
		t.width = 512 << r.IntN(3)
		t.rows = (14 << 18) / t.width
	case r.IntN(6) == 0:
		t.rows = 1200 + r.IntN(3000)
	}
	t.values = make([]float64, t.rows*t.width)
	for i := range t.rows {
		base, slope := r.Float64(), r.Float64()
		for j := range t.width {
			v := base * (1 + slope*float64(j%7)) / 8
			if r.IntN(4) == 0 {
				v = r.Float64()
			}
			if v = v - float64(int(v)); t.pixels {
				v = float64(int(v * 255))
			} else {
				v = float64(float16.New(float32(v)).Float32()) // all floats hold it
			}
			t.values[i*t.width+j] = v
		}
	}
	if r.IntN(4) == 0 {
		t.null = make([]bool, t.rows)
		for i := range t.null {
			t.null[i] = r.IntN(10) == 0
		}
	}
	return t
}

func (t *table) isNull(i int) bool { return t.null != nil && t.null[i] }

// types are the types of elements that hold the values, narrow ones first.
func (t *table) types() []arrow.DataType {
	floats := []arrow.DataType{arrow.FixedWidthTypes.Float16, arrow.PrimitiveTypes.Float32, arrow.PrimitiveTypes.Float64}
	if t.width > 64 {
		return floats[1:] // wide enough to spill
	}
	if !t.pixels {
		return floats
	}
	return append([]arrow.DataType{
		arrow.PrimitiveTypes.Uint8, arrow.PrimitiveTypes.Uint16, arrow.PrimitiveTypes.Int16, arrow.PrimitiveTypes.Uint32,
		arrow.PrimitiveTypes.Int32, arrow.PrimitiveTypes.Uint64, arrow.PrimitiveTypes.Int64,
	}, floats...)
}

// pixelMax divides the values into [0, 1].
func (t *table) pixelMax() float64 {
	if t.pixels {
		return 255
	}
	return 1
}

// layouts are the forms of a column of patches.
var layouts = []string{"list", "fixed", "large", "columns", "struct", "bytes"}

// fields are the fields of a patch.
func (t *table) fields(layout string, element arrow.DataType) []arrow.Field {
	null := t.null != nil
	switch layout {
	case "fixed":
		return []arrow.Field{{Name: "patch", Type: arrow.FixedSizeListOfNonNullable(int32(t.width), element), Nullable: null}}
	case "large":
		return []arrow.Field{{Name: "patch", Type: arrow.LargeListOf(element), Nullable: null}}
	case "columns":
		fields := make([]arrow.Field, t.width)
		for j := range fields {
			fields[j] = arrow.Field{Name: fmt.Sprintf("p%d", j), Type: element, Nullable: null}
		}
		return fields
	case "struct":
		list := arrow.Field{Name: "pixels", Type: arrow.ListOf(element), Nullable: true}
		return []arrow.Field{{Name: "patch", Type: arrow.StructOf(list, arrow.Field{Name: "w", Type: arrow.PrimitiveTypes.Int32}), Nullable: null}}
	case "bytes":
		return []arrow.Field{{Name: "patch", Type: arrow.BinaryTypes.Binary, Nullable: null}}
	}
	return []arrow.Field{{Name: "patch", Type: arrow.ListOf(element), Nullable: null}}
}

// columns are the names by which a layout is bound.
func columnsOf(layout string) []string {
	switch layout {
	case "columns":
		return []string{"p#"}
	case "struct":
		return []string{"patch.pixels"}
	}
	return []string{"patch"}
}

// schema returns the fields of a table with a number of each row.
func (t *table) schema(layout string, element arrow.DataType) *arrow.Schema {
	id := arrow.Field{Name: "id", Type: arrow.PrimitiveTypes.Int64}
	return arrow.NewSchema(append([]arrow.Field{id}, t.fields(layout, element)...), nil)
}

// batch returns rows from a to b.
func (t *table) batch(schema *arrow.Schema, layout string, a, b int) arrow.RecordBatch {
	builder := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	defer builder.Release()
	for i := a; i < b; i++ {
		builder.Field(0).(*array.Int64Builder).Append(int64(i))
		row := t.values[i*t.width : (i+1)*t.width]
		if layout == "columns" {
			for j, v := range row {
				if t.isNull(i) && j == i%t.width {
					builder.Field(1 + j).AppendNull()
				} else {
					appendValue(builder.Field(1+j), v)
				}
			}
			continue
		}
		if t.isNull(i) {
			builder.Field(1).AppendNull()
			continue
		}
		appendRow(builder.Field(1), row)
	}
	return builder.NewRecordBatch()
}

func appendRow(b array.Builder, row []float64) {
	switch b := b.(type) {
	case *array.StructBuilder:
		b.Append(true)
		appendRow(b.FieldBuilder(0), row)
		b.FieldBuilder(1).(*array.Int32Builder).Append(int32(len(row)))
	case *array.BinaryBuilder:
		cell := make([]byte, len(row))
		for j, v := range row {
			cell[j] = byte(v)
		}
		b.Append(cell)
	case array.ListLikeBuilder:
		b.Append(true)
		for _, v := range row {
			appendValue(b.ValueBuilder(), v)
		}
	}
}

func appendValue(b array.Builder, v float64) {
	switch b := b.(type) {
	case *array.Uint8Builder:
		b.Append(uint8(v))
	case *array.Uint16Builder:
		b.Append(uint16(v))
	case *array.Int16Builder:
		b.Append(int16(v))
	case *array.Uint32Builder:
		b.Append(uint32(v))
	case *array.Int32Builder:
		b.Append(int32(v))
	case *array.Uint64Builder:
		b.Append(uint64(v))
	case *array.Int64Builder:
		b.Append(int64(v))
	case *array.Float16Builder:
		b.Append(float16.New(float32(v)))
	case *array.Float32Builder:
		b.Append(float32(v))
	case *array.Float64Builder:
		b.Append(v)
	default:
		panic(fmt.Sprintf("no value of %T", b))
	}
}

// cuts cuts m rows into at most n parts, in order.
func cuts(r *rand.Rand, m, n int) []int {
	at := []int{0, m}
	for range r.IntN(n) {
		at = append(at, r.IntN(m+1))
	}
	slices.Sort(at)
	return at
}

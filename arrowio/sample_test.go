package arrowio_test

import (
	"fmt"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// sampleBatch returns 30 rows of columns of many kinds.
func sampleBatch(t testing.TB) arrow.RecordBatch {
	t.Helper()
	return sampleRows(memory.DefaultAllocator, 0, 30)
}

var sampleSchema = arrow.NewSchema([]arrow.Field{
	{Name: "image", Type: arrow.FixedSizeListOfNonNullable(6, arrow.PrimitiveTypes.Float32)},
	{Name: "bytes", Type: arrow.ListOfNonNullable(arrow.PrimitiveTypes.Uint8), Nullable: true},
	{Name: "label", Type: arrow.PrimitiveTypes.Int64, Nullable: true},
	{Name: "name", Type: arrow.BinaryTypes.String, Nullable: true},
	{Name: "kind", Type: &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int32, ValueType: arrow.BinaryTypes.String}, Nullable: true},
	{Name: "img", Type: arrow.StructOf(
		arrow.Field{Name: "pixels", Type: arrow.ListOf(arrow.PrimitiveTypes.Float32), Nullable: true},
		arrow.Field{Name: "width", Type: arrow.PrimitiveTypes.Int32},
	), Nullable: true},
	{Name: "rows", Type: arrow.ListOf(arrow.ListOf(arrow.PrimitiveTypes.Uint16)), Nullable: true},
	{Name: "ok", Type: arrow.FixedWidthTypes.Boolean, Nullable: true},
}, nil)

// sampleRows returns rows first to first+n of an endless table.
func sampleRows(mem memory.Allocator, first, n int) arrow.RecordBatch {
	b := array.NewRecordBuilder(mem, sampleSchema)
	defer b.Release()
	image := b.Field(0).(*array.FixedSizeListBuilder)
	bytes := b.Field(1).(*array.ListBuilder)
	img := b.Field(5).(*array.StructBuilder)
	pixels := img.FieldBuilder(0).(*array.ListBuilder)
	rows := b.Field(6).(*array.ListBuilder)
	row := rows.ValueBuilder().(*array.ListBuilder)
	for i := first; i < first+n; i++ {
		image.Append(true)
		for j := range 6 {
			image.ValueBuilder().(*array.Float32Builder).Append(float32(i) + float32(j)/8)
		}
		if i%5 == 4 {
			bytes.AppendNull()
		} else {
			bytes.Append(true)
			for j := range i % 4 {
				bytes.ValueBuilder().(*array.Uint8Builder).Append(uint8(i + j))
			}
		}
		if i%7 == 3 {
			b.Field(2).AppendNull()
			b.Field(3).AppendNull()
			b.Field(4).AppendNull()
		} else {
			b.Field(2).(*array.Int64Builder).Append(int64(i))
			b.Field(3).(*array.StringBuilder).Append(fmt.Sprintf("row %d", i))
			if err := b.Field(4).(*array.BinaryDictionaryBuilder).AppendString([]string{"red", "green", "blue"}[i%3]); err != nil {
				panic(err)
			}
		}
		if i%6 == 5 {
			img.AppendNull()
		} else {
			img.Append(true)
			pixels.Append(true)
			for j := range i % 3 {
				pixels.ValueBuilder().(*array.Float32Builder).Append(float32(i * j))
			}
			img.FieldBuilder(1).(*array.Int32Builder).Append(int32(i))
		}
		if i%4 == 3 {
			rows.AppendNull()
		} else {
			rows.Append(true)
			for j := range i % 3 {
				row.Append(true)
				for k := range j {
					row.ValueBuilder().(*array.Uint16Builder).Append(uint16(i + k))
				}
			}
		}
		b.Field(7).(*array.BooleanBuilder).Append(i%2 == 0)
	}
	return b.NewRecordBatch()
}

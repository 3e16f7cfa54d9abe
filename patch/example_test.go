package patch_test

import (
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/aefeat/aefeat/patch"
)

// digits returns two 2x2 pictures and their labels.
func digits() (*arrow.Schema, arrow.RecordBatch) {
	schema := arrow.NewSchema([]arrow.Field{
		{Name: "pixels", Type: arrow.FixedSizeListOf(4, arrow.PrimitiveTypes.Uint8), Nullable: true},
		{Name: "label", Type: arrow.PrimitiveTypes.Int64, Nullable: true},
	}, nil)
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	defer b.Release()
	pixels := b.Field(0).(*array.FixedSizeListBuilder)
	for i, picture := range [][]byte{{0, 255, 255, 0}, {255, 0, 0, 255}} {
		pixels.Append(true)
		pixels.ValueBuilder().(*array.Uint8Builder).AppendValues(picture, nil)
		b.Field(1).(*array.Int64Builder).Append(int64(i))
	}
	return schema, b.NewRecordBatch()
}

func ExampleBind() {
	schema, batch := digits()
	defer batch.Release()

	b, err := patch.Bind(schema, patch.BindOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	rows, _, err := b.Rows(batch, 0)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(b.Columns(), rows.Len(), "patches of", rows.Width, rows.Kind)
	fmt.Println(rows.Data)
	// Output:
	// [pixels] 2 patches of 4 uint8
	// [0 255 255 0 255 0 0 255]
}

package arrowio_test

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/aefeat/aefeat/arrowio"
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
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

	b, err := arrowio.Bind(schema, arrowio.BindOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	rows, err := b.Rows(batch, 0)
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

func ExampleCreate() {
	schema, batch := digits()
	defer batch.Release()
	folder, err := os.MkdirTemp("", "arrowio")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(folder)

	w, err := arrowio.Create(filepath.Join(folder, "digits.parquet"), schema, arrowio.WriteOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer w.Abort() // does nothing after Close
	if err := w.Write(batch); err != nil {
		fmt.Println(err)
		return
	}
	if err := w.Close(); err != nil { // now it is there
		fmt.Println(err)
		return
	}
	entries, _ := os.ReadDir(folder)
	fmt.Println(entries[0].Name())
	// Output: digits.parquet
}

package arrowio_test

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/aefeat/aefeat/arrowio"
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

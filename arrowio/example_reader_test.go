package arrowio_test

import (
	"context"
	"fmt"

	"github.com/aefeat/aefeat/arrowio"
	"github.com/aefeat/aefeat/patch"
)

func ExampleOpen() {
	src, err := arrowio.Open([]string{"testdata/pyarrow-plain.arrow*"}, arrowio.OpenOptions{}) // a file and a stream
	if err != nil {
		fmt.Println(err)
		return
	}
	defer src.Close()
	columns, err := patch.Paths(src.Schema(), []string{"label", "struct.pixels"})
	if err != nil {
		fmt.Println(err)
		return
	}
	r, err := src.Reader(context.Background(), columns)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer r.Release()
	rows := int64(0)
	for r.Next() {
		rows += r.RecordBatch().NumRows()
	}
	if err := r.Err(); err != nil { // a file that ends early is an error, too
		fmt.Println(err)
		return
	}
	fmt.Println(rows, "rows of", r.Schema().Field(0).Type, "and", r.Schema().Field(1).Type)
	// Output: 80 rows of int32 and struct<pixels: list<item: uint8, nullable> nullable>
}

func ExampleInspect() {
	info, err := arrowio.Inspect("testdata/pyarrow-nested-gzip.parquet", arrowio.OpenOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%s, %d rows in %d row groups, %v\n", info.Format, info.Rows, info.Groups, info.Compression)
	// Output: parquet, 40 rows in 2 row groups, [GZIP]
}

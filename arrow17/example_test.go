package arrow17_test

import (
	"context"
	"fmt"
	"log"

	old "github.com/apache/arrow/go/v17/arrow"
	oldarray "github.com/apache/arrow/go/v17/arrow/array"
	oldmemory "github.com/apache/arrow/go/v17/arrow/memory"

	"github.com/aefeat/aefeat/arrow17"
	"github.com/aefeat/aefeat/model"
	"github.com/aefeat/aefeat/stage"
)

var patches = old.NewSchema([]old.Field{
	{Name: "id", Type: old.PrimitiveTypes.Int64},
	{Name: "patch", Type: old.FixedSizeListOf(4, old.PrimitiveTypes.Uint8)},
}, nil)

// makePatches stands for whatever a job makes its batches of v17 from.
func makePatches(mem oldmemory.Allocator, first, rows int) old.Record {
	b := oldarray.NewRecordBuilder(mem, patches)
	defer b.Release()
	for i := first; i < first+rows; i++ {
		b.Field(0).(*oldarray.Int64Builder).Append(int64(i))
		patch := b.Field(1).(*oldarray.FixedSizeListBuilder)
		patch.Append(true)
		v := byte(i % 2 * 200) // every other patch is dark
		patch.ValueBuilder().(*oldarray.Uint8Builder).AppendValues([]uint8{v, v, 20, v}, nil)
	}
	return b.NewRecord()
}

// A job that makes batches of v17 pushes them through a Fitter, and gets
// batches of v17 with codes back.
func Example() {
	ctx := context.Background()
	in, err := arrow17.NewImporter(patches)
	if err != nil {
		log.Fatal(err)
	}
	fitter, err := stage.NewFitter(in.Schema(), stage.Config{Model: model.Plain(2), Epochs: 3})
	if err != nil {
		log.Fatal(err)
	}
	defer fitter.Close()
	for i := range 10 {
		rec := makePatches(oldmemory.DefaultAllocator, 1000*i, 1000)
		batch, err := in.RecordBatch(rec)
		rec.Release()
		if err != nil {
			log.Fatal(err)
		}
		err = fitter.Write(ctx, batch)
		batch.Release()
		if err != nil {
			log.Fatal(err)
		}
	}
	m, report, err := fitter.Finish(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(report.Rows, "rows")

	transformer, err := stage.NewTransformer(m, in.Schema(), stage.TransformConfig{Keep: []string{"id"}})
	if err != nil {
		log.Fatal(err)
	}
	out, err := arrow17.NewExporter(transformer.Schema())
	if err != nil {
		log.Fatal(err)
	}
	rec := makePatches(oldmemory.DefaultAllocator, 0, 100)
	defer rec.Release()
	batch, err := in.RecordBatch(rec)
	if err != nil {
		log.Fatal(err)
	}
	defer batch.Release()
	coded, err := transformer.Transform(ctx, batch)
	if err != nil {
		log.Fatal(err)
	}
	defer coded.Release()
	result, err := out.Record(coded)
	if err != nil {
		log.Fatal(err)
	}
	defer result.Release()
	fmt.Println(result.NumRows(), "rows of", result.ColumnName(0), result.ColumnName(1), result.ColumnName(2))
	code := result.Column(1).(*oldarray.Float32)
	fmt.Println("dark and light differ:", code.Value(0) != code.Value(1), "equal patches do not:", code.Value(0) == code.Value(2))

	// Output:
	// 10000 rows
	// 100 rows of id code_0 code_1
	// dark and light differ: true equal patches do not: true
}

// A record reader of v17 is fitted in one call.
func ExampleNewReader() {
	rec := makePatches(oldmemory.DefaultAllocator, 0, 1000)
	defer rec.Release()
	source, err := oldarray.NewRecordReader(patches, []old.Record{rec})
	if err != nil {
		log.Fatal(err)
	}
	defer source.Release()
	r, err := arrow17.NewReader(source)
	if err != nil {
		log.Fatal(err)
	}
	defer r.Release()
	m, report, err := stage.Fit(context.Background(), r, stage.Config{Model: model.Sparse(3), Epochs: 2})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(m.Inputs, "inputs,", m.Hidden, "hidden units,", report.Rows, "rows")
	// Output: 4 inputs, 3 hidden units, 1000 rows
}

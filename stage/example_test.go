package stage_test

import (
	"bytes"
	"context"
	"fmt"
	"log"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/aefeat/aefeat/model"
	"github.com/aefeat/aefeat/stage"
)

var schema = arrow.NewSchema([]arrow.Field{
	{Name: "id", Type: arrow.PrimitiveTypes.Int64},
	{Name: "patch", Type: arrow.FixedSizeListOf(4, arrow.PrimitiveTypes.Uint8)},
}, nil)

// makeBatch stands for whatever an ETL job makes its batches from.
func makeBatch(first, rows int) arrow.RecordBatch {
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	defer b.Release()
	for i := first; i < first+rows; i++ {
		b.Field(0).(*array.Int64Builder).Append(int64(i))
		patch := b.Field(1).(*array.FixedSizeListBuilder)
		patch.Append(true)
		v := byte(i % 2 * 200) // every other patch is dark
		patch.ValueBuilder().(*array.Uint8Builder).AppendValues([]uint8{v, v, 20, v}, nil)
	}
	return b.NewRecordBatch()
}

// A job that makes its own record batches pushes them through a Fitter, and
// reads codes back from a Transformer.
func Example() {
	ctx := context.Background()
	fitter, err := stage.NewFitter(schema, stage.Config{Model: model.Plain(2), Epochs: 3})
	if err != nil {
		log.Fatal(err)
	}
	defer fitter.Close()
	for i := range 10 {
		batch := makeBatch(1000*i, 1000)
		if err := fitter.Write(ctx, batch); err != nil {
			log.Fatal(err)
		}
		batch.Release()
	}
	m, report, err := fitter.Finish(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(report.Rows, "rows, better:", report.Epochs[2].Cost.Total < report.Epochs[0].Cost.Total)

	transformer, err := stage.NewTransformer(m, schema, stage.TransformConfig{Keep: []string{"id"}})
	if err != nil {
		log.Fatal(err)
	}
	batch := makeBatch(0, 100)
	defer batch.Release()
	out, err := transformer.Transform(ctx, batch)
	if err != nil {
		log.Fatal(err)
	}
	defer out.Release()
	fmt.Println(out.NumRows(), "rows of", out.ColumnName(0), out.ColumnName(1), out.ColumnName(2))
	code := out.Column(1).(*array.Float32)
	fmt.Println("dark and light differ:", code.Value(0) != code.Value(1), "equal patches do not:", code.Value(0) == code.Value(2))

	// Output:
	// 10000 rows, better: true
	// 100 rows of id code_0 code_1
	// dark and light differ: true equal patches do not: true
}

// Any reader of record batches can be fitted in one call.
func ExampleFit() {
	batch := makeBatch(0, 1000)
	defer batch.Release()
	r, err := array.NewRecordReader(schema, []arrow.RecordBatch{batch})
	if err != nil {
		log.Fatal(err)
	}
	defer r.Release()
	m, report, err := stage.Fit(context.Background(), r, stage.Config{Model: model.Sparse(3), Epochs: 2})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(m.Inputs, "inputs,", m.Hidden, "hidden units,", report.Rows, "rows,", len(report.Epochs), "epochs")
	// Output: 4 inputs, 3 hidden units, 1000 rows, 2 epochs
}

// A service that is told to end cancels the fit, which makes a last checkpoint
// first, and goes on with it when it is started again.
func ExampleResume() {
	batch := makeBatch(0, 3000)
	defer batch.Release()
	read := func() array.RecordReader {
		r, err := array.NewRecordReader(schema, []arrow.RecordBatch{batch})
		if err != nil {
			log.Fatal(err)
		}
		return r
	}
	ctx, cancel := context.WithCancel(context.Background()) // or signal.NotifyContext
	defer cancel()
	var saved bytes.Buffer // or a file that is replaced when the new one is whole
	save := func(c *stage.Checkpoint) error {
		saved.Reset()
		_, err := c.WriteTo(&saved)
		return err
	}
	_, _, err := stage.Fit(ctx, read(), stage.Config{Model: model.Plain(2), Epochs: 3, Checkpoint: save, Observer: func(p stage.Progress) {
		if p.Epoch == 2 {
			cancel() // SIGTERM, say
		}
	}})
	fmt.Println("the fit:", err)

	checkpoint, err := stage.ReadCheckpoint(&saved)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("epochs that have ended:", checkpoint.Epoch, "of", checkpoint.Epochs)
	fitter, err := stage.Resume(checkpoint, schema, stage.Config{Checkpoint: save})
	if err != nil {
		log.Fatal(err)
	}
	defer fitter.Close()
	_, report, err := fitter.Run(context.Background(), read())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("epochs of the model:", len(report.Epochs))
	// Output:
	// the fit: context canceled
	// epochs that have ended: 1 of 3
	// epochs of the model: 3
}

// A step of a pipeline, which sees each batch once, saves the fit before it
// acknowledges what it has taken in.
func ExampleFitter_Checkpoint() {
	ctx := context.Background()
	fitter, err := stage.NewFitter(schema, stage.Config{Model: model.Plain(2), Epochs: 1})
	if err != nil {
		log.Fatal(err)
	}
	defer fitter.Close()
	first, second := makeBatch(0, 3000), makeBatch(3000, 2000)
	defer first.Release()
	defer second.Release()
	if err := fitter.Write(ctx, first); err != nil {
		log.Fatal(err)
	}
	var saved bytes.Buffer
	if err := fitter.Checkpoint(&saved); err != nil {
		log.Fatal(err)
	}

	// Whatever has become of the fitter, another goes on.
	checkpoint, err := stage.ReadCheckpoint(&saved)
	if err != nil {
		log.Fatal(err)
	}
	next, err := stage.ResumeForward(checkpoint, schema, stage.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer next.Close()
	if err := next.Write(ctx, second); err != nil {
		log.Fatal(err)
	}
	_, report, err := next.Finish(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(report.Rows, "rows")
	// Output: 5000 rows
}

// A service that can wait for the running epoch takes the model that there is.
func ExampleFitter_Stop() {
	batch := makeBatch(0, 3000)
	defer batch.Release()
	r, err := array.NewRecordReader(schema, []arrow.RecordBatch{batch})
	if err != nil {
		log.Fatal(err)
	}
	defer r.Release()
	var fitter *stage.Fitter
	fitter, err = stage.NewFitter(schema, stage.Config{Model: model.Plain(2), Epochs: 1000, Observer: func(p stage.Progress) {
		if p.Epoch == 3 {
			fitter.Stop() // from the goroutine that waits for signals, say
		}
	}})
	if err != nil {
		log.Fatal(err)
	}
	defer fitter.Close()
	_, report, err := fitter.Run(context.Background(), r)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(report.Epochs), "epochs, ended by:", report.Stop)
	// Output: 3 epochs, ended by: stopped
}

// The rows that a unit answers to most tell what it has learned to see.
func ExampleExplain() {
	ctx := context.Background()
	batch := makeBatch(0, 1000)
	defer batch.Release()
	read := func() array.RecordReader {
		r, err := array.NewRecordReader(schema, []arrow.RecordBatch{batch})
		if err != nil {
			log.Fatal(err)
		}
		return r
	}
	m, _, err := stage.Fit(ctx, read(), stage.Config{Model: model.Plain(2), Epochs: 3})
	if err != nil {
		log.Fatal(err)
	}
	x, err := stage.Explain(ctx, m, read(), stage.ExplainConfig{Top: 3, Keep: []string{"id"}})
	if err != nil {
		log.Fatal(err)
	}
	for i, u := range x.Units {
		best := u.Best[0]
		fmt.Printf("unit %d: id %s, pixels %v\n", i, best.Kept[0].Text, best.Patch.Data)
	}
	// Output:
	// unit 0: id 0, pixels [0 0 20 0]
	// unit 1: id 1, pixels [200 200 20 200]
}

// Package linktest holds the proof that a program which reads and writes with
// the Parquet and Flight of v17 can link package stage, and use it.
package linktest

import (
	"bytes"
	"context"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/memory"
	old "github.com/apache/arrow/go/v17/arrow"
	oldarray "github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/flight"
	"github.com/apache/arrow/go/v17/arrow/ipc"
	oldmemory "github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/apache/arrow/go/v17/parquet/file"
	"github.com/apache/arrow/go/v17/parquet/pqarrow"

	"github.com/aefeat/aefeat/arrow17"
	"github.com/aefeat/aefeat/model"
	"github.com/aefeat/aefeat/stage"
)

const rows, width = 1000, 4

// makeFile returns a Parquet file of v17: columns id, and patch as a list, as
// v17 does not write fixed-size lists faithfully.
func makeFile(t *testing.T) []byte {
	t.Helper()
	schema := old.NewSchema([]old.Field{
		{Name: "id", Type: old.PrimitiveTypes.Int64},
		{Name: "patch", Type: old.ListOf(old.PrimitiveTypes.Float32)},
	}, nil)
	b := oldarray.NewRecordBuilder(oldmemory.DefaultAllocator, schema)
	defer b.Release()
	for i := range rows {
		b.Field(0).(*oldarray.Int64Builder).Append(int64(i))
		patch := b.Field(1).(*oldarray.ListBuilder)
		patch.Append(true)
		v := float32(i % 2)
		patch.ValueBuilder().(*oldarray.Float32Builder).AppendValues([]float32{v, v, 0.5, v}, nil)
	}
	rec := b.NewRecord()
	defer rec.Release()
	var out bytes.Buffer
	w, err := pqarrow.NewFileWriter(schema, &out, nil, pqarrow.DefaultWriterProps())
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Write(rec); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// read returns the batches of a Parquet file as v17 reads them into mem.
func read(t *testing.T, parquet []byte, mem oldmemory.Allocator) *arrow17.Reader {
	t.Helper()
	f, err := file.NewParquetReader(bytes.NewReader(parquet))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	arrows, err := pqarrow.NewFileReader(f, pqarrow.ArrowReadProperties{BatchSize: 256}, mem)
	if err != nil {
		t.Fatal(err)
	}
	source, err := arrows.GetRecordReader(context.Background(), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer source.Release()
	r, err := arrow17.NewReader(source)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// wire collects what a Flight stream would carry.
type wire struct {
	flight.DataStreamWriter
	messages int
}

func (w *wire) Send(*flight.FlightData) error { w.messages++; return nil }

func TestParquetAndFlightOfV17(t *testing.T) {
	ctx := context.Background()
	mem := oldmemory.NewCheckedAllocator(oldmemory.NewGoAllocator())
	defer mem.AssertSize(t, 0)
	mem18 := memory.NewCheckedAllocator(memory.NewGoAllocator())
	defer mem18.AssertSize(t, 0)
	parquet := makeFile(t)

	r := read(t, parquet, mem)
	m, report, err := stage.Fit(ctx, r, stage.Config{Model: model.Plain(2), Epochs: 2})
	r.Release()
	if err != nil {
		t.Fatal(err)
	}
	if report.Rows != rows || m.Inputs != width {
		t.Errorf("fitted %d rows of %d values, want %d of %d", report.Rows, m.Inputs, rows, width)
	}

	r = read(t, parquet, mem)
	defer r.Release()
	transformer, err := stage.NewTransformer(m, r.Schema(), stage.TransformConfig{Keep: []string{"id"}, Allocator: mem18})
	if err != nil {
		t.Fatal(err)
	}
	out, err := arrow17.NewExporter(transformer.Schema())
	if err != nil {
		t.Fatal(err)
	}
	var sent wire
	stream := flight.NewRecordWriter(&sent, ipc.WithSchema(out.Schema()))
	var file17 bytes.Buffer
	files, err := pqarrow.NewFileWriter(out.Schema(), &file17, nil, pqarrow.DefaultWriterProps())
	if err != nil {
		t.Fatal(err)
	}
	var ids int64
	var first []float32
	_, err = transformer.Run(ctx, r, out.Writer(func(rec old.Record) error {
		for _, id := range rec.Column(0).(*oldarray.Int64).Int64Values() {
			if id != ids {
				t.Errorf("row %d has id %d", ids, id)
			}
			ids++
		}
		first = append(first, rec.Column(1).(*oldarray.Float32).Float32Values()...)
		if err := files.Write(rec); err != nil {
			return err
		}
		return stream.Write(rec)
	}))
	if err != nil {
		t.Fatal(err)
	}
	if ids != rows || first[0] == first[1] || first[0] != first[2] {
		t.Errorf("%d rows of %d, the first codes are %v", ids, rows, first[:3])
	}
	if err := files.Close(); err != nil {
		t.Fatal(err)
	}
	written, err := file.NewParquetReader(bytes.NewReader(file17.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	defer written.Close()
	if written.NumRows() != rows {
		t.Errorf("v17 wrote %d rows of %d", written.NumRows(), rows)
	}
	if err := stream.Close(); err != nil {
		t.Fatal(err)
	}
	if sent.messages < 2 {
		t.Errorf("%d messages of Flight", sent.messages)
	}
}

package main

import (
	"context"
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"

	"github.com/aefeat/aefeat/arrowio"
)

// A reader reads the one column of a file.
type reader func(ctx context.Context, name string, t *tally) error

// A tally is what was read. With sums it tells values apart; it is then not
// to be timed.
type tally struct {
	values int
	sums   bool
	sum    float64
}

// add counts a column of lists without nulls.
func (t *tally) add(a arrow.Array) error {
	lists := a.(array.ListLike)
	t.values += lists.Len() * width
	if !t.sums || lists.Len() == 0 {
		return nil
	}
	from, _ := lists.ValueOffsets(0)
	_, end := lists.ValueOffsets(lists.Len() - 1)
	switch values := lists.ListValues().(type) {
	case *array.Float32:
		for _, v := range values.Float32Values()[from:end] {
			t.sum += float64(v)
		}
	case *array.Uint8:
		for _, v := range values.Uint8Values()[from:end] {
			t.sum += float64(v)
		}
	default:
		return fmt.Errorf("values of type %s", values.DataType())
	}
	return nil
}

// readArrowio reads as the commands do.
func readArrowio(ctx context.Context, name string, t *tally) error {
	source, err := arrowio.Open([]string{name}, arrowio.OpenOptions{})
	if err != nil {
		return err
	}
	defer source.Close()
	r, err := source.Reader(ctx, nil)
	if err != nil {
		return err
	}
	defer r.Release()
	for r.Next() {
		if err := t.add(r.RecordBatch().Column(0)); err != nil {
			return err
		}
	}
	return r.Err()
}

// readPqarrow reads batches of the size that arrowio gives: 8 MiB of float32.
func readPqarrow(ctx context.Context, name string, t *tally) error {
	f, err := file.OpenParquetFile(name, false)
	if err != nil {
		return err
	}
	defer f.Close()
	props := pqarrow.ArrowReadProperties{BatchSize: 8 << 20 / (4 * width)}
	files, err := pqarrow.NewFileReader(f, props, memory.DefaultAllocator)
	if err != nil {
		return err
	}
	r, err := files.GetRecordReader(ctx, nil, nil)
	if err != nil {
		return err
	}
	defer r.Release()
	for r.Next() {
		if err := t.add(r.RecordBatch().Column(0)); err != nil {
			return err
		}
	}
	return r.Err()
}

// chunkBatch is the number of values that a ColumnChunkReader is asked for: a
// few rows, which stay in the cache.
const chunkBatch = 16 * width

// readChunks reads values and levels, and makes no batches of them.
func readChunks(_ context.Context, name string, t *tally) error {
	f, err := file.OpenParquetFile(name, false)
	if err != nil {
		return err
	}
	defer f.Close()
	for i := range f.NumRowGroups() {
		column, err := f.RowGroup(i).Column(0)
		if err != nil {
			return err
		}
		switch column := column.(type) {
		case *file.Float32ColumnChunkReader:
			err = readChunk(column, t)
		case *file.Int32ColumnChunkReader:
			err = readChunk(column, t)
		default:
			err = fmt.Errorf("a column of type %s", column.Type())
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// A chunkReader is a file.ColumnChunkReader of values of type T.
type chunkReader[T float32 | int32] interface {
	HasNext() bool
	ReadBatch(size int64, values []T, def, rep []int16) (int64, int, error)
}

func readChunk[T float32 | int32](r chunkReader[T], t *tally) error {
	values := make([]T, chunkBatch)
	def, rep := make([]int16, chunkBatch), make([]int16, chunkBatch)
	for r.HasNext() {
		_, n, err := r.ReadBatch(chunkBatch, values, def, rep)
		if err != nil {
			return err
		}
		t.values += n
		if t.sums {
			for _, v := range values[:n] {
				t.sum += float64(v)
			}
		}
	}
	return nil
}

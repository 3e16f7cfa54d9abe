package arrowio

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"

	"github.com/aefeat/aefeat/internal/arrowtest"
)

// BenchmarkReadParquet reads the same files here, with pqarrow, and with the
// library's readers of column chunks, which make no arrays. Bytes are those of
// the batches.
func BenchmarkReadParquet(b *testing.B) {
	for _, c := range []struct {
		name  string
		typ   arrow.DataType
		count int // columns
		rows  int
	}{
		{"pixels", arrow.FixedSizeListOfNonNullable(784, arrow.PrimitiveTypes.Uint8), 1, 20_000},
		{"lists", arrow.ListOf(arrow.PrimitiveTypes.Float32), 1, 50_000},
		{"codes", arrow.PrimitiveTypes.Float32, 196, 20_000},
		{"texts", arrow.BinaryTypes.String, 1, 500_000},
		{"structs", arrow.StructOf(
			arrow.Field{Name: "s", Type: arrow.BinaryTypes.String, Nullable: true},
			arrow.Field{Name: "x", Type: arrow.PrimitiveTypes.Float64},
		), 1, 200_000},
	} {
		data, size := benchFile(b, c.typ, c.count, c.rows)
		for _, reader := range []struct {
			name string
			read func([]byte) (rows int64, err error)
		}{{"here", readHere}, {"pqarrow", readPqarrow}, {"chunks", readChunks}} {
			b.Run(c.name+"/"+reader.name, func(b *testing.B) {
				b.SetBytes(size)
				b.ReportAllocs()
				for b.Loop() {
					if rows, err := reader.read(data); err != nil || rows != int64(c.rows) {
						b.Fatal(rows, err)
					}
				}
			})
		}
	}
}

// benchFile returns a file of equal columns, and the bytes of its arrays.
func benchFile(b *testing.B, typ arrow.DataType, count, rows int) (data []byte, size int64) {
	b.Helper()
	g := &arrowtest.Maker{Rand: rand.New(rand.NewPCG(1, 2)), Mem: memory.DefaultAllocator}
	var fields []arrow.Field
	var columns []arrow.Array
	for i := range count {
		fields = append(fields, arrow.Field{Name: fmt.Sprint("c", i), Type: typ})
		columns = append(columns, g.Piece(typ, rows, nil))
		size += bufferBytes(columns[i].Data())
	}
	schema := arrow.NewSchema(fields, nil)
	var out bytes.Buffer
	w, err := NewWriter(&out, schema, WriteOptions{})
	if err == nil {
		err = w.Write(array.NewRecordBatch(schema, columns, int64(rows)))
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		b.Fatal(err)
	}
	return out.Bytes(), size
}

func readHere(data []byte) (rows int64, err error) {
	src, err := OpenReaderAt(bytes.NewReader(data), int64(len(data)), "bench", OpenOptions{})
	if err != nil {
		return 0, err
	}
	defer src.Close()
	r, err := src.Reader(context.Background(), nil)
	if err != nil {
		return 0, err
	}
	defer r.Release()
	for r.Next() {
		rows += r.RecordBatch().NumRows()
	}
	return rows, r.Err()
}

func readPqarrow(data []byte) (rows int64, err error) {
	pf, err := file.NewParquetReader(bytes.NewReader(data))
	if err != nil {
		return 0, err
	}
	defer pf.Close()
	fr, err := pqarrow.NewFileReader(pf, pqarrow.ArrowReadProperties{BatchSize: 4096}, memory.DefaultAllocator)
	if err != nil {
		return 0, err
	}
	r, err := fr.GetRecordReader(context.Background(), nil, nil)
	if err != nil {
		return 0, err
	}
	defer r.Release()
	for r.Next() {
		rows += r.RecordBatch().NumRows()
	}
	if err := r.Err(); err != io.EOF {
		return rows, err
	}
	return rows, nil
}

func readChunks(data []byte) (rows int64, err error) {
	pf, err := file.NewParquetReader(bytes.NewReader(data))
	if err != nil {
		return 0, err
	}
	defer pf.Close()
	for i := range pf.NumRowGroups() {
		group := pf.RowGroup(i)
		rows += group.NumRows()
		for j := range group.NumColumns() {
			c, err := group.Column(j)
			if err != nil {
				return 0, err
			}
			if err := readChunk(c); err != nil {
				return 0, err
			}
		}
	}
	return rows, nil
}

func readChunk(c file.ColumnChunkReader) error {
	var err error
	for c.HasNext() && err == nil {
		switch c := c.(type) {
		case *file.Int32ColumnChunkReader:
			err = readValues(c)
		case *file.Float32ColumnChunkReader:
			err = readValues(c)
		case *file.Float64ColumnChunkReader:
			err = readValues(c)
		case *file.ByteArrayColumnChunkReader:
			err = readValues(c)
		default:
			return fmt.Errorf("no reader for %T", c)
		}
	}
	return err
}

func readValues[T any](c interface {
	ReadBatch(n int64, values []T, def, rep []int16) (int64, int, error)
	HasNext() bool
}) error {
	const n = 4096
	values, def, rep := make([]T, n), make([]int16, n), make([]int16, n)
	for c.HasNext() {
		if _, _, err := c.ReadBatch(n, values, def, rep); err != nil {
			return err
		}
	}
	return nil
}

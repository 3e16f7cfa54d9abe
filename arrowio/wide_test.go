package arrowio

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"runtime"
	"slices"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// wideBatch is a batch of n columns of a type, or one of a struct with them.
func wideBatch(t arrow.DataType, n int, inStruct bool) arrow.RecordBatch {
	one := array.NewBuilder(memory.DefaultAllocator, t)
	for _, text := range []string{"1", "2", "3"} {
		if err := one.AppendValueFromString(text); err != nil {
			panic(err)
		}
	}
	values := one.NewArray()
	fields, columns := make([]arrow.Field, n), make([]arrow.Array, n)
	for i := range n {
		fields[i], columns[i] = arrow.Field{Name: fmt.Sprintf("c%d", i), Type: t}, values
	}
	if inStruct {
		st, err := array.NewStructArrayWithFields(columns, fields)
		if err != nil {
			panic(err)
		}
		fields, columns = []arrow.Field{{Name: "s", Type: st.DataType()}}, []arrow.Array{st}
	}
	return array.NewRecordBatch(arrow.NewSchema(fields, nil), columns, 3)
}

// A wideCase is a kind of wide input.
type wideCase struct {
	name     string
	format   Format
	of       arrow.DataType
	inStruct bool
}

func wideCases() (all []wideCase) {
	for _, format := range []Format{Parquet, Arrow, Stream} {
		for _, of := range []arrow.DataType{arrow.PrimitiveTypes.Uint8, arrow.BinaryTypes.String} {
			for _, inStruct := range []bool{false, true} {
				name := fmt.Sprintf("%s of %s", format, of)
				if inStruct {
					name += " in a struct"
				}
				all = append(all, wideCase{name, format, of, inStruct})
			}
		}
	}
	return all
}

// pass writes a batch and reads it again, its columns chosen one by one, the
// last first.
func (c wideCase) pass(tb testing.TB, rec arrow.RecordBatch) {
	var file bytes.Buffer
	w, err := NewWriter(&file, rec.Schema(), WriteOptions{Format: c.format})
	if err != nil {
		tb.Fatal(err)
	}
	if err := w.Write(rec); err != nil {
		tb.Fatal(err)
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	s, err := OpenReaderAt(bytes.NewReader(file.Bytes()), int64(file.Len()), "wide", OpenOptions{})
	if err != nil {
		tb.Fatal(err)
	}
	defer s.Close()
	if _, err := s.Inspect(); err != nil {
		tb.Fatal(err)
	}
	var paths [][]int
	if st, ok := s.Schema().Field(0).Type.(*arrow.StructType); ok {
		for i := range st.NumFields() {
			paths = append(paths, []int{0, i})
		}
	} else {
		for i := range s.Schema().NumFields() {
			paths = append(paths, []int{i})
		}
	}
	slices.Reverse(paths)
	if err := s.Require(paths); err != nil {
		tb.Fatal(err)
	}
	r, err := s.Reader(context.Background(), paths)
	if err != nil {
		tb.Fatal(err)
	}
	defer r.Release()
	rows := int64(0)
	for r.Next() {
		rows += r.RecordBatch().NumRows()
	}
	if r.Err() != nil || rows != rec.NumRows() {
		tb.Fatal(rows, r.Err())
	}
}

// The work of reading and writing grows with the number of columns and not with
// its square. What is allocated tells of the work on every machine.
func TestWideFiles(t *testing.T) {
	const n, more = 250, 4
	for _, c := range wideCases() {
		bytes := [2]uint64{}
		for i, n := range []int{n, more * n} {
			rec := wideBatch(c.of, n, c.inStruct)
			c.pass(t, rec) // what is made once, is made
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			c.pass(t, rec)
			runtime.ReadMemStats(&after)
			bytes[i] = after.TotalAlloc - before.TotalAlloc
		}
		if bytes[1] > 2*more*bytes[0] {
			t.Errorf("%s: %d columns take %d bytes, %d take %d", c.name, n, bytes[0], more*n, bytes[1])
		}
	}
}

func BenchmarkWideFiles(b *testing.B) {
	for _, c := range wideCases() {
		for _, n := range []int{1000, 10_000, 100_000} {
			b.Run(fmt.Sprintf("%s/%d", c.name, n), func(b *testing.B) {
				rec := wideBatch(c.of, n, c.inStruct)
				for b.Loop() {
					c.pass(b, rec)
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/column")
			})
		}
	}
}

// The first rows of a row group tell how much memory it will take, however
// large they are: it is not found bit by bit.
func TestWideRows(t *testing.T) {
	const rows, n = 15, 1 << 18
	const group = (rows + 1) * 4 * n
	values := array.NewFloat32Builder(memory.DefaultAllocator)
	values.AppendValues(make([]float32, rows*n), nil)
	lists := array.NewData(arrow.FixedSizeListOfNonNullable(n, arrow.PrimitiveTypes.Float32), rows, []*memory.Buffer{nil}, []arrow.ArrayData{values.NewArray().Data()}, 0, 0)
	column := array.NewFixedSizeListData(lists)
	of := arrow.NewSchema([]arrow.Field{{Name: "x", Type: column.DataType()}}, nil)
	w, err := NewWriter(io.Discard, of, WriteOptions{RowGroupBytes: group})
	if err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	err = w.Write(array.NewRecordBatch(of, []arrow.Array{column}, rows))
	runtime.ReadMemStats(&after)
	if err != nil {
		t.Fatal(err)
	}
	// It takes once as much, and twice under the race detector.
	if takes := after.TotalAlloc - before.TotalAlloc; takes > group*5/2 {
		t.Errorf("a row group of %d bytes takes %d", group, takes)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

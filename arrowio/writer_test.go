package arrowio

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"math/big"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"

	"github.com/aefeat/aefeat/internal/arrowtest"
)

// textAt writes a value so that equal values are equal texts whatever form they
// are stored in.
func textAt(a arrow.Array, i int) string {
	if a.IsNull(i) || a.DataType().ID() == arrow.NULL {
		return "null"
	}
	instant := func(v int64, unit arrow.TimeUnit) string {
		n := big.NewInt(v)
		return n.Mul(n, big.NewInt(int64(unit.Multiplier()))).String() + "ns"
	}
	switch a := a.(type) {
	case array.ExtensionArray:
		return textAt(a.Storage(), i)
	case *array.Dictionary:
		return textAt(a.Dictionary(), a.GetValueIndex(i))
	case *array.Struct:
		var out []string
		for j, f := range a.DataType().(*arrow.StructType).Fields() {
			name := f.Name
			if name == "item" || name == "element" {
				name = "value"
			}
			out = append(out, name+":"+textAt(a.Field(j), i))
		}
		return "{" + strings.Join(out, " ") + "}"
	case array.ListLike:
		var out []string
		lo, hi := a.ValueOffsets(i)
		for p := lo; p < hi; p++ {
			out = append(out, textAt(a.ListValues(), int(p)))
		}
		return "[" + strings.Join(out, " ") + "]"
	case array.StringLike:
		return fmt.Sprintf("%q", a.Value(i))
	case *array.Timestamp:
		return instant(int64(a.Value(i)), a.DataType().(*arrow.TimestampType).Unit) + a.DataType().(*arrow.TimestampType).TimeZone
	case *array.Duration:
		return instant(int64(a.Value(i)), a.DataType().(*arrow.DurationType).Unit)
	case *array.Time32:
		return instant(int64(a.Value(i)), a.DataType().(*arrow.Time32Type).Unit)
	case *array.Time64:
		return instant(int64(a.Value(i)), a.DataType().(*arrow.Time64Type).Unit)
	case *array.Date32:
		return fmt.Sprintf("%dd", a.Value(i))
	case *array.Date64:
		return fmt.Sprintf("%dd", int64(a.Value(i))/(24*60*60*1000))
	case *array.Decimal32, *array.Decimal64, *array.Decimal128, *array.Decimal256:
		return fmt.Sprintf("%se-%d", unscaled(a, i), a.DataType().(arrow.DecimalType).GetScale())
	case *array.Float32:
		return fmt.Sprintf("%x", math.Float32bits(a.Value(i)))
	case *array.Float64:
		return fmt.Sprintf("%x", math.Float64bits(a.Value(i)))
	case *array.Float16:
		return fmt.Sprintf("%x", a.Value(i).Uint16())
	case interface{ Value(int) []byte }:
		return fmt.Sprintf("%x", a.Value(i))
	}
	return a.ValueStr(i)
}

// unscaled returns the digits of a decimal, without its scale.
func unscaled(a arrow.Array, i int) *big.Int {
	switch x := a.(type) {
	case *array.Decimal32:
		return big.NewInt(int64(x.Value(i)))
	case *array.Decimal64:
		return big.NewInt(int64(x.Value(i)))
	case *array.Decimal128:
		return x.Value(i).BigInt()
	case *array.Decimal256:
		return x.Value(i).BigInt()
	}
	panic("not a decimal")
}

func rowTexts(rec arrow.RecordBatch) []string {
	var out []string
	for r := range int(rec.NumRows()) {
		var row []string
		for _, c := range rec.Columns() {
			row = append(row, textAt(c, r))
		}
		out = append(out, strings.Join(row, " | "))
	}
	return out
}

// readBack reads a file with the library, whatever its format.
func readBack(data []byte, format Format, mem memory.Allocator) (*arrow.Schema, []string, error) {
	var (
		rr  array.RecordReader
		err error
	)
	switch format {
	case Parquet:
		pf, err := file.NewParquetReader(bytes.NewReader(data))
		if err != nil {
			return nil, nil, err
		}
		defer pf.Close()
		fr, err := pqarrow.NewFileReader(pf, pqarrow.ArrowReadProperties{BatchSize: 100}, mem)
		if err != nil {
			return nil, nil, err
		}
		if rr, err = fr.GetRecordReader(context.Background(), nil, nil); err != nil {
			return nil, nil, err
		}
	case Arrow:
		fr, err := ipc.NewFileReader(bytes.NewReader(data), ipc.WithAllocator(mem))
		if err != nil {
			return nil, nil, err
		}
		defer fr.Close()
		var out []string
		for i := range fr.NumRecords() {
			rec, err := fr.RecordBatchAt(i)
			if err != nil {
				return nil, nil, err
			}
			out = append(out, rowTexts(rec)...)
			rec.Release()
		}
		return fr.Schema(), out, nil
	case Stream:
		if rr, err = ipc.NewReader(bytes.NewReader(data), ipc.WithAllocator(mem)); err != nil {
			return nil, nil, err
		}
	}
	defer rr.Release()
	var out []string
	for rr.Next() {
		out = append(out, rowTexts(rr.RecordBatch())...)
	}
	if err := rr.Err(); err != nil && !errors.Is(err, io.EOF) {
		return nil, nil, err
	}
	return rr.Schema(), out, nil
}

// writable are the types of single values that every format holds and the
// library reads back. It does not read durations from Parquet, not even its
// own: bench/roundtrip checks them.
var writable = append([]arrow.DataType{
	arrow.FixedWidthTypes.Boolean, arrow.BinaryTypes.String, arrow.BinaryTypes.LargeString, arrow.BinaryTypes.Binary,
	arrow.BinaryTypes.LargeBinary, &arrow.FixedSizeBinaryType{ByteWidth: 5}, arrow.Null,
	arrow.FixedWidthTypes.Date32, arrow.FixedWidthTypes.Date64, arrow.FixedWidthTypes.Time32s, arrow.FixedWidthTypes.Time32ms,
	arrow.FixedWidthTypes.Time64us, arrow.FixedWidthTypes.Time64ns,
	&arrow.TimestampType{Unit: arrow.Second}, &arrow.TimestampType{Unit: arrow.Millisecond, TimeZone: "Europe/Berlin"},
	&arrow.TimestampType{Unit: arrow.Microsecond, TimeZone: "UTC"}, &arrow.TimestampType{Unit: arrow.Nanosecond},
	&arrow.Decimal128Type{Precision: 9, Scale: 2}, &arrow.Decimal128Type{Precision: 38, Scale: 10}, &arrow.Decimal256Type{Precision: 60, Scale: 4},
	&arrow.Decimal32Type{Precision: 9, Scale: 2}, &arrow.Decimal64Type{Precision: 18, Scale: 3}, arrow.BinaryTypes.BinaryView,
}, arrowtest.Numbers...)

// randomType nests lists, structs and maps around values of every kind.
func randomType(g *rand.Rand, depth int) arrow.DataType {
	field := func(name string) arrow.Field {
		t := randomType(g, depth-1)
		return arrow.Field{Name: name, Type: t, Nullable: t.ID() == arrow.NULL || g.IntN(4) > 0}
	}
	if depth == 0 || g.IntN(3) == 0 {
		t := writable[g.IntN(len(writable))]
		if g.IntN(6) == 0 && t.ID() != arrow.NULL && t.ID() != arrow.BINARY_VIEW && t.ID() != arrow.DECIMAL32 && t.ID() != arrow.DECIMAL64 {
			return &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int16, ValueType: t}
		}
		return t
	}
	switch g.IntN(8) {
	case 6:
		return &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int8, ValueType: arrow.ListOfField(field("item"))}
	case 0:
		return arrow.ListOfField(field("item"))
	case 1:
		return arrow.LargeListOfField(field("item"))
	case 2:
		return arrow.ListViewOfField(field("item"))
	case 3, 4:
		return arrow.FixedSizeListOfField(int32(1+g.IntN(4)), field("item"))
	case 5:
		key := arrow.Field{Name: "key", Type: []arrow.DataType{arrow.BinaryTypes.String, arrow.PrimitiveTypes.Int32}[g.IntN(2)]}
		value := field("value")
		value.Nullable = true
		return arrow.MapOfFields(key, value)
	default:
		var fields []arrow.Field
		for i := range 1 + g.IntN(3) {
			fields = append(fields, field(fmt.Sprintf("f%d", i)))
		}
		return arrow.StructOf(fields...)
	}
}

// TestWriteRandom writes random batches of random schemas in every format and
// compares what the library and this package read back, value by value.
func TestWriteRandom(t *testing.T) {
	cases := 400
	if testing.Short() {
		cases = 100
	}
	for seed := range cases {
		testRandomWrite(t, uint64(seed))
		if t.Failed() {
			return
		}
	}
}

func FuzzWrite(f *testing.F) {
	f.Add(uint64(1))
	f.Fuzz(func(t *testing.T, seed uint64) { testRandomWrite(t, seed) })
}

func testRandomWrite(t *testing.T, seed uint64) {
	mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
	defer mem.AssertSize(t, 0)
	g := &arrowtest.Maker{Rand: rand.New(rand.NewPCG(seed, 11)), Mem: mem}
	g.Nulls = []float64{0, 0.05, 0.5, 1}[g.IntN(4)]
	g.Ragged = []float64{0, 0.5}[g.IntN(2)]

	var fields []arrow.Field
	for i := range 1 + g.IntN(3) {
		typ := randomType(g.Rand, g.IntN(4))
		fields = append(fields, arrow.Field{Name: fmt.Sprintf("c%d", i), Type: typ, Nullable: typ.ID() == arrow.NULL || g.IntN(4) > 0})
	}
	schema := arrow.NewSchema(fields, nil)
	var (
		recs []arrow.RecordBatch
		want []string
	)
	for range g.IntN(5) {
		n := []int{0, 1, 7, 30, 150}[g.IntN(5)]
		var columns []arrow.Array
		for _, f := range fields {
			columns = append(columns, g.Array(f, n, nil))
		}
		rec := array.NewRecordBatch(schema, columns, int64(n))
		for _, c := range columns {
			c.Release()
		}
		defer rec.Release()
		recs = append(recs, rec)
		want = append(want, rowTexts(rec)...)
	}
	for _, format := range []Format{Parquet, Arrow, Stream} {
		where := fmt.Sprintf("seed %d %s %s", seed, format, schema)
		var out bytes.Buffer
		w, err := Create("-", schema, WriteOptions{Format: format, Stdout: &out, Allocator: mem, RowGroupBytes: []int64{0, 3000}[g.IntN(2)]})
		if err != nil {
			t.Fatalf("%s: create: %v", where, err)
		}
		for _, rec := range recs {
			if err := w.Write(rec); err != nil {
				t.Fatalf("%s: write: %v", where, err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatalf("%s: close: %v", where, err)
		}
		_, got, err := readBack(out.Bytes(), format, memory.DefaultAllocator)
		if err != nil {
			t.Fatalf("%s: read by the library: %v", where, err)
		}
		sameTexts(t, where+": read by the library", got, want)
		if got, err = ownRows(t, out.Bytes()); err != nil {
			t.Fatalf("%s: read: %v", where, err)
		}
		sameTexts(t, where, got, want)
	}
}

func sameTexts(t *testing.T, where string, got, want []string) {
	t.Helper()
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			t.Fatalf("%s: row %d\n%s\nwant\n%s", where, i, got[i], want[i])
		}
	}
	if len(got) != len(want) {
		t.Fatalf("%s: %d rows, want %d", where, len(got), len(want))
	}
}

func dir(t *testing.T, folder string) []string {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// int64Batch returns a batch of one column of the numbers from lo to hi.
func int64Batch(mem memory.Allocator, schema *arrow.Schema, lo, hi int) arrow.RecordBatch {
	b := array.NewRecordBuilder(mem, schema)
	defer b.Release()
	for i := lo; i < hi; i++ {
		b.Field(0).(*array.Int64Builder).Append(int64(i))
	}
	return b.NewRecordBatch()
}

var int64Schema = arrow.NewSchema([]arrow.Field{{Name: "n", Type: arrow.PrimitiveTypes.Int64}}, nil)

// TestAbortIsNotShort gives up after every number of batches: what is on
// standard output then must not read as a whole file.
func TestAbortIsNotShort(t *testing.T) {
	mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
	defer mem.AssertSize(t, 0)
	for _, format := range []Format{Parquet, Arrow, Stream} {
		for batches := range 4 {
			var out bytes.Buffer
			w, err := Create("-", int64Schema, WriteOptions{Format: format, Stdout: &out, Allocator: mem, RowGroupBytes: 64})
			if err != nil {
				t.Fatal(err)
			}
			for i := range batches {
				rec := int64Batch(mem, int64Schema, 100*i, 100*(i+1))
				if err := w.Write(rec); err != nil {
					t.Fatal(err)
				}
				rec.Release()
			}
			if err := w.Abort(); err != nil {
				t.Fatal(err)
			}
			if batches == 0 && out.Len() > 0 {
				t.Errorf("%s: %d bytes before the first row", format, out.Len())
			}
			if _, rows, err := readBack(out.Bytes(), format, mem); err == nil {
				t.Errorf("%s: aborted after %d batches, read as %d rows", format, batches, len(rows))
			}
			if err := w.Abort(); err != nil {
				t.Errorf("second Abort: %v", err)
			}
		}
	}
}

func TestWriterFileWholeOrNothing(t *testing.T) {
	mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
	defer mem.AssertSize(t, 0)
	folder := t.TempDir()
	rec := int64Batch(mem, int64Schema, 0, 10)
	defer rec.Release()
	for _, format := range []Format{Parquet, Arrow, Stream} {
		path := filepath.Join(folder, string(format))
		w, err := Create(path, int64Schema, WriteOptions{Format: format, Allocator: mem})
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Write(rec); err != nil {
			t.Fatal(err)
		}
		if err := w.Abort(); err != nil {
			t.Fatal(err)
		}
		if names := dir(t, folder); len(names) > 0 {
			t.Fatalf("after Abort: %q", names)
		}
		if w, err = Create(path, int64Schema, WriteOptions{Format: format, Allocator: mem}); err != nil {
			t.Fatal(err)
		}
		if err := w.Write(rec); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if _, rows, err := readBack(data, format, mem); err != nil || len(rows) != 10 {
			t.Errorf("%s: %d rows, %v", format, len(rows), err)
		}
		os.Remove(path)
	}
}

// TestFinishLeavesTheCommit finishes first: nothing has a name until Close, nor
// after Abort, the bytes are those of Close alone, and memory is free.
func TestFinishLeavesTheCommit(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "file")
	for _, format := range []Format{Parquet, Arrow, Stream} {
		mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
		rec := int64Batch(memory.DefaultAllocator, int64Schema, 0, 10)
		written := func(end func(*Writer) error) []byte {
			w, err := Create(path, int64Schema, WriteOptions{Format: format, Allocator: mem})
			if err != nil {
				t.Fatal(err)
			}
			if err := w.Write(rec); err != nil {
				t.Fatal(err)
			}
			if err := end(w); err != nil {
				t.Fatal(err)
			}
			if err := w.Write(rec); !errors.Is(err, fs.ErrClosed) {
				t.Errorf("%s: a batch after the end: %v", format, err)
			}
			data, _ := os.ReadFile(path)
			os.Remove(path)
			return data
		}
		want := written((*Writer).Close)
		finish := func(w *Writer) error {
			if err := errors.Join(w.Finish(), w.Finish()); err != nil {
				return err
			}
			mem.AssertSize(t, 0)
			if names := dir(t, folder); len(names) > 0 {
				t.Errorf("%s: %q before Close", format, names)
			}
			return nil
		}
		got := written(func(w *Writer) error { return errors.Join(finish(w), w.Close()) })
		if !bytes.Equal(got, want) {
			t.Errorf("%s: other bytes", format)
		}
		if left := written(func(w *Writer) error { return errors.Join(finish(w), w.Abort()) }); left != nil {
			t.Errorf("%s: %d bytes after Abort", format, len(left))
		}
	}
}

// TestWriterNoRows writes files without a row: they have a schema.
func TestWriterNoRows(t *testing.T) {
	mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
	defer mem.AssertSize(t, 0)
	for _, format := range []Format{Parquet, Arrow, Stream} {
		var out bytes.Buffer
		w, err := Create("-", int64Schema, WriteOptions{Format: format, Stdout: &out, Allocator: mem})
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		schema, rows, err := readBack(out.Bytes(), format, mem)
		if err != nil || len(rows) != 0 || schema.Field(0).Name != "n" {
			t.Errorf("%s: %v, %d rows, %v", format, schema, len(rows), err)
		}
	}
}

func TestWriterSinkErrors(t *testing.T) {
	mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
	defer mem.AssertSize(t, 0)
	broken := errors.New("broken")
	for _, format := range []Format{Parquet, Arrow, Stream} {
		for limit := range 15 {
			w, err := Create("-", int64Schema, WriteOptions{Format: format, Stdout: &failingWriter{60 * limit, broken}, Allocator: mem, RowGroupBytes: 64})
			if err != nil {
				t.Fatal(err)
			}
			for i := range 2 {
				rec := int64Batch(mem, int64Schema, 1<<17*i, 1<<17*(i+1)) // more than the buffer holds
				err = w.Write(rec)
				rec.Release()
				if err != nil {
					break
				}
			}
			if closed := w.Close(); err == nil {
				err = closed
			} else if !errors.Is(closed, broken) {
				t.Errorf("%s: Close after a failed Write: %v", format, closed)
			}
			if !errors.Is(err, broken) || !strings.Contains(err.Error(), "standard output") {
				t.Fatalf("%s: limit %d: %v", format, limit, err)
			}
		}
	}
}

type failingWriter struct {
	left int
	err  error
}

func (w *failingWriter) Write(p []byte) (int, error) {
	if len(p) > w.left {
		return w.left, w.err
	}
	w.left -= len(p)
	return len(p), nil
}

// TestRowGroups checks that row groups come from bytes, not from batches.
func TestRowGroups(t *testing.T) {
	mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
	defer mem.AssertSize(t, 0)
	for _, batch := range []int{7, 5000, 100_000} {
		var out bytes.Buffer
		w, err := Create("-", int64Schema, WriteOptions{Stdout: &out, Allocator: mem, RowGroupBytes: 80_000})
		if err != nil {
			t.Fatal(err)
		}
		for lo := 0; lo < 100_000; lo += batch {
			rec := int64Batch(mem, int64Schema, lo, min(lo+batch, 100_000))
			if err := w.Write(rec); err != nil {
				t.Fatal(err)
			}
			rec.Release()
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		pf, err := file.NewParquetReader(bytes.NewReader(out.Bytes()))
		if err != nil {
			t.Fatal(err)
		}
		if n := pf.NumRowGroups(); n < 9 || n > 11 {
			t.Errorf("batches of %d: %d row groups", batch, n)
		}
		if pf.NumRows() != 100_000 {
			t.Errorf("%d rows", pf.NumRows())
		}
		pf.Close()
	}
}

func TestCreateRefuses(t *testing.T) {
	field := func(name string, t arrow.DataType) arrow.Field {
		return arrow.Field{Name: name, Type: t, Nullable: true}
	}
	i64 := arrow.PrimitiveTypes.Int64
	for name, c := range map[string]struct {
		fields []arrow.Field
		format Format
		err    string
	}{
		"duplicate":          {[]arrow.Field{field("a", i64), field("a", i64)}, Parquet, `column "a": two columns of this name`},
		"duplicate in Arrow": {[]arrow.Field{field("a", i64), field("a", i64)}, Arrow, `column "a": two columns of this name`},
		"interval":           {[]arrow.Field{field("a", arrow.FixedWidthTypes.MonthInterval)}, Parquet, `column "a": Parquet cannot hold month_interval`},
		"interval in struct": {[]arrow.Field{field("s", arrow.StructOf(field("a", arrow.FixedWidthTypes.MonthDayNanoInterval)))}, Parquet, `column "s.a": Parquet cannot hold month_day_nano_interval`},
		"union":              {[]arrow.Field{field("u", arrow.SparseUnionOf([]arrow.Field{field("a", i64)}, []arrow.UnionTypeCode{0}))}, Parquet, `column "u": Parquet cannot hold sparse_union`},
		"run-end encoded":    {[]arrow.Field{field("r", arrow.RunEndEncodedOf(arrow.PrimitiveTypes.Int32, i64))}, Parquet, `column "r": Parquet cannot hold run_end_encoded`},
		"empty struct":       {[]arrow.Field{field("s", arrow.StructOf())}, Parquet, `column "s": Parquet cannot hold struct<> without fields`},
		"twin fields":        {[]arrow.Field{field("s", arrow.StructOf(field("x", i64), field("x", i64)))}, Parquet, `column "s": Parquet cannot hold`},
		"negative scale":     {[]arrow.Field{field("d", &arrow.Decimal128Type{Precision: 5, Scale: -2})}, Parquet, `column "d": Parquet cannot hold decimal(5, -2)`},
		"unknown format":     {[]arrow.Field{field("a", i64)}, "csv", `unknown format "csv"`},
	} {
		path := filepath.Join(t.TempDir(), "out")
		_, err := Create(path, arrow.NewSchema(c.fields, nil), WriteOptions{Format: c.format})
		if err == nil || !strings.Contains(err.Error(), c.err) {
			t.Errorf("%s: error %v, want %q", name, err, c.err)
		}
		var at *ColumnError
		if errors.As(err, &at) && strings.Contains(at.Reason, "Parquet cannot") && at.Hint != "`Format` arrow can" {
			t.Errorf("%s: hint %q", name, at.Hint)
		}
		if names := dir(t, filepath.Dir(path)); len(names) > 0 {
			t.Errorf("%s: left %q", name, names)
		}
	}
	for _, typ := range []arrow.DataType{arrow.FixedWidthTypes.MonthInterval, arrow.FixedWidthTypes.MonthDayNanoInterval, arrow.RunEndEncodedOf(arrow.PrimitiveTypes.Int32, i64)} {
		var out bytes.Buffer
		w, err := Create("-", arrow.NewSchema([]arrow.Field{field("a", typ)}, nil), WriteOptions{Format: Arrow, Stdout: &out})
		if err != nil {
			t.Errorf("Arrow of %s: %v", typ, err)
			continue
		}
		if err := w.Close(); err != nil {
			t.Errorf("Arrow of %s: %v", typ, err)
		}
	}
}

// TestWriteNullInRequired names the row, counted over all batches, in columns
// that may have no nulls.
func TestWriteNullInRequired(t *testing.T) {
	mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
	defer mem.AssertSize(t, 0)
	for name, typ := range map[string]arrow.DataType{
		"scalar": arrow.PrimitiveTypes.Int32,
		"list":   arrow.FixedSizeListOf(2, arrow.PrimitiveTypes.Uint8),
		"struct": arrow.StructOf(arrow.Field{Name: "x", Type: arrow.PrimitiveTypes.Int32}),
	} {
		schema := arrow.NewSchema([]arrow.Field{{Name: "a", Type: typ}}, nil)
		w, err := Create("-", schema, WriteOptions{Stdout: io.Discard, Allocator: mem})
		if err != nil {
			t.Fatal(err)
		}
		b := array.NewBuilder(mem, typ)
		defer b.Release()
		for batch, nullAt := range []int{-1, 3} {
			for i := range 5 {
				if i == nullAt {
					b.AppendNull()
				} else {
					b.AppendEmptyValue()
				}
			}
			column := b.NewArray()
			rec := array.NewRecordBatch(schema, []arrow.Array{column}, 5)
			err = w.Write(rec)
			rec.Release()
			column.Release()
			var at *ColumnError
			if batch == 1 && (!errors.As(err, &at) || at.Row != 8 || !strings.HasPrefix(at.Column, "a")) {
				t.Errorf("%s: error %v, want one about row 8", name, err)
			}
			if batch == 0 && err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err == nil {
			t.Errorf("%s: Close after a failed Write returned nil", name)
		}
	}
}

// TestWriterMetadata keeps what belongs to the user and leaves out what the
// reading of a Parquet file adds.
func TestWriterMetadata(t *testing.T) {
	mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
	defer mem.AssertSize(t, 0)
	fieldMetadata := arrow.NewMetadata([]string{"unit", "PARQUET:field_id"}, []string{"mm", "-1"})
	schemaMetadata := arrow.NewMetadata([]string{"pandas", "ARROW:schema"}, []string{"{}", "of another file"})
	schema := arrow.NewSchema([]arrow.Field{{Name: "n", Type: arrow.PrimitiveTypes.Int64, Metadata: fieldMetadata}}, &schemaMetadata)
	var out bytes.Buffer
	w, err := Create("-", schema, WriteOptions{Stdout: &out, Allocator: mem})
	if err != nil {
		t.Fatal(err)
	}
	rec := int64Batch(mem, schema, 0, 3)
	defer rec.Release()
	if err := w.Write(rec); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	pf, err := file.NewParquetReader(bytes.NewReader(out.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	defer pf.Close()
	keys := pf.MetaData().KeyValueMetadata().Keys()
	if strings.Join(keys, " ") != "pandas ARROW:schema" {
		t.Errorf("file metadata %q", keys)
	}
	got, _, err := readBack(out.Bytes(), Parquet, mem)
	if err != nil {
		t.Fatal(err)
	}
	if v, _ := got.Field(0).Metadata.GetValue("unit"); v != "mm" {
		t.Errorf("field metadata %v", got.Field(0).Metadata)
	}
}

func TestWriteOtherSchema(t *testing.T) {
	mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
	defer mem.AssertSize(t, 0)
	other := arrow.NewSchema([]arrow.Field{{Name: "m", Type: arrow.PrimitiveTypes.Int64}}, nil)
	rec := int64Batch(mem, other, 0, 3)
	defer rec.Release()
	for _, format := range []Format{Parquet, Arrow, Stream} {
		w, err := Create("-", int64Schema, WriteOptions{Format: format, Stdout: io.Discard, Allocator: mem})
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Write(rec); err == nil || !strings.Contains(err.Error(), `column "n": batch has column "m"`) {
			t.Errorf("%s: error %v", format, err)
		}
		if err := w.Write(rec); err == nil {
			t.Errorf("%s: Write after an error returned nil", format)
		}
		w.Abort()
	}
}

// TestWriteUnfit gives Parquet values that its types cannot hold.
func TestWriteUnfit(t *testing.T) {
	mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
	defer mem.AssertSize(t, 0)
	for name, c := range map[string]struct {
		typ  arrow.DataType
		add  func(array.Builder)
		want string
	}{
		"date64":  {arrow.FixedWidthTypes.Date64, func(b array.Builder) { b.(*array.Date64Builder).Append(86400001) }, "is not a whole day"},
		"seconds": {&arrow.TimestampType{Unit: arrow.Second}, func(b array.Builder) { b.(*array.TimestampBuilder).Append(1 << 62) }, "too large for milliseconds"},
		"time":    {arrow.FixedWidthTypes.Time32s, func(b array.Builder) { b.(*array.Time32Builder).Append(-1) }, "no time of day"},
	} {
		schema := arrow.NewSchema([]arrow.Field{{Name: "a", Type: c.typ}}, nil)
		b := array.NewRecordBuilder(mem, schema)
		b.Field(0).AppendEmptyValue()
		c.add(b.Field(0))
		rec := b.NewRecordBatch()
		w, err := Create("-", schema, WriteOptions{Stdout: io.Discard, Allocator: mem})
		if err != nil {
			t.Fatal(err)
		}
		err = w.Write(rec)
		var at *ColumnError
		if !errors.As(err, &at) || at.Row != 1 || at.Column != "a" || !strings.Contains(at.Reason, c.want) {
			t.Errorf("%s: error %v", name, err)
		}
		w.Abort()
		rec.Release()
		b.Release()
	}
}

// TestAbortFreesDictionaries gives up with dictionaries held by the library.
func TestAbortFreesDictionaries(t *testing.T) {
	mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
	defer mem.AssertSize(t, 0)
	typ := &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int8, ValueType: arrow.BinaryTypes.String}
	for _, format := range []Format{Parquet, Arrow, Stream} {
		rec := arrowtest.JSONBatch(t, mem, typ, `["a","b","a",null]`)
		w, err := Create("-", rec.Schema(), WriteOptions{Format: format, Stdout: io.Discard, Allocator: mem})
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Write(rec); err != nil {
			t.Fatal(err)
		}
		rec.Release()
		if err := w.Abort(); err != nil {
			t.Fatal(err)
		}
	}
}

// A tensorType is the fixed_shape_tensor extension as a program may register
// it.
type tensorType struct{ arrow.ExtensionBase }

func newTensorType(n int32) *tensorType {
	return &tensorType{arrow.ExtensionBase{Storage: arrow.FixedSizeListOf(n, arrow.PrimitiveTypes.Float32)}}
}

func (*tensorType) ArrayType() reflect.Type { return reflect.TypeFor[tensorArray]() }
func (*tensorType) ExtensionName() string   { return "arrow.fixed_shape_tensor" }
func (*tensorType) Serialize() string       { return `{"shape":[2,2],"permutation":[1,0]}` }
func (t *tensorType) ExtensionEquals(o arrow.ExtensionType) bool {
	return o.ExtensionName() == "arrow.fixed_shape_tensor" && arrow.TypeEqual(t.Storage, o.StorageType())
}
func (*tensorType) Deserialize(storage arrow.DataType, data string) (arrow.ExtensionType, error) {
	return &tensorType{arrow.ExtensionBase{Storage: storage}}, nil
}

type tensorArray struct{ array.ExtensionArrayBase }

// TestTensorExtension writes and reads a column of an extension type, not
// registered and registered.
func TestTensorExtension(t *testing.T) {
	mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
	defer mem.AssertSize(t, 0)
	typ := newTensorType(4)
	storage, _, err := array.FromJSON(mem, typ.Storage, strings.NewReader(`[[9,9,9,9],[1,2,3,4],null,[5,6,7,8]]`))
	if err != nil {
		t.Fatal(err)
	}
	defer storage.Release()
	part := array.NewSlice(storage, 1, 4)
	defer part.Release()
	column := array.NewExtensionArrayWithStorage(typ, part)
	defer column.Release()
	schema := arrow.NewSchema([]arrow.Field{{Name: "t", Type: typ, Nullable: true}}, nil)
	rec := array.NewRecordBatch(schema, []arrow.Array{column}, 3)
	defer rec.Release()

	for _, registered := range []bool{false, true} {
		if registered {
			if err := arrow.RegisterExtensionType(typ); err != nil {
				t.Fatal(err)
			}
			defer arrow.UnregisterExtensionType("arrow.fixed_shape_tensor")
		}
		for _, format := range []Format{Parquet, Arrow, Stream} {
			var out strings.Builder
			w, err := Create("-", schema, WriteOptions{Format: format, Stdout: &out, Allocator: mem})
			if err != nil {
				t.Fatal(err)
			}
			if err := w.Write(rec); err != nil {
				t.Fatal(err)
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			got, texts, err := readBack([]byte(out.String()), format, memory.DefaultAllocator)
			if err != nil {
				t.Errorf("%s, registered %v: %v", format, registered, err)
				continue
			}
			if want := rowTexts(rec); strings.Join(texts, "\n") != strings.Join(want, "\n") {
				t.Errorf("%s, registered %v: %q, want %q", format, registered, texts, want)
			}
			f := got.Field(0)
			name, _ := f.Metadata.GetValue("ARROW:extension:name")
			if ext, ok := f.Type.(arrow.ExtensionType); ok {
				name = ext.ExtensionName()
			}
			if name != "arrow.fixed_shape_tensor" {
				t.Errorf("%s, registered %v: read as %s", format, registered, f)
			}
		}
	}
}

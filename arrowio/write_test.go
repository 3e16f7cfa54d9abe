package arrowio

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"math/big"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
)

// textAt writes a value so that equal values are equal texts whatever form they are stored in.
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
		return fmt.Sprintf("%se-%d", decimalAt(a, i), a.DataType().(arrow.DecimalType).GetScale())
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

// writable are the types of single values that every format holds.
var writable = append([]arrow.DataType{
	arrow.FixedWidthTypes.Boolean, arrow.BinaryTypes.String, arrow.BinaryTypes.LargeString, arrow.BinaryTypes.Binary,
	arrow.BinaryTypes.LargeBinary, &arrow.FixedSizeBinaryType{ByteWidth: 5}, arrow.Null,
	arrow.FixedWidthTypes.Date32, arrow.FixedWidthTypes.Date64, arrow.FixedWidthTypes.Time32s, arrow.FixedWidthTypes.Time32ms,
	arrow.FixedWidthTypes.Time64us, arrow.FixedWidthTypes.Time64ns,
	&arrow.TimestampType{Unit: arrow.Second}, &arrow.TimestampType{Unit: arrow.Millisecond, TimeZone: "Europe/Berlin"},
	&arrow.TimestampType{Unit: arrow.Microsecond, TimeZone: "UTC"}, &arrow.TimestampType{Unit: arrow.Nanosecond},
	arrow.FixedWidthTypes.Duration_s, arrow.FixedWidthTypes.Duration_ns,
	&arrow.Decimal128Type{Precision: 9, Scale: 2}, &arrow.Decimal128Type{Precision: 38, Scale: 10}, &arrow.Decimal256Type{Precision: 60, Scale: 4},
	&arrow.Decimal32Type{Precision: 9, Scale: 2}, &arrow.Decimal64Type{Precision: 18, Scale: 3}, arrow.BinaryTypes.BinaryView,
}, numericArrow...)

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
	switch g.IntN(7) {
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

// TestWriteRandom writes random batches of random schemas in every format and compares what the library reads back, value by value.
func TestWriteRandom(t *testing.T) {
	cases := 1200
	if testing.Short() {
		cases = 300
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
	g := &maker{Rand: rand.New(rand.NewPCG(seed, 11)), mem: mem}
	g.nulls = []float64{0, 0.05, 0.5, 1}[g.IntN(4)]
	g.ragged = []float64{0, 0.5}[g.IntN(2)]

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
			columns = append(columns, g.array(f, n, nil))
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
			t.Fatalf("%s: read: %v", where, err)
		}
		if !slices.Equal(got, want) {
			for i := range min(len(got), len(want)) {
				if got[i] != want[i] {
					t.Fatalf("%s: row %d\n%s\nwant\n%s", where, i, got[i], want[i])
				}
			}
			t.Fatalf("%s: %d rows, want %d", where, len(got), len(want))
		}
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

func TestFileWholeOrNothing(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "out")
	if err := os.WriteFile(path, []byte("old"), 0o640); err != nil {
		t.Fatal(err)
	}
	f, err := CreateFile(path)
	if err != nil {
		t.Fatal(err)
	}
	f.Write([]byte("new"))
	if got, _ := os.ReadFile(path); string(got) != "old" {
		t.Errorf("before Commit the file holds %q", got)
	}
	if err := f.Abort(); err != nil {
		t.Fatal(err)
	}
	if got, _ := os.ReadFile(path); string(got) != "old" {
		t.Errorf("after Abort the file holds %q", got)
	}
	if names := dir(t, folder); len(names) != 1 {
		t.Errorf("after Abort the folder holds %q", names)
	}

	link := filepath.Join(folder, "link")
	if err := os.Symlink("out", link); err != nil {
		t.Skip(err)
	}
	for _, name := range []string{path, link} {
		if f, err = CreateFile(name); err != nil {
			t.Fatal(err)
		}
		f.Write([]byte("new by " + name))
		if err := f.Commit(); err != nil {
			t.Fatal(err)
		}
		if got, _ := os.ReadFile(path); string(got) != "new by "+name {
			t.Errorf("the file holds %q", got)
		}
		if err := f.Abort(); err != nil {
			t.Errorf("Abort after Commit: %v", err)
		}
	}
	if info, _ := os.Lstat(link); info.Mode()&os.ModeSymlink == 0 {
		t.Error("the symlink was replaced")
	}
	if info, _ := os.Stat(path); info.Mode().Perm() != 0o640 {
		t.Errorf("permissions became %v", info.Mode())
	}
	if names := dir(t, folder); len(names) != 2 {
		t.Errorf("the folder holds %q", names)
	}
}

func TestCreateFileErrors(t *testing.T) {
	folder := t.TempDir()
	for _, path := range []string{folder, filepath.Join(folder, "missing", "out")} {
		if _, err := CreateFile(path); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: error %v", path, err)
		}
	}
	if names := dir(t, folder); len(names) != 0 {
		t.Errorf("the folder holds %q", names)
	}
}

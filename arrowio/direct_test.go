package arrowio_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/float16"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/compress"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"

	"github.com/aefeat/aefeat/arrowio"
)

// TestDirectRandom reads columns of numbers and lists of numbers, which are
// decoded here, and compares them with what the library's reader makes of the
// same file: all types, nulls and empty lists anywhere or nowhere, rows across
// pages, every encoding.
func TestDirectRandom(t *testing.T) {
	for seed := range uint64(60) {
		testDirect(t, seed)
	}
}

func FuzzDirect(f *testing.F) {
	f.Add(uint64(1))
	f.Fuzz(func(t *testing.T, seed uint64) { testDirect(t, seed) })
}

var numberTypes = []arrow.DataType{
	arrow.PrimitiveTypes.Uint8, arrow.PrimitiveTypes.Int8, arrow.PrimitiveTypes.Uint16, arrow.PrimitiveTypes.Int16, arrow.PrimitiveTypes.Uint32, arrow.PrimitiveTypes.Int32,
	arrow.PrimitiveTypes.Uint64, arrow.PrimitiveTypes.Int64, arrow.FixedWidthTypes.Float16, arrow.PrimitiveTypes.Float32, arrow.PrimitiveTypes.Float64,
}

func testDirect(t *testing.T, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 1))
	mem := memory.DefaultAllocator
	var fields []arrow.Field
	for i := range 1 + rng.IntN(5) {
		typ := numberTypes[rng.IntN(len(numberTypes))]
		elem := arrow.Field{Name: "item", Type: typ, Nullable: rng.IntN(2) == 0}
		switch rng.IntN(4) {
		case 0:
			typ = arrow.ListOfField(elem)
		case 1:
			typ = arrow.LargeListOfField(elem)
		case 2:
			typ = arrow.FixedSizeListOfField(int32(1+rng.IntN(9)), elem)
		}
		fields = append(fields, arrow.Field{Name: fmt.Sprint("c", i), Type: typ, Nullable: rng.IntN(2) == 0})
	}
	schema := arrow.NewSchema(fields, nil)
	rows := 1 + rng.IntN(700)
	rec := randomNumbers(mem, rng, schema, rows)
	defer rec.Release()

	props := []parquet.WriterProperty{
		parquet.WithDataPageVersion([]parquet.DataPageVersion{parquet.DataPageV1, parquet.DataPageV2}[rng.IntN(2)]),
		parquet.WithDataPageSize([]int64{100, 1000, 1 << 20}[rng.IntN(3)]),
		parquet.WithBatchSize(int64(1 + rng.IntN(100))),
		parquet.WithMaxRowGroupLength(int64(1 + rng.IntN(2*rows))),
		parquet.WithCompression([]compress.Compression{compress.Codecs.Uncompressed, compress.Codecs.Snappy, compress.Codecs.Zstd, compress.Codecs.Gzip, compress.Codecs.Brotli, compress.Codecs.Lz4Raw}[rng.IntN(6)]),
		parquet.WithDictionaryDefault(rng.IntN(2) == 0),
	}
	if rng.IntN(3) == 0 {
		for i, f := range fields {
			path := f.Name
			if nested, ok := f.Type.(arrow.NestedType); ok {
				path = fmt.Sprintf("%s.list.%s", f.Name, nested.Fields()[0].Name)
				f.Type = nested.Fields()[0].Type
			}
			props = append(props, parquet.WithDictionaryFor(path, false))
			switch id := f.Type.ID(); {
			case arrow.IsInteger(id) && i%2 == 0:
				props = append(props, parquet.WithEncodingFor(path, parquet.Encodings.DeltaBinaryPacked))
			case id != arrow.FLOAT16:
				props = append(props, parquet.WithEncodingFor(path, parquet.Encodings.ByteStreamSplit))
			}
		}
	}
	var out bytes.Buffer
	w, err := pqarrow.NewFileWriter(schema, &out, parquet.NewWriterProperties(props...), pqarrow.NewArrowWriterProperties(pqarrow.WithStoreSchema()))
	if err == nil {
		err = w.Write(rec)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatalf("seed %d: %v", seed, err)
	}
	name := filepath.Join(t.TempDir(), "a")
	if err := os.WriteFile(name, out.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}

	pf, err := file.NewParquetReader(bytes.NewReader(out.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	fr, err := pqarrow.NewFileReader(pf, pqarrow.ArrowReadProperties{}, mem)
	if err != nil {
		t.Fatal(err)
	}
	table, err := fr.ReadTable(context.Background())
	if err != nil {
		t.Fatalf("seed %d: the library: %v", seed, err)
	}
	defer table.Release()
	var want []string
	tr := array.NewTableReader(table, 0)
	defer tr.Release()
	for tr.Next() {
		want = append(want, texts(tr.RecordBatch())...)
	}

	src, err := arrowio.Open([]string{name}, arrowio.OpenOptions{BatchRows: rng.IntN(rows + 10), Allocator: checked(t)})
	if err != nil {
		t.Fatalf("seed %d: %v", seed, err)
	}
	defer src.Close()
	got, _ := readRows(t, src, nil)
	if len(got) != len(want) {
		t.Fatalf("seed %d: %d rows, expected %d", seed, len(got), len(want))
	}
	for i := range got {
		if got[i] != want[i] {
			t.Fatalf("seed %d: row %d of %s\n%s\nexpected\n%s", seed, i, schema, got[i], want[i])
		}
	}
}

// randomNumbers fills a batch. In a column nulls, empty lists and long runs are
// frequent or absent.
func randomNumbers(mem memory.Allocator, rng *rand.Rand, schema *arrow.Schema, rows int) arrow.RecordBatch {
	b := array.NewRecordBuilder(mem, schema)
	defer b.Release()
	for i, f := range schema.Fields() {
		// The library cannot write null fixed-size lists.
		// TestReadFixedNulls has them.
		nulls := f.Nullable && rng.IntN(2) == 0 && f.Type.ID() != arrow.FIXED_SIZE_LIST
		elemNulls := rng.IntN(2) == 0
		few := rng.IntN(2) == 0 // distinct values
		longest := 1 + rng.IntN(30)
		empties := rng.IntN(2) == 0
		number := func(b array.Builder, nullable bool) {
			if nullable && elemNulls && rng.IntN(5) == 0 {
				b.AppendNull()
				return
			}
			v := rng.Uint64()
			if few {
				v %= 5
			}
			switch b := b.(type) {
			case *array.Uint8Builder:
				b.Append(uint8(v))
			case *array.Int8Builder:
				b.Append(int8(v))
			case *array.Uint16Builder:
				b.Append(uint16(v))
			case *array.Int16Builder:
				b.Append(int16(v))
			case *array.Uint32Builder:
				b.Append(uint32(v))
			case *array.Int32Builder:
				b.Append(int32(v))
			case *array.Uint64Builder:
				b.Append(v)
			case *array.Int64Builder:
				b.Append(int64(v))
			case *array.Float16Builder:
				b.Append(float16.New(float32(v % 1000)))
			case *array.Float32Builder:
				b.Append(float32(v))
			case *array.Float64Builder:
				b.Append(float64(v))
			}
		}
		for range rows {
			if nulls && rng.IntN(4) == 0 {
				b.Field(i).AppendNull()
				continue
			}
			switch lb := b.Field(i).(type) {
			case *array.FixedSizeListBuilder:
				lb.Append(true)
				for range f.Type.(*arrow.FixedSizeListType).Len() {
					number(lb.ValueBuilder(), f.Type.(arrow.NestedType).Fields()[0].Nullable)
				}
			case array.ListLikeBuilder:
				lb.Append(true)
				n := longest
				if empties {
					n = rng.IntN(longest + 1)
				}
				for range n {
					number(lb.ValueBuilder(), f.Type.(arrow.NestedType).Fields()[0].Nullable)
				}
			default:
				number(lb, f.Nullable)
			}
		}
	}
	return b.NewRecordBatch()
}

// TestReadFixedNulls has null fixed-size lists, with nulls inside others.
func TestReadFixedNulls(t *testing.T) {
	schema := arrow.NewSchema([]arrow.Field{
		{Name: "a", Type: arrow.FixedSizeListOfNonNullable(3, arrow.PrimitiveTypes.Uint8), Nullable: true},
		{Name: "b", Type: arrow.FixedSizeListOf(2, arrow.PrimitiveTypes.Float32), Nullable: true},
	}, nil)
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	defer b.Release()
	for i := range 500 {
		for j, f := range b.Fields() {
			lb := f.(*array.FixedSizeListBuilder)
			if i/(j+1)%3 == 1 || i > 450 {
				lb.AppendNull()
				continue
			}
			lb.Append(true)
			if j == 0 {
				lb.ValueBuilder().(*array.Uint8Builder).AppendValues([]uint8{uint8(i), 1, 2}, nil)
			} else {
				lb.ValueBuilder().(*array.Float32Builder).AppendValues([]float32{float32(i), 0.5}, []bool{true, i%5 != 0})
			}
		}
	}
	rec := b.NewRecordBatch()
	defer rec.Release()
	name := filepath.Join(t.TempDir(), "a")
	w, err := arrowio.Create(name, schema, arrowio.WriteOptions{RowGroupBytes: 3000})
	if err == nil {
		err = w.Write(rec)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, batch := range []int{0, 7} {
		src, err := arrowio.Open([]string{name}, arrowio.OpenOptions{BatchRows: batch, Allocator: checked(t)})
		if err != nil {
			t.Fatal(err)
		}
		got, _ := readRows(t, src, nil)
		sameRows(t, got, texts(rec))
		src.Close()
	}
}

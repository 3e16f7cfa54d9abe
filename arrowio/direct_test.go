package arrowio_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
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
// decoded here, and a few others, and compares them with what the library's
// reader makes of the same file: all types, nulls and empty lists anywhere or
// nowhere, rows across pages, every encoding.
func TestDirectRandom(t *testing.T) {
	for seed := range uint64(60) {
		testDirect(t, seed)
	}
}

func FuzzDirect(f *testing.F) {
	f.Add(uint64(1))
	f.Add(uint64(694)) // pages of nulls alone, with Brotli
	f.Fuzz(func(t *testing.T, seed uint64) { testDirect(t, seed) })
}

var directTypes = []arrow.DataType{
	arrow.PrimitiveTypes.Uint8, arrow.PrimitiveTypes.Int8,
	arrow.PrimitiveTypes.Uint16, arrow.PrimitiveTypes.Int16,
	arrow.PrimitiveTypes.Uint32, arrow.PrimitiveTypes.Int32,
	arrow.PrimitiveTypes.Uint64, arrow.PrimitiveTypes.Int64,
	arrow.FixedWidthTypes.Float16, arrow.PrimitiveTypes.Float32, arrow.PrimitiveTypes.Float64,
	// The library decodes these, page by page.
	arrow.BinaryTypes.String, arrow.FixedWidthTypes.Boolean,
}

func testDirect(t *testing.T, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 1))
	mem := memory.DefaultAllocator
	schema := randomColumns(rng)
	rows := 1 + rng.IntN(700)
	rec := randomValues(mem, rng, schema, rows)
	defer rec.Release()

	var out bytes.Buffer
	props := parquet.NewWriterProperties(randomSettings(rng, schema, rows)...)
	w, err := pqarrow.NewFileWriter(schema, &out, props, pqarrow.NewArrowWriterProperties(pqarrow.WithStoreSchema()))
	if err == nil {
		err = w.Write(rec)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatalf("seed %d: %v", seed, err)
	}
	want, err := libraryTexts(out.Bytes())
	if err != nil {
		t.Logf("seed %d: the library cannot read what it wrote: %v", seed, err)
	}
	o := arrowio.OpenOptions{BatchRows: rng.IntN(rows + 10)}
	if !strings.Contains(schema.String(), "utf8") {
		// The library's decoder of delta encodings forgets to release 64 bytes,
		// which the garbage collector frees.
		o.Allocator = checked(t)
	}
	src, err := arrowio.OpenReaderAt(bytes.NewReader(out.Bytes()), int64(out.Len()), "a", o)
	if err != nil {
		t.Fatalf("seed %d: %v", seed, err)
	}
	defer src.Close()
	got, _ := readRows(t, src, nil)
	if len(got) != rows {
		t.Fatalf("seed %d: %d rows, expected %d", seed, len(got), rows)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Fatalf("seed %d: row %d of %s\n%s\nexpected\n%s", seed, i, schema, got[i], want[i])
		}
	}
}

// randomColumns returns up to five columns of values or of lists of them.
func randomColumns(rng *rand.Rand) *arrow.Schema {
	var fields []arrow.Field
	for i := range 1 + rng.IntN(5) {
		typ := directTypes[rng.IntN(len(directTypes))]
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
	return arrow.NewSchema(fields, nil)
}

// randomSettings returns settings of the library's writer.
func randomSettings(rng *rand.Rand, schema *arrow.Schema, rows int) []parquet.WriterProperty {
	versions := []parquet.DataPageVersion{parquet.DataPageV1, parquet.DataPageV2}
	codecs := []compress.Compression{
		compress.Codecs.Uncompressed, compress.Codecs.Snappy, compress.Codecs.Zstd,
		compress.Codecs.Gzip, compress.Codecs.Brotli, compress.Codecs.Lz4Raw,
	}
	props := []parquet.WriterProperty{
		parquet.WithDataPageVersion(versions[rng.IntN(len(versions))]),
		parquet.WithDataPageSize([]int64{100, 1000, 1 << 20}[rng.IntN(3)]),
		parquet.WithBatchSize(int64(1 + rng.IntN(100))),
		parquet.WithMaxRowGroupLength(int64(1 + rng.IntN(2*rows))),
		parquet.WithCompression(codecs[rng.IntN(len(codecs))]),
		parquet.WithDictionaryDefault(rng.IntN(2) == 0),
	}
	if rng.IntN(3) > 0 {
		return props
	}
	for i, f := range schema.Fields() {
		path := f.Name
		if nested, ok := f.Type.(arrow.NestedType); ok {
			path = fmt.Sprintf("%s.list.%s", f.Name, nested.Fields()[0].Name)
			f.Type = nested.Fields()[0].Type
		}
		encoding := parquet.Encodings.ByteStreamSplit
		switch id := f.Type.ID(); {
		case arrow.IsInteger(id) && i%2 == 0:
			encoding = parquet.Encodings.DeltaBinaryPacked
		case id == arrow.STRING && i%2 == 0:
			encoding = parquet.Encodings.DeltaByteArray
		case id == arrow.STRING:
			encoding = parquet.Encodings.DeltaLengthByteArray
		case id == arrow.BOOL:
			encoding = parquet.Encodings.RLE
		case id == arrow.FLOAT16:
			encoding = parquet.Encodings.Plain
		}
		props = append(props, parquet.WithDictionaryFor(path, false), parquet.WithEncodingFor(path, encoding))
	}
	return props
}

// libraryTexts reads a file with the library alone, whose writer writes other
// rows for some fixed-size lists than it was given.
func libraryTexts(data []byte) ([]string, error) {
	pf, err := file.NewParquetReader(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	defer pf.Close()
	fr, err := pqarrow.NewFileReader(pf, pqarrow.ArrowReadProperties{}, memory.DefaultAllocator)
	if err != nil {
		return nil, err
	}
	table, err := fr.ReadTable(context.Background())
	if err != nil {
		return nil, err
	}
	defer table.Release()
	var rows []string
	r := array.NewTableReader(table, 0)
	defer r.Release()
	for r.Next() {
		rows = append(rows, texts(r.RecordBatch())...)
	}
	return rows, r.Err()
}

// A filler fills a column. In it nulls, empty lists and long runs are frequent
// or absent.
type filler struct {
	*rand.Rand
	nulls, elemNulls bool
	few              bool // distinct values
	longest          int  // list
	empties          bool
}

// randomValues fills a batch.
func randomValues(mem memory.Allocator, rng *rand.Rand, schema *arrow.Schema, rows int) arrow.RecordBatch {
	b := array.NewRecordBuilder(mem, schema)
	defer b.Release()
	for i, f := range schema.Fields() {
		g := filler{
			Rand: rng,
			// The library cannot write null fixed-size lists.
			// TestReadFixedNulls has them.
			nulls:     f.Nullable && rng.IntN(2) == 0 && f.Type.ID() != arrow.FIXED_SIZE_LIST,
			elemNulls: rng.IntN(2) == 0,
			few:       rng.IntN(2) == 0,
			longest:   1 + rng.IntN(30),
			empties:   rng.IntN(2) == 0,
		}
		for range rows {
			g.row(b.Field(i), f)
		}
	}
	return b.NewRecordBatch()
}

// row appends a value of the field.
func (g *filler) row(b array.Builder, f arrow.Field) {
	if g.nulls && g.IntN(4) == 0 {
		b.AppendNull()
		return
	}
	lists, ok := b.(array.ListLikeBuilder)
	if !ok {
		g.value(b, f.Nullable)
		return
	}
	n := g.longest
	if t, ok := f.Type.(*arrow.FixedSizeListType); ok {
		n = int(t.Len())
	} else if g.empties {
		n = g.IntN(g.longest + 1)
	}
	lists.Append(true)
	for range n {
		g.value(lists.ValueBuilder(), f.Type.(arrow.NestedType).Fields()[0].Nullable)
	}
}

func (g *filler) value(b array.Builder, nullable bool) {
	if nullable && g.elemNulls && g.IntN(5) == 0 {
		b.AppendNull()
		return
	}
	v := g.Uint64()
	if g.few {
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
	case *array.StringBuilder:
		b.Append(fmt.Sprint("text ", v%1000))
	case *array.BooleanBuilder:
		b.Append(v%2 == 0)
	}
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

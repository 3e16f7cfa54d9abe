package arrowio

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/compress"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/metadata"

	"github.com/aefeat/aefeat/internal/arrowtest"
)

// chunksOf returns what the footer of a Parquet file says of its column chunks,
// by row group and column.
func chunksOf(t *testing.T, data []byte) [][]*metadata.ColumnChunkMetaData {
	t.Helper()
	pf, err := file.NewParquetReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	defer pf.Close()
	var out [][]*metadata.ColumnChunkMetaData
	for i := range pf.NumRowGroups() {
		var row []*metadata.ColumnChunkMetaData
		for j := range pf.MetaData().Schema.NumColumns() {
			c, err := pf.MetaData().RowGroup(i).ColumnChunk(j)
			if err != nil {
				t.Fatal(err)
			}
			row = append(row, c)
		}
		out = append(out, row)
	}
	return out
}

// pages counts the pages of a column chunk.
func pages(t *testing.T, data []byte, column int) int {
	t.Helper()
	pf, err := file.NewParquetReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	defer pf.Close()
	r, err := pf.RowGroup(0).GetColumnPageReader(column)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for r.Next() {
		n++
	}
	if r.Err() != nil && r.Err() != io.EOF {
		t.Fatal(r.Err())
	}
	return n
}

// written returns the Parquet file of a batch of one column.
func written(t *testing.T, f arrow.Field, column arrow.Array, limit int64, batch int) []byte {
	t.Helper()
	schema := arrow.NewSchema([]arrow.Field{f}, nil)
	rec := array.NewRecordBatch(schema, []arrow.Array{column}, int64(column.Len()))
	defer rec.Release()
	var out bytes.Buffer
	w, err := Create("-", schema, WriteOptions{Stdout: &out, RowGroupBytes: limit})
	if err != nil {
		t.Fatal(err)
	}
	for lo := 0; lo < column.Len(); lo += batch {
		part := rec.NewSlice(int64(lo), int64(min(lo+batch, column.Len())))
		if err := w.Write(part); err != nil {
			t.Fatal(err)
		}
		part.Release()
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// TestPages writes columns of many pages, of every form, and reads them with
// this package and with the library.
func TestPages(t *testing.T) {
	mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
	defer mem.AssertSize(t, 0)
	g := &arrowtest.Maker{Rand: rand.New(rand.NewPCG(1, 2)), Mem: mem}
	for i, c := range []struct {
		typ      arrow.DataType
		m        int
		nullable bool
		pages    int // at least, that of the dictionary included
	}{
		{arrow.PrimitiveTypes.Float32, 300_000, false, 2},
		{arrow.PrimitiveTypes.Float64, 200_000, true, 2},
		{arrow.PrimitiveTypes.Uint8, 1<<20 + 3, false, 2},
		{arrow.PrimitiveTypes.Uint8, 100_001, true, 2},
		{arrow.FixedWidthTypes.Boolean, 100_001, true, 1},
		{arrow.FixedSizeListOf(784, arrow.PrimitiveTypes.Uint8), 1500, false, 3},
		{arrow.FixedSizeListOfNonNullable(7, arrow.PrimitiveTypes.Uint8), 160_000, false, 3},
		{arrow.FixedSizeListOf(60, arrow.PrimitiveTypes.Float32), 8000, true, 2},
		{arrow.ListOf(arrow.PrimitiveTypes.Int16), 100_000, true, 2},
		{arrow.BinaryTypes.String, 100_000, true, 1},
		{arrow.BinaryTypes.Binary, 100_000, true, 1},
	} {
		if testing.Short() && i%4 != 1 {
			continue
		}
		f := arrow.Field{Name: "v", Type: c.typ, Nullable: c.nullable}
		g.Nulls, g.Ragged = 0, 0.3
		if c.nullable {
			g.Nulls = 0.2
		}
		column := g.Array(f, c.m, []int{6})
		data := written(t, f, column, 0, 1<<20)
		if n := pages(t, data, 0); n < c.pages {
			t.Errorf("%s: %d pages, want %d", c.typ, n, c.pages)
		}
		want := textsOf(column)
		_, rows, err := readBack(data, Parquet, mem)
		if err != nil || !slices.Equal(rows, want) {
			t.Errorf("%s: the library reads %d rows other than written, %v", c.typ, len(rows), err)
		}
		if rows, err := ownRows(t, data); err != nil || !slices.Equal(rows, want) {
			t.Errorf("%s: %d rows read other than written, %v", c.typ, len(rows), err)
		}
		column.Release()
	}
}

func textsOf(a arrow.Array) []string {
	out := make([]string, a.Len())
	for i := range out {
		out[i] = textAt(a, i)
	}
	return out
}

// ownRows reads a file with this package.
func ownRows(t *testing.T, data []byte) (rows []string, err error) {
	s, err := OpenReaderAt(bytes.NewReader(data), int64(len(data)), "x", OpenOptions{})
	if err != nil {
		return nil, err
	}
	defer s.Close()
	r, err := s.Reader(t.Context(), nil)
	if err != nil {
		return nil, err
	}
	defer r.Release()
	for r.Next() {
		rows = append(rows, rowTexts(r.RecordBatch())...)
	}
	return rows, r.Err()
}

// uint8s returns lists of n values, each from 0 to most.
func uint8s(m, n int, value func(i int) uint8) arrow.Array {
	b := array.NewFixedSizeListBuilder(memory.DefaultAllocator, int32(n), arrow.PrimitiveTypes.Uint8)
	defer b.Release()
	for i := range m {
		b.Append(true)
		for j := range n {
			b.ValueBuilder().(*array.Uint8Builder).Append(value(i*n + j))
		}
	}
	return b.NewArray()
}

// TestSettings looks at what the footer says of pixels, codes and few values.
func TestSettings(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	floats := func(value func() float32) arrow.Array {
		b := array.NewFloat32Builder(memory.DefaultAllocator)
		defer b.Release()
		for range 50_000 {
			b.Append(value())
		}
		return b.NewArray()
	}
	for _, c := range []struct {
		name   string
		column arrow.Array
		codec  compress.Compression
		dict   bool
	}{
		{"digits", uint8s(500, 784, func(i int) uint8 { return uint8(max(0, i%300-200)) }), compress.Codecs.Zstd, true},
		{"noise", uint8s(500, 784, func(int) uint8 { return uint8(r.Uint32()) }), compress.Codecs.Uncompressed, true},
		{"few", uint8s(3, 5, func(i int) uint8 { return uint8(200 + i) }), compress.Codecs.Uncompressed, false},
		{"codes", floats(func() float32 { return r.Float32() }), compress.Codecs.Uncompressed, false},
		{"sparse codes", floats(func() float32 {
			if r.IntN(20) > 0 {
				return 0
			}
			return r.Float32()
		}), compress.Codecs.Zstd, false},
	} {
		data := written(t, arrow.Field{Name: "v", Type: c.column.DataType()}, c.column, 0, 1<<20)
		chunk := chunksOf(t, data)[0][0]
		if chunk.Compression() != c.codec || chunk.HasDictionaryPage() != c.dict {
			t.Errorf("%s: %v, dictionary %v", c.name, chunk.Compression(), chunk.HasDictionaryPage())
		}
		if rows, err := ownRows(t, data); err != nil || !slices.Equal(rows, textsOf(c.column)) {
			t.Errorf("%s: %d rows read other than written, %v", c.name, len(rows), err)
		}
	}
}

// TestSameBytes writes with any number of cores, after other work of the
// compressor, and in other batches: the file is the same.
func TestSameBytes(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	g := &arrowtest.Maker{Rand: rand.New(rand.NewPCG(7, 8)), Mem: memory.DefaultAllocator}
	const m = 20_000
	typ := arrow.StructOf(
		arrow.Field{Name: "p", Type: arrow.FixedSizeListOf(100, arrow.PrimitiveTypes.Uint8)},
		arrow.Field{Name: "s", Type: arrow.BinaryTypes.String, Nullable: true},
		arrow.Field{Name: "x", Type: arrow.PrimitiveTypes.Float32},
		arrow.Field{Name: "b", Type: arrow.FixedWidthTypes.Boolean},
	)
	column := g.Piece(typ, m, nil)
	var want []byte
	for _, cores := range []int{1, 2, 5} {
		runtime.GOMAXPROCS(cores)
		for range 2 {
			got := written(t, arrow.Field{Name: "v", Type: typ}, column, 1<<20, m)
			if want == nil {
				want = got
			}
			if !bytes.Equal(got, want) {
				t.Fatalf("%d cores: another file", cores)
			}
		}
	}
}

// TestStatistics compares with what the values are.
func TestStatistics(t *testing.T) {
	mem := memory.DefaultAllocator
	for _, c := range []struct {
		typ       arrow.DataType
		json      string
		low, high any
	}{
		{arrow.PrimitiveTypes.Uint8, `[7,200,null,3]`, int32(3), int32(200)},
		{arrow.PrimitiveTypes.Int8, `[7,-100,null,3]`, int32(-100), int32(7)},
		{arrow.PrimitiveTypes.Uint16, `[7,65535,null,3]`, int32(3), int32(65535)},
		{arrow.PrimitiveTypes.Int32, `[-7,5,null,3]`, int32(-7), int32(5)},
		{arrow.PrimitiveTypes.Uint32, `[4294967295,5,null,3]`, int32(3), int32(-1)},
		{arrow.PrimitiveTypes.Int64, `[-7,5,null,3]`, int64(-7), int64(5)},
		{arrow.PrimitiveTypes.Uint64, `[18446744073709551615,5,null,3]`, int64(3), int64(-1)},
		{arrow.FixedWidthTypes.Boolean, `[true,false,null,true]`, byte(0), byte(1)},
		{arrow.BinaryTypes.String, `["b","abc",null,"é"]`, "abc", "é"},
	} {
		column, _, err := array.FromJSON(mem, c.typ, strings.NewReader(c.json))
		if err != nil {
			t.Fatal(err)
		}
		chunk := chunksOf(t, written(t, arrow.Field{Name: "v", Type: c.typ, Nullable: true}, column, 0, 10))[0][0]
		s, err := chunk.Statistics()
		if err != nil || s == nil {
			t.Fatalf("%s: no statistics: %v", c.typ, err)
		}
		if !s.HasMinMax() || s.NullCount() != 1 {
			t.Errorf("%s: no span, or %d nulls", c.typ, s.NullCount())
		}
		bytesOf := func(x any) []byte {
			if text, ok := x.(string); ok {
				return []byte(text)
			}
			b, err := binary.Append(nil, binary.LittleEndian, x)
			if err != nil {
				t.Fatal(err)
			}
			return b
		}
		if low, high := s.EncodeMin(), s.EncodeMax(); !bytes.Equal(low, bytesOf(c.low)) || !bytes.Equal(high, bytesOf(c.high)) {
			t.Errorf("%s: from %v to %v, want %v to %v", c.typ, low, high, c.low, c.high)
		}
	}
	long, _, err := array.FromJSON(mem, arrow.BinaryTypes.String, strings.NewReader(fmt.Sprintf("[%q]", strings.Repeat("x", 5000))))
	if err != nil {
		t.Fatal(err)
	}
	data := written(t, arrow.Field{Name: "v", Type: arrow.BinaryTypes.String}, long, 0, 10)
	if s, err := chunksOf(t, data)[0][0].Statistics(); err == nil && s != nil && s.HasMinMax() {
		t.Error("a text of 5,000 bytes is in the footer")
	}
}

// TestTextDictionary has one where texts repeat, and none where they differ.
func TestTextDictionary(t *testing.T) {
	for name, c := range map[string]struct {
		distinct int
		dict     bool
	}{"few": {1, true}, "some": {300, true}, "all differ": {1 << 20, false}} {
		b := array.NewStringBuilder(memory.DefaultAllocator)
		for i := range 5000 {
			b.Append(fmt.Sprint("text ", i%c.distinct))
		}
		column := b.NewArray()
		data := written(t, arrow.Field{Name: "v", Type: arrow.BinaryTypes.String}, column, 0, 5000)
		chunk := chunksOf(t, data)[0][0]
		if got := chunk.HasDictionaryPage(); got != c.dict {
			t.Errorf("%s: dictionary %v", name, got)
		}
		if got := slices.Contains(chunk.Encodings(), parquet.Encodings.RLEDict); got != c.dict {
			t.Errorf("%s: encodings %v", name, chunk.Encodings())
		}
		if _, rows, err := readBack(data, Parquet, memory.DefaultAllocator); err != nil || !slices.Equal(rows, textsOf(column)) {
			t.Errorf("%s: %d rows read other than written, %v", name, len(rows), err)
		}
	}
}

// A flipped bit in a page, of numbers or of anything else, is found by its
// checksum; one in its header is found, or changes nothing.
func TestChecksums(t *testing.T) {
	g := &arrowtest.Maker{Rand: rand.New(rand.NewPCG(9, 10)), Mem: memory.DefaultAllocator}
	typ := arrow.StructOf(
		arrow.Field{Name: "s", Type: arrow.BinaryTypes.String, Nullable: true},
		arrow.Field{Name: "l", Type: arrow.ListOf(arrow.BinaryTypes.Binary), Nullable: true},
		arrow.Field{Name: "b", Type: arrow.FixedWidthTypes.Boolean},
	)
	for _, typ := range []arrow.DataType{typ, arrow.FixedSizeListOf(5, arrow.PrimitiveTypes.Uint8), arrow.BinaryTypes.String} {
		column := g.Piece(typ, 40, nil)
		whole := written(t, arrow.Field{Name: "v", Type: typ, Nullable: true}, column, 0, 40)
		want := textsOf(column)
		end := len(whole) - 8 - int(binary.LittleEndian.Uint32(whole[len(whole)-8:]))
		found := 0
		for at := 4; at < end; at += 2 {
			b := bytes.Clone(whole)
			b[at] ^= 1 << (at % 8)
			rows, err := ownRows(t, b)
			switch {
			case err != nil && strings.Contains(err.Error(), "checksum"):
				found++
			case err == nil && !slices.Equal(rows, want):
				t.Errorf("%s: byte %d: other values, and no error", typ, at)
			}
		}
		if found < end/6 {
			t.Errorf("%s: of %d bytes, one in two, %d checksums are wrong", typ, end, found)
		}
	}
}

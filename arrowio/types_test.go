package arrowio_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/metadata"
	"github.com/apache/arrow-go/v18/parquet/schema"

	"github.com/aefeat/aefeat/arrowio"
)

// TestTypes copies columns that are more than what they are stored as.
func TestTypes(t *testing.T) {
	const json = "utf8" // and metadata
	for name, want := range map[string][]string{
		"pyarrow-types.parquet": {
			"id int64", "json " + json, "uuid extension<arrow.uuid>", "bool8 extension<arrow.bool8>", "time timestamp[ns]",
			"opaque extension<arrow.opaque[storage_type=int32, type_name=t, vendor_name=v]>",
			"struct struct<uuid: extension<arrow.uuid> nullable, json: " + json + " nullable, time: timestamp[ns] nullable>",
			"list list<element: " + json + ", nullable>", "map map<utf8, extension<arrow.bool8>, items_nullable>",
		},
		"duckdb-types.parquet": {
			"id int32", "json " + json, "uuid extension<arrow.uuid>", "variant extension<arrow.parquet.variant>",
			"geometry binary", "list list<element: " + json + ", nullable>", "interval fixed_size_binary[12]", "time time64[us]",
		},
	} {
		from := filepath.Join("testdata", name)
		types, rows := typesAndRows(t, from)
		if !slices.Equal(types, want) {
			t.Errorf("%s: %q", name, types)
		}
		if len(rows) != 40 {
			t.Errorf("%s: %d rows", name, len(rows))
		}
		for _, format := range formats {
			to := copyTo(t, from, format)
			if format != arrowio.Parquet {
				if types, _ := typesAndRows(t, to); !strings.Contains(types[1], "arrow.json") {
					t.Errorf("%s in %s: %s", name, format, types[1])
				}
				to = copyTo(t, to, arrowio.Parquet)
			}
			types, copied := typesAndRows(t, to)
			if !slices.Equal(types, want) {
				t.Errorf("%s in %s: %q", name, format, types)
			}
			sameRows(t, copied, rows)
			if got, want := logicalTypes(t, to), logicalTypes(t, from); !slices.Equal(got, want) {
				t.Errorf("%s in %s: logical types %q, expected %q", name, format, got, want)
			}
		}
	}
}

// TestLegacyLists reads lists of lists, of maps and of structs as Avro and old
// versions of Spark and Hive have them: without a level between.
func TestLegacyLists(t *testing.T) {
	src, err := arrowio.Open([]string{filepath.Join("testdata", "spark-legacy.parquet")}, arrowio.OpenOptions{Allocator: checked(t)})
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	var types []string
	for _, f := range src.Schema().Fields() {
		types = append(types, f.Type.String())
	}
	want := []string{
		"list<array: list<array: int32>>", "list<array: map<utf8, int32, items_nullable>>", "list<array: list<array: list<array: int32>>>",
		"list<array: struct<a: int32 nullable>, nullable>", "list<array: list<array: int32, nullable>, nullable>",
	}
	if !slices.Equal(types, want) {
		t.Errorf("types %q", types)
	}
	rows, _ := readRows(t, src, nil)
	if len(rows) != 40 {
		t.Fatalf("%d rows", len(rows))
	}
	for i, row := range rows {
		maps, deep := fmt.Sprintf(`[[{"key":"k","value":%d}],[]]`, i), fmt.Sprintf("[[[%d],[]],[]]", i)
		if i%3 == 0 {
			maps = "(null)"
		}
		if i%4 == 0 {
			deep = "(null)"
		}
		want := fmt.Sprintf(`image=[[%d,1,2],[3,4,%d]] maps=%s deep=%s records=[{"a":%d},{"a":null}] nulls=[[%d,null],null] `, i, i, maps, deep, i, i)
		if row != want {
			t.Errorf("row %d is\n%s\nexpected\n%s", i, row, want)
		}
	}
	for column, want := range map[string]string{"image": "image=[[39,1,2],[3,4,39]] ", "maps": "maps=(null) ", "deep": "deep=[[[39],[]],[]] "} {
		if rows, _ := readRows(t, src, []string{column}); len(rows) != 40 || rows[39] != want {
			t.Errorf("%s alone: %d rows, the last is %s", column, len(rows), rows[len(rows)-1])
		}
	}
}

// TestCategories copies dictionaries of polars, which reads those in lists by
// the type of their indexes, and enumerations by their metadata.
func TestCategories(t *testing.T) {
	read := func(name string) []string {
		t.Helper()
		src, err := arrowio.Open([]string{name}, arrowio.OpenOptions{Allocator: checked(t)})
		if err != nil {
			t.Fatal(err)
		}
		defer src.Close()
		for i, want := range []struct{ index, key string }{{"uint32", "_PL_CATEGORICAL2"}, {"uint8", "_PL_ENUM_VALUES2"}, {"uint32", "_PL_CATEGORICAL2"}, {"uint8", "_PL_ENUM_VALUES2"}} {
			f := src.Schema().Field(i)
			if list, ok := f.Type.(arrow.ListLikeType); ok {
				f = list.ElemField()
			}
			if index := f.Type.(*arrow.DictionaryType).IndexType.String(); index != want.index || f.Metadata.FindKey(want.key) < 0 {
				t.Errorf("%s: column %d has indexes of %s and metadata %v", name, i, index, f.Metadata)
			}
		}
		rows, _ := readRows(t, src, nil)
		return rows
	}
	from := filepath.Join("testdata", "polars-categories.parquet")
	rows := read(from)
	for _, format := range []arrowio.Format{arrowio.Parquet, arrowio.Stream} {
		to := copyTo(t, from, format)
		sameRows(t, read(to), rows)
		sameRows(t, read(copyTo(t, to, arrowio.Parquet)), rows)
	}
}

// typesAndRows reads a file whose metadata is a: b.
func typesAndRows(t *testing.T, name string) (types, rows []string) {
	t.Helper()
	src, err := arrowio.Open([]string{name}, arrowio.OpenOptions{Allocator: checked(t)})
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	if v, _ := src.Schema().Metadata().GetValue("a"); v != "b" {
		t.Errorf("%s: metadata %v", name, src.Schema().Metadata())
	}
	for _, f := range src.Schema().Fields() {
		if keys := slices.Sorted(slices.Values(f.Metadata.Keys())); len(slices.Compact(slices.Clone(keys))) < len(keys) {
			t.Errorf("%s: column %s has metadata %v", name, f.Name, f.Metadata)
		}
		types = append(types, f.Name+" "+f.Type.String())
	}
	rows, _ = readRows(t, src, nil)
	return types, rows
}

func copyTo(t *testing.T, name string, format arrowio.Format) string {
	t.Helper()
	src, err := arrowio.Open([]string{name}, arrowio.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	r, err := src.Reader(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Release()
	to := filepath.Join(t.TempDir(), "copy")
	w, err := arrowio.Create(to, src.Schema(), arrowio.WriteOptions{Format: format})
	if err != nil {
		t.Fatal(err)
	}
	for r.Next() {
		if err := w.Write(r.RecordBatch()); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(r.Err(), w.Close()); err != nil {
		t.Fatal(err)
	}
	return to
}

// logicalTypes returns the logical types of columns and groups that no Arrow
// type but an extension stands for.
func logicalTypes(t *testing.T, name string) []string {
	t.Helper()
	f, err := file.OpenParquetFile(name, false)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var out []string
	var walk func(n schema.Node)
	walk = func(n schema.Node) {
		switch n.LogicalType().(type) {
		case schema.NoLogicalType, schema.ListLogicalType, schema.IntLogicalType, schema.StringLogicalType, schema.TimestampLogicalType, *schema.TimestampLogicalType:
		default:
			out = append(out, n.Path()+" "+n.LogicalType().String()+" "+n.ConvertedType().String())
		}
		if g, ok := n.(*schema.GroupNode); ok {
			for i := range g.NumFields() {
				walk(g.Field(i))
			}
		}
	}
	walk(f.MetaData().Schema.Root())
	return out
}

// TestKeptTypes copies columns of types that Arrow does not have.
func TestKeptTypes(t *testing.T) {
	node := func(name string, of schema.LogicalType, physical parquet.Type) schema.Node {
		return schema.Must(schema.NewPrimitiveNodeLogical(name, parquet.Repetitions.Optional, of, physical, 0, -1))
	}
	root := schema.MustGroup(schema.NewGroupNode("schema", parquet.Repetitions.Required, schema.FieldList{
		node("enum", schema.EnumLogicalType{}, parquet.Types.ByteArray),
		node("bson", schema.BSONLogicalType{}, parquet.Types.ByteArray),
		node("ms", schema.NewTimeLogicalType(true, schema.TimeUnitMillis), parquet.Types.Int32),
		node("us", schema.NewTimeLogicalType(true, schema.TimeUnitMicros), parquet.Types.Int64),
		node("ns", schema.NewTimeLogicalType(true, schema.TimeUnitNanos), parquet.Types.Int64),
		node("local", schema.NewTimeLogicalType(false, schema.TimeUnitNanos), parquet.Types.Int64),
	}, -1))
	name := filepath.Join(t.TempDir(), "kept")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := file.NewParquetWriter(f, root).Close(); err != nil {
		t.Fatal(err)
	}
	want := logicalTypes(t, name)
	if len(want) != 6 {
		t.Fatal(want)
	}
	for _, format := range formats {
		to := copyTo(t, copyTo(t, name, format), arrowio.Parquet)
		if got := logicalTypes(t, to); !slices.Equal(got, want) {
			t.Errorf("%s: %q, expected %q", format, got, want)
		}
	}
}

// TestGeometry writes columns of shapes as GeoArrow names them.
func TestGeometry(t *testing.T) {
	for value, want := range map[string]string{
		"":                           `Geometry(crs=srid:0)`,
		`{"crs":null}`:               `Geometry(crs=srid:0)`,
		`{"crs":"OGC:CRS84"}`:        `Geometry`,
		`{"crs":"EPSG:3857"}`:        `Geometry(crs=EPSG:3857)`,
		`{"crs":{"type":"PROJCRS"}}`: `Geometry(crs={"type":"PROJCRS"})`,
		`{"crs":"OGC:CRS84","edges":"spherical"}`: `Geography(crs=OGC:CRS84, algorithm=spherical)`,
		`{"crs":"X","edges":"karney"}`:            `Geography(crs=X, algorithm=karney)`,
		`{"edges":"bent"}`:                        `None`,
		`{`:                                       `None`,
	} {
		meta := arrow.NewMetadata([]string{"ARROW:extension:name", "ARROW:extension:metadata"}, []string{"geoarrow.wkb", value})
		name := filepath.Join(t.TempDir(), "g")
		of := arrow.NewSchema([]arrow.Field{{Name: "g", Type: arrow.BinaryTypes.Binary, Metadata: meta}}, nil)
		w, err := arrowio.Create(name, of, arrowio.WriteOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		f, err := file.OpenParquetFile(name, false)
		if err != nil {
			t.Fatal(err)
		}
		if got := f.MetaData().Schema.Column(0).LogicalType().String(); got != want {
			t.Errorf("%s: %s, expected %s", value, got, want)
		}
		f.Close()
		// The stored schema counts, be it read from the file or made anew.
		src, err := arrowio.Open([]string{name}, arrowio.OpenOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := src.Schema().Field(0).Metadata.GetValue("ARROW:extension:metadata"); got != value {
			t.Errorf("%s: read as %s", value, got)
		}
		src.Close()
	}
}

// TestInt96 reads timestamps without a zone, and names those that nanoseconds
// cannot tell. Those of Spark are microseconds.
func TestInt96(t *testing.T) {
	const epoch, day = 2440588, 24 * 60 * 60 * 1_000_000_000
	for _, c := range []struct {
		days        uint32
		nanoseconds uint64
		spark       bool
		want        string
	}{
		{epoch, 1, false, "1970-01-01T00:00:00.000000001"},
		{epoch - 1, day - 1, false, "1969-12-31T23:59:59.999999999"},
		{epoch + 106751, 85636854775807, false, "2262-04-11T23:47:16.854775807"},
		{epoch + 106751, 85636854775808, false, "years 1677 to 2262"},
		{epoch - 106752, 763145224192, false, "1677-09-21T00:12:43.145224192"},
		{epoch - 106752, 763145224191, false, "years 1677 to 2262"},
		{0, 0, false, "years 1677 to 2262"},
		{1<<32 - 1, 0, false, "years 1677 to 2262"},
		{epoch, day, false, "86400000000000 ns of the day"},
		{epoch, 1<<64 - 1, false, "ns of the day"},
		{epoch + 383531, 123456000, true, "3020-01-28T00:00:00.123456"},
		{epoch - 719162, 0, true, "0001-01-01T00:00:00"},
		{epoch, 1001, true, "no whole microsecond"},
	} {
		var v parquet.Int96
		binary.LittleEndian.PutUint64(v[:], c.nanoseconds)
		binary.LittleEndian.PutUint32(v[8:], c.days)
		for _, dictionary := range []bool{false, true} {
			data := int96File(t, v, c.spark, dictionary)
			src, err := arrowio.OpenReaderAt(bytes.NewReader(data), int64(len(data)), "x", arrowio.OpenOptions{})
			if err != nil {
				t.Fatal(err)
			}
			want := "timestamp[ns]"
			if c.spark {
				want = "timestamp[us]"
			}
			if typ := src.Schema().Field(0).Type.String(); typ != want {
				t.Errorf("%s, expected %s", typ, want)
			}
			r, err := src.Reader(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			for r.Next() {
				a := r.RecordBatch().Column(0)
				if a.Len() != 3 || !a.IsNull(1) || a.ValueStr(0) != a.ValueStr(2) {
					t.Errorf("%v", a)
				}
				got = a.ValueStr(0)
			}
			if err := r.Err(); err != nil {
				got = err.Error()
			}
			if !strings.Contains(got, c.want) || strings.Contains(c.want, "years") && strings.Contains(got, "damaged") {
				t.Errorf("day %d, %d ns: %s, expected %s", c.days, c.nanoseconds, got, c.want)
			}
			r.Release()
			src.Close()
		}
	}
}

// int96File returns a Parquet file of a column with v, null and v.
func int96File(t *testing.T, v parquet.Int96, spark, dictionary bool) []byte {
	t.Helper()
	root := schema.MustGroup(schema.NewGroupNode("schema", parquet.Repetitions.Required, schema.FieldList{
		schema.NewInt96Node("t", parquet.Repetitions.Optional, -1)}, -1))
	props := []parquet.WriterProperty{parquet.WithDictionaryDefault(dictionary)}
	var meta metadata.KeyValueMetadata
	if spark {
		props = append(props, parquet.WithCreatedBy("parquet-mr version 1.13.1 (build 0)"))
		if err := meta.Append("org.apache.spark.version", "3.5.1"); err != nil {
			t.Fatal(err)
		}
	}
	var b bytes.Buffer
	w := file.NewParquetWriter(&b, root, file.WithWriterProps(parquet.NewWriterProperties(props...)), file.WithWriteMetadata(meta))
	group, err := w.AppendRowGroupChecked()
	if err != nil {
		t.Fatal(err)
	}
	column, err := group.NextColumn()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := column.(*file.Int96ColumnChunkWriter).WriteBatch([]parquet.Int96{v, v}, []int16{1, 0, 1}, nil); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestLargeTextDictionary writes categories as pandas 3 has them.
func TestLargeTextDictionary(t *testing.T) {
	typ := &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int8, ValueType: arrow.BinaryTypes.LargeString, Ordered: true}
	words := array.NewLargeStringBuilder(memory.DefaultAllocator)
	words.AppendValues([]string{"blue", "red"}, nil)
	at := array.NewInt8Builder(memory.DefaultAllocator)
	at.AppendValues([]int8{1, 0}, []bool{true, false})
	column := array.NewDictionaryArray(typ, at.NewArray(), words.NewArray())
	of := arrow.NewSchema([]arrow.Field{{Name: "c", Type: typ, Nullable: true}}, nil)
	rec := array.NewRecordBatch(of, []arrow.Array{column}, 2)
	name := filepath.Join(t.TempDir(), "c")
	w, err := arrowio.Create(name, rec.Schema(), arrowio.WriteOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(w.Write(rec), w.Close()); err != nil {
		t.Fatal(err)
	}
	src, err := arrowio.Open([]string{name}, arrowio.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	if got := src.Schema().Field(0).Type.String(); got != "dictionary<values=utf8, indices=int32, ordered=true>" {
		t.Error(got)
	}
	rows, _ := readRows(t, src, nil)
	sameRows(t, rows, []string{"c=red ", "c=(null) "})
}

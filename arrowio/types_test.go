package arrowio_test

import (
	"bytes"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/schema"

	"github.com/aefeat/aefeat/arrowio"
)

// TestTypes copies columns that are more than what they are stored as.
func TestTypes(t *testing.T) {
	const json = "extension<arrow.json[storage_type=utf8]>"
	for name, want := range map[string][]string{
		"pyarrow-types.parquet": {
			"id int64", "json " + json, "uuid extension<arrow.uuid>", "bool8 extension<arrow.bool8>", "time timestamp[ns]",
			"opaque extension<arrow.opaque[storage_type=int32, type_name=t, vendor_name=v]>",
			"struct struct<uuid: extension<arrow.uuid> nullable, json: " + json + " nullable, time: timestamp[ns] nullable>",
			"list list<element: " + json + ", nullable>", "map map<utf8, extension<arrow.bool8>, items_nullable>",
		},
		"duckdb-types.parquet": {
			"id int32", "json " + json, "uuid extension<arrow.uuid>", "variant extension<arrow.parquet.variant>",
			"geometry binary", "list list<element: " + json + ", nullable>",
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
			types, copied := typesAndRows(t, to)
			if !slices.Equal(types, want) {
				t.Errorf("%s in %s: %q", name, format, types)
			}
			sameRows(t, copied, rows)
			if format != arrowio.Parquet {
				continue
			}
			if got, want := logicalTypes(t, to), logicalTypes(t, from); !slices.Equal(got, want) {
				t.Errorf("%s: logical types %q, expected %q", name, got, want)
			}
		}
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
		case schema.JSONLogicalType, schema.UUIDLogicalType, schema.VariantLogicalType, schema.GeometryLogicalType, *schema.GeometryLogicalType:
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
// cannot tell.
func TestInt96(t *testing.T) {
	for _, c := range []struct {
		days uint32 // of Julius Caesar; 1970 begins on 2440588
		want string
	}{
		{2440588, "1970-01-01"},
		{2440588 + 106751, "2262-04-11"},
		{2440588 + 106752, "years 1677 to 2262"},
		{1, "years 1677 to 2262"},
	} {
		root := schema.MustGroup(schema.NewGroupNode("schema", parquet.Repetitions.Required, schema.FieldList{
			schema.NewInt96Node("t", parquet.Repetitions.Required, -1)}, -1))
		var b bytes.Buffer
		w := file.NewParquetWriter(&b, root)
		column, err := w.AppendRowGroup().NextColumn()
		if err != nil {
			t.Fatal(err)
		}
		var v parquet.Int96
		v[8], v[9], v[10] = byte(c.days), byte(c.days>>8), byte(c.days>>16)
		clear(v[:8])
		if _, err := column.(*file.Int96ColumnChunkWriter).WriteBatch([]parquet.Int96{v}, nil, nil); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		src, err := arrowio.OpenReaderAt(bytes.NewReader(b.Bytes()), int64(b.Len()), "x", arrowio.OpenOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if typ := src.Schema().Field(0).Type.String(); typ != "timestamp[ns]" {
			t.Error(typ)
		}
		r, err := src.Reader(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		var got string
		if r.Next() {
			got = r.RecordBatch().Column(0).ValueStr(0)
		} else {
			got = r.Err().Error()
		}
		if !strings.Contains(got, c.want) || strings.Contains(got, "damaged") {
			t.Errorf("%d: %s, expected %s", c.days, got, c.want)
		}
		r.Release()
		src.Close()
	}
}

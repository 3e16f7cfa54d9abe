// Command roundtrip writes files of every form that package arrowio writes,
// with the values that they hold beside them as JSON, for roundtrip.py to read
// with pyarrow and DuckDB.
package main

import (
	"encoding/base64"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strings"

	"github.com/aefeat/aefeat/arrowio"
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

const rows = 1000

// A form is a type and the value of every row: what JSON holds, bytes as
// base64, nil for null.
type form struct {
	name     string
	typ      arrow.DataType
	value    func(i int) any
	metadata arrow.Metadata
	want     string // pyarrow's name of the type that Parquet gives back
	required bool
}

func main() {
	log.SetFlags(0)
	folder := flag.String("o", "", "folder to write to")
	flag.Parse()
	if *folder == "" {
		log.Fatal("roundtrip: -o FOLDER is missing")
	}
	for _, f := range forms() {
		// Batches of every size, zero among them; row groups of about 100 rows
		// and of all.
		for _, batch := range []int{7, 64, rows} {
			if err := f.write(*folder, batch); err != nil {
				log.Fatalf("roundtrip: %s: %v", f.name, err)
			}
		}
	}
	for _, format := range []arrowio.Format{arrowio.Parquet, arrowio.Arrow, arrowio.Stream} {
		if err := abort(filepath.Join(*folder, "aborted."+string(format)), format); err != nil {
			log.Fatalf("roundtrip: %v", err)
		}
	}
}

// write writes a form in every format. Every batch is a slice out of the middle
// of a longer array.
func (f form) write(folder string, batch int) error {
	values := make([]any, rows)
	for i := range values {
		values[i] = f.value(i)
	}
	field := arrow.Field{Name: "v", Type: f.typ, Nullable: !f.required, Metadata: f.metadata}
	schema := arrow.NewSchema([]arrow.Field{{Name: "row", Type: arrow.PrimitiveTypes.Int64}, field}, nil)
	for _, format := range []arrowio.Format{arrowio.Parquet, arrowio.Arrow, arrowio.Stream} {
		name := filepath.Join(folder, fmt.Sprintf("%s.%d.%s", f.name, batch, format))
		limit := int64(0)
		if batch == 64 {
			limit = 4096
		}
		w, err := arrowio.Create(name, schema, arrowio.WriteOptions{Format: format, RowGroupBytes: limit})
		if err != nil {
			return err
		}
		for lo := 0; lo < rows; lo += batch {
			hi := min(lo+batch, rows)
			for _, span := range [][2]int{{lo, lo}, {lo, hi}} {
				if err := f.writeSlice(w, schema, values, span[0], span[1]); err != nil {
					w.Abort()
					return err
				}
			}
		}
		if err := w.Close(); err != nil {
			return err
		}
	}
	info, err := json.Marshal(map[string]any{"values": values, "type": f.want})
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(folder, f.name+".json"), info, 0o666)
}

func (f form) writeSlice(w *arrowio.Writer, schema *arrow.Schema, values []any, lo, hi int) error {
	const margin = 3
	from, to := max(lo-margin, 0), min(hi+margin, len(values))
	text, err := json.Marshal(values[from:to])
	if err != nil {
		return err
	}
	whole, _, err := array.FromJSON(memory.DefaultAllocator, f.typ, strings.NewReader(string(text)))
	if err != nil {
		return err
	}
	defer whole.Release()
	part := array.NewSlice(whole, int64(lo-from), int64(hi-from))
	defer part.Release()
	b := array.NewInt64Builder(memory.DefaultAllocator)
	defer b.Release()
	for i := lo; i < hi; i++ {
		b.Append(int64(i))
	}
	row := b.NewArray()
	defer row.Release()
	rec := array.NewRecordBatch(schema, []arrow.Array{row, part}, int64(hi-lo))
	defer rec.Release()
	return w.Write(rec)
}

// abort writes some rows to a file that cannot be taken back, as standard
// output cannot, and gives up.
func abort(name string, format arrowio.Format) error {
	out, err := os.Create(name)
	if err != nil {
		return err
	}
	defer out.Close()
	schema := arrow.NewSchema([]arrow.Field{{Name: "row", Type: arrow.PrimitiveTypes.Int64}}, nil)
	w, err := arrowio.Create("-", schema, arrowio.WriteOptions{Format: format, Stdout: out, RowGroupBytes: 64})
	if err != nil {
		return err
	}
	b := array.NewInt64Builder(memory.DefaultAllocator)
	defer b.Release()
	for i := range rows {
		b.Append(int64(i))
	}
	row := b.NewArray()
	defer row.Release()
	rec := array.NewRecordBatch(schema, []arrow.Array{row}, rows)
	defer rec.Release()
	if err := w.Write(rec); err != nil {
		return err
	}
	return w.Abort()
}

// every gives null now and then, else what value gives.
func every(value func(i int) any) func(i int) any {
	return func(i int) any {
		if i%7 == 3 {
			return nil
		}
		return value(i)
	}
}

func list(n int, value func(i, e int) any) func(i int) any {
	return func(i int) any {
		out := make([]any, n)
		for e := range out {
			out[e] = value(i, e)
		}
		return out
	}
}

func small(i, e int) any { return (i*31 + e*7) % 120 }

func raw(n int) func(i int) any {
	return func(i int) any {
		b := make([]byte, n)
		for e := range b {
			b[e] = byte(i*31 + e*7)
		}
		return base64.StdEncoding.EncodeToString(b)
	}
}

func text(i int) any { return fmt.Sprintf("text %d", i%50) }

func forms() []form {
	var out []form
	names := map[arrow.Type]string{
		arrow.UINT8: "uint8", arrow.UINT16: "uint16", arrow.UINT32: "uint32", arrow.UINT64: "uint64", arrow.INT8: "int8", arrow.INT16: "int16",
		arrow.INT32: "int32", arrow.INT64: "int64", arrow.FLOAT16: "halffloat", arrow.FLOAT32: "float", arrow.FLOAT64: "double",
	}
	for _, t := range []arrow.DataType{
		arrow.PrimitiveTypes.Uint8, arrow.PrimitiveTypes.Uint16, arrow.PrimitiveTypes.Uint32, arrow.PrimitiveTypes.Uint64,
		arrow.PrimitiveTypes.Int8, arrow.PrimitiveTypes.Int16, arrow.PrimitiveTypes.Int32, arrow.PrimitiveTypes.Int64,
		arrow.FixedWidthTypes.Float16, arrow.PrimitiveTypes.Float32, arrow.PrimitiveTypes.Float64,
	} {
		n := names[t.ID()]
		out = append(out,
			form{name: "scalar_" + n, typ: t, value: every(func(i int) any { return small(i, 0) }), want: n},
			form{name: "required_" + n, typ: t, value: func(i int) any { return small(i, 0) }, want: n, required: true},
			form{name: "fixed_" + n, typ: arrow.FixedSizeListOf(6, t), value: every(list(6, small)), want: fmt.Sprintf("fixed_size_list<element: %s>[6]", n)},
			form{name: "fixed_required_" + n, typ: arrow.FixedSizeListOfNonNullable(6, t), value: list(6, small), want: fmt.Sprintf("fixed_size_list<element: %s not null>[6]", n), required: true},
			form{name: "list_" + n, typ: arrow.ListOf(t), value: every(func(i int) any { return list(i%4, small)(i) }), want: fmt.Sprintf("list<element: %s>", n)},
			form{name: "large_" + n, typ: arrow.LargeListOf(t), value: every(func(i int) any { return list(i%4, small)(i) }), want: fmt.Sprintf("large_list<element: %s>", n)},
		)
	}
	u8 := arrow.PrimitiveTypes.Uint8
	pixels := arrow.FixedSizeListOf(4, u8)
	tensor := arrow.NewMetadata([]string{"ARROW:extension:name", "ARROW:extension:metadata"}, []string{"arrow.fixed_shape_tensor", `{"shape":[2,3]}`})
	return append(out,
		form{name: "fixed_null_elements", typ: pixels, value: every(list(4, func(i, e int) any {
			if (i+e)%5 == 0 {
				return nil
			}
			return small(i, e)
		})), want: "fixed_size_list<element: uint8>[4]"},
		form{name: "rows_of_pixels", typ: arrow.FixedSizeListOf(3, pixels), value: every(list(3, func(i, r int) any { return list(4, small)(i + r) })), want: "fixed_size_list<element: fixed_size_list<element: uint8>[4]>[3]"},
		form{name: "list_of_fixed", typ: arrow.ListOf(pixels), value: every(func(i int) any { return list(i%3, func(i, r int) any { return list(4, small)(i + r) })(i) }), want: "list<element: fixed_size_list<element: uint8>[4]>"},
		form{name: "struct_of_fixed", typ: arrow.StructOf(arrow.Field{Name: "p", Type: pixels, Nullable: true}, arrow.Field{Name: "h", Type: arrow.PrimitiveTypes.Int32, Nullable: true}),
			value: every(func(i int) any { return map[string]any{"p": every(list(4, small))(i + 1), "h": i} }), want: "struct<p: fixed_size_list<element: uint8>[4], h: int32>"},
		form{name: "list_of_structs", typ: arrow.ListOf(arrow.StructOf(arrow.Field{Name: "x", Type: arrow.PrimitiveTypes.Float64, Nullable: true})),
			value: every(func(i int) any { return list(i%3, func(i, e int) any { return map[string]any{"x": small(i, e)} })(i) }), want: "list<element: struct<x: double>>"},
		form{name: "tensor", typ: arrow.FixedSizeListOf(6, arrow.PrimitiveTypes.Float32), value: list(6, small), metadata: tensor, want: "extension<arrow.fixed_shape_tensor[value_type=float, shape=[2,3]]>"},
		form{name: "map", typ: arrow.MapOf(arrow.BinaryTypes.String, arrow.PrimitiveTypes.Int32), value: every(func(i int) any {
			return []any{map[string]any{"key": "a", "value": i}, map[string]any{"key": "b", "value": nil}}
		}), want: "map<string, int32 ('v')>"},
		form{name: "bool", typ: arrow.FixedWidthTypes.Boolean, value: every(func(i int) any { return i%3 == 0 }), want: "bool"},
		form{name: "string", typ: arrow.BinaryTypes.String, value: every(text), want: "string"},
		form{name: "large_string", typ: arrow.BinaryTypes.LargeString, value: every(text), want: "large_string"},
		form{name: "dictionary", typ: &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int16, ValueType: arrow.BinaryTypes.String}, value: every(text), want: "dictionary<values=string, indices=int32, ordered=0>"},
		form{name: "binary", typ: arrow.BinaryTypes.Binary, value: every(raw(9)), want: "binary"},
		form{name: "fixed_binary", typ: &arrow.FixedSizeBinaryType{ByteWidth: 9}, value: every(raw(9)), want: "fixed_size_binary[9]"},
		form{name: "date32", typ: arrow.FixedWidthTypes.Date32, value: every(func(i int) any { return fmt.Sprintf("20%02d-03-04", i%100) }), want: "date32[day]"},
		form{name: "timestamp_s", typ: &arrow.TimestampType{Unit: arrow.Second}, value: every(func(i int) any { return fmt.Sprintf("2024-01-02 03:04:%02d", i%60) }), want: "timestamp[ms]"},
		form{name: "timestamp_zone", typ: &arrow.TimestampType{Unit: arrow.Microsecond, TimeZone: "Europe/Berlin"}, value: every(func(i int) any { return fmt.Sprintf("2024-01-02 03:04:%02dZ", i%60) }), want: "timestamp[us, tz=Europe/Berlin]"},
		form{name: "decimal", typ: &arrow.Decimal128Type{Precision: 12, Scale: 2}, value: every(func(i int) any { return fmt.Sprintf("%d.25", i-500) }), want: "decimal128(12, 2)"},
		form{name: "duration", typ: arrow.FixedWidthTypes.Duration_us, value: every(func(i int) any { return fmt.Sprintf("%dus", i*1001) }), want: "duration[us]"},
		form{name: "null", typ: arrow.Null, value: func(int) any { return nil }, want: "null"},
	)
}

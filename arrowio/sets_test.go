package arrowio_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/aefeat/aefeat/arrowio"
)

// writeJSON writes rows, given as a JSON array, in a format.
func writeJSON(t testing.TB, path string, format arrowio.Format, rows string, fields ...arrow.Field) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	schema := arrow.NewSchema(fields, nil)
	rec, _, err := array.RecordFromJSON(memory.DefaultAllocator, schema, strings.NewReader(rows))
	if err != nil {
		t.Fatal(err)
	}
	defer rec.Release()
	w, err := arrowio.Create(path, schema, arrowio.WriteOptions{Format: format})
	if err == nil {
		err = w.Write(rec)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// rowsOf opens inputs and returns a text for each row of some columns.
func rowsOf(t testing.TB, o arrowio.OpenOptions, columns []string, inputs ...string) []string {
	t.Helper()
	o.Allocator = checked(t)
	src, err := arrowio.Open(inputs, o)
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	rows, _ := readRows(t, src, columns)
	return rows
}

// fieldOf returns a nullable field.
func fieldOf(name string, t arrow.DataType) arrow.Field {
	return arrow.Field{Name: name, Type: t, Nullable: true}
}

// TestHive compares with pyarrow.dataset: see testdata/sets.py.
func TestHive(t *testing.T) {
	want, err := os.ReadFile("testdata/sets/hive.json")
	if err != nil {
		t.Fatal(err)
	}
	src, err := arrowio.Open([]string{"testdata/sets/hive"}, arrowio.OpenOptions{Allocator: checked(t)})
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	s := src.Schema()
	if s.NumFields() != 3 || s.Field(1).Name != "label" || s.Field(1).Type.ID() != arrow.INT64 || s.Field(2).Name != "split" || s.Field(2).Type.ID() != arrow.STRING {
		t.Fatal(s)
	}
	if !slices.Equal(src.Keys(), []string{"label", "split"}) || len(src.Missing()) > 0 {
		t.Error(src.Keys(), src.Missing())
	}
	r, err := src.Reader(context.Background(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Release()
	type row struct {
		X     int
		Label *int64
		Split *string
	}
	var got, expected []row
	for r.Next() {
		b, err := r.RecordBatch().MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		var rows []row
		if err := json.Unmarshal(b, &rows); err != nil {
			t.Fatal(err)
		}
		got = append(got, rows...)
	}
	if r.Err() != nil {
		t.Fatal(r.Err())
	}
	if err := json.Unmarshal(want, &expected); err != nil {
		t.Fatal(err)
	}
	for _, rows := range [][]row{got, expected} {
		slices.SortFunc(rows, func(a, b row) int { return a.X - b.X })
	}
	if !reflect.DeepEqual(got, expected) {
		a, _ := json.Marshal(got)
		t.Errorf("%s\nexpected\n%s", a, want)
	}
}

func TestHiveColumns(t *testing.T) {
	for _, format := range formats {
		dir := t.TempDir()
		x := fieldOf("x", arrow.PrimitiveTypes.Int32)
		writeJSON(t, filepath.Join(dir, "k=1/a"), format, `[{"x": 1}, {"x": 2}]`, x)
		writeJSON(t, filepath.Join(dir, "k=2/b"), format, `[{"x": 3}]`, x)
		writeJSON(t, filepath.Join(dir, "c"), format, `[{"x": 4}]`, x)
		a, b := filepath.Join(dir, "k=1/a"), filepath.Join(dir, "k=2/b")
		for _, c := range []struct {
			o       arrowio.OpenOptions
			columns []string
			inputs  []string
			want    string
		}{
			{columns: nil, inputs: []string{dir}, want: "x=4 k=(null) |x=1 k=1 |x=2 k=1 |x=3 k=2 "},
			{columns: []string{"k"}, inputs: []string{dir}, want: "k=(null) |k=1 |k=1 |k=2 "},
			{columns: []string{"x"}, inputs: []string{dir}, want: "x=4 |x=1 |x=2 |x=3 "},
			{columns: []string{}, inputs: []string{dir}, want: "|||"},
			{columns: nil, inputs: []string{b, a}, want: "x=3 k=2 |x=1 k=1 |x=2 k=1 "}, // files that are named
			{columns: nil, inputs: []string{filepath.Join(dir, "k=*")}, want: "x=1 k=1 |x=2 k=1 |x=3 k=2 "},
			{columns: nil, inputs: []string{filepath.Dir(a)}, want: "x=1 k=1 |x=2 k=1 "},
			{o: arrowio.OpenOptions{NoHive: true}, inputs: []string{dir}, want: "x=4 |x=1 |x=2 |x=3 "},
			{o: arrowio.OpenOptions{BatchRows: 1}, inputs: []string{a}, want: "x=1 k=1 |x=2 k=1 "},
		} {
			if got := strings.Join(rowsOf(t, c.o, c.columns, c.inputs...), "|"); got != c.want {
				t.Errorf("%s: %q of %q: %q, expected %q", format, c.columns, c.inputs, got, c.want)
			}
		}
	}
}

// TestHiveOwn has files with a column of their own that a path tells, too.
func TestHiveOwn(t *testing.T) {
	dir := t.TempDir()
	x := fieldOf("x", arrow.PrimitiveTypes.Int32)
	own := func(t arrow.DataType) arrow.Field { return fieldOf("k", t) }
	write := func(name, rows string, fields ...arrow.Field) string {
		return writeJSON(t, filepath.Join(dir, name), arrowio.Stream, rows, fields...)
	}
	int8s := write("k=1/a", `[{"x": 1, "k": 5}]`, x, own(arrow.PrimitiveTypes.Int8))
	int64s := write("k=1/b", `[{"x": 2, "k": 6}]`, x, own(arrow.PrimitiveTypes.Int64))
	without := write("k=7/c", `[{"x": 3}]`, x)
	for _, c := range []struct {
		inputs []string
		want   string
	}{
		{[]string{int8s}, "x=1 k=5 "},
		{[]string{int64s, without}, "x=2 k=6 |x=3 k=7 "},
		{[]string{without, int64s}, "x=3 k=7 |x=2 k=6 "},
	} {
		if got := strings.Join(rowsOf(t, arrowio.OpenOptions{}, nil, c.inputs...), "|"); got != c.want {
			t.Errorf("%q, expected %q", got, c.want)
		}
	}
	for _, c := range []struct {
		inputs     []string
		file, want string
	}{
		{[]string{int8s, without}, without, fmt.Sprintf(`differs from %s: column "k" is int64, by its path, expected int8`, int8s)},
		{[]string{int64s, write("k=z/d", `[{"x": 3}]`, x)}, filepath.Join(dir, "k=z/d"), `column "k" is utf8, by its path`},
		{[]string{write("k=\xff/e", `[{"x": 3}]`, x)}, filepath.Join(dir, "k=\xff/e"), `not UTF-8`},
	} {
		_, err := arrowio.Open(c.inputs, arrowio.OpenOptions{})
		var at *arrowio.FileError
		if !errors.As(err, &at) || at.File != c.file || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, expected %q", err, c.want)
		}
	}
}

// TestByName has columns in another order, and columns that some files lack.
func TestByName(t *testing.T) {
	for _, format := range formats {
		dir := t.TempDir()
		a, b, c := fieldOf("a", arrow.PrimitiveTypes.Int32), fieldOf("b", arrow.BinaryTypes.String), fieldOf("c", arrow.FixedSizeListOf(2, arrow.PrimitiveTypes.Uint8))
		a.Nullable = false
		first := writeJSON(t, filepath.Join(dir, "1"), format, `[{"a": 1, "b": "x"}]`, a, b)
		second := writeJSON(t, filepath.Join(dir, "2"), format, `[{"c": [1, 2], "b": "y", "a": 2}]`, c, b, a)
		third := writeJSON(t, filepath.Join(dir, "3"), format, `[{"c": [3, 4]}, {"c": [5, 6]}]`, c)
		for _, x := range []struct {
			columns []string
			want    string
		}{
			{nil, "a=1 b=x c=(null) |a=2 b=y c=[1,2] |a=(null) b=(null) c=[3,4] |a=(null) b=(null) c=[5,6] "},
			{[]string{"c", "a"}, "a=1 c=(null) |a=2 c=[1,2] |a=(null) c=[3,4] |a=(null) c=[5,6] "},
			{[]string{"b"}, "b=x |b=y |b=(null) |b=(null) "},
		} {
			if got := strings.Join(rowsOf(t, arrowio.OpenOptions{}, x.columns, dir), "|"); got != x.want {
				t.Errorf("%s: %q, expected %q", format, got, x.want)
			}
		}
		src, err := arrowio.Open([]string{first, second, third}, arrowio.OpenOptions{Allocator: checked(t)})
		if err != nil {
			t.Fatal(err)
		}
		defer src.Close()
		want := []arrowio.Missing{{"a", 1, third}, {"b", 1, third}, {"c", 1, first}}
		if !slices.Equal(src.Missing(), want) {
			t.Errorf("missing %v, expected %v", src.Missing(), want)
		}
		for i := range src.Schema().NumFields() {
			if !src.Schema().Field(i).Nullable {
				t.Errorf("%s", src.Schema())
			}
			err := src.Require([][]int{{i}})
			var at *arrowio.FileError
			if !errors.As(err, &at) || at.File != want[i].First || !strings.Contains(err.Error(), fmt.Sprintf("column %q is missing", want[i].Column)) {
				t.Error(err)
			}
		}
	}
}

// TestTypesMerge has columns whose types differ, but can be brought together.
func TestTypesMerge(t *testing.T) {
	pair := func(names ...string) arrow.DataType {
		fields := map[string]arrow.Field{"p": fieldOf("p", arrow.ListOf(arrow.PrimitiveTypes.Int8)), "w": fieldOf("w", arrow.PrimitiveTypes.Int32)}
		return arrow.StructOf(fields[names[0]], fields[names[1]])
	}
	num, str := arrow.PrimitiveTypes.Int32, arrow.BinaryTypes.String
	for _, c := range []struct {
		a, b, want arrow.DataType
		x, y, rows string
	}{
		{num, arrow.Null, num, `1`, `null`, "1 (null)"},
		{arrow.Null, str, str, `null`, `"s"`, "(null) s"},
		{arrow.ListOf(num), arrow.ListOf(arrow.Null), arrow.ListOf(num), `[1]`, `[null, null]`, "[1] [null,null]"},
		{arrow.ListOf(arrow.Null), arrow.ListOf(num), arrow.ListOf(num), `[]`, `[2, 3]`, "[] [2,3]"},
		{str, arrow.BinaryTypes.LargeString, arrow.BinaryTypes.LargeString, `"long"`, `"longer"`, "long longer"},
		{arrow.BinaryTypes.LargeString, str, arrow.BinaryTypes.LargeString, `"long"`, `"longer"`, "long longer"},
		{arrow.ListOf(num), arrow.LargeListOf(num), arrow.LargeListOf(num), `[1, 2]`, `[3]`, "[1,2] [3]"},
		{arrow.ListOf(str), arrow.LargeListOf(arrow.BinaryTypes.LargeString), arrow.LargeListOf(arrow.BinaryTypes.LargeString), `["a", "b"]`, `["c"]`, `["a","b"] ["c"]`},
		{arrow.LargeListOf(str), arrow.ListOf(arrow.BinaryTypes.LargeString), arrow.LargeListOf(arrow.BinaryTypes.LargeString), `["a", "b"]`, `["c"]`, `["a","b"] ["c"]`},
		{arrow.FixedSizeListOf(2, num), arrow.ListOf(num), arrow.ListOf(num), `[1, 2]`, `[3]`, "[1,2] [3]"},
		{arrow.ListOf(num), arrow.FixedSizeListOf(2, num), arrow.ListOf(num), `null`, `[1, 2]`, "(null) [1,2]"},
		{arrow.ListOf(num), arrow.FixedSizeListOf(2, num), arrow.ListOf(num), `[5]`, `null`, "[5] (null)"},
		{arrow.FixedSizeListOf(1, arrow.FixedSizeListOf(2, str)), arrow.LargeListOf(arrow.ListOf(str)), arrow.LargeListOf(arrow.ListOf(str)), `[["a", "b"]]`, `[[], ["c"]]`, `[["a","b"]] [[],["c"]]`},
		{pair("p", "w"), pair("w", "p"), pair("p", "w"), `{"p": [1], "w": 2}`, `{"p": [3], "w": 4}`, `{"p":[1],"w":2} {"p":[3],"w":4}`},
	} {
		dir := t.TempDir()
		for _, format := range []arrowio.Format{arrowio.Arrow, arrowio.Stream} { // Parquet has no null type
			first := writeJSON(t, filepath.Join(dir, "1"), format, `[{"v": `+c.x+`}]`, fieldOf("v", c.a))
			second := writeJSON(t, filepath.Join(dir, "2"), format, `[{"v": `+c.y+`}]`, fieldOf("v", c.b))
			src, err := arrowio.Open([]string{first, second}, arrowio.OpenOptions{Allocator: checked(t)})
			if err != nil {
				t.Errorf("%s and %s: %v", c.a, c.b, err)
				continue
			}
			rows, _ := readRows(t, src, nil)
			src.Close()
			want := strings.Fields(c.rows)
			if got := src.Schema().Field(0).Type; !arrow.TypeEqual(got, c.want) || len(rows) != 2 || rows[0] != "v="+want[0]+" " || rows[1] != "v="+want[1]+" " {
				t.Errorf("%s and %s: %s %q, expected %s %q", c.a, c.b, got, rows, c.want, c.rows)
			}
		}
	}
}

// TestStructsByName projects a field that is elsewhere in the second file.
func TestStructsByName(t *testing.T) {
	for _, format := range formats {
		dir := t.TempDir()
		p, w, h := fieldOf("p", arrow.ListOf(arrow.PrimitiveTypes.Int8)), fieldOf("w", arrow.PrimitiveTypes.Int32), fieldOf("h", arrow.PrimitiveTypes.Int32)
		writeJSON(t, filepath.Join(dir, "1"), format, `[{"s": {"p": [1], "w": 2, "h": 3}}]`, fieldOf("s", arrow.StructOf(p, w, h)))
		writeJSON(t, filepath.Join(dir, "2"), format, `[{"n": 0, "s": {"h": 6, "p": [4], "w": 5}}]`, fieldOf("n", arrow.PrimitiveTypes.Int32), fieldOf("s", arrow.StructOf(h, p, w)))
		for columns, want := range map[string]string{
			"s":       `s={"h":3,"p":[1],"w":2} |s={"h":6,"p":[4],"w":5} `,
			"s.w":     `s={"w":2} |s={"w":5} `,
			"s.h s.p": `s={"h":3,"p":[1]} |s={"h":6,"p":[4]} `,
		} {
			if got := strings.Join(rowsOf(t, arrowio.OpenOptions{}, strings.Fields(columns), dir), "|"); got != want {
				t.Errorf("%s %s: %s, expected %s", format, columns, got, want)
			}
		}
	}
}

// TestWideNulls has a column that one file lacks, and nulls of which would take
// any amount of memory.
func TestWideNulls(t *testing.T) {
	dir := t.TempDir()
	writeJSON(t, filepath.Join(dir, "1"), arrowio.Stream, `[]`, fieldOf("a", arrow.FixedSizeListOf(1<<30, arrow.PrimitiveTypes.Int64)))
	writeJSON(t, filepath.Join(dir, "2"), arrowio.Stream, `[{"b": 1}]`, fieldOf("b", arrow.PrimitiveTypes.Int8))
	src, err := arrowio.Open([]string{dir}, arrowio.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	r, err := src.Reader(context.Background(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Release()
	for r.Next() {
	}
	if err := r.Err(); err == nil || !strings.Contains(err.Error(), "memory") {
		t.Fatal(err)
	}
}

func TestForeignFiles(t *testing.T) {
	dir := t.TempDir()
	write := func(name, data string) string {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	// As datasets.save_to_disk and Spark leave them.
	for i, format := range []arrowio.Format{arrowio.Stream, arrowio.Arrow, arrowio.Parquet} {
		writeJSON(t, filepath.Join(dir, "good", fmt.Sprintf("data-%05d-of-00003.arrow", i)), format, fmt.Sprintf(`[{"a": %d}]`, i), fieldOf("a", arrow.PrimitiveTypes.Int32))
	}
	writeJSON(t, filepath.Join(dir, "good", "part-no-rows.parquet"), arrowio.Parquet, `[]`, fieldOf("a", arrow.PrimitiveTypes.Int32))
	foreign := []string{
		write("good/README.md", "# Data"), write("good/dataset_info.json", `{"features": {}}`), write("good/empty.parquet", ""),
		write("good/state.json", "{\n}"), write("good/sub/short", "PA\n"),
	}
	write("good/_SUCCESS", "")
	write("good/.part-0.parquet.crc", "crc\x00")
	good := filepath.Join(dir, "good")
	src, err := arrowio.Open([]string{good}, arrowio.OpenOptions{Allocator: checked(t)})
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	rows, _ := readRows(t, src, nil)
	if !slices.Equal(src.Passed(), foreign) || len(rows) != 3 || rows[2] != "a=2 " {
		t.Errorf("passed over %q, rows %q", src.Passed(), rows)
	}
	if file, at, ok := src.Locate(2); !ok || at != 0 || filepath.Base(file) != "data-00002-of-00003.arrow" {
		t.Error(file, at, ok)
	}

	write("bad/damaged.parquet", "PAR1 and no footer at all")
	write("none/readme.txt", "nothing")
	for _, c := range []struct {
		input, file, want string
		foreign           bool
	}{
		{foreign[0], foreign[0], "neither Parquet nor Arrow", true},
		{foreign[2], foreign[2], "empty input", true},
		{filepath.Join(good, "*.json"), foreign[1], "neither Parquet nor Arrow", true}, // a pattern names
		{filepath.Join(dir, "bad"), filepath.Join(dir, "bad/damaged.parquet"), "truncated or damaged Parquet file", false},
		{filepath.Join(dir, "none"), filepath.Join(dir, "none"), "no file in this folder is Parquet or Arrow", false},
	} {
		_, err := arrowio.Open([]string{good, c.input}, arrowio.OpenOptions{})
		var at *arrowio.FileError
		if !errors.As(err, &at) || at.File != c.file || !strings.Contains(err.Error(), c.want) || errors.Is(err, arrowio.ErrForeign) != c.foreign {
			t.Errorf("%s: %v, expected %q", c.input, err, c.want)
		}
	}
}

// TestManyFiles reads more files than may be open at once.
func TestManyFiles(t *testing.T) {
	dir := t.TempDir()
	var want []string
	for i := range 300 {
		writeJSON(t, filepath.Join(dir, fmt.Sprint(i)), formats[i%3], fmt.Sprintf(`[{"a": %d}]`, i), fieldOf("a", arrow.PrimitiveTypes.Int32))
		want = append(want, fmt.Sprintf("a=%d ", i))
	}
	src, err := arrowio.Open([]string{dir}, arrowio.OpenOptions{Allocator: checked(t)})
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	before := openFiles()
	var group sync.WaitGroup
	for range 3 {
		group.Go(func() {
			r, err := src.Reader(context.Background(), nil)
			if err != nil {
				t.Error(err)
				return
			}
			defer r.Release()
			var got []string
			for r.Next() {
				got = append(got, texts(r.RecordBatch())...)
			}
			if r.Err() != nil || !slices.Equal(got, want) {
				t.Errorf("%d rows, %v", len(got), r.Err())
			}
			if now := openFiles(); now > before+10 {
				t.Errorf("%d files are open, %d were before", now, before)
			}
		})
	}
	group.Wait()
}

// openFiles returns how many files the process has open, where that is known.
func openFiles() int {
	if runtime.GOOS != "linux" {
		return 0
	}
	open, _ := os.ReadDir("/proc/self/fd")
	return len(open)
}

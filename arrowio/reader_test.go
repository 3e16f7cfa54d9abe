package arrowio_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/aefeat/aefeat/arrowio"
	"github.com/aefeat/aefeat/patch"
)

var formats = []arrowio.Format{arrowio.Parquet, arrowio.Arrow, arrowio.Stream}

// writeSample writes rows first to first+n of the sample, batch rows at a time.
func writeSample(t testing.TB, name string, format arrowio.Format, first, n, batch int, groupBytes int64) {
	t.Helper()
	w, err := arrowio.Create(name, sampleSchema, arrowio.WriteOptions{Format: format, RowGroupBytes: groupBytes})
	if err != nil {
		t.Fatal(err)
	}
	for at := first; at < first+n; at += batch {
		rec := sampleRows(memory.DefaultAllocator, at, min(batch, first+n-at))
		err := w.Write(rec)
		rec.Release()
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

// checked returns an allocator that has to be empty when the test ends.
func checked(t testing.TB) memory.Allocator {
	mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
	t.Cleanup(func() { mem.AssertSize(t, 0) })
	return mem
}

// readRows reads columns of src and returns a text for each row, and the sizes
// of the batches.
func readRows(t testing.TB, src *arrowio.Source, columns []string) ([]string, []int64) {
	t.Helper()
	paths, err := patch.Paths(src.Schema(), columns)
	if err != nil {
		t.Fatal(err)
	}
	r, err := src.Reader(context.Background(), paths)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Release()
	var rows []string
	var batches []int64
	for r.Next() {
		rec := r.RecordBatch()
		if !rec.Schema().Equal(r.Schema()) {
			t.Fatalf("batch of schema %s, expected %s", rec.Schema(), r.Schema())
		}
		batches = append(batches, rec.NumRows())
		rows = append(rows, texts(rec)...)
	}
	if err := r.Err(); err != nil {
		t.Fatal(err)
	}
	return rows, batches
}

func texts(rec arrow.RecordBatch) []string {
	rows := make([]string, rec.NumRows())
	for i := range rows {
		var b strings.Builder
		for j, c := range rec.Columns() {
			fmt.Fprintf(&b, "%s=%s ", rec.ColumnName(j), text(c, i))
		}
		rows[i] = b.String()
	}
	return rows
}

// text does not tell a dictionary from its values.
func text(a arrow.Array, i int) string {
	if ext, ok := a.(array.ExtensionArray); ok {
		a = ext.Storage() // not every one has texts
	}
	if d, ok := a.(*array.Dictionary); ok && !a.IsNull(i) {
		return d.Dictionary().ValueStr(d.GetValueIndex(i))
	}
	return a.ValueStr(i)
}

func sampleTexts(first, n int) []string {
	rec := sampleRows(memory.DefaultAllocator, first, n)
	defer rec.Release()
	return texts(rec)
}

func sameRows(t testing.TB, got, want []string) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d rows, expected %d", len(got), len(want))
	}
	for i := range got {
		if got[i] != want[i] {
			t.Fatalf("row %d\n%s\nexpected\n%s", i, got[i], want[i])
		}
	}
}

func TestReadFormats(t *testing.T) {
	for _, format := range formats {
		for _, rows := range []int{0, 1, 1000} {
			for _, groupBytes := range []int64{0, 20_000} { // one row group, and many
				t.Run(fmt.Sprintf("%s/%d/%d", format, rows, groupBytes), func(t *testing.T) {
					name := filepath.Join(t.TempDir(), "a")
					writeSample(t, name, format, 0, rows, 300, groupBytes)
					for _, batchRows := range []int{0, 1000, 33, 7} {
						src, err := arrowio.Open([]string{name}, arrowio.OpenOptions{BatchRows: batchRows, Allocator: checked(t)})
						if err != nil {
							t.Fatal(err)
						}
						got, batches := readRows(t, src, nil)
						sameRows(t, got, sampleTexts(0, rows))
						for _, n := range batches {
							if format == arrowio.Parquet && batchRows > 0 && n > int64(batchRows) {
								t.Fatalf("batch of %d rows, at most %d wanted", n, batchRows)
							}
						}
						if n, known := src.NumRows(); known != (format != arrowio.Stream) || known && n != int64(rows) {
							t.Fatalf("NumRows %d %v", n, known)
						}
						src.Close()
					}
				})
			}
		}
	}
}

// TestReadOthers reads what pyarrow and DuckDB wrote: in every format and
// encoding the same values.
func TestReadOthers(t *testing.T) {
	files, err := filepath.Glob("testdata/*.[pa][ar]*")
	if err != nil || len(files) < 12 {
		t.Fatal(files, err)
	}
	want := map[string][]string{}
	for _, name := range files {
		mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
		src, err := arrowio.Open([]string{name}, arrowio.OpenOptions{Allocator: mem})
		if err != nil {
			t.Fatal(err)
		}
		for _, columns := range [][]string{{"id", "label", "name", "double"}, {"image", "deep", "struct", "structs"}} {
			if _, found := src.Schema().FieldsByName(columns[len(columns)-1]); !found {
				continue
			}
			got, _ := readRows(t, src, columns)
			key := strings.Join(columns, " ")
			if want[key] == nil {
				want[key] = got
			}
			sameRows(t, got, want[key])
			if len(got) != 40 {
				t.Errorf("%s: %d rows", name, len(got))
			}
		}
		src.Close()
		// The library's decoder of delta encodings forgets to release
		// its 64 bytes, which the garbage collector frees.
		if n := mem.CurrentAlloc(); n != 0 && !strings.Contains(name, "encodings") {
			t.Errorf("%s: %d bytes are left", name, n)
		}
	}
	if len(want) != 2 || !strings.HasPrefix(want["id label name double"][4], "id=4 label=4 name=name16 double=1.333") {
		t.Error(want)
	}
}

func TestPipes(t *testing.T) {
	for _, format := range formats {
		name := filepath.Join(t.TempDir(), "a")
		writeSample(t, name, format, 0, 500, 100, 0)
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, rewindable := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/%v", format, rewindable), func(t *testing.T) {
				spool := t.TempDir()
				pr, pw, err := os.Pipe()
				if err != nil {
					t.Fatal(err)
				}
				go func() { pw.Write(data); pw.Close() }()
				src, err := arrowio.Open(nil, arrowio.OpenOptions{Stdin: pr, SpoolDir: spool, Rewindable: rewindable, Allocator: checked(t)})
				if err != nil {
					t.Fatal(err)
				}
				defer src.Close()
				left, err := os.ReadDir(spool)
				if err != nil || len(left) > 0 {
					t.Fatalf("the spool file has a name: %v %v", left, err)
				}
				got, _ := readRows(t, src, nil)
				sameRows(t, got, sampleTexts(0, 500))
				again, err := src.Reader(context.Background(), nil)
				if once := format == arrowio.Stream && !rewindable; (err != nil) != once {
					t.Fatalf("second reader: %v", err)
				}
				if err == nil {
					again.Release()
					got, _ := readRows(t, src, []string{"label"})
					if len(got) != 500 {
						t.Fatal(len(got))
					}
				}
			})
		}
	}
}

func TestRedirected(t *testing.T) {
	for _, format := range formats {
		t.Run(string(format), func(t *testing.T) {
			// Something was read from the file before: it begins where it
			// stands.
			longer := filepath.Join(t.TempDir(), "b")
			data := payload(t, format, 500)
			if err := os.WriteFile(longer, append([]byte("before"), data...), 0o600); err != nil {
				t.Fatal(err)
			}
			f, err := os.Open(longer)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			if _, err := f.Seek(6, io.SeekStart); err != nil {
				t.Fatal(err)
			}
			o := arrowio.OpenOptions{Stdin: f, SpoolDir: "/nonexistent", Allocator: checked(t)}
			src, err := arrowio.Open([]string{"-"}, o)
			if err != nil {
				t.Fatal(err)
			}
			defer src.Close()
			for range 2 {
				got, _ := readRows(t, src, nil)
				sameRows(t, got, sampleTexts(0, 500))
			}
		})
	}
}

func TestSpoolFolder(t *testing.T) {
	name := filepath.Join(t.TempDir(), "a")
	writeSample(t, name, arrowio.Parquet, 0, 10, 10, 0)
	data, _ := os.ReadFile(name)
	_, err := arrowio.Open(nil, arrowio.OpenOptions{Stdin: bytes.NewReader(data), SpoolDir: "/nonexistent"})
	var spool *arrowio.SpoolError
	if !errors.As(err, &spool) || spool.Dir != "/nonexistent" {
		t.Fatal(err)
	}
	failing := errors.New("the line went dead")
	_, err = arrowio.Open(nil, arrowio.OpenOptions{Stdin: io.MultiReader(bytes.NewReader(data), failingReader{failing})})
	if !errors.Is(err, failing) || errors.As(err, &spool) {
		t.Fatal(err)
	}
}

type failingReader struct{ err error }

func (r failingReader) Read([]byte) (int, error) { return 0, r.err }

func TestPaths(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, first int) {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		writeSample(t, path, formats[first/10%2*2], first, 10, 10, 0) // Arrow files have no dictionaries
	}
	// Natural order of names; files of other formats among them.
	write("part-2.parquet", 0)
	write("part-9", 10)
	write("part-10.parquet", 20)
	write("year=9/a", 30)
	write("year=10/a", 40)
	write("z[1]", 50)
	for _, name := range []string{"_SUCCESS", ".part-1.crc", "_temporary/0"} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("no data"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		inputs string
		first  []int
	}{
		{".", []int{0, 10, 20, 30, 40, 50}},
		{"part-*", []int{0, 10, 20}},
		{"part-1?.parquet part-9", []int{20, 10}},
		{"year=*", []int{30, 40}},
		{"z[1]", []int{50}}, // a file of this name comes before a pattern
		{"part-2.parquet part-2.parquet", []int{0, 0}},
	} {
		var inputs []string
		for _, in := range strings.Fields(c.inputs) {
			inputs = append(inputs, filepath.Join(dir, in))
		}
		src, err := arrowio.Open(inputs, arrowio.OpenOptions{NoHive: true, Allocator: checked(t)})
		if err != nil {
			t.Fatal(err)
		}
		got, _ := readRows(t, src, nil)
		var want []string
		for _, first := range c.first {
			want = append(want, sampleTexts(first, 10)...)
		}
		sameRows(t, got, want)
		src.Close()
	}
}

func TestWrongPaths(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "empty-dir"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "_SUCCESS"), []byte("no data"), 0o600); err != nil {
		t.Fatal(err)
	}
	for in, want := range map[string]string{
		"missing":   "no such file",
		"missing*":  "no file has such a name",
		"_SUCCESS":  "neither Parquet nor Arrow",
		"[":         "syntax error",
		"empty-dir": "no files in this folder",
	} {
		name := filepath.Join(dir, in)
		_, err := arrowio.Open([]string{name}, arrowio.OpenOptions{})
		var at *arrowio.FileError
		if !errors.As(err, &at) || at.File != name || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, expected %q", in, err, want)
		}
	}
	if _, err := arrowio.Open([]string{"-", "-"}, arrowio.OpenOptions{Stdin: strings.NewReader("")}); err == nil || !strings.Contains(err.Error(), "twice") {
		t.Error(err)
	}
}

// writeEmpty writes a stream of one row of empty values.
func writeEmpty(t *testing.T, path string, fields ...arrow.Field) {
	t.Helper()
	schema := arrow.NewSchema(fields, nil)
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	defer b.Release()
	for i := range fields {
		b.Field(i).AppendEmptyValue()
	}
	rec := b.NewRecordBatch()
	defer rec.Release()
	w, err := arrowio.Create(path, schema, arrowio.WriteOptions{Format: arrowio.Stream})
	if err == nil {
		err = w.Write(rec)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestDisagreement(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, fields ...arrow.Field) string {
		path := filepath.Join(dir, name)
		writeEmpty(t, path, fields...)
		return path
	}
	a := arrow.Field{Name: "a", Type: arrow.PrimitiveTypes.Int32}
	list := arrow.Field{Name: "l", Type: arrow.ListOfField(arrow.Field{Name: "item", Type: arrow.PrimitiveTypes.Uint8, Nullable: true})}
	first := write("first", a, list)
	other := list
	other.Nullable = true
	other.Type = arrow.ListOfField(arrow.Field{Name: "element", Type: arrow.PrimitiveTypes.Uint8})
	wide := a
	wide.Type = arrow.PrimitiveTypes.Int64

	src, err := arrowio.Open([]string{first, write("same", a, other)}, arrowio.OpenOptions{Allocator: checked(t)})
	if err != nil {
		t.Fatal(err)
	}
	if f := src.Schema().Field(1); !f.Nullable || !f.Type.(*arrow.ListType).ElemField().Nullable {
		t.Errorf("schema %s", src.Schema())
	}
	if got, _ := readRows(t, src, nil); len(got) != 2 {
		t.Error(got)
	}
	src.Close()

	for want, second := range map[string]string{
		`column "a" is int64, expected int32`: write("wide", wide, list),
		`column "l" is int32, expected list`:  write("number", a, arrow.Field{Name: "l", Type: arrow.PrimitiveTypes.Int32}),
	} {
		_, err := arrowio.Open([]string{first, second}, arrowio.OpenOptions{})
		var at *arrowio.FileError
		if !errors.As(err, &at) || at.File != second || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), first) {
			t.Errorf("%v, expected %q", err, want)
		}
	}
}

func TestProjection(t *testing.T) {
	for _, format := range formats {
		name := filepath.Join(t.TempDir(), "a")
		writeSample(t, name, format, 0, 100, 40, 0)
		src, err := arrowio.Open([]string{name}, arrowio.OpenOptions{Allocator: checked(t)})
		if err != nil {
			t.Fatal(err)
		}
		defer src.Close()
		for _, c := range []struct {
			columns []string
			want    string // of row 2
		}{
			{[]string{"label"}, "label=2 "},
			{[]string{"name", "label"}, "label=2 name=row 2 "}, // in the order of the schema
			{[]string{"img.pixels"}, `img={"pixels":[0,2]} `},
			{[]string{"img.width", "label"}, `label=2 img={"width":2} `},
			{[]string{"img.width", "img.pixels"}, `img={"pixels":[0,2],"width":2} `},
			{[]string{"img.width", "img"}, `img={"pixels":[0,2],"width":2} `},
			{[]string{}, ""},
		} {
			got, _ := readRows(t, src, c.columns)
			if len(got) != 100 || got[2] != c.want {
				t.Errorf("%s %v: %d rows, %q, expected %q", format, c.columns, len(got), got[2], c.want)
			}
		}
		for _, path := range [][]int{{}, {-1}, {99}, {2, 0}, {5, 99}, {5, 0, 0}} {
			if _, err := src.Reader(context.Background(), [][]int{path}); err == nil {
				t.Errorf("path %v is taken", path)
			}
		}
	}
}

func TestLocate(t *testing.T) {
	dir := t.TempDir()
	var names []string
	for i, format := range []arrowio.Format{arrowio.Parquet, arrowio.Stream, arrowio.Stream} {
		names = append(names, filepath.Join(dir, fmt.Sprint(i)))
		writeSample(t, names[i], format, 0, 10*(i+1), 5, 0)
	}
	names = append(names, names[2]) // 10, 20, 30, 30 rows
	src, err := arrowio.Open(names, arrowio.OpenOptions{Allocator: checked(t)})
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	readRows(t, src, nil)
	for _, c := range []struct {
		row  int64
		file int
		want int64
	}{{0, 0, 0}, {9, 0, 9}, {10, 1, 0}, {29, 1, 19}, {30, 2, 0}, {59, 2, 29}, {60, 3, 0}, {89, 3, 29}} {
		file, at, ok := src.Locate(c.row)
		if !ok || file != names[c.file] || at != c.want {
			t.Errorf("row %d: %d of %s, %v, expected %d of %s", c.row, at, file, ok, c.want, names[c.file])
		}
	}
	for _, row := range []int64{-1, 90} {
		if file, _, ok := src.Locate(row); ok {
			t.Errorf("row %d is in %s", row, file)
		}
	}
}

func TestCancel(t *testing.T) {
	name := filepath.Join(t.TempDir(), "a")
	writeSample(t, name, arrowio.Parquet, 0, 100, 50, 0)
	src, err := arrowio.Open([]string{name}, arrowio.OpenOptions{BatchRows: 10, Allocator: checked(t)})
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	ctx, cancel := context.WithCancel(context.Background())
	r, err := src.Reader(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Release()
	if !r.Next() {
		t.Fatal(r.Err())
	}
	cancel()
	if r.Next() || !errors.Is(r.Err(), context.Canceled) {
		t.Fatal(r.Err())
	}
}

// TestRetain keeps batches longer than the reader, the source and the file.
func TestRetain(t *testing.T) {
	for _, format := range formats {
		name := filepath.Join(t.TempDir(), "a")
		writeSample(t, name, format, 0, 60, 20, 0)
		src, err := arrowio.Open([]string{name}, arrowio.OpenOptions{BatchRows: 20, Allocator: checked(t)})
		if err != nil {
			t.Fatal(err)
		}
		r, err := src.Reader(context.Background(), nil)
		if err != nil {
			t.Fatal(err)
		}
		var kept []arrow.RecordBatch
		for r.Next() {
			r.RecordBatch().Retain()
			kept = append(kept, r.RecordBatch())
		}
		r.Release()
		src.Close()
		var got []string
		for _, rec := range kept {
			got = append(got, texts(rec)...)
			rec.Release()
		}
		sameRows(t, got, sampleTexts(0, 60))
	}
}

func TestChangedFile(t *testing.T) {
	name := filepath.Join(t.TempDir(), "a")
	writeSample(t, name, arrowio.Parquet, 0, 10, 10, 0)
	src, err := arrowio.Open([]string{name}, arrowio.OpenOptions{Allocator: checked(t)})
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	writeSample(t, name, arrowio.Parquet, 0, 20, 10, 0)
	r, err := src.Reader(context.Background(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Release()
	var at *arrowio.FileError
	if r.Next() || !errors.As(r.Err(), &at) || !strings.Contains(r.Err().Error(), "changed") {
		t.Fatal(r.Err())
	}
}

func TestInspect(t *testing.T) {
	for _, format := range formats {
		name := filepath.Join(t.TempDir(), "a")
		writeSample(t, name, format, 0, 1000, 300, 0)
		info, err := arrowio.Inspect(name, arrowio.OpenOptions{})
		if err != nil {
			t.Fatal(err)
		}
		st, _ := os.Stat(name)
		if info.Format != format || info.Rows != 1000 || info.Size != st.Size() || info.Groups < 1 || info.LargestGroup < 300 || len(info.Compression) == 0 || info.Schema.NumFields() != sampleSchema.NumFields() {
			t.Errorf("%+v", info)
		}
		if info.Held < 1000 || info.Held > 1<<20 {
			t.Errorf("%s: holds %d bytes", format, info.Held)
		}
		data, _ := os.ReadFile(name)
		piped, err := arrowio.Inspect("-", arrowio.OpenOptions{Stdin: bytes.NewReader(data)})
		if err != nil || piped.Rows != 1000 || piped.Held != info.Held || piped.Name != "standard input" {
			t.Errorf("%+v %v", piped, err)
		}
	}
}

package imageset

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"image"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/aefeat/aefeat/arrowio"
	"github.com/aefeat/aefeat/imagery"
	"github.com/aefeat/aefeat/internal/disk"
)

// A column is a field and its values as JSON.
type column struct {
	name   string
	typ    arrow.DataType
	values string
	meta   map[string]string
}

// tableOf is the bytes of a file of columns.
func tableOf(t testing.TB, format arrowio.Format, schemaMeta map[string]string, columns ...column) []byte {
	t.Helper()
	var fields []arrow.Field
	var arrays []arrow.Array
	for _, c := range columns {
		a, _, err := array.FromJSON(memory.DefaultAllocator, c.typ, strings.NewReader(c.values))
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		fields = append(fields, arrow.Field{Name: c.name, Type: c.typ, Nullable: true, Metadata: arrow.MetadataFrom(c.meta)})
		arrays = append(arrays, a)
	}
	meta := arrow.MetadataFrom(schemaMeta)
	schema := arrow.NewSchema(fields, &meta)
	var b bytes.Buffer
	w, err := arrowio.NewWriter(&b, schema, arrowio.WriteOptions{Format: format})
	if err == nil {
		err = w.Write(array.NewRecordBatch(schema, arrays, int64(arrays[0].Len())))
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func quoted(data []byte) string { return `"` + base64.StdEncoding.EncodeToString(data) + `"` }

// Names of metadata.
const (
	extensionName     = "ARROW:extension:name"
	extensionMetadata = "ARROW:extension:metadata"
	fixedShapeTensor  = "arrow.fixed_shape_tensor"
)

var (
	imageStruct = arrow.StructOf(
		arrow.Field{Name: "bytes", Type: arrow.BinaryTypes.Binary, Nullable: true},
		arrow.Field{Name: "path", Type: arrow.BinaryTypes.String, Nullable: true})
	u8    = arrow.PrimitiveTypes.Uint8
	i64   = arrow.PrimitiveTypes.Int64
	lists = arrow.ListOf(arrow.ListOf(u8))
)

// A column of images as datasets of Hugging Face write it: bytes, or a path
// from the folder of the file; with its label and other columns.
func TestHuggingFace(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "pictures/p.png", greyPNG(t, 1, 2, 50))
	for _, format := range []arrowio.Format{arrowio.Parquet, arrowio.Arrow, arrowio.Stream} {
		data := tableOf(t, format, nil,
			column{name: "id", typ: arrow.BinaryTypes.String, values: `["x","y","z"]`},
			column{name: "image", typ: imageStruct, values: `[{"bytes":` + quoted(greyPNG(t, 1, 2, 5)) + `,"path":"no.png"},{"bytes":null,"path":"pictures/p.png"},null]`},
			column{name: "label", typ: i64, values: `[7,8,9]`})
		name := write(t, dir, string(format), data)
		base := filepath.Base(name)
		one, two := seen{base + "#0", "1x2", "[5 6]", ""}, seen{base + "#1", "1x2", "[50 51]", ""}

		got, s, err := readAll(t, []string{name}, Options{Skip: true})
		check(t, got, err, one, two)
		if s.Bad().Counts["null"] != 1 {
			t.Errorf("%s: bad %v", format, s.Bad())
		}
		if _, _, err := readAll(t, []string{name}, Options{}); err == nil || !strings.Contains(err.Error(), base+`: column "image": row 2: null image`) {
			t.Errorf("%s: null: %v", format, err)
		}
		one.extra, two.extra = "7 x no.png", "8 y pictures/p.png"
		got, s, err = readAll(t, []string{name}, Options{Skip: true, Label: Label{Column: "label"}, Keep: []string{"id", "image.path"}})
		check(t, got, err, one, two)
		if f := s.Extra(); f[0].Name != LabelName || f[1].Name != "id" || f[2].Name != "image.path" {
			t.Errorf("%s: columns %v", format, f)
		}
		one.extra, two.extra = "x 7", "y 8"
		got, _, err = readAll(t, []string{name}, Options{Skip: true, KeepAll: true, Column: "image"})
		check(t, got, err, one, two)
		one.extra, two.extra = "7 x", "8 y"
		got, _, err = readAll(t, []string{name}, Options{Skip: true, KeepAll: true, Label: Label{Column: "label"}})
		check(t, got, err, one, two)
	}
}

// Each way to hold an image in a row gives these pixels of two lines of three.
func TestCells(t *testing.T) {
	extension := func(name, metadata string) map[string]string {
		return map[string]string{extensionName: name, extensionMetadata: metadata}
	}
	want := seen{"t#0", "2x3", "[1 2 3 4 5 6]", ""}
	six := arrow.FixedSizeListOf(6, u8)
	colour := seen{"t#0", "1x2x3", "[1 2 3 4 5 6]", ""}
	hwc := imagery.Shape{Height: 1, Width: 2, Channels: 3}
	grey := imagery.Shape{Height: 2, Width: 3, Channels: 1}
	for name, c := range map[string]struct {
		column column
		schema map[string]string
		o      Options
		want   seen
	}{
		"tensor":           {column{typ: six, values: `[[1,2,3,4,5,6]]`, meta: extension(fixedShapeTensor, `{"shape":[2,3]}`)}, nil, Options{}, want},
		"tensor (h,w,1)":   {column{typ: six, values: `[[1,2,3,4,5,6]]`, meta: extension(fixedShapeTensor, `{"shape":[2,3,1]}`)}, nil, Options{}, want},
		"tensor (c,h,w)":   {column{typ: arrow.FixedSizeListOf(30, u8), values: `[[` + strings.Repeat("1,", 10) + strings.Repeat("2,", 10) + strings.Repeat("3,", 9) + `3]]`, meta: extension(fixedShapeTensor, `{"shape":[3,2,5]}`)}, nil, Options{}, seen{"t#0", "2x5x3", fmt.Sprint(bytes.Repeat([]byte{1, 2, 3}, 10)), ""}},
		"names":            {column{typ: six, values: `[[1,4,2,5,3,6]]`, meta: extension(fixedShapeTensor, `{"shape":[3,1,2],"dim_names":["C","H","W"]}`)}, nil, Options{}, colour},
		"permutation":      {column{typ: six, values: `[[1,4,2,5,3,6]]`, meta: extension(fixedShapeTensor, `{"shape":[3,1,2],"permutation":[1,2,0]}`)}, nil, Options{}, colour},
		"turned":           {column{typ: six, values: `[[1,4,2,5,3,6]]`, meta: extension(fixedShapeTensor, `{"shape":[3,2],"permutation":[1,0]}`)}, nil, Options{}, want},
		"Array2D":          {column{typ: lists, values: `[[[1,2,3],[4,5,6]]]`, meta: extension("datasets.features.features.Array2DExtensionType", `[[2, 3], "uint8"]`)}, nil, Options{}, want},
		"Array3D":          {column{typ: arrow.ListOf(lists), values: `[[[[1,2,3],[4,5,6]]]]`, meta: extension("datasets.features.features.Array3DExtensionType", `[[1, 2, 3], "uint8"]`)}, nil, Options{}, colour},
		"huggingface":      {column{typ: lists, values: `[[[1,2,3],[4,5,6]]]`}, map[string]string{"huggingface": `{"info":{"features":{"image":{"shape":[2,3],"dtype":"uint8","_type":"Array2D"}}}}`}, Options{}, want},
		"nested":           {column{typ: lists, values: `[[[1,2,3],[4,5,6]]]`}, nil, Options{}, want},
		"nested fixed":     {column{typ: arrow.FixedSizeListOf(2, arrow.FixedSizeListOf(3, i64)), values: `[[[1,2,3],[4,5,6]]]`}, nil, Options{}, want},
		"list":             {column{typ: arrow.ListOf(arrow.PrimitiveTypes.Float64), values: `[[1,2,3,4,5,6]]`}, nil, Options{Shape: grey}, want},
		"list in colour":   {column{typ: six, values: `[[1,2,3,4,5,6]]`}, nil, Options{Shape: hwc}, colour},
		"raw bytes":        {column{typ: arrow.BinaryTypes.LargeBinary, values: `[` + quoted([]byte{1, 2, 3, 4, 5, 6}) + `]`}, nil, Options{Shape: grey}, want},
		"fixed bytes":      {column{typ: &arrow.FixedSizeBinaryType{ByteWidth: 6}, values: `[` + quoted([]byte{1, 2, 3, 4, 5, 6}) + `]`}, nil, Options{Shape: hwc}, colour},
		"npy":              {column{typ: arrow.BinaryTypes.Binary, values: `[` + quoted(npyFile(1, "|u1", false, "2, 3", []byte{1, 2, 3, 4, 5, 6})) + `]`}, nil, Options{}, want},
		"npy flat":         {column{typ: arrow.BinaryTypes.Binary, values: `[` + quoted(npyFile(1, "|u1", false, "6,", []byte{1, 2, 3, 4, 5, 6})) + `]`}, nil, Options{Shape: grey}, want},
		"npy of one":       {column{typ: arrow.BinaryTypes.Binary, values: `[` + quoted(npyFile(1, "|u1", false, "1, 1, 2, 3", []byte{1, 2, 3, 4, 5, 6})) + `]`}, nil, Options{}, colour},
		"encoded":          {column{typ: arrow.BinaryTypes.Binary, values: `[` + quoted(greyPNG(t, 2, 3, 1)) + `]`}, nil, Options{}, want},
		"struct of arrays": {column{typ: imageStruct, values: `[{"bytes":` + quoted(npyFile(2, "|u1", false, "2, 3", []byte{1, 2, 3, 4, 5, 6})) + `,"path":null}]`}, nil, Options{}, want},
	} {
		t.Run(name, func(t *testing.T) {
			c.column.name = "image"
			path := write(t, t.TempDir(), "t", tableOf(t, arrowio.Arrow, c.schema, c.column))
			got, _, err := readAll(t, []string{path}, c.o)
			check(t, got, err, c.want)
			path = write(t, t.TempDir(), "t", tableOf(t, arrowio.Parquet, c.schema, c.column))
			got, _, err = readAll(t, []string{path}, c.o)
			check(t, got, err, c.want)
		})
	}
}

// A dataset has one column of images among others that might be.
func TestColumnChoice(t *testing.T) {
	png := quoted(greyPNG(t, 1, 2, 5))
	columns := []column{
		{name: "embedding", typ: arrow.FixedSizeListOf(2, arrow.PrimitiveTypes.Float32), values: `[[1,2]]`},
		{name: "picture", typ: arrow.BinaryTypes.Binary, values: `[` + png + `]`},
		{name: "hash", typ: &arrow.FixedSizeBinaryType{ByteWidth: 2}, values: `[` + quoted([]byte("ab")) + `]`},
		{name: "image", typ: imageStruct, values: `[{"bytes":` + png + `,"path":null}]`},
	}
	for n, want := range map[int]string{1: "without a shape", 2: "", 3: `"picture", "hash"`, 4: ""} {
		path := write(t, t.TempDir(), "t", tableOf(t, arrowio.Parquet, nil, columns[:n]...))
		got, _, err := readAll(t, []string{path}, Options{})
		if want == "" {
			check(t, got, err, seen{"t#0", "1x2", "[5 6]", ""})
		} else if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%d columns: %v, want %s", n, err, want)
		}
	}
	path := write(t, t.TempDir(), "t", tableOf(t, arrowio.Parquet, nil, columns...))
	got, _, err := readAll(t, []string{path}, Options{Column: "image.bytes", Keep: []string{"hash"}})
	if err != nil || len(got) != 1 || got[0].values != "[5 6]" {
		t.Errorf("a field: %v, %v", got, err)
	}
}

// What is no image is refused with the reason, and the setting that helps.
func TestCellErrors(t *testing.T) {
	tensor := func(metadata string) map[string]string {
		return map[string]string{extensionName: fixedShapeTensor, extensionMetadata: metadata}
	}
	six := arrow.FixedSizeListOf(6, u8)
	const values = `[[1,2,3,4,5,6]]`
	for name, c := range map[string]struct {
		columns []column
		o       Options
		want    string
	}{
		"no column":        {[]column{{name: "x", typ: i64, values: `[1]`}}, Options{}, "no column can hold images"},
		"several":          {[]column{{name: "x", typ: lists, values: `[[[1,2]]]`}, {name: "y", typ: lists, values: `[[[1,2]]]`}}, Options{}, `several columns could hold images: "x", "y"`},
		"named":            {[]column{{name: "x", typ: i64, values: `[1]`}}, Options{Column: "x"}, `column "x": int64 cannot hold images`},
		"not there":        {[]column{{name: "x", typ: six, values: values}}, Options{Column: "y"}, `column "y": no such column`},
		"label":            {[]column{{name: "x", typ: six, values: values}}, Options{Label: Label{Column: "y"}}, `column "y": no such column`},
		"no shape":         {[]column{{name: "x", typ: six, values: values}}, Options{}, "rows of numbers without a shape"},
		"another shape":    {[]column{{name: "x", typ: six, values: values}}, Options{Shape: imagery.Shape{Height: 2, Width: 2, Channels: 1}}, "rows of 6 values, expected 4"},
		"tensor of one":    {[]column{{name: "x", typ: six, values: values, meta: tensor(`{"shape":[6]}`)}}, Options{}, "without a shape"},
		"tensor of more":   {[]column{{name: "x", typ: six, values: values, meta: tensor(`{"shape":[2,4]}`)}}, Options{}, "without a shape"},
		"huge tensor":      {[]column{{name: "x", typ: six, values: values, meta: tensor(`{"shape":[4000000000,4000000000]}`)}}, Options{}, "without a shape"},
		"negative":         {[]column{{name: "x", typ: six, values: values, meta: tensor(`{"shape":[-2,-3]}`)}}, Options{}, "without a shape"},
		"no JSON":          {[]column{{name: "x", typ: six, values: values, meta: tensor(`{"shape":`)}}, Options{}, "without a shape"},
		"bad permutation":  {[]column{{name: "x", typ: six, values: values, meta: tensor(`{"shape":[2,3],"permutation":[1,1]}`)}}, Options{}, "without a shape"},
		"short":            {[]column{{name: "x", typ: six, values: values, meta: tensor(`{"shape":[2,3],"permutation":[1]}`)}}, Options{}, "without a shape"},
		"four dimensions":  {[]column{{name: "x", typ: six, values: values, meta: tensor(`{"shape":[1,2,3,1]}`)}}, Options{}, "without a shape"},
		"bytes":            {[]column{{name: "x", typ: arrow.BinaryTypes.Binary, values: `[` + quoted([]byte("words")) + `]`}}, Options{}, `column "x": row 0: imagery: neither PNG`},
		"no such path":     {[]column{{name: "x", typ: imageStruct, values: `[{"bytes":null,"path":"none.png"}]`}}, Options{}, "none.png: no such file"},
		"path of a folder": {[]column{{name: "x", typ: imageStruct, values: `[{"bytes":null,"path":"."}]`}}, Options{}, "no file"},
		"folder":           {[]column{{name: "x", typ: imageStruct, values: `[null]`}}, Options{Label: Label{Folder: true}}, "labels of Parquet and Arrow are in a column"},
		"NaN":              {[]column{{name: "x", typ: arrow.BinaryTypes.Binary, values: `[` + quoted(npyFile(1, "<f2", false, "1,1", []byte{0, 0x7e})) + `]`}}, Options{}, "NaN at element 0"},
	} {
		path := write(t, t.TempDir(), "t", tableOf(t, arrowio.Arrow, nil, c.columns...))
		_, _, err := readAll(t, []string{path}, c.o)
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: error %v, want %q and the file", name, err, c.want)
		}
	}
}

// Images of few bytes and many pixels are not decoded by the dozen at a time.
func TestInFlight(t *testing.T) {
	old := runtime.GOMAXPROCS(2)
	defer runtime.GOMAXPROCS(old)
	cell := quoted(encodePNG(t, image.NewGray(image.Rect(0, 0, 600, 600))))
	data := tableOf(t, arrowio.Stream, nil, column{"image", arrow.BinaryTypes.Binary, "[" + strings.Repeat(cell+",", 40) + cell + "]", nil})
	s, err := Open([]string{write(t, t.TempDir(), "flat.arrows", data)}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var decoded atomic.Int64
	most := int64(0)
	err = Run(context.Background(), s, func(*Image) (int, error) { decoded.Add(1); return 0, nil }, func(*Image, int) error {
		most = max(most, decoded.Load())
		decoded.Add(-1)
		return nil
	})
	if err != nil || most > 8 {
		t.Errorf("%d images at a time, %v", most, err)
	}
}

// An image that a cell names is not skipped where the output would replace it.
func TestOutputOverImage(t *testing.T) {
	dir := t.TempDir()
	picture := write(t, dir, "p.png", greyPNG(t, 1, 2, 5))
	name := write(t, dir, "t.arrow", tableOf(t, arrowio.Arrow, nil,
		column{"image", imageStruct, `[{"bytes":null,"path":"none.png"},{"bytes":null,"path":"p.png"}]`, nil}))
	_, _, err := readAll(t, []string{name}, Options{Skip: true, Output: picture})
	if err == nil || !strings.Contains(err.Error(), "row 1: "+picture+": the output would replace it") {
		t.Error(err)
	}
}

// An image that the system fails to give is not a bad one.
func TestNotSkipped(t *testing.T) {
	dir := t.TempDir()
	picture := write(t, dir, "p.png", greyPNG(t, 1, 2, 5))
	name := write(t, dir, "t.arrow", tableOf(t, arrowio.Arrow, nil,
		column{"image", imageStruct, `[{"bytes":null,"path":"none.png"},{"bytes":null,"path":"p.png"}]`, nil}))
	for _, op := range []string{"open", "read"} {
		defer disk.Inject(func(c disk.Call) (f disk.Fault) {
			if c.Op == op && c.Name == picture {
				f.Err = syscall.EMFILE
			}
			return f
		})()
		for _, input := range []string{picture, name} {
			got, _, err := readAll(t, []string{input}, Options{Skip: true})
			var at *arrowio.FileError
			if !errors.As(err, &at) || at.File != picture || !errors.Is(err, syscall.EMFILE) {
				t.Errorf("%s %s: %v, error %v", op, input, got, err)
			}
		}
	}
}

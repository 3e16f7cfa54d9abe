package patch

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/aefeat/aefeat/model"
)

const magicPNG = "\x89PNG\r\n\x1a\n"

// testImage is a file that testDecode decodes: value i of it is first+i.
func testImage(height, width, channels, first byte) []byte {
	return append([]byte(magicPNG), height, width, channels, first)
}

// testDecode does what a Decoder should.
func testDecode(file []byte, want model.Images) ([]uint8, model.Shape, error) {
	head, ok := bytes.CutPrefix(file, []byte(magicPNG))
	if !ok || len(head) != 4 {
		return nil, model.Shape{}, errors.New("no image")
	}
	s := model.Shape{Height: int(head[0]), Width: int(head[1]), Channels: int(head[2])}
	asked := want.Shape
	switch {
	case want.Resize:
		s.Height, s.Width = asked.Height, asked.Width
	case asked.Height > 0 && (s.Height != asked.Height || s.Width != asked.Width), s.Height > 100:
		s.Channels = 0
		return nil, s, nil
	}
	switch {
	case want.Grey:
		s.Channels = 1
	case asked.Channels == 1 && s.Channels == 3:
		return nil, s, nil
	case asked.Channels == 3:
		s.Channels = 3
	}
	pixels := make([]uint8, s.Len())
	for i := range pixels {
		pixels[i] = head[3] + uint8(i)
	}
	return pixels, s, nil
}

// structBatch is a batch of one column, a struct of bytes and path. A cell that
// is nil is null bytes.
func structBatch(cells [][]byte, paths []string) arrow.RecordBatch {
	t := arrow.StructOf(
		arrow.Field{Name: "bytes", Type: arrow.BinaryTypes.Binary, Nullable: true},
		arrow.Field{Name: "path", Type: arrow.BinaryTypes.String, Nullable: true})
	b := array.NewStructBuilder(memory.DefaultAllocator, t)
	for i, c := range cells {
		b.Append(true)
		b.FieldBuilder(0).(*array.BinaryBuilder).Append(c)
		if c == nil {
			b.FieldBuilder(0).(*array.BinaryBuilder).SetNull(i)
		}
		if paths == nil {
			b.FieldBuilder(1).AppendNull()
		} else {
			b.FieldBuilder(1).(*array.StringBuilder).Append(paths[i])
		}
	}
	return oneColumn(b.NewArray())
}

// Encoded images in cells are rows of their pixels, and bad ones have a reason.
func TestImages(t *testing.T) {
	mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
	defer mem.AssertSize(t, 0)
	shape := func(h, w, c int, order string) model.Shape {
		return model.Shape{Height: h, Width: w, Channels: c, Order: order}
	}
	grey, other, colour := testImage(1, 2, 1, 5), testImage(2, 2, 1, 0), testImage(1, 2, 3, 7)
	for name, c := range map[string]struct {
		cells   [][]byte
		o       BindOptions
		shape   string
		want    [][]float64
		skipped string // reasons, where rows are skipped
		err     string // where they are not
		hint    string
	}{
		"grey":           {[][]byte{grey, testImage(1, 2, 1, 8)}, BindOptions{}, "1x2", [][]float64{{5, 6}, {8, 9}}, "", "", ""},
		"colour":         {[][]byte{colour}, BindOptions{}, "1x2x3", [][]float64{{7, 8, 9, 10, 11, 12}}, "", "", ""},
		"made grey":      {[][]byte{colour, grey}, BindOptions{Images: model.Images{Grey: true}}, "1x2", [][]float64{{7, 8}, {5, 6}}, "", "", ""},
		"grey in colour": {[][]byte{colour, grey}, BindOptions{}, "1x2x3", [][]float64{{7, 8, 9, 10, 11, 12}, {5, 6, 7, 8, 9, 10}}, "", "", ""},
		"planes": {[][]byte{colour}, BindOptions{Images: model.Images{Shape: shape(1, 2, 3, "CHW")}}, "1x2x3,CHW",
			[][]float64{{7, 10, 8, 11, 9, 12}}, "", "", ""},
		"resized":         {[][]byte{grey, other}, BindOptions{Images: model.Images{Resize: true, Shape: shape(1, 3, 0, "")}}, "1x3", [][]float64{{5, 6, 7}, {0, 1, 2}}, "", "", ""},
		"width of colour": {[][]byte{grey}, BindOptions{Width: 6}, "1x2x3", [][]float64{{5, 6, 7, 8, 9, 10}}, "", "", ""},
		"after nulls":     {[][]byte{nil, {}, []byte("text"), grey}, BindOptions{}, "1x2", [][]float64{{5, 6}}, "null null unreadable", "row 0: null value", ""},
		"empty":           {[][]byte{grey, {}}, BindOptions{}, "1x2", [][]float64{{5, 6}}, "null", "row 1: no image: the cell is empty", ""},
		"text":            {[][]byte{grey, []byte("404")}, BindOptions{}, "1x2", [][]float64{{5, 6}}, "unreadable", "row 1: no image", "convert it to PNG, or leave bad rows out with `Skip`"},
		"another size":    {[][]byte{grey, other, grey}, BindOptions{}, "1x2", [][]float64{{5, 6}, {5, 6}}, "ragged", "row 1: image of 2 by 2 pixels (height by width), expected 1 by 2", "`Resize`"},
		"colour in grey":  {[][]byte{grey, colour}, BindOptions{}, "1x2", [][]float64{{5, 6}}, "ragged", "row 1: the image is in colour, expected grey", "`Grey`"},
		"another width":   {[][]byte{other, grey}, BindOptions{Width: 2}, "1x2", [][]float64{{5, 6}}, "ragged", "row 0: image of 2x2 pixels, expected 2 values", "`Resize`"},
		"width of grey":   {[][]byte{colour, grey}, BindOptions{Width: 2}, "1x2", [][]float64{{5, 6}}, "ragged", "row 0: image of 1 by 2 pixels in colour, expected 2 values", "`Grey`"},
		"too large":       {[][]byte{testImage(200, 200, 1, 0), grey}, BindOptions{}, "1x2", [][]float64{{5, 6}}, "ragged", "row 0: image of 200 by 200 pixels (height by width) is too large for one patch", "`Resize`"},
	} {
		c.o.Decode = testDecode
		for _, typ := range []arrow.DataType{arrow.BinaryTypes.Binary, arrow.BinaryTypes.LargeBinary, arrow.BinaryTypes.BinaryView, nil} {
			rec := structBatch(c.cells, nil)
			if typ != nil {
				rec = cellBatch(t, mem, typ, c.cells...)
			}
			for _, skip := range []bool{false, true} {
				c.o.Skip = skip
				b, err := Bind(rec.Schema(), c.o)
				if err != nil {
					t.Fatal(err)
				}
				rows, skipped, err := b.Rows(rec, 0)
				if !skip && c.err != "" {
					var at *RowError
					if !errors.As(err, &at) || !strings.HasSuffix(err.Error(), c.err) || !strings.Contains(at.Hint, c.hint) {
						t.Errorf("%s in %v: error %v, hint %q; want %s, %s", name, typ, err, at.Hint, c.err, c.hint)
					}
					continue
				}
				var reasons []string
				for _, s := range skipped {
					reasons = append(reasons, string(s.Reason))
				}
				if err != nil || strings.Join(reasons, " ") != c.skipped || b.Shape().String() != c.shape || !slices.EqualFunc(floats(rows), c.want, slices.Equal) {
					t.Errorf("%s in %v: %v, shape %v, skipped %q, %v", name, typ, floats(rows), b.Shape(), reasons, err)
				}
				if b.Source() != "uint8" || b.Images() == nil || b.Images().Shape != b.Shape() || b.Images().Grey != c.o.Images.Grey {
					t.Errorf("%s in %v: source %s, images %+v", name, typ, b.Source(), b.Images())
				}
			}
			rec.Release()
		}
	}
}

// Cells that are no images are what they are without a Decoder, also where a
// batch has only such rows and is read before one with others.
func TestImagesOrPixels(t *testing.T) {
	mem := memory.NewGoAllocator()
	bind := func(rec arrow.RecordBatch, o BindOptions) *Binding {
		o.Decode = testDecode
		b, err := Bind(rec.Schema(), o)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	raw := cellBatch(t, mem, arrow.BinaryTypes.Binary, []byte{1, 2}, []byte{3, 4})
	b := bind(raw, BindOptions{})
	rows, _, err := b.Rows(raw, 0)
	if err != nil || rows.Len() != 2 || b.Images() != nil || b.MayHoldImages() || b.BatchRows() != math.MaxInt {
		t.Errorf("raw bytes: %v, %v, images %v", rows, err, b.Images())
	}
	late := cellBatch(t, mem, arrow.BinaryTypes.Binary, []byte{1, 2}, testImage(1, 2, 1, 0))
	if _, _, err := b.Rows(late, 0); err == nil || !strings.Contains(err.Error(), "row 1: holds a PNG file, not raw pixels") {
		t.Errorf("an image after pixels: %v", err)
	}
	npy := cellBatch(t, mem, arrow.BinaryTypes.Binary, npyFile(1, "<f4", "False", "1,", 0, 0, 0x80, 0x3f))
	b = bind(npy, BindOptions{})
	if rows, _, err := b.Rows(npy, 0); err != nil || b.Source() != "float32" || rows.Len() != 1 {
		t.Errorf(".npy: %v of %s, %v", rows, b.Source(), err)
	}
	// A model of float32 takes no bytes for pixels.
	image := cellBatch(t, mem, arrow.BinaryTypes.Binary, testImage(1, 1, 1, 0))
	if _, _, err := bind(image, BindOptions{Source: "float32", Width: 1}).Rows(image, 0); err == nil || !strings.Contains(err.Error(), "encoded images of uint8, expected float32 values, as the model was fitted to") {
		t.Errorf("an image for float32: %v", err)
	}
	// A batch of nulls alone tells nothing.
	nulls := cellBatch(t, mem, arrow.BinaryTypes.Binary, nil, nil)
	b = bind(nulls, BindOptions{Skip: true})
	if rows, skipped, err := b.Rows(nulls, 0); err != nil || rows.Len() != 0 || len(skipped) != 2 || b.BatchRows() != 64 {
		t.Errorf("nulls: %v, %v, %v", rows, skipped, err)
	}
	if rows, _, err := b.Rows(image, 0); err != nil || rows.Len() != 1 || b.Images() == nil || b.BatchRows() != imageBatchBytes {
		t.Errorf("an image after nulls: %v, %v", rows, err)
	}
	clone := b.Clone()
	if rows, _, err := clone.Rows(image, 0); err != nil || rows.Len() != 1 || clone.Images() == nil {
		t.Errorf("a clone: %v, %v", rows, err)
	}
}

// Files that are not decoded are never pixels: cells that are all such files
// are refused by name, and one by one where there are images too.
func TestForeignFiles(t *testing.T) {
	mem := memory.NewGoAllocator()
	for start, want := range map[string]string{
		"GIF87a":                           "GIF images",
		"GIF89a":                           "GIF images",
		"\x1f\x8b\x08":                     "gzip files",
		"PK\x03\x04":                       "zip and .npz files",
		"%PDF-1.7":                         "PDF files",
		"\x28\xb5\x2f\xfd":                 "zstd files",
		"PAR1":                             "Parquet files",
		"ARROW1\x00\x00":                   "Arrow files",
		"\x00\x00\x00\x20ftypavif":         "AVIF images",
		"\x00\x00\x00\x18ftypheic":         "HEIC images",
		"\x00\x00\x00\x18ftypisom\x00\x00": "MP4 files",
	} {
		file := append([]byte(start), make([]byte, 16)...)
		for _, typ := range []arrow.DataType{arrow.BinaryTypes.Binary, arrow.BinaryTypes.LargeBinary, arrow.BinaryTypes.BinaryView, nil} {
			make := func(cells ...[]byte) arrow.RecordBatch {
				if typ == nil {
					return structBatch(cells, nil)
				}
				return cellBatch(t, mem, typ, cells...)
			}
			for name, rec := range map[string]arrow.RecordBatch{"alone": make(file, nil, file), "after an image": make(testImage(1, 2, 1, 5), file)} {
				for _, o := range []BindOptions{{}, {Width: 2, Source: "uint8"}, {Width: len(file), Source: "uint8"}} {
					if name != "alone" && o.Width > 2 {
						continue
					}
					o.Decode = testDecode
					b, err := Bind(rec.Schema(), o)
					if err != nil {
						t.Fatal(err)
					}
					_, _, err = b.Rows(rec, 0)
					var at *RowError
					if !errors.As(err, &at) || at.Reason != want+" cannot be decoded" || at.Hint == "" || (at.Row == 0) != (name == "alone") {
						t.Errorf("%q %s in %v: %v", start, name, typ, err)
					}
				}
			}
		}
	}

	// One cell that starts like one may be chance, and so may short starts.
	for _, cells := range [][][]byte{
		{[]byte("GIF89a"), []byte("GIF88a")}, {{0x1f, 0x8b, 7}, {0x1f, 0x8b, 8}}, {[]byte("PK"), []byte("PK")},
	} {
		rec := cellBatch(t, mem, arrow.BinaryTypes.Binary, cells...)
		b, err := Bind(rec.Schema(), BindOptions{Decode: testDecode})
		if err != nil {
			t.Fatal(err)
		}
		if rows, _, err := b.Rows(rec, 0); err != nil || rows.Len() != 2 {
			t.Errorf("%q: %d rows, %v", cells, rows.Len(), err)
		}
	}
}

// Bytes with a path are a file, whatever their lengths: never pixels.
func TestImageFilesAreNoPixels(t *testing.T) {
	paths := []string{"a", "b"}
	raw, arrays := [][]byte{{1, 2}, {3, 4}}, [][]byte{npyFile(1, "|u1", "False", "2,", 7, 9), npyFile(1, "|u1", "False", "2,", 1, 2)}
	for _, decode := range []Decoder{nil, testDecode} {
		for _, o := range []BindOptions{{Decode: decode}, {Width: 2, Source: "uint8", Decode: decode}} {
			for _, first := range [][][]byte{raw, arrays, {arrays[0], raw[0]}} {
				rec := structBatch(first, paths)
				b, err := Bind(rec.Schema(), o)
				if err != nil {
					t.Fatal(err)
				}
				rows, _, err := b.Rows(rec, 0)
				if fine := &first[1][0] == &arrays[1][0]; fine != (err == nil) || fine && rows.Len() != 2 {
					t.Errorf("%+v: %d rows, %v", o, rows.Len(), err)
				}
				if _, _, err := b.Rows(structBatch(raw, paths), 2); err == nil {
					t.Errorf("%+v: raw bytes are pixels after %q", o, first)
				}
			}
		}
	}
}

// What is wrong for a model of another type has the cure that works.
func TestUnaskedTypes(t *testing.T) {
	mem := memory.NewGoAllocator()
	for name, c := range map[string]struct {
		cell       []byte
		text, hint string
	}{
		"bytes in .npy": {npyFile(1, "|u1", "False", "1,", 1), "row 0: a .npy file of uint8, expected float32 values, as the model was fitted to", "do this"},
		"raw bytes":     {[]byte{1}, "row 0: no .npy file of float32", "do this"},
		"halves":        {npyFile(1, "<f2", "False", "1,", 0, 0), "row 0: a .npy file of float16, expected float32 values", "make it a .npy file of float32"},
		"an image":      {testImage(1, 1, 1, 0), "encoded images of uint8, expected float32 values, as the model was fitted to", "do this"},
	} {
		rec := cellBatch(t, mem, arrow.BinaryTypes.Binary, c.cell)
		b, err := Bind(rec.Schema(), BindOptions{Source: "float32", BytesCure: "do this", Width: 1, Decode: testDecode})
		if err != nil {
			t.Fatal(err)
		}
		_, _, err = b.Rows(rec, 0)
		var at *RowError
		if !errors.As(err, &at) || !strings.Contains(err.Error(), c.text) || !strings.Contains(at.Hint, c.hint) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A path without the bytes is of no use here, and the error says so.
func TestImagePaths(t *testing.T) {
	rec := structBatch([][]byte{testImage(1, 1, 1, 9), nil, nil}, []string{"0.png", "train/1.png", ""})
	b, err := Bind(rec.Schema(), BindOptions{Decode: testDecode})
	if err != nil {
		t.Fatal(err)
	}
	var at *RowError
	_, _, err = b.Rows(rec, 10)
	if !errors.As(err, &at) || err.Error() != `column "p": row 11: the image is not in the data, only its path "train/1.png"` || !strings.Contains(at.Hint, "embed the files") {
		t.Errorf("%v, hint %q", err, at.Hint)
	}
	b, _ = Bind(rec.Schema(), BindOptions{Decode: testDecode, Skip: true})
	rows, skipped, err := b.Rows(rec, 10)
	if err != nil || rows.Len() != 1 || !slices.Equal(skipped, []BadRow{{11, Null}, {12, Null}}) {
		t.Errorf("%v, %v, %v", floats(rows), skipped, err)
	}
}

// Image files come after lists and before bytes; sound is no image.
func TestImagesDetected(t *testing.T) {
	file := arrow.StructOf(arrow.Field{Name: "bytes", Type: arrow.BinaryTypes.Binary}, arrow.Field{Name: "path", Type: arrow.BinaryTypes.String})
	list := arrow.ListOf(arrow.PrimitiveTypes.Float32)
	features := arrow.NewMetadata([]string{huggingFaceKey},
		[]string{`{"info": {"features": {"image": {"_type": "Image"}, "sound": {"_type": "Audio", "sampling_rate": 8000}}}}`})
	for name, c := range map[string]struct {
		fields  []arrow.Field
		columns []string
		want    string // or part of an error
	}{
		"beside bytes":   {[]arrow.Field{{Name: "hash", Type: arrow.BinaryTypes.Binary}, {Name: "image", Type: file}}, nil, "image"},
		"beside lists":   {[]arrow.Field{{Name: "image", Type: file}, {Name: "code", Type: list}}, nil, "code"},
		"beside sound":   {[]arrow.Field{{Name: "sound", Type: file}, {Name: "image", Type: file}}, nil, "image"},
		"sound by name":  {[]arrow.Field{{Name: "sound", Type: file}, {Name: "image", Type: file}}, []string{"sound"}, "sound"},
		"two":            {[]arrow.Field{{Name: "image", Type: file}, {Name: "mask", Type: file}}, nil, "several columns"},
		"bytes by name":  {[]arrow.Field{{Name: "image", Type: file}}, []string{"image.bytes"}, "image.bytes"},
		"inside structs": {[]arrow.Field{{Name: "x", Type: arrow.StructOf(arrow.Field{Name: "image", Type: file})}}, nil, "x.image"},
	} {
		b, err := Bind(arrow.NewSchema(c.fields, &features), BindOptions{Columns: c.columns, Decode: testDecode})
		if got := fmt.Sprint(err); err != nil && !strings.Contains(got, c.want) || err == nil && !slices.Equal(b.Columns(), []string{c.want}) {
			t.Errorf("%s: %v, error %v; want %s", name, b, err, c.want)
		}
	}
	// Where the schema says image, the first row need not be one.
	rec := structBatch([][]byte{[]byte("text")}, nil)
	schema := arrow.NewSchema([]arrow.Field{{Name: "image", Type: rec.Schema().Field(0).Type}}, &features)
	rec = array.NewRecordBatch(schema, rec.Columns(), 1)
	b, err := Bind(schema, BindOptions{Decode: testDecode, Skip: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, skipped, err := b.Rows(rec, 0); err != nil || !slices.Equal(skipped, []BadRow{{0, Unreadable}}) {
		t.Errorf("text for an image: %v, %v", skipped, err)
	}
}

// All cores decode, and order and values do not depend on them. What the images
// of a batch make is bounded.
func TestImagesOnAllCores(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(4))
	var cells [][]byte
	for i := range 500 {
		cells = append(cells, testImage(1, 2, 1, byte(i)))
	}
	cells[77] = []byte("text")
	rec := structBatch(cells, nil)
	var calls atomic.Int64
	b, err := Bind(rec.Schema(), BindOptions{Skip: true, Decode: func(file []byte, want model.Images) ([]uint8, model.Shape, error) {
		calls.Add(1)
		return testDecode(file, want)
	}})
	if err != nil {
		t.Fatal(err)
	}
	rows, skipped, err := b.Rows(rec, 0)
	if err != nil || rows.Len() != 499 || len(skipped) != 1 || calls.Load() < 500 {
		t.Fatalf("%d rows, %v, %v", rows.Len(), skipped, err)
	}
	for i, row := range floats(rows) {
		if n := rows.Number[i]; row[0] != float64(byte(n)) || row[1] != float64(byte(n+1)) {
			t.Fatalf("row %d: %v", n, row)
		}
	}
	huge := model.Images{Resize: true, Shape: model.Shape{Height: 1 << 10, Width: 1 << 12, Channels: 1}}
	b, err = Bind(rec.Schema(), BindOptions{Images: huge, Decode: func([]byte, model.Images) ([]uint8, model.Shape, error) {
		return make([]uint8, huge.Shape.Len()), huge.Shape, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := b.Rows(rec, 0); err == nil || !strings.Contains(err.Error(), "500 images of 1024x4096 in one batch are 2097152000 bytes") {
		t.Errorf("2 GB of rows: %v", err)
	}
	n := 0
	for part := range Slices(rec, b.BatchRows) {
		n += int(part.NumRows())
		if part.NumRows() > 8 {
			t.Fatalf("a slice of %d rows", part.NumRows())
		}
	}
	if n != 500 {
		t.Errorf("%d rows in slices", n)
	}
}

// Whatever the cells are, every row is good or has a reason.
func FuzzImageCells(f *testing.F) {
	f.Add(testImage(1, 2, 1, 0), []byte(magicPNG), []byte{1, 2}, false)
	f.Add(testImage(2, 2, 3, 0), testImage(2, 2, 1, 0), []byte{}, true)
	f.Add(testImage(0, '0', 1, '0'), []byte("0"), []byte("0"), false)          // no pixels
	f.Add(testImage(1, 33, 48, 0), testImage(1, 33, 1, 0), []byte{1, 2}, true) // 48 channels
	f.Fuzz(func(t *testing.T, x, y, z []byte, files bool) {
		b := array.NewBinaryBuilder(memory.DefaultAllocator, arrow.BinaryTypes.Binary)
		cells := [][]byte{x, y, z, x}
		for _, c := range cells {
			b.Append(c)
		}
		rec := oneColumn(b.NewArray())
		if files {
			rec = structBatch(cells, nil)
		}
		bound, err := Bind(rec.Schema(), BindOptions{Skip: true, Decode: testDecode})
		if err != nil {
			t.Fatal(err)
		}
		rows, skipped, err := bound.Rows(rec, 0)
		if err == nil && (rows.Len()+len(skipped) != 4 || len(rows.Data) != rows.Len()*rows.Width*rows.Kind.Size()) {
			t.Errorf("%d rows and %d bad ones, %d bytes", rows.Len(), len(skipped), len(rows.Data))
		}
	})
}

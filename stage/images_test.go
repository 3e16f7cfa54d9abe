package stage

import (
	"bytes"
	"errors"
	"image"
	"image/png"
	"runtime"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/aefeat/aefeat/imagery"
	"github.com/aefeat/aefeat/model"
	"github.com/aefeat/aefeat/patch"
)

// encodedImages is p's rows as grey PNG images of so many lines, in batches.
func (p patches) encodedImages(t testing.TB, mem memory.Allocator, height, size int) array.RecordReader {
	t.Helper()
	schema := arrow.NewSchema([]arrow.Field{
		{Name: "image", Type: arrow.BinaryTypes.Binary, Nullable: true},
		{Name: "label", Type: arrow.PrimitiveTypes.Int32},
	}, nil)
	b := array.NewRecordBuilder(mem, schema)
	defer b.Release()
	var batches []arrow.RecordBatch
	fast := png.Encoder{CompressionLevel: png.NoCompression}
	for i := range p.rows() {
		var file bytes.Buffer
		img := &image.Gray{Pix: p.pixels[i*p.n : (i+1)*p.n], Stride: p.n / height, Rect: image.Rect(0, 0, p.n/height, height)}
		if err := fast.Encode(&file, img); err != nil {
			t.Fatal(err)
		}
		b.Field(0).(*array.BinaryBuilder).Append(file.Bytes())
		b.Field(1).(*array.Int32Builder).Append(p.labels[i])
		if (i+1)%size == 0 || i == p.rows()-1 {
			batches = append(batches, b.NewRecordBatch())
		}
	}
	r, err := array.NewRecordReader(schema, batches)
	if err != nil {
		t.Fatal(err)
	}
	for _, batch := range batches {
		batch.Release()
	}
	return r
}

// A fit on images is one on their pixels, bit for bit, spilled as pixels or
// not, and on any number of cores. So are codes, in both directions.
func TestImagesEqualPixels(t *testing.T) {
	noGoroutinesLeft(t)
	p := makePatches(800, 12, 3)
	config := Config{Model: model.Sparse(5), Epochs: 3, Validation: 0.2, Columns: []string{"image"}}
	want, _ := fit(t, p.reader(t, checked(t), 170), config)
	config.Decode = imagery.Whole()
	shape := model.Shape{Height: 3, Width: 4, Channels: 1}
	for _, cores := range []int{1, 4} {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(cores))
		got, _ := fit(t, p.encodedImages(t, checked(t), 3, 300), config)
		if !sameBits(got.Params.Flat, want.Params.Flat) || got.Shape != shape {
			t.Fatalf("another model on %d cores, of shape %v", cores, got.Shape)
		}
		if b := got.Binding; b.Source != "uint8" || b.Width != 12 || b.Images == nil || *b.Images != (model.Images{Shape: shape}) {
			t.Errorf("binding %+v", b)
		}
		codes := encoded(t, want, p)
		c := TransformConfig{Decode: imagery.Whole(), Keep: []string{}}
		for of, m := range map[string]*model.Model{"pixels": want, "images": got} {
			for name, r := range map[string]array.RecordReader{"pixels": p.reader(t, checked(t), 170), "images": p.encodedImages(t, checked(t), 3, 200)} {
				if out := transformed(t, m, r, c); !sameBits(out, codes) {
					t.Errorf("%s by a model of %s on %d cores: other codes", name, of, cores)
				}
			}
		}
		images, pixels := p.encodedImages(t, memory.NewGoAllocator(), 3, 200), p.reader(t, memory.NewGoAllocator(), 170)
		e, err := Evaluate(t.Context(), got, images, EvaluateConfig{Decode: imagery.Whole()})
		if want, _ := Evaluate(t.Context(), got, pixels, EvaluateConfig{}); err != nil || e.Cost != want.Cost || e.Rows != 800 {
			t.Errorf("cost %+v of images, %+v of pixels, %v", e.Cost, want.Cost, err)
		}
	}
}

// transformed returns the codes of all rows of r.
func transformed(t testing.TB, m *model.Model, r array.RecordReader, c TransformConfig) []float32 {
	t.Helper()
	defer r.Release()
	var codes []float32
	_, err := Transform(t.Context(), m, r, writerFunc(func(b arrow.RecordBatch) error {
		codes = append(codes, codesOf(t, b, m.Hidden)...)
		return nil
	}), c)
	if err != nil {
		t.Fatal(err)
	}
	return codes
}

type writerFunc func(arrow.RecordBatch) error

func (f writerFunc) Write(b arrow.RecordBatch) error { return f(b) }

// What was asked for comes before what the model says of images, and settings
// about images are errors elsewhere.
func TestImageSettings(t *testing.T) {
	p := makePatches(50, 12, 3)
	decode := imagery.Whole()
	small := model.Images{Resize: true, Shape: model.Shape{Height: 1, Width: 2}}
	config := Config{Model: model.Plain(2), Epochs: 1, Decode: decode, Images: small}
	m, _ := fit(t, p.encodedImages(t, checked(t), 3, 20), config)
	small.Shape.Channels = 1
	if m.Inputs != 2 || m.Shape != small.Shape || *m.Binding.Images != small {
		t.Fatalf("%d inputs, shape %v, binding %+v", m.Inputs, m.Shape, m.Binding)
	}
	// The model resizes what is transformed, and what is fitted on from it.
	codes := transformed(t, m, p.encodedImages(t, checked(t), 3, 20), TransformConfig{Decode: decode})
	if again := transformed(t, m, p.encodedImages(t, checked(t), 3, 7), TransformConfig{Decode: decode, Images: small}); !sameBits(codes, again) {
		t.Error("other codes where the size is repeated")
	}
	if next, _ := fit(t, p.encodedImages(t, checked(t), 3, 20), Config{Init: m, Epochs: 1, Decode: decode}); *next.Binding.Images != small {
		t.Errorf("the next model: %+v", next.Binding)
	}
	other := model.Images{Resize: true, Shape: model.Shape{Height: 2, Width: 2}}
	_, err := Transform(t.Context(), m, p.encodedImages(t, memory.NewGoAllocator(), 3, 20), nopWriter{}, TransformConfig{Decode: decode, Images: other})
	if err == nil || !strings.Contains(err.Error(), "2x2") && !strings.Contains(err.Error(), "4 values") {
		t.Errorf("another size than the model's: %v", err)
	}
	var setting *model.ConfigError
	for name, c := range map[string]struct {
		images model.Images
		want   string
	}{
		"grey pixels":    {model.Images{Grey: true}, "Grey"},
		"resized pixels": {small, "Resize"},
		"to nothing":     {model.Images{Resize: true}, "Resize"},
	} {
		_, _, err := Fit(t.Context(), p.reader(t, memory.NewGoAllocator(), 20), Config{Model: model.Plain(2), Epochs: 1, Decode: decode, Images: c.images})
		if !errors.As(err, &setting) || setting.Setting != c.want {
			t.Errorf("fit, %s: %v", name, err)
		}
		if _, err := Evaluate(t.Context(), m, p.reader(t, memory.NewGoAllocator(), 20), EvaluateConfig{Columns: []string{"image"}, Decode: decode, Images: c.images}); err == nil {
			t.Errorf("evaluate, %s: no error", name)
		}
	}
	// Without a decoder images are what they were.
	if _, _, err := Fit(t.Context(), p.encodedImages(t, memory.NewGoAllocator(), 3, 20), Config{Model: model.Plain(2), Epochs: 1}); err == nil || !strings.Contains(err.Error(), "holds a PNG file") {
		t.Errorf("without a decoder: %v", err)
	}
}

type nopWriter struct{}

func (nopWriter) Write(arrow.RecordBatch) error { return nil }

// A damaged image is a bad row: null codes, and left out of a fit.
func TestDamagedImages(t *testing.T) {
	p := makePatches(40, 12, 3)
	r := p.encodedImages(t, memory.NewGoAllocator(), 3, 40)
	r.Next()
	batch := r.RecordBatch()
	b := array.NewBinaryBuilder(memory.NewGoAllocator(), arrow.BinaryTypes.Binary)
	for i := range 40 {
		file := batch.Column(0).(*array.Binary).Value(i)
		if i == 7 {
			file = file[:len(file)/2]
		}
		b.Append(file)
	}
	bad := array.NewRecordBatch(batch.Schema(), []arrow.Array{b.NewArray(), batch.Column(1)}, 40)
	reader := func() array.RecordReader {
		r, err := array.NewRecordReader(bad.Schema(), []arrow.RecordBatch{bad})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	config := Config{Model: model.Plain(2), Epochs: 2, Decode: imagery.Whole()}
	var at *patch.RowError
	if _, _, err := Fit(t.Context(), reader(), config); !errors.As(err, &at) || at.Row != 7 || at.Column != "image" {
		t.Errorf("error %v", err)
	}
	config.Skip = true
	m, report := fit(t, reader(), config)
	if report.Rows != 39 || report.BadRows.Counts[patch.Unreadable] != 1 {
		t.Errorf("report %+v", report)
	}
	codes := transformed(t, m, reader(), TransformConfig{Skip: true, Decode: imagery.Whole()})
	for i := range 40 {
		if null := codes[2*i] != codes[2*i]; null != (i == 7) {
			t.Errorf("row %d: code %v", i, codes[2*i])
		}
	}
}

// The cure for bytes that a model of floats does not take is none that the
// model's preprocessing refuses.
func TestBytesCure(t *testing.T) {
	for method, want := range map[string]string{
		model.PreprocessScale: "name the largest pixel with `PixelMax` 255", model.PreprocessNone: "fit a model to such rows", "": "fit a model to such rows",
	} {
		m := &model.Model{}
		m.Inputs, m.Preprocess = 4, model.Preprocess{Method: method, Source: "float32"}
		o := EvaluateConfig{}.BindOptions(m)
		_, err := m.Preprocess.Adapt("uint8", 255)
		if o.BytesCure != want || o.Source != "float32" || (err == nil) != strings.Contains(want, "PixelMax") {
			t.Errorf("%q: cure %q for other than %s; PixelMax: %v", method, o.BytesCure, o.Source, err)
		}
	}
}

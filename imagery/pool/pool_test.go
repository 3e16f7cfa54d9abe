package pool_test

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
	"unsafe"

	"github.com/aefeat/aefeat/imagery/pool"
	"github.com/aefeat/aefeat/model"
)

var patch = model.Shape{Height: 4, Width: 3, Channels: 3}

// newModel returns a model of patches with random weights, whose preprocessing
// has learned from random rows.
func newModel(t testing.TB, c model.Config, method, source string, contrast bool) *model.Model {
	t.Helper()
	c.Inputs, c.Hidden, c.Output, c.Seed = patch.Len(), 19, model.Linear, 1
	m, err := model.New(c)
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, 2))
	for i := range m.Params.EncoderBias {
		m.Params.EncoderBias[i] = r.Float32() - 0.5
	}
	if m.Preprocess, err = model.NewPreprocess(method, source, 0, model.Rows{}); err != nil {
		t.Fatal(err)
	}
	if !contrast {
		m.Preprocess.Contrast = 0
	}
	if m.Preprocess.Learns() {
		s := model.NewStatistics(m.Preprocess, m.Inputs)
		image := newImage(400, patch.Width*patch.Height, source)
		if err := s.Add(model.Rows{Kind: image.Kind, Width: m.Inputs, Data: image.Data}); err != nil {
			t.Fatal(err)
		}
		if m.Preprocess, err = s.Learn(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	return m
}

// newImage returns smooth noise of three channels, so that patches differ in
// mean and contrast.
func newImage(height, width int, source string) model.Rows {
	r := rand.New(rand.NewPCG(uint64(height), uint64(width)))
	values := make([]float32, height*width*3)
	for i := range values {
		v := 0.5 + 0.3*math.Sin(float64(i)/17) + 0.2*math.Sin(float64(i)/float64(width)/5)*r.Float64()
		values[i] = float32(min(max(v, 0), 1))
	}
	switch source {
	case "uint8":
		pixels := make([]uint8, len(values))
		for i, v := range values {
			pixels[i] = uint8(255 * v)
		}
		return model.Uint8Rows(pixels, width*3)
	case "uint16":
		pixels := make([]uint16, len(values))
		for i, v := range values {
			pixels[i] = uint16(65535 * v)
		}
		return model.Rows{Kind: model.Uint16, Width: width * 3, Data: unsafe.Slice((*byte)(unsafe.Pointer(&pixels[0])), 2*len(pixels))}
	}
	return model.Float32Rows(values, width*3)
}

// naive pools what model.Encoder makes of each patch, in float64, with cells
// whose sizes are given.
func naive(t testing.TB, m *model.Model, image model.Rows, c pool.Config, down, across []int) []float64 {
	t.Helper()
	encoder := model.NewEncoder(m)
	h, size := m.Hidden, image.Kind.Size()
	var features []float64
	top := 0
	for _, rows := range down {
		left := 0
		for _, columns := range across {
			var pooled [2][]float64
			for y := top; y < top+rows; y++ {
				for x := left; x < left+columns; x++ {
					var data []byte
					for line := range patch.Height {
						from := ((y*c.Stride+line)*image.Width + x*c.Stride*3) * size
						data = append(data, image.Data[from:from+patch.Width*3*size]...)
					}
					code := make([]float32, h)
					if err := encoder.Encode(code, model.Rows{Kind: image.Kind, Width: m.Inputs, Data: data}); err != nil {
						t.Fatal(err)
					}
					for sign := range pooled {
						if pooled[sign] == nil {
							pooled[sign] = make([]float64, h)
							for i := range pooled[sign] {
								if c.Method == pool.Max {
									pooled[sign][i] = math.Inf(-1)
								}
							}
						}
						for i, a := range code {
							a := float64(a)
							if c.SplitSign {
								a = max(0, a*float64(1-2*sign))
							}
							if c.Method == pool.Max {
								pooled[sign][i] = max(pooled[sign][i], a)
							} else {
								pooled[sign][i] += a
							}
						}
					}
				}
			}
			for sign := range pooled {
				if sign == 1 && !c.SplitSign {
					break
				}
				for _, v := range pooled[sign] {
					if c.Method == pool.Mean {
						v /= float64(rows * columns)
					}
					features = append(features, v)
				}
			}
			left += columns
		}
		top += rows
	}
	return features
}

func features(t testing.TB, m *model.Model, image model.Rows, c pool.Config) []float32 {
	t.Helper()
	p, err := pool.New(m, patch, c)
	if err != nil {
		t.Fatal(err)
	}
	dst := make([]float32, p.Width())
	if err := p.Features(dst, image); err != nil {
		t.Fatal(err)
	}
	return dst
}

func compare(t *testing.T, got []float32, want []float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d features, want %d", len(got), len(want))
	}
	largest := 0.
	for _, v := range want {
		largest = max(largest, math.Abs(v))
	}
	for i, v := range want {
		if !(math.Abs(float64(got[i])-v) <= 1e-5*largest) {
			t.Fatalf("feature %d is %v, want %v", i, got[i], v)
		}
	}
}

// Features are those of encoding each patch and pooling the codes, for all ways
// of preprocessing, all codes and all ways to pool.
func TestFeatures(t *testing.T) {
	codes := map[string]model.Config{
		"sigmoid":  {Activation: model.Sigmoid},
		"tanh":     {Activation: model.Tanh},
		"relu":     {Activation: model.ReLU},
		"linear":   {Activation: model.Linear},
		"k-sparse": {Activation: model.Linear, K: 3, KEncode: 2, Tied: true},
	}
	// Where the places are 20 by 22, and with a stride of 3, 7 by 8.
	grids := []struct {
		stride, rows, columns int
		down, across          []int
	}{
		{1, 2, 2, []int{10, 10}, []int{11, 11}},
		{3, 2, 3, []int{4, 3}, []int{3, 2, 3}},
	}
	for _, source := range []string{"uint8", "uint16", "float32"} {
		image := newImage(23, 24, source)
		for _, method := range append(model.PreprocessMethods(), "zca without contrast") {
			if source == "uint16" && method == model.PreprocessNone {
				continue // a linear code of 65535 overflows nothing, and says nothing
			}
			name, whole := strings.CutSuffix(method, " without contrast")
			for code, c := range codes {
				m := newModel(t, c, name, source, !whole)
				for _, g := range grids {
					for _, how := range pool.Methods() {
						for _, split := range []bool{false, true} {
							if split && (code == "sigmoid" || code == "relu") {
								continue
							}
							c := pool.Config{Method: how, Stride: g.stride, Grid: pool.Grid{Rows: g.rows, Columns: g.columns}, SplitSign: split}
							t.Run(fmt.Sprintf("%s/%s/%s/%s%d/split=%t", source, method, code, how, g.stride, split), func(t *testing.T) {
								compare(t, features(t, m, image, c), naive(t, m, image, c, g.down, g.across))
							})
						}
					}
				}
			}
		}
	}
}

// A model of one unit that copies the first value of a grey patch of one pixel
// pools the pixels themselves.
func TestPixels(t *testing.T) {
	m, err := model.New(model.Config{Inputs: 1, Hidden: 1, Activation: model.Linear, Output: model.Linear})
	if err != nil {
		t.Fatal(err)
	}
	m.Params.EncoderWeight[0], m.Params.EncoderBias[0] = 1, 0
	image := model.Float32Rows([]float32{
		1, -2, 3,
		4, 5, -6,
		-7, 8, 9,
	}, 3)
	for _, test := range []struct {
		c    pool.Config
		want []float32
	}{
		{pool.Config{Method: pool.Sum}, []float32{8, -3, 1, 9}}, // cells of 2 and 1
		{pool.Config{Method: pool.Mean}, []float32{2, -1.5, 0.5, 9}},
		{pool.Config{}, []float32{2, -1.5, 0.5, 9}},
		{pool.Config{Method: pool.Max}, []float32{5, 3, 8, 9}},
		{pool.Config{Method: pool.Max, SplitSign: true}, []float32{5, 2, 3, 6, 8, 7, 9, 0}},
		{pool.Config{Method: pool.Sum, SplitSign: true}, []float32{10, 2, 3, 6, 8, 7, 9, 0}},
		{pool.Config{Method: pool.Sum, Grid: pool.Grid{Rows: 3, Columns: 3}, Root: true}, []float32{1, -1.4142135, 1.7320508, 2, 2.236068, -2.4494898, -2.6457513, 2.828427, 3}},
		{pool.Config{Method: pool.Sum, Stride: 2}, []float32{1, 3, -7, 9}},
		{pool.Config{Method: pool.Sum, Grid: pool.Grid{Rows: 1, Columns: 3}}, []float32{-2, 11, 6}},
		{pool.Config{Method: pool.Sum, Grid: pool.Grid{Rows: 1, Columns: 1}}, []float32{15}},
	} {
		p, err := pool.New(m, model.Shape{Height: 1, Width: 1, Channels: 1}, test.c)
		if err != nil {
			t.Fatal(err)
		}
		got := make([]float32, p.Width())
		if err := p.Features(got, image); err != nil {
			t.Fatal(err)
		}
		if fmt.Sprint(got) != fmt.Sprint(test.want) {
			t.Errorf("%+v: %v, want %v", test.c, got, test.want)
		}
	}
}

// Patches whose values lie in another order are cut in it.
func TestOrder(t *testing.T) {
	m := newModel(t, model.Config{Activation: model.Tanh}, model.PreprocessScale, "uint8", true)
	image := newImage(11, 12, "uint8")
	want := features(t, m, image, pool.Config{})
	for _, order := range []string{"HWC", "CHW", "WHC"} {
		shape := patch
		shape.Order = order
		moved := *m
		params := *m.Params
		params.EncoderWeight = make([]float32, len(m.Params.EncoderWeight))
		moved.Params = &params
		line, pixel, channel := shape.Strides()
		for i, w := range m.Params.EncoderWeight {
			unit, j := i/patch.Len(), i%patch.Len()
			y, x, c := j/9, j/3%3, j%3
			params.EncoderWeight[unit*patch.Len()+y*line+x*pixel+c*channel] = w
		}
		p, err := pool.New(&moved, shape, pool.Config{})
		if err != nil {
			t.Fatal(err)
		}
		got := make([]float32, p.Width())
		if err := p.Features(got, image); err != nil {
			t.Fatal(err)
		}
		for i, v := range want {
			if math.Abs(float64(got[i]-v)) > 1e-6 {
				t.Fatalf("%s: feature %d is %v, want %v", order, i, got[i], v)
			}
		}
	}
}

// The bytes do not depend on the number of cores, nor on what the pooler has
// seen before.
func TestSameBytesOnAnyCores(t *testing.T) {
	m := newModel(t, model.Config{Activation: model.Linear}, model.PreprocessZCA, "uint8", true)
	c := pool.Config{Method: pool.Sum, SplitSign: true}
	image := newImage(50, 61, "uint8")
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	want := features(t, m, image, c)
	runtime.GOMAXPROCS(4)
	p, err := pool.New(m, patch, c)
	if err != nil {
		t.Fatal(err)
	}
	dst := make([]float32, p.Width())
	for _, im := range []model.Rows{newImage(9, 40, "uint8"), image} {
		if err := p.Features(dst, im); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(model.Float32Rows(dst, 1).Data, model.Float32Rows(want, 1).Data) {
		t.Error("features differ")
	}
}

func TestWrongSettings(t *testing.T) {
	m := newModel(t, model.Config{Activation: model.Sigmoid}, model.PreprocessScale, "uint8", true)
	for _, test := range []struct {
		c       pool.Config
		setting string
	}{
		{pool.Config{Method: "median"}, "Method"},
		{pool.Config{Stride: -1}, "Stride"},
		{pool.Config{Grid: pool.Grid{Rows: -1, Columns: 2}}, "Grid"},
		{pool.Config{Grid: pool.Grid{Rows: 1, Columns: 1 << 20}}, "Grid"},
		{pool.Config{SplitSign: true}, "SplitSign"},
	} {
		_, err := pool.New(m, patch, test.c)
		var wrong *model.ConfigError
		if !errors.As(err, &wrong) || wrong.Setting != test.setting {
			t.Errorf("%+v: %v", test.c, err)
		}
	}
	m.Hidden = 1 << 20
	if _, err := pool.New(m, patch, pool.Config{Grid: pool.Grid{Rows: 1000, Columns: 1000}}); err == nil {
		t.Error("more features than a row can have are taken")
	}
	if _, err := pool.New(m, model.Shape{Height: 2, Width: 2, Channels: 3}, pool.Config{}); err == nil {
		t.Error("patches of another width than the model's are taken")
	}
}

func TestParseGrid(t *testing.T) {
	for text, want := range map[string]pool.Grid{"2x2": {Rows: 2, Columns: 2}, "1x13": {Rows: 1, Columns: 13}} {
		if g, err := pool.ParseGrid(text); err != nil || g != want || g.String() != text {
			t.Errorf("%s: %v, %v", text, g, err)
		}
	}
	for _, text := range []string{"", "2", "2x", "x2", "0x2", "2x-1", "2x2x2", "2*2", "1x1025", "1x99999999999999999999"} {
		if g, err := pool.ParseGrid(text); err == nil {
			t.Errorf("%q is read as %v", text, g)
		}
	}
}

func TestWrongImages(t *testing.T) {
	m := newModel(t, model.Config{Activation: model.ReLU}, model.PreprocessScale, "uint8", true)
	bright := newImage(9, 9, "uint8")
	for _, test := range []struct {
		name  string
		image model.Rows
		words string
	}{
		{"low", newImage(3, 9, "uint8"), "an image of 3 by 9 pixels (height by width) is smaller than a patch of 4x3x3"},
		{"narrow", newImage(9, 2, "uint8"), "smaller than a patch"},
		{"one place", newImage(4, 3, "uint8"), "has 1 by 1 places for patches of 4x3x3, fewer than the 2x2 cells"},
		{"empty", model.Rows{Kind: model.Uint8, Width: 9}, "smaller than a patch"},
		{"no kind", model.Rows{Width: 9, Data: bright.Data}, "unknown kind"},
		{"no width", model.Rows{Kind: model.Uint8, Data: bright.Data}, "whole pixels"},
		{"half a pixel", model.Rows{Kind: model.Uint8, Width: 28, Data: bright.Data}, "whole pixels"},
		{"half a line", model.Rows{Kind: model.Uint8, Width: 27, Data: bright.Data[:100]}, "middle of a line"},
	} {
		p, err := pool.New(m, patch, pool.Config{})
		if err != nil {
			t.Fatal(err)
		}
		err = p.Features(make([]float32, p.Width()), test.image)
		if err == nil || !strings.Contains(err.Error(), test.words) {
			t.Errorf("%s: %v", test.name, err)
		}
	}
}

// A value that the rule does not allow is an error that says where it is.
func TestValueOutOfRange(t *testing.T) {
	m := newModel(t, model.Config{Activation: model.ReLU}, model.PreprocessScale, "float32", true)
	values := make([]float32, 12*10*3)
	values[(11*10+9)*3+2] = float32(math.Inf(1))
	p, err := pool.New(m, patch, pool.Config{})
	if err != nil {
		t.Fatal(err)
	}
	err = p.Features(make([]float32, p.Width()), model.Float32Rows(values, 30))
	if want := "the patch at row 8, column 7: value 35 is +Inf"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%v, want %q", err, want)
	}
	values[(11*10+9)*3+2] = math.MaxFloat32
	for i := range m.Params.EncoderWeight {
		m.Params.EncoderWeight[i] = 2
	}
	err = p.Features(make([]float32, p.Width()), model.Float32Rows(values, 30))
	if want := "the patch at row 8, column 7: value 35"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%v, want %q", err, want)
	}
}

func BenchmarkFeatures(b *testing.B) {
	for _, units := range []int{400, 1600} {
		b.Run(fmt.Sprint(units), func(b *testing.B) {
			m, err := model.New(model.Config{Inputs: 108, Hidden: units, Output: model.Linear})
			if err != nil {
				b.Fatal(err)
			}
			if m.Preprocess, err = model.NewPreprocess(model.PreprocessZCA, "uint8", 0, model.Rows{}); err != nil {
				b.Fatal(err)
			}
			s := model.NewStatistics(m.Preprocess, 108)
			if err := s.Add(model.Rows{Kind: model.Uint8, Width: 108, Data: newImage(36, 400, "uint8").Data[:108*400]}); err != nil {
				b.Fatal(err)
			}
			if m.Preprocess, err = s.Learn(b.Context()); err != nil {
				b.Fatal(err)
			}
			p, err := pool.New(m, model.Shape{Height: 6, Width: 6, Channels: 3}, pool.Config{})
			if err != nil {
				b.Fatal(err)
			}
			dst, image := make([]float32, p.Width()), newImage(32, 32, "uint8")
			for b.Loop() {
				if err := p.Features(dst, image); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

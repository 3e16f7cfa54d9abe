package imagery_test

import (
	"bytes"
	"encoding/json"
	"image"
	"image/png"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/aefeat/aefeat/imagery"
	"github.com/aefeat/aefeat/model"
)

// Resampling against Pillow's; see testdata/resize.py.
func TestResize(t *testing.T) {
	text, err := os.ReadFile("testdata/resize.json")
	if err != nil {
		t.Fatal(err)
	}
	var all []struct {
		From   [3]int
		To     [2]int
		Pixels []byte
	}
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	for _, c := range all {
		p := &imagery.Picture{Shape: imagery.Shape{Height: c.From[0], Width: c.From[1], Channels: c.From[2]}}
		for y := range c.From[0] {
			for x := range c.From[1] {
				for k := range c.From[2] {
					p.Bytes = append(p.Bytes, uint8(y*y*41+x*57+k*90))
				}
			}
		}
		got, err := p.Resize(c.To[0], c.To[1])
		if err != nil {
			t.Fatal(err)
		}
		if want := (imagery.Shape{Height: c.To[0], Width: c.To[1], Channels: c.From[2]}); got.Shape != want || len(got.Bytes) != len(c.Pixels) {
			t.Fatalf("%v to %v: shape %v, %d values", c.From, c.To, got.Shape, len(got.Bytes))
		}
		differ := 0
		for i, v := range c.Pixels {
			if d := int(v) - int(got.Bytes[i]); d < -1 || d > 1 {
				t.Errorf("%v to %v: value %d is %d, want %d", c.From, c.To, i, got.Bytes[i], v)
			} else if d != 0 {
				differ++
			}
		}
		if differ > max(1, len(c.Pixels)/50) { // where rounding is a close call
			t.Errorf("%v to %v: %d of %d values differ by one", c.From, c.To, differ, len(c.Pixels))
		}
	}
	p := &imagery.Picture{Shape: imagery.Shape{Height: 1, Width: 2, Channels: 1}, Bytes: []uint8{3, 4}}
	if same, err := p.Resize(1, 2); err != nil || same != p {
		t.Errorf("to its own size: %v, %v", same, err)
	}
	for name, f := range map[string]func() (*imagery.Picture, error){
		"empty": func() (*imagery.Picture, error) { return p.Resize(0, 1) },
		"large": func() (*imagery.Picture, error) { return p.Resize(1<<11, 1<<10) },
		"floats": func() (*imagery.Picture, error) {
			return (&imagery.Picture{Shape: p.Shape, Floats: []float32{1, 2}}).Resize(1, 1)
		},
		"four channels": func() (*imagery.Picture, error) {
			return (&imagery.Picture{Shape: imagery.Shape{Height: 1, Width: 1, Channels: 4}, Bytes: make([]uint8, 4)}).Resize(2, 2)
		},
	} {
		if got, err := f(); err == nil {
			t.Errorf("%s: %v, want an error", name, got)
		}
	}
}

func encode(t testing.TB, img image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func greyImage(height, width int) *image.Gray {
	img := image.NewGray(image.Rect(0, 0, width, height))
	for i := range img.Pix {
		img.Pix[i] = uint8(i * 11)
	}
	return img
}

func colourImage(height, width int) *image.RGBA {
	img := image.NewRGBA(image.Rect(0, 0, width, height))
	for i := range img.Pix {
		img.Pix[i] = uint8(i*11) | uint8(i%4/3*255)
	}
	return img
}

// What whole images become, and the shapes of those that do not fit.
func TestWhole(t *testing.T) {
	shape := func(h, w, c int) model.Shape { return model.Shape{Height: h, Width: w, Channels: c} }
	one, three := encode(t, greyImage(2, 3)), encode(t, colourImage(2, 3))
	turned := samples(t)["orientation6.jpg"].File // 5 by 6 as stored, 6 by 5 upright
	decode := imagery.Whole()
	for name, c := range map[string]struct {
		file   []byte
		want   model.Images
		shape  model.Shape
		pixels bool
	}{
		"grey":                {one, model.Images{}, shape(2, 3, 1), true},
		"colour":              {three, model.Images{}, shape(2, 3, 3), true},
		"made grey":           {three, model.Images{Grey: true}, shape(2, 3, 1), true},
		"made colour":         {one, model.Images{Shape: shape(2, 3, 3)}, shape(2, 3, 3), true},
		"colours lost":        {three, model.Images{Shape: shape(2, 3, 1)}, shape(2, 3, 3), false},
		"colours, resized":    {three, model.Images{Shape: shape(4, 4, 1), Resize: true}, shape(4, 4, 3), false},
		"another height":      {one, model.Images{Shape: shape(3, 3, 1)}, shape(2, 3, 0), false},
		"another width":       {one, model.Images{Shape: shape(2, 2, 0)}, shape(2, 3, 0), false},
		"resized":             {one, model.Images{Shape: shape(4, 5, 0), Resize: true}, shape(4, 5, 1), true},
		"grey and resized":    {three, model.Images{Shape: shape(4, 5, 0), Resize: true, Grey: true}, shape(4, 5, 1), true},
		"upright":             {turned, model.Images{Shape: shape(6, 5, 3)}, shape(6, 5, 3), true},
		"as stored":           {turned, model.Images{Shape: shape(5, 6, 3)}, shape(6, 5, 0), false},
		"upright and resized": {turned, model.Images{Shape: shape(3, 2, 0), Resize: true}, shape(3, 2, 3), true},
		"large":               {encode(t, greyImage(1<<10, 1<<10+1)), model.Images{}, shape(1<<10, 1<<10+1, 0), false},
		"large and resized":   {encode(t, greyImage(1<<10, 1<<10+1)), model.Images{Shape: shape(2, 2, 1), Resize: true}, shape(2, 2, 1), true},
	} {
		pixels, s, err := decode(c.file, c.want)
		if err != nil || s != c.shape || (pixels != nil) != c.pixels || pixels != nil && len(pixels) != s.Len() {
			t.Errorf("%s: %d pixels of %v, %v; want %v", name, len(pixels), s, err, c.shape)
		}
	}
	if pixels, _, _ := decode(one, model.Images{Shape: shape(2, 3, 3)}); !bytes.Equal(pixels[:9], []byte{0, 0, 0, 11, 11, 11, 22, 22, 22}) {
		t.Errorf("grey made colour: %v", pixels)
	}
	for name, file := range map[string][]byte{"text": []byte("no image"), "nothing": nil, "cut": three[:len(three)-30]} {
		if pixels, _, err := decode(file, model.Images{}); err == nil || pixels != nil {
			t.Errorf("%s: %v, %v; want an error", name, pixels, err)
		}
	}
}

// A few bytes may claim to be any number of lines.
func TestWholeBombs(t *testing.T) {
	decode := imagery.Whole()
	for _, size := range [][2]int{{1 << 26, 1}, {1, 1 << 26}, {1 << 13, 1 << 13}, {1 << 14, 1 << 14}, {1<<31 - 1, 1<<31 - 1}} {
		file := pngBomb(uint32(size[0]), uint32(size[1]))
		for name, c := range map[string]struct {
			want model.Images
			most uint64 // bytes
		}{
			"as it is":  {model.Images{}, 1 << 20},
			"of a size": {model.Images{Shape: model.Shape{Height: 28, Width: 28, Channels: 1}}, 1 << 20},
			"resized":   {model.Images{Shape: model.Shape{Height: 1 << 10, Width: 1 << 10}, Resize: true}, 4*imagery.MaxPixels + 1<<20},
		} {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			pixels, s, err := decode(file, c.want)
			runtime.ReadMemStats(&after)
			if takes := after.TotalAlloc - before.TotalAlloc; takes > c.most {
				t.Errorf("%v, %s: takes %d bytes", size, name, takes)
			}
			if pixels != nil || c.want.Resize && err == nil || err == nil && (s.Height != size[0] || s.Width != size[1]) {
				t.Errorf("%v, %s: %d pixels, %v, %v", size, name, len(pixels), s, err)
			}
		}
	}
}

// Many goroutines decode at a time, and equal images are equal.
func TestWholeConcurrently(t *testing.T) {
	decode := imagery.Whole()
	file := encode(t, colourImage(40, 30))
	want := model.Images{Shape: model.Shape{Height: 8, Width: 8}, Resize: true}
	first, _, err := decode(file, want)
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	for range 8 {
		running.Go(func() {
			for range 10 {
				if again, _, err := decode(file, want); err != nil || !bytes.Equal(again, first) {
					t.Errorf("%v, %v", again, err)
				}
			}
		})
	}
	running.Wait()
}

// Whatever bytes come, pixels fit the shape that is asked for.
func FuzzWhole(f *testing.F) {
	for name, s := range samples(f) {
		if !strings.HasPrefix(name, "orientation") {
			f.Add(s.File, uint8(4), uint8(3), uint8(1), true, true)
		}
	}
	decode := imagery.Whole()
	f.Fuzz(func(t *testing.T, file []byte, height, width, channels uint8, grey, resize bool) {
		want := model.Images{Grey: grey, Resize: resize && height > 0 && width > 0}
		if want.Shape.Channels = int(channels) % 4 &^ 2; height > 0 && width > 0 {
			want.Shape.Height, want.Shape.Width = int(height), int(width)
		}
		pixels, s, err := decode(file, want)
		if pixels == nil {
			return
		}
		asked := want.Shape
		if err != nil || len(pixels) != s.Len() || asked.Height > 0 && (s.Height != asked.Height || s.Width != asked.Width) || grey && s.Channels != 1 {
			t.Errorf("%d pixels of %v, %v, asked for %v", len(pixels), s, err, want)
		}
	})
}

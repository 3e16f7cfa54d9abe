package imagery_test

import (
	"image"
	"image/color"
	"slices"
	"testing"

	"github.com/aefeat/aefeat/imagery"
)

// greyRamp is an image whose pixel (x,y) is 10y+x, standing away from the
// origin and inside a larger one, so that offsets and strides matter.
func greyRamp(width, height int) *image.Gray {
	img := image.NewGray(image.Rect(-2, 3, width+5, height+6))
	for y := range height {
		for x := range width {
			img.SetGray(x, y+4, color.Gray{uint8(10*y + x)})
		}
	}
	return img.SubImage(image.Rect(0, 4, width, height+4)).(*image.Gray)
}

// cutAll returns the patches of a cut, one after the other.
func cutAll(t *testing.T, c imagery.Cut, p *imagery.Picture, key uint64) []uint8 {
	t.Helper()
	places, err := c.Places(p, key)
	if err != nil {
		t.Fatal(err)
	}
	var got []uint8
	height, width := c.Size(p)
	for at := range places {
		got = p.AppendBytes(got, at, height, width)
	}
	return got
}

func TestTiles(t *testing.T) {
	p := imagery.FromImage(greyRamp(7, 5))
	got := cutAll(t, imagery.Cut{Height: 2, Width: 3}, p, 0)
	want := []uint8{
		0, 1, 2, 10, 11, 12,
		3, 4, 5, 13, 14, 15,
		20, 21, 22, 30, 31, 32,
		23, 24, 25, 33, 34, 35,
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if floats := p.AppendFloats(nil, imagery.Place{Row: 2, Column: 3}, 1, 2); !slices.Equal(floats, []float32{23, 24}) {
		t.Errorf("as floats %v", floats)
	}
	if whole := cutAll(t, imagery.Cut{}, p, 0); !slices.Equal(whole, p.Bytes) || len(whole) != 35 {
		t.Errorf("the whole picture is %v", whole)
	}
}

func TestStride(t *testing.T) {
	p := imagery.FromImage(greyRamp(5, 4))
	places, err := imagery.Cut{Height: 2, Width: 2, Stride: 2}.Places(p, 0)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := slices.Collect(places), []imagery.Place{{0, 0}, {0, 2}, {2, 0}, {2, 2}}; !slices.Equal(got, want) {
		t.Errorf("stride 2: %v, want %v", got, want)
	}
	places, _ = imagery.Cut{Height: 2, Width: 3, Stride: 1}.Places(p, 0)
	if n := len(slices.Collect(places)); n != 3*3 {
		t.Errorf("stride 1: %d places, want 9", n)
	}
	for range places { // may stop early
		break
	}
}

// Of a picture that is flat on the left only patches on the right have
// contrast: the one of 0, 0, 255, 255 has half the range as its deviation.
func TestMinContrast(t *testing.T) {
	flat := &imagery.Picture{Shape: imagery.Shape{Height: 2, Width: 4, Channels: 1}, Bytes: []uint8{9, 9, 0, 0, 9, 9, 255, 255}}
	for least, want := range map[float64]int{0: 2, 0.001: 1, 0.4999: 1, 0.5001: 0} {
		c := imagery.Cut{Height: 2, Width: 2, MinContrast: least}
		if got := len(cutAll(t, c, flat, 0)) / 4; got != want {
			t.Errorf("%v: %d patches of the grid, want %d", least, got, want)
		}
		c.Count = 20
		if got := len(cutAll(t, c, flat, 0)) / 4; (got > 0) != (want > 0) || least == 0.001 && got != 20 {
			t.Errorf("%v: %d random patches", least, got)
		}
	}
	floats := &imagery.Picture{Shape: imagery.Shape{Height: 1, Width: 2, Channels: 1}, Floats: []float32{1e6, 1e6 + 2}}
	for least, want := range map[float64]int{0.99: 1, 1.01: 0} {
		places, err := imagery.Cut{MinContrast: least}.Places(floats, 0)
		if got := len(slices.Collect(places)); err != nil || got != want {
			t.Errorf("floats, %v: %d patches, %v", least, got, err)
		}
	}
}

func TestColours(t *testing.T) {
	pixels := []color.NRGBA{{255, 0, 0, 255}, {0, 255, 0, 255}, {0, 0, 255, 255}, {200, 100, 50, 128}, {255, 255, 255, 255}, {1, 2, 3, 0}}
	nrgba := image.NewNRGBA(image.Rect(5, 5, 8, 7))
	deep := image.NewNRGBA64(nrgba.Rect)
	for i, c := range pixels {
		nrgba.SetNRGBA(5+i%3, 5+i/3, c)
		deep.Set(5+i%3, 5+i/3, c)
	}
	for _, img := range []image.Image{nrgba, deep} {
		p := imagery.FromImage(img)
		want := []uint8{255, 0, 0, 0, 255, 0, 0, 0, 255, 100, 50, 25, 255, 255, 255, 0, 0, 0}
		if !slices.Equal(p.Bytes, want) || p.Shape != (imagery.Shape{Height: 2, Width: 3, Channels: 3}) {
			t.Errorf("%T: colour %v %v, want %v", img, p.Shape, p.Bytes, want)
		}
		grey, err := p.WithChannels(1)
		if err != nil {
			t.Fatal(err)
		}
		if want := []uint8{76, 150, 29, 62, 255, 0}; !slices.Equal(grey.Bytes, want) {
			t.Errorf("%T: grey %v, want %v", img, grey.Bytes, want)
		}
	}

	// A grey image cut in colour has three equal channels.
	got, err := imagery.FromImage(greyRamp(2, 1)).WithChannels(3)
	if want := []uint8{0, 0, 0, 1, 1, 1}; err != nil || !slices.Equal(got.Bytes, want) {
		t.Errorf("grey as colour %v (%v), want %v", got, err, want)
	}
	floats := &imagery.Picture{Shape: imagery.Shape{Height: 1, Width: 1, Channels: 3}, Floats: []float32{1, 0, 10}}
	grey, err := floats.WithChannels(1)
	if want := float32(0.299 + 1.14); err != nil || len(grey.Floats) != 1 || grey.Floats[0] != want {
		t.Errorf("grey of floats %v (%v), want %v", grey, err, want)
	}
	if _, err := floats.WithChannels(2); err == nil {
		t.Error("three channels became two")
	}
}

func TestSample(t *testing.T) {
	p := imagery.FromImage(greyRamp(6, 4)) // 4 by 3 positions
	c := imagery.Cut{Height: 2, Width: 3, Count: 12000, Seed: 1}
	got := cutAll(t, c, p, 2)
	if len(got) != c.Count*6 || !slices.Equal(got, cutAll(t, c, p, 2)) {
		t.Fatal("the same seed and key give other patches")
	}
	seen := map[[2]int]int{}
	for i := 0; i < len(got); i += 6 {
		p := got[i : i+6]
		x, y := int(p[0])%10, int(p[0])/10
		if x > 3 || y > 2 || p[1] != p[0]+1 || p[2] != p[0]+2 || p[3] != p[0]+10 || p[5] != p[0]+12 {
			t.Fatalf("no patch of the image: %v", p)
		}
		seen[[2]int{x, y}]++
	}
	// 12 places, 1,000 patches expected in each, deviation 30.
	for place, k := range seen {
		if k < 850 || k > 1150 {
			t.Errorf("%d patches at %v of about 1,000", k, place)
		}
	}
	if len(seen) != 12 {
		t.Errorf("%d places seen of 12", len(seen))
	}

	// Frozen: a run of `aefeat patches` can be repeated years later.
	few := cutAll(t, imagery.Cut{Height: 1, Width: 1, Count: 8, Seed: 3}, p, 4)
	if want := []uint8{35, 22, 35, 3, 33, 21, 22, 23}; !slices.Equal(few, want) {
		t.Errorf("first patches of a seed: %v, want %v", few, want)
	}
}

func TestCutErrors(t *testing.T) {
	p := imagery.FromImage(greyRamp(6, 4))
	for name, c := range map[string]imagery.Cut{
		"too wide": {Height: 1, Width: 7}, "too high": {Height: 5, Width: 1}, "negative": {Height: -1, Width: 1},
		"stride": {Stride: -1}, "count": {Count: -1}, "contrast": {MinContrast: -0.1},
	} {
		if _, err := c.Places(p, 0); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	for name, p := range map[string]*imagery.Picture{
		"empty":    {},
		"too few":  {Shape: imagery.Shape{Height: 2, Width: 2, Channels: 1}, Bytes: make([]uint8, 3)},
		"overflow": {Shape: imagery.Shape{Height: 1 << 32, Width: 1 << 32, Channels: 1}, Bytes: make([]uint8, 8)},
		"both":     {Shape: imagery.Shape{Height: 1, Width: 2, Channels: 1}, Bytes: make([]uint8, 1), Floats: make([]float32, 1)},
	} {
		if p.Check() == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if err := p.Check(); err != nil {
		t.Error(err)
	}
}

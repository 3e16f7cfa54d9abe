package imagery_test

import (
	"image"
	"image/color"
	"math"
	"testing"

	"github.com/aefeat/aefeat/imagery"
)

func greyAt(img image.Image, x, y int) uint8 {
	return color.GrayModel.Convert(img.At(x, y)).(color.Gray).Y
}

func draw(t *testing.T, d imagery.Drawing, panels ...imagery.Panel) image.Image {
	t.Helper()
	img, err := d.Draw(panels...)
	if err != nil {
		t.Fatal(err)
	}
	return img
}

var oneByTwo = imagery.Shape{Height: 1, Width: 2, Channels: 1}

// Two panels of two filters of 1x2, each 60 pixels wide: 10 pixels a value,
// gaps of 5, and 8 between the panels.
func TestDrawSideBySide(t *testing.T) {
	left := imagery.Panel{Filters: []float32{1, -1, 2, 0}, Shape: oneByTwo}
	right := imagery.Panel{Filters: []float32{4, -2, 0, 0}, Shape: oneByTwo}
	for name, c := range map[string]struct {
		d      imagery.Drawing
		second image.Point // origin of the second panel
		want   [8]uint8
	}{
		"each its own": {imagery.Drawing{Side: 60, Columns: 2}, image.Pt(63, 0), [8]uint8{255, 0, 255, 128, 255, 64, 128, 128}},
		"common":       {imagery.Drawing{Side: 60, Columns: 2, Common: true}, image.Pt(63, 0), [8]uint8{159, 96, 191, 128, 255, 64, 128, 128}},
		"stacked":      {imagery.Drawing{Side: 60, Columns: 2, Stacked: true}, image.Pt(0, 28), [8]uint8{255, 0, 255, 128, 255, 64, 128, 128}},
	} {
		img := draw(t, c.d, left, right)
		want := image.Rect(0, 0, 55+c.second.X, 20+c.second.Y)
		if img.Bounds() != want {
			t.Errorf("%s: %v, want %v", name, img.Bounds(), want)
		}
		for i, want := range c.want {
			origin := image.Point{}
			if i > 3 {
				origin = c.second
			}
			x, y := origin.X+5+i/2%2*25+i%2*10+5, origin.Y+5+5
			if got := greyAt(img, x, y); got != want {
				t.Errorf("%s: value %d at (%d,%d) is %d, want %d", name, i, x, y, got, want)
			}
		}
	}
}

// Four panels stand two by two, each as large as in a pair.
func TestDrawLines(t *testing.T) {
	p := imagery.Panel{Filters: []float32{1, -1, 2, 0}, Shape: oneByTwo}
	last := imagery.Panel{Filters: []float32{-1, 1, 2, 0}, Shape: oneByTwo}
	img := draw(t, imagery.Drawing{Side: 60, Columns: 2}, p, p, p, last)
	if want := image.Rect(0, 0, 2*55+8, 2*20+8); img.Bounds() != want {
		t.Fatalf("%v, want %v", img.Bounds(), want)
	}
	for _, c := range []struct {
		x, y int
		want uint8
	}{{10, 10, 255}, {73, 10, 255}, {10, 38, 255}, {73, 38, 0}, {83, 38, 255}} {
		if got := greyAt(img, c.x, c.y); got != c.want {
			t.Errorf("(%d,%d) is %d, want %d", c.x, c.y, got, c.want)
		}
	}
}

// Pixels that never vary neither show nor set the contrast, and one weight in
// a hundred is cut off.
func TestDrawContrast(t *testing.T) {
	img := draw(t, imagery.Drawing{Side: 60}, imagery.Panel{Filters: []float32{1, 50}, Shape: oneByTwo, Weights: []float64{2, 0}})
	if a, b := greyAt(img, 15, 15), greyAt(img, 35, 15); a != 255 || b != 128 {
		t.Errorf("pixels of weight 2 and 0 are %d and %d", a, b)
	}
	s := imagery.Shape{Height: 10, Width: 20, Channels: 1}
	w := make([]float32, 200)
	for i := range w {
		w[i] = 0.5
	}
	w[0], w[1] = 100, -90
	img = draw(t, imagery.Drawing{Side: 21}, imagery.Panel{Filters: w, Shape: s})
	for x, want := range []uint8{255, 0, 255} {
		if got := greyAt(img, 1+x, 1); got != want {
			t.Errorf("value %d is %d, want %d", x, got, want)
		}
	}
}

// Planes are drawn as their channels, and other numbers of channels than 1 and
// 3 side by side.
func TestDrawOrder(t *testing.T) {
	planes := imagery.Shape{Height: 1, Width: 2, Channels: 3, Order: "CHW"}
	img := draw(t, imagery.Drawing{Side: 30}, imagery.Panel{Filters: []float32{1, -1, 0, 0, -1, 1}, Shape: planes})
	for x, want := range []color.RGBA{{255, 128, 0, 255}, {0, 128, 255, 255}} {
		if got := color.RGBAModel.Convert(img.At(5+10*x+5, 9)); got != want {
			t.Errorf("pixel %d: %v, want %v", x, got, want)
		}
	}
	if p, ok := img.(*image.Paletted); !ok || len(p.Palette) != 3 {
		t.Errorf("three colours are drawn as a %T", img)
	}
	two := imagery.Shape{Height: 2, Width: 1, Channels: 2}
	img = draw(t, imagery.Drawing{Side: 30}, imagery.Panel{Filters: []float32{1, -1, 0.5, 0}, Shape: two})
	for i, want := range []uint8{255, 0, 191, 128} {
		if got := greyAt(img, 5+i%2*10+5, 5+i/2*10+5); got != want {
			t.Errorf("value %d: %d, want %d", i, got, want)
		}
	}
}

// A title and labels lie on black lines of their own, and the dead are crossed
// out.
func TestDrawWords(t *testing.T) {
	square := imagery.Shape{Height: 4, Width: 4, Channels: 1}
	p := imagery.Panel{Title: "a title", Filters: make([]float32, 32), Shape: square, Labels: []string{"8", "132"}, Dead: []bool{false, true}}
	img := draw(t, imagery.Drawing{Side: 100, Columns: 2}, p)
	// 10 pixels a value, gaps of 5, lines of 17.
	if want := image.Rect(0, 0, 95, 17+5+40+17+5); img.Bounds() != want {
		t.Fatalf("%v, want %v", img.Bounds(), want)
	}
	bright := func(box image.Rectangle) (n int) {
		for y := box.Min.Y; y < box.Max.Y; y++ {
			for x := box.Min.X; x < box.Max.X; x++ {
				if greyAt(img, x, y) == 255 {
					n++
				}
			}
		}
		return n
	}
	for name, box := range map[string]image.Rectangle{
		"the title": image.Rect(5, 0, 95, 17), "label 8": image.Rect(5, 62, 45, 79), "label 132": image.Rect(50, 62, 90, 79),
	} {
		if bright(box) < 10 {
			t.Errorf("%s is not written in %v", name, box)
		}
	}
	if all := bright(img.Bounds()); all != bright(image.Rect(5, 0, 95, 17))+bright(image.Rect(5, 62, 90, 79)) {
		t.Errorf("%d pixels are white", all)
	}
	for _, at := range []image.Point{{50, 22}, {89, 22}, {50, 61}, {89, 61}, {70, 42}} {
		if got := greyAt(img, at.X, at.Y); got != 0 {
			t.Errorf("the cross leaves %v at %d", at, got)
		}
	}
	for _, at := range []image.Point{{70, 22}, {50, 42}, {25, 42}, {5, 22}} {
		if got := greyAt(img, at.X, at.Y); got != 128 {
			t.Errorf("%v is %d, want 128", at, got)
		}
	}
}

func TestDrawErrors(t *testing.T) {
	good := imagery.Panel{Filters: make([]float32, 4), Shape: oneByTwo}
	with := func(change func(*imagery.Panel)) imagery.Panel { p := good; change(&p); return p }
	for name, p := range map[string]imagery.Panel{
		"no filters":   {Shape: oneByTwo},
		"no shape":     {Filters: make([]float32, 4)},
		"ragged":       with(func(p *imagery.Panel) { p.Filters = make([]float32, 3) }),
		"infinite":     with(func(p *imagery.Panel) { p.Filters = []float32{0, 0, 0, float32(math.Inf(1))} }),
		"few weights":  with(func(p *imagery.Panel) { p.Weights = []float64{1} }),
		"bad weight":   with(func(p *imagery.Panel) { p.Weights = []float64{1, math.NaN()} }),
		"few labels":   with(func(p *imagery.Panel) { p.Labels = []string{"0"} }),
		"few dead":     with(func(p *imagery.Panel) { p.Dead = make([]bool, 3) }),
		"huge picture": {Filters: make([]float32, 1<<15), Shape: imagery.Shape{Height: 1, Width: 1 << 14, Channels: 1}},
	} {
		if _, err := (imagery.Drawing{}).Draw(good, p); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := (imagery.Drawing{}).Draw(); err == nil {
		t.Error("no panels: no error")
	}
	if _, err := (imagery.Drawing{Side: -1}).Draw(good); err == nil {
		t.Error("negative side: no error")
	}
}

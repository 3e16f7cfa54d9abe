package imagery_test

import (
	"image"
	"image/color"
	"math"
	"testing"

	"github.com/aefeat/aefeat/imagery"
)

// cell returns the colour in the middle of value (y,x) of filter i, and the
// size of a value, for h filters of shape s.
func cell(t *testing.T, img image.Image, s imagery.Shape, columns, scale, gap, i, y, x int) color.RGBA {
	t.Helper()
	px := gap + i%columns*(s.Width*scale+gap) + x*scale + scale/2
	py := gap + i/columns*(s.Height*scale+gap) + y*scale + scale/2
	return color.RGBAModel.Convert(img.At(px, py)).(color.RGBA)
}

func grey(y uint8) color.RGBA { return color.RGBA{y, y, y, 255} }

func TestFiltersGrey(t *testing.T) {
	// Three filters of 1x2 at their own scales; the third is dead.
	s := imagery.Shape{Height: 1, Width: 2, Channels: 1}
	img, err := imagery.Filters([]float32{-3, 1.5, 0, 1e-20, 0, 0}, s)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := img.(*image.Gray); !ok {
		t.Errorf("%T, want a grey image", img)
	}
	// Two columns of 2+1 values in 900 pixels: 150 pixels a value, gaps of 75.
	const columns, scale, gap = 2, 150, 75
	if got, want := img.Bounds(), image.Rect(0, 0, 2*(2*scale+gap)+gap, 2*(scale+gap)+gap); got != want {
		t.Fatalf("bounds %v, want %v", got, want)
	}
	for i, want := range [][2]uint8{{0, 191}, {128, 255}, {128, 128}} {
		for x := range 2 {
			if got := cell(t, img, s, columns, scale, gap, i, 0, x); got != grey(want[x]) {
				t.Errorf("filter %d, value %d: %v, want %d", i, x, got, want[x])
			}
		}
	}
	if got := cell(t, img, s, columns, scale, gap, 3, 0, 0); got != grey(0) {
		t.Errorf("the place of a fourth filter is %v, want black", got)
	}
	for _, p := range []image.Point{{0, 0}, {gap - 1, gap}, {gap + 2*scale, gap + 5}, {gap + 5, gap + scale}} {
		if got := color.GrayModel.Convert(img.At(p.X, p.Y)).(color.Gray).Y; got != 0 {
			t.Errorf("%v between filters is %d, want black", p, got)
		}
	}
}

func TestFiltersColour(t *testing.T) {
	s := imagery.Shape{Height: 2, Width: 1, Channels: 3}
	img, err := imagery.Filters([]float32{1, 0, -1, 0.5, 0.5, 0.5}, s)
	if err != nil {
		t.Fatal(err)
	}
	// One value wide, with a gap of half a value on either side.
	scale := (img.Bounds().Dx()) / 2
	gap := scale / 2
	if got, want := cell(t, img, s, 1, scale, gap, 0, 0, 0), (color.RGBA{255, 128, 0, 255}); got != want {
		t.Errorf("upper value %v, want %v", got, want)
	}
	if got, want := cell(t, img, s, 1, scale, gap, 0, 1, 0), grey(191); got != want {
		t.Errorf("lower value %v, want %v", got, want)
	}
}

func TestFiltersSize(t *testing.T) {
	for _, tt := range []struct{ h, height, width, channels int }{
		{1, 28, 28, 1}, {196, 28, 28, 1}, {1000, 28, 28, 1}, {25, 8, 8, 1}, {1600, 6, 6, 3}, {25, 8, 2, 1}, {7, 1, 1, 1},
	} {
		s := imagery.Shape{Height: tt.height, Width: tt.width, Channels: tt.channels}
		img, err := imagery.Filters(make([]float32, tt.h*s.Len()), s)
		if err != nil {
			t.Fatal(err)
		}
		b := img.Bounds()
		if max(b.Dx(), b.Dy()) < 400 || min(b.Dx(), b.Dy()) < max(b.Dx(), b.Dy())/2 || max(b.Dx(), b.Dy()) > 1200 {
			t.Errorf("%d filters of %v: a picture of %v", tt.h, s, b)
		}
	}
}

func TestFiltersErrors(t *testing.T) {
	s := imagery.Shape{Height: 1, Width: 2, Channels: 1}
	nan := float32(math.NaN())
	for name, err := range map[string]error{
		"no weights":   errorOf(imagery.Filters(nil, s)),
		"ragged":       errorOf(imagery.Filters(make([]float32, 3), s)),
		"empty shape":  errorOf(imagery.Filters(make([]float32, 2), imagery.Shape{})),
		"two channels": errorOf(imagery.Filters(make([]float32, 2), imagery.Shape{Height: 1, Width: 1, Channels: 2})),
		"NaN":          errorOf(imagery.Filters([]float32{0, nan}, s)),
		"Inf":          errorOf(imagery.Filters([]float32{0, float32(math.Inf(-1))}, s)),
	} {
		if err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func errorOf(_ image.Image, err error) error { return err }

package imagery_test

import (
	"image"
	"image/color"
	"math/rand/v2"
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

func TestTiles(t *testing.T) {
	s := imagery.Shape{Height: 2, Width: 3, Channels: 1}
	got, err := imagery.Tiles([]uint8{7}, greyRamp(7, 5), s)
	if err != nil {
		t.Fatal(err)
	}
	want := []uint8{7,
		0, 1, 2, 10, 11, 12,
		3, 4, 5, 13, 14, 15,
		20, 21, 22, 30, 31, 32,
		23, 24, 25, 33, 34, 35,
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
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
		colour, err := imagery.Tiles(nil, img, imagery.Shape{Height: 2, Width: 3, Channels: 3})
		if err != nil {
			t.Fatal(err)
		}
		want := []uint8{255, 0, 0, 0, 255, 0, 0, 0, 255, 100, 50, 25, 255, 255, 255, 0, 0, 0}
		if !slices.Equal(colour, want) {
			t.Errorf("%T: colour %v, want %v", img, colour, want)
		}
		grey, err := imagery.Tiles(nil, img, imagery.Shape{Height: 2, Width: 3, Channels: 1})
		if err != nil {
			t.Fatal(err)
		}
		if want := []uint8{76, 150, 29, 62, 255, 0}; !slices.Equal(grey, want) {
			t.Errorf("%T: grey %v, want %v", img, grey, want)
		}
	}

	// A grey image cut in colour has three equal channels.
	got, err := imagery.Tiles(nil, greyRamp(2, 1), imagery.Shape{Height: 1, Width: 2, Channels: 3})
	if want := []uint8{0, 0, 0, 1, 1, 1}; err != nil || !slices.Equal(got, want) {
		t.Errorf("grey as colour %v (%v), want %v", got, err, want)
	}
}

func TestSample(t *testing.T) {
	s := imagery.Shape{Height: 2, Width: 3, Channels: 1}
	img := greyRamp(6, 4) // 4 by 3 positions
	const count = 12000
	got, err := imagery.Sample(nil, img, s, count, rand.New(rand.NewPCG(1, 2)))
	if err != nil {
		t.Fatal(err)
	}
	again, _ := imagery.Sample(nil, img, s, count, rand.New(rand.NewPCG(1, 2)))
	if len(got) != count*s.Len() || !slices.Equal(got, again) {
		t.Fatal("the same source gives other patches")
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
	few, _ := imagery.Sample(nil, img, imagery.Shape{Height: 1, Width: 1, Channels: 1}, 8, rand.New(rand.NewPCG(3, 4)))
	if want := []uint8{35, 22, 35, 3, 33, 21, 22, 23}; !slices.Equal(few, want) {
		t.Errorf("first patches of a seed: %v, want %v", few, want)
	}
}

func TestCutErrors(t *testing.T) {
	img, r := greyRamp(6, 4), rand.New(rand.NewPCG(0, 0))
	dst := []uint8{1, 2}
	for name, s := range map[string]imagery.Shape{
		"too wide": {Height: 1, Width: 7, Channels: 1}, "too high": {Height: 5, Width: 1, Channels: 1},
		"empty": {}, "two channels": {Height: 1, Width: 1, Channels: 2},
	} {
		if got, err := imagery.Tiles(dst, img, s); err == nil || !slices.Equal(got, dst) {
			t.Errorf("%s: Tiles %v, %v", name, got, err)
		}
		if got, err := imagery.Sample(dst, img, s, 1, r); err == nil || !slices.Equal(got, dst) {
			t.Errorf("%s: Sample %v, %v", name, got, err)
		}
	}
	if _, err := imagery.Sample(nil, img, imagery.Shape{Height: 1, Width: 1, Channels: 1}, -1, r); err == nil {
		t.Error("a negative count is no error")
	}
	if got, err := imagery.Sample(nil, img, imagery.Shape{Height: 1, Width: 1, Channels: 1}, 0, r); err != nil || len(got) != 0 {
		t.Errorf("no patches: %v, %v", got, err)
	}
}

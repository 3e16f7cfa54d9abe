package imagery_test

import (
	"image"
	"image/color"
	"math"
	"testing"

	"github.com/aefeat/aefeat/imagery"
)

func TestTile(t *testing.T) {
	s := imagery.Shape{Height: 2, Width: 3, Channels: 1}
	tile, err := imagery.Tile([]float32{-1, 0, 5, 10, 11, float32(math.NaN())}, s, 0, 10)
	if err != nil {
		t.Fatal(err)
	}
	if tile.Bounds() != image.Rect(0, 0, 3, 2) {
		t.Fatalf("bounds %v", tile.Bounds())
	}
	for i, want := range []uint8{0, 0, 128, 255, 255, 0} {
		if got := tile.At(i%3, i/3); got != (color.Gray{Y: want}) {
			t.Errorf("pixel %d is %v, want %d", i, got, want)
		}
	}
	s = imagery.Shape{Height: 1, Width: 2, Channels: 3}
	if tile, err = imagery.Tile([]float32{0, 1, 0.2, 1, 1, 1}, s, 0, 1); err != nil {
		t.Fatal(err)
	}
	if got := tile.At(0, 0); got != (color.RGBA{0, 255, 51, 255}) {
		t.Errorf("colour %v", got)
	}
	// Planes instead of pixels.
	s.Order = "CHW"
	if tile, err = imagery.Tile([]float32{0, 1, 1, 1, 0.2, 1}, s, 0, 1); err != nil {
		t.Fatal(err)
	}
	if got := tile.At(0, 0); got != (color.RGBA{0, 255, 51, 255}) {
		t.Errorf("colour %v of planes", got)
	}
	for name, err := range map[string]error{
		"width":    errorOf(imagery.Tile(make([]float32, 5), s, 0, 1)),
		"no range": errorOf(imagery.Tile(make([]float32, 6), s, 1, 1)),
		"infinite": errorOf(imagery.Tile(make([]float32, 6), s, 0, float32(math.Inf(1)))),
		"shape":    errorOf(imagery.Tile(nil, imagery.Shape{}, 0, 1)),
	} {
		if err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// Whatever the values, their extent is a range that Tile takes.
func TestExtent(t *testing.T) {
	s := imagery.Shape{Height: 1, Width: 2, Channels: 1}
	for _, v := range [][]float32{{1, 2}, {3, 3}, {-1e30, -1e30}, {-math.MaxFloat32 / 4, math.MaxFloat32}} {
		low, high := imagery.Extent(v)
		if !(low <= v[0] && high >= v[1]) {
			t.Errorf("%v: %v to %v", v, low, high)
		}
		if _, err := imagery.Tile(v, s, low, high); err != nil {
			t.Error(err)
		}
	}
}

func TestLines(t *testing.T) {
	tile := func(level uint8) image.Image {
		m := image.NewGray(image.Rect(0, 0, 2, 3))
		for i := range m.Pix {
			m.Pix[i] = level
		}
		return m
	}
	lines := make([][]image.Image, 7)
	for i := range lines {
		lines[i] = []image.Image{tile(uint8(10 + i)), tile(uint8(100 + i)), tile(uint8(200 + i))}
	}
	lines[4] = lines[4][:1] // a unit that no row excites
	const scale, gap = 4, 2
	sheet := imagery.Lines(lines, scale)
	if _, ok := sheet.(*image.Gray); !ok {
		t.Errorf("%T, want a grey image", sheet)
	}
	// Two columns of 4 lines, each 3 tiles of 2x4 pixels wide.
	const width, height = 3*(2*scale+gap) + 3*gap, 3*scale + gap
	if got, want := sheet.Bounds(), image.Rect(0, 0, 2*width, 4*height+gap); got != want {
		t.Fatalf("bounds %v, want %v", got, want)
	}
	at := func(x, y int) uint8 { return sheet.At(x, y).(color.Gray).Y }
	for i, line := range lines {
		x, y := i/4*width+gap, gap+i%4*height
		for j := range 3 {
			want := uint8(48)
			if j < len(line) {
				want = line[j].At(0, 0).(color.Gray).Y
			}
			left := x + j*(2*scale+gap)
			if j > 0 {
				left += gap
			}
			if a, b, c := at(left, y), at(left+2*scale-1, y+3*scale-1), at(left+2*scale, y); a != want || b != want || c != 48 {
				t.Errorf("line %d, tile %d: %d, %d and %d beside it, want %d", i, j, a, b, c, want)
			}
		}
	}
	if empty := imagery.Lines(nil, 3); empty.Bounds().Dx() < 1 {
		t.Error("an empty picture")
	}
}

// A tile is what the panel has in the same place, without enlarging.
func TestPanelTiles(t *testing.T) {
	s := imagery.Shape{Height: 1, Width: 2, Channels: 1}
	p := imagery.Panel{Filters: []float32{-3, 1.5, 0, 1e-20, 0, 0}, Shape: s}
	tiles, err := p.Tiles()
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range [][2]uint8{{0, 191}, {128, 255}, {128, 128}} {
		for x := range 2 {
			if got := tiles[i].At(x, 0); got != (color.Gray{Y: want[x]}) {
				t.Errorf("filter %d, value %d: %v, want %d", i, x, got, want[x])
			}
		}
	}
	if _, err := (imagery.Panel{Shape: s}).Tiles(); err == nil {
		t.Error("no error without filters")
	}
}

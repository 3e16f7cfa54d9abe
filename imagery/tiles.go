package imagery

import (
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"math"
)

// Tile draws one patch (n) with n = s.Len(), a pixel for each pixel of the
// patch: low is black, high is white, and what lies beyond is clipped. NaN is
// black. Colours are as [Drawing.Draw] has them; the picture is an *image.RGBA
// for three channels, else an *image.Gray. Values of another number than the
// shape has, or no range, are errors.
func Tile(values []float32, s Shape, low, high float32) (image.Image, error) {
	if err := s.Validate(); err != nil {
		return nil, fmt.Errorf("imagery: %w", err)
	}
	if len(values) != s.Len() {
		return nil, fmt.Errorf("imagery: %d values are no patch of %v", len(values), s)
	}
	if !(low < high) || math.IsInf(float64(low), 0) || math.IsInf(float64(high), 0) {
		return nil, fmt.Errorf("imagery: no range from %v to %v", low, high)
	}
	return bare(s, func(j int) uint8 {
		v := (float64(values[j]) - float64(low)) / (float64(high) - float64(low))
		if !(v > 0) {
			return 0
		}
		return uint8(math.Round(255 * min(v, 1)))
	}), nil
}

// Tiles draws each filter of the panel by itself, with a pixel for each pixel
// of its shape and nothing around it. Titles, labels and marks of dead units
// are left to the caller.
func (p Panel) Tiles() ([]image.Image, error) {
	tops, err := p.contrasts()
	if err != nil {
		return nil, err
	}
	tiles := make([]image.Image, len(tops))
	for i, top := range tops {
		tiles[i] = bare(p.Shape, func(j int) uint8 { return p.shade(i, j, top) })
	}
	return tiles, nil
}

// bare draws a tile without enlarging it.
func bare(s Shape, shade func(j int) uint8) image.Image {
	width, height := tile(s)
	bounds := image.Rect(0, 0, width, height)
	var picture draw.Image = image.NewGray(bounds)
	if s.Channels == 3 {
		picture = image.NewRGBA(bounds)
	}
	for y := range height {
		for x := range width {
			picture.Set(x, y, pixel(s, y, x, shade))
		}
	}
	return picture
}

// Extent returns the range that shows all of values: the least and the largest.
// Where all are equal it is a range around them.
func Extent(values []float32) (low, high float32) {
	low, high = float32(math.Inf(1)), float32(math.Inf(-1))
	for _, v := range values {
		low, high = min(low, v), max(high, v)
	}
	if !(low < high) {
		around := 1 + max(low, -low)
		return low - around, high + around
	}
	return low, high
}

// Lines draws lines of tiles, which are all of one size, beside and below each
// other so that the picture is about square: the lines go down, then to the
// right. The first tile of a line stands apart from the others. Every pixel of
// a tile becomes a square of scale by scale pixels, and dark grey lies between
// the tiles. The picture is an *image.Gray where all tiles are, else an
// *image.RGBA.
func Lines(lines [][]image.Image, scale int) image.Image {
	size, longest, grey := image.Point{}, 0, true
	for _, line := range lines {
		longest = max(longest, len(line))
		for _, tile := range line {
			size = tile.Bounds().Size()
			if _, ok := tile.(*image.Gray); !ok {
				grey = false
			}
		}
	}
	gap := max(1, scale/2)
	stepX, stepY := size.X*scale+gap, size.Y*scale+gap
	width := longest*stepX + 3*gap // of a line, with what sets it apart
	columns := max(1, int(math.Round(math.Sqrt(float64(len(lines)*stepY)/float64(width)))))
	perColumn := (len(lines) + columns - 1) / columns
	bounds := image.Rect(0, 0, columns*width, perColumn*stepY+gap)
	var sheet draw.Image = image.NewRGBA(bounds)
	if grey {
		sheet = image.NewGray(bounds)
	}
	// Patches are often black at their sides.
	draw.Draw(sheet, bounds, image.NewUniform(color.Gray{Y: 48}), image.Point{}, draw.Src)
	for i, line := range lines {
		for j, tile := range line {
			at := image.Pt(i/perColumn*width+gap+j*stepX, gap+i%perColumn*stepY)
			if j > 0 {
				at.X += gap
			}
			enlarge(sheet, at, tile, scale)
		}
	}
	return sheet
}

// enlarge draws a tile at a place, each pixel as a square.
func enlarge(dst draw.Image, at image.Point, tile image.Image, scale int) {
	b := tile.Bounds()
	for y := range b.Dy() * scale {
		for x := range b.Dx() * scale {
			dst.Set(at.X+x, at.Y+y, tile.At(b.Min.X+x/scale, b.Min.Y+y/scale))
		}
	}
}

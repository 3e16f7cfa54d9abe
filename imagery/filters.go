package imagery

import (
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"math"
)

// gridSide is the width and height in pixels up to which filters are
// enlarged: a picture that fits into a window.
const gridSide = 900

// Filters draws the rows of weights (h,n), with n = s.Len(), as a grid of h
// pictures, in rows from the top left, black between them.
//
// A unit's picture is the input of bounded norm that excites it most,
// x_j = w_j / sqrt(sum w^2) (Ng, CS294A lecture notes, section 4), stretched
// so that its largest |x_j| uses the full range: 0 is middle grey, black and
// white are -max|w| and +max|w| of this unit, all channels together. So
// pictures show shapes, not how strong one unit is beside another. A unit
// whose weights are all 0 is plain grey.
//
// Every value becomes a square of pixels; the larger the fewer filters there
// are. The picture is an *image.Gray for one channel, else an *image.RGBA.
// Weights that are no whole number of rows, or not finite, are errors.
func Filters(weights []float32, s Shape) (image.Image, error) {
	if err := validate(s); err != nil {
		return nil, err
	}
	n := s.Len()
	if len(weights) == 0 || len(weights)%n != 0 {
		return nil, fmt.Errorf("imagery: %d weights are no whole number of filters of %v", len(weights), s)
	}
	h := len(weights) / n
	columns := gridColumns(h, s)
	rows := (h + columns - 1) / columns
	scale := max(1, min(gridSide/(columns*(s.Width+1)), gridSide/(rows*(s.Height+1))))
	gap := max(1, scale/2)
	stepX, stepY := s.Width*scale+gap, s.Height*scale+gap
	bounds := image.Rect(0, 0, columns*stepX+gap, rows*stepY+gap)

	var grid draw.Image
	if s.Channels == 1 {
		grid = image.NewGray(bounds)
	} else {
		grid = image.NewRGBA(bounds)
	}
	draw.Draw(grid, bounds, image.Black, image.Point{}, draw.Src)
	for i := range h {
		filter := weights[i*n : (i+1)*n]
		var top float64
		for j, w := range filter {
			if w-w != 0 {
				return nil, fmt.Errorf("imagery: filter %d: weight %d is %v", i, j, w)
			}
			top = max(top, math.Abs(float64(w)))
		}
		corner := image.Pt(gap+i%columns*stepX, gap+i/columns*stepY)
		for p := range s.Height * s.Width {
			pixel := image.NewUniform(shade(filter[p*s.Channels:(p+1)*s.Channels], top))
			at := corner.Add(image.Pt(p%s.Width*scale, p/s.Width*scale))
			draw.Draw(grid, image.Rectangle{Min: at, Max: at.Add(image.Pt(scale, scale))}, pixel, image.Point{}, draw.Src)
		}
	}
	return grid, nil
}

// gridColumns returns the number of filters side by side that makes the grid
// about square.
func gridColumns(h int, s Shape) int {
	columns := int(math.Ceil(math.Sqrt(float64(h) * float64(s.Height) / float64(s.Width))))
	return min(max(columns, 1), h)
}

// shade returns the colour of the weights of one pixel, -top black and +top
// white.
func shade(w []float32, top float64) color.Color {
	var level [3]uint8
	for c := range w {
		x := 0.0
		if top > 0 {
			x = float64(w[c]) / top
		}
		level[c] = uint8(math.Round(127.5 + 127.5*x))
	}
	if len(w) == 1 {
		return color.Gray{Y: level[0]}
	}
	return color.RGBA{R: level[0], G: level[1], B: level[2], A: 255}
}

// Package imagery stands between pixels and people: it cuts patches out of
// images to learn from, and draws what was learned.
//
// [Decode] makes a [Picture] of a PNG, JPEG, WebP, TIFF or BMP image of bounded
// size. A [Cut] says which patches of a picture to take, rows of numbers that a
// model can be fitted to; [Picture.Whiten] gives a photograph a flat spectrum
// before. [Filters] draws the weights of hidden units as a grid of small
// pictures.
//
// # Layout of a patch
//
// A patch is one row of n = Height * Width * Channels values: lines of pixels
// from top to bottom, pixels from left to right, and for each pixel its
// channels side by side (red, green, blue). This is the order of a
// (height, width, channel) tensor. Data with one plane a channel, as CIFAR-10
// is distributed, has another order and would be drawn wrongly.
package imagery

import (
	"fmt"
	"math"
)

// Shape is the shape of a patch.
type Shape struct {
	Height, Width int // in pixels
	Channels      int // 1: grey, 3: red, green, blue
}

// maxSide bounds a side of a patch, so that no product of sides overflows.
const maxSide = 1 << 14

// Validate returns an error that says what is wrong with s.
func (s Shape) Validate() error {
	switch {
	case s.Height < 1 || s.Width < 1:
		return fmt.Errorf("imagery: patches of %d by %d pixels are empty", s.Height, s.Width)
	case s.Height > maxSide || s.Width > maxSide:
		return fmt.Errorf("imagery: patches of %d by %d pixels are larger than %d a side", s.Height, s.Width, maxSide)
	case s.Channels != 1 && s.Channels != 3:
		return fmt.Errorf("imagery: %d channels are neither grey (1) nor colour (3)", s.Channels)
	}
	return nil
}

// Len returns n, the number of values in a patch.
func (s Shape) Len() int { return s.Height * s.Width * s.Channels }

// String returns s as height x width x channels, "28x28" when grey.
func (s Shape) String() string {
	if s.Channels == 1 {
		return fmt.Sprintf("%dx%d", s.Height, s.Width)
	}
	return fmt.Sprintf("%dx%dx%d", s.Height, s.Width, s.Channels)
}

// GuessShape returns the likely shape of a patch of n >= 1 values: a grey
// square (784 is 28x28), else a square in colour (108 is 6x6x3; no number is
// both), else the grey rectangle nearest to a square, wider than high.
func GuessShape(n int) Shape {
	if side, ok := root(n); ok {
		return Shape{side, side, 1}
	}
	if side, ok := root(n / 3); ok && n%3 == 0 {
		return Shape{side, side, 3}
	}
	height := int(math.Sqrt(float64(n)))
	for n%height != 0 {
		height--
	}
	return Shape{height, n / height, 1}
}

// root returns the whole square root of n, if n has one.
func root(n int) (int, bool) {
	side := int(math.Round(math.Sqrt(float64(n))))
	return side, side*side == n
}

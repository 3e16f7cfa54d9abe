package model

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Shape says which pixel of an image each of the n values of a row is. It
// computes nothing: the cost knows no neighbours. Pictures of weights need it,
// and whatever cuts the rows out of images. The zero value is unknown.
type Shape struct {
	Height   int `json:"height"`   // in pixels
	Width    int `json:"width"`    // in pixels
	Channels int `json:"channels"` // 1: grey, 3: red, green, blue

	// Order names the axes from the slowest to the fastest. "" is "HWC": lines
	// from top to bottom, pixels from left to right, the channels of a pixel
	// side by side. "CHW" has one plane a channel. Any order of the three
	// letters is one.
	Order string `json:"order,omitempty"`
}

// orderHWC is what an empty Order stands for.
const orderHWC = "HWC"

// orders are all that Order may be.
var orders = []string{"", orderHWC, "CHW", "HCW", "WHC", "CWH", "WCH"}

// maxSide bounds the sides and the channels of a shape, so that no product of
// them overflows.
const maxSide = 1 << 14

// Validate returns an error that says what is wrong with s.
func (s Shape) Validate() error {
	switch {
	case s.Height < 1 || s.Width < 1:
		return fmt.Errorf("patches of %d by %d pixels are empty", s.Height, s.Width)
	case s.Height > maxSide || s.Width > maxSide:
		return fmt.Errorf("patches of %d by %d pixels are larger than %d a side", s.Height, s.Width, maxSide)
	case s.Channels < 1 || s.Channels > maxSide:
		return fmt.Errorf("%d channels are not from 1 to %d", s.Channels, maxSide)
	case !slices.Contains(orders, s.Order):
		return fmt.Errorf("%q is no order of H, W and C", s.Order)
	}
	return nil
}

// check reports what keeps rows of n values from being of shape s.
func (s Shape) check(n int) error {
	if err := s.Validate(); err != nil {
		return err
	}
	if s.Len() != n {
		return fmt.Errorf("%v is a shape of %d values, and rows have %d", s, s.Len(), n)
	}
	return nil
}

// Len returns n, the number of values in a row.
func (s Shape) Len() int { return s.Height * s.Width * s.Channels }

// Strides returns how far apart in a row neighbours are, from line to line,
// from pixel to pixel and from channel to channel: value (y, x, c) is that at
// y*line + x*pixel + c*channel.
func (s Shape) Strides() (line, pixel, channel int) {
	order := s.Order
	if order == "" {
		order = orderHWC
	}
	step := 1
	for i := len(order) - 1; i >= 0; i-- {
		switch order[i] {
		case 'H':
			line = step
			step *= s.Height
		case 'W':
			pixel = step
			step *= s.Width
		case 'C':
			channel = step
			step *= s.Channels
		}
	}
	return line, pixel, channel
}

// String returns s as height x width x channels: "28x28" when grey, "6x6x3",
// with an order of its own "32x32x3,CHW". ParseShape reads it.
func (s Shape) String() string {
	text := fmt.Sprintf("%dx%d", s.Height, s.Width)
	if s.Channels != 1 {
		text += fmt.Sprintf("x%d", s.Channels)
	}
	if s.Order != "" && s.Order != orderHWC {
		text += "," + s.Order
	}
	return text
}

// ParseShape reads a shape as people write it: "28x28", "28x28x1", "6x6x3", or
// with the order of the values "32x32x3,CHW".
func ParseShape(text string) (Shape, error) {
	sizes, order, ordered := strings.Cut(text, ",")
	parts := strings.Split(sizes, "x")
	if len(parts) < 2 || len(parts) > 3 || ordered && order == "" {
		return Shape{}, badShape(text)
	}
	s := Shape{Channels: 1, Order: order}
	for i, size := range []*int{&s.Height, &s.Width, &s.Channels}[:len(parts)] {
		n, err := strconv.ParseUint(parts[i], 10, 31)
		if err != nil {
			return Shape{}, badShape(text)
		}
		*size = int(n)
	}
	if err := s.Validate(); err != nil {
		return Shape{}, err
	}
	return s.canonical(), nil
}

func badShape(text string) error {
	return fmt.Errorf("%q is no shape, such as 28x28 or 6x6x3", text)
}

// canonical returns s with the shortest Order of the same meaning.
func (s Shape) canonical() Shape {
	if s.Order == orderHWC || s.Channels == 1 && strings.Index(s.Order, "H") < strings.Index(s.Order, "W") {
		s.Order = ""
	}
	return s
}

// ShapeOf returns the shape of rows whose values lie along the given axes, the
// slowest first: letters of "HWC" with their sizes, H and W among them. Without
// a C the rows are grey. What names no shape is the zero Shape.
func ShapeOf(axes string, sizes []int) Shape {
	s := Shape{Channels: 1, Order: axes}
	if len(axes) != len(sizes) {
		return Shape{}
	}
	for i, size := range sizes {
		switch axes[i] {
		case 'H':
			s.Height = size
		case 'W':
			s.Width = size
		case 'C':
			s.Channels = size
		}
	}
	if len(axes) == 2 {
		s.Order += "C"
	}
	if s.Validate() != nil {
		return Shape{}
	}
	return s.canonical()
}

// GuessShape returns the likely shape of a row of n >= 1 values: a grey square
// (784 is 28x28), else a square in colour (108 is 6x6x3; no number is both),
// else the grey rectangle nearest to a square, wider than high.
func GuessShape(n int) Shape {
	if side, ok := root(n); ok {
		return Shape{Height: side, Width: side, Channels: 1}
	}
	if side, ok := root(n / 3); ok && n%3 == 0 {
		return Shape{Height: side, Width: side, Channels: 3}
	}
	height := int(math.Sqrt(float64(n)))
	for n%height != 0 {
		height--
	}
	return Shape{Height: height, Width: n / height, Channels: 1}
}

// root returns the whole square root of n, if n has one.
func root(n int) (int, bool) {
	side := int(math.Round(math.Sqrt(float64(n))))
	return side, side*side == n
}

// PatchShape returns the shape of the model's rows, or where it is unknown what
// GuessShape makes of their width.
func (m *Model) PatchShape() (s Shape, guessed bool) {
	if m.Shape != (Shape{}) {
		return m.Shape, false
	}
	return GuessShape(m.Inputs), true
}

package imagery

import (
	"fmt"
	"iter"
	"math"
	"math/bits"
	"math/rand/v2"
)

// A Cut says which patches are taken from a picture. The zero value takes the
// whole picture as its only patch.
type Cut struct {
	// Height and Width are those of a patch, in pixels. 0: the picture's.
	Height, Width int

	// Stride is the distance in pixels from a patch to the next, to the right
	// and downward, in a grid that starts at the top left corner. What is left
	// at the right and at the bottom is not used. 0: patches lie side by side.
	Stride int

	// Count is the number of patches at random places, drawn uniformly and
	// independently, so that they overlap and may repeat. 0: all of the grid.
	Count int

	// Seed decides, with the key of the picture, the random places.
	Seed uint64

	// MinContrast leaves out patches whose values have a smaller standard
	// deviation, as a share of 255 for bytes. Of random places another is
	// drawn instead, up to maxDraws for each patch: a picture with hardly any
	// contrast gives fewer patches.
	MinContrast float64
}

// maxDraws bounds the places tried for each patch wanted, so that a picture
// without contrast ends.
const maxDraws = 50

// A Place is where the top left pixel of a patch lies in its picture, counted
// in pixels from 0.
type Place struct{ Row, Column int }

// Validate returns an error that says what is wrong with c.
func (c Cut) Validate() error {
	switch {
	case c.Height < 0 || c.Width < 0:
		return fmt.Errorf("imagery: patches of %d by %d pixels are empty", c.Height, c.Width)
	case c.Stride < 0:
		return fmt.Errorf("imagery: a stride of %d pixels is negative", c.Stride)
	case c.Count < 0:
		return fmt.Errorf("imagery: %d patches are fewer than none", c.Count)
	case !(c.MinContrast >= 0):
		return fmt.Errorf("imagery: a contrast of %v is negative", c.MinContrast)
	}
	return nil
}

// Size returns the height and the width of the patches that c takes from p.
func (c Cut) Size(p *Picture) (height, width int) {
	height, width = c.Height, c.Width
	if height == 0 {
		height = p.Shape.Height
	}
	if width == 0 {
		width = p.Shape.Width
	}
	return height, width
}

// Places yields where the patches of p lie: lines of the grid from top to
// bottom, or the random places as they are drawn. key stands for the picture:
// the places of a picture depend on its size, on c and on key alone (and on its
// values, with MinContrast). A picture smaller than a patch is an error.
func (c Cut) Places(p *Picture, key uint64) (iter.Seq[Place], error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	height, width := c.Size(p)
	if p.Shape.Height < height || p.Shape.Width < width {
		return nil, fmt.Errorf("imagery: image of %d by %d pixels (height by width) is smaller than a patch of %v",
			p.Shape.Height, p.Shape.Width, Shape{Height: height, Width: width, Channels: p.Shape.Channels})
	}
	c.Height, c.Width = height, width
	if c.Count == 0 {
		return func(yield func(Place) bool) { c.grid(p, yield) }, nil
	}
	return func(yield func(Place) bool) { c.draw(p, key, yield) }, nil
}

// grid yields the places of a grid.
func (c Cut) grid(p *Picture, yield func(Place) bool) {
	down, right := c.Stride, c.Stride
	if c.Stride == 0 {
		down, right = c.Height, c.Width
	}
	for y := 0; y+c.Height <= p.Shape.Height; y += down {
		for x := 0; x+c.Width <= p.Shape.Width; x += right {
			if at := (Place{y, x}); c.takes(p, at) && !yield(at) {
				return
			}
		}
	}
}

// draw yields random places.
func (c Cut) draw(p *Picture, key uint64, yield func(Place) bool) {
	r := rand.New(rand.NewPCG(c.Seed, key))
	taken := 0
	for draws := 0; taken < c.Count && draws/maxDraws < c.Count; draws++ {
		x := below(r, p.Shape.Width-c.Width+1)
		y := below(r, p.Shape.Height-c.Height+1)
		if at := (Place{y, x}); c.takes(p, at) {
			taken++
			if !yield(at) {
				return
			}
		}
	}
}

// takes reports whether the patch at a place has contrast enough.
func (c Cut) takes(p *Picture, at Place) bool {
	return c.MinContrast == 0 || p.contrast(at, c.Height, c.Width) >= c.MinContrast
}

// below returns a number in [0, n) from one draw. Unlike rand.IntN it is
// defined here once and for all; its bias is below n / 2^64.
func below(r *rand.Rand, n int) int {
	high, _ := bits.Mul64(r.Uint64(), uint64(n))
	return int(high)
}

// AppendBytes appends the patch of height by width pixels at a place of a
// picture of bytes.
func (p *Picture) AppendBytes(dst []uint8, at Place, height, width int) []uint8 {
	return appendPatch(dst, p.Bytes, p.Shape, at, height, width)
}

// AppendFloats appends the patch of height by width pixels at a place. Bytes
// become the numbers 0 to 255.
func (p *Picture) AppendFloats(dst []float32, at Place, height, width int) []float32 {
	if p.Bytes == nil {
		return appendPatch(dst, p.Floats, p.Shape, at, height, width)
	}
	n := width * p.Shape.Channels
	for i := range height {
		for _, v := range p.Bytes[((at.Row+i)*p.Shape.Width+at.Column)*p.Shape.Channels:][:n] {
			dst = append(dst, float32(v))
		}
	}
	return dst
}

func appendPatch[T any](dst, values []T, s Shape, at Place, height, width int) []T {
	n := width * s.Channels
	for i := range height {
		first := ((at.Row+i)*s.Width + at.Column) * s.Channels
		dst = append(dst, values[first:first+n]...)
	}
	return dst
}

// contrast is the standard deviation of the values of a patch, all channels
// together.
func (p *Picture) contrast(at Place, height, width int) float64 {
	if p.Bytes == nil {
		return deviation(p.Floats, p.Shape, at, height, width)
	}
	return deviation(p.Bytes, p.Shape, at, height, width) / 255
}

func deviation[T uint8 | float32](values []T, s Shape, at Place, height, width int) float64 {
	n := width * s.Channels
	// Around the first value, so that nothing is lost to a large mean.
	first := float64(values[(at.Row*s.Width+at.Column)*s.Channels])
	var sum, squares float64
	for i := range height {
		for _, v := range values[((at.Row+i)*s.Width+at.Column)*s.Channels:][:n] {
			d := float64(v) - first
			sum += d
			squares += d * d
		}
	}
	m := float64(height * n)
	return math.Sqrt(max(0, squares/m-sum/m*(sum/m)))
}

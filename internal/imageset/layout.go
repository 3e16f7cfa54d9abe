package imageset

import (
	"errors"
	"fmt"
	"math"

	"github.com/aefeat/aefeat/imagery"
)

// mostChannels is up to where a last or first dimension is one of channels.
const mostChannels = 4

// mostValues are those of the largest picture.
const mostValues = mostChannels * imagery.MaxPixels

// errNoShape is the error of numbers that nobody knows the shape of.
var errNoShape = &hintedError{errors.New("rows of numbers without a shape"), "say what an image is with `Shape`"}

// shapeOf returns the shape of an array of two dimensions (height, width), or
// three of which the last or else the first, up to four, is that of channels.
func shapeOf(dims []int) (s imagery.Shape, err error) {
	n := 1
	for _, d := range dims {
		if d < 1 || n > mostValues/d {
			return s, fmt.Errorf("%v is no shape of an image: it has from 1 to %d pixels", dims, imagery.MaxPixels)
		}
		n *= d
	}
	switch {
	case len(dims) == 2:
		s = imagery.Shape{Height: dims[0], Width: dims[1], Channels: 1}
	case len(dims) == 3 && dims[2] <= mostChannels:
		s = imagery.Shape{Height: dims[0], Width: dims[1], Channels: dims[2]}
	case len(dims) == 3 && dims[0] <= mostChannels:
		s = imagery.Shape{Height: dims[1], Width: dims[2], Channels: dims[0], Order: "CHW"}
	default:
		return s, &hintedError{fmt.Errorf("an array of shape %v is no image", dims), "say what it is with `Shape`"}
	}
	return s, s.Validate()
}

// given is shapeOf for one image with dimensions dims, of which a shape that is
// not zero knows better.
func given(shape imagery.Shape, dims []int) (imagery.Shape, error) {
	if shape == (imagery.Shape{}) {
		if len(dims) < 2 {
			return shape, errNoShape
		}
		return shapeOf(dims)
	}
	n := 1
	for _, d := range dims {
		if d < 0 || d > 0 && n > mostValues/d {
			return shape, fmt.Errorf("%v is no shape of an image", dims)
		}
		n *= d
	}
	if n != shape.Len() {
		return shape, fmt.Errorf("%d values, expected %d of an image of %v", n, shape.Len(), shape)
	}
	return shape, nil
}

// picture arranges values in the order of s as a picture has them. Those of
// lines of pixels of channels are kept, not copied.
func picture(s imagery.Shape, bytes []uint8, floats []float32) (*imagery.Picture, error) {
	if n := len(bytes) + len(floats); n != s.Len() {
		return nil, fmt.Errorf("%d values, expected %d of an image of %v", n, s.Len(), s)
	}
	for i, v := range floats {
		if v != v || math.IsInf(float64(v), 0) {
			return nil, fmt.Errorf("%v at element %d", v, i)
		}
	}
	p := &imagery.Picture{Shape: imagery.Shape{Height: s.Height, Width: s.Width, Channels: s.Channels}}
	if floats != nil {
		p.Floats = arrange(s, floats)
	} else {
		p.Bytes = arrange(s, bytes)
	}
	return p, nil
}

func arrange[T any](s imagery.Shape, values []T) []T {
	line, pixel, channel := s.Strides()
	if channel == 1 && pixel == s.Channels {
		return values
	}
	to := make([]T, 0, len(values))
	for y := range s.Height {
		for x := range s.Width {
			for c := range s.Channels {
				to = append(to, values[y*line+x*pixel+c*channel])
			}
		}
	}
	return to
}

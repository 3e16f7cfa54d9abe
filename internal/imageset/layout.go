package imageset

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/aefeat/aefeat/imagery"
)

// A layout says how the values of an image lie one after the other: its sizes
// and the distance from a line, a pixel and a channel to the next.
type layout struct {
	shape                imagery.Shape
	line, pixel, channel int
}

// mostChannels is up to where a last or first dimension is one of channels.
const mostChannels = 4

// lines is the layout of a picture: lines of pixels of channels.
func lines(s imagery.Shape) layout {
	return layout{s, s.Width * s.Channels, s.Channels, 1}
}

// layoutOf makes the layout of an array of two dimensions (height, width), or
// three of which the last or else the first, up to four, is that of channels.
func layoutOf(dims []int) (layout, error) {
	strides := make([]int, len(dims))
	n := 1
	for i := len(dims) - 1; i >= 0; i-- {
		if dims[i] < 1 || dims[i] > imagery.MaxPixels || n > mostValues/dims[i] {
			return layout{}, fmt.Errorf("%v is no shape of an image: it has from 1 to %d pixels", dims, imagery.MaxPixels)
		}
		strides[i] = n
		n *= dims[i]
	}
	return arranged(dims, strides)
}

// mostValues are those of the largest picture.
const mostValues = mostChannels * imagery.MaxPixels

// arranged is layoutOf for dimensions in any order, with their strides.
func arranged(dims, strides []int) (layout, error) {
	switch {
	case len(dims) == 2:
		return layout{imagery.Shape{Height: dims[0], Width: dims[1], Channels: 1}, strides[0], strides[1], 1}, nil
	case len(dims) == 3 && dims[2] <= mostChannels:
		return layout{imagery.Shape{Height: dims[0], Width: dims[1], Channels: dims[2]}, strides[0], strides[1], strides[2]}, nil
	case len(dims) == 3 && dims[0] <= mostChannels:
		return layout{imagery.Shape{Height: dims[1], Width: dims[2], Channels: dims[0]}, strides[1], strides[2], strides[0]}, nil
	}
	return layout{}, &hintedError{fmt.Errorf("an array of shape %v is no image", dims), "say what it is with `Shape`"}
}

// tensorLayout reads the metadata of arrow.fixed_shape_tensor: the sizes in the
// order in which values lie, and the order in which dimensions are meant.
func tensorLayout(metadata string) (layout, error) {
	var t struct {
		Shape       []int    `json:"shape"`
		Names       []string `json:"dim_names"`
		Permutation []int    `json:"permutation"`
	}
	if err := json.Unmarshal([]byte(metadata), &t); err != nil {
		return layout{}, fmt.Errorf("metadata of a tensor: %w", err)
	}
	if _, err := layoutOf(append(slices.Clone(t.Shape), 1)[:min(len(t.Shape), 2)]); err != nil && len(t.Shape) < 2 {
		return layout{}, &hintedError{fmt.Errorf("a tensor of shape %v is no image", t.Shape), "say what it is with `Shape`"}
	}
	order := t.Permutation
	if order == nil {
		order = byName(t.Names)
	}
	if order == nil {
		return layoutOf(t.Shape)
	}
	return permuted(t.Shape, order)
}

// permuted is the layout of an array whose dimensions are meant in another
// order: the first is dims[order[0]].
func permuted(dims, order []int) (layout, error) {
	strides := make([]int, len(dims))
	n := 1
	for i := len(dims) - 1; i >= 0; i-- {
		if dims[i] < 1 || n > mostValues/dims[i] {
			return layout{}, fmt.Errorf("%v is no shape of an image", dims)
		}
		strides[i] = n
		n *= dims[i]
	}
	seen := make([]bool, len(dims))
	var to, by []int
	for _, i := range order {
		if i < 0 || i >= len(dims) || seen[i] {
			return layout{}, fmt.Errorf("%v is no order of %d dimensions", order, len(dims))
		}
		seen[i] = true
		to, by = append(to, dims[i]), append(by, strides[i])
	}
	if len(to) != len(dims) {
		return layout{}, fmt.Errorf("%v is no order of %d dimensions", order, len(dims))
	}
	return arranged(to, by)
}

// byName returns the order of dimensions named height, width and channel, or
// by the first letters of these; nil where they are not.
func byName(names []string) []int {
	order := []int{-1, -1, -1}
	for i, name := range names {
		at := slices.Index([]string{"h", "w", "c"}, strings.ToLower(name[:min(1, len(name))]))
		if at < 0 || order[at] >= 0 {
			return nil
		}
		order[at] = i
	}
	if len(names) == 2 && order[2] < 0 {
		order = order[:2]
	}
	if slices.Contains(order, -1) {
		return nil
	}
	return order
}

// picture arranges values as a picture has them. Those of lines of pixels are
// kept, not copied.
func (l layout) picture(bytes []uint8, floats []float32) (*imagery.Picture, error) {
	p := &imagery.Picture{Shape: l.shape}
	if n := l.shape.Len(); len(bytes)+len(floats) != n {
		return nil, fmt.Errorf("%d values, expected %d of an image of %d by %d pixels with %d channels",
			len(bytes)+len(floats), n, l.shape.Height, l.shape.Width, l.shape.Channels)
	}
	for i, v := range floats {
		if v != v || math.IsInf(float64(v), 0) {
			return nil, fmt.Errorf("%v at element %d", v, i)
		}
	}
	if floats != nil {
		p.Floats = arrange(l, floats)
	} else {
		p.Bytes = arrange(l, bytes)
	}
	return p, nil
}

func arrange[T any](l layout, values []T) []T {
	if l == lines(l.shape) {
		return values
	}
	to := make([]T, 0, len(values))
	for y := range l.shape.Height {
		for x := range l.shape.Width {
			for c := range l.shape.Channels {
				to = append(to, values[y*l.line+x*l.pixel+c*l.channel])
			}
		}
	}
	return to
}

// errNoShape is the error of numbers that nobody knows the shape of.
var errNoShape = &hintedError{errors.New("rows of numbers without a shape"), "say what an image is with `Shape`"}

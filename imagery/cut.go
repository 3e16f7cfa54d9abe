package imagery

import (
	"fmt"
	"image"
	"image/draw"
	"math/bits"
	"math/rand/v2"
)

// Tiles appends to dst (uint8, a multiple of n long) every patch of shape s of
// a grid laid over img from its top left corner, row by row, and returns the
// extended slice. What is left at the right and at the bottom is not used.
//
// Colours become 8 bits a channel; grey is the luma 0.299 R + 0.587 G + 0.114
// B; what is transparent is taken as standing on black. An image smaller than
// one patch is an error.
func Tiles(dst []uint8, img image.Image, s Shape) ([]uint8, error) {
	p, err := pack(img, s)
	if err != nil {
		return dst, err
	}
	for y := 0; y+s.Height <= p.height; y += s.Height {
		for x := 0; x+s.Width <= p.width; x += s.Width {
			dst = p.cut(dst, x, y)
		}
	}
	return dst, nil
}

// Sample appends to dst count patches of shape s cut from img at positions
// drawn from r, uniformly and independently, so that patches overlap and may
// repeat. Two draws of r place one patch. It returns the extended slice;
// colours are as with Tiles.
//
// To draw the same patches from an image whatever else is cut, give each image
// its own source: rand.New(rand.NewPCG(seed, number of the image)).
func Sample(dst []uint8, img image.Image, s Shape, count int, r *rand.Rand) ([]uint8, error) {
	if count < 0 {
		return dst, fmt.Errorf("imagery: %d patches are fewer than none", count)
	}
	p, err := pack(img, s)
	if err != nil {
		return dst, err
	}
	for range count {
		x := below(r, p.width-s.Width+1)
		y := below(r, p.height-s.Height+1)
		dst = p.cut(dst, x, y)
	}
	return dst, nil
}

// below returns a number in [0, n) from one draw. Unlike rand.IntN it is
// defined here once and for all; its bias is below n / 2^64.
func below(r *rand.Rand, n int) int {
	high, _ := bits.Mul64(r.Uint64(), uint64(n))
	return int(high)
}

// A packed image holds its pixels as patches do: lines of interleaved
// channels.
type packed struct {
	pixels        []uint8
	width, height int // in pixels
	shape         Shape
}

// pack converts img for patches of shape s.
func pack(img image.Image, s Shape) (packed, error) {
	if err := validate(s); err != nil {
		return packed{}, err
	}
	bounds := img.Bounds()
	p := packed{width: bounds.Dx(), height: bounds.Dy(), shape: s}
	if p.width < s.Width || p.height < s.Height {
		return packed{}, fmt.Errorf("imagery: image of %d by %d pixels (height by width) is smaller than a patch of %v", p.height, p.width, s)
	}
	p.pixels = make([]uint8, 0, p.width*p.height*s.Channels)
	if grey, ok := img.(*image.Gray); ok && s.Channels == 1 {
		for y := range p.height {
			first := y * grey.Stride
			p.pixels = append(p.pixels, grey.Pix[first:first+p.width]...)
		}
		return p, nil
	}

	// draw.Draw knows the common kinds of image, one line at a time keeps the
	// copy small.
	line := image.NewRGBA(image.Rect(0, 0, p.width, 1))
	for y := range p.height {
		draw.Draw(line, line.Rect, img, bounds.Min.Add(image.Pt(0, y)), draw.Src)
		for x := 0; x < len(line.Pix); x += 4 {
			r, g, b := line.Pix[x], line.Pix[x+1], line.Pix[x+2]
			if s.Channels == 3 {
				p.pixels = append(p.pixels, r, g, b)
			} else {
				p.pixels = append(p.pixels, luma(r, g, b))
			}
		}
	}
	return p, nil
}

// luma is 0.299 r + 0.587 g + 0.114 b (ITU-R BT.601) in 16-bit fixed point;
// the three weights add up to 2^16.
func luma(r, g, b uint8) uint8 {
	return uint8((19595*uint32(r) + 38470*uint32(g) + 7471*uint32(b) + 1<<15) >> 16)
}

// cut appends the patch whose top left pixel is (x, y).
func (p packed) cut(dst []uint8, x, y int) []uint8 {
	s := p.shape
	for i := range s.Height {
		first := ((y+i)*p.width + x) * s.Channels
		dst = append(dst, p.pixels[first:first+s.Width*s.Channels]...)
	}
	return dst
}

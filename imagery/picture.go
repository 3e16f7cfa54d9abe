package imagery

import (
	"fmt"
	"image"
	"image/draw"
)

// A Picture is a decoded image in the layout of a patch: lines from top to
// bottom, pixels from left to right, the channels of a pixel side by side.
// Either Bytes or Floats holds its values, Shape.Len() of them; the other is
// nil. A Picture may be read by several goroutines.
//
// Shape.Channels is 1 (grey) or 3 (red, green, blue) for what [Decode]
// returns. Arrays that others have filled in may have any number of channels;
// nothing is known of their meaning.
type Picture struct {
	Shape  Shape
	Bytes  []uint8   // 8-bit values, 255 the brightest
	Floats []float32 // values of any scale
}

// Check returns an error where the values are not as many as the shape asks
// for.
func (p *Picture) Check() error {
	s := p.Shape
	if s.Height < 1 || s.Width < 1 || s.Channels < 1 {
		return fmt.Errorf("imagery: image of %d by %d pixels with %d channels is empty", s.Height, s.Width, s.Channels)
	}
	n := len(p.Bytes) + len(p.Floats)
	if p.Bytes != nil && p.Floats != nil || n%s.Height != 0 || n/s.Height%s.Width != 0 || n/s.Height/s.Width != s.Channels {
		return fmt.Errorf("imagery: %d values for an image of %d by %d pixels with %d channels", n, s.Height, s.Width, s.Channels)
	}
	return nil
}

// FromImage converts an image to 8 bits a channel: one channel if its type
// holds nothing but grey, else three. Of deeper channels it takes the upper 8
// bits. What is transparent is taken as standing on black.
func FromImage(img image.Image) *Picture {
	b := img.Bounds()
	p := &Picture{Shape: Shape{Height: b.Dy(), Width: b.Dx(), Channels: 3}}
	switch img := img.(type) {
	case *image.Gray:
		p.Shape.Channels = 1
		p.Bytes = make([]uint8, 0, p.Shape.Len())
		for y := range p.Shape.Height {
			p.Bytes = append(p.Bytes, img.Pix[y*img.Stride:][:p.Shape.Width]...)
		}
		return p
	case *image.Gray16:
		p.Shape.Channels = 1
		p.Bytes = make([]uint8, 0, p.Shape.Len())
		for y := range p.Shape.Height {
			line := img.Pix[y*img.Stride:][:2*p.Shape.Width]
			for x := 0; x < len(line); x += 2 { // big-endian
				p.Bytes = append(p.Bytes, line[x])
			}
		}
		return p
	}
	p.Bytes = make([]uint8, 0, p.Shape.Len())
	// draw.Draw knows the common kinds of image; one line at a time keeps the
	// copy small.
	line := image.NewRGBA(image.Rect(0, 0, p.Shape.Width, 1))
	for y := range p.Shape.Height {
		draw.Draw(line, line.Rect, img, b.Min.Add(image.Pt(0, y)), draw.Src)
		for x := 0; x < len(line.Pix); x += 4 {
			p.Bytes = append(p.Bytes, line.Pix[x], line.Pix[x+1], line.Pix[x+2])
		}
	}
	return p
}

// WithChannels returns p with another number of channels: itself if it has as
// many; grey, the luma 0.299 R + 0.587 G + 0.114 B (ITU-R BT.601), for 1 of 3;
// three equal channels for 3 of 1. Other changes are errors.
func (p *Picture) WithChannels(channels int) (*Picture, error) {
	s := p.Shape
	to := &Picture{Shape: Shape{Height: s.Height, Width: s.Width, Channels: channels}}
	switch {
	case s.Channels == channels:
		return p, nil
	case s.Channels == 3 && channels == 1 && p.Bytes != nil:
		to.Bytes = make([]uint8, len(p.Bytes)/3)
		for i := range to.Bytes {
			to.Bytes[i] = luma(p.Bytes[3*i], p.Bytes[3*i+1], p.Bytes[3*i+2])
		}
	case s.Channels == 3 && channels == 1:
		to.Floats = make([]float32, len(p.Floats)/3)
		for i := range to.Floats {
			to.Floats[i] = 0.299*p.Floats[3*i] + 0.587*p.Floats[3*i+1] + 0.114*p.Floats[3*i+2]
		}
	case s.Channels == 1 && channels == 3 && p.Bytes != nil:
		to.Bytes = make([]uint8, 0, 3*len(p.Bytes))
		for _, v := range p.Bytes {
			to.Bytes = append(to.Bytes, v, v, v)
		}
	case s.Channels == 1 && channels == 3:
		to.Floats = make([]float32, 0, 3*len(p.Floats))
		for _, v := range p.Floats {
			to.Floats = append(to.Floats, v, v, v)
		}
	default:
		return nil, fmt.Errorf("imagery: an image of %d channels cannot be made one of %d", s.Channels, channels)
	}
	return to, nil
}

// luma is 0.299 r + 0.587 g + 0.114 b (ITU-R BT.601) in 16-bit fixed point;
// the three weights add up to 2^16.
func luma(r, g, b uint8) uint8 {
	return uint8((19595*uint32(r) + 38470*uint32(g) + 7471*uint32(b) + 1<<15) >> 16)
}

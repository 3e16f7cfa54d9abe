package imagery

import (
	"context"
	"encoding/binary"
	"fmt"
	"image"

	"golang.org/x/image/draw"
	"golang.org/x/sync/semaphore"

	"github.com/aefeat/aefeat/model"
)

// MaxWhole bounds the pixels of an image that [Whole] takes as one patch: 2^18,
// as 512x512 has. A model has weights for each, in colour 300 million for 200
// units.
const MaxWhole = 1 << 18

// Of images that are resized maxLines bounds what is kept between the two
// steps of it, 32 bytes for each line of the image and column of the result;
// and maxSide the lines that decoders keep. No JPEG is larger.
const (
	maxLines = MaxPixels / 4
	maxSide  = 1 << 16
)

// Whole returns a function that decodes whole images as patches, as want says:
// pixels in the order of a [Picture], and their shape. There are no pixels
// where an image has another shape than want asks for; of its size alone, where
// that differs or is more than [MaxWhole], the shape has no channels. What
// colours, transparency and depth become is what [Decode] says; then follow the
// channels that want asks for, then its size by [Picture.Resize].
//
// The function is safe for concurrent use: it decodes as many images at a time
// as have MaxPixels pixels together.
func Whole() func(file []byte, want model.Images) ([]uint8, model.Shape, error) {
	working := semaphore.NewWeighted(MaxPixels)
	return func(file []byte, want model.Images) ([]uint8, model.Shape, error) {
		return whole(file, want, working)
	}
}

func whole(file []byte, want model.Images, working *semaphore.Weighted) (pixels []uint8, shape Shape, err error) {
	defer noPanic(&err)
	f, config, err := header(file)
	if err != nil {
		return nil, Shape{}, err
	}
	size := Shape{Height: config.Height, Width: config.Width}
	if f.orientation != nil && f.orientation(file) >= 5 { // lines become columns
		size = Shape{Height: config.Width, Width: config.Height}
	}
	weight := int64(min(config.Width, MaxPixels)) * int64(min(config.Height, MaxPixels))
	asked := want.Shape
	switch {
	case want.Resize:
		lines := int64(size.Height) * int64(asked.Width)
		if lines > maxLines || size.Height > maxSide || size.Width > maxSide {
			return nil, size, fmt.Errorf("imagery: image of %d by %d pixels (height by width) is beyond what is resized", size.Height, size.Width)
		}
		weight += 4 * lines
	case asked.Height > 0 && (size.Height != asked.Height || size.Width != asked.Width), weight > MaxWhole:
		return nil, size, nil
	}
	weight = min(weight, MaxPixels)
	if err := working.Acquire(context.Background(), weight); err != nil {
		return nil, Shape{}, err
	}
	defer working.Release(weight)
	p, err := f.picture(file, config)
	if err == nil {
		p, err = p.as(want)
	}
	if err != nil {
		return nil, Shape{}, err
	}
	return p.Bytes, p.Shape, nil
}

// as returns p as want says; without pixels, and with the channels that it has,
// where that would lose its colours.
func (p *Picture) as(want model.Images) (_ *Picture, err error) {
	channels := want.Shape.Channels
	if want.Grey {
		channels = 1
	}
	switch {
	case channels == 0:
	case channels == 1 && p.Shape.Channels == 3 && !want.Grey:
		s := p.Shape
		if want.Resize {
			s.Height, s.Width = want.Shape.Height, want.Shape.Width
		}
		return &Picture{Shape: s}, nil
	default:
		if p, err = p.WithChannels(channels); err != nil {
			return nil, err
		}
	}
	if !want.Resize {
		return p, nil
	}
	return p.Resize(want.Shape.Height, want.Shape.Width)
}

// Resize returns a picture of bytes in another size, itself if it has that
// size: resampled with the cubic filter of Catmull and Rom (a = -0.5), which is
// as wide as a pixel of the result where that is larger, so that nothing is
// aliased. Values are rounded and kept within 0 to 255. It has one channel or
// three, and up to 2^24 for its height times the new width.
func (p *Picture) Resize(height, width int) (*Picture, error) {
	s := p.Shape
	to := &Picture{Shape: Shape{Height: height, Width: width, Channels: s.Channels}}
	switch {
	case height < 1 || width < 1 || width > MaxWhole/height:
		return nil, fmt.Errorf("imagery: an image cannot be resized to %d by %d pixels (height by width)", height, width)
	case p.Bytes == nil || s.Channels != 1 && s.Channels != 3:
		return nil, fmt.Errorf("imagery: an image of %d channels that are not bytes cannot be resized", s.Channels)
	case s.Height > maxLines/width:
		return nil, fmt.Errorf("imagery: image of %d by %d pixels (height by width) is too large to be resized", s.Height, s.Width)
	case s.Height == height && s.Width == width:
		return p, nil
	}
	// Of 16 bits, since to 8 it would cut values off instead of rounding them.
	scaled := image.NewRGBA64(image.Rect(0, 0, width, height))
	draw.CatmullRom.Scale(scaled, scaled.Rect, p.image(), image.Rect(0, 0, s.Width, s.Height), draw.Src, nil)
	to.Bytes = make([]uint8, 0, to.Shape.Len())
	for at := 0; at < len(scaled.Pix); at += 8 {
		for c := range s.Channels {
			v := uint32(binary.BigEndian.Uint16(scaled.Pix[at+2*c:]))
			to.Bytes = append(to.Bytes, uint8((v+257/2)/257))
		}
	}
	return to, nil
}

// image returns the picture as the image packages have it.
func (p *Picture) image() image.Image {
	rect := image.Rect(0, 0, p.Shape.Width, p.Shape.Height)
	if p.Shape.Channels == 1 {
		return &image.Gray{Pix: p.Bytes, Stride: p.Shape.Width, Rect: rect}
	}
	img := image.NewRGBA(rect)
	for i, at := 0, 0; i < len(img.Pix); i, at = i+4, at+3 {
		img.Pix[i], img.Pix[i+1], img.Pix[i+2], img.Pix[i+3] = p.Bytes[at], p.Bytes[at+1], p.Bytes[at+2], 255
	}
	return img
}

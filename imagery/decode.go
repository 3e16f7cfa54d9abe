package imagery

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"image/png"
	"io"
)

// MaxPixels bounds the images that Decode accepts: 2^26, about 8192x8192. A
// decoded image takes up to 8 bytes a pixel.
const MaxPixels = 1 << 26

// ErrFormat is returned by Decode for data that is neither PNG nor JPEG.
var ErrFormat = errors.New("imagery: neither PNG nor JPEG")

// Decode reads one PNG or JPEG image from r, from its current position. The
// kind is told by the first bytes. An image of more than MaxPixels pixels is
// an error before its pixels are allocated.
func Decode(r io.ReadSeeker) (image.Image, error) {
	start, err := r.Seek(0, io.SeekCurrent)
	if err != nil {
		return nil, fmt.Errorf("imagery: finding the start of the image: %w", err)
	}
	var head [8]byte
	k, err := io.ReadFull(r, head[:])
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, fmt.Errorf("imagery: reading the image: %w", err)
	}
	configure, decode := png.DecodeConfig, png.Decode
	switch {
	case bytes.HasPrefix(head[:k], []byte("\x89PNG\r\n\x1a\n")):
	case bytes.HasPrefix(head[:k], []byte("\xff\xd8\xff")):
		configure, decode = jpeg.DecodeConfig, jpeg.Decode
	default:
		return nil, ErrFormat
	}
	if _, err := r.Seek(start, io.SeekStart); err != nil {
		return nil, fmt.Errorf("imagery: going back to the start of the image: %w", err)
	}
	config, err := configure(r)
	if err != nil {
		return nil, fmt.Errorf("imagery: reading the image's header: %w", err)
	}
	if int64(config.Width)*int64(config.Height) > MaxPixels {
		return nil, fmt.Errorf("imagery: image of %d by %d pixels has more than %d", config.Width, config.Height, MaxPixels)
	}
	if _, err := r.Seek(start, io.SeekStart); err != nil {
		return nil, fmt.Errorf("imagery: going back to the start of the image: %w", err)
	}
	img, err := decode(r)
	if err != nil {
		return nil, fmt.Errorf("imagery: decoding the image: %w", err)
	}
	return img, nil
}

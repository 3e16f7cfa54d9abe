package imagery

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"image/png"
	"io"

	"golang.org/x/image/bmp"
	"golang.org/x/image/tiff"
)

// MaxPixels bounds the images that Decode accepts: 2^26, about 8192x8192. A
// decoded image takes up to 8 bytes a pixel.
const MaxPixels = 1 << 26

// ErrFormat is returned by Decode for data that is no image in a format that
// it knows.
var ErrFormat = errors.New("imagery: neither PNG, JPEG, WebP, TIFF nor BMP")

// A format is a kind of image file.
type format struct {
	name      string
	is        func(head []byte) bool
	configure func(io.Reader) (image.Config, error)
	decode    func(io.Reader) (image.Image, error)

	// orientation returns how the image is to be turned, as the tag of that
	// name in EXIF says; nil: the format does not tell.
	orientation func(data []byte) int
}

var formats = []format{
	{"PNG", begins("\x89PNG\r\n\x1a\n"), png.DecodeConfig, png.Decode, nil},
	{"JPEG", begins("\xff\xd8\xff"), jpeg.DecodeConfig, jpeg.Decode, jpegOrientation},
	{"WebP", isWebP, webpConfig, decodeWebP, nil},
	{"TIFF", isTIFF, tiff.DecodeConfig, tiff.Decode, tiffOrientation},
	{"BMP", isBMP, bmp.DecodeConfig, bmp.Decode, nil},
}

func begins(magic string) func([]byte) bool {
	return func(head []byte) bool { return bytes.HasPrefix(head, []byte(magic)) }
}

func isWebP(head []byte) bool {
	return len(head) >= 12 && string(head[:4]) == "RIFF" && string(head[8:12]) == "WEBP"
}

func isTIFF(head []byte) bool {
	return bytes.HasPrefix(head, []byte("II\x2a\x00")) || bytes.HasPrefix(head, []byte("MM\x00\x2a"))
}

// isBMP looks further than the two letters, which text may begin with: at the
// four bytes that are reserved and zero.
func isBMP(head []byte) bool {
	return len(head) >= 10 && string(head[:2]) == "BM" && string(head[6:10]) == "\x00\x00\x00\x00"
}

// HeadBytes is how much of a file Format looks at.
const HeadBytes = 16

// Format names the format of an image by its first bytes: "PNG", "JPEG",
// "WebP", "TIFF" or "BMP"; "" for anything else.
func Format(head []byte) string {
	for _, f := range formats {
		if f.is(head) {
			return f.name
		}
	}
	return ""
}

// Decode decodes a PNG, JPEG, WebP, TIFF or BMP image; its first bytes say
// which. An image of more than MaxPixels pixels is an error before its pixels
// are allocated.
//
// The picture has 8 bits a channel, one channel where the file is grey and
// three otherwise: palettes and CMYK become red, green and blue, of 16 bits the
// upper 8 are taken, and what is transparent is taken as standing on black. It
// is turned upright where the EXIF data of a JPEG image or the tag of a TIFF
// image say how.
func Decode(data []byte) (p *Picture, err error) {
	defer noPanic(&err)
	f, config, err := header(data)
	if err != nil {
		return nil, err
	}
	return f.picture(data, config)
}

// noPanic makes an error of a panic: a decoder that meets what its author did
// not think of may panic.
func noPanic(err *error) {
	if r := recover(); r != nil {
		*err = fmt.Errorf("imagery: decoding the image: %v", r)
	}
}

// picture decodes an image whose header is known.
func (f format) picture(data []byte, config image.Config) (*Picture, error) {
	switch {
	case config.Width < 1 || config.Height < 1:
		return nil, fmt.Errorf("imagery: image of %d by %d pixels (height by width) is empty", config.Height, config.Width)
	case config.Width > MaxPixels/config.Height:
		return nil, fmt.Errorf("imagery: image of %d by %d pixels (height by width) is beyond the %d that are decoded", config.Height, config.Width, MaxPixels)
	}
	img, err := f.decode(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("imagery: decoding the image: %w", err)
	}
	p := FromImage(img)
	if f.orientation != nil {
		p = p.upright(f.orientation(data))
	}
	return p, nil
}

// Pixels returns how many pixels the header of an encoded image claims, 0 where
// it cannot be read. A few bytes may hold many.
func Pixels(data []byte) (n int) {
	defer func() {
		if recover() != nil { // see Decode
			n = 0
		}
	}()
	if _, config, err := header(data); err == nil {
		n = config.Width * config.Height
	}
	return n
}

// header reads the header of an image.
func header(data []byte) (f format, config image.Config, err error) {
	for _, f := range formats {
		if !f.is(data) {
			continue
		}
		if config, err = f.configure(bytes.NewReader(data)); err != nil {
			err = fmt.Errorf("imagery: reading the image's header: %w", err)
		}
		return f, config, err
	}
	return f, config, ErrFormat
}

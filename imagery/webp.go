package imagery

import (
	"image"
	"io"

	"golang.org/x/image/webp"
)

// webpConfig reads the size of a WebP image.
func webpConfig(r io.Reader) (image.Config, error) { return webp.DecodeConfig(r) }

// decodeWebP decodes a WebP image. The library hands over the luma and chroma
// of a lossy one as if they used the full range of a byte, as those of JPEG do;
// those of WebP are in the range of video, 16 to 235 and 16 to 240 (RFC 6386,
// section 9.2; ITU-R BT.601), and white would be grey.
func decodeWebP(r io.Reader) (image.Image, error) {
	img, err := webp.Decode(r)
	if err != nil {
		return nil, err
	}
	switch img := img.(type) {
	case *image.YCbCr:
		return fromVideo(img, nil, 0), nil
	case *image.NYCbCrA:
		return fromVideo(&img.YCbCr, img.A, img.AStride), nil
	}
	return img, nil
}

// fromVideo converts luma and chroma in the range of video; alpha may be nil.
func fromVideo(img *image.YCbCr, alpha []uint8, stride int) *image.NRGBA {
	b := img.Rect
	to := image.NewNRGBA(b)
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			at := img.COffset(x, y)
			l, u, v := int32(img.Y[img.YOffset(x, y)])-16, int32(img.Cb[at])-128, int32(img.Cr[at])-128
			// 255/219 and 255/224 times the factors of BT.601, in 16-bit fixed
			// point.
			pixel := to.Pix[to.PixOffset(x, y):][:4]
			pixel[0] = clamp(76309*l + 104597*v)
			pixel[1] = clamp(76309*l - 25675*u - 53279*v)
			pixel[2] = clamp(76309*l + 132201*u)
			pixel[3] = 255
			if alpha != nil {
				pixel[3] = alpha[(y-b.Min.Y)*stride+x-b.Min.X]
			}
		}
	}
	return to
}

// clamp rounds a number of 16-bit fixed point to a byte.
func clamp(v int32) uint8 { return uint8(max(0, min(255, (v+1<<15)>>16))) }

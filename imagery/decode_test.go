package imagery_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"image"
	"image/jpeg"
	"image/png"
	"io"
	"testing"

	"github.com/aefeat/aefeat/imagery"
)

func TestDecode(t *testing.T) {
	img := image.NewGray(image.Rect(0, 0, 16, 8))
	for i := range img.Pix {
		img.Pix[i] = 90
	}
	var asPNG, asJPEG bytes.Buffer
	if err := png.Encode(&asPNG, img); err != nil {
		t.Fatal(err)
	}
	if err := jpeg.Encode(&asJPEG, img, nil); err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{"png": asPNG.Bytes(), "jpeg": asJPEG.Bytes()} {
		got, err := imagery.Decode(data)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got.Shape != (imagery.Shape{Height: 8, Width: 16, Channels: 1}) || !bytes.Equal(got.Bytes, img.Pix) {
			t.Errorf("%s: %v, %v", name, got.Shape, got.Bytes)
		}
		if n := imagery.Pixels(data); n != 8*16 {
			t.Errorf("%s: %d pixels", name, n)
		}
		for cut := range len(data) {
			if _, err := imagery.Decode(data[:cut]); err == nil && cut < len(data)-4 {
				t.Errorf("%s: no error from the first %d of %d bytes", name, cut, len(data))
			}
		}
	}

	for _, data := range []string{"", "GIF89a, a few pixels", "\x89PNG\r\n"} {
		if _, err := imagery.Decode([]byte(data)); !errors.Is(err, imagery.ErrFormat) {
			t.Errorf("%q: %v, want ErrFormat", data, err)
		}
		if n := imagery.Pixels([]byte(data)); n != 0 {
			t.Errorf("%q: %d pixels", data, n)
		}
	}
}

// pngBomb begins as a PNG image of a size does, and ends in its pixels.
func pngBomb(height, width uint32) []byte {
	data := []byte("\x89PNG\r\n\x1a\n")
	chunk := func(name string, body []byte) {
		data = binary.BigEndian.AppendUint32(data, uint32(len(body)))
		named := append([]byte(name), body...)
		data = binary.BigEndian.AppendUint32(append(data, named...), crc32.ChecksumIEEE(named))
	}
	header := binary.BigEndian.AppendUint32(nil, width)
	header = binary.BigEndian.AppendUint32(header, height)
	chunk("IHDR", append(header, 8, 6, 0, 0, 0))
	chunk("IDAT", []byte{0x78, 0x9c, 0, 0})
	return data
}

// A header that promises more pixels than allowed is refused before anything
// of that size exists.
func TestDecodeTooLarge(t *testing.T) {
	if _, err := imagery.Decode(pngBomb(1<<20, 1<<20)); err == nil || errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("%v, want an error about the size", err)
	}
}

package imagery_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"image"
	"image/color"
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
		// From the reader's position, not from its beginning.
		r := bytes.NewReader(append([]byte("before"), data...))
		if _, err := r.Seek(6, io.SeekStart); err != nil {
			t.Fatal(err)
		}
		got, err := imagery.Decode(r)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got.Bounds() != img.Rect || color.GrayModel.Convert(got.At(9, 5)) != (color.Gray{90}) {
			t.Errorf("%s: %v, %v", name, got.Bounds(), got.At(9, 5))
		}
		for cut := range len(data) {
			if _, err := imagery.Decode(bytes.NewReader(data[:cut])); err == nil && cut < len(data)-4 {
				t.Errorf("%s: no error from the first %d of %d bytes", name, cut, len(data))
			}
		}
	}

	for _, data := range []string{"", "GIF89a, a few pixels", "\x89PNG\r\n"} {
		if _, err := imagery.Decode(bytes.NewReader([]byte(data))); !errors.Is(err, imagery.ErrFormat) {
			t.Errorf("%q: %v, want ErrFormat", data, err)
		}
	}
}

// A header that promises more pixels than allowed is refused before anything
// of that size exists.
func TestDecodeTooLarge(t *testing.T) {
	header := []byte("IHDR")
	header = binary.BigEndian.AppendUint32(header, 1<<20)
	header = binary.BigEndian.AppendUint32(header, 1<<20)
	header = append(header, 8, 6, 0, 0, 0)
	data := []byte("\x89PNG\r\n\x1a\n\x00\x00\x00\x0d")
	data = append(data, header...)
	data = binary.BigEndian.AppendUint32(data, crc32.ChecksumIEEE(header))
	if _, err := imagery.Decode(bytes.NewReader(data)); err == nil || errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("%v, want an error about the size", err)
	}
}

package imagery_test

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/aefeat/aefeat/imagery"
)

// A sample is an image and its pixels by another library; see
// testdata/images.py.
type sample struct {
	File, Pixels            []byte
	Height, Width, Channels int
	Off                     int
}

func samples(t testing.TB) map[string]sample {
	t.Helper()
	text, err := os.ReadFile("testdata/images.json")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]sample{}
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	return all
}

// Every format, palettes, alpha, CMYK, 16 bits, and images that are to be
// turned, against the pixels that Pillow sees.
func TestDecodeFormats(t *testing.T) {
	all := samples(t)
	if len(all) < 35 {
		t.Fatalf("only %d samples", len(all))
	}
	for name, s := range all {
		p, err := imagery.Decode(s.File)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if want := (imagery.Shape{Height: s.Height, Width: s.Width, Channels: s.Channels}); p.Shape != want || p.Check() != nil {
			// An image of three equal channels is as right.
			t.Errorf("%s: shape %v (%v), want %v", name, p.Shape, p.Check(), want)
			continue
		}
		worst := 0
		for i, v := range p.Bytes {
			worst = max(worst, int(v)-int(s.Pixels[i]), int(s.Pixels[i])-int(v))
		}
		if worst > s.Off {
			t.Errorf("%s: %d off:\n%v, want\n%v", name, worst, p.Bytes, s.Pixels)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, s := range samples(f) {
		f.Add(s.File)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := imagery.Decode(data)
		if err == nil {
			err = p.Check()
			if err != nil {
				t.Error(err)
			}
		}
	})
}

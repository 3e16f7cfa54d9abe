package model

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

func TestParseShape(t *testing.T) {
	for text, want := range map[string]Shape{
		"28x28":       {Height: 28, Width: 28, Channels: 1},
		"28x28x1":     {Height: 28, Width: 28, Channels: 1},
		"6x6x3":       {Height: 6, Width: 6, Channels: 3},
		"6x6x3,HWC":   {Height: 6, Width: 6, Channels: 3},
		"2x4x2,CHW":   {Height: 2, Width: 4, Channels: 2, Order: "CHW"},
		"28x28x1,CHW": {Height: 28, Width: 28, Channels: 1},
		"4x3,WHC":     {Height: 4, Width: 3, Channels: 1, Order: "WHC"},
	} {
		got, err := ParseShape(text)
		if err != nil || got != want {
			t.Errorf("%q: %+v (%v), want %+v", text, got, err, want)
		}
		if again, err := ParseShape(got.String()); err != nil || again != got {
			t.Errorf("%q is written %q, which is %v (%v)", text, got, again, err)
		}
	}
	for _, text := range []string{"", "28", "28x", "x28", "0x4", "4x4x0", "-4x4", "+4x4", "4 x 4", "4x4x3x1", "4x4,", "4x4,HW", "4x4x3,chw",
		"99999x4", "4x99999999999999999999", "4x4x99999", "4.0x4", "0x10x10"} {
		if s, err := ParseShape(text); err == nil {
			t.Errorf("%q: %v, want an error", text, s)
		}
	}
}

func FuzzParseShape(f *testing.F) {
	f.Add("28x28x1")
	f.Add("6x6x3,CHW")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := ParseShape(text)
		if err != nil {
			return
		}
		if again, err := ParseShape(s.String()); s.Validate() != nil || err != nil || again != s {
			t.Errorf("%q: %+v, then %+v (%v)", text, s, again, err)
		}
	})
}

// Every value of a row is one (y, x, c), whatever the order, and the last
// letter of the order is the axis of neighbours.
func TestStrides(t *testing.T) {
	for _, order := range orders {
		s := Shape{Height: 2, Width: 3, Channels: 4, Order: order}
		line, pixel, channel := s.Strides()
		seen := make([]bool, s.Len())
		for y := range s.Height {
			for x := range s.Width {
				for c := range s.Channels {
					seen[y*line+x*pixel+c*channel] = true
				}
			}
		}
		for i, ok := range seen {
			if !ok {
				t.Errorf("%v: value %d is no pixel", s, i)
			}
		}
		last := map[byte]int{'H': line, 'W': pixel, 'C': channel}[(order + orderHWC)[2]]
		if last != 1 {
			t.Errorf("%v: %d %d %d", s, line, pixel, channel)
		}
	}
}

func TestShapeInFile(t *testing.T) {
	m := trainedModel(t, Config{})
	if got := string(bytesOf(t, m)); strings.Contains(got, `\"shape\"`) {
		t.Error("a shape that is unknown is in the file")
	}
	for _, s := range []Shape{{1, 5, 1, ""}, {5, 1, 1, ""}, {1, 1, 5, ""}, {1, 5, 1, "WHC"}} {
		m.Shape = s
		data := bytesOf(t, m)
		got, err := Read(bytes.NewReader(data))
		if err != nil || got.Shape != s {
			t.Errorf("wrote %+v, read %+v (%v)", s, got, err)
		}
	}
	m.Shape = Shape{5, 5, 1, ""}
	if _, err := m.WriteTo(&bytes.Buffer{}); err == nil {
		t.Error("a shape of 25 values was written for rows of 5")
	}
	m.Shape = Shape{1, 5, 1, ""}
	data := string(bytesOf(t, m))
	good := `\"shape\":{\"height\":1,\"width\":5,\"channels\":1}`
	for _, bad := range []string{
		`\"shape\":{\"height\":1,\"width\":4,\"channels\":1}`, `\"shape\":{\"height\":0,\"width\":5,\"channels\":1}`,
		`\"shape\":{\"height\":1,\"width\":5,\"channels\":9}`, `\"shape\":{\"height\":1,\"width\":5,\"channels\":x}`,
		`\"shape\":[1,5,1]` + strings.Repeat(" ", 34), `\"shape\":{}` + strings.Repeat(" ", 39),
	} {
		if len(bad) != len(good) {
			t.Fatalf("%q is not as long as what it replaces: %d, %d", bad, len(bad), len(good))
		}
		damaged := strings.Replace(data, good, bad, 1)
		var format *FormatError
		if _, err := Read(strings.NewReader(damaged)); damaged == data || !errors.As(err, &format) {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

func TestPatchShape(t *testing.T) {
	m := &Model{Config: Config{Inputs: 784}}
	if s, guessed := m.PatchShape(); s.String() != "28x28" || !guessed {
		t.Errorf("%v, guessed: %t", s, guessed)
	}
	m.Shape = Shape{Height: 14, Width: 56, Channels: 1}
	if s, guessed := m.PatchShape(); s != m.Shape || guessed {
		t.Errorf("%v, guessed: %t", s, guessed)
	}
}

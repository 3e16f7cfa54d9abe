package imagery_test

import (
	"testing"

	"github.com/aefeat/aefeat/imagery"
)

func TestGuessShape(t *testing.T) {
	for n, want := range map[int]string{
		1: "1x1", 3: "1x1x3", 4: "2x2", 12: "2x2x3", 64: "8x8", 108: "6x6x3", 192: "8x8x3", 784: "28x28", 3072: "32x32x3",
		2: "1x2", 6: "2x3", 7: "1x7", 200: "10x20", 560: "20x28",
	} {
		s := imagery.GuessShape(n)
		if s.String() != want || s.Len() != n || s.Validate() != nil {
			t.Errorf("%d values: %v (%v), want %s", n, s, s.Validate(), want)
		}
	}
}

func TestShapeValidate(t *testing.T) {
	for _, s := range []imagery.Shape{
		{}, {Width: 4, Channels: 1}, {Height: 4, Width: -1, Channels: 1}, {Height: 4, Width: 4}, {Height: 1 << 30, Width: 1 << 30, Channels: 3},
	} {
		if s.Validate() == nil {
			t.Errorf("%v: no error", s)
		}
	}
}

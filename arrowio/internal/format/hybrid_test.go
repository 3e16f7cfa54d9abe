package format

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// TestHybridWriter gives runs of all lengths and widths to the decoder.
func TestHybridWriter(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for trial := range 3000 {
		width := 1 + r.IntN(20)
		h := NewHybridWriter(nil, width)
		var want, got []uint32
		for range r.IntN(40) {
			value, n := r.Uint32N(1<<width), 1
			if r.IntN(3) == 0 {
				n = 1 + r.IntN(100)
			}
			h.Add(value, n)
			want = append(want, slices.Repeat([]uint32{value}, n)...)
		}
		err := Walk(h.End(), width, len(want), func(value uint32, count int) error {
			got = append(got, slices.Repeat([]uint32{value}, count)...)
			return nil
		}, func(b []byte, count int) error {
			for i := range count {
				got = append(got, uint32(At(b, i, width)))
			}
			return nil
		})
		if err != nil || !slices.Equal(got, want) {
			t.Fatalf("trial %d, %d bits: %v, got %v, want %v", trial, width, err, got, want)
		}
	}
}

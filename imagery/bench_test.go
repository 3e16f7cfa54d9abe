package imagery_test

import (
	"testing"

	"github.com/aefeat/aefeat/imagery"
)

// BenchmarkWhiten whitens one channel of half a megapixel.
func BenchmarkWhiten(b *testing.B) {
	p := &imagery.Picture{Shape: imagery.Shape{Height: 512, Width: 768, Channels: 1}, Bytes: make([]uint8, 512*768)}
	for i := range p.Bytes {
		p.Bytes[i] = uint8(i * i >> 7)
	}
	b.SetBytes(int64(len(p.Bytes)))
	for b.Loop() {
		p.Whiten()
	}
}

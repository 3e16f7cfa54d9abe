package parquet

import (
	"errors"
	"strings"
	"testing"

	"github.com/aefeat/aefeat/arrowio/internal/bound"
	"github.com/aefeat/aefeat/arrowio/internal/format"
)

// Texts that the library does not read are no damage.
func TestLongTexts(t *testing.T) {
	long := strings.Repeat("x", maxText+1)
	for want, f := range map[string]*footer{
		"its Arrow schema of 100 MiB is beyond the 100 MiB that are read":     {schema: long},
		"the name of a column of 100 MiB is beyond the 100 MiB that are read": {tree: tree{nodes: []node{{name: long}}}},
	} {
		var beyond *bound.BeyondError
		if err := f.checkSchema(); !errors.As(err, &beyond) || err.Error() != want {
			t.Errorf("%.200v, want %s", err, want)
		}
	}
}

// zeros is a frame of Zstandard that stands for n blocks of zeros.
func zeros(n int) []byte {
	b := []byte{0x28, 0xb5, 0x2f, 0xfd, 0, 0x58}
	for i := range n {
		const size, repeated = 128 << 10, 1
		head := size<<3 | repeated<<1
		if i == n-1 {
			head |= 1
		}
		b = append(b, byte(head), byte(head>>8), byte(head>>16), 0)
	}
	return b
}

// The pages of many columns together are bounded, as each of them is.
func TestGrowth(t *testing.T) {
	const blocks, size = 4096, 512 << 20
	page := zeros(blocks)
	most := &growth{freePages + maxGrowth*3*int64(len(page))}
	for i := range 3 {
		r := &chunkReader{chunk: columnChunk{codec: format.Zstd}, most: most}
		for range 2 { // pages of one column come one after the other
			var beyond *bound.BeyondError
			if err := r.explain(page, size); i < 2 && err != nil || i == 2 && err != nil && !errors.As(err, &beyond) {
				t.Errorf("column %d: %v", i, err)
			}
		}
	}
	if most.left >= 0 {
		t.Error("three columns of 512 MiB are within 1 GiB")
	}
}

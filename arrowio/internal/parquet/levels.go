package parquet

import (
	"encoding/binary"
	"errors"
	"math/bits"

	"github.com/aefeat/aefeat/arrowio/internal/format"
)

var errLevels = errors.New("its levels are damaged")

// levelCounts is what a page's levels say about its rows.
type levelCounts struct {
	first int // the first level
	zero  int // levels that are 0
	top   int // levels that are the highest
}

// countLevels reads n levels from 0 to highest in the hybrid of runs and packed
// bits, and checks them all.
func countLevels(b []byte, n, highest int) (levelCounts, error) {
	var c levelCounts
	c.first = -1
	width := bits.Len(uint(highest))
	err := walkLevels(b, width, n, func(value uint32, count int) error {
		if c.first < 0 {
			c.first = int(value)
		}
		return c.add(value, count, highest)
	}, func(packed []byte, count int) error {
		if c.first < 0 {
			c.first = int(packed[0]) & (1<<width - 1)
		}
		if width == 1 {
			ones := countOnes(packed, count)
			c.top += ones
			c.zero += count - ones
			return nil
		}
		for i := range count {
			if err := c.add(uint32(format.At(packed, i, width)), 1, highest); err != nil {
				return err
			}
		}
		return nil
	})
	return c, err
}

func (c *levelCounts) add(value uint32, count, highest int) error {
	switch {
	case value > uint32(highest):
		return errLevels
	case value == 0:
		c.zero += count
	case value == uint32(highest):
		c.top += count
	}
	return nil
}

// unpackLevels appends n levels up to highest, a byte each.
func unpackLevels(to, b []byte, n, highest int) ([]byte, error) {
	width := bits.Len(uint(highest))
	err := walkLevels(b, width, n, func(value uint32, count int) error {
		for range count {
			to = append(to, byte(value))
		}
		return nil
	}, func(packed []byte, count int) error {
		for i := range count {
			to = append(to, byte(format.At(packed, i, width)))
		}
		return nil
	})
	return to, err
}

// rowStarts appends where n repetition levels of 0 and 1 are 0.
func rowStarts(to []int, b []byte, n int) ([]int, error) {
	at := 0
	err := walkLevels(b, 1, n, func(value uint32, count int) error {
		if value == 0 {
			for i := range count {
				to = append(to, at+i)
			}
		}
		at += count
		return nil
	}, func(packed []byte, count int) error {
		for i := 0; i < count; i += 8 {
			zeros := ^packed[i>>3]
			if left := count - i; left < 8 {
				zeros &= 1<<left - 1
			}
			for ; zeros != 0; zeros &= zeros - 1 {
				to = append(to, at+i+bits.TrailingZeros8(zeros))
			}
		}
		at += count
		return nil
	})
	return to, err
}

// walkLevels is [format.Walk] over levels.
func walkLevels(b []byte, width, n int, run func(value uint32, count int) error, packed func(b []byte, count int) error) error {
	err := format.Walk(b, width, n, run, packed)
	if errors.Is(err, format.ErrHybrid) {
		return errLevels
	}
	return err
}

// countOnes counts the ones of the first n bits.
func countOnes(b []byte, n int) int {
	ones := 0
	for ; n >= 64; n -= 64 {
		ones += bits.OnesCount64(binary.LittleEndian.Uint64(b))
		b = b[8:]
	}
	for ; n > 0; n -= 8 {
		v := b[0]
		if n < 8 {
			v &= 1<<n - 1
		}
		ones += bits.OnesCount8(v)
		b = b[1:]
	}
	return ones
}

// repackLevels turns levels of the oldest encoding, packed from the highest bit
// on, into one run of packed bits.
func repackLevels(b []byte, n, highest int) (levels []byte, size int, err error) {
	width := bits.Len(uint(highest))
	if size = (n*width + 7) / 8; size > len(b) {
		return nil, 0, errLevels
	}
	groups := (n + 7) / 8
	levels = binary.AppendUvarint(nil, uint64(groups)<<1|1)
	body := make([]byte, groups*width)
	for i := range n * width { // bit i of the stream; bits of a value are from the highest down
		if b[i>>3]>>(7-i&7)&1 == 0 {
			continue
		}
		value, bit := i/width, width-1-i%width
		to := value*width + bit
		body[to>>3] |= 1 << (to & 7)
	}
	return append(levels, body...), size, nil
}

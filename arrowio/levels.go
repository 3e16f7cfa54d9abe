package arrowio

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/bits"
)

var errLevels = errors.New("its levels are damaged")

// levelCounts is what a page's levels say about its rows.
type levelCounts struct {
	first int // the first level
	zero  int // levels that are 0
	top   int // levels that are the highest
}

// countLevels reads n levels from 0 to highest in the hybrid of runs and packed bits, and checks them all.
func countLevels(b []byte, n, highest int) (levelCounts, error) {
	var c levelCounts
	c.first = -1
	width := bits.Len(uint(highest))
	err := walkHybrid(b, width, n, func(value uint32, count int) error {
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
		mask := uint32(1)<<width - 1
		for i := range count {
			if err := c.add(packedAt(packed, i, width)&mask, 1, highest); err != nil {
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
	mask := uint32(1)<<width - 1
	err := walkHybrid(b, width, n, func(value uint32, count int) error {
		for range count {
			to = append(to, byte(value))
		}
		return nil
	}, func(packed []byte, count int) error {
		for i := range count {
			to = append(to, byte(packedAt(packed, i, width)&mask))
		}
		return nil
	})
	return to, err
}

// rowStarts appends where n repetition levels of 0 and 1 are 0.
func rowStarts(to []int, b []byte, n int) ([]int, error) {
	at := 0
	err := walkHybrid(b, 1, n, func(value uint32, count int) error {
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

// packedAt returns the bits of value i and more above them. Values are of up to 25 bits.
func packedAt(packed []byte, i, width int) uint32 {
	at := i * width
	var word [4]byte
	copy(word[:], packed[at>>3:])
	return binary.LittleEndian.Uint32(word[:]) >> (at & 7)
}

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

// walkHybrid goes over n values of a width in the hybrid of runs and packed bits. It calls run for a repeated value, and packed
// for bytes that hold count values from their lowest bit on.
func walkHybrid(b []byte, width, n int, run func(value uint32, count int) error, packed func(b []byte, count int) error) error {
	for n > 0 {
		h, k := binary.Uvarint(b)
		if k <= 0 || h > math.MaxUint32 {
			return errLevels
		}
		b = b[k:]
		count := int(h >> 1)
		if h&1 == 0 {
			size := (width + 7) / 8
			if count == 0 || size > len(b) {
				return errLevels
			}
			var word [4]byte
			copy(word[:], b[:size])
			count = min(count, n)
			if err := run(binary.LittleEndian.Uint32(word[:]), count); err != nil {
				return err
			}
			b = b[size:]
			n -= count
			continue
		}
		if count == 0 {
			return errLevels
		}
		size := count * width
		count = min(count*8, n)
		// The last run may lack the bytes that only pad it.
		if need := (count*width + 7) / 8; need > len(b) {
			return errLevels
		}
		size = min(size, len(b))
		if err := packed(b[:size], count); err != nil {
			return err
		}
		b = b[size:]
		n -= count
	}
	return nil
}

// repackLevels turns levels of the oldest encoding, packed from the highest bit on, into one run of packed bits.
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

// checkIndexes checks that b holds n indexes into a dictionary. That packed ones stay inside it is left to whoever decodes them.
func checkIndexes(b []byte, n, dict int) error {
	if n == 0 {
		return nil
	}
	if len(b) == 0 || b[0] > 32 {
		return errors.New("its dictionary indexes are damaged")
	}
	err := walkHybrid(b[1:], int(b[0]), n, func(value uint32, _ int) error {
		if uint64(value) >= uint64(dict) {
			return fmt.Errorf("dictionary index %d of %d", value, dict)
		}
		return nil
	}, func([]byte, int) error { return nil })
	if errors.Is(err, errLevels) {
		return errors.New("its dictionary indexes are damaged")
	}
	return err
}

// Limits on delta encoding. Writers use blocks of 128 to 2,048 values and pages of a million.
const (
	deltaBlockValues = 1 << 16
	deltaPageValues  = 1 << 26
)

var errDelta = errors.New("its delta encoding is damaged")

// A deltaReader walks over delta-packed integers.
type deltaReader struct {
	b         []byte
	pos       int
	wide      bool // 64 bits
	total     int
	left      int // values not yet returned
	perMini   int
	widths    []byte // of the miniblocks of the block that are still to come
	minis     int
	minDelta  int64
	value     int64
	mini      []byte // packed deltas of the miniblock in hand
	width     int
	miniLeft  int
	miniIndex int
	first     bool
}

func newDeltaReader(b []byte, wide bool) (*deltaReader, error) {
	d := &deltaReader{b: b, wide: wide, first: true}
	block, minis, total := d.uvarint(), d.uvarint(), d.uvarint()
	first, ok := d.zigzag()
	if d.pos > len(b) || !ok || block == 0 || block > deltaBlockValues || block%128 != 0 || minis == 0 || block%minis != 0 || block/minis%32 != 0 || total > deltaPageValues {
		return nil, errDelta
	}
	d.total, d.left, d.minis, d.perMini, d.value = int(total), int(total), int(minis), int(block/minis), first
	return d, nil
}

// uvarint leaves pos beyond the end where there is none.
func (d *deltaReader) uvarint() uint64 {
	if d.pos > len(d.b) {
		return 0
	}
	v, n := binary.Uvarint(d.b[d.pos:])
	if n <= 0 {
		d.pos = len(d.b) + 1
		return 0
	}
	d.pos += n
	return v
}

// zigzag reads a signed number, which has to fit the type.
func (d *deltaReader) zigzag() (int64, bool) {
	u := d.uvarint()
	v := int64(u>>1) ^ -int64(u&1)
	return v, d.pos <= len(d.b) && (d.wide || v == int64(int32(v)))
}

// advance brings the next miniblock into hand.
func (d *deltaReader) advance() error {
	if len(d.widths) == 0 {
		var ok bool
		if d.minDelta, ok = d.zigzag(); !ok || len(d.b)-d.pos < d.minis {
			return errDelta
		}
		d.widths = d.b[d.pos : d.pos+d.minis]
		d.pos += d.minis
	}
	d.width = int(d.widths[0])
	d.widths = d.widths[1:]
	if d.width > 64 || d.width > 32 && !d.wide {
		return errDelta
	}
	size := d.perMini / 8 * d.width
	if size > len(d.b)-d.pos {
		return errDelta
	}
	d.mini = d.b[d.pos : d.pos+size]
	d.pos += size
	d.miniLeft, d.miniIndex = d.perMini, 0
	return nil
}

// skipAll checks that all values are there and returns where they end.
func (d *deltaReader) skipAll() (int, error) {
	for left := d.total - 1; left > 0; left -= d.perMini {
		if err := d.advance(); err != nil {
			return 0, err
		}
	}
	return d.pos, nil
}

func (d *deltaReader) next() (int64, error) {
	if d.left == 0 {
		return 0, errDelta
	}
	d.left--
	if d.first {
		d.first = false
		return d.value, nil
	}
	if d.miniLeft == 0 {
		if err := d.advance(); err != nil {
			return 0, err
		}
	}
	var delta uint64
	if d.width > 0 {
		at := d.miniIndex * d.width
		var word [16]byte
		copy(word[:], d.mini[at>>3:])
		delta = binary.LittleEndian.Uint64(word[:]) >> (at & 7)
		if at&7 != 0 {
			delta |= binary.LittleEndian.Uint64(word[8:]) << (64 - at&7)
		}
		if d.width < 64 {
			delta &= 1<<d.width - 1
		}
	}
	d.miniLeft--
	d.miniIndex++
	d.value += int64(delta) + d.minDelta
	if !d.wide {
		d.value = int64(int32(d.value))
	}
	return d.value, nil
}

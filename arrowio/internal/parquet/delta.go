package parquet

import (
	"encoding/binary"
	"errors"
)

// Limits on delta encoding. Writers use blocks of 128 to 2,048 values and pages
// of a million.
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
	switch {
	case d.pos > len(b), !ok,
		block == 0, block > deltaBlockValues, block%128 != 0,
		minis == 0, block%minis != 0, block/minis%32 != 0,
		total > deltaPageValues:
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

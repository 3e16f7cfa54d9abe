package parquet

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/aefeat/aefeat/arrowio/internal/bound"
	"github.com/aefeat/aefeat/arrowio/internal/format"
)

// maxPrefixed bounds what a page of prefix-compressed strings may grow to.
const maxPrefixed = 1 << 30

var errShortPage = errors.New("it has fewer values than it says")

// checkValues checks that the values of a data page are there.
func (r *chunkReader) checkValues(p *page) error {
	if p.present == 0 {
		// Nothing to decode; the library would still look for a header.
		p.data, p.encoding = nil, format.Plain
		return nil
	}
	switch p.encoding {
	case format.Plain:
		_, err := r.checkPlain(p.data, p.present)
		return err

	case format.PlainDictionary, format.Dictionary:
		if r.dict < 0 {
			return errors.New("dictionary indexes without a dictionary")
		}
		p.encoding = format.Dictionary
		return checkIndexes(p.data, p.present, r.dict)

	case format.RLE:
		if r.leaf.physical == format.Boolean {
			return checkBooleans(p.data, p.present)
		}

	case format.ByteSplit:
		switch r.leaf.physical {
		case format.Float, format.Double, format.Int32, format.Int64, format.Fixed:
			if len(p.data)/r.leaf.length != p.present || len(p.data)%r.leaf.length != 0 {
				return errShortPage
			}
			return nil
		}

	case format.Delta:
		if r.leaf.physical == format.Int32 || r.leaf.physical == format.Int64 {
			return checkDelta(p.data, p.present, r.leaf.physical == format.Int64)
		}

	case format.DeltaLength:
		if r.leaf.physical == format.ByteArray {
			_, err := checkDeltaLengths(p.data, p.present)
			return err
		}

	case format.DeltaBytes:
		if r.leaf.physical == format.ByteArray || r.leaf.physical == format.Fixed {
			return r.checkDeltaBytes(p.data, p.present)
		}
	}
	return fmt.Errorf("encoding %d of this type is unknown or damaged", p.encoding)
}

// checkPlain checks that b holds n plain values. It returns the size of the
// longest.
func (r *chunkReader) checkPlain(b []byte, n int) (int, error) {
	switch {
	case r.leaf.physical == format.Boolean:
		if len(b) < (n+7)/8 {
			return 0, errShortPage
		}
		return 1, nil
	case r.leaf.length > 0:
		if len(b)/r.leaf.length < n {
			return 0, errShortPage
		}
		return r.leaf.length, nil
	}
	longest := uint32(0)
	for range n {
		if len(b) < 4 {
			return 0, errShortPage
		}
		size := binary.LittleEndian.Uint32(b)
		if uint64(size) > uint64(len(b)-4) {
			return 0, errShortPage
		}
		b = b[4+size:]
		longest = max(longest, size)
	}
	return int(longest), nil
}

// checkIndexes checks that b holds n indexes into a dictionary. That packed
// ones stay inside it is left to whoever decodes them.
func checkIndexes(b []byte, n, dict int) error {
	if n == 0 {
		return nil
	}
	if len(b) == 0 || b[0] > 32 {
		return errors.New("its dictionary indexes are damaged")
	}
	err := format.Walk(b[1:], int(b[0]), n, func(value uint32, _ int) error {
		if uint64(value) >= uint64(dict) {
			return fmt.Errorf("dictionary index %d of %d", value, dict)
		}
		return nil
	}, func([]byte, int) error { return nil })
	if errors.Is(err, format.ErrHybrid) {
		return errors.New("its dictionary indexes are damaged")
	}
	return err
}

// checkBooleans checks n booleans in runs, behind the size of these.
func checkBooleans(b []byte, n int) error {
	if len(b) < 4 {
		return errShortPage
	}
	size := binary.LittleEndian.Uint32(b)
	if uint64(size) > uint64(len(b)-4) {
		return errShortPage
	}
	_, err := countLevels(b[4:4+size], n, 1)
	return err
}

// checkDelta checks n delta-packed integers.
func checkDelta(b []byte, n int, wide bool) error {
	d, err := newDeltaReader(b, wide)
	if err != nil {
		return err
	}
	if d.total != n {
		return errShortPage
	}
	_, err = d.skipAll()
	return err
}

// checkDeltaLengths checks n strings whose lengths come first, delta-packed. It
// returns the sum of the lengths.
func checkDeltaLengths(b []byte, n int) (int, error) {
	d, err := newDeltaReader(b, false)
	if err != nil {
		return 0, err
	}
	if d.total != n {
		return 0, errShortPage
	}
	sum := int64(0)
	for range n {
		v, err := d.next()
		if err != nil {
			return 0, err
		}
		if v < 0 || sum+v > int64(len(b)) {
			return 0, errDelta
		}
		sum += v
	}
	if sum > int64(len(b)-d.pos) {
		return 0, errShortPage
	}
	return int(sum), nil
}

// checkDeltaBytes checks n strings, each given as the length of what it shares
// with the one before, and the rest.
func (r *chunkReader) checkDeltaBytes(b []byte, n int) error {
	prefixes, err := newDeltaReader(b, false)
	if err != nil {
		return err
	}
	if prefixes.total != n {
		return errShortPage
	}
	ahead := *prefixes
	at, err := ahead.skipAll()
	if err != nil {
		return err
	}
	if _, err := checkDeltaLengths(b[at:], n); err != nil {
		return err
	}
	suffixes, err := newDeltaReader(b[at:], false)
	if err != nil {
		return err
	}
	last, total := int64(0), int64(0)
	for range n {
		prefix, err := prefixes.next()
		if err != nil {
			return err
		}
		suffix, err := suffixes.next()
		if err != nil {
			return err
		}
		if prefix < 0 || prefix > last {
			return errDelta
		}
		last = prefix + suffix
		if r.leaf.physical == format.Fixed && last != int64(r.leaf.length) {
			return errDelta
		}
		if total += last; total > maxPrefixed {
			return &bound.UnsupportedError{What: "its strings take more than 1 GiB"}
		}
	}
	return nil
}

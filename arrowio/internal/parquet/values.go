package parquet

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/aefeat/aefeat/arrowio/internal/bound"
	"github.com/aefeat/aefeat/arrowio/internal/format"
)

var errShortPage = errors.New("it has fewer values than it says")

// checkValues checks that the numbers of a data page are there.
func (r *pageReader) checkValues(p *page) error {
	if p.present == 0 {
		// Nothing to decode, not even a header.
		p.data, p.encoding = nil, format.Plain
		return nil
	}
	switch p.encoding {
	case format.Plain:
		return r.checkPlain(p.data, p.present)

	case format.PlainDictionary, format.Dictionary:
		if r.dict < 0 {
			return errors.New("dictionary indexes without a dictionary")
		}
		p.encoding = format.Dictionary
		return checkIndexes(p.data, p.present, r.dict)

	case format.ByteSplit:
		if len(p.data)/r.leaf.length != p.present || len(p.data)%r.leaf.length != 0 {
			return errShortPage
		}
		return nil

	case format.Delta:
		if r.leaf.physical == format.Int32 || r.leaf.physical == format.Int64 {
			return checkDelta(p.data, p.present, r.leaf.physical == format.Int64)
		}

	case format.DeltaBytes: // of float16
		return &bound.UnsupportedError{What: "its encoding is not supported for this type"}
	}
	return fmt.Errorf("encoding %d of this type is unknown or damaged", p.encoding)
}

// checkPlain checks that b holds n plain numbers.
func (r *pageReader) checkPlain(b []byte, n int) error {
	if len(b)/r.leaf.length < n {
		return errShortPage
	}
	return nil
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

// longestText returns the size of the longest of n plain values of any length.
func longestText(b []byte, n int) (int, error) {
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

package parquet

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/aefeat/aefeat/arrowio/internal/format"
)

// decode makes plain values of the width in memory of those in the page.
func (c *direct) decode(p *page) error {
	switch p.encoding {
	case format.Plain:
		if c.from == c.width {
			c.values = p.data
			return nil
		}
		var err error
		if c.plain, err = c.narrow(c.plain[:0], p.data, p.present); err != nil {
			return err
		}
	case format.Dictionary:
		if err := c.lookUp(p); err != nil {
			return err
		}
		if c.pages.values == c.pages.chunk.values { // it was the last one
			c.dict = nil // thousands of columns are read side by side
		}
	case format.ByteSplit:
		if c.from == int96Bytes {
			return errEncoding(p.encoding)
		}
		c.plain = sized(c.plain, p.present*c.width)
		for i := range c.width { // of a narrow integer, the low bytes
			for j, v := range p.data[i*p.present : (i+1)*p.present] {
				c.plain[j*c.width+i] = v
			}
		}
	case format.Delta:
		d, err := newDeltaReader(p.data, c.from == 8)
		if err != nil {
			return err
		}
		c.plain = c.plain[:0]
		for range p.present {
			v, err := d.next()
			if err != nil {
				return err
			}
			var word [8]byte
			binary.LittleEndian.PutUint64(word[:], uint64(v))
			c.plain = append(c.plain, word[:c.width]...)
		}
	default:
		return errEncoding(p.encoding)
	}
	// The values have been copied.
	c.values = c.plain
	c.pages.release()
	return nil
}

func errEncoding(encoding int32) error {
	return fmt.Errorf("encoding %d of this type is unknown or damaged", encoding)
}

// narrow keeps the low bytes of n plain values, or makes timestamps of them.
func (c *direct) narrow(dst, src []byte, n int) ([]byte, error) {
	dst = sized(dst, n*c.width)
	switch {
	case c.from == int96Bytes:
		return dst, timestamps(dst, src, c.elem.(*arrow.TimestampType).Unit)
	case c.from == c.width:
		copy(dst, src)
	case c.width == 1:
		for i := range dst {
			dst[i] = src[4*i]
		}
	default: // 2 of 4
		for i := range n {
			dst[2*i], dst[2*i+1] = src[4*i], src[4*i+1]
		}
	}
	return dst, nil
}

func sized(b []byte, n int) []byte {
	if cap(b) < n {
		return make([]byte, n, n+n/8)
	}
	return b[:n]
}

var errIndex = errors.New("a dictionary index is too large")

// lookUp decodes indexes into the dictionary.
func (c *direct) lookUp(p *page) error {
	c.plain = sized(c.plain, p.present*c.width)
	dst := c.plain
	bits := int(p.data[0])
	n := uint64(len(c.dict) / c.width)
	return format.Walk(p.data[1:], bits, p.present, func(value uint32, count int) error {
		if uint64(value) >= n {
			return errIndex
		}
		same := dst[:count*c.width]
		for have := copy(same, c.dict[int(value)*c.width:][:c.width]); have < len(same); {
			have += copy(same[have:], same[:have])
		}
		dst = dst[count*c.width:]
		return nil
	}, func(packed []byte, count int) error {
		ok := false
		switch c.width {
		case 1:
			ok = lookUp1(dst, c.dict, packed, bits, count)
		case 2:
			ok = lookUp2(dst, c.dict, packed, bits, count)
		case 4:
			ok = lookUp4(dst, c.dict, packed, bits, count)
		default:
			ok = lookUp8(dst, c.dict, packed, bits, count)
		}
		if !ok {
			return errIndex
		}
		dst = dst[count*c.width:]
		return nil
	})
}

func lookUp1(dst, dict, packed []byte, bits, n int) bool {
	dst = dst[:n]
	for i := range dst {
		k := format.At(packed, i, bits)
		if k >= uint64(len(dict)) {
			return false
		}
		dst[i] = dict[k]
	}
	return true
}

func lookUp2(dst, dict, packed []byte, bits, n int) bool {
	for i := range n {
		k := format.At(packed, i, bits)
		if k >= uint64(len(dict)/2) {
			return false
		}
		binary.LittleEndian.PutUint16(dst[2*i:], binary.LittleEndian.Uint16(dict[2*k:]))
	}
	return true
}

func lookUp4(dst, dict, packed []byte, bits, n int) bool {
	for i := range n {
		k := format.At(packed, i, bits)
		if k >= uint64(len(dict)/4) {
			return false
		}
		binary.LittleEndian.PutUint32(dst[4*i:], binary.LittleEndian.Uint32(dict[4*k:]))
	}
	return true
}

func lookUp8(dst, dict, packed []byte, bits, n int) bool {
	for i := range n {
		k := format.At(packed, i, bits)
		if k >= uint64(len(dict)/8) {
			return false
		}
		binary.LittleEndian.PutUint64(dst[8*i:], binary.LittleEndian.Uint64(dict[8*k:]))
	}
	return true
}

package format

import (
	"encoding/binary"
	"errors"
	"math"
)

// ErrHybrid is the error of damaged bytes in the hybrid encoding.
var ErrHybrid = errors.New("damaged runs")

// Walk goes over n values of a width, in bits, in the hybrid of runs and packed
// bits. It calls run for a repeated value, and packed for bytes that hold count
// values from their lowest bit on.
func Walk(b []byte, width, n int, run func(value uint32, count int) error, packed func(b []byte, count int) error) error {
	for n > 0 {
		h, k := binary.Uvarint(b)
		if k <= 0 || h > math.MaxUint32 {
			return ErrHybrid
		}
		b = b[k:]
		count := int(h >> 1)
		if count == 0 {
			return ErrHybrid
		}
		if h&1 == 0 {
			size := (width + 7) / 8
			if size > len(b) {
				return ErrHybrid
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
		size := count * width
		count = min(count*8, n)
		// The last run may lack the bytes that only pad it.
		if need := (count*width + 7) / 8; need > len(b) {
			return ErrHybrid
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

// At returns value i of packed bits, of up to 57 each.
func At(packed []byte, i, bits int) uint64 {
	at := i * bits
	b := packed[at>>3:]
	if len(b) < 8 {
		var word [8]byte
		copy(word[:], b)
		b = word[:]
	}
	return binary.LittleEndian.Uint64(b) >> (at & 7) & (1<<bits - 1)
}

// A HybridWriter appends small numbers to bytes in the hybrid encoding: runs of
// equal ones, and groups of 8 packed ones.
type HybridWriter struct {
	b     []byte
	width int // bits

	value uint32 // the run being collected
	n     int

	group  [8]uint32
	filled int // of group
	head   int // where the head of the packed groups is in b
	groups int // behind it; 0: there is none
}

// NewHybridWriter returns a writer of numbers of a width, in bits, that appends
// to b.
func NewHybridWriter(b []byte, width int) HybridWriter {
	return HybridWriter{b: b, width: width}
}

// Add adds n times the same number.
func (h *HybridWriter) Add(value uint32, n int) {
	if value == h.value || h.n == 0 {
		h.value = value
		h.n += n
		return
	}
	h.put()
	h.value, h.n = value, n
}

// End returns all bytes, complete.
func (h *HybridWriter) End() []byte {
	h.put()
	if h.filled > 0 {
		clear(h.group[h.filled:])
		h.putGroup()
	}
	return h.b
}

// put encodes the run collected.
func (h *HybridWriter) put() {
	for h.n > 0 && (h.filled > 0 || h.n < 8) {
		h.group[h.filled] = h.value
		h.filled++
		h.n--
		if h.filled == 8 {
			h.putGroup()
		}
	}
	if h.n == 0 {
		return
	}
	h.groups = 0
	h.b = binary.AppendUvarint(h.b, uint64(h.n)<<1)
	for shift := 0; shift < h.width; shift += 8 {
		h.b = append(h.b, byte(h.value>>shift))
	}
	h.n = 0
}

func (h *HybridWriter) putGroup() {
	const most = 63 // that a head of one byte can count
	if h.groups == 0 || h.groups == most {
		h.head, h.groups = len(h.b), 0
		h.b = append(h.b, 0)
	}
	h.groups++
	h.b[h.head] = byte(h.groups<<1 | 1)
	word, held := uint64(0), 0
	for i := range h.group {
		word |= uint64(h.group[i]) << held
		for held += h.width; held >= 8; held -= 8 {
			h.b = append(h.b, byte(word))
			word >>= 8
		}
	}
	h.filled = 0
}

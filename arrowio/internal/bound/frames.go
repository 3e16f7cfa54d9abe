package bound

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/bits"
)

// ErrUnpack is the error of bytes that cannot be decompressed to what is
// expected of them.
var ErrUnpack = errors.New("cannot be decompressed")

// Magic numbers of frames. A skippable frame has any of 16.
const (
	zstdMagic      = 0xFD2FB528
	lz4Magic       = 0x184D2204
	skippableMagic = 0x184D2A50
)

// A frames cuts bytes off the front of compressed ones. After the first that
// are missing, all are.
type frames struct {
	b     []byte
	short bool
}

// cut returns the next n bytes; nil if there are fewer.
func (f *frames) cut(n int64) []byte {
	if n > int64(len(f.b)) {
		f.short = true
		f.b = nil
		return nil
	}
	b := f.b[:n]
	f.b = f.b[n:]
	return b
}

// word returns the next n bytes as a number.
func (f *frames) word(n int64) uint64 {
	var word [8]byte
	copy(word[:], f.cut(n))
	return binary.LittleEndian.Uint64(word[:])
}

// next passes over the magic number of the next frame and over frames that are
// to be skipped. It returns false at the end, and an error for another number.
func (f *frames) next(magic uint32) (bool, error) {
	for len(f.b) > 0 {
		got := uint32(f.word(4))
		if got&^15 != skippableMagic {
			if got != magic || f.short {
				return false, ErrUnpack
			}
			return true, nil
		}
		f.cut(int64(f.word(4)))
	}
	if f.short {
		return false, ErrUnpack
	}
	return false, nil
}

// Zstd walks over the blocks of Zstandard frames without decompressing them. It
// returns how many bytes they can hold at most, and an error for a frame that
// claims more than size or wants a window that is out of proportion.
func Zstd(b []byte, size int64) (int64, error) {
	bound := int64(0)
	f := &frames{b: b}
	for {
		if more, err := f.next(zstdMagic); err != nil || !more {
			return bound, err
		}
		checksum, err := f.zstdHeader(size)
		if err != nil {
			return 0, err
		}
		for last := false; !last; {
			h := uint32(f.word(3))
			last = h&1 != 0
			n := int64(h >> 3)
			switch h >> 1 & 3 {
			case 0: // as it is
				bound += n
			case 1: // one byte, repeated
				bound += n
				n = 1
			case 2:
				bound += 128 << 10
			default:
				return 0, ErrUnpack
			}
			if f.cut(n); f.short {
				return 0, ErrUnpack
			}
		}
		if checksum {
			f.cut(4)
		}
	}
}

// zstdHeader reads the header of a frame, behind its magic number, and says
// whether a checksum ends the frame.
func (f *frames) zstdHeader(size int64) (checksum bool, err error) {
	desc := byte(f.word(1))
	single := desc&0x20 != 0
	window := int64(0)
	if !single {
		window = f.window()
	}
	f.cut([]int64{0, 1, 2, 4}[desc&3])
	content := []int64{0, 2, 4, 8}[desc>>6]
	if single && content == 0 {
		content = 1
	}
	claim := f.word(content)
	if content == 2 {
		claim += 256
	}
	switch {
	case f.short:
		return false, ErrUnpack
	case content > 0 && claim > uint64(size):
		return false, fmt.Errorf("%w: it claims %d bytes, expected %d", ErrUnpack, claim, size)
	case window > max(128<<20, 2*size):
		return false, fmt.Errorf("%w: it wants a window of %d bytes", ErrUnpack, window)
	}
	return desc&4 != 0, nil
}

// window reads how far back a frame refers.
func (f *frames) window() int64 {
	w := f.word(1)
	window := int64(1) << (10 + w>>3)
	return window + window/8*int64(w&7)
}

// ZstdWindow returns how far back the first of the frames refers: as far as it
// is long where it has one segment.
func ZstdWindow(b []byte) int64 {
	f := &frames{b: b}
	if more, err := f.next(zstdMagic); err != nil || !more {
		return 0
	}
	if desc := f.word(1); desc&0x20 == 0 {
		return f.window()
	}
	return math.MaxInt64
}

// LZ4Block returns how large the blocks of the first of the frames may be.
func LZ4Block(b []byte) int64 {
	f := &frames{b: b}
	if more, err := f.next(lz4Magic); err != nil || !more {
		return 0
	}
	f.word(1)
	return 1 << (2*(f.word(1)>>4&7) + 8)
}

// LZ4 is Zstd for LZ4 frames, which claim no sizes.
func LZ4(b []byte) (int64, error) {
	bound := int64(0)
	f := &frames{b: b}
	for {
		if more, err := f.next(lz4Magic); err != nil || !more {
			return bound, err
		}
		flags, size := f.word(1), f.word(1)>>4&7
		if size < 4 {
			return 0, ErrUnpack
		}
		block := int64(1) << (2*size + 8) // 64 KiB to 4 MiB
		// The size of the content, a dictionary's number, a checksum.
		f.cut(int64(8*(flags>>3&1) + 4*(flags&1) + 1))
		for {
			n := int64(f.word(4))
			if f.short {
				return 0, ErrUnpack
			}
			if n == 0 {
				break
			}
			n &= math.MaxInt32
			n += int64(bits.OnesCount64(flags&16)) * 4 // checksum of the block
			if f.cut(n); f.short {
				return 0, ErrUnpack
			}
			bound += block
		}
		if flags&4 != 0 {
			f.cut(4)
		}
	}
}

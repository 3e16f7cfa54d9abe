package message

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"

	"github.com/aefeat/aefeat/arrowio/internal/bound"
)

// Codecs of buffers, by their numbers in the format; none has no number.
const (
	codecNone = -1
	codecLZ4  = 0
	codecZstd = 1
)

// A Batch is the verified head of a message with data: a record batch, or the
// values of a dictionary.
type Batch struct {
	Rows int64
	// Codec is what buffers are compressed with.
	Codec string

	fields   []field
	arrays   vector // 16 bytes each: length, nulls
	buffers  vector // 16 bytes each: offset, length
	variadic vector // int64 each
	codec    int
	size     int64
}

// Compressed reports whether buffers may be compressed.
func (h *Batch) Compressed() bool { return h.codec != codecNone }

// Size is what all buffers take when they are decompressed, as Check found it.
func (h *Batch) Size() int64 { return h.size }

// Array returns the length of an array, and how many nulls are in it.
func (h *Batch) Array(i int) (length, nulls int64) {
	return h.arrays.int64(2 * i), h.arrays.int64(2*i + 1)
}

// Buffer returns the bytes of a buffer as they lie in the body of the message.
func (h *Batch) Buffer(i int, body []byte) []byte {
	off, n := h.buffers.int64(2*i), h.buffers.int64(2*i+1)
	return body[off : off+n]
}

// Starts returns the first array and the first buffer of each column. The batch
// has to have been checked.
func (h *Batch) Starts() (arrays, buffers []int) {
	var p parts
	for i := range h.fields {
		arrays, buffers = append(arrays, p.arrays), append(buffers, p.buffers)
		views := p.views
		p.add(h.fields[i : i+1])
		for v := views; v < p.views; v++ {
			p.buffers += int(h.variadic.int64(v))
		}
	}
	return arrays, buffers
}

// Batch verifies the head of a message with data.
func (s *Schema) Batch(m Message) (*Batch, error) {
	switch m.Kind {
	case KindBatch:
		return parseBatch(m.header, m, s.fields)
	case KindDictionary:
		id, err := m.header.int64(0, 0)
		if err != nil {
			return nil, err
		}
		if _, err := m.header.byte(2, 0); err != nil {
			return nil, err
		}
		values := s.dictionaries[id]
		if values == nil {
			return nil, fmt.Errorf("dictionary %d is not in the schema", id)
		}
		data, found, err := m.header.table(1)
		if err != nil || !found {
			return nil, ErrDamaged
		}
		return parseBatch(data, m, []field{*values})
	}
	return nil, errors.New("a second schema")
}

func parseBatch(t table, m Message, fields []field) (*Batch, error) {
	h := &Batch{fields: fields, codec: codecNone, Codec: "UNCOMPRESSED"}
	var err error
	if h.Rows, err = t.int64(0, 0); err != nil {
		return nil, err
	}
	if h.Rows < 0 {
		return nil, ErrDamaged
	}
	if h.arrays, err = t.vector(1, 16); err != nil {
		return nil, err
	}
	if h.buffers, err = t.vector(2, 16); err != nil {
		return nil, err
	}
	c, found, err := t.table(3)
	if err != nil {
		return nil, err
	}
	if found {
		codec, err := c.byte(0, 0)
		if err != nil {
			return nil, err
		}
		if codec > codecZstd {
			return nil, fmt.Errorf("unknown compression %d", codec)
		}
		h.codec, h.Codec = int(codec), []string{"LZ4", "ZSTD"}[codec]
		if method, err := c.byte(1, 0); err != nil || method != 0 {
			return nil, ErrDamaged
		}
	}
	if h.variadic, err = t.vector(4, 8); err != nil {
		return nil, err
	}
	for i := range h.buffers.n {
		off, n := h.buffers.int64(2*i), h.buffers.int64(2*i+1)
		if off < 0 || n < 0 || off > m.Body || n > m.Body-off {
			return nil, fmt.Errorf("buffer %d lies outside its message", i)
		}
	}
	return h, nil
}

// Check checks what the library believes: how large the buffers in the body of
// the message become, and that it lists as many arrays and buffers as the
// schema needs, since the library reads on behind a list that is too short.
// That arrays agree with each other and stay inside their buffers is left to
// the library's validation of what it has read.
func (h *Batch) Check(body []byte) error {
	var need parts
	need.add(h.fields)
	if need.views > h.variadic.n {
		return errors.New("counts of buffers are missing")
	}
	for i := range h.variadic.n {
		if n := h.variadic.int64(i); n < 0 || n > int64(h.buffers.n) {
			return fmt.Errorf("%d buffers in a column of %d", n, h.buffers.n)
		}
		if i < need.views {
			need.buffers += int(h.variadic.int64(i))
		}
	}
	if need.arrays > h.arrays.n {
		return errors.New("arrays are missing")
	}
	if need.buffers > h.buffers.n {
		return errors.New("buffers are missing")
	}
	if h.codec == codecNone {
		h.size = int64(len(body))
		return nil
	}
	h.size = 0
	for i := range h.buffers.n {
		size, err := h.explain(h.Buffer(i, body))
		if err != nil {
			return fmt.Errorf("buffer %d: %w", i, err)
		}
		if h.size += size; h.size < 0 {
			h.size = math.MaxInt64
		}
	}
	return nil
}

// parts counts what the arrays of a batch are made of.
type parts struct {
	arrays  int
	buffers int // those apart that views count
	views   int // arrays of views
}

func (p *parts) add(fields []field) {
	for i := range fields {
		f := &fields[i]
		p.arrays++
		if f.dictionary { // its values are elsewhere
			p.buffers += 2
			continue
		}
		switch f.typ {
		case typeNull, typeRunEnd:
		case typeUnion:
			p.buffers++
			if f.params[0] != 0 { // dense
				p.buffers++
			}
		case typeStruct, typeFixedList:
			p.buffers++
		case typeBinary, typeUtf8, typeLargeBinary, typeLargeUtf8, typeListView, typeLargeLView:
			p.buffers += 3
		case typeBinaryView, typeUtf8View:
			p.buffers += 2
			p.views++
		default:
			p.buffers += 2
		}
		p.add(f.children)
	}
}

// explain checks that a buffer gives the bytes that it says, and returns how
// many these are.
func (h *Batch) explain(b []byte) (int64, error) {
	if len(b) == 0 {
		return 0, nil
	}
	if len(b) < 8 {
		return 0, bound.ErrUnpack
	}
	size := int64(binary.LittleEndian.Uint64(b))
	b = b[8:]
	if size == -1 { // not compressed
		return int64(len(b)), nil
	}
	if size < 0 {
		return 0, bound.ErrUnpack
	}
	var most int64
	var err error
	if h.codec == codecZstd {
		most, err = bound.Zstd(b, size)
	} else {
		most, err = bound.LZ4(b)
	}
	if err == nil && size > most {
		err = fmt.Errorf("%w: %d bytes cannot come from %d", bound.ErrUnpack, size, len(b))
	}
	return size, err
}

// Open returns what a buffer holds, to be read from its beginning on, and what
// reading it so keeps in memory. The buffer has to have been checked.
func (h *Batch) Open(b []byte) (r io.Reader, held int64, err error) {
	if len(b) < 8 || binary.LittleEndian.Uint64(b) == math.MaxUint64 {
		return bytes.NewReader(b[min(len(b), 8):]), 0, nil
	}
	size := int64(binary.LittleEndian.Uint64(b))
	in := bytes.NewReader(b[8:])
	if h.codec == codecLZ4 {
		return lz4.NewReader(in), decoderBytes + 2*bound.LZ4Block(b[8:]), nil
	}
	window := max(min(bound.ZstdWindow(b[8:]), size), zstd.MinWindowSize)
	r, err = zstd.NewReader(in, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(uint64(window)))
	return r, decoderBytes + window, err
}

// decoderBytes is what a decompressor takes beside its window.
const decoderBytes = 256 << 10

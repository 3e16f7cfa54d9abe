package message

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

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
	version  int16
	nodes    vector // 16 bytes each: length, null count
	buffers  vector // 16 bytes each: offset, length
	variadic vector // int64 each
	codec    int
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
	h := &Batch{fields: fields, version: m.version, codec: codecNone, Codec: "UNCOMPRESSED"}
	var err error
	if h.Rows, err = t.int64(0, 0); err != nil {
		return nil, err
	}
	if h.Rows < 0 {
		return nil, ErrDamaged
	}
	if h.nodes, err = t.vector(1, 16); err != nil {
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

// Check checks that the batch has what its columns need: lengths that agree,
// and buffers in the body of the message that are long enough.
func (h *Batch) Check(body []byte) error {
	c := &check{Batch: h, body: body}
	for i := range h.fields {
		f := &h.fields[i]
		n, err := c.field(f, 0)
		if err != nil {
			return fmt.Errorf("column %q: %w", f.name, err)
		}
		if n != h.Rows {
			return fmt.Errorf("column %q: %d rows, expected %d", f.name, n, h.Rows)
		}
	}
	return nil
}

// A check walks over the nodes and buffers of a batch.
type check struct {
	*Batch
	body   []byte
	node   int
	buffer int
	views  int
}

// field checks the arrays of a field and returns its length.
func (c *check) field(f *field, depth int) (int64, error) {
	if depth > maxNesting {
		return 0, errors.New("nested too deeply")
	}
	if c.node >= c.nodes.n {
		return 0, errors.New("arrays are missing")
	}
	n, nulls := c.nodes.int64(2*c.node), c.nodes.int64(2*c.node+1)
	c.node++
	if n < 0 || n > math.MaxInt64/1024 || nulls < 0 || nulls > n {
		return 0, fmt.Errorf("%d nulls in %d values", nulls, n)
	}
	if f.typ == typeUnion && c.version < metadataV5 {
		return 0, &bound.UnsupportedError{
			What: "its unions are of an old version of the format",
			Hint: "read it with the program that wrote it, and write it anew",
		}
	}
	if f.dictionary || f.typ != typeNull && f.typ != typeUnion && f.typ != typeRunEnd {
		if err := c.validity(n, nulls); err != nil {
			return 0, err
		}
	}
	if f.dictionary {
		return n, c.need(n, int64(f.indexWidth))
	}
	switch f.typ {
	case typeNull:
		return n, nil
	case typeBinary, typeUtf8, typeLargeBinary, typeLargeUtf8, typeBinaryView, typeUtf8View:
		return n, c.bytes(f, n)
	case typeList, typeMap, typeLargeList, typeListView, typeLargeLView:
		return n, c.list(f, n, depth)
	case typeFixedList, typeStruct, typeRunEnd, typeUnion:
		return n, c.parts(f, n, depth)
	}
	return n, c.need(n, int64(f.width))
}

// validity checks the buffer that says what is null, which may be empty where
// nothing is.
func (c *check) validity(n, nulls int64) error {
	if nulls > 0 {
		return c.need(n, 1)
	}
	_, err := c.size()
	return err
}

// bytes checks n values of any length.
func (c *check) bytes(f *field, n int64) error {
	switch f.typ {
	case typeBinaryView, typeUtf8View:
		return c.view(n)
	case typeLargeBinary, typeLargeUtf8:
		if err := c.offsets(n, 64); err != nil {
			return err
		}
	default:
		if err := c.offsets(n, 32); err != nil {
			return err
		}
	}
	_, err := c.size()
	return err
}

// view checks n values that lie in any of several buffers.
func (c *check) view(n int64) error {
	if err := c.need(n, 128); err != nil {
		return err
	}
	if c.views >= c.variadic.n {
		return errors.New("its count of buffers is missing")
	}
	more := c.variadic.int64(c.views)
	c.views++
	if more < 0 || more > int64(c.buffers.n-c.buffer) {
		return errors.New("buffers are missing")
	}
	for range more {
		if _, err := c.size(); err != nil {
			return err
		}
	}
	return nil
}

// list checks n lists of any length and what they hold.
func (c *check) list(f *field, n int64, depth int) error {
	width := int64(32)
	if f.typ == typeLargeList || f.typ == typeLargeLView {
		width = 64
	}
	var err error
	switch f.typ {
	case typeListView, typeLargeLView:
		if err = c.need(n, width); err == nil {
			err = c.need(n, width)
		}
	default:
		err = c.offsets(n, width)
	}
	if err == nil {
		_, err = c.field(&f.children[0], depth+1)
	}
	return err
}

// parts checks n values that other arrays are the parts of.
func (c *check) parts(f *field, n int64, depth int) error {
	sparse := f.typ == typeStruct
	if f.typ == typeUnion {
		if err := c.need(n, 8); err != nil {
			return err
		}
		sparse = f.params[0] == 0
		if !sparse {
			if err := c.need(n, 32); err != nil {
				return err
			}
		}
	}
	for i := range f.children {
		m, err := c.field(&f.children[i], depth+1)
		if err != nil {
			return err
		}
		if f.typ == typeFixedList && f.size > 0 && m/f.size < n {
			return fmt.Errorf("%d values in %d lists of %d", m, n, f.size)
		}
		if sparse && m < n {
			return fmt.Errorf("field %q has %d values, expected %d", f.children[i].name, m, n)
		}
	}
	return nil
}

// offsets checks the buffer of offsets, which an empty array may lack.
func (c *check) offsets(n, width int64) error {
	if n == 0 {
		_, err := c.size()
		return err
	}
	return c.need(n+1, width)
}

// need checks that the next buffer holds n values of some bits.
func (c *check) need(n, width int64) error {
	size, err := c.size()
	if err != nil {
		return err
	}
	if n > math.MaxInt64/64/max(width, 1) || size < (n*width+7)/8 {
		return fmt.Errorf("buffer of %d bytes for %d values of %d bits", size, n, width)
	}
	return nil
}

// size checks the next buffer and returns its size without compression.
func (c *check) size() (int64, error) {
	if c.buffer >= c.buffers.n {
		return 0, errors.New("buffers are missing")
	}
	off, n := c.buffers.int64(2*c.buffer), c.buffers.int64(2*c.buffer+1)
	c.buffer++
	if c.codec == codecNone || n == 0 {
		return n, nil
	}
	b := c.body[off : off+n]
	if len(b) < 8 {
		return 0, bound.ErrUnpack
	}
	size := int64(binary.LittleEndian.Uint64(b))
	b = b[8:]
	if size == -1 {
		return int64(len(b)), nil
	}
	if size < 0 {
		return 0, bound.ErrUnpack
	}
	var most int64
	var err error
	if c.codec == codecZstd {
		most, err = bound.Zstd(b, size)
	} else {
		most, err = bound.LZ4(b)
	}
	if err != nil {
		return 0, err
	}
	if size > most {
		return 0, fmt.Errorf("%w: %d bytes cannot come from %d", bound.ErrUnpack, size, len(b))
	}
	return size, nil
}

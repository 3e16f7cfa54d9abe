package ipc

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/bitutil"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/aefeat/aefeat/arrowio/internal/bound"
	"github.com/aefeat/aefeat/arrowio/internal/message"
	"github.com/aefeat/aefeat/arrowio/internal/schema"
)

// A compressed batch may be a thousand times the size of its message: pixels
// that are all alike. The library decompresses all of it at once. Here it is
// read in pieces, of the columns chosen alone, so that it takes hardly more
// memory than its message.
const (
	// largeBatch is the size from which on pieces are worth it.
	largeBatch = 32 << 20

	// pieceBytes is the size of a piece: small against any memory, large
	// against what a batch costs.
	pieceBytes = 8 << 20

	// maxStreams bounds what decompressors hold, which wide batches have one of
	// for each column.
	maxStreams = 128 << 20

	// maxPiece bounds a piece whose lists are longer than those of others.
	maxPiece = 1 << 30
)

// pieces are the rows of a batch that have not been read yet.
type pieces struct {
	body    *memory.Buffer
	mem     memory.Allocator
	fields  *arrow.Schema
	columns []*part
	step    int64
	left    int64
}

// piecesOf returns the pieces of a batch, nil if it is not to be read so. They
// take the body over.
func (d *decoder) piecesOf(h *message.Batch, body *memory.Buffer, chosen []schema.Selection) (*pieces, error) {
	if !h.Compressed() || h.Size() < d.large || h.Rows < 2 || len(chosen) == 0 {
		return nil, nil
	}
	of := d.r.Schema()
	p := &pieces{body: body, mem: d.mem, left: h.Rows}
	var fields []arrow.Field
	arrays, buffers := h.Starts()
	c := partReader{batch: h, body: body.Bytes()}
	for _, s := range chosen {
		f := of.Field(s.Index)
		if !inPieces(f.Type) {
			return nil, nil
		}
		c.array, c.buffer = arrays[s.Index], buffers[s.Index]
		column, err := c.part(f.Type, h.Rows)
		if err != nil {
			return nil, fmt.Errorf("column %q: %w", f.Name, err)
		}
		if c.held > maxStreams {
			return nil, nil
		}
		fields, p.columns = append(fields, f), append(p.columns, column)
	}
	p.fields = arrow.NewSchema(fields, nil)
	p.step = max(1, d.small/max(1, h.Size()/h.Rows))
	return p, nil
}

// inPieces reports a type whose arrays can be read from the beginning on.
func inPieces(t arrow.DataType) bool {
	switch t := t.(type) {
	case arrow.ExtensionType:
		return inPieces(t.StorageType())
	case *arrow.DictionaryType, arrow.UnionType, *arrow.RunEndEncodedType,
		*arrow.ListViewType, *arrow.LargeListViewType, *arrow.BinaryViewType, *arrow.StringViewType:
		return false
	case *arrow.StructType:
		for i := range t.NumFields() {
			if !inPieces(t.Field(i).Type) {
				return false
			}
		}
		return true
	case arrow.ListLikeType:
		return inPieces(t.Elem())
	case *arrow.BinaryType, *arrow.StringType, *arrow.LargeBinaryType, *arrow.LargeStringType, *arrow.NullType:
		return true
	case arrow.FixedWidthDataType:
		return true
	}
	return false
}

// next returns the next rows, or nil at the end.
func (p *pieces) next() (arrow.RecordBatch, error) {
	if p.left == 0 {
		return nil, nil
	}
	n := min(p.step, p.left)
	p.left -= n
	arrays := make([]arrow.Array, 0, len(p.columns))
	defer func() {
		for _, a := range arrays {
			a.Release()
		}
	}()
	for i, c := range p.columns {
		data, err := c.read(n, p.mem)
		if err == nil && p.left == 0 {
			err = c.finish()
		}
		if err != nil {
			if data != nil {
				data.Release()
			}
			return nil, bound.Damaged("Arrow message", fmt.Errorf("column %q: %w", p.fields.Field(i).Name, err))
		}
		arrays = append(arrays, array.MakeFromData(data))
		data.Release()
	}
	return array.NewRecordBatch(p.fields, arrays, n), nil
}

func (p *pieces) release() { p.body.Release() }

// A part is an array of a batch, read from its beginning on.
type part struct {
	typ      arrow.DataType
	layout   arrow.DataType // typ without extensions
	length   int64
	nulls    int64
	done     int64    // elements read
	seen     int64    // nulls among them
	valid    *content // nil: there are no nulls
	values   *content // or offsets
	text     *content // that offsets lead into
	last     int64    // offset; of those read
	children []*part  // what offsets lead into, or fields
}

// A partReader makes parts of the arrays and buffers of a batch, one after the
// other.
type partReader struct {
	batch         *message.Batch
	body          []byte
	array, buffer int   // the next ones
	held          int64 // by decompressors
}

// anyLength is that of the values of lists.
const anyLength = -1

func (c *partReader) part(t arrow.DataType, length int64) (p *part, err error) {
	p = &part{typ: t, layout: t}
	for ext, ok := p.layout.(arrow.ExtensionType); ok; ext, ok = p.layout.(arrow.ExtensionType) {
		p.layout = ext.StorageType()
	}
	p.length, p.nulls = c.batch.Array(c.array)
	c.array++
	if length != anyLength && p.length != length || p.length < 0 || p.nulls < 0 || p.nulls > p.length {
		return nil, message.ErrDamaged
	}
	if p.layout.ID() == arrow.NULL {
		return p, nil
	}
	if p.valid, err = c.content(); err != nil {
		return nil, err
	}
	if p.valid == nil && p.nulls > 0 {
		return nil, message.ErrDamaged
	}
	child := func(t arrow.DataType, length int64) {
		if err == nil {
			var inside *part
			inside, err = c.part(t, length)
			p.children = append(p.children, inside)
		}
	}
	switch t := p.layout.(type) {
	case *arrow.StructType:
		for i := range t.NumFields() {
			child(t.Field(i).Type, p.length)
		}
	case *arrow.FixedSizeListType:
		if n := int64(t.Len()); n > 0 && p.length > math.MaxInt64/n {
			return nil, message.ErrDamaged
		}
		child(t.Elem(), p.length*int64(t.Len()))
	case arrow.ListLikeType:
		if p.values, err = c.content(); err == nil {
			child(t.Elem(), anyLength)
		}
	case arrow.OffsetsDataType: // texts and bytes
		if p.values, err = c.content(); err == nil {
			p.text, err = c.content()
		}
	default:
		p.values, err = c.content()
	}
	return p, err
}

func (c *partReader) content() (*content, error) {
	b := c.batch.Buffer(c.buffer, c.body)
	c.buffer++
	if len(b) == 0 {
		return nil, nil
	}
	r, held, err := c.batch.Open(b)
	c.held += held
	return &content{r: r}, err
}

// read returns the next n elements, for the caller to release.
func (p *part) read(n int64, mem memory.Allocator) (arrow.ArrayData, error) {
	if n < 0 || n > p.length-p.done {
		return nil, errShort
	}
	first := p.done == 0
	p.done += n
	r := &reading{n: n, mem: mem, buffers: []*memory.Buffer{nil}}
	defer r.release()
	nulls := int64(0)
	if p.valid != nil {
		r.buffers[0] = r.bits(p.valid, n)
		if r.err != nil {
			return nil, r.err
		}
		nulls = n - int64(bitutil.CountSetBits(r.buffers[0].Bytes(), 0, int(n)))
	}
	switch t := p.layout.(type) {
	case *arrow.NullType:
		nulls = n
	case *arrow.StructType:
		for _, c := range p.children {
			r.child(c, n)
		}
	case *arrow.FixedSizeListType:
		r.child(p.children[0], n*int64(t.Len()))
	case arrow.OffsetsDataType:
		r.lists(p, t.OffsetTypeTraits().BytesRequired(1), first)
	case *arrow.BooleanType:
		r.buffers = append(r.buffers, r.bits(p.values, n))
	case arrow.FixedWidthDataType:
		r.buffers = append(r.buffers, r.bytes(p.values, n*int64(t.Bytes())))
	}
	p.seen += nulls
	if r.err != nil {
		return nil, r.err
	}
	return array.NewData(p.typ, int(n), r.buffers, r.children, int(nulls), 0), nil
}

// finish checks what the batch says of nulls.
func (p *part) finish() error {
	if p.done == p.length && p.seen != p.nulls {
		return fmt.Errorf("%d nulls, expected %d", p.seen, p.nulls)
	}
	for _, c := range p.children {
		if err := c.finish(); err != nil {
			return err
		}
	}
	return nil
}

// A reading is the reading of n elements of a part. After an error nothing is
// read.
type reading struct {
	n        int64
	mem      memory.Allocator
	buffers  []*memory.Buffer
	children []arrow.ArrayData
	err      error
}

func (r *reading) release() {
	for _, b := range r.buffers {
		if b != nil {
			b.Release()
		}
	}
	for _, c := range r.children {
		c.Release()
	}
}

func (r *reading) child(p *part, n int64) {
	if r.err != nil {
		return
	}
	data, err := p.read(n, r.mem)
	if err != nil {
		r.err = err
		return
	}
	r.children = append(r.children, data)
}

// lists reads offsets, less the first of them, and what they lead into.
func (r *reading) lists(p *part, width int, first bool) {
	at := func(b []byte) int64 { return int64(int32(binary.LittleEndian.Uint32(b))) }
	put := func(b []byte, v int64) { binary.LittleEndian.PutUint32(b, uint32(v)) }
	if width == 8 {
		at = func(b []byte) int64 { return int64(binary.LittleEndian.Uint64(b)) }
		put = func(b []byte, v int64) { binary.LittleEndian.PutUint64(b, uint64(v)) }
	}
	if first && r.n > 0 {
		var b [8]byte
		r.full(p.values, b[:width])
		p.last = at(b[:])
		r.pass(p)
	}
	if r.err != nil {
		return
	}
	out := memory.NewResizableBuffer(r.mem)
	r.buffers = append(r.buffers, out)
	out.Resize(int(r.n+1) * width) // the first one is 0
	b := out.Bytes()
	clear(b[:width])
	if r.full(p.values, b[width:]); r.err != nil {
		return
	}
	from, last := p.last, p.last
	for i := width; i < len(b); i += width {
		offset := at(b[i:])
		if offset < last {
			r.err = message.ErrDamaged
			return
		}
		last = offset
		put(b[i:], offset-from)
	}
	p.last = last
	if p.children != nil {
		r.child(p.children[0], last-from)
	} else {
		r.buffers = append(r.buffers, r.bytes(p.text, last-from))
	}
}

// pass passes over what lies before the first offset.
func (r *reading) pass(p *part) {
	for left := p.last; left != 0 && r.err == nil; {
		n := min(left, 1<<20)
		left -= n
		switch {
		case n < 0:
			r.err = message.ErrDamaged
		case p.children == nil:
			if b := r.bytes(p.text, n); b != nil {
				b.Release()
			}
		default:
			data, err := p.children[0].read(n, r.mem)
			if r.err = err; err == nil {
				data.Release()
			}
		}
	}
}

// bytes returns the next n bytes of a stream; nil after an error.
func (r *reading) bytes(s *content, n int64) *memory.Buffer {
	if n > maxPiece && r.err == nil {
		r.err = &bound.BeyondError{
			What: fmt.Sprintf("lists of %d MiB in %d rows are beyond the %d MiB that a piece of a compressed batch may have", n>>20, r.n, maxPiece>>20),
			Hint: "write smaller batches, or do not compress them",
		}
	}
	if r.err != nil {
		return nil
	}
	if n == 0 { // empty texts are not nil, which JSON takes for null
		return memory.NewBufferBytes([]byte{})
	}
	b := memory.NewResizableBuffer(r.mem)
	b.Resize(int(n))
	if r.full(s, b.Bytes()); r.err != nil {
		b.Release()
		return nil
	}
	return b
}

// bits returns the next n bits of a stream; nil after an error.
func (r *reading) bits(s *content, n int64) *memory.Buffer {
	if r.err != nil {
		return nil
	}
	if s == nil {
		s = &content{} // of nothing
	}
	raw := make([]byte, 1+bitutil.BytesForBits(max(0, n-s.kept)))
	raw[0] = s.last
	if r.full(s, raw[1:]); r.err != nil {
		return nil
	}
	b := memory.NewResizableBuffer(r.mem)
	b.Resize(int(bitutil.BytesForBits(n)))
	clear(b.Bytes())
	bitutil.CopyBitmap(raw, int(8-s.kept), int(n), b.Bytes(), 0)
	s.kept += 8*int64(len(raw)-1) - n
	s.last = raw[len(raw)-1]
	return b
}

// full fills b with the next bytes of a stream.
func (r *reading) full(s *content, b []byte) {
	if r.err != nil || len(b) == 0 {
		return
	}
	if s == nil || s.r == nil {
		r.err = errShort
		return
	}
	if _, err := io.ReadFull(s.r, b); err == io.EOF || err == io.ErrUnexpectedEOF {
		r.err = errShort
	} else if err != nil {
		r.err = fmt.Errorf("%w: %w", bound.ErrUnpack, err)
	}
}

// A content is a buffer, decompressed and read from its beginning on.
type content struct {
	r    io.Reader
	last byte  // the one read last
	kept int64 // how many of its bits come next
}

var errShort = errors.New("its buffers are too short")

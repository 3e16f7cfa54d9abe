// Package ipc reads and writes Arrow's IPC files and streams.
//
// Both are sequences of messages: a schema, then dictionaries and record
// batches. Reading checks each message and hands it to the Arrow library, which
// never sees the bytes of the file otherwise.
package ipc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/aefeat/aefeat/arrowio/internal/bound"
	"github.com/aefeat/aefeat/arrowio/internal/container"
	"github.com/aefeat/aefeat/arrowio/internal/message"
	"github.com/aefeat/aefeat/arrowio/internal/schema"
)

// A decoder reads the batches of messages with the Arrow library.
type decoder struct {
	m   *messages
	r   *ipc.Reader
	mem memory.Allocator

	cut          *pieces // being read; nil: none
	large, small int64   // the size from which on batches are read in pieces, and of these
}

func newDecoder(m *messages, mem memory.Allocator) (*decoder, error) {
	d := &decoder{m: m, mem: mem, large: largeBatch, small: pieceBytes}
	err := bound.Guard(func() (err error) {
		d.r, err = ipc.NewReaderFromMessageReader(m, ipc.WithAllocator(mem))
		return err
	})
	if err == nil && m.err != nil && m.err != io.EOF {
		err = m.err
	}
	if err != nil {
		return nil, bound.Damaged("Arrow schema", err)
	}
	if m.schema.HasDictionaries() || !d.r.Schema().IsNativeEndian() { // which are the library's
		d.large = math.MaxInt64
	}
	return d, nil
}

// Schema implements [container.File].
func (d *decoder) Schema() *arrow.Schema { return d.r.Schema() }

// Close implements [container.File].
func (d *decoder) Close() {
	_ = bound.Guard(func() error {
		if d.cut != nil {
			d.cut.release()
			d.cut = nil
		}
		d.m.drop()
		d.r.Release()
		return nil
	})
}

// Batches implements [container.File].
func (d *decoder) Batches(chosen []schema.Selection) (container.Batches, error) {
	return &batches{d, chosen}, nil
}

// batches are the columns chosen of a decoder's batches.
type batches struct {
	from   *decoder
	chosen []schema.Selection
}

// Next implements [container.Batches].
func (b *batches) Next(context.Context) (arrow.RecordBatch, error) {
	if rec, err := b.from.piece(b.chosen); rec != nil || err != nil {
		return rec, err
	}
	rec, err := b.from.next()
	if err != nil {
		return nil, err
	}
	fields := make([]arrow.Field, len(b.chosen))
	columns := make([]arrow.Array, len(b.chosen))
	for i, s := range b.chosen {
		fields[i] = rec.Schema().Field(s.Index)
		columns[i] = rec.Column(s.Index)
	}
	return array.NewRecordBatch(arrow.NewSchema(fields, nil), columns, rec.NumRows()), nil
}

// piece returns the next rows of the columns chosen where the batch that they
// are in is read in pieces, nil where it is not.
func (d *decoder) piece(chosen []schema.Selection) (rec arrow.RecordBatch, err error) {
	err = bound.Guard(func() error {
		for d.large < math.MaxInt64 {
			if d.cut != nil {
				if rec, err = d.cut.next(); rec != nil || err != nil {
					return err
				}
				d.cut.release()
				d.cut = nil
			}
			p := d.m.ahead()
			if p == nil || p.head == nil {
				return nil
			}
			if d.cut, err = d.piecesOf(p.head, p.body, chosen); d.cut == nil {
				return damagedMessage(err)
			}
			d.m.pending = nil
		}
		return nil
	})
	return rec, err
}

// next returns the next batch, which the library holds, or io.EOF.
func (d *decoder) next() (arrow.RecordBatch, error) {
	var rec arrow.RecordBatch
	err := bound.Guard(func() error {
		d.m.rows = -1
		if !d.r.Next() {
			if err := d.r.Err(); err != nil {
				return bound.Damaged("Arrow message", err)
			}
			return io.EOF
		}
		rec = d.r.RecordBatch()
		if rec.NumRows() != d.m.rows {
			return fmt.Errorf("damaged Arrow message: %d rows, expected %d", rec.NumRows(), d.m.rows)
		}
		return nil
	})
	switch {
	case d.m.err != nil && d.m.err != io.EOF:
		return nil, d.m.err
	case err == io.EOF && d.m.err == nil:
		return nil, errors.New("damaged Arrow data: the library cannot read on")
	case err != nil:
		return nil, err
	}
	return rec, nil
}

// A messages hands the library checked messages. It implements
// [ipc.MessageReader].
type messages struct {
	next    func() (meta []byte, body *memory.Buffer, err error) // io.EOF at a proper end
	schema  *message.Schema
	first   []byte // metadata of the schema, until it is handed on
	pending *read  // the next one; nil: it has not been read
	msg     *ipc.Message
	rows    int64 // of the batch handed on last
	err     error
}

// A read is a message that has been read and checked.
type read struct {
	meta []byte
	body *memory.Buffer
	head *message.Batch // nil of a schema
	kind byte
}

// Retain implements [ipc.MessageReader].
func (m *messages) Retain() {}

// Release implements [ipc.MessageReader].
func (m *messages) Release() {
	if m.msg != nil {
		m.msg.Release()
		m.msg = nil
	}
}

// drop lets the message go that nobody has asked for.
func (m *messages) drop() {
	if m.pending != nil {
		m.pending.body.Release()
		m.pending = nil
	}
}

// Message implements [ipc.MessageReader]. The message is valid until the next
// call.
func (m *messages) Message() (*ipc.Message, error) {
	m.Release()
	p := m.ahead()
	if p == nil {
		return nil, m.err
	}
	m.pending = nil
	defer p.body.Release()
	if p.head != nil {
		if m.err = fits(p.head, p.body.Len()); m.err != nil {
			return nil, m.err
		}
		if p.kind == message.KindBatch {
			m.rows = p.head.Rows
		}
	}
	buf := memory.NewBufferBytes(p.meta)
	defer buf.Release()
	m.msg = ipc.NewMessage(buf, p.body)
	return m.msg, nil
}

// ahead returns the message that comes next, nil where there is none, or an
// error.
func (m *messages) ahead() *read {
	if m.pending == nil && m.err == nil {
		m.pending, m.err = m.read()
	}
	return m.pending
}

func (m *messages) read() (*read, error) {
	if m.first != nil {
		meta := m.first
		m.first = nil
		return &read{meta: meta, body: memory.NewBufferBytes(nil)}, nil
	}
	meta, body, err := m.next()
	if err != nil {
		return nil, err
	}
	p, err := m.check(meta, body)
	if err != nil {
		body.Release()
		return nil, damagedMessage(err)
	}
	return p, nil
}

func (m *messages) check(meta []byte, body *memory.Buffer) (*read, error) {
	msg, err := message.Parse(meta)
	if err != nil {
		return nil, err
	}
	h, err := m.schema.Batch(msg)
	if err != nil {
		return nil, err
	}
	return &read{meta, body, h, msg.Kind}, h.Check(body.Bytes())
}

const (
	// freeBatch is what a batch may be decompressed to whatever its size: more
	// than nearly all writers put into one.
	freeBatch = 256 << 20

	// maxGrowth is how many times the size of its message a larger one may be.
	maxGrowth = 64
)

// fits checks that the library, which decompresses all of a batch at once, does
// not take too much memory for a message of so many bytes.
func fits(h *message.Batch, body int) error {
	if h.Size() <= freeBatch || h.Size()/maxGrowth <= int64(body) {
		return nil
	}
	return &bound.BeyondError{
		What: fmt.Sprintf("a batch of %d MiB, compressed to %d KiB, is beyond the %d times that batches of more than %d MiB may grow by", h.Size()>>20, body>>10, maxGrowth, freeBatch>>20),
		Hint: "write smaller batches, or do not compress them",
	}
}

func damagedMessage(err error) error {
	if err == nil {
		return nil
	}
	return bound.Damaged("Arrow message", err)
}

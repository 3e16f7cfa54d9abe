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
	m *messages
	r *ipc.Reader
}

func newDecoder(m *messages, mem memory.Allocator) (*decoder, error) {
	d := &decoder{m: m}
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
	return d, nil
}

// Schema implements [container.File].
func (d *decoder) Schema() *arrow.Schema { return d.r.Schema() }

// Close implements [container.File].
func (d *decoder) Close() { _ = bound.Guard(func() error { d.r.Release(); return nil }) }

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
	next   func() (meta []byte, body *memory.Buffer, err error) // io.EOF at a proper end
	schema *message.Schema
	first  []byte // metadata of the schema, until it is handed on
	msg    *ipc.Message
	rows   int64 // of the batch handed on last
	err    error
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

// Message implements [ipc.MessageReader]. The message is valid until the next
// call.
func (m *messages) Message() (*ipc.Message, error) {
	m.Release()
	if m.err != nil {
		return nil, m.err
	}
	meta, body, err := m.read()
	if err != nil {
		m.err = err
		return nil, err
	}
	defer body.Release()
	buf := memory.NewBufferBytes(meta)
	defer buf.Release()
	m.msg = ipc.NewMessage(buf, body)
	return m.msg, nil
}

func (m *messages) read() ([]byte, *memory.Buffer, error) {
	if m.first != nil {
		meta := m.first
		m.first = nil
		return meta, memory.NewBufferBytes(nil), nil
	}
	meta, body, err := m.next()
	if err != nil {
		return nil, nil, err
	}
	if err := m.check(meta, body.Bytes()); err != nil {
		body.Release()
		return nil, nil, damagedMessage(err)
	}
	return meta, body, nil
}

func (m *messages) check(meta, body []byte) error {
	msg, err := message.Parse(meta)
	if err != nil {
		return err
	}
	h, err := m.schema.Batch(msg)
	if err != nil {
		return err
	}
	if msg.Kind == message.KindBatch {
		m.rows = h.Rows
	}
	return h.Check(body)
}

func damagedMessage(err error) error { return bound.Damaged("Arrow message", err) }

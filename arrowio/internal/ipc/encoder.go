package ipc

import (
	"encoding/binary"
	"fmt"
	"io"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/aefeat/aefeat/arrowio/internal/container"
)

// An encoder writes a file or a stream.
type encoder struct {
	w interface {
		Write(arrow.RecordBatch) error
		Close() error
	}
	out        *tap
	schema     *arrow.Schema // as written
	batchBytes int64
	densifier  densifier
	dense      []bool // columns written as another type
	ending     []byte // of a file that was given up
}

// A tap is an output that can be shut off.
type tap struct {
	io.Writer
	off bool
}

func (t *tap) Write(p []byte) (int, error) {
	if t.off {
		return len(p), nil
	}
	return t.Writer.Write(p)
}

func newFileEncoder(out io.Writer, schema *arrow.Schema, o container.WriteOptions) (container.Encoder, error) {
	// A file can hold one dictionary for a column, which nobody knows
	// before the last batch, so dictionaries are written out.
	e, err := newEncoder(out, schema, o, true)
	if err != nil {
		return nil, err
	}
	e.ending = make([]byte, 8) // what is not a file's magic
	e.w, err = ipc.NewFileWriter(e.out, ipc.WithSchema(e.schema), ipc.WithAllocator(o.Allocator))
	if err != nil {
		return nil, fmt.Errorf("write Arrow file: %w", err)
	}
	return e, nil
}

func newStreamEncoder(out io.Writer, schema *arrow.Schema, o container.WriteOptions) (container.Encoder, error) {
	e, err := newEncoder(out, schema, o, false)
	if err != nil {
		return nil, err
	}
	// The head of a message that never comes.
	const anyLength = 1024
	e.ending = binary.LittleEndian.AppendUint32([]byte{0xff, 0xff, 0xff, 0xff}, anyLength)
	e.w = ipc.NewWriter(e.out, ipc.WithSchema(e.schema), ipc.WithAllocator(o.Allocator))
	return e, nil
}

// newEncoder checks the schema by encoding it.
func newEncoder(out io.Writer, schema *arrow.Schema, o container.WriteOptions, dictionaries bool) (*encoder, error) {
	e := &encoder{out: &tap{Writer: out}, batchBytes: o.GroupBytes}
	e.densifier = densifier{dictionaries: dictionaries, mem: o.Allocator}
	e.dense = make([]bool, schema.NumFields())
	fields := schema.Fields()
	for i := range fields {
		if t := e.densifier.typeOf(fields[i].Type); t != fields[i].Type {
			fields[i].Type, e.dense[i] = t, true
		}
	}
	metadata := schema.Metadata()
	e.schema = arrow.NewSchema(fields, &metadata)
	for _, f := range e.schema.Fields() {
		if err := encodable(f, o.Allocator); err != nil {
			return nil, err
		}
	}
	return e, nil
}

// encodable encodes the schema of one column, to see whether the library can.
func encodable(f arrow.Field, mem memory.Allocator) (err error) {
	defer func() {
		if p := recover(); p != nil {
			reason := fmt.Sprintf("%s cannot be written: %v", f.Type, p)
			err = &container.ColumnError{Column: f.Name, Row: -1, Reason: reason}
		}
	}()
	p := ipc.GetSchemaPayload(arrow.NewSchema([]arrow.Field{f}, nil), mem)
	p.Release()
	return nil
}

// Write implements [container.Encoder].
func (e *encoder) Write(rec arrow.RecordBatch) error {
	m := rec.NumRows()
	var size int64
	for _, c := range rec.Columns() {
		size += arrayBytes(c)
	}
	step := max(m, 1)
	if size > e.batchBytes {
		step = max(1, int64(float64(m)*float64(e.batchBytes)/float64(size)))
	}
	for lo := int64(0); lo == 0 || lo < m; lo += step {
		if err := e.writeSlice(rec, lo, min(lo+step, m)); err != nil {
			return err
		}
	}
	return nil
}

func (e *encoder) writeSlice(rec arrow.RecordBatch, lo, hi int64) error {
	columns := make([]arrow.Array, rec.NumCols())
	for i, c := range rec.Columns() {
		part := array.NewSlice(c, lo, hi)
		if e.dense[i] {
			data, err := e.densifier.data(part.Data())
			part.Release()
			if err != nil {
				return fmt.Errorf("write out column %q: %w", rec.ColumnName(i), err)
			}
			part = array.MakeFromData(data)
			data.Release()
		}
		defer part.Release()
		columns[i] = part
	}
	batch := array.NewRecordBatch(e.schema, columns, hi-lo)
	defer batch.Release()
	return e.w.Write(batch)
}

// Close implements [container.Encoder].
func (e *encoder) Close() error { return e.w.Close() }

// Abort implements [container.Encoder]. The library lets go of dictionaries
// when it ends the output, which is not to end like that.
func (e *encoder) Abort() []byte {
	e.out.off = true
	func() {
		defer func() { _ = recover() }()
		_ = e.w.Close()
	}()
	return e.ending
}

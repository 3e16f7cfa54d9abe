package arrowio

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/aefeat/aefeat/arrowio/internal/bound"
	"github.com/aefeat/aefeat/arrowio/internal/container"
	"github.com/aefeat/aefeat/arrowio/internal/schema"
)

// A Reader reads the rows of a [Source] once, batch by batch. It implements
// [array.RecordReader], and like all of these it is for one goroutine. Batches
// have zero rows at times. What is damaged is an error, never the end: after
// Next has returned false, look at Err.
type Reader struct {
	s       *Source
	ctx     context.Context
	schema  *arrow.Schema
	chosen  []schema.Selection
	from    *arrow.Schema // of the file that of and at are about
	of      []schema.Selection
	at      []int          // where a column is in its batches; -1: nowhere
	input   int            // the one being read
	file    container.File // being read; nil: to be opened
	batches container.Batches
	rows    int64 // of the input so far
	rec     arrow.RecordBatch
	err     error
	refs    atomic.Int64
}

var _ array.RecordReader = (*Reader)(nil)

// Reader begins to read. columns are the paths of the columns wanted: the index
// of a column, then of the field in each struct; such structs have the fields
// wanted alone. Batches have them in the order of the schema; nil is all
// columns, and an empty list none: batches with rows and no columns.
//
// An Arrow stream from a pipe can be read once, unless the source was opened as
// Rewindable: then a second call is an error. The context is looked at between
// batches.
func (s *Source) Reader(ctx context.Context, columns [][]int) (*Reader, error) {
	if ctx == nil {
		return nil, errors.New("read: the context is nil")
	}
	of, chosen, err := schema.Project(s.schema, columns)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, in := range s.inputs {
		if in.pipe != nil && in.used {
			return nil, in.fault(errOnce)
		}
	}
	for _, in := range s.inputs {
		in.used = true
	}
	r := &Reader{s: s, ctx: ctx, schema: of, chosen: chosen}
	r.refs.Store(1)
	return r, nil
}

// Retain implements [array.RecordReader].
func (r *Reader) Retain() { r.refs.Add(1) }

// Release implements [array.RecordReader]. The last one closes the file being
// read and frees the batch.
func (r *Reader) Release() {
	if r.refs.Add(-1) == 0 {
		r.drop()
		r.closeFile()
	}
}

// Schema returns the schema of the batches.
func (r *Reader) Schema() *arrow.Schema { return r.schema }

// RecordBatch returns the batch that Next has read. It is valid until the next
// call of Next; Retain keeps it longer.
func (r *Reader) RecordBatch() arrow.RecordBatch { return r.rec }

// Record is the same as RecordBatch.
//
// Deprecated: [array.RecordReader] asks for it.
func (r *Reader) Record() arrow.RecordBatch { return r.rec }

// Err returns the error that ended the reading, nil if it was the end of the
// input.
func (r *Reader) Err() error { return r.err }

// Next reads the next batch. It returns false at the end and on an error.
func (r *Reader) Next() bool {
	r.drop()
	for r.err == nil && r.input < len(r.s.inputs) {
		in := r.s.inputs[r.input]
		rec, err := r.read(in)
		if err == nil {
			r.rec = rec
			r.rows += rec.NumRows()
			r.s.count(r.input, r.rows, false)
			return true
		}
		if err == io.EOF {
			err = nil
			if in.rows >= 0 && r.rows != in.rows {
				err = fmt.Errorf("%d rows read, expected %d", r.rows, in.rows)
			}
			if changed := r.unchanged(in); changed != nil {
				err = changed
			}
		}
		r.err = in.fault(err)
		r.closeFile()
		if r.err == nil {
			r.s.count(r.input, r.rows, true)
			r.input++
			r.rows = 0
		}
	}
	return false
}

// read reads the next batch of an input, and opens it first if it is not. At
// the end it returns io.EOF.
func (r *Reader) read(in *input) (arrow.RecordBatch, error) {
	if err := r.ctx.Err(); err != nil {
		return nil, err
	}
	if r.batches == nil {
		err := r.open(in)
		if err == io.EOF { // which it is not
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return nil, err
		}
	}
	rec, err := r.batches.Next(r.ctx)
	if err != nil {
		return nil, err
	}
	defer rec.Release()
	return r.shape(in, rec)
}

func (r *Reader) drop() {
	if r.rec != nil {
		r.rec.Release()
		r.rec = nil
	}
}

// closeFile leaves a pipe to its source, which may be asked where a row is.
func (r *Reader) closeFile() {
	if r.file != nil && r.s.inputs[r.input].pipe == nil {
		r.file.Close()
	}
	r.file, r.batches = nil, nil
}

// open opens the file that is next. It was checked when the source was opened;
// it is checked again, since it may be another by now.
func (r *Reader) open(in *input) error {
	r.file = in.pipe
	if r.file == nil {
		f, err := in.open(r.s.reading())
		if err != nil {
			return err
		}
		r.file = f
		of, err := r.s.checked(f.Schema())
		if err != nil || f.Rows() != in.rows || f.Sum() != in.sum || !of.Equal(in.schema) {
			return errChanged
		}
	}
	if r.from != in.schema {
		r.from = in.schema
		r.of, r.at = schema.Find(r.chosen, r.s.schema, in.schema)
	}
	var err error
	r.batches, err = r.file.Batches(r.of)
	return err
}

// unchanged is that of the input, of which all rows have been read.
func (r *Reader) unchanged(in *input) error {
	if f, ok := r.file.(*openFile); ok {
		return in.unchanged(f.from)
	}
	return in.unchanged(in.at)
}

// shape makes the batch of one file one of the whole input.
func (r *Reader) shape(in *input, rec arrow.RecordBatch) (out arrow.RecordBatch, err error) {
	err = bound.Guard(func() error {
		columns := make([]arrow.Array, len(r.chosen))
		defer func() {
			for _, c := range columns {
				if c != nil {
					c.Release()
				}
			}
		}()
		for i := range columns {
			f := r.schema.Field(i)
			err := bound.Guard(func() (err error) {
				columns[i], err = r.column(in, rec, i)
				return err
			})
			if err != nil {
				return bound.Damaged("data", fmt.Errorf("column %q: %w", f.Name, err))
			}
		}
		out = array.NewRecordBatch(r.schema, columns, rec.NumRows())
		return nil
	})
	return out, err
}

// column returns a column of the whole input for the batch of one file. It
// checks what the library made of the file, since those who get the batch index
// into it: offsets in order and inside, lengths that agree, dictionary indexes
// inside the dictionary.
func (r *Reader) column(in *input, rec arrow.RecordBatch, i int) (arrow.Array, error) {
	f, mem := r.schema.Field(i), r.s.o.Allocator
	if r.at[i] < 0 {
		for _, k := range in.keys {
			if k.name == f.Name {
				return k.column(mem, f.Type, int(rec.NumRows())), nil
			}
		}
		data := schema.Nulls(f.Type, int(rec.NumRows()), mem)
		defer data.Release()
		return array.MakeFromData(data), nil
	}
	data := schema.Conform(rec.Column(r.at[i]).Data(), f.Type, mem)
	defer data.Release()
	c := array.MakeFromData(data)
	err := validate(c)
	if n := int64(c.Len()); n != rec.NumRows() {
		err = fmt.Errorf("%d rows, expected %d", n, rec.NumRows())
	}
	return c, err
}

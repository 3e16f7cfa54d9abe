package arrowio

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync/atomic"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
)

// A Reader reads the rows of a [Source] once, batch by batch. It implements [array.RecordReader], and like all of these it is for one goroutine.
// Batches have zero rows at times. What is damaged is an error, never the end: after Next has returned false, look at Err.
type Reader struct {
	s       *Source
	ctx     context.Context
	schema  *arrow.Schema
	chosen  []selection
	input   int       // the one being read
	current batchFile // nil: to be opened
	file    *os.File  // to be closed with current
	rows    int64     // of the input so far
	rec     arrow.RecordBatch
	err     error
	refs    atomic.Int64
}

var _ array.RecordReader = (*Reader)(nil)

// A batchFile is a file being read. Its batches belong to the caller.
type batchFile interface {
	next(ctx context.Context) (arrow.RecordBatch, error) // io.EOF at the end
	close()
}

// Reader begins to read. columns are the paths of the columns wanted: the index
// of a column, then of the field in each struct; such structs have the fields
// wanted alone. Batches have them in the order of the schema; nil is all
// columns, and an empty list none: batches with rows and no columns.
//
// An Arrow stream from a pipe can be read once, unless the source was opened as Rewindable: then a second call is an error. The context is
// looked at between batches.
func (s *Source) Reader(ctx context.Context, columns [][]int) (*Reader, error) {
	schema, chosen, err := project(s.schema, columns)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, in := range s.inputs {
		if in.pipe != nil && in.used {
			return nil, &FileError{File: in.name, Err: errors.New("an Arrow stream from a pipe can be read only once"), Hint: "put it into a file first"}
		}
	}
	for _, in := range s.inputs {
		in.used = true
	}
	r := &Reader{s: s, ctx: ctx, schema: schema, chosen: chosen}
	r.refs.Store(1)
	return r, nil
}

// Retain implements [array.RecordReader].
func (r *Reader) Retain() { r.refs.Add(1) }

// Release implements [array.RecordReader]. The last one closes the file being read and frees the batch.
func (r *Reader) Release() {
	if r.refs.Add(-1) == 0 {
		r.drop()
		r.closeFile()
	}
}

// Schema returns the schema of the batches.
func (r *Reader) Schema() *arrow.Schema { return r.schema }

// RecordBatch returns the batch that Next has read. It is valid until the next call of Next; Retain keeps it longer.
func (r *Reader) RecordBatch() arrow.RecordBatch { return r.rec }

// Record is the same as RecordBatch.
//
// Deprecated: [array.RecordReader] asks for it.
func (r *Reader) Record() arrow.RecordBatch { return r.rec }

// Err returns the error that ended the reading, nil if it was the end of the input.
func (r *Reader) Err() error { return r.err }

// Next reads the next batch. It returns false at the end and on an error.
func (r *Reader) Next() bool {
	r.drop()
	for r.err == nil && r.input < len(r.s.inputs) {
		if r.err = r.ctx.Err(); r.err != nil {
			break
		}
		in := r.s.inputs[r.input]
		if r.current == nil {
			if r.err = in.fault(r.open(in)); r.err != nil {
				break
			}
		}
		rec, err := r.current.next(r.ctx)
		if err == nil {
			r.rec, err = r.shape(rec)
			rec.Release()
			if err == nil {
				r.rows += r.rec.NumRows()
				r.s.count(r.input, r.rows, false)
				return true
			}
		}
		if err == io.EOF {
			err = nil
			if in.rows >= 0 && r.rows != in.rows {
				err = fmt.Errorf("%d rows read, expected %d", r.rows, in.rows)
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

func (r *Reader) drop() {
	if r.rec != nil {
		r.rec.Release()
		r.rec = nil
	}
}

func (r *Reader) closeFile() {
	if r.current != nil {
		r.current.close()
		r.current = nil
	}
	if r.file != nil {
		r.file.Close()
		r.file = nil
	}
}

// open opens the file that is next. It was checked when the source was opened; it is checked again, since it may be another by now.
func (r *Reader) open(in *input) error {
	if in.pipe != nil {
		r.current = &projected{in.pipe, r.chosen, false}
		return nil
	}
	f := in.file
	if f == nil {
		var err error
		if f, err = os.Open(in.path); err != nil {
			return pathError(in.name, err)
		}
		r.file = f
		info, err := f.Stat()
		if err != nil {
			return pathError(in.name, err)
		}
		if info.Size() != in.size {
			return errChanged
		}
	}
	mem := r.s.o.Allocator
	section := io.NewSectionReader(f, in.base, in.size)
	switch in.format {
	case Parquet:
		footer, err := readFooter(section, in.size)
		if err != nil {
			return err
		}
		if footer.rows != in.rows {
			return errChanged
		}
		schema, err := footer.arrowSchema()
		if err == nil {
			err = r.sameSchema(schema)
		}
		if err != nil {
			return err
		}
		r.current = newParquetReader(section, footer, schema, r.chosen, r.s.o.BatchRows, mem)
		return nil
	case Arrow:
		file, err := openIPCFile(section, in.size)
		if err != nil {
			return err
		}
		if file.rows != in.rows {
			return errChanged
		}
		return r.openMessages(file.messages(mem))
	default:
		m, err := openStream(r.s.stream(in, section))
		if err != nil {
			return err
		}
		return r.openMessages(m)
	}
}

var errChanged = errors.New("the file changed while it was being read")

func (r *Reader) openMessages(m *messages) error {
	ipc, err := newIPCReader(m, r.s.o.Allocator)
	if err != nil {
		return err
	}
	if err := r.sameSchema(ipc.schema()); err != nil {
		ipc.close()
		return err
	}
	r.current = &projected{ipc, r.chosen, true}
	return nil
}

func (r *Reader) sameSchema(schema *arrow.Schema) error {
	schema, err := checkedSchema(schema)
	if err == nil {
		_, err = mergeSchemas(r.s.schema, schema)
	}
	if err != nil {
		return errChanged
	}
	return nil
}

// A projected is an ipcReader of which columns are chosen.
type projected struct {
	*ipcReader
	chosen []selection
	owned  bool
}

func (p *projected) next(context.Context) (arrow.RecordBatch, error) {
	rec, err := p.ipcReader.read()
	if err != nil {
		return nil, err
	}
	defer rec.Release()
	fields := make([]arrow.Field, len(p.chosen))
	columns := make([]arrow.Array, len(p.chosen))
	for i, s := range p.chosen {
		fields[i] = rec.Schema().Field(s.index)
		columns[i] = rec.Column(s.index)
	}
	return array.NewRecordBatch(arrow.NewSchema(fields, nil), columns, rec.NumRows()), nil
}

// close leaves a pipe to its source, which may be asked where a row is.
func (p *projected) close() {
	if p.owned {
		p.ipcReader.close()
	}
}

// shape makes the batch of one file one of the whole input. It checks what the library made of the file, since those who get the
// batch index into it: offsets in order and inside, lengths that agree, dictionary indexes inside the dictionary.
func (r *Reader) shape(rec arrow.RecordBatch) (out arrow.RecordBatch, err error) {
	err = guard(func() (err error) {
		columns := make([]arrow.Array, rec.NumCols())
		defer func() {
			for _, c := range columns {
				if c != nil {
					c.Release()
				}
			}
		}()
		for i, c := range rec.Columns() {
			f := r.schema.Field(i)
			data := conform(c.Data(), f.Type)
			defer data.Release()
			if columns[i], err = makeArray(data); err == nil {
				err = array.ValidateFull(columns[i])
			}
			if err != nil {
				return damaged("data", fmt.Errorf("column %q: %w", f.Name, err))
			}
		}
		out = array.NewRecordBatch(r.schema, columns, rec.NumRows())
		return nil
	})
	return out, err
}

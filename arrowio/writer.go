package arrowio

import (
	"bufio"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"sync"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/aefeat/aefeat/arrowio/internal/container"
	"github.com/aefeat/aefeat/internal/atomicfile"
)

// WriteOptions says how record batches are written. The zero value writes
// Parquet.
type WriteOptions struct {
	Format Format // "": Parquet

	// RowGroupBytes is the size at which a Parquet row group ends, and an
	// Arrow batch is split, in bytes before compression. It bounds what the
	// writer holds in memory and what a reader must. 0: 64 MiB.
	RowGroupBytes int64

	// Hash, if not nil, is given all bytes of the output.
	Hash hash.Hash

	Stdout    io.Writer        // where "-" goes. nil: os.Stdout
	Allocator memory.Allocator // nil: memory.DefaultAllocator
}

// defaultRowGroupBytes lets 1,600 float32 columns have 10,000 rows in a row
// group, so that their column chunks are worth a page each, and costs no
// machine much.
const defaultRowGroupBytes = 64 << 20

// A Writer writes record batches of one schema. It is made by [Create] or
// [NewWriter] and not safe for concurrent use.
//
// Parquet holds fixed-size lists as lists and extension types as what they are
// stored as; the Arrow schema that goes into the file names the fixed sizes
// and, in the metadata of the field, the extension, and readers of that schema
// give back what was written. JSON, UUID, VARIANT and shapes (geoarrow.wkb)
// have logical types in Parquet, too. Some types come back as a wider one:
// seconds as milliseconds, date64 as date32, decimals of 32 and 64 bits as
// decimal128, views as strings, binaries and lists, dictionaries of anything
// but text as what they stand for.
//
// The settings of Parquet are not for choice, but what measurements favoured:
// see package parquetw, below this one. Pages are encoded on all cores, and the
// bytes of the file do not depend on how many there are.
type Writer struct {
	schema *arrow.Schema
	out    *sink
	file   *atomicfile.File // nil: standard output
	enc    container.Encoder
	live   bool // readers start before the end
	err    error
	whole  bool // all is written
	done   bool
}

// Create opens path for record batches of the given schema. "-" is standard
// output. A file appears, whole, when [Writer.Close] returns nil; until then
// one of the same name stays as it was. What the format cannot hold is a
// [*ColumnError] with Row -1, before anything is opened.
func Create(path string, schema *arrow.Schema, o WriteOptions) (*Writer, error) {
	w, err := newWriter(schema, o)
	if err != nil {
		return nil, err
	}
	if path == "-" {
		out := o.Stdout
		if out == nil {
			out = os.Stdout
		}
		w.out.open(out, "standard output")
		return w, nil
	}
	if w.file, err = atomicfile.Create(path); err != nil {
		w.enc.Abort()
		return nil, err
	}
	w.out.open(w.file, "")
	return w, nil
}

// NewWriter returns a Writer of record batches of the given schema to out: the
// payload of a message, an object of a store. What out has taken is a whole
// file when [Writer.Close] has returned nil, and not before: whoever publishes
// it has to wait for that. Close does not close out. Errors of out are returned
// as they are; what the format cannot hold is a [*ColumnError] with Row -1,
// before anything is written.
func NewWriter(out io.Writer, schema *arrow.Schema, o WriteOptions) (*Writer, error) {
	if out == nil {
		return nil, errors.New("write: the io.Writer is nil")
	}
	w, err := newWriter(schema, o)
	if err != nil {
		return nil, err
	}
	w.out.open(out, "")
	return w, nil
}

// newWriter returns a Writer whose output is still to be opened.
func newWriter(schema *arrow.Schema, o WriteOptions) (*Writer, error) {
	if schema == nil {
		return nil, errors.New("write: the schema is nil")
	}
	if o.Allocator == nil {
		o.Allocator = memory.DefaultAllocator
	}
	if o.RowGroupBytes <= 0 {
		o.RowGroupBytes = defaultRowGroupBytes
	}
	if o.Format == "" {
		o.Format = Parquet
	}
	seen := map[string]bool{}
	for _, f := range schema.Fields() {
		if seen[f.Name] {
			return nil, &ColumnError{Column: f.Name, Row: -1, Reason: "two columns of this name cannot be written"}
		}
		seen[f.Name] = true
	}
	format, err := o.Format.format()
	if err != nil {
		return nil, err
	}
	w := &Writer{schema: schema, out: &sink{hash: o.Hash}, live: format.Live}
	w.enc, err = format.NewEncoder(w.out, schema, container.WriteOptions{
		GroupBytes: o.RowGroupBytes,
		Allocator:  o.Allocator,
	})
	if err != nil {
		return nil, public(err)
	}
	return w, nil
}

// Schema returns the schema of the batches.
func (w *Writer) Schema() *arrow.Schema { return w.schema }

// Write writes a batch and keeps no reference to it. Its columns must be those
// of the schema. A null in a column that may have none is a [*ColumnError]
// whose Row counts from the first row written. After an error every further
// call returns that error.
func (w *Writer) Write(rec arrow.RecordBatch) error {
	if w.err != nil {
		return w.err
	}
	if w.done || w.whole {
		return fs.ErrClosed
	}
	w.err = w.write(rec)
	return w.err
}

func (w *Writer) write(rec arrow.RecordBatch) (err error) {
	if rec == nil {
		return errors.New("write: the batch is nil")
	}
	if int(rec.NumCols()) != w.schema.NumFields() {
		return fmt.Errorf("write: batch of %d columns, expected %d", rec.NumCols(), w.schema.NumFields())
	}
	for i, f := range w.schema.Fields() {
		if got := rec.Column(i).DataType(); rec.ColumnName(i) != f.Name || !arrow.TypeEqual(got, f.Type) {
			return &ColumnError{
				Column: f.Name, Row: -1,
				Reason: fmt.Sprintf("batch has column %q of %s here, expected %s", rec.ColumnName(i), got, f.Type),
			}
		}
	}
	err = w.guard(func() error { return w.enc.Write(rec) })
	if err == nil && w.live {
		err = w.out.flush() // whoever reads the pipe can start on it
	}
	return err
}

// guard runs a step of the encoder. The library wraps errors of the sink in
// texts, or panics with them: return the error itself.
func (w *Writer) guard(step func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			if err = w.out.err; err == nil {
				err = fmt.Errorf("write: %v", p)
			}
		}
	}()
	err = public(step())
	if w.out.err != nil {
		err = w.out.err
	}
	return err
}

// Finish writes what is still held, all but the commit. What is left to
// [Writer.Close] needs hardly any memory and waits for the disk, so that a
// writer of many files can leave it to another goroutine. Calling Finish is not
// needed, and no batch is taken after it.
func (w *Writer) Finish() error {
	if w.err != nil || w.done || w.whole {
		return w.err
	}
	if w.err = w.guard(w.enc.Close); w.err == nil {
		w.err = w.out.flush()
	}
	if w.err == nil {
		w.whole, w.enc = true, nil
		w.out.end()
	}
	return w.err
}

// Close writes what is still held and commits the output. If that fails, or a
// Write has failed, it aborts and returns the error.
func (w *Writer) Close() error {
	if w.done {
		return w.err
	}
	if err := w.Finish(); err != nil {
		return errors.Join(err, w.Abort())
	}
	w.done = true
	if w.file != nil {
		w.err = w.file.Commit()
	}
	return w.err
}

// Abort gives the output up. Of a file nothing is left behind. What went to
// standard output, a device or a pipe cannot be taken back: unless Finish has
// ended it, it is ended so that no reader takes it for whole. After Close it
// does nothing.
func (w *Writer) Abort() error {
	if w.done {
		return nil
	}
	w.done = true
	if !w.whole {
		w.spoil()
	}
	if w.file != nil {
		return w.file.Abort()
	}
	return nil
}

// spoil ends the encoder, and what cannot be taken back so that no reader takes
// it for whole.
func (w *Writer) spoil() {
	ending := w.enc.Abort()
	direct := w.file == nil || w.file.Direct()
	if direct && w.out.written && w.out.err == nil {
		// All of a message or none: readers of a stream count its
		// bytes.
		_, _ = w.out.Write(ending)
		_ = w.out.flush()
	}
}

// A sink is the output of an encoder. It remembers the first error.
type sink struct {
	buf     *bufio.Writer
	name    string    // for errors of a writer that does not name itself
	hash    hash.Hash // of what is written; nil: not wanted
	written bool
	err     error
}

// sinkBytes is enough to make writes rare beside what they carry.
const sinkBytes = 256 << 10

// buffers are those of sinks that have ended. Of small files a new one would be
// much of the work.
var buffers = sync.Pool{New: func() any { return bufio.NewWriterSize(nil, sinkBytes) }}

func (s *sink) open(w io.Writer, name string) {
	if s.hash != nil {
		w = io.MultiWriter(w, s.hash)
	}
	s.buf, s.name = buffers.Get().(*bufio.Writer), name
	s.buf.Reset(w)
}

// end gives the buffer back. Nothing is written after it.
func (s *sink) end() {
	s.buf.Reset(nil)
	buffers.Put(s.buf)
	s.buf = nil
}

func (s *sink) Write(p []byte) (int, error) {
	if s.err != nil {
		return 0, s.err
	}
	s.written = s.written || len(p) > 0
	n, err := s.buf.Write(p)
	return n, s.failed(err)
}

func (s *sink) flush() error {
	if s.err != nil {
		return s.err
	}
	return s.failed(s.buf.Flush())
}

func (s *sink) failed(err error) error {
	var named *fs.PathError
	if err != nil && s.name != "" && !errors.As(err, &named) {
		err = fmt.Errorf("write %s: %w", s.name, err)
	}
	s.err = err
	return err
}

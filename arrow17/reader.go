package arrow17

import (
	"errors"
	"sync/atomic"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	oldarray "github.com/apache/arrow/go/v17/arrow/array"
)

var _ array.RecordReader = (*Reader)(nil)

// Reader is a record reader of v17 as one of v18, which stage.Fit and
// stage.Transform take. Retain and Release may be called at any time from any
// goroutine, the other methods by one at a time.
type Reader struct {
	refs     atomic.Int64
	source   oldarray.RecordReader
	importer *Importer
	batch    arrow.RecordBatch
	err      error
}

// NewReader returns a Reader of the batches of r. It holds a reference to r
// until it is released itself.
func NewReader(r oldarray.RecordReader) (*Reader, error) {
	if r == nil {
		return nil, errors.New("arrow17: the record reader is nil")
	}
	im, err := NewImporter(r.Schema())
	if err != nil {
		return nil, err
	}
	r.Retain()
	reader := &Reader{source: r, importer: im}
	reader.refs.Store(1)
	return reader, nil
}

// Retain adds a reference.
func (r *Reader) Retain() { r.refs.Add(1) }

// Release takes a reference away. With the last one the current batch and the
// reader of v17 are released.
func (r *Reader) Release() {
	if r.refs.Add(-1) == 0 {
		r.drop()
		r.source.Release()
	}
}

// Schema returns the schema of all batches, always the same pointer.
func (r *Reader) Schema() *arrow.Schema { return r.importer.Schema() }

// Next moves to the next batch. It returns false at the end, and when reading
// or converting failed, which Err tells.
func (r *Reader) Next() bool {
	r.drop()
	if r.err != nil || !r.source.Next() {
		return false
	}
	r.batch, r.err = r.importer.RecordBatch(r.source.Record())
	return r.err == nil
}

func (r *Reader) drop() {
	if r.batch != nil {
		r.batch.Release()
		r.batch = nil
	}
}

// RecordBatch returns the current batch. It is valid until the next call of
// Next; who needs it longer retains it.
func (r *Reader) RecordBatch() arrow.RecordBatch { return r.batch }

// Record returns what RecordBatch returns.
//
// Deprecated: v18 still asks for this name of RecordBatch.
func (r *Reader) Record() arrow.RecordBatch { return r.batch }

// Err returns why Next returned false, nil at the end. Some readers of v17
// report the end as io.EOF, and this passes it on.
func (r *Reader) Err() error {
	if r.err != nil {
		return r.err
	}
	return r.source.Err()
}

package main

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/aefeat/aefeat/arrowio"
)

// firstRows returns r without the rows that --rows leaves out.
func (o sourceOptions) firstRows(r array.RecordReader) array.RecordReader {
	if o.rows == 0 {
		return r
	}
	return &firstRows{RecordReader: r, left: o.rows}
}

// count returns how many rows src is to give; 0: unknown.
func (o sourceOptions) count(src *arrowio.Source) int64 {
	total, _ := src.NumRows()
	if o.rows > 0 && total > 0 {
		return min(total, o.rows)
	}
	return total
}

// firstRows reads no further than some rows of another reader.
type firstRows struct {
	array.RecordReader
	left  int64
	batch arrow.RecordBatch // a part of one; nil: all of it
}

func (r *firstRows) Next() bool {
	if r.left <= 0 || !r.RecordReader.Next() {
		return false
	}
	batch := r.RecordReader.RecordBatch()
	if batch.NumRows() > r.left {
		r.batch = batch.NewSlice(0, r.left)
	}
	r.left -= batch.NumRows()
	return true
}

func (r *firstRows) RecordBatch() arrow.RecordBatch {
	if r.batch != nil {
		return r.batch
	}
	return r.RecordReader.RecordBatch()
}

func (r *firstRows) Record() arrow.RecordBatch { return r.RecordBatch() }

func (r *firstRows) Release() {
	if r.batch != nil {
		r.batch.Release()
		r.batch = nil
	}
	r.RecordReader.Release()
}

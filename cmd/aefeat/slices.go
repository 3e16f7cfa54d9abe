package main

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/aefeat/aefeat/patch"
)

// inSlices returns r, whose batches are cut where one of the columns has
// sparse vectors or codes.
func inSlices(r array.RecordReader) array.RecordReader {
	if rows := patch.BatchRows(r.Schema()); rows > 0 {
		return &slicedReader{RecordReader: r, rows: rows}
	}
	return r
}

// A slicedReader reads the batches of another in slices.
type slicedReader struct {
	array.RecordReader
	rows  int64 // of a slice, at most
	at    int64 // row of the batch that the next slice begins with
	slice arrow.RecordBatch
}

func (r *slicedReader) Next() bool {
	r.drop()
	batch := r.RecordReader.RecordBatch()
	for batch == nil || r.at >= batch.NumRows() {
		if !r.RecordReader.Next() {
			return false
		}
		batch, r.at = r.RecordReader.RecordBatch(), 0
	}
	end := min(r.at+r.rows, batch.NumRows())
	r.slice = batch.NewSlice(r.at, end)
	r.at = end
	return true
}

func (r *slicedReader) RecordBatch() arrow.RecordBatch { return r.slice }

func (r *slicedReader) Record() arrow.RecordBatch { return r.slice }

func (r *slicedReader) Release() {
	r.drop()
	r.RecordReader.Release()
}

func (r *slicedReader) drop() {
	if r.slice != nil {
		r.slice.Release()
		r.slice = nil
	}
}

package arrowio

// Thin slice of the reading half, to be replaced whole.

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
)

type OpenOptions struct {
	Stdin           io.Reader
	SpoolDir        string
	Rewindable      bool
	AllowMissingEOS bool
	BatchRows       int
	Allocator       memory.Allocator
}

type Source struct {
	names  []string
	files  []*os.File
	schema *arrow.Schema
	rows   []int64
	o      OpenOptions
}

func Open(inputs []string, o OpenOptions) (*Source, error) {
	s := &Source{o: o}
	if len(inputs) == 0 {
		inputs = []string{"-"}
	}
	for _, in := range inputs {
		f, err := os.Open(in)
		if in == "-" {
			f, err = os.CreateTemp("", "x")
			if err == nil {
				os.Remove(f.Name())
				stdin := o.Stdin
				if stdin == nil {
					stdin = os.Stdin
				}
				_, err = io.Copy(f, stdin)
			}
		}
		if err != nil {
			return nil, err
		}
		s.names = append(s.names, in)
		s.files = append(s.files, f)
		r, n, err := s.open(context.Background(), f, nil)
		if err != nil {
			return nil, &FileError{File: in, Err: err}
		}
		s.schema = r.Schema()
		r.Release()
		s.rows = append(s.rows, n)
	}
	return s, nil
}

func (s *Source) open(ctx context.Context, f *os.File, columns []string) (array.RecordReader, int64, error) {
	var head [6]byte
	n, _ := f.ReadAt(head[:], 0)
	st, err := f.Stat()
	if err != nil {
		return nil, 0, err
	}
	in := io.NewSectionReader(f, 0, st.Size())
	switch {
	case n == 0:
		return nil, 0, errors.New("empty input")
	case bytes.HasPrefix(head[:], []byte("PAR1")):
		pf, err := file.NewParquetReader(in)
		if err != nil {
			return nil, 0, err
		}
		fr, err := pqarrow.NewFileReader(pf, pqarrow.ArrowReadProperties{BatchSize: 4096}, memory.DefaultAllocator)
		if err != nil {
			return nil, 0, err
		}
		var leaves []int
		for i := range pf.MetaData().Schema.NumColumns() {
			p := pf.MetaData().Schema.Column(i).ColumnPath()
			for _, c := range columns {
				if p[0] == c {
					leaves = append(leaves, i)
				}
			}
		}
		r, err := fr.GetRecordReader(ctx, leaves, nil)
		return r, pf.NumRows(), err
	case string(head[:]) == "ARROW1":
		return nil, 0, errors.New("not in the thin slice")
	}
	r, err := ipc.NewReader(in)
	return r, -1, err
}

func (s *Source) Schema() *arrow.Schema { return s.schema }
func (s *Source) NumRows() (int64, bool) {
	var n int64
	for _, r := range s.rows {
		if r < 0 {
			return 0, false
		}
		n += r
	}
	return n, true
}

func (s *Source) Reader(ctx context.Context, columns []string) (*Reader, error) {
	r := &Reader{ctx: ctx, s: s, columns: columns}
	first, _, err := s.open(ctx, s.files[0], columns)
	if err != nil {
		return nil, err
	}
	r.r, r.schema = first, first.Schema()
	return r, nil
}
func (s *Source) Locate(err error) error { return err }
func (s *Source) Close() error {
	for _, f := range s.files {
		f.Close()
	}
	return nil
}

type Reader struct {
	ctx     context.Context
	s       *Source
	columns []string
	schema  *arrow.Schema
	i       int
	r       array.RecordReader
	err     error
}

func (r *Reader) Retain()               {}
func (r *Reader) Release()              { r.r.Release() }
func (r *Reader) Schema() *arrow.Schema { return r.schema }
func (r *Reader) Next() bool {
	for r.err == nil {
		if r.err = r.ctx.Err(); r.err != nil {
			return false
		}
		if r.r.Next() {
			return true
		}
		if err := r.r.Err(); err != nil && err != io.EOF {
			r.err = fmt.Errorf("%s: %w", r.s.names[r.i], err)
			return false
		}
		if r.i++; r.i == len(r.s.files) {
			return false
		}
		r.r.Release()
		r.r, _, r.err = r.s.open(r.ctx, r.s.files[r.i], r.columns)
	}
	return false
}
func (r *Reader) RecordBatch() arrow.RecordBatch { return r.r.RecordBatch() }
func (r *Reader) Record() arrow.RecordBatch      { return r.r.RecordBatch() }
func (r *Reader) Err() error                     { return r.err }

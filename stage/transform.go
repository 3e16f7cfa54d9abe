package stage

import (
	"context"
	"errors"
	"math"
	"runtime"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/aefeat/aefeat/model"
	"github.com/aefeat/aefeat/patch"
)

// Writer takes record batches; arrowio.Writer is one. It must keep no
// reference to a batch unless it retains it.
type Writer interface {
	Write(arrow.RecordBatch) error
}

// TransformReport tells about a Transform that has ended.
type TransformReport struct {
	Rows    int64 `json:"rows"`    // all rows, those with null codes included
	Skipped int64 `json:"skipped"` // rows with null codes

	// BadRows tells why they have them, and which came first.
	BadRows patch.BadRows `json:"bad_rows,omitzero"`
}

// pieceBytes bounds the features of what Transform has in work at a time.
const pieceBytes = 8 << 20

// piece is part of an input batch on its way through Transform.
type piece struct {
	batch arrow.RecordBatch
	first int64
	done  chan struct{} // closed when out or err is set
	out   arrow.RecordBatch
	bad   patch.BadRows
	err   error
}

// Transform makes a Transformer for the schema of r and runs it.
func Transform(ctx context.Context, m *model.Model, r array.RecordReader, w Writer, c TransformConfig) (TransformReport, error) {
	schema, err := schemaOf(r)
	if err != nil {
		return TransformReport{}, err
	}
	t, err := NewTransformer(m, schema, c)
	if err != nil {
		return TransformReport{}, err
	}
	return t.Run(ctx, r, w)
}

// Run writes the batches of r, with codes, to w, in their order. They may be a
// projection that has the columns which [Transformer.Transform] needs. It
// encodes several at a time, and cuts those whose features take more than 8
// MiB. It neither releases r nor closes w, and has ended all goroutines when it
// returns; ctx is looked at between pieces of batches.
func (t *Transformer) Run(ctx context.Context, r array.RecordReader, w Writer) (report TransformReport, err error) {
	switch {
	case t.model == nil:
		return report, errZeroTransformer
	case t.model.Params == nil:
		return report, errNoParams
	case ctx == nil:
		return report, errNoContext
	case w == nil:
		return report, errors.New("stage: the writer is nil")
	}
	if _, err := schemaOf(r); err != nil {
		return report, err
	}
	working, cancel := context.WithCancel(ctx)
	pieces := make(chan *piece, max(1, runtime.GOMAXPROCS(0)-1))
	var readErr error // valid once pieces is closed
	go func() {
		defer close(pieces)
		readErr = t.read(working, r, pieces)
	}()
	defer func() {
		cancel()
		for p := range pieces {
			<-p.done
			p.release()
		}
	}()
	for p := range pieces {
		<-p.done
		err := p.err
		if err == nil {
			err = w.Write(p.out)
		}
		if err == nil {
			report.Rows += p.out.NumRows()
			report.Skipped += p.bad.Total()
			report.BadRows.Merge(p.bad)
		}
		p.release()
		if err != nil {
			return report, err
		}
	}
	if err := ctx.Err(); err != nil {
		return report, err
	}
	return report, readErr
}

// read cuts the batches of r into pieces, starts work on each, and sends them
// on. The channel's capacity bounds how many there are.
func (t *Transformer) read(ctx context.Context, r array.RecordReader, pieces chan<- *piece) error {
	size := int64(t.pieceRows())
	if t.variable() {
		size = min(size, math.MaxInt32/int64(t.model.Hidden))
	}
	next := t.first
	for ctx.Err() == nil && r.Next() {
		batch := r.RecordBatch()
		if err := patch.Usable(batch); err != nil {
			return err
		}
		rows := batch.NumRows()
		if err := checkNumbers(next, rows); err != nil {
			return err
		}
		for lo := int64(0); lo == 0 || lo < rows; lo += size {
			p := &piece{batch: batch.NewSlice(lo, min(lo+size, rows)), first: next + lo, done: make(chan struct{})}
			select {
			case pieces <- p:
				go func() {
					defer close(p.done)
					p.out, p.bad, p.err = t.transform(ctx, p.batch, p.first)
				}()
			case <-ctx.Done():
				p.batch.Release()
				return nil
			}
		}
		next += rows
	}
	if ctx.Err() != nil {
		return nil
	}
	return readError(r)
}

// pieceRows is how many rows a piece has at most.
func (t *Transformer) pieceRows() int {
	rows := max(encodeRows, pieceBytes/t.rowBytes())
	if t.images {
		rows = min(rows, max(1, pieceBytes/t.model.Inputs))
	}
	return rows
}

func (p *piece) release() {
	p.batch.Release()
	if p.out != nil {
		p.out.Release()
	}
}

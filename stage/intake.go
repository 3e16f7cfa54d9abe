package stage

import (
	"context"
	"errors"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/aefeat/aefeat/model"
	"github.com/aefeat/aefeat/patch"
)

// intake takes the rows out of batches: it reads their patches, numbers them,
// and draws those that are held out.
type intake struct {
	binding *patch.Binding
	holdout *holdout // nil when no row is held out
	tags    *tags    // nil when nothing goes with the rows
	next    int64    // number of the next row
	bad     badRows
}

// newIntake returns an intake for batches of the given schema.
func newIntake(p *plan, schema *arrow.Schema) (*intake, error) {
	binding, err := p.bind(schema)
	if err != nil {
		return nil, err
	}
	if err := useless(p.images, binding); err != nil {
		return nil, err
	}
	if err := p.checkShape(binding.Width()); err != nil {
		return nil, err
	}
	in := &intake{binding: binding, next: p.first}
	if p.validates() {
		in.holdout = &holdout{share: p.share, seed: p.model.Seed, column: p.key}
		if err := in.holdout.resolve(schema); err != nil {
			return nil, err
		}
	}
	return in, nil
}

// read returns the good rows of a batch, and which of them are held out: nil
// for none. Both are valid until the next call. With the error of a row come
// the rows before it, in which the model may find an earlier fault.
func (in *intake) read(batch arrow.RecordBatch) (rows model.Rows, held []bool, err error) {
	first := in.next
	if err := checkNumbers(first, batch.NumRows()); err != nil {
		return model.Rows{}, nil, err
	}
	in.next += batch.NumRows()
	in.tags.push(batch, first)
	rows, held, err = in.rows(batch, first)
	for n := ahead(err, first); n > 0; n = ahead(err, first) {
		part := batch.NewSlice(0, n)
		var earlier error
		rows, held, earlier = in.rows(part, first)
		part.Release() // the batch holds its memory
		if earlier == nil {
			break
		}
		err = earlier
	}
	return rows, held, err
}

// ahead is how many rows of a batch, the first of which has the given number,
// come before the one that err is about; 0 where it is about none.
func ahead(err error, first int64) int64 {
	var e *patch.RowError
	if !errors.As(err, &e) {
		return 0
	}
	return max(0, e.Row-first)
}

// rows is read for a batch whose first row has the given number; with an error
// there are none.
func (in *intake) rows(batch arrow.RecordBatch, first int64) (rows model.Rows, held []bool, err error) {
	rows, skipped, err := in.binding.Rows(batch, first)
	if err == nil && in.holdout != nil {
		held, err = in.holdout.mark(batch, rows, first)
	}
	if err != nil {
		return model.Rows{}, nil, err
	}
	in.bad.Add(skipped...)
	return rows, held, nil
}

// pour reads all batches of r into a feed, and waits until that has consumed
// them.
func (in *intake) pour(ctx context.Context, r array.RecordReader, f *feed) error {
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		if !r.Next() {
			break
		}
		batch := r.RecordBatch()
		if err := patch.Usable(batch); err != nil {
			return err
		}
		for part := range patch.Slices(batch, in.binding.BatchRows) {
			if err := in.hand(ctx, part, f); err != nil {
				return err
			}
		}
	}
	if err := readError(r); err != nil {
		return err
	}
	return f.finish(ctx)
}

// hand reads a batch into a feed.
func (in *intake) hand(ctx context.Context, batch arrow.RecordBatch, f *feed) error {
	rows, _, bad := in.read(batch)
	if err := f.add(ctx, rows); err != nil {
		return err
	}
	if bad != nil {
		// What is on its way lies before this row: so does its error.
		if earlier := f.finish(ctx); earlier != nil {
			return earlier
		}
	}
	return bad
}

// end is told that no more batches come: their memory is for training now.
func (in *intake) end() {
	in.binding = in.binding.Clone() // without its buffers
	if in.holdout != nil {
		in.holdout.marks = nil
	}
}

// columns returns the names of the columns that are read.
func (in *intake) columns() []string {
	columns := in.binding.Columns()
	if in.holdout != nil && in.holdout.column != "" && !slices.Contains(columns, in.holdout.column) {
		columns = append(columns, in.holdout.column)
	}
	return columns
}

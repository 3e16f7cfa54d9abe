package stage

import (
	"context"

	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/aefeat/aefeat/model"
)

// scan reads all rows of a reader for a model that does not change.
type scan struct {
	model   *model.Model // with its preprocessing rule adapted to the data
	reader  array.RecordReader
	in      *intake
	columns []string // of the patch
	skip    bool
	rows    int64   // that the model takes
	bad     badRows // the consumer's until it has ended, then all
}

// newScan binds m to the columns of r.
func newScan(ctx context.Context, m *model.Model, r array.RecordReader, c EvaluateConfig) (*scan, error) {
	if ctx == nil {
		return nil, errNoContext
	}
	if err := checkNumbers(c.FirstRow, 0); err != nil {
		return nil, err
	}
	schema, err := schemaOf(r)
	if err != nil {
		return nil, err
	}
	m, binding, err := bindTo(m, schema, c)
	if err != nil {
		return nil, err
	}
	if m.Params == nil {
		return nil, errNoParams
	}
	return &scan{model: m, reader: r, in: &intake{binding: binding, next: c.FirstRow}, columns: binding.Columns(), skip: c.Skip}, nil
}

// run is read, but returns [ErrNoRows] when there are none.
func (s *scan) run(ctx context.Context, consume func(model.Rows) error) error {
	if err := s.read(ctx, consume); err != nil {
		return err
	}
	if s.rows == 0 {
		return s.bad.none()
	}
	return nil
}

// read hands the rows that the model takes to consume, a block at a time and in
// order, on another goroutine, which has ended when it returns.
func (s *scan) read(ctx context.Context, consume func(model.Rows) error) error {
	f := newFeed(s.in.binding.Kind(), s.model.Inputs)
	defer f.stop()
	f.start(func(b *block) error {
		rows := b.rows
		at, err := s.bad.screen(s.model, rows, s.skip, s.columns, nil)
		if err != nil {
			return err
		}
		if len(at) > 0 {
			rows = drop(rows, at, rows.Data)
		}
		s.rows += int64(rows.Len())
		return consume(rows)
	})
	if err := s.in.pour(ctx, s.reader, f); err != nil {
		return err
	}
	s.bad.Merge(s.in.bad.BadRows)
	return nil
}

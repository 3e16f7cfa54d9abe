package stage

import (
	"slices"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/aefeat/aefeat/model"
	"github.com/aefeat/aefeat/patch"
)

// intake takes the rows out of the batches that are pushed: it reads their
// patches, numbers them, and draws those that are held out.
type intake struct {
	binding *patch.Binding
	holdout *holdout // nil when no row is held out
	next    int64    // number of the next row
	bad     badRows
}

// newIntake returns an intake for batches of the given schema.
func newIntake(p *plan, schema *arrow.Schema) (*intake, error) {
	binding, err := p.bind(schema)
	if err != nil {
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
// for none. Both are valid until the next call.
func (in *intake) read(batch arrow.RecordBatch) (rows model.Rows, held []bool, err error) {
	first := in.next
	in.next += batch.NumRows()
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

// columns returns the names of the columns that are read.
func (in *intake) columns() []string {
	columns := in.binding.Columns()
	if in.holdout != nil && in.holdout.column != "" && !slices.Contains(columns, in.holdout.column) {
		columns = append(columns, in.holdout.column)
	}
	return columns
}

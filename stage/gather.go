package stage

import (
	"context"
	"fmt"
	"math"
	"sync"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/aefeat/aefeat/model"
	"github.com/aefeat/aefeat/patch"
)

// GatherConfig says where the patch is, as [EvaluateConfig] does, and which
// numbers rows have. FirstRow is that of the first row; errors count rows from 0
// all the same.
type GatherConfig struct {
	EvaluateConfig

	// RowColumn is a column of integers from 0 up that are the numbers of the
	// rows; "": they are counted from FirstRow.
	RowColumn string
}

// Gathered is what [Gather] read.
type Gathered struct {
	Rows int64 // that the model takes

	// Their numbers are from First to below End; [model.UnknownRow] with
	// RowColumn.
	First, End int64

	BadRows patch.BadRows // rows left out
}

// Gather hands all rows of r that m takes, which it does not release, to what
// begin returns, a block of them at a time and in their order. begin is called
// once, before any row, with m adapted to the type of the values, and makes
// what gathers them: a [model.Accumulator], say, at fixed weights. There may be
// no rows at all. It has ended all goroutines when it returns; ctx is looked at
// between batches.
func Gather(ctx context.Context, m *model.Model, r array.RecordReader, c GatherConfig, begin func(*model.Model) (add func(model.Rows) error)) (Gathered, error) {
	first := c.FirstRow
	if err := checkNumbers(first, 0); err != nil {
		return Gathered{}, err
	}
	c.FirstRow = 0
	s, err := newScan(ctx, m, r, c.EvaluateConfig)
	if err != nil {
		return Gathered{}, err
	}
	n := &numbering{RecordReader: r, column: c.RowColumn, first: first}
	if err := n.find(r.Schema()); err != nil {
		return Gathered{}, err
	}
	s.reader = n
	g := Gathered{First: first, End: first}
	if c.RowColumn != "" {
		g.First, g.End = model.UnknownRow, model.UnknownRow
	}
	add := begin(s.model)
	err = s.read(ctx, func(rows model.Rows) error {
		if err := n.number(rows.Number); err != nil {
			return err
		}
		if m := rows.Len(); m > 0 && c.RowColumn == "" {
			g.End = rows.Number[m-1] + 1
		}
		g.Rows += int64(rows.Len())
		return add(rows)
	})
	g.BadRows = s.bad.BadRows
	return g, err
}

// numbering reads the numbers of rows while their batches are read, and gives
// them to the rows once these arrive.
type numbering struct {
	array.RecordReader
	column string
	first  int64 // number of the first row, without a column
	index  int   // of the column
	next   int64 // position of the next batch's first row
	err    error

	mutex   sync.Mutex
	batches []numberedBatch // ascending, whose rows are on their way
}

type numberedBatch struct {
	at      int64 // position of its first row
	numbers []int64
}

// find resolves the column.
func (n *numbering) find(schema *arrow.Schema) error {
	if n.column == "" {
		return nil
	}
	at := schema.FieldIndices(n.column)
	switch {
	case len(at) == 0:
		return n.fault(-1, patch.KeyMissing, "no such column")
	case len(at) > 1:
		return n.fault(-1, patch.KeyAmbiguous, fmt.Sprintf("%d columns have this name", len(at)))
	case !arrow.IsInteger(schema.Field(at[0]).Type.ID()):
		return n.fault(-1, patch.KeyType, fmt.Sprintf("numbers of rows are integers, not %s", schema.Field(at[0]).Type))
	}
	n.index = at[0]
	return nil
}

func (n *numbering) fault(row int64, key, reason string) error {
	return &patch.RowError{Column: n.column, Row: row, Key: key, Reason: reason}
}

// Next implements [array.RecordReader].
func (n *numbering) Next() bool {
	if n.err != nil || !n.RecordReader.Next() {
		return false
	}
	batch := n.RecordBatch()
	if n.column == "" || patch.Usable(batch) != nil {
		return true // whoever reads it finds what is wrong
	}
	var numbers []int64
	if numbers, n.err = n.read(batch.Column(n.index)); n.err != nil {
		return false
	}
	n.mutex.Lock()
	defer n.mutex.Unlock()
	n.batches = append(n.batches, numberedBatch{n.next, numbers})
	n.next += batch.NumRows()
	return true
}

// Err implements [array.RecordReader].
func (n *numbering) Err() error {
	if n.err != nil {
		return n.err
	}
	return n.RecordReader.Err()
}

// read returns the numbers in a column.
func (n *numbering) read(column arrow.Array) ([]int64, error) {
	numbers := make([]int64, column.Len())
	for i := range numbers {
		if column.IsNull(i) {
			return nil, n.fault(n.next+int64(i), string(patch.Null), "null where the number of the row should be")
		}
		v, ok := integerAt(column, i)
		if !ok || v < 0 {
			return nil, n.fault(n.next+int64(i), string(patch.OutOfRange), "the number of a row lies from 0 to below 2^63")
		}
		numbers[i] = v
	}
	return numbers, nil
}

// integerAt returns a value of a column of integers, and whether it is one. A
// uint64 from 2^63 up is negative.
func integerAt(column arrow.Array, i int) (v int64, ok bool) {
	switch c := column.(type) {
	case *array.Int8:
		v = int64(c.Value(i))
	case *array.Int16:
		v = int64(c.Value(i))
	case *array.Int32:
		v = int64(c.Value(i))
	case *array.Int64:
		v = c.Value(i)
	case *array.Uint8:
		v = int64(c.Value(i))
	case *array.Uint16:
		v = int64(c.Value(i))
	case *array.Uint32:
		v = int64(c.Value(i))
	case *array.Uint64:
		v = int64(c.Value(i))
	default:
		return 0, false
	}
	return v, true
}

// number puts the numbers of rows in the place of their positions, which
// ascend.
func (n *numbering) number(rows []int64) error {
	if n.column == "" {
		for i, at := range rows {
			if at >= math.MaxInt64-n.first {
				return checkNumbers(n.first, math.MaxInt64)
			}
			rows[i] = n.first + at
		}
		return nil
	}
	n.mutex.Lock()
	defer n.mutex.Unlock()
	for i, at := range rows {
		for b := n.batches[0]; at >= b.at+int64(len(b.numbers)); b = n.batches[0] {
			n.batches = n.batches[1:]
		}
		rows[i] = n.batches[0].numbers[at-n.batches[0].at]
	}
	return nil
}

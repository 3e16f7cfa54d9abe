package stage

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/aefeat/aefeat/patch"
)

// maxTag is how many bytes a value may have that goes with a row: a path does.
const maxTag = 4096

// tags are columns whose values may go with rows. They hold these columns of
// the batches whose rows are on their way to the consumer, which asks for the
// values of few.
type tags struct {
	labels []*patch.LabelBinding
	roots  []string // the columns of the schema that they are in

	mutex   sync.Mutex
	batches []taggedBatch // ascending
}

type taggedBatch struct {
	first int64 // number of its first row
	batch arrow.RecordBatch
}

func (b taggedBatch) end() int64 { return b.first + b.batch.NumRows() }

// newTags returns the tags of the named columns, nil for none.
func newTags(schema *arrow.Schema, columns []string) (*tags, error) {
	if len(columns) == 0 {
		return nil, nil
	}
	t := &tags{}
	for _, name := range columns {
		label, err := patch.BindLabel(schema, name)
		if err != nil {
			return nil, err
		}
		path, _, err := patch.Find(schema, name)
		if err != nil {
			return nil, err
		}
		t.labels = append(t.labels, label)
		t.roots = append(t.roots, schema.Field(path[0]).Name)
	}
	return t, nil
}

// push takes a batch whose first row has the given number.
func (t *tags) push(batch arrow.RecordBatch, first int64) {
	if t == nil {
		return
	}
	var fields []arrow.Field
	var columns []arrow.Array
	for i, f := range batch.Schema().Fields() {
		if slices.Contains(t.roots, f.Name) {
			fields, columns = append(fields, f), append(columns, batch.Column(i))
		}
	}
	part := array.NewRecordBatch(arrow.NewSchema(fields, nil), columns, batch.NumRows())
	t.mutex.Lock()
	defer t.mutex.Unlock()
	t.batches = append(t.batches, taggedBatch{first, part})
}

// from forgets the batches before a row.
func (t *tags) from(row int64) {
	if t == nil {
		return
	}
	t.mutex.Lock()
	defer t.mutex.Unlock()
	for len(t.batches) > 0 && t.batches[0].end() <= row {
		t.pop()
	}
}

// at returns the values of a row that was not forgotten.
func (t *tags) at(row int64) ([]patch.Label, error) {
	if t == nil {
		return nil, nil
	}
	t.mutex.Lock()
	i := 0
	for t.batches[i].end() <= row {
		i++
	}
	b := t.batches[i] // which only the caller makes forgotten
	t.mutex.Unlock()
	one := b.batch.NewSlice(row-b.first, row-b.first+1)
	defer one.Release()
	var values []patch.Label
	for _, label := range t.labels {
		var err error
		if values, err = label.Labels(values, one); err != nil {
			var at *patch.RowError
			if errors.As(err, &at) && at.Row >= 0 {
				at.Row += row
			}
			return nil, err
		}
		last := &values[len(values)-1]
		if n := len(last.Text); n > maxTag {
			return nil, &patch.RowError{Column: label.Column(), Row: row, Reason: fmt.Sprintf("text of %d bytes, more than the %d that go with a row", n, maxTag),
				Hint: "leave the column out of `Keep`"}
		}
		last.Text = strings.Clone(last.Text)
	}
	return values, nil
}

// pop releases the first batch.
func (t *tags) pop() {
	t.batches[0].batch.Release()
	t.batches = t.batches[1:]
}

// release releases all batches.
func (t *tags) release() {
	if t == nil {
		return
	}
	for len(t.batches) > 0 {
		t.pop()
	}
}

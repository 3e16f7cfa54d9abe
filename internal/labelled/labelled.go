// Package labelled gathers rows of features and their labels in memory, as a
// classifier takes them: (m,n) float32 beside m numbers of classes.
//
// Rows that must agree, such as training and test rows, share a [Classes]. The
// numbers that labels get as they come are provisional; [Classes.Settle] ends
// the gathering.
package labelled

import (
	"errors"
	"math"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/aefeat/aefeat/patch"
)

// Rows are labelled rows, each with its features out of one or more sets of
// columns. They are not safe for concurrent use.
type Rows struct {
	Labels  []int // (m) of Classes
	Sets    []*Set
	Bad     patch.BadRows // those that were left out
	Reserve int64         // rows to make room for; 0: unknown

	label   *patch.LabelBinding
	classes *Classes
	options patch.BindOptions // but for the columns

	batch []patch.Label  // scratch
	bad   []patch.Reason // "": the row is good
}

// A Set is the features out of one set of columns.
type Set struct {
	Name  string    // the columns as they were asked for
	Width int       // n; 0 while there are no rows
	X     []float32 // (m,n)

	binding *patch.Binding
	batch   []float32 // scratch
}

// New binds the label and each set to columns of the schema, as o says, whose
// own columns do not count. Add leaves bad rows out when o.Skip is set, else
// they are errors.
func New(schema *arrow.Schema, label string, sets [][]string, o patch.BindOptions, classes *Classes) (*Rows, error) {
	r := &Rows{classes: classes, options: o}
	for _, columns := range sets {
		if err := r.bind(schema, strings.Join(columns, ","), label, columns, o.Width, o.Units); err != nil {
			return nil, err
		}
	}
	var err error
	if r.label, err = patch.BindLabel(schema, label); err != nil {
		return nil, err
	}
	classes.compare = r.label.Compare
	return r, nil
}

// Bind returns empty rows of the same label, sets, widths and classes, out of
// the columns of another schema.
func (r *Rows) Bind(schema *arrow.Schema) (*Rows, error) {
	other := &Rows{classes: r.classes, options: r.options}
	for _, s := range r.Sets {
		if err := other.bind(schema, s.Name, r.label.Column(), s.binding.Columns(), s.Width, s.binding.Width()); err != nil {
			return nil, err
		}
	}
	var err error
	other.label, err = patch.BindLabel(schema, r.label.Column())
	return other, err
}

// bind adds a set.
func (r *Rows) bind(schema *arrow.Schema, name, label string, columns []string, width, units int) error {
	o := r.options
	o.Columns, o.Width, o.Units = columns, width, units
	b, err := patch.Bind(schema, o)
	if err != nil {
		return err
	}
	if slices.Contains(b.Columns(), label) {
		return &patch.RowError{Column: label, Row: -1, Key: patch.KeyTaken, Reason: "is the label, and among the features too", Hint: "name the features, or the label with `Label`"}
	}
	r.Sets = append(r.Sets, &Set{Name: name, binding: b})
	return nil
}

// Apart returns empty rows of the same columns, for some of the rows that r
// is added.
func (r *Rows) Apart() *Rows {
	other := &Rows{label: r.label, classes: r.classes}
	for _, s := range r.Sets {
		other.Sets = append(other.Sets, &Set{Name: s.Name})
	}
	return other
}

// Columns are those to read.
func (r *Rows) Columns() []string {
	columns := []string{r.label.Column()}
	for _, s := range r.Sets {
		columns = append(columns, s.binding.Columns()...)
	}
	return columns
}

// Width is the number of values that a row keeps, as far as the schema tells.
func (r *Rows) Width() int {
	width := 0
	for _, s := range r.Sets {
		width += s.binding.Width()
	}
	return width
}

// Add adds each row of a batch, whose first has the number first, to the rows
// where it belongs: r, some that were set apart, or nil for none. A row that is
// bad in one set is left out of all, so that all are judged by the same rows.
// Nothing of the batch is kept.
func (r *Rows) Add(batch arrow.RecordBatch, first int64, where func(row int64) *Rows) error {
	for part := range patch.Slices(batch, r.batchRows) {
		if err := r.add(part, first, where); err != nil {
			return err
		}
		first += part.NumRows()
	}
	return nil
}

// batchRows is how many rows should be added at a time.
func (r *Rows) batchRows() int {
	rows := math.MaxInt
	for _, s := range r.Sets {
		rows = min(rows, s.binding.BatchRows())
	}
	return rows
}

func (r *Rows) add(batch arrow.RecordBatch, first int64, where func(row int64) *Rows) error {
	var err error
	if r.batch, err = r.label.Labels(r.batch[:0], batch); err != nil {
		var at *patch.RowError
		if errors.As(err, &at) && at.Row >= 0 {
			at.Row += first
		}
		return err
	}
	r.bad = append(r.bad[:0], make([]patch.Reason, len(r.batch))...)
	for i, l := range r.batch {
		if l.Null && !r.options.Skip {
			return patch.BadRowError(r.label.Column(), first+int64(i), "null label")
		}
		if l.Null {
			r.bad[i] = patch.Null
		}
	}
	numbers := make([][]int64, len(r.Sets))
	for k, s := range r.Sets {
		rows, skipped, err := s.binding.Rows(batch, first)
		if err != nil {
			return err
		}
		for _, bad := range skipped {
			if at := &r.bad[bad.Row-first]; *at == "" {
				*at = bad.Reason
			}
		}
		numbers[k], s.Width = rows.Number, rows.Width
		s.batch = rows.AppendFloat32(s.batch[:0])
	}
	for i, l := range r.batch {
		if r.bad[i] != "" {
			r.Bad.Add(patch.BadRow{Row: first + int64(i), Reason: r.bad[i]})
			continue
		}
		if to := where(first + int64(i)); to != nil {
			to.Labels = append(to.Labels, r.classes.number(l.Text))
		}
	}
	for k, s := range r.Sets {
		for i, row := range numbers[k] {
			if r.bad[row-first] != "" {
				continue
			}
			if to := where(row); to != nil {
				to.Sets[k].add(s.batch[i*s.Width:(i+1)*s.Width], to.Reserve)
			}
		}
	}
	return nil
}

func (s *Set) add(row []float32, reserve int64) {
	if s.X == nil {
		s.Width, s.X = len(row), make([]float32, 0, reserve*int64(len(row)))
	}
	s.X = append(s.X, row...)
}

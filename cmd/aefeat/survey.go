package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/urfave/cli/v2"

	"github.com/aefeat/aefeat/arrowio"
	"github.com/aefeat/aefeat/patch"
)

// mostHead is how many rows inspect shows: they are kept until all is printed.
const mostHead = 1000

// A survey is what one pass over rows tells of them: how the first look, and
// statistics of each column.
type survey struct {
	head  int
	stats bool

	names   []string
	named   map[string]bool
	rows    [][]string          // of the first rows, shortened for people
	whole   [][]json.RawMessage // the same, whole, where JSON is printed
	columns []*tally
	tallied map[string]*tally // by name
	seen    int64
}

// newSurvey prepares the survey of the columns of schema. The columns of a
// family that could be a patch are one.
func newSurvey(schema *arrow.Schema, head int, stats bool) *survey {
	s := &survey{head: head, stats: stats, named: map[string]bool{}, tallied: map[string]*tally{}}
	for _, f := range schema.Fields() {
		s.names, s.named[f.Name] = append(s.names, f.Name), true
	}
	if !stats {
		return s
	}
	for family, columns := range patch.Families(schema) {
		t := &tally{Column: family}
		for i, name := range columns {
			s.tallied[name] = t
			t.at(name, i)
		}
	}
	return s
}

// read looks at the rows of src, as far as it has to.
func (s *survey) read(ctx context.Context, src *arrowio.Source, p *progress, asJSON bool) error {
	defer p.clear()
	r, err := read(ctx, src, nil)
	if err != nil {
		return err
	}
	defer r.Release()
	total, _ := src.NumRows()
	for (s.stats || s.seen < int64(s.head)) && r.Next() {
		rec := r.RecordBatch()
		if err := s.look(rec, asJSON); err != nil {
			return located(src, err)
		}
		s.seen += rec.NumRows()
		p.show(step{Phase: "inspect", Rows: s.seen, Total: total})
	}
	return r.Err()
}

func (s *survey) look(rec arrow.RecordBatch, asJSON bool) error {
	for i := range int(rec.NumRows()) {
		if len(s.rows) == s.head {
			break
		}
		var row []string
		var whole []json.RawMessage
		for _, column := range rec.Columns() {
			row = append(row, cell(column, i))
			if asJSON {
				text, err := wholeCell(column, i)
				if err != nil {
					return s.damaged(s.names[len(whole)], err)
				}
				whole = append(whole, text)
			}
		}
		s.rows, s.whole = append(s.rows, row), append(s.whole, whole)
	}
	if !s.stats {
		return nil
	}
	for i, column := range rec.Columns() {
		if err := s.tally([]string{s.names[i]}, column, nil); err != nil {
			return s.damaged(s.names[i], err)
		}
	}
	return nil
}

func (s *survey) damaged(column string, err error) error {
	return &patch.RowError{Column: column, Row: s.seen, Reason: err.Error(), Key: string(patch.Damaged)}
}

// tally adds a column of a batch, or those inside it, which are null where one
// of the structs that they are in is.
func (s *survey) tally(path []string, column arrow.Array, in []arrow.Array) error {
	if fields, ok := column.(*array.Struct); ok && fields.NumField() > 0 {
		in = append(slices.Clip(in), column)
		for i, f := range fields.DataType().(*arrow.StructType).Fields() {
			if err := s.tally(append(slices.Clip(path), f.Name), fields.Field(i), in); err != nil {
				return err
			}
		}
		return nil
	}
	name := strings.Join(path, ".")
	if len(path) > 1 && s.named[name] { // another column
		name = `"` + strings.Join(path, `"."`) + `"`
	}
	t := s.tallied[name]
	if t == nil {
		t = &tally{Column: name}
		s.tallied[name] = t
	}
	if !t.listed {
		t.listed = true
		s.columns = append(s.columns, t)
	}
	return t.add(name, column, in)
}

// print prints the survey as tables.
func (s *survey) print(w io.Writer) error {
	switch {
	case s == nil:
		return nil
	case s.head > 0:
		if err := s.printHead(w); err != nil {
			return err
		}
	}
	if !s.stats {
		return nil
	}
	fmt.Fprintln(w)
	aligned := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	fmt.Fprintln(aligned, "column\tvalues\tnulls\tNaN\tmin\tmax\tmean\tdeviation\tconstant")
	for i, t := range s.columns {
		if i == mostStats {
			fmt.Fprintf(aligned, "...\t%d more, all with --json\n", len(s.columns)-mostStats)
			break
		}
		fmt.Fprintln(aligned, t.line())
	}
	if err := aligned.Flush(); err != nil {
		return err
	}
	for _, t := range s.columns {
		if text := t.labels(); text != "" {
			if _, err := fmt.Fprintf(w, "\n%s: %s\n", columnName(t.Column), text); err != nil {
				return err
			}
		}
	}
	return nil
}

// mostStats is how many columns a person looks through.
const mostStats = 100

func (s *survey) printHead(w io.Writer) error {
	fmt.Fprintln(w)
	aligned := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	line := func(row string, cells []string) {
		fmt.Fprint(aligned, row)
		for i, text := range cells {
			if i == mostShown && len(cells) > mostShown+1 {
				fmt.Fprintf(aligned, "\t%d more columns", len(cells)-mostShown)
				break
			}
			fmt.Fprint(aligned, "\t"+text)
		}
		fmt.Fprintln(aligned)
	}
	var names []string
	for _, name := range s.names {
		names = append(names, columnName(name))
	}
	line("row", names)
	for i, row := range s.rows {
		line(strconv.Itoa(i), row)
	}
	return aligned.Flush()
}

// headJSON returns the first rows, each an object in the order of the columns.
func (s *survey) headJSON() []json.RawMessage {
	rows := []json.RawMessage{}
	for _, whole := range s.whole {
		row := []byte{'{'}
		for i, value := range whole {
			name, _ := json.Marshal(s.names[i]) // a string
			if i > 0 {
				row = append(row, ',')
			}
			row = append(append(append(row, name...), ':'), value...)
		}
		rows = append(rows, append(row, '}'))
	}
	return rows
}

// asksForRows reports whether inspect is to look at rows.
func asksForRows(c *cli.Context) bool { return c.Int("head") > 0 || c.Bool("stats") }

var errNoRowsInModels = usagef("inspect", "--head and --stats are about data, and a model has no rows")

// surveyOf looks at the rows of src as the flags say; nil: they do not.
func surveyOf(c *cli.Context, ui *console, src *arrowio.Source) (*survey, error) {
	if !asksForRows(c) {
		return nil, nil
	}
	s := newSurvey(src.Schema(), c.Int("head"), c.Bool("stats"))
	return s, s.read(c.Context, src, newProgress(ui, chosen(c, "progress")), c.Bool("json"))
}

// tell adds the survey to what is printed as JSON.
func (i *dataInfo) tell(s *survey) {
	switch {
	case s == nil:
		return
	case s.head > 0:
		i.Head = s.headJSON()
	}
	i.Statistics = s.columns
}

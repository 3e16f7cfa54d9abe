package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/urfave/cli/v2"

	"github.com/aefeat/aefeat/arrowio"
	"github.com/aefeat/aefeat/internal/rng"
	"github.com/aefeat/aefeat/linear"
	"github.com/aefeat/aefeat/model"
)

func probeCommand(ui *console) *cli.Command {
	return &cli.Command{
		Name:      "probe",
		Usage:     "tell how well a linear classifier reads labels from features",
		UsageText: "aefeat probe [flags] [TRAIN...]",
		Description: `Fits a multinomial logistic regression to the standardised features of the training
rows and counts its errors on others: the --test files or, without any, a fifth of the
rows that it does not learn from. All rows are held in memory, in 4 bytes a value. A test
row whose label no training row has counts as an error.`,
		Flags: append([]cli.Flag{
			&cli.BoolFlag{Name: "json", Category: categoryOutput, DisableDefaultText: true, Usage: "print one line of JSON"},
			&cli.StringFlag{Name: "label", Category: categoryInput, Value: "label", Usage: "`COLUMN` of the labels: integers, strings or booleans"},
			&cli.StringSliceFlag{Name: "features", Category: categoryInput, DefaultText: "code_* or code, as transform writes them",
				Usage: "`COLUMNS` to read labels from, names or patterns; repeat it, or use commas, for several"},
			&cli.StringSliceFlag{Name: "against", Category: categoryInput, Usage: "`COLUMNS` to compare the features with, such as the patch that they come from"},
			&cli.StringSliceFlag{Name: "test", Category: categoryInput, DefaultText: "a fifth of the rows is held out", Usage: "`FILE` of rows to count errors on; repeat it for several"},
			&cli.Uint64Flag{Name: "seed", Category: categoryTraining, Usage: "`NUMBER` that decides which rows are held out"},
			&cli.Float64Flag{Name: "penalty", Category: categoryTraining, DefaultText: "the best on held-out training rows", Usage: "`WEIGHT` of the squared weights"},
			&cli.IntFlag{Name: "iterations", Category: categoryTraining, Value: linear.DefaultIterations, Usage: "`N` iterations at most"},
			spillFlag(),
			progressFlag(),
		}, rowFlags()...),
		Action: func(c *cli.Context) error { return probe(c, ui) },
	}
}

// probeJob is a probe as the command line asks for it.
type probeJob struct {
	ui       *console
	progress *progress
	source   sourceOptions
	label    string
	features []string
	against  []string // nil: nothing
	inputs   []string
	tests    []string // nil: a share of the inputs
	seed     uint64
	config   linear.Config
}

func probe(c *cli.Context, ui *console) error {
	j, err := newProbeJob(c, ui)
	if err != nil {
		return err
	}
	defer j.progress.clear()
	result, err := j.run(c.Context)
	if err != nil {
		return err
	}
	j.progress.finish(map[string]any{"command": "probe", "rows": result.TrainRows + result.TestRows, "skipped": result.Skipped})
	result.warn(ui)
	if c.Bool("json") {
		return json.NewEncoder(ui.out).Encode(result)
	}
	return result.print(ui.out)
}

// newProbeJob reads the flags. Its errors are usage errors.
func newProbeJob(c *cli.Context, ui *console) (*probeJob, error) {
	j := &probeJob{ui: ui, progress: newProgress(ui, chosen(c, "progress")), label: c.String("label"), inputs: c.Args().Slice(), tests: c.StringSlice("test"),
		features: names(c, "features"), against: names(c, "against"), seed: c.Uint64("seed")}
	var err error
	if j.source, err = newSourceOptions(c, ""); err != nil {
		return nil, err
	}
	j.config = linear.Config{Penalty: c.Float64("penalty"), Iterations: c.Int("iterations")}
	if c.IsSet("penalty") && !(j.config.Penalty > 0 && j.config.Penalty <= math.MaxFloat64) {
		return nil, usagef("probe", "--penalty %v is not a positive number", j.config.Penalty)
	}
	if j.config.Iterations < 1 {
		return nil, usagef("probe", "--iterations %d is less than one", j.config.Iterations)
	}
	if slices.Contains(j.tests, "-") && (len(j.inputs) == 0 || slices.Contains(j.inputs, "-")) {
		return nil, usagef("probe", "standard input cannot be read twice")
	}
	return j, nil
}

// run reads the rows, and fits and judges a classifier for each set of columns.
func (j *probeJob) run(ctx context.Context) (*probeResult, error) {
	src, err := j.source.open(ctx, j.ui, j.inputs)
	if err != nil {
		return nil, err
	}
	defer src.Close()
	if j.features, err = featureColumns(src.Schema(), j.features); err != nil {
		return nil, src.Locate(err)
	}
	sets := [][]string{j.features}
	if j.against != nil {
		sets = append(sets, j.against)
	}
	train, err := newProbeRows(src.Schema(), j.label, sets, j.source.skip, newClasses())
	if err != nil {
		return nil, src.Locate(err)
	}
	test := train.sibling()
	if len(j.tests) == 0 {
		total, _ := src.NumRows()
		train.reserve, test.reserve = total-total/5, total/5
		err = j.read(ctx, src, train, func(row int64) *probeRows {
			if s := rng.New(j.seed, rng.Validation, 0, uint64(row)); s.Uint32n(5) == 0 {
				return test
			}
			return train
		})
	} else {
		train.reserve, _ = src.NumRows()
		if err = j.read(ctx, src, train, func(int64) *probeRows { return train }); err == nil {
			test, err = j.readTests(ctx, train)
		}
	}
	if err != nil {
		return nil, err
	}
	return j.judge(ctx, train, test)
}

// readTests reads the --test files: the columns that the training rows have.
func (j *probeJob) readTests(ctx context.Context, train *probeRows) (*probeRows, error) {
	src, err := j.source.open(ctx, j.ui, j.tests)
	if err != nil {
		return nil, err
	}
	defer src.Close()
	sets := make([][]string, len(train.sets))
	for i, s := range train.sets {
		sets[i] = s.binding.Columns()
	}
	test, err := newProbeRows(src.Schema(), j.label, sets, j.source.skip, train.classes)
	if err != nil {
		return nil, src.Locate(err)
	}
	for i, s := range test.sets {
		s.name = train.sets[i].name
	}
	test.reserve, _ = src.NumRows()
	if err := j.read(ctx, src, test, func(int64) *probeRows { return test }); err != nil {
		return nil, err
	}
	for i, s := range test.sets {
		if have, want := s.width, train.sets[i].width; have != want && have > 0 && want > 0 {
			return nil, fmt.Errorf("%s: the test rows have %d values, the training rows %d", s.name, have, want)
		}
	}
	return test, nil
}

// read reads all rows of src, each to where it belongs.
func (j *probeJob) read(ctx context.Context, src *arrowio.Source, rows *probeRows, where func(row int64) *probeRows) error {
	r, err := src.Reader(ctx, rows.columns())
	if err != nil {
		return err
	}
	defer r.Release()
	total, _ := src.NumRows()
	if err := rows.fit(total, machineMemory()); err != nil {
		return err
	}
	w := &watched{RecordReader: r, progress: j.progress, step: step{Phase: "read", Total: total}}
	for first := int64(0); w.Next(); first = w.step.Rows {
		if err := rows.add(w.RecordBatch(), first, where); err != nil {
			return src.Locate(err)
		}
	}
	return r.Err()
}

// featureColumns returns the columns that were asked for or, where none were,
// those that transform has made.
func featureColumns(schema *arrow.Schema, asked []string) ([]string, error) {
	if asked != nil {
		return asked, nil
	}
	var found, could []string
	for _, c := range arrowio.Candidates(schema) {
		if c.Column == "code" || strings.HasPrefix(c.Column, "code_") {
			found = append(found, c.Column)
		}
		could = append(could, c.String())
	}
	if len(found) == 1 {
		return found, nil
	}
	err := &arrowio.RowError{Row: -1, Reason: "no column is called code or code_*", Hint: "name the features with --features"}
	if len(found) > 1 {
		err.Reason = "several columns could be the features"
	}
	if len(could) > 0 {
		err.Reason += "; there are " + strings.Join(could, ", ")
	}
	return nil, err
}

// probeRows are rows as a classifier takes them.
type probeRows struct {
	label   *arrowio.LabelBinding
	classes *classes
	sets    []*probeSet
	skip    bool
	reserve int64 // rows to expect; 0: unknown

	labels  []int // provisional numbers of classes, until classes.settle
	skipped int64

	batch []arrowio.Label // scratch
	bad   []bool
}

// probeSet is one set of columns.
type probeSet struct {
	name    string
	binding *arrowio.Binding
	width   int       // n
	x       []float32 // (m,n)
	batch   []float32 // scratch
}

func newProbeRows(schema *arrow.Schema, label string, sets [][]string, skip bool, classes *classes) (*probeRows, error) {
	p := &probeRows{skip: skip, classes: classes}
	var err error
	if p.label, err = arrowio.BindLabel(schema, label); err != nil {
		return nil, err
	}
	classes.compare = p.label.Compare
	for _, columns := range sets {
		b, err := arrowio.Bind(schema, arrowio.BindOptions{Columns: columns, Skip: skip})
		if err != nil {
			return nil, err
		}
		if slices.Contains(b.Columns(), label) {
			return nil, &arrowio.RowError{Column: label, Row: -1, Reason: "is the label, and among the features too", Hint: "name the features, or the label with --label"}
		}
		p.sets = append(p.sets, &probeSet{name: strings.Join(columns, ","), binding: b})
	}
	return p, nil
}

// sibling returns empty rows of the same columns.
func (p *probeRows) sibling() *probeRows {
	s := &probeRows{label: p.label, classes: p.classes}
	for _, set := range p.sets {
		s.sets = append(s.sets, &probeSet{name: set.name})
	}
	return s
}

// columns are those to read.
func (p *probeRows) columns() []string {
	columns := []string{p.label.Column()}
	for _, s := range p.sets {
		columns = append(columns, s.binding.Columns()...)
	}
	return columns
}

// fit refuses so many rows as the machine has no memory for, since running out
// of it cannot be an error later. Where either is not known it refuses none.
func (p *probeRows) fit(rows, has int64) error {
	values := 0
	for _, s := range p.sets {
		values += s.binding.Width()
	}
	takes := 4 * float64(rows) * float64(values)
	if has == 0 || takes <= float64(has) {
		return nil
	}
	return &hintedError{
		fmt.Errorf("%s of %s take %s of memory, and this machine has %s", plural(rows, "row"), plural(int64(values), "value"), formatSize(int64(takes)), formatSize(has)),
		"probe a part of the rows"}
}

// add adds each row of a batch to the rows where it belongs. A row that is bad
// in one set is left out of all, so that all are judged by the same rows.
func (p *probeRows) add(batch arrow.RecordBatch, first int64, where func(row int64) *probeRows) error {
	var err error
	if p.batch, err = p.label.Labels(p.batch[:0], batch); err != nil {
		return err
	}
	p.bad = append(p.bad[:0], make([]bool, len(p.batch))...)
	for i, l := range p.batch {
		if l.Null && !p.skip {
			return &arrowio.RowError{Column: p.label.Column(), Row: first + int64(i), Reason: "null label"}
		}
		p.bad[i] = l.Null
	}
	numbers := make([][]int64, len(p.sets))
	for k, s := range p.sets {
		rows, err := s.binding.Rows(batch, first)
		if err != nil {
			return err
		}
		for _, row := range rows.Skipped {
			p.bad[row-first] = true
		}
		numbers[k], s.width = rows.Number, rows.Width
		s.batch = model.Rows{Kind: model.Kind(rows.Kind), Width: rows.Width, Data: rows.Data}.AppendFloat32(s.batch[:0])
	}
	for i, l := range p.batch {
		if p.bad[i] {
			p.skipped++
			continue
		}
		to := where(first + int64(i))
		to.labels = append(to.labels, p.classes.number(l.Text))
	}
	for k, s := range p.sets {
		for i, row := range numbers[k] {
			if p.bad[row-first] {
				continue
			}
			rows := where(row)
			to := rows.sets[k]
			if to.x == nil {
				to.width, to.x = s.width, make([]float32, 0, rows.reserve*int64(s.width))
			}
			to.x = append(to.x, s.batch[i*s.width:(i+1)*s.width]...)
		}
	}
	return nil
}

// classes numbers labels as they come.
type classes struct {
	numbers map[string]int
	texts   []string
	compare func(x, y string) int
}

func newClasses() *classes { return &classes{numbers: map[string]int{}} }

func (c *classes) number(text string) int {
	n, known := c.numbers[text]
	if !known {
		text = strings.Clone(text) // of a batch that goes
		n = len(c.texts)
		c.numbers[text] = n
		c.texts = append(c.texts, text)
	}
	return n
}

// settle renumbers the labels of training and test rows by the sorted labels
// of the training rows, which it returns. Test rows with others are taken out
// and counted.
func (c *classes) settle(train, test *probeRows) (texts []string, unseen int) {
	seen := make([]bool, len(c.texts))
	for _, l := range train.labels {
		seen[l] = true
	}
	for i, text := range c.texts {
		if seen[i] {
			texts = append(texts, text)
		}
	}
	slices.SortFunc(texts, c.compare)
	number := make([]int, len(c.texts))
	for i, text := range texts {
		number[c.numbers[text]] = i
	}
	for i, l := range train.labels {
		train.labels[i] = number[l]
	}
	kept := 0
	for i, l := range test.labels {
		if !seen[l] {
			unseen++
			continue
		}
		test.labels[kept] = number[l]
		for _, s := range test.sets {
			copy(s.x[kept*s.width:(kept+1)*s.width], s.x[i*s.width:])
		}
		kept++
	}
	test.labels = test.labels[:kept]
	for _, s := range test.sets {
		s.x = s.x[:kept*s.width]
	}
	return texts, unseen
}

// probeResult is what probe --json prints.
type probeResult struct {
	Label      string      `json:"label"`
	Classes    []string    `json:"classes"` // in the order of the confusion matrix
	TrainRows  int         `json:"train_rows"`
	TestRows   int         `json:"test_rows"`
	Unseen     int         `json:"unseen"`  // test rows whose label no training row has: errors
	Skipped    int64       `json:"skipped"` // bad rows
	Features   *probeScore `json:"features"`
	Against    *probeScore `json:"against,omitempty"`
	Difference *float64    `json:"difference,omitempty"` // of the accuracies
}

// probeScore is how a classifier on one set of columns did.
type probeScore struct {
	Columns    string           `json:"columns"`
	Width      int              `json:"width"`
	Accuracy   float64          `json:"accuracy"` // share of the test rows, in [0,1]
	Errors     int              `json:"errors"`
	Penalty    float64          `json:"penalty"`
	Iterations int              `json:"iterations"`
	Converged  bool             `json:"converged"`
	Cost       float64          `json:"cost"`      // of the training rows
	Confusion  linear.Confusion `json:"confusion"` // rows of a label, by the label predicted
}

func (j *probeJob) judge(ctx context.Context, train, test *probeRows) (*probeResult, error) {
	texts, unseen := train.classes.settle(train, test)
	switch {
	case len(train.labels) == 0:
		return nil, fmt.Errorf("no rows to learn from")
	case len(test.labels)+unseen == 0:
		return nil, fmt.Errorf("no rows to count errors on")
	case len(texts) == 1:
		return nil, fmt.Errorf("column %q: all training rows have the label %q: there is nothing to tell apart", j.label, texts[0])
	case len(texts) > len(train.labels)/2+1:
		return nil, &hintedError{fmt.Errorf("column %q: %d training rows have %d different labels", j.label, len(train.labels), len(texts)),
			"name the column of the classes with --label"}
	case len(test.labels) == 0:
		return nil, fmt.Errorf("column %q: no test row has a label that a training row has", j.label)
	}
	r := &probeResult{Label: j.label, Classes: texts, TrainRows: len(train.labels), TestRows: len(test.labels) + unseen, Unseen: unseen,
		Skipped: train.skipped + test.skipped}
	scores := make([]*probeScore, len(train.sets))
	for i, s := range train.sets {
		config := j.config
		config.Observe = func(t linear.Trial) { j.progress.trial(s.name, t) }
		classifier, err := linear.Fit(ctx, s.x, s.width, train.labels, len(texts), config)
		if err != nil {
			return nil, err
		}
		s.x = nil
		confusion, err := classifier.Confusion(test.sets[i].x, test.labels)
		if err != nil {
			return nil, err
		}
		right := 0
		for k := range confusion {
			right += confusion[k][k]
		}
		stats := classifier.Stats()
		scores[i] = &probeScore{Columns: s.name, Width: s.width, Accuracy: float64(right) / float64(r.TestRows), Errors: r.TestRows - right,
			Penalty: classifier.Penalty(), Iterations: stats.Iterations, Converged: stats.Converged, Cost: stats.Cost, Confusion: confusion}
	}
	r.Features = scores[0]
	if len(scores) > 1 {
		r.Against = scores[1]
		difference := r.Features.Accuracy - r.Against.Accuracy
		r.Difference = &difference
	}
	return r, nil
}

// trial tells of a penalty that was tried.
func (p *progress) trial(columns string, t linear.Trial) {
	p.clear()
	p.mu.Lock()
	defer p.mu.Unlock()
	switch p.mode {
	case progressBar, progressPlain:
		p.ui.printf("%s, penalty %g: %.2f%% of %s held-out rows, %s", columns, t.Penalty, 100*t.Accuracy, count(int64(t.Held)), plural(int64(t.Stats.Iterations), "iteration"))
	case progressJSON:
		p.event(map[string]any{"event": "trial", "columns": columns, "penalty": t.Penalty, "accuracy": t.Accuracy, "held": t.Held, "iterations": t.Stats.Iterations})
	}
}

func (r *probeResult) scores() []*probeScore {
	if r.Against == nil {
		return []*probeScore{r.Features}
	}
	return []*probeScore{r.Features, r.Against}
}

func (r *probeResult) warn(ui *console) {
	if r.Skipped > 0 {
		ui.warnf("skipped %s", plural(r.Skipped, "bad row"))
	}
	if r.Unseen > 0 {
		ui.warnf("%s with a label that no training row has: counted as errors", plural(int64(r.Unseen), "test row"))
	}
	for _, s := range r.scores() {
		if !s.Converged {
			ui.warnf("%s: not at the minimum after %s: raise --iterations", s.Columns, plural(int64(s.Iterations), "iteration"))
		}
	}
}

func (r *probeResult) print(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 3, ' ', 0)
	fmt.Fprintf(w, "label\t%s: %d classes\n", r.Label, len(r.Classes))
	fmt.Fprintf(w, "training rows\t%d\n", r.TrainRows)
	fmt.Fprintf(w, "test rows\t%d\n", r.TestRows)
	line := func(name string, value func(*probeScore) string) {
		fmt.Fprint(w, name)
		for _, s := range r.scores() {
			fmt.Fprintf(w, "\t%s", value(s))
		}
		fmt.Fprintln(w)
	}
	line("features", func(s *probeScore) string { return s.Columns })
	line("values in a row", func(s *probeScore) string { return strconv.Itoa(s.Width) })
	line("penalty", func(s *probeScore) string { return fmt.Sprintf("%g", s.Penalty) })
	line("iterations", func(s *probeScore) string { return strconv.Itoa(s.Iterations) })
	line("errors", func(s *probeScore) string { return strconv.Itoa(s.Errors) })
	line("accuracy", func(s *probeScore) string { return fmt.Sprintf("%.2f%%", 100*s.Accuracy) })
	if r.Difference != nil {
		fmt.Fprintf(w, "difference\t%+.2f points\n", 100**r.Difference)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	// What a screen holds.
	if most := 20; len(r.Classes) > most {
		_, err := fmt.Fprintf(out, "\nThe confusion matrix of more than %d classes is printed with --json.\n", most)
		return err
	}
	for _, s := range r.scores() {
		fmt.Fprintf(out, "\nRows of each label, by the label that %s gave them:\n", s.Columns)
		w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
		fmt.Fprintf(w, "\t%s\t\n", strings.Join(r.Classes, "\t"))
		for i, counts := range s.Confusion {
			fmt.Fprintf(w, "%s\t", r.Classes[i])
			for _, n := range counts {
				fmt.Fprintf(w, "%d\t", n)
			}
			fmt.Fprintln(w)
		}
		if err := w.Flush(); err != nil {
			return err
		}
	}
	return nil
}

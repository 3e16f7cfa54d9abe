package main

import (
	"context"
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
	"github.com/aefeat/aefeat/internal/labelled"
	"github.com/aefeat/aefeat/internal/rng"
	"github.com/aefeat/aefeat/linear"
	"github.com/aefeat/aefeat/patch"
)

func probeCommand(ui *console) *cli.Command {
	return &cli.Command{
		Name:      "probe",
		Usage:     "tell how well a linear classifier reads labels from features",
		UsageText: "aefeat probe [flags] [TRAIN...]",
		Description: `Fits a multinomial logistic regression to the standardised features of the training
rows and counts its errors on others: the --test files or, without any, a fifth of the
rows that it does not learn from. All rows are held in memory, each value as a float32,
the zeros of sparse codes too. A test row whose label no training row has counts as an error.`,
		Flags:  cliFlags("probe"),
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
	units    int      // of sparse codes that do not tell; 0: unknown
	inputs   []string
	tests    []string // nil: a share of the inputs
	seed     uint64
	config   linear.Config
	classes  labelled.Classes
	rows     float64 // bytes that the rows read so far take
	most     int64   // rows that are kept of an input, about; 0: all
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
	j.progress.finish(withBadRows(map[string]any{"rows": result.TrainRows + result.TestRows, "seed": j.seed}, nil, result.BadRows))
	result.warn(ui)
	if c.Bool("json") {
		return printJSON(ui.out, result)
	}
	return result.print(screen{ui.out})
}

// newProbeJob reads the flags. Its errors are usage errors.
func newProbeJob(c *cli.Context, ui *console) (*probeJob, error) {
	j := &probeJob{ui: ui, progress: newProgress(ui, chosen(c, "progress")), label: c.String("label"), inputs: c.Args().Slice(), tests: c.StringSlice("test"),
		features: names(c, "features"), against: names(c, "against"), units: c.Int("units"), seed: c.Uint64("seed")}
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
		return nil, stdinTwice("probe")
	}
	return j, ui.keepSources("probe", []written{{"the result", "-"}}, data(j.inputs), reading{what: "the input ", inputs: j.tests})
}

// run reads the rows, and fits and judges a classifier for each set of columns.
func (j *probeJob) run(ctx context.Context) (*probeResult, error) {
	src, err := j.source.open(ctx, j.ui, j.inputs)
	if err != nil {
		return nil, err
	}
	defer src.Close()
	if j.features, err = featureColumns(src.Schema(), j.features); err != nil {
		return nil, located(src, err)
	}
	sets := [][]string{j.features}
	if j.against != nil {
		sets = append(sets, j.against)
	}
	train, err := labelled.New(src.Schema(), j.label, sets, patch.BindOptions{Units: j.units, Skip: j.source.skip, Decode: j.source.decode, Images: j.source.images}, &j.classes)
	if err != nil {
		return nil, located(src, err)
	}
	test := train.Apart()
	if len(j.tests) == 0 {
		total, _ := src.NumRows()
		// Chance may give either some more: growing would copy all of it.
		slack := int64(3 * math.Sqrt(float64(total)))
		train.Reserve, test.Reserve = total-total/5+slack, total/5+slack
		err = j.read(ctx, src, train, func(row int64) *labelled.Rows { return j.heldOut(row, train, test) })
	} else {
		train.Reserve, _ = src.NumRows()
		if err = j.read(ctx, src, train, func(int64) *labelled.Rows { return train }); err == nil {
			test, err = j.readTests(ctx, train)
		}
	}
	if err != nil {
		return nil, err
	}
	return j.judge(ctx, train, test)
}

// heldOut returns test for a fifth of the rows, by lot, and else train.
func (j *probeJob) heldOut(row int64, train, test *labelled.Rows) *labelled.Rows {
	if s := rng.New(j.seed, rng.Validation, 0, uint64(row)); s.Uint32n(5) == 0 {
		return test
	}
	return train
}

// readTests reads the --test files: the columns that the training rows have.
func (j *probeJob) readTests(ctx context.Context, train *labelled.Rows) (*labelled.Rows, error) {
	src, err := j.source.open(ctx, j.ui, j.tests)
	if err != nil {
		return nil, err
	}
	defer src.Close()
	test, err := train.Bind(src.Schema())
	if err != nil {
		return nil, located(src, err)
	}
	test.Reserve, _ = src.NumRows()
	if err := j.read(ctx, src, test, func(int64) *labelled.Rows { return test }); err != nil {
		return nil, err
	}
	return test, nil
}

// read reads all rows of src, each to where it belongs.
func (j *probeJob) read(ctx context.Context, src *arrowio.Source, rows *labelled.Rows, where func(row int64) *labelled.Rows) error {
	if err := require(src, rows.Columns()); err != nil {
		return err
	}
	r, err := read(ctx, src, rows.Columns())
	if err != nil {
		return err
	}
	defer r.Release()
	total, _ := src.NumRows()
	if err := j.fitRows(total, rows.Width()); err != nil {
		return err
	}
	w := &watched{RecordReader: r, progress: j.progress, step: step{Phase: "read", Total: total}}
	for first := int64(0); w.Next(); first = w.step.Rows {
		known := rows.Width()
		if err := rows.Add(w.RecordBatch(), first, where); err != nil {
			return located(src, err)
		}
		if width := rows.Width(); width > known {
			if err := j.fitRows(total, width-known); err != nil {
				return err
			}
		}
	}
	return r.Err()
}

// fitRows refuses as many rows, beside those read before, as the machine has
// no memory for. Where their number or width is not known it refuses none.
func (j *probeJob) fitRows(rows int64, width int) error {
	if j.most > 0 {
		rows = min(rows, j.most)
	}
	j.rows += 4 * float64(rows) * float64(width)
	return j.fitMemory(fmt.Sprintf("%s of %s", plural(rows, "row"), plural(int64(width), "value")), j.rows)
}

func (j *probeJob) fitMemory(what string, takes float64) error {
	return fitMemory(memoryBound(), "with "+what+" this takes", takes, "probe a part of the rows, or labels of fewer classes")
}

// featureColumns returns the columns that were asked for or, where none were,
// those that transform has made.
func featureColumns(schema *arrow.Schema, asked []string) ([]string, error) {
	if asked != nil {
		return asked, nil
	}
	var found []string
	could := patch.Candidates(schema)
	for _, c := range could {
		if c.Column == "code" || strings.HasPrefix(c.Column, "code_") {
			found = append(found, c.Column)
		}
	}
	if len(found) == 1 {
		return found, nil
	}
	err := &patch.RowError{Row: -1, Key: patch.KeyMissing, Reason: "no column is called code or code_*", Hint: "name the features with --features"}
	if len(found) > 1 {
		err.Key, err.Reason = patch.KeyAmbiguous, "several columns could be the features"
	}
	if len(could) > 0 {
		err.Reason += "; there are " + patch.Listed(could)
	}
	return nil, err
}

// probeResult is what probe --json prints.
type probeResult struct {
	Label      string        `json:"label"`
	Classes    []string      `json:"classes"` // as in the confusion matrix
	TrainRows  int           `json:"train_rows"`
	TestRows   int           `json:"test_rows"`
	Unseen     int           `json:"unseen"`            // errors: not a training label
	Skipped    int64         `json:"skipped"`           // bad rows
	BadRows    patch.BadRows `json:"bad_rows,omitzero"` // their reasons
	Features   *probeScore   `json:"features"`
	Against    *probeScore   `json:"against,omitempty"`
	Difference *float64      `json:"difference,omitempty"` // of the accuracies
}

// probeScore is how a classifier on one set of columns did.
type probeScore struct {
	Columns    string  `json:"columns"`
	Width      int     `json:"width"`
	Accuracy   float64 `json:"accuracy"` // on test rows, in [0,1]
	Errors     int     `json:"errors"`
	Penalty    float64 `json:"penalty"`
	Iterations int     `json:"iterations"`
	Converged  bool    `json:"converged"`
	Cost       float64 `json:"cost"` // of the training rows

	// Confusion counts the rows of a label by the label predicted.
	Confusion linear.Confusion `json:"confusion"`
}

func (j *probeJob) judge(ctx context.Context, train, test *labelled.Rows) (*probeResult, error) {
	texts, unseen := j.classes.Settle(train, test)
	switch {
	case len(train.Labels) == 0:
		return nil, &codedError{codeNoRows, fmt.Errorf("no rows to learn from%s", skippedOf(train))}
	case len(test.Labels)+unseen == 0:
		return nil, &hintedError{&codedError{codeNoRows, fmt.Errorf("no rows to count errors on%s", skippedOf(test))}, "give more rows, or some with --test"}
	case len(texts) == 1:
		return nil, j.noClasses(fmt.Sprintf("all training rows have the label %q: there is nothing to tell apart", texts[0]), "")
	case len(texts) > len(train.Labels)/2+1:
		return nil, j.noClasses(fmt.Sprintf("%d training rows have %d different labels", len(train.Labels), len(texts)),
			"name the column of the classes with --label")
	case len(test.Labels) == 0:
		return nil, j.noClasses("no test row has a label that a training row has", "")
	}
	classes := float64(len(texts))
	for _, s := range train.Sets {
		takes := 8 * (weightFloats*classes*float64(s.Width+1) + classes*classes)
		if err := j.fitMemory(fmt.Sprintf("%d classes", len(texts)), j.rows+takes); err != nil {
			return nil, err
		}
	}
	r := &probeResult{Label: j.label, Classes: texts, TrainRows: len(train.Labels), TestRows: len(test.Labels) + unseen, Unseen: unseen,
		BadRows: train.Bad.Clone()}
	r.BadRows.Merge(test.Bad)
	r.BadRows.First = nil // the numbers of rows of two inputs say little
	r.Skipped = r.BadRows.Total()
	scores := make([]*probeScore, len(train.Sets))
	for i, s := range train.Sets {
		config := j.config
		config.Observe = func(t linear.Trial) { j.progress.trial(s.Name, t) }
		classifier, err := linear.Fit(ctx, s.X, s.Width, train.Labels, len(texts), config)
		if err != nil {
			return nil, err
		}
		s.X = nil
		confusion, err := classifier.Confusion(test.Sets[i].X, test.Labels)
		if err != nil {
			return nil, err
		}
		right := 0
		for k := range confusion {
			right += confusion[k][k]
		}
		stats := classifier.Stats()
		scores[i] = &probeScore{Columns: s.Name, Width: s.Width, Accuracy: float64(right) / float64(r.TestRows), Errors: r.TestRows - right,
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

// noClasses is the error of labels that no classifier can be fitted to.
func (j *probeJob) noClasses(reason, hint string) error {
	return &codedError{codeLabels, &patch.RowError{Column: j.label, Row: -1, Reason: reason, Hint: hint}}
}

// weightFloats is how many float64 package linear holds of each weight.
const weightFloats = 45

// skippedOf tells that rows were skipped where that is why there are none.
func skippedOf(r *labelled.Rows) string {
	if r.Bad.Total() == 0 {
		return ""
	}
	return fmt.Sprintf(": %s were skipped", plural(r.Bad.Total(), "bad row"))
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
		p.ui.event(map[string]any{"event": "trial", "columns": columns, "penalty": t.Penalty, "accuracy": t.Accuracy, "held": t.Held, "iterations": t.Stats.Iterations})
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
		ui.warn(codeSkipped, "", "%s", skipped(r.BadRows))
	}
	if r.Unseen > 0 {
		ui.warn(codeUnseen, "", "%s with a label that no training row has: counted as errors", plural(int64(r.Unseen), "test row"))
	}
	for _, s := range r.scores() {
		if !s.Converged {
			ui.warn(codeIterations, "", "%s: not at the minimum after %s: raise --iterations", s.Columns, plural(int64(s.Iterations), "iteration"))
		}
	}
}

func (r *probeResult) print(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 3, ' ', 0)
	fmt.Fprintf(w, "label\t%s: %d classes\n", escaped(r.Label), len(r.Classes))
	fmt.Fprintf(w, "training rows\t%d\n", r.TrainRows)
	fmt.Fprintf(w, "test rows\t%d\n", r.TestRows)
	line := func(name string, value func(*probeScore) string) {
		fmt.Fprint(w, name)
		for _, s := range r.scores() {
			fmt.Fprintf(w, "\t%s", value(s))
		}
		fmt.Fprintln(w)
	}
	line("features", func(s *probeScore) string { return escaped(s.Columns) })
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
		fmt.Fprintf(out, "\nRows of each label, by the label that %s gave them:\n", escaped(s.Columns))
		w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
		names := make([]string, len(r.Classes))
		for i, text := range r.Classes {
			names[i] = printable(text)
		}
		fmt.Fprintf(w, "\t%s\t\n", strings.Join(names, "\t"))
		for i, counts := range s.Confusion {
			fmt.Fprintf(w, "%s\t", names[i])
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

// printable quotes a label that would be lost on a screen, or upset it.
func printable(text string) string {
	if text == "" || unprintable(text) {
		return strconv.Quote(text)
	}
	return text
}

package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/aefeat/aefeat/arrowio"
	"github.com/aefeat/aefeat/imagery"
	"github.com/aefeat/aefeat/imagery/report"
	"github.com/aefeat/aefeat/internal/labelled"
	"github.com/aefeat/aefeat/internal/rng"
	"github.com/aefeat/aefeat/linear"
	"github.com/aefeat/aefeat/model"
	"github.com/aefeat/aefeat/patch"
	"github.com/aefeat/aefeat/stage"
)

func reportCommand(ui *console) *cli.Command {
	return &cli.Command{
		Name:      "report",
		Usage:     "write a page that shows what a model has learned",
		UsageText: "aefeat report -m MODEL [flags] [INPUT...]",
		Description: `Writes one HTML file that needs no network: filters, cost by epoch and settings. With
INPUT ("-" is standard input) also reconstructions, the rows that excite each unit most,
what the units do and, where there are labels, how well a linear classifier reads them
from the codes of up to 10,000 rows, drawn by lot. INPUT is read up to three times. Of
many units the page shows the first 400 filters, and 64 units with their rows.`,
		Flags:  cliFlags("report"),
		Action: func(c *cli.Context) error { return writeReport(c, ui) },
	}
}

// reportJob is a report as the command line asks for it.
type reportJob struct {
	ui       *console
	progress *progress
	source   sourceOptions
	model    *model.Model
	label    string
	asked    bool     // for the classifier
	tests    []string // nil: a share of the rows
	page     report.Page
}

func writeReport(c *cli.Context, ui *console) error {
	output, inputs := c.String("output"), c.Args().Slice()
	if err := refuseTerminal(ui, "report", "a page", output); err != nil {
		return err
	}
	tests := c.StringSlice("test")
	if err := ui.keepSources("report", []written{{"the page", output}}, reading{files: []string{c.String("model")}, inputs: slices.Concat(inputs, tests)}); err != nil {
		return err
	}
	switch {
	case len(tests) > 0 && len(inputs) == 0:
		return usagef("report", "--test without rows to learn from: name an input").as(codeUsageInput)
	case len(tests) > 0 && c.String("label") == "":
		return usagef("report", "--test has rows for a classifier, and --label '' wants none: give one of them")
	case slices.Contains(tests, "-") && slices.Contains(inputs, "-"):
		return stdinTwice("report")
	}
	source, err := newSourceOptions(c, output)
	if err != nil {
		return err
	}
	source.rewindable = true
	m, info, err := requireModel(c, ui)
	if err != nil {
		return err
	}
	source.model = info
	out, err := createOutput(ui, output)
	if err != nil {
		return err
	}
	defer out.Abort()
	j := &reportJob{ui: ui, progress: newProgress(ui, chosen(c, "progress")), source: source, model: m, label: c.String("label"), asked: c.IsSet("label") || len(tests) > 0, tests: tests}
	defer j.progress.clear()
	if err := j.describe(c.String("model")); err != nil {
		return err
	}
	event := map[string]any{"model": info.Hash, "seed": m.Seed}
	if len(inputs) > 0 {
		if err := j.look(c.Context, inputs, event); err != nil {
			return err
		}
	}
	if err := report.Write(out, j.page); err != nil {
		return err
	}
	if err := out.Commit(); err != nil {
		return err
	}
	j.progress.finish(event, "wrote the report to "+nameOf(output))
	return nil
}

// describe puts into the page what the model file tells.
func (j *reportJob) describe(name string) error {
	m, p := j.model, &j.page
	p.Title = filepath.Base(inputName(name))
	p.Summary = fmt.Sprintf("A %s autoencoder with %s. Its inputs are patches of %s.", m.Objective, plural(int64(m.Hidden), "hidden unit"), shapeOf(m))
	for _, row := range modelTable(m, j.source.model, false) {
		p.Settings = append(p.Settings, report.Fact{Name: row[0], Value: row[1]})
	}
	p.History = report.History{Epochs: m.History, Best: m.Best}
	var view imagery.View
	panel, err := view.Panel(m, "")
	if err != nil {
		return err
	}
	tiles, err := panel.Tiles()
	if err != nil {
		return err
	}
	p.Filters = report.Filters{Tiles: tiles, Dead: panel.Dead, Of: m.Hidden, About: view.String(), Whitened: m.Preprocess.Method == model.PreprocessZCA}
	if m.Cost != nil {
		j.fact("training cost", fmt.Sprintf("%.4g", m.Cost.Total))
	}
	if n := len(m.History); n > 0 {
		kept := m.History[n-1]
		if m.Best > 0 {
			kept = m.History[m.Best-1]
		}
		if kept.Validation != nil {
			j.fact("held-out cost", fmt.Sprintf("%.4g", kept.Validation.Total))
		}
		j.fact("dead units", count(int64(kept.Dead)))
	}
	return nil
}

// fact sets a number to look at first.
func (j *reportJob) fact(name, value string) {
	for i, f := range j.page.Facts {
		if f.Name == name {
			j.page.Facts[i].Value = value
			return
		}
	}
	j.page.Facts = append(j.page.Facts, report.Fact{Name: name, Value: value})
}

// look puts into the page what the rows of the inputs tell.
func (j *reportJob) look(ctx context.Context, inputs []string, event map[string]any) error {
	src, err := j.source.open(ctx, j.ui, inputs)
	if err != nil {
		return err
	}
	defer src.Close()
	label, err := j.bindLabel(src)
	if err != nil {
		return located(src, err)
	}
	config := stage.ExplainConfig{EvaluateConfig: j.source.evaluation(), Sample: reportExamples,
		Keep: keptWithRows("", src.Schema(), patchColumns(src, j.source.patchNames(j.model)))}
	if label != "" && !slices.Contains(config.Keep, label) {
		config.Keep = append([]string{label}, config.Keep...)
	}
	x, err := j.source.explain(ctx, src, j.progress, j.model, config)
	if err != nil {
		return err
	}
	if err := j.evaluate(ctx, src); err != nil {
		return err
	}
	if err := j.explain(src, x, config.Keep); err != nil {
		return err
	}
	if label != "" {
		if err := j.probe(ctx, src, label, x.Rows+x.Skipped); err != nil {
			return err
		}
	}
	j.page.Summary += fmt.Sprintf(" Looked at with %s of %s.", plural(x.Rows, "row"), inputNames(inputs))
	if x.Skipped > 0 {
		j.page.Notes = append(j.page.Notes, skipped(x.BadRows)+".")
		j.ui.warn(codeSkipped, "", "%s", skipped(x.BadRows))
	}
	event["rows"] = x.Rows
	withBadRows(event, src, x.BadRows)
	return nil
}

// inputNames writes the names of inputs, of many the first.
func inputNames(inputs []string) string {
	const most = 3
	var names []string
	for _, name := range inputs[:min(len(inputs), most)] {
		if name == "-" {
			names = append(names, "standard input")
		} else {
			names = append(names, filepath.Base(name))
		}
	}
	if more := len(inputs) - most; more > 0 {
		names = append(names, fmt.Sprintf("%d more", more))
	}
	return strings.Join(names, ", ")
}

// bindLabel returns the column of labels, "" for none. One that was asked for
// must be there.
func (j *reportJob) bindLabel(src *arrowio.Source) (string, error) {
	if j.label == "" {
		return "", nil
	}
	if _, err := patch.BindLabel(src.Schema(), j.label); err != nil {
		if !j.asked {
			return "", nil
		}
		return "", err
	}
	return j.label, nil
}

// evaluate adds what the model costs on the rows.
func (j *reportJob) evaluate(ctx context.Context, src *arrowio.Source) error {
	r, err := j.source.patches(ctx, src, j.model)
	if err != nil {
		return err
	}
	defer r.Release()
	total, _ := src.NumRows()
	e, err := stage.Evaluate(ctx, j.model, &watched{RecordReader: r, progress: j.progress, step: step{Phase: "evaluate", Total: total}}, j.source.evaluation())
	if err != nil {
		return located(src, err)
	}
	j.fact("dead units", count(int64(e.DeadUnits)))
	j.fact("cost of these rows", fmt.Sprintf("%.4g", e.Cost.Total))
	if e.NMSE < math.MaxFloat64 {
		j.fact("normalised error", fmt.Sprintf("%.3g", e.NMSE))
		j.page.Error = fmt.Sprintf("Over all rows the squared error is %.3g times the variance: 0 is perfect, and 1 no better than the mean row.", e.NMSE)
	}
	return nil
}

// reportExamples is how many rows are shown beside what becomes of them.
const reportExamples = 12

// explain adds what the units do, and the rows that show it.
func (j *reportJob) explain(src *arrowio.Source, x *stage.Explanation, keep []string) error {
	p := &j.page
	m, err := j.source.bound(src, j.model)
	if err != nil {
		return err
	}
	shape, _ := m.PatchShape()
	p.Activity = report.Activity{Rows: x.Rows}
	if m.SparsityWeight > 0 {
		p.Activity.Target = m.Sparsity
	}
	p.Filters.Dead = nil
	for i, u := range x.Units {
		p.Activity.Units = append(p.Activity.Units, u.Unit)
		p.Filters.Dead = append(p.Filters.Dead, u.Dead)
		if u.Dead || len(u.Best) == 0 {
			continue
		}
		if p.UnitsOf++; p.UnitsOf > report.MaxUnits {
			continue
		}
		tiles, err := patchTiles(m.Preprocess, shape, u.Best)
		if err != nil {
			return err
		}
		shown := report.Unit{Number: i, Filter: p.Filters.Tiles[i], Note: unitNote(m, u.Unit)}
		for k, tile := range tiles {
			shown.Patches = append(shown.Patches, report.Patch{Tile: tile, Caption: rowCaption(u.Best[k], keep) + fmt.Sprintf(", code %.3g", u.Best[k].Code)})
		}
		p.Units = append(p.Units, shown)
	}
	return j.examples(m, x.Sample, shape, keep)
}

// unitNote says what a unit does.
func unitNote(m *model.Model, u model.Unit) string {
	note := fmt.Sprintf("mean activation %.3g", u.Mean)
	if m.Activation != model.Linear || m.K > 0 {
		note += fmt.Sprintf(", active on %.3g%%", 100*u.Active)
	}
	if u.Saturated {
		note += ", saturated"
	}
	return note
}

// rowCaption names a row, with the values that go with it. Of the place that a
// patch was cut from it gives the image and, where there is one, the pixel.
func rowCaption(row stage.KeptRow, keep []string) string {
	text := "row " + count(row.Row)
	var pixel []string
	for i, l := range row.Kept {
		switch {
		case l.Null:
		case keep[i] == "image":
			text += ", " + l.Text
		case slices.Contains(placeColumns, keep[i]):
			pixel = append(pixel, l.Text)
		default:
			text += fmt.Sprintf(", %s %s", keep[i], l.Text)
		}
	}
	if len(pixel) == 2 {
		text += " at " + strings.Join(pixel, ",")
	}
	return text
}

// examples adds rows beside what the model makes of them.
func (j *reportJob) examples(bound *model.Model, sample []stage.KeptRow, shape imagery.Shape, keep []string) error {
	rows := model.Rows{Kind: sample[0].Patch.Kind, Width: bound.Inputs}
	for _, row := range sample {
		rows.Data = append(rows.Data, row.Patch.Data...)
		rows.Number = append(rows.Number, row.Row)
	}
	shown, err := bound.Show(rows)
	if err != nil {
		return err
	}
	n := bound.Inputs
	for i, row := range sample {
		original := shown.Original[i*n : (i+1)*n]
		e := report.Example{Caption: rowCaption(row, keep)}
		if e.Original, err = patchTile(bound.Preprocess, shape, original, nil); err != nil {
			return err
		}
		if shown.Corrupted != nil {
			if e.Corrupted, err = patchTile(bound.Preprocess, shape, shown.Corrupted[i*n:(i+1)*n], original); err != nil {
				return err
			}
		}
		if e.Reconstructed, err = patchTile(bound.Preprocess, shape, shown.Reconstructed[i*n:(i+1)*n], original); err != nil {
			return err
		}
		j.page.Examples = append(j.page.Examples, e)
	}
	return nil
}

// reportProbeRows bounds the rows of the classifier: a few seconds' worth.
const reportProbeRows = 10_000

// probe adds how well a classifier reads labels from the codes and from the
// values, out of so many rows.
func (j *reportJob) probe(ctx context.Context, src *arrowio.Source, label string, rows int64) error {
	p, train, test, err := j.labelled(ctx, src, label, rows)
	if err != nil {
		var at *patch.RowError
		return j.noProbe(err, errors.As(err, &at) && at.Column == label)
	}
	result, err := p.judge(ctx, train, test)
	if err != nil {
		return j.noProbe(err, ctx.Err() == nil)
	}
	j.showProbe(result, rows > reportProbeRows)
	return nil
}

// labelled reads the rows of a classifier, out of so many, with their codes and
// values.
func (j *reportJob) labelled(ctx context.Context, src *arrowio.Source, label string, rows int64) (p *probeJob, train, test *labelled.Rows, err error) {
	p = &probeJob{ui: j.ui, progress: j.progress, source: j.source, label: label, most: 2 * reportProbeRows, config: linear.Config{Iterations: linear.DefaultIterations}}
	if p.progress.mode == progressPlain {
		p.progress = newProgress(j.ui, progressNone) // a line for each penalty says little here
	}
	train, err = labelled.New(src.Schema(), label, [][]string{j.source.patchNames(j.model)}, j.source.evaluation().BindOptions(j.model), &p.classes)
	if err != nil {
		return nil, nil, nil, located(src, err)
	}
	share := reportProbeRows / float64(max(rows, 1))
	test = train.Apart()
	if err := p.read(ctx, src, train, func(row int64) *labelled.Rows {
		switch {
		case !inProbe(row, share):
			return nil
		case len(j.tests) > 0:
			return train
		}
		return p.heldOut(row, train, test)
	}); err != nil {
		return nil, nil, nil, err
	}
	if len(j.tests) > 0 {
		test, err = j.readTests(ctx, p, train)
	} else {
		err = j.encodeSet(src, test)
	}
	if err != nil {
		return nil, nil, nil, err
	}
	return p, train, test, j.encodeSet(src, train)
}

// noProbe turns an error about labels, which may be none, into a note on the
// page, unless somebody asked for them.
func (j *reportJob) noProbe(err error, aboutLabels bool) error {
	if j.asked || !aboutLabels {
		return err
	}
	j.page.Notes = append(j.page.Notes, fmt.Sprintf("No classifier: %v.", err))
	return nil
}

// inProbe draws a share of the rows.
func inProbe(row int64, share float64) bool {
	lot := rng.New(0, rng.Shuffle, 1, uint64(row))
	return lot.Float64() < share
}

// readTests reads rows of the --test files to count errors on.
func (j *reportJob) readTests(ctx context.Context, p *probeJob, train *labelled.Rows) (*labelled.Rows, error) {
	src, err := j.source.open(ctx, j.ui, j.tests)
	if err != nil {
		return nil, err
	}
	defer src.Close()
	test, err := train.Bind(src.Schema())
	if err != nil {
		return nil, located(src, err)
	}
	total, known := src.NumRows()
	share := reportProbeRows / float64(max(total, 1))
	if err := p.read(ctx, src, test, func(row int64) *labelled.Rows {
		if known && inProbe(row, share) || !known && len(test.Labels) < reportProbeRows {
			return test
		}
		return nil
	}); err != nil {
		return nil, err
	}
	return test, j.encodeSet(src, test)
}

// encodeSet puts codes in front of the values of rows that come from src. Rows
// that the model does not take are left out.
func (j *reportJob) encodeSet(src *arrowio.Source, rows *labelled.Rows) error {
	m, err := j.source.bound(src, j.model)
	if err != nil {
		return err
	}
	raw := rows.Sets[0]
	raw.Name = "raw values"
	codes := &labelled.Set{Name: "codes", Width: m.Hidden}
	encoder, n := model.NewEncoder(m), m.Inputs
	code := make([]float32, m.Hidden)
	kept := 0
	for i, label := range rows.Labels {
		row := model.Float32Rows(raw.X[i*n:(i+1)*n], n)
		if m.Check(row) != nil {
			continue
		}
		var overflow *model.RangeError
		if err := encoder.Encode(code, row); errors.As(err, &overflow) {
			continue
		} else if err != nil {
			return err
		}
		codes.X = append(codes.X, code...)
		copy(raw.X[kept*n:], raw.X[i*n:(i+1)*n])
		rows.Labels[kept] = label
		kept++
	}
	rows.Labels, raw.X = rows.Labels[:kept], raw.X[:kept*n]
	rows.Sets = []*labelled.Set{codes, raw}
	return nil
}

// showProbe adds the result of a probe.
func (j *reportJob) showProbe(r *probeResult, part bool) {
	// More classes are no table to look at.
	const mostClasses = 20
	show := &report.Probe{Label: r.Label, TrainRows: r.TrainRows, TestRows: r.TestRows, Classes: r.Classes}
	if part {
		show.Note = "The rows were drawn by lot. "
	}
	if r.Unseen > 0 {
		show.Note += fmt.Sprintf("%s with a label that no row to learn from has: counted as errors.", plural(int64(r.Unseen), "row"))
	}
	for i, s := range r.scores() {
		score := report.Score{Features: s.Columns, Width: s.Width, Accuracy: s.Accuracy, Errors: s.Errors}
		if len(r.Classes) <= mostClasses {
			score.Confusion = s.Confusion
		}
		show.Scores = append(show.Scores, score)
		j.fact([]string{"accuracy, codes", "accuracy, raw values"}[i], fmt.Sprintf("%.2f%%", 100*s.Accuracy))
	}
	j.page.Probe = show
}

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/urfave/cli/v2"

	"github.com/aefeat/aefeat/arrowio"
	"github.com/aefeat/aefeat/model"
	"github.com/aefeat/aefeat/patch"
	"github.com/aefeat/aefeat/stage"
)

func evaluateCommand(ui *console) *cli.Command {
	return &cli.Command{
		Name:      "evaluate",
		Usage:     "print the cost of a model on data, by term",
		UsageText: "aefeat evaluate -m MODEL [flags] [INPUT...]",
		Description: `Rows are fed clean, without corruption, and judged by the model's own objective; of a
k-sparse model with the codes that its features keep (--k-encode). A unit is dead if its
code stays within 1% of its range over all rows, dense if it is active on more than half
of them, saturated if it is at an end of its range on 99%. The normalised error is the
squared error over the variance of the rows: 1 is no better than their mean.`,
		Flags:  cliFlags("evaluate"),
		Action: func(c *cli.Context) error { return evaluate(c, ui) },
	}
}

func evaluate(c *cli.Context, ui *console) error {
	if c.IsSet("sums") {
		return evaluateSums(c, ui)
	}
	if err := ui.keepSources("evaluate", []written{{"the evaluation", "-"}}, models(c.String("model")), data(c.Args().Slice())); err != nil {
		return err
	}
	record, err := newRecorder(c, ui, c.Args().Slice(), "-")
	if err != nil {
		return err
	}
	defer record.abort()
	source, m, src, err := openForModel(c, ui, "")
	if err != nil {
		return err
	}
	defer src.Close()
	r, err := source.patches(c.Context, src, m)
	if err != nil {
		return err
	}
	defer r.Release()
	p := newProgress(ui, chosen(c, "progress"))
	defer p.clear()
	total, _ := src.NumRows()
	e, err := stage.Evaluate(c.Context, m, &watched{RecordReader: r, progress: p, step: step{Phase: "evaluate", Total: total}}, source.evaluation())
	if err != nil {
		return located(src, err)
	}
	event := map[string]any{"rows": e.Rows, "model": source.model.Hash, "seed": m.Seed}
	p.finish(withBadRows(event, src, e.BadRows))
	if e.Skipped > 0 {
		ui.warn(codeSkipped, "", "%s", skipped(e.BadRows))
	}
	if err := printEvaluation(ui.out, e, c.Bool("json")); err != nil {
		return err
	}
	record.used(c.String("model"), m, source.model.Hash, rowSettingsOf(m, source.columns, source.skip, source.pixelMax))
	return record.evaluated(c.Context, src, e)
}

// evaluateSums prints what shards have gathered for it.
func evaluateSums(c *cli.Context, ui *console) error {
	m, info, sums, err := readMerged(c, ui, "")
	if err != nil {
		return err
	}
	if sums.Rows == 0 {
		return stage.ErrNoRows
	}
	fields := map[string]any{"rows": sums.Rows, "shards": sums.Shards, "model": info.Hash, "seed": m.Seed}
	newProgress(ui, chosen(c, "progress")).finish(fields, fmt.Sprintf("sums of %s", plural(sums.Shards, "shard")))
	if sums.Kind == model.KindCost {
		v := model.NewValidator(m)
		if err := sums.into(v); err != nil {
			return err
		}
		return printCost(ui.out, v.Rows(), v.Cost(), c.Bool("json"))
	}
	e := model.NewEvaluator(m)
	if err := sums.into(e); err != nil {
		return err
	}
	return printEvaluation(ui.out, stage.Evaluation{Evaluation: e.Result()}, c.Bool("json"))
}

// printCost prints a cost by its terms.
func printCost(w io.Writer, rows int64, cost model.Cost, asJSON bool) error {
	if asJSON {
		return printJSON(w, map[string]any{"rows": rows, "cost": cost})
	}
	var t table
	t.row("rows", fmt.Sprint(rows))
	for _, term := range cost.Terms() {
		t.row(term.Name, fmt.Sprintf("%.6g", term.Value))
	}
	t.row("total cost", fmt.Sprintf("%.6g", cost.Total))
	return t.print(w)
}

// evaluation says where the rows are that a model judges.
func (o sourceOptions) evaluation() stage.EvaluateConfig {
	return stage.EvaluateConfig{Columns: o.columns, Skip: o.skip, PixelMax: o.pixelMax, Decode: o.decode, Images: o.images}
}

// patches begins to read the columns that m takes, and others beside them.
func (o sourceOptions) patches(ctx context.Context, src *arrowio.Source, m *model.Model, others ...string) (array.RecordReader, error) {
	columns := patchColumns(src, o.patchNames(m))
	if columns != nil {
		if err := require(src, columns); err != nil {
			return nil, err
		}
		columns = append(columns, others...)
	}
	return read(ctx, src, columns)
}

// bound returns m with its preprocessing rule adapted to the data.
func (o sourceOptions) bound(src *arrowio.Source, m *model.Model) (*model.Model, error) {
	b, err := patch.Bind(src.Schema(), o.evaluation().BindOptions(m))
	if err != nil {
		return nil, err
	}
	adapted := *m
	adapted.Preprocess, err = m.Preprocess.Adapt(b.Source(), o.pixelMax)
	return &adapted, err
}

// patchNames are the names of the columns that m takes.
func (o sourceOptions) patchNames(m *model.Model) []string {
	if len(o.columns) == 0 {
		return m.Binding.Columns
	}
	return o.columns
}

// patchColumns resolves the columns of the patch to those to read. Where they
// cannot be resolved all are read, and whoever binds them says what is wrong.
func patchColumns(src *arrowio.Source, columns []string) []string {
	b, err := patch.Bind(src.Schema(), patch.BindOptions{Columns: columns})
	if err != nil {
		return nil
	}
	return b.Columns()
}

func printEvaluation(w io.Writer, e stage.Evaluation, asJSON bool) error {
	if asJSON {
		err := printJSON(w, e.Evaluation)
		var unsupported *json.UnsupportedValueError
		if errors.As(err, &unsupported) {
			return &codedError{codeNoNumber, fmt.Errorf("some values are too large: the evaluation is %s, which JSON cannot hold", unsupported.Str)}
		}
		return err
	}
	var t table
	t.row("rows", fmt.Sprint(e.Rows))
	for _, term := range e.Cost.Terms() {
		t.row(term.Name, fmt.Sprintf("%.6g", term.Value))
	}
	t.row("total cost", fmt.Sprintf("%.6g", e.Cost.Total))
	a := e.MeanActivation
	t.row("mean activation", fmt.Sprintf("%.4g, of units %.4g to %.4g", a.Mean, a.Min, a.Max))
	t.row("dead units", fmt.Sprint(e.DeadUnits))
	t.row("dense units", fmt.Sprint(e.DenseUnits))
	t.row("saturated units", fmt.Sprint(e.SaturatedUnits))
	nmse := fmt.Sprintf("%.4g", e.NMSE)
	if e.NMSE == math.MaxFloat64 {
		nmse = "none: all rows are the same"
	}
	t.row("normalised error", nmse)
	return t.print(w)
}

// watched tells a progress of the rows that a reader delivers.
type watched struct {
	array.RecordReader
	progress *progress
	step     step
}

func (w *watched) Next() bool {
	if !w.RecordReader.Next() {
		return false
	}
	w.step.Rows += w.RecordBatch().NumRows()
	w.progress.show(w.step)
	return true
}

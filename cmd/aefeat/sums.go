package main

import (
	"fmt"
	"math"

	"github.com/urfave/cli/v2"

	"github.com/aefeat/aefeat/internal/limits"
	"github.com/aefeat/aefeat/model"
	"github.com/aefeat/aefeat/stage"
)

// This file has the commands of a worker, which gathers sums over its shard of
// the data. shards.go merges them, and drive.go trains with them.

// What sums may be for, as --of says.
const (
	ofGradient   = "gradient"
	ofEvaluation = "evaluation"
	ofCost       = "cost"
)

func sumsCommand(ui *console) *cli.Command {
	return &cli.Command{
		Name:      "sums",
		Usage:     "gather sums over one shard of the data, for drive",
		UsageText: "aefeat sums -m POINT --shard I [flags] [INPUT...]",
		Description: `One pass over the rows of a shard at the weights of POINT, a model file that drive has
written, or any model. What it writes depends on nothing but POINT, the rows and the flags,
so that a task may be tried again. 'aefeat merge' joins the sums of shards, 'aefeat drive'
makes a step of them, and 'aefeat evaluate --sums' prints them.`,
		Flags: cliFlags("sums"),
		Action: func(c *cli.Context) error {
			kind := map[string]string{ofGradient: model.KindGradient, ofEvaluation: model.KindEvaluation, ofCost: model.KindCost}[chosen(c, "of")]
			return gatherShard(c, ui, kind, func(m *model.Model) (model.Gatherer, func(model.Rows) error) {
				switch chosen(c, "of") {
				case ofEvaluation:
					e := model.NewEvaluator(m)
					return e, e.Add
				case ofCost:
					v := model.NewValidator(m)
					return v, func(r model.Rows) error { return v.Add(r, nil) }
				}
				a := model.NewAccumulator(m)
				epoch := m.NoiseEpoch
				if c.IsSet("epoch") {
					epoch = uint32(c.Int("epoch"))
				}
				a.Reset(epoch)
				return a, func(r model.Rows) error { return a.Add(r, nil) }
			})
		},
	}
}

func statisticsCommand(ui *console) *cli.Command {
	return &cli.Command{
		Name:      "statistics",
		Usage:     "gather what preprocessing learns over one shard of the data",
		UsageText: "aefeat statistics -m MODEL --shard I [flags] [INPUT...]\n  aefeat statistics -m MODEL --sums SUMS -o MODEL",
		Description: `The rule is that of the model, which 'aefeat fit --epochs 0' has made and which has
learned from the rows of that. 'aefeat merge' joins what shards gathered, and with --sums
the model learns the rule anew from the whole.`,
		Flags:  cliFlags("statistics"),
		Action: func(c *cli.Context) error { return statistics(c, ui) },
	}
}

func statistics(c *cli.Context, ui *console) error {
	if c.IsSet("sums") {
		return learnSums(c, ui)
	}
	return gatherShard(c, ui, model.KindStatistics, func(m *model.Model) (model.Gatherer, func(model.Rows) error) {
		s := unlearned(m)
		return s, s.Add
	})
}

// unlearned returns empty statistics for the rule of m.
func unlearned(m *model.Model) *model.Statistics {
	rule := m.Preprocess
	rule.Learned = nil
	return model.NewStatistics(rule, m.Inputs)
}

// learns returns an error where there is nothing for statistics to learn.
func learns(c *cli.Context, m *model.Model) error {
	if c.Command.Name != "statistics" || m.Preprocess.Learns() {
		return nil
	}
	return &hintedError{&codedError{codeSetting, fmt.Errorf("%s: its preprocessing, %s, learns nothing", c.String("model"), m.Preprocess.Method)},
		"nothing is to be gathered: use the model as it is"}
}

// learnSums learns a rule from merged statistics.
func learnSums(c *cli.Context, ui *console) error {
	m, info, sums, err := readMerged(c, ui, "a model")
	if err != nil {
		return err
	}
	if err := learns(c, m); err != nil {
		return err
	}
	s := unlearned(m)
	if err := sums.into(s); err != nil {
		return err
	}
	if m.Preprocess, err = s.Learn(c.Context); err != nil {
		return err
	}
	m.Parent = info.Hash
	hash, err := commitModel(ui, c.String("output"), m)
	if err != nil {
		return err
	}
	p := newProgress(ui, chosen(c, "progress"))
	p.finish(map[string]any{"rows": sums.Rows, "shards": sums.Shards, "model": hash, "seed": m.Seed},
		fmt.Sprintf("learned %s from %s in %s", m.Preprocess.Method, plural(sums.Rows, "row"), plural(sums.Shards, "shard")))
	return nil
}

// gatherShard hands the rows of a shard to what begin returns, of a kind, and
// writes what it gathered.
func gatherShard(c *cli.Context, ui *console, kind string, begin func(*model.Model) (model.Gatherer, func(model.Rows) error)) error {
	name, output := c.Command.Name, c.String("output")
	if err := checkShard(c, ui); err != nil {
		return err
	}
	source, m, src, err := openForModel(c, ui, output)
	if err != nil {
		return err
	}
	defer src.Close()
	if err := learns(c, m); err != nil {
		return err
	}
	if c.IsSet("epoch") && m.Corruption == 0 {
		ui.warn(codeOfWarning(stage.WarnUnused), "", "--epoch changes nothing: the corruption is 0")
	}
	if err := roomForSums(c, m, kind); err != nil {
		return err
	}
	var others []string
	config := stage.GatherConfig{EvaluateConfig: source.evaluation(), RowColumn: c.String("row-column")}
	if config.FirstRow = int64(c.Int("first")); config.RowColumn != "" {
		others = append(others, config.RowColumn)
	}
	r, err := source.patches(c.Context, src, m, others...)
	if err != nil {
		return err
	}
	defer r.Release()
	out, err := createOutput(ui, output)
	if err != nil {
		return err
	}
	defer out.Abort()
	p := newProgress(ui, chosen(c, "progress"))
	defer p.clear()
	total, _ := src.NumRows()
	var g model.Gatherer
	rows := &watched{RecordReader: r, progress: p, step: step{Phase: name, Total: total}}
	gathered, err := stage.Gather(c.Context, m, rows, config, func(m *model.Model) (add func(model.Rows) error) {
		g, add = begin(m)
		return add
	})
	if err != nil {
		return located(src, err)
	}
	sums, err := model.WriteSums(out, g, int64(c.Int("shard")), gathered.First, gathered.End)
	if err != nil {
		return writingSums(err)
	}
	if err := out.Commit(); err != nil {
		return err
	}
	event := map[string]any{"rows": gathered.Rows, "shard": sums.Shard, "model": source.model.Hash, "seed": m.Seed}
	p.finish(withBadRows(event, src, gathered.BadRows), fmt.Sprintf("gathered %s of shard %d", plural(gathered.Rows, "row"), sums.Shard))
	if gathered.BadRows.Total() > 0 {
		ui.warn(codeSkipped, "", "%s", skipped(gathered.BadRows))
	}
	return nil
}

// roomForSums makes sure of memory for sums at m, and keeps to that of --memory.
func roomForSums(c *cli.Context, m *model.Model, kind string) error {
	b, takes, asked := memoryBound(), m.GatherMemory(kind), int64(*c.Generic("memory").(*size))
	bounded := asked > 0 && (b.Bytes == 0 || asked < b.Bytes)
	if bounded {
		b = limits.Bound{Bytes: asked, By: "--memory gives", Limited: true}
	}
	err := fitMemory(b, fmt.Sprintf("gathering sums of %d hidden units takes", m.Hidden), float64(takes),
		"allow more with --memory, and for that run fewer workers on the machine; shards of fewer rows need as much")
	switch {
	case bounded && err != nil:
		return &codedError{codeBudget, err}
	case bounded:
		setHeapLimit(max(heapLimit(b, 0), takes+ownMemory/2))
	}
	return err
}

// checkShard reports, as a usage error, numbers of a shard that cannot be, and
// an output that sums cannot go to.
func checkShard(c *cli.Context, ui *console) error {
	name, output := c.Command.Name, c.String("output")
	switch {
	case !c.IsSet("shard"):
		return usagef(name, "which shard is it? say so with --shard, from 0 up")
	case c.IsSet("first") && c.IsSet("row-column"):
		return usagef(name, "--first does not go with --row-column: the column has the numbers of all rows")
	case c.IsSet("row-column") && c.String("row-column") == "":
		return usagef(name, "--row-column names a column, and its value is empty")
	case int64(c.Int("shard")) >= model.MaxShards:
		return usagef(name, "--shard %d is too large: shards count from 0", c.Int("shard"))
	case int64(c.Int("first")) > math.MaxInt64/2:
		return usagef(name, "--first %d is too large: that of the first row in the whole counts from 0", c.Int("first"))
	case int64(c.Int("epoch")) > math.MaxUint32:
		return usagef(name, "--epoch %d is too large", c.Int("epoch"))
	case c.IsSet("epoch") && chosen(c, "of") != ofGradient:
		return usagef(name, "--epoch is about the noise of gradients")
	}
	if err := refuseTerminal(ui, name, "sums", output); err != nil {
		return err
	}
	return ui.keepSources(name, []written{{"the sums", output}}, models(c.String("model")), data(c.Args().Slice()))
}

func writingSums(err error) error { return fmt.Errorf("writing the sums: %w", err) }

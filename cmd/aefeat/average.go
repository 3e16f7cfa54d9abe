package main

import (
	"fmt"
	"slices"

	"github.com/urfave/cli/v2"

	"github.com/aefeat/aefeat/model"
)

func averageCommand(ui *console) *cli.Command {
	return &cli.Command{
		Name:      "average",
		Usage:     "average models that were fitted to shards from one model",
		UsageText: "aefeat average [flags] MODEL... -o MODEL",
		Description: `Each model comes from 'aefeat fit --init POINT' on a shard of its own, and counts by the
rows of its last epoch. The average is the POINT of the next round. Shards must not be
sorted: each should be like the whole.`,
		Flags:  cliFlags("average"),
		Action: func(c *cli.Context) error { return average(c, ui) },
	}
}

func average(c *cli.Context, ui *console) error {
	output, names := c.String("output"), c.Args().Slice()
	if len(names) == 0 {
		return usagef("average", "no models: name those that fit has written").as(codeUsageInput)
	}
	if err := refuseTerminal(ui, "average", "a model", output); err != nil {
		return err
	}
	if err := ui.keepSources("average", []written{{"the average", output}}, models(names...)); err != nil {
		return err
	}
	if err := stdinOnce(c, ui); err != nil {
		return err
	}
	var a model.Average
	var hashes []string
	for _, name := range names {
		m, info, _, err := readModel(c.Context, ui, name, false)
		if err != nil {
			return err
		}
		if i := slices.Index(hashes, info.Hash); i >= 0 {
			err = &model.SumsError{Key: model.SumsShards, Reason: fmt.Sprintf("the same model as %s, which counts once", inputName(names[i]))}
		} else {
			err = a.Add(m)
		}
		hashes = append(hashes, info.Hash)
		if err != nil {
			return &inputError{name, fmt.Errorf("%s: %w", inputName(name), err)}
		}
	}
	m, err := a.Model()
	if err != nil {
		return err
	}
	m.Parent = hashes[0] // an average does not mix with its members
	hash, err := commitModel(ui, output, m)
	if err != nil {
		return err
	}
	rows := m.History[0].Rows
	newProgress(ui, chosen(c, "progress")).finish(map[string]any{"rows": rows, "model": hash, "seed": m.Seed},
		fmt.Sprintf("averaged %s of %s", plural(int64(len(names)), "model"), plural(rows, "row")))
	if share, sorted := a.Sorted(); sorted {
		ui.warn(codeSorted, "shuffle the rows over the shards",
			"the shards are sorted: %.2g%% of the variance of their rows lies between them, and the average is worse for it", 100*share)
	}
	return nil
}

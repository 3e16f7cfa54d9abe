package main

import (
	"github.com/urfave/cli/v2"
)

func transformCommand(ui *console) *cli.Command {
	return &cli.Command{
		Name:      "transform",
		Usage:     "add the features of a model to every row",
		UsageText: "aefeat transform -m MODEL [flags] [INPUT...]",
		Description: `Every row and column of the input stays, in order, and the hidden code is added. A row
that --on-bad-row skip passes over gets nulls. With -o FOLDER/ each input has an output
of its own there. No output replaces an input.`,
		Flags:  cliFlags("transform"),
		Action: func(c *cli.Context) error { return transform(c, ui) },
	}
}

func transform(c *cli.Context, ui *console) error {
	output := c.String("output")
	if isFolder(output) {
		return transformEach(c, ui, output)
	}
	if c.Bool("skip-existing") {
		return usagef("transform", "--skip-existing is for outputs in a folder: name one with -o FOLDER/")
	}
	if err := refuseTerminal(ui, "transform", "features", output); err != nil {
		return err
	}
	if err := ui.keepSources("transform", []written{{"the features", output}}, models(c.String("model")), data(c.Args().Slice())); err != nil {
		return err
	}
	f, err := newFeatures(c, output)
	if err != nil {
		return err
	}
	if f.record, err = newRecorder(c, ui, c.Args().Slice(), output); err != nil {
		return err
	}
	defer f.record.abort()
	source, m, src, err := openForModel(c, ui, output)
	if err != nil {
		return err
	}
	defer src.Close()
	f.config.ModelHash = source.model.Hash
	f.record.used(c.String("model"), m, source.model.Hash, f.settings(m))
	return f.write(c.Context, ui, newProgress(ui, chosen(c, "progress")), src, m, output)
}

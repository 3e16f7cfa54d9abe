package main

import (
	"bufio"

	"github.com/urfave/cli/v2"

	"github.com/aefeat/aefeat/internal/onnx"
)

func exportCommand(ui *console) *cli.Command {
	return &cli.Command{
		Name:      "export",
		Usage:     "write a model for runtimes of other languages",
		UsageText: "aefeat export --onnx -m MODEL -o FILE.onnx",
		Description: `Writes the encoder, preprocessing included, as an ONNX graph of opset 17. Its input is
"patch" (rows, n), values as in the data of the fit, and its output "code" (rows, h).`,
		Flags:  cliFlags("export"),
		Action: func(c *cli.Context) error { return export(c, ui) },
	}
}

func export(c *cli.Context, ui *console) error {
	output := c.String("output")
	if c.Args().Present() {
		return usagef("export", "export takes no input: name the model with -m").as(codeUsageInput)
	}
	if !c.Bool("onnx") {
		return usagef("export", "no format: name the one that there is, --onnx")
	}
	if err := refuseTerminal(ui, "export", "a model", output); err != nil {
		return err
	}
	if err := ui.keepSources("export", []written{{"the graph", output}}, models(c.String("model"))); err != nil {
		return err
	}
	m, info, err := requireModel(c, ui)
	if err != nil {
		return err
	}
	from := chosen(c, "input-type")
	if from == typeOfModel {
		from = onnx.InputType(m)
	}
	out, err := createOutput(ui, output)
	if err != nil {
		return err
	}
	defer out.Abort()
	w := bufio.NewWriter(out)
	if err := onnx.Write(w, m, from, info.Hash); err != nil {
		return err
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if err := out.Commit(); err != nil {
		return err
	}
	ui.finally("model", info.Hash)
	ui.printf("%s: %d %s values to a code of %d", nameOf(output), m.Inputs, from, m.Hidden)
	return nil
}

// typeOfModel is the value of --input-type that leaves it to the model.
const typeOfModel = "auto"

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/urfave/cli/v2"

	"github.com/aefeat/aefeat/internal/atomicfile"
	"github.com/aefeat/aefeat/internal/disk"
	"github.com/aefeat/aefeat/testdata"
)

// So few rows need many passes and small batches: this makes 2,400 steps, ten
// times as many as the usual settings would, in a few seconds.
const demoBatch = 64

// These are variables for tests only, those that care for what is written and
// not for what is learned.
var (
	demoEpochs = 30
	demoTrain  = testdata.DigitsTrain
)

func demoCommand(ui *console) *cli.Command {
	return &cli.Command{
		Name:      "demo",
		Usage:     "fit, transform and a classifier on embedded digits, end to end",
		UsageText: "aefeat demo [flags]",
		Description: `Writes 6,000 handwritten digits as Parquet, fits a model to 5,000 of them, transforms all,
compares a linear classifier on the learned code with one on raw pixels over the 1,000
held-out digits, draws the learned filters, and writes a page that shows what was learned.`,
		Flags:  cliFlags("demo"),
		Action: func(c *cli.Context) error { return demo(c, ui) },
	}
}

// demoFiles are what the demo writes into its folder.
type demoFiles struct {
	train, test, model, trainFeatures, testFeatures, filters, report string
}

func demo(c *cli.Context, ui *console) error {
	if c.Args().Present() {
		return usagef("demo", "demo takes no input: its digits are embedded").as(codeUsageInput)
	}
	dir := c.String("dir")
	if err := disk.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	in := func(name string) string { return filepath.Join(dir, name) }
	files := demoFiles{in("digits_train.parquet"), in("digits_test.parquet"), in("model.safetensors"),
		in("features_train.parquet"), in("features_test.parquet"), in("filters.png"), in("report.html")}
	for name, data := range map[string]string{files.train: demoTrain, files.test: testdata.DigitsTest} {
		if err := atomicfile.Write(name, func(w io.Writer) error { _, err := io.WriteString(w, data); return err }); err != nil {
			return err
		}
	}
	commands := files.commands()
	var judged probeResult
	for _, args := range commands {
		ui.printf("running: %s", shell(args))
		// Run the very commands that are printed, so that both do the same.
		mode := chosen(c, "progress") // ui knows of --quiet
		if args[1] != "probe" {
			if err := runApp(c.Context, newApp(ui), append(args, "--progress", mode)); err != nil {
				return err
			}
			continue
		}
		// Of which only the accuracies are for everybody.
		if mode != progressJSON {
			mode = progressNone
		}
		inner, out := *ui, bytes.Buffer{}
		inner.out = &out
		if err := runApp(c.Context, newApp(&inner), append(args, "--json", "--progress", mode)); err != nil {
			return err
		}
		if err := json.Unmarshal(out.Bytes(), &judged); err != nil {
			return err
		}
	}
	return files.summary(ui.out, commands, judged)
}

// summary prints what the demo has done, what matters most at the end.
func (f demoFiles) summary(w io.Writer, commands [][]string, judged probeResult) error {
	var b strings.Builder
	b.WriteString("The same by hand:\n")
	for _, args := range commands {
		fmt.Fprintf(&b, "  %s\n", escaped(shell(args)))
	}
	fmt.Fprintf(&b, "\nWhat was learned, to open in a browser: %s\n", escaped(f.report))
	b.WriteString("How well a linear classifier reads held-out digits from the code, and from pixels:\n\n")
	columns := tabwriter.NewWriter(&b, 0, 0, 3, ' ', 0)
	fmt.Fprintf(columns, "features\t%s\t%s\n", judged.Features.Columns, judged.Against.Columns)
	fmt.Fprintf(columns, "accuracy\t%.2f%%\t%.2f%%\n", 100*judged.Features.Accuracy, 100*judged.Against.Accuracy)
	fmt.Fprintf(columns, "picture\t%s\n", escaped(f.filters))
	if err := columns.Flush(); err != nil {
		return err
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// commands are the command lines that the demo stands for.
func (f demoFiles) commands() [][]string {
	return [][]string{
		{"aefeat", "fit", "--hidden", strconv.Itoa(defaultHidden), "--epochs", strconv.Itoa(demoEpochs), "--batch-size", strconv.Itoa(demoBatch),
			"--shape", "28x28", "-o", f.model, f.train},
		{"aefeat", "transform", "-m", f.model, "-o", f.trainFeatures, f.train},
		{"aefeat", "transform", "-m", f.model, "-o", f.testFeatures, f.test},
		{"aefeat", "probe", "--against", "image", "--test", f.testFeatures, f.trainFeatures},
		{"aefeat", "filters", "-m", f.model, "-o", f.filters},
		{"aefeat", "report", "-m", f.model, "-o", f.report, "--test", f.test, f.train},
	}
}

// shell writes a command line as one would type it.
func shell(args []string) string {
	quoted := make([]string, len(args))
	for i, a := range args {
		quoted[i] = a
		if a == "" || strings.ContainsFunc(a, func(r rune) bool {
			return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_./=,:+@%", r))
		}) {
			quoted[i] = "'" + strings.ReplaceAll(a, "'", `'\''`) + "'"
		}
	}
	return strings.Join(quoted, " ")
}

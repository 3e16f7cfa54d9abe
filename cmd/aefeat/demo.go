package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/aefeat/aefeat/internal/atomicfile"
	"github.com/aefeat/aefeat/testdata"
)

// So few rows need many passes and small batches: this makes 2,400 steps, ten
// times as many as the usual settings would, in a few seconds.
const demoBatch = 64

// demoEpochs is a variable for tests only, those that care for what is written
// and not for what is learned.
var demoEpochs = 30

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
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	in := func(name string) string { return filepath.Join(dir, name) }
	files := demoFiles{in("digits_train.parquet"), in("digits_test.parquet"), in("model.safetensors"),
		in("features_train.parquet"), in("features_test.parquet"), in("filters.png"), in("report.html")}
	for name, data := range map[string]string{files.train: testdata.DigitsTrain, files.test: testdata.DigitsTest} {
		if err := writeFile(name, func(w io.Writer) error { _, err := io.WriteString(w, data); return err }); err != nil {
			return err
		}
	}
	commands := files.commands()
	for _, args := range commands {
		ui.printf("running: %s", shell(args))
		// Run the very commands that are printed, so that both do the same.
		args := append(args, "--progress", chosen(c, "progress"))
		if err := runApp(c.Context, newApp(ui), args); err != nil {
			return err
		}
	}
	w := &strings.Builder{}
	fmt.Fprintf(w, "\nThe learned filters: %s\n", files.filters)
	fmt.Fprintf(w, "What was learned, to open in a browser: %s\n", files.report)
	fmt.Fprintf(w, "The same by hand:\n")
	for _, args := range commands {
		fmt.Fprintf(w, "  %s\n", shell(args))
	}
	_, err := io.WriteString(ui.out, w.String())
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

// writeFile writes a file that appears whole or not at all.
func writeFile(name string, write func(io.Writer) error) error {
	f, err := atomicfile.Create(name)
	if err != nil {
		return err
	}
	defer f.Abort()
	if err := write(f); err != nil {
		return err
	}
	return f.Commit()
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

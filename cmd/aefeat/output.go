package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/urfave/cli/v2"

	"github.com/aefeat/aefeat/arrowio"
	"github.com/aefeat/aefeat/internal/atomicfile"
	"github.com/aefeat/aefeat/model"
	"github.com/aefeat/aefeat/stage"
)

// nameOf names an output for people.
func nameOf(output string) string {
	if output == "-" {
		return "standard output"
	}
	return output
}

// wouldReplace reports whether writing output would take the place of a file
// that is there, which holds something else.
func wouldReplace(output, file string) bool {
	a, errA := os.Stat(output)
	b, errB := os.Stat(file)
	return errA == nil && errB == nil && a.Mode().IsRegular() && os.SameFile(a, b)
}

// replaced returns the first file of inputs, which may be folders and patterns,
// whose place writing output would take; "" if there is none.
func replaced(output string, inputs []string) string {
	for _, input := range inputs {
		// Where there are no such files, opening them says so.
		files, _ := arrowio.Expand([]string{input})
		for _, name := range files {
			if wouldReplace(output, name) {
				return name
			}
		}
	}
	return ""
}

// refuseTerminal returns a usage error where binary output would fill a
// person's screen.
func refuseTerminal(ui *console, command, what, output string) error {
	if output == "-" && isTerminal(ui.out) {
		return usagef(command, "refusing to write %s to the terminal: name a file with -o, or send standard output elsewhere", what)
	}
	return nil
}

// outputFile is where a command writes what is no table.
type outputFile struct {
	io.Writer
	file *atomicfile.File // nil: standard output
}

// createOutput opens an output. Nothing appears there before Commit.
func createOutput(ui *console, output string) (*outputFile, error) {
	if output == "-" {
		return &outputFile{ui.out, nil}, nil
	}
	f, err := atomicfile.Create(output)
	if err != nil {
		return nil, err
	}
	return &outputFile{f, f}, nil
}

// Commit makes the file appear.
func (f *outputFile) Commit() error {
	if f.file == nil {
		return nil
	}
	return f.file.Commit()
}

// Abort leaves nothing of a file that was not committed.
func (f *outputFile) Abort() {
	if f.file != nil {
		_ = f.file.Abort() // there is an error already, or nothing to abort
	}
}

// writeModel writes a model and commits its file.
func writeModel(f *outputFile, m *model.Model) error {
	w := bufio.NewWriter(f)
	_, err := m.WriteTo(w)
	if err == nil {
		err = w.Flush()
	}
	if err == nil {
		err = f.Commit()
	}
	if err != nil {
		return fmt.Errorf("writing the model: %w", err)
	}
	return nil
}

// readModel reads a model file. With bareToo it may have tensors only, and bare
// says whether it has.
func readModel(name string, bareToo bool) (m *model.Model, bare bool, err error) {
	if name == "-" {
		return nil, false, usagef("", "a model is not read from standard input, which is for data")
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, false, err
	}
	defer f.Close()
	m, err = model.Read(bufio.NewReaderSize(f, 1<<20))
	var without *model.BareError
	switch {
	case errors.As(err, &without) && bareToo:
		return without.Model, true, nil
	case errors.As(err, &without):
		err = &hintedError{errors.New("bare tensors, without the settings of a model"),
			"make a model of them with 'aefeat fit --init " + name + " --epochs 0 -o MODEL'"}
	}
	if err != nil {
		return nil, false, fmt.Errorf("%s: %w", name, err)
	}
	return m, false, nil
}

// requireModel reads the file that -m names.
func requireModel(c *cli.Context) (*model.Model, error) {
	name := c.String("model")
	if name == "" {
		return nil, usagef(c.Command.Name, "no model: name the file that fit has written with -m")
	}
	if name == "-" {
		return nil, usagef(c.Command.Name, "a model is not read from standard input, which is for data")
	}
	m, _, err := readModel(name, false)
	return m, err
}

// formats are the formats that the ends of names stand for.
var formats = map[string]arrowio.Format{
	".parquet": arrowio.Parquet,
	".arrow":   arrowio.Arrow,
	".feather": arrowio.Arrow,
	".arrows":  arrowio.Stream,
}

// otherFormats are the ends of names of files that nobody wants to have record
// batches in them.
var otherFormats = []string{".csv", ".tsv", ".json", ".jsonl", ".npy", ".npz"}

// outputFormat returns the format of an output: what --format says, or else
// what the end of its name says.
func outputFormat(c *cli.Context, output string) (arrowio.Format, error) {
	if !c.IsSet("format") {
		end := strings.ToLower(filepath.Ext(output))
		if f, known := formats[end]; known {
			return f, nil
		}
		if slices.Contains(otherFormats, end) {
			return "", usagef(c.Command.Name, "%s: %s is not a format of outputs: name the file .parquet, .arrow or .arrows, or say which it is to be with --format", output, end)
		}
	}
	return arrowio.Format(chosen(c, "format")), nil
}

// features says how rows with codes are written.
type features struct {
	config stage.TransformConfig
	format arrowio.Format
}

func newFeatures(c *cli.Context, output string) (features, error) {
	format, err := outputFormat(c, output)
	if err != nil {
		return features{}, err
	}
	f := features{
		config: stage.TransformConfig{
			Columns:  columns(c),
			Skip:     chosen(c, "on-bad-row") == "skip",
			PixelMax: c.Float64("pixel-max"),
			Layout:   chosen(c, "layout"),
			Prefix:   c.String("prefix"),
			Keep:     keep(c),

			Reconstruction: c.Bool("reconstruction"),
			Score:          c.Bool("score"),
		},
		format: format,
	}
	if f.config.Decode, f.config.Images, err = imageOptions(c); err != nil {
		return f, err
	}
	if err := f.config.Validate(); err != nil {
		return f, wrong(c.Command.Name, err)
	}
	if f.config.Prefix == "" {
		return f, usagef(c.Command.Name, "--prefix is empty: columns need a name")
	}
	return f, nil
}

// check finds out, as far as that is possible without a row, whether the
// features of m for data of the given schema can be written to output.
func (f features) check(m *model.Model, schema *arrow.Schema, output string) error {
	t, err := stage.NewTransformer(m, schema, f.config)
	if err != nil {
		return err
	}
	if info, err := os.Stat(output); output == "-" || err == nil && !info.Mode().IsRegular() && !info.IsDir() {
		output = os.DevNull // a pipe or device must not be opened twice
	}
	w, err := arrowio.Create(output, t.Schema(), arrowio.WriteOptions{Format: f.format})
	if err != nil {
		return err
	}
	return w.Abort()
}

// write adds the codes of m to all rows of src and writes them to output.
func (f features) write(ctx context.Context, ui *console, p *progress, src *arrowio.Source, m *model.Model, output string) error {
	defer p.clear()
	t, err := stage.NewTransformer(m, src.Schema(), f.config)
	if err != nil {
		return located(src, err)
	}
	w, err := arrowio.Create(output, t.Schema(), arrowio.WriteOptions{Format: f.format, Stdout: ui.out})
	if err != nil {
		return err
	}
	defer w.Abort() // after Close it does nothing
	r, err := read(ctx, src, f.projection(t))
	if err != nil {
		return err
	}
	defer r.Release()
	total, _ := src.NumRows()
	report, err := t.Run(ctx, r, &counted{w: w, progress: p, step: step{Phase: "transform", Total: total}})
	if err != nil {
		return located(src, err)
	}
	if err := w.Close(); err != nil {
		return err
	}
	lines := []string{fmt.Sprintf("wrote %s with %s to %s", plural(report.Rows, "row"), f.added(m), nameOf(output))}
	if report.Skipped > 0 {
		lines = append(lines, skipped(report.BadRows)+": their features are null")
	}
	p.finish(withBadRows(map[string]any{"command": "transform", "rows": report.Rows}, src, report.BadRows), lines...)
	return nil
}

// added says what rows are given.
func (f features) added(m *model.Model) string {
	var parts []string
	if f.config.Layout != stage.LayoutNone {
		parts = append(parts, fmt.Sprintf("%d features", m.Hidden))
	}
	if f.config.Reconstruction {
		parts = append(parts, "reconstructions")
	}
	if f.config.Score {
		parts = append(parts, "scores")
	}
	return strings.Join(parts, ", ")
}

// projection names the columns to read: nil for all.
func (f features) projection(t *stage.Transformer) []string {
	if f.config.Keep == nil {
		return nil
	}
	return append(t.Columns(), f.config.Keep...)
}

// counted tells a progress of the rows that go through to w.
type counted struct {
	w        stage.Writer
	progress *progress
	step     step
}

func (c *counted) Write(rec arrow.RecordBatch) error {
	err := c.w.Write(rec)
	if err == nil {
		c.step.Rows += rec.NumRows()
		c.progress.show(c.step)
	}
	return err
}

package main

import (
	"bufio"
	"cmp"
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
	"github.com/aefeat/aefeat/internal/disk"
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

// refuseTerminal returns a usage error where binary output would fill a
// person's screen.
func refuseTerminal(ui *console, command, what, output string) error {
	if output == "-" && isTerminal(ui.out) {
		return usagef(command, "refusing to write %s to the terminal: name a file with -o, or send standard output elsewhere", what).as(codeUsageOutput)
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

// writeModel writes a model, commits its file and returns what it is known by.
func writeModel(f *outputFile, m *model.Model) (*digest, error) {
	sum := newDigest()
	w := bufio.NewWriter(io.MultiWriter(f, sum))
	_, err := m.WriteTo(w)
	if err == nil {
		err = w.Flush()
	}
	if err == nil {
		err = f.Commit()
	}
	if err != nil {
		return nil, fmt.Errorf("writing the model: %w", err)
	}
	return sum, nil
}

// readModel reads a model file, "-" standard input. With bareToo it may have
// tensors only, and bare says whether it has.
func readModel(ctx context.Context, ui *console, name string, bareToo bool) (m *model.Model, info model.Info, bare bool, err error) {
	in := ui.in
	if name != "-" {
		f, err := disk.Open(name)
		if err != nil {
			return nil, info, false, &inputError{name, err}
		}
		defer f.Close()
		in = f
	}
	m, info, err = model.ReadInfo(bufio.NewReaderSize(interruptible(ctx, in), 1<<20))
	var without *model.BareError
	switch {
	case errors.As(err, &without) && bareToo:
		return without.Model, info, true, nil
	case errors.As(err, &without):
		err = &hintedError{&codedError{codeModelBare, errors.New("bare tensors, without the settings of a model")},
			"make a model of them with 'aefeat fit --init " + name + " --epochs 0 -o MODEL'"}
	}
	if err != nil {
		name = inputName(name)
		return nil, info, false, &inputError{name, fmt.Errorf("%s: %w", name, err)}
	}
	return m, info, false, nil
}

// requireModel reads the file that -m names.
func requireModel(c *cli.Context, ui *console) (*model.Model, model.Info, error) {
	name := c.String("model")
	if name == "" {
		return nil, model.Info{}, usagef(c.Command.Name, "no model: name the file that fit has written with -m").as(codeUsageInput)
	}
	if err := stdinOnce(c, ui, name); err != nil {
		return nil, model.Info{}, err
	}
	m, info, _, err := readModel(c.Context, ui, name, false)
	return m, info, err
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
			return "", usagef(c.Command.Name, "%s: %s is not a format of outputs: name the file .parquet, .arrow or .arrows, or say which it is to be with --format", output, end).as(codeUsageOutput)
		}
	}
	return arrowio.Format(chosen(c, "format")), nil
}

// features says how rows with codes are written.
type features struct {
	config stage.TransformConfig
	format arrowio.Format
	record *recorder // of the run; nil: none is wanted
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
	if info, err := disk.Stat(output); output == "-" || err == nil && !info.Mode().IsRegular() && !info.IsDir() {
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
	if err := require(src, t.Columns()); err != nil {
		return err
	}
	total, _ := src.NumRows()
	at := &step{Phase: "transform", Total: total}
	count := &counted{progress: p, step: at, sum: f.record.digest()}
	w, report, err := f.run(ctx, src, t, output, ui.out, count)
	if err != nil {
		return err
	}
	defer w.Abort() // after Close it does nothing
	// The output may take the place of an input.
	files, err := f.record.files(ctx, src)
	if err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	f.record.transformed(src, files, report, outputRecord{File: output, Format: cmp.Or(f.format, arrowio.Parquet)}, count.sum)
	if err := f.record.finish(); err != nil {
		return err
	}
	lines := []string{fmt.Sprintf("wrote %s with %s to %s", plural(report.Rows, "row"), f.added(m), nameOf(output))}
	if report.Skipped > 0 {
		lines = append(lines, skipped(report.BadRows)+": their features are null")
	}
	event := map[string]any{"rows": report.Rows, "model": f.config.ModelHash, "seed": m.Seed}
	p.finish(withBadRows(event, src, report.BadRows), lines...)
	return nil
}

// run sends all rows of src through t to output, where stdout is "-". What is
// left for the caller is to close the writer.
func (f features) run(ctx context.Context, src *arrowio.Source, t *stage.Transformer, output string, stdout io.Writer, c *counted) (_ *arrowio.Writer, report stage.TransformReport, err error) {
	o := arrowio.WriteOptions{Format: f.format, Stdout: stdout}
	if c.sum != nil {
		o.Hash = c.sum
	}
	w, err := arrowio.Create(output, t.Schema(), o)
	if err != nil {
		return nil, report, err
	}
	defer func() {
		if err != nil {
			w.Abort()
		}
	}()
	r, err := read(ctx, src, f.projection(t))
	if err != nil {
		return nil, report, err
	}
	defer r.Release()
	c.w = w
	if report, err = t.Run(ctx, r, c); err != nil {
		return nil, report, located(src, err)
	}
	return w, report, w.Finish()
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
	step     *step
	sum      *digest // of what w writes; nil: it is not wanted
}

func (c *counted) Write(rec arrow.RecordBatch) error {
	err := c.w.Write(rec)
	if err == nil {
		c.step.Rows += rec.NumRows()
		c.progress.show(*c.step)
	}
	return err
}

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
// person's screen, and one of the machine where there is nothing to write to.
func refuseTerminal(ui *console, command, what, output string) error {
	if output == "-" && isTerminal(ui.out) {
		return usagef(command, "refusing to write %s to the terminal: name a file with -o, or send standard output elsewhere", what).as(codeUsageOutput)
	}
	if isStdout(output) {
		return ui.needOut()
	}
	return nil
}

// outputFile is where a command writes. What is nil is no output at all.
type outputFile struct {
	io.Writer
	file *atomicfile.File // nil: standard output
}

// createOutput opens an output. Nothing appears there before it is committed.
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

// replaces reports whether the output appears whole, or else is written as the
// bytes come.
func (f *outputFile) replaces() bool { return f.file != nil && !f.file.Direct() }

// reserve makes sure that there is room for n bytes.
func (f *outputFile) reserve(n int64) error {
	if f.file == nil {
		return nil
	}
	return f.file.Reserve(n)
}

// Commit makes the file appear.
func (f *outputFile) Commit() error { return commitAll(f) }

// Abort leaves nothing of a file that was not committed.
func (f *outputFile) Abort() {
	if f != nil && f.file != nil {
		_ = f.file.Abort() // there is an error already, or nothing to abort
	}
}

// commitAll makes outputs appear in this order, all of them or none, but for
// what renaming a file can meet.
func commitAll(outputs ...*outputFile) error {
	var files []*atomicfile.File
	for _, out := range outputs {
		if out == nil {
			continue
		}
		if out.file != nil {
			files = append(files, out.file)
		} else if s, ok := out.Writer.(*stdout); ok {
			if err := s.store(); err != nil {
				return err
			}
		}
	}
	return atomicfile.CommitAll(files...)
}

// writeModel writes a model.
func writeModel(w io.Writer, m *model.Model) error {
	b := bufio.NewWriterSize(w, 64<<10)
	_, err := m.WriteTo(b)
	if err == nil {
		err = b.Flush()
	}
	if err != nil {
		return fmt.Errorf("writing the model: %w", err)
	}
	return nil
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
	out, tell, err := f.make(ctx, ui, p, src, m, output)
	if err != nil {
		return err
	}
	defer out.Abort() // after the commit it does nothing
	if err := f.record.commit(out); err != nil {
		return err
	}
	tell()
	return nil
}

// make is write without the commit. tell is for after it.
func (f features) make(ctx context.Context, ui *console, p *progress, src *arrowio.Source, m *model.Model, output string) (out *outputFile, tell func(), err error) {
	defer p.clear()
	t, err := stage.NewTransformer(m, src.Schema(), f.config)
	if err != nil {
		return nil, nil, located(src, err)
	}
	if err := require(src, t.Columns()); err != nil {
		return nil, nil, err
	}
	total, _ := src.NumRows()
	at := &step{Phase: "transform", Total: total}
	count := &counted{progress: p, step: at, sum: f.record.digest()}
	out, report, err := f.run(ctx, ui, src, t, output, count)
	if err != nil {
		return nil, nil, err
	}
	files, err := f.record.files(ctx, src)
	if err != nil {
		out.Abort()
		return nil, nil, err
	}
	f.record.transformed(src, files, report, outputRecord{File: output, Format: cmp.Or(f.format, arrowio.Parquet)}, count.sum)
	return out, func() {
		lines := []string{fmt.Sprintf("wrote %s with %s to %s", plural(report.Rows, "row"), f.added(m), nameOf(output))}
		if report.Skipped > 0 {
			lines = append(lines, skipped(report.BadRows)+": their features are null")
		}
		event := map[string]any{"rows": report.Rows, "model": f.config.ModelHash, "seed": m.Seed}
		p.finish(withBadRows(event, src, report.BadRows), lines...)
	}, nil
}

// run sends all rows of src through t to output. What is left for the caller is
// to commit it.
func (f features) run(ctx context.Context, ui *console, src *arrowio.Source, t *stage.Transformer, output string, c *counted) (out *outputFile, report stage.TransformReport, err error) {
	if out, err = createOutput(ui, output); err != nil {
		return nil, report, err
	}
	defer func() {
		if err != nil {
			out.Abort()
		}
	}()
	o := arrowio.WriteOptions{Format: f.format}
	if c.sum != nil {
		o.Hash = c.sum
	}
	w, err := arrowio.NewWriter(out, t.Schema(), o)
	if err != nil {
		return nil, report, err
	}
	defer w.Abort() // after Close it does nothing
	r, err := read(ctx, src, f.projection(t))
	if err != nil {
		return nil, report, err
	}
	defer r.Release()
	c.w = w
	if report, err = t.Run(ctx, r, c); err != nil {
		return nil, report, located(src, err)
	}
	return out, report, w.Close()
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

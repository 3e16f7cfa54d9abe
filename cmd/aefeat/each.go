package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/aefeat/aefeat/arrowio"
	"github.com/aefeat/aefeat/internal/disk"
	"github.com/aefeat/aefeat/model"
	"github.com/aefeat/aefeat/patch"
	"github.com/aefeat/aefeat/stage"
)

// This file has transform of one file after the other, each to an output of its
// own.

// commits is how many outputs may wait for the disk at a time. It takes many in
// hardly more time than one: 1,000 files of 20 kB took 5.1 s one by one and
// 0.4 s with four at a time. A disk that others keep busy takes a second for
// each turn.
const commits = 32

// eachJob transforms files one by one.
type eachJob struct {
	features
	ui       *console
	progress *progress
	model    *model.Model
	open     sourceOptions
	dir      string

	transformer *stage.Transformer // of the file before
	schema      *arrow.Schema      // of that file
	kept        []string           // of it, by that transformer
	step        step

	// What the files came to.
	files             int // all of them
	written, existing int
	rows              int64
	bad               patch.BadRows
	passed            []string // foreign files
	failed            []error
	hints             map[string]bool // told
}

// An ending is a file whose rows are through. It is over when done is closed.
type ending struct {
	pair
	src    *arrowio.Source
	files  []arrowio.InputFile
	format arrowio.Format
	sum    *digest // of the output; nil: it is not wanted
	report stage.TransformReport
	done   chan struct{}
	err    error
}

// transformEach is transform into the folder dir.
func transformEach(c *cli.Context, ui *console, dir string) error {
	// What a folder is called says nothing about formats.
	f, err := newFeatures(c, dir+string(filepath.Separator))
	if err != nil {
		return err
	}
	if !c.IsSet("format") {
		f.format = "" // that of the input
	}
	all, err := pairs("transform", c.Args().Slice(), dir, f.format)
	if err != nil {
		return err
	}
	if name, err := ui.pairReplaced(all, c.String("model")); err != nil {
		return err
	} else if name != "" {
		return usagef("transform", "the features would replace %s", name).as(codeUsageOutput)
	}
	var outputs []string
	for _, p := range all {
		outputs = append(outputs, p.output)
	}
	if err := checkRecord(c, ui, c.Args().Slice(), outputs...); err != nil {
		return err
	}
	j := &eachJob{features: f, ui: ui, progress: newProgress(ui, chosen(c, "progress")), dir: dir,
		files: len(all), hints: map[string]bool{}}
	var info model.Info
	if j.model, info, err = requireModel(c, ui); err != nil {
		return err
	}
	j.config.ModelHash = info.Hash
	if c.Bool("skip-existing") {
		all = j.missing(all)
	}
	if err := disk.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	if j.features.record, err = newRecorder(c, ui, c.Args().Slice()); err != nil {
		return err
	}
	defer j.features.record.abort()
	j.features.record.used(c.String("model"), j.model, info.Hash, j.settings(j.model))
	if j.open, err = newSourceOptions(c, filepath.Join(dir, "output")); err != nil {
		return err
	}
	j.open.hash = j.features.record != nil
	return j.run(c.Context, all)
}

// missing returns the pairs whose output is not there, and counts the others.
// Outputs appear whole, so one that is there is whole.
func (j *eachJob) missing(all []pair) []pair {
	var missing []pair
	for _, p := range all {
		if info, err := disk.Stat(p.output); err == nil && !info.IsDir() {
			j.existing++
		} else {
			missing = append(missing, p)
		}
	}
	return missing
}

// run transforms each input to its output. One that fails is told of, and the
// others are done nonetheless, unless the next would fare no better.
func (j *eachJob) run(ctx context.Context, all []pair) error {
	defer j.progress.clear()
	j.step = step{Phase: "transform", Files: len(all)}
	working, stop := context.WithCancel(ctx)
	defer stop()
	endings := make(chan *ending, commits)
	over := make(chan struct{})
	go func() {
		defer close(over)
		for e := range endings {
			<-e.done
			if j.end(e) {
				stop()
			}
		}
	}()
	for _, p := range all {
		if working.Err() != nil {
			break
		}
		endings <- j.transform(working, p)
		j.step.File++
		j.step.Done, j.step.Total = j.step.Rows, 0
		j.progress.show(j.step)
	}
	close(endings)
	<-over
	if err := ctx.Err(); err != nil {
		return err
	}
	if len(j.failed) == 1 && j.files == 1 {
		return j.failed[0]
	}
	if len(j.passed) > 0 && len(j.passed) == j.files {
		return &arrowio.FileError{File: all[0].root, Err: errors.New("no file in this folder is Parquet or Arrow"), Key: arrowio.KeyMissing}
	}
	if len(j.failed) == 0 {
		if err := j.features.record.commit(); err != nil {
			return err
		}
	}
	j.tell()
	if len(j.failed) == 0 {
		return nil
	}
	return &filesError{errs: j.failed, files: j.files - len(j.passed), left: len(all) - j.written - len(j.passed) - len(j.failed)}
}

// transform sends one input through, and begins to commit its output.
func (j *eachJob) transform(ctx context.Context, p pair) *ending {
	e := &ending{pair: p, done: make(chan struct{})}
	out, err := j.write(ctx, e)
	if err != nil {
		e.err = err
		close(e.done)
		return e
	}
	go func() {
		defer close(e.done)
		e.err = out.Commit()
	}()
	return e
}

// write writes all of an output but for the commit.
func (j *eachJob) write(ctx context.Context, e *ending) (*outputFile, error) {
	src, err := j.open.open(ctx, j.ui, []string{e.input})
	if err != nil {
		return nil, err
	}
	defer src.Close()
	e.src = src
	f := j.features
	f.config.Keep = withoutKeys(f.config.Keep, src, e.output)
	if err := j.bind(src, f.config); err != nil {
		return nil, err
	}
	if err := disk.MkdirAll(filepath.Dir(e.output), 0o777); err != nil {
		return nil, err
	}
	if f.format == "" {
		f.format = src.Format()
	}
	j.step.Total, _ = src.NumRows()
	e.format, e.sum = f.format, f.record.digest()
	count := &counted{progress: j.progress, step: &j.step, sum: e.sum}
	out, report, err := f.run(ctx, j.ui, src, j.transformer, e.output, count)
	if err != nil {
		return nil, err
	}
	e.report = report
	if e.files, err = f.record.files(ctx, src); err != nil {
		out.Abort()
	}
	return out, err
}

// bind makes the transformer of a file, unless that of the file before will do.
func (j *eachJob) bind(src *arrowio.Source, c stage.TransformConfig) error {
	s := src.Schema()
	if j.schema != nil && s.Equal(j.schema) && s.Metadata().Equal(j.schema.Metadata()) && slices.Equal(c.Keep, j.kept) {
		return nil
	}
	t, err := stage.NewTransformer(j.model, s, c)
	if err != nil {
		return located(src, err)
	}
	j.transformer, j.schema, j.kept = t, s, c.Keep
	return nil
}

// withoutKeys returns the columns to keep, nil for all, without those that src
// has from its path and the path of the output tells, too.
func withoutKeys(keep []string, src *arrowio.Source, output string) []string {
	kept := arrowio.PathKeys(output)
	told := func(name string) bool { return slices.Contains(src.Keys(), name) && slices.Contains(kept, name) }
	if !slices.ContainsFunc(src.Keys(), told) {
		return keep
	}
	if keep == nil {
		for _, f := range src.Schema().Fields() {
			keep = append(keep, f.Name)
		}
	}
	return slices.DeleteFunc(slices.Clone(keep), told)
}

// end tells how a file ended, and reports whether no other should be begun.
func (j *eachJob) end(e *ending) (stop bool) {
	switch {
	case e.err == nil:
		j.written++
		j.rows += e.report.Rows
		j.bad.Merge(patch.BadRows{Counts: e.report.BadRows.Counts}) // which rows, the file's event says
		event := map[string]any{"command": "transform", "file": e.input, "output": e.output, "rows": e.report.Rows}
		j.features.record.transformed(e.src, e.files, e.report, outputRecord{File: e.output, Format: e.format, Input: e.input}, e.sum)
		j.progress.end(withBadRows(event, e.src, e.report.BadRows))
		return false
	case e.root != "" && errors.Is(e.err, arrowio.ErrForeign):
		j.passed = append(j.passed, e.input)
		return false
	case errors.Is(e.err, context.Canceled):
		return true
	}
	err := inFlags("transform", e.named())
	j.failed = append(j.failed, err)
	if j.files > 1 {
		j.progress.fail(j.onceHinted(err))
	}
	return hopeless(codeOf(err))
}

// hopeless reports whether an output of which this is the error tells that the
// next would fare no better.
func hopeless(c code) bool { return c == "output.full" || c == "output.io" }

// onceHinted takes the hints off an error if people were told them: thousands
// of files may have the same fault.
func (j *eachJob) onceHinted(err error) error {
	hints := strings.Join(hintsOf(err), "\n")
	if !j.ui.json && j.hints[hints] {
		return &hintlessError{err}
	}
	j.hints[hints] = true
	return err
}

// named returns the error with the name of the input, if that is not told.
func (e *ending) named() error {
	var file *arrowio.FileError
	var row *patch.RowError
	var output *fs.PathError
	if errors.As(e.err, &file) || errors.As(e.err, &row) && row.File != "" || errors.As(e.err, &output) && output.Path == e.output {
		return e.err
	}
	return fmt.Errorf("%s: %w", e.input, e.err)
}

// tell says what was done.
func (j *eachJob) tell() {
	line := fmt.Sprintf("wrote %s with %s to %s in %s", plural(j.rows, "row"), j.added(j.model), plural(int64(j.written), "file"), j.dir)
	if j.existing > 0 {
		line += fmt.Sprintf("; %s there already", plural(int64(j.existing), "file"))
	}
	j.progress.clear()
	tellPassed(j.ui, j.passed)
	lines := []string{line}
	if j.bad.Total() > 0 {
		lines = append(lines, skipped(j.bad)+": their features are null")
	}
	event := map[string]any{"files": j.written, "existing": j.existing, "passed": len(j.passed), "failed": len(j.failed), "rows": j.rows, "output": j.dir, "model": j.config.ModelHash, "seed": j.model.Seed}
	j.progress.finish(withBadRows(event, nil, j.bad), lines...)
}

// A filesError says that some files failed, which were told of by themselves.
type filesError struct {
	errs        []error
	files, left int // all files, and those that were not begun
}

func (e *filesError) Error() string {
	text := fmt.Sprintf("%d of %s failed", len(e.errs), plural(int64(e.files), "file"))
	if e.left > 0 {
		text += fmt.Sprintf(", and %d were not begun", e.left)
	}
	return text
}

func (e *filesError) Unwrap() []error { return e.errs }

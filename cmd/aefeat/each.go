package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/urfave/cli/v2"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/aefeat/aefeat/arrowio"
	"github.com/aefeat/aefeat/model"
	"github.com/aefeat/aefeat/patch"
	"github.com/aefeat/aefeat/stage"
)

// This file has transform of one file after the other, each to an output of its
// own.

// commits is how many outputs may wait for the disk at a time. It takes several
// in hardly more time than one: 1,000 files of 20 kB took 5.1 s one by one, 0.4
// s with four at a time and no less with 16.
const commits = 8

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
	step        step

	// What the files came to.
	written, existing int
	rows              int64
	bad               patch.BadRows
	failed            []error
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
	if name := sourceReplaced(all, c.String("model")); name != "" {
		return usagef("transform", "the features would replace %s", name).as(codeUsageOutput)
	}
	j := &eachJob{features: f, ui: ui, progress: newProgress(ui, chosen(c, "progress")), dir: dir}
	var info model.Info
	if j.model, info, err = requireModel(c, ui); err != nil {
		return err
	}
	j.config.ModelHash = info.Hash
	if j.features.record, err = newRecorder(c, ui); err != nil {
		return err
	}
	defer j.features.record.abort()
	j.features.record.used(c.String("model"), j.model, info.Hash, j.settings(j.model))
	if c.Bool("skip-existing") {
		all = j.missing(all)
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
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
		if info, err := os.Stat(p.output); err == nil && !info.IsDir() {
			j.existing++
		} else {
			missing = append(missing, p)
		}
	}
	return missing
}

// run transforms each input to its output. One that fails is told of, and the
// others are done nonetheless, unless what fails is the writing: the next would
// fare no better.
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
	if len(j.failed) == 0 {
		if err := j.features.record.finish(); err != nil {
			return err
		}
	}
	j.tell()
	if len(j.failed) == 0 {
		return nil
	}
	return &filesError{errs: j.failed, files: len(all), left: len(all) - j.written - len(j.failed)}
}

// transform sends one input through, and begins to commit its output.
func (j *eachJob) transform(ctx context.Context, p pair) *ending {
	e := &ending{pair: p, done: make(chan struct{})}
	w, err := j.write(ctx, e)
	if err != nil {
		e.err = err
		close(e.done)
		return e
	}
	go func() {
		defer close(e.done)
		e.err = w.Close()
	}()
	return e
}

// write writes all of an output but for the commit.
func (j *eachJob) write(ctx context.Context, e *ending) (*arrowio.Writer, error) {
	src, err := j.open.open(ctx, j.ui, []string{e.input})
	if err != nil {
		return nil, err
	}
	defer src.Close()
	e.src = src
	if err := j.bind(src); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(e.output), 0o777); err != nil {
		return nil, err
	}
	f := j.features
	if f.format == "" {
		f.format = src.Format()
	}
	j.step.Total, _ = src.NumRows()
	e.format, e.sum = f.format, f.record.digest()
	count := &counted{progress: j.progress, step: &j.step, sum: e.sum}
	w, report, err := f.run(ctx, src, j.transformer, e.output, nil, count)
	if err != nil {
		return nil, err
	}
	e.report = report
	if e.files, err = f.record.files(ctx, src); err != nil {
		w.Abort()
	}
	return w, err
}

// bind makes the transformer of a file, unless that of the file before will do.
func (j *eachJob) bind(src *arrowio.Source) error {
	s := src.Schema()
	if j.schema != nil && s.Equal(j.schema) && s.Metadata().Equal(j.schema.Metadata()) {
		return nil
	}
	t, err := stage.NewTransformer(j.model, s, j.config)
	if err != nil {
		return located(src, err)
	}
	j.transformer, j.schema = t, s
	return nil
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
	case errors.Is(e.err, context.Canceled):
		return true
	}
	err := inFlags("transform", e.named())
	j.failed = append(j.failed, err)
	j.progress.fail(err)
	return e.ofOutput()
}

// named returns the error with the name of the input, if that is not told.
func (e *ending) named() error {
	var file *arrowio.FileError
	var row *patch.RowError
	if errors.As(e.err, &file) || errors.As(e.err, &row) && row.File != "" || e.ofOutput() {
		return e.err
	}
	return fmt.Errorf("%s: %w", e.input, e.err)
}

// ofOutput reports whether the error is about writing the output.
func (e *ending) ofOutput() bool {
	var at *fs.PathError
	return errors.As(e.err, &at) && at.Path == e.output
}

// tell says what was done.
func (j *eachJob) tell() {
	line := fmt.Sprintf("wrote %s with %s to %s in %s", plural(j.rows, "row"), j.added(j.model), plural(int64(j.written), "file"), j.dir)
	if j.existing > 0 {
		line += fmt.Sprintf("; %s there already", plural(int64(j.existing), "file"))
	}
	lines := []string{line}
	if j.bad.Total() > 0 {
		lines = append(lines, skipped(j.bad)+": their features are null")
	}
	event := map[string]any{"files": j.written, "existing": j.existing, "failed": len(j.failed), "rows": j.rows, "output": j.dir, "model": j.config.ModelHash, "seed": j.model.Seed}
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

package main

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/aefeat/aefeat/arrowio"
	"github.com/aefeat/aefeat/internal/atomicfile"
	"github.com/aefeat/aefeat/internal/limits"
	"github.com/aefeat/aefeat/model"
	"github.com/aefeat/aefeat/patch"
	"github.com/aefeat/aefeat/stage"
)

// This file gathers the record of a run while it works.

// A recorder gathers the record of a run. A nil one does nothing.
type recorder struct {
	record
	ui   *console
	path string
	out  *outputFile
}

// newRecorder opens the file that --report names; nil: there is no such flag.
// The record must not go where one of outputs goes, nor take the place of one
// of inputs. The caller aborts it.
func newRecorder(c *cli.Context, ui *console, inputs []string, outputs ...string) (*recorder, error) {
	if err := checkRecord(c, ui, inputs, outputs...); err != nil {
		return nil, err
	}
	path := c.String("report")
	if path == "" {
		return nil, nil
	}
	out, err := createOutput(ui, path)
	if err != nil {
		return nil, err
	}
	arguments, _ := c.App.Metadata["arguments"].([]string)
	r := &recorder{ui: ui, path: path, out: out, record: record{
		Layout: recordLayout, Command: c.Command.Name, Arguments: arguments, Version: version(), Started: time.Now().UTC(),
		BadRows: badRows{Counts: map[patch.Reason]int64{}}, Inputs: []inputRecord{}, Outputs: []outputRecord{}, Warnings: []warningRecord{},
	}}
	ui.heard = r.warn
	return r, nil
}

// checkRecord refuses a record that would do harm.
func checkRecord(c *cli.Context, ui *console, inputs []string, outputs ...string) error {
	path := c.String("report")
	if path == "" {
		return nil
	}
	command := c.Command.Name
	for _, output := range outputs {
		if output != "" && atomicfile.Same(path, output) {
			return usagef(command, "the record and the output would go to the same place, %s", nameOf(output)).as(codeUsageOutput)
		}
	}
	if isStdout(path) {
		if err := ui.needOut(); err != nil {
			return err
		}
	}
	return ui.keepSources(command, []written{{"the record", path}}, models(c.String("model"), c.String("init")), data(inputs))
}

// abort leaves no record behind. After commit it does nothing.
func (r *recorder) abort() {
	if r != nil {
		r.ui.heard = nil
		r.out.Abort()
	}
}

// warn notes a warning.
func (r *recorder) warn(code code, message string) {
	r.Warnings = append(r.Warnings, warningRecord{code, message})
}

// files returns the files of src, all of which has been read.
func (r *recorder) files(ctx context.Context, src *arrowio.Source) ([]arrowio.InputFile, error) {
	if r == nil || src == nil {
		return nil, nil
	}
	return src.Files(ctx)
}

// read notes files that were read.
func (r *recorder) read(files []arrowio.InputFile) {
	for _, f := range files {
		in := inputRecord{File: f.Name, Format: f.Format, Rows: f.Rows, Bytes: f.Bytes}
		if f.Name == inputName("-") {
			in.File = "-"
		}
		if f.SHA256 != "" {
			in.SHA256 = &f.SHA256
		}
		r.Inputs = append(r.Inputs, in)
	}
}

// digest returns one for an output, nil where none is wanted.
func (r *recorder) digest() *digest {
	if r == nil {
		return nil
	}
	return newDigest()
}

// wrote notes an output, whose bytes went through sum.
func (r *recorder) wrote(o outputRecord, sum *digest) {
	o.Bytes, o.SHA256 = sum.bytes, sum.String()
	r.Outputs = append(r.Outputs, o)
}

// used notes the model that rows go through, and how.
func (r *recorder) used(file string, m *model.Model, hash string, settings any) {
	if r != nil {
		r.Model, r.Seed, r.Settings = modelRecord{file, hash, m.RowsSeen}, m.Seed, settings
	}
}

// transformed notes an output of transform and the files it was made of.
func (r *recorder) transformed(src *arrowio.Source, files []arrowio.InputFile, report stage.TransformReport, o outputRecord, sum *digest) {
	if r == nil {
		return
	}
	r.read(files)
	o.Kind, o.Rows = "features", report.Rows
	r.wrote(o, sum)
	if r.fitRecord != nil {
		return // its rows are counted
	}
	r.Rows += report.Rows
	r.skip(src, report.BadRows)
}

// evaluated notes what a model costs, and writes the record.
func (r *recorder) evaluated(ctx context.Context, src *arrowio.Source, e stage.Evaluation) error {
	if r == nil {
		return nil
	}
	files, err := r.files(ctx, src)
	if err != nil {
		return err
	}
	r.read(files)
	r.Rows, r.Evaluation = e.Rows, &e.Evaluation
	r.skip(src, e.BadRows)
	if err := r.ui.storeOut(); err != nil { // before the record says that all is well
		return err
	}
	return r.commit()
}

// mostBadRows are listed, as of one input.
const mostBadRows = 100

// skip notes rows that were left out; src is as in withBadRows.
func (r *recorder) skip(src *arrowio.Source, bad patch.BadRows) {
	r.Skipped += bad.Total()
	located := locatedBadRows(src, bad)
	for reason, n := range located.Counts {
		r.BadRows.Counts[reason] += n
	}
	first := append(r.BadRows.First, located.First...)
	r.BadRows.First = first[:min(len(first), mostBadRows)]
}

// commit makes outputs appear and, last, the record, which it writes.
func (r *recorder) commit(outputs ...*outputFile) error {
	if r == nil {
		return commitAll(outputs...)
	}
	r.ui.heard = nil
	r.Seconds = seconds(time.Since(r.Started))
	r.PeakMemory = limits.PeakMemory()
	b, err := json.MarshalIndent(r.record, "", "  ")
	if err == nil {
		_, err = r.out.Write(append(b, '\n'))
	}
	if err != nil {
		return fmt.Errorf("writing the record %s: %w", nameOf(r.path), err)
	}
	return commitAll(append(outputs, r.out)...)
}

// seconds are thousandths at the least.
func seconds(d time.Duration) float64 { return d.Round(time.Millisecond).Seconds() }

// digest is the SHA-256 of what is written to it, and its size.
type digest struct {
	hash.Hash
	bytes int64
}

func newDigest() *digest { return &digest{Hash: sha256.New()} }

func (d *digest) Write(p []byte) (int, error) {
	d.bytes += int64(len(p))
	return d.Hash.Write(p)
}

func (d *digest) String() string { return hex.EncodeToString(d.Sum(nil)) }

// fitted notes what a fit came to. files are those that were read.
func (r *recorder) fitted(j *fitJob, m *model.Model, src *arrowio.Source, files []arrowio.InputFile, report *stage.Report, sum *digest) {
	if r == nil {
		return
	}
	r.Rows = report.Rows
	r.skip(src, report.BadRows)
	r.used(j.output, m, sum.String(), settingsOf(m))
	f := &fitRecord{Parent: j.parent, Training: j.training(m), HeldOut: report.HeldOut, Epochs: append([]model.Epoch{}, m.History...), Best: report.Best,
		Evaluations: report.Evaluations, Stop: report.Stop, Units: unitsRecord{Hidden: m.Hidden}, Drift: report.Drift, Spilled: report.Spilled}
	if from := j.from; from != nil {
		f.Resumed = &resumedRecord{from.file, from.sum.String(), from.Epoch, from.Rows}
	}
	for _, e := range m.History {
		if e.Epoch == cmp.Or(report.Best, len(m.History)) {
			f.Units.Health = e.Health
		}
	}
	if j.emit != "" {
		emit := j.features.settings(m)
		f.Emit = &emit
	} else {
		r.read(files) // with the features they come later
	}
	r.fitRecord = f
	r.wrote(outputRecord{File: j.output, Kind: "model", Rows: report.Rows}, sum)
	for _, w := range report.Warnings() {
		text, _ := warningWords(m, w)
		r.warn(codeOfWarning(w.Key), text)
	}
}

// training returns how the model of the job was trained.
func (j *fitJob) training(m *model.Model) trainingRecord {
	o := j.settings.Train
	o.Validate = j.settings.Validation > 0
	if resolved, err := o.WithDefaults(m.Config, m.Preprocess.Method); err == nil {
		o = resolved
	}
	t := trainingRecord{Optimizer: o.Optimizer.String(), LearningRate: o.LearningRate, BatchSize: max(0, o.BatchSize),
		Validation: j.settings.Validation, ValidationKey: j.settings.ValidationKey, Patience: o.Patience, BadRow: onBadRow(j.settings.Skip)}
	if o.Optimizer == model.SGD {
		momentum := max(0, o.Momentum)
		t.Momentum = &momentum
	}
	switch {
	case j.settings.Epochs == stage.NoEpochs:
	case j.iterates():
		t.Epochs = cmp.Or(j.settings.Epochs, stage.DefaultIterations)
	default:
		t.Epochs = cmp.Or(j.settings.Epochs, stage.DefaultEpochs)
	}
	if m.Preprocess.Learned != nil {
		t.PreprocessRows = m.Preprocess.Learned.Rows
	}
	return t
}

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/aefeat/aefeat/internal/atomicfile"
	"github.com/aefeat/aefeat/internal/disk"
	"github.com/aefeat/aefeat/model"
	"github.com/aefeat/aefeat/stage"
)

// This file trains with sums that others gather.

func driveCommand(ui *console) *cli.Command {
	return &cli.Command{
		Name:      "drive",
		Usage:     "train with the sums that others gather over shards",
		UsageText: "aefeat drive -m INIT -o MODEL --shards N [flags]",
		Description: `For each pass it prints a line, "pass POINT", and reads lines of standard input, each the
path of a file of sums that 'aefeat sums -m POINT' has written or 'aefeat merge' joined,
until it has those of shards 0 to N-1. At the end it prints "done MODEL". What is there
twice, of another point or of no shard is an error, and so is an end before the pass is
whole. With --checkpoint a driver that died goes on by --resume, to the same bytes.`,
		Flags:  cliFlags("drive"),
		Action: func(c *cli.Context) error { return drive(c, ui) },
	}
}

// driver is a training that waits for sums.
type driver struct {
	ui       *console
	progress *progress
	output   string
	saveTo   string // of checkpoints; "": none
	note     driveNote
	options  model.TrainOptions
	model    *model.Model
	trainer  *model.Trainer
	whole    *model.Accumulator // of a pass
	lines    *bufio.Scanner     // of standard input
}

// driveNote is what a checkpoint of a driver keeps beside the training.
type driveNote struct {
	Drive  int    `json:"drive"` // version of the note
	Shards int64  `json:"shards"`
	Parent string `json:"parent"` // hash of the initial model

	Rows int64 `json:"rows,omitempty"` // of each pass; 0: there was none yet
}

func drive(c *cli.Context, ui *console) error {
	d := &driver{ui: ui, output: c.String("output"), progress: newProgress(ui, chosen(c, "progress"))}
	if err := d.files(c); err != nil {
		return err
	}
	begin := d.begin
	if c.IsSet("resume") {
		begin = d.resume
	}
	if err := begin(c); err != nil {
		return err
	}
	if err := fitMemory(memoryBound(), fmt.Sprintf("training %d hidden units takes", d.model.Hidden), float64(d.options.Memory(d.model.Config)), "train a smaller model, or on a larger machine"); err != nil {
		return err
	}
	out, err := createOutput(ui, d.output)
	if err != nil {
		return err
	}
	defer out.Abort()
	defer d.progress.clear()
	d.whole = model.NewAccumulator(d.model)
	d.lines = bufio.NewScanner(interruptible(c.Context, ui.in))
	if err := d.run(c.Context); err != nil {
		return err
	}
	return d.end(out)
}

// files finds out where things go, and refuses what would do harm there.
func (d *driver) files(c *cli.Context) error {
	init, resume := c.String("model"), c.String("resume")
	switch {
	case c.Args().Present():
		return usagef("drive", "drive takes no input: paths of sums come in on standard input").as(codeUsageInput)
	case isStdin(init) || isStdin(resume):
		return usagef("drive", "standard input has the paths of sums: name a file").as(codeUsageInput)
	case d.output == "" || isStdout(d.output):
		return usagef("drive", "standard output says which passes there are: name a file for the model with -o").as(codeUsageOutput)
	case isPipe(d.output):
		return usagef("drive", "-o %s is no file, and the points of passes go beside it", d.output).as(codeUsageOutput)
	case unprintable(d.output):
		return usagef("drive", "-o %q: the name stands on a line, and has to be printable", d.output).as(codeUsageOutput)
	}
	var err error
	if d.saveTo, err = checkpointFile(c, resume); err != nil {
		return err
	}
	if d.saveTo != "" && atomicfile.Same(d.saveTo, d.output) {
		return usagef("drive", "the model and checkpoints cannot both go to %s", d.output).as(codeUsageOutput)
	}
	for _, f := range []written{{"the model", init}, {"the checkpoint", resume}, {"checkpoints", d.saveTo}} {
		if d.isPoint(f.to) {
			return usagef("drive", "the point of a pass would replace %s %s: choose another name, or another -o", f.what, f.to).as(codeUsageOutput)
		}
	}
	outputs := []written{{"the model", d.output}, {"checkpoints", d.saveTo}}
	if err := d.ui.keepSources("drive", outputs, models(init)); err != nil {
		return err
	}
	return d.ui.needOut()
}

// pointFile is the model file of a pass, counted from 1.
func (d *driver) pointFile(pass string) string { return d.output + pointInfix + pass }

const pointInfix = ".pass-"

// isPoint reports whether a file has, or could come to have, the place of a
// point. Links are followed.
func (d *driver) isPoint(name string) bool {
	names := []string{name}
	if target, err := filepath.EvalSymlinks(name); err == nil {
		names = append(names, target)
	}
	return slices.ContainsFunc(names, func(name string) bool {
		at := strings.LastIndex(name, pointInfix) + len(pointInfix)
		if at < len(pointInfix) {
			return false
		}
		_, err := strconv.ParseUint(name[at:], 10, 63)
		return err == nil && atomicfile.Same(name, d.pointFile(name[at:]))
	})
}

// begin makes the trainer of an initial model.
func (d *driver) begin(c *cli.Context) error {
	config := stage.Config{Epochs: stage.DefaultIterations}
	config.Train.Optimizer = model.LBFGS
	if err := readFields(c, &config); err != nil {
		return err
	}
	switch {
	case !c.IsSet("shards"):
		return usagef("drive", "how many shards are there? say so with --shards")
	case config.Epochs == stage.NoEpochs:
		return usagef("drive", "--epochs 0 trains nothing")
	case int64(c.Int("shards")) > model.MaxShards:
		return usagef("drive", "--shards %d is too large", c.Int("shards"))
	}
	if err := checkTraining(c, config.Train); err != nil {
		return err
	}
	warnUseless(c, d.ui, config)
	m, info, err := requireModel(c, d.ui)
	if err != nil {
		return err
	}
	m.History, m.Cost, m.Best, m.NoiseEpoch, m.Spread = nil, nil, 0, 0, nil
	config.Train.Epochs, config.Train.BatchSize = config.Epochs, model.FullBatch
	d.note = driveNote{Drive: 1, Shards: int64(c.Int("shards")), Parent: info.Hash}
	d.model, d.options = m, config.Train
	if d.trainer, err = model.NewTrainer(m, d.options); err != nil {
		return wrong("drive", err)
	}
	return nil
}

// resume goes on from a checkpoint.
func (d *driver) resume(c *cli.Context) error {
	for _, name := range []string{"model", "shards", "optimizer", "learning-rate", "momentum"} {
		if c.IsSet(name) {
			return usagef("drive", "--%s does not go with --resume: the settings are those of the checkpoint", name)
		}
	}
	point, note, err := readDriven(c.String("resume"))
	if err != nil {
		return err
	}
	d.model, d.options, d.note = point.Model, point.Options, note
	epochs := 0
	if c.IsSet("epochs") {
		epochs = c.Int("epochs")
		d.options.Epochs = epochs
	}
	d.trainer, err = point.Trainer(epochs)
	return err
}

// readDriven reads the checkpoint of a driver.
func readDriven(path string) (point *model.Checkpoint, note driveNote, err error) {
	f, err := disk.Open(path)
	if err != nil {
		return nil, note, &inputError{path, err}
	}
	defer f.Close()
	point, err = model.ReadCheckpoint(bufio.NewReaderSize(f, 1<<20))
	if err == nil && (json.Unmarshal(point.Host.State, &note) != nil || note.Drive != 1 || note.Shards < 1) {
		err = &model.FormatError{Err: errors.New("a checkpoint of fit, which 'aefeat fit --resume' goes on with")}
	}
	if format := (*model.FormatError)(nil); errors.As(err, &format) {
		err = &codedError{codeCheckpoint, err}
	}
	if err != nil {
		return nil, note, &inputError{path, fmt.Errorf("%s: %w", path, err)}
	}
	return point, note, nil
}

// run trains until the training stops.
func (d *driver) run(ctx context.Context) error {
	if err := d.save(); err != nil {
		return err
	}
	for d.trainer.Stopped() == model.NotStopped {
		if err := d.pass(ctx); err != nil {
			return err
		}
		if err := d.save(); err != nil {
			return err
		}
	}
	return nil
}

// pass asks for the sums of a pass, and takes the step that they make.
func (d *driver) pass(ctx context.Context) (err error) {
	noise, err := d.trainer.Begin()
	if err != nil {
		return err
	}
	point, err := d.writePoint(noise)
	if err != nil {
		return err
	}
	defer func() { // a task that comes too late fails
		if failed := disk.Remove(point); failed != nil && !errors.Is(failed, fs.ErrNotExist) {
			err = errors.Join(err, failed)
		}
	}()
	d.whole.Reset(noise)
	s := step{Phase: stage.PhaseTrain, Unit: d.unit(), Epoch: len(d.model.History) + 1, Epochs: d.options.Epochs, Evaluations: d.trainer.Evaluations()}
	d.progress.show(s)
	if _, err := fmt.Fprintf(d.ui.out, "pass %s\n", point); err != nil {
		return err
	}
	files, err := d.gather(ctx)
	if err != nil {
		return err
	}
	sums, err := mergeSums(files)
	if err == nil {
		err = sums.Into(d.whole)
	}
	if err == nil {
		err = d.trainer.AddSums(d.whole)
	}
	if err != nil {
		return err
	}
	e, err := d.trainer.EndEpoch()
	if err == nil && e.Rows > 0 {
		s.Epoch, s.Rows, s.Evaluations, s.Cost, s.Mean = e.Epoch, e.Rows, d.trainer.Evaluations(), e.Cost.Total, e.MeanActivation
		d.progress.endEpoch(s, e)
	}
	return err
}

// unit is what a step is called.
func (d *driver) unit() string { return unitOf(d.options.Optimizer) }

// writePoint writes the model that sums are to be gathered at. Each pass has a
// name of its own, and the same one if it is begun again.
func (d *driver) writePoint(noise uint32) (string, error) {
	m := *d.model
	m.History, m.Cost, m.NoiseEpoch = nil, nil, noise
	pass := int64(len(d.model.History))
	if d.options.Optimizer.WholePasses() {
		pass = d.trainer.Evaluations()
	}
	path := d.pointFile(strconv.FormatInt(pass+1, 10))
	switch _, err := disk.Lstat(path); {
	case errors.Is(err, fs.ErrNotExist):
		_, err = commitModel(d.ui, path, &m)
		return path, err
	case err != nil:
		return "", err
	}
	// A driver that was killed has left it, or somebody else.
	own := newDigest()
	if err := writeModel(own, &m); err != nil {
		return "", err
	}
	hash, err := hashFile(path)
	if err != nil {
		return "", err
	}
	if hash != own.String() {
		e := usagef("drive", "the point of a pass would replace %s, which is there already", path).as(codeUsageOutput)
		e.hints = []string{"an earlier driver may have left it: remove it, or choose another -o"}
		return "", e
	}
	return path, nil
}

// hashFile returns the hash of a file's bytes; "" of what is no file.
func hashFile(path string) (string, error) {
	if !isRegular(path) {
		return "", nil
	}
	f, err := disk.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	sum := newDigest()
	_, err = io.Copy(sum, f)
	return sum.String(), err
}

// gather reads the paths of sums until those of all shards are there. It returns
// them in their order.
func (d *driver) gather(ctx context.Context) ([]sumsFile, error) {
	var files []sumsFile
	var got, rows int64
	for got < d.note.Shards {
		if !d.lines.Scan() {
			return nil, d.short(ctx, files)
		}
		path := strings.TrimSuffix(d.lines.Text(), "\r")
		if path == "" {
			continue
		}
		if isStdin(path) {
			return nil, usagef("drive", "standard input has the paths of sums, and cannot have sums: name a file").as(codeUsageInput)
		}
		f, err := openSums(ctx, d.ui, path)
		if err != nil {
			return nil, err
		}
		if len(files) == 0 || f.Kind != files[0].Kind || f.Fingerprint != files[0].Fingerprint {
			err = f.Fits(d.whole) // which reads all weights
		}
		if err := errors.Join(err, f.within(d.note.Shards, files)); err != nil {
			return nil, inSums(path, err)
		}
		files = append(files, f)
		got += f.Shards
		rows += f.Rows
	}
	switch {
	case rows == 0:
		return nil, stage.ErrNoRows
	case d.note.Rows != 0 && rows != d.note.Rows:
		return nil, &model.SumsError{Key: model.SumsShards, Reason: fmt.Sprintf("the shards have %s, and had %s in the passes before: their rows must stay what they are", plural(rows, "row"), count(d.note.Rows))}
	}
	d.note.Rows = rows
	_, err := orderSums(files)
	return files, err
}

// within reports shards that are not those of a pass, or are in it already.
func (f sumsFile) within(shards int64, others []sumsFile) error {
	if last := f.Shard + f.Shards; last > shards {
		return &model.SumsError{Key: model.SumsShards, Reason: fmt.Sprintf("shard %d is none of the %d", last-1, shards)}
	}
	for _, o := range others {
		if f.Shard < o.Shard+o.Shards && o.Shard < f.Shard+f.Shards {
			return &model.SumsError{Key: model.SumsShards, Reason: fmt.Sprintf("shard %d is there twice: %s has it, too", max(f.Shard, o.Shard), o.path)}
		}
	}
	return nil
}

// short is the error of a pass that is not whole.
func (d *driver) short(ctx context.Context, files []sumsFile) error {
	err := errors.Join(ctx.Err(), d.lines.Err())
	if errors.Is(err, bufio.ErrTooLong) {
		err = usagef("drive", "a line of standard input is longer than a path can be").as(codeUsageInput)
	}
	if err != nil {
		return err
	}
	if len(files) == 0 {
		return &model.SumsError{Key: model.SumsShards, Reason: "standard input has ended before the pass has any sums"}
	}
	whole, err := orderSums(files)
	if err == nil {
		err = whole.Whole(d.note.Shards)
	}
	return fmt.Errorf("standard input has ended before the pass is whole: %w", err)
}

// save writes a checkpoint, if they are wanted.
func (d *driver) save() error {
	if d.saveTo == "" {
		return nil
	}
	note, err := json.Marshal(d.note)
	if err != nil {
		return err
	}
	err = d.ui.work.save(d.saveTo, func(f io.Writer) error {
		w := bufio.NewWriterSize(f, 1<<20)
		if err := d.trainer.WriteCheckpoint(w, model.Host{State: note}); err != nil {
			return err
		}
		if err := w.Flush(); err != nil {
			return fmt.Errorf("writing the checkpoint: %w", err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	d.ui.work.resumableBy("", "drive", "--resume", d.saveTo, "-o", d.output)
	return nil
}

// end writes the model.
func (d *driver) end(out *outputFile) error {
	m := d.model
	d.trainer.Finish()
	m.Parent = d.note.Parent
	hash, err := commitModelTo(out, m)
	if err != nil {
		return err
	}
	event := map[string]any{"epochs": len(m.History), "evaluations": d.trainer.Evaluations(), "shards": d.note.Shards,
		"stop": d.trainer.Stopped(), "model": hash, "seed": m.Seed}
	lines := []string{describe(m)}
	if n := len(m.History); n > 0 {
		event["rows"], event["cost"] = m.History[n-1].Rows, terms(*m.Cost)
		lines = append(fittedIn(d.unit(), m.History[n-1].Rows, n, d.trainer.Evaluations(), *m.Cost, d.trainer.Stopped()), lines...)
	}
	d.progress.finish(event, lines...)
	_, err = fmt.Fprintf(d.ui.out, "done %s\n", d.output)
	return err
}

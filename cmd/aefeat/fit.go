package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/urfave/cli/v2"

	"github.com/aefeat/aefeat/arrowio"
	"github.com/aefeat/aefeat/internal/atomicfile"
	"github.com/aefeat/aefeat/model"
	"github.com/aefeat/aefeat/patch"
	"github.com/aefeat/aefeat/stage"
)

// defaultHidden is that of the reference run on 28x28 digits: a code a quarter
// as wide as its patch.
const defaultHidden = 196

func fitCommand(ui *console) *cli.Command {
	return &cli.Command{
		Name:      "fit",
		Usage:     "train an autoencoder on patches and write the model",
		UsageText: "aefeat fit [flags] [INPUT...]",
		Description: `The objective sets the terms of the cost; flags for single terms change them. Rows
are read once: what --epochs beyond the first need is kept in memory up to --memory
and in a spill file from there. With lbfgs the number of epochs is one of
iterations. Equal rows, flags and seed give equal bytes. --checkpoint keeps the state
of a fit in a file, and --resume goes on from there.`,
		Flags:  cliFlags("fit"),
		Action: func(c *cli.Context) error { return fit(c, ui) },
	}
}

// fitJob is a fit as the command line asks for it.
type fitJob struct {
	ui         *console
	progress   *progress
	model      string // its name in a sweep; "": it is by itself
	inputs     []string
	config     stage.Config
	from       *resumption  // the fit goes on from there; nil: it is a new one
	settings   stage.Config // in force: config, or those of the checkpoint
	output     string
	emit       string
	features   features
	source     sourceOptions
	total      int64        // rows of the input; 0: unknown
	out        *outputFile  // of the model
	parent     *modelRecord // that --init names, or named when the fit began; nil: none
	record     *recorder    // nil: none is wanted
	asksMemory bool         // --memory is given, and not what there is room for
	saver      *saver       // nil: no checkpoints are wanted
	saveTo     string       // where they go
}

func fit(c *cli.Context, ui *console) error {
	if c.IsSet("sweep") {
		return sweep(c, ui)
	}
	if c.IsSet("label") {
		return usagef("fit", "--label is about the table of --sweep, and there is no --sweep: 'aefeat probe' judges the features of one model")
	}
	from, err := newResumption(c, ui)
	if err != nil {
		return err
	}
	inputs, err := from.inputs(c)
	if err != nil {
		return err
	}
	record, err := newRecorder(c, ui, inputs, c.String("output"), c.String("emit"), c.String("checkpoint"), c.String("resume"))
	if err != nil {
		return err
	}
	defer record.abort()
	j, err := newFitJob(c, ui, from, inputs)
	if err != nil {
		return err
	}
	j.keep(record)
	// Before hours of training, not after them.
	if j.out, err = createOutput(ui, j.output); err != nil {
		return err
	}
	defer j.out.Abort()
	if j.needsNoRows() {
		return j.initial(c.Context)
	}
	if isStdin(c.String("init")) && len(j.inputs) == 0 {
		return onlyModel("fit")
	}
	if err := j.openCheckpoints(c); err != nil {
		return err
	}
	src, err := j.source.open(c.Context, ui, j.inputs)
	if err != nil {
		return from.adviseInput(c, err)
	}
	defer src.Close()
	return j.run(c, src)
}

// run fits a model to the rows of src.
func (j *fitJob) run(c *cli.Context, src *arrowio.Source) error {
	f, err := j.fitter(src.Schema())
	if err != nil {
		return j.advise(src, located(src, err))
	}
	defer f.Close()
	if from := j.from; from != nil {
		j.ui.printf("going on from %s %s; the model goes to %s", inputName(from.file), from.position(), nameOf(j.output))
		j.ui.finally("inputs", j.inputs)
		j.ui.finally("outputs", outputsOf(c)) // those that are kept, too
	}
	j.total = j.source.count(src)
	if err := j.from.checkRows(j.total); err != nil {
		return err
	}
	if j.saver != nil {
		j.saver.line.Rows = j.total
	}
	if err := j.makeRoom(f.Patch()); err != nil {
		return err
	}
	if err := j.checkEmit(src.Schema(), f.Patch()); err != nil {
		return located(src, err)
	}
	m, report, err := j.train(c.Context, src, f)
	if err != nil {
		return j.advise(src, located(src, err))
	}
	return j.end(c.Context, m, src, report)
}

// fitter makes what takes the rows.
func (j *fitJob) fitter(schema *arrow.Schema) (*stage.Fitter, error) {
	if j.from == nil {
		return stage.NewFitter(schema, j.config)
	}
	f, err := stage.Resume(j.from.Checkpoint, schema, j.config)
	if setting := (*model.ConfigError)(nil); errors.As(err, &setting) && setting.Setting == "Epochs" {
		err = wrong("fit", err)
	}
	return f, err
}

// keep makes the job keep a record.
func (j *fitJob) keep(r *recorder) {
	j.record, j.features.record, j.source.hash = r, r, r != nil
}

// newFitJob reads the flags of a fit that is new, or goes on from a checkpoint.
// Its errors are usage errors, but for an --init file that cannot be read.
func newFitJob(c *cli.Context, ui *console, from *resumption, inputs []string) (*fitJob, error) {
	j := &fitJob{ui: ui, from: from, inputs: inputs, output: c.String("output"), emit: c.String("emit")}
	err := readFields(c, &j.config)
	if err != nil {
		return nil, err
	}
	if from != nil {
		return j, j.resume(c)
	}
	j.settleMemory(c, j.config)
	if err := checkTraining(c, j.config.Train); err != nil {
		return nil, err
	}
	for _, name := range []string{"validation-key", "patience"} {
		if c.IsSet(name) && j.config.Validation == 0 {
			return nil, usagef("fit", "--%s is about rows that --validation holds out, and there is no --validation", name)
		}
	}
	if err := j.readFlags(c); err != nil {
		return nil, err
	}
	j.config.Columns = j.source.columns
	j.config.Skip = j.source.skip
	j.config.Images = j.source.images
	var bare bool
	if name := c.String("init"); name != "" {
		if err := stdinOnce(c, ui, name); err != nil {
			return nil, err
		}
		if isStdin(name) && len(j.inputs) == 0 && (j.config.Epochs != stage.NoEpochs || j.emit != "") {
			return nil, onlyModel("fit")
		}
		var info model.Info
		if j.config.Init, info, bare, err = readModel(c.Context, ui, name, true); err != nil {
			return nil, err
		}
		j.config.Train.Spread = true // for average
		j.parent = &modelRecord{name, info.Hash, j.config.Init.RowsSeen}
	}
	if j.config.Model, err = settings(c, j.config.Init, bare); err != nil {
		return nil, err
	}
	j.config.FitDecay = j.config.Model.K > 0 && j.config.Init == nil && !c.IsSet("weight-decay")
	// What the machine lacks is found again when the Fitter is made, after the
	// output: its folder may be the one that is missing.
	if err := j.config.Validate(); err != nil && !ofMachine("fit", err) {
		return nil, wrong("fit", err)
	}
	warnUseless(c, ui, j.config)
	if from := j.config.Init; from != nil && len(from.History) > 0 && j.config.Epochs != stage.NoEpochs {
		ui.printf("--init begins epochs, rates and the optimizer anew; --resume would go on with a checkpoint")
	}
	j.settings = j.config
	return j, nil
}

// resume reads what may stand beside --resume.
func (j *fitJob) resume(c *cli.Context) error {
	j.settings = j.from.Settings
	if j.config.Epochs == stage.NoEpochs {
		return usagef("fit", "--epochs 0 does not go with --resume: there is no fit without epochs to go on with")
	}
	j.settings.Epochs = cmp.Or(j.config.Epochs, j.settings.Epochs)
	j.config = stage.Config{Epochs: j.config.Epochs, Memory: j.config.Memory, CheckpointEvery: j.config.CheckpointEvery, OtherKernels: j.config.OtherKernels}
	j.settleMemory(c, j.settings)
	j.parent = j.from.line.Parent
	return j.readFlags(c)
}

// featureFlags are about the features that --emit writes.
var featureFlags = []string{"format", "layout", "prefix", "keep", "reconstruction", "score"}

// readFlags reads where things come from and go to.
func (j *fitJob) readFlags(c *cli.Context) error {
	if j.emit != "" && atomicfile.Same(j.output, j.emit) {
		return usagef("fit", "model and features cannot both go to %s", nameOf(j.output)).as(codeUsageOutput)
	}
	if err := refuseTerminal(j.ui, "fit", "a model", j.output); err != nil {
		return err
	}
	outputs := []written{{"the model", j.output}, {"the features", j.emit}}
	checkpoint := reading{what: "the checkpoint ", files: []string{c.String("resume")}}
	if err := j.ui.keepSources("fit", outputs, checkpoint, data(j.inputs)); err != nil {
		return err
	}
	var err error
	if j.emit != "" {
		// The model may take the place of its own parent.
		if err := j.ui.keepSources("fit", outputs[1:], reading{what: "the initial model ", files: []string{c.String("init")}}); err != nil {
			return err
		}
		if err := refuseTerminal(j.ui, "fit", "features", j.emit); err != nil {
			return err
		}
		if j.features, err = newFeatures(c, j.emit); err != nil {
			return err
		}
	} else {
		for _, name := range featureFlags {
			if c.IsSet(name) {
				return usagef("fit", "--%s is about the features that --emit writes, and there is no --emit", name)
			}
		}
	}
	if j.source, err = newSourceOptions(c, j.output); err != nil {
		return err
	}
	j.source.rewindable = j.emit != ""
	if err := j.checkCheckpoint(c); err != nil {
		return err
	}
	j.config.Decode = j.source.decode
	j.config.SpillDir = j.source.spillDir
	j.progress = newProgress(j.ui, chosen(c, "progress"))
	j.config.Observer = j.observe
	return nil
}

// checkCheckpoint finds out where checkpoints go, and refuses what would do
// harm there.
func (j *fitJob) checkCheckpoint(c *cli.Context) error {
	var err error
	if j.saveTo, err = checkpointFile(c, c.String("resume")); err != nil || j.saveTo == "" {
		return err
	}
	if j.config.Epochs == stage.NoEpochs {
		return usagef("fit", "--epochs 0 trains nothing, so there is nothing for --checkpoint to keep")
	}
	for _, other := range []struct{ what, output string }{{"the model", j.output}, {"the features", j.emit}} {
		if other.output != "" && atomicfile.Same(j.saveTo, other.output) {
			return usagef("fit", "%s and checkpoints cannot both go to %s", other.what, j.saveTo).as(codeUsageOutput)
		}
	}
	return j.ui.keepSources("fit", []written{{"checkpoints", j.saveTo}}, reading{what: "the initial model ", files: []string{c.String("init")}}, data(j.inputs))
}

// openCheckpoints makes sure that checkpoints can be written, if they are
// wanted.
func (j *fitJob) openCheckpoints(c *cli.Context) error {
	if j.saveTo == "" {
		return nil
	}
	line := newCommandLine(c, j.inputs)
	line.Parent = j.parent
	var err error
	if j.saver, err = newSaver(j.ui, j.progress, j.saveTo, j.config.CheckpointEvery, line, j.from != nil && atomicfile.Same(j.saveTo, j.from.file)); err != nil {
		if j.from != nil && !c.IsSet("checkpoint") {
			err = &hintedError{err, "further checkpoints take the place of the one that is resumed: name another file with --checkpoint"}
		}
		return err
	}
	j.config.Checkpoint = j.saver.write
	j.ui.finally("checkpoint", j.saveTo)
	if j.from != nil {
		j.ui.work.resumable(j.from.file, j.saver.stdin)
	}
	return nil
}

// needsNoRows reports whether the job is to write an initial model about which
// everything is known, and no input is named.
func (j *fitJob) needsNoRows() bool {
	if j.config.Epochs != stage.NoEpochs || j.emit != "" || len(j.inputs) > 0 || j.config.Init == nil {
		return false
	}
	rule := j.config.Init.Preprocess.Method
	known := rule != "" && (j.config.Preprocess == "" || j.config.Preprocess == rule) && j.config.PixelMax == 0
	return known || j.config.Preprocess == model.PreprocessNone
}

// initial writes the initial model without any rows.
func (j *fitJob) initial(ctx context.Context) error {
	f, err := stage.NewFitter(nil, j.config)
	if err != nil {
		return err
	}
	defer f.Close()
	m, report, err := f.Finish(ctx)
	if err != nil {
		return err
	}
	return j.end(ctx, m, nil, report)
}

// train runs a fit over the rows of src.
func (j *fitJob) train(ctx context.Context, src *arrowio.Source, f *stage.Fitter) (*model.Model, *stage.Report, error) {
	defer j.progress.clear()
	if err := require(src, f.Patch().Columns()); err != nil {
		return nil, nil, err
	}
	r, err := read(ctx, src, f.Columns())
	if err != nil {
		return nil, nil, err
	}
	r = j.source.firstRows(r)
	defer r.Release()
	if f.Patch().Width() == 0 {
		sized := &sizedReader{RecordReader: r, makeRoom: j.makeRoom, patch: f.Patch()}
		m, report, err := f.Run(ctx, sized)
		if sized.tooLarge != nil {
			err = sized.tooLarge
		}
		return m, report, err
	}
	return f.Run(ctx, r)
}

// sizedReader ends before the first rows where these tell that the model is
// more than the machine has memory for.
type sizedReader struct {
	array.RecordReader
	makeRoom func(*patch.Binding) error
	patch    *patch.Binding
	tooLarge error
}

func (r *sizedReader) Next() bool {
	if !r.RecordReader.Next() {
		return false
	}
	batch := r.RecordBatch()
	if r.patch.Width() > 0 || batch.NumRows() == 0 {
		return true
	}
	if showRows(batch, r.patch) { // else the fit meets what is wrong
		r.tooLarge = r.makeRoom(r.patch)
	}
	return r.tooLarge == nil
}

// checkEmit finds out before training what would stop --emit after it.
func (j *fitJob) checkEmit(schema *arrow.Schema, patch *patch.Binding) error {
	if j.emit == "" {
		return nil
	}
	// A stand-in with the right width of code; that of the patch may have to
	// wait for a row.
	config := j.settings.Model
	config.Inputs = max(1, patch.Width())
	m := &model.Model{Config: config, Preprocess: model.Preprocess{Method: model.PreprocessNone}, Binding: model.Binding{Columns: patch.Columns()}}
	f := j.features
	f.config.PixelMax = 0
	return f.check(m, schema, j.emit)
}

// makeRoom makes sure of memory for the training, and on the disk of the output
// for the model that it ends with.
func (j *fitJob) makeRoom(patch *patch.Binding) error {
	if err := j.checkSize(patch); err != nil || patch.Width() == 0 {
		return err
	}
	limitHeap(j.config.Memory + j.windowMemory(patch))
	return j.reserve(patch)
}

// reserve makes sure of room for the model on the disk of its output.
func (j *fitJob) reserve(patch *patch.Binding) error {
	config, epochs := j.settings.Model, j.settings.Epochs
	config.Inputs = patch.Width()
	if epochs == 0 && j.iterates() {
		epochs = stage.DefaultIterations
	}
	if err := j.out.reserve(model.FileBytes(config, j.largestRule(), max(epochs, stage.DefaultEpochs))); err != nil {
		return fmt.Errorf("room for the model: %w", err)
	}
	return nil
}

// checkSize refuses a model that there is no memory for, by itself or beside
// the rows that --memory is to keep and those of the window.
func (j *fitJob) checkSize(patch *patch.Binding) error {
	config := j.settings.Model
	trains, learns := j.memory(patch)
	takes := trains + learns
	err := fitMemory(memoryBound(), fmt.Sprintf("training %d hidden units takes", config.Hidden), takes,
		"ask for fewer hidden units (--hidden) or smaller batches (--batch-size)")
	if err != nil || !j.asksMemory {
		return err
	}
	return fitMemory(memoryBound(), fmt.Sprintf("%s for rows (--memory) and the training of %d hidden units take", formatSize(j.config.Memory), config.Hidden),
		takes+float64(j.config.Memory+j.windowMemory(patch)), "give less with --memory: rows that do not fit go to a file")
}

// memory returns what training takes, and preprocessing.
func (j *fitJob) memory(patch *patch.Binding) (trains, learns float64) {
	config := j.settings.Model
	config.Inputs = max(1, patch.Width())
	train, rule := j.settings.Train, model.Preprocess{Method: j.largestRule()}
	train.Validate = j.settings.Validation > 0
	return float64(train.Memory(config)), float64(rule.Memory(config.Inputs))
}

// largestRule is the method of preprocessing, of those that auto may choose the
// one that takes more.
func (j *fitJob) largestRule() string {
	if j.settings.Preprocess == model.PreprocessAuto {
		return model.PreprocessStandardize
	}
	return j.settings.Preprocess
}

// windowMemory is what the window takes that rows are shuffled in; 0 while
// their width is not known.
func (j *fitJob) windowMemory(patch *patch.Binding) int64 {
	if whole := j.settings.Train.BatchSize == model.FullBatch || j.iterates(); whole || patch.Width() == 0 {
		return 0
	}
	return stage.WindowMemory(patch.Kind(), patch.Width())
}

// settleMemory decides how much memory keeps rows in a fit of these settings.
func (j *fitJob) settleMemory(c *cli.Context, settings stage.Config) {
	once := settings.Epochs == 1 && !settings.Train.Optimizer.WholePasses() && settings.Validation == 0
	j.asksMemory = c.IsSet("memory") && !once
	if !c.IsSet("memory") {
		j.config.Memory = rowMemory(memoryBound())
	}
	limitHeap(j.config.Memory)
}

// iterates reports whether the passes over the rows are evaluations, some of
// which end an iteration.
func (j *fitJob) iterates() bool { return j.settings.Train.Optimizer.WholePasses() }

// unit is what the epochs are called.
func (j *fitJob) unit() string { return unitOf(j.settings.Train.Optimizer) }

// observe shows what a Fitter tells.
func (j *fitJob) observe(p stage.Progress) {
	s := step{Model: j.model, Phase: p.Phase, Unit: j.unit(), Evaluations: p.Evaluations, Epoch: p.Epoch, Epochs: p.Epochs, Rows: p.Rows, Total: p.TotalRows, Cost: p.Cost, Mean: p.MeanActivation}
	if s.Total == 0 {
		s.Total = int64(math.Round(float64(j.total) * (1 - j.settings.Validation)))
	}
	if p.Done {
		j.progress.endEpoch(s, p.Result)
		return
	}
	j.progress.show(s)
}

// report tells what was fitted to rows of src; nil: there were none.
func (j *fitJob) report(m *model.Model, src *arrowio.Source, r *stage.Report) {
	event := withBadRows(map[string]any{"rows": r.Rows, "spilled": r.Spilled,
		"epochs": len(r.Epochs), "width": m.Inputs, "hidden": m.Hidden, "preprocess": m.Preprocess,
		"model": j.features.config.ModelHash, "seed": m.Seed}, src, r.BadRows)
	var lines []string
	if r.Rows > 0 {
		event["cost"], event["stop"] = terms(*m.Cost), r.Stop
		if j.iterates() {
			event["evaluations"] = r.Evaluations
		}
		fitted := fittedIn(j.unit(), r.Rows, len(r.Epochs), r.Evaluations, *m.Cost, r.Stop)
		lines = append(lines, fitted[0])
		if r.Best > 0 {
			event["held_out"], event["best_epoch"] = r.HeldOut, r.Best
			line := fmt.Sprintf("kept the model of %s %d", j.unit(), r.Best)
			if v := r.Epochs[r.Best-1].Validation; v != nil {
				event["validation"] = terms(*v)
				line += fmt.Sprintf(": %s held out, %s", plural(r.HeldOut, "row"), sum(*v))
			}
			lines = append(lines, line)
		}
		lines = append(lines, fitted[1:]...)
	} else {
		lines = append(lines, "initial model, not fitted to any rows")
	}
	lines = append(lines, describe(m))
	if r.Rows > 0 {
		lines = append(lines, describeFit(m, j.settings.Train))
	}
	if r.Skipped > 0 {
		lines = append(lines, skipped(r.BadRows))
	}
	if r.Spilled > 0 {
		lines = append(lines, fmt.Sprintf("spilled %s to %s", formatSize(r.Spilled), folderOf(j.config.SpillDir)))
	}
	if r.Drift > 0 {
		event["drift"] = r.Drift
	}
	j.progress.finish(event, lines...)
	for _, w := range r.Warnings() {
		warnFit(j.ui, m, w)
	}
	if r.Spilled > 0 && inMemory(folderOf(j.config.SpillDir)) {
		j.ui.hintf("%s", memoryHint(folderOf(j.config.SpillDir)))
	}
}

// advise adds to an error of a fit what flag may cure it.
func (j *fitJob) advise(src *arrowio.Source, err error) error {
	var diverged *model.DivergedError
	var spill *stage.SpillError
	if j.from != nil {
		err = j.from.advise(src, err)
	}
	switch {
	case errors.As(err, &diverged) && diverged.LearningRate > 0:
		return &hintedError{err, fmt.Sprintf("try a smaller --learning-rate, such as %.1g", j.smallerRate(diverged.LearningRate))}
	case errors.As(err, &diverged):
		return &hintedError{err, "choose --preprocess standardize, which brings values to one scale"}
	case errors.As(err, &spill) && inMemory(spill.Dir):
		return &hintedError{err, memoryHint(spill.Dir)}
	}
	return err
}

// smallerRate returns a learning rate to try after one that was too large: a
// tenth of it, or the usual one if that is smaller.
func (j *fitJob) smallerRate(rate float64) float64 {
	usual := j.settings.Train
	usual.LearningRate = 0
	if o, err := usual.WithDefaults(j.settings.Model, j.settings.Preprocess); err == nil && o.LearningRate < rate {
		return min(rate/10, o.LearningRate)
	}
	return rate / 10
}

package main

import (
	"context"
	"encoding"
	"errors"
	"fmt"
	"math"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/urfave/cli/v2"

	"github.com/aefeat/aefeat/arrowio"
	"github.com/aefeat/aefeat/model"
	"github.com/aefeat/aefeat/stage"
)

// What fit does where no flag says otherwise.
const (
	defaultHidden = 196 // the reference run on 28x28 digits: a code a quarter as wide as its patch
	defaultEpochs = 5
	defaultMemory = 1 << 30
)

func fitCommand(ui *console) *cli.Command {
	memory := size(defaultMemory)
	return &cli.Command{
		Name:      "fit",
		Usage:     "train an autoencoder on patches and write the model",
		UsageText: "aefeat fit [flags] [INPUT...]",
		Description: `The objective sets the terms of the cost; flags for single terms change them. Rows
are read once: what --epochs beyond the first need is kept in memory up to --memory
and in a spill file from there. Equal rows, flags and seed give equal bytes.`,
		Flags: append([]cli.Flag{
			outputFlag("the model"),
			&cli.StringFlag{Name: "emit", Category: categoryOutput,
				Usage: "also write every input row with its features to `FILE`, as transform would"},

			&cli.IntFlag{Name: "hidden", Category: categoryModel, Value: defaultHidden, Usage: "`N` hidden units: the length of the code"},
			chooseFlag("objective", categoryModel, model.ObjectiveSparse, "sets the terms of the cost",
				model.ObjectiveSparse, model.ObjectiveDenoising, model.ObjectiveContractive, model.ObjectivePlain),
			&cli.Float64Flag{Name: "sparsity", Category: categoryModel, DefaultText: "0.1", Usage: "rho, the mean activation to aim for"},
			&cli.Float64Flag{Name: "sparsity-weight", Category: categoryModel, DefaultText: "sparse: 3", Usage: "beta, the weight of the sparsity term"},
			&cli.Float64Flag{Name: "weight-decay", Category: categoryModel, DefaultText: "sparse: 0.003", Usage: "lambda, the weight of the squared weights"},
			&cli.Float64Flag{Name: "contraction", Category: categoryModel, DefaultText: "contractive: 0.1", Usage: "gamma, the weight of the squared Jacobian of the code"},
			&cli.Float64Flag{Name: "corruption", Category: categoryModel, DefaultText: "denoising: 0.25", Usage: "v, the share of a row that noise destroys in training; for gaussian its standard deviation"},
			chooseFlag("noise", categoryModel, "masking", "form of the corruption", "masking", "gaussian", "salt-pepper"),
			chooseFlag("activation", categoryModel, "sigmoid", "of the hidden units", "sigmoid", "tanh", "relu", "linear"),
			chooseFlag("output-activation", categoryModel, "sigmoid", "of the reconstruction", "sigmoid", "tanh", "relu", "linear"),
			chooseFlag("loss", categoryModel, "squared", "of the reconstruction", "squared", "cross-entropy"),
			&cli.BoolFlag{Name: "tied", Category: categoryModel, DisableDefaultText: true, Usage: "make the decoder the encoder transposed"},
			&cli.StringFlag{Name: "init", Category: categoryModel, Usage: "start from the weights, and but for the flags given from the settings, of this model `FILE`"},
			&cli.Uint64Flag{Name: "seed", Category: categoryModel, Usage: "`NUMBER` that decides the initial weights, the noise and the order of rows"},

			chooseFlag("optimizer", categoryTraining, "adam", "how the gradient moves the weights", "adam", "sgd"),
			&cli.Float64Flag{Name: "learning-rate", Category: categoryTraining, DefaultText: "adam: 0.002, sgd: 0.1", Usage: "size of a step"},
			&cli.Float64Flag{Name: "momentum", Category: categoryTraining, Value: 0.9, Usage: "of sgd, from 0 to below 1"},
			&cli.IntFlag{Name: "batch-size", Category: categoryTraining, Value: 256, Usage: "`ROWS` for each step; 0: all rows, one step an epoch"},
			&cli.IntFlag{Name: "epochs", Category: categoryTraining, Value: defaultEpochs, Usage: "`N` times through the rows; 0: none, write the initial model"},
			chooseFlag("preprocess", categoryTraining, model.PreprocessScale, "what becomes of pixels first: scale maps integers to [0, 1]",
				model.PreprocessNone, model.PreprocessScale),

			&cli.GenericFlag{Name: "memory", Category: categoryMachine, Value: &memory, Usage: "`SIZE` of the memory that keeps rows, such as 256MiB or 4GiB"},
			spillFlag(),
			progressFlag(),
		}, append(featureFlags(), inputFlags()...)...),
		Action: func(c *cli.Context) error { return fit(c, ui) },
	}
}

// fitJob is a fit as the command line asks for it.
type fitJob struct {
	ui       *console
	progress *progress
	inputs   []string
	config   stage.Config
	output   string
	emit     string
	features features
	source   sourceOptions
	total    int64 // rows of the input; 0: unknown
}

func fit(c *cli.Context, ui *console) error {
	j, err := newFitJob(c, ui)
	if err != nil {
		return err
	}
	// Before hours of training, not after them.
	out, err := createModel(ui, j.output)
	if err != nil {
		return err
	}
	defer out.Abort()
	if j.needsNoRows() {
		return j.initial(c.Context, out)
	}
	src, err := j.source.open(c.Context, ui, j.inputs)
	if err != nil {
		return err
	}
	defer src.Close()
	if err := j.checkEmit(src.Schema()); err != nil {
		return err
	}
	m, report, err := j.train(c.Context, src)
	if err != nil {
		return j.advise(src.Locate(err))
	}
	if err := writeModel(out, m); err != nil {
		return err
	}
	j.report(m, report)
	if j.emit == "" {
		return nil
	}
	return j.features.write(c.Context, ui, j.progress, src, m, j.emit)
}

// newFitJob reads the flags. Its errors are usage errors, but for an --init
// file that cannot be read.
func newFitJob(c *cli.Context, ui *console) (*fitJob, error) {
	j := &fitJob{ui: ui, inputs: c.Args().Slice(), output: c.String("output"), emit: c.String("emit")}
	switch epochs := c.Int("epochs"); {
	case epochs < 0:
		return nil, usagef("fit", "--epochs %d is negative", epochs)
	case epochs == 0:
		j.config.Epochs = -1
	default:
		j.config.Epochs = epochs
	}
	var err error
	if j.config.Train, err = trainOptions(c); err != nil {
		return nil, err
	}
	if err := j.readFlags(c); err != nil {
		return nil, err
	}
	var bare bool
	if name := c.String("init"); name != "" {
		if j.config.Init, bare, err = readModel(name, true); err != nil {
			return nil, err
		}
	}
	if j.config.Model, err = settings(c, j.config.Init, bare); err != nil {
		return nil, err
	}
	warnUseless(c, ui, j.config)
	return j, nil
}

func (j *fitJob) readFlags(c *cli.Context) error {
	if j.emit != "" && sameOutput(j.output, j.emit) {
		return usagef("fit", "model and features cannot both go to %s", nameOf(j.output))
	}
	if err := refuseTerminal(j.ui, "fit", "a model", j.output); err != nil {
		return err
	}
	var err error
	if j.emit != "" {
		if err := refuseTerminal(j.ui, "fit", "features", j.emit); err != nil {
			return err
		}
		if j.features, err = newFeatures(c); err != nil {
			return err
		}
	} else {
		for _, name := range []string{"format", "layout", "prefix", "keep"} {
			if c.IsSet(name) {
				return usagef("fit", "--%s is about the features that --emit writes, and there is no --emit", name)
			}
		}
	}
	if j.source, err = newSourceOptions(c, j.output); err != nil {
		return err
	}
	j.source.rewindable = j.emit != ""
	j.config.Columns = j.source.columns
	j.config.Skip = j.source.skip
	j.config.PixelMax = j.source.pixelMax
	j.config.Memory = int64(*c.Generic("memory").(*size))
	j.config.SpillDir = j.source.spillDir
	if c.IsSet("preprocess") {
		j.config.Preprocess = chosen(c, "preprocess")
	}
	if j.config.Preprocess == model.PreprocessNone && j.config.PixelMax != 0 {
		return usagef("fit", "--pixel-max has no meaning with --preprocess none, which divides by nothing")
	}
	j.progress = newProgress(j.ui, chosen(c, "progress"))
	j.config.Observer = j.observe
	return nil
}

// needsNoRows reports whether the job is to write an initial model about which
// everything is known, and no input is named.
func (j *fitJob) needsNoRows() bool {
	if j.config.Epochs > 0 || j.emit != "" || len(j.inputs) > 0 || j.config.Init == nil {
		return false
	}
	rule := j.config.Init.Preprocess.Method
	known := rule != "" && (j.config.Preprocess == "" || j.config.Preprocess == rule) && j.config.PixelMax == 0
	return known || j.config.Preprocess == model.PreprocessNone
}

// initial writes the initial model without any rows.
func (j *fitJob) initial(ctx context.Context, out *modelFile) error {
	f, err := stage.NewFitter(nil, j.config)
	if err != nil {
		return err
	}
	defer f.Close()
	m, report, err := f.Finish(ctx)
	if err != nil {
		return err
	}
	if err := writeModel(out, m); err != nil {
		return err
	}
	j.report(m, report)
	return nil
}

// train fits a model to the rows of src.
func (j *fitJob) train(ctx context.Context, src *arrowio.Source) (*model.Model, *stage.Report, error) {
	defer j.progress.clear()
	f, err := stage.NewFitter(src.Schema(), j.config)
	if err != nil {
		return nil, nil, err
	}
	columns := f.Columns()
	f.Close()
	r, err := src.Reader(ctx, columns)
	if err != nil {
		return nil, nil, err
	}
	defer r.Release()
	j.total, _ = src.NumRows()
	return stage.Fit(ctx, r, j.config)
}

// checkEmit finds out before training what would stop --emit after it.
func (j *fitJob) checkEmit(schema *arrow.Schema) error {
	if j.emit == "" {
		return nil
	}
	binding, err := arrowio.Bind(schema, arrowio.BindOptions{Columns: j.config.Columns, Width: j.config.Model.Inputs})
	if err != nil {
		return err
	}
	// A stand-in with the right width of code; that of the patch may have to
	// wait for a row.
	config := j.config.Model
	config.Inputs = max(1, binding.Width())
	m := &model.Model{Config: config, Preprocess: model.Preprocess{Method: model.PreprocessNone}}
	return j.features.check(m, schema, j.emit)
}

// observe shows what a Fitter tells.
func (j *fitJob) observe(p stage.Progress) {
	s := step{Phase: p.Phase, Epoch: p.Epoch, Epochs: p.Epochs, Rows: p.Rows, Total: p.TotalRows, Cost: p.Cost, Mean: p.MeanActivation}
	if s.Total == 0 {
		s.Total = j.total
	}
	if p.Done {
		j.progress.endEpoch(s, map[string]any{"cost": p.Result.Cost, "mean_activation": number(p.Result.MeanActivation)})
		return
	}
	j.progress.show(s)
}

// report tells what was fitted.
func (j *fitJob) report(m *model.Model, r *stage.Report) {
	event := map[string]any{"command": "fit", "rows": r.Rows, "skipped": r.Skipped, "spilled": r.Spilled,
		"epochs": len(r.Epochs), "inputs": m.Inputs, "hidden": m.Hidden, "preprocess": m.Preprocess}
	var lines []string
	if len(r.Epochs) > 0 {
		event["cost"] = m.Cost
		lines = append(lines,
			fmt.Sprintf("fitted %s in %s: %s", plural(r.Rows, "row"), plural(int64(len(r.Epochs)), "epoch"), sum(*m.Cost)))
	} else {
		lines = append(lines, "initial model, not fitted to any rows")
	}
	lines = append(lines, describe(m))
	if r.Skipped > 0 {
		lines = append(lines, fmt.Sprintf("skipped %s", plural(r.Skipped, "bad row")))
	}
	if r.Spilled > 0 {
		lines = append(lines, fmt.Sprintf("spilled %s to %s", formatSize(r.Spilled), folderOf(j.config.SpillDir)))
	}
	j.progress.finish(event, lines...)
	if r.Spilled > 0 && inMemory(folderOf(j.config.SpillDir)) {
		j.ui.hintf("%s", memoryHint(folderOf(j.config.SpillDir)))
	}
}

// advise adds to an error of a fit what flag may cure it.
func (j *fitJob) advise(err error) error {
	var diverged *model.DivergedError
	var spill *stage.SpillError
	switch {
	case errors.As(err, &diverged):
		return &hintedError{err, fmt.Sprintf("try a smaller --learning-rate, such as %.1g", diverged.LearningRate/10)}
	case errors.As(err, &spill) && inMemory(spill.Dir):
		return &hintedError{err, memoryHint(spill.Dir)}
	}
	return err
}

// settings makes the configuration of the model out of the flags and, with
// --init, what the file says. Only flags that were given change what is set
// already. Its errors are usage errors.
func settings(c *cli.Context, init *model.Model, bare bool) (model.Config, error) {
	config := objective(chosen(c, "objective"), c.Int("hidden"))
	if init != nil {
		from := init.Config
		if c.IsSet("hidden") && c.Int("hidden") != from.Hidden {
			return config, usagef("fit", "--hidden %d conflicts with --init: the file has %s", c.Int("hidden"), plural(int64(from.Hidden), "hidden unit"))
		}
		if c.IsSet("tied") && c.Bool("tied") != from.Tied {
			have := "a decoder of its own"
			if from.Tied {
				have = "tied weights"
			}
			return config, usagef("fit", "--tied=%t conflicts with --init: the file has %s", c.Bool("tied"), have)
		}
		if bare || c.IsSet("objective") {
			from.Objective = config.Objective
			from.Sparsity, from.SparsityWeight = config.Sparsity, config.SparsityWeight
			from.WeightDecay, from.Contraction, from.Corruption = config.WeightDecay, config.Contraction, config.Corruption
		}
		config = from
	}
	for name, term := range map[string]*float64{
		"sparsity":        &config.Sparsity,
		"sparsity-weight": &config.SparsityWeight,
		"weight-decay":    &config.WeightDecay,
		"contraction":     &config.Contraction,
		"corruption":      &config.Corruption,
	} {
		if c.IsSet(name) {
			*term = c.Float64(name)
		}
	}
	for name, word := range map[string]encoding.TextUnmarshaler{
		"activation":        &config.Activation,
		"output-activation": &config.Output,
		"loss":              &config.Loss,
		"noise":             &config.Noise,
	} {
		if c.IsSet(name) {
			if err := word.UnmarshalText([]byte(chosen(c, name))); err != nil {
				return config, usagef("fit", "%v", err)
			}
		}
	}
	if init == nil {
		config.Tied = c.Bool("tied")
	}
	if c.IsSet("seed") {
		config.Seed = c.Uint64("seed")
	}
	// A weight that is turned on by hand needs something to aim for.
	if config.SparsityWeight > 0 && config.Sparsity == 0 && !c.IsSet("sparsity") {
		config.Sparsity = model.Sparse(1).Sparsity
	}
	if err := config.Validate(); err != nil {
		return config, wrong("fit", err)
	}
	return config, nil
}

// objective returns the terms of the cost that a name stands for.
func objective(name string, hidden int) model.Config {
	switch name {
	case model.ObjectiveDenoising:
		return model.Denoising(hidden)
	case model.ObjectiveContractive:
		return model.Contractive(hidden)
	case model.ObjectivePlain:
		return model.Plain(hidden)
	}
	return model.Sparse(hidden)
}

// trainOptions makes out of the flags how the weights are to move.
func trainOptions(c *cli.Context) (model.TrainOptions, error) {
	o := model.TrainOptions{LearningRate: c.Float64("learning-rate"), BatchSize: c.Int("batch-size")}
	if err := o.Optimizer.UnmarshalText([]byte(chosen(c, "optimizer"))); err != nil {
		return o, usagef("fit", "%v", err)
	}
	if o.Optimizer == model.SGD {
		o.Momentum = c.Float64("momentum")
	}
	switch {
	case c.IsSet("learning-rate") && !(o.LearningRate > 0):
		return o, usagef("fit", "--learning-rate %v is not a positive number", o.LearningRate)
	case !(o.Momentum >= 0 && o.Momentum < 1):
		return o, usagef("fit", "--momentum %v is not a number from 0 to below 1", o.Momentum)
	case o.BatchSize < 0:
		return o, usagef("fit", "--batch-size %d is negative", o.BatchSize)
	case o.BatchSize == 0:
		o.BatchSize = model.FullBatch
	}
	return o, nil
}

// warnUseless tells of flags that change nothing beside the others.
func warnUseless(c *cli.Context, ui *console, config stage.Config) {
	for _, w := range []struct {
		flag    string
		useless bool
		because string
	}{
		{"sparsity", config.Model.SparsityWeight == 0, "the sparsity weight is 0"},
		{"noise", config.Model.Corruption == 0, "the corruption is 0"},
		{"momentum", config.Train.Optimizer != model.SGD, "only sgd has a momentum"},
	} {
		if c.IsSet(w.flag) && w.useless {
			ui.warnf("--%s changes nothing: %s", w.flag, w.because)
		}
	}
}

// sum writes a cost and its terms, those that are on.
func sum(c model.Cost) string {
	s := fmt.Sprintf("cost %.5g = reconstruction %.5g", c.Total, c.Reconstruction)
	for _, term := range []struct {
		name  string
		value float64
	}{{"weight decay", c.WeightDecay}, {"sparsity", c.Sparsity}, {"contraction", c.Contraction}} {
		if term.value != 0 {
			s += fmt.Sprintf(" + %s %.5g", term.name, term.value)
		}
	}
	return s
}

// describe writes the sizes of a model and what becomes of its input.
func describe(m *model.Model) string {
	tied := ""
	if m.Tied {
		tied = ", tied weights"
	}
	return fmt.Sprintf("%d inputs, %d hidden units%s; %s", m.Inputs, m.Hidden, tied, rule(m.Preprocess))
}

// rule writes the preprocessing rule in words.
func rule(p model.Preprocess) string {
	source := "values"
	if p.Source != "" {
		source = p.Source + " values"
	}
	if p.Scale == 0 || p.Scale == 1 {
		return source + " as they are"
	}
	return fmt.Sprintf("%s divided by %g", source, math.Round(1/p.Scale*1e6)/1e6)
}

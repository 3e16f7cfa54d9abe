package main

import (
	"github.com/urfave/cli/v2"

	"github.com/aefeat/aefeat/model"
	"github.com/aefeat/aefeat/stage"
)

// settings makes the configuration of the model out of the flags and, with
// --init, what the file says. Only flags that were given change what is set
// already. Its errors are usage errors.
func settings(c *cli.Context, init *model.Model, bare bool) (model.Config, error) {
	hidden := c.Int("hidden")
	if init != nil {
		hidden = init.Hidden
	}
	config, err := model.ForObjective(chosen(c, "objective"), hidden, chosen(c, "preprocess"))
	if err != nil {
		return config, wrong("fit", err)
	}
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
		if bare {
			from.Activation, from.Output, from.Loss = config.Activation, config.Output, config.Loss
		}
		if bare || c.IsSet("objective") {
			from = from.WithObjective(config)
		}
		config = from
	}
	of := stage.Config{Model: config}
	if err := readFields(c, &of); err != nil {
		return config, err
	}
	config = of.Model
	if added := config.Objective == model.ObjectiveDenoising && !c.IsSet("sparsity-weight") && !config.Activation.Bounded(); added && config.SparsityWeight > 0 {
		// After zca, by default, for units that have a mean activation.
		config.Sparsity, config.SparsityWeight = 0, 0
		if !c.IsSet("weight-decay") {
			config.WeightDecay = 0
		}
	}
	if config.SparsityWeight > 0 && config.Sparsity == 0 && c.IsSet("sparsity") {
		// Not the library's default, which a 0 would mean to it.
		return config, wrong("fit", &model.ConfigError{Setting: "Sparsity",
			Reason: "the wanted mean activation cannot be 0", Hint: "give a number between 0 and 1, such as 0.1"})
	}
	return config, nil
}

// checkTraining reports, as a usage error, what the flags about training ask
// for that does not go together. A library cannot tell: it meets a flag's 0 as
// its default.
func checkTraining(c *cli.Context, o model.TrainOptions) error {
	if o.Optimizer.WholePasses() {
		for _, name := range []string{"learning-rate", "momentum"} {
			if c.IsSet(name) {
				return usagef(c.Command.Name, "--%s does not go with --optimizer %s, which finds the size of its steps itself", name, o.Optimizer)
			}
		}
		if rows := c.Int("batch-size"); c.IsSet("batch-size") && rows != 0 {
			return usagef(c.Command.Name, "--batch-size %d does not go with --optimizer %s, which needs all rows for a step: leave it out, or say 0", rows, o.Optimizer)
		}
	}
	if momentum := c.Float64("momentum"); o.Optimizer == model.SGD && !(momentum >= 0 && momentum < 1) {
		return usagef(c.Command.Name, "--momentum %v is not a number from 0 to below 1", momentum)
	}
	return nil
}

// warnUseless tells of flags that change nothing beside the others, as far as
// the flags alone can tell.
func warnUseless(c *cli.Context, ui *console, config stage.Config) {
	for _, w := range []struct {
		flag    string
		useless bool
		because string
	}{
		{"sparsity", config.Model.SparsityWeight == 0, "the sparsity weight is 0"},
		{"noise", config.Model.Corruption == 0, "the corruption is 0"},
		{"emphasis", config.Model.Corruption == 0, "the corruption is 0"},
		{"k-encode", config.Model.K == 0, "all codes are kept"},
		{"validation", config.Epochs == stage.NoEpochs, "there are no epochs"},
		{"momentum", config.Train.Optimizer != model.SGD, "only sgd has a momentum"},
	} {
		if c.IsSet(w.flag) && w.useless {
			ui.warn(codeOfWarning(stage.WarnUnused), "", "--%s changes nothing: %s", w.flag, w.because)
		}
	}
}

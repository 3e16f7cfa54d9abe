package main

import (
	"encoding"
	"fmt"
	"strings"

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
	config := objective(chosen(c, "objective"), hidden)
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
			from.Objective = config.Objective
			from.K, from.KEncode = config.K, config.KEncode
			if config.K > 0 {
				from.Activation, from.Output = config.Activation, config.Output // k goes with linear codes alone
			}
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
		"k-encode":        &config.KEncode,
	} {
		if c.IsSet(name) {
			*term = c.Float64(name)
		}
	}
	if c.IsSet("k") {
		config.K = c.Int("k")
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
	if (init == nil || bare) && !c.IsSet("output-activation") && unbounded(chosen(c, "preprocess")) {
		config.Output = model.Linear
	}
	if init == nil && c.IsSet("tied") {
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

var objectives = []string{model.ObjectiveSparse, model.ObjectiveDenoising, model.ObjectiveContractive, model.ObjectiveKSparse, model.ObjectivePlain}

// objective returns the terms of the cost that a name stands for.
func objective(name string, hidden int) model.Config {
	switch name {
	case model.ObjectiveDenoising:
		return model.Denoising(hidden)
	case model.ObjectiveContractive:
		return model.Contractive(hidden)
	case model.ObjectiveKSparse:
		return model.KSparse(hidden)
	case model.ObjectivePlain:
		return model.Plain(hidden)
	}
	return model.Sparse(hidden)
}

// termFlag makes a flag for a number in the cost. Its default is the
// objective's.
func termFlag(name string, term func(model.Config) float64, usage string) cli.Flag {
	return &cli.Float64Flag{Name: name, Category: categoryModel, DefaultText: termDefault(term), Usage: usage}
}

// termDefault says which objectives turn a term on, and how far.
func termDefault(term func(model.Config) float64) string {
	var on []string
	for _, name := range objectives {
		if value := term(objective(name, 1)); value != 0 {
			on = append(on, fmt.Sprintf("%s: %g", name, value))
		}
	}
	return strings.Join(on, ", ")
}

// trainOptions makes out of the flags how the weights are to move.
func trainOptions(c *cli.Context) (model.TrainOptions, error) {
	o := model.TrainOptions{LearningRate: c.Float64("learning-rate"), BatchSize: c.Int("batch-size")}
	if err := o.Optimizer.UnmarshalText([]byte(chosen(c, "optimizer"))); err != nil {
		return o, usagef("fit", "%v", err)
	}
	if o.Optimizer == model.LBFGS {
		for _, name := range []string{"learning-rate", "momentum"} {
			if c.IsSet(name) {
				return o, usagef("fit", "--%s does not go with --optimizer lbfgs, which finds the size of its steps itself", name)
			}
		}
		if c.IsSet("batch-size") && o.BatchSize != 0 {
			return o, usagef("fit", "--batch-size %d does not go with --optimizer lbfgs, which needs all rows for a step: leave it out, or say 0", o.BatchSize)
		}
		o.BatchSize = 0
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
		{"k-encode", config.Model.K == 0, "all codes are kept"},
		{"preprocess-rows", !config.LearnsAhead(), "preprocessing learns from all rows, or nothing"},
		{"validation", config.Epochs < 0, "there are no epochs"},
		{"momentum", config.Train.Optimizer != model.SGD, "only sgd has a momentum"},
	} {
		if c.IsSet(w.flag) && w.useless {
			ui.warnf("--%s changes nothing: %s", w.flag, w.because)
		}
	}
}

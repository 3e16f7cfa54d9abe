package model

import (
	"fmt"
	"math"
)

// The objectives: what set the terms of a [Config].
const (
	ObjectiveSparse      = "sparse"
	ObjectiveDenoising   = "denoising"
	ObjectiveContractive = "contractive"
	ObjectiveKSparse     = "k-sparse"
	ObjectivePlain       = "plain"
)

// Config holds the sizes and the terms of the cost. A term at its zero value
// is off, so that Config{Hidden: h} is a plain autoencoder with sigmoid units
// and squared error. [Sparse], [Denoising], [Contractive], [KSparse] and
// [Plain] return the customary settings.
type Config struct {
	// Objective names what set the terms; it computes nothing. Empty: New
	// names it by the terms that are on.
	Objective string `json:"objective"`

	Inputs int `json:"inputs"` // n, the width of a row
	Hidden int `json:"hidden"` // h, the length of a code

	Activation Activation `json:"activation"`        // f, of the hidden units
	Output     Activation `json:"output_activation"` // g, of the reconstruction
	Loss       Loss       `json:"loss"`
	Tied       bool       `json:"tied"` // the decoder is the encoder transposed: one matrix, decayed once

	Sparsity       float64 `json:"sparsity"`        // rho, the wanted mean activation, in (0, 1); used when SparsityWeight is set
	SparsityWeight float64 `json:"sparsity_weight"` // beta
	WeightDecay    float64 `json:"weight_decay"`    // lambda
	Contraction    float64 `json:"contraction"`     // gamma
	Corruption     float64 `json:"corruption"`      // v: a share of components in [0, 1], or a standard deviation for Gaussian
	Noise          Noise   `json:"noise"`

	// K is how many of a row's codes are kept in training, the largest; 0: all.
	// KEncode is alpha, which multiplies K in encoding and evaluation; 0: 1.
	K       int     `json:"k,omitempty"`
	KEncode float64 `json:"k_encode,omitempty"`

	Seed uint64 `json:"seed"` // of the initial weights, the noise and the order of rows
}

// Plain returns an autoencoder with no term but the reconstruction.
func Plain(hidden int) Config {
	return Config{Objective: ObjectivePlain, Hidden: hidden}
}

// ConfigError says which setting is wrong, or clashes with another. Tools
// treat it as wrong usage.
type ConfigError struct {
	Setting string // what is wrong, in plain words
	Reason  string // why
	Hint    string // what to change; may be empty
}

func (e *ConfigError) Error() string { return e.Setting + ": " + e.Reason }

// terms are what the cost is made of beside the reconstruction, and what is
// done to rows or codes for it. Each has a file of its own, with value, slope,
// bounds and the objective that turns it on.
var terms = []struct {
	name   string               // of its weight
	weight func(Config) float64 // from 0 up; at 0 the term is off
	check  func(Config) error   // what else must hold; nil: nothing
}{
	{"sparsity weight", func(c Config) float64 { return c.SparsityWeight }, Config.checkSparsity},
	{"weight decay", func(c Config) float64 { return c.WeightDecay }, nil},
	{"contraction", func(c Config) float64 { return c.Contraction }, nil},
	{"corruption", func(c Config) float64 { return c.Corruption }, Config.checkCorruption},
	{"share of k to encode with", func(c Config) float64 { return c.KEncode }, Config.checkKSparse},
}

// Sizes beyond this cannot be meant: a matrix of so many float32 values
// takes 8 GiB.
const maxWeights = 1 << 31

// Validate reports the first setting that is out of bounds or does not go
// with the others, as a [*ConfigError]. Inputs may still be 0, for a width
// that the data will tell.
//
// What combines: the sparsity term needs activations in a fixed interval,
// sigmoid or tanh; cross-entropy needs a sigmoid output; the contraction term
// goes with every activation (that of relu is piecewise linear); k-sparse
// codes need linear activations and go with neither of the two terms. That rows
// lie in [0, 1] where the output is a sigmoid is a matter of the data,
// [Model.Check], and of preprocessing, [Preprocess.Allows]: standardize and zca
// need another output, which is not chosen for them.
func (c Config) Validate() error {
	switch c.Objective {
	case "", ObjectiveSparse, ObjectiveDenoising, ObjectiveContractive, ObjectiveKSparse, ObjectivePlain:
	default:
		return &ConfigError{"objective", fmt.Sprintf("%q is unknown", c.Objective), "choose sparse, denoising, contractive, k-sparse or plain"}
	}
	switch {
	case c.Inputs < 0:
		return &ConfigError{"inputs", fmt.Sprintf("%d is negative", c.Inputs), ""}
	case c.Hidden < 1:
		return &ConfigError{"hidden units", fmt.Sprintf("%d is not a positive number", c.Hidden), "ask for at least one hidden unit"}
	case c.Inputs > maxWeights, c.Hidden > maxWeights, c.Inputs > 0 && c.Hidden > maxWeights/c.Inputs:
		return &ConfigError{"size", fmt.Sprintf("a weight matrix of %d by %d does not fit in memory", c.Hidden, c.Inputs), "ask for fewer hidden units"}
	case int(c.Activation) >= len(activationNames):
		return &ConfigError{"activation", c.Activation.String(), ""}
	case int(c.Output) >= len(activationNames):
		return &ConfigError{"output activation", c.Output.String(), ""}
	case int(c.Loss) >= len(lossNames):
		return &ConfigError{"loss", c.Loss.String(), ""}
	case int(c.Noise) >= len(noiseNames):
		return &ConfigError{"noise", c.Noise.String(), ""}
	}
	for _, t := range terms {
		if v := t.weight(c); !(v >= 0 && v <= math.MaxFloat32) {
			return &ConfigError{t.name, fmt.Sprintf("%v is not a number from 0 up", v), ""}
		}
	}
	for _, t := range terms {
		if t.check == nil {
			continue
		}
		if err := t.check(c); err != nil {
			return err
		}
	}
	if c.Loss == CrossEntropy && c.Output != Sigmoid {
		return &ConfigError{"loss", fmt.Sprintf("cross-entropy needs a sigmoid output, not %s", c.Output), "choose the squared loss, or a sigmoid output activation"}
	}
	return nil
}

// objective names what the terms make of c.
func (c Config) objective() string {
	switch {
	case c.K > 0:
		return ObjectiveKSparse
	case c.Corruption > 0:
		return ObjectiveDenoising
	case c.Contraction > 0:
		return ObjectiveContractive
	case c.SparsityWeight > 0:
		return ObjectiveSparse
	}
	return ObjectivePlain
}

// unitInterval reports whether rows must lie in [0, 1].
func (c Config) unitInterval() bool { return c.Output == Sigmoid }

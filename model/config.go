package model

import (
	"fmt"
	"math"
	"slices"
)

// The objectives: what set the terms of a [Config].
const (
	ObjectiveSparse      = "sparse"
	ObjectiveDenoising   = "denoising"
	ObjectiveContractive = "contractive"
	ObjectiveKSparse     = "k-sparse"
	ObjectivePlain       = "plain"
)

// objectives are all of them, in the order of lists, with their settings.
var objectives = []struct {
	name     string
	settings func(hidden int) Config
}{
	{ObjectiveSparse, Sparse},
	{ObjectiveDenoising, Denoising},
	{ObjectiveContractive, Contractive},
	{ObjectiveKSparse, KSparse},
	{ObjectivePlain, Plain},
}

// Objectives returns the names of all objectives, [ObjectiveSparse] first.
func Objectives() []string {
	var names []string
	for _, o := range objectives {
		names = append(names, o.name)
	}
	return names
}

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

	// Tied makes the decoder the encoder transposed: one matrix, decayed once.
	Tied bool `json:"tied"`

	// Sparsity is rho, the wanted mean activation, in (0, 1); used when
	// SparsityWeight is set; 0: DefaultSparsity.
	Sparsity float64 `json:"sparsity"`

	SparsityWeight float64 `json:"sparsity_weight"` // beta
	WeightDecay    float64 `json:"weight_decay"`    // lambda
	Contraction    float64 `json:"contraction"`     // gamma

	// Corruption is v: a share of components in [0, 1], or for Gaussian a
	// standard deviation.
	Corruption float64 `json:"corruption"`

	Noise Noise `json:"noise"`

	// Emphasis is alpha, which multiplies the loss of the components that noise
	// has corrupted; used when Corruption is set; 0: 1, all components alike.
	Emphasis Emphasis `json:"emphasis,omitzero"`

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

// ForObjective returns the settings of an objective by its name, for a model
// of the given number of hidden units on rows that are preprocessed by a
// method: [PreprocessScale] and so on, or "" for scale. They are those of
// [Sparse], [Denoising], [Contractive], [KSparse] or [Plain], whose comments
// have values, units and sources. After standardize and zca, whose values lie
// in no interval, Output is Linear, since a sigmoid could not reconstruct them.
//
// After zca the sparse objective has rho 0.015, beta 10 and lambda 0.01, and so
// has denoising, but for a rho of 0.02. The usual terms leave a code that is
// nearly linear in the row, and of a row that is white a linear code tells no
// direction from another: filters of photographs stay noise. With these they
// become edges. They are for sigmoid and tanh units: for relu and linear ones
// set SparsityWeight and WeightDecay to 0, as they are after other methods.
//
// The error is a [*ConfigError], for a name or a method that is unknown. hidden
// is left to [Config.Validate].
func ForObjective(name string, hidden int, preprocess string) (Config, error) {
	i := slices.Index(Objectives(), name)
	if i < 0 {
		return Config{}, unknownObjective(name)
	}
	c := objectives[i].settings(hidden)
	if preprocess == PreprocessAuto { // which adapts the output by itself
		preprocess = PreprocessScale
	}
	p := Preprocess{Method: preprocess}
	if !p.known() {
		return Config{}, unknownPreprocess(preprocess)
	}
	if p.unbounded() {
		c.Output = Linear
	}
	if preprocess == PreprocessZCA {
		c.whiten()
	}
	return c, nil
}

// whiten sets the terms that [ForObjective] has for whitened rows. They were
// chosen on photographs: see Natural patches in bench/SEARCHES.md.
func (c *Config) whiten() {
	switch c.Objective {
	case ObjectiveSparse:
		c.Sparsity, c.SparsityWeight, c.WeightDecay = 0.015, 10, 0.01
	case ObjectiveDenoising:
		// With the rho of sparse, and a quarter masked, units become alike.
		c.Sparsity, c.SparsityWeight, c.WeightDecay = 0.02, 10, 0.01
	}
}

// WithObjective returns c with the objective of another Config and the terms
// that it sets, those that are off and the form of the noise included. Sizes,
// Tied, Loss and Seed stay those of c. So do Activation and Output, but for a
// k-sparse objective, which needs its own.
func (c Config) WithObjective(o Config) Config {
	o.Inputs, o.Hidden, o.Tied = c.Inputs, c.Hidden, c.Tied
	o.Loss, o.Seed = c.Loss, c.Seed
	if o.K == 0 {
		o.Activation, o.Output = c.Activation, c.Output
	}
	return o
}

func unknownObjective(name string) *ConfigError {
	return &ConfigError{"Objective", fmt.Sprintf("%q is unknown", name), "choose " + alternatives(Objectives())}
}

// ConfigError says which setting is wrong, or clashes with another. Tools
// treat it as wrong usage.
//
// Setting is a key that stays: the Go name of the field that is at fault, such
// as "Hidden", of [Config], [TrainOptions] or a Config of package stage, where
// "Preprocess" is the method of preprocessing and "PixelMax" its divisor.
// Reason and Hint name other fields in backquotes, as in "choose `Output`
// linear", so that a program with words of its own for them can put these in.
type ConfigError struct {
	Setting string // the field that is wrong
	Reason  string // why
	Hint    string // what to change; may be empty
}

func (e *ConfigError) Error() string { return e.Setting + ": " + e.Reason }

// terms are what the cost is made of beside the reconstruction, and what is
// done to rows or codes for it. Each has a file of its own, with value, slope,
// bounds, words and the objective that turns it on.
var terms = []struct {
	setting string               // the field that is a number
	value   func(Config) float64 // of it, from 0 up
	check   func(Config) error   // what else must hold; nil: nothing
	words   func(Config) Term    // the zero Term where it is off
}{
	{"SparsityWeight", func(c Config) float64 { return c.SparsityWeight }, Config.checkSparsity, Config.sparsityWords},
	{"WeightDecay", func(c Config) float64 { return c.WeightDecay }, nil, Config.weightDecayWords},
	{"Contraction", func(c Config) float64 { return c.Contraction }, nil, Config.contractionWords},
	{"KEncode", func(c Config) float64 { return c.KEncode }, Config.checkKSparse, Config.ksparseWords},
	{"Corruption", func(c Config) float64 { return c.Corruption }, Config.checkCorruption, Config.corruptionWords},
	{"Emphasis", func(c Config) float64 { alpha, _ := c.Emphasis.weights(); return alpha }, Config.checkEmphasis, Config.emphasisWords},
}

// Term is what a [Config] has on, in words for people: a term of the cost, or
// what is done to rows or codes for it.
type Term struct {
	Name     string // such as "sparsity"
	Settings string // such as "0.1, weight 0.3"
}

// Terms returns what c has on, in an order that stays.
func (c Config) Terms() []Term {
	var on []Term
	for _, t := range terms {
		if words := t.words(c); words != (Term{}) {
			on = append(on, words)
		}
	}
	return on
}

// Sizes beyond this cannot be meant: a matrix of so many float32 values
// takes 8 GiB.
const maxWeights = 1 << 31

// Validate reports the first setting that is out of bounds or does not go
// with the others, as a [*ConfigError]. Inputs may still be 0, for a width
// that the data will tell.
//
// What combines:
//
//	                 Activation       Noise          and
//	weight decay     all              all
//	sparsity         sigmoid, tanh    all            not k-sparse
//	contraction      all              all            not k-sparse
//	corruption       all              all
//	emphasis         all              masking,       Corruption > 0; if full, at
//	                                  salt-pepper    least one component a row
//	k-sparse         linear           all            no sparsity, no contraction
//	squared error    all              all            every Output
//	cross-entropy    all              all            Output sigmoid
//
// Tied weights, mini-batches, full batches, L-BFGS, merged sums and held-out
// rows go with all of these. Without corruption the emphasis is not used. The
// contraction term of relu is piecewise linear. That rows lie in [0, 1] where
// the output is a sigmoid is a matter of the data, [Model.Check], and of
// preprocessing, [Preprocess.Allows]: standardize and zca need another output,
// which [ForObjective] chooses, and do not go with salt-pepper noise.
func (c Config) Validate() error {
	if c.Objective != "" && !slices.Contains(Objectives(), c.Objective) {
		return unknownObjective(c.Objective)
	}
	switch {
	case c.Inputs < 0:
		return &ConfigError{"Inputs", fmt.Sprintf("%d is negative", c.Inputs), ""}
	case c.Hidden < 1:
		return &ConfigError{"Hidden", fmt.Sprintf("%d is not a positive number", c.Hidden), "ask for at least one hidden unit"}
	case c.Inputs > maxWeights, c.Hidden > maxWeights, c.Inputs > 0 && c.Hidden > maxWeights/c.Inputs:
		return &ConfigError{"Hidden",
			fmt.Sprintf("a weight matrix of %d by %d does not fit in memory", c.Hidden, c.Inputs),
			"ask for fewer hidden units"}
	case int(c.Activation) >= len(activationNames):
		return &ConfigError{"Activation", c.Activation.String(), ""}
	case int(c.Output) >= len(activationNames):
		return &ConfigError{"Output", c.Output.String(), ""}
	case int(c.Loss) >= len(lossNames):
		return &ConfigError{"Loss", c.Loss.String(), ""}
	case int(c.Noise) >= len(noiseNames):
		return &ConfigError{"Noise", c.Noise.String(), ""}
	}
	for _, t := range terms {
		if v := t.value(c); !(v >= 0 && v <= math.MaxFloat32) {
			return &ConfigError{t.setting, fmt.Sprintf("%v is not a number from 0 up", v), ""}
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
		return &ConfigError{"Loss",
			fmt.Sprintf("cross-entropy needs a sigmoid output, not %s", c.Output),
			"choose `Loss` squared, or `Output` sigmoid"}
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

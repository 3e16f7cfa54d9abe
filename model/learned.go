package model

import (
	"fmt"
	"math"

	"github.com/aefeat/aefeat/internal/f32"
)

// Learned is what a rule of preprocessing has learned from rows, in the
// notation of x (m,n) after scaling. The tensors of a method that has none are
// nil. It is never changed once it is made, so that copies of a rule share it.
type Learned struct {
	Rows int64 `json:"rows"` // m: how many

	// Deviation, of patch, is the standard deviation of all values.
	Deviation float64 `json:"deviation,omitempty"`

	// Mean (n), of standardize and zca, is that of the rows; of zca after their
	// contrast is normalised.
	Mean []float32 `json:"-"`

	// Scale (n), of standardize, is 1/sqrt(variance + epsilon), or 0.
	Scale []float32 `json:"-"`

	// Whiten (n,n), of zca, is symmetric.
	Whiten []float32 `json:"-"`
}

// A patch is mapped to patchMiddle +- patchReach, which patchDeviations
// standard deviations take up.
const (
	patchMiddle     = 0.5
	patchReach      = 0.4
	patchDeviations = 3
)

// Learns reports whether the method learns from rows.
func (p Preprocess) Learns() bool {
	switch p.Method {
	case PreprocessPatch, PreprocessStandardize, PreprocessZCA:
		return true
	}
	return false
}

// Allows reports, as a [*ConfigError], an unknown method, and what in c does
// not go with the method: standardized and whitened values lie in no interval,
// so a sigmoid cannot reconstruct them, and salt-and-pepper noise has no lowest
// and highest value to take.
func (p Preprocess) Allows(c Config) error {
	switch {
	case !p.known():
		return unknownPreprocess(p.Method)
	case !p.unbounded():
		return nil
	case c.unitInterval():
		return &ConfigError{"Output", fmt.Sprintf("sigmoid reconstructs values in [0, 1], and preprocessing %s makes others", p.Method),
			"choose `Output` linear, with `Loss` squared"}
	case c.Corruption > 0 && c.Noise.needsRange():
		hint := "choose `Noise` masking or gaussian"
		if c.emphasises() { // which gaussian noise does not go with
			hint = "choose `Noise` masking"
		}
		return &ConfigError{"Noise", fmt.Sprintf("%s needs a lowest and a highest value, and preprocessing %s has none", c.Noise, p.Method), hint}
	case p.Method == PreprocessZCA && c.Inputs > maxWeights/max(1, c.Inputs):
		return &ConfigError{"Preprocess", fmt.Sprintf("zca of %d inputs does not fit in memory", c.Inputs),
			"choose `Preprocess` standardize, or cut smaller patches"}
	}
	return nil
}

// convert sets dst to rows of r by the rule: those that order names, or
// without one those from the i-th on. scratch holds as much as dst where the
// method is zca.
func (p Preprocess) convert(dst, scratch []float32, r Rows, order []int32, i int) {
	scale, offset := p.factors()
	if !p.Learns() {
		r.convert(dst, order, i, scale, offset)
		return
	}
	l, n := p.Learned, r.Width
	if l == nil {
		panic("model: rows for a preprocessing rule that has not learned yet")
	}
	switch p.Method {
	case PreprocessPatch:
		// (v/(3 sd) + 1)*0.4 + 0.1, v being cut off at +-3 sd
		limit := patchDeviations * l.Deviation
		var reach float64
		if float32(limit) > 0 {
			reach = patchReach / limit
		}
		r.convert(dst, order, i, scale, offset)
		f32.Clip(dst, n, float32(limit), float32(min(reach, math.MaxFloat32)), patchMiddle)
	case PreprocessStandardize:
		r.convert(dst, order, i, scale, offset)
		f32.Standardize(dst, l.Mean, l.Scale)
	case PreprocessZCA:
		x := dst
		if l.Whiten != nil { // else the weights have it in them
			x = scratch[:len(dst)]
		}
		r.convert(x, order, i, scale, offset)
		if p.Contrast > 0 {
			f32.Contrast(x, n, p.Contrast, l.Mean)
		} else {
			f32.Standardize(x, l.Mean, nil)
		}
		if l.Whiten != nil {
			f32.Gemm(false, false, len(x)/n, n, n, 1, x, n, l.Whiten, n, 0, dst, n)
		}
	}
}

// scratch returns what convert needs beside rows of the given number; nil for
// nothing.
func (p Preprocess) scratch(rows, n int) []float32 {
	if p.Method != PreprocessZCA {
		return nil
	}
	return make([]float32, rows*n)
}

// tensors returns the tensors of the rule for rows of n values, in their order
// in the file, and where they are kept.
func (p Preprocess) tensors(n int) []learnedTensor {
	l, size := p.Learned, int64(n)
	if l == nil {
		l = &Learned{}
	}
	switch p.Method {
	case PreprocessStandardize:
		return []learnedTensor{
			{namedShape{preprocessMean, []int64{size}}, &l.Mean},
			{namedShape{preprocessScale, []int64{size}}, &l.Scale},
		}
	case PreprocessZCA:
		return []learnedTensor{
			{namedShape{preprocessMean, []int64{size}}, &l.Mean},
			{namedShape{preprocessWhiten, []int64{size, size}}, &l.Whiten},
		}
	}
	return nil
}

// learnedTensor is a tensor of a rule.
type learnedTensor struct {
	namedShape
	data *[]float32
}

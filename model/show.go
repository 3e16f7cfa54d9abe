package model

import (
	"math"
	"slices"
)

// Shown is rows as they came, as training meets them and as the model rebuilds
// them: (m,n) each, in the units of the stored values.
type Shown struct {
	Original []float32

	// Corrupted is the row with noise of the kind that training adds, in the
	// draw that held-out rows are judged by; nil for a model without noise.
	Corrupted []float32

	// Reconstructed is what the model makes of the corrupted row, or of the
	// original where there is no noise.
	Reconstructed []float32
}

// Show returns what the model makes of a few rows, with preprocessing undone:
// what it took off a row, its mean or contrast, is given back from the
// original, and whitening is inverted. Values beyond what patch clips stay
// clipped. Values of r are trusted; see [Model.Check], and preprocessing must
// have been learned. A reconstruction that overflows is a
// [*RangeError].
func (m *Model) Show(r Rows) (*Shown, error) {
	if err := r.check(m.Inputs); err != nil {
		return nil, err
	}
	rows := r.Len()
	x := make([]float32, rows*m.Inputs)
	if rows > 0 {
		m.Preprocess.convert(x, m.Preprocess.scratch(rows, m.Inputs), r, nil, 0)
	}
	s := &Shown{Original: r.AppendFloat32(nil)}
	seen := Float32Rows(x, m.Inputs)
	if m.Corruption > 0 {
		noisy := make([]float32, len(x))
		numbers := make([]int64, rows)
		for i := range numbers {
			numbers[i] = r.number(i)
		}
		newCorrupter(m.Config, m.Preprocess).rows(noisy, x, m.Inputs, numbers, fixedNoise)
		seen = Float32Rows(noisy, m.Inputs)
		var err error
		if s.Corrupted, err = m.Preprocess.undo(noisy, s.Original, m.Inputs); err != nil {
			return nil, err
		}
	}
	seen.Number = r.Number
	processed := *m
	processed.Preprocess = Preprocess{}
	y := make([]float32, len(x))
	if err := NewEncoder(&processed).Reconstruct(nil, y, nil, seen); err != nil {
		return nil, err
	}
	var err error
	s.Reconstructed, err = m.Preprocess.undo(y, s.Original, m.Inputs)
	return s, err
}

// undo returns the stored values of preprocessed rows x (m,n), which were made
// of original (m,n) or are like it.
func (p Preprocess) undo(x, original []float32, n int) ([]float32, error) {
	dst := slices.Clone(x)
	if p.Method == PreprocessZCA && len(x) > 0 {
		if err := unwhiten(dst, x, p.Learned.Whiten, n); err != nil {
			return nil, err
		}
	}
	scale, offset := p.factors()
	scaled := make([]float64, n)
	for at := 0; at < len(x); at += n {
		row := dst[at : at+n]
		for j := range n {
			scaled[j] = float64(original[at+j])*float64(scale) + float64(offset)
		}
		mean, variance := rowMoments(scaled)
		for j, v := range row {
			v := (p.undoMethod(float64(v), j, mean, variance) - float64(offset)) / float64(scale)
			row[j] = float32(max(-math.MaxFloat32, min(v, math.MaxFloat32)))
		}
	}
	return dst, nil
}

// undoMethod undoes the method on value j of a row, given the mean and variance
// of the row in front of it. Whitening is undone already.
func (p Preprocess) undoMethod(v float64, j int, mean, variance float64) float64 {
	l := p.Learned
	switch p.Method {
	case PreprocessPatch:
		return (v-patchMiddle)/patchReach*patchDeviations*l.Deviation + mean
	case PreprocessStandardize:
		if l.Scale[j] != 0 {
			v /= float64(l.Scale[j])
		}
		return v + float64(l.Mean[j])
	case PreprocessZCA:
		v += float64(l.Mean[j])
		if p.Contrast > 0 {
			v = v*math.Sqrt(variance+p.Contrast) + mean
		}
	}
	return v
}

// rowMoments returns the mean of x and its variance, with the divisor n-1.
func rowMoments(x []float64) (mean, variance float64) {
	for _, v := range x {
		mean += v / float64(len(x))
	}
	for _, v := range x {
		variance += (v - mean) * (v - mean) / float64(max(1, len(x)-1))
	}
	return mean, variance
}

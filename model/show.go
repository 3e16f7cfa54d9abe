package model

import (
	"errors"
	"fmt"
	"math"

	"gonum.org/v1/gonum/mat"
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
// what it took off a row, its mean or contrast, is given back from the original,
// and whitening is inverted. Values beyond what patch clips stay clipped. Values
// of r are trusted; see [Model.Check]. A reconstruction that overflows is a
// [*RangeError].
func (m *Model) Show(r Rows) (*Shown, error) {
	if err := r.check(m.Inputs); err != nil {
		return nil, err
	}
	undo, err := m.Preprocess.newUndo(m.Inputs)
	if err != nil {
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
		s.Corrupted = undo.rows(noisy, s.Original)
	}
	seen.Number = r.Number
	processed := *m
	processed.Preprocess = Preprocess{}
	y := make([]float32, len(x))
	if err := NewEncoder(&processed).Reconstruct(nil, y, nil, seen); err != nil {
		return nil, err
	}
	s.Reconstructed = undo.rows(y, s.Original)
	return s, nil
}

// undo turns preprocessed rows into stored values.
type undo struct {
	p      Preprocess
	n      int
	whiten mat.Cholesky // of zca
}

var errNotWhitened = errors.New("the whitening of the model has no inverse")

// newUndo returns what undoes p on rows of n values.
func (p Preprocess) newUndo(n int) (*undo, error) {
	u := &undo{p: p, n: n}
	if !p.Learns() {
		return u, nil
	}
	if p.Learned == nil {
		return nil, fmt.Errorf("preprocessing %s has not been learned", p.Method)
	}
	if p.Method == PreprocessZCA {
		w := mat.NewSymDense(n, nil)
		for i := range n {
			for j := i; j < n; j++ {
				w.SetSym(i, j, float64(p.Learned.Whiten[i*n+j]))
			}
		}
		if !u.whiten.Factorize(w) {
			return nil, errNotWhitened
		}
	}
	return u, nil
}

// rows returns the stored values of rows x (m,n), which were made of original
// (m,n) or are like it.
func (u *undo) rows(x, original []float32) []float32 {
	n := u.n
	dst := make([]float32, len(x))
	scale, offset := u.p.factors()
	row, scaled := make([]float64, n), make([]float64, n)
	for at := 0; at < len(x); at += n {
		for j := range n {
			row[j] = float64(x[at+j])
			scaled[j] = float64(original[at+j])*float64(scale) + float64(offset)
		}
		u.method(row, scaled)
		for j, v := range row {
			v = (v - float64(offset)) / float64(scale)
			dst[at+j] = float32(max(-math.MaxFloat32, min(v, math.MaxFloat32)))
		}
	}
	return dst
}

// method undoes the method on a row, given the original in front of it.
func (u *undo) method(x, original []float64) {
	l := u.p.Learned
	switch u.p.Method {
	case PreprocessPatch:
		mean, _ := rowMoments(original)
		for j := range x {
			x[j] = (x[j]-patchMiddle)/patchReach*patchDeviations*l.Deviation + mean
		}
	case PreprocessStandardize:
		for j := range x {
			if l.Scale[j] != 0 {
				x[j] /= float64(l.Scale[j])
			}
			x[j] += float64(l.Mean[j])
		}
	case PreprocessZCA:
		v := mat.NewVecDense(u.n, x)
		_ = u.whiten.SolveVecTo(v, v) // an error tells of lost digits, which a picture can do without
		mean, deviation := 0., 1.
		if u.p.Contrast > 0 {
			var variance float64
			mean, variance = rowMoments(original)
			deviation = math.Sqrt(variance + u.p.Contrast)
		}
		for j := range x {
			x[j] = (x[j]+float64(l.Mean[j]))*deviation + mean
		}
	}
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

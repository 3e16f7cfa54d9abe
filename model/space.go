package model

import (
	"errors"
	"math"
	"slices"

	"gonum.org/v1/gonum/mat"

	"github.com/aefeat/aefeat/internal/f32"
)

// Preprocessing is, but for the contrast of single rows and for what patch cuts
// off, an affine map of a scaled row v: x = A v + b. The A of patch and of zca
// with contrast first takes the mean off v.

// takesMean reports whether the rule takes from each row its own mean, so that
// the mean of a unit's weights means nothing.
func (p Preprocess) takesMean() bool {
	return p.Method == PreprocessPatch || p.Method == PreprocessZCA && p.Contrast > 0
}

// RowWeights returns weights w on preprocessed rows, or patterns in them,
// (h,n), without what means nothing: each less its mean, if the rule takes from
// each row its own.
func (p Preprocess) RowWeights(w []float32, n int) []float32 {
	out := slices.Clone(w)
	if p.takesMean() {
		takeMeans(out, n)
	}
	return out
}

// InputWeights returns the weights on scaled values v that do what weights w
// (h,n) do on preprocessed rows: w A, one a row. The bounded v that excites a
// unit most is in proportion to them. The rule must have learned.
func (p Preprocess) InputWeights(w []float32, n int) []float32 {
	out := make([]float32, len(w))
	switch p.Method {
	case PreprocessPatch:
		for i, v := range w {
			out[i] = v * p.patchFactor()
		}
	case PreprocessStandardize:
		for i, v := range w {
			out[i] = v * p.Learned.Scale[i%n]
		}
	case PreprocessZCA:
		f32.Gemm(false, false, len(w)/n, n, n, 1, w, n, p.Learned.Whiten, n, 0, out, n)
	default:
		copy(out, w)
	}
	if p.takesMean() {
		takeMeans(out, n)
	}
	return out
}

// InputPatterns returns the changes of scaled values v that preprocessing turns
// into the changes w (h,n) of a row: the inverse of A for each row of w. What A
// cannot make, a mean or the change of an input that was constant, is 0. The
// rule must have learned. A whitening that has no inverse is an error.
func (p Preprocess) InputPatterns(w []float32, n int) ([]float32, error) {
	out := make([]float32, len(w))
	switch p.Method {
	case PreprocessPatch:
		if factor := p.patchFactor(); factor > 0 {
			for i, v := range w {
				out[i] = v / factor
			}
		}
	case PreprocessStandardize:
		for i, v := range w {
			if scale := p.Learned.Scale[i%n]; scale > 0 {
				out[i] = v / scale
			}
		}
	case PreprocessZCA:
		if err := unwhiten(out, w, p.Learned.Whiten, n); err != nil {
			return nil, err
		}
	default:
		copy(out, w)
	}
	if p.takesMean() {
		takeMeans(out, n)
	}
	return out, nil
}

// Deviations returns how much each input (n) varies over the rows that the rule
// has learned from, its standard deviation, as far as what was learned tells;
// nil: it does not, or says the same of all. They are those of preprocessed
// rows, or with input of scaled values v, of zca after their contrast is
// normalised. A whitening that has no inverse is an error.
func (p Preprocess) Deviations(n int, input bool) ([]float64, error) {
	l := p.Learned
	if l == nil || l.Scale == nil && l.Whiten == nil {
		return nil, nil
	}
	deviations := make([]float64, n)
	if l.Scale != nil {
		for j, scale := range l.Scale {
			switch {
			case scale == 0:
			case input:
				deviations[j] = 1 / float64(scale)
			default:
				deviations[j] = 1
			}
		}
		return deviations, nil
	}
	// Rows of covariance C are whitened by W = (C + epsilon)^-1/2, so that C is
	// W^-2 - epsilon, and that of whitened rows W C W = 1 - epsilon W^2.
	if !input {
		for j := range deviations {
			deviations[j] = math.Sqrt(max(0, 1-p.Epsilon*f32.SumSquares(l.Whiten[j*n:(j+1)*n])))
		}
		return deviations, nil
	}
	inverse, one := make([]float32, n*n), make([]float32, n*n)
	for j := range n {
		one[j*(n+1)] = 1
	}
	if err := unwhiten(inverse, one, l.Whiten, n); err != nil {
		return nil, err
	}
	for j := range deviations {
		deviations[j] = math.Sqrt(max(0, f32.SumSquares(inverse[j*n:(j+1)*n])-p.Epsilon))
	}
	return deviations, nil
}

// patchFactor is what patch multiplies distances from the mean by; 0 where all
// values were alike.
func (p Preprocess) patchFactor() float32 {
	if reach := patchDeviations * p.Learned.Deviation; reach > 0 {
		return float32(min(patchReach/reach, math.MaxFloat32))
	}
	return 0
}

// takeMeans takes from each row of w (m,n) its mean.
func takeMeans(w []float32, n int) {
	for ; len(w) > 0; w = w[n:] {
		sum := 0.
		for _, v := range w[:n] {
			sum += float64(v)
		}
		mean := float32(sum / float64(n))
		for j := range w[:n] {
			w[j] -= mean
		}
	}
}

// unwhiten sets dst (h,n) to the solutions of whiten dst = w, row by row.
func unwhiten(dst, w, whiten []float32, n int) error {
	a := mat.NewSymDense(n, nil)
	for i := range n {
		for j := range i + 1 {
			a.SetSym(i, j, float64(whiten[i*n+j]))
		}
	}
	var factor mat.Cholesky
	if !factor.Factorize(a) {
		return errors.New("the model's whitening cannot be undone: its matrix is not positive definite")
	}
	h := len(w) / n
	b, x := mat.NewDense(n, h, nil), mat.NewDense(n, h, nil)
	for i, v := range w {
		b.Set(i%n, i/n, float64(v))
	}
	if err := factor.SolveTo(x, b); err != nil && !errors.As(err, new(mat.Condition)) {
		return err
	}
	for i := range dst {
		dst[i] = float32(x.At(i%n, i/n))
	}
	return nil
}

package model

import (
	"math"

	"github.com/aefeat/aefeat/internal/f32"
)

// Activity gathers, over any number of rows, what the units of a model do on
// them and how much its inputs vary. It takes memory for a block of rows. It is
// not safe for concurrent use.
type Activity struct {
	encoder *Encoder
	units   *UnitSums
	block   []float32 // codes, then scaled values

	given, stored *spread // of x, and of scaled values; the same where nothing is learned
}

// NewActivity returns an Activity of m without rows.
func NewActivity(m *Model) *Activity {
	a := &Activity{encoder: NewEncoder(m), units: NewUnitSums(m.Config), given: newSpread(m.Inputs)}
	a.stored = a.given
	if m.Preprocess.Learns() {
		a.stored = newSpread(m.Inputs)
	}
	a.block = make([]float32, blockRows(m.Inputs)*max(m.Hidden, m.Inputs))
	return a
}

// Add takes rows in. Nothing of r is kept. Values are trusted; see
// [Model.Check]. A code that overflows is the error that it is of
// [Encoder.Encode].
func (a *Activity) Add(r Rows) error {
	p := a.encoder.pass
	n, h := p.m.Inputs, p.m.Hidden
	if err := r.check(n); err != nil {
		return err
	}
	scale, offset := p.m.Preprocess.factors()
	for i := 0; i < r.Len(); {
		p.reset()
		rows := p.take(r, nil, i)
		a.given.add(p.clean[:rows*n])
		code := a.block[:rows*h]
		encode(p.m, p.keep, code, p.clean[:rows*n])
		if !f32.AllFinite(code) {
			return overflow(r, i, code, h)
		}
		a.units.Add(code)
		if a.stored != a.given {
			r.convert(a.block[:rows*n], nil, i, scale, offset)
			a.stored.add(a.block[:rows*n])
		}
		i += rows
	}
	return nil
}

// Rows returns the number of rows so far.
func (a *Activity) Rows() int64 { return a.units.rows }

// MeanCodes returns the mean code of each unit (h); without rows 0.
func (a *Activity) MeanCodes() []float64 {
	means := make([]float64, len(a.units.sums))
	for i, sum := range a.units.sums {
		means[i] = sum / float64(max(1, a.Rows()))
	}
	return means
}

// Dead tells which units (h) [Evaluation.DeadUnits] counts.
func (a *Activity) Dead() []bool {
	dead := make([]bool, len(a.units.sums))
	for i, u := range a.units.Units() {
		dead[i] = u.Dead
	}
	return dead
}

// Deviations returns the standard deviations of the inputs (n): with stored of
// the values as they are in the input, scaled, otherwise of what preprocessing
// has made of them.
func (a *Activity) Deviations(stored bool) []float64 {
	if stored {
		return a.stored.deviations(a.Rows())
	}
	return a.given.deviations(a.Rows())
}

// spread is sums over rows of n values, about the first row.
type spread struct {
	first         []float32
	sums, squares []float64
}

func newSpread(n int) *spread { return &spread{sums: make([]float64, n), squares: make([]float64, n)} }

func (s *spread) add(x []float32) {
	n := len(s.sums)
	if s.first == nil {
		s.first = append(s.first, x[:n]...)
	}
	for ; len(x) > 0; x = x[n:] {
		for j, v := range x[:n] {
			d := float64(v) - float64(s.first[j])
			s.sums[j] += d
			s.squares[j] += d * d
		}
	}
}

func (s *spread) deviations(rows int64) []float64 {
	d, m := make([]float64, len(s.sums)), float64(max(1, rows))
	for j, sum := range s.sums {
		mean := sum / m
		d[j] = math.Sqrt(max(0, s.squares[j]/m-mean*mean))
	}
	return d
}

package model

import (
	"math"
	"slices"
)

// deadShare is the share of its range that the codes of a dead unit keep to,
// and how near to an end of the range a code is saturated.
const deadShare = 0.01

// saturatedRows is the share of rows on which a saturated unit must be so.
const saturatedRows = 0.99

// health gathers what tells, for each unit (h), whether it does any work.
type health struct {
	f         Activation
	kept      bool      // of a k-sparse code: what is not 0 was kept
	low, high []float32 // least and largest code
	active    []int64   // rows on which the unit is active
	ends      []int64   // rows on which the code is near an end of its range
}

func newHealth(c Config) *health {
	return &health{
		f:      c.Activation,
		kept:   c.K > 0,
		low:    slices.Repeat([]float32{float32(math.Inf(1))}, c.Hidden),
		high:   slices.Repeat([]float32{float32(math.Inf(-1))}, c.Hidden),
		active: make([]int64, c.Hidden),
		ends:   make([]int64, c.Hidden),
	}
}

// add takes codes (m,h) in.
func (s *health) add(codes []float32) {
	h := len(s.low)
	floor, ceiling := float32(math.Inf(-1)), float32(math.Inf(1))
	middle := float32(0)
	switch s.f {
	case Sigmoid:
		middle, floor, ceiling = 0.5, deadShare, 1-deadShare
	case Tanh:
		floor, ceiling = -1+2*deadShare, 1-2*deadShare
	case Linear:
		middle = float32(math.Inf(1))
	}
	for ; len(codes) > 0; codes = codes[h:] {
		for i, a := range codes[:h] {
			s.low[i] = min(s.low[i], a)
			s.high[i] = max(s.high[i], a)
			if a > middle || s.kept && a != 0 {
				s.active[i]++
			}
			if a < floor || a > ceiling {
				s.ends[i]++
			}
		}
	}
}

// merge takes in what b has seen.
func (s *health) merge(b *health) {
	for i := range s.low {
		s.low[i] = min(s.low[i], b.low[i])
		s.high[i] = max(s.high[i], b.high[i])
		s.active[i] += b.active[i]
		s.ends[i] += b.ends[i]
	}
}

// units judges each unit by the rows so far. Mean is left to the caller.
func (s *health) units(rows int64) []Unit {
	units := make([]Unit, len(s.low))
	width := s.width()
	for i := range units {
		units[i] = Unit{
			Low: s.low[i], High: s.high[i], Active: float64(s.active[i]) / float64(rows),
			Dead:      rows > 1 && s.high[i]-s.low[i] <= deadShare*width,
			Dense:     2*s.active[i] > rows,
			Saturated: float64(s.ends[i]) >= saturatedRows*float64(rows),
		}
	}
	return units
}

// width is that of the range of a unit, as Evaluation.DeadUnits says.
func (s *health) width() float32 {
	switch s.f {
	case Sigmoid:
		return 1
	case Tanh:
		return 2
	}
	var width float32
	for i, low := range s.low {
		width = max(width, s.high[i]-low)
	}
	return width
}

// Health counts the units that a training epoch leaves without work, as far
// as their mean codes tell, which it knows anyway. [Evaluation] counts by the
// codes of single rows, and sees more.
//
// The rules are for rhohat, the mean of a unit's codes over the epoch as
// training met them. A unit of sigmoid or tanh is dead where it is at most
// 0.01, or a tenth of rho if the sparsity term aims lower than 0.1; saturated
// from 0.99 up; and dense above 1/2, so that a saturated unit is dense too. A
// unit of relu or of a k-sparse code is dead where its mean is 0: it was never
// active. Of linear units nothing is known.
type Health struct {
	Dead      int `json:"dead_units"`
	Dense     int `json:"dense_units"`
	Saturated int `json:"saturated_units"`
}

// health returns what the sums of the codes (h) over rows tell.
func (c Config) health(sums []float64, rows int64) Health {
	var s Health
	quiet := deadShare
	if c.SparsityWeight > 0 {
		quiet = min(quiet, c.rho()/10)
	}
	for _, sum := range sums {
		switch q := c.rhohat(sum / float64(rows)); c.Activation {
		case Sigmoid, Tanh:
			if q <= quiet {
				s.Dead++
			}
			if q > 0.5 {
				s.Dense++
			}
			if q >= 1-deadShare {
				s.Saturated++
			}
		case ReLU, Linear:
			if q == 0 && (c.Activation == ReLU || c.K > 0) {
				s.Dead++
			}
		}
	}
	return s
}

package model

import "github.com/aefeat/aefeat/internal/f32"

// Unit is what the codes of one hidden unit were over some rows.
type Unit struct {
	// Mean is rhohat: the mean code, of tanh through (1+a)/2, the form that is
	// compared with rho.
	Mean float64

	Low, High float32 // the least and the largest code

	// Active is the share of the rows on which the unit is active, as
	// Evaluation.DenseUnits says; 0 for a linear code that keeps all.
	Active float64

	// Dead, Dense and Saturated are as the counts of Evaluation say.
	Dead, Dense, Saturated bool
}

// UnitSums gathers what the codes of each unit are over rows. How the rows are
// split over calls of Add does not matter. It is not safe for concurrent use.
type UnitSums struct {
	config Config
	rows   int64
	sums   []float64 // (h) of codes
	health *health
}

// NewUnitSums returns empty sums for codes that a model with the settings c
// makes.
func NewUnitSums(c Config) *UnitSums {
	return &UnitSums{config: c, sums: make([]float64, c.Hidden), health: newHealth(c)}
}

// Add takes codes (m,h) in, as [Encoder.Encode] gives them. It panics when they
// are no whole number of rows.
func (s *UnitSums) Add(codes []float32) {
	f32.ColumnSums(s.sums, codes)
	s.health.add(codes)
	s.rows += int64(len(codes) / s.config.Hidden)
}

// Units returns what is known of each unit (h), nil before any row. More rows
// may follow.
func (s *UnitSums) Units() []Unit {
	if s.rows == 0 {
		return nil
	}
	units := s.health.units(s.rows)
	for i, sum := range s.sums {
		units[i].Mean = s.config.rhohat(sum / float64(s.rows))
	}
	return units
}

// countUnits counts the units of each kind.
func countUnits(units []Unit) (dead, dense, saturated int) {
	for _, u := range units {
		if u.Dead {
			dead++
		}
		if u.Dense {
			dense++
		}
		if u.Saturated {
			saturated++
		}
	}
	return dead, dense, saturated
}

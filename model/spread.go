package model

import (
	"math"

	"github.com/aefeat/aefeat/internal/f32"
)

// Spread tells where rows lie, preprocessed as the network is fed with them.
type Spread struct {
	Mean     []float32 `json:"mean"`     // row (n)
	Variance float64   `json:"variance"` // mean of |x - Mean|^2
}

// fault says what cannot be in the spread of rows of n values; "": nothing.
func (s *Spread) fault(n int) string {
	switch {
	case len(s.Mean) != n:
		return "a mean row of another width"
	case s.Variance < 0:
		return "a variance below 0"
	}
	return ""
}

// spreadSums gather a [Spread].
type spreadSums struct {
	inputs []float64 // sum of x (n)
	energy float64   // sum of |x|^2
}

func newSpreadSums(n int) *spreadSums { return &spreadSums{inputs: make([]float64, n)} }

// add takes in rows x (m,n).
func (s *spreadSums) add(x []float32) {
	f32.ColumnSums(s.inputs, x)
	s.energy += f32.SumSquares(x)
}

func (s *spreadSums) state(f *stateForm) {
	f.doubles("spread.inputs", &s.inputs, len(s.inputs))
	f.number("spread.energy", &s.energy)
}

// over returns the spread of so many rows.
func (s *spreadSums) over(rows int64) *Spread {
	v := &Spread{Mean: make([]float32, len(s.inputs)), Variance: s.energy / float64(rows)}
	for j, sum := range s.inputs {
		mean := sum / float64(rows)
		v.Mean[j] = float32(mean)
		v.Variance -= float64(mean * mean)
	}
	v.Variance = max(0, v.Variance)
	return v
}

// A groups splits the variance of rows into that between groups of them and
// that within.
type groups struct {
	count   int64
	rows    int64
	mean    []float64 // of all rows (n)
	between float64   // sum over groups of rows times |mean of group - mean|^2
	within  float64   // sum over rows of |x - mean of group|^2
	unknown bool      // of some group there is no spread
}

// add takes in a group of rows.
func (g *groups) add(s *Spread, rows int64) {
	if s == nil || g.mean != nil && len(g.mean) != len(s.Mean) {
		g.unknown = true
		return
	}
	if g.mean == nil {
		g.mean = make([]float64, len(s.Mean))
	}
	g.count++
	g.rows += rows
	share := float64(rows) / float64(g.rows)
	square := 0.0
	for j, v := range s.Mean {
		delta := float64(v) - g.mean[j]
		g.mean[j] += float64(share * delta)
		square += float64(delta * delta)
	}
	g.between += float64(share * float64(g.rows-rows) * square)
	g.within += float64(float64(rows) * s.Variance)
}

// fewest is the least share of the variance between groups that matters.
const fewest = 0.01

// sorted returns the share of the variance that lies between the groups beyond
// what chance makes, and whether it is more than chance makes and matters.
func (g *groups) sorted() (share float64, sorted bool) {
	if g.unknown || g.count < 2 || g.rows <= g.count || g.between == 0 {
		return 0, false
	}
	freedom := float64(g.count - 1)
	noise := g.within / float64(g.rows-g.count)
	share = max(0, (g.between-float64(freedom*noise))/(g.between+g.within+noise))
	return share, share > fewest && g.between > noise*(freedom+4*math.Sqrt(2*freedom))
}

package model

import (
	"fmt"
	"math"
)

// The sparsity term, beta sum_l KL(rho || rhohat_l). rhohat_l is a mean over
// rows, which an [Accumulator] knows when the rows are over, and mini-batches
// as a [runningRhohat].

// DefaultSparsity is the rho that 0 stands for where SparsityWeight is set.
const DefaultSparsity = 0.1

// Sparse returns the sparse autoencoder of A. Ng, "Sparse autoencoder",
// CS294A lecture notes, 2011: rho 0.1, lambda 3e-3, and beta 0.3. The notes'
// exercise has beta 3, which holds mean activations closer to rho; a
// classifier reads the codes of 0.3 better.
func Sparse(hidden int) Config {
	return Config{Objective: ObjectiveSparse, Hidden: hidden, Sparsity: DefaultSparsity, SparsityWeight: 0.3, WeightDecay: 3e-3}
}

// checkSparsity reports bounds of the term that c breaks.
func (c Config) checkSparsity() error {
	switch {
	case !(c.Sparsity >= 0 && c.Sparsity <= 1):
		return &ConfigError{"Sparsity", fmt.Sprintf("%v is not a mean activation", c.Sparsity), "give a number between 0 and 1"}
	case c.SparsityWeight == 0:
	case c.Sparsity == 1:
		return &ConfigError{"Sparsity", "the wanted mean activation cannot be 1", "give a number between 0 and 1, such as 0.1"}
	case c.Activation.Bounded():
	case c.K > 0 && c.Objective != ObjectiveKSparse:
		return &ConfigError{"SparsityWeight", "k-sparse codes have no sparsity term", "choose `Objective` k-sparse"}
	case c.K > 0:
		return &ConfigError{"SparsityWeight", "the sparsity term does not go with k-sparse codes", "set `SparsityWeight` to 0"}
	default:
		return &ConfigError{"SparsityWeight",
			fmt.Sprintf("the sparsity term needs sigmoid or tanh hidden units, not %s", c.Activation),
			"set `SparsityWeight` to 0, or choose `Activation` sigmoid or tanh"}
	}
	return nil
}

func (c Config) sparsityWords() Term {
	if c.SparsityWeight == 0 {
		return Term{}
	}
	return Term{"sparsity", fmt.Sprintf("%g, weight %g", c.Sparsity, c.SparsityWeight)}
}

// rho returns the wanted mean activation.
func (c Config) rho() float64 {
	if c.Sparsity == 0 {
		return DefaultSparsity
	}
	return c.Sparsity
}

// initialBias is what the biases of the hidden units begin with: where the
// sparsity term is on, the z at which a unit's activation is rho. Units that
// began at 1/2 would have the term crush their weights before it has moved
// their biases. It is 0 without the term.
func (c Config) initialBias() float64 {
	if c.SparsityWeight == 0 {
		return 0
	}
	logit := math.Log(c.rho() / (1 - c.rho()))
	if c.Activation == Tanh {
		return logit / 2 // for which (1+a)/2 is rho
	}
	return logit
}

// rhoMargin keeps rhohat away from 0 and 1, in cost and gradient alike.
const rhoMargin = 1e-7

// rhohat maps a unit's mean code to the activation that the sparsity term
// compares with rho: a code of tanh goes through (1+a)/2.
func (c Config) rhohat(mean float64) float64 {
	if c.Activation == Tanh {
		return (1 + mean) / 2
	}
	return mean
}

// sparsity returns beta KL(rho || rhohat) of one unit and its derivative by
// the unit's mean code, beta times the c of the package comment.
func (c Config) sparsity(rhohat float64) (kl, slope float64) {
	rho, q := c.rho(), min(max(rhohat, rhoMargin), 1-rhoMargin)
	kl = float64(rho*math.Log(rho/q)) + float64((1-rho)*math.Log((1-rho)/(1-q)))
	slope = -rho/q + (1-rho)/(1-q)
	if c.Activation == Tanh {
		slope /= 2
	}
	return c.SparsityWeight * kl, c.SparsityWeight * slope
}

// sparsityCost is the term of units whose codes (h) add up to sums over rows;
// 0 without rows.
func (c Config) sparsityCost(sums []float64, rows int64) float64 {
	if c.SparsityWeight == 0 || rows == 0 {
		return 0
	}
	total := 0.0
	for _, sum := range sums {
		kl, _ := c.sparsity(c.rhohat(sum / float64(rows)))
		total += kl
	}
	return total
}

// horizonRows is the least number of rows that a running rhohat remembers.
// Memories much longer than this make the sparsity term overshoot: units
// swing between too active and too quiet.
const horizonRows = 1024

// runningRhohat is what mini-batches take for rhohat: a running mean of the
// codes over a horizon of max(batch, 1024) rows, corrected for its start.
type runningRhohat struct {
	c       Config
	horizon int       // rows
	means   []float64 // running means of the codes (h), times weight
	weight  float64
	pull    []float32 // beta c (h)
}

func newRunningRhohat(c Config, batch int) *runningRhohat {
	return &runningRhohat{
		c:       c,
		horizon: max(batch, horizonRows),
		means:   make([]float64, c.Hidden),
		pull:    make([]float32, c.Hidden),
	}
}

// state lists what a checkpoint keeps.
func (r *runningRhohat) state(s *stateForm) {
	s.doubles("rhohat.means", &r.means, r.c.Hidden)
	s.number("rhohat.weight", &r.weight)
}

// update takes in the codes of a batch, summed over its rows (h). It sets pull
// and returns the term.
func (r *runningRhohat) update(sums []float64, rows int) float64 {
	share := float64(rows) / float64(r.horizon)
	r.weight = float64((1-share)*r.weight) + share
	total := 0.0
	for i, sum := range sums {
		r.means[i] = float64((1-share)*r.means[i]) + float64(share*(sum/float64(rows)))
		kl, slope := r.c.sparsity(r.c.rhohat(r.means[i] / r.weight))
		r.pull[i] = float32(slope)
		total += kl
	}
	return total
}

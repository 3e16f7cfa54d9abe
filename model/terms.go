package model

import (
	"math"

	"github.com/aefeat/aefeat/internal/f32"
)

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

// weightDecay returns lambda/2 (|W1|^2 + |W2|^2).
func (m *Model) weightDecay() float64 {
	if m.WeightDecay == 0 {
		return 0
	}
	return m.WeightDecay / 2 * (f32.SumSquares(m.Params.EncoderWeight) + f32.SumSquares(m.Params.DecoderWeight))
}

// contraction holds what the contraction term needs of the weights:
// |w_i|^2 (h) and 2 gamma |w_i|^2 (h).
type contraction struct {
	norms   []float64
	factors []float32
}

func newContraction(hidden int) *contraction {
	return &contraction{norms: make([]float64, hidden), factors: make([]float32, hidden)}
}

// set measures the weights of m.
func (c *contraction) set(m *Model) {
	f32.RowSumSquares(c.norms, m.Params.EncoderWeight, m.Inputs)
	for i, v := range c.norms {
		c.factors[i] = float32(2 * m.Contraction * v)
	}
}

// cost returns gamma times the sum over rows of |da/dx~|^2, given the sums
// over rows of f'(z)^2 (h), P in the package comment.
func (c *contraction) cost(gamma float64, squares []float64) float64 {
	sum := 0.0
	for i, v := range c.norms {
		sum += float64(v * squares[i])
	}
	return gamma * sum
}

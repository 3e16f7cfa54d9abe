package model

import (
	"fmt"

	"github.com/aefeat/aefeat/internal/f32"
)

// Contractive returns the contractive autoencoder of S. Rifai, P. Vincent,
// X. Muller, X. Glorot and Y. Bengio, "Contractive auto-encoders: explicit
// invariance during feature extraction", ICML 2011, with gamma 0.1.
func Contractive(hidden int) Config {
	return Config{Objective: ObjectiveContractive, Hidden: hidden, Contraction: 0.1}
}

func (c Config) contractionWords() Term {
	if c.Contraction == 0 {
		return Term{}
	}
	return Term{"contraction", fmt.Sprintf("%g", c.Contraction)}
}

// contraction is the term (gamma/m) sum_k |da_k/dx~_k|^2. It holds what that
// needs of the weights: |w_i|^2 (h) and 2 gamma |w_i|^2 (h), which
// [pass.backward] takes. The rest of its slope, (2 gamma/m) diag(P) W1, is a
// multiple of the weights like that of weight decay.
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

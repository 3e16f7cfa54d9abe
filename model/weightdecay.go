package model

import (
	"fmt"

	"github.com/aefeat/aefeat/internal/f32"
)

// weightDecay returns lambda/2 (|W1|^2 + |W2|^2), of tied weights once. Its
// gradient is lambda W.
func (m *Model) weightDecay() float64 {
	if m.WeightDecay == 0 {
		return 0
	}
	return m.WeightDecay / 2 * (f32.SumSquares(m.Params.EncoderWeight) + f32.SumSquares(m.Params.DecoderWeight))
}

func (c Config) weightDecayWords() Term {
	if c.WeightDecay == 0 {
		return Term{}
	}
	return Term{"weight decay", fmt.Sprintf("%g", c.WeightDecay)}
}

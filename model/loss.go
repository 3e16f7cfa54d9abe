package model

import "github.com/aefeat/aefeat/internal/f32"

// Loss is how a reconstruction y is measured against its row x.
type Loss uint8

// The losses.
const (
	SquaredError Loss = iota // 1/2 |y - x|^2
	CrossEntropy             // sum of softplus(u) - x u, with y = sigmoid(u)
)

var lossNames = []string{"squared", "cross-entropy"}

// String returns the name that flags and model files use.
func (l Loss) String() string { return nameOf(lossNames, l) }

// MarshalText returns the name of l.
func (l Loss) MarshalText() ([]byte, error) { return marshalName(lossNames, l) }

// UnmarshalText sets l to the loss of that name.
func (l *Loss) UnmarshalText(text []byte) error {
	return unmarshalName("loss", lossNames, l, text)
}

// kernel returns the loss as internal/f32 numbers it.
func (l Loss) kernel() f32.Loss {
	if l == CrossEntropy {
		return f32.CrossEntropy
	}
	return f32.Squared
}

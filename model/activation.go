package model

import "github.com/aefeat/aefeat/internal/f32"

// Activation is the function of a unit: f of the hidden units, g of the
// output.
type Activation uint8

// The activations.
const (
	Sigmoid Activation = iota // 1/(1+exp(-z)), with z clamped to +-30
	Tanh
	ReLU   // max(z, 0)
	Linear // z
)

var activationNames = []string{"sigmoid", "tanh", "relu", "linear"}

// Bounded reports whether the values of the activation lie in an interval, as
// the sparsity term needs it.
func (a Activation) Bounded() bool { return a == Sigmoid || a == Tanh }

// String returns the name that flags and model files use.
func (a Activation) String() string { return nameOf(activationNames, a) }

// MarshalText returns the name of a.
func (a Activation) MarshalText() ([]byte, error) { return marshalName(activationNames, a) }

// UnmarshalText sets a to the activation of that name.
func (a *Activation) UnmarshalText(text []byte) error {
	return unmarshalName("activation", activationNames, a, text)
}

// kernel returns the activation as internal/f32 numbers it.
func (a Activation) kernel() f32.Activation {
	switch a {
	case Sigmoid:
		return f32.Sigmoid
	case Tanh:
		return f32.Tanh
	case ReLU:
		return f32.ReLU
	}
	return f32.Linear
}

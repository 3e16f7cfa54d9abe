package model

import (
	"fmt"

	"github.com/aefeat/aefeat/internal/f32"
)

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

// Loss is how a reconstruction y is measured against its row x.
type Loss uint8

// The losses.
const (
	SquaredError Loss = iota // 1/2 |y - x|^2
	CrossEntropy             // sum of softplus(u) - x u, with y = sigmoid(u)
)

// Optimizer is how the gradient moves the parameters.
type Optimizer uint8

// The optimizers.
const (
	// Adam is the method of D. Kingma and J. Ba, "Adam: a method for
	// stochastic optimization", ICLR 2015, with their 0.9, 0.999 and 1e-8.
	Adam Optimizer = iota
	// SGD is stochastic gradient descent with momentum:
	// v = momentum v + gradient, parameters -= rate v.
	SGD
	// LBFGS is the limited-memory method of Broyden, Fletcher, Goldfarb and
	// Shanno, for full batches: each pass over the rows is an evaluation of
	// the exact cost and its gradient, and an iteration takes one or a few.
	LBFGS
)

var (
	activationNames = []string{"sigmoid", "tanh", "relu", "linear"}
	lossNames       = []string{"squared", "cross-entropy"}
	optimizerNames  = []string{"adam", "sgd", "lbfgs"}
)

// String returns the name that flags and model files use.
func (a Activation) String() string { return nameOf(activationNames, a) }

// String returns the name that flags and model files use.
func (l Loss) String() string { return nameOf(lossNames, l) }

// String returns the name that flags use.
func (o Optimizer) String() string { return nameOf(optimizerNames, o) }

// MarshalText returns the name of a.
func (a Activation) MarshalText() ([]byte, error) { return marshalName(activationNames, a) }

// MarshalText returns the name of l.
func (l Loss) MarshalText() ([]byte, error) { return marshalName(lossNames, l) }

// MarshalText returns the name of o.
func (o Optimizer) MarshalText() ([]byte, error) { return marshalName(optimizerNames, o) }

// UnmarshalText sets a to the activation of that name.
func (a *Activation) UnmarshalText(text []byte) error {
	return unmarshalName("activation", activationNames, a, text)
}

// UnmarshalText sets l to the loss of that name.
func (l *Loss) UnmarshalText(text []byte) error {
	return unmarshalName("loss", lossNames, l, text)
}

// UnmarshalText sets o to the optimizer of that name.
func (o *Optimizer) UnmarshalText(text []byte) error {
	return unmarshalName("optimizer", optimizerNames, o, text)
}

func nameOf[T ~uint8](names []string, v T) string {
	if int(v) < len(names) {
		return names[v]
	}
	return fmt.Sprintf("unknown (%d)", v)
}

func marshalName[T ~uint8](names []string, v T) ([]byte, error) {
	if int(v) >= len(names) {
		return nil, fmt.Errorf("%d has no name", v)
	}
	return []byte(names[v]), nil
}

func unmarshalName[T ~uint8](what string, names []string, v *T, text []byte) error {
	for i, name := range names {
		if name == string(text) {
			*v = T(i)
			return nil
		}
	}
	return fmt.Errorf("unknown %s %q: want one of %q", what, text, names)
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

// kernel returns the loss as internal/f32 numbers it.
func (l Loss) kernel() f32.Loss {
	if l == CrossEntropy {
		return f32.CrossEntropy
	}
	return f32.Squared
}

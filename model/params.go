package model

import (
	"math"

	"github.com/aefeat/aefeat/internal/rng"
)

// Params are the parameters of an autoencoder: one flat block, and a view of
// it for each tensor. Optimizers, gradients and the model file walk the
// block; the mathematics uses the views.
type Params struct {
	Inputs, Hidden int // n, h

	Flat          []float32 // all of it, in the order of the fields below
	EncoderWeight []float32 // W1 (h,n)
	EncoderBias   []float32 // b1 (h)
	DecoderWeight []float32 // W2 (n,h); nil when tied: then W2 is W1 transposed
	DecoderBias   []float32 // b2 (n)
}

// newParams returns views of flat, or of a new block of zeros when flat is nil.
// It panics when flat does not have as many elements as there are parameters.
func newParams(inputs, hidden int, tied bool, flat []float32) *Params {
	if flat == nil {
		flat = make([]float32, paramsLen(inputs, hidden, tied))
	}
	if len(flat) != paramsLen(inputs, hidden, tied) {
		panic("model: newParams of a block of the wrong length")
	}
	p := &Params{Inputs: inputs, Hidden: hidden, Flat: flat}
	cut := func(n int) []float32 {
		view := flat[:n:n]
		flat = flat[n:]
		return view
	}
	p.EncoderWeight = cut(hidden * inputs)
	p.EncoderBias = cut(hidden)
	if !tied {
		p.DecoderWeight = cut(inputs * hidden)
	}
	p.DecoderBias = cut(inputs)
	return p
}

// paramsLen is the number of parameters: the length of Params.Flat and of a
// gradient.
func paramsLen(inputs, hidden int, tied bool) int {
	n := inputs*hidden + hidden + inputs
	if !tied {
		n += inputs * hidden
	}
	return n
}

// initialize draws the weights evenly from +-sqrt(6/(n+h+1)), the interval of
// Ng's notes, and sets the biases to 0, but b1 to encoderBias. A weight depends
// on the seed, its tensor and its place alone: models of equal seed and sizes
// start with equal weights whatever their cost, tied or not.
func (p *Params) initialize(seed uint64, encoderBias float64) {
	clear(p.Flat)
	for i := range p.Hidden {
		p.draw(p.EncoderWeight[i*p.Inputs:(i+1)*p.Inputs], seed, encoderTensor, i)
	}
	for i := 0; i < len(p.DecoderWeight)/p.Hidden; i++ {
		p.draw(p.DecoderWeight[i*p.Hidden:(i+1)*p.Hidden], seed, decoderTensor, i)
	}
	for i := range p.EncoderBias {
		p.EncoderBias[i] = float32(encoderBias)
	}
}

// The tensors that are drawn, as keys of their random numbers.
const (
	encoderTensor uint32 = iota
	decoderTensor
)

// draw sets w to the initial weights of one row of a tensor.
func (p *Params) draw(w []float32, seed uint64, tensor uint32, row int) {
	limit := math.Sqrt(6 / float64(p.Inputs+p.Hidden+1))
	s := rng.New(seed, rng.Weights, tensor, uint64(row))
	for j := range w {
		w[j] = float32(limit * (2*s.Float64() - 1))
	}
}

package model

import "github.com/aefeat/aefeat/internal/f32"

// chunkRows is the number of rows whose sums are formed in float32 before
// they are folded into float64. It is fixed, so that the sums of a pass do
// not depend on how its rows arrive.
const chunkRows = 4096

// Accumulator gathers, in one pass over any number of rows at fixed weights,
// what the cost over all of them and its exact gradient need.
//
// The sparsity term asks for rhohat, a mean over all rows, before any row's
// share of the gradient is known. Its derivative by z_i is beta c_i f'(z_i),
// and c_i is the same for every row, so it can wait: the pass adds up
//
//	S = sum_k f'(z_k) x~_k^T  (h,n)
//	s = sum_k f'(z_k)  (h)
//	A = sum_k a_k  (h)
//
// and the end of it adds (beta/m) diag(c) S to the gradient of W1 and
// (beta/m) c*s to that of b1. Likewise P = sum_k f'(z_k)^2 (h) gives the part
// of the contraction term that is not a sum over rows, (2 gamma/m) diag(P) W1.
//
// All of these are sums over rows: accumulators of parts of the data merge
// into one of the whole, across goroutines, processes and machines. Rows are
// worked on in chunks of 4,096, each folded into float64; how the rows are
// split over calls of Add does not matter. Cost, Gradient, Merge and
// MarshalBinary end the current chunk early.
//
// An Accumulator reads the model, whose weights must stay as they are until
// the pass is over. It is not safe for concurrent use; several of one model
// may work at the same time.
type Accumulator struct {
	tally // of the chunks that are folded
	pass  *pass
	epoch uint32

	chunk   *Params   // the weights' sums over a chunk
	product []float32 // S of a chunk

	energy float64 // sum of |x|^2

	// Sums over rows of the gradient as far as a row knows it.
	encoderWeight []float64 // (h,n)
	encoderBias   []float64 // (h)
	decoderWeight []float64 // (n,h); nil when tied
	decoderBias   []float64 // (n)

	sparse []float64 // S (h,n); nil when beta is 0
}

// NewAccumulator returns an empty accumulator of the model, whose
// preprocessing is settled. Where the model corrupts its rows, the noise is
// that of epoch 0; [Accumulator.Reset] chooses another.
func NewAccumulator(m *Model) *Accumulator {
	h, n := m.Hidden, m.Inputs
	sparse, contracts := m.SparsityWeight > 0, m.Contraction > 0
	a := &Accumulator{
		tally: newTally(m),
		pass:  newPass(m, chunkRows, true, sparse || contracts),
		chunk: newParams(n, h, m.Tied, nil),
	}
	a.encoderWeight, a.encoderBias, a.decoderBias = make([]float64, h*n), make([]float64, h), make([]float64, n)
	if !m.Tied {
		a.decoderWeight = make([]float64, n*h)
	}
	if sparse {
		a.sparse, a.slopes = make([]float64, h*n), make([]float64, h)
		a.product = make([]float32, h*n)
	}
	return a
}

// memory is the size of the accumulator in bytes.
func (a *Accumulator) memory() int64 {
	sums := len(a.codes) + len(a.slopes) + len(a.squares)
	for _, part := range a.gradientSums() {
		sums += len(part)
	}
	return a.pass.memory() + 8*int64(sums) + 4*int64(len(a.chunk.Flat)+len(a.product))
}

// Reset empties the accumulator for another pass, at the weights that the
// model has then and with the noise of an epoch.
func (a *Accumulator) Reset(epoch uint32) {
	a.pass.reset()
	a.tally.reset()
	for _, sums := range a.gradientSums() {
		clear(sums)
	}
	a.energy = 0
	a.epoch = epoch
}

// gradientSums lists the sums that are for the gradient alone.
func (a *Accumulator) gradientSums() [5][]float64 {
	return [...][]float64{a.encoderWeight, a.encoderBias, a.decoderWeight, a.decoderBias, a.sparse}
}

// Rows is the number of rows added, merged ones included.
func (a *Accumulator) Rows() int64 { return a.rows + int64(a.pass.rows()) }

// Add adds rows: those of r that order names, in its order, or all of them
// when order is nil. Nothing of r is kept. Values are trusted; see
// [Model.Check].
func (a *Accumulator) Add(r Rows, order []int32) error {
	return a.pass.each(r, order, a.work)
}

// work empties a full pass, for [pass.each].
func (a *Accumulator) work() error {
	a.fold()
	return nil
}

// fold adds the chunk gathered so far to the sums.
func (a *Accumulator) fold() {
	p := a.pass
	if p.rows() == 0 {
		return
	}
	p.corrupt(a.epoch)
	a.foldCorrupted()
}

// foldCorrupted is fold once the noisy rows are made.
func (a *Accumulator) foldCorrupted() {
	p, m, n, h := a.pass, a.pass.rows(), a.m.Inputs, a.m.Hidden
	a.tally.add(p)
	a.energy += f32.SumSquares(p.clean[:m*n])
	var k []float32
	if a.contract != nil {
		a.contract.set(a.m)
		k = a.contract.factors
	}
	p.backward(nil, k)

	p.weightGradient(a.chunk, 1, 0)
	addTo(a.encoderWeight, a.chunk.EncoderWeight)
	addTo(a.decoderWeight, a.chunk.DecoderWeight)
	p.biasGradient(a.encoderBias, a.decoderBias)
	if a.sparse != nil {
		f32.Gemm(true, false, h, n, m, 1, p.slope, h, p.noisy, n, 0, a.product, n)
		addTo(a.sparse, a.product)
	}
	p.reset()
}

func addTo(dst []float64, x []float32) {
	for i, v := range x {
		dst[i] += float64(v)
	}
}

// Cost is the cost over the rows added. Without rows all but the weight decay
// is 0.
func (a *Accumulator) Cost() Cost {
	a.fold()
	return a.cost()
}

// MeanActivation sets dst (h) to rhohat, the mean activation of each unit over
// the rows added, codes of tanh through (1+a)/2; zeros without rows. It panics
// when dst has another length.
func (a *Accumulator) MeanActivation(dst []float64) {
	a.fold()
	if len(dst) != len(a.codes) {
		panic("model: MeanActivation into a slice of another length than the code")
	}
	clear(dst)
	if a.rows == 0 {
		return
	}
	for i, sum := range a.codes {
		dst[i] = a.m.rhohat(sum / float64(a.rows))
	}
}

// Gradient sets dst, laid out like Params.Flat, to the gradient of the cost
// over the rows added. It panics when dst has another length.
func (a *Accumulator) Gradient(dst []float32) {
	if len(dst) != len(a.chunk.Flat) {
		panic("model: Gradient into a slice of another length than the parameters")
	}
	a.fold()
	g, w, n := newParams(a.m.Inputs, a.m.Hidden, a.m.Tied, dst), a.m.Params, a.m.Inputs
	scale, decay := 1.0, a.m.WeightDecay
	if a.rows > 0 {
		scale = 1 / float64(a.rows)
	}
	if a.contract != nil {
		a.contract.set(a.m)
	}
	for i := range a.codes {
		// Of unit i: beta c_i, and what multiplies its weights.
		slope, decay := 0.0, decay
		if a.sparse != nil {
			_, slope = a.m.sparsity(a.m.rhohat(a.codes[i] * scale))
			g.EncoderBias[i] = float32(scale * (a.encoderBias[i] + float64(slope*a.slopes[i])))
		} else {
			g.EncoderBias[i] = float32(scale * a.encoderBias[i])
		}
		if a.squares != nil {
			decay += 2 * a.m.Contraction * a.squares[i] * scale
		}
		for j := i * n; j < (i+1)*n; j++ {
			sum := a.encoderWeight[j]
			if a.sparse != nil {
				sum += float64(slope * a.sparse[j])
			}
			g.EncoderWeight[j] = float32(float64(scale*sum) + float64(decay*float64(w.EncoderWeight[j])))
		}
	}
	for j, sum := range a.decoderWeight {
		g.DecoderWeight[j] = float32(float64(scale*sum) + float64(decay*float64(w.DecoderWeight[j])))
	}
	for j, sum := range a.decoderBias {
		g.DecoderBias[j] = float32(scale * sum)
	}
}

// Merge adds the sums of b to those of a; b keeps its own. Both must be of the
// same settings, weights and epoch of noise. The result depends, in the last
// digits, on which rows were whose and on the order of the merges, and on
// nothing else.
func (a *Accumulator) Merge(b *Accumulator) error {
	switch {
	case a == b:
		return errOwnSums
	case a.m == nil || b == nil || b.m == nil:
		return errNoSums
	case a.fingerprint() != b.fingerprint():
		return errForeignSums
	}
	a.fold()
	b.fold()
	a.tally.merge(&b.tally)
	a.energy += b.energy
	from := b.gradientSums()
	for i, sums := range a.gradientSums() {
		addSums(sums, from[i])
	}
	return nil
}

// MarshalBinary returns the sums as bytes, for an accumulator of the same
// model in another process. It keeps every bit of them. The layout is in the
// package comment.
func (a *Accumulator) MarshalBinary() ([]byte, error) {
	return marshalSums(a.settle())
}

// settle ends the chunk and returns what the bytes of the sums hold.
func (a *Accumulator) settle() (sumsForm, error) {
	if a.m == nil {
		return sumsForm{}, errNoSums
	}
	a.fold()
	return a.form(), nil
}

// UnmarshalBinary replaces what a holds by sums that MarshalBinary wrote,
// under the same settings, weights and epoch of noise; anything else is an
// error that leaves a as it was. a must come from [NewAccumulator].
func (a *Accumulator) UnmarshalBinary(data []byte) error {
	if a.m == nil {
		return errNoSums
	}
	if err := a.form().unmarshal(data); err != nil {
		return err
	}
	a.pass.reset()
	return nil
}

// form is what the bytes of the sums hold.
func (a *Accumulator) form() sumsForm {
	fields := []any{&a.rows, &a.loss, &a.energy,
		a.encoderWeight, a.encoderBias, a.decoderWeight, a.decoderBias, a.codes, a.sparse, a.slopes}
	return sumsForm{kindGradient, a.fingerprint(), append(fields, a.ofTerms()...)}
}

// fingerprint tells sums apart that must not be added.
func (a *Accumulator) fingerprint() uint64 { return a.m.fingerprint(a.epoch) }

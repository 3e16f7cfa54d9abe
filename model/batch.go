package model

import "github.com/aefeat/aefeat/internal/f32"

// evaluate computes cost and gradient of the batch that the pass holds, and
// counts it in the epoch.
func (t *Trainer) evaluate() Cost {
	p, rows := t.pass, float64(t.pass.rows())
	var cost Cost

	p.forward()
	clear(t.codes)
	f32.ColumnSums(t.codes, p.code[:p.rows()*t.m.Hidden])
	if t.running != nil {
		cost.Sparsity = t.updateRhohat(p.rows())
	}
	cost.Reconstruction = p.loss() / rows
	var k []float32
	if t.contract != nil {
		clear(t.squares)
		p.slopes(nil, t.squares)
		t.contract.set(t.m)
		k = t.contract.factors
		cost.Contraction = t.contract.cost(t.m.Contraction, t.squares) / rows
	}

	p.backward(t.pull, k)
	p.weightGradient(t.gradient, float32(1/rows))
	t.biasGradient(rows)
	t.decay(rows)

	t.seen.rows += int64(p.rows())
	t.seen.reconstruction += cost.Reconstruction * rows
	t.seen.sparsity += cost.Sparsity * rows
	t.seen.contraction += cost.Contraction * rows
	for i, v := range t.codes {
		t.seen.activation += v
		t.units[i] += v
	}
	return cost
}

// updateRhohat takes the codes of a batch into the running means. It sets
// pull to beta c and returns the sparsity term.
func (t *Trainer) updateRhohat(rows int) float64 {
	share := float64(rows) / float64(max(t.o.BatchSize, horizonRows))
	t.weight = float64((1-share)*t.weight) + share
	total := 0.0
	for i, sum := range t.codes {
		t.running[i] = float64((1-share)*t.running[i]) + float64(share*(sum/float64(rows)))
		kl, slope := t.m.sparsity(t.m.rhohat(t.running[i] / t.weight))
		t.pull[i] = float32(slope)
		total += kl
	}
	return total
}

// biasGradient sets the biases of the gradient.
func (t *Trainer) biasGradient(rows float64) {
	clear(t.biases)
	encoder, decoder := t.biases[:t.m.Hidden], t.biases[t.m.Hidden:]
	t.pass.biasGradient(encoder, decoder)
	for i, sum := range encoder {
		t.gradient.EncoderBias[i] = float32(sum / rows)
	}
	for i, sum := range decoder {
		t.gradient.DecoderBias[i] = float32(sum / rows)
	}
}

// decay adds to the gradient what is a multiple of the weights: lambda W, and
// (2 gamma/m) diag(P) W1.
func (t *Trainer) decay(rows float64) {
	w, g, n, lambda := t.m.Params, t.gradient, t.m.Inputs, t.m.WeightDecay
	if t.contract != nil {
		for i, square := range t.squares {
			alpha := float32(lambda + 2*t.m.Contraction*square/rows)
			f32.Axpy(alpha, w.EncoderWeight[i*n:(i+1)*n], g.EncoderWeight[i*n:(i+1)*n])
		}
	} else if lambda > 0 {
		f32.Axpy(float32(lambda), w.EncoderWeight, g.EncoderWeight)
	}
	if lambda > 0 {
		f32.Axpy(float32(lambda), w.DecoderWeight, g.DecoderWeight)
	}
}

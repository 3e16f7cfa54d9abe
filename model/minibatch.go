package model

import "github.com/aefeat/aefeat/internal/f32"

// miniBatch is the engine that takes a step for every so many rows.
type miniBatch struct {
	descent
	pass   *pass
	batch  tally          // of the batch at hand
	rhohat *runningRhohat // nil when beta is 0
	biases []float64      // of the gradient of b1 and b2 (h+n)

	// Of the epoch, as training met its rows:
	seen       int64       // how many
	cost       Cost        // sum of what they cost
	activation float64     // sum of all codes; for the mean activation alone
	units      []float64   // sums of the codes of each unit (h)
	spread     *spreadSums // of the first epoch; nil: not wanted

	epochSteps  int64 // of the first epoch
	beforeEpoch int64 // steps before the running one
}

func newMiniBatch(m *Model, o TrainOptions) *miniBatch {
	b := &miniBatch{
		descent: newDescent(m, o),
		pass:    &pass{m: m},
		batch:   newTally(m),
		biases:  make([]float64, m.Hidden+m.Inputs),
		units:   make([]float64, m.Hidden),
	}
	if m.SparsityWeight > 0 {
		b.rhohat = newRunningRhohat(m.Config, o.BatchSize)
	}
	if o.Spread {
		b.spread = newSpreadSums(m.Inputs)
	}
	if m.K > 0 {
		b.pass.waker = newWaker(m.Hidden)
	}
	return b
}

// allocate makes the buffers for a batch. Rows that wait for it stay.
func (b *miniBatch) allocate() {
	waiting := b.pass
	b.pass = newPass(b.m, b.o.BatchSize, true, b.m.Contraction > 0)
	b.pass.waker = waiting.waker
	if b.m.skipsZeros(float64(b.o.BatchSize)) {
		b.pass.zeros = f32.NewNonzeros(b.o.BatchSize, b.m.Inputs)
	}
	b.pass.number = append(b.pass.number, waiting.number...)
	copy(b.pass.clean, waiting.clean)
}

// state lists what a checkpoint keeps.
func (b *miniBatch) state(s *stateForm) {
	b.descent.state(s)
	s.count("epoch.rows", &b.seen, maxCount)
	s.cost("epoch.cost", &b.cost)
	s.number("epoch.activation", &b.activation)
	s.doubles("epoch.units", &b.units, b.m.Hidden)
	s.count("epoch.steps_of_first", &b.epochSteps, maxCount)
	s.count("epoch.steps_before", &b.beforeEpoch, b.optimizer.steps)
	if b.rhohat != nil {
		b.rhohat.state(s)
	}
	if b.spread != nil {
		b.spread.state(s)
	}
	if b.pass.waker != nil {
		b.pass.waker.state(s)
	}
	b.pass.state(s, b.o.BatchSize-1)
	if (b.finished == 0) != (b.epochSteps == 0) || b.epochSteps > b.beforeEpoch {
		s.fail("%d epochs of %d steps, %d in the first", b.finished, b.beforeEpoch, b.epochSteps)
	}
}

func (b *miniBatch) memory() int64 { return b.descent.memory() + b.pass.memory() }

func (b *miniBatch) add(r Rows, order []int32) error { return b.pass.each(r, order, b.work) }

// end trains on the rows that wait, a short batch, and ends the epoch.
func (b *miniBatch) end() (Epoch, error) {
	if b.pass.rows() > 0 {
		if err := b.work(); err != nil {
			return Epoch{}, err
		}
	}
	e := b.running()
	if e.Rows == 0 {
		return e, nil
	}
	if err := b.judgeWeights(b.running); err != nil {
		return Epoch{}, err
	}
	if b.spread != nil && b.finished == 0 {
		b.m.Spread = b.spread.over(b.seen)
	}
	b.seen, b.cost, b.activation = 0, Cost{}, 0
	clear(b.units)
	b.endEpoch()
	if b.finished == 1 {
		b.epochSteps = b.optimizer.steps
	}
	b.beforeEpoch = b.optimizer.steps
	return e, nil
}

// running returns the epoch as far as it went. Of its cost the weight decay is
// that of the weights as they are, the rest a mean over weights that moved.
func (b *miniBatch) running() Epoch {
	mean := b.cost
	if b.seen > 0 {
		mean = mean.over(float64(b.seen))
	}
	return b.m.epoch(b.epoch, b.seen, mean, b.activation, b.units)
}

// done is how many epochs are over, the running one in parts. The first counts
// once it has ended: until then its length is unknown.
func (b *miniBatch) done() float64 {
	if b.finished == 0 {
		return 0
	}
	return float64(b.finished) + float64(b.optimizer.steps-b.beforeEpoch)/float64(b.epochSteps)
}

// rate is the learning rate of the batch at hand.
func (b *miniBatch) rate() float32 {
	left := 1.0
	if planned := float64(b.o.Epochs); planned > 1 && b.finished > 0 {
		left = min(1, max(0, 2*(planned-b.done())/planned))
	}
	return float32(b.o.LearningRate * left)
}

// work trains on the rows of the pass and empties it.
func (b *miniBatch) work() error {
	if steps := b.optimizer.steps; steps < weightInterval || steps%weightInterval == 0 {
		if err := b.judgeWeights(b.running); err != nil {
			return err
		}
	}
	b.pass.corrupt(uint32(b.epoch))
	if b.m.K > 0 {
		b.pass.keep = b.m.keepAt(b.done(), float64(b.o.Epochs))
	}
	cost := b.evaluate()
	trivial := func() float64 {
		rows := b.pass.rows()
		return b.m.trivialCost(int64(rows), f32.SumSquares(b.pass.clean[:rows*b.m.Inputs]))
	}
	if err := b.judge(cost, trivial); err != nil {
		return err
	}
	b.step(b.rate())
	b.pass.reset()
	return nil
}

// evaluate computes the gradient of the batch that the pass holds, and its mean
// cost but for the weight decay. It counts the batch in the epoch.
func (b *miniBatch) evaluate() Cost {
	p, rows := b.pass, float64(b.pass.rows())
	b.batch.reset()
	b.batch.add(p)
	if p.waker != nil {
		for _, i := range p.waker.woken {
			b.batch.codes[i] = 0 // no row keeps it, and that is what is told
		}
	}
	sparsity, pull, factors := 0.0, []float32(nil), []float32(nil)
	if b.rhohat != nil {
		sparsity, pull = b.rhohat.update(b.batch.codes, p.rows()), b.rhohat.pull
	}
	cost, decay := b.batch.mean(sparsity), float32(b.m.WeightDecay)
	if b.batch.contract != nil {
		factors, decay = b.batch.contract.factors, 0 // which comes with another term
	}
	p.backward(pull, factors)
	p.weightGradient(b.gradient, float32(1/rows), decay)
	b.biasGradient(rows)
	if b.batch.contract != nil {
		b.contract(rows)
	}
	b.count(cost)
	return cost
}

// count adds the batch to what the epoch has seen.
func (b *miniBatch) count(cost Cost) {
	b.seen += b.batch.rows
	b.cost.add(cost, float64(b.batch.rows))
	for i, v := range b.batch.codes {
		b.activation += v
		b.units[i] += v
	}
	if b.spread != nil && b.finished == 0 {
		b.spread.add(b.pass.clean[:b.pass.rows()*b.m.Inputs])
	}
}

// biasGradient sets the biases of the gradient.
func (b *miniBatch) biasGradient(rows float64) {
	clear(b.biases)
	encoder, decoder := b.biases[:b.m.Hidden], b.biases[b.m.Hidden:]
	b.pass.biasGradient(encoder, decoder)
	for i, sum := range encoder {
		b.gradient.EncoderBias[i] = float32(sum / rows)
	}
	for i, sum := range decoder {
		b.gradient.DecoderBias[i] = float32(sum / rows)
	}
}

// contract adds to the gradient what is a multiple of the weights: lambda W,
// and (2 gamma/m) diag(P) W1.
func (b *miniBatch) contract(rows float64) {
	w, g, n, lambda := b.m.Params, b.gradient, b.m.Inputs, b.m.WeightDecay
	for i, square := range b.batch.squares {
		alpha := float32(lambda + 2*b.m.Contraction*square/rows)
		f32.Axpy(alpha, w.EncoderWeight[i*n:(i+1)*n], g.EncoderWeight[i*n:(i+1)*n])
	}
	if lambda > 0 {
		f32.Axpy(float32(lambda), w.DecoderWeight, g.DecoderWeight)
	}
}

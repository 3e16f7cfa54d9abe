package model

// fullBatch is the engine that takes one step for each pass over all rows,
// along the exact gradient.
type fullBatch struct {
	descent
	sums *Accumulator
}

func newFullBatch(m *Model, o TrainOptions) *fullBatch {
	return &fullBatch{descent: newDescent(m, o)}
}

func (b *fullBatch) allocate() {
	b.sums = NewAccumulator(b.m)
	b.sums.Reset(uint32(b.epoch))
}

// state lists what a checkpoint keeps, between two passes.
func (b *fullBatch) state(s *stateForm) {
	if !s.restoring() && b.sums.Rows() > 0 {
		s.fail("%w", errMidPass)
	}
	b.descent.state(s)
}

func (b *fullBatch) memory() int64 { return b.descent.memory() + b.sums.memory() }

func (b *fullBatch) add(r Rows, order []int32) error { return b.sums.Add(r, order) }

// begin is for sums that others gather: the parameters are where they should
// be.
func (b *fullBatch) begin() (*Accumulator, error) { return b.sums, nil }

// end takes the step. The epoch has the exact cost before it.
func (b *fullBatch) end() (Epoch, error) {
	b.sums.fold()
	e := b.running()
	if e.Rows == 0 {
		return e, nil
	}
	trivial := func() float64 { return b.m.trivialCost(b.sums.rows, b.sums.energy) }
	if err := b.judge(e.Cost, trivial); err != nil {
		return Epoch{}, err
	}
	b.sums.Gradient(b.gradient.Flat)
	b.step(float32(b.o.LearningRate))
	if err := b.judgeWeights(b.running); err != nil {
		return Epoch{}, err
	}
	b.endEpoch()
	b.sums.Reset(uint32(b.epoch))
	return e, nil
}

// running returns the epoch as far as it went: the rows of chunks that are
// full, at the weights as they are.
func (b *fullBatch) running() Epoch { return b.sums.tally.epoch(b.epoch) }

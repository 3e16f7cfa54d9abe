package model

// Begin makes ready for an epoch, or under [LBFGS] an evaluation, whose rows
// others work on: it puts the parameters where these are to be gathered at, and
// returns the epoch that keys the noise there. Each of the others takes over
// the parameters, gathers its rows in an [Accumulator] that
// [Accumulator.Reset] has set to that epoch, and sends what it gathered;
// [Trainer.AddSums] takes it in, and [Trainer.EndEpoch] makes the step. Rows
// keep the numbers that they have in the whole.
//
// Under LBFGS the parameters are the point of the line search until EndEpoch,
// and the last iterate from there. Otherwise they are those of the last step.
// Begin may be called again, and changes nothing then.
//
// Mini-batches, whose weights move between rows, cannot be gathered elsewhere:
// that is a [*ConfigError].
func (t *Trainer) Begin() (noise uint32, err error) {
	sums, err := t.begin()
	if err != nil {
		return 0, err
	}
	return sums.epoch, nil
}

// gatherer is an engine whose parameters stay where they are during a pass.
type gatherer interface {
	// begin places the parameters for a pass, and returns its sums.
	begin() (*Accumulator, error)
}

// begin returns the sums of the running pass, its parameters placed.
func (t *Trainer) begin() (*Accumulator, error) {
	if t.err != nil {
		return nil, t.err
	}
	g, ok := t.engine.(gatherer)
	if !ok {
		return nil, &ConfigError{"BatchSize", "the weights move after each batch, and sums over rows are of fixed ones",
			"choose the full batch, or `Optimizer` lbfgs"}
	}
	return g.begin()
}

// AddSums trains on rows that a has gathered, in this process or another. It
// does as [Trainer.Add] of these rows would, which may add others before or
// after, but that the running chunk ends early: see [Accumulator]. a keeps what
// it holds, and must have been gathered at the parameters and with the noise of
// [Trainer.Begin], which AddSums calls; anything else is an error, and is not
// taken in.
func (t *Trainer) AddSums(a *Accumulator) error {
	sums, err := t.begin()
	if err != nil {
		return err
	}
	return sums.Merge(a)
}

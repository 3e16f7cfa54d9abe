package model

// descent is what the engines have in common whose parameters take a step
// along the gradient of the cost, scaled by an optimizer.
type descent struct {
	m         *Model
	o         TrainOptions
	optimizer *optimizer
	gradient  *Params
	guard     guard
	epoch     int // the running one, counted from 1
	finished  int // epochs that ended here
}

func newDescent(m *Model, o TrainOptions) descent {
	return descent{
		m:         m,
		o:         o,
		optimizer: newOptimizer(o, len(m.Params.Flat)),
		gradient:  newParams(m.Inputs, m.Hidden, m.Tied, nil),
		epoch:     len(m.History) + 1,
	}
}

// memory is the size of gradient and state in bytes.
func (d *descent) memory() int64 { return d.optimizer.memory() + 4*int64(len(d.gradient.Flat)) }

// state lists what a checkpoint keeps.
func (d *descent) state(s *stateForm) {
	d.optimizer.state(s, len(d.m.Params.Flat))
	s.flag("guard.started", &d.guard.started)
	s.number("guard.scale", &d.guard.scale)
	s.countInt("epochs", &d.finished, len(d.m.History))
}

// step moves the parameters by the gradient.
func (d *descent) step(rate float32) { d.optimizer.step(d.m.Params.Flat, d.gradient.Flat, rate) }

// endEpoch counts an epoch.
func (d *descent) endEpoch() {
	d.epoch++
	d.finished++
}

func (d *descent) stopped() StopReason {
	if d.o.Epochs > 0 && d.finished >= d.o.Epochs {
		return OutOfEpochs
	}
	return NotStopped
}

func (d *descent) evaluations() int64 { return 0 }

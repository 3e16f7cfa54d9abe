package model

import (
	"fmt"
	"math"

	"github.com/aefeat/aefeat/internal/f32"
)

// DivergedError ends a training whose cost explodes, or is no longer a number.
type DivergedError struct {
	Step int64   // the step that found it, counted from 1
	Cost float64 // what it found; NaN or infinite when numbers broke down

	// LearningRate is that of the training; a smaller one may do. It is 0 where
	// it is not to blame, but values that are too large.
	LearningRate float64
}

func (e *DivergedError) Error() string {
	if e.LearningRate == 0 {
		return fmt.Sprintf("cost or gradient at step %d are too large for float32 (cost %.4g): scale the values of the rows down", e.Step, e.Cost)
	}
	return fmt.Sprintf("training diverged at step %d (cost %.4g): try a learning rate well below %g", e.Step, e.Cost, e.LearningRate)
}

// A cost explodes when it is this many times larger than the cost of the
// first step, and than what rows of the training cost under a reconstruction
// without any model: zeros, or one half under cross-entropy. Diverging runs
// pass any factor within steps. Healthy ones stay far below this one: where
// small batches or rows much larger than those before make the cost jump, the
// second measure jumps with it.
const explosion = 1000

// weightInterval is the number of steps between two looks at all weights,
// each of which costs a pass over them. The first steps, where a rate that is
// far too large shows, are all looked at.
const weightInterval = 16

// guard knows which cost is still healthy.
type guard struct {
	started bool
	scale   float64 // what explosion multiplies
}

// judge returns an error when the cost of a step tells of divergence. trivial
// returns what the same rows cost without a model.
func (d *descent) judge(c Cost, trivial func() float64) error {
	cost, g := c.unbounded(), &d.guard
	if sum := cost + c.Sparsity; math.IsNaN(sum) || math.IsInf(sum, 0) {
		return d.diverged(sum)
	}
	if !g.started {
		g.started, g.scale = true, cost+d.m.weightDecay()
	}
	if cost > explosion*g.scale {
		g.scale = max(g.scale, trivial())
	}
	if cost > explosion*g.scale {
		return d.diverged(cost)
	}
	return nil
}

// judgeWeights returns an error when the weights tell of divergence. running
// returns the epoch as far as it went.
func (d *descent) judgeWeights(running func() Epoch) error {
	// Adam's infinite square of a gradient holds a weight where it is for ever.
	if steps := d.optimizer.steps; steps == 1 && !f32.AllFinite(d.optimizer.second) {
		return &DivergedError{Step: steps, Cost: running().Cost.Total}
	}
	if !f32.AllFinite(d.m.Params.Flat) || !f32.AllFinite(d.optimizer.second) {
		return d.diverged(math.NaN())
	}
	if decay := d.m.weightDecay(); d.guard.started && decay > explosion*d.guard.scale {
		return d.diverged(decay)
	}
	return nil
}

// diverged returns the error of the step at hand.
func (d *descent) diverged(cost float64) error {
	e := &DivergedError{Step: d.optimizer.steps + 1, Cost: cost}
	if e.Step > 1 {
		e.LearningRate = d.o.LearningRate
	}
	return e
}

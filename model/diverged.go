package model

import (
	"fmt"
	"math"

	"github.com/aefeat/aefeat/internal/f32"
)

// DivergedError ends a training whose cost is not a number any more, or
// explodes.
type DivergedError struct {
	Step         int64   // the step that found it, counted from 1
	Cost         float64 // what was found; NaN or infinite when numbers broke down
	LearningRate float64 // of the training; a smaller one may do. 0 where it is not to blame: the values are too large
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
// second measure jumps with it. The sparsity term is bounded by itself and
// left out.
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
func (t *Trainer) judge(c Cost, trivial func() float64) error {
	if sum := c.Reconstruction + c.Contraction + c.Sparsity; math.IsNaN(sum) || math.IsInf(sum, 0) {
		return t.diverged(sum)
	}
	cost, g := c.Reconstruction+c.Contraction, &t.guard
	if !g.started {
		g.started, g.scale = true, cost+t.m.weightDecay()
	}
	if cost > explosion*g.scale {
		g.scale = max(g.scale, trivial())
	}
	if cost > explosion*g.scale {
		return t.diverged(cost)
	}
	return nil
}

// judgeWeights returns an error when the weights tell of divergence.
func (t *Trainer) judgeWeights() error {
	// Adam's infinite square of a gradient holds a weight where it is for ever.
	if steps := t.optimizer.steps; steps == 1 && !f32.AllFinite(t.optimizer.second) {
		t.err = &DivergedError{Step: steps, Cost: t.Running().Cost.Total}
		return t.err
	}
	if !f32.AllFinite(t.m.Params.Flat) || !f32.AllFinite(t.optimizer.second) {
		return t.diverged(math.NaN())
	}
	if decay := t.m.weightDecay(); t.guard.started && decay > explosion*t.guard.scale {
		return t.diverged(decay)
	}
	return nil
}

// diverged ends the training.
func (t *Trainer) diverged(cost float64) error {
	e := &DivergedError{Step: t.optimizer.steps + 1, Cost: cost}
	if e.Step > 1 {
		e.LearningRate = t.o.LearningRate
	}
	t.err = e
	return e
}

// trivialCost is the mean cost of rows, energy being their sum of |x|^2, for a
// reconstruction without a model.
func (m *Model) trivialCost(rows int64, energy float64) float64 {
	if m.Loss == CrossEntropy {
		return float64(m.Inputs) * math.Ln2
	}
	return energy / float64(rows) / 2
}

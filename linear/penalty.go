package linear

import (
	"context"
	"math"
	"math/rand/v2"
)

// penalties are those that a choice is made from, in half decades. No single
// one suits all: per cent right on 10,000 held-out MNIST training rows, for
// raw pixels and for 196 sparse codes of them, fitted on 5,000 and on 50,000
// rows, was
//
//	              1e-4   3e-4   1e-3   3e-3   1e-2
//	pixels  5,000 85.5   86.1   86.7   87.5   88.3
//	codes   5,000 91.3   91.5   91.5   90.9   89.5
//	pixels 50,000 93.6   93.9   94.2   94.3   94.2
//	codes  50,000 96.6   96.5   96.3   95.9   95.0
//
// Those beyond 1e-1 suit few rows of many features.
var penalties = []float64{10, 3, 1, 3e-1, 1e-1, 3e-2, 1e-2, 3e-3, 1e-3, 3e-4, 1e-4, 3e-5, 1e-5, 3e-6, 1e-6}

// penaltyOfFew is for fewer rows than a choice can be made by.
const penaltyOfFew = 1e-1

// patience is how many decades in a row may be worse, by more than chance,
// before the search ends: weaker penalties take longer, and rarely are the
// best after that.
const patience = 2

// A Trial is a penalty that was tried.
type Trial struct {
	Penalty  float64
	Accuracy float64 // share of the held-out rows that were right
	Held     int     // held-out rows
	Stats    Stats
}

// choosePenalty returns the penalty whose classifier, fitted on four fifths of
// the rows, is right most often on the rest; of equally good ones, the
// strongest. Fewer than five rows hold nothing out, and get penaltyOfFew.
// With it come its weights, as a place to start from.
//
// Decades are tried from the strongest on, each from the weights of the one
// before, and then the halves beside the best.
func choosePenalty(ctx context.Context, o *objective, c Config) (penalty float64, w []float64, err error) {
	m := len(o.labels)
	count := m / 5
	w = make([]float64, len(o.gradient))
	if count == 0 {
		return penaltyOfFew, w, nil
	}
	// A fixed shuffle, since labels may come in any order and period.
	held := make([]bool, m)
	for _, i := range rand.New(rand.NewPCG(1, 0)).Perm(m)[:count] {
		held[i] = true
	}
	o.hold(held)
	defer o.hold(nil)

	best, most, start := -1, -1, w
	try := func(i int) (right int, err error) {
		o.penalise(penalties[i])
		var stats Stats
		if start, stats, err = minimise(ctx, o, start, min(c.Iterations, trialIterations), trialTolerance); err != nil {
			return 0, err
		}
		o.evaluate(start)
		if c.Observe != nil {
			c.Observe(Trial{penalties[i], float64(o.right) / float64(count), count, stats})
		}
		return o.right, nil
	}
	for i, worse := 0, 0; i < len(penalties) && worse < patience; i += 2 {
		right, err := try(i)
		if err != nil {
			return 0, nil, err
		}
		// The standard deviation of a number of errors is about its root.
		if chance := math.Sqrt(float64(count - most)); float64(most-right) > chance {
			worse++
		} else {
			worse = 0
		}
		if right > most {
			best, most, w = i, right, start
		}
	}
	decade := best
	for _, i := range []int{decade - 1, decade + 1} {
		if i < 0 || i >= len(penalties) {
			continue
		}
		start = w
		right, err := try(i)
		if err != nil {
			return 0, nil, err
		}
		if right > most || right == most && i < best {
			best, most, w = i, right, start
		}
	}
	return penalties[best], w, nil
}

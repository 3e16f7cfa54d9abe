package model

import "github.com/aefeat/aefeat/internal/f32"

// Cost is the cost of the package comment by its terms, weights included:
// what they add up to is minimised.
type Cost struct {
	Reconstruction float64 `json:"reconstruction"`
	WeightDecay    float64 `json:"weight_decay"`
	Sparsity       float64 `json:"sparsity"`
	Contraction    float64 `json:"contraction"`
	Total          float64 `json:"total"`
}

// sums are what the cost of rows is made of.
type sums struct {
	rows        int64
	loss        float64 // sum of L
	contraction float64 // sum of gamma |da/dx~|^2
	sparsity    float64 // the sparsity term: a function of means, no sum over rows
	activation  float64 // sum of all codes; for the mean activation alone
}

// cost turns sums into the cost. The weight decay is no matter of rows, and
// takes a pass over the weights: who does not need it gives 0.
func (s sums) cost(weightDecay float64) Cost {
	c := Cost{WeightDecay: weightDecay}
	if s.rows > 0 {
		rows := float64(s.rows)
		c.Reconstruction = s.loss / rows
		c.Sparsity = s.sparsity
		c.Contraction = s.contraction / rows
	}
	c.Total = c.Reconstruction + c.WeightDecay + c.Sparsity + c.Contraction
	return c
}

// epoch returns the line of the history that sums tell of, given those of the
// codes of each unit (h).
func (m *Model) epoch(number int, s sums, codes []float64) Epoch {
	e := Epoch{Epoch: number, Rows: s.rows, Cost: s.cost(m.weightDecay())}
	if s.rows > 0 {
		e.MeanActivation = m.rhohat(s.activation / float64(s.rows) / float64(m.Hidden))
		e.Health = m.health(codes, s.rows)
	}
	return e
}

// tally adds up, at fixed weights, what rows add to the cost. Its vectors are
// views of memory that the owner may want to merge or to store as one.
type tally struct {
	m        *Model
	contract *contraction // nil when gamma is 0

	rows    int64
	loss    float64   // sum of L
	codes   []float64 // A (h)
	slopes  []float64 // s (h); nil: not wanted
	squares []float64 // P (h); nil when gamma is 0
}

// newTally returns an empty tally of m without vectors, which are the owner's
// to set.
func newTally(m *Model) tally {
	t := tally{m: m}
	if m.Contraction > 0 {
		t.contract = newContraction(m.Hidden)
	}
	return t
}

// costVectors sets the vectors that the cost needs to parts of one block, which
// it returns.
func (t *tally) costVectors() []float64 {
	h := t.m.Hidden
	if t.contract == nil {
		t.codes = make([]float64, h)
		return t.codes
	}
	block := make([]float64, 2*h)
	t.codes, t.squares = block[:h:h], block[h:]
	return block
}

// add takes in the rows of the pass: it goes forward, and leaves dL/du for the
// way back. It returns the sum of their L.
func (t *tally) add(p *pass) float64 {
	p.forward()
	f32.ColumnSums(t.codes, p.code[:p.rows()*t.m.Hidden])
	t.rows += int64(p.rows())
	loss := p.loss()
	t.loss += loss
	if p.slope != nil {
		p.slopes(t.slopes, t.squares)
	}
	return loss
}

// reset empties the tally, but for the slopes.
func (t *tally) reset() {
	t.rows, t.loss = 0, 0
	clear(t.codes)
	clear(t.squares)
}

// sums returns what the rows so far add up to, with a sparsity term.
func (t *tally) sums(sparsity float64) sums {
	s := sums{rows: t.rows, loss: t.loss, sparsity: sparsity}
	if t.contract != nil {
		t.contract.set(t.m)
		s.contraction = t.contract.cost(t.m.Contraction, t.squares)
	}
	for _, v := range t.codes {
		s.activation += v
	}
	return s
}

// total is sums with the sparsity term of the rows so far.
func (t *tally) total() sums { return t.sums(t.m.sparsityCost(t.codes, t.rows)) }

// cost is the cost over the rows so far.
func (t *tally) cost() Cost { return t.total().cost(t.m.weightDecay()) }

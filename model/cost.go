package model

// Cost is the cost of the package comment by its terms, weights included:
// what they add up to is minimised.
type Cost struct {
	Reconstruction float64 `json:"reconstruction"`
	WeightDecay    float64 `json:"weight_decay"`
	Sparsity       float64 `json:"sparsity"`
	Contraction    float64 `json:"contraction"`
	Total          float64 `json:"total"`
}

// CostTerm is a term of a [Cost] by its name in words, such as "weight decay".
// With an underscore for each space that is its key in JSON.
type CostTerm struct {
	Name  string
	Value float64
}

// Terms returns all terms of c, which add up to its Total: the reconstruction
// first, and with 0 those that are off.
func (c Cost) Terms() []CostTerm {
	var terms []CostTerm
	for _, t := range c.terms() {
		terms = append(terms, CostTerm{t.name, *t.value})
	}
	return terms
}

// costTerm is a term and where it is kept.
type costTerm struct {
	name  string
	value *float64
}

// terms lists the terms in the order in which they are added up, which decides
// the bits of the total. The rest of the package goes by this list.
func (c *Cost) terms() [4]costTerm {
	return [...]costTerm{
		{"reconstruction", &c.Reconstruction},
		{"weight decay", &c.WeightDecay},
		{"sparsity", &c.Sparsity},
		{"contraction", &c.Contraction},
	}
}

// unbounded adds up what grows with the values of the rows. The sparsity term
// is bounded by itself, and the weight decay is no matter of rows.
func (c Cost) unbounded() float64 { return c.Reconstruction + c.Contraction }

// with returns c with a weight decay, and the total.
func (c Cost) with(weightDecay float64) Cost {
	c.WeightDecay, c.Total = weightDecay, 0
	for _, t := range c.terms() {
		c.Total += *t.value
	}
	return c
}

// add adds the terms of b, times a weight, to those of c.
func (c *Cost) add(b Cost, weight float64) {
	from := b.terms()
	for i, t := range c.terms() {
		*t.value += float64(*from[i].value * weight)
	}
}

// over returns c with its terms divided by a weight.
func (c Cost) over(weight float64) Cost {
	for _, t := range c.terms() {
		*t.value /= weight
	}
	return c
}

// epoch returns a line of the history, of rows that cost so much on average,
// the weight decay left out. activation is the sum of all their codes, and
// codes are the sums of each unit's (h).
func (m *Model) epoch(number int, rows int64, mean Cost, activation float64, codes []float64) Epoch {
	e := Epoch{Epoch: number, Rows: rows, Cost: mean.with(m.weightDecay())}
	if rows > 0 {
		e.MeanActivation = m.rhohat(activation / float64(rows) / float64(m.Hidden))
		e.Health = m.health(codes, rows)
	}
	return e
}

// tally adds up, at fixed weights, what rows add to the cost.
type tally struct {
	m        *Model
	contract *contraction // nil when gamma is 0

	rows    int64
	loss    float64   // sum of L
	codes   []float64 // A (h)
	slopes  []float64 // s (h); nil: not wanted
	squares []float64 // P (h); nil when gamma is 0
}

// newTally returns an empty tally of m, without slopes.
func newTally(m *Model) tally {
	t := tally{m: m, codes: make([]float64, m.Hidden)}
	if m.Contraction > 0 {
		t.contract = newContraction(m.Hidden)
		t.squares = make([]float64, m.Hidden)
	}
	return t
}

// ofTerms lists the sums that terms of the cost need for themselves, in their
// order in the marshalled form.
func (t *tally) ofTerms() []any { return []any{t.squares} }

// add takes in the rows of the pass: it goes forward, and leaves dL/du for the
// way back. It returns the sum of their L.
func (t *tally) add(p *pass) float64 {
	p.forward()
	p.codeSums(t.codes)
	t.rows += int64(p.rows())
	loss := p.loss()
	t.loss += loss
	if p.slope != nil {
		p.slopes(t.slopes, t.squares)
	}
	return loss
}

// merge adds the sums of b.
func (t *tally) merge(b *tally) {
	t.rows += b.rows
	t.loss += b.loss
	addSums(t.codes, b.codes)
	addSums(t.slopes, b.slopes)
	addSums(t.squares, b.squares)
}

// reset empties the tally.
func (t *tally) reset() {
	t.rows, t.loss = 0, 0
	clear(t.codes)
	clear(t.slopes)
	clear(t.squares)
}

// mean returns what the rows so far cost on average, given their sparsity term
// and without the weight decay and the total; without rows nothing.
func (t *tally) mean(sparsity float64) Cost {
	if t.rows == 0 {
		return Cost{}
	}
	rows := float64(t.rows)
	c := Cost{Reconstruction: t.loss / rows, Sparsity: sparsity}
	if t.contract != nil {
		t.contract.set(t.m)
		c.Contraction = t.contract.cost(t.m.Contraction, t.squares) / rows
	}
	return c
}

// total is mean with the sparsity term of the rows so far.
func (t *tally) total() Cost { return t.mean(t.m.sparsityCost(t.codes, t.rows)) }

// cost is the cost over the rows so far.
func (t *tally) cost() Cost { return t.total().with(t.m.weightDecay()) }

// epoch returns the rows so far as a line of the history.
func (t *tally) epoch(number int) Epoch {
	activation := 0.0
	for _, sum := range t.codes {
		activation += sum
	}
	return t.m.epoch(number, t.rows, t.total(), activation, t.codes)
}

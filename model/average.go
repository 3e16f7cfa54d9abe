package model

import (
	"errors"
	"slices"
)

// Average is the mean of models that were trained from one model, each on rows
// of its own: averaging rounds of training on several machines. Each counts by
// the rows of its last epoch. The zero value is ready.
type Average struct {
	m       *Model // the first of the models, without its parameters
	sums    []float64
	rows    int64
	cost    Cost  // sum over rows
	trained int64 // rows, in all models
	before  int64 // rows that the model had seen from which they come
	groups  groups
}

// Add takes a model in. Nothing of it is kept. One without epochs, of other
// settings or preprocessing or from another parent is a [*SumsError].
func (a *Average) Add(m *Model) error {
	if len(m.History) == 0 {
		return sumsErrorf(SumsForeign, "the model has not been trained on any rows, which are what it would count by")
	}
	if a.m == nil {
		a.m, a.sums = m.bare(), make([]float64, len(m.Params.Flat))
	}
	if !a.m.isLike(m) {
		return sumsErrorf(SumsForeign, "the model has other settings, another preprocessing or another parent than the others")
	}
	trained := int64(0)
	for _, e := range m.History {
		trained += e.Rows
	}
	last := m.History[len(m.History)-1]
	for i, v := range m.Params.Flat {
		a.sums[i] += float64(float64(v) * float64(last.Rows))
	}
	a.cost.add(last.Cost, float64(last.Rows))
	a.rows += last.Rows
	a.trained += trained
	a.before = max(0, m.RowsSeen-trained)
	a.groups.add(m.Spread, last.Rows)
	return nil
}

// Model returns the average of the models, which are one at least. Its history
// is one epoch with the rows of all of them, and their mean cost as each met it.
func (a *Average) Model() (*Model, error) {
	if a.rows == 0 {
		return nil, errors.New("an average of no models")
	}
	m := *a.m
	m.Params = newParams(m.Inputs, m.Hidden, m.Tied, nil)
	for i, sum := range a.sums {
		m.Params.Flat[i] = float32(sum / float64(a.rows))
	}
	mean := a.cost.over(float64(a.rows))
	mean = mean.with(m.weightDecay())
	m.RowsSeen, m.Cost = a.before+a.trained, &mean
	m.History = []Epoch{{Epoch: 1, Rows: a.rows, Cost: mean}}
	return &m, nil
}

// Sorted tells, where each model has its [Spread], whether the rows of the
// models differ as those of sorted shards do. Then each model learns what the
// others do not see, and the average is worse than it could be.
//
// It is an analysis of variance: with k models, m rows in all, B the sum over
// models of rows |mean row of model - mean row|^2, and W that of rows Variance,
// chance makes F = (B/(k-1)) / (W/(m-k)) about 1, with a deviation of at most
// sqrt(2/(k-1)) (M. Anderson, "A new method for non-parametric multivariate
// analysis of variance", Austral Ecology 26, 2001, whose pseudo-F this is). share
// is the share of the variance that lies between models beyond that, omega
// squared (W. Hays, "Statistics", 1963), with w = W/(m-k):
//
//	(B - (k-1)w) / (B + W + w)
//
// Rows are sorted where F is more than four deviations above 1, and share above
// 0.01. Eight shards of digits that are sorted by label have 0.1, and shuffled
// ones 0.00001.
func (a *Average) Sorted() (share float64, sorted bool) { return a.groups.sorted() }

// bare returns a copy of m without what training has made of it.
func (m *Model) bare() *Model {
	b := *m
	b.Params, b.History, b.Cost, b.Best, b.NoiseEpoch, b.Spread = nil, nil, nil, 0, 0, nil
	return &b
}

// isLike reports whether m has the settings, the preprocessing and the parent
// of o.
func (o *Model) isLike(m *Model) bool {
	if o.Config != m.Config || o.Parent != m.Parent {
		return false
	}
	a, b := o.Preprocess, m.Preprocess
	learned := func(p Preprocess) Learned {
		if p.Learned == nil {
			return Learned{}
		}
		return *p.Learned
	}
	x, y := learned(a), learned(b)
	a.Learned, b.Learned = nil, nil
	return a.meaning() == b.meaning() && x.Rows == y.Rows && x.Deviation == y.Deviation &&
		slices.Equal(x.Mean, y.Mean) && slices.Equal(x.Scale, y.Scale) && slices.Equal(x.Whiten, y.Whiten)
}

package imagery

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/aefeat/aefeat/model"
)

// View says which of a model's weights to look at. There are four pictures of a
// unit, and after whitening all differ.
type View struct {
	// Decoder: what the unit adds to the reconstruction, instead of what
	// excites it.
	Decoder bool

	// Input: in terms of the stored values, with preprocessing undone, instead
	// of those that the model is given. Of the encoder that is the input that
	// excites the unit most, W1 A where preprocessing is x = A v + b; of the
	// decoder what it adds there, the inverse of A times W2.
	Input bool
}

// String says what is seen, for a title.
func (v View) String() string {
	part, space := "encoder", "model"
	if v.Decoder {
		part = "decoder"
	}
	if v.Input {
		space = "input"
	}
	return part + ", " + space + " space"
}

// Patterns returns what is seen of each unit of m, (h,n). Where preprocessing
// takes the mean off each row, it is taken off each pattern: it tells nothing.
func (v View) Patterns(m *model.Model) ([]float32, error) {
	if m == nil || m.Params == nil {
		return nil, errors.New("imagery: the model has no parameters")
	}
	if m.Preprocess.Learns() && m.Preprocess.Learned == nil {
		return nil, errors.New("imagery: the model's preprocessing has not been learned")
	}
	n, w := m.Inputs, v.weights(m)
	switch p := m.Preprocess; {
	case v.Input && v.Decoder:
		return p.InputPatterns(w, n)
	case v.Input:
		return p.InputWeights(w, n), nil
	default:
		return p.RowWeights(w, n), nil
	}
}

// weights returns a copy of the weights of each unit (h,n), as the model has
// them.
func (v View) weights(m *model.Model) []float32 {
	n, h := m.Inputs, m.Hidden
	w := append([]float32(nil), m.Params.EncoderWeight...)
	if v.Decoder && !m.Tied {
		for i, x := range m.Params.DecoderWeight { // (n,h)
			w[i%h*n+i/h] = x
		}
	}
	return w
}

// MeanShares returns for each unit of m (h), in the model's own space, the
// share of its squared weights that their mean makes: 1 where all are equal.
func (v View) MeanShares(m *model.Model) []float64 {
	w, n := v.weights(m), m.Inputs
	shares := make([]float64, m.Hidden)
	for i := range shares {
		sum, squares := 0., 0.
		for _, x := range w[i*n : (i+1)*n] {
			sum += float64(x)
			squares += float64(x) * float64(x)
		}
		if squares > 0 {
			shares[i] = sum * sum / float64(n) / squares
		}
	}
	return shares
}

// Norms returns the lengths of the rows of w (h,n).
func Norms(w []float32, n int) []float64 {
	norms := make([]float64, len(w)/n)
	for i, x := range w {
		norms[i/n] += float64(x) * float64(x)
	}
	for i, squares := range norms {
		norms[i] = math.Sqrt(squares)
	}
	return norms
}

// Panel returns all units of m as they are seen, with its shape, or a guess
// where that is unknown. Inputs weigh what the model's preprocessing knows of
// their deviations, else 1 each; and those that taught nothing 0, whose weights
// are what the seed drew, but for a common factor. Units of which the same is
// true, or whose weights are next to 0, are dead. Who has seen data knows
// better, and can put the deviations of the inputs in Weights.
func (v View) Panel(m *model.Model, title string) (Panel, error) {
	patterns, err := v.Patterns(m)
	if err != nil {
		return Panel{}, err
	}
	shape, _ := m.PatchShape()
	p := Panel{Title: title, Filters: patterns, Shape: shape}
	inputs, units := untouched(m)
	if p.Weights, err = m.Preprocess.Deviations(m.Inputs, v.Input); err != nil {
		return Panel{}, err
	}
	if p.Weights == nil {
		p.Weights = slices.Repeat([]float64{1}, m.Inputs)
	}
	for j, untouched := range inputs {
		if untouched {
			p.Weights[j] = 0
		}
	}
	p.Dead = units
	return p, nil
}

// Units returns the panel with the units of the given numbers alone, labelled
// with them.
func (p Panel) Units(numbers []int) (Panel, error) {
	n := p.Shape.Len()
	of := p
	of.Filters, of.Labels, of.Dead = nil, nil, nil
	for _, i := range numbers {
		if i < 0 || (i+1)*n > len(p.Filters) {
			return Panel{}, fmt.Errorf("imagery: there is no unit %d among %d, which count from 0", i, len(p.Filters)/n)
		}
		of.Filters = append(of.Filters, p.Filters[i*n:(i+1)*n]...)
		of.Labels = append(of.Labels, fmt.Sprint(i))
		if p.Dead != nil {
			of.Dead = append(of.Dead, p.Dead[i])
		}
	}
	return of, nil
}

// sameWeights is how far from 1 the squared cosine of weights and what they
// began as may be where nothing was learned: what rounding does, and no step.
const sameWeights = 1e-6

// shortWeights is how short the weights of a dead unit are beside the longest
// of the model: what decay has left of them.
const shortWeights = 1e-3

// untouched tells which inputs (n) and units (h) of the encoder have learned
// nothing: their weights are as the seed drew them but for a factor, or those
// of a unit are next to 0. A model of which the first is true as a whole was
// not trained, and has none.
func untouched(m *model.Model) (inputs, units []bool) {
	n, h := m.Inputs, m.Hidden
	inputs, units = make([]bool, n), make([]bool, h)
	first, err := model.New(m.Config)
	if err != nil {
		return inputs, units
	}
	a, b := m.Params.EncoderWeight, first.Params.EncoderWeight
	columns, rows := make([]products, n), make([]products, h)
	for i := range a {
		columns[i%n].add(a[i], b[i])
		rows[i/n].add(a[i], b[i])
	}
	const few = 8 // of which chance makes any two alike
	trained, longest := false, 0.
	for _, row := range rows {
		longest = max(longest, row.aa)
	}
	for l, row := range rows {
		units[l] = row.aa <= shortWeights*shortWeights*longest || n >= few && row.same()
		trained = trained || !row.same()
	}
	if !trained {
		return inputs, make([]bool, h)
	}
	for j, column := range columns {
		inputs[j] = h >= few && column.same()
	}
	return inputs, units
}

// products are those of two vectors.
type products struct{ aa, ab, bb float64 }

func (p *products) add(a, b float32) {
	x, y := float64(a), float64(b)
	p.aa += x * x
	p.ab += x * y
	p.bb += y * y
}

// same reports that a is b times a factor, or 0.
func (p products) same() bool { return p.ab*p.ab >= (1-sameWeights)*p.aa*p.bb }

package model

import (
	"encoding/json"
	"math"
	"os"
	"testing"
)

// goldenCase is a case of testdata/golden.json or emphasis.json: costs and
// gradients in float64, by automatic differentiation in another framework.
type goldenCase struct {
	Name   string
	Config struct {
		Activation  Activation
		Output      Activation
		Loss        Loss
		Tied        bool
		Rho         float64
		Beta        float64
		Lambda      float64
		Contraction float64
		Corruption  float64
		Noise       Noise
		Emphasis    Emphasis
		K           int
	}
	X              [][]float64
	Corrupted      [][]float64
	Chosen         [][]bool    // what of X is corrupted; of emphasis.json
	EncoderWeight  [][]float64 `json:"encoder_weight"`
	EncoderBias    []float64   `json:"encoder_bias"`
	DecoderWeight  [][]float64 `json:"decoder_weight"`
	DecoderBias    []float64   `json:"decoder_bias"`
	Cost           Cost
	MeanActivation []float64 `json:"mean_activation"`
	Gradient       struct {
		EncoderWeight [][]float64 `json:"encoder_weight"`
		EncoderBias   []float64   `json:"encoder_bias"`
		DecoderWeight [][]float64 `json:"decoder_weight"`
		DecoderBias   []float64   `json:"decoder_bias"`
	}
}

func goldenCases(t *testing.T) []goldenCase {
	t.Helper()
	var all []goldenCase
	for _, file := range []struct {
		name  string
		cases int
	}{{"golden.json", 21}, {"emphasis.json", 12}} {
		data, err := os.ReadFile("../testdata/" + file.name)
		if err != nil {
			t.Fatal(err)
		}
		var golden struct{ Cases []goldenCase }
		if err := json.Unmarshal(data, &golden); err != nil {
			t.Fatal(err)
		}
		if len(golden.Cases) != file.cases {
			t.Fatalf("%d golden cases in %s, want %d", len(golden.Cases), file.name, file.cases)
		}
		all = append(all, golden.Cases...)
	}
	return all
}

func (c *goldenCase) config() Config {
	return Config{
		Inputs: len(c.X[0]), Hidden: len(c.EncoderBias),
		Activation: c.Config.Activation, Output: c.Config.Output, Loss: c.Config.Loss, Tied: c.Config.Tied,
		Sparsity: c.Config.Rho, SparsityWeight: c.Config.Beta, WeightDecay: c.Config.Lambda,
		Contraction: c.Config.Contraction, Corruption: c.Config.Corruption, K: c.Config.K,
		Noise: c.Config.Noise, Emphasis: c.Config.Emphasis,
	}
}

// corrupt puts the rows of c into p, and what is corrupted of them.
func (c *goldenCase) corrupt(p *pass) {
	p.take(Float32Rows(narrow(flatten(c.X)), p.m.Inputs), nil, 0)
	copy(p.noisy, narrow(flatten(c.Corrupted)))
	if p.emphasis == nil {
		return
	}
	chosen := p.emphasis.chosen[:0]
	for _, row := range c.Chosen {
		for j, is := range row {
			if is {
				chosen = append(chosen, int32(j))
			}
		}
	}
}

// weights is what each component counts in the loss.
func (c *goldenCase) weights() [][]float64 {
	return weigh(c.Config.Emphasis, len(c.X), len(c.X[0]), func(k, j int) bool { return c.Chosen != nil && c.Chosen[k][j] })
}

func (c *goldenCase) params() []float64 {
	return join(flatten(c.EncoderWeight), c.EncoderBias, flatten(c.DecoderWeight), c.DecoderBias)
}

func (c *goldenCase) gradient() []float64 {
	g := &c.Gradient
	return join(flatten(g.EncoderWeight), g.EncoderBias, flatten(g.DecoderWeight), g.DecoderBias)
}

func (c *goldenCase) model(t *testing.T) *Model {
	t.Helper()
	m, err := New(c.config())
	if err != nil {
		t.Fatal(err)
	}
	copy(m.Params.Flat, narrow(c.params()))
	return m
}

func flatten(x [][]float64) []float64 { return join(x...) }

func join(x ...[]float64) []float64 {
	var all []float64
	for _, v := range x {
		all = append(all, v...)
	}
	return all
}

func narrow(x []float64) []float32 {
	y := make([]float32, len(x))
	for i, v := range x {
		y[i] = float32(v)
	}
	return y
}

// checkCost compares the terms of a cost, to a share of each: and of the
// total, where a term is a small part of it.
func checkCost(t *testing.T, got, want Cost, share float64) float64 {
	t.Helper()
	worst := 0.0
	for _, term := range []struct {
		name      string
		got, want float64
	}{
		{"reconstruction", got.Reconstruction, want.Reconstruction},
		{"weight decay", got.WeightDecay, want.WeightDecay},
		{"sparsity", got.Sparsity, want.Sparsity},
		{"contraction", got.Contraction, want.Contraction},
		{"total", got.Total, want.Total},
	} {
		bad := math.Abs(term.got - term.want)
		if !(bad <= share*math.Abs(term.want)) {
			t.Errorf("%s is %v, want %v", term.name, term.got, term.want)
		}
		if term.want != 0 {
			worst = max(worst, bad/math.Abs(term.want))
		}
	}
	return worst
}

// checkGradient compares a gradient tensor by tensor: the largest error to a
// share of the largest element.
func checkGradient(t *testing.T, c Config, got []float32, want []float64, share float64) float64 {
	t.Helper()
	worst := 0.0
	for _, tensor := range tensorsOf(c) {
		size := int(tensor.elements())
		largest, bad := 0.0, 0.0
		for i, w := range want[:size] {
			largest = max(largest, math.Abs(w))
			if d := math.Abs(float64(got[i]) - w); !(d <= bad) {
				bad = d
			}
		}
		if !(bad <= share*largest) {
			t.Errorf("gradient of %s is off by %.3g, its largest element being %.3g", tensor.name, bad, largest)
		}
		if largest > 0 {
			worst = max(worst, bad/largest)
		}
		got, want = got[size:], want[size:]
	}
	return worst
}

const goldenShare = 1e-5

func TestGoldenReference(t *testing.T) {
	for _, c := range goldenCases(t) {
		t.Run(c.Name, func(t *testing.T) {
			r := newWeightedReference(c.config(), c.params(), c.X, c.Corrupted, c.weights())
			checkCost(t, r.cost, c.Cost, 1e-12)
			// The other framework's softplus is linear above 20, which
			// shows in the ninth digit where units are saturated.
			for i, w := range c.gradient() {
				if math.Abs(r.gradient[i]-w) > 1e-9*(1+math.Abs(w)) {
					t.Errorf("gradient element %d is %v, want %v", i, r.gradient[i], w)
				}
			}
			for i, w := range c.MeanActivation {
				if math.Abs(r.rhohat[i]-w) > 1e-12 {
					t.Errorf("rhohat %d is %v, want %v", i, r.rhohat[i], w)
				}
			}
		})
	}
}

func TestGoldenAccumulator(t *testing.T) {
	worstCost, worstGradient := 0.0, 0.0
	for _, c := range goldenCases(t) {
		t.Run(c.Name, func(t *testing.T) {
			m := c.model(t)
			a := NewAccumulator(m)
			c.corrupt(a.pass)
			a.foldCorrupted()
			worstCost = max(worstCost, checkCost(t, a.Cost(), c.Cost, goldenShare))
			g := make([]float32, len(m.Params.Flat))
			a.Gradient(g)
			worstGradient = max(worstGradient, checkGradient(t, m.Config, g, c.gradient(), goldenShare))
			rhohat := make([]float64, m.Hidden)
			a.MeanActivation(rhohat)
			for i, w := range c.MeanActivation {
				// Codes end at sigmoid(-30).
				if math.Abs(rhohat[i]-w) > goldenShare*math.Abs(w)+1e-12 {
					t.Errorf("rhohat %d is %v, want %v", i, rhohat[i], w)
				}
			}
		})
	}
	t.Logf("worst cost %.2g, worst gradient %.2g", worstCost, worstGradient)
}

func TestGoldenMiniBatch(t *testing.T) {
	worstCost, worstGradient := 0.0, 0.0
	for _, c := range goldenCases(t) {
		t.Run(c.Name, func(t *testing.T) {
			m := c.model(t)
			trainer := newTrainer(t, m, TrainOptions{BatchSize: len(c.X)})
			batch := trainer.engine.(*miniBatch)
			c.corrupt(batch.pass)
			cost := batch.evaluate().with(m.weightDecay())
			worstCost = max(worstCost, checkCost(t, cost, c.Cost, goldenShare))
			worstGradient = max(worstGradient, checkGradient(t, m.Config, batch.gradient.Flat, c.gradient(), goldenShare))
			checkCost(t, trainer.Running().Cost, cost, 1e-14)
		})
	}
	t.Logf("worst cost %.2g, worst gradient %.2g", worstCost, worstGradient)
}

func TestGoldenEvaluator(t *testing.T) {
	for _, c := range goldenCases(t) {
		if c.Config.Corruption > 0 {
			continue // evaluation feeds clean rows
		}
		t.Run(c.Name, func(t *testing.T) {
			m := c.model(t)
			e := NewEvaluator(m)
			if err := e.Add(Float32Rows(narrow(flatten(c.X)), m.Inputs)); err != nil {
				t.Fatal(err)
			}
			checkCost(t, e.Result().Cost, c.Cost, goldenShare)
		})
	}
}

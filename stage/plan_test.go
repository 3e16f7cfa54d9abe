package stage

import (
	"slices"
	"strings"
	"testing"

	"github.com/aefeat/aefeat/model"
	"github.com/aefeat/aefeat/patch"
)

// What a Config stands for, defaults filled in.
func TestPlan(t *testing.T) {
	lbfgs := model.TrainOptions{Optimizer: model.LBFGS}
	for _, c := range []struct {
		name             string
		config           Config
		epochs           int
		keeps, validates bool
		ahead            int64
	}{
		{"zeros", Config{}, DefaultEpochs, true, false, 0},
		{"one epoch", Config{Epochs: 1}, 1, false, false, 0},
		{"no epoch", Config{Epochs: NoEpochs, Validation: 0.1}, 0, false, false, 0},
		{"iterations", Config{Train: lbfgs}, DefaultIterations, true, false, 0},
		{"one iteration", Config{Train: lbfgs, Epochs: 1}, 1, true, false, 0},
		{"no iteration", Config{Train: lbfgs, Epochs: NoEpochs}, 0, false, false, 0},
		{"held out", Config{Epochs: 1, Validation: 0.1}, 1, false, true, 0},
		{"learning", Config{Preprocess: model.PreprocessPatch}, DefaultEpochs, true, false, 0},
		{"learning ahead", Config{Preprocess: model.PreprocessPatch, Epochs: 1}, 1, false, false, DefaultPreprocessRows},
		{"learning from few", Config{Preprocess: model.PreprocessPatch, Epochs: NoEpochs, PreprocessRows: 7}, 0, false, false, 7},
	} {
		c.config.Model = model.Plain(2)
		p, err := newPlan(c.config)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if p.epochs != c.epochs || p.train.Epochs != c.epochs || p.keeps() != c.keeps || p.validates() != c.validates || p.train.Validate != c.validates || p.rule.ahead != c.ahead {
			t.Errorf("%s: %+v", c.name, p)
		}
		if p.memory != DefaultMemory || p.rule.method == "" {
			t.Errorf("%s: %d bytes, method %q", c.name, p.memory, p.rule.method)
		}
	}
}

// Memory is shared as the rows are, and each share has the least that it needs.
func TestBudgets(t *testing.T) {
	const mib = 1 << 20
	for _, c := range []struct {
		epochs        int
		share         float64
		memory        int64
		kept, heldOut int64
	}{
		{2, 0, 100 * mib, 100 * mib, 0},
		{1, 0.5, 100 * mib, 0, 100 * mib},
		{2, 0.5, 100 * mib, 50 * mib, 50 * mib},
		{2, 0.01, 100 * mib, 84 * mib, 16 * mib},
		{2, 0.99, 100 * mib, 16 * mib, 84 * mib},
		{2, 0.5, 32 * mib, 16 * mib, 16 * mib},
	} {
		p, err := newPlan(Config{Model: model.Plain(2), Epochs: c.epochs, Validation: c.share, Memory: c.memory})
		if err != nil {
			t.Fatal(err)
		}
		kept, heldOut, err := p.budgets(784)
		if err != nil || kept != c.kept || heldOut != c.heldOut {
			t.Errorf("%+v: %d and %d bytes, error %v", c, kept, heldOut, err)
		}
	}
}

func TestWarnings(t *testing.T) {
	dead := func(n int) []model.Epoch {
		return []model.Epoch{{}, {Health: model.Health{Dead: n}, Validation: &model.Cost{}}}
	}
	for _, c := range []struct {
		name   string
		report Report
		want   []Warning
	}{
		{"nothing", Report{Drift: 0.1, Reach: 0.1, Best: 2, Epochs: dead(5)}, nil},
		{"dead", Report{Epochs: dead(6)}, []Warning{{WarnDead, "LearningRate", 6}}},
		{"sparsity", Report{Epochs: []model.Epoch{{Cost: model.Cost{Total: 1, Sparsity: 1}}, {Cost: model.Cost{Total: 8, Sparsity: 6}}}}, []Warning{{WarnSparsity, "SparsityWeight", 0.75}}},
		{"half of the cost", Report{Epochs: []model.Epoch{{Cost: model.Cost{Total: 8, Sparsity: 4}}}}, nil},
		{"no cost", Report{Epochs: dead(0), Best: 1}, []Warning{{WarnValidation, "Validation", 0}}},
		{"out of range", Report{Epochs: dead(0), Rows: 6, HeldOut: 3, BadRows: wantBad(patch.OutOfRange, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9)}, []Warning{{WarnOutOfRange, "PixelMax", 10}}},
		{"less out of range", Report{Epochs: dead(0), Rows: 6, HeldOut: 3, BadRows: wantBad(patch.OutOfRange, 0, 1, 2, 3, 4, 5, 6, 7, 8)}, nil},
		{"drift and reach", Report{Drift: 0.11, Reach: 0.09}, []Warning{{WarnDrift, "PreprocessRows", 0.11}, {WarnReach, "PixelMax", 0.09}}},
	} {
		c.report.judgeDead(model.Plain(10), false)
		c.report.judge()
		got := c.report.Warnings()
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
		for _, w := range got {
			if w.String() == w.Key {
				t.Errorf("%s: no words for %+v", c.name, w)
			}
		}
	}
}

// A quarter of dead units is many for k-sparse codes, and the setting is what
// they may have died of.
func TestDeadWarnings(t *testing.T) {
	for _, c := range []struct {
		model    model.Config
		fitDecay bool
		dead     int
		want     []Warning
	}{
		{model.Config{Hidden: 12, K: 2, WeightDecay: 0.01}, false, 3, nil},
		{model.Config{Hidden: 12, K: 2, WeightDecay: 0.01}, false, 4, []Warning{{WarnDead, "WeightDecay", 4}}},
		{model.Config{Hidden: 12, K: 2, WeightDecay: 0.01}, true, 4, []Warning{{WarnDead, "K", 4}}},
		{model.Config{Hidden: 12, K: 2}, false, 4, []Warning{{WarnDead, "K", 4}}},
		{model.Config{Hidden: 12, WeightDecay: 0.01}, false, 6, nil},
		{model.Config{Hidden: 12, WeightDecay: 0.01}, false, 7, []Warning{{WarnDead, "LearningRate", 7}}},
	} {
		r := Report{Epochs: []model.Epoch{{Health: model.Health{Dead: c.dead}}}}
		r.judgeDead(c.model, c.fitDecay)
		if got := r.Warnings(); !slices.Equal(got, c.want) {
			t.Errorf("%d dead of %+v: %+v, want %+v", c.dead, c.model, got, c.want)
		}
		for _, w := range r.Warnings() {
			if !strings.Contains(w.String(), "`"+w.Setting+"`") {
				t.Errorf("%+v: the words are %q", w, w)
			}
		}
	}
}

// What the weights warn of: near those that were drawn, or near one another.
func TestWeightWarnings(t *testing.T) {
	c := model.Plain(8)
	c.Inputs, c.Seed = 20, 3
	fitted := &Report{Epochs: []model.Epoch{{}}}
	judge := func(change func(w []float32), r *Report, drawn bool) []Warning {
		m, err := model.New(c)
		if err != nil {
			t.Fatal(err)
		}
		change(m.Params.EncoderWeight)
		r.warnings = nil
		r.judgeWeights(m, drawn)
		for _, w := range r.Warnings() {
			if w.String() == w.Key {
				t.Errorf("no words for %+v", w)
			}
		}
		return r.Warnings()
	}
	turn := func(w []float32) { // each unit by 90 degrees, as many as w holds
		for i := 0; i < len(w); i += 2 {
			w[i], w[i+1] = w[i+1], -w[i]
		}
	}
	copies := func(n int) func(w []float32) { // the first n units are one
		return func(w []float32) {
			turn(w)
			for i := 1; i < n; i++ {
				copy(w[20*i:20*(i+1)], w[:20])
			}
		}
	}
	for _, x := range []struct {
		name   string
		change func(w []float32)
		report *Report
		drawn  bool
		want   []Warning
	}{
		{"as drawn", func([]float32) {}, fitted, true, []Warning{{WarnUnmoved, "Epochs", 8}}},
		{"five as drawn", func(w []float32) { turn(w[:60]) }, fitted, true, []Warning{{WarnUnmoved, "Epochs", 5}}},
		{"half as drawn", func(w []float32) { turn(w[:80]) }, fitted, true, nil},
		{"from other weights", func([]float32) {}, fitted, false, nil},
		{"not fitted", func([]float32) {}, &Report{}, true, nil},
		{"three of eight alike", copies(3), fitted, true, []Warning{{WarnTwins, "WeightDecay", 3}}},
		{"a quarter alike", copies(2), fitted, true, nil},
	} {
		if got := judge(x.change, x.report, x.drawn); !slices.Equal(got, x.want) {
			t.Errorf("%s: %+v, want %+v", x.name, got, x.want)
		}
	}
}

package model

import (
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// The table of what combines.
func TestValidate(t *testing.T) {
	for _, c := range []Config{
		{Hidden: 1},
		Sparse(10), Denoising(10), Contractive(10), Plain(10), KSparse(10), KSparse(100), KSparse(1),
		{Hidden: 2, Inputs: 3, Activation: Tanh, Sparsity: 0.1, SparsityWeight: 1},
		{Hidden: 2, Loss: CrossEntropy},
		{Hidden: 2, Activation: ReLU, Contraction: 1},
		{Hidden: 2, Activation: Linear, Contraction: 1},
		{Hidden: 2, Corruption: 1},
		{Hidden: 2, Corruption: 1.5, Noise: Gaussian},
		{Hidden: 2, Activation: ReLU, Sparsity: 0.1}, // without weight it is off
		{Hidden: 1 << 30, Inputs: 2},
		{Hidden: 3, Activation: Linear, K: 3, KEncode: 9},
		{Hidden: 2, Corruption: 0.1, Emphasis: 2},
		{Hidden: 2, Corruption: 0.1, Emphasis: 0.1, Noise: SaltPepper, Loss: CrossEntropy, Tied: true},
		{Hidden: 2, Corruption: 0.1, Emphasis: full}, // of how many is not known
		{Hidden: 2, Corruption: 0.1, Emphasis: full, Inputs: 6},
		{Hidden: 2, Corruption: 0.1, Emphasis: 2, Inputs: 5},       // no component is chosen, and all count
		{Hidden: 2, Corruption: 0.1, Emphasis: 1, Noise: Gaussian}, // 1 is none
		{Hidden: 2, Emphasis: full, Noise: Gaussian},               // without noise it is off
	} {
		if err := c.Validate(); err != nil {
			t.Errorf("%+v: %v", c, err)
		}
	}
	for _, c := range []struct {
		c    Config
		want string
	}{
		{Config{}, "Hidden: "},
		{Config{Hidden: -1}, "Hidden: "},
		{Config{Hidden: 2, Inputs: -1}, "Inputs: "},
		{Config{Hidden: math.MaxInt, Inputs: 2}, "memory"},
		{Config{Hidden: 1 << 30, Inputs: 3}, "memory"},
		{Config{Hidden: 2, Activation: 9}, "Activation: "},
		{Config{Hidden: 2, Output: 9}, "Output: "},
		{Config{Hidden: 2, Loss: 9}, "Loss: "},
		{Config{Hidden: 2, Noise: 9}, "Noise: "},
		{Config{Hidden: 2, Objective: "variational"}, "variational"},
		{Config{Hidden: 2, Activation: ReLU, Sparsity: 0.1, SparsityWeight: 1}, "relu"},
		{Config{Hidden: 2, Activation: Linear, Sparsity: 0.1, SparsityWeight: 1}, "linear"},
		{Config{Hidden: 2, SparsityWeight: 1, Sparsity: 1}, "Sparsity: "},
		{Config{Hidden: 2, SparsityWeight: -1, Sparsity: 0.5}, "SparsityWeight: "},
		{Config{Hidden: 2, Sparsity: math.NaN()}, "Sparsity: "},
		{Config{Hidden: 2, WeightDecay: -1}, "WeightDecay: "},
		{Config{Hidden: 2, WeightDecay: math.NaN()}, "WeightDecay: "},
		{Config{Hidden: 2, WeightDecay: math.Inf(1)}, "WeightDecay: "},
		{Config{Hidden: 2, Contraction: -1}, "Contraction: "},
		{Config{Hidden: 2, Corruption: 1.1}, "Corruption: "},
		{Config{Hidden: 2, Emphasis: -1}, "Emphasis: "},
		{Config{Hidden: 2, Emphasis: Emphasis(math.Inf(-1))}, "Emphasis: "},
		{Config{Hidden: 2, Emphasis: Emphasis(math.NaN())}, "Emphasis: "},
		{Config{Hidden: 2, Emphasis: 1e300}, "Emphasis: "},
		{Config{Hidden: 2, Corruption: 0.1, Emphasis: 2, Noise: Gaussian}, "Emphasis: gaussian"},
		{Config{Hidden: 2, Corruption: 0.1, Emphasis: full, Noise: Gaussian}, "Emphasis: gaussian"},
		{Config{Hidden: 2, Corruption: 0.1, Emphasis: full, Inputs: 5}, "leaves all 5"},
		{Config{Hidden: 2, Loss: CrossEntropy, Output: Linear}, "cross-entropy"},
		{Config{Hidden: 2, Loss: CrossEntropy, Output: Tanh}, "tanh"},
		{Config{Hidden: 2, K: -1, Activation: Linear}, "K: "},
		{Config{Hidden: 2, K: 3, Activation: Linear}, "K: "},
		{Config{Hidden: 2, K: 1}, "sigmoid"},
		{Config{Hidden: 2, K: 1, Activation: ReLU}, "relu"},
		{Config{Hidden: 2, K: 1, Activation: Linear, Contraction: 1}, "Contraction: "},
		{Config{Hidden: 2, K: 1, Activation: Linear, Sparsity: 0.1, SparsityWeight: 1}, "SparsityWeight: "},
		{Config{Hidden: 2, K: 1, Activation: Linear, KEncode: -1}, "KEncode: "},
		{Config{Hidden: 2, K: 1, Activation: Linear, KEncode: math.NaN()}, "KEncode: "},
	} {
		err := c.c.Validate()
		var config *ConfigError
		if !errors.As(err, &config) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: error %v, want a ConfigError with %q", c.c, err, c.want)
		}
	}
	if _, err := New(Plain(3)); err == nil {
		t.Error("a model without inputs")
	}
}

func TestObjective(t *testing.T) {
	for want, c := range map[string]Config{
		"plain":       {},
		"sparse":      {SparsityWeight: 1, Sparsity: 0.1},
		"denoising":   {Corruption: 0.1, SparsityWeight: 1, Sparsity: 0.1},
		"contractive": {Contraction: 0.1},
		"k-sparse":    {Activation: Linear, K: 1, Corruption: 0.1},
	} {
		if m := newModel(t, c, 3, 2); m.Objective != want {
			t.Errorf("%+v: objective %q, want %q", c, m.Objective, want)
		}
	}
	if m := newModel(t, Config{Objective: ObjectiveSparse}, 3, 2); m.Objective != ObjectiveSparse {
		t.Errorf("objective %q", m.Objective)
	}
}

func TestNames(t *testing.T) {
	type all struct {
		A []Activation
		L []Loss
		N []Noise
		O []Optimizer
	}
	v := all{
		[]Activation{Sigmoid, Tanh, ReLU, Linear},
		[]Loss{SquaredError, CrossEntropy},
		[]Noise{Masking, Gaussian, SaltPepper},
		[]Optimizer{Adam, SGD},
	}
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"A":["sigmoid","tanh","relu","linear"],"L":["squared","cross-entropy"],"N":["masking","gaussian","salt-pepper"],"O":["adam","sgd"]}`
	if string(b) != want {
		t.Errorf("%s, want %s", b, want)
	}
	var back all
	if err := json.Unmarshal(b, &back); err != nil {
		t.Fatal(err)
	}
	if b, _ := json.Marshal(back); string(b) != want {
		t.Errorf("there and back it is %s", b)
	}
	for _, text := range []string{"", "Sigmoid", "softmax"} {
		var a Activation
		if err := a.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q is an activation", text)
		}
	}
	if _, err := json.Marshal(Activation(9)); err == nil {
		t.Error("an unknown activation has a name")
	}
}

// Initial weights depend on seed, tensor and place alone.
func TestInitialWeights(t *testing.T) {
	const n, h = 30, 20
	base := Config{Inputs: n, Hidden: h, Seed: 5}
	m, err := New(base)
	if err != nil {
		t.Fatal(err)
	}
	limit := math.Sqrt(6.0 / (n + h + 1))
	for _, w := range [][]float32{m.Params.EncoderWeight, m.Params.DecoderWeight} {
		sum, square := 0.0, 0.0
		for _, v := range w {
			if math.Abs(float64(v)) > limit {
				t.Fatalf("weight %v beyond %v", v, limit)
			}
			sum += float64(v)
			square += float64(v) * float64(v)
		}
		if mean := sum / n / h; math.Abs(mean) > 5*limit/math.Sqrt(3*n*h) {
			t.Errorf("mean weight %v", mean)
		}
		if v := square / n / h * 3 / limit / limit; math.Abs(v-1) > 0.2 {
			t.Errorf("weights have %v of their variance", v)
		}
	}
	for _, b := range [][]float32{m.Params.EncoderBias, m.Params.DecoderBias} {
		for _, v := range b {
			if v != 0 {
				t.Fatalf("bias %v", v)
			}
		}
	}
	other := Sparse(h)
	other.Inputs, other.Seed, other.Tied, other.Activation = n, 5, true, Tanh
	tied, err := New(other)
	if err != nil {
		t.Fatal(err)
	}
	equalFloats(t, tied.Params.EncoderWeight, m.Params.EncoderWeight)
	if tied.Params.DecoderWeight != nil {
		t.Error("tied, yet a decoder of its own")
	}
	base.Seed = 6
	if m2, _ := New(base); m2.Params.EncoderWeight[0] == m.Params.EncoderWeight[0] {
		t.Error("another seed gives the same weight")
	}
	if m.Params.EncoderWeight[0] == m.Params.DecoderWeight[0] {
		t.Error("both tensors start alike")
	}
}

// Where the sparsity term is on, a unit without input begins at rho.
func TestInitialBias(t *testing.T) {
	for _, c := range []struct {
		config Config
		want   float64 // b1
	}{
		{Config{SparsityWeight: 3, Sparsity: 0.1}, -2.1972245773362196},                   // ln(1/9)
		{Config{SparsityWeight: 3}, -2.1972245773362196},                                  // rho's default
		{Config{SparsityWeight: 3, Sparsity: 0.1, Activation: Tanh}, -1.0986122886681098}, // half of it
		{Config{SparsityWeight: 1, Sparsity: 0.5}, 0},
		{Config{SparsityWeight: 1, Sparsity: 0.75}, 1.0986122886681098},
		{Config{Sparsity: 0.1}, 0}, // the term is off
		{Denoising(3), 0},
		{KSparse(3), 0},
	} {
		c.config.Inputs, c.config.Hidden = 4, 3
		m, err := New(c.config)
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range m.Params.EncoderBias {
			if b != float32(c.want) {
				t.Errorf("%v: a bias of %v, want %v", c.config.Terms(), b, c.want)
			}
		}
		for _, b := range m.Params.DecoderBias {
			if b != 0 {
				t.Errorf("%v: the decoder has a bias of %v", c.config.Terms(), b)
			}
		}
	}
}

// Which rate and batch stand for 0, by optimizer, method and terms.
func TestTrainDefaults(t *testing.T) {
	sparse := Config{SparsityWeight: 10}
	for _, c := range []struct {
		o      TrainOptions
		config Config
		method string
		rate   float64
		batch  int
	}{
		{TrainOptions{}, sparse, PreprocessScale, 0.004, 256},
		{TrainOptions{}, sparse, PreprocessStandardize, 0.004, 256},
		{TrainOptions{}, sparse, PreprocessPatch, 0.002, 256},
		{TrainOptions{}, sparse, PreprocessZCA, 0.01, 64},
		{TrainOptions{}, Config{}, PreprocessZCA, 0.004, 256},
		{TrainOptions{BatchSize: 9}, sparse, PreprocessZCA, 0.01, 9},
		{TrainOptions{BatchSize: FullBatch}, sparse, PreprocessZCA, 0.01, FullBatch},
		{TrainOptions{LearningRate: 1}, sparse, PreprocessZCA, 1, 64},
		{TrainOptions{Optimizer: SGD}, sparse, PreprocessZCA, 0.01, 256},
		{TrainOptions{Optimizer: LBFGS}, sparse, PreprocessZCA, 0, FullBatch},
	} {
		got, err := c.o.WithDefaults(c.config, c.method)
		if err != nil || got.LearningRate != c.rate || got.BatchSize != c.batch {
			t.Errorf("%+v after %s: rate %v, batch %d, error %v; want %v, %d", c.o, c.method, got.LearningRate, got.BatchSize, err, c.rate, c.batch)
		}
	}
}

func TestForObjective(t *testing.T) {
	for name, want := range map[string]Config{
		"sparse": Sparse(40), "denoising": Denoising(40), "contractive": Contractive(40), "k-sparse": KSparse(40), "plain": Plain(40),
	} {
		for _, method := range []string{"", PreprocessNone, PreprocessScale, PreprocessPatch, PreprocessStandardize, PreprocessZCA} {
			got, err := ForObjective(name, 40, method)
			want := want
			if method == PreprocessStandardize || method == PreprocessZCA {
				want.Output = Linear
			}
			if method == PreprocessZCA {
				switch name {
				case "sparse":
					want.Sparsity, want.SparsityWeight, want.WeightDecay = 0.015, 10, 0.01
				case "denoising":
					want.Sparsity, want.SparsityWeight, want.WeightDecay = 0.02, 10, 0.01
				}
			}
			if err != nil || got != want {
				t.Errorf("%s after %q: %+v, error %v, want %+v", name, method, got, err, want)
			}
			if err := (Preprocess{Method: method}).Allows(got); err != nil {
				t.Errorf("%s after %q: %v", name, method, err)
			}
			if err := got.Validate(); err != nil {
				t.Errorf("%s after %q: %v", name, method, err)
			}
		}
	}
	for _, c := range []struct{ name, method, setting string }{
		{"", "", "Objective"},
		{"variational", "", "Objective"},
		{"sparse", "zac", "Preprocess"},
	} {
		var config *ConfigError
		if _, err := ForObjective(c.name, 40, c.method); !errors.As(err, &config) || config.Setting != c.setting || config.Hint == "" {
			t.Errorf("%q after %q: error %#v, want one of %s", c.name, c.method, err, c.setting)
		}
	}
}

// A sparsity of 0 is the default, for whoever asks: in the file of a new model
// and in the cost of one that was changed by hand.
func TestDefaultSparsity(t *testing.T) {
	c := Config{Inputs: 3, Hidden: 2, SparsityWeight: 1}
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	m := newModel(t, c, 3, 2)
	if m.Sparsity != DefaultSparsity {
		t.Errorf("sparsity %v, want %v", m.Sparsity, DefaultSparsity)
	}
	if plain := newModel(t, Config{}, 3, 2); plain.Sparsity != 0 {
		t.Errorf("sparsity %v without a weight", plain.Sparsity)
	}
	rows := Float32Rows([]float32{0.1, 0.5, 0.9, 0.3, 0.2, 0.7}, 3)
	costs := make([]float64, 2)
	for i, rho := range []float64{0, DefaultSparsity} {
		m.Sparsity = rho
		a := NewAccumulator(m)
		if err := a.Add(rows, nil); err != nil {
			t.Fatal(err)
		}
		costs[i] = a.Cost().Total
	}
	if costs[0] != costs[1] {
		t.Errorf("cost %v by default, %v with rho %v", costs[0], costs[1], DefaultSparsity)
	}
}

// Whatever an objective sets is taken over from it, terms that are off too: of
// the fields of a Config only these stay.
func TestWithObjective(t *testing.T) {
	c := Config{Inputs: 7, Hidden: 6, Activation: Tanh, Output: ReLU, Loss: CrossEntropy, Tied: true, Noise: Gaussian, Corruption: 0.5, Seed: 9}
	for _, o := range []Config{Sparse(3), Denoising(3), Contractive(3), KSparse(3), Plain(3)} {
		stays := []string{"Inputs", "Hidden", "Loss", "Tied", "Seed"}
		if o.K == 0 {
			stays = append(stays, "Activation", "Output")
		}
		got := reflect.ValueOf(c.WithObjective(o))
		for i := range got.NumField() {
			from, name := o, got.Type().Field(i).Name
			if slices.Contains(stays, name) {
				from = c
			}
			if got, want := got.Field(i).Interface(), reflect.ValueOf(from).Field(i).Interface(); got != want {
				t.Errorf("%s after %s: %v, want %v", name, o.Objective, got, want)
			}
		}
	}
}

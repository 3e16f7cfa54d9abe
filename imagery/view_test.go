package imagery_test

import (
	"math"
	"slices"
	"testing"

	"github.com/aefeat/aefeat/imagery"
	"github.com/aefeat/aefeat/model"
)

// newModel returns an untrained model of h units on n inputs.
func newModel(t *testing.T, n, h int, p model.Preprocess) *model.Model {
	t.Helper()
	c := model.Plain(h)
	c.Inputs, c.Output = n, model.Linear
	m, err := model.New(c)
	if err != nil {
		t.Fatal(err)
	}
	m.Preprocess = p
	return m
}

func near(a, b []float32) bool {
	return slices.EqualFunc(a, b, func(x, y float32) bool { return math.Abs(float64(x-y)) <= 1e-5 })
}

func TestPatterns(t *testing.T) {
	learned := &model.Learned{Mean: []float32{1, 2}, Scale: []float32{4, 0}, Whiten: []float32{2, 1, 1, 2}, Deviation: 2. / 3}
	for _, c := range []struct {
		name string
		view imagery.View
		rule model.Preprocess
		want []float32
	}{
		{"encoder", imagery.View{}, model.Preprocess{Method: model.PreprocessScale}, []float32{1, 2, 3, 5, -1, 0}},
		{"decoder", imagery.View{Decoder: true}, model.Preprocess{Method: model.PreprocessScale}, []float32{10, 40, 20, 50, 30, 70}},
		{"scaled encoder", imagery.View{Input: true}, model.Preprocess{Method: model.PreprocessScale}, []float32{1, 2, 3, 5, -1, 0}},
		{"patch, of the input", imagery.View{Input: true}, model.Preprocess{Method: model.PreprocessPatch}, []float32{-.1, .1, -.2, .2, -.1, .1}},
		{"patch", imagery.View{}, model.Preprocess{Method: model.PreprocessPatch}, []float32{-.5, .5, -1, 1, -.5, .5}},
		{"standardized", imagery.View{}, model.Preprocess{Method: model.PreprocessStandardize}, []float32{1, 2, 3, 5, -1, 0}},
		{"what excites", imagery.View{Input: true}, model.Preprocess{Method: model.PreprocessStandardize}, []float32{4, 0, 12, 0, -4, 0}},
		{"what is added", imagery.View{Input: true, Decoder: true}, model.Preprocess{Method: model.PreprocessStandardize}, []float32{2.5, 0, 5, 0, 7.5, 0}},
		{"whitened", imagery.View{}, model.Preprocess{Method: model.PreprocessZCA}, []float32{1, 2, 3, 5, -1, 0}},
		{"whitened contrast", imagery.View{}, model.Preprocess{Method: model.PreprocessZCA, Contrast: 1}, []float32{-.5, .5, -1, 1, -.5, .5}},
		{"what excites, whitened", imagery.View{Input: true}, model.Preprocess{Method: model.PreprocessZCA}, []float32{4, 5, 11, 13, -2, -1}},
		// (2, 1; 1, 2) x = (10, 40): x = (-20, 70)/3
		{"what is added, whitened", imagery.View{Input: true, Decoder: true}, model.Preprocess{Method: model.PreprocessZCA},
			[]float32{-20. / 3, 70. / 3, -10. / 3, 80. / 3, -10. / 3, 110. / 3}},
		{"and its mean off", imagery.View{Input: true, Decoder: true}, model.Preprocess{Method: model.PreprocessZCA, Contrast: 1},
			[]float32{-15, 15, -15, 15, -20, 20}},
	} {
		m := newModel(t, 2, 3, c.rule)
		if c.rule.Learns() {
			m.Preprocess.Learned = learned
		}
		copy(m.Params.EncoderWeight, []float32{1, 2, 3, 5, -1, 0})
		copy(m.Params.DecoderWeight, []float32{10, 20, 30, 40, 50, 70})
		got, err := c.view.Patterns(m)
		if err != nil || !near(got, c.want) {
			t.Errorf("%s: %v (%v), want %v", c.name, got, err, c.want)
		}
		if m.Params.EncoderWeight[0] != 1 {
			t.Errorf("%s: the model has changed", c.name)
		}
	}
	if _, err := (imagery.View{}).Patterns(nil); err == nil {
		t.Error("no model, and no error")
	}
	unlearned := newModel(t, 2, 3, model.Preprocess{Method: model.PreprocessPatch})
	if _, err := (imagery.View{Input: true}).Patterns(unlearned); err == nil {
		t.Error("preprocessing that has learned nothing was undone")
	}
	// A matrix that whitens nothing cannot be undone.
	m := newModel(t, 2, 3, model.Preprocess{Method: model.PreprocessZCA, Learned: &model.Learned{Whiten: []float32{1, 1, 1, 1}}})
	if _, err := (imagery.View{Input: true, Decoder: true}).Patterns(m); err == nil {
		t.Error("a singular matrix was inverted")
	}
}

// What learned nothing still is what the seed drew, though decay shrinks it.
func TestPanelWithoutData(t *testing.T) {
	m := newModel(t, 12, 10, model.Preprocess{Method: model.PreprocessScale})
	m.Shape = model.Shape{Height: 3, Width: 4, Channels: 1}
	p, err := imagery.View{}.Panel(m, "first")
	if err != nil {
		t.Fatal(err)
	}
	if slices.Contains(p.Dead, true) || slices.Contains(p.Weights, 0) {
		t.Errorf("nothing was trained, and dead are %v, pixels weigh %v", p.Dead, p.Weights)
	}
	w := m.Params.EncoderWeight
	for l := range 10 {
		for j := range 12 {
			switch {
			case l == 4:
				w[l*12+j] = 1e-4 * float32(math.Sin(float64(l*l+j)))
			case l == 7 || j == 5:
				w[l*12+j] *= 0.3
			default:
				w[l*12+j] += float32(math.Sin(float64(l*l + j)))
			}
		}
	}
	p, err = imagery.View{}.Panel(m, "second")
	if err != nil {
		t.Fatal(err)
	}
	if p.Title != "second" || p.Shape != m.Shape {
		t.Errorf("%q, %v", p.Title, p.Shape)
	}
	for l, dead := range p.Dead {
		if dead != (l == 4 || l == 7) {
			t.Errorf("unit %d is dead: %t", l, dead)
		}
	}
	p.Dead[4] = true
	few, err := p.Units([]int{9, 4})
	if err != nil || !slices.Equal(few.Labels, []string{"9", "4"}) || !slices.Equal(few.Dead, []bool{false, true}) ||
		!slices.Equal(few.Filters[:12], p.Filters[9*12:]) || !slices.Equal(few.Filters[12:], p.Filters[4*12:5*12]) {
		t.Errorf("units 9 and 4: %+v (%v)", few, err)
	}
	for _, unit := range []int{-1, 10} {
		if _, err := p.Units([]int{unit}); err == nil {
			t.Errorf("there is a unit %d", unit)
		}
	}
}

func TestPanelWeights(t *testing.T) {
	m := newModel(t, 12, 10, model.Preprocess{Method: model.PreprocessStandardize, Learned: &model.Learned{
		Mean: make([]float32, 12), Scale: []float32{0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 5}}})
	for i := range m.Params.EncoderWeight {
		if i%12 != 6 {
			m.Params.EncoderWeight[i] = float32(math.Sin(float64(i * i)))
		}
	}
	p, err := imagery.View{}.Panel(m, "")
	if err != nil {
		t.Fatal(err)
	}
	for j, w := range p.Weights {
		if want := j != 0 && j != 6; w != 1 && want || w != 0 && !want {
			t.Errorf("input %d weighs %v", j, w)
		}
	}
}

package linear_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/aefeat/aefeat/linear"
)

func TestSeparable(t *testing.T) {
	for _, tt := range []struct {
		name    string
		n       int
		x       []float32
		labels  []int
		classes int
	}{
		{"two points", 1, []float32{-1, 1}, []int{0, 1}, 2},
		{"a constant column", 2, []float32{3, 0, 3, 1, 3, 5, 3, 6}, []int{1, 1, 0, 0}, 2},
		{"corners", 2, []float32{0, 0, 0, 1, 1, 0, 1, 1}, []int{0, 1, 2, 3}, 4},
		{"a class without rows", 1, []float32{1, 2, 8, 9}, []int{0, 0, 2, 2}, 3},
		{"large and small units", 2, []float32{1e30, 1e-30, 1e30, 2e-30, 2e30, 1e-30, 2e30, 2e-30}, []int{0, 1, 2, 3}, 4},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, err := linear.Fit(t.Context(), tt.x, tt.n, tt.labels, tt.classes, linear.Config{})
			if err != nil {
				t.Fatal(err)
			}
			got := make([]int, len(tt.labels))
			if err := c.Predict(got, tt.x); err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(got, tt.labels) {
				t.Errorf("predicted %v, want %v (%+v)", got, tt.labels, c.Stats())
			}
		})
	}
}

// Nothing to learn: no features vary, or every cost is infinite but one.
func TestDegenerate(t *testing.T) {
	x := []float32{5, 5, 5, 5}
	c, err := linear.Fit(t.Context(), x, 1, []int{1, 0, 1, 1}, 2, linear.Config{})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := c.Accuracy(x, []int{1, 0, 1, 1}); err != nil || got != 0.75 {
		t.Errorf("constant features: accuracy %v, %v; want that of the commoner class", got, err)
	}

	c, err = linear.Fit(t.Context(), x, 1, []int{1, 0, 1, 0}, 2, linear.Config{})
	if err != nil {
		t.Fatal(err)
	}
	if s := c.Stats(); !s.Converged || math.Abs(s.Cost-math.Ln2) > 1e-7 {
		t.Errorf("nothing to gain: %+v, want a cost of ln 2 and an end", s)
	}

	for _, penalty := range []float64{5e-324, 1e-300, 1e300, math.MaxFloat64} {
		c, err := linear.Fit(t.Context(), []float32{-2, -1, 1, 2}, 1, []int{0, 0, 1, 1}, 2, linear.Config{Penalty: penalty})
		if err != nil {
			t.Fatal(err)
		}
		if cost := c.Stats().Cost; !(cost <= math.Ln2*1.000001) {
			t.Errorf("penalty %v: cost %v is above the start's", penalty, cost)
		}
	}
}

func TestIterationsCap(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	x, labels := make([]float32, 200*20), make([]int, 200)
	for i := range x {
		x[i] = r.Float32()
	}
	for i := range labels {
		labels[i] = r.IntN(3)
	}
	for _, cap := range []int{1, 2, 5} {
		c, err := linear.Fit(t.Context(), x, 20, labels, 3, linear.Config{Penalty: 1e-6, Iterations: cap})
		if err != nil {
			t.Fatal(err)
		}
		if s := c.Stats(); s.Iterations != cap || s.Converged || s.Cost >= math.Log(3) {
			t.Errorf("cap %d: %+v", cap, s)
		}
	}
}

func TestErrors(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	good := []float32{1, 2, 3, 4}
	c, err := linear.Fit(t.Context(), good, 2, []int{0, 1}, 2, linear.Config{})
	if err != nil {
		t.Fatal(err)
	}
	fit := func(x []float32, n int, labels []int, classes int, config linear.Config) error {
		_, err := linear.Fit(t.Context(), x, n, labels, classes, config)
		return err
	}
	accuracy := func(x []float32, labels []int) error {
		_, err := c.Accuracy(x, labels)
		return err
	}
	for want, err := range map[string]error{
		"1 classes":                       fit(good, 2, []int{0, 0}, 1, linear.Config{}),
		"rows of 0 features":              fit(good, 0, []int{0, 1}, 2, linear.Config{}),
		"4 values are no whole":           fit(good, 3, []int{0, 1}, 2, linear.Config{}),
		"no rows":                         fit(nil, 2, nil, 2, linear.Config{}),
		"3 labels for 2 rows":             fit(good, 2, []int{0, 1, 0}, 2, linear.Config{}),
		"row 1: label 2 is outside 0..1":  fit(good, 2, []int{0, 2}, 2, linear.Config{}),
		"row 0: label -1 is outside 0..1": fit(good, 2, []int{-1, 0}, 2, linear.Config{}),
		"row 1: feature 0 is NaN":         fit([]float32{1, 2, nan, 4}, 2, []int{0, 1}, 2, linear.Config{}),
		"row 0: feature 1 is +Inf":        fit([]float32{1, inf, 3, 4}, 2, []int{0, 1}, 2, linear.Config{}),
		"penalty -1":                      fit(good, 2, []int{0, 1}, 2, linear.Config{Penalty: -1}),
		"penalty NaN":                     fit(good, 2, []int{0, 1}, 2, linear.Config{Penalty: math.NaN()}),
		"-1 iterations":                   fit(good, 2, []int{0, 1}, 2, linear.Config{Iterations: -1}),
		"3 values are no whole":           c.Predict(make([]int, 2), good[:3]),
		"row 1: feature 1 is NaN":         c.Predict(make([]int, 2), []float32{1, 2, 3, nan}),
		"1 labels for 2 rows":             accuracy(good, []int{1}),
		"row 1: label 7 is outside 0..1":  accuracy(good, []int{1, 7}),
	} {
		if err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "linear: ") {
			t.Errorf("error %v, want %q in it", err, want)
		}
	}
}

func TestConfusion(t *testing.T) {
	c, err := linear.Fit(t.Context(), []float32{-2, -1, 1, 2}, 1, []int{0, 0, 1, 1}, 2, linear.Config{})
	if err != nil {
		t.Fatal(err)
	}
	// More rows than Predict takes at once.
	var x []float32
	var labels []int
	for i := range 700 {
		x = append(x, float32(i%7)-2.5)
		labels = append(labels, i%2)
	}
	got, err := c.Confusion(x, labels)
	if err != nil {
		t.Fatal(err)
	}
	want := linear.Confusion{{150, 200}, {150, 200}}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("confusion %v, want %v", got, want)
	}
	if got := want.Accuracy(); got != 0.5 {
		t.Errorf("accuracy %v", got)
	}
	if got := (linear.Confusion{}).Accuracy(); !math.IsNaN(got) {
		t.Errorf("accuracy of no rows %v, want NaN", got)
	}
}

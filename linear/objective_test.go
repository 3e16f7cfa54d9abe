package linear

import (
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
)

// problem makes m rows of n features around one centre a class, close enough
// to overlap.
func problem(m, n, classes int, seed uint64) (x []float32, labels []int) {
	r := rand.New(rand.NewPCG(seed, 0))
	centres := make([]float32, classes*n)
	for i := range centres {
		centres[i] = float32(r.NormFloat64())
	}
	x, labels = make([]float32, m*n), make([]int, m)
	for i := range labels {
		labels[i] = r.IntN(classes)
		for j := range n {
			scale := float32(j%7 + 1)
			x[i*n+j] = scale * (centres[labels[i]*n+j] + 2*float32(r.NormFloat64()) + 10)
		}
	}
	return x, labels
}

// reference is J and its gradient in float64, one element at a time.
func reference(x []float32, n int, labels []int, classes int, penalty float64, w []float64) (cost float64, gradient []float64) {
	gradient = make([]float64, len(w))
	m, bias := float64(len(labels)), classes*n
	for i, label := range labels {
		p := make([]float64, classes)
		var sum float64
		for c := range p {
			z := w[bias+c]
			for j := range n {
				z += w[c*n+j] * float64(x[i*n+j])
			}
			p[c] = math.Exp(z)
			sum += p[c]
		}
		cost -= math.Log(p[label]/sum) / m
		for c := range p {
			d := p[c] / sum / m
			if c == label {
				d -= 1 / m
			}
			for j := range n {
				gradient[c*n+j] += d * float64(x[i*n+j])
			}
			gradient[bias+c] += d
		}
	}
	for i, v := range w[:bias] {
		cost += penalty / 2 * v * v
		gradient[i] += penalty * v
	}
	return cost, gradient
}

func maxAbs(x []float64) float64 {
	var top float64
	for _, v := range x {
		top = max(top, math.Abs(v))
	}
	return top
}

func TestObjective(t *testing.T) {
	for _, size := range []struct {
		m, n, classes int
		held          int     // every so many rows is held out
		shift         float32 // of the rows, beyond what the scaler folds
	}{
		{m: 1, n: 1, classes: 2}, {m: 7, n: 3, classes: 2}, {m: chunkRows, n: 5, classes: 3}, {m: chunkRows + 1, n: 11, classes: 4},
		{m: 2*chunkRows + 17, n: 2, classes: 10}, {m: chunkRows + 1, n: 600, classes: 2},
		{m: 2*chunkRows + 17, n: 3, classes: 5, held: 3}, {m: chunkRows + 30, n: 3, classes: 5, held: 2, shift: 1 << 12},
	} {
		x, labels := problem(size.m, size.n, size.classes, 1)
		for i := range x {
			x[i] += size.shift
		}
		s := newScaler(x, size.n)
		const penalty = 0.03
		o := newObjective(x, size.n, labels, size.classes, s)
		if size.m > 1 && o.folded != (size.shift == 0) {
			t.Errorf("%v: folded is %t", size, o.folded)
		}
		o.penalise(penalty)
		standard := make([]float32, len(x))
		s.apply(standard, x)
		if size.held > 0 {
			held := make([]bool, size.m)
			var rows []float32
			var of []int
			for i := range held {
				if held[i] = i%size.held == 0; !held[i] {
					rows, of = append(rows, standard[i*size.n:(i+1)*size.n]...), append(of, labels[i])
				}
			}
			o.hold(held)
			standard, labels = rows, of
		}
		r := rand.New(rand.NewPCG(2, 0))
		w := make([]float64, size.classes*size.n+size.classes)
		for i := range w {
			w[i] = float64(float32(r.NormFloat64()))
		}

		cost, gradient := reference(standard, size.n, labels, size.classes, penalty, w)
		o.evaluate(w)
		if got := o.cost; math.Abs(got-cost) > 1e-6*cost {
			t.Errorf("%v: cost %v, want %v", size, got, cost)
		}
		o.evaluate(w)
		if o.evaluations != 1 {
			t.Errorf("%v: one point twice took %d evaluations", size, o.evaluations)
		}
		got := o.gradient
		top := maxAbs(gradient)
		for i := range got {
			if math.Abs(got[i]-gradient[i]) > 1e-6*top {
				t.Errorf("%v: gradient[%d] = %v, want %v", size, i, got[i], gradient[i])
			}
		}

		// The reference itself, against central differences.
		for range 5 {
			const step = 1e-5
			i := r.IntN(len(w))
			keep := w[i]
			w[i] = keep + step
			above, _ := reference(standard, size.n, labels, size.classes, penalty, w)
			w[i] = keep - step
			below, _ := reference(standard, size.n, labels, size.classes, penalty, w)
			w[i] = keep
			if difference := (above - below) / (2 * step); math.Abs(difference-gradient[i]) > 1e-8*max(1, top) {
				t.Errorf("%v: reference gradient[%d] = %v, by differences %v", size, i, gradient[i], difference)
			}
		}
	}
}

// With a penalty lambda the cost is lambda-convex in W, so a weight lies
// within |gradient| / lambda of the minimum, and the cost within |gradient|^2
// / (2 lambda): the float64 gradient at the solution bounds its error.
func TestFitReachesTheMinimum(t *testing.T) {
	const m, n, classes, penalty = 1200, 12, 4, 0.01
	x, labels := problem(m, n, classes, 3)
	c, err := Fit(t.Context(), x, n, labels, classes, Config{Penalty: penalty})
	if err != nil {
		t.Fatal(err)
	}
	if !c.stats.Converged {
		t.Errorf("not converged: %+v", c.stats)
	}
	w := make([]float64, 0, classes*n+classes)
	for _, v := range slices.Concat(c.weight, c.bias) {
		w = append(w, float64(v))
	}
	standard := make([]float32, len(x))
	c.scaler.apply(standard, x)
	cost, gradient := reference(standard, n, labels, classes, penalty, w)
	if math.Abs(cost-c.stats.Cost) > 1e-6*cost {
		t.Errorf("cost %v, reported %v", cost, c.stats.Cost)
	}
	var squares float64
	for _, g := range gradient {
		squares += g * g
	}
	if excess := squares / (2 * penalty); excess > 1e-4*cost {
		t.Errorf("cost may exceed the minimum of about %v by %v", cost, excess)
	}
}

func TestFitIsDeterministic(t *testing.T) {
	x, labels := problem(3*chunkRows+5, 33, 5, 4)
	var first *Classifier
	for _, procs := range []int{1, 2, 3, 8} {
		old := runtime.GOMAXPROCS(procs)
		c, err := Fit(t.Context(), x, 33, labels, 5, Config{})
		runtime.GOMAXPROCS(old)
		if err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = c
		}
		if !slices.Equal(c.weight, first.weight) || !slices.Equal(c.bias, first.bias) || c.stats != first.stats {
			t.Errorf("GOMAXPROCS %d gives another classifier", procs)
		}
	}
}

func TestScaler(t *testing.T) {
	const tenth = 0.1 // as a float32, sums of many are rounded
	var x []float32
	for i := range 1000 {
		x = append(x, tenth, float32(i), 1e30*float32(i%2), 1+float32(i%2)*0x1p-20, -7)
	}
	before := slices.Clone(x)
	s := newScaler(x, 5)
	got := make([]float32, len(x))
	s.apply(got, x)
	if !slices.Equal(x, before) {
		t.Error("x changed")
	}
	for j, constant := range []bool{true, false, false, false, true} {
		var sum, squares float64
		for i := j; i < len(got); i += 5 {
			sum += float64(got[i])
			squares += float64(got[i]) * float64(got[i])
		}
		want := 1.0
		if constant {
			want = 0
		}
		if mean, variance := sum/1000, squares/1000; math.Abs(mean) > 1e-6 || math.Abs(variance-want) > 1e-6 {
			t.Errorf("column %d: mean %v, variance %v, want 0 and %v", j, mean, variance, want)
		}
	}
}

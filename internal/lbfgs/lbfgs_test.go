package lbfgs

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// settings are those of scipy's L-BFGS-B, with tolerances that leave nothing.
var settings = Settings{Memory: 10, Decrease: 1e-3, Curvature: 0.9, Width: 0.1, Tolerance: 1e-15, Flat: 1e-9}

// function returns the cost at x and sets the gradient.
type function func(x, gradient []float64) float64

// quadratic is 1/2 (x-a)^T D (x-a) with a_i = i and D of widely different
// curvatures: its minimum is 0, at a.
func quadratic(x, gradient []float64) float64 {
	cost := 0.0
	for i, v := range x {
		d := math.Pow(10, float64(i%5)) // 1 to 10,000
		e := v - float64(i)
		gradient[i] = d * e
		cost += d * e * e / 2
	}
	return cost
}

// rosenbrock is the sum over i of 100 (x_i+1 - x_i^2)^2 + (1 - x_i)^2: its
// minimum is 0, where all are 1.
func rosenbrock(x, gradient []float64) float64 {
	cost := 0.0
	clear(gradient)
	for i := range x[1:] {
		bend, rest := x[i+1]-x[i]*x[i], 1-x[i]
		cost += 100*bend*bend + rest*rest
		gradient[i] += -400*x[i]*bend - 2*rest
		gradient[i+1] += 200 * bend
	}
	return cost
}

// run searches until the end.
func run(t *testing.T, s *Search, f function) {
	t.Helper()
	gradient := make([]float64, len(s.Point()))
	for s.Stopped() == Running {
		s.Advance(f(s.Point(), gradient), gradient)
		if s.Evaluations() > 10_000 {
			t.Fatal("no end")
		}
	}
}

func TestMinima(t *testing.T) {
	ones := func(i int) float64 { return 1 }
	for _, test := range []struct {
		name  string
		f     function
		n     int
		want  func(i int) float64
		start float64
		most  int64 // evaluations
	}{
		{"one variable", quadratic, 1, func(i int) float64 { return float64(i) }, 7, 10},
		{"quadratic", quadratic, 50, func(i int) float64 { return float64(i) }, 0, 250},
		{"rosenbrock of 2", rosenbrock, 2, ones, -1.2, 60},
		{"rosenbrock of 40", rosenbrock, 40, ones, -0.5, 500},
	} {
		t.Run(test.name, func(t *testing.T) {
			start := slices.Repeat([]float64{test.start}, test.n)
			s := New(start, settings)
			run(t, s, test.f)
			if s.Cost() > 1e-15 || s.Evaluations() > test.most {
				t.Errorf("stopped by %v after %d evaluations, at cost %v", s.Stopped(), s.Evaluations(), s.Cost())
			}
			for i, v := range s.X() {
				if want := test.want(i); math.Abs(v-want) > 1e-6*max(1, math.Abs(want)) {
					t.Errorf("x[%d] is %v, want %v", i, v, want)
				}
			}
			if got := test.f(s.X(), make([]float64, test.n)); got != s.Cost() {
				t.Errorf("cost %v, but %v at X", s.Cost(), got)
			}
		})
	}
}

// With as many pairs as variables, exact lines and a quadratic function, the
// two loops give the inverse Hessian: H y = s for every remembered pair (of the
// newest at least, by the secant equation).
func TestSecantEquation(t *testing.T) {
	const n = 8
	s := New(slices.Repeat([]float64{3}, n), settings)
	gradient := make([]float64, n)
	for s.Iterations() < 6 {
		s.Advance(quadratic(s.Point(), gradient), gradient)
	}
	newest := len(s.state.Steps) - 1
	copy(s.state.Gradient, s.state.Changes[newest])
	s.aim()
	for i, want := range s.state.Steps[newest] {
		if got := -s.direction[i]; math.Abs(got-want) > 1e-9*math.Abs(want)+1e-12 {
			t.Errorf("H y is %v at %d, s is %v", got, i, want)
		}
	}
}

func TestMostIterations(t *testing.T) {
	limited := settings
	limited.Iterations = 7
	s := New(make([]float64, 50), limited)
	run(t, s, quadratic)
	if s.Stopped() != OutOfIterations || s.Iterations() != 7 {
		t.Errorf("stopped by %v after %d iterations", s.Stopped(), s.Iterations())
	}
	defer func() {
		if recover() == nil {
			t.Error("Advance goes on after the end")
		}
	}()
	s.Advance(0, make([]float64, 50))
}

// A search that starts at the minimum ends there.
func TestStartAtMinimum(t *testing.T) {
	s := New([]float64{1, 1, 1}, settings)
	run(t, s, rosenbrock)
	if s.Stopped() != Converged || s.Evaluations() != 1 {
		t.Errorf("stopped by %v after %d evaluations", s.Stopped(), s.Evaluations())
	}
}

// deepCopy returns a state that shares nothing with st.
func deepCopy(st State) State {
	st.X, st.Gradient = slices.Clone(st.X), slices.Clone(st.Gradient)
	st.Trials, st.Recent = slices.Clone(st.Trials), slices.Clone(st.Recent)
	vectors := func(x [][]float64) (y [][]float64) {
		for _, v := range x {
			y = append(y, slices.Clone(v))
		}
		return y
	}
	st.Steps, st.Changes = vectors(st.Steps), vectors(st.Changes)
	return st
}

// A search restored before any evaluation goes on to the same bits, also in
// the middle of a line and after a restart.
func TestRestore(t *testing.T) {
	shaky := func(x, gradient []float64) float64 {
		// A point fixes its noise, so that both searches meet the same.
		cost := rosenbrock(x, gradient)
		r := rand.New(rand.NewPCG(math.Float64bits(x[0]), math.Float64bits(x[1])))
		gradient[0] += r.NormFloat64() / 100
		return cost + r.NormFloat64()/1000
	}
	for name, f := range map[string]function{"quadratic": quadratic, "rosenbrock": rosenbrock, "noise": shaky} {
		t.Run(name, func(t *testing.T) {
			const n = 10
			gradient := make([]float64, n)
			whole := New(slices.Repeat([]float64{-0.7}, n), settings)
			run(t, whole, f)
			lines := 0
			for stop := range whole.Evaluations() + 1 {
				first := New(slices.Repeat([]float64{-0.7}, n), settings)
				for range stop {
					first.Advance(f(first.Point(), gradient), gradient)
				}
				if len(first.State().Trials) > 0 {
					lines++
				}
				state := deepCopy(first.State())
				second, err := Restore(state, settings)
				if err != nil {
					t.Fatal(err)
				}
				if stop > 0 && first.Stopped() == Running && !slices.Equal(second.Point(), first.Point()) {
					t.Fatalf("after %d evaluations another point is wanted", stop)
				}
				run(t, second, f)
				if !slices.Equal(second.X(), whole.X()) || second.Cost() != whole.Cost() ||
					second.Evaluations() != whole.Evaluations() || second.Stopped() != whole.Stopped() {
					t.Fatalf("restored after %d evaluations: cost %v after %d, not %v after %d",
						stop, second.Cost(), second.Evaluations(), whole.Cost(), whole.Evaluations())
				}
			}
			if lines == 0 {
				t.Error("no state is of the middle of a line")
			}
		})
	}
}

// A search that ended with its iterations goes on, when it is given more, as if
// it had had them from the start.
func TestMoreIterations(t *testing.T) {
	const n = 10
	whole := New(slices.Repeat([]float64{-0.7}, n), settings)
	run(t, whole, rosenbrock)
	for most := 1; most <= whole.Iterations()+1; most++ {
		limited := settings
		limited.Iterations = most
		s := New(slices.Repeat([]float64{-0.7}, n), limited)
		run(t, s, rosenbrock)
		if most < whole.Iterations() && (s.Stopped() != OutOfIterations || s.Iterations() != most) {
			t.Fatalf("stopped by %v after %d iterations, not %d", s.Stopped(), s.Iterations(), most)
		}
		again, err := Restore(deepCopy(s.State()), limited)
		if err != nil {
			t.Fatal(err)
		}
		if again.Stopped() != s.Stopped() {
			t.Fatalf("restored with as many iterations: stopped by %v, not %v", again.Stopped(), s.Stopped())
		}
		s, err = Restore(deepCopy(s.State()), settings)
		if err != nil {
			t.Fatal(err)
		}
		run(t, s, rosenbrock)
		if !slices.Equal(s.X(), whole.X()) || s.Evaluations() != whole.Evaluations() || s.Stopped() != whole.Stopped() {
			t.Fatalf("after %d iterations, and then the rest: %d evaluations, not %d", most, s.Evaluations(), whole.Evaluations())
		}
	}
}

func TestRestoreRefuses(t *testing.T) {
	s := New(slices.Repeat([]float64{-1}, 4), settings)
	gradient := make([]float64, 4)
	for range 12 {
		s.Advance(rosenbrock(s.Point(), gradient), gradient)
	}
	for name, spoil := range map[string]func(st *State){
		"short gradient": func(st *State) { st.Gradient = st.Gradient[1:] },
		"short step":     func(st *State) { st.Steps[1] = st.Steps[1][1:] },
		"lost change":    func(st *State) { st.Changes = st.Changes[1:] },
		"recent costs":   func(st *State) { st.Recent = make([]float64, 6) },
		"trials":         func(st *State) { st.Trials = make([]Trial, 20) },
		"iterations":     func(st *State) { st.Iterations = -1 },
		"evaluations":    func(st *State) { st.Evaluations = 2 },
		"stop":           func(st *State) { st.Stop = 9 },
		"no descent":     func(st *State) { clear(st.Gradient) },
		"ended line":     func(st *State) { st.Trials = []Trial{{st.Cost - 1, 0}} },
	} {
		state := deepCopy(s.State())
		spoil(&state)
		if _, err := Restore(state, settings); err == nil {
			t.Errorf("%s: restored", name)
		}
	}
	small := settings
	small.Memory = 1
	if _, err := Restore(deepCopy(s.State()), small); err == nil {
		t.Error("more pairs than are remembered: restored")
	}
}

// A cost that is noise, or not a number, ends the search at its best point,
// without a panic or an endless line.
func TestNoise(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 0))
	bowl := func(x, slope []float64) float64 {
		sum := 0.0
		for i, v := range x {
			sum += v * v
			slope[i] = 2 * v
		}
		return sum
	}
	crept := 0.0
	for _, test := range []struct {
		name  string
		spoil func(cost float64, slope []float64) float64
		want  Stop
	}{
		{"none", func(cost float64, slope []float64) float64 { return cost }, Converged},
		{"rises", func(cost float64, slope []float64) float64 { return 1e9 + r.Float64() }, LineSearchFailed},
		{"NaN", func(cost float64, slope []float64) float64 { return math.NaN() }, LineSearchFailed},
		{"infinite slope", func(cost float64, slope []float64) float64 { slope[0] = math.Inf(1); return cost }, LineSearchFailed},
		{"huge slope", func(cost float64, slope []float64) float64 { slope[0], slope[1] = 1e308, 1e308; return cost }, Running},
		{"uphill", func(cost float64, slope []float64) float64 {
			for i := range slope {
				slope[i] = -slope[i]
			}
			return cost
		}, LineSearchFailed},
		{"creeps", func(cost float64, slope []float64) float64 { crept++; return 50 - 1e-9*crept }, Converged},
		{"noise", func(cost float64, slope []float64) float64 {
			for i := range slope {
				slope[i] += r.NormFloat64() / 100
			}
			return cost + r.NormFloat64()/100
		}, Running},
	} {
		t.Run(test.name, func(t *testing.T) {
			loose := settings
			loose.Tolerance, loose.Flat = 1e-6, 1e-6
			s := New([]float64{3, -4, 5}, loose)
			slope := make([]float64, 3)
			least := math.Inf(1)
			for s.Stopped() == Running {
				cost := bowl(s.Point(), slope)
				if s.Evaluations() > 0 {
					cost = test.spoil(cost, slope)
				}
				iterate := s.Advance(cost, slope)
				if iterate && cost >= least {
					t.Fatalf("cost %v is taken after %v", cost, least)
				}
				if iterate || s.Evaluations() == 1 {
					least = cost
				}
				if s.Evaluations() > 1000 {
					t.Fatal("no end")
				}
			}
			if test.want != Running && s.Stopped() != test.want {
				t.Errorf("stopped by %v after %d evaluations, want %v", s.Stopped(), s.Evaluations(), test.want)
			}
			if s.Cost() != least {
				t.Errorf("ends with cost %v, the best was %v", s.Cost(), least)
			}
		})
	}
}

// A start without a finite cost or gradient, or with a gradient too small or
// too large to follow, ends at once, without a panic.
func TestStartsWithoutDirection(t *testing.T) {
	for _, test := range []struct{ cost, slope float64 }{
		{math.NaN(), 1}, {math.Inf(1), 1}, {1, math.NaN()}, {1, math.Inf(-1)}, {-1, 0}, {1, 1e200}, {1e-300, 5e-324},
	} {
		t.Run(fmt.Sprint(test), func(t *testing.T) {
			s := New([]float64{1, 2}, settings)
			s.Advance(test.cost, []float64{test.slope, test.slope})
			if s.Stopped() == Running {
				t.Errorf("goes on to %v", s.Point())
			}
		})
	}
}

// The memory that Vectors tells of is what a search takes.
func TestVectors(t *testing.T) {
	limited := settings
	limited.Iterations = 20
	s := New(make([]float64, 30), limited)
	run(t, s, rosenbrock)
	got := 0
	for _, v := range slices.Concat(s.state.Steps, s.state.Changes, [][]float64{s.state.X, s.state.Gradient, s.point, s.direction}) {
		got += len(v)
	}
	if want := 30 * Vectors(settings.Memory); got > want || len(s.state.Steps) != settings.Memory {
		t.Errorf("%d numbers are kept, %d foreseen", got, want)
	}
}

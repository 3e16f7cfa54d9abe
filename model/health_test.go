package model

import "testing"

// The rules of an evaluation, by codes made for it.
func TestHealth(t *testing.T) {
	const rows = 200
	// Units whose code is low on the first n rows, and high on the others.
	steps := func(low, high float32, n int) func(int) float32 {
		return func(row int) float32 {
			if row < n {
				return low
			}
			return high
		}
	}
	for _, c := range []struct {
		name                   string
		c                      Config
		code                   func(int) float32
		dead, dense, saturated int
	}{
		{"off", Config{}, steps(0.003, 0.004, 100), 1, 0, 1},
		{"on", Config{}, steps(0.995, 0.999, 100), 1, 1, 1},
		{"stuck in the middle", Config{}, steps(0.4, 0.405, 100), 1, 0, 0},
		{"at work", Config{}, steps(0.02, 0.9, 150), 0, 0, 0},
		{"on for half", Config{}, steps(0.02, 0.9, 100), 0, 0, 0},
		{"on for more", Config{}, steps(0.02, 0.9, 99), 0, 1, 0},
		{"a switch", Config{}, steps(0.001, 0.999, 150), 0, 0, 1},
		{"a switch but on 1%", Config{}, steps(0.001, 0.5, 198), 0, 0, 1},
		{"a switch but on 2%", Config{}, steps(0.001, 0.5, 197), 0, 0, 0},
		{"tanh off", Config{Activation: Tanh}, steps(-0.99, -0.985, 100), 1, 0, 1},
		{"tanh at work", Config{Activation: Tanh}, steps(-0.9, 0.1, 99), 0, 1, 0},
		{"relu off", Config{Activation: ReLU}, steps(0, 0, 100), 1, 0, 0},
		{"relu on", Config{Activation: ReLU}, steps(0, 2, 99), 0, 1, 0},
		{"relu at work", Config{Activation: ReLU}, steps(0, 2, 100), 0, 0, 0},
		{"linear", Config{Activation: Linear}, steps(-3, 2, 10), 0, 0, 0},
		{"never kept", Config{Activation: Linear, K: 1}, steps(0, 0, 10), 1, 0, 0},
		{"always kept", Config{Activation: Linear, K: 1}, steps(-3, 2, 100), 0, 1, 0},
		{"kept", Config{Activation: Linear, K: 1}, steps(0, -2, 100), 0, 0, 0},
	} {
		c.c.Hidden = 2
		quiet := float32(0)
		switch c.c.Activation {
		case Sigmoid:
			quiet = 0.02
		case Tanh:
			quiet = -0.9
		}
		s := newHealth(c.c)
		for row := range rows {
			// The second unit is at work by every rule, and sets the range.
			second := quiet
			if row%4 == 0 {
				second = 0.9
			}
			s.add([]float32{c.code(row), second})
		}
		dead, dense, saturated := countUnits(s.units(rows))
		if dead != c.dead || dense != c.dense || saturated != c.saturated {
			t.Errorf("%s: %d dead, %d dense, %d saturated units, want %d, %d, %d", c.name, dead, dense, saturated, c.dead, c.dense, c.saturated)
		}
	}
}

// The rules of an epoch, by mean codes.
func TestEpochHealth(t *testing.T) {
	for _, c := range []struct {
		name string
		c    Config
		mean float64
		want Health
	}{
		{"quiet", Config{}, 0.009, Health{Dead: 1}},
		{"at work", Config{}, 0.02, Health{}},
		{"aimed at", Config{Sparsity: 0.005, SparsityWeight: 1}, 0.005, Health{}},
		{"below its aim", Config{Sparsity: 0.005, SparsityWeight: 1}, 0.0005, Health{Dead: 1}},
		{"dense", Config{}, 0.6, Health{Dense: 1}},
		{"on", Config{}, 0.995, Health{Dense: 1, Saturated: 1}},
		{"tanh off", Config{Activation: Tanh}, -0.99, Health{Dead: 1}},
		{"tanh at work", Config{Activation: Tanh}, -0.5, Health{}},
		{"tanh on", Config{Activation: Tanh}, 0.99, Health{Dense: 1, Saturated: 1}},
		{"relu off", Config{Activation: ReLU}, 0, Health{Dead: 1}},
		{"relu", Config{Activation: ReLU}, 7, Health{}},
		{"linear", Config{Activation: Linear}, 0, Health{}},
		{"never kept", Config{Activation: Linear, K: 1}, 0, Health{Dead: 1}},
		{"kept", Config{Activation: Linear, K: 1}, -0.1, Health{}},
	} {
		if got := c.c.health([]float64{100 * c.mean}, 100); got != c.want {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
	}
}

// Both trainers report it, and forget it with the epoch.
func TestTrainersReportHealth(t *testing.T) {
	const n, h, rows = 6, 4, 300
	x := randomRows(1, rows, n)
	for _, batch := range []int{64, FullBatch} {
		m := newModel(t, Config{}, n, h)
		copy(m.Params.EncoderBias, []float32{-20, 0, 20, 0})
		clear(m.Params.EncoderWeight)
		trainer := newTrainer(t, m, TrainOptions{BatchSize: batch, LearningRate: 1e-6})
		for range 2 {
			if err := trainer.Add(Float32Rows(x, n), nil); err != nil {
				t.Fatal(err)
			}
			e, err := trainer.EndEpoch()
			if err != nil {
				t.Fatal(err)
			}
			if e.Dead != 1 || e.Saturated != 1 || e.Dense < 1 || e.Dense > 3 {
				t.Errorf("batch %d: %+v", batch, e.Health)
			}
		}
	}
}

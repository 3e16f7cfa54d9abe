package model

import (
	"bytes"
	"math"
	"slices"
	"testing"
)

// A validator's cost is the accumulator's with one sample of the noise, each
// time it is asked.
func TestValidator(t *testing.T) {
	const n, h, rows = 25, 9, 5000
	x := randomRows(41, rows, n)
	for _, c := range configs {
		t.Run(c.name, func(t *testing.T) {
			m := newModel(t, c.c, n, h)
			want := accumulate(t, m, x).Cost()
			v := NewValidator(m)
			if got, want := v.pass.memory(), int64(4*passFloats(m.Config, float64(blockRows(n)), false, m.Contraction > 0)); got != want {
				t.Errorf("foreseen %d bytes, taken %d", want, got)
			}
			var costs []Cost
			for _, piece := range []int{rows, 999} {
				for i := 0; i < rows; i += piece {
					r := Float32Rows(x[i*n:min(i+piece, rows)*n], n)
					for row := i; row < min(i+piece, rows); row++ {
						r.Number = append(r.Number, int64(row))
					}
					if err := v.Add(r, nil); err != nil {
						t.Fatal(err)
					}
				}
				costs = append(costs, v.Cost())
				if again := v.Cost(); again != costs[len(costs)-1] {
					t.Errorf("%+v, asked again %+v", costs[len(costs)-1], again)
				}
				v.Reset()
			}
			checkCost(t, costs[0], want, 1e-7)
			if costs[0] != costs[1] {
				t.Errorf("%+v, in other pieces %+v", costs[0], costs[1])
			}
		})
	}
}

// Held-out rows that have no finite cost choose nothing, and end nothing.
func TestHeldOutRowsWithoutACost(t *testing.T) {
	const n, h, rows, epochs = 20, 6, 500, 5
	x := randomRows(42, rows, n)
	m := newModel(t, Plain(h), n, h)
	trainer := newTrainer(t, m, TrainOptions{Validate: true, Patience: 2, Epochs: epochs})
	for trainer.Stopped() == NotStopped {
		if err := trainer.Add(Float32Rows(x, n), nil); err != nil {
			t.Fatal(err)
		}
		if _, err := trainer.EndEpoch(); err != nil {
			t.Fatal(err)
		}
		trainer.Validate(Cost{Total: math.Inf(1)})
	}
	trainer.Finish()
	if len(m.History) != epochs || m.Best != epochs {
		t.Errorf("%d epochs, the model is of epoch %d", len(m.History), m.Best)
	}
}

// The model is that of the best epoch, and the training stops when so many
// after it were no better.
func TestBestEpoch(t *testing.T) {
	const n, h, rows = 20, 6, 500
	x := randomRows(42, rows, n)
	for _, o := range []TrainOptions{{}, {Optimizer: LBFGS}, {BatchSize: FullBatch}} {
		o.Validate, o.Patience, o.Epochs = true, 2, 20
		m := newModel(t, Plain(h), n, h)
		trainer := newTrainer(t, m, o)
		costs := []float64{math.NaN(), 3, 4, 1, 2, 1}
		var params [][]float32
		for trainer.Stopped() == NotStopped {
			if err := trainer.Add(Float32Rows(x, n), nil); err != nil {
				t.Fatal(err)
			}
			e, err := trainer.EndEpoch()
			if err != nil {
				t.Fatal(err)
			}
			if e.Rows > 0 {
				trainer.Validate(Cost{Total: costs[len(params)]})
				params = append(params, slices.Clone(m.Params.Flat))
			}
		}
		trainer.Finish()
		if len(params) != 6 || trainer.Stopped() != OutOfPatience {
			t.Errorf("%v: %d epochs, stopped by %v", o.Optimizer, len(params), trainer.Stopped())
		}
		if m.Best != 4 || *m.Cost != m.History[3].Cost || !slices.Equal(m.Params.Flat, params[3]) {
			t.Errorf("%v: the model is of epoch %d", o.Optimizer, m.Best)
		}
		if v := m.History[4].Validation; v == nil || v.Total != 2 {
			t.Errorf("%v: epoch 5 cost %v", o.Optimizer, v)
		}
		back, err := Read(bytes.NewReader(bytesOf(t, m)))
		if err != nil || back.Best != 4 || back.History[1].Validation.Total != 3 {
			t.Errorf("read back: %v", err)
		}
	}
}

package model_test

import (
	"bytes"
	"context"
	"fmt"
	"log"
	"math"
	"slices"

	"github.com/aefeat/aefeat/model"
)

// bars returns m rows of 8 values with one bright bar in each.
func bars(m int) []float32 {
	x := make([]float32, 0, 8*m)
	for i := range m {
		for j := range 8 {
			v := float32(0.1)
			if j == i%7 || j == i%7+1 {
				v = 0.9
			}
			x = append(x, v)
		}
	}
	return x
}

func ExampleNew() {
	config := model.Sparse(25)
	config.Inputs = 64
	config.Seed = 1
	m, err := model.New(config)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(m.Objective, len(m.Params.EncoderWeight), len(m.Params.Flat))

	config.Activation = model.ReLU
	_, err = model.New(config)
	fmt.Println(err)
	// Output:
	// sparse 1600 3289
	// SparsityWeight: the sparsity term needs sigmoid or tanh hidden units, not relu
}

func ExampleTrainer() {
	config := model.Denoising(5)
	config.Inputs = 8
	m, err := model.New(config)
	if err != nil {
		log.Fatal(err)
	}
	trainer, err := model.NewTrainer(m, model.TrainOptions{LearningRate: 0.02, BatchSize: 50})
	if err != nil {
		log.Fatal(err)
	}
	rows := model.Float32Rows(bars(2000), 8)
	if err := m.Check(rows); err != nil {
		log.Fatal(err)
	}
	for range 3 {
		if err := trainer.Add(rows, nil); err != nil {
			log.Fatal(err)
		}
		if _, err := trainer.EndEpoch(); err != nil {
			log.Fatal(err)
		}
	}
	first, last := m.History[0], m.History[2]
	fmt.Println(last.Epoch, last.Rows, last.Cost.Total < first.Cost.Total)
	// Output: 3 2000 true
}

func ExampleTrainer_WriteCheckpoint() {
	config := model.Sparse(5)
	config.Inputs = 8
	m, err := model.New(config)
	if err != nil {
		log.Fatal(err)
	}
	trainer, err := model.NewTrainer(m, model.TrainOptions{BatchSize: 50, Epochs: 2})
	if err != nil {
		log.Fatal(err)
	}
	x := bars(2000)
	if err := trainer.Add(model.Float32Rows(x[:8*777], 8), nil); err != nil {
		log.Fatal(err)
	}
	var file bytes.Buffer
	host := model.Host{State: []byte(`{"rows":777}`)} // where to go on
	if err := trainer.WriteCheckpoint(&file, host); err != nil {
		log.Fatal(err)
	}

	// Perhaps in another process:
	checkpoint, err := model.ReadCheckpoint(&file)
	if err != nil {
		log.Fatal(err)
	}
	resumed, err := checkpoint.Trainer(0)
	if err != nil {
		log.Fatal(err)
	}
	for _, t := range []*model.Trainer{trainer, resumed} {
		if err := t.Add(model.Float32Rows(x[8*777:], 8), nil); err != nil {
			log.Fatal(err)
		}
		if _, err := t.EndEpoch(); err != nil {
			log.Fatal(err)
		}
	}
	fmt.Println(string(checkpoint.Host.State), slices.Equal(m.Params.Flat, checkpoint.Model.Params.Flat))
	// Output: {"rows":777} true
}

func ExampleEncoder() {
	m, err := model.New(model.Config{Inputs: 8, Hidden: 3})
	if err != nil {
		log.Fatal(err)
	}
	rows := model.Float32Rows(bars(10), 8)
	codes := make([]float32, rows.Len()*m.Hidden)
	if err := model.NewEncoder(m).Encode(codes, rows); err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(codes))
	// Output: 30
}

func ExampleModel_WriteTo() {
	m, err := model.New(model.Config{Inputs: 8, Hidden: 3})
	if err != nil {
		log.Fatal(err)
	}
	var file bytes.Buffer
	if _, err := m.WriteTo(&file); err != nil {
		log.Fatal(err)
	}
	again, err := model.Read(&file)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(again.Objective, again.Params.EncoderWeight[0] == m.Params.EncoderWeight[0])
	// Output: plain true
}

// Two accumulators share a pass over all rows, as two machines would, and one
// of them gives the exact cost and gradient of the whole.
func ExampleAccumulator() {
	config := model.Sparse(5)
	config.Inputs = 8
	m, err := model.New(config)
	if err != nil {
		log.Fatal(err)
	}
	x := bars(1000)
	here, there := model.NewAccumulator(m), model.NewAccumulator(m)
	if err := here.Add(model.Float32Rows(x[:8*600], 8), nil); err != nil {
		log.Fatal(err)
	}
	if err := there.Add(model.Float32Rows(x[8*600:], 8), nil); err != nil {
		log.Fatal(err)
	}

	sums, err := there.MarshalBinary() // over the wire
	if err != nil {
		log.Fatal(err)
	}
	received := model.NewAccumulator(m)
	if err := received.UnmarshalBinary(sums); err != nil {
		log.Fatal(err)
	}
	if err := here.Merge(received); err != nil {
		log.Fatal(err)
	}

	gradient := make([]float32, len(m.Params.Flat))
	here.Gradient(gradient)

	whole := model.NewAccumulator(m)
	if err := whole.Add(model.Float32Rows(x, 8), nil); err != nil {
		log.Fatal(err)
	}
	difference := here.Cost().Total - whole.Cost().Total
	fmt.Println(here.Rows(), math.Abs(difference) < 1e-6)
	// Output: 1000 true
}

func ExampleEvaluator() {
	m, err := model.New(model.Config{Inputs: 8, Hidden: 3, Output: model.Linear})
	if err != nil {
		log.Fatal(err)
	}
	e := model.NewEvaluator(m)
	if err := e.Add(model.Float32Rows(bars(700), 8)); err != nil {
		log.Fatal(err)
	}
	v := e.Result()
	fmt.Println(v.Rows, v.DeadUnits, v.NMSE > 1)
	// Output: 700 0 true
}

// Statistics of parts of the rows merge into those that a rule learns from.
func ExampleStatistics_Merge() {
	rule, err := model.NewPreprocess(model.PreprocessStandardize, "float32", 0, model.Rows{})
	if err != nil {
		log.Fatal(err)
	}
	x := bars(1000)
	here, there := model.NewStatistics(rule, 8), model.NewStatistics(rule, 8)
	if err := here.Add(model.Float32Rows(x[:8*600], 8)); err != nil {
		log.Fatal(err)
	}
	if err := there.Add(model.Float32Rows(x[8*600:], 8)); err != nil {
		log.Fatal(err)
	}

	sums, err := there.MarshalBinary() // over the wire
	if err != nil {
		log.Fatal(err)
	}
	received := model.NewStatistics(rule, 8)
	if err := received.UnmarshalBinary(sums); err != nil {
		log.Fatal(err)
	}
	if err := here.Merge(received); err != nil {
		log.Fatal(err)
	}

	rule, err = here.Learn(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%d rows, mean of the first value %.3f\n", rule.Learned.Rows, rule.Learned.Mean[0])
	// Output: 1000 rows, mean of the first value 0.214
}

// Evaluators, and with the same calls Validators, of parts of the rows merge
// into one of the whole.
func ExampleEvaluator_Merge() {
	m, err := model.New(model.Config{Inputs: 8, Hidden: 3})
	if err != nil {
		log.Fatal(err)
	}
	x := bars(1000)
	here, there := model.NewEvaluator(m), model.NewEvaluator(m)
	if err := here.Add(model.Float32Rows(x[:8*600], 8)); err != nil {
		log.Fatal(err)
	}
	if err := there.Add(model.Float32Rows(x[8*600:], 8)); err != nil {
		log.Fatal(err)
	}

	sums, err := there.MarshalBinary() // over the wire
	if err != nil {
		log.Fatal(err)
	}
	received := model.NewEvaluator(m)
	if err := received.UnmarshalBinary(sums); err != nil {
		log.Fatal(err)
	}
	// Sums of another model are refused.
	other, err := model.New(model.Config{Inputs: 8, Hidden: 3, Seed: 1})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(model.NewEvaluator(other).UnmarshalBinary(sums))
	if err := here.Merge(received); err != nil {
		log.Fatal(err)
	}

	whole := model.NewEvaluator(m)
	if err := whole.Add(model.Float32Rows(x, 8)); err != nil {
		log.Fatal(err)
	}
	got, want := here.Result(), whole.Result()
	fmt.Println(got.Rows, math.Abs(got.Cost.Total-want.Cost.Total) <= 1e-12*want.Cost.Total)
	// Output:
	// the sums were gathered with other settings or weights
	// 1000 true
}

// A driver makes iterations of L-BFGS out of what others gather: here two
// accumulators, on a cluster processes that take over the parameters and the
// noise, and send their sums as bytes.
func ExampleTrainer_AddSums() {
	m, err := model.New(model.Config{Inputs: 8, Hidden: 3})
	if err != nil {
		log.Fatal(err)
	}
	driver, err := model.NewTrainer(m, model.TrainOptions{Optimizer: model.LBFGS, Epochs: 10})
	if err != nil {
		log.Fatal(err)
	}
	x := bars(1000)
	halves := []model.Rows{model.Float32Rows(x[:8*500], 8), model.Float32Rows(x[8*500:], 8)}
	for driver.Stopped() == model.NotStopped {
		noise, err := driver.Begin()
		if err != nil {
			log.Fatal(err)
		}
		for _, rows := range halves {
			sums := model.NewAccumulator(m)
			sums.Reset(noise)
			if err := sums.Add(rows, nil); err != nil {
				log.Fatal(err)
			}
			if err := driver.AddSums(sums); err != nil {
				log.Fatal(err)
			}
		}
		if _, err := driver.EndEpoch(); err != nil {
			log.Fatal(err)
		}
	}
	fmt.Println(driver.Stopped(), m.History[9].Rows, m.History[9].Cost.Total < m.History[0].Cost.Total)
	// Output: epochs 1000 true
}

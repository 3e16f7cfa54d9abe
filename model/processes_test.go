package model_test

import (
	"bytes"
	"encoding"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"testing"

	"github.com/aefeat/aefeat/model"
)

// These tests do what a cluster would: two processes, children of the test's,
// hold half of the rows each, and talk with the driver through pipes. A task
// tells a worker what to gather, and the sums come back as bytes.

// task is what the driver asks of a worker.
type task struct {
	What  string           // "statistics", "gradient" and so on
	Rule  model.Preprocess // to learn, for statistics
	Model []byte           // a model file, for all else

	// For gradients: the parameters and the noise that Trainer.Begin chose.
	Params []float32
	Noise  uint32
}

// answer is what a worker returns.
type answer struct {
	Sums []byte
	Err  string
}

// The rows of all processes together: the first half of them is that of the
// first worker. A half is whole chunks of the sums.
const (
	allRows  = 2 * 4096
	rowWidth = 12
)

// workerVariable holds "first last" of the rows in a worker.
const workerVariable = "MODEL_TEST_WORKER"

// patches returns rows lo up to hi of a data set that every process can make.
// They keep the numbers that they have in the whole.
func patches(lo, hi int) model.Rows {
	x := make([]float32, 0, (hi-lo)*rowWidth)
	var numbers []int64
	for k := lo; k < hi; k++ {
		for j := range rowWidth {
			phase := float64(k%97)/7 + float64(j)*float64(k%5+1)/4
			x = append(x, float32(0.5+0.45*math.Sin(phase)))
		}
		numbers = append(numbers, int64(k))
	}
	r := model.Float32Rows(x, rowWidth)
	r.Number = numbers
	return r
}

// gather does a task over rows.
func (t task) gather(rows model.Rows) (encoding.BinaryMarshaler, error) {
	if t.What == "statistics" {
		s := model.NewStatistics(t.Rule, rows.Width)
		return s, s.Add(rows)
	}
	m, err := model.Read(bytes.NewReader(t.Model))
	if err != nil {
		return nil, err
	}
	switch t.What {
	case "evaluation":
		e := model.NewEvaluator(m)
		return e, e.Add(rows)
	case "validation":
		v := model.NewValidator(m)
		return v, v.Add(rows, nil)
	case "gradient":
		copy(m.Params.Flat, t.Params)
		a := model.NewAccumulator(m)
		a.Reset(t.Noise)
		return a, a.Add(rows, nil)
	}
	return nil, fmt.Errorf("unknown task %q", t.What)
}

// TestWorker is the worker's side. It answers tasks until its input ends.
func TestWorker(t *testing.T) {
	var lo, hi int
	if n, _ := fmt.Sscanf(os.Getenv(workerVariable), "%d %d", &lo, &hi); n != 2 {
		t.Skip("runs in a child of other tests")
	}
	if err := work(os.Stdin, os.Stdout, patches(lo, hi)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0) // standard output is for answers alone
}

func work(in io.Reader, out io.Writer, rows model.Rows) error {
	tasks, answers := gob.NewDecoder(in), gob.NewEncoder(out)
	for {
		var next task
		if err := tasks.Decode(&next); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		var a answer
		sums, err := next.gather(rows)
		if err == nil {
			a.Sums, err = sums.MarshalBinary()
		}
		if err != nil {
			a.Err = err.Error()
		}
		if err := answers.Encode(a); err != nil {
			return err
		}
	}
}

// worker is a process at the other end of two pipes.
type worker struct {
	tasks   *gob.Encoder
	answers *gob.Decoder
}

// startWorkers starts two processes with half of the rows each.
func startWorkers(t *testing.T) []worker {
	t.Helper()
	var workers []worker
	for i := range 2 {
		cmd := exec.Command(os.Args[0], "-test.run=^TestWorker$")
		cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%d %d", workerVariable, i*allRows/2, (i+1)*allRows/2))
		cmd.Stderr = os.Stderr
		in, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			in.Close() // which ends the worker
			if err := cmd.Wait(); err != nil {
				t.Error(err)
			}
		})
		workers = append(workers, worker{gob.NewEncoder(in), gob.NewDecoder(out)})
	}
	return workers
}

// ask gives a task to all workers at once, and hands their sums to take in the
// order of their rows.
func ask(workers []worker, next task, take func(sums []byte) error) error {
	for _, w := range workers {
		if err := w.tasks.Encode(next); err != nil {
			return err
		}
	}
	for _, w := range workers {
		var a answer
		if err := w.answers.Decode(&a); err != nil {
			return err
		}
		if a.Err != "" {
			return errors.New(a.Err)
		}
		if err := take(a.Sums); err != nil {
			return err
		}
	}
	return nil
}

// modelFile returns m as a file.
func modelFile(t *testing.T, m *model.Model) []byte {
	t.Helper()
	var b bytes.Buffer
	if _, err := m.WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// sparseModel has noise and three terms of the cost.
func sparseModel(t *testing.T, p model.Preprocess) *model.Model {
	t.Helper()
	c, err := model.ForObjective(model.ObjectiveSparse, 5, p.Method)
	if err != nil {
		t.Fatal(err)
	}
	c.Inputs, c.Corruption, c.Contraction = rowWidth, 0.25, 0.01
	m, err := model.New(c)
	if err != nil {
		t.Fatal(err)
	}
	m.Preprocess = p
	return m
}

// sameCost fails the test unless two costs agree to 1e-12.
func sameCost(t *testing.T, what string, got, want model.Cost) {
	t.Helper()
	if !(math.Abs(got.Total-want.Total) <= 1e-12*want.Total) {
		t.Errorf("%s: two processes make %+v of it, one makes %+v", what, got, want)
	}
}

// Two processes learn preprocessing, then evaluate a model and validate it,
// and it is as if one had.
func TestProcesses(t *testing.T) {
	workers, all := startWorkers(t), patches(0, allRows)
	rule, err := model.NewPreprocess(model.PreprocessZCA, "float32", 0, model.Rows{})
	if err != nil {
		t.Fatal(err)
	}
	merged, alone := model.NewStatistics(rule, rowWidth), model.NewStatistics(rule, rowWidth)
	if err := ask(workers, task{What: "statistics", Rule: rule}, func(sums []byte) error {
		part := model.NewStatistics(rule, rowWidth)
		return errors.Join(part.UnmarshalBinary(sums), merged.Merge(part))
	}); err != nil {
		t.Fatal(err)
	}
	if err := alone.Add(all); err != nil {
		t.Fatal(err)
	}
	learned, err := merged.Learn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want, err := alone.Learn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	// float32 of numbers that agree to 1e-12 differ by a rounding at most.
	for i, v := range want.Learned.Whiten {
		if d := math.Abs(float64(learned.Learned.Whiten[i] - v)); d > 1e-6*math.Abs(float64(v)) {
			t.Errorf("number %d of the whitening is %v, want %v", i, learned.Learned.Whiten[i], v)
		}
	}

	m := sparseModel(t, learned)
	file := modelFile(t, m)
	e, whole := model.NewEvaluator(m), model.NewEvaluator(m)
	if err := ask(workers, task{What: "evaluation", Model: file}, func(sums []byte) error {
		part := model.NewEvaluator(m)
		return errors.Join(part.UnmarshalBinary(sums), e.Merge(part))
	}); err != nil {
		t.Fatal(err)
	}
	if err := whole.Add(all); err != nil {
		t.Fatal(err)
	}
	if got, want := e.Result(), whole.Result(); got.Rows != allRows || got.DeadUnits != want.DeadUnits || math.Abs(got.NMSE-want.NMSE) > 1e-12*want.NMSE {
		t.Errorf("evaluation %+v, want %+v", got, want)
	}
	sameCost(t, "evaluation", e.Result().Cost, whole.Result().Cost)

	v, held := model.NewValidator(m), model.NewValidator(m)
	if err := ask(workers, task{What: "validation", Model: file}, func(sums []byte) error {
		part := model.NewValidator(m)
		return errors.Join(part.UnmarshalBinary(sums), v.Merge(part))
	}); err != nil {
		t.Fatal(err)
	}
	if err := held.Add(all, nil); err != nil {
		t.Fatal(err)
	}
	sameCost(t, "validation", v.Cost(), held.Cost())

	// A worker's error comes back, and it works on.
	if err := ask(workers[:1], task{What: "anything"}, nil); err == nil {
		t.Error("an unknown task was done")
	}
}

// Two processes gather for a driver, which takes full-batch steps and makes
// iterations of L-BFGS, and the costs are those of one process.
func TestProcessesTrain(t *testing.T) {
	for name, o := range map[string]model.TrainOptions{
		"lbfgs":      {Optimizer: model.LBFGS, Epochs: 6},
		"full batch": {BatchSize: model.FullBatch, Epochs: 6},
		"sgd":        {Optimizer: model.SGD, BatchSize: model.FullBatch, Epochs: 6},
	} {
		t.Run(name, func(t *testing.T) {
			workers := startWorkers(t)
			rule := model.Preprocess{Method: model.PreprocessNone}
			together, alone := sparseModel(t, rule), sparseModel(t, rule)
			driver, err := model.NewTrainer(together, o)
			if err != nil {
				t.Fatal(err)
			}
			file := modelFile(t, together)
			for driver.Stopped() == model.NotStopped {
				noise, err := driver.Begin()
				if err != nil {
					t.Fatal(err)
				}
				gradient := task{What: "gradient", Model: file, Params: together.Params.Flat, Noise: noise}
				if err := ask(workers, gradient, func(sums []byte) error {
					part := model.NewAccumulator(together)
					part.Reset(noise)
					return errors.Join(part.UnmarshalBinary(sums), driver.AddSums(part))
				}); err != nil {
					t.Fatal(err)
				}
				if _, err := driver.EndEpoch(); err != nil {
					t.Fatal(err)
				}
			}

			trainer, err := model.NewTrainer(alone, o)
			if err != nil {
				t.Fatal(err)
			}
			rows := patches(0, allRows)
			for trainer.Stopped() == model.NotStopped {
				if err := trainer.Add(rows, nil); err != nil {
					t.Fatal(err)
				}
				if _, err := trainer.EndEpoch(); err != nil {
					t.Fatal(err)
				}
			}
			if len(together.History) != 6 || len(alone.History) != 6 || together.RowsSeen != alone.RowsSeen {
				t.Fatalf("%d epochs and %d rows by two processes, %d and %d by one",
					len(together.History), together.RowsSeen, len(alone.History), alone.RowsSeen)
			}
			for i, e := range alone.History {
				sameCost(t, fmt.Sprintf("epoch %d", e.Epoch), together.History[i].Cost, e.Cost)
			}
			if first, last := alone.History[0].Cost.Total, alone.History[5].Cost.Total; !(last < first) {
				t.Errorf("cost %v after %v", last, first)
			}
		})
	}
}

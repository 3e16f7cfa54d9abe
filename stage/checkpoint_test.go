package stage

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"runtime"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/aefeat/aefeat/model"
)

// outcome is what a fit came to.
type outcome struct {
	file   []byte
	report *Report
}

// fitAll fits to its end.
func fitAll(t *testing.T, r array.RecordReader, c Config) outcome {
	t.Helper()
	m, report := fit(t, r, c)
	return outcome{file(t, m), report}
}

// same fails unless two fits came to the same.
func (o outcome) same(t *testing.T, name string, got outcome) {
	t.Helper()
	if !bytes.Equal(got.file, o.file) {
		t.Errorf("%s: another model", name)
	}
	a, b := *o.report, *got.report
	a.Spilled, b.Spilled = 0, 0 // depends on the memory
	if !reflect.DeepEqual(a, b) {
		t.Errorf("%s: report\n%+v, want\n%+v", name, b, a)
	}
}

// every returns c with checkpoints at every moment that has one, which end up
// in saved.
func every(t *testing.T, c Config, saved *[][]byte) Config {
	c.CheckpointEvery = 1
	c.Checkpoint = func(k *Checkpoint) error {
		var b bytes.Buffer
		n, err := k.WriteTo(&b)
		if err != nil || n != int64(b.Len()) {
			t.Errorf("%d of %d bytes, error %v", n, b.Len(), err)
		}
		*saved = append(*saved, b.Bytes())
		return err
	}
	return c
}

// resumed goes on from a checkpoint to the end.
func resumed(t *testing.T, saved []byte, r array.RecordReader, c Config) (outcome, error) {
	t.Helper()
	defer r.Release()
	from, err := ReadCheckpoint(bytes.NewReader(saved))
	if err != nil {
		t.Fatal(err)
	}
	f, err := Resume(from, r.Schema(), c)
	if err != nil {
		return outcome{}, err
	}
	defer f.Close()
	m, report, err := f.Run(context.Background(), r)
	if err != nil {
		return outcome{}, err
	}
	return outcome{file(t, m), report}, nil
}

// resumeCase is a fit that is interrupted.
type resumeCase struct {
	name   string
	config Config
}

func resumeCases() []resumeCase {
	sparse, denoising := model.Sparse(6), model.Denoising(6)
	linear := linearModel(6)
	train := func(o model.Optimizer, batch int) model.TrainOptions {
		return model.TrainOptions{Optimizer: o, BatchSize: batch}
	}
	return []resumeCase{
		{"adam", Config{Model: sparse, Epochs: 3}},
		{"one pass", Config{Model: sparse, Epochs: 1}},
		{"sgd, denoising", Config{Model: denoising, Epochs: 3, Train: train(model.SGD, 300)}},
		{"k-sparse", Config{Model: model.KSparse(6), Epochs: 4, Train: train(model.Adam, 100)}},
		{"full batch", Config{Model: sparse, Epochs: 4, Train: train(model.Adam, model.FullBatch)}},
		{"full batch, one pass", Config{Model: sparse, Epochs: 1, Train: train(model.SGD, model.FullBatch)}},
		{"lbfgs", Config{Model: sparse, Epochs: 6, Train: train(model.LBFGS, 0)}},
		{"lbfgs, one iteration", Config{Model: sparse, Epochs: 1, Train: train(model.LBFGS, 0)}},
		{"patch", Config{Model: sparse, Epochs: 2, Preprocess: model.PreprocessPatch}},
		{"standardize ahead", Config{Model: linear, Epochs: 1, Preprocess: model.PreprocessStandardize, PreprocessRows: 1500}},
		{"zca", Config{Model: linear, Epochs: 2, Preprocess: model.PreprocessZCA}},
		{"zca ahead", Config{Model: linear, Epochs: 1, Preprocess: model.PreprocessZCA, PreprocessRows: 1000, Validation: 0.2}},
		{"validation, key, patience", Config{Model: sparse, Epochs: 8, Validation: 0.3, ValidationKey: "label", Train: model.TrainOptions{LearningRate: 0.3, Patience: 2}}},
		{"validation, lbfgs", Config{Model: denoising, Epochs: 5, Validation: 0.1, Train: train(model.LBFGS, 0)}},
		{"validation, one pass", Config{Model: sparse, Epochs: 1, Validation: 0.1, FirstRow: 1 << 40}},
		{"bad rows", Config{Model: sparse, Epochs: 2, Skip: true, PixelMax: 200, Validation: 0.1}},
	}
}

// A fit with checkpoints at all moments is the fit without any, and from each
// of them it goes on to the same bits, however the rows are cut, on one
// goroutine or several.
func TestResume(t *testing.T) {
	noGoroutinesLeft(t)
	seed := rand.Uint64()
	defer func() {
		if t.Failed() {
			t.Logf("seed %d", seed)
		}
	}()
	random := rand.New(rand.NewPCG(seed, 0))
	p := cap200(makePatches(5000, 16, 1)).brighten(0, 3, 1023, 4990)
	bad := []int{7, 2048, 2049, 4999}
	for _, c := range resumeCases() {
		t.Run(c.name, func(t *testing.T) {
			read := func(size int) array.RecordReader {
				if c.config.Skip {
					return p.reader(t, memory.DefaultAllocator, size, bad...)
				}
				return p.reader(t, memory.DefaultAllocator, size)
			}
			want := fitAll(t, read(700), c.config)
			var saved [][]byte
			want.same(t, "with checkpoints", fitAll(t, read(400), every(t, c.config, &saved)))
			if least := min(c.config.Epochs, len(want.report.Epochs)); len(saved) < least {
				t.Fatalf("%d checkpoints of %d epochs", len(saved), least)
			}
			t.Logf("%d checkpoints, %d bytes", len(saved), len(saved[0]))
			for i, b := range saved {
				if i > 0 && i < len(saved)-1 && random.IntN(4) > 0 {
					continue
				}
				again := Config{}
				var more [][]byte
				if random.IntN(2) == 0 {
					again = every(t, again, &more)
				}
				threads := runtime.GOMAXPROCS(1 + random.IntN(4))
				got, err := resumed(t, b, read(1+random.IntN(5000)), again)
				runtime.GOMAXPROCS(threads)
				if err != nil {
					t.Fatalf("checkpoint %d of %d: %v", i+1, len(saved), err)
				}
				want.same(t, fmt.Sprintf("checkpoint %d of %d", i+1, len(saved)), got)
				if k := len(saved) - 1 - i; again.Checkpoint != nil && (len(more) != k || k > 0 && !bytes.Equal(more[k-1], saved[len(saved)-1])) {
					t.Errorf("checkpoint %d of %d: %d more, or the last differs", i+1, len(saved), len(more))
				}
			}
		})
	}
}

var errCallback = errors.New("no room")

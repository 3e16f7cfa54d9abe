package stage

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/aefeat/aefeat/model"
	"github.com/aefeat/aefeat/patch"
)

// A fit whose context ends, whenever that is, makes a last checkpoint, which
// goes on to the same bits.
func TestResumeAfterCancel(t *testing.T) {
	noGoroutinesLeft(t)
	p := makePatches(5000, 16, 5)
	sgd := model.TrainOptions{Optimizer: model.SGD}
	for _, c := range []resumeCase{
		{"validation", Config{Model: model.Sparse(4), Epochs: 3, Train: sgd, Validation: 0.4}},
		{"one pass", Config{Model: model.Sparse(4), Epochs: 1}},
		{"patch", Config{Model: model.Sparse(4), Epochs: 2, Preprocess: model.PreprocessPatch}},
		{"lbfgs", Config{Model: model.Sparse(4), Epochs: 3, Train: model.TrainOptions{Optimizer: model.LBFGS}, Validation: 0.4}},
	} {
		t.Run(c.name, func(t *testing.T) {
			reports := 0
			c.config.Observer = func(Progress) { reports++ }
			want := fitAll(t, p.reader(t, memory.DefaultAllocator, 400), c.config)
			phases := map[string]bool{}
			for at := 1; at <= reports; at++ {
				var last []byte
				phase := c.cancelled(t, p, at, &last)
				if last == nil {
					// A pass of L-BFGS has no state, nor has what comes before
					// training.
					if !c.config.Train.Optimizer.WholePasses() && phase != PhaseLearn && phase != "" {
						t.Errorf("report %d, %s: no checkpoint", at, phase)
					}
					continue
				}
				phases[phase] = true
				got, err := resumed(t, last, p.reader(t, memory.DefaultAllocator, 900), Config{})
				if err != nil {
					t.Fatalf("report %d: %v", at, err)
				}
				want.same(t, fmt.Sprintf("report %d, %s", at, phase), got)
			}
			if c.config.Validation > 0 && !phases[PhaseValidate] {
				t.Errorf("only in %v", phases)
			}
		})
	}
}

// cancelled fits until a report, where the context ends, and returns the phase
// of that report. Every other fit is pushed its batches. There is no phase
// where the fit has ended all the same.
func (c resumeCase) cancelled(t *testing.T, p patches, at int, last *[]byte) (phase string) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	reports := 0
	config := c.config
	config.Observer = func(p Progress) {
		if reports++; reports == at {
			phase = p.Phase
			cancel()
		}
	}
	config.CheckpointEvery = -1
	config.Checkpoint = func(k *Checkpoint) error {
		if k.Last {
			var b bytes.Buffer
			if _, err := k.WriteTo(&b); err != nil {
				t.Error(err)
			}
			if *last != nil {
				t.Error("two last checkpoints")
			}
			*last = b.Bytes()
		}
		return nil
	}
	r := p.reader(t, memory.DefaultAllocator, 600)
	defer r.Release()
	f, err := NewFitter(r.Schema(), config)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for at%2 == 0 && err == nil && r.Next() {
		err = f.Write(ctx, r.RecordBatch())
	}
	if err == nil {
		_, _, err = f.Run(ctx, r)
	}
	switch {
	case err == nil:
		return ""
	case !errors.Is(err, context.Canceled):
		t.Errorf("report %d: %v", at, err)
	}
	return phase
}

// Stop ends a fit after the running epoch, or with the rows so far where there
// is only one, and its checkpoint goes on as if nothing had been.
func TestStop(t *testing.T) {
	noGoroutinesLeft(t)
	smallWindow(t, 700*16) // less than a block, so that there is a report before all rows are read
	p := makePatches(5000, 16, 5)
	for _, c := range []struct {
		resumeCase
		phase  string // at which report of it to stop
		epoch  int
		epochs int // that it has then
	}{
		{resumeCase{"in the stream", Config{Model: model.Sparse(4), Epochs: 4}}, PhaseStream, 1, 1},
		{resumeCase{"in the second epoch", Config{Model: model.Sparse(4), Epochs: 4, Validation: 0.1}}, PhaseTrain, 2, 2},
		{resumeCase{"while learning", Config{Model: model.Sparse(4), Epochs: 3, Preprocess: model.PreprocessPatch}}, PhaseLearn, 0, 1},
		{resumeCase{"one pass", Config{Model: model.Sparse(4), Epochs: 1, Validation: 0.1}}, PhaseStream, 1, 1},
		{resumeCase{"lbfgs", Config{Model: model.Sparse(4), Epochs: 9, Train: model.TrainOptions{Optimizer: model.LBFGS}}}, PhaseTrain, 3, 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			want := fitAll(t, p.reader(t, memory.DefaultAllocator, 400), c.config)
			var saved [][]byte
			config := every(t, c.config, &saved)
			var f *Fitter
			config.Observer = func(p Progress) {
				if p.Phase == c.phase && p.Epoch >= c.epoch {
					f.Stop()
				}
			}
			r := p.reader(t, memory.DefaultAllocator, 400)
			defer r.Release()
			f, err := NewFitter(r.Schema(), config)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			m, report, err := f.Run(context.Background(), r)
			if err != nil {
				t.Fatal(err)
			}
			if report.Stop != model.AskedToStop || len(report.Epochs) != c.epochs || len(m.History) != c.epochs {
				t.Errorf("%v after %d epochs", report.Stop, len(report.Epochs))
			}
			if onePass := c.config.Epochs == 1; onePass != (report.Rows+report.HeldOut < 5000) {
				t.Errorf("%d rows", report.Rows)
			}
			got, err := resumed(t, saved[len(saved)-1], p.reader(t, memory.DefaultAllocator, 900), Config{})
			if err != nil {
				t.Fatal(err)
			}
			want.same(t, "resumed", got)
		})
	}
}

// While the input is read again there is nothing new to save.
func TestCancelWhileReadingAgain(t *testing.T) {
	noGoroutinesLeft(t)
	p := makePatches(6000, 16, 5)
	var saved [][]byte
	fitAll(t, p.reader(t, memory.DefaultAllocator, 400), every(t, Config{Model: model.Sparse(4), Epochs: 1}, &saved))
	ctx, cancel := context.WithCancel(t.Context())
	from, err := ReadCheckpoint(bytes.NewReader(saved[4]))
	if err != nil {
		t.Fatal(err)
	}
	var more [][]byte
	c := every(t, Config{}, &more)
	c.Observer = func(p Progress) {
		if p.Phase != PhaseResume || p.TotalRows != 5120 {
			t.Errorf("%+v", p)
		}
		cancel()
	}
	f, err := Resume(from, patchSchema(16), c)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	batch := p.batch(memory.DefaultAllocator, 0, 2000)
	defer batch.Release()
	if err := f.Write(ctx, batch); err != nil {
		t.Fatal(err)
	}
	if err := f.Checkpoint(io.Discard); !errors.Is(err, ErrTooEarly) {
		t.Errorf("a checkpoint: %v", err)
	}
	if err := f.Write(ctx, batch); !errors.Is(err, context.Canceled) || len(more) > 0 {
		t.Errorf("%d checkpoints, error %v", len(more), err)
	}
}

// An error of the input or of the spill file leaves a checkpoint, from which
// the fit goes on once that is cured. One of the training leaves none.
func TestResumeAfterError(t *testing.T) {
	noGoroutinesLeft(t)
	p := makePatches(5000, 16, 5)
	c := Config{Model: model.Sparse(4), Epochs: 2}
	want := fitAll(t, p.reader(t, memory.DefaultAllocator, 400), c)
	last := func(c Config, r array.RecordReader) (saved []byte, err error) {
		t.Helper()
		defer r.Release()
		c.Checkpoint = func(k *Checkpoint) error {
			var b bytes.Buffer
			if !k.Last {
				return nil
			}
			if saved != nil {
				t.Error("two last checkpoints")
			}
			_, err := k.WriteTo(&b)
			saved = b.Bytes()
			return err
		}
		if _, _, err = Fit(t.Context(), r, c); err == nil {
			t.Error("no error")
		}
		return saved, err
	}
	saved, err := last(c, p.reader(t, memory.DefaultAllocator, 400, 3333))
	if !errors.As(err, new(*patch.RowError)) {
		t.Error(err)
	}
	got, err := resumed(t, saved, p.reader(t, memory.DefaultAllocator, 900), Config{})
	if err != nil {
		t.Fatal(err)
	}
	want.same(t, "a row that is mended", got)

	saved, err = last(c, &breaking{p.reader(t, memory.DefaultAllocator, 400), 10})
	if !errors.Is(err, errFull) {
		t.Error(err)
	}
	if got, err = resumed(t, saved, p.reader(t, memory.DefaultAllocator, 900), Config{}); err != nil {
		t.Fatal(err)
	}
	want.same(t, "a reader that is mended", got)

	c.Train = model.TrainOptions{Optimizer: model.SGD, LearningRate: 1e30}
	c.Model = model.Plain(4)
	c.Model.Output, c.Model.Activation = model.Linear, model.Linear
	if saved, err := last(c, p.reader(t, memory.DefaultAllocator, 400)); saved != nil || !errors.As(err, new(*model.DivergedError)) {
		t.Errorf("diverged: a checkpoint of %d bytes, error %v", len(saved), err)
	}
	calls := 0
	r := p.reader(t, memory.DefaultAllocator, 400)
	defer r.Release()
	_, _, err = Fit(t.Context(), r, Config{Model: model.Sparse(4), Epochs: 2, CheckpointEvery: 1, Checkpoint: func(*Checkpoint) error {
		calls++
		return errCallback
	}})
	if !errors.Is(err, errCallback) || calls != 1 {
		t.Errorf("%d calls, error %v", calls, err)
	}
}

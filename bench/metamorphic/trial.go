package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/aefeat/aefeat/model"
	"github.com/aefeat/aefeat/stage"
)

// A trial is rows, settings, and the forms in which they are tried.
type trial struct {
	seed    uint64
	random  *rand.Rand
	table   *table
	element arrow.DataType
	config  stage.Config
	sum     *summary

	tried []string // forms
	dirs  int
	dir   string
}

func newTrial(seed uint64, sum *summary) *trial {
	t := &trial{seed: seed, random: rand.New(rand.NewPCG(seed, 0)), sum: sum}
	t.table = drawTable(t.random, seed%40 == 39)
	types := t.table.types()
	t.element = types[t.random.IntN(len(types))]
	t.config = t.drawConfig()
	return t
}

func (t *trial) String() string {
	c := t.config
	return fmt.Sprintf("seed %d: %d rows of %d %v (bad rows: %t); %s, %v, %s, %d hidden, %d epochs, batches of %d, validation %g, corruption %g (%v), tied %t, k %d\n  %s", t.seed,
		t.table.rows, t.table.width, t.element, t.table.null != nil, c.Model.Objective, c.Train.Optimizer, c.Preprocess, c.Model.Hidden, c.Epochs, c.Train.BatchSize, c.Validation,
		c.Model.Corruption, c.Model.Noise, c.Model.Tied, c.Model.K, strings.Join(t.tried, "\n  "))
}

// pick returns one of some.
func pick[T any](r *rand.Rand, of ...T) T { return of[r.IntN(len(of))] }

func (t *trial) drawConfig() stage.Config {
	r := t.random
	c := stage.Config{
		Epochs:     pick(r, 1, 1, 2, 3, 4, stage.NoEpochs),
		Preprocess: pick(r, "", model.PreprocessScale, model.PreprocessScale, model.PreprocessPatch, model.PreprocessStandardize, model.PreprocessZCA),
		PixelMax:   t.table.pixelMax(),
		Skip:       t.table.null != nil,
		Validation: pick(r, 0, 0, 0.2),
	}
	if r.IntN(4) == 0 {
		c.PreprocessRows = 1 + r.IntN(2000)
	}
	hidden := 1 + r.IntN(12)
	var err error
	objective := pick(r, model.ObjectiveSparse, model.ObjectiveDenoising, model.ObjectiveContractive, model.ObjectiveKSparse, model.ObjectivePlain)
	if c.Model, err = model.ForObjective(objective, hidden, c.Preprocess); err != nil {
		panic(err)
	}
	c.Model.Seed = r.Uint64N(1000)
	c.Model.K = min(c.Model.K, hidden)
	if r.IntN(3) == 0 {
		c.Model.Corruption, c.Model.Noise = 0.3, pick(r, model.Masking, model.Gaussian, model.SaltPepper)
	}
	c.Model.Tied = r.IntN(4) == 0
	c.Train.Optimizer = pick(r, model.Adam, model.Adam, model.SGD, model.LBFGS)
	if c.Train.Optimizer != model.LBFGS {
		c.Train.BatchSize = pick(r, 0, 1+r.IntN(50), 100, model.FullBatch)
	}
	if c.Validation > 0 && r.IntN(2) == 0 {
		c.Train.Patience = 1
	}
	if t.table.width > 64 { // enough to spill is enough
		c.Epochs, c.Model.Hidden, c.Model.K, c.Train.Optimizer, c.Preprocess = 2, 2, min(c.Model.K, 2), model.Adam, model.PreprocessScale
		c.Train.BatchSize, c.Train.Patience, c.Validation = 0, 0, 0
	}
	return c
}

// run runs the trial.
func (t *trial) run(ctx context.Context) (err error) {
	if t.dir, err = os.MkdirTemp("", "metamorphic-*"); err != nil {
		return err
	}
	defer os.RemoveAll(t.dir)
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	plain, err := t.store(plainForm(t.table, t.element))
	if err != nil {
		return err
	}
	want, wantErr := t.fit(ctx, plain, t.config)
	for range 3 {
		s, err := t.store(drawForm(t.random, t.table, t.element, layouts))
		if err != nil {
			return err
		}
		if err := t.sameFit(ctx, s, want, wantErr); err != nil {
			return err
		}
	}
	if wantErr != nil {
		t.sum.refused++
		return nil
	}
	if err := t.sameResume(ctx, want); err != nil {
		return err
	}
	if err := t.sameForward(ctx, want); err != nil {
		return err
	}
	return t.sameCodes(ctx, want, plain)
}

// A stored is a form with its files.
type stored struct {
	form
	inputs []string
	dir    string // for temporary files
}

func (t *trial) store(f form) (*stored, error) {
	t.tried = append(t.tried, f.String())
	t.dirs++
	dir := fmt.Sprintf("%s/%d", t.dir, t.dirs)
	if err := os.Mkdir(dir, 0o777); err != nil {
		return nil, err
	}
	inputs, err := f.write(t.table, dir)
	return &stored{f, inputs, t.dir}, err
}

func (s *stored) read(ctx context.Context) (*input, error) { return s.open(ctx, s.inputs, s.dir) }

// vary draws what must change nothing.
func (t *trial) vary(c *stage.Config) {
	c.Memory = pick[int64](t.random, 0, 16<<20)
	if t.config.Validation > 0 {
		c.Memory *= 2 // for held-out rows, too
	}
	c.SpillDir = t.dir
	runtime.GOMAXPROCS(1 + t.random.IntN(4))
}

func (t *trial) fit(ctx context.Context, s *stored, c stage.Config) (*model.Model, error) {
	in, err := s.read(ctx)
	if err != nil {
		return nil, err
	}
	defer in.close()
	t.sum.fits++
	c.Columns = columnsOf(s.layout)
	m, report, err := stage.Fit(ctx, in, c)
	if err == nil && report.Spilled > 0 {
		t.sum.spilled++
	}
	return m, err
}

// sameFit wants the model, or an error where there is none.
func (t *trial) sameFit(ctx context.Context, s *stored, want *model.Model, wantErr error) error {
	c := t.config
	t.vary(&c)
	if t.random.IntN(2) == 0 {
		c.Checkpoint = func(*stage.Checkpoint) error { return nil }
		c.CheckpointEvery = time.Nanosecond
	}
	got, err := t.fit(ctx, s, c)
	switch {
	case (err == nil) != (wantErr == nil):
		return fmt.Errorf("fit of %s: error %v, but of the first form %v", s, err, wantErr)
	case err != nil:
		return nil
	}
	if err := sameModel(got, want, s.layout == "list"); err != nil {
		return fmt.Errorf("fit of %s: %w", s, err)
	}
	return nil
}

// sameModel compares the bytes of models, but for where the rows came from
// unless the whole of them must be the same.
func sameModel(got, want *model.Model, whole bool) error {
	a, b := *got, *want
	if !whole {
		a.Binding, b.Binding = model.Binding{}, model.Binding{}
	}
	var x, y bytes.Buffer
	_, err1 := a.WriteTo(&x)
	_, err2 := b.WriteTo(&y)
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	if !bytes.Equal(x.Bytes(), y.Bytes()) {
		return fmt.Errorf("another model: weight %v, not %v", got.Params.Flat[0], want.Params.Flat[0])
	}
	return nil
}

// sameResume breaks a fit off and resumes it.
func (t *trial) sameResume(ctx context.Context, want *model.Model) error {
	same := layouts[:3] // of one binding
	first, err := t.store(drawForm(t.random, t.table, t.element, same))
	if err != nil {
		return err
	}
	saved, err := t.checkpoint(ctx, first)
	if err != nil || saved == nil {
		return err
	}
	second, err := t.store(drawForm(t.random, t.table, t.element, same))
	if err != nil {
		return err
	}
	from, err := stage.ReadCheckpoint(bytes.NewReader(saved))
	if err != nil {
		return fmt.Errorf("read the checkpoint of %s: %w", first, err)
	}
	in, err := second.read(ctx)
	if err != nil {
		return err
	}
	defer in.close()
	var c stage.Config
	t.vary(&c)
	f, err := stage.Resume(from, in.Schema(), c)
	if err != nil {
		return fmt.Errorf("resume at epoch %d, row %d of %s: %w", from.Epoch, from.Rows, second, err)
	}
	defer f.Close()
	t.sum.resumes++
	got, _, err := f.Run(ctx, in)
	if err == nil {
		err = sameModel(got, want, true)
	}
	if err != nil {
		return fmt.Errorf("resumed at epoch %d, row %d with %s: %w", from.Epoch, from.Rows, second, err)
	}
	return nil
}

// checkpoint runs a fit and returns one of its checkpoints: any, or where the
// fit is interrupted the last. nil: there was none.
func (t *trial) checkpoint(ctx context.Context, s *stored) (saved []byte, err error) {
	c := t.config
	t.vary(&c)
	c.CheckpointEvery = time.Nanosecond
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	interrupt, at, n := t.random.IntN(2) == 0, 1+t.random.IntN(12), 0
	c.Checkpoint = func(p *stage.Checkpoint) error {
		if n++; n > at && !(interrupt && p.Last) {
			return nil
		}
		var b bytes.Buffer
		_, err := p.WriteTo(&b)
		if saved = b.Bytes(); interrupt && n == at {
			cancel()
		}
		return err
	}
	_, err = t.fit(ctx, s, c)
	if interrupt && errors.Is(err, context.Canceled) {
		t.sum.interrupted++
		err = nil
	}
	if err != nil {
		err = fmt.Errorf("fit of %s with checkpoints: %w", s, err)
	}
	return saved, err
}

// sameForward breaks a fit of one pass off after some batches, and goes on with
// the next one.
func (t *trial) sameForward(ctx context.Context, want *model.Model) error {
	if t.config.Epochs != 1 || t.config.Validation > 0 || t.config.Train.Optimizer == model.LBFGS {
		return nil
	}
	s, err := t.store(drawForm(t.random, t.table, t.element, layouts[:3]))
	if err != nil {
		return err
	}
	in, err := s.read(ctx)
	if err != nil {
		return err
	}
	defer in.close()
	c := t.config
	t.vary(&c)
	c.Columns = columnsOf(s.layout)
	f, err := stage.NewFitter(in.Schema(), c)
	if err != nil {
		return err
	}
	defer func() { f.Close() }()
	for in.Next() {
		if err := f.Write(ctx, in.RecordBatch()); err != nil {
			return fmt.Errorf("fit of %s forward: %w", s, err)
		}
		var saved bytes.Buffer
		if t.random.IntN(3) > 0 || f.Checkpoint(&saved) != nil {
			continue // or there is nothing yet to go on from
		}
		f.Close()
		from, err := stage.ReadCheckpoint(&saved)
		if err != nil {
			return fmt.Errorf("read the checkpoint of %s: %w", s, err)
		}
		if f, err = stage.ResumeForward(from, in.Schema(), stage.Config{}); err != nil {
			return fmt.Errorf("resume %s forward: %w", s, err)
		}
		t.sum.forward++
	}
	if err := in.Err(); err != nil {
		return err
	}
	got, _, err := f.Finish(ctx)
	if err == nil {
		err = sameModel(got, want, true)
	}
	if err != nil {
		return fmt.Errorf("fit of %s forward: %w", s, err)
	}
	return nil
}

// sameCodes wants the codes of one model from every form, of every type.
func (t *trial) sameCodes(ctx context.Context, m *model.Model, plain *stored) error {
	layout := pick(t.random, stage.LayoutColumns, stage.LayoutList, stage.LayoutArray, stage.LayoutSparse)
	want, err := t.transform(ctx, m, plain, layout)
	if err != nil {
		return fmt.Errorf("transform: %w", err)
	}
	if len(want) != t.table.rows {
		return fmt.Errorf("transform: %d rows", len(want))
	}
	for range 2 {
		element := pick(t.random, t.table.types()...)
		s, err := t.store(drawForm(t.random, t.table, element, layouts))
		if err != nil {
			return err
		}
		runtime.GOMAXPROCS(1 + t.random.IntN(4))
		got, err := t.transform(ctx, m, s, layout)
		if err != nil {
			return fmt.Errorf("transform of %s: %w", s, err)
		}
		if err := sameRows(got, want); err != nil {
			return fmt.Errorf("transform of %s to %s: %w", s, layout, err)
		}
		if err := t.sameCost(ctx, m, plain, s); err != nil {
			return err
		}
	}
	return nil
}

// sameCost wants the cost of one model on every form.
func (t *trial) sameCost(ctx context.Context, m *model.Model, plain, s *stored) error {
	var costs [2]stage.Evaluation
	for i, s := range []*stored{plain, s} {
		in, err := s.read(ctx)
		if err != nil {
			return err
		}
		costs[i], err = stage.Evaluate(ctx, m, in, stage.EvaluateConfig{Columns: columnsOf(s.layout), Skip: t.table.null != nil, PixelMax: t.table.pixelMax()})
		in.close()
		if err != nil {
			return fmt.Errorf("evaluate %s: %w", s, err)
		}
	}
	if a, b := costs[0].Cost, costs[1].Cost; a != b && !math.IsNaN(a.Total) {
		return fmt.Errorf("evaluate %s: cost %v, not %v", s, b, a)
	}
	return nil
}

package stage

import (
	"bytes"
	"context"
	"errors"
	"reflect"
	"slices"
	"testing"

	"github.com/aefeat/aefeat/model"
)

// sweepOf returns settings that a sweep of the given base trains with.
func sweepOf(base Config) []Config {
	change := []func(*Config){
		func(*Config) {},
		func(c *Config) { c.Model.Hidden, c.Train.LearningRate = 5, 0.002 },
		func(c *Config) { c.Epochs = 2 },
		func(c *Config) { c.Train.Optimizer, c.Epochs = model.LBFGS, 4 },
		func(c *Config) { c.Train.BatchSize = model.FullBatch },
		func(c *Config) { c.Model = model.KSparse(9) },
		func(c *Config) { c.Model.Seed = 7 },
		func(c *Config) { c.Epochs = 1 },
	}
	var all []Config
	for _, change := range change {
		c := base
		c.Model = model.Sparse(8)
		change(&c)
		all = append(all, c)
	}
	return all
}

// Each model of a sweep is, to the bit, that of its own fit, and so is what is
// told of it.
func TestSweepIsItsFits(t *testing.T) {
	p := makePatches(1500, 36, 5)
	for name, base := range map[string]Config{
		"scale":       {Epochs: 3},
		"held out":    {Epochs: 4, Validation: 0.2, Train: model.TrainOptions{Patience: 1}},
		"standardize": {Epochs: 2, Preprocess: model.PreprocessStandardize, PreprocessRows: 1200},
	} {
		t.Run(name, func(t *testing.T) {
			noGoroutinesLeft(t)
			configs := sweepOf(base)
			if base.Preprocess != "" {
				for i := range configs {
					configs[i].Model.Output = model.Linear
				}
			}
			ends := make([][]Progress, len(configs))
			for i := range configs {
				configs[i].Observer = func(p Progress) {
					if p.Done {
						ends[i] = append(ends[i], p)
					}
				}
			}
			r := p.reader(t, checked(t), 700)
			defer r.Release()
			s, err := NewSweep(r.Schema(), configs)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			if len(s.groups) != 4 { // those of the seed, of one epoch and of a full batch are by themselves
				t.Errorf("%d groups", len(s.groups))
			}
			models, reports, err := s.Run(context.Background(), r)
			if err != nil {
				t.Fatal(err)
			}
			for i, c := range configs {
				var alone []Progress
				c.Observer = func(p Progress) {
					if p.Done {
						alone = append(alone, p)
					}
				}
				want, report := fit(t, p.reader(t, checked(t), 999), c)
				if !bytes.Equal(file(t, models[i]), file(t, want)) {
					t.Errorf("model %d is not that of its fit", i)
				}
				if !reflect.DeepEqual(reports[i], report) {
					t.Errorf("report %d: %+v, of its fit %+v", i, reports[i], report)
				}
				if !reflect.DeepEqual(ends[i], alone) {
					t.Errorf("model %d was observed as %+v, alone %+v", i, ends[i], alone)
				}
			}
		})
	}
}

// Models that share a store spill once, and stores share the memory; neither
// changes a bit.
func TestSweepSharesTheSpill(t *testing.T) {
	p := makePatches(24000, 784, 6)
	base := Config{Model: model.Plain(1), Epochs: 2, Memory: 32 << 20, SpillDir: t.TempDir()}
	wider, seeded := base, base
	wider.Model.Hidden, seeded.Model.Seed = 2, 2
	configs := []Config{base, wider, seeded}
	r := p.reader(t, checked(t), 1000)
	defer r.Release()
	s, err := NewSweep(r.Schema(), configs)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	models, reports, err := s.Run(context.Background(), r)
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range configs {
		c.Memory = DefaultMemory
		want, _ := fit(t, p.reader(t, checked(t), 1000), c)
		if !bytes.Equal(file(t, models[i]), file(t, want)) || reports[i].Spilled == 0 {
			t.Errorf("model %d, which spilled %d bytes, is not that of a fit in memory", i, reports[i].Spilled)
		}
	}
	if s.groups[0].passes.kept != nil && len(s.groups[0].passes.trainings) != 2 {
		t.Error("models that differ in their size alone share no store")
	}
}

// Without epochs nothing is trained, and preprocessing is learned once.
func TestSweepWithoutEpochs(t *testing.T) {
	p := makePatches(1500, 16, 3)
	base := Config{Model: linearModel(2), Epochs: NoEpochs, Preprocess: model.PreprocessStandardize, PreprocessRows: 1200}
	other := base
	other.Model.Hidden = 3
	r := p.reader(t, checked(t), 700)
	defer r.Release()
	s, err := NewSweep(r.Schema(), []Config{base, other})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	models, _, err := s.Run(context.Background(), r)
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range []Config{base, other} {
		want, _ := fit(t, p.reader(t, checked(t), 999), c)
		if !bytes.Equal(file(t, models[i]), file(t, want)) {
			t.Errorf("model %d is not that of its fit", i)
		}
	}
}

// An error of one model names it, and there are no others.
func TestSweepFails(t *testing.T) {
	good := Config{Model: model.Sparse(4), Epochs: 2}
	bad := func(change func(*Config)) Config {
		c := good
		change(&c)
		return c
	}
	for name, c := range map[string]Config{
		"hidden":     bad(func(c *Config) { c.Model.Hidden = -1 }),
		"preprocess": bad(func(c *Config) { c.Preprocess = "zac" }),
		"checkpoint": bad(func(c *Config) { c.Checkpoint = func(*Checkpoint) error { return nil } }),
	} {
		var e *SweepError
		if _, err := NewSweep(patchSchema(4), []Config{good, c}); !errors.As(err, &e) || e.Model != 1 {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := NewSweep(patchSchema(4), nil); err == nil {
		t.Error("a sweep of nothing")
	}
	var setting *model.ConfigError
	few := bad(func(c *Config) { c.Memory = 1 })
	if _, err := NewSweep(patchSchema(4), []Config{few, good}); !errors.As(err, &setting) || setting.Setting != "Memory" {
		t.Errorf("a byte of memory: %v", err)
	}

	noGoroutinesLeft(t)
	p := makePatches(3000, 16, 3)
	diverges := bad(func(c *Config) { c.Train.LearningRate, c.Model.Output = 1e30, model.Linear })
	r := p.reader(t, checked(t), 700)
	defer r.Release()
	s, err := NewSweep(r.Schema(), []Config{good, good, diverges})
	if err != nil {
		t.Fatal(err)
	}
	models, reports, err := s.Run(context.Background(), r)
	var of *SweepError
	var diverged *model.DivergedError
	if !errors.As(err, &of) || of.Model != 2 || !errors.As(err, &diverged) || models != nil || reports != nil {
		t.Errorf("%v, %v", models, err)
	}
	if _, _, again := s.Finish(context.Background()); !errors.Is(again, err) && again.Error() != err.Error() {
		t.Errorf("after %v: %v", err, again)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// What does not end a Fitter does not end a Sweep.
func TestSweepMisuse(t *testing.T) {
	var zero Sweep
	if _, _, err := zero.Finish(context.Background()); !errors.Is(err, errZeroSweep) {
		t.Error(err)
	}
	p := makePatches(100, 4, 3)
	c := Config{Model: model.Sparse(2), Epochs: 1, Validation: 0.2, ValidationKey: "id"}
	s, err := NewSweep(patchSchema(4), []Config{c, {Model: c.Model, Epochs: 1}})
	if err != nil {
		t.Fatal(err)
	}
	if names := s.Columns(); !slices.Equal(names, []string{"image", "id"}) {
		t.Errorf("columns %v", names)
	}
	if got := s.Patch().Width(); got != 4 {
		t.Errorf("width %d", got)
	}
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	batch := p.batch(checked(t), 0, 100)
	defer batch.Release()
	var none context.Context
	for _, err := range []error{s.Write(ended, batch), s.Write(none, batch), s.Write(context.Background(), nil)} {
		if err == nil {
			t.Error("no error")
		}
	}
	if err := s.Write(context.Background(), batch); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Finish(context.Background()); err != nil {
		t.Fatal(err)
	}
	if err := s.Write(context.Background(), batch); !errors.Is(err, errClosed) {
		t.Error(err)
	}
}

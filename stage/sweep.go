package stage

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/aefeat/aefeat/model"
	"github.com/aefeat/aefeat/patch"
)

// Sweep fits several models to the record batches that are written to it, each
// to the bit the one that a [Fitter] of its settings would return. Its methods
// are for one goroutine at a time, and end it as those of a Fitter do. Close
// must be called, whatever happened.
//
// Models share what they can. Those whose settings differ in nothing but the
// cost, the optimiser, the size of the code and the number of epochs are
// trained side by side: they take the same rows of one store in one order, and
// preprocessing is learned once. A seed, a rule of preprocessing or a share of
// held-out rows of its own makes rows others, and so do epochs that keep rows
// beside a single one that does not, and full batches beside small ones: such
// models have a store of their own. Config.Memory is for all stores together,
// which share it evenly. What training takes, TrainOptions.Memory, adds up over
// the models.
type Sweep struct {
	groups []*Fitter
	number int
	err    error
}

// SweepError is an error about one of the models of a [Sweep].
type SweepError struct {
	Model int // its place among the settings, from 0
	Err   error
}

func (e *SweepError) Error() string { return fmt.Sprintf("model %d of the sweep: %v", e.Model, e.Err) }
func (e *SweepError) Unwrap() error { return e.Err }

// named adds to the error of a training which model of a sweep it is about.
func (p *plan) named(err error) error {
	if err == nil || !p.sweep {
		return err
	}
	return &SweepError{p.member, err}
}

var errZeroSweep = errors.New("stage: a Sweep comes from NewSweep, and is finished once")

// NewSweep returns a Sweep for batches of the given schema, which fits a model
// for each of the settings. Decode, Memory and SpillDir are those of the first.
// Each Observer is told of its own model, and of what models share that of the
// first of these. There are no checkpoints. Errors are those of [NewFitter];
// one about the settings of a model is a [*SweepError].
func NewSweep(schema *arrow.Schema, configs []Config) (*Sweep, error) {
	if len(configs) == 0 {
		return nil, errors.New("stage: a sweep of no models")
	}
	var plans []*plan
	for i, c := range configs {
		first := configs[0]
		c.Decode, c.Memory, c.SpillDir = first.Decode, first.Memory, first.SpillDir
		p, err := settledPlan(c)
		if err == nil && c.Checkpoint != nil {
			err = &model.ConfigError{Setting: "Checkpoint", Reason: "a sweep makes no checkpoints"}
		}
		if err != nil {
			return nil, &SweepError{i, err}
		}
		p.sweep, p.member = true, i
		plans = append(plans, p)
	}
	s := &Sweep{number: len(plans)}
	groups := grouped(plans)
	shareMemory(groups)
	for _, group := range groups {
		if err := group[0].settleMemory(); err != nil {
			return nil, err
		}
		f, err := newFitter(schema, group...)
		if err != nil {
			return nil, err
		}
		s.groups = append(s.groups, f)
	}
	return s, nil
}

// shareMemory makes the groups that keep rows share the memory.
func shareMemory(groups [][]*plan) {
	stores := int64(0)
	for _, group := range groups {
		if p := group[0]; p.keeps() || p.validates() {
			stores++
		}
	}
	for _, p := range slices.Concat(groups...) {
		p.stores = max(1, stores)
	}
}

// grouped puts plans together that share the rows.
func grouped(plans []*plan) (groups [][]*plan) {
next:
	for _, p := range plans {
		for i, group := range groups {
			if p.shares(group[0]) {
				groups[i] = append(group, p)
				continue next
			}
		}
		groups = append(groups, []*plan{p})
	}
	return groups
}

// shares reports whether rows of p and q are the same in values, order and use.
func (p *plan) shares(q *plan) bool {
	return p.rule == q.rule && p.init == q.init && p.share == q.share && p.key == q.key &&
		p.model.Seed == q.model.Seed && p.model.Inputs == q.model.Inputs &&
		p.keeps() == q.keeps() && p.trains() == q.trains() && p.whole() == q.whole() &&
		reflect.DeepEqual(p.config.reading(), q.config.reading())
}

// reading returns c without what is not about the reading of rows.
func (c Config) reading() Config {
	c = c.settings()
	return Config{Columns: c.Columns, Units: c.Units, Shape: c.Shape, Images: c.Images, Skip: c.Skip, FirstRow: c.FirstRow}
}

// Patch returns a copy of how the columns of the patch are bound for the first
// model: see [Fitter.Patch].
func (s *Sweep) Patch() *patch.Binding {
	if len(s.groups) == 0 {
		return nil
	}
	return s.groups[0].Patch()
}

// Columns returns the names of the columns that the Sweep reads, for a
// projection of the input.
func (s *Sweep) Columns() []string {
	var names []string
	for _, f := range s.groups {
		for _, name := range f.Columns() {
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	return names
}

// Windows returns in how many windows rows are shuffled, each of WindowMemory
// bytes.
func (s *Sweep) Windows() int {
	n := 0
	for _, f := range s.groups {
		if !f.plan.whole() {
			n++
		}
	}
	return n
}

// Write trains on the rows of a batch, as [Fitter.Write] does.
func (s *Sweep) Write(ctx context.Context, batch arrow.RecordBatch) error {
	if err := s.alive(ctx); err != nil {
		return err
	}
	return s.write(ctx, batch)
}

// alive returns what keeps the Sweep from going on.
func (s *Sweep) alive(ctx context.Context) error {
	switch {
	case s.err != nil:
		return s.err
	case len(s.groups) == 0:
		return errZeroSweep
	}
	return alive(ctx)
}

func (s *Sweep) write(ctx context.Context, batch arrow.RecordBatch) error {
	if err := patch.Usable(batch); err != nil {
		return err
	}
	for _, f := range s.groups {
		if s.err = f.write(ctx, batch); s.err != nil {
			return s.err
		}
	}
	return nil
}

// Finish ends the input, trains the remaining epochs and returns the models and
// their reports, in the order of the settings. The models are the caller's;
// what preprocessing has learned they may share, and must not be changed.
// Errors are those of [Fitter.Finish], of a training a [*SweepError]. With an
// error there are no models.
func (s *Sweep) Finish(ctx context.Context) ([]*model.Model, []*Report, error) {
	if err := s.alive(ctx); err != nil {
		return nil, nil, err
	}
	models, reports := make([]*model.Model, s.number), make([]*Report, s.number)
	for _, f := range s.groups {
		told, err := f.finishAll(ctx)
		if err != nil {
			s.err = err
			return nil, nil, joined(err, s.Close())
		}
		for i, p := range f.plans {
			models[p.member], reports[p.member] = f.models[i], told[i]
		}
	}
	s.err = errClosed
	return models, reports, nil
}

// Run writes all batches of r, which it does not release, and finishes: see
// [Fitter.Run].
func (s *Sweep) Run(ctx context.Context, r array.RecordReader) ([]*model.Model, []*Report, error) {
	if _, err := schemaOf(r); err != nil {
		return nil, nil, err
	}
	for {
		if err := s.alive(ctx); err != nil {
			return nil, nil, err
		}
		if s.ready() || !r.Next() {
			break
		}
		// What was read must not be lost, though ctx has ended since.
		if err := s.write(ctx, r.RecordBatch()); err != nil {
			return nil, nil, err
		}
	}
	if err := readError(r); err != nil {
		return nil, nil, err
	}
	return s.Finish(ctx)
}

// ready reports whether Finish needs no more rows.
func (s *Sweep) ready() bool {
	return !slices.ContainsFunc(s.groups, func(f *Fitter) bool { return !f.Ready() })
}

// Close ends the training and gives memory and spill files back. It may be
// called at any time and more than once.
func (s *Sweep) Close() error {
	if s.err == nil {
		s.err = errClosed
	}
	var err error
	for _, f := range s.groups {
		err = errors.Join(err, f.Close())
	}
	return err
}

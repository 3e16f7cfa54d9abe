package stage

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"reflect"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/aefeat/aefeat/model"
)

// ReadCheckpoint reads a checkpoint, all of r. What it claims is checked before
// anything is allocated for it. The error is a [*model.FormatError] where the
// bytes are at fault.
func ReadCheckpoint(r io.Reader) (*Checkpoint, error) {
	from, err := model.ReadCheckpoint(r)
	if err != nil {
		return nil, err
	}
	c := &Checkpoint{Epoch: len(from.Model.History), Model: from.Model, from: from}
	d := json.NewDecoder(bytes.NewReader(from.Host.State))
	d.DisallowUnknownFields() // a setting that is passed over would change the fit
	if err := d.Decode(&c.state); err != nil {
		return nil, damagedCheckpoint("%w", err)
	}
	if v := c.state.Version; v != stateVersion {
		return nil, &model.FormatError{Err: fmt.Errorf("a checkpoint of version %d: this program reads version %d", v, stateVersion)}
	}
	if err := c.state.check(from); err != nil {
		return nil, err
	}
	c.Rows, c.Notes, c.Settings = c.state.Rows, c.state.Notes, c.state.Settings
	p, err := c.plan(Config{})
	if err != nil {
		return nil, damagedCheckpoint("%w", err)
	}
	c.Epochs = p.epochs
	return c, nil
}

func damagedCheckpoint(format string, args ...any) error {
	return &model.FormatError{Err: fmt.Errorf("damaged checkpoint: "+format, args...)}
}

// check reports what cannot be.
func (s *state) check(from *model.Checkpoint) error {
	rows, numbers := from.Host.Data[dataRows], from.Host.Data[dataNumbers]
	switch n := int64(from.Model.Inputs); {
	case s.Rows < 0 || s.Unvalidated && s.Settings.Validation == 0:
		return damagedCheckpoint("in its position")
	case s.Forward != nil:
		size := n * int64(s.Forward.Kind.Size())
		waiting := int64(len(numbers) / 8)
		if size == 0 || s.Input != nil || s.Visiting || s.Forward.Next < 0 || len(numbers)%8 != 0 || int64(len(rows)) != waiting*size ||
			waiting >= int64(blockSize(s.Forward.Kind, int(n))) {
			return damagedCheckpoint("in the rows that wait")
		}
	case s.Input == nil:
		return damagedCheckpoint("the identity of its input is missing")
	case s.Input.fault() != "" || int64(s.Input.Width) != n || s.Visiting && !s.Input.Ended:
		return damagedCheckpoint("%s", cmp.Or(s.Input.fault(), "the identity of its input does not go with it"))
	}
	return nil
}

// Resume returns a Fitter that goes on from a checkpoint of Config.Checkpoint.
// Its input is read again from the first row: those before the position of the
// checkpoint are checked, and kept and held out as they were, but not trained
// on. The model and the report are, to the bit, those that the fit would have
// given without a break, on one class of kernels, whatever the batches, Memory
// and the number of goroutines.
//
// Settings come from the checkpoint. Of those of c Memory, SpillDir, Decode,
// Observer, Checkpoint, CheckpointEvery and OtherKernels count, and Epochs,
// which if not 0 is the new total: schedules of the rate and of k are those of
// that many from here on. Others may be set, but must be what they were; Init
// is not looked at.
//
// Errors are a [*model.ConfigError] for a setting that differs, [*SpillError],
// [*patch.RowError] about the columns and [*model.KernelsError]; those of an
// input that is another are a [*InputChangedError], of Write or Finish, before
// any row is trained on.
func Resume(from *Checkpoint, schema *arrow.Schema, c Config) (*Fitter, error) {
	f, err := resume(from, schema, c)
	if err != nil {
		return nil, err
	}
	if from.state.Forward != nil {
		return nil, errors.New("stage: the checkpoint is of Fitter.Checkpoint: use ResumeForward")
	}
	return f, nil
}

// ResumeForward returns a Fitter that goes on from a checkpoint of
// [Fitter.Checkpoint] with the row after the last that was written before it.
// Nothing is read again. Fits of one epoch can go on so, without held-out rows;
// the model is, to the bit, that of one fit of all rows. Of the settings the
// rules are those of [Resume], but Epochs must be 1 or 0, and Checkpoint nil.
func ResumeForward(from *Checkpoint, schema *arrow.Schema, c Config) (*Fitter, error) {
	f, err := resume(from, schema, c)
	if err != nil {
		return nil, err
	}
	if from.state.Forward == nil {
		return nil, errors.New("stage: the checkpoint is not of Fitter.Checkpoint: use Resume")
	}
	if err := f.plan.onePass(); err != nil {
		return nil, err
	}
	return f, f.forward()
}

// resume makes a Fitter of a checkpoint that was read, and checks the settings.
func resume(from *Checkpoint, schema *arrow.Schema, c Config) (*Fitter, error) {
	switch {
	case from == nil || from.from == nil:
		return nil, errors.New("stage: a checkpoint to resume comes from ReadCheckpoint, and is resumed once")
	case schema == nil:
		return nil, errNoSchema
	}
	if err := from.Settings.agrees(c); err != nil {
		return nil, err
	}
	p, err := from.plan(c)
	if err != nil {
		return nil, err
	}
	f := &Fitter{plan: p, from: from, notes: maps.Clone(from.Notes)}
	if f.intake, err = newIntake(p, schema); err != nil {
		return nil, err
	}
	from.from.OtherKernels = c.OtherKernels
	if f.trainer, err = from.from.Trainer(c.Epochs); err != nil {
		return nil, err
	}
	from.from = nil
	return f, nil
}

// plan returns what a fit that goes on from c will do, under the settings of
// now that count.
func (c *Checkpoint) plan(now Config) (*plan, error) {
	s, m := &c.state, c.Model
	settings := s.Settings
	settings.Epochs = cmp.Or(now.Epochs, settings.Epochs)
	settings.Memory, settings.SpillDir, settings.Decode, settings.Observer = now.Memory, now.SpillDir, now.Decode, now.Observer
	settings.Checkpoint, settings.CheckpointEvery = now.Checkpoint, now.CheckpointEvery
	if s.Init {
		settings.Init = &model.Model{Config: m.Config, Params: m.Params, Binding: m.Binding, Shape: m.Shape}
		if s.InitRule {
			settings.Init.Preprocess = m.Preprocess
		}
	}
	if s.Forward != nil {
		settings.Model.Inputs = m.Inputs
	}
	if settings.Epochs < len(m.History) {
		return nil, &model.ConfigError{Setting: "Epochs", Reason: fmt.Sprintf("%d are fewer than the %d that have ended", settings.Epochs, len(m.History)),
			Hint: "give a larger number, or leave `Epochs` to the checkpoint"}
	}
	p, err := newPlan(settings)
	if err != nil {
		return nil, err
	}
	p.columns, p.warnings, p.stored = m.Binding.Columns, s.Warnings, s.Kept
	return p, nil
}

// transient reports whether a field of a Config is not among the settings that
// a checkpoint keeps.
func transient(f reflect.StructField) bool { return f.Tag.Get("json") == "-" }

// settings returns c without its transient fields.
func (c Config) settings() Config {
	v := reflect.ValueOf(&c).Elem()
	for i := range v.NumField() {
		if transient(v.Type().Field(i)) {
			v.Field(i).SetZero()
		}
	}
	return c
}

// agrees reports the first setting of now that is set and is not what it is in
// c. Epochs may differ.
func (c Config) agrees(now Config) error {
	now.Epochs = 0
	return agree(reflect.ValueOf(c), reflect.ValueOf(now.settings()))
}

func agree(was, now reflect.Value) error {
	for i := range was.NumField() {
		field, was, now := was.Type().Field(i), was.Field(i), now.Field(i)
		switch field.Type {
		case reflect.TypeFor[model.Config](), reflect.TypeFor[model.TrainOptions]():
			if err := agree(was, now); err != nil {
				return err
			}
			continue
		}
		if now.IsZero() || reflect.DeepEqual(was.Interface(), now.Interface()) {
			continue
		}
		reason := fmt.Sprintf("%v was asked for, and the checkpoint has %v", now, was)
		if was.IsZero() {
			reason = fmt.Sprintf("%v was asked for, and the checkpoint has none", now)
		}
		return &model.ConfigError{Setting: field.Name, Reason: reason, Hint: "leave it to the checkpoint"}
	}
	return nil
}

// goOn takes over the training of a checkpoint, now that the first rows are
// there again.
func (f *Fitter) goOn(first model.Rows) error {
	s := &f.from.state
	f.model, f.reach = f.from.Model, s.Reach
	if s.Ahead > 0 {
		f.learning = &learning{ahead: s.Ahead, done: true}
		var err error
		if f.learning.statistics, err = model.RestoreStatistics(f.model.Preprocess, f.from.data[dataStatistics]); err != nil {
			return err
		}
	}
	var err error
	f.passes, err = newPasses(f.plan, f.model, f.trainer, first)
	if err != nil {
		return err
	}
	f.passes.resume(s.position)
	return nil
}

// forward brings a Fitter to where Fitter.Checkpoint was called.
func (f *Fitter) forward() error {
	s, n := f.from.state.Forward, f.model.Inputs
	rows := model.Rows{Kind: s.Kind, Width: n}
	return nil
}

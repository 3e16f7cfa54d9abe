package stage

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"

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
	var of struct{ Version *int }
	if json.Unmarshal(from.Host.State, &of) == nil && of.Version == nil {
		return nil, &model.FormatError{Err: errors.New("not a checkpoint of a fit")}
	}
	d := json.NewDecoder(bytes.NewReader(from.Host.State))
	d.DisallowUnknownFields() // a setting that is passed over would change the fit
	if err := d.Decode(&c.state); err != nil {
		return nil, damagedCheckpoint("%w", err)
	}
	if v := c.state.Version; v != stateVersion {
		return nil, &model.FormatError{Err: fmt.Errorf("a checkpoint of version %d: this program reads version %d", v, stateVersion)}
	}
	for _, check := range []func() error{c.checkModel, c.checkPosition, c.checkPlan} {
		if err := check(); err != nil {
			return nil, damagedCheckpoint("%w", err)
		}
	}
	c.Rows, c.Notes = c.state.Rows, c.state.Notes
	return c, nil
}

func damagedCheckpoint(format string, args ...any) error {
	return &model.FormatError{Err: fmt.Errorf("damaged checkpoint: "+format, args...)}
}

// checkModel reports what keeps the model from being trained further, and
// restores the statistics of its rows.
func (c *Checkpoint) checkModel() error {
	m := c.Model
	if fault := learnedFault(m.Preprocess, m.Inputs); fault != "" {
		return errors.New(fault)
	}
	if c.state.Ahead == 0 {
		return nil
	}
	if c.state.Ahead < 0 || !m.Preprocess.Learns() {
		return errors.New("statistics of rows that nothing learns from")
	}
	var err error
	c.statistics, err = model.RestoreStatistics(m.Preprocess, m.Inputs, c.from.Host.Data[dataStatistics])
	return err
}

// checkPosition reports a position that cannot be.
func (c *Checkpoint) checkPosition() error {
	s, n := &c.state, c.Model.Inputs
	switch f := s.Forward; {
	case s.Rows < 0 || s.Unvalidated && (!s.Visiting || s.Rows > 0 || c.Epoch == 0 || s.Settings.Validation == 0):
		return errors.New("it is nowhere in a fit")
	case f == nil:
		if s.Input == nil || s.Input.Width != n || s.Visiting && !s.Input.Ended {
			return errors.New("the identity of its input does not go with it")
		}
		return s.Input.check()
	case s.Input != nil || s.Visiting || f.Next < 0 || f.Width != n || f.Kind.Size() == 0:
		return errors.New("it is nowhere in a stream")
	}
	waiting, ok := c.rows(dataRows, dataNumbers)
	held, okToo := c.rows(dataWindow, dataWindowNumbers)
	size := windowSize(n)
	if !ok || !okToo || waiting.Len() >= blockSize(waiting.Kind, n) || held.Len() > size || held.Len() == 0 || held.Len() < size && s.Rows > 0 {
		return errors.New("the rows that wait do not go with it")
	}
	return c.Model.Check(held)
}

// rows returns the rows that are kept under some names, and reports whether
// there are as many as numbers.
func (c *Checkpoint) rows(data, numbers string) (rows model.Rows, ok bool) {
	rows = model.Rows{Kind: c.state.Forward.Kind, Width: c.Model.Inputs, Data: c.from.Host.Data[data]}
	b := c.from.Host.Data[numbers]
	for ; len(b) >= 8; b = b[8:] {
		rows.Number = append(rows.Number, int64(binary.LittleEndian.Uint64(b)))
	}
	return rows, len(b) == 0 && len(rows.Data) == len(rows.Number)*rowSize(rows)
}

// checkPlan reports settings that are not those of the model and its training,
// and fills in what is known of the plan.
func (c *Checkpoint) checkPlan() error {
	p, err := c.plan(Config{})
	if err != nil {
		return err
	}
	train, err := p.train.WithDefaults(c.Model.Config, c.Model.Preprocess.Method)
	if err != nil {
		return err
	}
	s, m := &c.state, c.Model
	if train != c.from.Options || p.model.Seed != m.Seed || cmp.Or(p.model.Inputs, m.Inputs) != m.Inputs || !p.trains() || p.whole() && s.Rows > 0 {
		return errors.New("its settings are not those of its training")
	}
	if s.Forward != nil {
		if err := p.onePass(); err != nil {
			return err
		}
	}
	c.Epochs = p.epochs
	c.Settings = s.Settings.settings()
	c.Settings.Epochs, c.Settings.Model, c.Settings.Train, c.Settings.Preprocess = p.epochs, m.Config, train, m.Preprocess.Method
	c.Settings.Train.Epochs, c.Settings.Train.Validate = 0, false // they have a field of their own
	c.Settings.Columns = m.Binding.Columns
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
	if from != nil && from.state.Forward != nil {
		return nil, errors.New("stage: the checkpoint is of Fitter.Checkpoint: use ResumeForward")
	}
	f, err := resume(from, schema, c)
	if err != nil {
		return nil, err
	}
	f.reading = &reading{want: from.state.Input}
	f.form = &from.state.Input.form
	return f, nil
}

// ResumeForward returns a Fitter that goes on from a checkpoint of
// [Fitter.Checkpoint] with the row after the last that was written before it.
// Nothing is read again. Fits of one epoch can go on so, without held-out rows;
// the model is, to the bit, that of one fit of all rows. Of the settings the
// rules are those of [Resume], but Epochs must be 1 or 0, and Checkpoint nil.
func ResumeForward(from *Checkpoint, schema *arrow.Schema, c Config) (*Fitter, error) {
	switch {
	case from != nil && from.state.Forward == nil:
		return nil, errors.New("stage: the checkpoint is not of Fitter.Checkpoint: use Resume")
	case c.Checkpoint != nil:
		return nil, &model.ConfigError{Setting: "Checkpoint", Reason: "what was read before is not read again", Hint: "use Fitter.Checkpoint"}
	case c.Epochs > 1:
		return nil, &model.ConfigError{Setting: "Epochs", Reason: "rows that went by cannot be visited again", Hint: "leave `Epochs` to the checkpoint"}
	}
	var waiting, held model.Rows
	if from != nil && from.from != nil {
		waiting, _ = from.rows(dataRows, dataNumbers)
		held, _ = from.rows(dataWindow, dataWindowNumbers)
	}
	f, err := resume(from, schema, c)
	if err != nil {
		return nil, err
	}
	if err := f.forward(waiting, held); err != nil {
		return nil, err
	}
	return f, nil
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
	if err := p.settleMemory(); err != nil {
		return nil, err
	}
	f := &Fitter{plan: p, plans: []*plan{p}, from: from, notes: from.Notes}
	if f.notes == nil {
		f.notes = map[string]string{}
	}
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
// now that count. Its memory is still to be settled.
func (c *Checkpoint) plan(now Config) (*plan, error) {
	s, m := &c.state, c.Model
	settings := s.Settings
	settings.Epochs = cmp.Or(now.Epochs, settings.Epochs)
	settings.Memory, settings.SpillDir, settings.Decode, settings.Observer = now.Memory, now.SpillDir, now.Decode, now.Observer
	settings.Checkpoint, settings.CheckpointEvery = now.Checkpoint, now.CheckpointEvery
	if s.Init { // its rule, if that was in force, is the model's now
		settings.Init = &model.Model{Config: m.Config, Params: m.Params, Binding: m.Binding, Shape: m.Shape}
		settings.Preprocess = m.Preprocess.Method
	}
	p, err := settledPlan(settings)
	if err == nil && p.rule.choice > 0 {
		err = p.choose(m.Preprocess.Method, m.Preprocess.PixelMax)
	}
	if err != nil {
		return nil, err
	}
	begun := len(m.History)
	if s.Rows > 0 {
		begun++
	}
	if p.epochs < max(begun, 1) {
		return nil, &model.ConfigError{Setting: "Epochs", Reason: fmt.Sprintf("%d are fewer than the %d that have begun", p.epochs, begun),
			Hint: "give a larger number, or leave `Epochs` to the checkpoint"}
	}
	p.columns, p.warnings, p.stored = m.Binding.Columns, s.Warnings, s.Kept
	if s.Forward != nil { // no first row will tell
		p.model.Inputs, p.source = m.Inputs, m.Binding.Source
		if m.Binding.Images != nil {
			p.images = *m.Binding.Images
		}
	}
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
	f.model, f.models, f.reach = f.from.Model, []*model.Model{f.from.Model}, s.Reach
	if f.from.statistics != nil {
		f.learning = &learning{statistics: f.from.statistics, ahead: s.Ahead, done: true}
	}
	if err := f.train([]*training{{plan: f.plan, model: f.model, trainer: f.trainer}}, first); err != nil {
		return err
	}
	f.passes.at = s.position
	return nil
}

// forward brings a Fitter to where Fitter.Checkpoint was called: rows wait for
// their block to be full, and others are in the window.
func (f *Fitter) forward(waiting, held model.Rows) error {
	s := f.from.state.Forward
	f.intake.next, f.intake.bad.BadRows = s.Next, s.Bad
	f.feed = newFeed(s.Kind, s.Width)
	f.feed.current.fill(waiting, 0)
	f.form = &s.form
	if err := f.begin(f.feed.current.rows); err != nil {
		return err
	}
	f.passes.window.pass(held)
	f.passes.rows = f.passes.streamed()
	return nil
}

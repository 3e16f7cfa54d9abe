package stage

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/aefeat/aefeat/model"
	"github.com/aefeat/aefeat/patch"
)

// DefaultCheckpointEvery stands in for a Config.CheckpointEvery of 0.
const DefaultCheckpointEvery = 10 * time.Minute

// Checkpoint is a fit that is not at its end, or could go on: the model as it
// is, the state of its training, the settings, and how far it is. One that
// Config.Checkpoint is given is valid during that call, and one of
// [ReadCheckpoint] until it is resumed.
type Checkpoint struct {
	Epoch  int   // epochs that have ended, under model.LBFGS iterations
	Epochs int   // planned, or the most iterations
	Rows   int64 // of the running epoch that were trained on

	// Last says that the fit makes no other: it has come to its end, or its
	// context has, or an error ends it. A caller who does not write each of
	// them writes this one.
	Last bool

	// Notes are the caller's own, in UTF-8, for whoever resumes: where the
	// input is, what the output is called. What is put in before WriteTo is in
	// the file, and in later checkpoints too, those of a resumed fit included.
	Notes map[string]string

	// Model is the model so far, its parameters as they are and not those of
	// the best epoch. Of a running fit it must not be changed, nor kept.
	Model *model.Model

	// Settings are those of the fit, defaults filled in, of a checkpoint that
	// was read. Fields that a checkpoint does not keep, Init among them, are
	// zero.
	Settings Config

	write      func(io.Writer) error // nil once it is over, and where it was read
	state      state
	from       *model.Checkpoint // nil unless it was read, and once it is resumed
	statistics *model.Statistics // nil where preprocessing learned from no rows ahead
}

// ErrTooEarly is the error of [Fitter.Checkpoint] while there is nothing to go
// on from: rows have yet to settle the width of a patch and preprocessing, or
// those before another checkpoint are still read again.
var ErrTooEarly = errors.New("stage: no checkpoint yet: preprocessing is not settled")

var errCheckpointOver = errors.New("stage: a checkpoint is written during the call that is given it")

// WriteTo writes the checkpoint, which is a model file too: model.Read takes it
// as the model so far. It returns the number of bytes written. It is for the
// checkpoints that Config.Checkpoint is given.
func (c *Checkpoint) WriteTo(w io.Writer) (int64, error) {
	if c.write == nil {
		return 0, errCheckpointOver
	}
	out := &countingWriter{w: w}
	err := c.write(out)
	return out.n, err
}

// countingWriter counts the bytes that went through.
type countingWriter struct {
	w io.Writer
	n int64
}

func (c *countingWriter) Write(b []byte) (int, error) {
	n, err := c.w.Write(b)
	c.n += int64(n)
	return n, err
}

// stateVersion is raised when an older program must not read a newer state.
const stateVersion = 2

// state is what a checkpoint keeps beside the model and its training.
type state struct {
	Version  int               `json:"version"`
	Settings Config            `json:"settings"`
	Notes    map[string]string `json:"notes,omitempty"`

	Init     bool      `json:"init,omitempty"` // there was an initial model
	Warnings []Warning `json:"warnings,omitempty"`
	Reach    float64   `json:"reach,omitempty"`

	// Ahead is how many rows preprocessing learned from, where statistics of
	// later ones are kept. Kept: each epoch visits rows that are kept.
	Ahead int64 `json:"ahead,omitempty"`
	Kept  bool  `json:"kept,omitempty"`

	position
	Forward *forward `json:"forward,omitempty"` // nil: the input is read again
}

// position says how far a fit is.
type position struct {
	Visiting bool  `json:"visiting,omitempty"` // rows are kept ones, not those that arrive
	Rows     int64 `json:"rows,omitempty"`     // of the running epoch that were trained on

	// Unvalidated: held-out rows have yet to judge the epoch that has ended.
	Unvalidated bool `json:"unvalidated,omitempty"`

	// Input is what was read of the input: all of it, or the rows trained on.
	Input *identity `json:"input,omitempty"`
}

// forward is what a fit needs that goes on with the next row.
type forward struct {
	form
	Next int64         `json:"next"` // number of the next row
	Bad  patch.BadRows `json:"bad_rows,omitzero"`
}

// The names of what a checkpoint keeps as bytes.
const (
	dataStatistics    = "statistics"     // of rows, for Report.Drift
	dataRows          = "rows"           // that wait for their block to be full
	dataNumbers       = "numbers"        // of these
	dataWindow        = "window"         // rows that are in the window
	dataWindowNumbers = "window_numbers" // of these
)

// saver makes the checkpoints that Config.Checkpoint asks for. A nil one makes
// none. It is used by one goroutine at a time.
type saver struct {
	call    func(*Checkpoint) error
	every   time.Duration // negative: only where an epoch ends
	make    func() *Checkpoint
	last    time.Time // when the last one was made, or training began
	pending bool      // something was trained on since the one that was Last
	failed  bool      // call did; it is not called again
}

// newSaver returns the saver of f, whose training begins.
func newSaver(f *Fitter) *saver {
	if f.plan.checkpoint == nil {
		return nil
	}
	return &saver{call: f.plan.checkpoint, every: f.plan.checkpointEvery, make: f.checkpoint, last: time.Now()}
}

// trained is told that the training has moved.
func (s *saver) trained() {
	if s != nil {
		s.pending = true
	}
}

// due makes a checkpoint if it is time.
func (s *saver) due() error {
	if s == nil || s.every < 0 || time.Since(s.last) < s.every {
		return nil
	}
	return s.save(false)
}

// save makes a checkpoint; a last one only where something has moved.
func (s *saver) save(last bool) error {
	if s == nil || s.failed || last && !s.pending {
		return nil
	}
	c := s.make()
	c.Last = last
	err := s.call(c)
	c.write, s.failed = nil, err != nil
	s.last, s.pending = time.Now(), s.pending && !last
	return err
}

// checkpoint returns a checkpoint of the fit as it is, for the goroutine that
// trains.
func (f *Fitter) checkpoint() *Checkpoint {
	t := f.passes
	c := &Checkpoint{
		Epoch: len(f.model.History), Epochs: f.plan.epochs, Rows: t.at.Rows,
		Notes: f.notes, Model: f.model,
	}
	c.write = func(w io.Writer) error { return f.writeState(w, nil) }
	return c
}

// writeState writes a checkpoint. With forward it holds the rows that wait in
// the current block, and goes on with the row after these.
func (f *Fitter) writeState(w io.Writer, next *forward) (err error) {
	p, t := f.plan, f.passes
	s := state{
		Version: stateVersion, Settings: p.config, Notes: f.notes,
		Init: p.init != nil, Warnings: p.warnings, Reach: f.reach,
		Kept: t.kept != nil, position: t.at, Forward: next,
	}
	host := model.Host{Data: map[string][]byte{}}
	if next != nil {
		s.Input = nil
		rows, held := f.feed.current.rows, t.window.rows()
		host.Data[dataRows], host.Data[dataNumbers] = rows.Data, numberBytes(rows.Number)
		host.Data[dataWindow], host.Data[dataWindowNumbers] = held.Data, numberBytes(held.Number)
	}
	if l := f.learning; l != nil && l.ahead > 0 {
		s.Ahead = l.ahead
		if host.Data[dataStatistics], err = l.statistics.MarshalState(); err != nil {
			return err
		}
	}
	if host.State, err = json.Marshal(s); err != nil {
		return fmt.Errorf("writing a checkpoint: %w", err)
	}
	return t.trainings[0].trainer.WriteCheckpoint(w, host)
}

// Checkpoint writes a checkpoint of a fit of one epoch that holds no rows out,
// with every row that was written so far; [ResumeForward] goes on from it. It
// waits until these are trained on, but for those that wait for their batch or
// are in the window, and changes nothing. The error is [ErrTooEarly] while
// there is nothing to go on from, that of the training, or w's; those of w do
// not end the Fitter.
func (f *Fitter) Checkpoint(w io.Writer) error {
	switch {
	case f.err != nil:
		return f.err
	case f.plan == nil:
		return errZeroFitter
	}
	if err := f.plan.onePass(); err != nil {
		return err
	}
	if f.passes == nil || f.learning != nil && !f.learning.done || f.reading != nil && !f.reading.passed() {
		return ErrTooEarly
	}
	if f.err = f.feed.idle(); f.err != nil {
		return f.err
	}
	if f.passes.streamed() == 0 {
		return ErrTooEarly
	}
	of := form{f.intake.binding.Source(), f.feed.current.rows.Kind, f.model.Inputs}
	return f.writeState(w, &forward{of, f.intake.next, f.intake.bad.BadRows})
}

// numberBytes returns numbers of rows as a checkpoint keeps them.
func numberBytes(numbers []int64) []byte {
	b := make([]byte, 0, 8*len(numbers))
	for _, n := range numbers {
		b = binary.LittleEndian.AppendUint64(b, uint64(n))
	}
	return b
}

// onePass reports why rows do not just pass by once.
func (p *plan) onePass() error {
	switch {
	case !p.trains():
		return &model.ConfigError{Setting: "Epochs", Reason: "a fit without epochs has no checkpoints"}
	case p.keeps():
		return &model.ConfigError{Setting: "Epochs", Reason: "rows are visited again, and a checkpoint does not hold them", Hint: "use `Checkpoint` of the settings, or make `Epochs` 1"}
	case p.validates():
		return &model.ConfigError{Setting: "Validation", Reason: "rows are held out, and a checkpoint does not hold them", Hint: "use `Checkpoint` of the settings, or leave `Validation` out"}
	case p.whole():
		return &model.ConfigError{Setting: "BatchSize", Reason: "a full batch has no state between its rows", Hint: "use mini-batches"}
	}
	return nil
}

package main

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aefeat/aefeat/stage"
)

// Without any checkpoint, one that cannot be written is an error. With one, or
// at the end of the fit, a warning tells it once.
func TestCheckpointThatFails(t *testing.T) {
	var b bytes.Buffer
	ui := &console{err: &b}
	write := func(there bool, checkpoints ...*stage.Checkpoint) (err error) {
		s, failed := newSaver(ui, newProgress(ui, progressPlain), filepath.Join(t.TempDir(), "c"), 1, commandLine{}, there)
		if failed != nil {
			t.Fatal(failed)
		}
		for _, c := range checkpoints {
			c.Notes = map[string]string{}
			err = s.write(c) // outside of a fit none can be written
		}
		return err
	}
	if err := write(false, &stage.Checkpoint{}); err == nil || b.Len() > 0 {
		t.Errorf("the first: error %v, %q", err, b.String())
	}
	for _, c := range []struct {
		there bool
		last  bool
	}{{true, false}, {true, true}, {false, true}} {
		b.Reset()
		err := write(c.there, &stage.Checkpoint{Last: c.last}, &stage.Checkpoint{Last: c.last})
		if warnings := strings.Count(b.String(), "aefeat: warning: writing the checkpoint: "); err != nil || warnings != 1 {
			t.Errorf("%+v: error %v, %d warnings", c, err, warnings)
		}
	}
}

// Where writing takes long beside the epochs, checkpoints are passed over; the
// last one never is.
func TestCheckpointsTakeATenth(t *testing.T) {
	ui := &console{err: &bytes.Buffer{}}
	s, err := newSaver(ui, newProgress(ui, progressNone), filepath.Join(t.TempDir(), "c"), 0, commandLine{}, false)
	if err != nil {
		t.Fatal(err)
	}
	tried := func(c *stage.Checkpoint) bool {
		c.Notes = map[string]string{}
		return s.write(c) != nil // one that is tried fails
	}
	if !tried(&stage.Checkpoint{}) {
		t.Error("the first was passed over")
	}
	s.took = stage.DefaultCheckpointEvery
	if tried(&stage.Checkpoint{}) {
		t.Error("one that follows soon was not passed over")
	}
	s.written = s.written.Add(-stage.DefaultCheckpointEvery)
	if !tried(&stage.Checkpoint{}) {
		t.Error("one that is due was passed over")
	}
	s.took = stage.DefaultCheckpointEvery
	if s.there = true; tried(&stage.Checkpoint{Last: true}) || !s.failing {
		t.Error("the last was passed over")
	}
}

// No program ends while a checkpoint gets its name, and what says how to go on
// can be pasted.
func TestWork(t *testing.T) {
	var none *work
	none.begin()()
	none.resumable("c", false)
	if none.busy() || none.hint() != "" || none.whole(func() error { return nil }) != nil {
		t.Error("nil is at work")
	}
	w := new(work)
	end := w.begin()
	if !w.busy() {
		t.Error("not busy while a checkpoint is written")
	}
	if end(); w.busy() {
		t.Error("busy after it")
	}
	w.resumable("my fit.ckpt", true)
	if want := "go on with: aefeat fit --resume 'my fit.ckpt' - (and the same rows on standard input)"; w.hint() != want {
		t.Errorf("%q, want %q", w.hint(), want)
	}
}

package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/aefeat/aefeat/arrowio"
	"github.com/aefeat/aefeat/model"
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

// What a checkpoint has kept of a command line is as foreign as its file.
func TestForeignNotes(t *testing.T) {
	dir := t.TempDir()
	input, output, file := filepath.Join(dir, "in.arrows"), filepath.Join(dir, "m"), filepath.Join(dir, "c")
	for _, c := range []struct {
		note   string // "": none
		args   []string
		status int
		says   string
	}{
		{"", []string{input, "-o", output}, exitDone, "the model goes to " + output},
		{"", []string{"-o", output}, exitUsage, "the checkpoint says of no input"},
		{"{", nil, exitData, "the checkpoint's note of the command is damaged"},
		{`{"inputs":["nowhere\u001b[31m"]}`, []string{"-o", output}, exitNoInput, `nowhere\x1b[31m: `},
		{`{"flags":{"layout":["x"]}}`, []string{input}, exitData, `has kept --layout "x", which cannot be: choose columns,`},
		{`{"flags":{"memory":["-1"]}}`, []string{input}, exitData, "has kept --memory"},
		{`{"flags":{"hidden":["7"],"no-such":["7"]}}`, []string{input, "-o", output}, exitDone, "4 hidden units"},
		{`{"flags":{"output":["m"]},"directory":"` + dir + `"}`, []string{input}, exitDone, "the model goes to " + output},
		{`{"inputs":["in.arrows"],"flags":{"output":["m"]},"directory":"` + dir + `"}`, nil, exitDone, "the model goes to " + output},
	} {
		checkpointWith(t, input, file, c.note)
		var b bytes.Buffer
		ui := &console{in: strings.NewReader(""), out: &bytes.Buffer{}, err: &b}
		ctx := context.Background()
		args := append([]string{"aefeat", "fit", "--resume", file}, c.args...)
		if status := finish(ctx, ui, runApp(ctx, newApp(ui), args)); status != c.status || !strings.Contains(b.String(), c.says) {
			t.Errorf("%s, %q: status %d, want %d: %s", c.note, c.args, status, c.status, b.String())
		}
	}
}

// checkpointWith writes rows and the checkpoint of a program that has fitted
// them.
func checkpointWith(t *testing.T, input, file, note string) {
	t.Helper()
	rows := patchOf("", arrow.PrimitiveTypes.Uint8, integers(0, 255))
	rows.write(t, input)
	src, err := arrowio.Open([]string{input}, arrowio.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	r, err := src.Reader(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Release()
	_, _, err = stage.Fit(t.Context(), r, stage.Config{Model: model.Plain(4), Epochs: 1, Checkpoint: func(c *stage.Checkpoint) error {
		if note != "" {
			c.Notes[commandNote] = note
		}
		var b bytes.Buffer
		_, err := c.WriteTo(&b)
		return errors.Join(err, os.WriteFile(file, b.Bytes(), 0o666))
	}})
	if err != nil {
		t.Fatal(err)
	}
}

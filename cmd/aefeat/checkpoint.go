package main

import (
	"bufio"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/aefeat/aefeat/internal/atomicfile"
	"github.com/aefeat/aefeat/model"
	"github.com/aefeat/aefeat/stage"
)

// This file writes the checkpoints of a fit. resume.go goes on from one.

// commandNote is the key of what a checkpoint keeps of the command line, as
// JSON.
const commandNote = "aefeat fit"

// commandLine is what a checkpoint keeps of the command that wrote it.
type commandLine struct {
	Directory string              `json:"directory"`      // that names are relative to
	Inputs    []string            `json:"inputs"`         // none: standard input
	Flags     map[string][]string `json:"flags"`          // that were given, of those that are kept
	Rows      int64               `json:"rows,omitempty"` // of the inputs, where these say so; 0: they do not
	Parent    *modelRecord        `json:"parent,omitempty"`
}

// newCommandLine notes what a command was given that reads inputs.
func newCommandLine(c *cli.Context, inputs []string) commandLine {
	line := commandLine{Inputs: inputs, Flags: map[string][]string{}}
	line.Directory, _ = os.Getwd() // without one, names stay as they are
	for _, f := range flagsOf(c.Command.Name) {
		if !f.kept || !c.IsSet(f.name) {
			continue
		}
		switch f.value.(type) {
		case size:
			line.Flags[f.name] = []string{fmt.Sprint(int64(*c.Generic(f.name).(*size)))} // exact
		case period:
			line.Flags[f.name] = []string{time.Duration(*c.Generic(f.name).(*period)).String()}
		case choice:
			line.Flags[f.name] = []string{chosen(c, f.name)}
		case []string:
			line.Flags[f.name] = c.StringSlice(f.name)
		default:
			line.Flags[f.name] = []string{fmt.Sprint(c.Value(f.name))}
		}
	}
	return line
}

// saver writes the checkpoints of a fit, each in the place of the one before.
type saver struct {
	ui       *console
	progress *progress
	path     string
	line     commandLine
	every    time.Duration // as --checkpoint-every says
	stdin    bool          // the rows come from there
	there    bool          // one of this fit is at path
	failing  bool          // the last one was not written, and that was told

	written time.Time     // when the last one was
	took    time.Duration // how long that was
}

// savingShare is the part of the time that writing may take where epochs are
// short: a tenth. A small file takes some hundredths of a second, most of them
// spent on waiting for the disk.
const savingShare = 10

// newSaver makes sure that checkpoints can be written to path. there is whether
// one of this fit is there already.
func newSaver(ui *console, p *progress, path string, every time.Duration, line commandLine, there bool) (*saver, error) {
	f, err := atomicfile.Create(path)
	if err != nil {
		return nil, err
	}
	_ = f.Abort() // nothing was written
	return &saver{ui: ui, progress: p, path: path, line: line, every: cmp.Or(every, stage.DefaultCheckpointEvery), there: there, stdin: slices.ContainsFunc(orStdin(line.Inputs), isStdin)}, nil
}

// write writes a checkpoint. The first that fails is an error while there is
// none, since somebody relies on one. Later the one before stays, training goes
// on, and the next may be written.
func (s *saver) write(c *stage.Checkpoint) error {
	began := time.Now()
	if soon := min((savingShare-1)*s.took, s.every); !c.Last && began.Sub(s.written) < soon {
		return nil
	}
	err := s.save(c)
	s.written = time.Now()
	s.took = s.written.Sub(began)
	if err == nil {
		s.there, s.failing = true, false
		s.ui.work.resumable(s.path, s.stdin)
		s.progress.checkpoint(s.path, c)
		return nil
	}
	if diverged := (*model.DivergedError)(nil); errors.As(err, &diverged) {
		return err // of which the fit would have told soon
	}
	err = fmt.Errorf("writing the checkpoint: %w", err)
	if !s.there && !c.Last {
		return err
	}
	if !s.failing {
		s.failing = true
		hint := "" // there is none, and the fit is at its end
		if s.there {
			hint = "the one before it stays, and training goes on"
		}
		s.progress.warn(codeCheckpointLost, hint, "%v", err)
	}
	return nil
}

func (s *saver) save(c *stage.Checkpoint) error {
	note, err := json.Marshal(s.line)
	if err != nil {
		return err
	}
	c.Notes[commandNote] = string(note)
	return s.ui.work.save(s.path, func(f io.Writer) error {
		w := bufio.NewWriterSize(f, 1<<20)
		if _, err := c.WriteTo(w); err != nil {
			return err
		}
		return w.Flush()
	})
}

// work is what a signal must not cut short, and what is left when it has ended
// the program. nil has nothing.
type work struct {
	saving atomic.Bool // a checkpoint is being written
	commit sync.Mutex  // held while one gets its name
	goOn   atomic.Pointer[string]
}

// save writes a checkpoint, which appears whole or not at all.
func (w *work) save(path string, write func(io.Writer) error) error {
	defer w.begin()()
	f, err := atomicfile.Create(path)
	if err != nil {
		return err
	}
	defer f.Abort() // after Commit it does nothing
	if err := write(f); err != nil {
		return err
	}
	return w.whole(f.Commit)
}

// begin tells that a checkpoint is being written, until end is called.
func (w *work) begin() (end func()) {
	if w == nil {
		return func() {}
	}
	w.saving.Store(true)
	return func() { w.saving.Store(false) }
}

// busy reports whether a checkpoint is being written.
func (w *work) busy() bool { return w != nil && w.saving.Load() }

// whole calls do, during which exit waits.
func (w *work) whole(do func() error) error {
	if w != nil {
		w.commit.Lock()
		defer w.commit.Unlock()
	}
	return do()
}

// exit ends the program, but not while a checkpoint gets its name.
func (w *work) exit(status int) {
	if w != nil {
		w.commit.Lock() // for good
	}
	os.Exit(status)
}

// resumable tells that a fit can be gone on with from a checkpoint, and whether
// its rows come from standard input.
func (w *work) resumable(checkpoint string, stdin bool) {
	also := ""
	if stdin {
		also = " - (and the same rows on standard input)"
	}
	w.resumableBy(also, "fit", "--resume", checkpoint)
}

// resumableBy tells the command that goes on with what is at work, and what
// to write behind it.
func (w *work) resumableBy(also string, command ...string) {
	if w == nil {
		return
	}
	hint := "go on with: " + shell(append([]string{"aefeat"}, command...)) + also
	w.goOn.Store(&hint)
}

// hint says how to go on with what was interrupted; "": nothing is left of it.
func (w *work) hint() string {
	if w == nil || w.goOn.Load() == nil {
		return ""
	}
	return *w.goOn.Load()
}

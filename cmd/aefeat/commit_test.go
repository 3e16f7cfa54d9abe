package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aefeat/aefeat/internal/disk"
	"github.com/aefeat/aefeat/model"
	"github.com/aefeat/aefeat/testdata"
)

// runHere runs a command in this process and returns its status and what it
// said on standard error.
func runHere(t *testing.T, args ...string) (status int, said string) {
	t.Helper()
	return runWith(t, "", args...)
}

// runWith is runHere with a standard input.
func runWith(t *testing.T, stdin string, args ...string) (status int, said string) {
	t.Helper()
	var errs bytes.Buffer
	ui := &console{in: strings.NewReader(stdin), out: io.Discard, err: &errs, json: wantsJSON(args)}
	status = finish(t.Context(), ui, runApp(t.Context(), newApp(ui), append([]string{"aefeat"}, args...)))
	return status, errs.String()
}

// fitFolder is a folder with an input and what earlier fits may have left.
func fitFolder(t *testing.T) func(name string) string {
	dir := t.TempDir()
	t.Setenv("TMPDIR", t.TempDir())
	for name, text := range map[string]string{"in.parquet": testdata.DigitsTest, "m": "old", "f.parquet": "old", "r.json": "old"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return func(name string) string { return filepath.Join(dir, name) }
}

var quickFit = []string{"fit", "--hidden", "3", "--epochs", "1", "--progress", "none"}

// TestFitCommitsTogether fails to write or to name one of the three outputs of
// a fit: those before it in the order of names are new, if any are.
func TestFitCommitsTogether(t *testing.T) {
	all := []string{"f.parquet", "m", "r.json"} // as they appear
	for _, test := range []struct {
		op, name string
		renewed  int // how many are new
		kept     bool
	}{
		{"write", "f.parquet", 0, true},
		{"sync", "f.parquet", 0, true},
		{"rename", "f.parquet", 0, true},
		{"write", "m", 0, true},
		{"sync", "m", 0, true},
		{"rename", "m", 1, true},
		{"write", "r.json", 0, true},
		{"sync", "r.json", 0, true},
		{"rename", "r.json", 2, false},
		{"", "", 3, false},
	} {
		at := fitFolder(t)
		restore := disk.Inject(func(c disk.Call) disk.Fault {
			if c.Op == test.op && filepath.Base(c.Name) == test.name {
				return disk.Fault{Err: syscall.EIO}
			}
			return disk.Fault{}
		})
		status, said := runHere(t, append(quickFit, "-o", at("m"), "--emit", at("f.parquet"), "--report", at("r.json"), at("in.parquet"))...)
		restore()
		want := exitMachine
		if test.op == "" {
			want = exitDone
		}
		if status != want || test.op != "" && !strings.Contains(said, at(test.name)) {
			t.Errorf("%s of %s: status %d: %s", test.op, test.name, status, said)
		}
		for i, name := range all {
			got, _ := os.ReadFile(at(name))
			if isNew := string(got) != "old"; isNew != (i < test.renewed) {
				t.Errorf("%s of %s: %s is new: %t", test.op, test.name, name, isNew)
			}
		}
		kept := at("m.kept-1")
		if _, err := os.Stat(kept); (err == nil) != test.kept || test.kept != strings.Contains(said, "kept in "+kept) {
			t.Errorf("%s of %s: kept %v: %s", test.op, test.name, err, said)
		}
		left, _ := filepath.Glob(at(".*"))
		if len(left) > 0 {
			t.Errorf("%s of %s: left behind %q", test.op, test.name, left)
		}
	}
}

// TestModelIsKept has a system that names no file, and folders with room for
// nothing more.
func TestModelIsKept(t *testing.T) {
	at := fitFolder(t)
	if status, said := runHere(t, append(quickFit, "-o", at("whole"), at("in.parquet"))...); status != exitDone {
		t.Fatal(said)
	}
	whole, err := os.ReadFile(at("whole"))
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		full string // what cannot be written
		kept string // where the model is then
		sync bool   // fails
	}{
		{kept: at("m.kept-1")},
		{kept: at("m.kept-2")},
		{full: at("m.kept-3"), kept: filepath.Join(os.TempDir(), "m.kept-1")},
		{sync: true, kept: at("m.kept-3")},
	} {
		restore := disk.Inject(func(c disk.Call) disk.Fault {
			switch {
			case test.sync && c.Op == "sync":
				return disk.Fault{Err: syscall.EIO}
			case c.Op == "link", c.Op == "rename", c.Op == "write" && strings.HasSuffix(c.Name, ".tmp"):
				return disk.Fault{Err: syscall.EPERM}
			case test.full != "" && c.Name == test.full && c.Op == "write":
				return disk.Fault{Err: syscall.ENOSPC}
			}
			return disk.Fault{}
		})
		status, said := runHere(t, append(quickFit, "-o", at("m"), at("in.parquet"))...)
		restore()
		got, err := os.ReadFile(test.kept)
		if status != exitMachine || !strings.Contains(said, "; the trained model is kept in "+test.kept+"\n") || err != nil || !bytes.Equal(got, whole) {
			t.Errorf("status %d, error %v: %s", status, err, said)
		}
		if _, err := model.Read(bytes.NewReader(got)); err != nil {
			t.Error(err)
		}
		if old, _ := os.ReadFile(at("m")); string(old) != "old" {
			t.Error("the old model is gone")
		}
		if _, err := os.Stat(test.full); err == nil {
			t.Errorf("%s is there", test.full)
		}
	}
}

// TestNoRoomForModel finds out before training.
func TestNoRoomForModel(t *testing.T) {
	at := fitFolder(t)
	defer disk.Inject(func(c disk.Call) disk.Fault {
		if c.Op == "allocate" {
			return disk.Fault{Err: syscall.ENOSPC}
		}
		return disk.Fault{}
	})()
	status, said := runHere(t, "fit", "--progress", "plain", "-o", at("m"), at("in.parquet"))
	if status != exitMachine || !strings.Contains(said, at("m")) || !strings.Contains(said, "no space") || strings.Contains(said, "epoch") {
		t.Errorf("status %d: %s", status, said)
	}
}

// TestInputChanges puts a copy in the place of the input before --emit reads it
// again.
func TestInputChanges(t *testing.T) {
	at := fitFolder(t)
	opened := 0
	defer disk.Inject(func(c disk.Call) disk.Fault {
		if c.Op == "open" && c.Name == at("in.parquet") {
			if opened++; opened == 3 { // to see what it is, to fit, to transform
				past := time.Now().Add(-time.Hour)
				if err := errors.Join(os.WriteFile(at("copy"), []byte(testdata.DigitsTest), 0o666), os.Chtimes(at("copy"), past, past), os.Rename(at("copy"), at("in.parquet"))); err != nil {
					t.Error(err)
				}
			}
		}
		return disk.Fault{}
	})()
	status, said := runHere(t, append(quickFit, "-o", at("m"), "--emit", at("f.parquet"), at("in.parquet"))...)
	if opened != 3 || status != exitMachine || !strings.Contains(said, "error: "+at("in.parquet")+": the file changed") {
		t.Errorf("opened %d times, status %d: %s", opened, status, said)
	}
	for _, name := range []string{"m", "f.parquet"} {
		if got, _ := os.ReadFile(at(name)); string(got) != "old" {
			t.Errorf("%s was replaced", name)
		}
	}
	names, _ := filepath.Glob(at("*"))
	if want := []string{at("f.parquet"), at("in.parquet"), at("m"), at("m.kept-1"), at("r.json")}; !slices.Equal(names, want) {
		t.Errorf("%q", names)
	}
}

// TestCommandsCommitTogether fails to write the last of the outputs of other
// commands: the others stay as they were.
func TestCommandsCommitTogether(t *testing.T) {
	at := fitFolder(t)
	if status, said := runHere(t, append(quickFit, "-o", at("model"), at("in.parquet"))...); status != exitDone {
		t.Fatal(said)
	}
	for _, test := range []struct{ command, last, others string }{
		{"transform -o f.parquet --report r.json", "r.json", "f.parquet"},
		{"explain --top 2 -o f.parquet --picture m", "m", "f.parquet"},
	} {
		args := []string{}
		for _, a := range strings.Fields(test.command + " -m model in.parquet") {
			if _, err := os.Stat(at(a)); err == nil {
				a = at(a)
			}
			args = append(args, a)
		}
		for _, op := range []string{"write", "sync"} {
			restore := disk.Inject(func(c disk.Call) disk.Fault {
				if c.Op == op && c.Name == at(test.last) {
					return disk.Fault{Err: syscall.ENOSPC}
				}
				return disk.Fault{}
			})
			status, said := runHere(t, args...)
			restore()
			if status != exitMachine || !strings.Contains(said, at(test.last)) {
				t.Errorf("%s, %s: status %d: %s", test.command, op, status, said)
			}
			for _, name := range []string{test.last, test.others} {
				if got, _ := os.ReadFile(at(name)); string(got) != "old" {
					t.Errorf("%s, %s: %s was replaced", test.command, op, name)
				}
			}
		}
		if status, said := runHere(t, args...); status != exitDone {
			t.Error(said)
		}
		for _, name := range []string{test.last, test.others} {
			if err := os.WriteFile(at(name), []byte("old"), 0o666); err != nil {
				t.Error(err)
			}
		}
	}
}

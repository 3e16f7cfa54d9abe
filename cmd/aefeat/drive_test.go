package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"testing"
)

// drivenPasses answers a driver within this process: each pass gets the lines
// that answer makes for its number, from 1 up, and its point.
type drivenPasses struct {
	t      *testing.T
	passes int
	answer func(pass int, point string) string
	in     io.Reader
	lines  *io.PipeWriter
}

// driveWith runs a driver, and returns its status and what it says.
func driveWith(t *testing.T, answer func(pass int, point string) string, line string) (status int, said string) {
	t.Helper()
	in, lines := io.Pipe()
	p := &drivenPasses{t: t, answer: answer, lines: lines}
	defer in.Close() // ends a write that is late
	args := strings.Fields("aefeat drive " + line)
	var errs bytes.Buffer
	ui := &console{in: in, out: p, err: &errs, json: wantsJSON(args)}
	status = finish(t.Context(), ui, runApp(t.Context(), newApp(ui), args))
	return status, errs.String()
}

// Write implements [io.Writer]. Lines come one at a time.
func (p *drivenPasses) Write(line []byte) (int, error) {
	if point, ok := strings.CutPrefix(strings.TrimSpace(string(line)), "pass "); ok {
		p.passes++
		answer := p.answer(p.passes, point)
		go func() {
			_, err := io.WriteString(p.lines, answer)
			if answer == "" {
				err = p.lines.Close()
			}
			if err != nil && !errors.Is(err, io.ErrClosedPipe) {
				p.t.Error(err)
			}
		}()
	}
	return len(line), nil
}

// gathered gathers the sums of shards, the inputs, and returns the lines of them.
func gathered(t *testing.T, point string, inputs ...string) (lines string) {
	t.Helper()
	for i, input := range inputs {
		args := fmt.Sprintf("sums -q -m %s --shard %d --first %d -o %d.sums %s", point, i, 200*i, i, input)
		mustRun(t, args)
		lines += fmt.Sprintf("%d.sums\n", i)
	}
	return lines
}

func mustRun(t *testing.T, lines ...string) {
	t.Helper()
	for _, line := range lines {
		if status, said := runWith(t, "", strings.Fields(line)...); status != 0 {
			t.Fatalf("%s: status %d: %s", line, status, said)
		}
	}
}

func refuses(t *testing.T, status int, said string, c code, says string) {
	t.Helper()
	if status != statusOf(c) || !strings.Contains(said, fmt.Sprintf("%q", c)) || !strings.Contains(said, says) {
		t.Errorf("status %d, want %d of %s and %q: %s", status, statusOf(c), c, says, said)
	}
}

// A point takes the place of nothing but of itself, as a driver that was killed
// leaves it.
func TestPointReplacesNothing(t *testing.T) {
	writeShards(t, 1)
	mustRun(t, "fit -q --hidden 5 --epochs 0 -o init 0")
	init := readText(t, "init")
	writeBytes(t, "model.pass-1", []byte(init))
	if err := os.Symlink("model.pass-1", "link"); err != nil {
		t.Skip(err)
	}
	for _, flags := range []string{"-m model.pass-1 --shards 1", "-m link --shards 1", "-m ./model.pass-1 --shards 1", "--resume model.pass-1", "--resume model.pass-3",
		"-m init --checkpoint model.pass-1 --shards 1", "-m init --checkpoint model.pass-2 --shards 1"} {
		status, said := runWith(t, "", strings.Fields("drive --progress json -o model "+flags)...)
		refuses(t, status, said, codeUsageOutput, "the point of a pass would replace")
	}
	foreign := func(name string) {
		t.Helper()
		status, said := runWith(t, "", strings.Fields("drive --progress json -m init -o "+name+" --shards 1")...)
		refuses(t, status, said, codeUsageOutput, "would replace "+name+".pass-1, which is there already")
	}
	writeBytes(t, "a.pass-1", []byte("mine"))
	foreign("a")
	if err := os.Mkdir("b.pass-1", 0o777); err != nil {
		t.Fatal(err)
	}
	foreign("b")
	if readText(t, "a.pass-1") != "mine" || readText(t, "model.pass-1") != init {
		t.Error("a file was replaced")
	}
	// that of a predecessor
	var point string
	driveWith(t, func(_ int, p string) string { point = readText(t, p); return "" }, "-m init -o c --shards 1 --optimizer adam")
	writeBytes(t, "c.pass-1", []byte(point))
	status, said := driveWith(t, func(_ int, p string) string { return gathered(t, p, "0") }, "-q -m init -o c --shards 1 --epochs 1 --optimizer adam")
	if _, err := os.Stat("c.pass-1"); status != 0 || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("status %d, %v: %s", status, err, said)
	}
}

// All passes are over the same rows.
func TestRowsOfPassesStay(t *testing.T) {
	writeShards(t, 2)
	mustRun(t, "fit -q --hidden 5 --epochs 0 -o init 0")
	whole := func(_ int, point string) string { return gathered(t, point, "0", "1") }
	fewer := func(_ int, point string) string { return gathered(t, point, "0", "fewer") }
	for _, optimizer := range []string{"lbfgs", "adam"} {
		status, said := driveWith(t, func(pass int, point string) string {
			if pass < 2 {
				return whole(pass, point)
			}
			return fewer(pass, point)
		}, "--progress json --checkpoint ck -o "+optimizer+" --epochs 2 -m init --shards 2 --optimizer "+optimizer)
		refuses(t, status, said, codeSumsShards, "the shards have 399 rows, and had 400 in the passes before")
		status, said = driveWith(t, fewer, "--progress json --resume ck -o "+optimizer)
		refuses(t, status, said, codeSumsShards, "the shards have 399 rows, and had 400 in the passes before")
		if _, err := os.Stat(optimizer); err == nil {
			t.Errorf("%s: there is a model", optimizer)
		}
		if status, said = driveWith(t, whole, "--progress json --resume ck -o "+optimizer); status != 0 {
			t.Errorf("%s: status %d: %s", optimizer, status, said)
		}
	}
}

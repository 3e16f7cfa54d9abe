package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// drivenPasses answers a driver within this process: each pass gets the lines
// that answer makes for its number, from 1 up, and its point.
type drivenPasses struct {
	t      *testing.T
	passes int
	answer func(pass int, point string) string
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

// Sums may come through standard input and pipes, which are read once.
func TestSumsOfPipes(t *testing.T) {
	writeShards(t, 2)
	mustRun(t, "fit -q --hidden 5 --epochs 0 -o init 0", "fit -q --hidden 5 --preprocess zca --epochs 0 -o zca 0", "sums -q -m init --shard 0 -o a 0", "sums -q -m init --shard 1 -o b 1",
		"merge -q a b -o whole", "sums -q -m init --of evaluation --shard 0 -o evaluation 0", "statistics -q -m zca --shard 0 -o statistics 0")
	for line, stdin := range map[string]string{"merge - b -o x": "a", "merge b - -o x": "a", "evaluate -m init --sums -": "evaluation",
		"statistics -m zca --sums - -o y": "statistics"} {
		if status, said := runWith(t, readText(t, stdin), strings.Fields(line)...); status != 0 {
			t.Errorf("%s: status %d: %s", line, status, said)
		}
	}
	if readText(t, "x") != readText(t, "whole") {
		t.Error("merging standard input gives other bytes")
	}
	pipe := func(name string) func(data string) {
		if err := exec.Command("mkfifo", name).Run(); err != nil {
			t.Skip(err)
		}
		return func(data string) {
			go func() {
				if err := os.WriteFile(name, []byte(data), 0); err != nil {
					t.Error(err)
				}
			}()
		}
	}
	send := pipe("pipe")
	send(readText(t, "a"))
	if mustRun(t, "merge -q pipe b -o z"); readText(t, "z") != readText(t, "whole") {
		t.Error("merging a pipe gives other bytes")
	}
	status, said := driveWith(t, func(_ int, point string) string {
		gathered(t, point, "0")
		send(readText(t, "0.sums"))
		return "pipe\n"
	}, "-m init -o model --shards 1 --epochs 1 --optimizer adam")
	if status != 0 {
		t.Errorf("drive: status %d: %s", status, said)
	}

	// one that nobody writes to
	ctx, cancel := context.WithCancelCause(t.Context())
	ui := &console{in: strings.NewReader("pipe\n"), out: writerFunc(func() { cancel(&signalError{os.Interrupt}) }), err: new(bytes.Buffer), work: new(work)}
	status = finish(ctx, ui, runApp(ctx, newApp(ui), strings.Fields("aefeat drive -m init -o model --checkpoint ck --shards 1")))
	if said := fmt.Sprint(ui.err); status != 130 || !strings.Contains(said, "interrupted") || !strings.Contains(said, "go on with: aefeat drive --resume ck -o model") {
		t.Errorf("status %d: %s", status, said)
	}
	if _, err := os.Stat("model.pass-1"); err == nil {
		t.Error("the point is left behind")
	}
	if f, err := os.OpenFile("pipe", os.O_RDWR, 0); err == nil { // ends what waits
		f.Close()
	}
}

// writerFunc is called for each write.
type writerFunc func()

func (f writerFunc) Write(p []byte) (int, error) {
	f()
	return len(p), nil
}

// What a driver says of itself, and others of its checkpoint.
func TestDriverTells(t *testing.T) {
	writeShards(t, 1)
	mustRun(t, "fit -q --hidden 5 --epochs 0 -o init 0")
	answer := func(_ int, point string) string { return gathered(t, point, "0") }
	status, said := driveWith(t, answer, "-m init -o model --shards 1 --epochs 1 --checkpoint ck")
	if status != 0 || !strings.Contains(said, "fitted 200 rows in 1 iteration (2 evaluations): ") || !strings.Contains(said, "\naefeat: stopped: at --epochs") || strings.Contains(said, " 0 rows/s") {
		t.Errorf("status %d: %s", status, said)
	}
	if status, said = driveWith(t, answer, "-m init -o model --shards 1 --epochs 1 --optimizer adam --momentum 0.5"); status != 0 || !strings.Contains(said, "--momentum changes nothing: only sgd has a momentum") {
		t.Errorf("status %d: %s", status, said)
	}
	if status, said = runWith(t, "", strings.Fields("sums -m init --shard 0 --epoch 3 -o a 0")...); status != 0 || !strings.Contains(said, "--epoch changes nothing: the corruption is 0") {
		t.Errorf("status %d: %s", status, said)
	}
	status, said = runWith(t, "", strings.Fields("fit --resume ck --progress json -o x 0")...)
	refuses(t, status, said, codeCheckpoint, "go on with aefeat drive --resume ck -o MODEL")
	if strings.Contains(said, "damaged") {
		t.Error(said)
	}
	for flag, want := range map[string]string{"": "of drive, after 1 of 1 iteration\n", "--json": `"checkpoint":{"epoch":1,"epochs":1,"rows":0,"shards":1}`} {
		var out strings.Builder
		ui := &console{out: &out, err: io.Discard}
		if err := runApp(t.Context(), newApp(ui), strings.Fields("aefeat inspect ck "+flag)); err != nil || !strings.Contains(out.String(), want) {
			t.Errorf("%v: %s", err, out.String())
		}
	}
	closed := &console{in: strings.NewReader(""), out: &stdout{closed: true}, err: new(bytes.Buffer)}
	if status := finish(t.Context(), closed, runApp(t.Context(), newApp(closed), strings.Fields("aefeat drive -m init -o model --shards 1"))); status != exitMachine {
		t.Errorf("without standard output: status %d: %v", status, closed.err)
	}
}

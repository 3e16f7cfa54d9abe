// Package kill kills fits of the real program at random moments, goes on with
// them, and compares the model that comes of it with that of a fit that nobody
// disturbed.
//
// [Run] does so with each optimiser and each way of preprocessing in turn. What
// goes on has other cores, another memory budget and rows that are cut into
// other batches: none of these may change a byte. Nothing may be left behind.
package kill

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Config says what to kill, and how often.
type Config struct {
	Program string // aefeat
	Dir     string // for all files; it must be there
	Kills   int    // for each of Fits
	Seed    uint64
	Fit     Fit
}

// A Fit is a kind of fit, by its flags.
type Fit struct {
	Name  string
	Flags string
	Rows  int  // 0: 1,500
	Slow  bool // too slow for a test of every change
}

// Fits are all kinds of fits: the optimisers, the ways of preprocessing, with
// held-out rows and without, rows that are kept and rows that are not.
var Fits = []Fit{
	{Name: "adam, scale", Flags: "--epochs 8"},
	{Name: "sgd, none", Flags: "--epochs 8 --optimizer sgd --preprocess none"},
	{Name: "adam, patch, held-out rows", Flags: "--epochs 8 --preprocess patch --validation 0.2 --patience 6"},
	{Name: "adam, standardize, noise", Flags: "--epochs 8 --preprocess standardize --objective denoising"},
	{Name: "sgd, zca", Flags: "--epochs 8 --optimizer sgd --learning-rate 0.01 --preprocess zca"},
	{Name: "adam, k-sparse", Flags: "--epochs 8 --objective k-sparse --hidden 40"},
	{Name: "adam, contractive, tied", Flags: "--epochs 8 --objective contractive --tied"},
	{Name: "adam, full batch", Flags: "--epochs 40 --batch-size 0"},
	{Name: "lbfgs, scale", Flags: "--epochs 30 --optimizer lbfgs"},
	{Name: "lbfgs, zca, held-out rows", Flags: "--epochs 30 --optimizer lbfgs --preprocess zca --validation 0.2"},
	{Name: "one pass, scale", Flags: "--epochs 1 --batch-size 16", Rows: 20_000},
	{Name: "one pass, standardize ahead", Flags: "--epochs 1 --batch-size 16 --preprocess standardize --preprocess-rows 900", Rows: 20_000},
	{Name: "adam, patch, spilled", Flags: "--epochs 3 --preprocess patch --memory 16MiB", Rows: 60_000, Slow: true},
	{Name: "lbfgs, spilled, held-out rows", Flags: "--epochs 4 --optimizer lbfgs --validation 0.3", Rows: 150_000, Slow: true},
}

// Result is what came of one kind of fit.
type Result struct {
	Seconds     float64 // that the undisturbed fit took
	Kills       int     // signals that found the program at work
	Resumed     int     // runs that began with a checkpoint
	Checkpoints int     // of the kills, with a checkpoint that was newer than the one before
	Different   bool    // the model is another one
	Leftovers   []string
}

// Run kills one kind of fit.
func Run(ctx context.Context, c Config) (Result, error) {
	r := &run{Config: c, random: rand.New(rand.NewPCG(c.Seed, 0))}
	if err := r.prepare(); err != nil {
		return r.result, err
	}
	err := r.all(ctx)
	return r.result, err
}

// run is the work of Run.
type run struct {
	Config
	random *rand.Rand
	inputs []string // equal rows, cut into other batches
	result Result
}

// The names of files in Config.Dir.
const (
	undisturbed = "undisturbed.safetensors"
	output      = "out.safetensors"
	checkpoint  = "checkpoint.safetensors"
	spill       = "spill"
)

// prepare makes the inputs.
func (r *run) prepare() error {
	rows := cmp.Or(r.Fit.Rows, 1500)
	for _, batch := range []int{rows, 700, 64} {
		name := fmt.Sprintf("in-%d.arrows", batch)
		if err := writePatches(filepath.Join(r.Dir, name), rows, batch); err != nil {
			return err
		}
		r.inputs = append(r.inputs, name)
	}
	return os.Mkdir(filepath.Join(r.Dir, spill), 0o777)
}

// all fits without a disturbance, then with kills, and compares.
func (r *run) all(ctx context.Context) error {
	began := time.Now()
	if _, err := r.start(ctx, nil, r.fit(undisturbed)...); err != nil {
		return err
	}
	r.result.Seconds = time.Since(began).Seconds()
	want, err := os.ReadFile(filepath.Join(r.Dir, undisturbed))
	if err != nil {
		return err
	}
	for r.result.Kills < r.Kills {
		// One fit is killed a few times, until it has come to its end.
		if err := r.disturb(ctx); err != nil {
			return err
		}
		got, err := os.ReadFile(filepath.Join(r.Dir, output))
		if err != nil {
			return err
		}
		r.result.Different = r.result.Different || !bytes.Equal(got, want)
		if err := r.tidy(); err != nil {
			return err
		}
	}
	return nil
}

// disturb fits, and kills the fit again and again.
func (r *run) disturb(ctx context.Context) error {
	kills := 1 + r.random.IntN(4)
	before := []byte(nil)
	for done := false; !done; {
		var at *moment
		if kills > 0 && r.result.Kills < r.Kills {
			at = r.moment()
		}
		args := append(r.fit(output), "--checkpoint", checkpoint, "--checkpoint-every", []string{"0s", "3ms", "1h"}[r.random.IntN(3)])
		if _, err := os.Stat(filepath.Join(r.Dir, checkpoint)); err == nil {
			args = []string{"fit", "--resume", checkpoint}
			r.result.Resumed++
			if r.random.IntN(2) == 0 {
				args = append(args, "--memory", []string{"32MiB", "64MiB", "1GiB"}[r.random.IntN(3)])
			}
			if r.random.IntN(2) == 0 {
				args = append(args, r.inputs[r.random.IntN(len(r.inputs))])
			}
		}
		killed, err := r.start(ctx, at, args...)
		if err != nil {
			return err
		}
		if killed {
			kills--
			r.result.Kills++
			now, _ := os.ReadFile(filepath.Join(r.Dir, checkpoint))
			if !bytes.Equal(now, before) {
				r.result.Checkpoints++
			}
			before = now
		}
		done = !killed
	}
	return nil
}

// fit returns the command line of a new fit.
func (r *run) fit(output string) []string {
	args := []string{"fit", "--hidden", "16", "--memory", "32MiB", "--spill-dir", spill, "-o", output}
	return append(append(args, strings.Fields(r.Fit.Flags)...), r.inputs[r.random.IntN(len(r.inputs))])
}

// moment is when a run is killed.
type moment struct {
	checkpoints int // so many were told of before
	delay       time.Duration
}

// moment draws one: any time of a fit, or soon after a checkpoint.
func (r *run) moment() *moment {
	if r.random.IntN(4) == 0 {
		return &moment{delay: time.Duration(r.random.Float64() * r.result.Seconds * float64(time.Second))}
	}
	return &moment{checkpoints: 1 + r.random.IntN(12), delay: time.Duration(r.random.IntN(4000)) * time.Microsecond}
}

// start runs the program and kills it at a moment; nil: never. killed is
// whether it was at work then.
func (r *run) start(ctx context.Context, at *moment, args ...string) (killed bool, err error) {
	cmd := exec.CommandContext(ctx, r.Program, append(args, "--progress", "json")...)
	cmd.Dir = r.Dir
	cmd.Env = append(os.Environ(), fmt.Sprintf("GOMAXPROCS=%d", 1+r.random.IntN(3)))
	events, err := cmd.StderrPipe()
	if err != nil {
		return false, err
	}
	if err := cmd.Start(); err != nil {
		return false, err
	}
	last := watch(events, cmd.Process, at)
	err = cmd.Wait()
	if exit := (*exec.ExitError)(nil); at != nil && errors.As(err, &exit) && exit.ExitCode() == -1 && ctx.Err() == nil {
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("%s %s: %w\n%s", filepath.Base(r.Program), strings.Join(args, " "), err, last)
	}
	return false, nil
}

// watch reads the events of a program to their end, kills it at a moment, and
// returns the last event.
func watch(events io.Reader, program *os.Process, at *moment) (last string) {
	seen := 0
	arm := func() {
		if at != nil && seen == at.checkpoints {
			time.AfterFunc(at.delay, func() { _ = program.Kill() }) // it may have ended
		}
	}
	arm()
	lines := bufio.NewScanner(events)
	for lines.Scan() {
		last = lines.Text()
		if strings.Contains(last, `"event":"checkpoint"`) {
			seen++
			arm()
		}
	}
	return last
}

// tidy notes what is left beside the files that are meant to be there, and
// removes what the next fit makes anew.
func (r *run) tidy() error {
	expected := append([]string{undisturbed, output, checkpoint, spill}, r.inputs...)
	for _, folder := range []string{".", spill} {
		entries, err := os.ReadDir(filepath.Join(r.Dir, folder))
		if err != nil {
			return err
		}
		for _, e := range entries {
			if folder == spill || !slices.Contains(expected, e.Name()) {
				r.result.Leftovers = append(r.result.Leftovers, filepath.Join(folder, e.Name()))
			}
		}
	}
	return errors.Join(os.Remove(filepath.Join(r.Dir, output)), os.Remove(filepath.Join(r.Dir, checkpoint)))
}

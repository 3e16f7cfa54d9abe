package main

import (
	"bufio"
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aefeat/aefeat/bench/crash/kill"
)

// TestKilledFits kills fits of every kind at random moments, and goes on with
// them to the bytes of fits that nobody disturbed. bench/crash kills more.
func TestKilledFits(t *testing.T) {
	program, err := exec.LookPath("aefeat") // this test, see TestMain
	if err != nil {
		t.Fatal(err)
	}
	for i, f := range kill.Fits {
		if f.Slow || testing.Short() && i%4 != 0 {
			continue
		}
		t.Run(f.Name, func(t *testing.T) {
			t.Parallel()
			c := kill.Config{Program: program, Dir: t.TempDir(), Kills: 3, Seed: uint64(i), Fit: f}
			r, err := kill.Run(t.Context(), c)
			if err != nil {
				t.Fatal(err)
			}
			if r.Different {
				t.Errorf("seed %d: another model", c.Seed)
			}
			if len(r.Leftovers) > 0 {
				t.Errorf("seed %d: left behind: %q", c.Seed, r.Leftovers)
			}
			t.Logf("%+v", r)
		})
	}
}

// TestKilledDriver kills a driver at random moments, mostly within a pass, and
// goes on with it to the bytes of one that nobody disturbed.
func TestKilledDriver(t *testing.T) {
	d := &drivenFit{t: t, dir: t.TempDir()}
	for i := range drivenShards {
		s := patchSpec{rows: 150, width: 16, kind: "uint8", layout: "fixed", column: "patch", label: "string", null: -1, unlabeled: -1, format: "parquet", batch: 150, first: 150 * i}
		var b bytes.Buffer
		if err := s.write(&b); err != nil {
			t.Fatal(err)
		}
		writeBytes(t, d.path(fmt.Sprint(i)), b.Bytes())
	}
	d.worker("fit", "-q", "--hidden", "4", "--objective", "denoising", "--epochs", "0", "-o", d.path("init"), d.path("0"))
	began := time.Now()
	d.drive(-1, "-m", d.path("init"), "--shards", fmt.Sprint(drivenShards), "-o", d.path("undisturbed"), "--epochs", "3")
	took := time.Since(began)
	want := readText(t, d.path("undisturbed"))
	kills := 4
	for done := false; !done; kills-- {
		after := time.Duration(-1)
		if kills > 0 {
			after = time.Duration(rand.Float64() * float64(took) / 2)
		}
		args := []string{"--resume", d.path("ck"), "-o", d.path("model")}
		if _, err := os.Stat(d.path("ck")); err != nil {
			args = []string{"-m", d.path("init"), "--shards", fmt.Sprint(drivenShards), "-o", d.path("model"), "--epochs", "3", "--checkpoint", d.path("ck")}
		}
		passes := 0
		passes, done = d.drive(after, args...)
		t.Logf("%s: killed after %v and %d passes: %t", args[0], after, passes, !done)
	}
	if readText(t, d.path("model")) != want {
		t.Error("another model")
	}
	if left, _ := filepath.Glob(d.path("*.pass-*")); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}

// drivenFit is a training over shards, whose files are called by their number.
type drivenFit struct {
	t   *testing.T
	dir string
}

const drivenShards = 3

// path is that of a file in the folder.
func (d *drivenFit) path(name string) string { return filepath.Join(d.dir, name) }

// worker runs a command in this process.
func (d *drivenFit) worker(args ...string) {
	d.t.Helper()
	if status, said := runHere(d.t, args...); status != 0 {
		d.t.Fatalf("%q: status %d: %s", args, status, said)
	}
}

// drive runs a driver and gathers sums for it. It is killed after a time; below
// 0: never. passes is how many it has begun, and done whether it came to its end.
func (d *drivenFit) drive(after time.Duration, args ...string) (passes int, done bool) {
	d.t.Helper()
	cmd := exec.Command("aefeat", append([]string{"drive", "-q"}, args...)...) // this test, see TestMain
	cmd.Stderr = os.Stderr
	lines, err := cmd.StdinPipe()
	if err != nil {
		d.t.Fatal(err)
	}
	points, err := cmd.StdoutPipe()
	if err != nil {
		d.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		d.t.Fatal(err)
	}
	if after >= 0 {
		defer time.AfterFunc(after, func() { _ = cmd.Process.Kill() }).Stop() // it may have ended
	}
	for said := bufio.NewScanner(points); said.Scan(); {
		word, point, _ := strings.Cut(said.Text(), " ")
		if word == "done" {
			break
		}
		passes++
		for i := range drivenShards {
			shard := fmt.Sprint(i)
			d.worker("sums", "-q", "-m", point, "--shard", shard, "--first", fmt.Sprint(150*i), "-o", d.path(shard+".sums"), d.path(shard))
			fmt.Fprintln(lines, d.path(shard+".sums")) // to nobody, if the driver is dead
		}
	}
	err = cmd.Wait()
	if err != nil && (after < 0 || cmd.ProcessState.ExitCode() != -1) {
		d.t.Fatal(err)
	}
	return passes, err == nil
}

package main

import (
	"os/exec"
	"testing"

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

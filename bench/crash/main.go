// Command crash kills fits at random moments, goes on with them from their
// checkpoints, and counts the models that differ from those of fits that nobody
// disturbed.
//
//	go run ./bench/crash -kills 500 -seed 1
//
// It builds the program, and prints a line for each kind of fit: see package
// kill. It fails if a model differs, or a file is left behind.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/aefeat/aefeat/bench/crash/kill"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("crash: ")
	kills := flag.Int("kills", 500, "kills in all")
	seed := flag.Uint64("seed", 1, "decides the moments, as far as time can be decided")
	flag.Parse()
	if err := run(*kills, *seed); err != nil {
		log.Fatal(err)
	}
}

func run(kills int, seed uint64) error {
	dir, err := os.MkdirTemp("", "crash-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	program := filepath.Join(dir, "aefeat")
	build := exec.Command("go", "build", "-o", program, "./cmd/aefeat")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		return fmt.Errorf("building the program: %w", err)
	}
	faults, done := 0, 0
	fmt.Printf("%-30s %8s %6s %8s %6s %10s %10s\n", "fit", "seconds", "kills", "resumed", "newer", "different", "leftovers")
	for i, f := range kill.Fits {
		folder := filepath.Join(dir, fmt.Sprint(i))
		if err := os.Mkdir(folder, 0o777); err != nil {
			return err
		}
		share := (kills - done) / (len(kill.Fits) - i)
		done += share
		r, err := kill.Run(context.Background(), kill.Config{Program: program, Dir: folder, Kills: share, Seed: seed + uint64(i), Fit: f})
		if err != nil {
			return fmt.Errorf("%s: %w", f.Name, err)
		}
		fmt.Printf("%-30s %8.2f %6d %8d %6d %10v %10d\n", f.Name, r.Seconds, r.Kills, r.Resumed, r.Checkpoints, r.Different, len(r.Leftovers))
		if r.Different || len(r.Leftovers) > 0 {
			faults++
		}
	}
	if faults > 0 {
		return fmt.Errorf("%d kinds of fits ended otherwise, or left something behind", faults)
	}
	return nil
}

// Command metamorphic fits models to the same rows in many forms, and demands
// equal results: whatever the container, its compression and pages, the layout
// of the column, the cut into files and batches, the way in, the memory, the
// number of goroutines, and the breaks and resumes of a fit.
//
// A trial draws rows and settings by its seed, fits and transforms them in a
// plain form, and then in some others. It prints what differs, and how to run
// that trial again.
//
//	go run ./bench/metamorphic -time 10m -seed 1
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"time"
)

func main() {
	log.SetFlags(0)
	seed := flag.Uint64("seed", uint64(time.Now().UnixNano()), "`seed` of the first trial")
	limit := flag.Duration("time", 10*time.Minute, "for how long to begin new trials")
	count := flag.Int("n", 0, "how many trials to run at most; 0: as many as there is time for")
	verbose := flag.Bool("v", false, "print all trials")
	flag.Parse()
	fmt.Printf("seed %d\n", *seed)
	sum, failed := run(context.Background(), *seed, *limit, *count, func(t *trial, err error) {
		if err != nil || *verbose {
			fmt.Println(t)
		}
		if err != nil {
			fmt.Printf("FAIL: %v\nagain: go run ./bench/metamorphic -v -n 1 -seed %d\n", err, t.seed)
		}
	})
	fmt.Println(sum)
	if failed {
		os.Exit(1)
	}
}

// A summary counts what trials did.
type summary struct {
	trials, refused      int // refused: fits that every form must refuse alike
	fits, resumes        int
	transforms, reads    int
	spilled, interrupted int
	forward              int // resumes with the next row
}

func (s summary) String() string {
	return fmt.Sprintf("%d trials, of which %d were refused in all forms alike: %d fits, %d of them spilled, %d resumes, %d of them after an interruption, %d with the next row, %d transforms, %d files of codes read back",
		s.trials, s.refused, s.fits, s.spilled, s.resumes+s.forward, s.interrupted, s.forward, s.transforms, s.reads)
}

// run runs trials until the time is over, and tells of each.
func run(ctx context.Context, seed uint64, limit time.Duration, count int, tell func(*trial, error)) (sum summary, failed bool) {
	end := time.Now().Add(limit)
	for i := 0; time.Now().Before(end) && (count == 0 || i < count); i++ {
		t := newTrial(seed+uint64(i), &sum)
		err := t.run(ctx)
		sum.trials++
		failed = failed || err != nil
		tell(t, err)
	}
	return sum, failed
}

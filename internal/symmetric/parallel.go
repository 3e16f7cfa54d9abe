package symmetric

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
)

// parallel calls do for every item from 0 to items-1, on up to GOMAXPROCS
// goroutines, and returns early with ctx.Err() when ctx ends. What an item
// computes must not depend on the others.
func parallel(ctx context.Context, items int, do func(item int)) error {
	var next atomic.Int64
	run := func() {
		for ctx.Err() == nil {
			item := int(next.Add(1)) - 1
			if item >= items {
				return
			}
			do(item)
		}
	}
	var others sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), items) - 1 {
		others.Go(run)
	}
	run()
	others.Wait()
	return ctx.Err()
}

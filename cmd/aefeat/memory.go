package main

import (
	"fmt"
	"os"
	"runtime/debug"
	"sync"

	"github.com/aefeat/aefeat/internal/limits"
	"github.com/aefeat/aefeat/stage"
)

// memoryBound returns what bounds the memory of the program, as it was when
// that was first asked: at its start.
var memoryBound = sync.OnceValue(limits.Memory)

// limitHeap lets Go's collector work harder before the program meets a limit of
// its memory, of which outside is taken by what Go does not collect.
// GOMEMLIMIT, if set, is the user's own choice.
func limitHeap(outside int64) {
	if b := memoryBound(); b.Limited {
		setHeapLimit(heapLimit(b, outside))
	}
}

func setHeapLimit(bytes int64) {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(bytes)
	}
}

// heapLimit leaves a tenth for what nobody counts. A heap that is kept too
// small would be collected all the time.
func heapLimit(b limits.Bound, outside int64) int64 {
	return max(b.Bytes/10*9-outside, b.Bytes/4)
}

// rowMemory returns the memory for kept rows where nobody asks for any: no more
// than a quarter of what there is, but room for rows that are trained on and
// rows that are held out.
func rowMemory(b limits.Bound) int64 {
	if b.Bytes == 0 {
		return stage.DefaultMemory
	}
	return min(stage.DefaultMemory, max(b.Bytes/4, 32<<20))
}

// fitMemory refuses what takes more bytes than there are, since running out of
// memory cannot be an error later. what says of what, as in "3 rows of 4 values
// take"; hint, what to do.
func fitMemory(b limits.Bound, what string, takes float64, hint string) error {
	own, beside := 0.0, ""
	if b.Limited {
		own, beside = ownMemory, fmt.Sprintf(" beside the program's own %s", formatSize(ownMemory))
	}
	if b.Bytes == 0 || takes+own <= float64(b.Bytes) {
		return nil
	}
	return &hintedError{&codedError{codeMemory, fmt.Errorf("%s %s of memory%s, and %s %s", what, formatSize(int64(takes)), beside, b.By, formatSize(b.Bytes))}, hint}
}

// ownMemory is about what the program takes before it has any rows.
const ownMemory = 32 << 20

package f32

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// A job is work cut into numbered items that any goroutine may take. The
// caller of do works too, so a helper that comes late finds nothing left and
// delays nobody. Handing out work allocates nothing: jobs are pooled, and
// items are functions of the job, never closures.
type job struct {
	item    func(*job, int) // does one item
	items   atomic.Int64
	next    atomic.Int64  // the first item that nobody has taken
	pending atomic.Int64  // items not yet done
	users   atomic.Int32  // goroutines that hold the job; 0 in the pool
	done    chan struct{} // capacity 1: sent by whoever does the last item

	gemm     gemmArgs
	elem     elemArgs
	sparse   sparseArgs
	nonzeros nonzeroArgs
}

var jobs = sync.Pool{New: func() any { return &job{done: make(chan struct{}, 1)} }}

// newJob returns a job from the pool; do gives it back.
func newJob() *job { return jobs.Get().(*job) }

// Waking a sleeping thread takes longer than a small product, so helpers
// linger for the next job, and callers for the last item of theirs. They let
// other goroutines run meanwhile.
const (
	linger = 100 * time.Microsecond
	spins  = 100 // looks between two yields: some 100 ns
)

// helpers is how callers and helpers meet.
var helpers struct {
	open  atomic.Pointer[job] // the latest job with items to take, perhaps
	alive atomic.Int32        // helpers at work or lingering
}

// do runs item for 0..items-1 and returns when all are done. The job must
// not be used afterwards.
func (j *job) do(items int, item func(*job, int)) {
	extra := min(runtime.GOMAXPROCS(0), items) - 1
	if extra <= 0 {
		j.users.Store(1)
		for i := range items {
			item(j, i)
		}
		j.release()
		return
	}
	j.item = item
	j.next.Store(0)
	j.pending.Store(int64(items))
	j.items.Store(int64(items))
	j.users.Store(1) // from here on helpers may join
	helpers.open.Store(j)
	for n := helpers.alive.Load(); n < int32(extra); n = helpers.alive.Load() {
		if helpers.alive.CompareAndSwap(n, n+1) {
			go help()
		}
	}
	j.work()
	for start := time.Now(); !j.finished() && time.Since(start) < linger; {
		runtime.Gosched()
	}
	<-j.done
	j.release()
}

func (j *job) finished() bool {
	for range spins {
		if j.pending.Load() == 0 {
			return true
		}
	}
	return false
}

// help joins open jobs until there has been none for a while.
func help() {
	for start := time.Now(); time.Since(start) < linger; {
		j := openJob()
		if j == nil {
			runtime.Gosched()
			continue
		}
		j.work()
		j.release()
		start = time.Now()
	}
	helpers.alive.Add(-1)
}

// openJob joins a job that has items to take, or returns nil.
func openJob() *job {
	for range spins {
		j := helpers.open.Load()
		if j == nil || j.next.Load() >= j.items.Load() {
			continue
		}
		for n := j.users.Load(); n > 0; n = j.users.Load() {
			if j.users.CompareAndSwap(n, n+1) {
				return j
			}
		}
	}
	return nil
}

// work does items until all are taken.
func (j *job) work() {
	for items := j.items.Load(); ; {
		i := j.next.Add(1) - 1
		if i >= items {
			return
		}
		j.item(j, int(i))
		if j.pending.Add(-1) == 0 {
			j.done <- struct{}{}
		}
	}
}

// release lets go of the job; the last to do so gives it back to the pool.
func (j *job) release() {
	if j.users.Add(-1) == 0 {
		j.gemm, j.elem, j.sparse, j.nonzeros = gemmArgs{}, elemArgs{}, sparseArgs{}, nonzeroArgs{}
		j.items.Store(0)
		jobs.Put(j)
	}
}

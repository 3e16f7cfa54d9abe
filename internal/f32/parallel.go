package f32

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// A job is work cut into numbered items that any goroutine may take. The
// caller of do works too, so a helper that starts late finds nothing left and
// delays nobody. Jobs are pooled together with the function value that
// starts a helper: handing out work allocates nothing.
type job struct {
	item func(*job, int) // does one item; a plain function, never a closure
	help func()          // what helpers run; made once

	items   int64
	next    atomic.Int64  // the first item that nobody has taken
	pending atomic.Int64  // items not yet done
	users   atomic.Int32  // goroutines that still hold the job
	done    chan struct{} // capacity 1: sent by whoever does the last item

	packed atomic.Int64 // slivers of B that are packed
	gemm   gemmArgs
	elem   elemArgs
}

var jobs = sync.Pool{New: func() any { return &job{done: make(chan struct{}, 1)} }}

// newJob returns a job from the pool; do gives it back.
func newJob() *job {
	j := jobs.Get().(*job)
	if j.help == nil {
		j.help = func() {
			j.work()
			j.release()
		}
	}
	return j
}

// do runs item for 0..items-1 and returns when all are done. The job must
// not be used afterwards.
func (j *job) do(items int, item func(*job, int)) {
	helpers := min(runtime.GOMAXPROCS(0), items) - 1
	if helpers <= 0 {
		j.users.Store(1)
		for i := range items {
			item(j, i)
		}
		j.release()
		return
	}
	j.item = item
	j.items = int64(items)
	j.next.Store(0)
	j.pending.Store(int64(items))
	j.users.Store(int32(helpers) + 1)
	for range helpers {
		go j.help()
	}
	j.work()
	for spin := 0; j.pending.Load() != 0 && spin < spins; spin++ {
	}
	<-j.done
	j.release()
}

// spins is how often a waiting goroutine looks before it lets others run:
// about a microsecond, the cost of going to sleep.
const spins = 1000

func (j *job) work() {
	for {
		i := j.next.Add(1) - 1
		if i >= j.items {
			return
		}
		j.item(j, int(i))
		if j.pending.Add(-1) == 0 {
			j.done <- struct{}{}
		}
	}
}

func (j *job) release() {
	if j.users.Add(-1) == 0 {
		j.gemm, j.elem = gemmArgs{}, elemArgs{}
		jobs.Put(j)
	}
}

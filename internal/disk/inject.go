package disk

import "sync/atomic"

// A Call is one that is about to be made.
type Call struct {
	Op    string // as in the errors of os: open, read, write, sync, rename
	Name  string // of the file, as it was opened
	Bytes int    // how many are to be read or written
	At    int64  // where they lie; -1: where the file stands
}

// A Fault is what comes of a call instead. The zero value lets it be made.
type Fault struct {
	// Err is what the call returns, in an error that names the file; as it is
	// where it is [io.EOF].
	Err error

	// Short makes a call read or write the first half of its bytes, and with
	// io.EOF the first half of those that are there. A ReadAt or Write that is
	// short needs an Err, too, as those of os do.
	Short bool

	// Skip makes a call succeed that is not made: Sync takes its time.
	Skip bool
}

var injected atomic.Pointer[func(Call) Fault]

// Inject asks decide before every call, from any goroutine, until restore is
// called. It is for tests alone.
func Inject(decide func(Call) Fault) (restore func()) {
	injected.Store(&decide)
	return func() { injected.Store(nil) }
}

func fault(c Call) Fault {
	if decide := injected.Load(); decide != nil {
		return (*decide)(c)
	}
	return Fault{}
}

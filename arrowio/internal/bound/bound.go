// Package bound keeps files from asking for more memory than they explain, and
// the process from dying of what the Arrow library makes of them.
//
// Sizes that a file claims are compared with what its bytes can give: [Zstd]
// and [LZ4] walk over frames without decompressing them, [ReadGrowing] has
// memory grow with what is there. What the library allocates comes out of a
// [Budget], and [Guard] makes errors of its panics.
package bound

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"sync/atomic"

	"github.com/apache/arrow-go/v18/arrow/memory"
)

// Guard calls f, which calls the library, and turns a panic into an error. What
// f reads has been checked, so none is expected.
func Guard(f func() error) (err error) {
	defer func() {
		switch p := recover().(type) {
		case nil:
		case *MemoryError:
			err = p
		case *BeyondError:
			err = p
		case runtime.Error:
			// What the library tripped over tells nobody anything.
			err = ErrUndecodable
		case error:
			err = fmt.Errorf("%w: %w", ErrUndecodable, p)
		default:
			err = fmt.Errorf("%w: %v", ErrUndecodable, p)
		}
	}()
	return f()
}

// ErrUndecodable is in the error of every panic but those about memory.
var ErrUndecodable = errors.New("damaged data that cannot be decoded")

// An UnsupportedError is about a file that is not damaged, but cannot be read.
type UnsupportedError struct {
	What string
	Hint string // what to do about it; "": other settings may help
}

func (e *UnsupportedError) Error() string { return e.What }

// A BeyondError is about a file that is sound, and beyond a limit of this
// program. It says which.
type BeyondError struct {
	What string
	Hint string // what to do about it; may be ""
}

func (e *BeyondError) Error() string { return e.What }

// A MemoryError says that a batch takes more than Want bytes.
type MemoryError struct{ Want int64 }

func (e *MemoryError) Error() string {
	return fmt.Sprintf("a batch is beyond the %d MiB of memory that it may take", e.Want>>20)
}

// Damaged says that data is damaged, where that is what the error is about.
func Damaged(what string, err error) error {
	var unsupported *UnsupportedError
	var beyond *BeyondError
	var mem *MemoryError
	switch {
	case errors.As(err, &unsupported), errors.As(err, &beyond), errors.As(err, &mem),
		errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	}
	return fmt.Errorf("damaged %s: %w", what, err)
}

// A Budget bounds what the library allocates in one call. It is the last line:
// sizes are checked before the library sees them. Where the budget is overdrawn
// it panics with a [*MemoryError], which Guard returns.
type Budget struct {
	memory.Allocator
	left  atomic.Int64
	total atomic.Int64
}

// NewBudget returns a budget without a limit.
func NewBudget(mem memory.Allocator) *Budget {
	b := &Budget{Allocator: mem}
	b.Grant(math.MaxInt64)
	return b
}

// Grant sets what may be allocated from now on, in bytes.
func (b *Budget) Grant(n int64) {
	b.left.Store(n)
	b.total.Store(n)
}

func (b *Budget) spend(n int) {
	if b.left.Add(-int64(n)) < 0 {
		panic(&MemoryError{b.total.Load()})
	}
}

// Allocate implements [memory.Allocator].
func (b *Budget) Allocate(n int) []byte {
	b.spend(n)
	return b.Allocator.Allocate(n)
}

// Reallocate implements [memory.Allocator].
func (b *Budget) Reallocate(n int, old []byte) []byte {
	if n > len(old) {
		b.spend(n - len(old))
	}
	return b.Allocator.Reallocate(n, old)
}

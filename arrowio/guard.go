package arrowio

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"sync/atomic"

	"github.com/apache/arrow-go/v18/arrow/memory"
)

// guard calls f, which calls the library, and turns a panic into an error. What f reads has been checked, so none is expected.
func guard(f func() error) (err error) {
	defer func() {
		switch p := recover().(type) {
		case nil:
		case *memoryError:
			err = p
		case runtime.Error:
			err = errUndecodable // what the library tripped over tells nobody anything
		case error:
			err = fmt.Errorf("%w: %w", errUndecodable, p)
		default:
			err = fmt.Errorf("%w: %v", errUndecodable, p)
		}
	}()
	return f()
}

var errUndecodable = errors.New("damaged data that cannot be decoded")

// An unsupportedError is about a file that is not damaged.
type unsupportedError struct{ what string }

func (e *unsupportedError) Error() string { return e.what }

// damaged says that data is damaged, where that is what the error is about.
func damaged(what string, err error) error {
	var unsupported *unsupportedError
	var mem *memoryError
	if errors.As(err, &unsupported) || errors.As(err, &mem) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return fmt.Errorf("damaged %s: %w", what, err)
}

type memoryError struct{ want int64 }

func (e *memoryError) Error() string {
	return fmt.Sprintf("a batch takes more than %d MiB of memory", e.want>>20)
}

// A budget bounds what the library allocates in one call. It is the last line: sizes are checked before the library sees them.
type budget struct {
	memory.Allocator
	left  atomic.Int64
	total atomic.Int64
}

func newBudget(mem memory.Allocator) *budget {
	b := &budget{Allocator: mem}
	b.grant(math.MaxInt64)
	return b
}

// grant sets what may be allocated from now on.
func (b *budget) grant(n int64) {
	b.left.Store(n)
	b.total.Store(n)
}

func (b *budget) spend(n int) {
	if b.left.Add(-int64(n)) < 0 {
		panic(&memoryError{b.total.Load()})
	}
}

func (b *budget) Allocate(n int) []byte {
	b.spend(n)
	return b.Allocator.Allocate(n)
}

func (b *budget) Reallocate(n int, old []byte) []byte {
	if n > len(old) {
		b.spend(n - len(old))
	}
	return b.Allocator.Reallocate(n, old)
}

// hint says what to do about an error of a file.
func hint(err error) string {
	var mem *memoryError
	var unsupported *unsupportedError
	switch {
	case errors.As(err, &unsupported):
		return "write the file again with other settings: smaller pages, Snappy or Zstandard compression"
	case errors.As(err, &mem):
		return "write the file with smaller rows or shorter lists"
	case errors.Is(err, errEncrypted):
		return "decrypt it first"
	case errors.Is(err, errNoEnd):
		return "the program that wrote it stopped early; if the stream is known to be whole, allow a missing end marker (`AllowMissingEOS`)"
	}
	return ""
}

package arrow17

import "fmt"

// shared is the allocator of a buffer of one version whose bytes are those of
// source, a buffer of the other. To free the buffer is to release source.
type shared struct{ source interface{ Release() } }

func (s shared) Free([]byte)                 { s.source.Release() }
func (shared) Allocate(int) []byte           { panic(readOnly) }
func (shared) Reallocate(int, []byte) []byte { panic(readOnly) }

const readOnly = "arrow17: a shared buffer cannot be resized"

// recovered makes an error of a panic: both versions panic on types that their
// IPC writers lack, and on damaged arrays.
func recovered(err *error, doing string) {
	switch p := recover().(type) {
	case nil:
	case error:
		*err = fmt.Errorf("%s: %w", doing, p)
	default:
		*err = fmt.Errorf("%s: %v", doing, p)
	}
}

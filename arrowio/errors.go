package arrowio

import (
	"cmp"
	"errors"
	"fmt"
	"syscall"

	"github.com/aefeat/aefeat/arrowio/internal/bound"
	"github.com/aefeat/aefeat/arrowio/internal/container"
	"github.com/aefeat/aefeat/arrowio/internal/ipc"
	"github.com/aefeat/aefeat/arrowio/internal/parquet"
	"github.com/aefeat/aefeat/internal/atomicfile"
)

// ColumnError says which column cannot be written, and why.
type ColumnError struct {
	Column string
	Row    int64 // counted from the first row written; -1: it is not about one
	Reason string
	Hint   string // what to do about it; may be ""
}

func (e *ColumnError) Error() string { return (*container.ColumnError)(e).Error() }

// public returns an error of a format as one of this package.
func public(err error) error {
	var column *container.ColumnError
	if errors.As(err, &column) {
		return (*ColumnError)(column)
	}
	return err
}

// SpoolError says that the copy of a pipe cannot be written. It names the
// folder.
type SpoolError = atomicfile.SpoolError

// FileError says which file cannot be read, and why: it is damaged, truncated,
// encrypted, or not of a known format.
type FileError struct {
	File string
	Err  error
	Hint string // what to do about it; may be ""

	// Key says for programs what is wrong: one of the Key constants. "": Err
	// has an error of the system, or it is something else. Keys stay.
	Key string
}

// The keys of a [FileError].
const (
	KeyMissing     = "missing"     // no file has the name, matches the pattern or is in the folder
	KeyChanged     = "changed"     // the file is another than when it was opened
	KeyEmpty       = "empty"       // no bytes at all
	KeyForeign     = "foreign"     // neither Parquet nor Arrow
	KeyDamaged     = "damaged"     // or cut short
	KeyUnfinished  = "unfinished"  // a stream without its end marker
	KeyEncrypted   = "encrypted"   // it has to be decrypted first
	KeyUnsupported = "unsupported" // sound, but of a kind that cannot be read
	KeyTooLarge    = "too_large"   // reading it takes more memory than any file may
	KeyBeyond      = "beyond"      // sound, as far as can be seen, and beyond another limit
	KeyDiffers     = "differs"     // its columns are not those of the files before it
)

func (e *FileError) Error() string { return fmt.Sprintf("%s: %v", e.File, e.Err) }
func (e *FileError) Unwrap() error { return e.Err }

// keyOf returns the key of an error of a file, which may be wrapped; "" if it
// is one of the system.
func keyOf(err error) string {
	var mem *bound.MemoryError
	var beyond *bound.BeyondError
	var unsupported *bound.UnsupportedError
	var system syscall.Errno
	switch {
	case errors.As(err, &system):
		return ""
	case errors.As(err, &unsupported), errors.Is(err, errOnce):
		return KeyUnsupported
	case errors.As(err, &beyond):
		return KeyBeyond
	case errors.As(err, &mem):
		return KeyTooLarge
	case errors.Is(err, parquet.ErrEncrypted):
		return KeyEncrypted
	case errors.Is(err, ipc.ErrNoEnd):
		return KeyUnfinished
	case errors.Is(err, errChanged):
		return KeyChanged
	case errors.Is(err, errEmpty):
		return KeyEmpty
	case errors.Is(err, ErrForeign):
		return KeyForeign
	}
	return KeyDamaged
}

// hint says what to do about an error of a file.
func hint(err error) string {
	var mem *bound.MemoryError
	var beyond *bound.BeyondError
	var unsupported *bound.UnsupportedError
	switch {
	case errors.As(err, &beyond):
		return beyond.Hint
	case errors.As(err, &unsupported):
		return cmp.Or(unsupported.Hint, "write the file again with other settings: smaller pages, Snappy or Zstandard compression")
	case errors.As(err, &mem):
		return "write the file with smaller rows or shorter lists"
	case errors.Is(err, parquet.ErrEncrypted):
		return "decrypt it first"
	case errors.Is(err, errOnce):
		return "put it into a file first"
	case errors.Is(err, ipc.ErrNoEnd):
		return "the program that wrote it stopped early; if the stream is known to be whole, allow a missing end marker (`AllowMissingEOS`)"
	}
	return ""
}

package arrowio

import (
	"fmt"
	"strings"

	"github.com/aefeat/aefeat/internal/atomicfile"
)

// ColumnError says which column cannot be written, and why.
type ColumnError struct {
	Column string
	Row    int64 // counted from the first row written; -1 when it is not about one row
	Reason string
	Hint   string // what to do about it; may be ""
}

func (e *ColumnError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "column %q: ", e.Column)
	if e.Row >= 0 {
		fmt.Fprintf(&b, "row %d: ", e.Row)
	}
	b.WriteString(e.Reason)
	return b.String()
}

// SpoolError says that the copy of a pipe cannot be written. It names the
// folder.
type SpoolError = atomicfile.SpoolError

// FileError says which file cannot be read, and why: it is damaged,
// truncated, encrypted, or not of a known format.
type FileError struct {
	File string
	Err  error
	Hint string // what to do about it; may be ""
}

func (e *FileError) Error() string { return fmt.Sprintf("%s: %v", e.File, e.Err) }
func (e *FileError) Unwrap() error { return e.Err }

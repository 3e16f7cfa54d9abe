package arrowio

import (
	"fmt"
	"strings"
)

// SkipHint is the Hint of errors about rows that can be left out.
const SkipHint = "mend it, or leave bad rows out with --on-bad-row skip"

// RowError says which value of the data is at fault.
type RowError struct {
	File   string // "" when not known; see [Source.Locate]
	Column string // "" when it is not about one column
	Row    int64  // counted from 0; -1 when it is not about one row
	Reason string
	Hint   string // what to do about it; may be ""
}

func (e *RowError) Error() string {
	var b strings.Builder
	if e.File != "" {
		fmt.Fprintf(&b, "%s: ", e.File)
	}
	if e.Column != "" {
		fmt.Fprintf(&b, "column %q: ", e.Column)
	}
	if e.Row >= 0 {
		fmt.Fprintf(&b, "row %d: ", e.Row)
	}
	b.WriteString(e.Reason)
	return b.String()
}

// FileError says which file cannot be read, and why: it is damaged,
// truncated, encrypted, or not of a known format.
type FileError struct {
	File string
	Err  error
	Hint string // what to do about it; may be ""
}

func (e *FileError) Error() string { return fmt.Sprintf("%s: %v", e.File, e.Err) }
func (e *FileError) Unwrap() error { return e.Err }

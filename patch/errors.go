package patch

import (
	"fmt"
	"strings"
)

// RowError says which value of the data is at fault. Hints name settings by
// their fields: `Columns`, `Skip`.
type RowError struct {
	File   string // "" when not known
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

// BadRowError returns the error of a row that can be left out.
func BadRowError(column string, row int64, reason string) *RowError {
	return &RowError{Column: column, Row: row, Reason: reason, Hint: "mend it, or leave bad rows out with `Skip`"}
}

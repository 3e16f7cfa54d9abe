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

	// Key says for programs what is wrong: one of the Key constants or, of a
	// bad row, the text of its [Reason]. "": something else. Keys stay.
	Key string
}

// The keys of errors that are not about the values of one row.
const (
	KeyWidth     = "width"     // patches of another number of values than asked for
	KeyMissing   = "missing"   // there is no such column
	KeyAmbiguous = "ambiguous" // several columns could be meant
	KeyType      = "type"      // a column cannot be what it is taken for
	KeyTaken     = "taken"     // the name of a column to be added is taken
	KeyUnits     = "units"     // nothing tells how many units sparse codes have
	KeyNoPatch   = "no_patch"  // no column can be a patch, unless it is named
)

func (e *RowError) Error() string {
	var b strings.Builder
	if e.File != "" {
		fmt.Fprintf(&b, "%s: ", e.File)
	}
	if e.Column != "" {
		fmt.Fprintf(&b, "column %s: ", quotedName(e.Column))
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

// keyed sets the key of an error.
func (e *RowError) keyed(key string) *RowError {
	e.Key = key
	return e
}

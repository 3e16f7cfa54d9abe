package patch

import (
	"cmp"
	"maps"
	"slices"
)

// A Reason says why a row is bad. The texts are stable, so that programs may
// compare them.
type Reason string

const (
	// Null is a null on the way to the patch, or in it.
	Null Reason = "null"
	// Ragged is a patch of more or fewer values than others, or of none, or an
	// image of another size or with colours among grey ones.
	Ragged Reason = "ragged"
	// NotFinite is a NaN or an infinity.
	NotFinite Reason = "not_finite"
	// OutOfRange is a number beyond float32, or beyond what the model takes.
	OutOfRange Reason = "out_of_range"
	// Unreadable is an image that cannot be decoded.
	Unreadable Reason = "unreadable"
	// Damaged is an array whose offsets or indexes lead out of it.
	Damaged Reason = "damaged"
)

// BadRow is a row that was left out.
type BadRow struct {
	Row    int64  `json:"row"` // position in the input
	Reason Reason `json:"reason"`
}

// listedBadRows is how many rows BadRows lists: enough to see a pattern in
// them, and few enough to print.
const listedBadRows = 100

// BadRows tells about the rows that were left out, however many they are, in a
// few KiB. The zero value tells of none. It is not safe for concurrent use.
type BadRows struct {
	// Counts has the number of rows for each reason that occurred. A row counts
	// once, for the first fault that was found in it.
	Counts map[Reason]int64 `json:"counts,omitempty"`

	// First lists the 100 rows with the lowest positions, or fewer where there
	// are fewer, ascending.
	First []BadRow `json:"first,omitempty"`
}

// Add counts rows, which may come in any order. It keeps no reference to them.
func (b *BadRows) Add(rows ...BadRow) {
	for _, r := range rows {
		if b.Counts == nil {
			b.Counts = make(map[Reason]int64)
		}
		b.Counts[r.Reason]++
		b.list(r)
	}
}

// Merge adds what o tells of.
func (b *BadRows) Merge(o BadRows) {
	if b.Counts == nil && len(o.Counts) > 0 {
		b.Counts = make(map[Reason]int64)
	}
	for reason, n := range o.Counts {
		b.Counts[reason] += n
	}
	for _, r := range o.First {
		b.list(r)
	}
}

// list puts a row in its place among the first.
func (b *BadRows) list(r BadRow) {
	at := len(b.First)
	if at > 0 && r.Row < b.First[at-1].Row {
		at, _ = slices.BinarySearchFunc(b.First, r, byRow)
	}
	if at == listedBadRows {
		return
	}
	if len(b.First) == listedBadRows {
		b.First = b.First[:listedBadRows-1]
	}
	b.First = slices.Insert(b.First, at, r)
}

func byRow(a, b BadRow) int { return cmp.Compare(a.Row, b.Row) }

// Total returns the number of bad rows.
func (b BadRows) Total() int64 {
	var n int64
	for _, c := range b.Counts {
		n += c
	}
	return n
}

// Clone returns a copy that shares nothing with b.
func (b BadRows) Clone() BadRows {
	return BadRows{Counts: maps.Clone(b.Counts), First: slices.Clone(b.First)}
}

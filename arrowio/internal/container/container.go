// Package container is what a file format of record batches has to offer, on
// the side of reading and on that of writing. Adding one to arrowio takes a
// package that offers it and an entry in arrowio's table of formats.
package container

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/aefeat/aefeat/arrowio/internal/schema"
)

// A File is one file, opened: what it says of itself has been checked. Errors
// say what is wrong with it, and do not name it.
type File interface {
	// Schema returns the schema of all columns.
	Schema() *arrow.Schema

	// Rows returns the number of rows, -1 if the file does not say it.
	Rows() int64

	// Sum returns the SHA-256 of the footer, by which a file is known again;
	// zero, if it has none.
	Sum() [sha256.Size]byte

	// Batches begins to read the columns chosen. A File is read once, or
	// inspected.
	Batches(chosen []schema.Selection) (Batches, error)

	// Inspect goes over what the file says of its parts.
	Inspect() (Summary, error)

	// Close frees what the file holds. It does not close what it reads
	// from.
	Close()
}

// Batches are the batches of a file, for one goroutine.
type Batches interface {
	// Next returns the next batch, for the caller to release, or io.EOF. It
	// has the columns chosen, in their order; structs may have more fields
	// than were chosen.
	Next(ctx context.Context) (arrow.RecordBatch, error)
}

// A Summary is what a file says of its parts.
type Summary struct {
	Rows         int64
	Groups       int      // of rows: row groups or record batches
	LargestGroup int64    // rows
	Compression  []string // the codecs in use
	Held         int64    // bytes that reading holds of the file at once
}

// Options say how files are read.
type Options struct {
	BatchRows       int  // at most, where it is a choice; 0: a few MiB
	AllowMissingEOS bool // a stream without its end marker is whole
	Allocator       memory.Allocator

	// Memo keeps what was made of the schemas of other files of the same
	// source; nil: nothing does.
	Memo *Memo
}

// A Memo keeps what was made of a few things that many files have in common. It
// may be used by several goroutines.
type Memo struct {
	mu     sync.Mutex
	made   map[string]any
	oldest []string
}

// NewMemo returns an empty memo.
func NewMemo() *Memo { return &Memo{made: map[string]any{}} }

// Of a few writers of one data set, and of sizes that nobody minds to keep.
const (
	maxMade    = 8
	maxMadeKey = 1 << 20
)

// Get returns what was made of key, or else what is made of it now. An error is
// not kept.
func (m *Memo) Get(key string, make func() (any, error)) (any, error) {
	if m == nil || len(key) > maxMadeKey {
		return make()
	}
	m.mu.Lock()
	made, ok := m.made[key]
	m.mu.Unlock()
	if ok {
		return made, nil
	}
	made, err := make()
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.made[key]; !ok {
		if len(m.oldest) == maxMade {
			delete(m.made, m.oldest[0])
			m.oldest = m.oldest[1:]
		}
		m.oldest = append(m.oldest, key)
	}
	m.made[key] = made
	return made, nil
}

// A Format is how files of one format are told, read and written.
type Format struct {
	// Is tells the format by the first 8 bytes, or fewer.
	Is func(head []byte) bool

	// Open opens a file.
	Open func(r *io.SectionReader, o Options) (File, error)

	// OpenPipe opens a file that cannot be sought in. nil: it has to be put
	// into one first.
	OpenPipe func(r io.Reader, o Options) (File, error)

	// NewEncoder begins a file. Nothing is written before the first batch
	// or the end.
	NewEncoder func(w io.Writer, schema *arrow.Schema, o WriteOptions) (Encoder, error)

	// Live says that a reader can start before the file is whole, so that
	// every batch should be on its way when it has been written.
	Live bool
}

// WriteOptions say how files are written.
type WriteOptions struct {
	GroupBytes int64 // at which a row group or record batch ends, not compressed
	Allocator  memory.Allocator
}

// An Encoder turns batches into the bytes of a format. It keeps no reference to
// a batch.
type Encoder interface {
	Write(rec arrow.RecordBatch) error

	// Close writes what ends a whole file.
	Close() error

	// Abort frees memory and returns bytes after which no reader takes what
	// was written for whole.
	Abort() []byte
}

// ColumnError says which column cannot be written, and why.
type ColumnError struct {
	Column string
	Row    int64 // counted from the first row written; -1: it is not about one
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

package arrowio

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/aefeat/aefeat/arrowio/internal/container"
)

// OpenOptions says how inputs are opened. The zero value is ready to use.
type OpenOptions struct {
	// Stdin is what "-" stands for. A regular file is read where it lies,
	// from its current position on; anything else is a pipe. nil: os.Stdin.
	Stdin io.Reader

	// SpoolDir is the folder for copies of pipes that cannot be read as
	// they come. "": the system's folder for temporary files.
	SpoolDir string

	// Rewindable asks for a source that can be read more than once: an
	// Arrow stream that comes through a pipe is then copied, too.
	Rewindable bool

	// AllowMissingEOS takes an Arrow stream without its end marker for
	// whole. Some old writers leave it out.
	AllowMissingEOS bool

	// NoHive leaves folders called key=value in paths without a meaning:
	// they become no columns.
	NoHive bool

	// BatchRows is the number of rows that a batch from Parquet has at
	// most. 0: as many as make up a few MiB. Batches from Arrow are as they
	// were written.
	BatchRows int

	// Hash asks for the SHA-256 of every file, which Source.Files tells. Files
	// are read once more for that, beside their Reader, and pipes are not.
	Hash bool

	// Allocator is where batches come from. nil: memory.DefaultAllocator.
	Allocator memory.Allocator
}

// A Source is an open input: the rows of one or several files, one after the
// other. It is made by [Open] or [OpenReaderAt]. Its methods may be called from
// several goroutines; several Readers may read at the same time.
//
// A file is opened again for each Reader, and must be what it was when the
// source was opened: the same file, of the same size and time, with the same
// footer. What has become another is a [*FileError] with the key [KeyChanged],
// at the latest at the end of its rows.
type Source struct {
	o      OpenOptions
	inputs []*input
	schema *arrow.Schema
	keys   []string // columns that paths tell

	overruled []string // columns that paths tell and files have
	missing   []Missing
	passed    []string
	parsed    *container.Memo
	sums      *sums // nil: nobody asked for hashes

	mu    sync.Mutex
	rows  []int64 // of each input, -1 until known
	read  []bool  // the input has been read to its end or is of known length
	known schemas
}

// Open opens inputs: paths of files, of folders (all files below, except those
// whose names begin with a dot or underscore), patterns as in
// [path/filepath.Match], and "-" for standard input; none is standard input
// alone. Folders and patterns are read in the natural order of names.
//
// What a file is, its first bytes say: Parquet, an Arrow IPC file or an Arrow
// IPC stream. Others that are found in a folder are passed over, see
// [Source.Passed]; one that was named, or matched by a pattern, is an error,
// and so is a folder in which there is nothing else.
//
// Columns are matched by name over all files, in any order, see
// [Source.Missing]. Folders called key=value in the path of a file become
// columns, see [Source.Keys].
//
// Every file is checked before the Arrow library sees it; errors about one are
// a [*FileError].
func Open(inputs []string, o OpenOptions) (*Source, error) {
	if o.Stdin == nil {
		o.Stdin = os.Stdin
	}
	files, err := Walk(inputs)
	if err != nil {
		return nil, err
	}
	s := newSource(o)
	for _, f := range files {
		if err := s.add(f); err != nil {
			s.Close()
			return nil, err
		}
	}
	err = s.checkFolders(files)
	if err == nil {
		err = s.finish()
	}
	if err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

func newSource(o OpenOptions) *Source {
	if o.Allocator == nil {
		o.Allocator = memory.DefaultAllocator
	}
	return &Source{o: o, parsed: container.NewMemo()}
}

// add opens a file, unless it is to be passed over.
func (s *Source) add(f File) error {
	in := &input{name: f.Name, path: f.Name, root: f.Root, remove: func() {}, rows: -1}
	if f.Name == "-" {
		in.name, in.path = "standard input", ""
	} else if !s.o.NoHive {
		in.keys = keysOf(f.Name)
	}
	err := in.fault(s.prepare(in))
	switch {
	case err == nil:
		err = s.take(in)
	case f.Root != "" && errors.Is(err, ErrForeign):
		s.passed = append(s.passed, f.Name)
		return nil
	}
	if err != nil {
		in.close()
	}
	return err
}

// checkFolders checks that in each folder there is something to read.
func (s *Source) checkFolders(files []File) error {
	fit := map[string]bool{}
	for _, in := range s.inputs {
		fit[in.root] = true
	}
	for _, f := range files {
		if f.Root != "" && !fit[f.Root] {
			return &FileError{File: f.Root, Err: errors.New("no file in this folder is Parquet or Arrow"), Key: KeyMissing}
		}
	}
	return nil
}

// take appends an input that has been prepared.
func (s *Source) take(in *input) error {
	if err := s.merge(in); err != nil {
		return err
	}
	s.inputs = append(s.inputs, in)
	s.rows = append(s.rows, in.rows)
	s.read = append(s.read, in.rows >= 0)
	return nil
}

// OpenReaderAt opens a file that is in memory or in a store: size bytes of r,
// which errors call name. r has to be there until the source is closed, and is
// not closed with it; if several Readers are to read at the same time, it has
// to allow that, as the interface asks for. Of o, what concerns standard input
// and pipes does not apply.
func OpenReaderAt(r io.ReaderAt, size int64, name string, o OpenOptions) (*Source, error) {
	in := &input{name: name, at: r, size: size, remove: func() {}, rows: -1}
	switch {
	case r == nil:
		return nil, in.fault(errors.New("the io.ReaderAt is nil"))
	case size < 0:
		return nil, in.fault(fmt.Errorf("a size of %d bytes", size))
	}
	s := newSource(o)
	if err := s.check(in); err != nil {
		return nil, in.fault(err)
	}
	if err := s.take(in); err != nil {
		return nil, err
	}
	return s, s.finish()
}

// reading returns what formats need to know.
func (s *Source) reading() container.Options {
	return container.Options{BatchRows: s.o.BatchRows, AllowMissingEOS: s.o.AllowMissingEOS, Allocator: s.o.Allocator, Memo: s.parsed}
}

// Schema returns the schema of all columns: those of the first file in their
// order, those that other files add, and those that paths tell. Its metadata is
// that of the first file.
func (s *Source) Schema() *arrow.Schema { return s.schema }

// Format returns the format of the first input.
func (s *Source) Format() Format { return s.inputs[0].format }

// NumRows returns the number of rows, if the inputs say it before they are
// read: Parquet and Arrow files do, Arrow streams do not.
func (s *Source) NumRows() (int64, bool) {
	sum := int64(0)
	for _, in := range s.inputs {
		if in.rows < 0 {
			return 0, false
		}
		sum += in.rows
	}
	return sum, true
}

// Passed returns the files that were found in folders and passed over, since by
// their first bytes they are neither Parquet nor Arrow, or empty.
func (s *Source) Passed() []string { return s.passed }

// Close ends the source and removes what it kept. It does not close Stdin.
// Readers must not be used after it, nor released: release them before.
func (s *Source) Close() error {
	s.sums.end()
	s.sums = nil
	for _, in := range s.inputs {
		in.close()
	}
	return nil
}

// Locate says in which file a row lies, and where in it, both counted from 0.
// Rows are counted over the whole input, those not read yet included; -1 is no
// row, which tells of a file where there is only one. ok is false where
// neither is known.
func (s *Source) Locate(row int64) (file string, at int64, ok bool) {
	if len(s.inputs) == 1 {
		return s.inputs[0].name, row, true
	}
	if row < 0 {
		return "", row, false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, in := range s.inputs {
		if row < s.rows[i] || !s.read[i] {
			return in.name, row, true
		}
		row -= s.rows[i]
	}
	return "", row, false
}

// count notes that an input has this many rows at least, or exactly.
func (s *Source) count(i int, rows int64, end bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.read[i] {
		return
	}
	s.rows[i] = max(s.rows[i], rows)
	s.read[i] = end
}

package arrowio

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/aefeat/aefeat/arrowio/internal/bound"
	"github.com/aefeat/aefeat/arrowio/internal/container"
	"github.com/aefeat/aefeat/arrowio/internal/schema"
	"github.com/aefeat/aefeat/internal/atomicfile"
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
type Source struct {
	o      OpenOptions
	inputs []*input
	schema *arrow.Schema
	sums   *sums // nil: nobody asked for hashes

	mu   sync.Mutex
	rows []int64 // of each input, -1 until known
	read []bool  // the input has been read to its end or is of known length
}

// An input is one file.
type input struct {
	name      string
	path      string      // to be opened when it is read; "": it is open
	at        io.ReaderAt // a file that is open
	base      int64       // where it begins
	size      int64
	remove    func()
	format    Format
	container container.Format
	pipe      container.File // what cannot be sought in, to be read once
	tap       *tap           // of pipe; nil: nobody asked for its hash
	used      bool
	rows      int64 // -1: not known
}

// Open opens inputs: paths of files, of folders (all files below, except those
// whose names begin with a dot or underscore), patterns as in
// [path/filepath.Match], and "-" for standard input; none is standard input
// alone. Folders and patterns are read in the natural order of names.
//
// What a file is, its first bytes say: Parquet, an Arrow IPC file or an Arrow
// IPC stream. Columns must agree in name and type, in order, over all files.
// Every file is checked before the Arrow library sees it; errors about one are
// a [*FileError].
func Open(inputs []string, o OpenOptions) (*Source, error) {
	if o.Stdin == nil {
		o.Stdin = os.Stdin
	}
	if o.Allocator == nil {
		o.Allocator = memory.DefaultAllocator
	}
	names, err := Expand(inputs)
	if err != nil {
		return nil, err
	}
	s := &Source{o: o}
	for _, name := range names {
		in := &input{name: name, path: name, remove: func() {}, rows: -1}
		if name == "-" {
			in.name, in.path = "standard input", ""
		}
		of, err := s.prepare(in)
		if err != nil {
			err = in.fault(err)
		} else {
			err = s.add(in, of)
		}
		if err != nil {
			in.close()
			s.Close()
			return nil, err
		}
	}
	if o.Hash {
		s.startSums()
	}
	return s, nil
}

// add appends an input with its schema.
func (s *Source) add(in *input, of *arrow.Schema) (err error) {
	if s.schema == nil {
		s.schema = of
	} else if s.schema, err = schema.Merge(s.schema, of); err != nil {
		return &FileError{
			File: in.name,
			Err:  fmt.Errorf("differs from %s: %w", s.inputs[0].name, err),
			Hint: "inputs of one run must have the same columns",
			Key:  KeyDiffers,
		}
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
	if o.Allocator == nil {
		o.Allocator = memory.DefaultAllocator
	}
	s := &Source{o: o}
	of, err := s.check(in)
	if err != nil {
		return nil, in.fault(err)
	}
	if err := s.add(in, of); err != nil {
		return nil, err
	}
	if o.Hash {
		s.startSums()
	}
	return s, nil
}

// prepare finds out what the input is, and makes it such that it can be read.
// It returns the schema.
func (s *Source) prepare(in *input) (*arrow.Schema, error) {
	stream, err := s.locate(in)
	if err != nil {
		return nil, err
	}
	if stream == nil {
		return s.check(in)
	}
	if s.o.Hash {
		in.tap = newTap(stream)
		stream = in.tap
	}
	b := bufio.NewReaderSize(stream, 64<<10)
	head, err := b.Peek(8)
	if err != nil && err != io.EOF {
		return nil, err
	}
	if err := in.sniff(head); err != nil {
		return nil, err
	}
	if in.container.OpenPipe != nil && !s.o.Rewindable {
		if in.pipe, err = in.container.OpenPipe(b, s.o.reading()); err != nil {
			return nil, err
		}
		return schema.Check(in.pipe.Schema())
	}
	f, remove, err := atomicfile.Spool(b, s.o.SpoolDir)
	if err != nil {
		return nil, err
	}
	in.remove() // a named pipe is read to its end
	in.at, in.path = f, ""
	in.remove = func() { f.Close(); remove() }
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	in.size = info.Size()
	return s.check(in)
}

// locate finds out where the input can be sought in. It returns what is to be
// read as it comes instead, nil if there is a file.
func (s *Source) locate(in *input) (io.Reader, error) {
	if in.path != "" {
		info, err := os.Stat(in.path)
		if err != nil {
			return nil, pathError(in.name, err)
		}
		if info.Mode().IsRegular() {
			in.size = info.Size()
			return nil, nil
		}
		// A named pipe or a device: like standard input. It is open
		// until it is read.
		f, err := os.Open(in.path)
		if err != nil {
			return nil, pathError(in.name, err)
		}
		in.remove = func() { f.Close() }
		return f, nil
	}
	f, ok := s.o.Stdin.(*os.File)
	if !ok {
		return s.o.Stdin, nil
	}
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return f, nil
	}
	at, err := f.Seek(0, io.SeekCurrent)
	if err != nil {
		return f, nil
	}
	in.at, in.base, in.size = f, at, max(0, info.Size()-at)
	return nil, nil
}

// check opens a file that can be sought in, to see what it says of itself.
func (s *Source) check(in *input) (*arrow.Schema, error) {
	f, err := in.open(s.o.reading())
	if err != nil {
		return nil, err
	}
	defer f.Close()
	in.rows = f.Rows()
	return schema.Check(f.Schema())
}

// open opens a file that can be sought in.
func (in *input) open(o container.Options) (container.File, error) {
	at := in.at
	var file *os.File
	if at == nil {
		var err error
		if file, err = os.Open(in.path); err != nil {
			return nil, pathError(in.name, err)
		}
		at = file
	}
	f, err := in.openAt(at, file, o)
	if err != nil && file != nil {
		file.Close()
	}
	return f, err
}

func (in *input) openAt(at io.ReaderAt, file *os.File, o container.Options) (container.File, error) {
	if file != nil {
		info, err := file.Stat()
		if err != nil {
			return nil, pathError(in.name, err)
		}
		if info.Size() != in.size {
			return nil, errChanged
		}
	}
	r := io.NewSectionReader(at, in.base, in.size)
	if in.container.Open == nil {
		head := make([]byte, min(8, in.size))
		if err := bound.ReadFullAt(r, head, 0); err != nil {
			return nil, err
		}
		if err := in.sniff(head); err != nil {
			return nil, err
		}
	}
	f, err := in.container.Open(r, o)
	if err != nil {
		return nil, err
	}
	return &openFile{f, file}, nil
}

var errChanged = errors.New("the file changed while it was being read")

// An openFile is a file and what it reads from.
type openFile struct {
	container.File
	from *os.File // to be closed with it; nil: it stays open
}

func (f *openFile) Close() {
	f.File.Close()
	if f.from != nil {
		f.from.Close()
	}
}

func (in *input) sniff(head []byte) (err error) {
	if in.format, err = sniff(head); err == nil {
		in.container, err = in.format.format()
	}
	return err
}

// reading returns what formats need to know.
func (o *OpenOptions) reading() container.Options {
	return container.Options{BatchRows: o.BatchRows, AllowMissingEOS: o.AllowMissingEOS, Allocator: o.Allocator}
}

// fault names the file in an error about it.
func (in *input) fault(err error) error {
	var file *FileError
	var spool *SpoolError
	switch {
	case err == nil, errors.As(err, &file), errors.As(err, &spool),
		errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	}
	key := keyOf(err)
	if key == KeyDamaged && in.path != "" {
		// Whoever writes the file meanwhile is to blame, not what it holds.
		if info, statErr := os.Stat(in.path); statErr == nil && info.Size() != in.size {
			key, err = KeyChanged, fmt.Errorf("%w: %w", errChanged, err)
		}
	}
	return &FileError{File: in.name, Err: err, Hint: hint(err), Key: key}
}

// Schema returns the schema of all columns.
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

// close removes what the input kept.
func (in *input) close() {
	if in.pipe != nil {
		in.pipe.Close()
		in.pipe = nil
	}
	in.remove()
	in.remove = func() {}
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

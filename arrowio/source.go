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

	"github.com/aefeat/aefeat/internal/atomicfile"
)

// OpenOptions says how inputs are opened. The zero value is ready to use.
type OpenOptions struct {
	// Stdin is what "-" stands for. A regular file is read where it lies, from its current position on; anything else is a
	// pipe. nil: os.Stdin.
	Stdin io.Reader

	// SpoolDir is the folder for copies of pipes that cannot be read as they come. "": the system's folder for temporary files.
	SpoolDir string

	// Rewindable asks for a source that can be read more than once: an Arrow stream that comes through a pipe is then copied, too.
	Rewindable bool

	// AllowMissingEOS takes an Arrow stream without its end marker for whole. Some old writers leave it out.
	AllowMissingEOS bool

	// BatchRows is the number of rows that a batch from Parquet has at most. 0: as many as make up a few MiB. Batches from
	// Arrow are as they were written.
	BatchRows int

	// Allocator is where batches come from. nil: memory.DefaultAllocator.
	Allocator memory.Allocator
}

// A Source is an open input: the rows of one or several files, one after the other. It is made by [Open]. Its methods may be called from
// several goroutines; several Readers may read at the same time.
type Source struct {
	o      OpenOptions
	inputs []*input
	schema *arrow.Schema

	mu   sync.Mutex
	rows []int64 // of each input, -1 until known
	read []bool  // the input has been read to its end or is of known length
}

// An input is one file.
type input struct {
	name   string
	path   string // to be opened when it is read; "": file or pipe
	format Format
	file   *os.File // spooled, or a redirected one
	base   int64    // where it begins in file
	size   int64
	remove func()
	pipe   *ipcReader // an Arrow stream, to be read once
	used   bool
	rows   int64 // -1: not known
}

// Open opens inputs: paths of files, of folders (all files below, except those whose names begin with a dot or underscore), patterns as in
// [path/filepath.Match], and "-" for standard input; none is standard input alone. Folders and patterns are read in the natural order of names.
//
// What a file is, its first bytes say: Parquet, an Arrow IPC file or an Arrow IPC stream. Columns must agree in name and type, in
// order, over all files. Every file is checked before the Arrow library sees it; errors about one are a [*FileError].
func Open(inputs []string, o OpenOptions) (*Source, error) {
	if o.Stdin == nil {
		o.Stdin = os.Stdin
	}
	if o.Allocator == nil {
		o.Allocator = memory.DefaultAllocator
	}
	names, err := expand(inputs)
	if err != nil {
		return nil, err
	}
	s := &Source{o: o}
	for _, name := range names {
		if err := s.add(name); err != nil {
			s.Close()
			return nil, err
		}
	}
	return s, nil
}

func (s *Source) add(name string) error {
	in := &input{name: name, path: name, remove: func() {}, rows: -1}
	if name == "-" {
		in.name, in.path = "standard input", ""
	}
	s.inputs = append(s.inputs, in)
	schema, err := s.prepare(in)
	if err != nil {
		return in.fault(err)
	}
	if s.schema == nil {
		s.schema = schema
	} else if s.schema, err = mergeSchemas(s.schema, schema); err != nil {
		return &FileError{File: in.name, Err: fmt.Errorf("differs from %s: %w", s.inputs[0].name, err), Hint: "inputs of one run must have the same columns"}
	}
	s.rows = append(s.rows, in.rows)
	s.read = append(s.read, in.rows >= 0)
	return nil
}

// fault names the file in an error about it.
func (in *input) fault(err error) error {
	var file *FileError
	var spool *SpoolError
	switch {
	case err == nil, errors.As(err, &file), errors.As(err, &spool), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	}
	return &FileError{File: in.name, Err: err, Hint: hint(err)}
}

// prepare finds out what the input is, and makes it such that it can be read.
func (s *Source) prepare(in *input) (*arrow.Schema, error) {
	var stream io.Reader
	switch {
	case in.path == "":
		stream = s.o.Stdin
		f, ok := s.o.Stdin.(*os.File)
		if !ok {
			break
		}
		info, err := f.Stat()
		if err != nil || !info.Mode().IsRegular() {
			break
		}
		at, err := f.Seek(0, io.SeekCurrent)
		if err != nil {
			break
		}
		in.file, in.base, in.size = f, at, max(0, info.Size()-at)
		stream = nil
	default:
		f, err := os.Open(in.path)
		if err != nil {
			return nil, pathError(in.name, err)
		}
		info, err := f.Stat()
		if err != nil {
			f.Close()
			return nil, pathError(in.name, err)
		}
		if info.Mode().IsRegular() {
			defer f.Close() // opened again when it is read
			in.size = info.Size()
			return s.inspectFile(in, f)
		}
		// A named pipe or a device: like standard input. It is open until it is read.
		stream = f
		in.remove = func() { f.Close() }
	}
	if stream == nil {
		return s.inspectFile(in, in.file)
	}

	b := bufio.NewReaderSize(stream, 64<<10)
	head, err := b.Peek(8)
	if err != nil && err != io.EOF {
		return nil, err
	}
	if in.format, err = format(head); err != nil {
		return nil, err
	}
	if in.format == Stream && !s.o.Rewindable {
		m, err := openStream(&streamReader{r: b, known: -1, allowNoEnd: s.o.AllowMissingEOS, mem: s.o.Allocator})
		if err != nil {
			return nil, err
		}
		if in.pipe, err = newIPCReader(m, s.o.Allocator); err != nil {
			return nil, err
		}
		return checkedSchema(in.pipe.schema())
	}
	f, remove, err := atomicfile.Spool(b, s.o.SpoolDir)
	if err != nil {
		return nil, err
	}
	in.remove() // a named pipe is read to its end
	in.file, in.path = f, ""
	in.remove = func() { f.Close(); remove() }
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	in.size = info.Size()
	return s.inspectFile(in, f)
}

// inspectFile reads what a seekable input says of itself.
func (s *Source) inspectFile(in *input, f *os.File) (*arrow.Schema, error) {
	r := io.NewSectionReader(f, in.base, in.size)
	head := make([]byte, min(8, in.size))
	if err := readFullAt(r, head, 0); err != nil {
		return nil, err
	}
	var err error
	if in.format, err = format(head); err != nil {
		return nil, err
	}
	switch in.format {
	case Parquet:
		f, err := readFooter(r, in.size)
		if err != nil {
			return nil, err
		}
		in.rows = f.rows
		schema, err := f.arrowSchema()
		if err != nil {
			return nil, err
		}
		return checkedSchema(schema)
	case Arrow:
		f, err := openIPCFile(r, in.size)
		if err != nil {
			return nil, err
		}
		in.rows = f.rows
		return messagesSchema(f.messages(s.o.Allocator), s.o.Allocator)
	default:
		m, err := openStream(s.stream(in, r))
		if err != nil {
			return nil, err
		}
		return messagesSchema(m, s.o.Allocator)
	}
}

func (s *Source) stream(in *input, r io.Reader) *streamReader {
	return &streamReader{r: bufio.NewReaderSize(r, 64<<10), known: in.size, allowNoEnd: s.o.AllowMissingEOS, mem: s.o.Allocator}
}

func messagesSchema(m *messages, mem memory.Allocator) (*arrow.Schema, error) {
	r, err := newIPCReader(m, mem)
	if err != nil {
		return nil, err
	}
	defer r.close()
	return checkedSchema(r.schema())
}

// checkedSchema refuses a schema in which a name stands for two columns, since none of the two could be asked for, and types without a meaning.
func checkedSchema(schema *arrow.Schema) (*arrow.Schema, error) {
	seen := map[string]bool{}
	for _, f := range schema.Fields() {
		if seen[f.Name] {
			return nil, fmt.Errorf("two columns are called %q", f.Name)
		}
		seen[f.Name] = true
		if err := checkType(f.Type); err != nil {
			return nil, damaged("schema", fmt.Errorf("column %q: %w", f.Name, err))
		}
	}
	meta := schema.Metadata()
	return arrow.NewSchema(cleanFields(schema.Fields()), &meta), nil
}

// Schema returns the schema of all columns.
func (s *Source) Schema() *arrow.Schema { return s.schema }

// NumRows returns the number of rows, if the inputs say it before they are read: Parquet and Arrow files do, Arrow streams do not.
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

// Close ends the source and removes what it kept. It does not close Stdin. Readers must not be used after it, nor
// released: release them before.
func (s *Source) Close() error {
	for _, in := range s.inputs {
		if in.pipe != nil {
			in.pipe.close()
			in.pipe = nil
		}
		in.remove()
		in.remove = func() {}
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

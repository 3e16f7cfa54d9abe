package arrowio

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/aefeat/aefeat/arrowio/internal/bound"
	"github.com/aefeat/aefeat/arrowio/internal/container"
	"github.com/aefeat/aefeat/internal/atomicfile"
	"github.com/aefeat/aefeat/internal/disk"
)

// An input is one file.
type input struct {
	name      string
	path      string      // to be opened when it is read; "": it is open
	at        io.ReaderAt // a file that is open
	base      int64       // where it begins
	size      int64
	info      fs.FileInfo       // of a file when it was first seen; nil: it is none
	sum       [sha256.Size]byte // of what it said of itself then
	remove    func()
	format    Format
	container container.Format
	pipe      container.File // what cannot be sought in, to be read once
	tap       *tap           // of pipe; nil: nobody asked for its hash
	used      bool
	rows      int64         // -1: not known
	schema    *arrow.Schema // of the columns that it has, checked
	keys      []key         // of its path
	root      string        // the folder in which it was found; "": it was named
}

// prepare finds out what the input is, and makes it such that it can be read.
func (s *Source) prepare(in *input) error {
	stream, err := s.locate(in)
	if err != nil {
		return err
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
		return err
	}
	if err := in.sniff(head); err != nil {
		return err
	}
	if in.container.OpenPipe != nil && !s.o.Rewindable {
		if in.pipe, err = in.container.OpenPipe(b, s.reading()); err != nil {
			return err
		}
		in.schema, err = s.checked(in.pipe.Schema())
		return err
	}
	copied, err := atomicfile.Spool(b, s.o.SpoolDir)
	if err != nil {
		return err
	}
	in.remove() // a named pipe is read to its end
	in.at, in.size, in.path, in.info = copied, copied.Size(), "", nil
	in.remove = func() { copied.Close() }
	return s.check(in)
}

// locate finds out where the input can be sought in. It returns what is to be
// read as it comes instead, nil if there is a file.
func (s *Source) locate(in *input) (io.Reader, error) {
	if in.path != "" {
		info, err := disk.Stat(in.path)
		if err != nil {
			return nil, pathError(in.name, err)
		}
		if info.Mode().IsRegular() {
			in.size, in.info = info.Size(), info
			return nil, nil
		}
		if in.root != "" {
			return nil, in.unfit(info)
		}
		// A named pipe or a device: like standard input. It is open
		// until it is read.
		f, err := disk.Open(in.path)
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
	in.at, in.base, in.size, in.info = disk.FromOS(f), at, max(0, info.Size()-at), info
	return nil, nil
}

// unfit is the error of what was found in a folder and is no file. Waiting for
// a pipe that nobody has asked for would have no end.
func (in *input) unfit(info os.FileInfo) error {
	if info.IsDir() {
		return &FileError{File: in.name, Err: errors.New("a link to a folder, which is not followed"), Hint: "name that folder as an input of its own", Key: KeyUnsupported}
	}
	return &foreignError{"not a regular file"}
}

// check opens a file that can be sought in, to see what it says of itself.
func (s *Source) check(in *input) error {
	f, err := in.open(s.reading())
	if err != nil {
		return err
	}
	defer f.Close()
	in.rows, in.sum = f.Rows(), f.Sum()
	in.schema, err = s.checked(f.Schema())
	return err
}

// smallBytes is the size of files that are read at once: about what as many
// bytes take to copy as the calls take that read a page here and there.
const smallBytes = 64 << 10

// open opens a file that can be sought in.
func (in *input) open(o container.Options) (container.File, error) {
	if in.at != nil {
		if err := in.unchanged(in.at); err != nil {
			return nil, err
		}
		return in.openAt(in.at, o)
	}
	file, err := in.reopen()
	if err != nil {
		return nil, err
	}
	if in.size <= smallBytes {
		defer file.Close()
		b := make([]byte, in.size)
		if err := bound.ReadFullAt(file, b, 0); err != nil {
			return nil, err
		}
		if err := in.unchanged(file); err != nil {
			return nil, err
		}
		return in.openAt(bytes.NewReader(b), o)
	}
	f, err := in.openAt(file, o)
	if err != nil {
		file.Close()
		return nil, err
	}
	return &openFile{f, file}, nil
}

// reopen opens the file of the path, which must be the one that it was.
func (in *input) reopen() (*disk.File, error) {
	file, err := disk.Open(in.path)
	if err != nil {
		return nil, pathError(in.name, err)
	}
	if err := in.unchanged(file); err != nil {
		file.Close()
		return nil, err
	}
	return file, nil
}

// unchanged returns an error where the file that at is, if it is one, is not
// what it was when it was first seen: a file is read more than once, and what
// is found must hold for all of them.
func (in *input) unchanged(at any) error {
	f, ok := at.(interface{ Stat() (fs.FileInfo, error) })
	if !ok || in.info == nil {
		return nil
	}
	info, err := f.Stat()
	switch {
	case err != nil:
		return pathError(in.name, err)
	case in.differs(info):
		return errChanged
	}
	return nil
}

// differs reports whether info is of another file, or of what has become of
// this one.
func (in *input) differs(info fs.FileInfo) bool {
	return !os.SameFile(in.info, info) || info.Size() != in.info.Size() || !info.ModTime().Equal(in.info.ModTime())
}

func (in *input) openAt(at io.ReaderAt, o container.Options) (container.File, error) {
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
	return in.container.Open(r, o)
}

var (
	errChanged = errors.New("the file changed while it was being read")
	errOnce    = errors.New("an Arrow stream from a pipe can be read only once")
)

// An openFile is a file and what it reads from.
type openFile struct {
	container.File
	from *disk.File // to be closed with it
}

func (f *openFile) Close() {
	f.File.Close()
	f.from.Close()
}

func (in *input) sniff(head []byte) (err error) {
	if in.format, err = sniff(head); err == nil {
		in.container, err = in.format.format()
	}
	return err
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
		if info, statErr := disk.Stat(in.path); statErr == nil && in.info != nil && in.differs(info) {
			key, err = KeyChanged, fmt.Errorf("%w: %w", errChanged, err)
		}
	}
	return &FileError{File: in.name, Err: err, Hint: hint(err), Key: key}
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

package main

import (
	"errors"
	"io/fs"
	"os"
	"slices"
)

// A stdout is standard output, of which no error is lost.
type stdout struct {
	file *os.File

	// closed says that there was none when the program began. What is written
	// is lost, without an error.
	closed bool

	wrote bool
	err   error // of the first write that failed
}

func newStdout(f *os.File) *stdout { return &stdout{file: f, closed: isStandIn(f)} }

// Write implements [io.Writer].
func (s *stdout) Write(p []byte) (int, error) {
	n, err := s.file.Write(p)
	s.wrote = s.wrote || len(p) > 0
	if s.err == nil {
		s.err = err
	}
	return n, err
}

// Stat is that of the file.
func (s *stdout) Stat() (fs.FileInfo, error) { return s.file.Stat() }

// Fd is that of the file.
func (s *stdout) Fd() uintptr { return s.file.Fd() }

// store brings what was written to the disk, if it went to a file. It returns
// the error of a write, too, which may have been passed over.
func (s *stdout) store() error {
	if s.err != nil || !s.wrote {
		return s.err
	}
	if info, err := s.file.Stat(); err == nil && info.Mode().IsRegular() {
		s.err = s.file.Sync()
	}
	s.wrote = false
	return s.err
}

// Close ends the output, and returns what went wrong with it.
func (s *stdout) Close() error {
	if err := s.store(); err != nil {
		return err
	}
	return s.file.Close()
}

// storeOut brings to the disk what went to standard output.
func (c *console) storeOut() error {
	if s, ok := c.out.(*stdout); ok {
		return s.store()
	}
	return nil
}

// needOut returns an error where standard output was closed when the program
// began, for models and data that go there. Text does without: whoever throws
// it away may want the exit status alone, and Python's subprocess.DEVNULL looks
// like an output that was closed.
func (c *console) needOut() error {
	if s, ok := c.out.(*stdout); !ok || !s.closed {
		return nil
	}
	return &hintedError{&codedError{"output.io", errors.New("standard output is closed")},
		"send it to a file or a pipe, or to " + os.DevNull + ", opened for writing alone, if nobody wants it"}
}

// isStdout reports whether a name stands for standard output.
func isStdout(name string) bool {
	return slices.Contains([]string{"-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"}, name)
}

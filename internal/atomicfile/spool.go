package atomicfile

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/aefeat/aefeat/internal/disk"
)

// A SpoolError says that the temporary copy of a pipe cannot be written, or not
// be read again.
type SpoolError struct {
	Dir string
	Err error
}

func (e *SpoolError) Error() string {
	return fmt.Sprintf("keep a copy of the input in %s: %v", e.Dir, e.Err)
}
func (e *SpoolError) Unwrap() error { return e.Err }

// A Copy is what [Spool] made. It may be read from several goroutines.
type Copy struct {
	f    *disk.File
	dir  string
	size int64
}

// Spool copies r into a temporary file in dir, "" being the system's folder for
// them. The file has no name where the system can do without, so that nothing
// is left behind. An error of r is returned as it is, one of the copy as a
// [*SpoolError].
func Spool(r io.Reader, dir string) (*Copy, error) {
	if dir == "" {
		dir = os.TempDir()
	}
	c := &Copy{dir: dir}
	var err error
	if c.f, err = disk.CreateScratch(dir, "aefeat-*.spool"); err != nil {
		return nil, c.failed(err)
	}
	in := &readError{r: r}
	if c.size, err = io.Copy(c.f, in); err != nil {
		c.Close()
		if in.err != nil {
			return nil, in.err
		}
		return nil, c.failed(err)
	}
	return c, nil
}

// Size returns the number of bytes that were copied.
func (c *Copy) Size() int64 { return c.size }

// ReadAt implements [io.ReaderAt]. Its errors are a [*SpoolError].
func (c *Copy) ReadAt(p []byte, off int64) (int, error) {
	n, err := c.f.ReadAt(p, off)
	switch {
	case err == io.EOF && off+int64(n) < c.size:
		err = c.failed(io.ErrUnexpectedEOF)
	case err != nil && err != io.EOF:
		err = c.failed(err)
	}
	return n, err
}

// Close removes the copy.
func (c *Copy) Close() error { return c.f.Close() }

func (c *Copy) failed(err error) error {
	var at *os.PathError
	if errors.As(err, &at) {
		err = at.Err
	}
	return &SpoolError{c.dir, err}
}

// A readError keeps the error of a reader, to tell it from that of a writer.
type readError struct {
	r   io.Reader
	err error
}

func (r *readError) Read(b []byte) (int, error) {
	n, err := r.r.Read(b)
	if err != nil && err != io.EOF {
		r.err = err
	}
	return n, err
}

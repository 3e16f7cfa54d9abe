package atomicfile

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/aefeat/aefeat/internal/disk"
)

// A SpoolError says that the temporary copy of a pipe cannot be written.
type SpoolError struct {
	Dir string
	Err error
}

func (e *SpoolError) Error() string {
	return fmt.Sprintf("keep a copy of the input in %s: %v", e.Dir, e.Err)
}
func (e *SpoolError) Unwrap() error { return e.Err }

// Spool copies r into a temporary file in dir, "" being the system's folder for
// them. The file has no name, so that nothing is left behind; remove deletes it
// where the system cannot do without. f stands at its end. An error of r is
// returned as it is, one of the copy as a [*SpoolError].
func Spool(r io.Reader, dir string) (f *disk.File, remove func(), err error) {
	if dir == "" {
		dir = os.TempDir()
	}
	remove = func() {}
	if f, err = disk.CreateUnnamed(dir, dir); err != nil {
		if f, err = disk.CreateTemp(dir, "aefeat-*.spool"); err != nil {
			return nil, nil, &SpoolError{dir, err}
		}
		if name := f.Name(); disk.Remove(name) != nil { // as on Windows
			remove = func() { disk.Remove(name) }
		}
	}
	in := &readError{r: r}
	if _, err = io.Copy(f, in); err != nil {
		f.Close()
		remove()
		if in.err != nil {
			return nil, nil, in.err
		}
		var at *os.PathError
		if errors.As(err, &at) {
			err = at.Err
		}
		return nil, nil, &SpoolError{dir, err}
	}
	return f, remove, nil
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

package disk

import (
	"io/fs"

	"golang.org/x/sys/unix"
)

// Allocate makes sure that there is room for the first n bytes of a file, whose
// length stays. Where the file system cannot it is [errors.ErrUnsupported].
func (f *File) Allocate(n int64) error {
	return do("allocate", f.Name(), func() error {
		err := unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_KEEP_SIZE, 0, n)
		if err != nil {
			err = &fs.PathError{Op: "allocate", Path: f.Name(), Err: err}
		}
		return err
	})
}

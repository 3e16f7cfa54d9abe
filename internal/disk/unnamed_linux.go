package disk

import (
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// CreateUnnamed creates a file in a folder that has no name, and so is gone
// once it is closed, unless [File.Link] gives it one. Errors call it name. Not
// every system can, nor every file system.
func CreateUnnamed(dir, name string) (*File, error) {
	f, err := open(name, func() (*os.File, error) {
		fd, err := unix.Open(dir, unix.O_TMPFILE|unix.O_RDWR|unix.O_CLOEXEC, 0o666)
		if err != nil {
			return nil, &fs.PathError{Op: "create", Path: name, Err: err}
		}
		return os.NewFile(uintptr(fd), name), nil
	})
	if err != nil {
		return nil, err
	}
	// Without /proc there is no way to name it later.
	if _, err := Stat(f.descriptor()); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// Link gives a file that [CreateUnnamed] made a name, which must be free.
func (f *File) Link(name string) error {
	return do("link", name, func() error {
		if err := unix.Linkat(unix.AT_FDCWD, f.descriptor(), unix.AT_FDCWD, name, unix.AT_SYMLINK_FOLLOW); err != nil {
			return &fs.PathError{Op: "link", Path: name, Err: err}
		}
		return nil
	})
}

func (f *File) descriptor() string { return fmt.Sprintf("/proc/self/fd/%d", f.Fd()) }

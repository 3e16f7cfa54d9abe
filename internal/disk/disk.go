// Package disk holds the calls of package os that read and write data, under
// their names and with their meaning, so that tests can make each of them
// fail.
//
// Where outputs, temporary files and inputs are opened, renamed and removed,
// [Open], [CreateTemp] and the others stand for those of os, and [File] stands
// for its File. [CreateUnnamed] and [File.Link] are beyond os, a file that has
// no name until it is whole, and so is [CreateScratch], one that never gets a
// name. A test calls [Inject]; without it a call costs one look at a variable.
//
// A call that a signal interrupted (EINTR) is made again, those included for
// which os does not. Only Close is not: the file is closed by then.
package disk

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

// A File is an open file, as that of os. Calls that are not here are left out
// since nobody needs them.
type File struct {
	f      *os.File
	remove bool // its name, once it is closed
}

// FromOS returns a File for what somebody else has opened, such as standard
// input.
func FromOS(f *os.File) *File { return &File{f: f} }

// Open opens a file for reading.
func Open(name string) (*File, error) { return OpenFile(name, os.O_RDONLY, 0) }

// OpenFile is that of os.
func OpenFile(name string, flag int, perm fs.FileMode) (*File, error) {
	return open(name, func() (*os.File, error) { return os.OpenFile(name, flag, perm) })
}

// CreateTemp is that of os. dir must be named.
func CreateTemp(dir, pattern string) (*File, error) {
	return open(dir, func() (*os.File, error) { return os.CreateTemp(dir, pattern) })
}

func open(name string, call func() (*os.File, error)) (*File, error) {
	var f *os.File
	err := do("open", name, func() (err error) {
		f, err = call()
		return err
	})
	if err != nil {
		return nil, err
	}
	return &File{f: f}, nil
}

// Stat is that of os.
func Stat(name string) (info fs.FileInfo, err error) {
	err = do("stat", name, func() (err error) {
		info, err = os.Stat(name)
		return err
	})
	return info, err
}

// Lstat is that of os.
func Lstat(name string) (info fs.FileInfo, err error) {
	err = do("lstat", name, func() (err error) {
		info, err = os.Lstat(name)
		return err
	})
	return info, err
}

// ReadDir is that of os.
func ReadDir(name string) (entries []fs.DirEntry, err error) {
	err = do("readdir", name, func() (err error) {
		entries, err = os.ReadDir(name)
		return err
	})
	return entries, err
}

// MkdirAll is that of os.
func MkdirAll(name string, perm fs.FileMode) error {
	return do("mkdir", name, func() error { return os.MkdirAll(name, perm) })
}

// Rename is that of os.
func Rename(from, to string) error {
	return do("rename", to, func() error { return os.Rename(from, to) })
}

// Remove is that of os.
func Remove(name string) error {
	return do("remove", name, func() error { return os.Remove(name) })
}

// do makes a call, or lets it fail as a test wants.
func do(op, name string, call func() error) error {
	for {
		want := fault(Call{Op: op, Name: name})
		var err error
		switch {
		case want.Err != nil:
			err = &fs.PathError{Op: op, Path: name, Err: want.Err}
		case !want.Skip:
			err = call()
		}
		if !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}

// Package atomicfile makes files that appear under their names whole or not at
// all, and copies of pipes that leave nothing behind.
//
// [Create] opens a [File], which Commit makes visible; [Spool] copies a reader
// into a file without a name. A File is for one goroutine.
package atomicfile

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"

	"github.com/aefeat/aefeat/internal/disk"
)

// A File is an output that appears under its name whole or not at all. It is
// made by [Create], written, and ended with Commit or Abort. Until Commit a
// file of the same name stays as it was, and where the system allows the new
// one has no name at all, so that nothing is left behind even by a process that
// is killed.
//
// Devices, named pipes and the like cannot be replaced: they are written as the
// bytes come.
type File struct {
	f      *disk.File
	name   string // as given, for errors
	target string // where it will be, links followed; "": written directly
	temp   string // where it is meanwhile, "" if it has no name
	done   bool

	written int64 // bytes so far
	sent    int64 // of these, bytes that are on their way to the disk
}

// sendBytes is how much is written before the disk is told to begin with it, so
// that Commit does not wait for all of it at the end. (With an output of 950 MB
// and a disk of 1.2 GB/s it waited 0.5 s of 7, and then 0.3; slower disks gain
// more.)
const sendBytes = 16 << 20

// Create opens a file for output. The folder must exist. A file that exists
// keeps its permissions, and must be writable; a new one gets what the umask
// leaves. A path that is a symlink stays one: what it points to is replaced.
func Create(path string) (*File, error) {
	if f, err := openDescriptor(path); f != nil || err != nil {
		return &File{f: f, name: path}, err
	}
	target, err := followLinks(path)
	if err != nil {
		return nil, err
	}
	info, err := disk.Stat(target)
	switch {
	case err == nil && info.IsDir():
		return nil, &fs.PathError{Op: "create", Path: path, Err: folderError{}}
	case err == nil && !info.Mode().IsRegular():
		f, err := disk.OpenFile(target, os.O_WRONLY, 0)
		if err != nil {
			return nil, renameError(err, path)
		}
		return &File{f: f, name: path}, nil
	case err == nil:
		// Replacing needs no permission on the file itself. Ask for it
		// nonetheless: a protected file is protected for a reason.
		f, err := disk.OpenFile(target, os.O_WRONLY, 0)
		if err != nil {
			return nil, renameError(err, path)
		}
		f.Close()
	case !errors.Is(err, fs.ErrNotExist):
		return nil, renameError(err, path)
	}

	out := &File{name: path, target: target}
	if out.f, err = disk.CreateUnnamed(filepath.Dir(target), path); err != nil {
		out.temp, out.f, err = out.named(func(temp string) (*disk.File, error) {
			return disk.OpenFile(temp, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o666)
		})
		if err != nil {
			return nil, renameError(err, path)
		}
	}
	if info != nil {
		if err := out.f.Chmod(info.Mode().Perm()); err != nil {
			out.Abort()
			return nil, renameError(err, path)
		}
		keepOwner(out.f, info)
	}
	return out, nil
}

// A folderError says that a folder stands where an output is to be.
type folderError struct{}

func (folderError) Error() string { return "is a folder" }

// Is makes it the error that the system has for this.
func (folderError) Is(target error) bool { return target == syscall.EISDIR }

// Write implements [io.Writer]. Errors name the file.
func (f *File) Write(p []byte) (int, error) {
	n, err := f.f.Write(p)
	f.written += int64(n)
	if !f.Direct() && f.written-f.sent >= sendBytes {
		sendToDisk(f.f, f.sent, f.written-f.sent)
		f.sent = f.written
	}
	return n, renameError(err, f.name)
}

// Commit makes the file appear, with everything on disk first. On an error
// nothing appears.
func (f *File) Commit() error {
	if f.done {
		return fs.ErrClosed
	}
	if f.Direct() {
		f.done = true
		return renameError(f.f.Close(), f.name)
	}
	if err := f.commit(); err != nil {
		f.Abort()
		return renameError(err, f.name)
	}
	return nil
}

func (f *File) commit() error {
	if err := f.f.Sync(); err != nil {
		return err
	}
	if f.temp == "" {
		// Give it a name: its own if that is free, else one to rename from.
		err := f.f.Link(f.target)
		switch {
		case errors.Is(err, fs.ErrExist):
			if f.temp, _, err = f.named(func(temp string) (*disk.File, error) { return nil, f.f.Link(temp) }); err != nil {
				return err
			}
		case err != nil:
			return err
		}
	}
	_ = f.f.Close() // all is on the disk: Sync said so
	f.done = true
	if f.temp != "" {
		if err := disk.Rename(f.temp, f.target); err != nil {
			disk.Remove(f.temp)
			return err
		}
	}
	syncDir(filepath.Dir(f.target))
	return nil
}

// Direct reports whether what is written is seen at once, since the output is a
// device, a pipe or the like.
func (f *File) Direct() bool { return f.target == "" }

// Abort ends the output and leaves nothing of it behind, except where it was
// written directly. After Commit it does nothing.
func (f *File) Abort() error {
	if f.done {
		return nil
	}
	f.done = true
	err := f.f.Close()
	if f.temp != "" {
		err = errors.Join(err, disk.Remove(f.temp))
	}
	return renameError(err, f.name)
}

// named tries names beside the target until make takes one.
func (f *File) named(make func(temp string) (*disk.File, error)) (string, *disk.File, error) {
	for {
		temp := filepath.Join(filepath.Dir(f.target), fmt.Sprintf(".%s.%08x.tmp", filepath.Base(f.target), rand.Uint32()))
		file, err := make(temp)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		return temp, file, err
	}
}

// followLinks returns what a path stands for, which need not exist yet.
func followLinks(path string) (string, error) {
	target := path
	for range 40 { // the limit that Linux has
		info, err := disk.Lstat(target)
		switch {
		case errors.Is(err, fs.ErrNotExist), err == nil && info.Mode()&fs.ModeSymlink == 0:
			return target, nil
		case err != nil:
			return "", renameError(err, path)
		}
		link, err := os.Readlink(target)
		if err != nil {
			return "", renameError(err, path)
		}
		if !filepath.IsAbs(link) {
			link = filepath.Join(filepath.Dir(target), link)
		}
		target = link
	}
	return "", &fs.PathError{Op: "create", Path: path, Err: syscall.ELOOP}
}

// Same reports whether two outputs, each a path or "-" for standard output,
// would overwrite each other or mix. Links are followed, and neither file need
// exist.
func Same(a, b string) bool {
	if a == b {
		return true
	}
	x, pathX := destination(a)
	y, pathY := destination(b)
	if x == nil && y == nil {
		return pathX == pathY
	}
	return x != nil && y != nil && os.SameFile(x, y) && x.Mode()&fs.ModeCharDevice == 0
}

// destination is where an output goes: a file that is there, or else the path
// of a new one.
func destination(output string) (there fs.FileInfo, path string) {
	if output == "-" {
		there, _ = os.Stdout.Stat()
		return there, output
	}
	if there, err := disk.Stat(output); err == nil {
		return there, ""
	}
	target, err := followLinks(output)
	if err != nil {
		return nil, output
	}
	if path, err = filepath.Abs(target); err != nil {
		return nil, output
	}
	if folder, err := filepath.EvalSymlinks(filepath.Dir(path)); err == nil {
		path = filepath.Join(folder, filepath.Base(path))
	}
	return nil, path
}

// renameError makes an error name the path that the user gave.
func renameError(err error, path string) error {
	var at *fs.PathError
	if errors.As(err, &at) {
		return &fs.PathError{Op: at.Op, Path: path, Err: at.Err}
	}
	var link *os.LinkError
	if errors.As(err, &link) {
		return &fs.PathError{Op: link.Op, Path: path, Err: link.Err}
	}
	return err
}

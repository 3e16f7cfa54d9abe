// Package atomicfile makes files that appear under their names whole or not at
// all, and copies of pipes that leave nothing behind.
//
// [Create] opens a [File], which Commit makes visible; [CommitAll] does so with
// several, in order, once all of them are on disk. [Write] is all of it for a
// file that one function writes. [Spool] copies a reader into a file without a
// name. A File is for one goroutine.
package atomicfile

import (
	"errors"
	"fmt"
	"io"
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
	there  bool        // it has appeared
	old    fs.FileInfo // of the file that it replaces; nil: there is none

	written  int64 // bytes so far
	sent     int64 // of these, bytes that are on their way to the disk
	reserved bool  // the file may be longer than what is written
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

	out := &File{name: path, target: target, old: info}
	out.removeStale()
	if out.f, err = disk.CreateUnnamed(filepath.Dir(target), path); err != nil {
		if out.temp, out.f, err = out.createNamed(); err != nil {
			return nil, renameError(err, path)
		}
	} else {
		claim(out.f, "")
	}
	if err := out.likeOld(); err != nil {
		out.Abort()
		return nil, renameError(err, path)
	}
	return out, nil
}

// Write makes a file of what a function writes. On an error, the function's
// included, nothing appears.
func Write(path string, write func(io.Writer) error) error {
	f, err := Create(path)
	if err != nil {
		return err
	}
	defer f.Abort() // after Commit it does nothing
	if err := write(f); err != nil {
		return err
	}
	return f.Commit()
}

// likeOld gives the file the permissions and owner of the one that it replaces.
func (f *File) likeOld() error {
	if f.old == nil {
		return nil
	}
	if err := f.f.Chmod(f.old.Mode().Perm()); err != nil {
		return err
	}
	keepOwner(f.f, f.old)
	return nil
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

// Reserve makes sure that the disk has room for n bytes from the beginning of
// the file on. What is not written of it is given back by Commit.
func (f *File) Reserve(n int64) error {
	if f.Direct() || n <= f.written {
		return nil
	}
	f.reserved = true
	err := f.f.Allocate(n)
	switch {
	case err == nil, errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT), errors.Is(err, syscall.EFBIG):
	default: // not every file system can
		err = f.fill(n)
	}
	return renameError(err, f.name)
}

// fill writes zeros up to n bytes.
func (f *File) fill(n int64) error {
	zeros := make([]byte, 1<<20)
	for at := f.written; at < n; {
		k, err := f.f.WriteAt(zeros[:min(n-at, int64(len(zeros)))], at)
		if err != nil {
			return err
		}
		at += int64(k)
	}
	return nil
}

// Commit makes the file appear, with everything on disk first. On an error
// nothing appears.
func (f *File) Commit() error { return CommitAll(f) }

// CommitAll makes files appear, each by the replacement of its name, in this
// order and right after each other. Before the first appears all of them are on
// disk, so that little is left that can fail; on an error until then none does.
// On a later one those before it have appeared. Files that did not are aborted.
func CommitAll(files ...*File) error {
	err := commitAll(files)
	if err != nil {
		for _, f := range files {
			_ = f.Abort() // there is an error already
		}
	}
	return err
}

func commitAll(files []*File) error {
	for _, f := range files {
		if f.done {
			return fs.ErrClosed
		}
	}
	for _, f := range files {
		if err := f.store(); err != nil {
			return renameError(err, f.name)
		}
	}
	for _, f := range files {
		// One that is alone needs no name meanwhile, if its own is free.
		if len(files) > 1 && f.temp == "" && !f.Direct() {
			if err := f.giveTemp(); err != nil {
				return renameError(err, f.name)
			}
		}
	}
	folders := map[string]bool{}
	for _, f := range files {
		if f.Direct() {
			continue
		}
		if err := f.appear(); err != nil {
			return renameError(err, f.name)
		}
		folders[filepath.Dir(f.target)] = true
	}
	for dir := range folders {
		syncDir(dir)
	}
	return nil
}

// store brings all of the file to the disk. What is written directly is then
// done.
func (f *File) store() error {
	if f.Direct() {
		f.done = true
		err := syncRegular(f.f)
		return errors.Join(err, f.f.Close())
	}
	if f.reserved {
		if err := f.f.Truncate(f.written); err != nil {
			return err
		}
	}
	return f.f.Sync()
}

// syncRegular brings what was written to the disk, where that is a file: pipes
// and devices have none.
func syncRegular(f *disk.File) error {
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return err
	}
	return f.Sync()
}

// appear gives the file its name.
func (f *File) appear() error {
	if f.temp == "" {
		if f.f.Link(f.target) == nil {
			f.there = true
			f.close()
			return nil
		}
		// The name is taken, or the system gives none.
		if err := f.giveTemp(); err != nil {
			return err
		}
	}
	if closedToRename {
		f.close()
	}
	if err := disk.Rename(f.temp, f.target); err != nil {
		return err
	}
	f.temp, f.there = "", true
	f.close()
	return nil
}

// close ends a file that is on disk: nothing that this could tell would matter.
// Until then nobody takes its other name for one that is left behind.
func (f *File) close() {
	if !f.done {
		_ = f.f.Close()
	}
	f.done = f.temp == ""
}

// giveTemp gives the file a name to rename it from. Where the system gives none
// to what has been written, a copy gets one.
func (f *File) giveTemp() error {
	var err error
	f.temp, err = f.named(func(temp string) error { return f.f.Link(temp) })
	if err == nil {
		return nil
	}
	temp, to, copyErr := f.createNamed()
	if copyErr != nil {
		return err
	}
	from := f.f
	f.temp, f.f = temp, to
	if _, copyErr = io.Copy(to, io.NewSectionReader(from, 0, f.written)); copyErr == nil {
		copyErr = errors.Join(f.likeOld(), to.Sync())
	}
	from.Close()
	if copyErr != nil {
		return err
	}
	return nil
}

// Appeared reports whether a Commit has given the file its name, be it that
// another one of the same [CommitAll] failed.
func (f *File) Appeared() bool { return f.there }

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

// temps is how many names a file may have before its own. One is enough for as
// many processes as write the same output at the same time.
const temps = 4

// tempName returns one of these names.
func (f *File) tempName(i int) string {
	return filepath.Join(filepath.Dir(f.target), fmt.Sprintf(".%s.%d.tmp", filepath.Base(f.target), i))
}

// named tries names beside the target until make takes one. They are the same
// in every run, so that one that a killed process left is found again.
func (f *File) named(make func(temp string) error) (string, error) {
	for i := 0; ; i++ {
		n := i
		if i >= temps {
			n = temps + rand.IntN(1<<30)
		}
		temp := f.tempName(n)
		if err := make(temp); !errors.Is(err, fs.ErrExist) {
			return temp, err
		}
	}
}

// createNamed creates a file beside the target.
func (f *File) createNamed() (temp string, file *disk.File, err error) {
	temp, err = f.named(func(temp string) error {
		file, err = disk.OpenFile(temp, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o666)
		if err == nil && !claim(file, temp) {
			file.Close()
			return fs.ErrExist
		}
		return err
	})
	return temp, file, err
}

// removeStale removes what processes left beside the target that were killed
// between giving a file a name and renaming it.
func (f *File) removeStale() {
	for i := range temps {
		temp := f.tempName(i)
		if info, err := disk.Lstat(temp); err == nil && info.Mode().IsRegular() {
			removeAbandoned(temp)
		}
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

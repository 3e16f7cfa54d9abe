package disk

import (
	"errors"
	"io/fs"
	"path/filepath"
	"strings"
)

// CreateScratch creates a file for the time that it is open, in a folder that
// must be named. Where the system can do without it has no name, so that
// nothing is left behind even by a process that is killed. Elsewhere it has one
// like pattern, as of [CreateTemp], for a moment, or on Windows until Close.
//
// Files of that pattern which others have left in the folder are removed. They
// may be open: who has them open needs no name, or holds on to it, as Windows
// does.
func CreateScratch(dir, pattern string) (*File, error) {
	removeScratch(dir, pattern)
	if f, err := CreateUnnamed(dir, dir); err == nil {
		return f, nil
	}
	f, err := CreateTemp(dir, pattern)
	if err != nil {
		return nil, err
	}
	if Remove(f.Name()) != nil {
		f.remove = true
	}
	return f, nil
}

// removeScratch removes what it can of the files in a folder whose names are
// like pattern, with a number for the star.
func removeScratch(dir, pattern string) {
	entries, _ := ReadDir(dir)
	before, after, _ := strings.Cut(pattern, "*")
	for _, e := range entries {
		name, ok := strings.CutPrefix(e.Name(), before)
		number, end := strings.CutSuffix(name, after)
		if ok && end && number != "" && strings.Trim(number, "0123456789") == "" && e.Type().IsRegular() {
			_ = Remove(filepath.Join(dir, e.Name()))
		}
	}
}

// removed removes the name of a file that has been closed, if it has one.
func (f *File) removed() error {
	if !f.remove {
		return nil
	}
	f.remove = false
	if err := Remove(f.Name()); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

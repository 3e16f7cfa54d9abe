package arrowio

import (
	"cmp"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"unicode/utf8"

	"github.com/aefeat/aefeat/internal/disk"
)

// A File is a file that inputs stand for.
type File struct {
	Name string // its path, or "-"

	// Root is the folder that was walked to find it, as a prefix of Name;
	// "" if the file was named, or matched by a pattern, itself.
	Root string
}

// Walk returns the files that inputs stand for, as [Open] reads them: those of
// a folder and those that a pattern matches in the natural order of their
// names. No inputs are "-", which stays as it is. What files hold is not looked
// at: those that [Open] passes over are among them. Errors are a [*FileError].
func Walk(inputs []string) ([]File, error) {
	if len(inputs) == 0 {
		return []File{{Name: "-"}}, nil
	}
	var files []File
	for _, in := range inputs {
		if in == "-" {
			if slices.Contains(files, File{Name: "-"}) {
				return nil, errors.New("standard input is named twice")
			}
			files = append(files, File{Name: in})
			continue
		}
		names := []string{in}
		_, err := disk.Stat(in)
		if errors.Is(err, fs.ErrNotExist) && isPattern(in) {
			names, err = glob(in)
		}
		if err != nil {
			return nil, pathError(in, err)
		}
		for _, name := range names {
			if files, err = appendFiles(files, name); err != nil {
				return nil, err
			}
		}
	}
	return files, nil
}

// Expand returns the names of the files that [Walk] finds.
func Expand(inputs []string) ([]string, error) {
	files, err := Walk(inputs)
	if err != nil {
		return nil, err
	}
	names := make([]string, len(files))
	for i, f := range files {
		names[i] = f.Name
	}
	return names, nil
}

// appendFiles appends the file of a name, or those of the folder.
func appendFiles(files []File, name string) ([]File, error) {
	info, err := disk.Stat(name)
	if err != nil {
		return nil, pathError(name, err)
	}
	if !info.IsDir() {
		return append(files, File{Name: name}), nil
	}
	found, err := folder(name)
	for _, f := range found {
		files = append(files, File{Name: f, Root: name})
	}
	return files, err
}

func pathError(name string, err error) error {
	var file *FileError
	if errors.As(err, &file) {
		return err
	}
	var at *fs.PathError
	if errors.As(err, &at) {
		err = at.Err
	}
	e := &FileError{File: name, Err: err}
	for _, none := range []error{fs.ErrNotExist, syscall.ENOTDIR, errNoMatch, filepath.ErrBadPattern} {
		if errors.Is(err, none) {
			e.Key = KeyMissing
		}
	}
	return e
}

var errNoMatch = errors.New("no file has such a name")

// glob returns what a pattern matches, files and folders, in their natural
// order.
func glob(pattern string) ([]string, error) {
	_, err := filepath.Match(pattern, "")
	var matches []string
	if err == nil {
		matches, err = match(pattern)
	}
	if err == nil && len(matches) == 0 {
		err = errNoMatch
	}
	slices.SortFunc(matches, naturalOrder)
	return matches, err
}

// match is as [filepath.Glob], but that a folder that cannot be read is an
// error rather than one in which nothing matches.
func match(pattern string) ([]string, error) {
	dir, name := filepath.Split(pattern)
	bare := strings.TrimRightFunc(dir, func(c rune) bool { return c < utf8.RuneSelf && os.IsPathSeparator(uint8(c)) })
	if bare != filepath.VolumeName(dir) { // else it is a root
		dir = bare
	}
	dirs, err := []string{dir}, error(nil)
	if isPattern(dir) || filepath.Separator == '/' && strings.Contains(dir, `\`) {
		if dirs, err = match(dir); err != nil {
			return nil, err
		}
	}
	var matches []string
	for _, dir := range dirs {
		entries, err := list(cmp.Or(dir, "."))
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			fits, err := filepath.Match(name, e.Name())
			if err != nil {
				return nil, err
			}
			if fits {
				matches = append(matches, filepath.Join(dir, e.Name()))
			}
		}
	}
	return matches, nil
}

func isPattern(path string) bool { return strings.ContainsAny(path, "*?[") }

// list returns what a folder holds: nothing if it is not there, or no folder.
func list(dir string) ([]fs.DirEntry, error) {
	info, err := disk.Stat(dir)
	if err == nil && !info.IsDir() {
		return nil, nil // reading a pipe would wait
	}
	var entries []fs.DirEntry
	if err == nil {
		entries, err = disk.ReadDir(dir)
	}
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return nil, nil
	}
	if err != nil {
		return nil, pathError(dir, err)
	}
	return entries, nil
}

// folder returns all files below a folder. Names that begin with a dot or an
// underscore are bookkeeping of other programs.
func folder(dir string) ([]string, error) {
	files, err := below(dir, nil)
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		return nil, &FileError{File: dir, Err: errors.New("no files in this folder"), Key: KeyMissing}
	}
	slices.SortFunc(files, naturalOrder)
	return files, nil
}

func below(dir string, files []string) ([]string, error) {
	entries, err := disk.ReadDir(dir)
	if err != nil {
		return nil, pathError(dir, err)
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		switch {
		case strings.HasPrefix(e.Name(), "."), strings.HasPrefix(e.Name(), "_"):
		case e.IsDir():
			if files, err = below(path, files); err != nil {
				return nil, err
			}
		default:
			files = append(files, path)
		}
	}
	return files, nil
}

// naturalOrder compares paths folder by folder, and the numbers in names by
// their value: part-2 comes before part-10.
func naturalOrder(a, b string) int {
	x, y := a, b
	for x != "" && y != "" {
		if isDigit(x[0]) && isDigit(y[0]) {
			m, n := digitRun(x), digitRun(y)
			p, q := strings.TrimLeft(x[:m], "0"), strings.TrimLeft(y[:n], "0")
			if c := cmp.Or(cmp.Compare(len(p), len(q)), cmp.Compare(p, q)); c != 0 {
				return c
			}
			x, y = x[m:], y[n:]
			continue
		}
		if x[0] != y[0] {
			// A separator comes before anything else, so that a
			// folder's files stay together.
			if os.IsPathSeparator(x[0]) {
				return -1
			}
			if os.IsPathSeparator(y[0]) {
				return 1
			}
			return cmp.Compare(x[0], y[0])
		}
		x, y = x[1:], y[1:]
	}
	return cmp.Or(cmp.Compare(len(x), len(y)), cmp.Compare(a, b))
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func digitRun(s string) int {
	n := 0
	for n < len(s) && isDigit(s[n]) {
		n++
	}
	return n
}

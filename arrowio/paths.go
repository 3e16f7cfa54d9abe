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
)

// Expand returns the files that inputs stand for, as [Open] reads them: those of
// a folder and those that a pattern matches in the natural order of their
// names. No inputs are "-", which stays as it is. What files hold is not looked
// at. Errors are a [*FileError].
func Expand(inputs []string) ([]string, error) { return expand(inputs) }

// expand turns inputs into files: those of a folder and those that a pattern
// matches in the natural order of their names.
func expand(inputs []string) ([]string, error) {
	if len(inputs) == 0 {
		return []string{"-"}, nil
	}
	var files []string
	for _, in := range inputs {
		if in == "-" {
			if slices.Contains(files, "-") {
				return nil, errors.New("standard input is named twice")
			}
			files = append(files, in)
			continue
		}
		info, err := os.Stat(in)
		switch {
		case err == nil && info.IsDir():
			more, err := folder(in)
			if err != nil {
				return nil, err
			}
			files = append(files, more...)
		case err == nil:
			files = append(files, in)
		case errors.Is(err, fs.ErrNotExist) && strings.ContainsAny(in, "*?["):
			more, err := glob(in)
			if err != nil {
				return nil, err
			}
			files = append(files, more...)
		default:
			return nil, pathError(in, err)
		}
	}
	return files, nil
}

func pathError(name string, err error) error {
	var at *fs.PathError
	if errors.As(err, &at) {
		err = at.Err
	}
	e := &FileError{File: name, Err: err}
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		e.Key = KeyMissing
	}
	return e
}

func glob(pattern string) ([]string, error) {
	matches, err := filepath.Glob(pattern)
	if err != nil {
		return nil, &FileError{File: pattern, Err: err, Key: KeyMissing}
	}
	if len(matches) == 0 {
		return nil, &FileError{File: pattern, Err: errors.New("no file has such a name"), Key: KeyMissing}
	}
	slices.SortFunc(matches, naturalOrder)
	var files []string
	for _, m := range matches {
		info, err := os.Stat(m)
		if err != nil {
			return nil, pathError(m, err)
		}
		if !info.IsDir() {
			files = append(files, m)
			continue
		}
		more, err := folder(m)
		if err != nil {
			return nil, err
		}
		files = append(files, more...)
	}
	return files, nil
}

// folder returns all files below a folder. Names that begin with a dot or an
// underscore are bookkeeping of other programs.
func folder(dir string) ([]string, error) {
	var files []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return pathError(path, err)
		}
		hidden := path != dir && (strings.HasPrefix(d.Name(), ".") || strings.HasPrefix(d.Name(), "_"))
		switch {
		case d.IsDir() && hidden:
			return fs.SkipDir
		case d.IsDir() || hidden:
		default:
			files = append(files, path)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		return nil, &FileError{File: dir, Err: errors.New("no files in this folder"), Key: KeyMissing}
	}
	slices.SortFunc(files, naturalOrder)
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

package arrowio

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// expand turns inputs into files: those of a folder and those that a pattern matches in the natural order of their names.
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
	return &FileError{File: name, Err: err}
}

func glob(pattern string) ([]string, error) {
	matches, err := filepath.Glob(pattern)
	if err != nil {
		return nil, &FileError{File: pattern, Err: err}
	}
	if len(matches) == 0 {
		return nil, &FileError{File: pattern, Err: errors.New("no file has such a name")}
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

// folder returns all files below a folder. Names that begin with a dot or an underscore are bookkeeping of other programs.
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
		return nil, &FileError{File: dir, Err: errors.New("no files in this folder")}
	}
	slices.SortFunc(files, naturalOrder)
	return files, nil
}

// naturalOrder compares paths folder by folder, and the numbers in names by their value: part-2 comes before part-10.
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
			// A separator comes before anything else, so that a folder's files stay together.
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

// format tells what the first bytes of an input are, and an error that says what else they may be.
func format(head []byte) (Format, error) {
	has := func(magic string) bool { return strings.HasPrefix(string(head), magic) }
	switch {
	case len(head) == 0:
		return "", errEmpty
	case has("PAR1"):
		return Parquet, nil
	case has("PARE"):
		return "", errEncrypted
	case has("ARROW1"):
		return Arrow, nil
	case has("\xff\xff\xff\xff"):
		return Stream, nil
	case len(head) >= 8 && head[2] == 0 && head[3] == 0 && head[1]|head[0] != 0 && head[0]%4 == 0 && head[5] == 0 && head[6] == 0 && head[7] == 0 && head[4] != 0:
		return Stream, nil // of before 2019: the length of the schema without a mark before it, then the offset of its root
	}
	for _, m := range []struct{ magic, name string }{
		{"\x1f\x8b", "compressed with gzip"}, {"\x28\xb5\x2f\xfd", "compressed with zstd"}, {"BZh", "compressed with bzip2"},
		{"\xfd7zXZ", "compressed with xz"}, {"PK\x03\x04", "a ZIP archive"}, {"\x89PNG", "a PNG image"}, {"\xff\xd8\xff", "a JPEG image"},
		{"\x93NUMPY", "a NumPy array"}, {"\x89HDF", "an HDF5 file"}, {"ORC", "an ORC file"}, {"Obj\x01", "an Avro file"},
		{"FEA1", "a Feather file of the first version"},
	} {
		if has(m.magic) {
			return "", &foreignError{m.name}
		}
	}
	if len(head) < 8 && (strings.HasPrefix("PAR1", string(head)) || strings.HasPrefix("ARROW1", string(head))) {
		return "", fmt.Errorf("truncated: only %d bytes", len(head))
	}
	return "", &foreignError{}
}

var errEmpty = errors.New("empty input")

type foreignError struct{ name string }

func (e *foreignError) Error() string {
	if e.name == "" {
		return "neither Parquet nor Arrow"
	}
	return "neither Parquet nor Arrow: it looks like " + e.name
}

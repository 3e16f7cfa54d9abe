package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/aefeat/aefeat/arrowio"
	"github.com/aefeat/aefeat/internal/disk"
)

// This file decides which output an input has where the output is a folder.

// A pair is an input and the output that it becomes.
type pair struct {
	input, output string
	root          string // the folder that was walked to find the input, if any
}

// foreign reports whether the input was found in a folder and is of no format
// that is read.
func (p pair) foreign() bool {
	if p.root == "" {
		return false
	}
	src, err := arrowio.Open([]string{p.input}, arrowio.OpenOptions{})
	if err == nil {
		src.Close()
	}
	return errors.Is(err, arrowio.ErrForeign)
}

// isFolder reports whether an output is a folder: it ends in a slash, or is
// one.
func isFolder(output string) bool {
	if output == "" || output == "-" {
		return false
	}
	if os.IsPathSeparator(output[len(output)-1]) {
		return true
	}
	info, err := disk.Stat(output)
	return err == nil && info.IsDir()
}

// pairs returns the files that inputs stand for and what each becomes in the
// folder dir: a file that was found below an input keeps its path below that,
// others their names. With a format the ends of names are those of the format.
// What lies in dir is no input. Its own errors are usage errors.
func pairs(command string, inputs []string, dir string, format arrowio.Format) ([]pair, error) {
	files, err := arrowio.Walk(inputs)
	if err != nil {
		return nil, err
	}
	in := folder{known: map[string]bool{}}
	if in.info, err = disk.Stat(filepath.Clean(dir)); err == nil && !in.info.IsDir() {
		return nil, usagef(command, "%s is a file, not a folder", filepath.Clean(dir)).as(codeUsageOutput)
	}
	var all []pair
	from := map[string]int{} // which of them has an output
	for _, f := range files {
		if f.Name == "-" {
			return nil, usagef(command, "standard input has no name: -o names a folder, and names of outputs come from inputs").as(codeUsageInput)
		}
		name := filepath.Base(f.Name)
		if f.Root != "" {
			if in.is(f.Root) {
				return nil, usagef(command, "inputs and outputs would mix in %s: name another folder with -o", filepath.Clean(f.Root)).as(codeUsageOutput)
			}
			if in.holds(f.Name, f.Root) {
				continue
			}
			if name, err = filepath.Rel(f.Root, f.Name); err != nil {
				return nil, err
			}
		}
		p := pair{f.Name, filepath.Join(dir, withEnd(name, format)), f.Root}
		i, taken := from[p.output]
		switch {
		case !taken || all[i].foreign():
			from[p.output] = len(all)
		case p.input == all[i].input:
			return nil, usagef(command, "%s is named twice", p.input).as(codeUsageInput)
		case !p.foreign():
			e := usagef(command, "%s and %s would both become %s", all[i].input, p.input, p.output).as(codeUsageOutput)
			e.hints = append([]string{"name the folder that holds both, since paths below it are kept, or transform them one at a time"}, e.hints...)
			return nil, e
		}
		all = append(all, p)
	}
	return all, nil
}

// ends are what the names of new files of a format end in.
var ends = map[arrowio.Format]string{arrowio.Parquet: ".parquet", arrowio.Arrow: ".arrow", arrowio.Stream: ".arrows"}

// withEnd makes a name end as a format does. An end that stands for another
// format goes; without a format the name stays.
func withEnd(name string, format arrowio.Format) string {
	end := filepath.Ext(name)
	was, known := formats[strings.ToLower(end)]
	switch {
	case format == "" || known && was == format:
		return name
	case known:
		name = strings.TrimSuffix(name, end)
	}
	return name + ends[format]
}

// A folder is known by what it is, whatever its name.
type folder struct {
	info  fs.FileInfo     // nil: it is not there
	known map[string]bool // folders that are it, or in it
}

func (f folder) is(dir string) bool {
	info, err := disk.Stat(dir)
	return err == nil && f.info != nil && os.SameFile(info, f.info)
}

// holds reports whether a file below root lies in f.
func (f folder) holds(name, root string) bool {
	dir := filepath.Dir(name)
	if f.info == nil || dir == name || dir == filepath.Clean(root) {
		return false
	}
	inside, known := f.known[dir]
	if !known {
		inside = f.is(dir) || f.holds(dir, root)
		f.known[dir] = inside
	}
	return inside
}

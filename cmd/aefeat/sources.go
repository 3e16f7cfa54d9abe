package main

import (
	"errors"
	"io/fs"
	"os"
	"syscall"

	"github.com/aefeat/aefeat/arrowio"
	"github.com/aefeat/aefeat/internal/disk"
)

// This file sees to it that no output takes the place of what is read. Files
// are compared by what they are, since one may have many names.

// A written is what a command writes.
type written struct {
	what string // "the features"
	to   string // a path, "-" for standard output, "" if it is not wanted
}

// A reading is what a command reads.
type reading struct {
	what  string   // what stands before the name of one: "the model "
	files []string // "-" is standard input; "" is none

	// inputs are files, folders and patterns; none at all is standard input
	// where stdin says so.
	inputs []string
	stdin  bool
}

// data are the inputs of a command, which without any reads standard input.
func data(inputs []string) reading {
	return reading{what: "the input ", inputs: inputs, stdin: len(inputs) == 0}
}

// models are the model files of a command.
func models(names ...string) reading { return reading{what: "the model ", files: names} }

// keepSources returns a usage error where an output would take the place of
// something that is read, or would be written into it. It costs little where no
// output is there yet, however many files are read.
func (c *console) keepSources(command string, outputs []written, readings ...reading) error {
	targets, err := c.targetsOf(outputs)
	if err != nil || len(targets) == 0 {
		return err
	}
	for _, r := range readings {
		for _, name := range r.files {
			if err := c.keepSource(command, targets, r.what, arrowio.File{Name: name}, name); err != nil {
				return err
			}
		}
		for _, input := range r.named() {
			files, err := arrowio.Walk([]string{input})
			if err != nil && codeOf(err).status() == exitMachine {
				return err
			}
			// Where there are no such files, opening them says so.
			for _, f := range files {
				if err := c.keepSource(command, targets, r.what, f, input); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (r reading) named() []string {
	if r.stdin {
		return []string{"-"}
	}
	return r.inputs
}

// A target is a file that an output replaces or is written into.
type target struct {
	written
	info fs.FileInfo
}

// targetsOf returns the files where outputs go. An output that is no file yet,
// or a device or a pipe, takes nobody's place.
func (c *console) targetsOf(outputs []written) (targets []target, err error) {
	for _, out := range outputs {
		info, err := regularFile(out.to, c.out)
		if err != nil {
			return nil, err
		}
		if info != nil {
			targets = append(targets, target{out, info})
		}
	}
	return targets, nil
}

// keepSource returns an error where one of the targets is a file, "-" being
// standard input, which is read since input stands for it.
func (c *console) keepSource(command string, targets []target, what string, f arrowio.File, input string) error {
	info, err := regularFile(f.Name, c.in)
	if err != nil {
		return &inputError{f.Name, err}
	}
	if info == nil {
		return nil
	}
	for _, out := range targets {
		if os.SameFile(info, out.info) {
			return out.replaces(command, what+inputName(f.Name), f, input)
		}
	}
	return nil
}

// replaces is the error of an output where there is a file that is read, as
// source calls it.
func (out target) replaces(command, source string, f arrowio.File, input string) error {
	if out.to == "-" {
		return usagef(command, "%s would be written into %s, where standard output goes", out.what, source).as(codeUsageOutput)
	}
	e := usagef(command, "%s would replace %s", out.what, source).as(codeUsageOutput)
	switch {
	case f.Root != "":
		e.hints = append([]string{"it is read since it lies in " + f.Root + ", though an earlier run may have written it: write outside of that folder"}, e.hints...)
	case f.Name != input:
		e.hints = append([]string{"it is read since " + input + " matches it, though an earlier run may have written it: write under a name that does not match"}, e.hints...)
	}
	return e
}

// pairReplaced returns the first of the inputs and others whose place the
// output of a pair would take, "" if there is none. There may be many of each:
// a file is compared with the few that look like it.
func (c *console) pairReplaced(all []pair, others ...string) (string, error) {
	type looks struct{ size, time int64 } // by whatever name
	type source struct {
		name string
		info fs.FileInfo
	}
	look := func(info fs.FileInfo) looks { return looks{info.Size(), info.ModTime().UnixNano()} }
	names := others
	for _, p := range all {
		names = append(names, p.input)
	}
	sources := map[looks][]source{}
	for _, name := range names {
		info, err := regularFile(name, c.in)
		if err != nil {
			return "", &inputError{name, err}
		}
		if info != nil {
			sources[look(info)] = append(sources[look(info)], source{inputName(name), info})
		}
	}
	for _, p := range all {
		info, err := regularFile(p.output, nil)
		if err != nil {
			return "", err
		}
		if info == nil {
			continue
		}
		for _, s := range sources[look(info)] {
			if os.SameFile(info, s.info) {
				return s.name, nil
			}
		}
	}
	return "", nil
}

// regularFile returns what is known of a file, nil if none of the name is there
// or it is none. "-" is the stream, which may be a file.
func regularFile(name string, stream any) (info fs.FileInfo, err error) {
	switch s, ok := stream.(interface{ Stat() (fs.FileInfo, error) }); {
	case name == "":
		return nil, nil
	case name != "-":
		info, err = disk.Stat(name)
	case ok:
		info, err = s.Stat()
	}
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR), err == nil && (info == nil || !info.Mode().IsRegular()):
		return nil, nil
	case err != nil:
		return nil, err
	}
	return info, nil
}

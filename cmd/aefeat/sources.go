package main

import (
	"io/fs"
	"os"

	"github.com/aefeat/aefeat/arrowio"
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
	targets := c.targetsOf(outputs)
	if len(targets) == 0 {
		return nil
	}
	for _, r := range readings {
		for _, name := range r.files {
			if at := c.targetOf(targets, name); at != nil {
				return at.retargets(command, r.what, arrowio.File{Name: name}, name)
			}
		}
		for _, input := range r.named() {
			// Where there are no such files, opening them says so.
			files, _ := arrowio.Walk([]string{input})
			for _, f := range files {
				if at := c.targetOf(targets, f.Name); at != nil {
					return at.retargets(command, r.what, f, input)
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

// retargets is the error of an output where a file is that is read, since input
// stands for it.
func (out *target) retargets(command, what string, f arrowio.File, input string) error {
	if out.to == "-" {
		return usagef(command, "%s would be written into %s%s, where standard output goes", out.what, what, inputName(f.Name)).as(codeUsageOutput)
	}
	e := usagef(command, "%s would replace %s%s", out.what, what, inputName(f.Name)).as(codeUsageOutput)
	switch {
	case f.Root != "":
		e.hints = append([]string{"it is read since it lies in " + f.Root + ", though an earlier run may have written it: write outside of that folder"}, e.hints...)
	case f.Name != input:
		e.hints = append([]string{"it is read since " + input + " matches it, though an earlier run may have written it: write under a name that does not match"}, e.hints...)
	}
	return e
}

// A target is a file that an output retargets or is written into.
type target struct {
	written
	info fs.FileInfo
}

// targetsOf returns the files where outputs go. An output that is no file yet,
// or a device or a pipe, takes nobody's place.
func (c *console) targetsOf(outputs []written) (targets []target) {
	for _, out := range outputs {
		if info := regularFile(out.to, c.out); info != nil {
			targets = append(targets, target{out, info})
		}
	}
	return targets
}

// targetOf returns which of the targets a file is, "-" being standard input;
// nil, if there is none.
func (c *console) targetOf(targets []target, name string) *target {
	info := regularFile(name, c.in)
	for i := range targets {
		if info != nil && os.SameFile(info, targets[i].info) {
			return &targets[i]
		}
	}
	return nil
}

// regularFile returns what is known of a regular file, nil if there is none of the
// name. "-" is the stream, which may be one.
func regularFile(name string, stream any) fs.FileInfo {
	var info fs.FileInfo
	var err error
	if name == "-" {
		s, ok := stream.(interface{ Stat() (fs.FileInfo, error) })
		if !ok {
			return nil
		}
		info, err = s.Stat()
	} else {
		info, err = os.Stat(name)
	}
	if err != nil || !info.Mode().IsRegular() {
		return nil
	}
	return info
}

// pairReplaced returns the first of the inputs and others whose place the
// output of a pair would take, "" if there is none. There may be many of each:
// a file is compared with the few that look like it.
func (c *console) pairReplaced(all []pair, others ...string) string {
	type looks struct{ size, time int64 } // by whatever name
	type source struct {
		name string
		info fs.FileInfo
	}
	look := func(info fs.FileInfo) looks { return looks{info.Size(), info.ModTime().UnixNano()} }
	sources := map[looks][]source{}
	add := func(name string) {
		if info := regularFile(name, c.in); info != nil {
			sources[look(info)] = append(sources[look(info)], source{inputName(name), info})
		}
	}
	for _, p := range all {
		add(p.input)
	}
	for _, name := range others {
		add(name)
	}
	for _, p := range all {
		info := regularFile(p.output, nil)
		if info == nil {
			continue
		}
		for _, s := range sources[look(info)] {
			if os.SameFile(info, s.info) {
				return s.name
			}
		}
	}
	return ""
}

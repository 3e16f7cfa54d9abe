package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/urfave/cli/v2"

	"github.com/aefeat/aefeat/arrowio"
	"github.com/aefeat/aefeat/internal/disk"
	"github.com/aefeat/aefeat/model"
	"github.com/aefeat/aefeat/stage"
)

// This file goes on with a fit from its checkpoint, which checkpoint.go has
// written.

// resumption is a checkpoint that a fit goes on from.
type resumption struct {
	*stage.Checkpoint
	file string
	sum  *digest
	line commandLine // of the command that wrote it
}

// newResumption reads the checkpoint that --resume names, nil without one, and
// gives the flags that it has kept the values that they had, but for those that
// are given anew.
func newResumption(c *cli.Context, ui *console) (*resumption, error) {
	if err := checkResumeFlags(c); err != nil || !c.IsSet("resume") {
		return nil, err
	}
	r := &resumption{file: c.String("resume"), sum: newDigest()}
	if r.file == "" {
		return nil, usagef("fit", "--resume names no file").as(codeUsageInput)
	}
	if err := stdinOnce(c, ui, r.file); err != nil {
		return nil, err
	}
	if err := r.read(c.Context, ui); err != nil {
		return nil, err
	}
	return r, r.restore(c)
}

// checkResumeFlags returns a usage error where flags do not go together.
func checkResumeFlags(c *cli.Context) error {
	if !c.IsSet("resume") {
		switch {
		case c.IsSet("resume-other-kernels"):
			return usagef("fit", "--resume-other-kernels is about the checkpoint that --resume goes on from, and there is no --resume")
		case c.IsSet("checkpoint-every") && c.String("checkpoint") == "":
			return usagef("fit", "--checkpoint-every is about the file that --checkpoint names, and there is no --checkpoint")
		}
		return nil
	}
	var beside []string
	for _, f := range flagsOf("fit") {
		if f.resumes && f.name != "resume" {
			beside = append(beside, spell(f.name))
		}
	}
	for _, f := range flagsOf("fit") {
		if f.resumes || !c.IsSet(f.name) {
			continue
		}
		e := usagef("fit", "%s does not go with --resume: the settings are those of the checkpoint", spell(f.name))
		if f.name == "init" {
			e = usagef("fit", "--init does not go with --resume, which goes on with the weights of the checkpoint")
		}
		e.hints = append([]string{"beside --resume go inputs, " + alternatives(beside),
			"to change the settings, begin a new fit with the weights: --init " + shell([]string{c.String("resume")})}, e.hints...)
		return e
	}
	return nil
}

// read reads the checkpoint.
func (r *resumption) read(ctx context.Context, ui *console) error {
	in, name := ui.in, inputName(r.file)
	if r.file != "-" {
		f, err := disk.Open(r.file)
		if err != nil {
			return &inputError{r.file, err}
		}
		defer f.Close()
		in = f
	}
	all := io.TeeReader(bufio.NewReaderSize(interruptible(ctx, in), 1<<20), r.sum)
	var err error
	if r.Checkpoint, err = stage.ReadCheckpoint(all); err == nil {
		_, err = io.Copy(io.Discard, all) // for the sum
	}
	if err != nil {
		return &inputError{name, fmt.Errorf("%s: %w", name, r.adviseRead(ctx, ui, err))}
	}
	if note := r.Notes[commandNote]; note != "" {
		if err := json.Unmarshal([]byte(note), &r.line); err != nil {
			return &inputError{name, &codedError{codeCheckpoint, fmt.Errorf("%s: the checkpoint's note of the command is damaged: %w", name, err)}}
		}
	}
	return nil
}

// restore gives flags the values that the checkpoint has kept of them. What is
// about features is kept only where there are some.
func (r *resumption) restore(c *cli.Context) error {
	for _, f := range flagsOf("fit") {
		values := r.line.Flags[f.name]
		if !f.kept || c.IsSet(f.name) || slices.Contains(featureFlags, f.name) && c.IsSet("emit") && c.String("emit") == "" {
			continue
		}
		for _, value := range values {
			if slices.Contains([]string{"output", "emit", "report", "spill-dir"}, f.name) {
				value = r.line.path(value)
			}
			if err := c.Set(f.name, value); err != nil {
				return &inputError{r.file, &codedError{codeCheckpoint, fmt.Errorf("%s: the checkpoint has kept %s %q, which cannot be: %w", inputName(r.file), spell(f.name), value, err)}}
			}
		}
	}
	return nil
}

// path is a name that was given in the directory of a command line, as it can
// be used here. In that directory it stays as it is, since the path of a file
// can tell columns.
func (l commandLine) path(name string) string {
	if here, err := os.Getwd(); name == "" || isStdin(name) || filepath.IsAbs(name) || l.Directory == "" || err == nil && here == l.Directory {
		return name
	}
	return filepath.Join(l.Directory, name)
}

// inputs returns what the fit reads: what is given, or else what the checkpoint
// was made of. Standard input must be given again. r may be nil.
func (r *resumption) inputs(c *cli.Context) ([]string, error) {
	if r == nil || c.Args().Present() {
		return c.Args().Slice(), nil
	}
	var inputs []string
	for _, name := range r.line.Inputs {
		inputs = append(inputs, r.line.path(name))
	}
	if len(inputs) == 0 || slices.ContainsFunc(inputs, isStdin) {
		of := "the checkpoint says of no input"
		if r.Notes[commandNote] != "" {
			of = "the fit read standard input"
		}
		e := usagef("fit", "%s, so --resume needs its rows again", of).as(codeUsageInput)
		e.hints = append([]string{"name the input, or send the same rows to standard input and name it -"}, e.hints...)
		return nil, e
	}
	return inputs, nil
}

// position says how far the fit was.
func (r *resumption) position() string {
	text := fmt.Sprintf("after %d of %s", r.Epoch, plural(int64(r.Epochs), unitOf(r.Settings.Train.Optimizer)))
	if r.Rows > 0 {
		text += " and " + plural(r.Rows, "row")
	}
	return text
}

// checkpointFile is where checkpoints go: "" for none. resume is the one that
// a training goes on from, if any.
func checkpointFile(c *cli.Context, resume string) (string, error) {
	name, path := c.Command.Name, c.String("checkpoint")
	if path == "" {
		if path = resume; path == "-" || isPipe(path) {
			return "", usagef(name, "--resume %s is no file that further checkpoints can go to: name one with --checkpoint", resume).as(codeUsageOutput)
		}
	}
	if path == "-" || isPipe(path) {
		return "", usagef(name, "--checkpoint %s is no file that a newer one can take the place of", path).as(codeUsageOutput)
	}
	return path, nil
}

func isRegular(name string) bool {
	info, err := disk.Stat(name)
	return err == nil && info.Mode().IsRegular()
}

// adviseRead adds to an error about what --resume names what to do with it
// instead, if it is a model.
func (r *resumption) adviseRead(ctx context.Context, ui *console, err error) error {
	var format *model.FormatError
	if !errors.As(err, &format) {
		return err
	}
	err = &codedError{codeCheckpoint, err}
	if !isRegular(r.file) {
		return err
	}
	if _, _, bad := readDriven(r.file); bad == nil {
		return &hintedError{err, "a driver has written it: go on with " + shell([]string{"aefeat", "drive", "--resume", r.file}) + " -o MODEL"}
	}
	if _, _, _, bad := readModel(ctx, ui, r.file, true); bad != nil {
		return err
	}
	return &hintedError{err, "begin a new fit with its weights: --init " + shell([]string{r.file})}
}

// checkRows reports inputs that say that they have other rows than those of the
// fit, which in the middle of the first epoch has not read all of them. r may
// be nil.
func (r *resumption) checkRows(rows int64) error {
	if r == nil || rows == 0 || r.line.Rows == 0 || rows == r.line.Rows {
		return nil
	}
	return r.otherRows(&codedError{codeInputChanged, fmt.Errorf("the input has %s, and the fit began with %s", plural(rows, "row"), plural(r.line.Rows, "row"))})
}

// otherRows adds to an error about rows that are not those of the fit what to
// do.
func (r *resumption) otherRows(err error) error {
	return &hintedError{err, "give the rows that the fit began with, or begin a new one with its weights: --init " + shell([]string{r.file})}
}

// adviseInput adds to an error about inputs that the checkpoint has kept that
// there may be others. r may be nil.
func (r *resumption) adviseInput(c *cli.Context, err error) error {
	if r == nil || c.Args().Present() || codeOf(err).status() != exitNoInput {
		return err
	}
	return &hintedError{err, "the fit read its rows there: name where they are now"}
}

// advise adds to an error of a fit that goes on where it is, and what may cure
// it.
func (r *resumption) advise(src *arrowio.Source, err error) error {
	var kernels *model.KernelsError
	var changed *stage.InputChangedError
	switch {
	case errors.As(err, &kernels):
		return &hintedError{err, "go on where the fit began, or here with --resume-other-kernels, to a model that differs in its last bits"}
	case errors.As(err, &changed):
		if file, _, ok := src.Locate(max(0, changed.First)); ok && changed.First >= 0 {
			err = &inputError{file, fmt.Errorf("%s: %w", file, err)}
		}
		return r.otherRows(err)
	}
	return err
}

package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"
	"unicode"

	"github.com/aefeat/aefeat/arrowio"
	"github.com/aefeat/aefeat/model"
	"github.com/aefeat/aefeat/patch"
	"github.com/aefeat/aefeat/stage"
)

// usageError is wrong use of the command line, as opposed to work that failed.
type usageError struct {
	err   error
	hints []string
	code  code
}

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

// usagef makes a usage error of a command, or of aefeat itself if command is
// "". Its hint names the help to read.
func usagef(command, format string, a ...any) *usageError {
	help := "aefeat --help"
	if command != "" {
		help = "aefeat " + command + " --help"
	}
	return &usageError{fmt.Errorf(format, a...), []string{"run '" + help + "' for usage"}, codeUsage}
}

// as gives the error a code of its own.
func (e *usageError) as(c code) *usageError {
	e.code = c
	return e
}

// wrong makes a usage error of an error that says what is wrong with the
// settings of a command.
func wrong(command string, err error) error {
	return usagef(command, "%w", err)
}

// ofMachine reports whether an error about the settings of a command is about
// the memory or the folders of the machine. Asking for what it has not is no
// wrong use of the command line.
func ofMachine(command string, err error) bool {
	var spill *stage.SpillError
	var setting *model.ConfigError
	return errors.As(err, &spill) || errors.As(err, &setting) && slices.ContainsFunc(flagsOf(command), func(f flag) bool {
		return f.key == setting.Setting && f.category == categoryMachine
	})
}

// hintedError is an error whose cure the command knows.
type hintedError struct {
	err  error
	hint string
}

func (e *hintedError) Error() string { return e.err.Error() }
func (e *hintedError) Unwrap() error { return e.err }

// resumableError is an error after which a command can go on. What it says
// comes after what mends the error.
type resumableError struct {
	err  error
	goOn string
}

func (e *resumableError) Error() string { return e.err.Error() }
func (e *resumableError) Unwrap() error { return e.err }

// hintlessError is an error whose hints were told before.
type hintlessError struct{ err error }

func (e *hintlessError) Error() string { return e.err.Error() }
func (e *hintlessError) Unwrap() error { return e.err }

// commandError is an error of a command. It names flags of the command where a
// library named fields of its settings.
type commandError struct {
	command string
	err     error
}

// inFlags makes a commandError of an error, nil of nil.
func inFlags(command string, err error) error {
	if err == nil {
		return nil
	}
	return &commandError{command, err}
}

func (e *commandError) Unwrap() error { return e.err }

// Error writes "--hidden: 0 is not a positive number" in place of "Hidden: 0 is
// not a positive number", which may stand behind the name of a file.
func (e *commandError) Error() string {
	text := e.err.Error()
	var setting *model.ConfigError
	if errors.As(e.err, &setting) {
		words := flagOf(e.command, setting.Setting) + ": " + namesToFlags(e.command, setting.Reason)
		text = strings.Replace(text, setting.Error(), words, 1)
	}
	return text
}

// quotedName is how libraries name a setting in reasons and hints.
var quotedName = regexp.MustCompile("`([A-Z][A-Za-z]*)`")

// namesToFlags replaces the settings that text names by flags of a command.
func namesToFlags(command, text string) string {
	return quotedName.ReplaceAllStringFunc(text, func(name string) string {
		return flagOf(command, strings.Trim(name, "`"))
	})
}

// flagOf returns the flag of a command for a setting, or plain words for one
// that has none: "zca epsilon" for ZCAEpsilon.
func flagOf(command, key string) string {
	for _, f := range flagsOf(command) {
		if f.key == key {
			return cmp.Or(f.written, spell(f.name))
		}
	}
	var b strings.Builder
	for i, r := range key {
		if i > 0 && isUpper(key[i]) && (!isUpper(key[i-1]) || i+1 < len(key) && !isUpper(key[i+1])) {
			b.WriteByte(' ')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

func isUpper(c byte) bool { return c >= 'A' && c <= 'Z' }

// signalError is the cause of a context that a signal cancelled.
type signalError struct{ signal os.Signal }

func (e *signalError) Error() string {
	switch e.signal {
	case syscall.SIGINT:
		return "interrupted"
	case syscall.SIGTERM:
		return "terminated"
	}
	return e.signal.String()
}

func (e *signalError) status() int {
	if s, ok := e.signal.(syscall.Signal); ok {
		return 128 + int(s)
	}
	return exitMachine
}

func (e *signalError) code() code {
	switch e.signal {
	case syscall.SIGINT:
		return "signal.interrupt"
	case syscall.SIGTERM:
		return "signal.terminate"
	}
	return "signal.hangup"
}

// finish reports err, which ended the program under ctx, and returns the exit
// status.
func finish(ctx context.Context, ui *console, err error) int {
	if err == nil {
		return exitDone
	}
	var signal *signalError
	if errors.As(context.Cause(ctx), &signal) {
		ui.failResumable(signal)
		return signal.status()
	}
	// Whoever read our output had enough: nothing went wrong here.
	if errors.Is(err, syscall.EPIPE) {
		return exitBrokenPipe
	}
	status := codeOf(err).status()
	if status == exitMachine {
		ui.failResumable(err)
	} else {
		ui.fail(err)
	}
	return status
}

// failResumable tells of an error that another run may not meet, and how to go
// on after it.
func (c *console) failResumable(err error) {
	if hint := c.work.hint(); hint != "" && !c.quiet {
		err = &resumableError{err, hint}
	}
	c.fail(err)
}

// crashed tells of a panic, which is a fault of this program, and returns the
// exit status.
func crashed(ui *console, p any) int { return tellCrash(ui, p, string(debug.Stack())) }

func tellCrash(ui *console, p any, trace string) int {
	ui.fail(&hintedError{&codedError{codeInternal, fmt.Errorf("internal error: %v", p)},
		"this is a fault of aefeat: please report it, with the lines that follow"})
	if ui.json {
		ui.printf("%s", trace)
	} else {
		ui.write(trace)
	}
	return codeInternal.status()
}

// fail tells of an error that ended a command, or of each that is joined in it.
func (c *console) fail(err error) {
	if all := joined(err); len(all) > 0 {
		for _, err := range all {
			c.fail(err)
		}
		return
	}
	n := notice{Event: "error", Code: codeOf(err), Message: err.Error(), Hints: hintsOf(err)}
	n.locate(err)
	c.notice(n)
}

// joined returns the errors that errors.Join made one of, with the command that
// they belong to; nil, if it is none of those.
func joined(err error) []error {
	if e, ok := err.(*commandError); ok {
		all := joined(e.err)
		for i := range all {
			all[i] = inFlags(e.command, all[i])
		}
		return all
	}
	e, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return nil
	}
	var texts []string
	for _, err := range e.Unwrap() {
		texts = append(texts, err.Error())
	}
	if strings.Join(texts, "\n") != err.Error() { // as fmt.Errorf has it
		return nil
	}
	return slices.Clone(e.Unwrap())
}

// locate sets the file, column and row that an error is about, as far as it
// says.
func (n *notice) locate(err error) {
	file, column, row := "", "", int64(-1)
	var atRow *patch.RowError
	var atColumn *arrowio.ColumnError
	var atFile *arrowio.FileError
	var atInput *inputError
	var atPath *fs.PathError
	var several *filesError
	if errors.As(err, &several) {
		return // each was told of
	}
	var atSpill *stage.SpillError
	var atSpool *arrowio.SpoolError
	switch {
	case errors.As(err, &atSpill):
		file = atSpill.Dir
	case errors.As(err, &atSpool):
		file = atSpool.Dir
	case errors.As(err, &atPath):
		file = atPath.Path
	}
	if errors.As(err, &atInput) {
		file = atInput.file
	}
	if errors.As(err, &atFile) {
		file = atFile.File
	}
	if errors.As(err, &atColumn) {
		column, row = atColumn.Column, atColumn.Row
	}
	if errors.As(err, &atRow) {
		file, column, row = cmp.Or(atRow.File, file), atRow.Column, atRow.Row
	}
	if file != "" {
		n.File = &file
	}
	if column != "" {
		n.Column = &column
	}
	if row >= 0 {
		n.Row = &row
	}
}

// hintsOf collects the hints that the errors in err's tree carry, outermost
// first but for where to read about usage.
func hintsOf(err error) []string {
	var hints []string
	command := ""
	var walk func(error)
	walk = func(err error) {
		hint := ""
		switch e := err.(type) {
		case *commandError:
			command = e.command
		case *hintlessError:
			return
		case *filesError:
			hints = append(hints, "mend or leave out what failed, and go on with --skip-existing")
			return // the files' own were told
		case *usageError:
			defer func() { hints = append(hints, e.hints...) }()
		case *resumableError:
			defer func() { hints = append(hints, e.goOn) }()
		case *hintedError:
			hint = e.hint
		case *patch.RowError:
			hint = e.Hint
		case *arrowio.FileError:
			hint = e.Hint
		case *arrowio.ColumnError:
			hint = e.Hint
		case *model.ConfigError:
			hint = e.Hint
		case *stage.SpillError:
			hint = e.Hint
		case *model.SumsError:
			if e.Rows {
				hint = "gather each shard with --first, the number of its first row in the data as a whole"
			}
		}
		if hint != "" {
			hints = append(hints, namesToFlags(command, hint))
		}
		switch e := err.(type) {
		case interface{ Unwrap() error }:
			walk(e.Unwrap())
		case interface{ Unwrap() []error }:
			for _, err := range e.Unwrap() {
				walk(err)
			}
		}
	}
	if err != nil {
		walk(err)
	}
	if errors.Is(err, syscall.EMFILE) {
		hints = append(hints, "allow more open files (ulimit -n), or close those that the program inherits")
	}
	return hints
}

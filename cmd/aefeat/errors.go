package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"

	"github.com/aefeat/aefeat/arrowio"
	"github.com/aefeat/aefeat/model"
	"github.com/aefeat/aefeat/stage"
)

// The exit statuses, which scripts rely on.
const (
	exitDone       = 0
	exitFailed     = 1
	exitUsage      = 2
	exitBrokenPipe = 128 + int(syscall.SIGPIPE) // the reader of standard output went away
)

// usageError is wrong use of the command line, as opposed to work that failed.
type usageError struct {
	err   error
	hints []string
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
	return &usageError{fmt.Errorf(format, a...), []string{"run '" + help + "' for usage"}}
}

// wrong makes a usage error of an error that says what is wrong with the
// settings of a command.
func wrong(command string, err error) error {
	return usagef(command, "%w", err)
}

// hintedError is an error whose cure the command knows.
type hintedError struct {
	err  error
	hint string
}

func (e *hintedError) Error() string { return e.err.Error() }
func (e *hintedError) Unwrap() error { return e.err }

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
	return exitFailed
}

// finish reports err, which ended the program under ctx, and returns the exit
// status.
func finish(ctx context.Context, ui *console, err error) int {
	if err == nil {
		return exitDone
	}
	var signal *signalError
	if errors.As(context.Cause(ctx), &signal) {
		ui.errorf("%v", signal)
		return signal.status()
	}
	// Whoever read our output had enough: nothing went wrong here.
	if errors.Is(err, syscall.EPIPE) {
		return exitBrokenPipe
	}
	ui.errorf("%v", err)
	for _, hint := range hintsOf(err) {
		ui.hintf("%s", hint)
	}
	var usage *usageError
	if errors.As(err, &usage) {
		return exitUsage
	}
	return exitFailed
}

// hintsOf collects the hints that the errors in err's tree carry, outermost
// first but for where to read about usage.
func hintsOf(err error) []string {
	var hints []string
	var walk func(error)
	walk = func(err error) {
		hint := ""
		switch e := err.(type) {
		case *usageError:
			defer func() { hints = append(hints, e.hints...) }()
		case *hintedError:
			hint = e.hint
		case *arrowio.RowError:
			hint = e.Hint
		case *arrowio.FileError:
			hint = e.Hint
		case *model.ConfigError:
			hint = e.Hint
		case *stage.SpillError:
			hint = e.Hint
		}
		if hint != "" {
			hints = append(hints, hint)
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
	return hints
}

// Command aefeat learns features from image patches in Parquet and Arrow.
//
//	aefeat fit       [flags] [INPUT...]   train a model
//	aefeat transform [flags] [INPUT...]   add a model's features to every row
//	aefeat evaluate  [flags] [INPUT...]   print the cost of a model, by term
//	aefeat probe     [flags] [TRAIN...]   judge features by a linear classifier
//	aefeat explain   [flags] [INPUT...]   find what excites each unit most
//	aefeat report    [flags] [INPUT...]   write a page of what a model learned
//	aefeat inspect   [flags] [INPUT...]   print what files hold
//	aefeat patches   [flags] IMAGES...    cut patches out of images
//	aefeat sums      [flags] [INPUT...]   gather sums over a shard of the data
//	aefeat statistics [flags] [INPUT...]  gather what preprocessing learns
//	aefeat merge     [flags] SUMS...      join the sums of shards
//	aefeat drive     [flags]              train with sums that others gather
//	aefeat average   [flags] MODEL...     average models of one parent
//	aefeat demo                           do all of it on embedded digits
//	aefeat version                        print the version and its commit
//	aefeat completion bash|zsh|fish       print a script for a shell
//	aefeat man                            print the manual page
//
// Each command describes its main flags with --help, all with --help-all.
// Without INPUT, or with "-", a command reads standard input; without -o, or
// with "-o -", it writes standard output. Flags may stand before or after
// inputs.
//
// # Exit status
//
//	0    done
//	1    the data are at fault
//	2    wrong usage
//	3    a named input does not exist, or a pattern matches nothing
//	4    the machine is at fault: permission, disk, memory; or aefeat itself
//	130  interrupted (SIGINT)
//	143  terminated (SIGTERM)
//	141  the reader of standard output went away
//
// Of several failures the highest of 1, 3 and 4 counts. A command that fails
// leaves nothing half-written. docs/machine.md says more, for programs.
//
// # Signals
//
// The first signal stops the work and removes what was being written, but waits
// for a checkpoint; a second one ends the program at once. A hangup is treated
// likewise (129) unless it is ignored, as under nohup.
package main

import (
	"context"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/aefeat/aefeat/internal/descriptors"
)

// grace is how long a cancelled command may take to clean up. It is enough to
// finish a batch, and short for a person who pressed Ctrl-C; it is spent only
// when a read or write on a pipe that nobody serves cannot be interrupted.
// Nothing is left behind even then, where the system knows files without a
// name: those under construction have none yet.
const grace = 2 * time.Second

func main() {
	// The heap is a few large buffers. Letting it double before it is
	// collected would cost as much memory again and save hardly any time.
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(50)
	}
	os.Exit(start(os.Args))
}

// start runs the command that args ask for, here or in a process that it
// watches.
func start(args []string) int {
	ui := &console{err: os.Stderr, json: wantsJSON(args[1:])}
	if err := descriptors.Err(); err != nil {
		ui.fail(noFiles(err))
		return exitMachine
	}
	if status, done := underWatch(ui, args); done {
		return status
	}
	limitHeap(0)
	return run(args)
}

// run is the one place where errors become exit statuses.
func run(args []string) (status int) {
	out := newStdout(os.Stdout)
	ui := &console{in: os.Stdin, out: out, err: os.Stderr, json: wantsJSON(args[1:]), work: new(work)}
	defer func() {
		if p := recover(); p != nil {
			status = crashed(ui, p)
		}
	}()
	ctx, stop := cancelOnSignal(context.Background(), ui)
	defer stop()
	err := runApp(ctx, newApp(ui), args)
	if err == nil {
		err = out.Close()
	}
	return finish(ctx, ui, err)
}

// cancelOnSignal returns a context that ends, with a *signalError as its
// cause, when the user or the system asks the program to end. A second signal,
// or the end of the grace, exits there and then.
func cancelOnSignal(ctx context.Context, ui *console) (_ context.Context, stop func()) {
	// Ignored, SIGPIPE comes back as EPIPE from the write, so that there is
	// a chance to clean up.
	signal.Ignore(syscall.SIGPIPE)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	if !signal.Ignored(syscall.SIGHUP) {
		signal.Notify(signals, syscall.SIGHUP)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	done := make(chan struct{})
	go func() {
		select {
		case s := <-signals:
			cause := &signalError{s}
			cancel(cause)
			over := time.After(grace)
			for {
				select {
				case s := <-signals:
					ui.work.exit((&signalError{s}).status())
				case <-over:
					if ui.work.busy() {
						over = time.After(grace / 20)
						continue
					}
					if isTerminal(ui.err) {
						ui.draw("\n") // there may be a bar
					}
					ui.work.exit(finish(ctx, ui, cause))
				case <-done:
					return
				}
			}
		case <-done:
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		close(done)
		cancel(nil)
	}
}

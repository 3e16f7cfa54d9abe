package main

import (
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"syscall"
)

// A run under a tight limit is watched. The Go runtime does not survive it when
// the system gives it no memory, no thread or, at first, no descriptor: it
// writes a trace and ends the program with status 2, which here means wrong
// usage. So where package limits says that this may come, another process does
// the work, and this one passes signals on, waits, and says in its own words
// what the runtime said in its.

// ended tells of the end of a watched process, whose runtime wrote text, and
// returns the exit status; ok is false where the text is no such end.
func ended(ui *console, text string) (status int, ok bool) {
	line := fatalLine.FindString(text)
	if line == "" {
		return 0, false
	}
	if isTerminal(ui.err) {
		ui.draw("\n") // there may be a bar
	}
	if err := exhausted(text); err != nil {
		ui.fail(err)
		return codeOf(err).status(), true
	}
	return tellCrash(ui, line, text), true
}

// fatalLine is how the runtime begins what it says at its end.
var fatalLine = regexp.MustCompile(`(?m)^(fatal error: |panic: |runtime: mmap: |runtime/cgo: |SIG(ABRT|BUS|FPE|ILL|SEGV): ).*`)

// exhausted returns an error that says what the runtime found the system to be
// out of; nil, if it ended of something else.
func exhausted(text string) error {
	says := func(words ...string) bool {
		return slices.ContainsFunc(words, func(w string) bool { return strings.Contains(text, w) })
	}
	switch {
	case says("pthread_create failed") && strings.HasPrefix(memoryBound().By, "ulimit"):
		// Where C is linked, a thread needs memory for its stack.
		return noMemory()
	case says("failed to create new OS thread", "newosproc", "pthread_create failed"):
		return noThreads()
	case says("epollcreate failed", "eventfd failed", "netpollinit failed"):
		return noFiles(syscall.EMFILE)
	case says("out of memory", "cannot allocate memory", "failed to reserve", "failed to allocate", "address space", "cannot map pages", "locked memory"):
		return noMemory()
	}
	return nil
}

// noThreads is an error for want of threads.
func noThreads() error {
	return &hintedError{&codedError{codeThreads, errors.New("the system lets no other thread start")},
		"allow more of them (ulimit -u, or pids.max of the control group)"}
}

// noMemory is an error for want of memory.
func noMemory() error {
	text := "out of memory"
	if b := memoryBound(); b.Bytes > 0 {
		text += fmt.Sprintf(": %s %s", b.By, formatSize(b.Bytes))
	}
	return &hintedError{&codedError{codeMemory, errors.New(text)},
		"allow more, or let it take less: fewer hidden units, smaller batches or row groups"}
}

// noFiles makes an error of one for want of descriptors.
func noFiles(err error) error {
	return &codedError{codeFiles, fmt.Errorf("cannot open files: %w", err)}
}

// overheard keeps what a watched process writes to the descriptor of standard
// error, which is what its runtime says at its end: the command has another
// one. Should it be anything else, it goes on to w, at the latest when there is
// too much of it.
type overheard struct {
	w    io.Writer
	text strings.Builder
	goes bool // on to w
}

// mostOverheard is more than anybody reads of a trace.
const mostOverheard = 64 << 10

func (o *overheard) Write(p []byte) (int, error) {
	if !o.goes && o.text.Len() > mostOverheard {
		if fatalLine.MatchString(o.text.String()) {
			return len(p), nil
		}
		o.pass()
	}
	if o.goes {
		_, _ = o.w.Write(p) // there is nobody to tell
	} else {
		o.text.Write(p)
	}
	return len(p), nil
}

// pass lets go on what was kept.
func (o *overheard) pass() {
	if !o.goes {
		o.goes = true
		_, _ = io.WriteString(o.w, o.text.String())
	}
}

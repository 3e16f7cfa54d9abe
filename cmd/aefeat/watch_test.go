package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"syscall"
	"testing"
)

// What the runtime writes at its end, as it was seen.
func TestEndsOfTheRuntime(t *testing.T) {
	for text, want := range map[string]code{
		"fatal error: failed to reserve page summary memory\n\nruntime stack:\n":                                                                                     codeMemory,
		"runtime: out of memory: cannot allocate 4194304-byte block (0 in use)\nfatal error: out of memory\n":                                                        codeMemory,
		"fatal error: runtime: cannot allocate memory\n":                                                                                                             codeMemory,
		"runtime: mmap: too much locked memory (check 'ulimit -l').\n":                                                                                               codeMemory,
		"runtime: failed to create new OS thread (have 3 already; errno=11)\nruntime: may need to increase max user processes (ulimit -u)\nfatal error: newosproc\n": codeThreads,
		"runtime/cgo: pthread_create failed: Resource temporarily unavailable\nSIGABRT: abort\nPC=0x7fe82b5ddeec m=0 sigcode=18446744073709551610\n":                 codeThreads,
		"runtime: epollcreate failed with 24\nfatal error: runtime: netpollinit failed\n":                                                                            codeFiles,
		"some warning\nfatal error: concurrent map writes\n\ngoroutine 7 [running]:\n":                                                                               codeInternal,
		"panic: runtime error: index out of range [3] with length 3\n\ngoroutine 9 [running]:\n":                                                                     codeInternal,
		"SIGSEGV: segmentation violation\nPC=0x7f m=0 sigcode=1\n":                                                                                                   codeInternal,
		"":                              "",
		"SIGQUIT: quit\nPC=0x1 m=0\n":   "", // the user's wish
		"warning: out of memory soon\n": "",
	} {
		for _, asJSON := range []bool{false, true} {
			var b bytes.Buffer
			ui := &console{err: &b, json: asJSON}
			status, ok := ended(ui, text)
			if ok != (want != "") || ok && status != exitMachine {
				t.Errorf("%q: status %d, %t", text, status, ok)
			}
			for line := range strings.Lines(b.String()) {
				if asJSON && !json.Valid([]byte(line)) {
					t.Errorf("not JSON: %s", line)
				}
			}
			if asJSON && ok {
				first, _, _ := strings.Cut(b.String(), "\n")
				e, err := parseEvent(first)
				if err != nil || e.Code != want || len(e.Hints) == 0 {
					t.Errorf("%q: %v, %s", text, err, first)
				}
			}
			if shown := strings.Contains(b.String(), "goroutine"); shown != (want == codeInternal && strings.Contains(text, "goroutine")) {
				t.Errorf("%q: got %s", text, b.String())
			}
		}
	}
}

// Too many open files are an error about one of them at any other time.
func TestHintOfTooManyFiles(t *testing.T) {
	for _, err := range []error{&inputError{"m", pathError(syscall.EMFILE)}, noFiles(syscall.EMFILE), ofFile(syscall.EMFILE, "")} {
		if hints := hintsOf(err); len(hints) != 1 || !strings.Contains(hints[0], "ulimit -n") {
			t.Errorf("%v: hints %q", err, hints)
		}
	}
}

func TestOverheard(t *testing.T) {
	long := strings.Repeat("x", mostOverheard)
	for _, c := range []struct {
		say        []string
		kept, gone string // when the process has ended
	}{
		{[]string{"fatal ", "error: a\n"}, "fatal error: a\n", ""},
		{[]string{long, "y", "z"}, "", long + "yz"},
		{[]string{"fatal error: a\n", long, "y", "z"}, "fatal error: a\n" + long, ""},
	} {
		var out strings.Builder
		o := &overheard{w: &out}
		for _, s := range c.say {
			if n, err := o.Write([]byte(s)); n != len(s) || err != nil {
				t.Errorf("%d, %v", n, err)
			}
		}
		if c.kept != "" && o.text.String() != c.kept || out.String() != c.gone && c.kept != "" {
			t.Errorf("kept %d bytes, %d went on", o.text.Len(), out.Len())
		}
		if o.pass(); out.String() != c.kept+c.gone {
			t.Errorf("%d bytes went on", out.Len())
		}
		if o.pass(); out.String() != c.kept+c.gone {
			t.Error("what was kept goes on twice")
		}
	}
}

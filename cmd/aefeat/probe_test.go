package main

import (
	"strings"
	"testing"
)

func TestProbeRefusesWhatDoesNotFit(t *testing.T) {
	const want = "with 9 rows this takes 8 GiB of memory, and the machine has 8 GiB"
	if err := fitMemory("9 rows", 8<<30+1, 8<<30); err == nil || err.Error() != want {
		t.Errorf("error %v, want %q", err, want)
	}
	for _, fits := range []struct {
		takes float64
		has   int64
	}{{8 << 30, 8 << 30}, {0, 8 << 30}, {1 << 50, 0}} {
		if err := fitMemory("rows", fits.takes, fits.has); err != nil {
			t.Errorf("%+v: %v", fits, err)
		}
	}
}

func TestPrintableLabels(t *testing.T) {
	for text, want := range map[string]string{"7": "7", "dress shoe": "dress shoe", "": `""`, "a\tb": `"a\tb"`, "\x1b[31m": `"\x1b[31m"`, "été": "été"} {
		if got := printable(text); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}

// What comes from files reaches a terminal escaped, as one line.
func TestEscapedMessages(t *testing.T) {
	var b strings.Builder
	(&console{err: &b}).printf("%s: column %q", "\x1b[31m\xff\na.png", "x")
	if got, want := b.String(), `aefeat: \x1b[31m\xff\na.png: column "x"`+"\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	b.Reset()
	if err := (table{{"\x1b[2J", "é"}}).print(&b); err != nil || b.String() != `\x1b[2J   é`+"\n" {
		t.Errorf("%q, %v", b.String(), err)
	}
}

package main

import (
	"strings"
	"testing"
)

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

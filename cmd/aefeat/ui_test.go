package main

import (
	"bytes"
	"encoding/json"
	"testing"
	"unicode"
)

// Whatever a file or a column is called, an event is one line that does nothing
// to a terminal, and a program gets the name back.
func TestEventsAreLinesOfJSON(t *testing.T) {
	for _, text := range []string{"", "plain", "a\nb\r\tc", "\x1b[31m", "\u009b31m \u202eabc\u2028", "<&>\"\\ü", "\U000e0001 \U0001f600", "struct<bytes, path>"} {
		var b bytes.Buffer
		(&console{err: &b, json: true}).printf("%s", text)
		line := b.Bytes()
		if n := len(line); bytes.IndexByte(line, '\n') != n-1 || bytes.ContainsFunc(line[:n-1], func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Errorf("%q is written as %q", text, line)
		}
		var e note
		if err := json.Unmarshal(line, &e); err != nil || e != (note{"note", text}) {
			t.Errorf("%q: read %+v of %s: %v", text, e, line, err)
		}
	}
}

func TestNotices(t *testing.T) {
	var b bytes.Buffer
	ui := &console{err: &b}
	ui.warn("fit.dead", "do\x1b this", "%d units", 3)
	ui.json = true
	ui.warn("fit.dead", "do this", "%d\nunits", 3)
	ui.warn("fit.dead", "", "%d units", 3)
	ui.draw("\r")
	want := `aefeat: warning: 3 units
aefeat: hint: do\x1b this
{"event":"warning","code":"fit.dead","file":null,"column":null,"row":null,"message":"3 units","hints":["do this"]}
{"event":"warning","code":"fit.dead","file":null,"column":null,"row":null,"message":"3 units","hints":[]}
`
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}

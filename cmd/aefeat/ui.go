package main

// This file holds the terminal UI. The rules are:
//
//   - Standard output carries data only: a model, features, the JSON or the
//     table that evaluate and inspect were asked for, help that was asked for.
//   - Everything else goes to standard error, with an "aefeat:" prefix and in
//     one of four styles: "aefeat: ..." for a report, "aefeat: warning: ...",
//     "aefeat: error: ..." and "aefeat: hint: ...". No capital at the start
//     and no full stop at the end. Hints come last and say what to do.
//   - An error is one line, however long: a log keeps it whole.
//   - Names of files and columns may hold anything; what would move a cursor is
//     escaped.
//   - Progress is drawn on a terminal and erased before anything else is
//     printed. See progress.go.
//   - Binary output is never sent to a terminal.
//   - Nothing is coloured.

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/term"
)

// console is where a command talks to the world.
type console struct {
	in  io.Reader
	out io.Writer
	err io.Writer
}

// printf prints one line of a report on standard error.
func (c *console) printf(format string, a ...any) {
	c.line("", format, a...)
}

func (c *console) warnf(format string, a ...any) {
	c.line("warning: ", format, a...)
}

func (c *console) hintf(format string, a ...any) {
	c.line("hint: ", format, a...)
}

// errorf prints an error; newlines in it, which a library's message may have,
// become spaces.
func (c *console) errorf(format string, a ...any) {
	c.line("error: ", "%s", strings.Join(strings.FieldsFunc(fmt.Sprintf(format, a...), isNewline), " "))
}

func isNewline(r rune) bool { return r == '\n' || r == '\r' }

func (c *console) line(style, format string, a ...any) {
	// A standard error that cannot be written leaves nobody to tell.
	_, _ = fmt.Fprintf(c.err, "aefeat: %s%s\n", style, escaped(fmt.Sprintf(format, a...)))
}

// escaped writes what no terminal prints as Go does: "\x1b" for an escape.
func escaped(text string) string {
	if unprintable(text) {
		quoted := strconv.Quote(text)
		text = strings.ReplaceAll(quoted[1:len(quoted)-1], `\"`, `"`)
	}
	return text
}

// unprintable reports whether text would be lost on a screen, or upset it.
func unprintable(text string) bool {
	return !utf8.ValidString(text) || strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) })
}

// isTerminal reports whether a stream is a terminal.
func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// terminalWidth returns the columns of the terminal that w is, or 80.
func terminalWidth(w io.Writer) int {
	if f, ok := w.(*os.File); ok {
		if width, _, err := term.GetSize(int(f.Fd())); err == nil && width > 0 {
			return width
		}
	}
	return 80
}

// count writes an integer with its thousands apart, for people.
func count(n int64) string {
	s := fmt.Sprint(n)
	sign := ""
	if n < 0 {
		sign, s = "-", s[1:]
	}
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return sign + s
}

// plural writes "1 row" or "2,000 rows".
func plural(n int64, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return count(n) + " " + noun + "s"
}

package main

// This file holds the terminal UI. The rules are:
//
//   - Standard output carries data only: a model, features, the JSON or the
//     table that evaluate and inspect were asked for, help that was asked for.
//   - Everything else goes to standard error, with an "aefeat:" prefix and in
//     one of four styles: "aefeat: ..." for a report, "aefeat: warning: ...",
//     "aefeat: error: ..." and "aefeat: hint: ...". No capital at the start
//     and no full stop at the end. Hints come last and say what to do.
//   - Under --progress json each of these is an event instead, a JSON object on
//     a line of its own, and nothing else goes to standard error.
//   - The methods of console are all that writes there: printf for a report,
//     warn for a warning with its code and hint, fail for an error, event for
//     what only programs want to know, draw for the bar.
//   - Under --quiet errors alone go to standard error, with their hints.
//   - An error is one line, however long: a log keeps it whole.
//   - Names of files and columns, texts in data and models, and what flags were
//     given may hold anything; what would move a cursor is escaped, by escaped
//     and nothing else. Lines on standard error and events are; a screen and
//     printJSON do it on standard output.
//   - Progress is drawn on a terminal and erased before anything else is
//     printed. See progress.go.
//   - Binary output is never sent to a terminal.
//   - Nothing is coloured.

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/urfave/cli/v2"
	"golang.org/x/term"
)

// console is where a command talks to the world.
type console struct {
	in  io.Reader
	out io.Writer
	err io.Writer

	quiet bool // errors alone go to standard error

	// about is the model of a sweep that warnings and reports are about; "":
	// there is none.
	about string

	json bool // standard error is for a program: events, one a line

	// done is what the command at work will tell a program at its end.
	done map[string]any

	// work is what a signal must wait for; nil: nothing.
	work *work

	// heard is told of warnings, too; nil: nobody is.
	heard func(code code, message string)
}

// note is a line of a report, as programs read it.
type note struct {
	Event   string `json:"event"` // "note"
	Message string `json:"message"`
}

// notice is an error or a warning, as programs read it. All fields are there
// always; those that do not apply are null.
type notice struct {
	Event   string   `json:"event"` // "error" or "warning"
	Code    code     `json:"code"`
	File    *string  `json:"file"`
	Column  *string  `json:"column"`
	Row     *int64   `json:"row"` // in the file, counted from 0
	Message string   `json:"message"`
	Hints   []string `json:"hints"`
}

// printf tells one line of a report.
func (c *console) printf(format string, a ...any) { c.note("", fmt.Sprintf(format, a...)) }

// hintf tells what to do though nothing is wrong.
func (c *console) hintf(format string, a ...any) { c.note("hint: ", fmt.Sprintf(format, a...)) }

func (c *console) note(style, text string) {
	text = c.named(text)
	switch {
	case c.quiet:
	case c.json:
		c.event(note{"note", text})
	default:
		c.line(style, text)
	}
}

// warn tells of something that may be wrong, and what to do about it; hint may
// be "".
func (c *console) warn(code code, hint, format string, a ...any) {
	n := notice{Event: "warning", Code: code, Message: c.named(fmt.Sprintf(format, a...))}
	if hint != "" {
		n.Hints = []string{hint}
	}
	c.notice(n)
}

// named says what a text is about.
func (c *console) named(text string) string {
	if c.about == "" {
		return text
	}
	return c.about + ": " + text
}

func (c *console) notice(n notice) {
	// A library's message may have newlines.
	n.Message = strings.Join(strings.FieldsFunc(n.Message, isNewline), " ")
	if c.heard != nil && n.Event == "warning" {
		c.heard(n.Code, n.Message)
	}
	if c.quiet && n.Event != "error" {
		return
	}
	if c.json {
		if n.Hints == nil {
			n.Hints = []string{} // not null
		}
		c.event(n)
		return
	}
	c.line(n.Event+": ", n.Message)
	for _, hint := range n.Hints {
		c.line("hint: ", hint)
	}
}

func isNewline(r rune) bool { return r == '\n' || r == '\r' }

func (c *console) line(style, text string) { c.write("aefeat: " + style + escaped(text) + "\n") }

// event tells a program something, as a line of JSON.
func (c *console) event(e any) {
	if n, ok := e.(notice); c.quiet && !(ok && n.Event == "error") {
		return
	}
	line, err := lineOfJSON(e, false)
	if err != nil {
		panic("event that is not JSON: " + err.Error())
	}
	c.write(line)
}

// printJSON writes a result as a line of JSON.
func printJSON(w io.Writer, v any) error {
	line, err := lineOfJSON(v, true)
	if err != nil {
		return err
	}
	_, err = io.WriteString(w, line)
	return err
}

// lineOfJSON writes v as a line of JSON in which nothing moves a cursor. html
// asks for escapes of what HTML gives a meaning.
func lineOfJSON(v any, html bool) (string, error) {
	var b strings.Builder
	lines := json.NewEncoder(&b)
	lines.SetEscapeHTML(html)
	if err := lines.Encode(v); err != nil {
		return "", err
	}
	return escapedJSON(strings.TrimSuffix(b.String(), "\n")) + "\n", nil
}

// A screen writes tables and other text of several lines. What would move a
// cursor but for the end of a line is escaped: foreign text that has lines has
// to be escaped before. A rune has to come whole.
type screen struct{ io.Writer }

func (s screen) Write(p []byte) (int, error) {
	for line := range strings.Lines(string(p)) {
		text, ended := strings.CutSuffix(line, "\n")
		if text = escaped(text); ended {
			text += "\n"
		}
		if _, err := io.WriteString(s.Writer, text); err != nil {
			return 0, err
		}
	}
	return len(p), nil
}

// run runs a command and tells a program that it is done, last and once, with
// what the command has put into c.done.
func (c *console) run(x *cli.Context, action cli.ActionFunc) error {
	began, outer := time.Now(), c.done
	defer func() { c.done = outer }() // demo runs other commands
	c.done = map[string]any{"inputs": x.Args().Slice(), "outputs": outputsOf(x)}
	err := action(x)
	if err == nil {
		err = c.storeOut()
	}
	if err != nil || !c.json {
		return err
	}
	c.done["event"], c.done["command"] = "done", x.Command.Name
	c.done["version"], c.done["seconds"] = version(), seconds(time.Since(began))
	c.event(c.done)
	return nil
}

// finally sets a field of the event that ends the command at work.
func (c *console) finally(field string, value any) {
	if c.done != nil {
		c.done[field] = value
	}
}

// outputsOf returns the files that the flags of a command name for output.
func outputsOf(x *cli.Context) []string {
	names := []string{}
	for _, flag := range []string{"output", "emit", "picture", "report", "dir"} {
		if name := x.String(flag); name != "" {
			names = append(names, name)
		}
	}
	return names
}

// draw sends text to the terminal as it is.
func (c *console) draw(text string) {
	if !c.json && !c.quiet {
		c.write(text)
	}
}

// write is the one place that writes to standard error. One that cannot be
// written leaves nobody to tell.
func (c *console) write(text string) { _, _ = io.WriteString(c.err, text) }

// escaped writes what no terminal prints as Go does: "\x1b" for an escape.
func escaped(text string) string {
	if unprintable(text) {
		quoted := strconv.Quote(text)
		text = strings.ReplaceAll(quoted[1:len(quoted)-1], `\"`, `"`)
	}
	return text
}

// escapedJSON writes what no terminal prints as JSON does, "\u009b". Such runes
// only stand inside strings.
func escapedJSON(line string) string {
	var b strings.Builder
	for _, r := range line {
		switch {
		case unicode.IsPrint(r):
			b.WriteRune(r)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&b, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}

// unprintable reports whether text would be lost on a screen, or upset it.
func unprintable(text string) bool {
	return !utf8.ValidString(text) || strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) })
}

// isTerminal reports whether a stream is a terminal.
func isTerminal(stream any) bool {
	f, ok := stream.(interface{ Fd() uintptr })
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

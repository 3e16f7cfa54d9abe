package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/urfave/cli/v2"
)

func manCommand(ui *console) *cli.Command {
	return &cli.Command{
		Name:      "man",
		Usage:     "print the manual page",
		UsageText: "aefeat man",
		Description: `The page is made from the same table as --help, in the form that man reads: see it with
aefeat man | man -l -, or write it to aefeat.1 in a folder such as ~/.local/share/man/man1.`,
		Flags: cliFlags("man"),
		Action: func(c *cli.Context) error {
			if c.Args().Present() {
				return usagef("man", "there is one page, of all commands").as(codeUsageInput)
			}
			_, err := io.WriteString(ui.out, manPage(c.App))
			return err
		},
	}
}

// manExits says what the exit statuses mean, for people.
var manExits = []struct{ status, means string }{
	{"0", "done"},
	{"1", "the data are at fault, or what was asked of them"},
	{"2", "wrong usage"},
	{"3", "a named input or pattern stands for nothing"},
	{"4", "the machine: permission, disk, memory, input and output"},
	{"129, 130, 143", "hung up, interrupted, terminated"},
	{"141", "the reader of standard output went away"},
}

// manPage is the manual page in the man macros of roff.
func manPage(app *cli.App) string {
	var b strings.Builder
	// Equal builds print equal pages.
	date := built("vcs.time")
	fmt.Fprintf(&b, ".TH AEFEAT 1 \"%s\" \"aefeat %s\" \"User Commands\"\n", date[:min(len(date), len("2006-01-02"))], roff(version()))
	fmt.Fprintf(&b, ".SH NAME\naefeat \\- %s\n", roff(app.Usage))
	b.WriteString(".SH SYNOPSIS\n")
	for i, c := range app.Commands {
		if i > 0 {
			b.WriteString(".br\n")
		}
		b.WriteString(roffLines(c.UsageText))
	}
	b.WriteString(".SH DESCRIPTION\n" + roffLines(inputHelp))
	b.WriteString(".SH COMMANDS\n")
	for _, c := range app.Commands {
		fmt.Fprintf(&b, ".SS %s\n", roff(c.UsageText))
		b.WriteString(roffLines(capital(c.Usage) + "."))
		if c.Description != "" {
			b.WriteString(".PP\n" + roffLines(c.Description))
		}
		eachCategory(c, func(category string, flags []cli.Flag) {
			fmt.Fprintf(&b, ".PP\n%s:\n", category)
			for _, f := range flags {
				b.WriteString(manFlag(f))
			}
		})
	}
	b.WriteString(".SH EXIT STATUS\n")
	for _, e := range manExits {
		fmt.Fprintf(&b, ".TP\n.B %s\n%s", e.status, roffLines(e.means))
	}
	b.WriteString(".SH EXAMPLES\n.nf\n" + roffLines(exampleHelp) + ".fi\n")
	return b.String()
}

func manFlag(f cli.Flag) string {
	var names []string
	for _, name := range spellings(f) {
		names = append(names, `\fB`+roff(name)+`\fR`)
	}
	head := strings.Join(names, ", ")
	if takesValue(f) {
		head += ` \fI` + roff(placeholder(f, usageOf(f))) + `\fR`
	}
	return ".TP\n" + head + "\n" + roffLines(described(f))
}

func capital(text string) string { return strings.ToUpper(text[:1]) + text[1:] }

// roff escapes text inside a line: a hyphen of roff is not the one of a
// command line.
func roff(text string) string {
	return strings.NewReplacer(`\`, `\e`, "-", `\-`, "~", `\(ti`, "^", `\(ha`, "'", `\(aq`, "`", `\(ga`).Replace(text)
}

// roffLines writes lines of text, none of which may begin as a request does.
func roffLines(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		line = roff(strings.TrimSpace(line))
		if strings.HasPrefix(line, ".") {
			line = `\&` + line
		}
		b.WriteString(line + "\n")
	}
	return b.String()
}

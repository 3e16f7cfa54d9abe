package main

import (
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"
)

// helpWidth is what help is wrapped to: the narrowest common terminal.
const helpWidth = 80

// appHelp is the help of the whole program.
func appHelp(app *cli.App) string {
	var b strings.Builder
	fmt.Fprintf(&b, "aefeat - %s\n\nUsage:\n  aefeat COMMAND [flags] [INPUT...]\n\nCommands:\n", app.Usage)
	for _, c := range app.Commands {
		fmt.Fprintf(&b, "  %-10s %s\n", c.Name, c.Usage)
	}
	b.WriteString(`
INPUT is a Parquet file, an Arrow IPC file or an Arrow IPC stream, a folder of
them or a pattern; without one, or with "-", standard input is read. Without
-o, output goes to standard output. 'aefeat COMMAND --help' lists the flags,
which may stand before or after inputs. 'aefeat --version' prints the version.

Example:
  aefeat fit --hidden 196 -o model.safetensors train.parquet
  aefeat transform -m model.safetensors -o features.parquet train.parquet
`)
	return b.String()
}

// commandHelp is the help of a command: its flags by category.
func commandHelp(c *cli.Command) string {
	var b strings.Builder
	fmt.Fprintf(&b, "aefeat %s - %s\n\nUsage:\n  %s\n\n%s", c.Name, c.Usage, c.UsageText, wrap(c.Description, ""))
	for _, category := range []string{categoryOutput, categoryModel, categoryTraining, categoryPatches, categoryInput, categoryMachine} {
		title := "\n" + category + ":\n"
		for _, f := range c.Flags {
			if f.(cli.CategorizableFlag).GetCategory() != category || !f.(cli.VisibleFlag).IsVisible() {
				continue
			}
			b.WriteString(title)
			title = ""
			b.WriteString(flagHelp(f))
		}
	}
	return b.String()
}

// flagHelp describes a flag on a line for its names and lines for its usage.
func flagHelp(f cli.Flag) string {
	doc := f.(cli.DocGenerationFlag)
	var names []string
	for _, name := range f.Names() {
		names = append([]string{spell(name)}, names...) // the short one first
	}
	head := "  " + strings.Join(names, ", ")
	usage := doc.GetUsage()
	if doc.TakesValue() {
		head += " " + placeholder(f, usage)
	}
	usage = strings.ReplaceAll(usage, "`", "")
	if text := defaultText(f, doc); text != "" {
		usage += " (default: " + text + ")"
	}
	return head + "\n" + wrap(usage, "      ")
}

// placeholder stands for the value of a flag: what its usage has in
// backquotes, or what its type says.
func placeholder(f cli.Flag, usage string) string {
	if parts := strings.SplitN(usage, "`", 3); len(parts) == 3 {
		return parts[1]
	}
	if g, ok := f.(*cli.GenericFlag); ok {
		if c, ok := g.Value.(*choice); ok {
			return strings.Join(c.choices, "|")
		}
	}
	return "NUMBER"
}

func defaultText(f cli.Flag, doc cli.DocGenerationFlag) string {
	if _, ok := f.(*cli.BoolFlag); ok {
		return ""
	}
	return strings.Trim(doc.GetDefaultText(), `"`)
}

// wrap breaks text into lines that begin with indent.
func wrap(text, indent string) string {
	var b strings.Builder
	line := indent
	for _, word := range strings.Fields(text) {
		if len(line)+1+len(word) > helpWidth && line != indent {
			b.WriteString(line + "\n")
			line = indent
		}
		if line != indent {
			line += " "
		}
		line += word
	}
	b.WriteString(line + "\n")
	return b.String()
}

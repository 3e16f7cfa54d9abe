package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// helpWidth is what help is wrapped to: the narrowest common terminal.
const helpWidth = 80

// mainFlags are the flags that matter most of the commands that have more than
// a screen holds, in the order of help.
var mainFlags = map[string]string{
	"fit":            "output hidden objective sparsity-weight epochs preprocess pixel-max column validation seed",
	"transform":      "model output column layout prefix keep score on-bad-row pixel-max format",
	"evaluate":       "model json column on-bad-row pixel-max report",
	"probe":          "label features against test json penalty seed on-bad-row",
	"patches":        "output size grey per-image stride seed column label-from whiten-images on-bad-row",
	"image-features": "model output pool grid stride layout prefix keep column label-from",
	"filters":        "model output space scale order units shape json",
	"explain":        "model output picture top keep column on-bad-row pixel-max",
	"report":         "model output label test column on-bad-row pixel-max",
	"sums":           "model output shard first row-column epoch of column on-bad-row pixel-max",
	"statistics":     "model output shard sums column on-bad-row pixel-max",
}

// categories are what flags are listed under, in this order.
var categories = []string{categoryOutput, categoryModel, categoryTraining, categoryPatches, categoryInput, categoryMachine}

const inputHelp = `INPUT is a Parquet file, an Arrow IPC file or an Arrow IPC stream, a folder of
them or a pattern; without one, or with "-", standard input is read. Without
-o, output goes to standard output. 'aefeat COMMAND --help' lists the flags,
which may stand before or after inputs.
`

const exampleHelp = `aefeat fit --hidden 196 -o model.safetensors train.parquet
aefeat transform -m model.safetensors -o features.parquet train.parquet
`

// appHelp is the help of the whole program.
func appHelp(app *cli.App) string {
	var b strings.Builder
	fmt.Fprintf(&b, "aefeat - %s\n\nUsage:\n  aefeat COMMAND [flags] [INPUT...]\n\nCommands:\n", app.Usage)
	for _, c := range app.Commands {
		fmt.Fprintf(&b, "  %-15s%s\n", c.Name, c.Usage)
	}
	fmt.Fprintf(&b, "\n%s\nExample:\n%s", inputHelp, indented(exampleHelp))
	return b.String()
}

func indented(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		b.WriteString("  " + line)
	}
	return b.String()
}

// commandHelp is the help of a command: the flags that matter most.
func commandHelp(c *cli.Command) string {
	main := strings.Fields(mainFlags[c.Name])
	if len(main) == 0 {
		return commandHelpAll(c)
	}
	var b strings.Builder
	b.WriteString(commandHead(c) + "\n")
	for _, name := range main {
		b.WriteString(flagHelp(lookup(c.Flags, spell(name))))
	}
	fmt.Fprintf(&b, "\n%s: aefeat %s --help-all\n", plural(int64(len(shownFlags(c))-len(main)), "more flag"), c.Name)
	return b.String()
}

// commandHelpAll is the help of a command with all of its flags, by category.
func commandHelpAll(c *cli.Command) string {
	var b strings.Builder
	b.WriteString(commandHead(c))
	eachCategory(c, func(category string, flags []cli.Flag) {
		b.WriteString("\n" + category + ":\n")
		for _, f := range flags {
			b.WriteString(flagHelp(f))
		}
	})
	return b.String()
}

func commandHead(c *cli.Command) string {
	return fmt.Sprintf("aefeat %s - %s\n\nUsage:\n  %s\n\n%s", c.Name, c.Usage, c.UsageText, wrap(c.Description, ""))
}

// shownFlags returns the flags of a command that are no old names.
func shownFlags(c *cli.Command) []cli.Flag {
	return slices.DeleteFunc(slices.Clone(c.Flags), func(f cli.Flag) bool { return !f.(cli.VisibleFlag).IsVisible() })
}

// eachCategory calls do with the flags of each category that a command has.
func eachCategory(c *cli.Command, do func(category string, flags []cli.Flag)) {
	for _, category := range categories {
		flags := slices.DeleteFunc(shownFlags(c), func(f cli.Flag) bool { return f.(cli.CategorizableFlag).GetCategory() != category })
		if len(flags) > 0 {
			do(category, flags)
		}
	}
}

// flagHelp describes a flag on a line for its names and lines for its usage.
func flagHelp(f cli.Flag) string {
	head := "  " + strings.Join(spellings(f), ", ")
	if takesValue(f) {
		head += " " + placeholder(f, usageOf(f))
	}
	return head + "\n" + wrap(described(f), "      ")
}

// described says what a flag does, and what is done without it.
func described(f cli.Flag) string {
	usage := strings.ReplaceAll(usageOf(f), "`", "")
	if text := defaultText(f); text != "" {
		usage += " (default: " + text + ")"
	}
	return usage
}

// spellings returns the names of a flag as they are written, the short one
// first.
func spellings(f cli.Flag) []string {
	var names []string
	for _, name := range f.Names() {
		names = append([]string{spell(name)}, names...)
	}
	return names
}

func usageOf(f cli.Flag) string { return f.(cli.DocGenerationFlag).GetUsage() }

// placeholder stands for the value of a flag: what its usage has in
// backquotes, or what its type says.
func placeholder(f cli.Flag, usage string) string {
	if parts := strings.SplitN(usage, "`", 3); len(parts) == 3 {
		return parts[1]
	}
	return cmp.Or(strings.Join(choicesOf(f), "|"), "NUMBER")
}

// choicesOf returns the words that a flag takes; nil: anything of its type.
func choicesOf(f cli.Flag) []string {
	if g, ok := f.(*cli.GenericFlag); ok {
		if c, ok := g.Value.(*choice); ok {
			return c.choices
		}
	}
	return nil
}

func defaultText(f cli.Flag) string {
	if _, ok := f.(*cli.BoolFlag); ok {
		return ""
	}
	return strings.Trim(f.(cli.DocGenerationFlag).GetDefaultText(), `"`)
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

package main

import (
	"cmp"
	"errors"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// What arrange returns where the arguments ask for help.
var (
	errHelp    = errors.New("help requested")
	errHelpAll = errors.New("all help requested")
)

// arrange puts the flags of a command before its operands, because the cli
// package stops looking for flags at the first operand. It follows the usual
// rules: "--" ends the flags, "-" is an operand, a flag that takes a value
// takes the next argument whatever it looks like, unless that is itself a
// flag of the command, which is more often a value forgotten than meant.
func arrange(command *cli.Command, args []string) ([]string, error) {
	var flags, operands []string
	for i := 0; i < len(args); i++ {
		arg := args[i]
		if arg == "--" {
			operands = append(operands, args[i+1:]...)
			break
		}
		if !strings.HasPrefix(arg, "-") || arg == "-" {
			if err := refuseRemote(command, args, i, nil); err != nil {
				return nil, err
			}
			operands = append(operands, arg)
			continue
		}
		switch arg {
		case "--help", "-h":
			return nil, errHelp
		case "--help-all":
			return nil, errHelpAll
		}
		written, value, hasValue := strings.Cut(arg, "=")
		flag := lookup(command.Flags, written)
		if flag == nil {
			return nil, unknownFlag(command, written)
		}
		flags = append(flags, arg)
		if !hasValue && takesValue(flag) {
			if i+1 == len(args) || args[i+1] == "--" {
				return nil, usagef(command.Name, "flag %s needs a value", written).as(codeUsageFlag)
			}
			i++
			value = args[i]
			if next, _, _ := strings.Cut(value, "="); lookup(command.Flags, next) != nil {
				e := usagef(command.Name, "flag %s needs a value, but %s follows", written, next).as(codeUsageFlag)
				e.hints = append(e.hints, "if "+next+" is the value, write "+written+"="+value)
				return nil, e
			}
			flags = append(flags, value)
		}
		if namesNothing(flag, value, args) {
			return nil, emptyName(command, written)
		}
		if err := refuseRemote(command, args, i, flag); err != nil {
			return nil, err
		}
	}
	return slices.Concat(flags, []string{"--"}, operands), nil
}

// namesNothing reports whether a flag that names a file has no name for its
// value, as where a script's variable is not set. With --resume an --emit that
// is empty does without the one that the checkpoint has kept.
func namesNothing(f cli.Flag, value string, args []string) bool {
	resumes := slices.ContainsFunc(args, func(a string) bool { return a == "--resume" || strings.HasPrefix(a, "--resume=") })
	return value == "" && takesFile(f) && !(resumes && slices.Contains(f.Names(), "emit"))
}

func emptyName(command *cli.Command, written string) error {
	e := usagef(command.Name, "flag %s names a file, and its value is empty", written)
	e.hints = append([]string{"give a name, or leave the flag out"}, e.hints...)
	return e
}

// letters are the flags that stand for a longer one and take one dash; k is
// the whole name of its flag.
const letters = "hmoq"

// spell writes the name of a flag as it stands on a command line.
func spell(name string) string {
	if len(name) == 1 && strings.Contains(letters, name) {
		return "-" + name
	}
	return "--" + name
}

// lookup finds the flag that was written so.
func lookup(flags []cli.Flag, written string) cli.Flag {
	for _, f := range flags {
		for _, name := range f.Names() {
			if spell(name) == written {
				return f
			}
		}
	}
	return nil
}

func takesValue(f cli.Flag) bool {
	d, ok := f.(cli.DocGenerationFlag)
	return ok && d.TakesValue()
}

func unknownFlag(command *cli.Command, written string) error {
	e := usagef(command.Name, "unknown flag %s", written).as(codeUsageFlag)
	if hint := elsewhereHint(command, written); hint != "" {
		e.hints = append([]string{hint}, e.hints...)
		return e
	}
	var names []string
	for _, f := range command.Flags {
		for _, name := range f.Names() {
			names = append(names, spell(name))
		}
	}
	// -hidden, as Go programs write it, and --o
	word := "--" + strings.TrimLeft(written, "-")
	if near := cmp.Or(nearest(word, names), longer(word, names)); near != "" {
		e.hints = append([]string{"did you mean " + near + "?"}, e.hints...)
	}
	return e
}

// longer returns the shortest candidate that word is the beginning of, "" if
// there is none, or word says nothing.
func longer(word string, candidates []string) string {
	best := ""
	for _, c := range candidates {
		if len(word) > len("--") && strings.HasPrefix(c, word) && (best == "" || len(c) < len(best)) {
			best = c
		}
	}
	return best
}

// nearest returns the candidate that a slip of the fingers would turn into
// word, or "" if none is close: at most one edit for every three letters.
func nearest(word string, candidates []string) string {
	best, least := "", len(strings.TrimLeft(word, "-"))/3+1
	for _, c := range candidates {
		if d := edits(word, c); d < least {
			best, least = c, d
		}
	}
	return best
}

// edits is the Levenshtein distance between two strings, in bytes.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			substitute := diagonal
			if a[i] != b[j] {
				substitute++
			}
			diagonal = row[j+1]
			row[j+1] = min(substitute, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// wantsJSON reports whether --progress json is among the arguments of the
// program. It is looked for before they are parsed, so that what is wrong with
// them is told in JSON, too. As the parser has it, the last --progress counts,
// and "--" ends the flags.
func wantsJSON(args []string) bool {
	wants := false
	for i, arg := range args {
		if arg == "--" {
			break
		}
		value, given := strings.CutPrefix(arg, "--progress=")
		if arg == "--progress" && i+1 < len(args) {
			value, given = args[i+1], true
		}
		if given {
			wants = value == progressJSON
		}
	}
	return wants
}

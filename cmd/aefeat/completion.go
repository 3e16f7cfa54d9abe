package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/urfave/cli/v2"
)

// shellNames are the shells that there is a completion for.
const shellNames = "bash zsh fish"

func completionCommand(ui *console) *cli.Command {
	return &cli.Command{
		Name:      "completion",
		Usage:     "print a script that completes command lines in a shell",
		UsageText: "aefeat completion bash|zsh|fish",
		Description: `Commands, flags, the words that flags take, and files are completed. For the shell at
hand: source <(aefeat completion bash), source <(aefeat completion zsh), or
aefeat completion fish | source. For all to come, put that line into ~/.bashrc, ~/.zshrc (after
compinit) or ~/.config/fish/config.fish.`,
		Flags: cliFlags("completion"),
		Action: func(c *cli.Context) error {
			script := ""
			switch shell := c.Args().First(); {
			case c.Args().Len() != 1:
			case shell == "bash":
				script = bashCompletion(c.App)
			case shell == "zsh":
				script = zshCompletion(c.App)
			case shell == "fish":
				script = fishCompletion(c.App)
			}
			if script == "" {
				return usagef("completion", "name one shell: %s", alternatives(strings.Fields(shellNames))).as(codeUsageInput)
			}
			_, err := io.WriteString(ui.out, script)
			return err
		},
	}
}

// operands is what the operands of a command are.
type operands int

const (
	noOperands operands = iota
	fileOperands
	commandOperands
	shellOperands
)

func operandsOf(command string) operands {
	switch command {
	case "demo", "version", "man":
		return noOperands
	case "help":
		return commandOperands
	case "completion":
		return shellOperands
	}
	return fileOperands
}

// completed returns the commands with their names and words for people, help
// among them.
func completed(app *cli.App) (names, usages []string) {
	for _, c := range app.Commands {
		names, usages = append(names, c.Name), append(usages, c.Usage)
	}
	return append(names, "help"), append(usages, "describe a command")
}

// brief is what a flag does, in as few words as a line of a menu holds.
func brief(f cli.Flag) string {
	text := strings.ReplaceAll(usageOf(f), "`", "")
	for _, end := range []string{"; ", ": ", " ("} {
		text, _, _ = strings.Cut(text, end)
	}
	const most = 70
	if cut := strings.LastIndex(text[:min(len(text), most)], " "); len(text) > most && cut > 0 {
		text = text[:cut] + "..."
	}
	return text
}

// takesFolder reports whether the value of a flag is a folder.
func takesFolder(f cli.Flag) bool { return takesFile(f) && placeholder(f, usageOf(f)) == "FOLDER" }

// bashCompletion works without the bash-completion package, and in bash 3.2.
func bashCompletion(app *cli.App) string {
	var flags, values strings.Builder
	for _, c := range app.Commands {
		words := []string{"--help", "--help-all"}
		for _, f := range shownFlags(c) {
			words = append(words, spellings(f)...)
			for _, name := range spellings(f) {
				key := fmt.Sprintf("\t'%s %s')", c.Name, name)
				switch choices := choicesOf(f); {
				case choices != nil:
					fmt.Fprintf(&values, "%s words='%s'; value=words ;;\n", key, strings.Join(choices, " "))
				case takesFolder(f):
					fmt.Fprintf(&values, "%s value=folder ;;\n", key)
				case takesFile(f):
					fmt.Fprintf(&values, "%s value=file ;;\n", key)
				case takesValue(f):
					fmt.Fprintf(&values, "%s value=other ;;\n", key)
				}
			}
		}
		operands := ""
		if operandsOf(c.Name) != fileOperands {
			operands = "; files="
		}
		fmt.Fprintf(&flags, "\t%s) flags='%s'%s ;;\n", c.Name, strings.Join(words, " "), operands)
	}
	names, _ := completed(app)
	return strings.NewReplacer("{{commands}}", strings.Join(names, " "), "{{shells}}", shellNames,
		"{{flags}}", flags.String(), "{{values}}", values.String()).Replace(bashScript)
}

const bashScript = `# bash completion for aefeat, made by: aefeat completion bash

_aefeat() {
	local cur=${COMP_WORDS[COMP_CWORD]} command=${COMP_WORDS[1]} flag='' value='' words='' flags='' files=yes
	COMPREPLY=()
	if [ "$COMP_CWORD" -eq 1 ]; then
		COMPREPLY=($(compgen -W '{{commands}} --help --version' -- "$cur"))
		return
	fi
	# bash cuts --flag=value into three words.
	flag=${COMP_WORDS[COMP_CWORD-1]}
	if [ "$cur" = = ]; then
		cur=
	elif [ "$flag" = = ]; then
		flag=${COMP_WORDS[COMP_CWORD-2]}
	fi
	case "$command $flag" in
{{values}}	esac
	case $command in
	help) words='{{commands}}'; value=words ;;
	completion) words='{{shells}}'; value=words ;;
{{flags}}	esac
	case $value in
	words) COMPREPLY=($(compgen -W "$words" -- "$cur")); compopt +o default +o bashdefault 2>/dev/null; return ;;
	folder) compopt -o dirnames +o default +o bashdefault 2>/dev/null; return ;;
	file) return ;;
	other) compopt +o default +o bashdefault 2>/dev/null; return ;;
	esac
	case $cur in
	-*) COMPREPLY=($(compgen -W "$flags" -- "$cur")) ;;
	*) [ -n "$files" ] || compopt +o default +o bashdefault 2>/dev/null ;;
	esac
}

complete -o bashdefault -o default -F _aefeat aefeat
`

// zshQuoted is text between single quotes for _arguments and _describe, whose
// own marks are escaped.
func zshQuoted(text string) string {
	return strings.NewReplacer(`\`, `\\`, `'`, `'\''`, "[", `\[`, "]", `\]`, ":", `\:`).Replace(text)
}

func zshCompletion(app *cli.App) string {
	names, usages := completed(app)
	var commands, cases strings.Builder
	for i, name := range names {
		fmt.Fprintf(&commands, "\t\t'%s:%s'\n", name, zshQuoted(usages[i]))
	}
	for _, c := range app.Commands {
		fmt.Fprintf(&cases, "\t%s)\n\t\t_arguments -S \\\n", c.Name)
		for _, f := range shownFlags(c) {
			for _, name := range spellings(f) {
				fmt.Fprintf(&cases, "\t\t\t'*%s\n", zshFlag(f, name))
			}
		}
		fmt.Fprintf(&cases, "\t\t\t'(-)'{-h,--help}'[describe the command]' '(-)--help-all[describe all flags]'")
		switch operandsOf(c.Name) {
		case fileOperands:
			fmt.Fprintf(&cases, " \\\n\t\t\t'*:input:_files'\n\t\t;;\n")
		case shellOperands:
			fmt.Fprintf(&cases, " \\\n\t\t\t'1:shell:(%s)'\n\t\t;;\n", shellNames)
		default:
			fmt.Fprintf(&cases, "\n\t\t;;\n")
		}
	}
	return strings.NewReplacer("{{commands}}", commands.String(), "{{cases}}", cases.String()).Replace(zshScript)
}

// zshFlag is an argument of _arguments but for the quote before it.
func zshFlag(f cli.Flag, name string) string {
	if !takesValue(f) {
		return fmt.Sprintf(`%s[%s]' \`, name, zshQuoted(brief(f)))
	}
	if strings.HasPrefix(name, "--") {
		name += "="
	} else {
		name += "+"
	}
	action := " " // anything
	switch choices := choicesOf(f); {
	case choices != nil:
		action = "(" + strings.Join(choices, " ") + ")"
	case takesFolder(f):
		action = "_files -/"
	case takesFile(f):
		action = "_files"
	}
	label := "value"
	if choicesOf(f) == nil {
		label = placeholder(f, usageOf(f))
	}
	return fmt.Sprintf(`%s[%s]:%s:%s' \`, name, zshQuoted(brief(f)), zshQuoted(label), action)
}

const zshScript = `#compdef aefeat
# zsh completion for aefeat, made by: aefeat completion zsh

_aefeat() {
	local curcontext=$curcontext state line
	local -a commands
	commands=(
{{commands}}	)
	_arguments -C \
		'(-)'{-h,--help}'[describe the commands]' '(-)'{-v,--version}'[print the version]' \
		'1:command:->command' '*::argument:->argument'
	case $state in
	command)
		_describe command commands
		return
		;;
	argument) ;;
	*) return ;;
	esac
	case $words[1] in
	help)
		(( CURRENT == 2 )) && _describe command commands
		;;
{{cases}}	esac
}

if [ "$funcstack[1]" = _aefeat ]; then
	_aefeat "$@"
else
	compdef _aefeat aefeat
fi
`

func fishQuoted(text string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(text) + "'"
}

func fishCompletion(app *cli.App) string {
	var b strings.Builder
	b.WriteString(`# fish completion for aefeat, made by: aefeat completion fish

# The command is the first word.
function __aefeat_is
	set -l words (commandline -opc)
	test (count $words) -gt 1; and contains -- $words[2] $argv
end

function __aefeat_none
	test (count (commandline -opc)) -eq 1
end

complete -c aefeat -f
complete -c aefeat -n __aefeat_none -s h -l help -d 'describe the commands'
complete -c aefeat -n __aefeat_none -s v -l version -d 'print the version'
`)
	names, usages := completed(app)
	for i, name := range names {
		fmt.Fprintf(&b, "complete -c aefeat -n __aefeat_none -a %s -d %s\n", name, fishQuoted(usages[i]))
	}
	fmt.Fprintf(&b, "complete -c aefeat -n '__aefeat_is help' -a '%s'\n", strings.Join(names, " "))
	fmt.Fprintf(&b, "complete -c aefeat -n '__aefeat_is completion' -a '%s'\n", shellNames)
	for _, c := range app.Commands {
		head := fmt.Sprintf("complete -c aefeat -n '__aefeat_is %s'", c.Name)
		fmt.Fprintf(&b, "\n%s -s h -l help -d 'describe the command'\n%s -l help-all -d 'describe all flags'\n", head, head)
		if operandsOf(c.Name) == fileOperands {
			fmt.Fprintf(&b, "%s -F\n", head)
		}
		for _, f := range shownFlags(c) {
			b.WriteString(head)
			for _, name := range spellings(f) {
				if long, ok := strings.CutPrefix(name, "--"); ok {
					b.WriteString(" -l " + long)
				} else {
					b.WriteString(" -s " + strings.TrimPrefix(name, "-"))
				}
			}
			switch choices := choicesOf(f); {
			case choices != nil:
				fmt.Fprintf(&b, " -x -a '%s'", strings.Join(choices, " "))
			case takesFolder(f):
				b.WriteString(" -x -a '(__fish_complete_directories)'")
			case takesFile(f):
				b.WriteString(" -r -F")
			case takesValue(f):
				b.WriteString(" -x")
			}
			fmt.Fprintf(&b, " -d %s\n", fishQuoted(brief(f)))
		}
	}
	return b.String()
}

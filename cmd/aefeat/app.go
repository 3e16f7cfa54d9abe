package main

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// newApp builds the command line over the three streams of ui. Its commands
// return their errors, which name the flags at fault. What they mean for the
// exit status is main's business.
func newApp(ui *console) *cli.App {
	app := &cli.App{
		Name:        "aefeat",
		HelpName:    "aefeat",
		Usage:       "learn features from image patches in Parquet and Arrow",
		HideVersion: true, // route shows it
		Reader:      ui.in,
		Writer:      ui.out, // help and version that were asked for
		ErrWriter:   ui.err,
		Commands: []*cli.Command{
			fitCommand(ui),
			transformCommand(ui),
			evaluateCommand(ui),
			probeCommand(ui),
			patchesCommand(ui),
			imageFeaturesCommand(ui),
			filtersCommand(ui),
			explainCommand(ui),
			reportCommand(ui),
			exportCommand(ui),
			inspectCommand(ui),
			sumsCommand(ui),
			statisticsCommand(ui),
			mergeCommand(ui),
			driveCommand(ui),
			averageCommand(ui),
			demoCommand(ui),
			versionCommand(ui),
			completionCommand(ui),
			manCommand(ui),
		},
		// route shows help: the cli package would take operands for topics.
		HideHelp:                  true,
		DisableSliceFlagSeparator: true, // see split
		// The default one calls os.Exit.
		ExitErrHandler: func(*cli.Context, error) {},
	}
	for _, c := range app.Commands {
		c.HideHelp = true
		action := c.Action
		c.Action = func(x *cli.Context) error {
			if err := checkBounds(x); err != nil {
				return err
			}
			ui.quiet = ui.quiet || x.Bool("quiet")
			return inFlags(c.Name, ui.run(x, action))
		}
		c.OnUsageError = func(c *cli.Context, err error, _ bool) error { return flagError(c.Command, err) }
	}
	return app
}

// runApp runs the command that args, with the program's name first, ask for.
func runApp(ctx context.Context, app *cli.App, args []string) error {
	arguments := args[1:]
	args, help, err := route(app, arguments)
	if err != nil {
		return err
	}
	if help != "" {
		_, err := io.WriteString(app.Writer, help)
		return err
	}
	app.Metadata = map[string]any{"arguments": arguments}
	return app.RunContext(ctx, append([]string{app.Name}, args...))
}

// route finds the command in args and puts its flags first, so that the cli
// package can parse what it returns without surprises; or it returns the help
// that was asked for.
func route(app *cli.App, args []string) (routed []string, help string, err error) {
	if len(args) == 0 {
		_, _ = io.WriteString(app.ErrWriter, appHelp(app))
		return nil, "", &usageError{err: errors.New("no command given"), code: codeUsageCommand}
	}
	name, rest := args[0], args[1:]
	if name == "help" && len(rest) > 0 {
		name, rest = rest[0], []string{"--help"}
	}
	switch name {
	case "--help", "-h", "help":
		return nil, appHelp(app), nil
	case "--version", "-v":
		name = "version"
	}
	if c := app.Command(name); c != nil {
		rest, err := arrange(c, rest)
		switch {
		case errors.Is(err, errHelp):
			return nil, commandHelp(c), nil
		case errors.Is(err, errHelpAll):
			return nil, commandHelpAll(c), nil
		}
		return append([]string{name}, rest...), "", err
	}
	return nil, "", unknownCommand(app, name, rest)
}

func unknownCommand(app *cli.App, name string, rest []string) error {
	var names []string
	for _, c := range app.Commands {
		names = append(names, c.Name)
	}
	if strings.HasPrefix(name, "-") {
		e := usagef("", "unknown flag %s", name).as(codeUsageFlag)
		if slices.ContainsFunc(rest, func(a string) bool { return slices.Contains(names, a) }) {
			e.hints = append([]string{"the command comes first: aefeat COMMAND [flags] [INPUT...]"}, e.hints...)
		}
		return e
	}
	e := usagef("", "unknown command %q", name).as(codeUsageCommand)
	if other := known(commandsElsewhere, strings.ToLower(name), names); other != "" {
		e.hints = []string{other + " does that: run 'aefeat " + other + " --help'"}
		return e
	}
	if near := nearest(name, names); near != "" {
		e.hints = append([]string{"did you mean " + near + "?"}, e.hints...)
	}
	return e
}

// flagError puts the flag package's errors into our words. It writes
// `invalid value "x" for flag -hidden: parse error`.
func flagError(command *cli.Command, err error) error {
	text := err.Error()
	for _, f := range command.Flags {
		for _, name := range f.Names() {
			if value, ok := strings.CutSuffix(text, " for -"+name+": parse error"); ok { // of a boolean
				text = strings.Replace(value, "boolean ", "", 1) + " for flag " + spell(name) + ": not true or false"
			}
			text = strings.Replace(text, " for flag -"+name+":", " for flag "+spell(name)+":", 1)
		}
	}
	text = strings.Replace(text, ": parse error", ": not a number", 1)
	text = strings.Replace(text, ": value out of range", ": out of range", 1)
	return usagef(command.Name, "%s", text)
}

package main

import (
	"errors"

	"github.com/urfave/cli/v2"
)

func inspectCommand(ui *console) *cli.Command {
	return &cli.Command{
		Name:        "inspect",
		Usage:       "print what a model file or a data file holds",
		UsageText:   "aefeat inspect [--json] FILE",
		Description: `Says of a data file also which columns could be the patch, and what reading it takes.`,
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "json", Category: categoryOutput, DisableDefaultText: true, Usage: "print JSON"},
		},
		Action: func(c *cli.Context) error { return inspect(c, ui) },
	}
}

func inspect(c *cli.Context, ui *console) error {
	switch c.Args().Len() {
	case 0:
		return usagef("inspect", "no file to inspect")
	case 1:
	default:
		return usagef("inspect", "inspect takes one file")
	}
	return errors.New("not built yet")
}

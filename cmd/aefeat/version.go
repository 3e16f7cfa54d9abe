package main

import (
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/aefeat/aefeat/internal/cpu"
)

func versionCommand(ui *console) *cli.Command {
	return &cli.Command{
		Name:      "version",
		Usage:     "print the version, its commit and the kind of kernels",
		UsageText: "aefeat version",
		Description: `Kernels are avx512, avx2 or plain, by what the processor runs. Equal rows, flags and
seed give equal bytes on kernels of one kind.`,
		Flags: cliFlags("version"),
		Action: func(c *cli.Context) error {
			if c.Args().Present() {
				return usagef("version", "version takes no input").as(codeUsageInput)
			}
			_, err := io.WriteString(ui.out, versionText())
			return err
		},
	}
}

// versionText says what was built, from what and for what.
func versionText() string {
	var t table
	commit := "unknown"
	if revision := built("vcs.revision"); revision != "" {
		commit = revision + " of " + built("vcs.time")
	}
	if built("vcs.modified") == "true" {
		commit += ", and changes"
	}
	t.row("commit", commit)
	t.row("Go", runtime.Version())
	t.row("platform", runtime.GOOS+"/"+runtime.GOARCH)
	t.row("kernels", cpu.Best().String())
	var b strings.Builder
	fmt.Fprintf(&b, "aefeat version %s\n", version())
	_ = t.print(&b) // to memory
	return b.String()
}

// built returns what the Go toolchain has noted of the build, "" where it has
// not.
func built(key string) string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == key {
				return s.Value
			}
		}
	}
	return ""
}

// release is the version of a package of the command, which python/backend sets
// with the linker, from python/pyproject.toml.
var release string

// version is that of the package, the module's version, or the commit.
func version() string {
	if release != "" {
		return release
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	v := info.Main.Version
	if v == "" || v == "(devel)" {
		v = "devel"
		if revision := built("vcs.revision"); revision != "" {
			v += "-" + revision[:min(12, len(revision))]
		}
	}
	return v
}

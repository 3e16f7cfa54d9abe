package main

import (
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"
)

func testApp() *cli.App {
	return newApp(&console{in: strings.NewReader(""), out: io.Discard, err: io.Discard})
}

func TestArrange(t *testing.T) {
	fit := testApp().Command("fit")
	for _, test := range []struct {
		args string
		want string // or the start of an error after "!"
	}{
		{"", "--"},
		{"a.parquet", "-- a.parquet"},
		{"--hidden 3 a.parquet", "--hidden 3 -- a.parquet"},
		{"a.parquet --hidden 3 b.parquet -o m", "--hidden 3 -o m -- a.parquet b.parquet"},
		{"a.parquet --hidden=3 --tied b.parquet", "--hidden=3 --tied -- a.parquet b.parquet"},
		{"- --tied=false", "--tied=false -- -"},
		{"-o - -", "-o - -- -"},
		{"--hidden -3", "--hidden -3 --"},
		{"--output=-x a", "--output=-x -- a"},
		{"a -- --hidden 3", "-- a --hidden 3"},
		{"--tied -- -o", "--tied -- -o"},
		{"a --help", "!help requested"},
		{"a -h --frobnicate", "!help requested"},
		{"a -- --help", "-- a --help"},
		{"--k 3 a", "--k 3 -- a"},
		{"-k 3 a", "!unknown flag -k"},
		{"a --hidden", "!flag --hidden needs a value"},
		{"--hidden -- a", "!flag --hidden needs a value"},
		{"-o --hidden 3", "!flag -o needs a value, but --hidden follows"},
		{"--output= a", "!flag --output names a file, and its value is empty"},
		{"--init= a", "!flag --init names a file, and its value is empty"},
		{"-hidden 3", "!unknown flag -hidden"},
		{"--o m", "!unknown flag --o"},
		{"a -5", "!unknown flag -5"},
	} {
		var args []string
		if test.args != "" {
			args = strings.Split(test.args, " ")
		}
		got, err := arrange(fit, args)
		if message, ok := strings.CutPrefix(test.want, "!"); ok {
			if err == nil || !strings.HasPrefix(err.Error(), message) || isUsage(err) == errors.Is(err, errHelp) {
				t.Errorf("%q: error %v, want a usage error %q", test.args, err, message)
			}
			continue
		}
		if err != nil || !slices.Equal(got, strings.Split(test.want, " ")) {
			t.Errorf("%q: got %q, error %v; want %q", test.args, got, err, test.want)
		}
	}
}

func TestSuggestion(t *testing.T) {
	for _, test := range []struct{ args, hint string }{
		{"fit --hiden 3", "did you mean --hidden?"},
		{"fit -hidden 3", "did you mean --hidden?"},
		{"fit --sparsity-wieght 3", "did you mean --sparsity-weight?"},
		{"fit --frobnicate", "run 'aefeat fit --help' for usage"},
		{"transfrom a", "did you mean transform?"},
		{"train a", "fit does that: run 'aefeat fit --help'"},
		{"frobnicate a", "run 'aefeat --help' for usage"},
		{"--hidden 3 fit a", "the command comes first: aefeat COMMAND [flags] [INPUT...]"},
	} {
		err := runApp(t.Context(), testApp(), append([]string{"aefeat"}, strings.Split(test.args, " ")...))
		if hints := hintsOf(err); !isUsage(err) || hints[0] != test.hint {
			t.Errorf("%q: error %v with hints %q, want %q", test.args, err, hints, test.hint)
		}
	}
}

func isUsage(err error) bool {
	var usage *usageError
	return errors.As(err, &usage)
}

func TestWantsJSON(t *testing.T) {
	for line, want := range map[string]bool{
		"fit --progress json":                  true,
		"fit --progress=json x":                true,
		"fit x --no-such-flag --progress json": true,
		"--progress json":                      true,
		"fit --progress":                       false,
		"fit --progress plain":                 false,
		"fit --progress=jsonl":                 false,
		"fit -- --progress json":               false,
		"fit --progress json --progress plain": false,
		"fit --progress=none --progress=json":  true,
		"fit --keep=--progress json":           false,
		"":                                     false,
	} {
		if got := wantsJSON(strings.Fields(line)); got != want {
			t.Errorf("%q: %t", line, got)
		}
	}
}

package main

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/aefeat/aefeat/model"
	"github.com/aefeat/aefeat/patch"
	"github.com/aefeat/aefeat/stage"
)

// Libraries name fields, and commands say flags.
func TestErrorsNameFlags(t *testing.T) {
	setting := &model.ConfigError{Setting: "ZCAEpsilon", Reason: "needs `Preprocess` zca, a `Width`", Hint: "leave `Skip` out, or `zca`"}
	for _, c := range []struct {
		command string
		err     error
		text    string
		hints   []string
	}{
		{"fit", setting, "--zca-epsilon: needs --preprocess zca, a width", []string{"leave --on-bad-row skip out, or `zca`"}},
		{"fit", fmt.Errorf("a.parquet: %w", setting), "a.parquet: --zca-epsilon: needs --preprocess zca, a width", []string{"leave --on-bad-row skip out, or `zca`"}},
		{"transform", setting, "zca epsilon: needs preprocess zca, a width", []string{"leave --on-bad-row skip out, or `zca`"}},
		{"fit", wrong("fit", setting), "--zca-epsilon: needs --preprocess zca, a width",
			[]string{"leave --on-bad-row skip out, or `zca`", "run 'aefeat fit --help' for usage"}},
		{"probe", &patch.RowError{Column: "`Columns`", Row: -1, Reason: "is the label", Hint: "use `Columns` or `Label`"},
			"column \"`Columns`\": is the label", []string{"use --features or --label"}},
		{"fit", &stage.SpillError{Dir: "d", Err: errors.New("full"), Hint: "`SpillDir`, `Memory`"}, "", []string{"--spill-dir, --memory"}},
		{"fit", errors.New("plain"), "plain", nil},
	} {
		err := inFlags(c.command, c.err)
		if got := err.Error(); c.text != "" && got != c.text {
			t.Errorf("%s: %q, want %q", c.command, got, c.text)
		}
		if got := hintsOf(err); !slices.Equal(got, c.hints) {
			t.Errorf("%s: hints %q, want %q", c.command, got, c.hints)
		}
		if !errors.Is(err, c.err) {
			t.Errorf("%v hides its cause", err)
		}
	}
	if err := inFlags("fit", nil); err != nil {
		t.Errorf("an error without one: %v", err)
	}
	for key, want := range map[string]string{"Inputs": "inputs", "PreprocessRows": "preprocess rows", "ZCAEpsilon": "zca epsilon", "K": "k", "WeightDecay": "weight decay"} {
		if got := flagOf("inspect", key); got != want {
			t.Errorf("%s in plain words: %q, want %q", key, got, want)
		}
	}
}

// An entry of the table is whole, and of one command each name and key occurs
// once.
func TestFlagTable(t *testing.T) {
	for _, command := range testApp().Commands {
		names, keys := map[string]bool{}, map[string]bool{}
		for _, f := range flagsOf(command.Name) {
			if names[f.name] || f.key != "" && keys[f.key] {
				t.Errorf("%s: --%s, or its key %q, occurs twice", command.Name, f.name, f.key)
			}
			names[f.name], keys[f.key] = true, true
			if f.field != nil && f.key == "" {
				t.Errorf("--%s sets a field, and errors have no name for it", f.name)
			}
		}
	}
}

// What help states as the default is what the library does without the flag.
func TestNumbersThatStandForDefaults(t *testing.T) {
	for _, f := range flagsOf("fit") {
		want, ok := map[string]any{
			"momentum": model.DefaultMomentum, "epochs": stage.DefaultEpochs, "preprocess-rows": stage.DefaultPreprocessRows, "memory": size(stage.DefaultMemory),
		}[f.name]
		if ok && f.value != want {
			t.Errorf("--%s: default %v, the library has %v", f.name, f.value, want)
		}
	}
}

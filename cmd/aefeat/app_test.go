package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"

	"github.com/aefeat/aefeat/model"
)

// The flags that scripts of our users rely on. A name may be added here, and
// never goes.
var publicFlags = map[string]string{
	"fit": `--output -o --hidden --objective --sparsity --sparsity-weight --weight-decay --contraction --corruption --noise --emphasis --k --k-encode
		--activation --output-activation --loss --tied --optimizer --learning-rate --momentum --batch-size --epochs
		--validation --validation-key --patience --sweep --label
		--preprocess --preprocess-rows --zca-epsilon --no-contrast --pixel-max --init --seed --memory --spill-dir --column --units --shape --on-bad-row --allow-missing-eos --grey --resize --hive --emit
		--format --layout --prefix --keep --reconstruction --score --progress --report
		--checkpoint --checkpoint-every --resume --resume-other-kernels --rows`,
	"transform": `--skip-existing --model -m --output -o --format --layout --prefix --keep --reconstruction --score --column --pixel-max --on-bad-row
		--allow-missing-eos --grey --resize --hive --spill-dir --progress --report`,
	"evaluate": "--sums --report --model -m --json --column --pixel-max --on-bad-row --allow-missing-eos --grey --resize --hive --spill-dir --progress",
	"probe":    "--json --label --features --against --test --seed --penalty --iterations --units --on-bad-row --allow-missing-eos --grey --resize --hive --spill-dir --progress",
	"inspect":  "--json --allow-missing-eos --hive --progress --head --stats",
	"patches": "--output -o --format --keep --size --height --width --grey --per-image --stride --min-contrast --whiten-images --seed " +
		"--list --column --shape --label-from --hive --on-bad-row --progress",
	"image-features": "--model -m --output -o --format --layout --prefix --keep --stride --pool --grid --split-sign --root --whiten-images --list --column --shape --label-from --hive --pixel-max --on-bad-row --progress",
	"filters": `--model -m --output -o --json --part --space --scale --order --units --shape --column --pixel-max --on-bad-row
		--allow-missing-eos --grey --resize --hive --spill-dir --progress`,
	"explain": "--model -m --output -o --picture --top --keep --column --pixel-max --on-bad-row --allow-missing-eos --grey --resize --hive --spill-dir --progress",
	"report":  "--model -m --output -o --label --test --column --pixel-max --on-bad-row --allow-missing-eos --grey --resize --hive --spill-dir --progress",
	"export":  "--model -m --output -o --onnx --input-type --progress",
	"demo":    "--dir --progress",

	"sums":       "--model -m --output -o --shard --first --row-column --epoch --of --memory --column --pixel-max --on-bad-row --allow-missing-eos --grey --resize --hive --spill-dir --progress",
	"statistics": "--model -m --output -o --shard --sums --memory --column --pixel-max --on-bad-row --allow-missing-eos --grey --resize --hive --spill-dir --progress",
	"merge":      "--output -o --shards --progress",
	"drive":      "--model -m --output -o --shards --optimizer --learning-rate --momentum --epochs --checkpoint --resume --progress",
	"average":    "--output -o --progress",

	"version": "", "completion": "", "man": "",
}

func TestPublicFlags(t *testing.T) {
	app := testApp()
	var names []string
	for _, c := range app.Commands {
		names = append(names, c.Name)
		public := strings.Fields(publicFlags[c.Name])
		if slices.Contains(public, "--progress") {
			public = append(public, "--quiet", "-q")
		}
		for _, name := range public {
			if lookup(c.Flags, name) == nil {
				t.Errorf("%s has no flag %s", c.Name, name)
			}
		}
		for _, f := range c.Flags {
			for _, name := range f.Names() {
				if !slices.Contains(public, spell(name)) {
					t.Errorf("%s: flag %s is not in the list of public flags", c.Name, spell(name))
				}
			}
		}
	}
	if want := []string{"fit", "transform", "evaluate", "probe", "patches", "image-features", "filters", "explain", "report", "export", "inspect", "sums", "statistics", "merge", "drive", "average", "demo", "version", "completion", "man"}; !slices.Equal(names, want) {
		t.Errorf("commands %q, want %q", names, want)
	}
}

// TestEveryFlagIsExercised looks for each flag, in a command line of its
// command, in the scripts.
func TestEveryFlagIsExercised(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	var scripts strings.Builder
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		scripts.Write(text)
	}
	for _, c := range testApp().Commands {
		line := regexp.MustCompile(`(?m)^[^#\n]*\baefeat ` + c.Name + ` .*$`)
		lines := strings.Join(line.FindAllString(scripts.String(), -1), "\n")
		for _, f := range c.Flags {
			// A flag has been exercised under any of its names.
			used := slices.ContainsFunc(f.Names(), func(name string) bool {
				line := `(?m)^[^#\n]*\baefeat ` + c.Name + ` ([^|\n]* )?` + spell(name) + `([ =\n'"]|$)`
				return regexp.MustCompile(line).MatchString(lines)
			})
			if !used {
				t.Errorf("no script runs aefeat %s with %s", c.Name, spell(f.Names()[0]))
			}
		}
	}
}

// TestHelp checks that help mentions every flag and fits a terminal.
func TestHelp(t *testing.T) {
	app := testApp()
	for _, c := range app.Commands {
		help := commandHelpAll(c)
		for _, f := range c.Flags {
			if !f.(cli.VisibleFlag).IsVisible() {
				if strings.Contains(help, spell(f.Names()[0])+" ") {
					t.Errorf("help of %s has %s, which is hidden", c.Name, f.Names()[0])
				}
				continue
			}
			if !strings.Contains(help, spell(f.Names()[0])+" ") && !strings.Contains(help, spell(f.Names()[0])+"\n") {
				t.Errorf("help of %s lacks %s", c.Name, f.Names()[0])
			}
			if f.(cli.DocGenerationFlag).GetUsage() == "" {
				t.Errorf("%s %s has no usage", c.Name, f.Names()[0])
			}
		}
		short := commandHelp(c)
		if lines := strings.Count(short, "\n"); lines > 60 {
			t.Errorf("help of %s takes %d lines", c.Name, lines)
		}
		for line := range strings.Lines(help + short + appHelp(app)) {
			if len(line) > helpWidth+1 {
				t.Errorf("help of %s: a line of %d columns: %s", c.Name, len(line)-1, line)
			}
		}
	}
}

// The flags that matter most are flags, ten at most, and not all that there
// are.
func TestMainFlags(t *testing.T) {
	app := testApp()
	for command, list := range mainFlags {
		c := app.Command(command)
		names := strings.Fields(list)
		if len(names) > 10 || len(names) >= len(shownFlags(c)) {
			t.Errorf("%s has %d main flags, of %d", command, len(names), len(shownFlags(c)))
		}
		for _, name := range names {
			if lookup(shownFlags(c), spell(name)) == nil {
				t.Errorf("%s has no flag --%s", command, name)
			}
		}
	}
	for _, c := range app.Commands {
		if mainFlags[c.Name] == "" && len(shownFlags(c)) > 12 {
			t.Errorf("help of %s has %d flags, and none that matter most", c.Name, len(shownFlags(c)))
		}
	}
}

// What other tools call things leads to commands and flags that there are, and
// to one each.
func TestElsewhere(t *testing.T) {
	app := testApp()
	for name, words := range commandsElsewhere {
		if app.Command(name) == nil {
			t.Errorf("no command %s", name)
		}
		for _, word := range strings.Fields(words) {
			if app.Command(word) != nil {
				t.Errorf("%s is a command, and stands for %s", word, name)
			}
		}
	}
	there := map[string]bool{}
	for _, c := range app.Commands {
		meant := map[string]string{}
		for _, f := range shownFlags(c) {
			name := f.Names()[0]
			there[name] = true
			for _, word := range strings.Fields(flagsElsewhere[name]) {
				if other := meant[word]; other != "" {
					t.Errorf("%s: %s stands for --%s and for --%s", c.Name, word, other, name)
				}
				meant[word] = name
			}
		}
	}
	for name := range flagsElsewhere {
		if !there[name] {
			t.Errorf("no command has --%s", name)
		}
	}
}

// TestDefaults holds the defaults that help states against the library's.
func TestDefaults(t *testing.T) {
	help := strings.Join(strings.Fields(commandHelpAll(testApp().Command("fit"))), " ")
	for name, objective := range map[string]model.Config{"sparse": model.Sparse(1), "denoising": model.Denoising(1), "contractive": model.Contractive(1)} {
		for flag, value := range map[string]float64{"sparsity": objective.Sparsity, "sparsity-weight": objective.SparsityWeight,
			"weight-decay": objective.WeightDecay, "contraction": objective.Contraction, "corruption": objective.Corruption} {
			usage := regexp.MustCompile(`--` + flag + ` NUMBER .*?\(default: (.*?)\)`).FindStringSubmatch(help)
			stated := usage != nil && strings.Contains(usage[1], fmt.Sprintf("%s: %g", name, value))
			if stated != (value != 0) {
				t.Errorf("--%s of %s is %g, and help says %q", flag, name, value, usage)
			}
		}
	}
}

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"maps"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/urfave/cli/v2"
)

// A guided is a data file as people have them, whom hints have to guide to a
// model.
type guided struct {
	name    string
	rows    int
	fields  []arrow.Field
	cell    func(row, column int) any // as JSON has it
	largest float64                   // value, which only people know before
}

const guidedWidth = 9

// patchOf is a file of one column of lists of fixed size, and labels.
func patchOf(name string, element arrow.DataType, value func(i int) any) guided {
	return guided{name: name, rows: 30, fields: []arrow.Field{
		{Name: "patch", Type: arrow.FixedSizeListOfNonNullable(guidedWidth, element), Nullable: true},
		{Name: "label", Type: arrow.BinaryTypes.String},
	}, cell: func(row, column int) any {
		if column == 1 {
			return string(rune('a' + row%3))
		}
		values := make([]any, guidedWidth)
		for j := range values {
			values[j] = value(row*guidedWidth + j)
		}
		return values
	}}
}

// wave is a number from lo to hi, both of which occur.
func wave(i int, lo, hi float64) float64 {
	switch i {
	case 5:
		return lo
	case 25:
		return hi
	}
	return lo + (hi-lo)*(0.5+0.5*math.Sin(float64(i*i%31)+0.3*float64(i)))
}

func floats(lo, hi float64) func(int) any { return func(i int) any { return wave(i, lo, hi) } }

func integers(lo, hi float64) func(int) any {
	return func(i int) any { return int64(math.Round(wave(i, lo, hi))) }
}

// with replaces the cells of a row.
func (g guided) with(name string, row int, value any) guided {
	cell := g.cell
	g.name = name
	g.cell = func(r, column int) any {
		if r == row && column == 0 {
			return value
		}
		return cell(r, column)
	}
	return g
}

// plainNumbers is a file of single numbers.
func plainNumbers(names []string, types []arrow.DataType, lo, hi []float64) guided {
	g := guided{rows: 30}
	for i, name := range names {
		g.fields = append(g.fields, arrow.Field{Name: name, Type: types[i]})
	}
	g.name = strings.Join(names, ", ")
	g.cell = func(row, column int) any {
		x := wave(row, lo[column], hi[column])
		if arrow.IsInteger(types[column].ID()) {
			x = math.Round(x)
		}
		return x
	}
	return g
}

func guidedFiles() []guided {
	t := arrow.PrimitiveTypes
	long := make([]any, guidedWidth+1)
	for i := range long {
		long[i] = 0.5
	}
	halves := patchOf("floats, 0 to 1", t.Float64, floats(0, 1))
	pixels := patchOf("uint8", t.Uint8, integers(0, 255))
	lists := patchOf("lists", t.Float64, floats(0, 1))
	lists.fields = slices.Clone(lists.fields)
	lists.fields[0].Type = arrow.ListOf(t.Float64)
	pictures := patchOf("encoded images", t.Uint8, nil)
	pictures.largest = 200
	pictures.fields = []arrow.Field{{Name: "image", Type: arrow.BinaryTypes.Binary}, pictures.fields[1]}
	pictures.largest = 200
	pictures.cell = func(row, column int) any {
		var b bytes.Buffer
		img := image.NewGray(image.Rect(0, 0, 3, 3))
		img.SetGray(row%3, row/3%3, color.Gray{Y: 200})
		if err := png.Encode(&b, img); err != nil {
			panic(err)
		}
		return []any{b.Bytes(), "label"}[column]
	}
	empty, one, two := patchOf("no rows", t.Uint8, integers(0, 255)), patchOf("one row", t.Uint8, integers(0, 255)), patchOf("two rows", t.Float64, floats(-3, 3))
	empty.rows, one.rows, two.rows = 0, 1, 2
	null := make([]any, guidedWidth)
	several := patchOf("several candidates", t.Uint8, integers(0, 255))
	several.fields = append([]arrow.Field{{Name: "features", Type: arrow.FixedSizeListOf(guidedWidth, t.Int64)}}, several.fields...)
	cell := several.cell
	several.cell = func(row, column int) any {
		if column == 0 {
			return cell(row, 0)
		}
		return cell(row, column-1)
	}
	nan := make([]any, guidedWidth)
	for i := range nan {
		nan[i] = "NaN"
	}
	text := plainNumbers([]string{"text"}, []arrow.DataType{arrow.BinaryTypes.String}, []float64{0}, []float64{1})
	text.cell = func(row, _ int) any { return fmt.Sprint("word ", row) }
	return []guided{
		halves, pixels, lists, pictures, empty, one, two, several, text,
		patchOf("int64, -5 to 999", t.Int64, integers(-5, 999)),
		patchOf("int64, 0 to 999", t.Int64, integers(0, 999)),
		patchOf("int64, 0 to 255", t.Int64, integers(0, 255)),
		patchOf("int64, 0 to 1", t.Int64, integers(0, 1)),
		patchOf("int64, all negative", t.Int64, integers(-999, -5)),
		patchOf("int8", t.Int8, integers(-128, 127)),
		patchOf("int32, large", t.Int32, integers(-2e9, 2e9)),
		patchOf("uint32", t.Uint32, integers(0, 4e9)),
		patchOf("uint16", t.Uint16, integers(0, 65535)),
		patchOf("uint16, 12 bits", t.Uint16, integers(0, 4095)),
		patchOf("floats, -3 to 3", t.Float32, floats(-3, 3)),
		patchOf("floats, 0 to 255", t.Float32, floats(0, 255)),
		patchOf("floats, -1e6 to 1e6", t.Float64, floats(-1e6, 1e6)),
		patchOf("floats, 0 to 1e6", t.Float64, floats(0, 1e6)),
		patchOf("floats, 1e30", t.Float64, floats(-1e30, 1e30)),
		patchOf("floats beyond float32", t.Float64, floats(0, 1e300)),
		patchOf("bool", arrow.FixedWidthTypes.Boolean, func(i int) any { return i%3 == 0 }),
		patchOf("decimal", &arrow.Decimal128Type{Precision: 12}, func(i int) any { return fmt.Sprint(i % 200) }),
		patchOf("decimal, signed", &arrow.Decimal128Type{Precision: 12}, func(i int) any { return fmt.Sprint(i%2000 - 1000) }),
		patchOf("constant", t.Float64, func(int) any { return 7.5 }),
		patchOf("constant, 0", t.Uint8, func(int) any { return 0 }),
		halves.with("a null", 20, nil),
		lists.with("nulls in a list", 20, null),
		halves.with("NaN", 20, nan),
		lists.with("ragged", 20, long),
		lists.with("an empty list", 0, []any{}),
		pixels.with("a null first", 0, nil),
		plainNumbers([]string{"age", "income", "height"}, []arrow.DataType{t.Int64, t.Float64, t.Float32}, []float64{18, 0, 1.5}, []float64{90, 1e5, 2.1}),
		plainNumbers([]string{"x1", "x2", "x3"}, []arrow.DataType{t.Float64, t.Float64, t.Float64}, []float64{-2, -2, -2}, []float64{2, 2, 2}),
		plainNumbers([]string{"p0", "p1", "p2", "q0", "q1"}, []arrow.DataType{t.Uint8, t.Uint8, t.Uint8, t.Int16, t.Int16}, []float64{0, 0, 0, -900, 0}, []float64{255, 255, 255, 9, 99}),
		plainNumbers([]string{"id", "year"}, []arrow.DataType{t.Int64, t.Int32}, []float64{0, 1990}, []float64{1e12, 2030}),
	}
}

// see notes the largest number.
func (g *guided) see(cell any) {
	switch v := cell.(type) {
	case []any:
		for _, x := range v {
			g.see(x)
		}
	case int64:
		g.largest = max(g.largest, float64(v))
	case float64:
		g.largest = max(g.largest, v)
	case string:
		if x, err := strconv.ParseFloat(v, 64); err == nil && !math.IsNaN(x) {
			g.largest = max(g.largest, x)
		}
	}
}

// write writes the rows as an Arrow IPC stream.
func (g *guided) write(t *testing.T, file string) {
	t.Helper()
	rows := []map[string]any{}
	for i := range g.rows {
		row := map[string]any{}
		for j, f := range g.fields {
			row[f.Name] = g.cell(i, j)
			g.see(row[f.Name])
		}
		rows = append(rows, row)
	}
	text, err := json.Marshal(rows)
	if err != nil {
		t.Fatal(err)
	}
	schema := arrow.NewSchema(g.fields, nil)
	rec, _, err := array.RecordFromJSON(memory.DefaultAllocator, schema, bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	defer rec.Release()
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w := ipc.NewWriter(f, ipc.WithSchema(schema))
	if err := w.Write(rec); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

// flagsGiven are flags of fit with their values.
type flagsGiven map[string]string

func (g flagsGiven) String() string {
	var words []string
	for _, name := range slices.Sorted(maps.Keys(g)) {
		words = append(words, "--"+name+"="+g[name])
	}
	return strings.Join(words, " ")
}

func (g flagsGiven) and(name, value string) flagsGiven {
	more := maps.Clone(g)
	more[name] = value
	return more
}

func (g flagsGiven) without(name string) flagsGiven {
	less := maps.Clone(g)
	delete(less, name)
	return less
}

// wishes are what people may ask for at first, on every file.
var wishes = []flagsGiven{
	{},
	{"preprocess": "none"},
	{"preprocess": "patch"},
	{"preprocess": "standardize"},
	{"preprocess": "zca"},
	{"preprocess": "none", "pixel-max": "255"},
	{"preprocess": "standardize", "pixel-max": "10"},
	{"preprocess": "zca", "pixel-max": "10", "zca-epsilon": "0.5"},
	{"output-activation": "linear"},
	{"loss": "cross-entropy"},
	{"pixel-max": "255"},
	{"on-bad-row": "skip"},
}

// moreWishes are about more than values; files of the most kinds of values do.
var moreWishes = []flagsGiven{
	{"preprocess": "zca", "output-activation": "sigmoid"},
	{"preprocess": "standardize", "loss": "cross-entropy"},
	{"preprocess": "standardize", "zca-epsilon": "0.5"},
	{"preprocess": "patch", "no-contrast": "true"},
	{"output-activation": "linear", "loss": "cross-entropy"},
	{"objective": "denoising", "noise": "salt-pepper"},
	{"objective": "denoising", "noise": "salt-pepper", "preprocess": "standardize"},
	{"objective": "denoising", "noise": "gaussian", "emphasis": "2", "preprocess": "standardize"},
	{"objective": "denoising", "noise": "gaussian", "emphasis": "2"},
	{"objective": "denoising", "emphasis": "inf", "corruption": "0.001"},
	{"objective": "denoising", "corruption": "7"},
	{"objective": "k-sparse"},
	{"objective": "k-sparse", "activation": "relu"},
	{"objective": "k-sparse", "contraction": "1"},
	{"objective": "k-sparse", "sparsity-weight": "1"},
	{"k": "50"},
	{"k": "2", "sparsity-weight": "1"},
	{"activation": "relu"},
	{"activation": "relu", "preprocess": "zca", "objective": "denoising", "sparsity-weight": "1"},
	{"sparsity": "0"},
	{"sparsity": "1"},
	{"optimizer": "lbfgs"},
	{"optimizer": "lbfgs", "batch-size": "10"},
	{"optimizer": "sgd", "learning-rate": "1e30", "preprocess": "standardize"},
	{"shape": "2x2"},
	{"column": "nothing"},
	{"column": "label"},
	{"validation": "0.99"},
	{"validation": "0.0001"},
	{"validation": "0.2", "validation-key": "nothing"},
	{"validation-key": "label"},
	{"patience": "3"},
	{"memory": "1KiB"},
}

// wishesFor returns those to try on a file.
func wishesFor(file string) []flagsGiven {
	switch file {
	case "floats, 0 to 1", "floats, -3 to 3", "int64, -5 to 999", "age, income, height", "text":
		return slices.Concat(wishes, moreWishes)
	}
	return wishes
}

// told is what a run told.
type told struct {
	status int
	errors string
	hints  []string
}

// A guide follows hints of a command about one file.
type guide struct {
	t       *testing.T
	command []string // with the flags that stay
	g       *guided
	file    string
	app     *cli.App
	runs    map[string]told
}

func newGuide(t *testing.T, g guided, file string, command ...string) *guide {
	g.write(t, file)
	return &guide{t: t, command: command, g: &g, file: file, app: testApp(), runs: map[string]told{}}
}

func (w *guide) run(flags flagsGiven) told {
	key := flags.String()
	if had, ok := w.runs[key]; ok {
		return had
	}
	args := append([]string{"aefeat"}, w.command...)
	for _, name := range slices.Sorted(maps.Keys(flags)) {
		args = append(args, "--"+name+"="+flags[name])
	}
	var stderr bytes.Buffer
	ui := &console{in: strings.NewReader(""), out: &bytes.Buffer{}, err: &stderr}
	ctx := context.Background()
	status := finish(ctx, ui, runApp(ctx, newApp(ui), append(args, w.file)))
	r := told{status: status}
	for line := range strings.Lines(strings.ReplaceAll(stderr.String(), w.file, "FILE")) {
		line = strings.TrimSuffix(line, "\n")
		if text, ok := strings.CutPrefix(line, "aefeat: error: "); ok {
			r.errors += text
		}
		if text, ok := strings.CutPrefix(line, "aefeat: hint: "); ok && r.errors != "" {
			r.hints = append(r.hints, text)
		}
	}
	w.runs[key] = r
	return r
}

// finals are errors and hints after which it is a person's turn, outside of the
// command line or with knowledge that no message can have.
var finals = regexp.MustCompile(strings.Join([]string{
	`^no rows$`,
	`^no rows: all 30 were skipped$`,
	`no column can be a patch: it takes a list of numbers, bytes, or columns of numbers$`,
	`^cast the column to floating point$`,
	`^mend it$`,
	`^fit a model to rows that have them$`,
	`^no column of the data can hold a patch of 9 values$`,
	"^cut patches out of the images of this column with `aefeat patches`, and take those$",
	`^name a column of integers, strings or bytes$`,
	`column "text": utf8 cannot be a patch$`,
	`^hold out a (larger|smaller) share$`,
	`^use a --validation-key that has more values$`,
	`--batch-size 10 does not go with .*: leave it out, or say 0$`,
	`about rows that --validation holds out, and there is no --validation$`,
}, "|"))

var (
	quotedCommand = regexp.MustCompile("['`]aefeat ([a-z-]+)([^'`]*)['`]")
	flagInText    = regexp.MustCompile(`--[a-z][a-z-]*`)
	ofFlag        = regexp.MustCompile(`^--([a-z-]+)[: ]`)
	setFlag       = regexp.MustCompile(`--([a-z-]+) ([a-z0-9][a-z0-9-]*)`)
	leaveFlag     = regexp.MustCompile(`(?:leave|leave out|without) (--[a-z-]+|it)`)
	choice2       = regexp.MustCompile(`--([a-z-]+) ([a-z-]+) or ([a-z-]+)`)
	oneOfMany     = regexp.MustCompile(`give one of (\d+)$`)
	toZero        = regexp.MustCompile(`--([a-z-]+) to 0`)
	atLeast       = regexp.MustCompile(`at least (\S+) with --([a-z-]+)`)
	suchAs        = regexp.MustCompile(`such as (\S+)$`)
	candidates    = regexp.MustCompile(`"([^"]+)" \(`)
	columnsAre    = regexp.MustCompile(`"([^"]+)"`)
)

// checkFlags reports flags in a text that the command they belong to has not.
func (w *guide) checkFlags(text string) {
	check := func(command, text string) {
		c := w.app.Command(command)
		if c == nil {
			w.t.Errorf("%s: no command %q: %s", w.g.name, command, text)
			return
		}
		for _, name := range flagInText.FindAllString(text, -1) {
			if name != "--help" && lookup(c.Flags, name) == nil {
				w.t.Errorf("%s: %s has no flag %s: %s", w.g.name, command, name, text)
			}
		}
	}
	for _, m := range quotedCommand.FindAllStringSubmatch(text, -1) {
		check(m[1], m[2])
	}
	check(w.command[0], quotedCommand.ReplaceAllString(text, ""))
}

// act does what one cure of a hint says, in every way that it can be read. nil:
// it says nothing that can be done.
func (w *guide) act(flags flagsGiven, message, cure string) []flagsGiven {
	about := ""
	if m := ofFlag.FindStringSubmatch(message); m != nil {
		about = m[1]
	}
	var ways []flagsGiven
	switch {
	case strings.Contains(cure, "with --column"):
		var names []string
		for _, m := range candidates.FindAllStringSubmatch(message+cure, -1) {
			names = append(names, m[1])
		}
		if strings.Contains(cure, "make up the patch") {
			return []flagsGiven{flags.and("column", strings.Join(names, ","))}
		}
		for _, name := range names {
			ways = append(ways, flags.and("column", name))
		}
		return ways
	case strings.HasPrefix(cure, "the columns are "):
		for _, m := range columnsAre.FindAllStringSubmatch(cure, -1) {
			for flag, value := range flags {
				if m[1] != "label" && strings.Contains(message, `column "`+value+`": no such column`) {
					ways = append(ways, flags.and(flag, m[1]))
				}
			}
		}
		return ways
	case strings.Contains(cure, "with --pixel-max"):
		return []flagsGiven{flags.and("pixel-max", strconv.FormatFloat(min(max(w.g.largest, 1), 1e38), 'g', -1, 64))}
	case strings.Contains(cure, "which rows belong together"):
		return []flagsGiven{flags.and("validation-key", w.g.fields[len(w.g.fields)-1].Name)}
	case cure == "raise --corruption":
		return []flagsGiven{flags.and("corruption", "0.5")}
	case cure == "give a number from 0 to 1":
		return []flagsGiven{flags.and(about, "0.25")}
	case strings.HasPrefix(cure, "keep fewer codes with --k"):
		return []flagsGiven{flags.and("k", "1")}
	case cure == "name the codes otherwise with --prefix":
		return []flagsGiven{flags.and("prefix", "feature")}
	case cure == "keep fewer columns with --keep", cure == "check the names given to --keep":
		return []flagsGiven{flags.and("keep", "none")}
	case cure == "ask for --reconstruction", cure == "ask for --score":
		return []flagsGiven{flags.and(strings.TrimPrefix(cure, "ask for --"), "true")}
	case strings.HasPrefix(cure, "ask for more units with --hidden"):
		return []flagsGiven{flags.and("hidden", "80")}
	}
	if m := oneOfMany.FindStringSubmatch(cure); m != nil {
		return []flagsGiven{flags.and(about, "1x"+m[1])}
	}
	if m := atLeast.FindStringSubmatch(cure); m != nil {
		return []flagsGiven{flags.and(m[2], m[1])}
	}
	if m := suchAs.FindStringSubmatch(cure); m != nil {
		if named := flagInText.FindString(cure); named != "" {
			about = named[2:]
		}
		return []flagsGiven{flags.and(about, m[1])}
	}
	if m := choice2.FindStringSubmatch(cure); m != nil {
		return []flagsGiven{flags.and(m[1], m[2]), flags.and(m[1], m[3])}
	}
	did := false
	for _, m := range leaveFlag.FindAllStringSubmatch(cure, -1) {
		name := strings.TrimPrefix(m[1], "--")
		if name == "it" {
			name = about
		}
		flags, did = flags.without(name), true
	}
	for _, m := range toZero.FindAllStringSubmatch(cure, -1) {
		flags, did = flags.and(m[1], "0"), true
	}
	for _, m := range setFlag.FindAllStringSubmatch(cure, -1) {
		if !slices.Contains([]string{"to", "out", "with", "and"}, m[2]) {
			flags, did = flags.and(m[1], m[2]), true
		}
	}
	if !did {
		return nil
	}
	return []flagsGiven{flags}
}

// ways returns all that a hint may have somebody do.
func (w *guide) ways(flags flagsGiven, message, hint string) []flagsGiven {
	w.checkFlags(hint)
	hint = strings.TrimPrefix(hint, "if such values are meant, ")
	hint, more, _ := strings.Cut(hint, "; ")
	var all []flagsGiven
	for _, cure := range strings.Split(hint, ", or ") {
		if finals.MatchString(cure) {
			continue
		}
		ways := w.act(flags, message, cure)
		if ways == nil {
			w.t.Errorf("%s, %v: nobody can tell what to do: %q, of %q", w.g.name, flags, cure, message)
		}
		all = append(all, ways...)
		if more != "" {
			for _, way := range ways {
				all = append(all, w.act(way, message, more)...)
			}
		}
	}
	return all
}

// follow takes every way that hints lead, from flags on, where the messages of
// path brought it.
func (w *guide) follow(flags flagsGiven, path []string) {
	const steps = 4
	r := w.run(flags)
	step := fmt.Sprintf("%v: %s", flags, r.errors)
	switch {
	case r.status == exitDone:
		return
	case slices.ContainsFunc(path, func(before string) bool { return strings.HasSuffix(before, ": "+r.errors) }):
		w.t.Errorf("%s: hints go in a circle:\n\t%s", w.g.name, strings.Join(append(path, step), "\n\t"))
		return
	case len(path) == steps:
		w.t.Errorf("%s: no model after %d hints:\n\t%s", w.g.name, steps, strings.Join(append(path, step), "\n\t"))
		return
	}
	path = append(slices.Clip(path), step)
	w.checkFlags(r.errors)
	cures := slices.DeleteFunc(slices.Clone(r.hints), func(hint string) bool { return strings.HasPrefix(hint, "run 'aefeat ") })
	if len(cures) == 0 && !finals.MatchString(r.errors) {
		w.t.Errorf("%s, %v: nothing says what to do: %s", w.g.name, flags, r.errors)
	}
	for _, hint := range cures {
		for _, way := range w.ways(flags, r.errors, hint) {
			w.follow(way, path)
		}
	}
}

// TestHintsLeadToAModel does what hints say, on every kind of input and from
// every kind of wish, until a model is fitted or it is a person's turn. No
// message may come twice on the way.
func TestHintsLeadToAModel(t *testing.T) {
	if testing.Short() {
		t.Skip("hundreds of fits")
	}
	for _, g := range guidedFiles() {
		t.Run(g.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			w := newGuide(t, g, filepath.Join(dir, "in.arrows"),
				"fit", "-o", os.DevNull, "--progress", "none", "--hidden", "4", "--epochs", "2")
			for _, flags := range wishesFor(g.name) {
				w.follow(flags, nil)
			}
		})
	}
}

// TestHintsLeadToFeatures does the same for transform, with a model of bytes.
func TestHintsLeadToFeatures(t *testing.T) {
	if testing.Short() {
		t.Skip("hundreds of fits")
	}
	dir := t.TempDir()
	m := filepath.Join(dir, "model")
	made := newGuide(t, guidedFiles()[1], filepath.Join(dir, "pixels.arrows"), "fit", "-o", m, "--progress", "none", "--hidden", "4")
	if r := made.run(nil); r.status != exitDone {
		t.Fatal(r.errors)
	}
	for i, g := range guidedFiles() {
		t.Run(g.name, func(t *testing.T) {
			t.Parallel()
			asked := []flagsGiven{{}, {"pixel-max": "1"}, {"column": "nothing"}, {"on-bad-row": "skip"}}
			if i < 3 {
				asked = append(asked, flagsGiven{"keep": "nothing"}, flagsGiven{"layout": "none"}, flagsGiven{"layout": "list", "prefix": "label"})
			}
			w := newGuide(t, g, filepath.Join(dir, fmt.Sprint(i, ".arrows")), "transform", "-m", m, "-o", os.DevNull, "--progress", "none")
			for _, flags := range asked {
				w.follow(flags, nil)
			}
		})
	}
}

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/urfave/cli/v2"

	"github.com/aefeat/aefeat/arrowio"
	"github.com/aefeat/aefeat/imagery"
	"github.com/aefeat/aefeat/model"
	"github.com/aefeat/aefeat/patch"
	"github.com/aefeat/aefeat/stage"
)

// dataInfo is what inspect --json prints of a data file.
type dataInfo struct {
	Kind         string          `json:"kind"`   // "data"
	Format       string          `json:"format"` // as for --format
	Bytes        int64           `json:"bytes"`
	Rows         int64           `json:"rows"`
	Groups       int             `json:"groups"`        // or record batches
	LargestGroup int64           `json:"largest_group"` // rows
	Compression  []string        `json:"compression"`
	Held         int64           `json:"held_bytes"` // while it is read
	Columns      []columnInfo    `json:"columns"`
	Candidates   []candidateInfo `json:"candidates"` // what could be the patch

	// Model is the hash of the model that made the features added last, and
	// EarlierModels are those that made features of their input.
	Model         string   `json:"model,omitempty"`
	EarlierModels []string `json:"earlier_models,omitempty"`

	// Patch is what a command without --column takes; null: none.
	Patch *patchInfo `json:"patch"`

	// What --head and --stats ask for.
	Head       []json.RawMessage `json:"head,omitempty"`
	Statistics []*tally          `json:"statistics,omitempty"`
}

type columnInfo struct {
	Name     string `json:"name"`
	Type     string `json:"type"`
	Nullable bool   `json:"nullable"`
}

type candidateInfo struct {
	Column  string `json:"column"` // for --column
	Type    string `json:"type"`
	Columns int    `json:"columns"`
	Width   int    `json:"width"` // 0: only rows tell
}

type patchInfo struct {
	Columns []string `json:"columns"`
	Source  string   `json:"source"`
	Width   int      `json:"width"` // 0: only rows tell

	// Shape is what the schema or the first image or .npy file tells of it;
	// null: nothing.
	Shape *model.Shape `json:"shape,omitempty"`

	binding *patch.Binding
}

var formatNames = map[arrowio.Format]string{
	arrowio.Parquet: "Parquet file",
	arrowio.Arrow:   "Arrow IPC file",
	arrowio.Stream:  "Arrow IPC stream",
}

func inspectData(c *cli.Context, ui *console, inputs []string) error {
	o := sourceOptions{command: "inspect", rewindable: true, allowMissingEOS: c.Bool("allow-missing-eos"), noHive: chosen(c, "hive") == hiveOff}
	src, err := o.open(c.Context, ui, inputs)
	if err != nil {
		return err
	}
	defer src.Close()
	files, err := src.Inspect()
	if err != nil {
		return err
	}
	rows, err := surveyOf(c, ui, src)
	if err != nil {
		return err
	}
	if len(files) > 1 || isFolder(inputs[0]) {
		return inspectSet(c.Context, ui, src, files, rows, c.Bool("json"))
	}
	file := files[0]
	file.Schema = src.Schema()
	info := describeData(&file)
	info.lookAtCells(c.Context, src)
	if c.Bool("json") {
		info.tell(rows)
		return printJSON(ui.out, info)
	}
	var t table
	t.row("file", formatNames[file.Format]+", "+formatSize(info.Bytes))
	info.list(&t, src)
	if err := t.print(ui.out); err != nil {
		return err
	}
	return rows.print(screen{ui.out})
}

// mostShown is as many columns, or files, as a screen holds; a thousand pixels
// need no line each.
const mostShown = 20

// list lists what there is to know but where the data lies.
func (i *dataInfo) list(t *table, src *arrowio.Source) {
	groups := "row groups"
	if i.Format != string(arrowio.Parquet) {
		groups = "batches"
	}
	t.row("rows", strconv.FormatInt(i.Rows, 10))
	t.row(groups, fmt.Sprintf("%d, of up to %s", i.Groups, plural(i.LargestGroup, "row")))
	if len(i.Compression) > 0 {
		t.row("compression", strings.ToLower(strings.Join(i.Compression, ", ")))
	}
	t.row("reading holds", formatSize(i.Held)+" of the file in memory")
	t.row("columns", strconv.Itoa(len(i.Columns)))
	for n, c := range i.Columns {
		if n == mostShown && len(i.Columns) > mostShown+1 {
			t.row("  ...", fmt.Sprintf("%d more", len(i.Columns)-mostShown))
			break
		}
		typ := c.Type
		if slices.Contains(src.Keys(), c.Name) {
			typ += ", from the path"
		}
		t.row("  "+columnName(c.Name), typ)
	}
	t.row("patch", i.patch())
	if i.Model != "" {
		t.row("features of", "the model with hash "+i.Model)
	}
	for _, hash := range i.EarlierModels {
		t.row("  and before", hash)
	}
}

func describeData(file *arrowio.Info) dataInfo {
	info := dataInfo{
		Kind: "data", Format: string(file.Format), Bytes: file.Size, Rows: file.Rows, Groups: file.Groups, LargestGroup: file.LargestGroup,
		Compression: append([]string{}, file.Compression...), Held: file.Held,
		// Empty, so that they are never null in JSON.
		Columns: []columnInfo{}, Candidates: []candidateInfo{},
	}
	metadata := file.Schema.Metadata()
	info.Model, _ = metadata.GetValue(stage.ModelKey)
	earlier, _ := metadata.GetValue(stage.EarlierModelsKey)
	info.EarlierModels = strings.Fields(earlier)
	for _, f := range file.Schema.Fields() {
		info.Columns = append(info.Columns, columnInfo{f.Name, typeName(f), f.Nullable})
	}
	for _, c := range patch.Candidates(file.Schema) {
		info.Candidates = append(info.Candidates, candidateInfo{c.Column, c.Type, c.Columns, c.Width})
	}
	if b, err := patch.Bind(file.Schema, patch.BindOptions{Decode: imagery.Whole(), Skip: true}); err == nil {
		columns := b.Columns()
		info.Patch = &patchInfo{Columns: columns, Source: b.Source(), Width: b.Width(), binding: b}
		for _, c := range info.Candidates {
			if info.Patch.Width == 0 && len(columns) == 1 && c.Column == columns[0] {
				info.Patch.Width = c.Width // by metadata
			}
		}
		if shape := b.Shape(); shape != (model.Shape{}) {
			info.Patch.Shape = &shape
		}
	}
	return info
}

// lookAtCells adds what only cells of bytes tell: of encoded images the size,
// of .npy files the type too. One of the first rows shows it, where it can be
// read.
func (i *dataInfo) lookAtCells(ctx context.Context, src *arrowio.Source) {
	p := i.Patch
	if p == nil || p.Width != 0 || !p.binding.MayHoldImages() || !showFirst(ctx, src, p.binding) {
		return
	}
	p.Source, p.Width = p.binding.Source(), p.binding.Width()
	if shape := p.binding.Shape(); shape != (model.Shape{}) {
		p.Shape = &shape
	}
}

// typeName writes the type of a column on one line, with the name of an
// extension in brackets.
func typeName(f arrow.Field) string {
	return strings.Join(strings.Fields(patch.TypeName(f)), " ")
}

// shownName writes the name of a column so that its end can be seen, and does
// nothing to a terminal.
func shownName(name string) string {
	if name == "" || strings.TrimSpace(name) != name || unprintable(name) {
		return strconv.Quote(name)
	}
	return name
}

// columnName is shownName for a name to be given to --column or --keep: one
// that a list would cut stands in quotes.
func columnName(name string) string {
	if strings.ContainsAny(name, `,"`) {
		return patch.Candidate{Column: name}.Name()
	}
	return shownName(name)
}

// patch says which columns are the patch where nobody names them.
func (i dataInfo) patch() string {
	if p := i.Patch; p != nil {
		text := fmt.Sprintf("%s: %s x %s", columnList(p.Columns), width(p.Width), p.Source)
		if p.Shape != nil {
			text += ", " + p.Shape.String()
		}
		return text
	}
	const most = 12 // as many as a line of a terminal may take, if it is long
	var could []string
	numbers := true
	for n, c := range i.Candidates {
		numbers = numbers && c.Width == 1
		if n == most && len(i.Candidates) > most+1 {
			could = append(could, fmt.Sprintf("%d more", len(i.Candidates)-most))
			break
		}
		name := patch.Candidate{Column: c.Column}.Name()
		could = append(could, fmt.Sprintf("%s (%s of %s)", name, plural(int64(c.Columns), "column"), c.Type))
	}
	switch {
	case len(could) == 0:
		return "none of the columns can hold one"
	case numbers:
		return "choose numbers with --column, and --preprocess standardize if they have different units: " + alternatives(could)
	}
	return "choose with --column: " + alternatives(could)
}

func width(n int) string {
	if n == 0 {
		return "?"
	}
	return strconv.Itoa(n)
}

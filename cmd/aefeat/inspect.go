package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/urfave/cli/v2"

	"github.com/aefeat/aefeat/model"
)

func inspectCommand(ui *console) *cli.Command {
	return &cli.Command{
		Name:        "inspect",
		Usage:       "print what a model file or a data file holds",
		UsageText:   "aefeat inspect [--json] [FILE]",
		Description: `Says of a data file also which columns could be the patch, and what reading it takes.`,
		Flags:       cliFlags("inspect"),
		Action:      func(c *cli.Context) error { return inspect(c, ui) },
	}
}

func inspect(c *cli.Context, ui *console) error {
	if c.Args().Len() > 1 {
		return usagef("inspect", "inspect takes one file").as(codeUsageInput)
	}
	name := cmp.Or(c.Args().First(), "-")
	ui.finally("inputs", []string{name})
	if name != "-" {
		tensors, err := looksLikeTensors(name)
		if err != nil {
			return err
		}
		if tensors {
			return inspectModel(c.Context, ui, name, c.Bool("json"))
		}
	}
	return inspectData(c.Context, ui, name, c.Bool("json"))
}

// looksLikeTensors reports whether a file begins as safetensors do: the length
// of a header, and the header's brace.
func looksLikeTensors(name string) (bool, error) {
	f, err := os.Open(name)
	if err != nil {
		return false, &inputError{name, err}
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return false, nil // what cannot be told now is met later; a pipe can be read only once, and a folder is data
	}
	var start [9]byte
	if _, err := io.ReadFull(f, start[:]); err != nil {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return false, nil
		}
		return false, &inputError{name, err}
	}
	return start[8] == '{', nil
}

// modelInfo is what inspect --json prints of a model file.
type modelInfo struct {
	Kind string `json:"kind"` // "model", or "tensors" for bare ones
	model.Config
	Parameters int               `json:"parameters"`
	Hash       string            `json:"hash"`
	Checksum   string            `json:"checksum,omitempty"` // "ok" or "none"; of a model
	Parent     string            `json:"parent,omitempty"`
	Preprocess *model.Preprocess `json:"preprocess,omitempty"`
	Binding    *model.Binding    `json:"binding,omitempty"`
	Shape      *model.Shape      `json:"shape,omitempty"`
	RowsSeen   int64             `json:"rows_seen"`
	History    []model.Epoch     `json:"history,omitempty"`
	Cost       *model.Cost       `json:"cost,omitempty"`
	Best       int               `json:"best_epoch,omitempty"`
}

func inspectModel(ctx context.Context, ui *console, name string, asJSON bool) error {
	m, file, bare, err := readModel(ctx, ui, name, true)
	if err != nil {
		return err
	}
	info := modelInfo{Kind: "model", Config: m.Config, Parameters: len(m.Params.Flat),
		Hash: file.Hash, Checksum: checksumState(file), Parent: m.Parent,
		Preprocess: &m.Preprocess, Binding: &m.Binding, RowsSeen: m.RowsSeen, History: m.History, Cost: m.Cost, Best: m.Best}
	if bare {
		info = modelInfo{Kind: "tensors", Config: m.Config, Parameters: len(m.Params.Flat), Hash: file.Hash}
	}
	if m.Shape != (model.Shape{}) {
		info.Shape = &m.Shape
	}
	if asJSON {
		return json.NewEncoder(ui.out).Encode(info)
	}
	t := modelTable(m, file, bare)
	return t.print(ui.out)
}

// modelTable lists what is known of a model.
func modelTable(m *model.Model, file model.Info, bare bool) table {
	var t table
	if bare {
		t.row("file", "bare tensors of a model, without settings")
	} else {
		t.row("file", "aefeat model")
	}
	t.row("hash", file.Hash)
	if !bare {
		t.row("checksum", checksumState(file))
	}
	if m.Parent != "" {
		t.row("parent", m.Parent)
	}
	t.row("inputs", strconv.Itoa(m.Inputs))
	t.row("shape", shapeOf(m))
	t.row("hidden units", strconv.Itoa(m.Hidden))
	t.row("parameters", strconv.Itoa(len(m.Params.Flat)))
	if m.Tied {
		t.row("weights", "tied")
	}
	if !bare {
		describeModel(&t, m)
	}
	return t
}

// checksumState says what became of the checksum of a model file: one that is
// wrong is an error.
func checksumState(file model.Info) string {
	if file.Checksum == "" {
		return "none"
	}
	return "ok"
}

// shapeOf writes the shape of a model's patches.
func shapeOf(m *model.Model) string {
	shape, guessed := m.PatchShape()
	if guessed {
		return shape.String() + " (guessed)"
	}
	return shape.String()
}

// describeModel lists the settings of a model and its training.
func describeModel(t *table, m *model.Model) {
	t.row("objective", m.Objective)
	t.row("activation", fmt.Sprintf("%s, output %s, %s loss", m.Activation, m.Output, m.Loss))
	for _, term := range m.Terms() {
		t.row(term.Name, term.Settings)
	}
	t.row("preprocessing", rule(m.Preprocess))
	if len(m.Binding.Columns) > 0 {
		t.row("fitted on", fmt.Sprintf("%s: %d x %s", columnList(m.Binding.Columns), m.Binding.Width, m.Binding.Source)+becoming(m.Binding.Images))
	}
	t.row("seed", strconv.FormatUint(m.Seed, 10))
	rows := fmt.Sprintf("%d in %s", m.RowsSeen, plural(int64(len(m.History)), "epoch"))
	if m.Parent != "" {
		rows += ", and by its parent"
	}
	t.row("rows seen", rows)
	switch {
	case m.Best > 0:
		t.row("kept", fmt.Sprintf("epoch %d, the best on held-out rows, of %d", m.Best, len(m.History)))
		t.row("that epoch", sum(*m.Cost))
		for _, e := range m.History {
			if e.Epoch == m.Best && e.Validation != nil {
				t.row("held-out rows", sum(*e.Validation))
			}
		}
	case m.Cost != nil:
		t.row("last epoch", sum(*m.Cost))
	}
}

// becoming says what became of encoded images; "": there were none.
func becoming(i *model.Images) string {
	if i == nil {
		return ""
	}
	text := ", encoded images"
	if i.Grey {
		text += ", grey"
	}
	if i.Resize {
		text += fmt.Sprintf(", resized to %dx%d", i.Shape.Height, i.Shape.Width)
	}
	return text
}

// columnList writes names of columns, of many the first and the last.
func columnList(names []string) string {
	if n := len(names); n > 6 {
		return fmt.Sprintf("%s, %s, ... %s (%d columns)", names[0], names[1], names[n-1], n)
	}
	return strings.Join(names, ", ")
}

// table is lines of a name and a value.
type table [][2]string

func (t *table) row(name, value string) { *t = append(*t, [2]string{name, value}) }

func (t table) print(w io.Writer) error {
	aligned := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	for _, row := range t {
		fmt.Fprintf(aligned, "%s\t%s\n", escaped(row[0]), escaped(row[1]))
	}
	return aligned.Flush()
}

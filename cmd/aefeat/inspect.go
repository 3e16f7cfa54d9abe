package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/urfave/cli/v2"

	"github.com/aefeat/aefeat/arrowio"
	"github.com/aefeat/aefeat/internal/disk"
	"github.com/aefeat/aefeat/model"
)

func inspectCommand(ui *console) *cli.Command {
	return &cli.Command{
		Name:      "inspect",
		Usage:     "print what model files or data files hold",
		UsageText: "aefeat inspect [flags] [INPUT...]",
		Description: `Says of data also which columns could be the patch, and what reading it takes. Of
several files, folders and patterns it prints what they have in common, and a line
for each file.`,
		Flags:  cliFlags("inspect"),
		Action: func(c *cli.Context) error { return inspect(c, ui) },
	}
}

func inspect(c *cli.Context, ui *console) error {
	if err := stdinOnce(c, ui); err != nil {
		return err
	}
	inputs := orStdin(c.Args().Slice())
	if n := c.Int("head"); n > mostHead {
		return usagef("inspect", "--head %d is more than %d", n, mostHead)
	}
	if err := ui.keepSources("inspect", []written{{"the description", "-"}}, data(inputs)); err != nil {
		return err
	}
	if len(inputs) == 1 && (isStdin(inputs[0]) || isPipe(inputs[0])) {
		piped, err := peekable(c.Context, ui, inputs[0])
		if err != nil {
			return err
		}
		defer piped.close()
		if piped.tensors {
			if asksForRows(c) {
				return errNoRowsInModels
			}
			return inspectModel(c.Context, &piped.console, "-", c.Bool("json"))
		}
		return inspectData(c, &piped.console, []string{"-"})
	}
	files, err := arrowio.Walk(inputs)
	if err != nil {
		return err
	}
	tensors, tables, err := sorted(files)
	if err != nil {
		return err
	}
	if len(tables) == 0 && asksForRows(c) {
		return errNoRowsInModels
	}
	if len(tables) > 0 {
		if err := inspectData(c, ui, tables); err != nil {
			return err
		}
	}
	for i, name := range tensors {
		if len(files) > 1 && !c.Bool("json") {
			if i > 0 || len(tables) > 0 {
				fmt.Fprintln(ui.out)
			}
			fmt.Fprintf(ui.out, "%s:\n", escaped(name))
		}
		if err := inspectModel(c.Context, ui, name, c.Bool("json")); err != nil {
			return err
		}
	}
	return nil
}

// sorted tells models from data, of which a folder is one.
func sorted(files []arrowio.File) (tensors, tables []string, err error) {
	for _, f := range files {
		if f.Root != "" {
			if !slices.Contains(tables, f.Root) {
				tables = append(tables, f.Root)
			}
			continue
		}
		model, err := looksLikeTensors(f.Name)
		switch {
		case err != nil:
			return nil, nil, &inputError{f.Name, err}
		case model:
			tensors = append(tensors, f.Name)
		default:
			tables = append(tables, f.Name)
		}
	}
	return tensors, tables, nil
}

// looksLikeTensors reports whether a file begins as safetensors do. A pipe can
// be read only once: it is none.
func looksLikeTensors(name string) (bool, error) {
	info, err := disk.Stat(name)
	if err != nil || !info.Mode().IsRegular() {
		return false, err
	}
	f, err := disk.Open(name)
	if err != nil {
		return false, err
	}
	defer f.Close()
	start := make([]byte, tensorsHead)
	n, err := io.ReadFull(f, start)
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		err = nil
	}
	return isTensors(start[:n]), err
}

// tensorsHead is how many bytes tell safetensors: the length of a header, and
// the header's brace.
const tensorsHead = 9

func isTensors(head []byte) bool { return len(head) == tensorsHead && head[tensorsHead-1] == '{' }

// isPipe reports whether a name is that of a pipe or a device.
func isPipe(name string) bool {
	info, err := disk.Stat(name)
	return err == nil && !info.Mode().IsRegular() && !info.IsDir()
}

// A peeked is a console whose input was looked at: standard input, or a pipe in
// its place.
type peeked struct {
	console
	tensors bool
	file    *disk.File // nil: standard input
}

func (p *peeked) close() {
	if p.file != nil {
		p.file.Close()
	}
}

// peekable looks at the beginning of standard input, or of a pipe.
func peekable(ctx context.Context, ui *console, name string) (*peeked, error) {
	p := &peeked{console: *ui}
	switch {
	case !isStdin(name):
		var err error
		if p.file, err = disk.Open(name); err != nil {
			return nil, &inputError{name, err}
		}
		p.in = p.file
	case isTerminal(ui.in):
		return nil, usagef("inspect", "no input: name a file, or send data to standard input").as(codeUsageInput)
	}
	if f, ok := p.in.(interface {
		io.Seeker
		io.ReaderAt
	}); ok {
		// A redirected file can be sought in, which data may need.
		if at, err := f.Seek(0, io.SeekCurrent); err == nil {
			head := make([]byte, tensorsHead)
			n, err := f.ReadAt(head, at)
			if err != nil && err != io.EOF {
				p.close()
				return nil, &inputError{inputName(name), err}
			}
			p.tensors = isTensors(head[:n])
			return p, nil
		}
	}
	b := bufio.NewReaderSize(interruptible(ctx, p.in), 64<<10)
	head, err := b.Peek(tensorsHead)
	if err != nil && err != io.EOF {
		p.close()
		return nil, &inputError{inputName(name), err}
	}
	p.tensors = isTensors(head)
	p.in = b
	return p, nil
}

// modelInfo is what inspect --json prints of a model file.
type modelInfo struct {
	Kind string `json:"kind"` // "model", "checkpoint", or "tensors" for bare ones
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
	Checkpoint *checkpointInfo   `json:"checkpoint,omitempty"`
}

// checkpointInfo is what only a checkpoint has.
type checkpointInfo struct {
	Epoch   int          `json:"epoch"` // epochs that have ended
	Epochs  int          `json:"epochs"`
	Rows    int64        `json:"rows"` // of the running epoch that were trained on
	Command *commandLine `json:"command,omitempty"`
	Shards  int64        `json:"shards,omitempty"` // of drive
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
	var rows table
	if file.Checkpoint {
		info.Kind = "checkpoint"
		if info.Checkpoint, rows, err = inspectCheckpoint(ctx, ui, name, m); err != nil {
			return err
		}
	}
	if asJSON {
		return printJSON(ui.out, info)
	}
	t := modelTable(m, file, bare)
	t = append(t, rows...)
	return t.print(ui.out)
}

// inspectCheckpoint reads what only a checkpoint has, and as rows of a table;
// nil: it came through a pipe, and is gone.
func inspectCheckpoint(ctx context.Context, ui *console, name string, m *model.Model) (*checkpointInfo, table, error) {
	if !isRegular(name) {
		return nil, nil, nil
	}
	r := &resumption{file: name, sum: newDigest()}
	err := r.read(ctx, ui)
	if err == nil {
		return &checkpointInfo{Epoch: r.Epoch, Epochs: r.Epochs, Rows: r.Rows, Command: &r.line}, table{
			{"checkpoint", r.position()},
			{"training", describeTraining(m, r.Settings.Train)},
			{"inputs of the fit", someOf(orStdin(r.line.Inputs))}}, nil
	}
	point, note, failed := readDriven(name)
	if failed != nil {
		return nil, nil, err
	}
	o := point.Options
	return &checkpointInfo{Epoch: len(m.History), Epochs: o.Epochs, Shards: note.Shards}, table{
		{"checkpoint", fmt.Sprintf("of drive, after %d of %s", len(m.History), plural(int64(o.Epochs), unitOf(o.Optimizer)))},
		{"training", describeTraining(m, o)},
		{"shards", count(note.Shards)}}, nil
}

// modelTable lists what is known of a model.
func modelTable(m *model.Model, file model.Info, bare bool) table {
	var t table
	switch {
	case bare:
		t.row("file", "bare tensors of a model, without settings")
	case file.Checkpoint:
		t.row("file", "checkpoint of a fit, usable as a model")
	default:
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
func columnList(columns []string) string {
	names := make([]string, len(columns))
	for i, name := range columns {
		names[i] = columnName(name)
	}
	if n := len(names); n > 6 {
		return fmt.Sprintf("%s, %s, ... %s (%d columns)", names[0], names[1], names[n-1], n)
	}
	return strings.Join(names, ", ")
}

// table is lines of a name and a value.
type table [][2]string

func (t *table) row(name, value string) { *t = append(*t, [2]string{name, value}) }

func (t table) print(w io.Writer) error {
	aligned := tabwriter.NewWriter(screen{w}, 0, 0, 3, ' ', 0)
	for _, row := range t {
		fmt.Fprintf(aligned, "%s\t%s\n", escaped(row[0]), escaped(row[1]))
	}
	return aligned.Flush()
}

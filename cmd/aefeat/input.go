package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/aefeat/aefeat/arrowio"
	"github.com/aefeat/aefeat/internal/disk"
	"github.com/aefeat/aefeat/model"
	"github.com/aefeat/aefeat/patch"
	"github.com/aefeat/aefeat/stage"
)

// sourceOptions are what the input flags say.
type sourceOptions struct {
	command         string
	columns         []string
	skip            bool
	pixelMax        float64
	decode          patch.Decoder
	images          model.Images // what encoded images become, as flags say
	allowMissingEOS bool
	noHive          bool
	spillDir        string
	rewindable      bool  // the input will be read twice
	hash            bool  // its SHA-256 is wanted
	rows            int64 // how many are wanted; 0: all

	model model.Info // of the file that openForModel read
}

// newSourceOptions reads the input flags of a command whose output goes to
// output, "" if it has none. The errors are usage errors.
func newSourceOptions(c *cli.Context, output string) (sourceOptions, error) {
	o := sourceOptions{
		command:         c.Command.Name,
		columns:         columns(c),
		skip:            chosen(c, "on-bad-row") == "skip",
		pixelMax:        c.Float64("pixel-max"),
		allowMissingEOS: c.Bool("allow-missing-eos"),
		noHive:          chosen(c, "hive") == hiveOff,
		spillDir:        c.String("spill-dir"),
		rows:            int64(c.Int("rows")),
	}
	if o.spillDir == "" {
		o.spillDir = besideOutput(output)
	}
	var err error
	o.decode, o.images, err = imageOptions(c)
	return o, err
}

// openForModel reads the model of a command, and then opens the rows that it is
// for, which the caller closes.
func openForModel(c *cli.Context, ui *console, output string) (sourceOptions, *model.Model, *arrowio.Source, error) {
	o, err := newSourceOptions(c, output)
	if err != nil {
		return o, nil, nil, err
	}
	if isStdin(c.String("model")) && !c.Args().Present() {
		return o, nil, nil, onlyModel(o.command)
	}
	m, info, err := requireModel(c, ui)
	if err != nil {
		return o, nil, nil, err
	}
	o.model, o.hash = info, c.String("report") != ""
	src, err := o.open(c.Context, ui, c.Args().Slice())
	return o, m, src, err
}

// inputName names an input for people.
func inputName(input string) string {
	if input == "-" {
		return "standard input"
	}
	return input
}

// orStdin returns inputs or, where there are none, what is read then.
func orStdin(inputs []string) []string {
	if len(inputs) == 0 {
		return []string{"-"}
	}
	return inputs
}

// isStdin reports whether a name stands for standard input.
func isStdin(name string) bool {
	return slices.Contains([]string{"-", "/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"}, name)
}

// stdinOnce returns a usage error where more than one of the models and the
// inputs of a command is standard input, or one is that is a terminal.
func stdinOnce(c *cli.Context, ui *console, models ...string) error {
	names := slices.Concat(models, c.Args().Slice(), c.StringSlice("test"), c.StringSlice("list"))
	names = slices.DeleteFunc(names, func(name string) bool { return !isStdin(name) })
	switch {
	case len(names) > 1:
		return stdinTwice(c.Command.Name)
	case len(names) == 1 && isTerminal(ui.in):
		return usagef(c.Command.Name, "standard input is a terminal: name a file, or send one to standard input").as(codeUsageInput)
	}
	return nil
}

// stdinTwice is the error of standard input in two places.
func stdinTwice(command string) error {
	return usagef(command, "standard input cannot be read twice").as(codeUsageInput)
}

// onlyModel is the error of a model on standard input and no input beside it.
func onlyModel(command string) error {
	return usagef(command, "standard input has the model: name an input").as(codeUsageInput)
}

// open opens the inputs; without any, standard input.
func (o sourceOptions) open(ctx context.Context, ui *console, inputs []string) (*arrowio.Source, error) {
	stdin := len(inputs) == 0
	for _, name := range inputs {
		if isStdin(name) && stdin {
			return nil, stdinTwice(o.command)
		}
		stdin = stdin || isStdin(name)
	}
	if stdin && isTerminal(ui.in) {
		return nil, usagef(o.command, "no input: name a file, or send data to standard input").as(codeUsageInput)
	}
	if len(inputs) == 0 {
		ui.finally("inputs", []string{"-"})
	}
	src, err := arrowio.Open(inputs, arrowio.OpenOptions{
		Stdin:           interruptible(ctx, ui.in),
		SpoolDir:        o.spillDir,
		Rewindable:      o.rewindable,
		Hash:            o.hash,
		AllowMissingEOS: o.allowMissingEOS,
		NoHive:          o.noHive,
	})
	if err == nil {
		tellPassed(ui, src.Passed())
		tellMissing(ui, src)
		tellOverruled(ui, src)
	}
	return src, err
}

// tellPassed tells which files were passed over.
func tellPassed(ui *console, passed []string) {
	if len(passed) == 0 {
		return
	}
	are := "are"
	if len(passed) == 1 {
		are = "is"
	}
	ui.printf("passed over %s that %s neither Parquet nor Arrow: %s", plural(int64(len(passed)), "file"), are, someOf(passed))
}

// tellOverruled tells which columns are not those of the paths.
func tellOverruled(ui *console, src *arrowio.Source) {
	for _, name := range src.Overruled() {
		ui.printf("column %q is that of the files, not what their paths say", name)
	}
}

// tellMissing tells which columns some files do not have.
func tellMissing(ui *console, src *arrowio.Source) {
	missing := src.Missing()
	if len(missing) == 0 {
		return
	}
	var columns []string
	for _, m := range missing {
		where := m.First
		if m.Files > 1 {
			where = fmt.Sprintf("%s and %s", m.First, plural(int64(m.Files-1), "other file"))
		}
		columns = append(columns, fmt.Sprintf("%q in %s", m.Column, where))
	}
	ui.printf("columns that some files do not have are null there: %s", someOf(columns))
}

// someOf lists the first few of many.
func someOf(list []string) string {
	const most = 3 // long paths fill a line soon
	if len(list) > most {
		return fmt.Sprintf("%s and %s more", strings.Join(list[:most], ", "), count(int64(len(list)-most)))
	}
	return strings.Join(list, ", ")
}

// require returns an error that names the file where one does not have all of
// these columns.
func require(src *arrowio.Source, columns []string) error {
	paths, err := patch.Paths(src.Schema(), columns)
	if err != nil {
		return err
	}
	return src.Require(paths)
}

// read begins to read the named columns; nil: all.
func read(ctx context.Context, src *arrowio.Source, columns []string) (array.RecordReader, error) {
	paths, err := patch.Paths(src.Schema(), columns)
	if err != nil {
		return nil, err
	}
	r, err := src.Reader(ctx, paths)
	if err != nil {
		return nil, err
	}
	return inSlices(r), nil
}

// located makes an error about a row of the whole input one that names the file
// and the row in it.
func located(src *arrowio.Source, err error) error {
	var at patch.RowError
	var read *patch.RowError
	var written *arrowio.ColumnError
	switch {
	case errors.As(err, &read):
		at = *read
	case errors.As(err, &written): // rows go out as they came in
		at = patch.RowError{Column: written.Column, Row: written.Row, Reason: written.Reason, Hint: written.Hint}
	default:
		return err
	}
	file, row, ok := src.Locate(at.Row)
	if !ok || at.File != "" {
		return err
	}
	at.File, at.Row = file, row
	if read != nil && errors.Is(err, stage.ErrNoRows) { // the row is one of many that were skipped
		between := strings.TrimSuffix(strings.TrimPrefix(err.Error(), stage.ErrNoRows.Error()), read.Error())
		return fmt.Errorf("%w%s%w", stage.ErrNoRows, between, &at)
	}
	return &at
}

// besideOutput is the folder of an output file, where there should be room for
// what does not fit in memory: "", the system's folder for temporary files,
// if the output is no regular file.
func besideOutput(output string) string {
	if output == "" || output == "-" {
		return ""
	}
	if info, err := disk.Stat(output); err == nil && !info.Mode().IsRegular() {
		return ""
	}
	return filepath.Dir(output)
}

// folderOf is the folder that "" stands for, or dir.
func folderOf(dir string) string {
	if dir == "" {
		return os.TempDir()
	}
	return dir
}

func memoryHint(dir string) string {
	return dir + " is kept in memory by the system: name a folder on a disk with --spill-dir"
}

// interruptible returns a reader of the pipe or device in whose Read ends with
// ctx, though nobody ever writes to the pipe. A regular file, which never
// makes its reader wait, is returned as it is: it can be sought in.
func interruptible(ctx context.Context, in io.Reader) io.Reader {
	if f, ok := in.(interface{ Stat() (fs.FileInfo, error) }); ok {
		if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
			return in
		}
	}
	return &pump{ctx: ctx, in: in}
}

// pump reads on a goroutine of its own. Nothing can end that goroutine while
// it waits for its pipe; it ends with the program.
type pump struct {
	ctx    context.Context
	in     io.Reader
	full   chan chunk  // what was read
	empty  chan []byte // buffers to read into
	chunk  chunk       // at hand
	unread []byte      // of chunk
}

type chunk struct {
	data []byte
	err  error
}

// pumpBytes is the size of the largest pipe that an unprivileged user of Linux
// can have.
const pumpBytes = 1 << 20

func (p *pump) Read(dst []byte) (int, error) {
	if p.full == nil {
		p.full, p.empty = make(chan chunk), make(chan []byte, 2)
		p.empty <- make([]byte, pumpBytes)
		p.empty <- make([]byte, pumpBytes)
		go p.run()
	}
	for len(p.unread) == 0 {
		if p.chunk.err != nil {
			return 0, p.chunk.err
		}
		if p.chunk.data != nil {
			p.empty <- p.chunk.data[:cap(p.chunk.data)]
			p.chunk = chunk{}
		}
		select {
		case p.chunk = <-p.full:
			p.unread = p.chunk.data
		case <-p.ctx.Done():
			p.chunk.err = p.ctx.Err()
		}
	}
	n := copy(dst, p.unread)
	p.unread = p.unread[n:]
	return n, nil
}

func (p *pump) run() {
	for buffer := range p.empty {
		n, err := p.in.Read(buffer)
		select {
		case p.full <- chunk{buffer[:n], err}:
		case <-p.ctx.Done():
			return
		}
		if err != nil {
			return
		}
	}
}

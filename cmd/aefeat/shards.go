package main

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"runtime"
	"slices"

	"github.com/urfave/cli/v2"

	"github.com/aefeat/aefeat/internal/disk"
	"github.com/aefeat/aefeat/model"
)

// This file reads and merges the sums of shards.

func mergeCommand(ui *console) *cli.Command {
	return &cli.Command{
		Name:      "merge",
		Usage:     "join the sums of shards that follow each other",
		UsageText: "aefeat merge [flags] SUMS... -o SUMS",
		Description: `Takes what sums, statistics or merge have written, in any order, and needs no model.
Sums of neighbours are joined in pairs, the pairs in pairs and so on, by the numbers of
their shards: equal sums give equal bytes, and groups of 2^k shards from a multiple of
2^k on may be merged by themselves first.`,
		Flags:  cliFlags("merge"),
		Action: func(c *cli.Context) error { return merge(c, ui) },
	}
}

func merge(c *cli.Context, ui *console) error {
	output, names := c.String("output"), c.Args().Slice()
	if len(names) == 0 {
		return usagef("merge", "no sums: name the files that sums, statistics or merge have written").as(codeUsageInput)
	}
	if err := refuseTerminal(ui, "merge", "sums", output); err != nil {
		return err
	}
	if err := ui.keepSources("merge", []written{{"the sums", output}}, reading{what: "the sums ", files: names}); err != nil {
		return err
	}
	if err := stdinOnce(c, ui); err != nil {
		return err
	}
	var files []sumsFile
	for _, name := range names {
		f, err := openSums(c.Context, ui, name)
		if err != nil {
			return err
		}
		files = append(files, f)
	}
	whole, err := orderSums(files)
	if err == nil && c.IsSet("shards") {
		err = whole.Whole(int64(c.Int("shards")))
	}
	if err != nil {
		return err
	}
	out, err := createOutput(ui, output)
	if err != nil {
		return err
	}
	defer out.Abort()
	sums, err := mergeSums(files)
	if err != nil {
		return err
	}
	if _, err := sums.WriteTo(out); err != nil {
		return writingSums(err)
	}
	if err := out.Commit(); err != nil {
		return err
	}
	newProgress(ui, chosen(c, "progress")).finish(map[string]any{"rows": sums.Rows, "shard": sums.Shard, "shards": sums.Shards},
		fmt.Sprintf("merged %s of %s", plural(sums.Rows, "row"), sums.Name()))
	return nil
}

// sumsFile is a file of sums.
type sumsFile struct {
	path string
	data []byte // of what can be read only once; nil: read reads them
	model.SumsInfo
}

// openSums reads what a file has sums of. "-" is standard input. A pipe is read
// whole, since that goes but once, unless ctx ends before.
func openSums(ctx context.Context, ui *console, path string) (f sumsFile, err error) {
	f.path = path
	if isRegular(path) && !isStdin(path) {
		in, err := disk.Open(path)
		if err != nil {
			return f, &inputError{path, err}
		}
		defer in.Close()
		f.SumsInfo, err = model.ReadSumsInfo(in)
		if err != nil {
			err = inSums(path, err)
		}
		return f, err
	}
	if f.data, err = readOnce(ctx, ui, path); err != nil {
		return f, &inputError{inputName(path), err}
	}
	if f.SumsInfo, err = model.ReadSumsInfo(bytes.NewReader(f.data)); err != nil {
		err = inSums(path, err)
	}
	return f, err
}

// readOnce reads all of a pipe or of standard input. Nobody may ever open the
// other end: what waits for that ends with the program.
func readOnce(ctx context.Context, ui *console, path string) ([]byte, error) {
	var data []byte
	done := make(chan error, 1)
	go func() {
		in := ui.in
		if !isStdin(path) {
			f, err := disk.Open(path)
			if err != nil {
				done <- err
				return
			}
			defer f.Close()
			in = f
		}
		var err error
		data, err = io.ReadAll(in)
		done <- err
	}()
	select {
	case err := <-done:
		return data, err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func inSums(path string, err error) error {
	path = inputName(path)
	return &inputError{path, fmt.Errorf("%s: %w", path, err)}
}

// read reads the sums of the file.
func (f sumsFile) read() (*model.Sums, error) {
	if f.data != nil {
		return f.parse(f.data)
	}
	in, err := disk.Open(f.path)
	if err != nil {
		return nil, &inputError{f.path, err}
	}
	defer in.Close()
	var b bytes.Buffer
	if info, err := in.Stat(); err == nil && info.Mode().IsRegular() {
		b.Grow(int(info.Size()) + bytes.MinRead)
	}
	if _, err := io.Copy(&b, in); err != nil {
		return nil, inSums(f.path, err)
	}
	return f.parse(b.Bytes())
}

func (f sumsFile) parse(data []byte) (*model.Sums, error) {
	s := new(model.Sums)
	if err := s.UnmarshalBinary(data); err != nil {
		return nil, inSums(f.path, err)
	}
	return s, nil
}

// into hands the sums of the file to what gathers such sums.
func (f sumsFile) into(g model.Gatherer) error {
	if err := f.Fits(g); err != nil {
		return inSums(f.path, err)
	}
	s, err := f.read()
	if err == nil {
		err = s.Into(g)
	}
	return err
}

// orderSums sorts files by their shards, and returns what they are of together.
// The first that does not follow the one before is an error.
func orderSums(files []sumsFile) (whole model.SumsInfo, err error) {
	slices.SortStableFunc(files, func(a, b sumsFile) int { return cmp.Compare(a.Shard, b.Shard) })
	whole = files[0].SumsInfo
	for _, f := range files[1:] {
		if err := whole.Precedes(f.SumsInfo); err != nil {
			return whole, inSums(f.path, err)
		}
		whole = whole.With(f.SumsInfo)
	}
	return whole, nil
}

// mergeSums merges files in their order. It holds few of them at a time.
func mergeSums(files []sumsFile) (*model.Sums, error) {
	var m model.Merger
	for _, f := range files {
		runtime.GC() // what was merged may be as large as what comes
		s, err := f.read()
		if err != nil {
			return nil, err
		}
		if err := m.Add(s); err != nil {
			return nil, inSums(f.path, err)
		}
	}
	return m.Sums()
}

// readMerged reads the model of a command and what --sums names: sums of all
// shards from 0 on. output is what the command writes, "" for text.
func readMerged(c *cli.Context, ui *console, output string) (m *model.Model, info model.Info, sums sumsFile, err error) {
	name, path := c.Command.Name, c.String("sums")
	if err = onlySums(c); err != nil {
		return
	}
	if err = stdinOnce(c, ui, c.String("model"), path); err != nil {
		return
	}
	if output != "" {
		if err = refuseTerminal(ui, name, output, c.String("output")); err != nil {
			return
		}
		outputs := []written{{output, c.String("output")}}
		if err = ui.keepSources(name, outputs, models(c.String("model")), reading{what: "the sums ", files: []string{path}}); err != nil {
			return
		}
	}
	if m, info, err = requireModel(c, ui); err != nil {
		return
	}
	if sums, err = openSums(c.Context, ui, path); err != nil {
		return
	}
	if whole := sums.Whole(sums.Shard + sums.Shards); whole != nil {
		err = inSums(path, whole)
	}
	return
}

// onlySums returns a usage error where flags are about rows.
func onlySums(c *cli.Context) error {
	name := c.Command.Name
	if c.Args().Present() {
		return usagef(name, "--sums stands in place of inputs").as(codeUsageInput)
	}
	for _, f := range flagsOf(name) {
		if c.IsSet(f.name) && !slices.Contains([]string{"sums", "model", "json", "output", "progress", "quiet"}, f.name) {
			return usagef(name, "%s does not go with --sums, which stands in place of rows", spell(f.name)).as(codeUsageInput)
		}
	}
	return nil
}

// commitModel writes a model, makes it appear and returns its hash.
func commitModel(ui *console, output string, m *model.Model) (hash string, err error) {
	out, err := createOutput(ui, output)
	if err != nil {
		return "", err
	}
	defer out.Abort()
	return commitModelTo(out, m)
}

// commitModelTo does so where the output is there already.
func commitModelTo(out *outputFile, m *model.Model) (hash string, err error) {
	sum := newDigest()
	if err := writeModel(io.MultiWriter(out, sum), m); err != nil {
		return "", err
	}
	return sum.String(), out.Commit()
}

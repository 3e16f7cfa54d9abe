package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/urfave/cli/v2"

	"github.com/aefeat/aefeat/arrowio"
	"github.com/aefeat/aefeat/imagery"
	"github.com/aefeat/aefeat/internal/disk"
	"github.com/aefeat/aefeat/internal/imageset"
	"github.com/aefeat/aefeat/model"
	"github.com/aefeat/aefeat/patch"
)

func patchesCommand(ui *console) *cli.Command {
	return &cli.Command{
		Name:      "patches",
		Usage:     "cut patches out of images",
		UsageText: "aefeat patches [flags] IMAGES...",
		Description: `Reads image files (PNG, JPEG, WebP, TIFF, BMP), folders of them, image columns of
Parquet and Arrow, IDX and .npy files and the binary records of CIFAR. Writes a row for
each patch: its pixels (column patch: lines from top to bottom, in colour red, green and
blue side by side), the image it comes from, its place there (row, column), and the
label and kept columns of the image.`,
		Flags:  cliFlags("patches"),
		Action: func(c *cli.Context) error { return patches(c, ui) },
	}
}

func patches(c *cli.Context, ui *console) error {
	cut, channels, err := cutFlags(c)
	if err != nil {
		return err
	}
	output := c.String("output")
	if err := refuseTerminal(ui, "patches", "patches", output); err != nil {
		return err
	}
	format, err := outputFormat(c, output)
	if err != nil {
		return err
	}
	set, err := openImages(c, ui, channels, output)
	if err != nil {
		return err
	}
	defer set.Close()
	seen := map[string]bool{"patch": true, "image": true, "row": true, "column": true}
	for _, f := range set.Extra() {
		if seen[f.Name] {
			return usagef("patches", "two columns would be called %q: leave it out of --keep", f.Name).as(codeUsageOutput)
		}
		seen[f.Name] = true
	}
	first, err := set.First(c.Context)
	if err != nil {
		return err
	}
	rows := newPatchRows(set, cut, first.Picture, c.Bool("whiten-images"))
	w, err := arrowio.Create(output, rows.schema, arrowio.WriteOptions{Format: format, Stdout: ui.out})
	if err != nil {
		return err
	}
	defer w.Abort() // after Close it does nothing
	p := newProgress(ui, chosen(c, "progress"))
	defer p.clear()
	return rows.run(c.Context, set, w, p, nameOf(output))
}

// cutFlags reads the flags that say which patches to cut. channels is 0 where
// the images decide.
func cutFlags(c *cli.Context) (cut imagery.Cut, channels int, err error) {
	cut = imagery.Cut{
		Stride: c.Int("stride"), Count: c.Int("per-image"), Seed: c.Uint64("seed"), MinContrast: c.Float64("min-contrast"),
	}
	switch size := c.String("size"); {
	case c.IsSet("size") && (c.IsSet("height") || c.IsSet("width")):
		return cut, 0, usagef("patches", "--size says the same as --height and --width: give one of them")
	case c.IsSet("height") || c.IsSet("width"):
		cut.Height, cut.Width = c.Int("height"), c.Int("height")
		if c.IsSet("width") {
			cut.Width = c.Int("width")
		}
		if err := (imagery.Shape{Height: cut.Height, Width: cut.Width, Channels: 1}).Validate(); err != nil {
			return cut, 0, usagef("patches", "%v", err)
		}
	case size == "image":
	default:
		shape, err := parsePatchSize(size)
		if err != nil {
			return cut, 0, usagef("patches", "--size: %v", err)
		}
		cut.Height, cut.Width, channels = shape.Height, shape.Width, shape.Channels
	}
	if c.Bool("grey") {
		if channels == 3 {
			return cut, 0, usagef("patches", "--grey and three channels in --size contradict each other")
		}
		channels = 1
	}
	switch {
	case c.IsSet("per-image") && cut.Count < 1:
		return cut, 0, usagef("patches", "--per-image %d is no number of patches", cut.Count)
	case c.IsSet("per-image") && c.IsSet("stride"):
		return cut, 0, usagef("patches", "--per-image takes random places, and --stride those of a grid: give one of them")
	}
	if err := cut.Validate(); err != nil {
		return cut, 0, usagef("patches", "%v", err)
	}
	return cut, channels, nil
}

// parsePatchSize reads HEIGHTxWIDTH or HEIGHTxWIDTHxCHANNELS; Channels is 0
// where they are not given.
func parsePatchSize(text string) (imagery.Shape, error) {
	s, err := model.ParseShape(text)
	switch {
	case err != nil:
		return s, err
	case strings.Contains(text, ","):
		return s, fmt.Errorf("%q has an order, and patches have one of their own", text)
	case s.Channels != 1 && s.Channels != 3:
		return s, fmt.Errorf("%d channels are neither grey (1) nor colour (3)", s.Channels)
	case strings.Count(text, "x") == 1:
		s.Channels = 0
	}
	return s, nil
}

// openImages opens the images that the arguments and the input flags name.
func openImages(c *cli.Context, ui *console, channels int, output string) (*imageset.Set, error) {
	inputs, err := listed(c, ui)
	if err != nil {
		return nil, err
	}
	if len(inputs) == 0 {
		return nil, usagef(c.Command.Name, "no images: name files, folders or patterns, or lists of them with --list").as(codeUsageInput)
	}
	o := imageset.Options{
		Column:   c.String("column"),
		Channels: channels,
		Skip:     chosen(c, "on-bad-row") == "skip",
		Keep:     keep(c),
		Output:   output,
		Open:     arrowio.OpenOptions{Stdin: interruptible(c.Context, ui.in), SpoolDir: besideOutput(output), NoHive: chosen(c, "hive") == hiveOff},
	}
	o.KeepAll = o.Keep == nil
	if text := c.String("shape"); text != "" {
		if o.Shape, err = model.ParseShape(text); err != nil {
			return nil, usagef(c.Command.Name, "--shape: %v", err)
		}
	}
	if o.Label, err = imageset.ParseLabel(c.String("label-from")); err != nil {
		return nil, usagef(c.Command.Name, "--label-from: %v", err)
	}
	lists := append(c.StringSlice("list"), o.Label.File)
	if err := ui.keepSources(c.Command.Name, []written{{"the output", output}}, reading{what: "the input ", files: lists, inputs: inputs}); err != nil {
		return nil, err
	}
	set, err := imageset.Open(inputs, o)
	if err != nil {
		return nil, err
	}
	if n := set.PassedOver(); n > 0 {
		holds := "hold"
		if n == 1 {
			holds = "holds"
		}
		ui.printf("passed over %s that %s no images", plural(int64(n), "file"), holds)
	}
	return set, nil
}

// listed returns the arguments, and the names in the files that --list names.
func listed(c *cli.Context, ui *console) ([]string, error) {
	inputs, lists := c.Args().Slice(), c.StringSlice("list")
	for _, name := range lists {
		lines, err := readList(c, ui, name)
		if err != nil {
			return nil, err
		}
		inputs = append(inputs, lines...)
	}
	stdin := slices.DeleteFunc(slices.Concat(inputs, lists), func(name string) bool { return name != "-" })
	if len(stdin) > 1 {
		return nil, stdinTwice(c.Command.Name)
	}
	return inputs, nil
}

// readList reads names, one a line.
func readList(c *cli.Context, ui *console, name string) (names []string, err error) {
	in := interruptible(c.Context, ui.in)
	if name != "-" {
		f, err := disk.Open(name)
		if err != nil {
			return nil, &inputError{name, err}
		}
		defer f.Close()
		in = f
	}
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		if line := lines.Text(); strings.TrimSpace(line) != "" {
			names = append(names, line)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, &inputError{name, fmt.Errorf("%s: %w", nameOf(name), err)}
	}
	return names, nil
}

// finishImages tells of the end of a run over a set.
func finishImages(p *progress, set *imageset.Set, event map[string]any, line string) {
	bad := patch.BadRows{Counts: set.Bad().Counts}
	lines := []string{line}
	if bad.Total() > 0 {
		lines = append(lines, skipped(bad))
	}
	p.finish(withBadRows(event, nil, bad), lines...)
}

// patchRows makes record batches of patches.
type patchRows struct {
	cut     imagery.Cut
	whole   bool          // a patch is an image
	shape   imagery.Shape // of a patch
	whiten  bool
	floats  bool
	schema  *arrow.Schema
	columns *imageset.Columns

	builder *array.RecordBuilder // of the columns before those of the images
	bytes   int                  // of pixels in it
	images  int64
	rows    int64
}

// mostPlaces bounds the places that are found before they are cut: 16 MiB.
const mostPlaces = 1 << 20

// batchBytes of pixels make up a batch.
const batchBytes = 4 << 20

// newPatchRows returns rows of patches as the first image has them.
func newPatchRows(set *imageset.Set, cut imagery.Cut, first *imagery.Picture, whiten bool) *patchRows {
	r := &patchRows{cut: cut, whole: cut.Height == 0, whiten: whiten, floats: whiten || first.Bytes == nil, columns: set.Columns()}
	r.cut.Height, r.cut.Width = cut.Size(first)
	r.shape = imagery.Shape{Height: r.cut.Height, Width: r.cut.Width, Channels: first.Shape.Channels}
	var element arrow.DataType = arrow.PrimitiveTypes.Uint8
	if r.floats {
		element = arrow.PrimitiveTypes.Float32
	}
	own := []arrow.Field{
		{Name: "patch", Type: arrow.FixedSizeListOf(int32(r.shape.Len()), element), Metadata: tensorMetadata(r.shape)},
		{Name: "image", Type: arrow.BinaryTypes.String},
		{Name: "row", Type: arrow.PrimitiveTypes.Int32},
		{Name: "column", Type: arrow.PrimitiveTypes.Int32},
	}
	r.schema = arrow.NewSchema(slices.Concat(own, set.Extra()), nil)
	r.builder = array.NewRecordBuilder(memory.DefaultAllocator, arrow.NewSchema(own, nil))
	return r
}

// tensorMetadata makes a list the extension type arrow.fixed_shape_tensor.
func tensorMetadata(s imagery.Shape) arrow.Metadata {
	return arrow.MetadataFrom(map[string]string{
		"ARROW:extension:name":     "arrow.fixed_shape_tensor",
		"ARROW:extension:metadata": fmt.Sprintf(`{"shape":[%d,%d,%d],"dim_names":["height","width","channel"]}`, s.Height, s.Width, s.Channels),
	})
}

// A cutting is a picture and the places of its patches.
type cutting struct {
	picture *imagery.Picture
	places  iter.Seq[imagery.Place]
}

// run cuts all images of a set.
func (r *patchRows) run(ctx context.Context, set *imageset.Set, w *arrowio.Writer, p *progress, output string) error {
	defer r.builder.Release()
	total, _ := set.Count()
	err := imageset.Run(ctx, set, r.place, func(im *imageset.Image, c cutting) error {
		r.images++
		p.show(step{Phase: "patches", Noun: "image", Rows: r.images, Total: total})
		return r.add(ctx, w, im, c)
	})
	if err == nil {
		err = r.flush(w)
	}
	if err == nil && r.rows == 0 {
		err = &codedError{codeNoRows, errors.New("no patches: no image has one of this size and contrast")}
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		return err
	}
	finishImages(p, set, map[string]any{"rows": r.rows, "images": r.images, "seed": r.cut.Seed},
		fmt.Sprintf("wrote %s of %v pixels to %s", plural(r.rows, "row"), r.shape, output))
	return nil
}

// place prepares a picture and finds its patches. It runs on any goroutine.
func (r *patchRows) place(im *imageset.Image) (cutting, error) {
	p := im.Picture
	switch {
	case p.Shape.Channels != r.shape.Channels:
		return cutting{}, fmt.Errorf("image of %d channels, expected %d", p.Shape.Channels, r.shape.Channels)
	case r.whole && p.Shape != r.shape:
		return cutting{}, fmt.Errorf("image of %v, expected %v as the first is", p.Shape, r.shape)
	case !r.whiten && r.floats != (p.Bytes == nil):
		return cutting{}, errors.New("its pixels are of another type than those of the first image")
	}
	if r.whiten {
		p = p.Whiten()
	}
	places, err := r.cut.Places(p, im.Key)
	if err != nil {
		return cutting{}, err
	}
	if r.cut.MinContrast > 0 && p.Shape.Height*p.Shape.Width <= mostPlaces && r.cut.Count <= mostPlaces {
		places = slices.Values(slices.Collect(places)) // on this core
	}
	return cutting{p, places}, nil
}

// add appends the patches of an image, and writes full batches.
func (r *patchRows) add(ctx context.Context, w *arrowio.Writer, im *imageset.Image, c cutting) error {
	lists := r.builder.Field(0).(*array.FixedSizeListBuilder)
	names := r.builder.Field(1).(*array.StringBuilder)
	down := r.builder.Field(2).(*array.Int32Builder)
	right := r.builder.Field(3).(*array.Int32Builder)
	var bytes []uint8
	var floats []float32
	for at := range c.places {
		lists.Append(true)
		switch values := lists.ValueBuilder().(type) {
		case *array.Uint8Builder:
			bytes = c.picture.AppendBytes(bytes[:0], at, r.cut.Height, r.cut.Width)
			values.AppendValues(bytes, nil)
			r.bytes += len(bytes)
		case *array.Float32Builder:
			floats = c.picture.AppendFloats(floats[:0], at, r.cut.Height, r.cut.Width)
			values.AppendValues(floats, nil)
			r.bytes += 4 * len(floats)
		}
		names.Append(im.Name)
		down.Append(int32(at.Row))
		right.Append(int32(at.Column))
		r.columns.Append(im, 1)
		if r.bytes >= batchBytes {
			if err := r.flush(w); err != nil {
				return err
			}
			if err := ctx.Err(); err != nil { // one image may have patches for hours
				return err
			}
		}
	}
	return nil
}

// flush writes the rows so far.
func (r *patchRows) flush(w *arrowio.Writer) error {
	if r.columns.Len() == 0 {
		return nil
	}
	own := r.builder.NewRecordBatch()
	defer own.Release()
	extra, err := r.columns.Take()
	if err != nil {
		return err
	}
	batch := array.NewRecordBatch(r.schema, slices.Concat(own.Columns(), extra), own.NumRows())
	defer batch.Release()
	for _, a := range extra {
		a.Release()
	}
	r.rows += own.NumRows()
	r.bytes = 0
	return w.Write(batch)
}

package main

import (
	"fmt"
	"math/rand/v2"
	"os"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/urfave/cli/v2"

	"github.com/aefeat/aefeat/arrowio"
	"github.com/aefeat/aefeat/imagery"
)

func patchesCommand(ui *console) *cli.Command {
	return &cli.Command{
		Name:      "patches",
		Usage:     "cut patches out of PNG and JPEG images",
		UsageText: "aefeat patches [flags] IMAGE...",
		Description: `Writes a row for each patch: its pixels (column patch: lines from top to bottom, in
colour red, green and blue side by side) and the image it comes from.`,
		Flags:  cliFlags("patches"),
		Action: func(c *cli.Context) error { return patches(c, ui) },
	}
}

func patches(c *cli.Context, ui *console) error {
	if c.Args().Len() == 0 {
		return usagef("patches", "no images to cut patches out of")
	}
	shape := imagery.Shape{Height: c.Int("height"), Width: c.Int("height"), Channels: 3}
	if c.IsSet("width") {
		shape.Width = c.Int("width")
	}
	if c.Bool("grey") {
		shape.Channels = 1
	}
	if err := shape.Validate(); err != nil {
		return usagef("patches", "%v", err)
	}
	count := -1
	if c.IsSet("per-image") {
		if count = c.Int("per-image"); count < 1 {
			return usagef("patches", "--per-image %d is no number of patches", count)
		}
	}
	output := c.String("output")
	if err := refuseTerminal(ui, "patches", "patches", output); err != nil {
		return err
	}
	schema := arrow.NewSchema([]arrow.Field{
		{Name: "patch", Type: arrow.FixedSizeListOfNonNullable(int32(shape.Len()), arrow.PrimitiveTypes.Uint8)},
		{Name: "image", Type: arrow.BinaryTypes.String},
	}, nil)
	w, err := arrowio.Create(output, schema, arrowio.WriteOptions{Format: arrowio.Format(chosen(c, "format")), Stdout: ui.out})
	if err != nil {
		return err
	}
	defer w.Abort() // after Close it does nothing
	var rows int64
	var pixels []uint8
	for i, name := range c.Args().Slice() {
		if err := c.Context.Err(); err != nil {
			return err
		}
		places := rand.New(rand.NewPCG(c.Uint64("seed"), uint64(i)))
		if pixels, err = cutImage(pixels[:0], name, shape, count, places); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		batch := patchBatch(schema, pixels, shape.Len(), name)
		rows += batch.NumRows()
		err := w.Write(batch)
		batch.Release()
		if err != nil {
			return err
		}
	}
	if err := w.Close(); err != nil {
		return err
	}
	ui.printf("wrote %s of %v pixels to %s", plural(rows, "row"), shape, nameOf(output))
	return nil
}

// cutImage appends the patches of the image in a file: count at random
// places, or, when count is negative, all of a grid.
func cutImage(dst []uint8, name string, shape imagery.Shape, count int, places *rand.Rand) ([]uint8, error) {
	f, err := os.Open(name)
	if err != nil {
		return dst, err
	}
	defer f.Close()
	img, err := imagery.Decode(f)
	if err != nil {
		return dst, err
	}
	if count < 0 {
		return imagery.Tiles(dst, img, shape)
	}
	return imagery.Sample(dst, img, shape, count, places)
}

// patchBatch makes a batch of the patches, n bytes each, of one image.
func patchBatch(schema *arrow.Schema, pixels []uint8, n int, name string) arrow.RecordBatch {
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	defer b.Release()
	rows := b.Field(0).(*array.FixedSizeListBuilder)
	names := b.Field(1).(*array.StringBuilder)
	for range len(pixels) / n {
		rows.Append(true)
		names.Append(name)
	}
	rows.ValueBuilder().(*array.Uint8Builder).AppendValues(pixels, nil)
	return b.NewRecordBatch()
}

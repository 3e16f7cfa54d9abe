package main

import (
	"context"
	"fmt"
	"image"
	"image/png"
	"io"
	"math"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/urfave/cli/v2"

	"github.com/aefeat/aefeat/arrowio"
	"github.com/aefeat/aefeat/imagery"
	"github.com/aefeat/aefeat/internal/atomicfile"
	"github.com/aefeat/aefeat/model"
	"github.com/aefeat/aefeat/patch"
	"github.com/aefeat/aefeat/stage"
)

func explainCommand(ui *console) *cli.Command {
	return &cli.Command{
		Name:      "explain",
		Usage:     "find the rows that excite each hidden unit most",
		UsageText: "aefeat explain -m MODEL [flags] [INPUT...]",
		Description: `Reads all rows once and keeps for each unit those with the largest codes. The table has
a row for each: unit, rank (from 1), input_row (from 0, over all inputs), code, patch as
it came, and the columns that --keep names. The picture has a line for each unit: its
filter, then its best patches. A code of 0 in a relu or k-sparse model does not count, so
that a unit which is never active has no rows.`,
		Flags:  cliFlags("explain"),
		Action: func(c *cli.Context) error { return explain(c, ui) },
	}
}

func explain(c *cli.Context, ui *console) error {
	output, picture := c.String("output"), c.String("picture")
	if output == "" && picture == "" {
		output = "-"
		ui.finally("outputs", []string{output})
	}
	if err := checkExplainOutputs(c, ui, output, picture); err != nil {
		return err
	}
	source, m, src, err := openForModel(c, ui, output)
	if err != nil {
		return err
	}
	defer src.Close()
	config := stage.ExplainConfig{EvaluateConfig: source.evaluation(), Top: c.Int("top"),
		Keep: keptWithRows(c.String("keep"), src.Schema(), patchColumns(src, source.patchNames(m)))}
	outputs, err := createExplainOutputs(ui, output, picture, src, source, m, config.Keep)
	defer func() {
		for _, out := range outputs {
			out.abort()
		}
	}()
	if err != nil {
		return err
	}
	p := newProgress(ui, chosen(c, "progress"))
	defer p.clear()
	x, err := source.explain(c.Context, src, p, m, config)
	if err != nil {
		return err
	}
	bound, err := source.bound(src, m)
	if err != nil {
		return err
	}
	lines, err := writeOutputs(outputs, bound, x)
	if err != nil {
		return err
	}
	lines = append([]string{fmt.Sprintf("found the best of %s for each of %s", plural(x.Rows, "row"), plural(int64(m.Hidden), "unit"))}, lines...)
	p.finish(withBadRows(map[string]any{"rows": x.Rows, "model": source.model.Hash, "seed": m.Seed}, src, x.BadRows), lines...)
	if x.Skipped > 0 {
		ui.warn(codeSkipped, "", "%s", skipped(x.BadRows))
	}
	return nil
}

// checkExplainOutputs refuses outputs that would do harm.
func checkExplainOutputs(c *cli.Context, ui *console, output, picture string) error {
	if output != "" && picture != "" && atomicfile.Same(output, picture) {
		return usagef("explain", "the table and the picture would go to the same place, %s", nameOf(output)).as(codeUsageOutput)
	}
	outputs := []written{{"the table", output}, {"the picture", picture}}
	if err := ui.keepSources("explain", outputs, models(c.String("model")), data(c.Args().Slice())); err != nil {
		return err
	}
	if err := refuseTerminal(ui, "explain", "a table", output); err != nil {
		return err
	}
	return refuseTerminal(ui, "explain", "a picture", picture)
}

// placeColumns are what patches writes beside a patch: where it was cut from.
var placeColumns = []string{"image", "row", "column"}

// keptWithRows resolves --keep: without it the place of a patch, as far as the
// data have it.
func keptWithRows(list string, schema *arrow.Schema, patchColumns []string) []string {
	switch list {
	case "none":
		return nil
	case "":
	default:
		return split(list)
	}
	var keep []string
	for _, name := range placeColumns {
		if _, err := patch.BindLabel(schema, name); err == nil && !slices.Contains(patchColumns, name) {
			keep = append(keep, name)
		}
	}
	return keep
}

// explain reads all rows of src and finds the best for each unit of m.
func (o sourceOptions) explain(ctx context.Context, src *arrowio.Source, p *progress, m *model.Model, config stage.ExplainConfig) (*stage.Explanation, error) {
	r, err := o.patches(ctx, src, m, config.Keep...)
	if err != nil {
		return nil, located(src, err)
	}
	defer r.Release()
	total, _ := src.NumRows()
	x, err := stage.Explain(ctx, m, &watched{RecordReader: r, progress: p, step: step{Phase: "explain", Total: total}}, config)
	if err != nil {
		return nil, located(src, err)
	}
	return x, nil
}

// explainOutput is one of the files that explain writes.
type explainOutput interface {
	write(m *model.Model, x *stage.Explanation) error // all but the commit
	file() *outputFile
	line() string // says what it is
	abort()       // after the commit it does nothing
}

// createExplainOutputs opens those that have a name. Everything that can be
// wrong with them before a row is read is an error here; with it come those
// that are to be aborted.
func createExplainOutputs(ui *console, output, picture string, src *arrowio.Source, source sourceOptions, m *model.Model, keep []string) (outputs []explainOutput, err error) {
	if output != "" {
		t, err := createExplainTable(ui, output, src.Schema(), source, m, keep)
		if err != nil {
			return nil, located(src, err)
		}
		outputs = append(outputs, t)
	}
	if picture != "" {
		f, err := createOutput(ui, picture)
		if err != nil {
			return outputs, err
		}
		outputs = append(outputs, &explainPicture{outputFile: f, name: picture})
	}
	return outputs, nil
}

// writeOutputs writes all before any of them appears. It returns a line for
// each.
func writeOutputs(outputs []explainOutput, m *model.Model, x *stage.Explanation) (lines []string, err error) {
	var files []*outputFile
	for _, out := range outputs {
		if err := out.write(m, x); err != nil {
			return nil, err
		}
		files, lines = append(files, out.file()), append(lines, out.line())
	}
	return lines, commitAll(files...)
}

// explainTable is the table of explain.
type explainTable struct {
	*arrowio.Writer
	out    *outputFile
	schema *arrow.Schema
	name   string
	rows   int64
}

// kindTypes are the types of patches that are stored as they came.
var kindTypes = map[model.Kind]arrow.DataType{
	model.Uint8: arrow.PrimitiveTypes.Uint8, model.Uint16: arrow.PrimitiveTypes.Uint16,
	model.Float16: arrow.FixedWidthTypes.Float16, model.Float32: arrow.PrimitiveTypes.Float32,
}

// createExplainTable opens the table.
func createExplainTable(ui *console, output string, schema *arrow.Schema, source sourceOptions, m *model.Model, keep []string) (*explainTable, error) {
	b, err := patch.Bind(schema, source.evaluation().BindOptions(m))
	if err != nil {
		return nil, err
	}
	fields := []arrow.Field{
		{Name: "unit", Type: arrow.PrimitiveTypes.Int32},
		{Name: "rank", Type: arrow.PrimitiveTypes.Int32},
		{Name: "input_row", Type: arrow.PrimitiveTypes.Int64},
		{Name: "code", Type: arrow.PrimitiveTypes.Float32},
		{Name: "patch", Type: arrow.FixedSizeListOfNonNullable(int32(m.Inputs), kindTypes[b.Kind()])},
	}
	if m.Shape != (model.Shape{}) && m.Shape.Order == "" {
		fields[len(fields)-1].Metadata = tensorMetadata(m.Shape)
	}
	for _, name := range keep {
		if slices.ContainsFunc(fields, func(f arrow.Field) bool { return f.Name == name }) {
			return nil, &patch.RowError{Column: name, Row: -1, Key: patch.KeyTaken, Reason: "the name is already taken", Hint: "keep other columns with `Keep`"}
		}
		if _, err := patch.BindLabel(schema, name); err != nil {
			return nil, err
		}
		_, f, err := patch.Find(schema, name)
		if err != nil {
			return nil, err
		}
		fields = append(fields, arrow.Field{Name: name, Type: plainType(f.Type), Nullable: true})
	}
	metadata := stage.WithModel(arrow.Metadata{}, source.model.Hash)
	t := &explainTable{schema: arrow.NewSchema(fields, &metadata), name: output}
	if t.out, err = createOutput(ui, output); err != nil {
		return nil, err
	}
	if t.Writer, err = arrowio.NewWriter(t.out, t.schema, arrowio.WriteOptions{}); err != nil {
		t.out.Abort()
		return nil, err
	}
	return t, nil
}

// plainType is the type of a column of labels without what it is wrapped in.
func plainType(t arrow.DataType) arrow.DataType {
	switch w := t.(type) {
	case arrow.ExtensionType:
		return plainType(w.StorageType())
	case *arrow.DictionaryType:
		return plainType(w.ValueType)
	}
	if id := t.ID(); arrow.IsInteger(id) || id == arrow.BOOL {
		return t
	}
	return arrow.BinaryTypes.String
}

func (t *explainTable) write(m *model.Model, x *stage.Explanation) error {
	if err := t.rowsOf(x); err != nil {
		return err
	}
	return t.Close()
}

// rowsOf writes the rows of all units.
func (t *explainTable) rowsOf(x *stage.Explanation) error {
	b := array.NewRecordBuilder(memory.DefaultAllocator, t.schema)
	defer b.Release()
	flush := func() error {
		batch := b.NewRecordBatch()
		defer batch.Release()
		t.rows += batch.NumRows()
		return t.Write(batch)
	}
	for unit, u := range x.Units {
		for rank, row := range u.Best {
			b.Field(0).(*array.Int32Builder).Append(int32(unit))
			b.Field(1).(*array.Int32Builder).Append(int32(rank + 1))
			b.Field(2).(*array.Int64Builder).Append(row.Row)
			b.Field(3).(*array.Float32Builder).Append(row.Code)
			list := b.Field(4).(*array.FixedSizeListBuilder)
			list.Append(true)
			appendPatch(list.ValueBuilder(), row.Patch)
			for i, label := range row.Kept {
				if label.Null {
					b.Field(5 + i).AppendNull()
				} else if err := b.Field(5 + i).AppendValueFromString(label.Text); err != nil {
					return err
				}
			}
		}
		if unit%64 == 63 { // patches of some megabytes at a time
			if err := flush(); err != nil {
				return err
			}
		}
	}
	return flush()
}

// appendPatch appends the values of one patch as they are stored.
func appendPatch(b array.Builder, r model.Rows) {
	switch b := b.(type) {
	case *array.Uint8Builder:
		b.AppendValues(r.Data, nil)
	case *array.Uint16Builder:
		b.AppendValues(arrow.Uint16Traits.CastFromBytes(r.Data), nil)
	case *array.Float16Builder:
		b.AppendValues(arrow.Float16Traits.CastFromBytes(r.Data), nil)
	case *array.Float32Builder:
		b.AppendValues(arrow.Float32Traits.CastFromBytes(r.Data), nil)
	}
}

func (t *explainTable) file() *outputFile { return t.out }

func (t *explainTable) line() string {
	return fmt.Sprintf("wrote %s to %s", plural(t.rows, "row"), nameOf(t.name))
}

func (t *explainTable) abort() {
	_ = t.Writer.Abort() // there is an error already, or nothing to abort
	t.out.Abort()
}

// explainPicture is the picture of explain.
type explainPicture struct {
	*outputFile
	name  string
	drawn string // what it shows
}

func (d *explainPicture) write(m *model.Model, x *stage.Explanation) error {
	// A picture of 64 million pixels is more than most programs show.
	const maxPixels = 64 << 20
	panel, err := imagery.View{}.Panel(m, "")
	if err != nil {
		return err
	}
	filters, err := panel.Tiles()
	if err != nil {
		return err
	}
	shape := panel.Shape
	size := filters[0].Bounds().Size()
	tiles := float64(size.X+1) * float64(size.Y+1) * float64(1+longest(x.Units))
	units := x.Units[:min(len(x.Units), max(1, int(maxPixels/tiles)))]
	lines := make([][]image.Image, len(units))
	for i, u := range units {
		tiles, err := patchTiles(m.Preprocess, shape, u.Best)
		if err != nil {
			return err
		}
		lines[i] = append([]image.Image{filters[i]}, tiles...)
	}
	// So large that a picture of few units fills a screen.
	scale := max(1, min(8, int(1500/math.Sqrt(tiles*float64(len(units))))))
	d.drawn = plural(int64(len(units)), "unit")
	if len(units) < len(x.Units) {
		d.drawn = "the first " + d.drawn
	}
	return png.Encode(io.Writer(d), imagery.Lines(lines, scale))
}

func (d *explainPicture) file() *outputFile { return d.outputFile }

func (d *explainPicture) line() string {
	return fmt.Sprintf("drew %s to %s", d.drawn, nameOf(d.name))
}

func (d *explainPicture) abort() { d.Abort() }

// longest is the number of rows of the unit that has most.
func longest(units []stage.UnitExplanation) int {
	most := 0
	for _, u := range units {
		most = max(most, len(u.Best))
	}
	return most
}

// patchTiles draws rows as they came.
func patchTiles(p model.Preprocess, shape imagery.Shape, rows []stage.KeptRow) ([]image.Image, error) {
	tiles := make([]image.Image, len(rows))
	for i, row := range rows {
		var err error
		if tiles[i], err = patchTile(p, shape, row.Patch.AppendFloat32(nil), nil); err != nil {
			return nil, err
		}
	}
	return tiles, nil
}

// patchTile draws values as they are stored. Their range is that of the
// preprocessing rule; where it tells none, the one that like has, the values
// themselves if that is nil.
func patchTile(p model.Preprocess, shape imagery.Shape, values, like []float32) (image.Image, error) {
	low, high := float32(p.Min), float32(p.Max)
	if low == high {
		if like == nil {
			like = values
		}
		low, high = imagery.Extent(like)
	}
	return imagery.Tile(values, shape, low, high)
}

package main

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/urfave/cli/v2"

	"github.com/aefeat/aefeat/arrowio"
	"github.com/aefeat/aefeat/imagery"
	"github.com/aefeat/aefeat/imagery/pool"
	"github.com/aefeat/aefeat/internal/imageset"
	"github.com/aefeat/aefeat/model"
	"github.com/aefeat/aefeat/patch"
	"github.com/aefeat/aefeat/stage"
)

func imageFeaturesCommand(ui *console) *cli.Command {
	return &cli.Command{
		Name:      "image-features",
		Usage:     "make features of whole images with a model of patches",
		UsageText: "aefeat image-features -m MODEL [flags] IMAGES...",
		Description: `Encodes the patch at every place of an image and pools the codes over each cell of a
grid. Writes a row for each image: its name (column image), the label and kept columns,
and the features: of each cell, row by row, a number for each hidden unit. Images are
read as patches reads them; they may differ in size.`,
		Flags:  cliFlags("image-features"),
		Action: func(c *cli.Context) error { return imageFeatures(c, ui) },
	}
}

func imageFeatures(c *cli.Context, ui *console) error {
	output := c.String("output")
	if err := refuseTerminal(ui, "image-features", "features", output); err != nil {
		return err
	}
	if err := ui.keepSources("image-features", []written{{"the features", output}}, models(c.String("model"))); err != nil {
		return err
	}
	format, err := outputFormat(c, output)
	if err != nil {
		return err
	}
	config, err := poolFlags(c)
	if err != nil {
		return err
	}
	m, info, err := requireModel(c, ui)
	if err != nil {
		return err
	}
	shape, guessed := m.PatchShape()
	if guessed {
		ui.warn(codeGuessed, "", "the model does not say which shape its patches have: taken as %v", shape)
	}
	f, err := newImageRows(c, m, shape, config)
	if err != nil {
		return err
	}
	f.hash = info.Hash
	set, err := openImages(c, ui, shape.Channels, output)
	if err != nil {
		return err
	}
	defer set.Close()
	if _, err := set.First(c.Context); err != nil {
		return err
	}
	if err := f.lay(set); err != nil {
		return err
	}
	w, err := arrowio.Create(output, f.schema, arrowio.WriteOptions{Format: format, Stdout: ui.out})
	if err != nil {
		return err
	}
	defer w.Abort() // after Close it does nothing
	p := newProgress(ui, chosen(c, "progress"))
	defer p.clear()
	return f.run(c.Context, set, w, p, nameOf(output))
}

// poolFlags reads the flags that say how to pool.
func poolFlags(c *cli.Context) (pool.Config, error) {
	grid, err := pool.ParseGrid(c.String("grid"))
	if err != nil {
		return pool.Config{}, usagef("image-features", "--grid: %v", err)
	}
	return pool.Config{
		Method:    pool.Method(chosen(c, "pool")),
		Stride:    c.Int("stride"),
		Grid:      grid,
		SplitSign: c.Bool("split-sign"),
		Root:      c.Bool("root"),
	}, nil
}

// poolMethods returns the names of all ways to pool.
func poolMethods() []string {
	var names []string
	for _, m := range pool.Methods() {
		names = append(names, string(m))
	}
	return names
}

// imageRows makes record batches of the features of images.
type imageRows struct {
	model  *model.Model
	hash   string // of its file
	shape  model.Shape
	config pool.Config
	whiten bool
	layout string
	prefix string
	width  int // features of an image

	bytes, floats pools // of pixels

	schema  *arrow.Schema
	columns *imageset.Columns
	names   []string
	values  []float32 // (rows, width)
	images  int64
}

// pools are poolers for pixels of one type.
type pools struct {
	sync.Pool       // of *pool.Pooler
	err       error // of making the first
}

func newImageRows(c *cli.Context, m *model.Model, shape model.Shape, config pool.Config) (*imageRows, error) {
	p, err := pool.New(m, shape, config)
	if err != nil {
		return nil, wrong("image-features", err)
	}
	f := &imageRows{
		model: m, shape: shape, config: config, width: p.Width(),
		whiten: c.Bool("whiten-images"), layout: chosen(c, "layout"), prefix: c.String("prefix"),
	}
	if f.prefix == "" {
		return nil, usagef("image-features", "--prefix is empty: columns need a name")
	}
	f.bytes.settle(f, string(model.Uint8), c.Float64("pixel-max"))
	f.floats.settle(f, string(model.Float32), c.Float64("pixel-max"))
	return f, nil
}

// settle makes the poolers that take pixels of a type of elements. It keeps the
// error, for images of that type.
func (p *pools) settle(f *imageRows, source string, pixelMax float64) {
	m := *f.model
	var first *pool.Pooler
	m.Preprocess, p.err = m.Preprocess.Adapt(source, pixelMax)
	if p.err == nil {
		first, p.err = pool.New(&m, f.shape, f.config)
	}
	p.New = func() any { return first.Clone() }
}

// lay makes the schema of rows about the images of a set.
func (f *imageRows) lay(set *imageset.Set) error {
	f.columns = set.Columns()
	fields := slices.Concat([]arrow.Field{{Name: "image", Type: arrow.BinaryTypes.String}}, set.Extra())
	fields = append(fields, stage.CodeFields(f.layout, f.prefix, f.width)...)
	taken := map[string]bool{}
	for _, field := range fields {
		if taken[field.Name] {
			return &patch.RowError{Column: field.Name, Row: -1, Key: patch.KeyTaken, Reason: "the name is already taken",
				Hint: "name the features otherwise with `Prefix`, or keep fewer columns with `Keep`"}
		}
		taken[field.Name] = true
	}
	metadata := stage.WithModel(arrow.Metadata{}, f.hash)
	f.schema = arrow.NewSchema(fields, &metadata)
	return nil
}

// run pools the codes of all images of a set.
func (f *imageRows) run(ctx context.Context, set *imageset.Set, w *arrowio.Writer, p *progress, output string) error {
	total, _ := set.Count()
	err := imageset.Run(ctx, set, f.features, func(im *imageset.Image, features []float32) error {
		f.images++
		p.show(step{Phase: "image-features", Noun: "image", Rows: f.images, Total: total})
		f.names = append(f.names, im.Name)
		f.values = append(f.values, features...)
		f.columns.Append(im, 1)
		if 4*len(f.values) < batchBytes {
			return nil
		}
		return f.flush(w)
	})
	if err == nil {
		err = f.flush(w)
	}
	if err == nil && f.images == 0 {
		err = set.NoImages()
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		return err
	}
	finishImages(p, set, map[string]any{"rows": f.images, "features": f.width, "model": f.hash, "seed": f.model.Seed},
		fmt.Sprintf("wrote %s with %d features to %s", plural(f.images, "row"), f.width, output))
	return nil
}

// features returns those of an image. It runs on any goroutine.
func (f *imageRows) features(im *imageset.Image) ([]float32, error) {
	p := im.Picture
	if f.whiten {
		p = p.Whiten()
	}
	pools := &f.bytes
	if p.Bytes == nil {
		pools = &f.floats
	}
	if pools.err != nil {
		return nil, pools.err
	}
	pooler := pools.Get().(*pool.Pooler)
	defer pools.Put(pooler)
	features := make([]float32, f.width)
	return features, pooler.Features(features, linesOf(p))
}

// linesOf returns the lines of a picture as rows.
func linesOf(p *imagery.Picture) model.Rows {
	n := p.Shape.Width * p.Shape.Channels
	if p.Bytes != nil {
		return model.Uint8Rows(p.Bytes, n)
	}
	return model.Float32Rows(p.Floats, n)
}

// flush writes the rows so far.
func (f *imageRows) flush(w *arrowio.Writer) error {
	rows := len(f.names)
	if rows == 0 {
		return nil
	}
	names := array.NewStringBuilder(memory.DefaultAllocator)
	defer names.Release()
	names.AppendValues(f.names, nil)
	columns, err := f.columns.Take()
	if err != nil {
		return err
	}
	columns = slices.Concat([]arrow.Array{names.NewArray()}, columns, f.arrays(rows))
	batch := array.NewRecordBatch(f.schema, columns, int64(rows))
	defer batch.Release()
	for _, a := range columns {
		a.Release()
	}
	f.names, f.values = f.names[:0], f.values[:0]
	return w.Write(batch)
}

// arrays returns the features of rows as the columns of the layout.
func (f *imageRows) arrays(rows int) []arrow.Array {
	switch f.layout {
	case stage.LayoutSparse:
		return f.pairs()
	case stage.LayoutList, stage.LayoutArray:
		list := array.NewBuilder(memory.DefaultAllocator, stage.CodeFields(f.layout, f.prefix, f.width)[0].Type).(array.ListLikeBuilder)
		defer list.Release()
		values := list.ValueBuilder().(*array.Float32Builder)
		for row := range slices.Chunk(f.values, f.width) {
			list.Append(true)
			values.AppendValues(row, nil)
		}
		return []arrow.Array{list.NewArray()}
	}
	arrays := make([]arrow.Array, f.width)
	column := array.NewFloat32Builder(memory.DefaultAllocator)
	defer column.Release()
	for i := range arrays {
		column.Reserve(rows)
		for j := i; j < len(f.values); j += f.width {
			column.UnsafeAppend(f.values[j])
		}
		arrays[i] = column.NewArray()
	}
	return arrays
}

// pairs returns what is not 0 in the features of rows.
func (f *imageRows) pairs() []arrow.Array {
	indices := array.NewListBuilder(memory.DefaultAllocator, arrow.PrimitiveTypes.Uint32)
	defer indices.Release()
	values := array.NewListBuilder(memory.DefaultAllocator, arrow.PrimitiveTypes.Float32)
	defer values.Release()
	for row := range slices.Chunk(f.values, f.width) {
		indices.Append(true)
		values.Append(true)
		for j, v := range row {
			if v != 0 {
				indices.ValueBuilder().(*array.Uint32Builder).Append(uint32(j))
				values.ValueBuilder().(*array.Float32Builder).Append(v)
			}
		}
	}
	return []arrow.Array{indices.NewArray(), values.NewArray()}
}

package main

import (
	"context"

	"github.com/urfave/cli/v2"

	"github.com/aefeat/aefeat/arrowio"
	"github.com/aefeat/aefeat/imagery"
	"github.com/aefeat/aefeat/model"
	"github.com/aefeat/aefeat/patch"
)

// imageOptions say what encoded images become, by --grey and --resize. The
// errors are usage errors.
func imageOptions(c *cli.Context) (decode patch.Decoder, images model.Images, err error) {
	images.Grey = c.Bool("grey")
	if size := c.String("resize"); c.IsSet("resize") {
		shape, err := parsePatchSize(size)
		if err == nil && shape.Channels != 0 {
			return nil, images, usagef(c.Command.Name, "--resize %s: a size has a height and a width, such as 32x32", size)
		}
		if err != nil {
			return nil, images, usagef(c.Command.Name, "--resize: %v", err)
		}
		if shape.Width > imagery.MaxWhole/shape.Height {
			return nil, images, usagef(c.Command.Name, "--resize %s: a patch has at most %d pixels", size, imagery.MaxWhole)
		}
		images.Resize, images.Shape = true, shape
	}
	return imagery.Whole(), images, nil
}

// firstImage returns the shape of the images in the columns of a source, as one
// of the first rows shows it; zero where none of them can be read: reading all
// will say why.
func firstImage(ctx context.Context, src *arrowio.Source, b *patch.Binding) model.Shape {
	r, err := read(ctx, src, b.Columns())
	if err != nil {
		return model.Shape{}
	}
	defer r.Release()
	if !r.Next() {
		return model.Shape{}
	}
	batch := r.RecordBatch()
	part := batch.NewSlice(0, min(batch.NumRows(), int64(b.BatchRows())))
	defer part.Release()
	if _, _, err := b.Rows(part, 0); err != nil || b.Images() == nil {
		return model.Shape{}
	}
	return b.Shape()
}

package main

import (
	"context"

	"github.com/apache/arrow-go/v18/arrow"
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

// showFirst lets the first rows of a source show b what cells of bytes hold:
// the size of images, the type of .npy files. It reports whether they did:
// where none of them can be read, reading all will say why.
func showFirst(ctx context.Context, src *arrowio.Source, b *patch.Binding) bool {
	r, err := read(ctx, src, b.Columns())
	if err != nil {
		return false
	}
	defer r.Release()
	if !r.Next() {
		return false
	}
	return showRows(r.RecordBatch(), b) && b.Width() > 0
}

// showRows lets the first rows of a batch show b what its schema does not tell.
// It reports whether they could be read.
func showRows(batch arrow.RecordBatch, b *patch.Binding) bool {
	part := batch.NewSlice(0, min(batch.NumRows(), int64(b.BatchRows())))
	defer part.Release()
	_, _, err := b.Rows(part, 0)
	return err == nil
}

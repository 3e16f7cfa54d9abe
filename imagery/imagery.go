// Package imagery stands between pixels and people: it cuts patches out of
// images to learn from, and draws what was learned.
//
// [Decode] makes a [Picture] of a PNG, JPEG, WebP, TIFF or BMP image of bounded
// size. A [Cut] says which patches of a picture to take, rows of numbers that a
// model can be fitted to; [Picture.Whiten] gives a photograph a flat spectrum
// before. [Drawing] draws the weights of hidden units as grids of small
// pictures, and [View] says which of a model's weights, before or after
// preprocessing.
//
// # Layout of a patch
//
// A patch is one row of n = Height * Width * Channels values: lines of pixels
// from top to bottom, pixels from left to right, and for each pixel its
// channels side by side (red, green, blue). This is the order of a
// (height, width, channel) tensor, and that of the values of a Picture. Data
// with one plane a channel, as CIFAR-10 is distributed, has another order,
// which [Shape] can name.
package imagery

import (
	"fmt"

	"github.com/aefeat/aefeat/model"
)

// Shape is the shape of a patch.
type Shape = model.Shape

// GuessShape is [model.GuessShape].
func GuessShape(n int) Shape { return model.GuessShape(n) }

func errChannels(s Shape) error {
	return fmt.Errorf("imagery: %d channels are neither grey (1) nor colour (3)", s.Channels)
}

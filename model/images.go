package model

import "fmt"

// Images says how encoded images became rows of bytes: lines of pixels from
// top to bottom, the channels of a pixel side by side, unless Shape has another
// order. The zero value takes the size and the channels of the first image, and
// no other.
type Images struct {
	// Shape is what all images become. Height and Width, or Channels, are 0
	// where the first image decides.
	Shape Shape `json:"shape"`

	// Grey takes the brightness of colours, 0.299 R + 0.587 G + 0.114 B (ITU-R
	// BT.601). Otherwise an image in colour among grey ones is bad; a grey one
	// among colours always becomes three equal channels.
	Grey bool `json:"grey,omitempty"`

	// Resize resamples images of other sizes. Otherwise they are bad.
	Resize bool `json:"resize,omitempty"`
}

// check returns an error where i does not say what rows of n values are.
func (i Images) check(n int) error {
	if err := i.Shape.check(n); err != nil {
		return fmt.Errorf("images: %w", err)
	}
	if c := i.Shape.Channels; c != 1 && c != 3 {
		return fmt.Errorf("images of %d channels are neither grey (1) nor colour (3)", c)
	}
	return nil
}

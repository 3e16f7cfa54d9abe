package stage

import (
	"cmp"
	"fmt"

	"github.com/aefeat/aefeat/model"
	"github.com/aefeat/aefeat/patch"
)

// imagesOf returns what encoded images become for m: what they did when it was
// fitted, or else what its rows are.
func imagesOf(m *model.Model) model.Images {
	if m.Binding.Images != nil {
		return *m.Binding.Images
	}
	return model.Images{Shape: m.Shape}
}

// imagesAre returns what encoded images become: what was asked for, and else
// what a model says.
func imagesAre(asked, from model.Images) model.Images {
	to := model.Images{Shape: from.Shape, Grey: asked.Grey || from.Grey, Resize: asked.Resize || from.Resize && from.Shape.Height > 0}
	if asked.Grey {
		to.Shape.Channels = 1
	}
	if s := asked.Shape; s.Height > 0 {
		to.Shape.Height, to.Shape.Width = s.Height, s.Width
		to.Shape.Channels = cmp.Or(s.Channels, to.Shape.Channels)
	}
	return to
}

// checkImages reports what cannot be asked of encoded images.
func checkImages(i model.Images) error {
	if s := i.Shape; i.Resize && (s.Height < 1 || s.Width < 1) {
		return &model.ConfigError{Setting: "Resize", Reason: fmt.Sprintf("images of %d by %d pixels are empty", s.Height, s.Width)}
	}
	return nil
}

// useless reports settings about encoded images where rows come from columns
// that hold none.
func useless(i model.Images, b *patch.Binding) error {
	if b.MayHoldImages() || !i.Grey && !i.Resize {
		return nil
	}
	setting := "Resize"
	if i.Grey {
		setting = "Grey"
	}
	return &model.ConfigError{Setting: setting, Reason: fmt.Sprintf("column %q holds no encoded images", b.Columns()[0]), Hint: "leave it out"}
}

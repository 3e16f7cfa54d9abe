package main

import (
	"fmt"
	"math"

	"github.com/urfave/cli/v2"

	"github.com/aefeat/aefeat/model"
	"github.com/aefeat/aefeat/stage"
)

// preprocessFlags say what becomes of a patch before the model sees it.
func preprocessFlags() []cli.Flag {
	return []cli.Flag{
		chooseFlag("preprocess", categoryTraining, model.PreprocessScale,
			"what becomes of pixels first: scale maps integers to [0, 1]; patch also takes each patch's mean off and maps to [0.1, 0.9]; standardize gives each input mean 0 and deviation 1; zca normalises contrast and whitens",
			model.PreprocessNone, model.PreprocessScale, model.PreprocessPatch, model.PreprocessStandardize, model.PreprocessZCA),
		&cli.IntFlag{Name: "preprocess-rows", Category: categoryTraining, Value: stage.DefaultPreprocessRows,
			Usage: "with --epochs 1 or 0, the first `ROWS` that patch, standardize and zca learn from; with more epochs, or lbfgs, these learn from all rows"},
		&cli.Float64Flag{Name: "zca-epsilon", Category: categoryTraining, DefaultText: "0.1", Usage: "what zca adds to the variances that it divides by"},
		&cli.BoolFlag{Name: "no-contrast", Category: categoryTraining, DisableDefaultText: true, Usage: "leave the contrast of patches to zca as it is"},
	}
}

// readPreprocess reads these flags. Its errors are usage errors.
func readPreprocess(c *cli.Context, config *stage.Config) error {
	if c.IsSet("preprocess") {
		config.Preprocess = chosen(c, "preprocess")
	}
	if config.Preprocess == model.PreprocessNone && config.PixelMax != 0 {
		return usagef("fit", "--pixel-max has no meaning with --preprocess none, which divides by nothing")
	}
	config.PreprocessRows = c.Int("preprocess-rows")
	config.ZCAEpsilon, config.NoContrast = c.Float64("zca-epsilon"), c.Bool("no-contrast")
	switch {
	case config.PreprocessRows < 1:
		return usagef("fit", "--preprocess-rows %d is not a positive number", config.PreprocessRows)
	case c.IsSet("zca-epsilon") && !(config.ZCAEpsilon > 0 && config.ZCAEpsilon <= math.MaxFloat32):
		return usagef("fit", "--zca-epsilon %v is not a positive number", config.ZCAEpsilon)
	}
	return nil
}

// unbounded reports whether a method makes values outside of every interval,
// which a sigmoid cannot reconstruct.
func unbounded(method string) bool {
	return method == model.PreprocessStandardize || method == model.PreprocessZCA
}

// rule writes the preprocessing rule in words.
func rule(p model.Preprocess) string {
	words := "values"
	if p.Source != "" {
		words = p.Source + " values"
	}
	if p.Scale == 0 || p.Scale == 1 {
		words += " as they are"
	} else {
		words += fmt.Sprintf(" divided by %g", math.Round(1/p.Scale*1e6)/1e6)
	}
	switch p.Method {
	case model.PreprocessPatch:
		words += fmt.Sprintf(", less the patch's mean, 3 deviations of %.4g mapped to 0.1 to 0.9", p.Learned.Deviation)
	case model.PreprocessStandardize:
		words += ", each input standardized"
	case model.PreprocessZCA:
		if p.Contrast > 0 {
			words += ", contrast normalised"
		}
		words += fmt.Sprintf(", whitened by zca with epsilon %g", p.Epsilon)
	}
	if p.Learned != nil {
		words += fmt.Sprintf(" (learned from %s)", plural(p.Learned.Rows, "row"))
	}
	return words
}

// warnDrift tells when preprocessing was learned from rows that were no fair
// sample of all.
func warnDrift(ui *console, m *model.Model, r *stage.Report) {
	if r.Drift <= stage.MaxDrift {
		return
	}
	ui.warnf("preprocessing was learned from the first %s, and over all rows inputs differ from these by %.2g standard deviations",
		plural(m.Preprocess.Learned.Rows, "row"), r.Drift)
	ui.hintf("learn from more rows (--preprocess-rows), from all with --epochs 2 or more, or shuffle the input")
}

// warnReach tells when pixels use a small part of the range of their type.
func warnReach(ui *console, m *model.Model, r *stage.Report) {
	if r.Reach == 0 || r.Reach >= stage.MinReach {
		return
	}
	p := m.Preprocess
	ui.warnf("%s values are divided by %g, and the largest of the first rows is %g", p.Source, p.Max, math.Round(r.Reach*p.Max))
	ui.hintf("give the largest value that can occur with --pixel-max")
}

package main

import (
	"fmt"
	"math"

	"github.com/aefeat/aefeat/model"
	"github.com/aefeat/aefeat/stage"
)

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

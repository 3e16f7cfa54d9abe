package main

import (
	"fmt"
	"math"

	"github.com/aefeat/aefeat/model"
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

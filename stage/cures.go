package stage

import (
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/aefeat/aefeat/model"
	"github.com/aefeat/aefeat/patch"
)

// located turns an error of m about a value into one that names the column, one
// of those that make up the patch. Where m is being fitted to the value, and
// its settings may still change, fits is what they say of preprocessing; else
// it is nil.
func located(err error, columns []string, m *model.Model, fits *rulePlan) error {
	var e *model.RangeError
	if !errors.As(err, &e) {
		return err
	}
	column, value := columns[0], fmt.Sprintf("value %d is %v", e.Component, e.Value)
	if len(columns) > 1 && e.Component < len(columns) {
		column, value = columns[e.Component], fmt.Sprintf("value %v", e.Value)
	}
	if e.Min != 0 || e.Max != 0 {
		value += fmt.Sprintf(", outside %v to %v", e.Min, e.Max)
	}
	located := &patch.RowError{Column: column, Row: e.Row, Reason: value + ": " + e.Reason, Key: string(patch.OutOfRange)}
	if math.IsNaN(e.Value) || math.IsInf(e.Value, 0) {
		located.Key = string(patch.NotFinite)
		return located
	}
	cures := []string{"fit a model to rows that have them"}
	if fits != nil {
		cures = fits.cures(m, differ(columns))
	}
	if e.Value > 0 && m.Preprocess.Method != model.PreprocessNone {
		name, at := "name the largest with `PixelMax`", 0
		if fits != nil && differ(columns) {
			at = 1 // they have hardly one largest value
		}
		cures = append(cures[:at:at], append([]string{name}, cures[at:]...)...)
	}
	located.Hint = "if such values are meant, " + strings.Join(cures, ", or ")
	return located
}

// cures says what settings may take a value that those of m do not, but for a
// larger PixelMax. None is what was done already, and none leads to an error
// whose cure is what was done before.
func (r *rulePlan) cures(m *model.Model, columnsDiffer bool) []string {
	p := m.Preprocess
	standardize, linear := r.standardize(), "`Output` linear"
	if m.Loss == model.CrossEntropy { // needs a sigmoid
		standardize += " and with `Loss` squared"
		linear += " and `Loss` squared"
	}
	switch {
	case p.Method == model.PreprocessNone && columnsDiffer:
		return []string{standardize, "choose " + linear}
	case p.Method == model.PreprocessNone:
		return []string{"choose " + linear, standardize}
	case p.Method == model.PreprocessScale && p.PixelMax != 0:
		return []string{standardize}
	case p.Method == model.PreprocessScale:
		return []string{standardize, "choose `Preprocess` none with " + linear}
	case p.PixelMax != 0 && !wide(p.Source):
		return []string{"leave `PixelMax` out"}
	case p.Method == model.PreprocessStandardize:
		return []string{"leave `PixelMax` out"}
	}
	return []string{standardize, "cast the column to floating point"}
}

// standardize says how to choose the rule that takes all values, beside what
// was asked for.
func (r *rulePlan) standardize() string {
	var without []string
	if r.pixelMax != 0 { // which would be the limit again
		without = append(without, "`PixelMax`")
	}
	if r.epsilon != 0 {
		without = append(without, "`ZCAEpsilon`")
	}
	if r.noContrast {
		without = append(without, "`NoContrast`")
	}
	if len(without) == 0 {
		return standardizeCure
	}
	return standardizeCure + " without " + strings.Join(without, " and ")
}

// standardizeCure is how package model names the rule that takes all values.
const standardizeCure = "choose `Preprocess` standardize"

// takesAny reports whether a hint names that rule.
func takesAny(hint string) bool { return strings.Contains(hint, standardizeCure) }

// mend makes a hint that was given without a look at the settings go with them.
func (r *rulePlan) mend(hint string) string {
	return strings.Replace(hint, standardizeCure, r.standardize(), 1)
}

// wide reports integers of more than one meaning: bytes in a larger type, or
// not.
func wide(source string) bool {
	switch source {
	case "uint8", "uint16", "bool", "float16", "float32", "float64":
		return false
	}
	return true
}

// differ reports columns whose names differ in more than their numbers, such as
// age and income: their values may have different units.
func differ(columns []string) bool {
	stem := func(name string) string {
		return strings.Map(func(r rune) rune {
			if r >= '0' && r <= '9' {
				return -1
			}
			return r
		}, name)
	}
	for _, c := range columns {
		if stem(c) != stem(columns[0]) {
			return true
		}
	}
	return false
}

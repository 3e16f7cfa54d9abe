package model

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/aefeat/aefeat/internal/f32"
)

// The methods of preprocessing. All but none begin with the scale of the
// element type; those from patch on then learn from rows of the training, once,
// and what they have learned is part of the model.
const (
	// PreprocessNone takes values as they are.
	PreprocessNone = "none"
	// PreprocessScale maps pixels to [0, 1] by the rule of their type.
	PreprocessScale = "scale"
	// PreprocessPatch subtracts from each row its own mean. Then it clips
	// values at three times their standard deviation, one for all inputs, and
	// maps them to [0.1, 0.9]. (Ng, CS294A exercise "Sparse autoencoder", 2011,
	// the function normalizeData.)
	PreprocessPatch = "patch"
	// PreprocessStandardize subtracts from each input its mean and divides by
	// sqrt(variance + epsilon), where the variance has the divisor m. An input
	// that was constant becomes 0.
	PreprocessStandardize = "standardize"
	// PreprocessZCA normalises the contrast of each row, subtracts the mean
	// row, and multiplies by V (D + epsilon)^-1/2 V^T, where V D V^T is the
	// covariance: axes of unit variance, turned back to look like patches.
	//
	// Contrast is (x - mean(x)) / sqrt(var(x) + 10/255^2) for a row x, whose
	// variance, like the covariance, divides by one less than there are
	// values, as MATLAB's var and cov do (A. Coates, H. Lee and A. Ng, "An
	// analysis of single-layer networks in unsupervised feature learning",
	// AISTATS 2011, and its published code, which has 10 for pixels up to
	// 255). Without it this is the whitening of Ng's exercise "Learning color
	// features with sparse autoencoders", UFLDL, 2011, but for its division by
	// m.
	PreprocessZCA = "zca"

	// PreprocessAuto is no method of a model, but a choice between scale and
	// standardize that rows decide: see [ChoosePreprocess].
	PreprocessAuto = "auto"
)

// PreprocessMethods returns the names of all methods, [PreprocessNone] first.
func PreprocessMethods() []string {
	return []string{PreprocessNone, PreprocessScale, PreprocessPatch, PreprocessStandardize, PreprocessZCA}
}

// ChoosePreprocess returns what [PreprocessAuto] stands for with rows like
// those of first, whose type in the input is source: scale for integers in 0 to
// 255, floats in 0 to 1 and truth values, otherwise standardize. pixelMax is
// what to ask [NewPreprocess] for. Values that are not finite do not count.
func ChoosePreprocess(source string, first Rows) (method string, pixelMax float64, err error) {
	max, wide, err := sourceMax(source)
	if err != nil {
		return "", 0, err
	}
	if err := first.check(first.Width); err != nil {
		return "", 0, err
	}
	most, integers := 1., max > 0 || wide
	if integers {
		most = byteMax
	}
	const block = 1 << 12
	var buffer [block]float32
	n := first.Len() * first.Width
	for i := 0; i < n; i += block {
		for _, v := range first.values(buffer[:], i, min(i+block, n)) {
			if (v < 0 || float64(v) > most) && float64(v-v) == 0 {
				return PreprocessStandardize, 0, nil
			}
		}
	}
	if integers && max != byteMax {
		pixelMax = byteMax // bytes in a larger type
	}
	return PreprocessScale, pixelMax, nil
}

// Preprocess is the rule that turns stored values into the x of the cost:
// x = value*Scale + Offset, and what Method makes of a row of these. It is
// settled, and where it learns it is learned, before training, and saved in
// the model.
type Preprocess struct {
	Method string  `json:"method"` // PreprocessNone and so on
	Source string  `json:"source"` // element type in the input, as "uint8"
	Scale  float64 `json:"scale"`  // 0 in a zero value counts as 1
	Offset float64 `json:"offset"`

	// Stored values lie in [Min, Max]; both 0: anywhere.
	Min float64 `json:"min"`
	Max float64 `json:"max"`

	// PixelMax is the maximum that was asked for; 0: none was.
	PixelMax float64 `json:"pixel_max,omitempty"`

	// Epsilon is what standardize and zca add to variances.
	Epsilon float64 `json:"epsilon,omitempty"`

	// Contrast is what zca adds to the variance of a row; 0: contrast is left
	// as it is.
	Contrast float64 `json:"contrast,omitempty"`

	// Learned is what [Statistics] have learned; nil: nothing yet, or there is
	// nothing to learn.
	Learned *Learned `json:"learned,omitempty"`
}

// What NewPreprocess chooses for Epsilon and Contrast. That of standardize only
// guards the division: values are meant to have one deviation each, whatever
// their unit.
const (
	standardizeEpsilon = 1e-30
	zcaEpsilon         = 0.1
	contrastEpsilon    = 10. / 255 / 255
)

// known reports whether the method is one of ours; "" is scale, or of a model
// that takes values as they are.
func (p Preprocess) known() bool {
	return p.Method == "" || slices.Contains(PreprocessMethods(), p.Method)
}

// unbounded reports whether the method makes values that lie in no interval.
func (p Preprocess) unbounded() bool {
	return p.Method == PreprocessStandardize || p.Method == PreprocessZCA
}

func unknownPreprocess(method string) *ConfigError {
	return &ConfigError{"Preprocess", fmt.Sprintf("%q is unknown", method), "choose " + alternatives(PreprocessMethods())}
}

// byteMax is the largest value of a byte: wider integers that never exceed it
// are taken for bytes in a larger type.
const byteMax = 255

// NewPreprocess settles the rule for values whose type in the input is
// source; what a method learns is left to [Statistics].
//
// Method "scale", and every one that learns, divides uint8 by 255 and uint16 by
// 65535. Other integers, decimals without digits behind the point among them,
// are divided by 255 if the values of first all lie in 0..255; if not, the
// error names the maximum seen and asks for pixelMax. Floats stay as they are,
// and so do truth values, 0 and 1, and these integers under "standardize",
// which undoes any unit. A pixelMax that is not 0 is the divisor for every
// type. Stored values outside the rule, below 0 or above the divisor, are found
// by [Model.Check]. Method "none" takes all values as they are, and pixelMax
// must be 0. For any other, a type that has no rule here is an error. With
// source "" the type is not known yet, and the rest is judged.
func NewPreprocess(method, source string, pixelMax float64, first Rows) (Preprocess, error) {
	p := Preprocess{Method: method, Source: source, Scale: 1, PixelMax: pixelMax}
	if !(pixelMax >= 0 && pixelMax <= math.MaxFloat32) || pixelMax > 0 && 1/pixelMax > math.MaxFloat32 {
		return Preprocess{}, &ConfigError{"PixelMax", fmt.Sprintf("%v is not a positive number of float32", pixelMax), ""}
	}
	switch method {
	case PreprocessNone:
		if pixelMax != 0 {
			return Preprocess{}, &ConfigError{"PixelMax", "preprocessing none divides by nothing",
				"leave out `PixelMax`, or use `Preprocess` scale"}
		}
		return p, nil
	case PreprocessScale, PreprocessPatch:
	case PreprocessStandardize:
		p.Epsilon = standardizeEpsilon
	case PreprocessZCA:
		p.Epsilon, p.Contrast = zcaEpsilon, contrastEpsilon
	default:
		return Preprocess{}, unknownPreprocess(method)
	}
	max, wide, err := sourceMax(source)
	if err != nil {
		return Preprocess{}, err
	}
	switch {
	case pixelMax != 0:
		max = pixelMax
	case wide && method == PreprocessStandardize:
		return p, nil // for which the unit does not matter
	case wide:
		lo, hi, err := first.bounds()
		if err != nil {
			return Preprocess{}, err
		}
		if lo < 0 || hi > byteMax {
			return Preprocess{}, &ConfigError{"PixelMax",
				fmt.Sprintf("%s values from %v to %v are not pixels of one byte", source, lo, hi), widerHint(method, lo, hi)}
		}
		max = byteMax
	case max == 0:
		return p, nil
	}
	p.Scale, p.Max = 1/max, max
	return p, nil
}

// widerHint says what to do with integers from lo to hi, which are not bytes.
func widerHint(method string, lo, hi float64) string {
	cures := []string{"choose `Preprocess` standardize"}
	if lo >= 0 {
		cures = append([]string{fmt.Sprintf("give the largest value that can occur with `PixelMax` (the largest seen is %v)", hi)}, cures...)
	} else if method != PreprocessScale {
		cures = append(cures, "cast the column to floating point")
	}
	return strings.Join(cures, ", or ")
}

// Reach returns the largest stored value of rows as a share of the rule's
// divisor; 0 where nothing is divided. A share far below 1 means that pixels
// use only a part of their type, such as 12 of 16 bits, and need a divisor of
// their own.
func (p Preprocess) Reach(rows Rows) float64 {
	if p.Max == 0 {
		return 0
	}
	_, hi, err := rows.bounds()
	if err != nil {
		return 0
	}
	return hi / p.Max
}

// sourceMax returns the divisor for a type in the input, 0 for none; wide is
// set where the values decide.
func sourceMax(source string) (max float64, wide bool, err error) {
	switch source {
	case "uint8":
		return byteMax, false, nil
	case "uint16":
		return math.MaxUint16, false, nil
	case "uint32", "uint64", "int8", "int16", "int32", "int64", "decimal", "":
		return 0, true, nil
	case "bool", "float16", "float32", "float64":
		return 0, false, nil
	}
	return 0, false, fmt.Errorf("preprocessing has no rule for values of type %q", source)
}

// Adapt returns the rule for input whose elements are of the type source, when
// the model was trained under rule p. The type must be the one of training;
// one type of float may stand for another, and under method "none" any type
// for any. Otherwise the values need not mean the same, and Adapt returns an
// error, unless pixelMax repeats what they are to be divided by.
func (p Preprocess) Adapt(source string, pixelMax float64) (Preprocess, error) {
	p.Method = cmp.Or(p.Method, PreprocessNone)
	if pixelMax != 0 {
		if p.Method == PreprocessNone {
			return Preprocess{}, &ConfigError{"PixelMax",
				fmt.Sprintf("the model's preprocessing is %q, which divides by nothing", p.Method),
				"leave out `PixelMax`"}
		}
		scale, err := NewPreprocess(p.Method, source, pixelMax, Rows{})
		scale.Epsilon, scale.Contrast, scale.Learned = p.Epsilon, p.Contrast, p.Learned
		return scale, err
	}
	isFloat := func(source string) bool {
		max, wide, err := sourceMax(source)
		return err == nil && max == 0 && !wide
	}
	if source != p.Source && p.Method != PreprocessNone && !(isFloat(source) && isFloat(p.Source)) {
		hint := "give the value that stands for 1 with `PixelMax`"
		if p.Max != 0 {
			hint = fmt.Sprintf("give the value that stands for %v %s in this input with `PixelMax`", p.Max, p.Source)
		}
		return Preprocess{}, &ConfigError{"PixelMax",
			fmt.Sprintf("the model was trained on %s values, and these are %s", p.Source, source), hint}
	}
	p.Source = source
	return p, nil
}

// valueRange returns the interval that preprocessed values lie in, as far as
// the rule says: [0, 1] where it does not, and infinite where there is none.
func (p Preprocess) valueRange() (lo, hi float64) {
	switch {
	case p.Method == PreprocessPatch:
		return patchMiddle - patchReach, patchMiddle + patchReach
	case p.Learns():
		return math.Inf(-1), math.Inf(1)
	case p.Min == 0 && p.Max == 0:
		return 0, 1
	}
	lo, hi = p.apply(p.Min), p.apply(p.Max)
	return min(lo, hi), max(lo, hi)
}

func (p Preprocess) apply(v float64) float64 {
	scale, offset := p.factors()
	return float64(v*float64(scale)) + float64(offset)
}

// factors returns scale and offset as the kernels take them.
func (p Preprocess) factors() (scale, offset float32) {
	if p.Scale == 0 {
		return 1, float32(p.Offset)
	}
	return float32(p.Scale), float32(p.Offset)
}

// validate reports a rule that no one could have settled.
func (p Preprocess) validate() error {
	if !p.known() {
		return fmt.Errorf("preprocessing %q is unknown", p.Method)
	}
	l := Learned{}
	if p.Learned != nil {
		l = *p.Learned
	}
	for _, v := range []float64{p.Scale, p.Offset, p.Min, p.Max, p.PixelMax, p.Epsilon, p.Contrast, l.Deviation} {
		if !(math.Abs(v) <= math.MaxFloat32) {
			return fmt.Errorf("preprocessing holds the number %v", v)
		}
	}
	switch {
	case p.Min > p.Max:
		return fmt.Errorf("preprocessing takes values from %v to %v", p.Min, p.Max)
	case p.Epsilon < 0 || p.Contrast < 0 || l.Deviation < 0 || l.Rows < 0:
		return fmt.Errorf("preprocessing %s with epsilon %v, contrast %v, deviation %v, %d rows", p.Method, p.Epsilon, p.Contrast, l.Deviation, l.Rows)
	case p.Learns() != (p.Learned != nil):
		return fmt.Errorf("preprocessing %q, and what was learned: %t", p.Method, p.Learned != nil)
	}
	return nil
}

// RangeError is a value that the preprocessing rule or the cost does not
// allow.
type RangeError struct {
	Row       int64   // position in the input
	Component int     // which value of the row, counted from 0
	Value     float64 // as stored
	Min, Max  float64 // what is allowed, as stored; both 0: any finite number
	Reason    string  // why
}

func (e *RangeError) Error() string {
	if e.Min == 0 && e.Max == 0 {
		return fmt.Sprintf("row %d: value %d is %v: %s", e.Row, e.Component, e.Value, e.Reason)
	}
	return fmt.Sprintf("row %d: value %d is %v, outside %v to %v: %s", e.Row, e.Component, e.Value, e.Min, e.Max, e.Reason)
}

// Check returns a [*RangeError] for the first value of r that is not finite,
// lies outside the preprocessing rule, or lies outside [0, 1] after it where
// the output is a sigmoid. Training and encoding trust their rows: what comes
// from outside is checked once, here.
func (m *Model) Check(r Rows) error {
	if err := r.check(m.Inputs); err != nil {
		return err
	}
	lo, hi, reason := m.allowed()
	switch r.Kind {
	case Uint8:
		if lo <= 0 && hi >= math.MaxUint8 {
			return nil
		}
	case Uint16:
		if lo <= 0 && hi >= math.MaxUint16 {
			return nil
		}
	}
	const block = 1 << 12
	var buffer [block]float32
	n := r.Len() * r.Width
	for i := 0; i < n; i += block {
		x := r.values(buffer[:], i, min(i+block, n))
		least, most := f32.Range(x)
		if float64(least) >= lo && float64(most) <= hi && f32.AllFinite(x) {
			continue
		}
		for j, v := range x {
			v := float64(v)
			if v >= lo && v <= hi {
				continue
			}
			e := &RangeError{Row: r.number((i + j) / r.Width), Component: (i + j) % r.Width, Value: v, Reason: reason}
			if math.IsNaN(v) || math.IsInf(v, 0) {
				e.Reason = "not a finite number"
			} else {
				e.Min, e.Max = lo, hi
			}
			return e
		}
	}
	return nil
}

// allowed returns the interval of the values that may be stored in rows.
func (m *Model) allowed() (lo, hi float64, reason string) {
	p := m.Preprocess
	lo, hi, reason = -math.MaxFloat32, math.MaxFloat32, "not a finite number"
	if p.Min != 0 || p.Max != 0 {
		lo, hi = float64(float32(p.Min)), float64(float32(p.Max)) // as stored
		reason = fmt.Sprintf("the preprocessing rule for %s values was settled for that range", p.Source)
	}
	if !m.unitInterval() || p.Learns() {
		return lo, hi, reason
	}
	if a, b := p.valueRange(); (p.Min != 0 || p.Max != 0) && a >= 0 && b <= 1+0x1p-23 {
		return lo, hi, reason // the rule leads to [0, 1], but for rounding
	}
	scale, offset := p.factors()
	a, b := (0-float64(offset))/float64(scale), (1-float64(offset))/float64(scale)
	return max(lo, min(a, b)), min(hi, max(a, b)), "a sigmoid output needs values in [0, 1]"
}

// bounds returns the least and the largest stored value, 0 and 0 of no rows.
func (r Rows) bounds() (lo, hi float64, err error) {
	if err := r.check(r.Width); err != nil && len(r.Data) > 0 {
		return 0, 0, err
	}
	const block = 1 << 12
	var buffer [block]float32
	n := r.Len() * r.Width
	for i := 0; i < n; i += block {
		least, most := f32.Range(r.values(buffer[:], i, min(i+block, n)))
		if i == 0 || float64(least) < lo {
			lo = float64(least)
		}
		if i == 0 || float64(most) > hi {
			hi = float64(most)
		}
	}
	return lo, hi, nil
}

// values returns the stored elements i up to j as float32, in buffer unless
// they are stored so.
func (r Rows) values(buffer []float32, i, j int) []float32 {
	if r.Kind == Float32 {
		return elements[float32](r.Data)[i:j]
	}
	buffer = buffer[:j-i]
	Rows{Kind: r.Kind, Width: 1, Data: r.Data}.convert(buffer, nil, i, 1, 0)
	return buffer
}

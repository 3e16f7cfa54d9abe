package model

import (
	"errors"
	"math"
	"strings"
	"testing"
)

func TestReach(t *testing.T) {
	rows := Float32Rows([]float32{0, 51, 17, 3}, 2)
	for _, c := range []struct {
		method, source string
		pixelMax       float64
		rows           Rows
		want           float64
	}{
		{"scale", "uint8", 0, rows, 0.2},
		{"patch", "uint8", 0, rows, 0.2},
		{"scale", "uint16", 0, rows, 51. / 65535},
		{"scale", "uint16", 51, rows, 1},
		{"scale", "float32", 0, rows, 0},
		{"none", "uint8", 0, rows, 0},
		{"scale", "uint8", 0, Rows{}, 0},
	} {
		p, err := NewPreprocess(c.method, c.source, c.pixelMax, c.rows)
		if err != nil {
			t.Fatal(err)
		}
		if got := p.Reach(c.rows); got != c.want {
			t.Errorf("%+v: reach %v", c, got)
		}
	}
}

func TestNewPreprocess(t *testing.T) {
	small := Float32Rows([]float32{0, 255, 17, 3}, 2)
	for _, c := range []struct {
		method, source string
		pixelMax       float64
		first          Rows
		scale, max     float64
	}{
		{"scale", "uint8", 0, Rows{}, 1.0 / 255, 255},
		{"scale", "uint16", 0, Rows{}, 1.0 / 65535, 65535},
		{"scale", "int32", 0, small, 1.0 / 255, 255},
		{"scale", "int8", 0, small, 1.0 / 255, 255},
		{"scale", "uint64", 0, Rows{}, 1.0 / 255, 255},
		{"scale", "float16", 0, small, 1, 0},
		{"scale", "float32", 0, small, 1, 0},
		{"scale", "float64", 0, small, 1, 0},
		{"scale", "int16", 1023, Float32Rows([]float32{1000, -1}, 2), 1.0 / 1023, 1023},
		{"scale", "uint8", 1, Rows{}, 1, 1},
		{"scale", "float32", 100, small, 0.01, 100},
		{"standardize", "int16", 0, Float32Rows([]float32{-5, 4095}, 2), 1, 0},
		{"standardize", "uint8", 0, Rows{}, 1.0 / 255, 255},
		{"none", "uint8", 0, Rows{}, 1, 0},
		{"none", "int64", 0, Float32Rows([]float32{-1e9, 1e9}, 2), 1, 0},
	} {
		p, err := NewPreprocess(c.method, c.source, c.pixelMax, c.first)
		if err != nil {
			t.Errorf("%s %s: %v", c.method, c.source, err)
			continue
		}
		want := Preprocess{Method: c.method, Source: c.source, Scale: c.scale, Max: c.max, PixelMax: c.pixelMax, Epsilon: p.Epsilon}
		if p != want {
			t.Errorf("%+v, want %+v", p, want)
		}
		if err := p.validate(); err != nil && !p.Learns() {
			t.Error(err)
		}
	}

	for _, c := range []struct {
		method, source string
		pixelMax       float64
		first          Rows
		hint           string
	}{
		{"scale", "int32", 0, Float32Rows([]float32{0, 4095}, 2), "4095"},
		{"scale", "int32", 0, Float32Rows([]float32{0, 4095}, 2), "`PixelMax` (the largest seen is 4095), or choose `Preprocess` standardize"},
		// A largest value does not help below 0.
		{"scale", "int8", 0, Float32Rows([]float32{-3, 100}, 2), "choose `Preprocess` standardize"},
		{"zca", "int8", 0, Float32Rows([]float32{-3, 100}, 2), "choose `Preprocess` standardize, or cast the column to floating point"},
		{"scale", "uint8", -1, Rows{}, ""},
		{"scale", "uint8", math.NaN(), Rows{}, ""},
		{"scale", "uint8", math.Inf(1), Rows{}, ""},
		{"scale", "float64", 1e39, Rows{}, ""},
		{"scale", "float64", 1e-39, Rows{}, ""},
		{"none", "uint8", 255, Rows{}, "`PixelMax`"},
		{"whiten", "uint8", 0, Rows{}, "zca"},
	} {
		var config *ConfigError
		if _, err := NewPreprocess(c.method, c.source, c.pixelMax, c.first); !errors.As(err, &config) || !strings.Contains(config.Hint, c.hint) {
			t.Errorf("%s %s %v: error %#v, want one with the hint %q", c.method, c.source, c.pixelMax, err, c.hint)
		}
	}
	if _, err := NewPreprocess(PreprocessScale, "int32", 0, Rows{Kind: Float32, Data: make([]byte, 8)}); err == nil {
		t.Error("rows of no width are taken")
	}
	for _, pixelMax := range []float64{0, 100} {
		if _, err := NewPreprocess(PreprocessScale, "decimal128", pixelMax, small); err == nil || !strings.Contains(err.Error(), `"decimal128"`) {
			t.Errorf("values of an unknown type: error %v", err)
		}
	}
	if p, err := NewPreprocess(PreprocessNone, "decimal128", 0, small); err != nil || p.Scale != 1 {
		t.Errorf("values of an unknown type as they are: %+v, error %v", p, err)
	}
}

func TestAdapt(t *testing.T) {
	settle := func(method, source string) Preprocess {
		p, err := NewPreprocess(method, source, 0, Rows{})
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	for _, c := range []struct {
		trained, source string
		pixelMax        float64
		scale           float64 // 0: refused
	}{
		{"uint8", "uint8", 0, 1.0 / 255},
		{"uint8", "uint16", 0, 0},
		{"uint8", "uint16", 1023, 1.0 / 1023},
		{"uint8", "float32", 0, 0},
		{"uint8", "float32", 1, 1},
		{"uint8", "int32", 0, 0},
		{"float32", "float64", 0, 1},
		{"float64", "float16", 0, 1},
		{"float32", "uint8", 0, 0},
		{"float32", "uint8", 255, 1.0 / 255},
		{"int32", "int64", 0, 0},
	} {
		p, err := settle(PreprocessScale, c.trained).Adapt(c.source, c.pixelMax)
		if (err == nil) != (c.scale != 0) || p.Scale != c.scale {
			t.Errorf("%s for %s, %v: scale %v, error %v", c.source, c.trained, c.pixelMax, p.Scale, err)
		}
	}
	if _, err := settle(PreprocessNone, "uint8").Adapt("float32", 0); err != nil {
		t.Errorf("none: %v", err)
	}
	if _, err := settle(PreprocessNone, "uint8").Adapt("uint8", 255); err == nil {
		t.Error("none takes a pixel maximum")
	}
}

// No integer pixel leaves [0, 1], and its maximum is exactly 1.
func TestScaleReachesOne(t *testing.T) {
	for max, scale := range map[float32]float32{255: 1.0 / 255, 65535: 1.0 / 65535} {
		if max*scale != 1 {
			t.Errorf("%v scales to %v", max, max*scale)
		}
	}
}

func TestCheck(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	linear, sigmoid := Config{Output: Linear}, Config{}
	pixels := func(max float64) Preprocess {
		return Preprocess{Method: PreprocessScale, Source: "int32", Scale: 1 / max, Max: max}
	}
	long := make([]float32, 3*5000)
	long[3*4321+2] = 1.5
	number := make([]int64, 5000)
	for i := range number {
		number[i] = int64(1000 + i)
	}
	numbered := Float32Rows(long, 3)
	numbered.Number = number
	for name, c := range map[string]struct {
		c         Config
		p         Preprocess
		r         Rows
		row       int64 // -1: nothing wrong
		component int
	}{
		"inside":                {sigmoid, Preprocess{}, Float32Rows([]float32{0, 0.5, 1}, 3), -1, 0},
		"above one":             {sigmoid, Preprocess{}, Float32Rows([]float32{0, 0, 0, 0, 1.001, 0}, 3), 1, 1},
		"below zero":            {sigmoid, Preprocess{}, Float32Rows([]float32{0, 0, -1e-9}, 3), 0, 2},
		"anything goes":         {linear, Preprocess{}, Float32Rows([]float32{-1e9, 7, 1e9}, 3), -1, 0},
		"largest is no float32": {linear, pixels(0.1), Float32Rows([]float32{0, 0.1, 0}, 3), -1, 0},
		"rounded up":            {linear, pixels(math.MaxUint32), Float32Rows([]float32{0, math.MaxUint32, 0}, 3), -1, 0},
		"beyond 0.1":            {linear, pixels(0.1), Float32Rows([]float32{0, 0.1000001, 0}, 3), 0, 1},
		"NaN":                   {linear, Preprocess{}, Float32Rows([]float32{0, nan, 0}, 3), 0, 1},
		"infinity":              {linear, Preprocess{}, Float32Rows([]float32{0, 0, -inf}, 3), 0, 2},
		"NaN, sigmoid":          {sigmoid, Preprocess{}, Float32Rows([]float32{0, nan, 2}, 3), 0, 1},
		"pixels":                {sigmoid, pixels(255), Float32Rows([]float32{0, 255, 9}, 3), -1, 0},
		"pixels of a maximum":   {sigmoid, pixels(11), Float32Rows([]float32{0, 11, 9}, 3), -1, 0},
		"pixel above":           {linear, pixels(255), Float32Rows([]float32{0, 256, 9}, 3), 0, 1},
		"pixel below":           {linear, pixels(255), Float32Rows([]float32{0, 25, -1}, 3), 0, 2},
		"bytes":                 {sigmoid, pixels(255), Uint8Rows([]uint8{0, 255, 7}, 3), -1, 0},
		"bytes of a maximum":    {sigmoid, pixels(15), Uint8Rows([]uint8{0, 15, 16}, 3), 0, 2},
		"bytes taken as floats": {sigmoid, Preprocess{Method: PreprocessNone, Scale: 1}, Uint8Rows([]uint8{0, 1, 2}, 3), 0, 2},
		"far in":                {sigmoid, Preprocess{}, numbered, 5321, 2},
		"no rows":               {sigmoid, Preprocess{}, Float32Rows(nil, 3), -1, 0},
	} {
		m := newModel(t, c.c, 3, 2)
		m.Preprocess = c.p
		err := m.Check(c.r)
		if c.row < 0 {
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		var outside *RangeError
		if !errors.As(err, &outside) || outside.Row != c.row || outside.Component != c.component {
			t.Errorf("%s: error %v, want one at row %d, component %d", name, err, c.row, c.component)
		}
	}
}

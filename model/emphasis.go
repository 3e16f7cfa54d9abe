package model

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"

	"github.com/aefeat/aefeat/internal/f32"
)

// Emphasis is alpha in the loss of a row that noise has corrupted,
//
//	L = alpha (sum over corrupted components) + (sum over the others)
//
// of P. Vincent, H. Larochelle, I. Lajoie, Y. Bengio and P.-A. Manzagol,
// "Stacked denoising autoencoders", JMLR 11, 2010, section 4.3, with their beta
// at 1. 0 stands for 1, the plain loss. Below 1 the others count for more. An
// infinite alpha is their full emphasis, beta at 0: corrupted components count
// once, and the others not at all.
//
// A component is corrupted when the noise has chosen it, even if that left its
// value as it was: a masked 0, or a 1 that becomes salt. Gaussian noise chooses
// none. Alpha is not divided out again: as it grows, the other terms of the
// cost weigh less beside the loss.
//
// What training reports, and what held-out rows cost, has the emphasis in it,
// and does not compare with costs of another alpha. Rows that are fed clean, as
// [Evaluator] does, have no corrupted components; theirs is the plain loss.
type Emphasis float64

// IsZero reports whether e leaves the loss as it is: it is 0 or 1. The JSON of
// a [Config] has no emphasis then.
func (e Emphasis) IsZero() bool { return e == 0 || e == 1 }

// full reports whether corrupted components count alone.
func (e Emphasis) full() bool { return math.IsInf(float64(e), 1) }

// weights returns what corrupted components and the others are multiplied by.
func (e Emphasis) weights() (corrupted, others float64) {
	switch {
	case e.IsZero():
		return 1, 1
	case e.full():
		return 1, 0
	}
	return float64(e), 1
}

// String returns alpha, and "inf" for full emphasis.
func (e Emphasis) String() string {
	if e.full() {
		return "inf"
	}
	return strconv.FormatFloat(float64(e), 'g', -1, 64)
}

// MarshalJSON returns alpha as a number. Full emphasis is the string "inf",
// since JSON has no such number.
func (e Emphasis) MarshalJSON() ([]byte, error) {
	if e.full() {
		return []byte(`"inf"`), nil
	}
	return json.Marshal(float64(e))
}

// UnmarshalJSON takes what MarshalJSON returns.
func (e *Emphasis) UnmarshalJSON(data []byte) error {
	if string(data) == `"inf"` {
		*e = Emphasis(math.Inf(1))
		return nil
	}
	return json.Unmarshal(data, (*float64)(e))
}

// emphasises reports whether components of a row weigh differently.
func (c Config) emphasises() bool { return c.Corruption > 0 && !c.Emphasis.IsZero() }

// checkEmphasis reports what in c does not go with its emphasis.
func (c Config) checkEmphasis() error {
	switch {
	case !c.emphasises():
	case !c.Noise.chooses():
		return &ConfigError{"Emphasis",
			fmt.Sprintf("%s noise corrupts every component, so that none stands out", c.Noise),
			"choose `Noise` masking or salt-pepper, or leave `Emphasis` out"}
	case c.Emphasis.full() && c.Inputs > 0 && c.corruptedComponents() == 0:
		return &ConfigError{"Emphasis",
			fmt.Sprintf("only corrupted components count, and a corruption of %v leaves all %d as they are", c.Corruption, c.Inputs),
			"raise `Corruption`"}
	}
	return nil
}

func (c Config) emphasisWords() Term {
	if !c.emphasises() {
		return Term{}
	}
	return Term{"emphasis", fmt.Sprintf("%s on what is corrupted", c.Emphasis)}
}

// meanEmphasis is what a component of a row weighs on average.
func (c Config) meanEmphasis() float64 {
	if !c.emphasises() {
		return 1
	}
	corrupted, others := c.Emphasis.weights()
	share := float64(c.corruptedComponents()) / float64(c.Inputs)
	return float64(share*corrupted) + float64((1-share)*others)
}

// emphasisFloats is the size of an emphasis of rows that c asks for, in float32
// numbers.
func (c Config) emphasisFloats(rows float64) float64 {
	if !c.emphasises() {
		return 0
	}
	return (3*rows + 1) * float64(c.corruptedComponents())
}

// emphasis weighs the loss of the rows of a pass. The kernels know no weights,
// so that it copies the corrupted components and measures them by themselves.
type emphasis struct {
	corrupted, others float64
	chosen            []int32   // corrupted components of each row (rows,count)
	u, x              []float32 // output and clean values there (rows,count)
	zero              []float32 // their bias, which u has already (count)
}

// newEmphasis returns the emphasis of up to rows rows that c asks for, and has
// noise note what it corrupts; nil for none.
func newEmphasis(c Config, noise *corrupter, rows int) *emphasis {
	if !c.emphasises() {
		return nil
	}
	count := c.corruptedComponents()
	e := &emphasis{
		chosen: make([]int32, rows*count),
		u:      make([]float32, rows*count),
		x:      make([]float32, rows*count),
		zero:   make([]float32, count),
	}
	e.corrupted, e.others = c.Emphasis.weights()
	noise.chosen = e.chosen
	return e
}

// floats is what emphasisFloats has foreseen.
func (e *emphasis) floats() int { return len(e.chosen) + len(e.u) + len(e.x) + len(e.zero) }

// loss is [pass.loss] with the weights.
func (e *emphasis) loss(p *pass) float64 {
	rows, n, count := p.rows(), p.m.Inputs, len(e.zero)
	out, clean, bias := p.out[:rows*n], p.clean[:rows*n], p.m.Params.DecoderBias
	u, x := e.u[:rows*count], e.x[:rows*count]
	for row := range rows {
		out, clean := out[row*n:(row+1)*n], clean[row*n:(row+1)*n]
		for k, j := range e.chosen[row*count : (row+1)*count] {
			u[row*count+k], x[row*count+k] = out[j]+bias[j], clean[j]
		}
	}
	loss := p.measure(u, e.zero, x)
	f32.Scale(float32(e.corrupted), u)
	if e.others == 0 {
		clear(out)
	} else {
		loss = float64((e.corrupted-1)*loss) + p.measure(out, bias, clean)
	}
	for row := range rows {
		out := out[row*n : (row+1)*n]
		for k, j := range e.chosen[row*count : (row+1)*count] {
			out[j] = u[row*count+k]
		}
	}
	return loss
}

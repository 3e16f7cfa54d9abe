// Package pool makes features of whole images out of an autoencoder of
// patches.
//
// New takes a model and how to pool, and [Pooler.Features] an image: it encodes
// the patch at every place of the image, preprocessing included, and adds the
// codes up over each cell of a grid. What comes out is one row of numbers an
// image, as many whatever its size. (A. Coates, H. Lee and A. Ng, "An analysis
// of single-layer networks in unsupervised feature learning", AISTATS 2011,
// section 3.2.)
//
// # Places and cells
//
// Patches of the model's shape lie at every Stride-th pixel, from the top left
// corner on: (H-h)/Stride + 1 places from top to bottom of an image H pixels
// high, h being the height of a patch, and likewise from left to right. What is
// left over at the right and at the bottom is not used.
//
// The grid parts the places, not the pixels. Of p places along a side, cell i
// of g begins at place i p/g, rounded to the nearest and halves upwards: 27
// places make two cells of 14 and 13, as in the published code. Each place
// belongs to one cell. An image that has fewer places than cells is an error.
//
// # Layout
//
// The features of an image are those of its cells, row by row of the grid. The
// features of a cell are one number for each hidden unit, in their order; with
// SplitSign they are those of max(0, a) first and then those of max(0, -a).
//
// # Guarantees
//
// Features are those of encoding each patch and pooling the codes, within a
// share of 1e-5 of the largest. They depend on the model, the settings and the
// image alone: equal bytes on any number of cores, on one kind of processor.
// The codes of an image are never held at once: beside the image, memory is
// that of some hundred patches and their codes.
package pool

import (
	"cmp"
	"errors"
	"fmt"
	"math"

	"github.com/aefeat/aefeat/internal/f32"
	"github.com/aefeat/aefeat/model"
)

// Method is how the codes of a cell become one number for each unit.
type Method string

// The methods.
const (
	Mean Method = "mean" // does not depend on the size of the image
	Sum  Method = "sum"
	Max  Method = "max"
)

// Methods returns all methods, the default first.
func Methods() []Method { return []Method{Mean, Sum, Max} }

// Config says how codes are pooled. The zero value works.
type Config struct {
	Method    Method // "": Mean
	Stride    int    // pixels from one patch to the next; 0: 1
	Grid      Grid   // zero: 2x2
	SplitSign bool   // pool max(0, a) and max(0, -a) apart, for codes that have a sign

	// Root takes the square root of each feature, and leaves it its sign. A
	// linear classifier then hears less of how strongly a unit was active in a
	// cell and more of whether it was (F. Perronnin, J. Sanchez and T. Mensink,
	// "Improving the Fisher kernel for large-scale image classification", ECCV
	// 2010, power normalisation).
	Root bool
}

// filled returns c with its defaults, or an error that says what is wrong.
func (c Config) filled(m *model.Model) (Config, error) {
	c.Method = cmp.Or(c.Method, Mean)
	c.Stride, c.Grid = cmp.Or(c.Stride, 1), cmp.Or(c.Grid, Grid{2, 2})
	switch {
	case c.Method != Mean && c.Method != Sum && c.Method != Max:
		return c, &model.ConfigError{Setting: "Method", Reason: fmt.Sprintf("%q is unknown", c.Method), Hint: "choose mean, sum or max"}
	case c.Stride < 1:
		return c, &model.ConfigError{Setting: "Stride", Reason: fmt.Sprintf("%d pixels are no distance", c.Stride), Hint: "give 1 or more"}
	case !c.Grid.valid():
		return c, &model.ConfigError{Setting: "Grid", Reason: fmt.Sprintf("%v is not a grid of 1 to %d cells a side", c.Grid, maxCells), Hint: "choose another, such as 2x2"}
	case c.SplitSign && m.Activation != model.Linear && m.Activation != model.Tanh:
		return c, &model.ConfigError{Setting: "SplitSign", Reason: fmt.Sprintf("codes of %s units are never negative", m.Activation), Hint: "leave `SplitSign` out"}
	}
	return c, nil
}

// A Pooler makes features of images. It is not safe for concurrent use: Clone
// makes one for another goroutine.
type Pooler struct {
	model   *model.Model
	shape   model.Shape
	config  Config
	encoder *model.FoldedEncoder

	patches []byte    // of a block, as they are stored; aligned for every kind
	codes   []float32 // of a block (rows,h)
	part    []float32 // one sign of them; nil unless signs are split
	zeros   []float32 // (h)
	sums    []float64 // of all cells (cells, h or 2h)
}

// blockPatches is how many patches are encoded at a time: enough to share the
// cost of preparing the weights for a product, few enough for 400 codes of each
// to stay in a second-level cache.
const blockPatches = 256

// maxWidth bounds the features of an image: 64 MiB of them.
const maxWidth = 1 << 24

// New returns a pooler of m, whose patches are of the given shape. The model
// must not change while it is in use. Errors about settings are a
// [*model.ConfigError].
func New(m *model.Model, shape model.Shape, c Config) (*Pooler, error) {
	if err := shape.Validate(); err != nil {
		return nil, err
	}
	if shape.Len() != m.Inputs {
		return nil, fmt.Errorf("pool: the model takes %d values, and patches of %v have %d", m.Inputs, shape, shape.Len())
	}
	c, err := c.filled(m)
	if err != nil {
		return nil, err
	}
	p := &Pooler{model: m, shape: shape, config: c}
	if float64(p.cellWidth())*float64(c.Grid.cells()) > maxWidth {
		return nil, &model.ConfigError{Setting: "Grid", Reason: fmt.Sprintf("%v cells of %d features are more than %d for an image", c.Grid, p.cellWidth(), maxWidth), Hint: "choose fewer cells"}
	}
	return p.Clone(), nil
}

// Clone returns a pooler like p that another goroutine may use.
func (p *Pooler) Clone() *Pooler {
	h := p.model.Hidden
	q := &Pooler{
		model: p.model, shape: p.shape, config: p.config,
		encoder: model.NewFoldedEncoder(p.model),
		patches: make([]byte, 0, blockPatches*p.model.Inputs*model.Float32.Size()),
		codes:   make([]float32, blockPatches*h),
		sums:    make([]float64, p.Width()),
	}
	if p.config.SplitSign {
		q.part, q.zeros = make([]float32, blockPatches*h), make([]float32, h)
	}
	return q
}

// cellWidth is the number of features of a cell.
func (p *Pooler) cellWidth() int {
	if p.config.SplitSign {
		return 2 * p.model.Hidden
	}
	return p.model.Hidden
}

// Width returns the number of features of an image: cells times units, twice
// that with SplitSign.
func (p *Pooler) Width() int { return p.config.Grid.cells() * p.cellWidth() }

// Features sets dst (Width) to the features of an image. Its lines are the rows
// of image, from top to bottom; a line holds pixels from left to right and for
// each the channels of the patch side by side, stored as the patches were that
// the model learned from (or as [model.Preprocess.Adapt] allows). A value
// outside the rule of preprocessing is an error. Features panics when dst has
// another length.
func (p *Pooler) Features(dst []float32, image model.Rows) error {
	if len(dst) != p.Width() {
		panic("pool: Features into a slice of another length than the features")
	}
	l, err := p.layOut(image)
	if err != nil {
		return err
	}
	start := 0.
	if p.config.Method == Max {
		start = math.Inf(-1)
	}
	for i := range p.sums {
		p.sums[i] = start
	}
	for at := (place{}); at.cell < p.config.Grid.cells(); {
		if at, err = p.block(l, at, image); err != nil {
			return err
		}
	}
	for cell := range p.config.Grid.cells() {
		divisor := 1.
		if p.config.Method == Mean {
			divisor = float64(l.size(cell))
		}
		for i := cell * p.cellWidth(); i < (cell+1)*p.cellWidth(); i++ {
			v := p.sums[i] / divisor
			if p.config.Root {
				v = math.Copysign(math.Sqrt(math.Abs(v)), v)
			}
			dst[i] = float32(v)
		}
	}
	if !f32.AllFinite(dst) {
		return errors.New("pool: the sum of the codes is too large")
	}
	return nil
}

// block encodes the patches from a place on, as many as fit, and adds their
// codes to the cells. It returns the next place.
func (p *Pooler) block(l *layout, first place, image model.Rows) (next place, err error) {
	count := 0
	p.patches = p.patches[:0]
	for next = first; count < blockPatches && next.cell < p.config.Grid.cells(); next = l.after(next) {
		p.patches = l.cut(p.patches, image, next)
		count++
	}
	rows := model.Rows{Kind: image.Kind, Width: p.model.Inputs, Data: p.patches}
	codes := p.codes[:count*p.model.Hidden]
	if err = p.model.Check(rows); err == nil {
		err = p.encoder.Encode(codes, rows)
	}
	if err != nil {
		return next, l.located(err, first)
	}
	for at := first; len(codes) > 0; { // the patches of one cell at a time
		taken := min(len(codes)/p.model.Hidden, l.size(at.cell)-at.index)
		p.add(at.cell, codes[:taken*p.model.Hidden])
		codes = codes[taken*p.model.Hidden:]
		at = place{cell: at.cell + 1}
	}
	return next, nil
}

// add takes codes (rows,h) into the sums of a cell.
func (p *Pooler) add(cell int, codes []float32) {
	h := p.model.Hidden
	sums := p.sums[cell*p.cellWidth():][:p.cellWidth()]
	if !p.config.SplitSign {
		p.fold(sums, codes)
		return
	}
	part := p.part[:len(codes)]
	for sign := range 2 {
		f32.FromFloat32(part, codes, h, nil, float32(1-2*sign), 0)
		f32.Activate(f32.ReLU, part, p.zeros)
		p.fold(sums[sign*h:(sign+1)*h], part)
	}
}

// fold takes the columns of codes (rows,h) into sums (h), in the order of rows.
func (p *Pooler) fold(sums []float64, codes []float32) {
	if p.config.Method != Max {
		f32.ColumnSums(sums, codes)
		return
	}
	h := len(sums)
	for ; len(codes) > 0; codes = codes[h:] {
		for i, v := range codes[:h] {
			if v := float64(v); v > sums[i] {
				sums[i] = v
			}
		}
	}
}

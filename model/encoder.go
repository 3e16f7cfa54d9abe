package model

import (
	"math"

	"github.com/aefeat/aefeat/internal/f32"
)

// Encoders and evaluators work on this many rows at a time: enough to share the
// cost of preparing the weights for a product, but few enough of wide rows for
// about 4 MiB of inputs.
const (
	mostBlockRows = 1024
	blockElements = 1 << 20
)

func blockRows(inputs int) int {
	return max(1, min(mostBlockRows, blockElements/inputs))
}

// panelElements bounds z of a block of k-sparse codes, unless it has fewer than
// leastPanel rows. It stays in a cache.
const (
	panelElements = 1 << 20
	leastPanel    = 128
)

// Encoder computes codes, reconstructions and their errors. It is cheap to make
// and not safe for concurrent use: make one for each goroutine.
type Encoder struct {
	pass   *pass
	z      []float32 // (rows,h), where codes are found as lists
	errors []float64 // |y - x|^2 of a block's rows
}

// NewEncoder returns an encoder of m, whose parameters must not change once it
// has encoded rows.
func NewEncoder(m *Model) *Encoder {
	rows := blockRows(m.Inputs)
	if m.K > 0 {
		rows = min(rows, max(leastPanel, panelElements/m.Hidden))
	}
	return &Encoder{pass: &pass{
		m:      m,
		keep:   m.Kept(),
		number: make([]int64, 0, rows),
		clean:  make([]float32, rows*m.Inputs),
		raw:    m.Preprocess.scratch(rows, m.Inputs),
	}}
}

// Encode sets dst (m,h) to the codes f(W1 x + b1) of the rows of r, without
// corruption; those that a k-sparse model does not keep are 0. A code depends
// on its own row alone, bit for bit, whatever its neighbours are. Values are
// trusted; see [Model.Check]. A code that overflows float32 is a [*RangeError]
// about its row. Encode panics when dst does not have room for exactly m codes.
func (e *Encoder) Encode(dst []float32, r Rows) error {
	if err := r.check(e.pass.m.Inputs); err != nil {
		return err
	}
	if len(dst) != r.Len()*e.pass.m.Hidden {
		panic("model: Encode into a slice of another length than the codes")
	}
	return e.Reconstruct(dst, nil, nil, r)
}

// Reconstruct sets code (m,h) to what Encode gives and, in the same pass, y
// (m,n) to the reconstructions g(W2 a + b2), in the space of preprocessed rows,
// and score (m) to their errors sum_j (y_j - x_j)^2, whatever the model's loss.
// They depend on their own row alone, as a code does, and a reconstruction or
// score that overflows is the same error as such a code. Each of code, y and
// score may be nil where it is not wanted. Reconstruct panics when one has
// another length.
func (e *Encoder) Reconstruct(code, y, score []float32, r Rows) error {
	h := e.pass.m.Hidden
	if err := r.check(e.pass.m.Inputs); err != nil {
		return err
	}
	if code != nil && len(code) != r.Len()*h {
		panic("model: Reconstruct into a slice of another length than the codes")
	}
	return e.blocks(code, nil, y, score, r)
}

// SparseCodes are codes of rows as lists of what is not 0: those of row i end
// at End[i] of both other slices, where those of the next begin.
type SparseCodes struct {
	Index []uint32 // of units, rising within a row
	Value []float32
	End   []int
}

// Reset removes all rows and keeps the memory.
func (c *SparseCodes) Reset() { c.Index, c.Value, c.End = c.Index[:0], c.Value[:0], c.End[:0] }

// add appends the rows of s.
func (c *SparseCodes) add(s *f32.Sparse) {
	at := len(c.Index)
	for _, i := range s.Column {
		c.Index = append(c.Index, uint32(i))
	}
	c.Value = append(c.Value, s.Value...)
	for _, end := range s.Start[1:] {
		c.End = append(c.End, at+end)
	}
}

// ReconstructSparse is Reconstruct with the codes as lists, which it appends to
// dst; after an error dst is as it was. It panics when the model keeps all
// codes (K is 0), or when y or score has another length.
func (e *Encoder) ReconstructSparse(dst *SparseCodes, y, score []float32, r Rows) error {
	if err := r.check(e.pass.m.Inputs); err != nil {
		return err
	}
	if e.pass.keep == 0 {
		panic("model: ReconstructSparse with a model that keeps all codes")
	}
	before := *dst
	err := e.blocks(nil, dst, y, score, r)
	if err != nil {
		*dst = before
	}
	return err
}

// blocks is Reconstruct, and with lists ReconstructSparse.
func (e *Encoder) blocks(code []float32, lists *SparseCodes, y, score []float32, r Rows) error {
	p := e.pass
	h, m := p.m.Hidden, r.Len()
	if y != nil && len(y) != m*p.m.Inputs || score != nil && len(score) != m {
		panic("model: reconstructions or scores of another length than the rows ask for")
	}
	wanted := y != nil || score != nil
	e.makeRoom(code == nil && (p.keep == 0 || wanted), wanted && y == nil, score != nil)
	for i := 0; i < m; i += p.rows() {
		p.reset()
		p.take(r, nil, i)
		a := p.code
		if code != nil {
			a = code[i*h:]
		}
		if a != nil {
			a = a[:p.rows()*h]
		}
		if err := e.encode(a, r, i); err != nil {
			return err
		}
		if err := e.outputs(y, score, r, i, a); err != nil {
			return err
		}
		if lists != nil {
			lists.add(p.kept.code)
		}
	}
	return nil
}

// encode computes the codes of the rows of the pass, of r from the i-th on: of
// k-sparse models as lists, and as a (rows,h) unless it is nil.
func (e *Encoder) encode(a []float32, r Rows, i int) error {
	p := e.pass
	h, x := p.m.Hidden, p.clean[:p.rows()*p.m.Inputs]
	if p.keep == 0 {
		encode(p.m, 0, a, x)
		if !f32.AllFinite(a) {
			return overflow(r, i, a, h)
		}
		return nil
	}
	code := p.kept.code
	p.kept.largest.Largest(code, e.z[:p.rows()*h], x, p.keep)
	if !f32.AllFinite(code.Value) {
		row := 0
		for f32.AllFinite(code.Value[code.Start[row]:code.Start[row+1]]) {
			row++
		}
		return tooLarge(r, i+row)
	}
	if a != nil {
		code.Fill(a)
	}
	return nil
}

// outputs sets those of y and score that are wanted for the rows of the pass,
// of r from the i-th on, whose codes are a (rows,h) or lists.
func (e *Encoder) outputs(y, score []float32, r Rows, i int, a []float32) error {
	if y == nil && score == nil {
		return nil
	}
	p := e.pass
	n, rows := p.m.Inputs, p.rows()
	x, u := p.clean[:rows*n], p.out
	if y != nil {
		u = y[i*n:]
	}
	u = u[:rows*n]
	if p.lists() {
		p.kept.code.Product(u, n, 1, p.kept.decoderOf(p.m.Params))
	} else {
		decode(p.m, u, a)
	}
	f32.Activate(p.m.Output.kernel(), u, p.m.Params.DecoderBias)
	if !f32.AllFinite(u) {
		return overflow(r, i, u, n)
	}
	if score == nil {
		return nil
	}
	f32.Axpy(-1, u, x)
	f32.RowSumSquares(e.errors[:rows], x, n)
	for j, v := range e.errors[:rows] {
		score[i+j] = float32(v)
	}
	if !f32.AllFinite(score[i : i+rows]) {
		return overflow(r, i, score[i:i+rows], 1)
	}
	return nil
}

// overflow returns the error for the first row of x that is not finite. x holds
// width values for each row of r, from the first on.
func overflow(r Rows, first int, x []float32, width int) error {
	row := first
	for f32.AllFinite(x[:width]) {
		row, x = row+1, x[width:]
	}
	return tooLarge(r, row)
}

// tooLarge returns the error for a row of r.
func tooLarge(r Rows, row int) error {
	e := &RangeError{Row: r.number(row), Reason: "too large, what the model makes of it overflows"}
	for j, v := range r.values(make([]float32, r.Width), row*r.Width, (row+1)*r.Width) {
		if v := float64(v); math.Abs(v) >= math.Abs(e.Value) {
			e.Component, e.Value = j, v
		}
	}
	return e
}

// makeRoom makes the buffers that are missing for a block, for codes only where
// they are not lists.
func (e *Encoder) makeRoom(code, out, errors bool) {
	p := e.pass
	rows := cap(p.number)
	if p.keep > 0 && p.kept == nil {
		e.makeLists()
	}
	if code && !p.lists() && p.code == nil {
		p.code = make([]float32, rows*p.m.Hidden)
	}
	if out && p.out == nil {
		p.out = make([]float32, rows*p.m.Inputs)
	}
	if errors && e.errors == nil {
		e.errors = make([]float64, rows)
	}
}

// makeLists prepares the weights for k-sparse codes, and makes room for these.
func (e *Encoder) makeLists() {
	p := e.pass
	rows, h, n, w := cap(p.number), p.m.Hidden, p.m.Inputs, p.m.Params
	if p.kept = newKeptCodes(p.m, rows, false); p.kept == nil { // too many for products
		p.kept = &keptCodes{code: f32.NewSparse(rows, h, rows*p.keep), largest: f32.NewShortlist(h, n, rows)}
	}
	p.kept.largest.Set(w.EncoderWeight, w.EncoderBias)
	if p.kept.decoder != nil {
		f32.Transpose(p.kept.decoder, w.DecoderWeight, h)
	}
	e.z = make([]float32, rows*h)
}

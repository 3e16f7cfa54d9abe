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

// Encoder computes codes, reconstructions and their errors. It is cheap to make
// and not safe for concurrent use: make one for each goroutine.
type Encoder struct {
	pass   *pass
	errors []float64 // |y - x|^2 of a block's rows
}

// NewEncoder returns an encoder of m.
func NewEncoder(m *Model) *Encoder {
	return &Encoder{pass: &pass{
		m:      m,
		keep:   m.Kept(),
		number: make([]int64, 0, blockRows(m.Inputs)),
		clean:  make([]float32, blockRows(m.Inputs)*m.Inputs),
		raw:    m.Preprocess.scratch(blockRows(m.Inputs), m.Inputs),
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
	p := e.pass
	n, h, m := p.m.Inputs, p.m.Hidden, r.Len()
	if err := r.check(n); err != nil {
		return err
	}
	if code != nil && len(code) != m*h || y != nil && len(y) != m*n || score != nil && len(score) != m {
		panic("model: Reconstruct into a slice of another length than the rows ask for")
	}
	e.makeRoom(code == nil, y == nil && score != nil, score != nil)
	if (y != nil || score != nil) && p.kept == nil {
		p.kept = newKeptCodes(p.m, cap(p.number), false)
	}
	for i := 0; i < m; {
		p.reset()
		rows := p.take(r, nil, i)
		x, a := p.clean[:rows*n], p.code
		if code != nil {
			a = code[i*h:]
		}
		a = a[:rows*h]
		if p.lists() {
			p.encodeKept(a, x)
			p.kept.code.Fill(a)
		} else {
			encode(p.m, p.keep, a, x)
		}
		if !f32.AllFinite(a) {
			return overflow(r, i, a, h)
		}
		if y != nil || score != nil {
			u := p.out
			if y != nil {
				u = y[i*n:]
			}
			u = u[:rows*n]
			if p.lists() {
				p.decodeKept(u)
			} else {
				decode(p.m, u, a)
			}
			f32.Activate(p.m.Output.kernel(), u, p.m.Params.DecoderBias)
			if !f32.AllFinite(u) {
				return overflow(r, i, u, n)
			}
			if score != nil {
				f32.Axpy(-1, u, x)
				f32.RowSumSquares(e.errors[:rows], x, n)
				for j, v := range e.errors[:rows] {
					score[i+j] = float32(v)
				}
				if !f32.AllFinite(score[i : i+rows]) {
					return overflow(r, i, score[i:i+rows], 1)
				}
			}
		}
		i += rows
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
	e := &RangeError{Row: r.number(row), Reason: "too large, what the model makes of it overflows"}
	for j, v := range r.values(make([]float32, r.Width), row*r.Width, (row+1)*r.Width) {
		if v := float64(v); math.Abs(v) >= math.Abs(e.Value) {
			e.Component, e.Value = j, v
		}
	}
	return e
}

// makeRoom makes the buffers that are missing for a block.
func (e *Encoder) makeRoom(code, out, errors bool) {
	p := e.pass
	rows := cap(p.number)
	if code && p.code == nil {
		p.code = make([]float32, rows*p.m.Hidden)
	}
	if out && p.out == nil {
		p.out = make([]float32, rows*p.m.Inputs)
	}
	if errors && e.errors == nil {
		e.errors = make([]float64, rows)
	}
}

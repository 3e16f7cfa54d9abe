package model

import (
	"math"

	"github.com/aefeat/aefeat/internal/f32"
)

// pass owns the buffers that one forward and backward pass needs, for up to
// cap(number) rows.
type pass struct {
	m      *Model
	keep   int       // codes kept of a row; 0: all
	number []int64   // positions in the input of the rows taken so far
	clean  []float32 // x (rows,n)
	noisy  []float32 // x~ (rows,n); shares clean where nothing is corrupted
	code   []float32 // a (rows,h)
	out    []float32 // u, later dL/du (rows,n)
	raw    []float32 // rows on their way to clean (rows,n); nil: not needed
	delta  []float32 // dJ/dz (rows,h); nil: forward only
	slope  []float32 // f'(z) (rows,h); nil: not needed

	zeros    *f32.Nonzeros // of x~; nil: not looked for
	skips    bool          // zeros has the rows at hand, which are mostly 0
	kept     *keptCodes    // nil: all codes, or too many for lists
	waker    *waker        // of k-sparse mini-batches; nil: none
	noise    *corrupter    // nil: none
	emphasis *emphasis     // nil: all components weigh 1
}

// newPass returns a pass over up to rows rows. A pass without backward feeds
// clean rows and computes no gradient.
func newPass(m *Model, rows int, backward, slope bool) *pass {
	p := &pass{
		m:      m,
		keep:   m.K,
		number: make([]int64, 0, rows),
		clean:  make([]float32, rows*m.Inputs),
		code:   make([]float32, rows*m.Hidden),
		out:    make([]float32, rows*m.Inputs),
		raw:    m.Preprocess.scratch(rows, m.Inputs),
	}
	p.noisy = p.clean
	if backward {
		p.delta = make([]float32, rows*m.Hidden)
		p.addNoise()
	} else {
		p.keep = m.Kept()
	}
	p.kept = newKeptCodes(m, rows, backward)
	if slope {
		p.slope = make([]float32, rows*m.Hidden)
	}
	return p
}

// addNoise makes what corrupts rows, if the model does.
func (p *pass) addNoise() {
	if p.m.Corruption > 0 {
		p.noisy = make([]float32, len(p.clean))
		p.noise = newCorrupter(p.m.Config, p.m.Preprocess)
		p.emphasis = newEmphasis(p.m.Config, p.noise, cap(p.number))
	}
}

// passFloats is the size of the buffers of a pass over rows that corrupts them
// as c says, in float32 numbers, but for the copy that preprocessing zca needs.
func passFloats(c Config, rows float64, backward, slope bool) float64 {
	n, h := float64(c.Inputs), float64(c.Hidden)
	perRow := 2*n + h + 2 // and the row's number
	if backward {
		perRow += h
	}
	if slope {
		perRow += h
	}
	if c.Corruption > 0 {
		perRow += n
	}
	return rows*perRow + c.emphasisFloats(rows) + c.keptFloats(rows, backward)
}

// memory is the size of the buffers in bytes.
func (p *pass) memory() int64 {
	floats := len(p.clean) + len(p.code) + len(p.out) + len(p.raw) + len(p.delta) + len(p.slope)
	if p.noise != nil {
		floats += len(p.noisy)
	}
	if p.emphasis != nil {
		floats += p.emphasis.floats()
	}
	if p.kept != nil {
		floats += p.kept.floats()
	}
	if p.zeros != nil {
		floats += f32.NonzerosFloats(cap(p.number), p.m.Inputs)
	}
	bytes := 4*int64(floats) + 8*int64(cap(p.number))
	if p.waker != nil {
		bytes += p.waker.memory()
	}
	return bytes
}

// state lists the rows that wait, at most so many, which are all that a
// checkpoint keeps.
func (p *pass) state(s *stateForm, most int) {
	number, n := p.number, p.m.Inputs
	rows := len(number)
	clean := p.clean[:rows*n]
	s.countInt("waiting", &rows, most)
	s.integers("waiting.numbers", &number, rows)
	s.floats("waiting.rows", &clean, rows, n)
	if s.restoring() {
		p.number, p.clean = number, clean
	}
}

// rows is the number of rows taken and not yet worked on.
func (p *pass) rows() int { return len(p.number) }

// full reports whether no row fits in any more.
func (p *pass) full() bool { return len(p.number) == cap(p.number) }

// reset forgets the rows taken.
func (p *pass) reset() { p.number = p.number[:0] }

// take preprocesses rows of r, from the i-th in the order on, until it is full
// or has them all, and returns how many it took.
func (p *pass) take(r Rows, order []int32, i int) int {
	n := p.m.Inputs
	at := p.rows()
	total := r.Len()
	if order != nil {
		total = len(order)
	}
	taken := min(total-i, cap(p.number)-at)
	if order != nil {
		order = order[i : i+taken]
	}
	p.m.Preprocess.convert(p.clean[at*n:(at+taken)*n], p.raw, r, order, i)
	for j := range taken {
		row := i + j
		if order != nil {
			row = int(order[j])
		}
		p.number = append(p.number, r.number(row))
	}
	return taken
}

// each takes all rows of r in the order given, and calls work whenever the
// pass is full. work must reset it.
func (p *pass) each(r Rows, order []int32, work func() error) error {
	if err := r.check(p.m.Inputs); err != nil {
		return err
	}
	total := r.Len()
	if order != nil {
		total = len(order)
	}
	for i := 0; i < total; {
		i += p.take(r, order, i)
		if p.full() {
			if err := work(); err != nil {
				return err
			}
		}
	}
	return nil
}

// corrupt makes the noisy rows out of the clean ones.
func (p *pass) corrupt(epoch uint32) {
	if p.noise != nil {
		p.noise.rows(p.noisy, p.clean, p.m.Inputs, p.number, epoch)
	}
}

// forward computes a = f(W1 x~ + b1) and u = W2 a, the decoder's bias left to
// loss.
func (p *pass) forward() {
	m, n, h := p.rows(), p.m.Inputs, p.m.Hidden
	if p.lists() {
		p.forwardKept()
		return
	}
	if p.zeros != nil {
		p.forwardSkipping()
	} else if p.waker != nil {
		encode(p.m, 0, p.code[:m*h], p.noisy[:m*n])
		p.waker.keep(p.code[:m*h], p.delta[:m*h], p.keep)
	} else {
		encode(p.m, p.keep, p.code[:m*h], p.noisy[:m*n])
	}
	decode(p.m, p.out[:m*n], p.code[:m*h])
}

// forwardSkipping computes the codes of rows that may be mostly 0.
func (p *pass) forwardSkipping() {
	m, n, h := p.rows(), p.m.Inputs, p.m.Hidden
	code, x := p.code[:m*h], p.noisy[:m*n]
	p.skips = m >= leastSkipping && p.zeros.Find(x)
	if !p.skips || !p.zeros.TimesTransposed(code, p.m.Params.EncoderWeight, h) {
		multiply(p.m, code, x)
	}
	f32.Activate(p.m.Activation.kernel(), code, p.m.Params.EncoderBias)
}

// Zeros are skipped where the lists of what is left are worth their making, and
// small.
const (
	leastSkipping      = 64
	mostSkippingRows   = 1024
	mostSkippingInputs = 4096
)

// skipsZeros reports whether mini-batches of so many rows look for zeros, which
// changes no bit of what they compute. k-sparse codes have products of their
// own.
func (c Config) skipsZeros(rows float64) bool {
	return c.K == 0 && rows <= mostSkippingRows && rows >= leastSkipping &&
		c.Hidden >= leastSkipping && c.Inputs >= leastSkipping && c.Inputs <= mostSkippingInputs
}

// encode computes code (m,h) = f(W1 x + b1) for x (m,n), and of each row
// leaves the largest, as many as keep says unless it is 0.
func encode(model *Model, keep int, code, x []float32) {
	multiply(model, code, x)
	f32.Activate(model.Activation.kernel(), code, model.Params.EncoderBias)
	if keep > 0 {
		f32.KeepLargest(code, model.Hidden, keep)
	}
}

// multiply computes u (m,h) = W1 x, without the bias, for x (m,n).
func multiply(model *Model, u, x []float32) {
	n, h := model.Inputs, model.Hidden
	f32.Gemm(false, true, len(x)/n, h, n, 1, x, n, model.Params.EncoderWeight, n, 0, u, h)
}

// decode computes u (m,n) = W2 code, without the bias, for code (m,h).
func decode(model *Model, u, code []float32) {
	n, h, w := model.Inputs, model.Hidden, model.Params
	m := len(code) / h
	if model.Tied {
		f32.Gemm(false, false, m, n, h, 1, code, h, w.EncoderWeight, n, 0, u, n)
	} else {
		f32.Gemm(false, true, m, n, h, 1, code, h, w.DecoderWeight, h, 0, u, n)
	}
}

// loss returns the sum of L over the rows and turns u into dL/du, where u now
// counts the decoder's bias in.
func (p *pass) loss() float64 {
	if p.emphasis != nil {
		return p.emphasis.loss(p)
	}
	size := p.rows() * p.m.Inputs
	return p.measure(p.out[:size], p.m.Params.DecoderBias, p.clean[:size])
}

// measure returns the sum of L over rows x (m,n), given u (m,n) without its
// bias (n), and turns u into dL/du.
func (p *pass) measure(u, bias, x []float32) float64 {
	return f32.OutputDelta(p.m.Output.kernel(), p.m.Loss.kernel(), u, bias, x)
}

// trivialCost is the mean cost of rows, energy being their sum of |x|^2, for a
// reconstruction without a model.
func (m *Model) trivialCost(rows int64, energy float64) float64 {
	if m.Loss == CrossEntropy {
		return m.meanEmphasis() * float64(m.Inputs) * math.Ln2
	}
	return m.meanEmphasis() * energy / float64(rows) / 2
}

// slopes computes f'(z) and adds, where dst is not nil, its column sums to
// sums and those of its squares to squares.
func (p *pass) slopes(sums, squares []float64) {
	size := p.rows() * p.m.Hidden
	f32.Slope(p.m.Activation.kernel(), p.slope[:size], p.code[:size])
	if sums != nil {
		f32.ColumnSums(sums, p.slope[:size])
	}
	if squares != nil {
		f32.ColumnSumSquares(squares, p.slope[:size])
	}
}

// backward computes, from what loss left,
//
//	delta = (W2^T dL/du + c) f'(z) + k f'(z) f''(z)
//
// the derivative by z; of codes that were not kept it is 0. c and k (h) may be
// nil.
func (p *pass) backward(c, k []float32) {
	if p.lists() { // linear codes, without c and k
		p.backwardKept()
		return
	}
	m, n, h, w := p.rows(), p.m.Inputs, p.m.Hidden, p.m.Params
	if p.m.Tied {
		f32.Gemm(false, true, m, h, n, 1, p.out, n, w.EncoderWeight, n, 0, p.delta, h)
	} else {
		f32.Gemm(false, false, m, h, n, 1, p.out, n, w.DecoderWeight, h, 0, p.delta, h)
	}
	f32.HiddenDelta(p.m.Activation.kernel(), p.delta[:m*h], p.code[:m*h], c, k, h)
	if p.keep > 0 {
		f32.Gate(p.delta[:m*h], p.code[:m*h])
	}
}

// weightGradient sets the weights of g to scale times the sum over rows of
// dJ/dW, plus decay times the weights. Other terms that are not sums over rows
// are left out.
func (p *pass) weightGradient(g *Params, scale, decay float32) {
	if p.lists() {
		p.weightGradientKept(g, scale, decay)
		return
	}
	m, n, h := p.rows(), p.m.Inputs, p.m.Hidden
	if !p.skips || !p.zeros.TransposedTimes(g.EncoderWeight, scale, p.delta[:m*h], h) {
		f32.Gemm(true, false, h, n, m, scale, p.delta, h, p.noisy, n, 0, g.EncoderWeight, n)
	}
	if p.m.Tied {
		f32.Gemm(true, false, h, n, m, scale, p.code, h, p.out, n, 1, g.EncoderWeight, n)
	} else {
		f32.Gemm(true, false, n, h, m, scale, p.out, n, p.code, h, 0, g.DecoderWeight, h)
	}
	addDecay(g, p.m.Params, decay)
}

// biasGradient adds the sums over rows of dJ/db1 (h) and dJ/db2 (n).
func (p *pass) biasGradient(encoder, decoder []float64) {
	if p.lists() {
		p.kept.delta.ColumnSums(encoder)
	} else {
		f32.ColumnSums(encoder, p.delta[:p.rows()*p.m.Hidden])
	}
	f32.ColumnSums(decoder, p.out[:p.rows()*p.m.Inputs])
}

package model

import "github.com/aefeat/aefeat/internal/f32"

// keptCodes are the k-sparse codes of the rows of a pass as lists, where they
// are so few that the products with them need not be dense: of the five of a
// step only that of the encoder is.
type keptCodes struct {
	code    *f32.Sparse    // a (rows,h)
	largest *f32.Shortlist // what finds them
	decoder []float32      // W2 transposed (h,n), later its gradient; nil when tied

	// Nil where a pass is forward only:
	delta       *f32.Sparse // dJ/dz (rows,h)
	byUnit      *f32.Sparse // a transposed (h,rows)
	deltaByUnit *f32.Sparse // dJ/dz transposed (h,rows)
}

// keptShare is the least number of units for each code that lists keep of a
// row. On Zen 4, AVX2 and AVX-512, tied or not, a step with lists takes 0.3 of
// the time of a dense one where 1 code of 40 is kept, 0.65 at 1 of 6 and 0.8 at
// 1 of 4; at about 1 of 3 they are equal.
const keptShare = 4

// mostKept is the largest number of codes of a row that passes in training, or
// others, keep as lists; 0: they never do.
func (c Config) mostKept(training bool) int {
	least, most := c.Kept(), c.Kept()
	if training {
		least, most = c.K, annealFrom*c.K
	}
	limit := c.Hidden / keptShare
	if c.K == 0 || least > limit {
		return 0
	}
	return min(most, limit)
}

// newKeptCodes returns room for the codes of a pass; nil: they are dense.
func newKeptCodes(m *Model, rows int, backward bool) *keptCodes {
	most := m.mostKept(backward)
	if most == 0 {
		return nil
	}
	k := &keptCodes{largest: f32.NewShortlist(m.Hidden, m.Inputs, rows)}
	if backward {
		elements := rows*most + m.Hidden // with those of units that are woken
		k.code = f32.NewSparse(rows, m.Hidden, elements)
		k.delta = f32.NewSparse(rows, m.Hidden, elements)
		k.byUnit = f32.NewSparse(m.Hidden, rows, elements)
		k.deltaByUnit = f32.NewSparse(m.Hidden, rows, elements)
	} else {
		k.code = f32.NewSparse(rows, m.Hidden, rows*most)
	}
	if !m.Tied {
		k.decoder = make([]float32, m.Hidden*m.Inputs)
	}
	return k
}

// keptFloats is the size of what newKeptCodes makes, in float32 numbers.
func (c Config) keptFloats(rows float64, backward bool) float64 {
	n, h, most := float64(c.Inputs), float64(c.Hidden), float64(c.mostKept(backward))
	if most == 0 {
		return 0
	}
	floats := 2 * (rows + 1 + rows*most) // an element is two numbers, and so is where a row begins
	if backward {
		floats = 4*2*(rows*most+h) + 2*2*(rows+1) + 2*2*(h+1)
	}
	if !c.Tied {
		floats += n * h
	}
	return floats + f32.ShortlistFloats(h, n, rows)
}

// floats is what keptFloats has foreseen.
func (k *keptCodes) floats() int {
	bytes := k.code.Memory() + k.largest.Memory()
	if k.delta != nil {
		bytes += k.delta.Memory() + k.byUnit.Memory() + k.deltaByUnit.Memory()
	}
	return int(bytes/4) + len(k.decoder)
}

// lists reports whether the codes of the rows at hand are lists.
func (p *pass) lists() bool { return p.kept != nil && p.keep*keptShare <= p.m.Hidden }

// forwardKept is [pass.forward] for lists. It leaves anything in p.code.
func (p *pass) forwardKept() {
	rows, n, h := p.rows(), p.m.Inputs, p.m.Hidden
	z := p.code[:rows*h]
	p.encodeKept(z, p.noisy[:rows*n])
	if p.waker != nil {
		p.waker.wake(p.kept.code, p.kept.largest)
	}
	p.decodeKept(p.out[:rows*n])
}

// encodeKept lists the codes of x (m,n), and leaves anything in z (m,h).
func (p *pass) encodeKept(z, x []float32) {
	k, w := p.kept, p.m.Params
	k.largest.Set(w.EncoderWeight, w.EncoderBias)
	k.largest.Largest(k.code, z, x, p.keep)
}

// decodeKept computes u (m,n) = W2 code, without the bias.
func (p *pass) decodeKept(u []float32) {
	k, w := p.kept, p.m.Params
	if k.decoder != nil {
		f32.Transpose(k.decoder, w.DecoderWeight, p.m.Hidden)
	}
	k.code.Product(u, p.m.Inputs, 1, k.decoderOf(w))
}

// decoderOf returns W2 transposed (h,n).
func (k *keptCodes) decoderOf(w *Params) []float32 {
	if k.decoder == nil {
		return w.EncoderWeight
	}
	return k.decoder
}

// backwardKept is [pass.backward] for lists.
func (p *pass) backwardKept() {
	n := p.m.Inputs
	p.kept.delta.Dots(p.kept.code, p.out[:p.rows()*n], p.kept.decoderOf(p.m.Params), n)
}

// weightGradientKept is [pass.weightGradient] for lists. The sum of a unit is
// in the order of rows.
func (p *pass) weightGradientKept(g *Params, scale, decay float32) {
	n, k, w := p.m.Inputs, p.kept, p.m.Params
	size := p.rows() * n
	k.deltaByUnit.Transpose(k.delta)
	k.byUnit.Transpose(k.code)
	x, out := p.noisy[:size], p.out[:size]
	if p.m.Tied {
		f32.SumProducts(g.EncoderWeight, n, scale, k.deltaByUnit, x, k.byUnit, out, decay, w.EncoderWeight)
		return
	}
	k.deltaByUnit.Product(g.EncoderWeight, n, scale, x)
	k.byUnit.Product(k.decoder, n, scale, out)
	f32.Transpose(g.DecoderWeight, k.decoder, n)
	addDecay(g, w, decay)
}

// addDecay adds a multiple of the weights to their gradient.
func addDecay(g, w *Params, decay float32) {
	if decay != 0 {
		f32.Axpy(decay, w.EncoderWeight, g.EncoderWeight)
		f32.Axpy(decay, w.DecoderWeight, g.DecoderWeight)
	}
}

// codes returns the codes (rows,h). After a forward pass it is called once, and
// before the next.
func (p *pass) codes() []float32 {
	a := p.code[:p.rows()*p.m.Hidden]
	if p.lists() {
		p.kept.code.Fill(a)
	}
	return a
}

// codeSums adds the sums of the codes of each unit (h), in the order of rows.
func (p *pass) codeSums(dst []float64) {
	if p.lists() {
		p.kept.code.ColumnSums(dst)
	} else {
		f32.ColumnSums(dst, p.code[:p.rows()*p.m.Hidden])
	}
}

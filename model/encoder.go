package model

// Encoders and evaluators work on so many rows at a time: enough to share the
// cost of preparing the weights for a product, but of wide rows few enough
// for about 4 MiB of inputs.
const (
	mostBlockRows = 1024
	blockElements = 1 << 20
)

func blockRows(inputs int) int {
	return max(1, min(mostBlockRows, blockElements/inputs))
}

// Encoder computes codes. It is cheap to make and not safe for concurrent
// use: make one for each goroutine.
type Encoder struct {
	pass *pass
}

// NewEncoder returns an encoder of m.
func NewEncoder(m *Model) *Encoder {
	return &Encoder{&pass{
		m:      m,
		keep:   m.keepEncoding(),
		number: make([]int64, 0, blockRows(m.Inputs)),
		clean:  make([]float32, blockRows(m.Inputs)*m.Inputs),
	}}
}

// Encode sets dst (m,h) to the codes f(W1 x + b1) of the rows of r, without
// corruption; those that a k-sparse model does not keep are 0. A code depends on its own row alone, bit for bit, whatever its
// neighbours are. Values are trusted; see [Model.Check]. Encode panics when
// dst has not room for exactly m codes.
func (e *Encoder) Encode(dst []float32, r Rows) error {
	p := e.pass
	if err := r.check(p.m.Inputs); err != nil {
		return err
	}
	if len(dst) != r.Len()*p.m.Hidden {
		panic("model: Encode into a slice of another length than the codes")
	}
	for i := 0; i < r.Len(); {
		p.reset()
		rows := p.take(r, nil, i)
		encode(p.m, p.keep, dst[i*p.m.Hidden:(i+rows)*p.m.Hidden], p.clean[:rows*p.m.Inputs])
		i += rows
	}
	return nil
}

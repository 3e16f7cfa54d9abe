package linear

import (
	"math"
	"slices"

	"github.com/aefeat/aefeat/internal/f32"
)

// chunkRows is the number of rows in one float32 product; chunks are added in
// float64, in order, so that neither precision nor result depends on how work
// is spread. 512 rows of 784 features are 1.6 MB: what the forward product
// has read is still in the cache when the gradient reads it again.
const chunkRows = 512

// An objective computes the cost J of the package comment and its gradient at
// a point w: W (K,n) followed by b (K), in float64, as the optimiser keeps it.
// It remembers the last point, because gonum's line search asks for value and
// gradient in separate calls.
type objective struct {
	x       []float32 // (m,n), standardised
	n       int
	labels  []int
	classes int
	penalty float64

	evaluations int

	point    []float64 // where cost and gradient were last computed
	cost     float64
	gradient []float64

	flat  []float32 // w in float32
	delta []float32 // (chunkRows,K): logits, then p - onehot
	part  []float32 // (K,n): the chunk's share of the gradient of W
}

func newObjective(x []float32, n int, labels []int, classes int, penalty float64) *objective {
	size := classes*n + classes
	return &objective{
		x: x, n: n, labels: labels, classes: classes, penalty: penalty,
		gradient: make([]float64, size),
		flat:     make([]float32, size),
		delta:    make([]float32, chunkRows*classes),
		part:     make([]float32, classes*n),
	}
}

// split returns w in float32 as W (K,n) and b (K).
func (o *objective) split(w []float64) (weight, bias []float32) {
	flat := make([]float32, len(w))
	for i, v := range w {
		flat[i] = float32(v)
	}
	k := o.classes * o.n
	return flat[:k:k], flat[k:]
}

// value returns J at w.
func (o *objective) value(w []float64) float64 {
	o.evaluate(w)
	return o.cost
}

// slope writes the gradient of J at w to dst.
func (o *objective) slope(dst, w []float64) {
	o.evaluate(w)
	copy(dst, o.gradient)
}

func (o *objective) evaluate(w []float64) {
	if slices.Equal(o.point, w) {
		return
	}
	o.point = append(o.point[:0], w...)
	o.evaluations++

	for i, v := range w {
		o.flat[i] = float32(v)
	}
	clear(o.gradient)
	weights := o.classes * o.n
	gradBias := o.gradient[weights:]
	m := len(o.labels)
	var loss float64
	for first := 0; first < m; first += chunkRows {
		rows := min(chunkRows, m-first)
		x := o.x[first*o.n : (first+rows)*o.n]
		f32.Gemm(false, true, rows, o.classes, o.n, 1, x, o.n, o.flat, o.n, 0, o.delta, o.classes)
		for i := range rows {
			delta := o.delta[i*o.classes : (i+1)*o.classes]
			loss += crossEntropy(delta, o.flat[weights:], o.labels[first+i])
			for j, d := range delta {
				gradBias[j] += float64(d)
			}
		}
		f32.Gemm(true, false, o.classes, o.n, rows, 1, o.delta, o.classes, x, o.n, 0, o.part, o.n)
		for i, g := range o.part {
			o.gradient[i] += float64(g)
		}
	}

	var squares float64
	for i, v := range w[:weights] {
		squares += float64(v * v)
		o.gradient[i] = float64(o.gradient[i]/float64(m)) + float64(o.penalty*v)
	}
	for j := range gradBias {
		gradBias[j] /= float64(m)
	}
	o.cost = loss/float64(m) + float64(o.penalty/2*squares)
}

// crossEntropy takes the logits z of one row, without their bias. It returns
// -log p[label] and replaces z by the gradient, p - onehot(label).
func crossEntropy(z, bias []float32, label int) float64 {
	top := float32(math.Inf(-1))
	for j, b := range bias {
		z[j] += b
		top = max(top, z[j])
	}
	own := float64(z[label]) - float64(top)
	var sum float64
	for j, v := range z {
		e := math.Exp(float64(v) - float64(top))
		z[j] = float32(e)
		sum += e
	}
	inverse := float32(1 / sum)
	for j := range z {
		z[j] *= inverse
	}
	z[label]--
	return math.Log(sum) - own
}

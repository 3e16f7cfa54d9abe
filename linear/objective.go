package linear

import (
	"math"
	"runtime"
	"slices"
	"sync"

	"github.com/aefeat/aefeat/internal/f32"
)

// chunkRows is the number of rows whose gradient is one float32 sum; chunks
// are added in float64, in order, so that neither precision nor result depends
// on how work is spread.
const chunkRows = 512

// blockElements is how much of a chunk is multiplied at a time: what the
// product for the logits has read is still in a second-level cache of 1 MiB
// when the gradient reads it again. An evaluation then reads memory once.
const blockElements = 64 << 10

// An objective computes the cost J of the package comment and its gradient at
// a point w: W (K,n) followed by b (K), on standardised features and in
// float64, as the optimiser keeps it. It remembers the last point, which a line
// search may ask for twice.
//
// Rows are read as they are: the scaler moves into the weights,
//
//	W x' + b = (W/deviation) x + (b - (W/deviation) mean)
//
// and the gradient comes back by the chain rule. Where that would cost too
// much precision, blocks of rows are standardised on their way.
type objective struct {
	x       []float32 // (m,n)
	n       int
	labels  []int
	classes int
	penalty float64
	scaler  scaler
	folded  bool   // the scaler is in the weights
	held    []bool // (m) rows that only count in right; nil: none
	rows    int    // that are not held

	evaluations int

	point    []float64 // where the rest was last computed
	cost     float64
	gradient []float64
	right    int // held rows whose label is the most probable one

	weight  []float32 // (K,n) as the rows want it
	bias    []float32 // (K)
	workers []worker
}

// A worker computes the share of a chunk.
type worker struct {
	block []float32 // standardised rows; nil when folded
	delta []float32 // (block,K): logits, then p - onehot

	part  []float32 // (K,n): gradient of the weights
	bias  []float64 // (K): and of the intercepts
	loss  float64
	right int
}

func newObjective(x []float32, n int, labels []int, classes int, s scaler) *objective {
	o := &objective{
		x: x, n: n, labels: labels, classes: classes, scaler: s, folded: s.folds(), rows: len(labels),
		gradient: make([]float64, classes*n+classes),
		weight:   make([]float32, classes*n),
		bias:     make([]float32, classes),
	}
	chunks := (len(labels) + chunkRows - 1) / chunkRows
	o.workers = make([]worker, min(runtime.GOMAXPROCS(0), chunks))
	for i := range o.workers {
		w := worker{delta: make([]float32, o.blockRows()*classes), part: make([]float32, classes*n), bias: make([]float64, classes)}
		if !o.folded {
			w.block = make([]float32, o.blockRows()*n)
		}
		o.workers[i] = w
	}
	return o
}

func (o *objective) blockRows() int { return min(chunkRows, max(16, blockElements/o.n)) }

// hold sets the rows that only count in right.
func (o *objective) hold(held []bool) {
	o.held, o.rows, o.point = held, len(o.labels), nil
	for _, h := range held {
		if h {
			o.rows--
		}
	}
}

// penalise sets the penalty.
func (o *objective) penalise(penalty float64) { o.penalty, o.point = penalty, nil }

// split returns w in float32 as W (K,n) and b (K).
func (o *objective) split(w []float64) (weight, bias []float32) {
	flat := make([]float32, len(w))
	for i, v := range w {
		flat[i] = float32(v)
	}
	k := o.classes * o.n
	return flat[:k:k], flat[k:]
}

// evaluate sets cost, gradient and right to those at w.
func (o *objective) evaluate(w []float64) {
	if slices.Equal(o.point, w) {
		return
	}
	o.point = append(o.point[:0], w...)
	o.evaluations++
	o.fold(w)
	clear(o.gradient)
	o.right = 0
	weights := o.classes * o.n
	gradWeight, gradBias := o.gradient[:weights], o.gradient[weights:]
	var loss float64
	for first := 0; first < len(o.labels); first += len(o.workers) * chunkRows {
		var busy sync.WaitGroup
		for i := range o.workers {
			if from := first + i*chunkRows; from < len(o.labels) {
				busy.Go(func() { o.chunk(&o.workers[i], from, min(from+chunkRows, len(o.labels))) })
			}
		}
		busy.Wait()
		for i := range o.workers {
			if first+i*chunkRows >= len(o.labels) {
				break
			}
			share := &o.workers[i]
			loss += share.loss
			o.right += share.right
			for j, g := range share.part {
				gradWeight[j] += float64(g)
			}
			for j, g := range share.bias {
				gradBias[j] += g
			}
		}
	}
	o.unfold()

	m := float64(o.rows)
	var squares float64
	for i, v := range w[:weights] {
		squares += float64(v * v)
		gradWeight[i] = float64(gradWeight[i]/m) + float64(o.penalty*v)
	}
	for j := range gradBias {
		gradBias[j] /= m
	}
	o.cost = loss/m + float64(o.penalty/2*squares)
}

// fold sets weight and bias for rows as chunk reads them.
func (o *objective) fold(w []float64) {
	k := o.classes * o.n
	for c, b := range w[k:] {
		row := o.weight[c*o.n : (c+1)*o.n]
		for j, v := range w[c*o.n : (c+1)*o.n] {
			if !o.folded {
				row[j] = float32(v)
				continue
			}
			row[j] = float32(v * o.scaler.inverse[j])
			// With the weight as it was rounded, only distances from the
			// mean carry the error of rounding.
			b -= float64(float64(row[j]) * o.scaler.mean[j])
		}
		o.bias[c] = float32(b)
	}
}

// unfold turns the gradient of weight into that of W.
func (o *objective) unfold() {
	if !o.folded {
		return
	}
	k := o.classes * o.n
	for c, b := range o.gradient[k:] {
		row := o.gradient[c*o.n : (c+1)*o.n]
		for j, g := range row {
			row[j] = float64(g-float64(b*o.scaler.mean[j])) * o.scaler.inverse[j]
		}
	}
}

// chunk computes the share of the rows from first to end.
func (o *objective) chunk(w *worker, first, end int) {
	clear(w.part)
	clear(w.bias)
	w.loss, w.right = 0, 0
	n, classes := o.n, o.classes
	for ; first < end; first += o.blockRows() {
		rows := min(o.blockRows(), end-first)
		x := o.x[first*n : (first+rows)*n]
		if !o.folded {
			o.scaler.apply(w.block, x)
			x = w.block
		}
		f32.Gemm(false, true, rows, classes, n, 1, x, n, o.weight, n, 0, w.delta, classes)
		for i := range rows {
			delta := w.delta[i*classes : (i+1)*classes]
			label := o.labels[first+i]
			if o.held != nil && o.held[first+i] {
				if argmax(delta, o.bias) == label {
					w.right++
				}
				clear(delta)
				continue
			}
			w.loss += crossEntropy(delta, o.bias, label)
			for j, d := range delta {
				w.bias[j] += float64(d)
			}
		}
		f32.Gemm(true, false, classes, n, rows, 1, w.delta, classes, x, n, 1, w.part, n)
	}
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

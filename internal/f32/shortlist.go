package f32

import (
	"math"
	"slices"
	"sync"
)

// A Shortlist finds the largest elements of the rows of z = x W^T + bias, for x
// (m,n) and W (h,n), and computes little more of z than these. It estimates z
// from copies of x and W in 16-bit integers, whose products take half the time,
// and knows how far an estimate may be off. Only elements that may be among the
// largest are computed, as [Gemm] does: the result has its bits.
//
// The bound is that of Cauchy and Schwarz. For a row x = s q + d, s being a
// step and q integers, |d| <= s sqrt(n)/2, and likewise for W:
//
//	|x w - s s' q q'| <= |s q| |d'| + |d| |w|.
//
// Steps are such that |q| |q'| < 2^31, so that no sum overflows.
type Shortlist struct {
	columns, length int // h, n
	weights, bias   []float32

	pairs  int       // of integers of a row, with zeros for whole steps
	packed []float32 // W in slivers, two integers in the place of a float32
	steps  []float32 // of the rows of W, in whole tiles (h)
	biases []float32 // in whole tiles (h)
	norms  []float64 // of the rows of W (h)

	norm, step, offset float64 // the largest of norms, steps, and |bias|
	usable             bool    // W and bias are of usual sizes

	// Of the last product:
	x, z      []float32
	estimated bool      // z was
	radius    []float32 // how far an estimate of a row may be off (m)
	rows      int       // of a panel
	highest   []float32 // the least that the largest of a column is, of each panel (,h)
	spread    []float32 // the largest radius of each panel
	found     sync.Mutex
	likely    []Element // what may be the largest of columns
}

const (
	// leastScreened rows pay for copying W.
	leastScreened = 32

	// screenedShare is the least number of columns for each that is wanted:
	// what is computed of a row, one by one, costs more than a product for
	// more.
	screenedShare = 14

	// A panel of rows is estimated before it is looked at, while it is in a
	// cache.
	fewestRows, mostRows = 28, 84

	// mostLikely rows of a column wait until those of all columns are computed
	// by rows. Where rows are alike there may be as many as rows.
	mostLikely = 16

	// widestTile is the largest number of columns of a tile in any class.
	widestTile = 2 * sliver

	// rounding bounds what rounding to an integer adds, that of the division
	// included.
	rounding = 0.51

	// largestLength bounds |q|: the product of two is below 2^31.
	largestLength = 46330
)

// NewShortlist returns a shortlist for weights (h,n) and up to so many rows, or
// more.
func NewShortlist(h, n, rows int) *Shortlist {
	l := &Shortlist{columns: h, length: n, norms: make([]float64, h)}
	if active.screens {
		whole := roundUp(h, widestTile)
		l.pairs = roundUp(n, 16) / 2
		l.packed = make([]float32, whole/sliver*sliverPitch(l.pairs))
		l.steps, l.biases = make([]float32, whole), make([]float32, whole)
		panels := int(panels(float64(rows)))
		l.radius = make([]float32, 0, rows)
		l.spread, l.highest = make([]float32, panels), make([]float32, panels*h)
	}
	return l
}

// ShortlistFloats is the size of a shortlist and its results of so many rows,
// in float32 numbers.
func ShortlistFloats(h, n, rows float64) float64 {
	if !active.screens {
		return 2 * h
	}
	whole := math.Ceil(h/widestTile) * widestTile
	return whole*(math.Ceil(n/16)*8+1) + 2*whole + 2*h + rows + (h+1)*panels(rows)
}

// Memory is the size in bytes.
func (l *Shortlist) Memory() int64 {
	return 8*int64(len(l.norms)) + 4*int64(len(l.packed)+len(l.steps)+len(l.biases)+cap(l.radius)+cap(l.highest)+cap(l.spread))
}

// Set takes W (h,n) and the bias (h), which must not change until the next Set.
func (l *Shortlist) Set(weights, bias []float32) {
	h, n := l.columns, l.length
	if len(weights) != h*n || len(bias) != h {
		panic(lengths)
	}
	l.weights, l.bias, l.usable = weights, bias, false
	if !active.screens || l.packed == nil {
		return
	}
	j := newJob()
	j.elem = elemArgs{kernel: active}
	j.sparse = sparseArgs{list: l}
	j.do((h+sliver-1)/sliver, func(j *job, item int) { j.sparse.list.pack(j.elem.kernel, item*sliver) })
	copy(l.biases, bias)
	low, high := active.extremes(bias)
	l.offset = float64(max(-low, high))
	l.norm, l.step, l.usable = 0, 0, AllFinite(bias) && l.offset < largestNorm
	for i, norm := range l.norms {
		l.usable = l.usable && usual(norm)
		l.norm, l.step = max(l.norm, norm), max(l.step, float64(l.steps[i]))
	}
}

// pack copies a sliver of rows of W, from row first on.
func (l *Shortlist) pack(k *kernels, first int) {
	n := l.length
	rows := min(sliver, l.columns-first)
	integers := getBuffer(rows * l.pairs)
	defer integers.free()
	for i := range rows {
		w := l.weights[(first+i)*n : (first+i+1)*n]
		l.norms[first+i], l.steps[first+i] = l.round(k, integers.x[i*l.pairs:], w)
	}
	pitch := sliverPitch(l.pairs)
	k.packT(l.packed[first/sliver*pitch:][:pitch], sliver, integers.x, l.pairs, rows, l.pairs)
}

// round sets dst to x (n) in integers, and returns |x| and the step. They are
// of no use when |x| is not of a usual size.
func (l *Shortlist) round(k *kernels, dst, x []float32) (norm float64, step float32) {
	scratch := getSums(1)
	k.sumSquares(x, &scratch.x[0])
	norm = math.Sqrt(scratch.x[0].total())
	sums.Put(scratch)
	if norm == 0 || !usual(norm) {
		clear(dst[:l.pairs])
		return norm, 0
	}
	low, high := k.extremes(x)
	most := largestLength - rounding*math.Sqrt(float64(l.length))
	step = float32(max(norm/most, float64(max(-low, high))/math.MaxInt16))
	k.integers(dst, x, 1/step)
	return norm, step
}

// largestNorm, and its inverse, keep all that estimates are made of from
// overflowing or being denormal.
const largestNorm = 1e15

func usual(norm float64) bool { return norm == 0 || norm > 1/largestNorm && norm < largestNorm }

// bound returns how far the estimates of a row of x may be off, whatever of W.
func (l *Shortlist) bound(norm, step float64) float32 {
	half := rounding * math.Sqrt(float64(l.length))
	integers := half * (l.step*(norm+half*step) + step*l.norm)
	// The rounding of Gemm, and of the estimate and what is done with it.
	floats := float64(l.length+32) * 0x1p-24 * (norm*l.norm + l.offset)
	return float32(1.001*(integers+floats) + 1e-37)
}

// Largest sets s to what [Sparse.SetLargest] gives for z = x W^T (m,h). It
// leaves anything in z.
func (l *Shortlist) Largest(s *Sparse, z, x []float32, k int) {
	h, n := l.columns, l.length
	rows := rowsOf(x, n)
	if s.Columns != h || len(z) != rows*h || k < 1 {
		panic(lengths)
	}
	l.x, l.z = x, z
	l.estimated = l.usable && rows >= leastScreened && k*screenedShare <= h
	if !l.estimated {
		Gemm(false, true, rows, h, n, 1, x, n, l.weights, n, 0, z, h)
		s.SetLargest(z, l.bias, k)
		return
	}
	l.radius = slices.Grow(l.radius[:0], rows)[:rows]
	s.resize(rows, rows*k)
	panels := l.cut(rows)
	j := newJob()
	j.elem = elemArgs{kernel: active, keep: k}
	j.sparse = sparseArgs{a: s, list: l}
	j.do(panels, func(j *job, item int) { j.sparse.list.panel(j.elem.kernel, j.sparse.a, item, j.elem.keep) })
	s.close(k)
}

// panelRows is how many of so many rows make a panel.
func panelRows(rows float64) float64 {
	return min(max(fewestRows, math.Ceil(rows/16)), mostRows)
}

// panels is how many panels so many rows make.
func panels(rows float64) float64 { return math.Ceil(rows / panelRows(rows)) }

// cut chooses the panels of a product, and returns their number.
func (l *Shortlist) cut(rows int) int {
	l.rows = int(panelRows(float64(rows)))
	panels := int(panels(float64(rows)))
	l.spread = slices.Grow(l.spread[:0], panels)[:panels]
	l.highest = slices.Grow(l.highest[:0], panels*l.columns)[:panels*l.columns]
	return panels
}

// panel lists the k largest of the rows of a panel.
func (l *Shortlist) panel(kernel *kernels, s *Sparse, panel, k int) {
	h, n := l.columns, l.length
	first := panel * l.rows
	rows := min(l.rows, len(l.radius)-first)
	stride := l.pairs
	if stride%512 == 0 { // see cut
		stride += sliver
	}
	scratch := getBuffer(rows*(stride+1) + kernel.rows*kernel.cols)
	defer scratch.free()
	steps, integers := scratch.x[:rows], scratch.x[rows:]
	for i := range rows {
		x := l.x[(first+i)*n : (first+i+1)*n]
		norm, step := l.round(kernel, integers[i*stride:], x)
		steps[i], l.radius[first+i] = step, l.bound(norm, float64(step))
		if !usual(norm) {
			l.radius[first+i] = -1 // an estimate tells nothing
		}
	}
	l.estimate(kernel, l.z[first*h:(first+rows)*h], steps, integers, stride, integers[rows*stride:])
	c, d := chosen.Get().(*choice), chosen.Get().(*choice)
	defer chosen.Put(c)
	defer chosen.Put(d)
	c.rows = c.rows[:0]
	highest := l.highest[panel*h : (panel+1)*h]
	for i := range highest {
		highest[i] = float32(math.Inf(-1))
	}
	for row := first; row < first+rows; row++ {
		if !l.shortlist(kernel, c, row, k) {
			c.rows = append(c.rows, int32(row))
			continue
		}
		kernel.raise(highest, l.z[row*h:(row+1)*h], l.radius[row])
		l.compute(kernel, c, l.x[row*n:(row+1)*n])
		s.setRow(row, k, c.values, c.list, d.largest(kernel, c.values, k))
	}
	l.whole(kernel, s, d, c.rows, k)
	l.spread[panel] = slices.Max(l.radius[first : first+rows])
	for _, row := range c.rows {
		kernel.raise(highest, l.z[int(row)*h:int(row+1)*h], 0)
	}
}

// estimate sets z (m,h) to estimates, given integers (m,pairs).
func (l *Shortlist) estimate(k *kernels, z, steps, integers []float32, stride int, edge []float32) {
	h, mr, nr, pitch := l.columns, k.rows, k.cols, sliverPitch(l.pairs)
	width := max(nr, k.panel/l.pairs/nr*nr)
	for from := 0; from < h; from += width {
		for i := 0; i < len(steps); i += mr {
			rows := min(mr, len(steps)-i)
			for j := from; j < min(from+width, h); j += nr {
				to, ld := z[i*h:][j:], h
				if j+nr > h {
					to, ld = edge, nr
				}
				k.estimate(rows, l.pairs, integers[i*stride:], stride, l.packed[j/sliver*pitch:], steps[i:], l.steps[j:], l.biases[j:], to, ld)
				if j+nr > h {
					for r := range rows {
						copy(z[(i+r)*h+j:(i+r+1)*h], edge[r*nr:])
					}
				}
			}
		}
	}
}

// shortlist sets c.list to what may be among the k largest of a row, unless
// that is so much that all of it is computed faster.
func (l *Shortlist) shortlist(kernel *kernels, c *choice, row, k int) bool {
	h, twice := l.columns, 2*float64(l.radius[row])
	if twice < 0 {
		return false
	}
	z := l.z[row*h : (row+1)*h]
	if cap(c.index) < h {
		c.index, c.keys = make([]int32, h), make([]uint32, h)
	}
	index := c.index[:h]
	index = index[:kernel.above(z, lower(c.bound(kernel, z, k), twice), index)]
	keys := c.keys[:len(index)]
	for at, i := range index {
		keys[at] = keyOf(z[i])
	}
	least := lower(kthLargest(keys, k), twice)
	c.list = c.list[:0]
	for _, i := range index {
		if keyOf(z[i]) >= least {
			c.list = append(c.list, i)
		}
	}
	return len(c.list) <= k+h/16
}

// lower returns a key of what is at least so much less.
func lower(key uint32, by float64) uint32 {
	if key == 0 {
		return 0
	}
	v := float64(floatOf(key)) - by
	return keyOf(math.Nextafter32(float32(v), float32(math.Inf(-1))))
}

// floatOf is the float of a key.
func floatOf(key uint32) float32 {
	if key>>31 == 1 {
		return math.Float32frombits(key ^ 1<<31)
	}
	return math.Float32frombits(^key)
}

// compute sets c.values to the elements of c.list, in a row of x (n).
func (l *Shortlist) compute(k *kernels, c *choice, x []float32) {
	l.products(k, c, x, l.weights, c.list)
	for i, j := range c.list {
		c.values[i] += l.bias[j]
	}
}

// products sets c.values to the products of x (n) with some rows of y, as Gemm
// computes them.
func (l *Shortlist) products(k *kernels, c *choice, x, y []float32, rows []int32) {
	n := l.length
	c.values = slices.Grow(c.values[:0], len(rows))[:len(rows)]
	c.kept = slices.Grow(c.kept[:0], len(rows))[:len(rows)]
	block := kBlock(n)
	k.chains(c.values, x[:min(block, n)], y, n, rows)
	for p := block; p < n; p += block {
		k.chains(c.kept, x[p:min(p+block, n)], y[p:], n, rows)
		for i, v := range c.kept {
			c.values[i] += v
		}
	}
}

// whole computes all of some rows, and lists their k largest.
func (l *Shortlist) whole(kernel *kernels, s *Sparse, c *choice, rows []int32, k int) {
	if len(rows) == 0 {
		return
	}
	h, n := l.columns, l.length
	x, all := getBuffer(len(rows)*n), getBuffer(len(rows)*h)
	defer x.free()
	defer all.free()
	for i, row := range rows {
		copy(x.x[i*n:(i+1)*n], l.x[int(row)*n:])
	}
	g := gemmArgs{kernel: kernel, transB: true, m: len(rows), n: h, k: n, alpha: 1, a: x.x, lda: n, b: l.weights, ldb: n, c: all.x, ldc: h}
	for item := range g.cut(1) {
		g.item(item)
	}
	for i, row := range rows {
		z := l.z[int(row)*h : int(row+1)*h]
		copy(z, all.x[i*h:])
		kernel.activate(Linear, z, l.bias)
		l.radius[row] = 0
		s.setRow(int(row), k, z, nil, c.largest(kernel, z, k))
	}
}

// LargestOfColumns is [LargestOfColumns] for the z of the last
// [Shortlist.Largest]. It computes elements whose estimates say that they may
// be the largest.
func (l *Shortlist) LargestOfColumns(elements []Element) {
	if !l.estimated {
		LargestOfColumns(elements, l.z, l.columns)
		return
	}
	l.likely = l.likely[:0]
	j := newJob()
	j.elem = elemArgs{kernel: active}
	j.sparse = sparseArgs{list: l, elements: elements}
	j.do((len(elements)+columnItem-1)/columnItem, func(j *job, item int) {
		for at := item * columnItem; at < min((item+1)*columnItem, len(j.sparse.elements)); at++ {
			j.sparse.list.find(j.elem.kernel, at, int(j.sparse.elements[at].Column))
		}
	})
	slices.SortFunc(l.likely, func(a, b Element) int { return int(a.Row)<<32 + int(a.Column) - int(b.Row)<<32 - int(b.Column) })
	j = newJob()
	j.elem = elemArgs{kernel: active}
	j.sparse = sparseArgs{list: l, elements: elements}
	j.do((len(l.likely)+columnItem-1)/columnItem, func(j *job, item int) {
		l := j.sparse.list
		l.computeLikely(j.elem.kernel, l.likely[item*columnItem:min((item+1)*columnItem, len(l.likely))], j.sparse.elements)
	})
	for i := range elements {
		elements[i].Row, elements[i].Value = 0, float32(math.Inf(-1))
	}
	for _, v := range l.likely { // by row
		if e := &elements[v.Column]; v.Value > e.Value {
			e.Row, e.Value = v.Row, v.Value
		}
	}
}

// find adds to likely the rows where a column may be largest. They have the
// place of an element for a column.
func (l *Shortlist) find(k *kernels, place, column int) {
	c := chosen.Get().(*choice)
	defer chosen.Put(c)
	c.list = c.list[:0]
	h := l.columns
	least := float32(math.Inf(-1))
	for at := column; at < len(l.highest); at += h {
		least = max(least, l.highest[at])
	}
	for first := 0; first < len(l.radius); first += l.rows {
		// The largest of a panel is at most twice a radius above this.
		if panel := first / l.rows; l.highest[panel*h+column]+2*l.spread[panel] < least {
			continue
		}
		for i, radius := range l.radius[first:min(first+l.rows, len(l.radius))] {
			if l.z[(first+i)*h+column]+radius >= least {
				c.list = append(c.list, int32(first+i))
			}
		}
	}
	if len(c.list) > mostLikely {
		l.narrow(k, c, column)
	}
	l.found.Lock()
	defer l.found.Unlock()
	for _, row := range c.list {
		l.likely = append(l.likely, Element{Row: row, Column: int32(place)})
	}
}

// narrow leaves in c.list the first row where a column is largest.
func (l *Shortlist) narrow(k *kernels, c *choice, column int) {
	n := l.length
	l.products(k, c, l.weights[column*n:(column+1)*n], l.x, c.list)
	best, at := float32(math.Inf(-1)), 0
	for i, v := range c.values {
		if v += l.bias[column]; v > best {
			best, at = v, i
		}
	}
	c.list[0] = c.list[at]
	c.list = c.list[:1]
}

// computeLikely computes elements that are sorted by their row.
func (l *Shortlist) computeLikely(k *kernels, likely, elements []Element) {
	c := chosen.Get().(*choice)
	defer chosen.Put(c)
	for len(likely) > 0 {
		row, n := int(likely[0].Row), 0
		c.list = c.list[:0]
		for ; n < len(likely) && int(likely[n].Row) == row; n++ {
			c.list = append(c.list, elements[likely[n].Column].Column)
		}
		l.compute(k, c, l.x[row*l.length:(row+1)*l.length])
		for i, v := range c.values {
			likely[i].Value = v
		}
		likely = likely[n:]
	}
}

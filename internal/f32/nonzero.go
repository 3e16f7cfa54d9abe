package f32

import (
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
)

const (
	// nonzeroRows rows of a matrix are searched at a time.
	nonzeroRows = 16

	// nonzeroShare of the elements at most, in tenths, may be other than 0. On
	// Zen 4, AVX2 and AVX-512, products that skip zeros take as long as dense
	// ones at one third, and three quarters of it at one fifth.
	nonzeroShare = 3

	// strip columns are summed at a time: as many as the AVX2 kernel keeps in
	// registers. 784 rows of them fit a second-level cache.
	strip = 96

	// leastInputs inputs at least are one item of a gradient.
	leastInputs = 128
)

// Nonzeros are the elements of a matrix X (m,n) that are not 0, where these are
// so few that products do better to skip the others. Products of it have the
// bits that those of [Gemm] have: a 0 times a number adds nothing to a sum. It
// is not safe for concurrent use.
type Nonzeros struct {
	n, rows int
	end     []int32 // where each row ends among those of its item
	column  []int32
	value   []float32
	dense   atomic.Bool
}

// NewNonzeros returns room for matrices of up to rows rows of n elements.
func NewNonzeros(rows, n int) *Nonzeros {
	size := nonzeroSize(n) * ((rows + nonzeroRows - 1) / nonzeroRows)
	return &Nonzeros{n: n, end: make([]int32, rows), column: make([]int32, size), value: make([]float32, size)}
}

// NonzerosFloats is the size of what NewNonzeros makes, in float32 numbers.
func NonzerosFloats(rows, n int) int {
	return rows + 2*nonzeroSize(n)*((rows+nonzeroRows-1)/nonzeroRows)
}

// nonzeroSize is how many nonzeros an item may have.
func nonzeroSize(n int) int { return nonzeroRows * n * nonzeroShare / 10 }

// Find takes in x (m,n). It reports whether products should use the nonzeros:
// not where they are too many, or where elements are negative or NaN.
func (z *Nonzeros) Find(x []float32) bool {
	z.rows = rowsOf(x, z.n)
	if z.rows > len(z.end) {
		panic(lengths)
	}
	z.dense.Store(false)
	if z.rows == 0 || !z.find(0, x) { // which tells most dense ones
		return false
	}
	j := newJob()
	j.elem = elemArgs{x: x}
	j.nonzeros = nonzeroArgs{z: z}
	j.do((z.rows-1)/nonzeroRows, func(j *job, item int) {
		z := j.nonzeros.z
		if !z.dense.Load() && !z.find(item+1, j.elem.x) {
			z.dense.Store(true)
		}
	})
	return !z.dense.Load()
}

// find takes in the rows of an item, and reports whether they are sparse.
func (z *Nonzeros) find(item int, x []float32) bool {
	lo := item * nonzeroRows
	x = x[lo*z.n : min(lo+nonzeroRows, z.rows)*z.n]
	if low, _ := active.extremes(x); low < 0 || !active.allFinite(x) {
		return false
	}
	size := nonzeroSize(z.n)
	buffer := getIndexes(z.n)
	defer buffer.free()
	column, value, at := z.column[item*size:], z.value[item*size:], 0
	for i := 0; len(x) > 0; i, x = i+1, x[z.n:] {
		found := buffer.x[:active.above(x[:z.n], keyOf(0)+1, buffer.x)]
		if at+len(found) > size {
			return false
		}
		copy(column[at:], found)
		for k, j := range found {
			value[at+k] = x[j]
		}
		at += len(found)
		z.end[lo+i] = int32(at)
	}
	return true
}

// row returns the columns and values of row i.
func (z *Nonzeros) row(i int) ([]int32, []float32) {
	first := i / nonzeroRows * nonzeroSize(z.n)
	lo, hi := first, first+int(z.end[i])
	if i%nonzeroRows > 0 {
		lo += int(z.end[i-1])
	}
	return z.column[lo:hi], z.value[lo:hi]
}

// nonzeroArgs is one product with the nonzeros of X.
type nonzeroArgs struct {
	z      *Nonzeros
	a, c   []float32
	h      int
	parts  int // that the rows are cut into
	alpha  float32
	inputs int // of an item
}

// TimesTransposed computes C = X W^T for W (h,n) and C (m,h), and reports
// whether it did: not where W has infinities or NaN, or fewer than 16 rows.
func (z *Nonzeros) TimesTransposed(c, w []float32, h int) bool {
	if len(c) != z.rows*h || len(w) != h*z.n {
		panic(lengths)
	}
	if h < sliver || !active.allFinite(w) {
		return false
	}
	j := newJob()
	j.nonzeros = nonzeroArgs{z: z, a: w, c: c, h: h, parts: 1}
	if n, workers := strips(h), runtime.GOMAXPROCS(0); n%workers > 0 && n < 4*workers {
		j.nonzeros.parts = 2 // so that all are busy
	}
	j.do(strips(h)*j.nonzeros.parts, func(j *job, item int) {
		p, z := &j.nonzeros, j.nonzeros.z
		lo, hi := stripOf(item/p.parts, p.h)
		part := item % p.parts
		width := hi - lo
		b := getBuffer(z.n*width + sliver)
		// Backwards, since what follows the last columns is overwritten.
		for at := (width - 1) / sliver * sliver; at >= 0; at -= sliver {
			active.packT(b.x[at:], width, p.a[(lo+at)*z.n:], z.n, min(sliver, width-at), z.n)
		}
		length := kBlock(z.n)
		for i := z.rows * part / p.parts; i < z.rows*(part+1)/p.parts; i++ {
			column, value := z.row(i)
			sumBlocks(p.c[i*p.h+lo:i*p.h+hi], b.x, column, value, 1, length, z.n)
		}
		b.free()
	})
	return true
}

// TransposedTimes computes C = alpha A^T X for A (m,h) and C (h,n), and reports
// whether it did: not where A has infinities or NaN.
func (z *Nonzeros) TransposedTimes(c []float32, alpha float32, a []float32, h int) bool {
	if len(c) != h*z.n || len(a) != z.rows*h {
		panic(lengths)
	}
	if !active.allFinite(a) {
		return false
	}
	items := max(1, min(2*runtime.GOMAXPROCS(0), z.n/leastInputs))
	inputs := roundUp((z.n+items-1)/items, sliver)
	j := newJob()
	j.nonzeros = nonzeroArgs{z: z, a: a, c: c, h: h, alpha: alpha, inputs: inputs}
	j.do((z.n+inputs-1)/inputs, func(j *job, item int) { j.nonzeros.gradient(item) })
	return true
}

// gradient computes some columns of C.
func (p *nonzeroArgs) gradient(item int) {
	z := p.z
	first := item * p.inputs
	inputs := min(p.inputs, z.n-first)
	index, value, count := getIndexes(inputs*z.rows), getBuffer(inputs*z.rows), getIndexes(inputs)
	z.transpose(first, inputs, index.x, value.x, count.x[:inputs])
	length := kBlock(z.rows)
	for s := range strips(p.h) {
		lo, hi := stripOf(s, p.h)
		width := hi - lo
		b, part := getBuffer(z.rows*width), getBuffer(sliver*width)
		for i := range z.rows {
			copy(b.x[i*width:(i+1)*width], p.a[i*p.h+lo:])
		}
		for j := 0; j < inputs; j += sliver {
			columns := min(sliver, inputs-j)
			for k := range columns {
				from := (j + k) * z.rows
				to := from + int(count.x[j+k])
				sumBlocks(part.x[k*width:(k+1)*width], b.x, index.x[from:to], value.x[from:to], p.alpha, length, z.rows)
			}
			if dst := p.c[lo*z.n+first+j:]; columns == sliver {
				active.packT(dst, z.n, part.x, width, sliver, width)
			} else {
				packTPlain(dst, z.n, part.x, width, columns, width)
			}
		}
		b.free()
		part.free()
	}
	index.free()
	value.free()
	count.free()
}

// transpose lists the elements of some columns: those of column first+j are
// count[j] from j m on.
func (z *Nonzeros) transpose(first, columns int, index []int32, values []float32, count []int32) {
	clear(count)
	for i := range z.rows {
		column, value := z.row(i)
		k, _ := slices.BinarySearch(column, int32(first))
		for ; k < len(column) && int(column[k]) < first+columns; k++ {
			j := int(column[k]) - first
			at := j*z.rows + int(count[j])
			index[at], values[at] = int32(i), value[k]
			count[j]++
		}
	}
}

// sumBlocks computes dst = alpha sum_i value[i] b[index[i]] in blocks of k, as
// products do.
func sumBlocks(dst, b []float32, index []int32, value []float32, alpha float32, length, k int) {
	clear(dst)
	for p := 0; p < k; p += length {
		n, _ := slices.BinarySearch(index, int32(p+length))
		active.sumRows(dst, b, index[:n], value[:n], alpha, 1)
		index, value = index[n:], value[n:]
	}
}

// strips is how many strips h columns make. The last may be longer, so that
// none is shorter.
func strips(h int) int { return max(1, h/strip) }

func stripOf(item, h int) (lo, hi int) {
	if lo = item * strip; item == strips(h)-1 {
		return lo, h
	}
	return lo, lo + strip
}

// indexes is scratch memory from a pool.
type indexes struct{ x []int32 }

var indexPool = sync.Pool{New: func() any { return new(indexes) }}

func getIndexes(n int) *indexes {
	b := indexPool.Get().(*indexes)
	if cap(b.x) < n {
		b.x = make([]int32, n)
	}
	b.x = b.x[:cap(b.x)]
	return b
}

func (b *indexes) free() { indexPool.Put(b) }

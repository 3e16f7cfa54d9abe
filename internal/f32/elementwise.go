package f32

import "sync"

const lengths = "f32: lengths do not fit"

// chunk is the number of elements that one item of an elementwise job works
// on, in whole rows: small enough to stay in a second-level cache, large
// enough (some microseconds) to pay for handing it out. Partial sums are
// per item, so it is part of what results depend on.
const chunk = 16 << 10

// elemArgs is one elementwise job over rows of n elements.
type elemArgs struct {
	kernel     *kernels
	f          Activation
	loss       Loss
	n, rows    int // rows: of an item
	keep       int // elements of a row
	x, y, z, w []float32
	bias       []float32
	curvature  []float32
	u8         []uint8
	u16        []uint16
	order      []int32
	from       func(e *elemArgs, dst []float32, at int)
	a, b       float32
	limit      float32
	epsilon    float64
	step       adamStep
	columns    []float64
	squares    bool
	sums       []lanes // one for each item
}

// rowsOf returns the number of rows of n elements in x.
func rowsOf(x []float32, n int) int {
	if len(x) == 0 {
		return 0
	}
	if n <= 0 || len(x)%n != 0 {
		panic(lengths)
	}
	return len(x) / n
}

// doRows runs item over all rows, some at a time.
func (j *job) doRows(rows int, item func(*job, int)) { j.do(j.elem.items(rows), item) }

// doRowsWithSums is doRows where each item has lanes of its own, which are
// returned. They go back to the pool with sums.Put.
func (j *job) doRowsWithSums(rows int, item func(*job, int)) *sumBuffer {
	items := j.elem.items(rows)
	scratch := getSums(items)
	j.elem.sums = scratch.x
	j.do(items, item)
	return scratch
}

// sumRows is doRows where each item leaves a sum; it returns their total.
func (j *job) sumRows(rows int, item func(*job, int)) float64 {
	scratch := j.doRowsWithSums(rows, item)
	var total float64
	for i := range scratch.x {
		total += scratch.x[i].total()
	}
	sums.Put(scratch)
	return total
}

// items settles the rows of an item, and returns how many items rows make.
func (e *elemArgs) items(rows int) int {
	e.rows = max(1, chunk/e.n)
	return (rows + e.rows - 1) / e.rows
}

// A sumBuffer is scratch memory from a pool.
type sumBuffer struct{ x []lanes }

var sums = sync.Pool{New: func() any { return new(sumBuffer) }}

// getSums returns n zeroed sums.
func getSums(n int) *sumBuffer {
	b := sums.Get().(*sumBuffer)
	if cap(b.x) < n {
		b.x = make([]lanes, n)
	}
	b.x = b.x[:n]
	clear(b.x)
	return b
}

// part returns the rows of x that belong to an item. A nil x has no parts.
func (e *elemArgs) part(x []float32, item int) []float32 {
	lo := item * e.rows * e.n
	return x[lo:min(lo+e.rows*e.n, len(x))]
}

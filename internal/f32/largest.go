package f32

import (
	"math"
	"slices"
	"sync"
)

// KeepLargest sets all but the k largest elements of each row of z (m,n) to 0.
// Among equals those of the lowest index are kept. NaNs count as larger than
// all numbers, or as smaller, by their sign.
func KeepLargest(z []float32, n, k int) {
	rows := rowsOf(z, n)
	if k < 1 {
		panic(lengths)
	}
	if rows == 0 || k >= n {
		return
	}
	j := newJob()
	j.elem = elemArgs{kernel: active, x: z, n: n, keep: k}
	j.doRows(rows, func(j *job, item int) {
		e := &j.elem
		c := chosen.Get().(*choice)
		for z := e.part(e.x, item); len(z) > 0; z = z[e.n:] {
			c.keep(e.kernel, z[:e.n], e.keep)
		}
		chosen.Put(c)
	})
}

// Gate sets d to 0 wherever a is 0: the derivative by z where a is what
// KeepLargest left of z. Both have one length.
func Gate(d, a []float32) {
	if len(a) != len(d) {
		panic(lengths)
	}
	j := newJob()
	j.elem = elemArgs{x: d, y: a, n: 1}
	j.doRows(len(d), func(j *job, item int) {
		e := &j.elem
		d, a := e.part(e.x, item), e.part(e.y, item)
		for i, v := range a {
			w := d[i]
			if v == 0 {
				w = 0
			}
			d[i] = w
		}
	})
}

// A choice is scratch memory from a pool, for choosing the largest of a row.
type choice struct {
	index []int32
	keys  []uint32
	lanes [16]uint32
	kept  []float32

	// Of a shortlist:
	list, rows []int32
	values     []float32
}

var chosen = sync.Pool{New: func() any { return new(choice) }}

// keyOf returns a number that orders floats as they are, both zeros alike.
func keyOf(v float32) uint32 {
	b := math.Float32bits(v + 0) // -0 becomes 0
	return b ^ (uint32(int32(b)>>31) | 1<<31)
}

// below returns 1 where a < b, and 0 elsewhere, without a branch.
func below(a, b uint32) uint32 { return uint32((uint64(a) - uint64(b)) >> 63) }

// keep is KeepLargest of one row.
func (c *choice) keep(kernel *kernels, z []float32, k int) {
	index := c.largest(kernel, z, k)
	c.kept = c.kept[:0]
	for _, i := range index {
		c.kept = append(c.kept, z[i])
	}
	clear(z)
	for at, i := range index {
		z[i] = c.kept[at]
	}
}

// largest returns where the k largest elements of z are, rising. The indices
// are good until the next call.
func (c *choice) largest(kernel *kernels, z []float32, k int) []int32 {
	if cap(c.index) < len(z) {
		c.index, c.keys = make([]int32, len(z)), make([]uint32, len(z))
	}
	index := c.index[:len(z)]
	n := kernel.above(z, c.bound(kernel, z, k), index)
	index, keys := index[:n], c.keys[:n]
	for at, i := range index {
		keys[at] = keyOf(z[i])
	}
	least := kthLargest(keys, k)
	larger := 0
	for _, i := range index {
		larger += int(below(least, keyOf(z[i])))
	}
	equals := k - larger // those that are kept, the first
	at := 0
	for _, i := range index {
		key := keyOf(z[i])
		if key < least {
			continue
		}
		if key == least {
			if equals == 0 {
				continue
			}
			equals--
		}
		index[at] = i
		at++
	}
	return index[:k]
}

// bound returns a key that at least k elements of z have or exceed, and not
// many more. The k-th largest of the largest of twice as many groups is one.
func (c *choice) bound(kernel *kernels, z []float32, k int) uint32 {
	steps := len(z) / len(c.lanes)
	parts := (2*k + len(c.lanes) - 1) / len(c.lanes)
	if steps < 2*parts {
		return 0
	}
	keys := c.keys[:0]
	for i := range parts {
		part := z[i*steps/parts*len(c.lanes) : (i+1)*steps/parts*len(c.lanes)]
		kernel.maxima(part, &c.lanes)
		keys = append(keys, c.lanes[:]...)
	}
	return kthLargest(keys, k)
}

const (
	fewKeys   = 24 // that are sorted rather than parted
	samples   = 15 // looked at to choose where to part; no more than fewKeys
	mostParts = 32 // after which keys in a mean order are sorted
)

// kthLargest returns the k-th largest of the keys, counted from 1, and leaves
// them in another order. It is C. Hoare's FIND with a pivot near the rank that
// is wanted; its loops have no branches that the values decide.
func kthLargest(x []uint32, k int) uint32 {
	for part := 0; len(x) > fewKeys && part < mostParts; part++ {
		for i := range samples {
			at := sampleAt(i, len(x))
			x[i], x[at] = x[at], x[i]
		}
		p := pivot(x[:samples], k, len(x))
		above := 0
		for i, v := range x {
			x[i] = x[above]
			x[above] = v
			above += int(below(p, v))
		}
		if k <= above {
			x = x[:above]
			continue
		}
		x, k = x[above:], k-above
		equal := 0
		for i, v := range x {
			x[i] = x[equal]
			x[equal] = v
			equal += int(1 - below(v, p))
		}
		if k <= equal {
			return p
		}
		x, k = x[equal:], k-equal
	}
	slices.Sort(x)
	return x[len(x)-k]
}

// sampleAt is where the i-th sample of n keys lies.
func sampleAt(i, n int) int { return (2*i + 1) * n / (2 * samples) }

// pivot sorts a sample of n keys and returns one of them, likely a little
// below the k-th largest key.
func pivot(sample []uint32, k, n int) uint32 {
	for i, v := range sample {
		at := i
		for ; at > 0 && sample[at-1] < v; at-- {
			sample[at] = sample[at-1]
		}
		sample[at] = v
	}
	return sample[min(k*samples/n+1, samples-1)]
}

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
	j.elem = elemArgs{x: z, n: n, keep: k}
	j.doRows(rows, func(j *job, item int) {
		e := &j.elem
		scratch := keys.Get().(*keyBuffer)
		if cap(scratch.x) < e.n {
			scratch.x = make([]uint32, e.n)
		}
		for z := e.part(e.x, item); len(z) > 0; z = z[e.n:] {
			keepLargest(z[:e.n], e.keep, scratch.x[:e.n])
		}
		keys.Put(scratch)
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

// A keyBuffer is scratch memory from a pool.
type keyBuffer struct{ x []uint32 }

var keys = sync.Pool{New: func() any { return new(keyBuffer) }}

// keyOf returns a number that orders floats as they are, both zeros alike.
func keyOf(v float32) uint32 {
	b := math.Float32bits(v + 0) // -0 becomes 0
	return b ^ (uint32(int32(b)>>31) | 1<<31)
}

// below returns 1 where a < b, and 0 elsewhere, without a branch.
func below(a, b uint32) uint32 { return uint32((uint64(a) - uint64(b)) >> 63) }

// keepLargest is KeepLargest of one row, with room for its keys.
func keepLargest(z []float32, k int, room []uint32) {
	least := kthLargest(room[:likely(z, k, room)], k)
	kept := len(z)
	for i, v := range z {
		drop := below(keyOf(v), least)
		z[i] = math.Float32frombits(math.Float32bits(v) & (drop - 1))
		kept -= int(drop)
	}
	for i := len(z) - 1; kept > k; i-- { // more equals than there is room for
		if keyOf(z[i]) == least {
			z[i] = 0
			kept--
		}
	}
}

// likely fills room with the keys of some elements, the k largest among them,
// and returns how many: those above a sampled bound if they are enough, else
// all.
func likely(z []float32, k int, room []uint32) int {
	if len(z) > fewKeys {
		for i := range samples {
			room[i] = keyOf(z[sampleAt(i, len(z))])
		}
		bound := pivot(room[:samples], k, len(z))
		n := 0
		for _, v := range z {
			key := keyOf(v)
			room[n] = key
			n += int(below(bound, key))
		}
		if n >= k {
			return n
		}
	}
	for i, v := range z {
		room[i] = keyOf(v)
	}
	return len(z)
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

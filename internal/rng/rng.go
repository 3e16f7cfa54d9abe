// Package rng gives random numbers that depend on what they are for, never on
// who asked first.
//
// [New] names a stream by seed, purpose, epoch and row. Equal names give equal
// numbers on every machine, whichever goroutine draws them and in whatever
// order, so training repeats bit for bit on any number of cores.
//
// The generator is Philox 4x32-10: J. Salmon, M. Moraes, R. Dror and D. Shaw,
// "Parallel random numbers: as easy as 1, 2, 3", SC11. It turns a counter of
// 128 bits and a key of 64 into four words; a stream owns the counters that
// start with its purpose, epoch and row, 2^32 of them. The streams and the
// numbers of the purposes are frozen with version 1 of the model file.
package rng

import (
	"math"
	"math/bits"
)

// Purpose says what numbers are for, so that two uses of one seed never see
// the same numbers.
type Purpose uint16

// The purposes. Their numbers never change.
const (
	Weights     Purpose = 1 // initial weights; keyed by tensor and matrix row
	Bucket      Purpose = 2 // which bucket a row belongs to
	BucketOrder Purpose = 3 // the order of the buckets in an epoch
	RowOrder    Purpose = 4 // the order of the rows of a bucket in an epoch
	Corruption  Purpose = 5 // the noise of a row in an epoch
	Shuffle     Purpose = 6 // whatever else is shuffled
	Validation  Purpose = 7 // which rows are held out
	Window      Purpose = 8 // where in a window a row goes, and the order of the last
)

// Stream is a source of random numbers. It is a value: a copy goes on from
// the same place on its own. A Stream is not safe for concurrent use.
type Stream struct {
	key     [2]uint32
	counter [4]uint32 // the next block; [0] counts, the rest names the stream
	block   [4]uint32
	used    int // words of block already given
	spare   float64
	spared  bool
}

// New returns the stream of (seed, purpose, epoch, row). Rows below 2^48 have
// streams of their own; beyond that the high bits go to the key, where they
// may meet another seed.
func New(seed uint64, p Purpose, epoch uint32, row uint64) Stream {
	return Stream{
		key:     [2]uint32{uint32(seed), uint32(seed>>32) ^ uint32(row>>48)},
		counter: [4]uint32{0, uint32(row), uint32(row>>32)&0xffff | uint32(p)<<16, epoch},
		used:    4,
	}
}

// Uint32 returns 32 random bits.
func (s *Stream) Uint32() uint32 {
	if s.used == len(s.block) {
		s.refill()
	}
	w := s.block[s.used&3]
	s.used++
	return w
}

func (s *Stream) refill() {
	s.block[0], s.block[1], s.block[2], s.block[3] = philox(s.counter, s.key)
	s.counter[0]++
	s.used = 0
}

// Uint64 returns 64 random bits: two words, the low one first.
func (s *Stream) Uint64() uint64 {
	lo := s.Uint32()
	return uint64(lo) | uint64(s.Uint32())<<32
}

// Fill fills dst with random bits, as many calls of Uint64 would if the
// stream stands at the start of a block, and faster. What is left of the
// current block is skipped.
func (s *Stream) Fill(dst []uint64) {
	s.used = len(s.block)
	for len(dst) >= 4 {
		dst[0], dst[1], dst[2], dst[3] = philox2(s.counter, s.key)
		s.counter[0] += 2
		dst = dst[4:]
	}
	for i := range dst {
		dst[i] = s.Uint64()
	}
}

// Uint32n returns a number below n, each equally likely. It panics when n is 0.
//
// Source: D. Lemire, "Fast random integer generation in an interval", ACM
// Transactions on Modeling and Computer Simulation 29, 2019.
func (s *Stream) Uint32n(n uint32) uint32 {
	if n == 0 {
		panic("rng: Uint32n of 0")
	}
	hi, lo := bits.Mul32(s.Uint32(), n)
	if lo < n {
		for least := -n % n; lo < least; {
			hi, lo = bits.Mul32(s.Uint32(), n)
		}
	}
	return hi
}

// Float64 returns a number in [0, 1), a multiple of 2^-53.
func (s *Stream) Float64() float64 {
	return float64(s.Uint64()>>11) * 0x1p-53
}

// Norm returns a standard normal number, by the polar form of Box and Muller:
// numbers come in pairs and the second is kept for the next call.
func (s *Stream) Norm() float64 {
	if s.spared {
		s.spared = false
		return s.spare
	}
	for {
		// 32 bits a side, offset by half a step so that 0 cannot occur.
		x := (float64(int32(s.Uint32())) + 0.5) * 0x1p-31
		y := (float64(int32(s.Uint32())) + 0.5) * 0x1p-31
		r := float64(x*x) + float64(y*y)
		if r >= 1 {
			continue
		}
		f := math.Sqrt(-2 * math.Log(r) / r)
		s.spare, s.spared = y*f, true
		return x * f
	}
}

// Shuffle puts n things into an order drawn evenly from all orders, by
// calling swap. It panics when n is negative or above 2^32-1.
func (s *Stream) Shuffle(n int, swap func(i, j int)) {
	if n < 0 || uint64(n) > math.MaxUint32 {
		panic("rng: Shuffle of a number of things that does not fit in 32 bits")
	}
	for i := n - 1; i > 0; i-- {
		swap(i, int(s.Uint32n(uint32(i+1))))
	}
}

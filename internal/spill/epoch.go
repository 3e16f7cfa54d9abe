package spill

import (
	"context"
	"fmt"
	"iter"
	"slices"

	"github.com/aefeat/aefeat/internal/rng"
)

// Bucket is some rows of an epoch: a bucket, or a piece of one. Its slices are
// valid, and must not be changed, until the next one is asked for.
type Bucket struct {
	Rows   []byte  // rows of Width bytes, one after another
	Number []int64 // their numbers
	Order  []int32 // which of them to visit, in order
}

// Epoch yields every row once, bucket by bucket, in the order of the given
// epoch. It may be ranged over again, and for any epochs, but not while another
// is. The first error ends it; ctx is looked at between buckets. The next
// bucket is read while the present one is in use, and no goroutine is left
// when the loop ends, however it ends.
func (s *Store) Epoch(ctx context.Context, epoch uint32) iter.Seq2[Bucket, error] {
	return s.EpochFrom(ctx, epoch, 0)
}

// EpochFrom is Epoch without its first rows, so many of them. Buckets that it
// passes over are not read.
func (s *Store) EpochFrom(ctx context.Context, epoch uint32, from int64) iter.Seq2[Bucket, error] {
	if !s.sealed {
		panic("spill: Epoch before Seal")
	}
	buckets := make([]int, 1<<s.bits)
	for i := range buckets {
		buckets[i] = i
	}
	r := rng.New(s.seed, rng.BucketOrder, epoch, 0)
	r.Shuffle(len(buckets), func(i, j int) { buckets[i], buckets[j] = buckets[j], buckets[i] })
	for len(buckets) > 0 && from >= int64(s.rowsOf(buckets[0])) {
		from -= int64(s.rowsOf(buckets[0]))
		buckets = buckets[1:]
	}
	if s.file == nil {
		return s.inMemory(ctx, epoch, buckets, int(from))
	}
	return s.fromFile(ctx, epoch, buckets, int(from))
}

// rowsOf returns how many rows a bucket has.
func (s *Store) rowsOf(bucket int) int {
	if s.file == nil {
		return s.starts[bucket+1] - s.starts[bucket]
	}
	n := 0
	for _, p := range s.partsOf(bucket) {
		n += p.rows
	}
	return n
}

// pieceBytes is how much of a bucket in memory is gathered at a time: rows for
// some batches, few enough to be still in a cache when they are used.
const pieceBytes = 256 << 10

// inMemory gathers the rows of a piece side by side while the one before is in
// use: they lie anywhere in memory, and whoever trains should not wait for it.
func (s *Store) inMemory(ctx context.Context, epoch uint32, buckets []int, from int) iter.Seq2[Bucket, error] {
	return func(yield func(Bucket, error) bool) {
		size := max(1, pieceBytes/s.width)
		var slots [2]slot
		for i := range slots {
			slots[i] = slot{rows: make([]byte, size*s.width), number: make([]int64, size), order: make([]int32, size)}
			for j := range slots[i].order {
				slots[i].order[j] = int32(j)
			}
		}
		rest, skip := buckets, from
		var order, left []int32
		ahead(ctx, yield, func(turn int) (Bucket, bool, error) {
			for len(left) == 0 {
				if len(rest) == 0 {
					return Bucket{}, false, nil
				}
				b := rest[0]
				rest = rest[1:]
				order = append(order[:0], s.index[s.starts[b]:s.starts[b+1]]...)
				s.shuffle(order, epoch, b)
				left, skip = order[skip:], 0
			}
			n := min(size, len(left))
			t := &slots[turn]
			for i, row := range left[:n] {
				copy(t.rows[i*s.width:(i+1)*s.width], s.data[int(row)*s.width:])
				t.number[i] = s.number[row]
			}
			left = left[n:]
			return Bucket{Rows: t.rows[:n*s.width], Number: t.number[:n], Order: t.order[:n]}, true, nil
		})
	}
}

func (s *Store) fromFile(ctx context.Context, epoch uint32, buckets []int, from int) iter.Seq2[Bucket, error] {
	return func(yield func(Bucket, error) bool) {
		slots, err := s.slots()
		if err != nil {
			yield(Bucket{}, err)
			return
		}
		rest, skip := buckets, from
		ahead(ctx, yield, func(turn int) (Bucket, bool, error) {
			if len(rest) == 0 {
				return Bucket{}, false, nil
			}
			bucket, err := slots[turn].read(s, epoch, rest[0])
			if err == nil {
				bucket.Order, skip = bucket.Order[skip:], 0
			}
			rest = rest[1:]
			return bucket, true, err
		})
	}
}

// ahead yields what read returns, in turns of 0 and 1, until it has no more.
// It reads one bucket while another is in use, on a goroutine that has ended
// when it returns.
func ahead(ctx context.Context, yield func(Bucket, error) bool, read func(turn int) (b Bucket, more bool, err error)) {
	type result struct {
		bucket Bucket
		more   bool
		err    error
	}
	results := make(chan result, 1)
	start := func(turn int) {
		go func() {
			b, more, err := read(turn)
			results <- result{b, more, err}
		}()
	}
	start(0)
	for turn := 1; ; turn = 1 - turn {
		next := <-results
		if next.err == nil {
			next.err = ctx.Err()
		}
		if next.err != nil {
			yield(Bucket{}, next.err)
			return
		}
		if !next.more {
			return
		}
		start(turn)
		if len(next.bucket.Order) > 0 && !yield(next.bucket, nil) {
			<-results
			return
		}
	}
}

// shuffle permutes the rows of a bucket, given in the order of their numbers.
func (s *Store) shuffle(order []int32, epoch uint32, bucket int) {
	r := rng.New(s.seed, rng.RowOrder, epoch, uint64(bucket))
	r.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
}

// slot is the memory of one bucket, or piece, that is read ahead.
type slot struct {
	rows   []byte // with room for the numbers of one block behind the last row
	number []int64
	order  []int32
}

// slots carves two slots for the largest bucket out of the memory.
func (s *Store) slots() ([2]slot, error) {
	rows := 0
	for b := range 1 << s.bits {
		rows = max(rows, s.rowsOf(b))
	}
	slack := s.sizes.blockRows(s.width) * numberBytes
	need := 2 * (rows*(s.width+numberBytes+indexBytes) + slack + 3*alignment)
	if need > s.mem.size() {
		return [2]slot{}, fmt.Errorf("memory of %d bytes is too small to hold two buckets of rows: at least %d bytes are needed", s.mem.size(), need)
	}
	s.mem.reset()
	var slots [2]slot
	for i := range slots {
		slots[i] = slot{rows: s.mem.bytes(rows*s.width + slack), number: s.mem.int64s(rows), order: s.mem.int32s(rows)}
	}
	return slots, nil
}

// partsOf returns the parts that make up a bucket: several where the first
// scattering was finer than buckets turned out to be.
func (s *Store) partsOf(bucket int) []part {
	finer := s.partBits - s.bits
	return s.parts[bucket<<finer : (bucket+1)<<finer]
}

func (t *slot) read(s *Store, epoch uint32, bucket int) (Bucket, error) {
	rows := 0
	number := t.number[:0]
	for _, p := range s.partsOf(bucket) {
		for _, e := range p.extents {
			// The next block goes over the numbers of this one.
			buffer := t.rows[rows*s.width:][:int(e.rows)*(s.width+numberBytes)]
			if err := s.read(e, buffer); err != nil {
				return Bucket{}, err
			}
			for i := range int(e.rows) {
				number = append(number, getNumber(buffer[int(e.rows)*s.width+i*numberBytes:]))
			}
			rows += int(e.rows)
		}
	}
	order := t.order[:rows]
	for i := range order {
		order[i] = int32(i)
	}
	// Splitting keeps the order of rows; several parts only interleave.
	if !slices.IsSorted(number) {
		slices.SortFunc(order, func(a, b int32) int {
			if number[a] < number[b] {
				return -1
			}
			return 1
		})
	}
	s.shuffle(order, epoch, bucket)
	return Bucket{Rows: t.rows[:rows*s.width], Number: number, Order: order}, nil
}

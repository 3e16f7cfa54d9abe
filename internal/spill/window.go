package spill

import (
	"fmt"

	"github.com/aefeat/aefeat/internal/rng"
)

// Window shuffles rows that pass by, within a bound of memory: it holds so many
// of them, and each that comes in then takes the place of one drawn by (seed,
// its number), which goes out. So the order in which rows go out depends on
// their numbers, the seed and the size of the window, not on how they are cut
// into calls. It is not safe for concurrent use.
type Window struct {
	width  int
	size   int // rows that it can hold
	seed   uint64
	mem    *region
	rows   []byte
	number []int64
	row    []byte // one that changes its place
}

// NewWindow returns an empty Window for so many rows, of width bytes each. Like
// those of a Store they lie outside of Go's heap where the system can, and take
// memory only as they come in.
func NewWindow(width, size int, seed uint64) (*Window, error) {
	bytes := size*(width+numberBytes) + 2*alignment
	mem, err := newRegion(int64(bytes))
	if err != nil {
		return nil, fmt.Errorf("reserving %d bytes of memory to shuffle rows in: %w", bytes, err)
	}
	return &Window{
		width: width, size: size, seed: seed, mem: mem,
		rows: mem.bytes(size * width)[:0], number: mem.int64s(size)[:0], row: make([]byte, width),
	}, nil
}

// Exchange takes in len(number) rows, one after another in rows. The first of
// them find room, and it returns how many. In the place of each of the others
// it puts a row that goes out.
func (w *Window) Exchange(rows []byte, number []int64) (kept int) {
	if len(rows) != len(number)*w.width {
		panic("spill: rows and numbers differ in length")
	}
	kept = min(len(number), w.size-len(w.number))
	w.rows = append(w.rows, rows[:kept*w.width]...)
	w.number = append(w.number, number[:kept]...)
	for i := kept; i < len(number); i++ {
		r := rng.New(w.seed, rng.Window, 0, uint64(number[i]))
		at := int(r.Uint32n(uint32(w.size)))
		in, out := rows[i*w.width:(i+1)*w.width], w.rows[at*w.width:(at+1)*w.width]
		copy(w.row, in)
		copy(in, out)
		copy(out, w.row)
		number[i], w.number[at] = w.number[at], number[i]
	}
	return kept
}

// Held returns the rows that are in, and their numbers: what an empty Window
// takes in to be where this one is. They are valid until the next call of
// Exchange or Close, and not to be changed.
func (w *Window) Held() (rows []byte, number []int64) { return w.rows, w.number }

// Order returns the random order, drawn by the seed, in which the rows that are
// in go out when no more come in.
func (w *Window) Order() []int32 {
	order := make([]int32, len(w.number))
	for i := range order {
		order[i] = int32(i)
	}
	r := rng.New(w.seed, rng.Window, 1, 0)
	r.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
	return order
}

// Rows returns how many rows are in.
func (w *Window) Rows() int { return len(w.number) }

// Close gives the memory back. Closing again does nothing.
func (w *Window) Close() error {
	w.rows, w.number = nil, nil
	return w.mem.release()
}

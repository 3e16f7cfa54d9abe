package spill

import "unsafe"

// region is the whole budget of memory, mapped once and outside of Go's heap
// where the system can: the collector lets a heap grow to twice what is live,
// which for the rows of a data set is the difference between keeping to a
// budget and not. Slices of it are handed out from the front; they are dead
// after release.
type region struct {
	mem  []byte
	used int
}

// alignment of what a region hands out: a cache line, and more than any
// element needs.
const alignment = 64

func newRegion(size int64) (*region, error) {
	mem, err := reserve(int(size))
	if err != nil {
		return nil, err
	}
	return &region{mem: mem}, nil
}

func (r *region) size() int { return len(r.mem) }

// reset takes everything back.
func (r *region) reset() { r.used = 0 }

func (r *region) bytes(n int) []byte {
	at := (r.used + alignment - 1) / alignment * alignment
	r.used = at + n
	return r.mem[at:r.used:r.used]
}

func (r *region) int64s(n int) []int64 {
	return unsafe.Slice((*int64)(unsafe.Pointer(unsafe.SliceData(r.bytes(8*n)))), n)
}

func (r *region) int32s(n int) []int32 {
	return unsafe.Slice((*int32)(unsafe.Pointer(unsafe.SliceData(r.bytes(4*n)))), n)
}

// head and tail return the first and the last n bytes, whatever was handed out.
func (r *region) head(n int) []byte { return r.mem[:n] }
func (r *region) tail(n int) []byte { return r.mem[len(r.mem)-n:] }

func (r *region) release() error {
	if r.mem == nil {
		return nil
	}
	mem := r.mem
	r.mem = nil
	return unreserve(mem)
}

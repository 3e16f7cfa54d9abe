// Package spill keeps the rows of a stream for training: written once, read
// once an epoch in a new order each time, within a fixed amount of memory.
//
// A [Store] takes rows of one width with [Store.Append], is told with
// [Store.Seal] that no more will come, and then yields all rows once for every
// call of [Store.Epoch]. A [Window] shuffles rows that pass by, without keeping
// them.
//
// # Order
//
// The order of an epoch is logical. A row belongs to the bucket named by the
// top bits of a hash of (seed, row number); there are as many buckets as make
// each about 4 MiB. Epoch e visits the buckets in a permutation drawn by (seed,
// e), and the rows of a bucket in a permutation, drawn by (seed, e, bucket), of
// their order by number. So the sequence depends on the rows' numbers, their
// width and the seed alone: not on the memory given, nor on how the rows were
// cut into calls. Since the hash scatters neighbours, an input sorted by label
// is shuffled almost as well as by one permutation of all rows.
//
// # Memory and disk
//
// Rows stay in memory until three quarters of the budget are used. From then on
// they are scattered to a temporary file by a prefix of their hash, with one
// write buffer a prefix in the last quarter. [Store.Seal] splits prefixes that
// hold several buckets until every bucket can be read by itself. While a bucket
// is in use the next one is read.
//
// The file is made of blocks of one size, about 256 KiB, with a table of them
// in memory (24 bytes a block) that holds each block's CRC-32C. Blocks that
// were split are used again, so the file holds the rows once, plus at most one
// partly filled block for every prefix and level. Where the system allows that
// it has no name, so that nothing, a killed process included, leaves it behind;
// elsewhere the next one in its folder removes what such a process has left.
package spill

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"math/bits"
	"os"
	"syscall"

	"github.com/aefeat/aefeat/internal/disk"
	"github.com/aefeat/aefeat/internal/rng"
)

// Config says what a Store holds and where.
type Config struct {
	Width  int    // bytes of one row
	Seed   uint64 // of the order of rows
	Memory int64  // bytes for rows and buffers, at least Minimum(Width)
	Dir    string // folder of the temporary file; "" is the system's own

	sizes sizes
}

// sizes are constants that tests make smaller.
type sizes struct {
	bucket int64 // stored bytes of a bucket, at most on average
	block  int   // bytes of a block, about
	fan    int   // most bits of the hash that one scattering looks at
}

// defaultSizes: a bucket of 4 MiB is long enough to read at disk speed and to
// hide the next read behind training, and 2 of them fit the smallest budget. A
// block of 256 KiB amortises a seek on anything but a spinning disk, and lets
// 16 MiB of memory scatter to 16 prefixes. 1,024 prefixes bound the partly
// filled blocks to 256 MiB.
var defaultSizes = sizes{bucket: 4 << 20, block: 256 << 10, fan: 10}

// numberBytes is what a row's number adds to it where it is stored, and
// indexBytes what its place in the order adds in memory.
const (
	numberBytes = 8
	indexBytes  = 4
)

// Error is a failure of the temporary file: no space left, or data that came
// back different.
type Error struct {
	Dir  string // the folder that holds it
	Err  error
	Hint string
}

func (e *Error) Error() string { return fmt.Sprintf("spill file in %s: %v", e.Dir, e.Err) }
func (e *Error) Unwrap() error { return e.Err }

// errDamaged is the cause of an Error where a block is not what was written.
var errDamaged = errors.New("a block did not read back as it was written")

// Store keeps rows. It is not safe for concurrent use.
type Store struct {
	width int
	seed  uint64
	dir   string
	sizes sizes

	mem    *region
	rows   int64
	sealed bool
	bits   int // buckets are numbered by the top bits of the hash, once sealed

	// All rows, while they fit. index lists them bucket by bucket, once sealed.
	data   []byte
	number []int64
	index  []int32
	starts []int // where each bucket begins in index

	// The file, since they do not. Rows lie in parts by the top partBits bits.
	file     *disk.File
	first    *scatter
	parts    []part
	partBits int
	free     []int64 // blocks of the file that may be used again
	blocks   int64   // blocks that the file has
	written  int64   // bytes, splitting included
}

// bucketBytes returns how large a bucket of rows of the given width may be: 4
// MiB, but never so few rows that their number varies wildly from bucket to
// bucket.
func (z sizes) bucketBytes(width int) int64 {
	return max(z.bucket, 64*(int64(width)+numberBytes))
}

// blockRows returns the rows of a full block.
func (z sizes) blockRows(width int) int { return max(1, z.block/(width+numberBytes)) }

func (z sizes) minimum(width int) int64 { return 4 * z.bucketBytes(width) }

// Minimum returns the smallest budget in bytes for rows of the given width in
// bytes: room for four buckets, since a bucket may be somewhat larger than the
// mean and two are held at once. It is 16 MiB for rows of up to 64 KiB.
func Minimum(width int) int64 { return defaultSizes.minimum(width) }

// New returns an empty Store. The memory is reserved at once but used, and
// counted by the system, only as rows arrive.
func New(c Config) (*Store, error) {
	if c.Width <= 0 {
		panic("spill: width must be positive")
	}
	if c.sizes == (sizes{}) {
		c.sizes = defaultSizes
	}
	least := c.sizes.minimum(c.Width)
	if c.Memory < least {
		return nil, fmt.Errorf("memory of %d bytes is too small for rows of %d bytes: at least %d bytes (%d MiB) are needed",
			c.Memory, c.Width, least, (least+1<<20-1)>>20)
	}
	if c.Dir == "" {
		c.Dir = os.TempDir()
	}
	// Where the system refuses so much, a smaller budget may still do: the
	// order of rows does not depend on it.
	mem, err := newRegion(min(c.Memory, math.MaxInt/2))
	for size := c.Memory / 2; err != nil && size >= least; size /= 2 {
		mem, err = newRegion(size)
	}
	if err != nil {
		return nil, fmt.Errorf("reserving %d bytes of memory for rows: %w", c.Memory, err)
	}
	s := &Store{width: c.Width, seed: c.Seed, dir: c.Dir, sizes: c.sizes, mem: mem}
	fit := (mem.size()/4*3 - 3*alignment) / (c.Width + numberBytes + indexBytes)
	fit = min(fit, math.MaxInt32)
	s.data = mem.bytes(fit * c.Width)[:0]
	s.number = mem.int64s(fit)[:0]
	s.index = mem.int32s(fit)[:0]
	return s, nil
}

// Append adds len(number) rows, one after another in rows. Numbers must grow
// from row to row and from call to call. Nothing of the arguments is kept.
func (s *Store) Append(rows []byte, number []int64) error {
	if len(rows) != len(number)*s.width {
		panic("spill: rows and numbers differ in length")
	}
	if s.sealed {
		panic("spill: Append after Seal")
	}
	if s.file == nil {
		fit := min(len(number), cap(s.number)-len(s.number))
		s.data = append(s.data, rows[:fit*s.width]...)
		s.number = append(s.number, number[:fit]...)
		s.rows += int64(fit)
		if fit == len(number) {
			return nil
		}
		if err := s.spill(); err != nil {
			return err
		}
		rows, number = rows[fit*s.width:], number[fit:]
	}
	s.rows += int64(len(number))
	return s.first.add(rows, number)
}

// spill opens the file and moves the rows in memory to it.
func (s *Store) spill() error {
	file, err := disk.CreateScratch(s.dir, ".aefeat-spill-*")
	if err != nil {
		return s.failed(err)
	}
	s.file = file
	s.partBits = s.fan()
	s.first = s.scatter(0, s.partBits)
	if err := s.first.add(s.data, s.number); err != nil {
		return err
	}
	s.data, s.number, s.index = nil, nil, nil
	return nil
}

// fan returns how many bits of the hash one scattering may look at: a write
// buffer for each of their values must fit a quarter of the memory.
func (s *Store) fan() int {
	buffers := s.mem.size() / 4 / s.blockBytes()
	return max(1, min(bits.Len(uint(buffers))-1, s.sizes.fan))
}

func (s *Store) blockBytes() int {
	return s.sizes.blockRows(s.width) * (s.width + numberBytes)
}

// Rows returns how many rows were appended.
func (s *Store) Rows() int64 { return s.rows }

// Spilled returns how many bytes were written to the temporary file, those
// included that splitting wrote again; 0 when the rows are in memory.
func (s *Store) Spilled() int64 { return s.written }

// Seal ends the appending and brings the rows into buckets. It calls progress,
// if not nil, with the number of rows done so far out of the total that it will
// handle, and returns early with ctx's error when that is cancelled.
func (s *Store) Seal(ctx context.Context, progress func(done, total int64)) error {
	if s.sealed {
		return nil
	}
	bytes := s.rows * int64(s.width+numberBytes)
	for size := s.sizes.bucketBytes(s.width); size < bytes; size *= 2 {
		s.bits++
	}
	if s.file == nil {
		s.group()
	} else if err := s.split(ctx, progress); err != nil {
		return err
	}
	s.sealed = true
	return nil
}

// group lists the rows in memory bucket by bucket. In each they stay in the
// order of their numbers.
func (s *Store) group() {
	s.starts = make([]int, 1<<s.bits+1)
	for _, n := range s.number {
		s.starts[s.prefix(n, s.bits)+1]++
	}
	for b := range 1 << s.bits {
		s.starts[b+1] += s.starts[b]
	}
	next := append([]int(nil), s.starts...)
	s.index = s.index[:len(s.number)]
	for i, n := range s.number {
		b := s.prefix(n, s.bits)
		s.index[next[b]] = int32(i)
		next[b]++
	}
}

// prefix returns the top bits of the hash of a row's number.
func (s *Store) prefix(number int64, bits int) int {
	r := rng.New(s.seed, rng.Bucket, 0, uint64(number))
	return int(r.Uint64() >> (64 - bits))
}

// Close gives memory and file back. Buckets that Epoch yielded are invalid
// afterwards. Closing again does nothing.
func (s *Store) Close() error {
	s.sealed = true
	s.data, s.number, s.index, s.first, s.parts = nil, nil, nil, nil, nil
	if s.file != nil {
		_ = s.file.Close() // nobody needs what it held
		s.file = nil
	}
	return s.mem.release()
}

// CheckFolder reports, as an [*Error], a folder that is not there. "", the
// system's own, passes: that may do without until rows are spilled.
func CheckFolder(dir string) error {
	if dir == "" {
		return nil
	}
	info, err := disk.Stat(dir)
	var path *fs.PathError
	switch {
	case errors.As(err, &path):
		err = path.Err
	case err == nil && !info.IsDir():
		err = syscall.ENOTDIR
	}
	if err == nil {
		return nil
	}
	return &Error{Dir: dir, Err: err, Hint: "name a folder that is there with `SpillDir`"}
}

func (s *Store) failed(err error) error {
	return &Error{Dir: s.dir, Err: err,
		Hint: "name a folder on a sound disk with room for all rows (`SpillDir`), or keep more of them in memory (`Memory`)"}
}

func putNumber(b []byte, n int64) { binary.LittleEndian.PutUint64(b, uint64(n)) }
func getNumber(b []byte) int64    { return int64(binary.LittleEndian.Uint64(b)) }

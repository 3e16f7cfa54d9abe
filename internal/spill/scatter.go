package spill

import (
	"context"
	"fmt"
	"hash/crc32"
	"io"
)

// part holds the rows that share the top bits of their hash.
type part struct {
	extents []extent
	rows    int
}

// extent is one block of the file. A block of r rows is their r*width bytes and
// then their numbers, 8 bytes each, little end first.
type extent struct {
	block int64
	rows  uint32
	sum   uint32 // CRC-32C of the bytes in use
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// scatter sends rows to parts by some bits of their hash, through one write
// buffer a part. All its rows have the bits before these in common.
type scatter struct {
	s       *Store
	skip    int // bits in common
	bits    int
	buffers []byte // of one block each; the numbers of rows lie at its end
	fill    []int  // rows in each
	parts   []part
}

// scatter returns a scatter with buffers in the last quarter of the memory.
func (s *Store) scatter(skip, bits int) *scatter {
	return &scatter{
		s: s, skip: skip, bits: bits,
		buffers: s.mem.tail(s.blockBytes() << bits),
		fill:    make([]int, 1<<bits),
		parts:   make([]part, 1<<bits),
	}
}

func (c *scatter) add(rows []byte, number []int64) error {
	s := c.s
	width, blockRows, blockBytes := s.width, s.sizes.blockRows(s.width), s.blockBytes()
	mask := 1<<c.bits - 1
	for i, n := range number {
		p := s.prefix(n, c.skip+c.bits) & mask
		buffer := c.buffers[p*blockBytes:][:blockBytes]
		at := c.fill[p]
		copy(buffer[at*width:], rows[i*width:(i+1)*width])
		putNumber(buffer[blockRows*width+at*numberBytes:], n)
		c.fill[p]++
		if c.fill[p] == blockRows {
			if err := c.flush(p); err != nil {
				return err
			}
		}
	}
	return nil
}

// flush writes the buffer of a part to a block of its own.
func (c *scatter) flush(p int) error {
	s, rows := c.s, c.fill[p]
	if rows == 0 {
		return nil
	}
	buffer := c.buffers[p*s.blockBytes():][:s.blockBytes()]
	numbers := buffer[s.sizes.blockRows(s.width)*s.width:][:rows*numberBytes]
	copy(buffer[rows*s.width:], numbers)
	buffer = buffer[:rows*(s.width+numberBytes)]

	e := extent{block: s.blocks, rows: uint32(rows), sum: crc32.Checksum(buffer, castagnoli)}
	if last := len(s.free) - 1; last >= 0 {
		e.block, s.free = s.free[last], s.free[:last]
	} else {
		s.blocks++
	}
	if _, err := s.file.WriteAt(buffer, e.block*int64(s.blockBytes())); err != nil {
		return s.failed(err)
	}
	s.written += int64(len(buffer))
	c.parts[p].extents = append(c.parts[p].extents, e)
	c.parts[p].rows += rows
	c.fill[p] = 0
	return nil
}

// finish writes what is left in the buffers and returns the parts.
func (c *scatter) finish() ([]part, error) {
	for p := range c.parts {
		if err := c.flush(p); err != nil {
			return nil, err
		}
	}
	return c.parts, nil
}

// read reads a block into buffer, which begins with the rows and ends with
// their numbers.
func (s *Store) read(e extent, buffer []byte) error {
	offset := e.block * int64(s.blockBytes())
	_, err := s.file.ReadAt(buffer, offset)
	switch {
	case err == io.EOF:
		return s.failed(fmt.Errorf("reading at byte %d: %w", offset, io.ErrUnexpectedEOF))
	case err != nil:
		return s.failed(err)
	case crc32.Checksum(buffer, castagnoli) != e.sum:
		return s.failed(fmt.Errorf("%w: %d bytes at byte %d", errDamaged, len(buffer), offset))
	}
	return nil
}

// split splits parts until each holds no more than one bucket, level by level,
// each level by as many bits as the memory has write buffers for.
func (s *Store) split(ctx context.Context, progress func(done, total int64)) error {
	parts, err := s.first.finish()
	if err != nil {
		return err
	}
	s.first = nil
	fan := s.fan()
	levels := (max(0, s.bits-s.partBits) + fan - 1) / fan
	total, done := s.rows*int64(levels), int64(0)
	number := make([]int64, s.sizes.blockRows(s.width))
	for s.partBits < s.bits {
		step := min(fan, s.bits-s.partBits)
		finer := make([]part, 0, len(parts)<<step)
		for p := range parts {
			c := s.scatter(s.partBits, step)
			for _, e := range parts[p].extents {
				if err := ctx.Err(); err != nil {
					return err
				}
				rows := int(e.rows)
				buffer := s.mem.head(rows * (s.width + numberBytes))
				if err := s.read(e, buffer); err != nil {
					return err
				}
				s.free = append(s.free, e.block)
				for i := range rows {
					number[i] = getNumber(buffer[rows*s.width+i*numberBytes:])
				}
				if err := c.add(buffer[:rows*s.width], number[:rows]); err != nil {
					return err
				}
				done += int64(rows)
				if progress != nil {
					progress(done, total)
				}
			}
			parts[p].extents = nil
			split, err := c.finish()
			if err != nil {
				return err
			}
			finer = append(finer, split...)
		}
		parts = finer
		s.partBits += step
	}
	s.parts = parts
	return nil
}

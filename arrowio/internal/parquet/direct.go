package parquet

import (
	"fmt"
	"io"
	"math"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/bitutil"
	"github.com/apache/arrow-go/v18/arrow/endian"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/aefeat/aefeat/arrowio/internal/bound"
	"github.com/aefeat/aefeat/arrowio/internal/format"
)

// A direct decodes a column of numbers, or of lists of numbers, straight from
// its pages: these are what patches are made of, and the library's record
// reader takes several times as long. All other columns go to the library.
type direct struct {
	pages *pageReader
	typ   arrow.DataType
	elem  arrow.DataType // of the numbers
	from  int            // bytes of a number in the file
	width int            // in memory
	list  bool
	outer int  // definition level at which a list is there: 1 if it may be null
	inner bool // numbers may be null
	mem   memory.Allocator

	dict []byte // values of the dictionary, width bytes each

	// The page in hand.
	loaded bool
	levels int    // of the page
	level  int    // the next one
	values []byte // of the page, width bytes each, those that are not null
	value  int    // the next one
	dense  bool   // nothing is null or empty
	starts []int  // levels at which a row begins; of a dense page of lists
	start  int    // the next one
	rep    []byte // levels, one byte each; of a page that is not dense
	def    []byte
	plain  []byte // values that were encoded

	last int // bytes of the batch before
	out  output
}

// output is the batch being decoded.
type output struct {
	values   *memory.Buffer
	count    int   // numbers
	nulls    []int // among them
	offsets  []int64
	rowNulls []int
}

// newDirect returns nil for a column that it cannot decode.
func newDirect(l *leaf, field arrow.Field, mem memory.Allocator) *direct {
	if endian.IsBigEndian {
		return nil
	}
	c := &direct{typ: field.Type, elem: field.Type, from: l.length, mem: mem}
	seen := 0 // optional levels
	for _, rep := range l.repetition {
		switch {
		case rep == format.Repeated && c.list:
			return nil
		case rep == format.Repeated:
			c.list, c.outer, seen = true, seen, 0
		case rep == format.Optional:
			seen++
		}
	}
	c.inner = seen > 0
	if seen > 1 || c.outer > 1 {
		return nil
	}
	if c.list {
		switch t := field.Type.(type) {
		case *arrow.FixedSizeListType:
			c.elem = t.Elem()
		case *arrow.ListType:
			c.elem = t.Elem()
		case *arrow.LargeListType:
			c.elem = t.Elem()
		default:
			return nil
		}
	}
	physical, ok := numbers[c.elem.ID()]
	if c.elem.ID() == arrow.TIMESTAMP && l.physical == format.Int96 {
		physical, ok = format.Int96, true
	}
	if !ok || physical != l.physical || c.elem.ID() == arrow.FLOAT16 && l.length != 2 {
		return nil
	}
	c.width = c.elem.(arrow.FixedWidthDataType).Bytes()
	return c
}

// numbers are the types decoded here, and how Parquet stores them.
var numbers = map[arrow.Type]int32{
	arrow.UINT8: format.Int32, arrow.INT8: format.Int32,
	arrow.UINT16: format.Int32, arrow.INT16: format.Int32,
	arrow.UINT32: format.Int32, arrow.INT32: format.Int32,
	arrow.UINT64: format.Int64, arrow.INT64: format.Int64,
	arrow.FLOAT16: format.Fixed, arrow.FLOAT32: format.Float, arrow.FLOAT64: format.Double,
}

// read decodes n rows.
func (c *direct) read(n int) (arr arrow.Array, err error) {
	c.out.values = memory.NewResizableBuffer(c.mem)
	c.out.values.Reserve(c.last) // what the footer says of the size may be wrong
	defer c.out.free()
	rows := 0
	for done := false; !done; {
		if !c.loaded {
			switch err := c.load(); {
			case err == io.EOF && rows == n:
				done = true
				continue
			case err == io.EOF:
				return nil, fmt.Errorf("%d rows, expected %d", rows, n)
			case err != nil:
				c.pages.err = err
				return nil, err
			}
		}
		switch {
		case !c.list && c.dense:
			k := min(n-rows, c.levels-c.level)
			c.take(k)
			c.level += k
			rows += k
			done = rows == n
		case !c.list:
			rows = c.sparseNumbers(rows, n)
			done = rows == n
		case c.dense:
			rows, done = c.denseRows(rows, n)
		default:
			if rows, done, err = c.sparseRows(rows, n); err != nil {
				c.pages.err = err
				return nil, err
			}
		}
		c.loaded = c.level < c.levels
		if c.out.count*c.width > 2*maxRowBytes {
			return nil, &bound.MemoryError{Want: 2 * maxRowBytes}
		}
	}
	return c.assemble(n)
}

// finish implements column: pages of no rows may be left.
func (c *direct) finish() error {
	for {
		if _, err := c.pages.next(); err == io.EOF {
			return nil
		} else if err != nil {
			c.pages.err = err
			return err
		}
	}
}

// release implements column.
func (c *direct) release() { c.pages.release() }

// denseRows takes rows of a page in which every level stands for a number. A
// row is complete where the next one begins.
func (c *direct) denseRows(rows, n int) (int, bool) {
	k := min(n-rows, len(c.starts)-c.start)
	end := c.levels
	done := c.start+k < len(c.starts)
	if done {
		end = c.starts[c.start+k]
	}
	for _, at := range c.starts[c.start : c.start+k] {
		c.out.offsets = append(c.out.offsets, int64(c.out.count+at-c.level))
	}
	c.take(end - c.level)
	c.start += k
	c.level = end
	return rows + k, done
}

// sparseNumbers takes rows that are a number or null each.
func (c *direct) sparseNumbers(rows, n int) int {
	run := 0 // numbers since the last null
	for ; rows < n && c.level < c.levels; c.level++ {
		if c.def[c.level] != 0 {
			run++
		} else {
			c.take(run)
			run = 0
			c.null(1)
		}
		rows++
	}
	c.take(run)
	return rows
}

// sparseRows takes rows of a page with nulls or empty lists.
func (c *direct) sparseRows(rows, n int) (int, bool, error) {
	run := 0 // numbers not yet taken
	for ; c.level < c.levels; c.level++ {
		def := int(c.def[c.level])
		if c.rep[c.level] == 0 {
			if rows == n {
				c.take(run)
				return rows, true, nil
			}
			rows++
			c.out.offsets = append(c.out.offsets, int64(c.out.count+run))
			if def < c.outer {
				c.take(run)
				run = 0
				c.nullRow(rows - 1)
				continue
			}
			if def == c.outer { // empty
				continue
			}
		} else if def <= c.outer {
			return 0, false, errLevels
		}
		if c.inner && def == c.outer+1 {
			c.take(run)
			run = 0
			c.null(1)
		} else {
			run++
		}
	}
	c.take(run)
	return rows, false, nil
}

// take appends the next n values.
func (c *direct) take(n int) {
	if n > 0 {
		copy(c.out.grow(n, c.width), c.values[c.value*c.width:(c.value+n)*c.width])
		c.value += n
	}
}

// null appends numbers that are null.
func (c *direct) null(n int) {
	for i := range n {
		c.out.nulls = append(c.out.nulls, c.out.count+i)
	}
	clear(c.out.grow(n, c.width))
}

// nullRow makes a row null. In an array of fixed-size lists it has numbers all
// the same.
func (c *direct) nullRow(row int) {
	c.out.rowNulls = append(c.out.rowNulls, row)
	t, ok := c.typ.(*arrow.FixedSizeListType)
	switch {
	case !ok:
	case c.inner:
		c.null(int(t.Len()))
	default:
		clear(c.out.grow(int(t.Len()), c.width))
	}
}

// grow makes room for n more numbers and returns it.
func (o *output) grow(n, width int) []byte {
	from := o.count * width
	o.count += n
	if need := o.count * width; need > o.values.Cap() {
		o.values.Reserve(max(need, 2*o.values.Cap()))
	}
	o.values.ResizeNoShrink(o.count * width)
	return o.values.Bytes()[from:]
}

// load brings the next page with values into hand.
func (c *direct) load() error {
	p, err := c.pages.next()
	if err != nil {
		return err
	}
	if p.dictionary {
		c.dict, err = c.narrow(nil, p.data, p.values)
		return err
	}
	if p.values == 0 {
		return nil
	}
	c.loaded = true
	c.levels, c.level, c.value, c.start = p.values, 0, 0, 0
	c.dense = p.present == p.values
	switch {
	case c.dense && c.list:
		c.starts, err = rowStarts(c.starts[:0], p.rep, p.values)
	case !c.dense:
		if c.list {
			if c.rep, err = unpackLevels(c.rep[:0], p.rep, p.values, 1); err != nil {
				return err
			}
		}
		c.def, err = unpackLevels(c.def[:0], p.def, p.values, c.pages.leaf.maxDef)
	}
	if err != nil {
		return err
	}
	return c.decode(p)
}

// assemble makes the array of n rows.
func (c *direct) assemble(n int) (arrow.Array, error) {
	o := &c.out
	c.last = o.count * c.width
	o.values.Resize(o.count * c.width)
	numbers := array.NewData(c.elem, o.count, []*memory.Buffer{c.bitmap(o.count, o.nulls), o.values}, nil, len(o.nulls), 0)
	releaseBitmap(numbers)
	defer numbers.Release()
	if !c.list {
		return array.MakeFromData(numbers), nil
	}
	o.offsets = append(o.offsets, int64(o.count))
	buffers := []*memory.Buffer{c.bitmap(n, o.rowNulls)}
	switch t := c.typ.(type) {
	case *arrow.FixedSizeListType:
		for i := range n {
			if size := o.offsets[i+1] - o.offsets[i]; size != int64(t.Len()) {
				return nil, fmt.Errorf("a list of %d values, where %d is the size of all", size, t.Len())
			}
		}
	case *arrow.LargeListType:
		b := memory.NewResizableBuffer(c.mem)
		defer b.Release()
		b.Resize(8 * (n + 1))
		copy(arrow.Int64Traits.CastFromBytes(b.Bytes()), o.offsets)
		buffers = append(buffers, b)
	default:
		if o.count > math.MaxInt32 {
			return nil, &bound.UnsupportedError{What: "its lists are too long for their type"}
		}
		b := memory.NewResizableBuffer(c.mem)
		defer b.Release()
		b.Resize(4 * (n + 1))
		to := arrow.Int32Traits.CastFromBytes(b.Bytes())
		for i, v := range o.offsets {
			to[i] = int32(v)
		}
		buffers = append(buffers, b)
	}
	lists := array.NewData(c.typ, n, buffers, []arrow.ArrayData{numbers}, len(o.rowNulls), 0)
	releaseBitmap(lists)
	defer lists.Release()
	return array.MakeFromData(lists), nil
}

// bitmap returns a validity bitmap, nil if nothing is null.
func (c *direct) bitmap(n int, nulls []int) *memory.Buffer {
	if len(nulls) == 0 {
		return nil
	}
	b := memory.NewResizableBuffer(c.mem)
	b.Resize(int(bitutil.BytesForBits(int64(n))))
	clear(b.Bytes())
	bitutil.SetBitsTo(b.Bytes(), 0, int64(n), true)
	for _, i := range nulls {
		bitutil.ClearBit(b.Bytes(), i)
	}
	return b
}

// releaseBitmap leaves the bitmap to the data that was made with it.
func releaseBitmap(d arrow.ArrayData) {
	if b := d.Buffers()[0]; b != nil {
		b.Release()
	}
}

func (o *output) free() {
	o.values.Release()
	*o = output{nulls: o.nulls[:0], rowNulls: o.rowNulls[:0], offsets: o.offsets[:0]}
}

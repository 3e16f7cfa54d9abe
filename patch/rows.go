package patch

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/bitutil"

	"github.com/aefeat/aefeat/model"
)

// rowBuffers is the scratch memory of a Binding, reused from batch to batch.
type rowBuffers struct {
	out      []uint64 // the rows; words, so that every element type is aligned
	gathered []uint64 // elements as stored, where they do not lie in one piece
	number   []int64
	skipped  []BadRow
	rows     []int32
	starts   [2][]int // used in turn: exploding one cursor writes the other
	turn     int
	bad      []bool
	raw      [][]byte // scalar columns: their elements

	firstBad *RowError // the bad row with the lowest position
	anyBad   bool
}

// Rows returns the patches of batch. first is the position in the input of the
// batch's row 0: it numbers the rows, and names them in errors. A row without a
// usable patch (null anywhere on the way to it or in it, of another width, NaN
// or infinite) is a [*RowError] with that position, the lowest one of the
// batch; with BindOptions.Skip it is left out, and skipped says why. skipped is
// ascending, and valid until the next call on b.
//
// Data of rows points into the batch where the batch holds the elements of all
// rows in one piece in the form of [Binding.Kind], and into a buffer of b
// otherwise: it is valid until the next call on b and as long as the caller
// holds the batch.
func (b *Binding) Rows(batch arrow.RecordBatch, first int64) (rows model.Rows, skipped []BadRow, err error) {
	if err := b.resolve(batch.Schema()); err != nil {
		return model.Rows{}, nil, err
	}
	m := int(batch.NumRows())
	if m > math.MaxInt32 {
		return model.Rows{}, nil, bindError("", fmt.Sprintf("batch of %d rows, more than a batch may have", m), "")
	}
	b.anyBad, b.firstBad = false, nil
	b.bad = resize(b.bad, m)
	clear(b.bad)
	b.number, b.skipped = b.number[:0], b.skipped[:0]

	var (
		data []byte
		good []int32
	)
	switch {
	case m == 0:
	case b.scalar:
		data, good, err = b.scalarRows(batch, m)
	default:
		data, good, err = b.patchRows(batch, m)
	}
	if err != nil {
		if at, ok := err.(*RowError); ok && at.Row >= 0 {
			at.Row += first
		}
		return model.Rows{}, nil, err
	}
	if b.anyBad && !b.skip {
		b.firstBad.Row += first
		return model.Rows{}, nil, b.firstBad
	}
	for _, r := range good {
		b.number = append(b.number, first+int64(r))
	}
	for i := range b.skipped {
		b.skipped[i].Row += first
	}
	slices.SortFunc(b.skipped, byRow)
	return model.Rows{Kind: b.kind, Width: b.width, Data: data, Number: b.number}, b.skipped, nil
}

// mark notes that a row holds no patch. text is called where it will be shown.
func (b *Binding) mark(row int32, column string, reason Reason, text func() string) {
	b.anyBad = true
	if b.bad[row] {
		return
	}
	b.bad[row] = true
	switch {
	case b.skip:
		b.skipped = append(b.skipped, BadRow{int64(row), reason})
	case b.firstBad == nil || int64(row) < b.firstBad.Row:
		b.firstBad = BadRowError(column, int64(row), text())
	}
}

// A cursor says where the elements of each row lie in an array: perRow runs of
// run consecutive positions each. It starts as one position in the column for
// every row, and every level of lists widens its runs.
type cursor struct {
	rows   []int32 // rows of the batch that are still good
	perRow int
	run    int
	base   int
	starts []int // of each run; nil: they follow one another from base on
}

func (c *cursor) runs() int { return len(c.rows) * c.perRow }

func (c *cursor) start(k int) int {
	if c.starts == nil {
		return c.base + k*c.run
	}
	return c.starts[k]
}

// scatter gives the cursor a start for every run, so that runs can be taken
// out.
func (b *Binding) scatter(c *cursor) {
	if c.starts != nil {
		return
	}
	starts := b.nextStarts(c.runs())
	for k := range starts {
		starts[k] = c.start(k)
	}
	c.starts = starts
}

// nextStarts returns a buffer that no cursor uses.
func (b *Binding) nextStarts(n int) []int {
	b.turn = 1 - b.turn
	b.starts[b.turn] = resize(b.starts[b.turn], n)
	return b.starts[b.turn]
}

// dropBad takes the rows marked bad out of the cursor.
func (b *Binding) dropBad(c *cursor) {
	if !slices.ContainsFunc(c.rows, func(r int32) bool { return b.bad[r] }) {
		return
	}
	b.scatter(c)
	kept := 0
	for i, r := range c.rows {
		if b.bad[r] {
			continue
		}
		c.rows[kept] = r
		copy(c.starts[kept*c.perRow:(kept+1)*c.perRow], c.starts[i*c.perRow:(i+1)*c.perRow])
		kept++
	}
	c.rows = c.rows[:kept]
	c.starts = c.starts[:kept*c.perRow]
}

// dropNulls marks and drops the rows that have a null where the cursor stands.
// within names the struct, if it is one.
func (b *Binding) dropNulls(c *cursor, a arrow.Array, column, within string) {
	if a.NullN() == 0 {
		return
	}
	bitmap, offset := a.NullBitmapBytes(), a.Data().Offset()
	if len(bitmap) == 0 {
		return
	}
	if len(bitmap) < int(bitutil.BytesForBits(int64(offset+a.Len()))) {
		for _, r := range c.rows {
			b.mark(r, column, Damaged, func() string { return shortBitmap })
		}
		b.dropBad(c)
		return
	}
	for i, r := range c.rows {
		for k := i * c.perRow; k < (i+1)*c.perRow; k++ {
			s := c.start(k)
			if bitutil.CountSetBits(bitmap, offset+s, c.run) == c.run {
				continue
			}
			b.mark(r, column, Null, func() string {
				if within != "" {
					return fmt.Sprintf("null value in struct %q", within)
				}
				if c.perRow*c.run == 1 {
					return "null value"
				}
				at := 0
				for bitutil.BitIsSet(bitmap, offset+s+at) {
					at++
				}
				return fmt.Sprintf("null at element %d", (k-i*c.perRow)*c.run+at)
			})
			break
		}
	}
	b.dropBad(c)
}

// shortBitmap is the reason of rows in an array whose nulls cannot be told.
const shortBitmap = "validity bitmap is cut short"

// reach follows structs from the batch's column down to the column that is
// bound.
func (b *Binding) reach(batch arrow.RecordBatch, col *boundColumn, c *cursor) (arrow.Array, error) {
	a := batch.Column(col.index[0])
	for depth, i := range col.index[1:] {
		st, ok := a.(*array.Struct)
		if !ok {
			return nil, bindError(col.name, fmt.Sprintf("array of %s, expected a struct", a.DataType()), "")
		}
		b.dropNulls(c, st, col.name, strings.Join(col.path[:depth+1], "."))
		a = st.Field(i)
	}
	if need := int(batch.NumRows()); a.Len() < need {
		return nil, bindError(col.name, fmt.Sprintf("%d values in a batch of %d rows", a.Len(), need), "")
	}
	return a, nil
}

// descend takes the cursor through the levels of a down to its elements. It
// returns their bytes, to which the cursor's positions then refer. dims holds
// the size of each level and learns those that are unknown from the first run.
func (b *Binding) descend(a arrow.Array, c *cursor, col *boundColumn, dims []int) ([]byte, error) {
	for level := 0; ; {
		if len(c.rows) == 0 {
			return nil, nil
		}
		if ext, ok := a.(array.ExtensionArray); ok {
			a = ext.Storage()
			continue
		}
		b.dropNulls(c, a, col.name, "")
		if len(c.rows) == 0 {
			return nil, nil
		}
		if x, ok := a.(*array.Dictionary); ok {
			// Single numbers are looked up now: a position takes 8 bytes.
			if len(col.dims) == level {
				return b.lookUp(x, c, col)
			}
			b.follow(x, c, col)
			a = x.Dictionary()
			continue
		}
		inner, err := b.enter(a, c, col, dims, level)
		if err != nil {
			return nil, err
		}
		if inner == nil {
			return b.innermost(a, c, col, dims, level)
		}
		a = inner
		level++
	}
}

// follow moves the cursor from the indexes of a dictionary to its values.
func (b *Binding) follow(x *array.Dictionary, c *cursor, col *boundColumn) {
	n := x.Dictionary().Len()
	starts := b.nextStarts(c.runs() * c.run)
	for i, r := range c.rows {
		for k := i * c.perRow; k < (i+1)*c.perRow; k++ {
			s := c.start(k)
			for j := range c.run {
				at := x.GetValueIndex(s + j)
				if at < 0 || at >= n {
					b.mark(r, col.name, Damaged, func() string {
						return fmt.Sprintf("index %d into a dictionary of %d values", at, n)
					})
					at = 0
				}
				starts[k*c.run+j] = at
			}
		}
	}
	c.starts, c.perRow, c.run = starts, c.perRow*c.run, 1
	b.dropBad(c)
}

// enter moves the cursor from lists to what is in them, and returns that; nil
// where a is no list.
func (b *Binding) enter(a arrow.Array, c *cursor, col *boundColumn, dims []int, level int) (arrow.Array, error) {
	list, ok := a.(array.ListLike)
	if !ok {
		return nil, nil
	}
	inner := list.ListValues()
	switch x := a.(type) {
	case *array.FixedSizeList:
		n := int(x.DataType().(*arrow.FixedSizeListType).Len())
		b.widenFixed(c, x.Data().Offset(), n, inner.Len(), col)
		return inner, nil
	case *array.List:
		return inner, widen(b, c, x.Offsets(), x.Data(), inner.Len(), col, dims, level, nil)
	case *array.LargeList:
		return inner, widen(b, c, x.Offsets(), x.Data(), inner.Len(), col, dims, level, nil)
	case *array.ListView:
		return inner, widenView(b, c, x.Offsets(), x.Sizes(), x.Data(), inner.Len(), col, dims, level)
	case *array.LargeListView:
		return inner, widenView(b, c, x.Offsets(), x.Sizes(), x.Data(), inner.Len(), col, dims, level)
	}
	return nil, nil
}

// innermost returns what the innermost lists hold: numbers, or bytes that are.
func (b *Binding) innermost(a arrow.Array, c *cursor, col *boundColumn, dims []int, level int) ([]byte, error) {
	switch x := a.(type) {
	case *array.FixedSizeBinary:
		n := x.DataType().(*arrow.FixedSizeBinaryType).ByteWidth
		values := bufferBytes(x, 1)
		b.widenFixed(c, x.Data().Offset(), n, len(values), col)
		return values, b.notImages(c, values, col)
	case *array.Binary:
		offsets := arrow.Int32Traits.CastFromBytes(bufferBytes(x, 1))
		return widenBytes(b, c, offsets, x.Data(), col, dims, level)
	case *array.LargeBinary:
		offsets := arrow.Int64Traits.CastFromBytes(bufferBytes(x, 1))
		return widenBytes(b, c, offsets, x.Data(), col, dims, level)
	case *array.BinaryView:
		return b.copyViews(x, c, col, dims, level)
	}
	if a.DataType().ID() != col.element.id || level != len(dims) {
		return nil, bindError(col.name, fmt.Sprintf("array of %s, expected %s", a.DataType(), col.element.name), "")
	}
	return numbers(a, a.Len(), col)
}

// numbers returns the first n values of an array of numbers as its buffer has
// them.
func numbers(a arrow.Array, n int, col *boundColumn) ([]byte, error) {
	size := col.element.size
	values, lo := bufferBytes(a, 1), a.Data().Offset()*size
	if len(values) < lo+n*size {
		return nil, bindError(col.name, fmt.Sprintf("%d bytes for %d values of %s", len(values), a.Data().Offset()+n, a.DataType()), "")
	}
	return values[lo : lo+n*size], nil
}

// bufferBytes returns the bytes of one of an array's buffers.
func bufferBytes(a arrow.Array, i int) []byte {
	if buf := a.Data().Buffers()[i]; buf != nil {
		return buf.Bytes()
	}
	return nil
}

// widenFixed takes the cursor into lists of n values each.
func (b *Binding) widenFixed(c *cursor, offset, n, have int, col *boundColumn) {
	for i, r := range c.rows {
		for k := i * c.perRow; k < (i+1)*c.perRow; k++ {
			if end := (offset + c.start(k) + c.run) * n; end > have {
				b.mark(r, col.name, Damaged, func() string { return fmt.Sprintf("list ends at value %d of %d", end, have) })
				break
			}
		}
	}
	b.dropBad(c)
	c.base = (offset + c.base) * n
	for k := range c.starts {
		c.starts[k] = (offset + c.starts[k]) * n
	}
	c.run *= n
}

// widen takes the cursor into lists given by their offsets, which all have to
// hold dims[level] values. misfit, if not nil, is told of the first list that
// does not.
func widen[T int32 | int64](b *Binding, c *cursor, offsets []T, data arrow.ArrayData, have int, col *boundColumn, dims []int, level int, misfit func(lo, hi T) error) error {
	if need := data.Offset() + data.Len() + 1; len(offsets) < need {
		return bindError(col.name, fmt.Sprintf("%d list offsets, expected %d", len(offsets), need), "")
	}
	offsets = offsets[data.Offset():]
	if dims[level] == unknown {
		s := c.start(0)
		dims[level] = int(offsets[s+1] - offsets[s])
	}
	n := T(dims[level])

	if c.starts == nil && n > 0 {
		if span := offsets[c.base : c.base+c.runs()*c.run+1]; evenly(span, n, have) {
			c.base = int(span[0])
			c.run *= int(n)
			return nil
		}
	}
	var stop error
	for i, r := range c.rows {
	row:
		for k := i * c.perRow; k < (i+1)*c.perRow; k++ {
			s := c.start(k)
			for j := s; j < s+c.run; j++ {
				lo, hi := offsets[j], offsets[j+1]
				switch {
				case lo < 0 || hi < lo || int64(hi) > int64(have):
					b.mark(r, col.name, Damaged, func() string { return fmt.Sprintf("list from value %d to %d of %d", lo, hi, have) })
				case hi-lo != n || n == 0:
					if misfit != nil && stop == nil {
						if stop = misfit(lo, hi); stop != nil {
							stop.(*RowError).Row = int64(r)
						}
					}
					b.mark(r, col.name, Ragged, func() string {
						return raggedReason(dims, level, (k-i*c.perRow)*c.run+j-s, int(hi-lo))
					})
				default:
					continue
				}
				break row
			}
		}
	}
	if stop != nil {
		return stop
	}
	b.dropBad(c)
	b.scatter(c)
	for k, s := range c.starts {
		c.starts[k] = int(offsets[s])
	}
	c.run *= int(n)
	return nil
}

// evenly reports whether all lists hold n values, of the ones that there are.
func evenly[T int32 | int64](offsets []T, n T, have int) bool {
	odd := T(0)
	for i := 1; i < len(offsets); i++ {
		odd |= (offsets[i] - offsets[i-1]) ^ n
	}
	return odd == 0 && offsets[0] >= 0 && int64(offsets[len(offsets)-1]) <= int64(have)
}

// widenBytes is widen for values of bytes, and returns the bytes.
func widenBytes[T int32 | int64](b *Binding, c *cursor, offsets []T, data arrow.ArrayData, col *boundColumn, dims []int, level int) ([]byte, error) {
	var values []byte
	if buf := data.Buffers()[2]; buf != nil {
		values = buf.Bytes()
	}
	err := widen(b, c, offsets, data, len(values), col, dims, level, func(lo, hi T) error { return notImage(values[lo:hi], col) })
	if err != nil {
		return nil, err
	}
	return values, b.notImages(c, values, col)
}

// widenView is widen for list views, which may lie anywhere and in any order.
func widenView[T int32 | int64](b *Binding, c *cursor, offsets, sizes []T, data arrow.ArrayData, have int, col *boundColumn, dims []int, level int) error {
	if need := data.Offset() + data.Len(); len(offsets) < need || len(sizes) < need {
		return bindError(col.name, fmt.Sprintf("%d list offsets and %d sizes, expected %d", len(offsets), len(sizes), need), "")
	}
	offsets, sizes = offsets[data.Offset():], sizes[data.Offset():]
	if dims[level] == unknown {
		dims[level] = int(sizes[c.start(0)])
	}
	n := T(dims[level])
	starts := b.nextStarts(c.runs() * c.run)
	for i, r := range c.rows {
		for k := i * c.perRow; k < (i+1)*c.perRow; k++ {
			s := c.start(k)
			for j := range c.run {
				lo, size := offsets[s+j], sizes[s+j]
				starts[k*c.run+j] = int(lo)
				switch {
				case lo < 0 || size < 0 || int64(lo)+int64(size) > int64(have):
					b.mark(r, col.name, Damaged, func() string { return fmt.Sprintf("list of %d values from value %d of %d", size, lo, have) })
				case size != n || n == 0:
					b.mark(r, col.name, Ragged, func() string { return raggedReason(dims, level, (k-i*c.perRow)*c.run+j, int(size)) })
				}
			}
		}
	}
	c.starts, c.perRow, c.run = starts, c.perRow*c.run, 1
	b.dropBad(c)
	c.run = int(n)
	return nil
}

// copyViews copies binary views, which lie anywhere, into one piece.
func (b *Binding) copyViews(a *array.BinaryView, c *cursor, col *boundColumn, dims []int, level int) ([]byte, error) {
	if dims[level] == unknown {
		dims[level] = a.ValueLen(c.start(0))
	}
	n := dims[level]
	starts := b.nextStarts(c.runs() * c.run)
	b.gathered = resize(b.gathered, words(len(starts)*n))
	values := asBytes(b.gathered)
	for i, r := range c.rows {
		for k := i * c.perRow; k < (i+1)*c.perRow; k++ {
			s := c.start(k)
			for j := range c.run {
				v := a.Value(s + j)
				at := k*c.run + j
				starts[at] = at * n
				if len(v) != n || n == 0 {
					if err := notImage(v, col); err != nil {
						err.(*RowError).Row = int64(r)
						return nil, err
					}
					b.mark(r, col.name, Ragged, func() string { return raggedReason(dims, level, (k-i*c.perRow)*c.run+j, len(v)) })
					continue
				}
				copy(values[at*n:], v)
			}
		}
	}
	c.starts, c.perRow, c.run = starts, c.perRow*c.run, 1
	b.dropBad(c)
	c.run = n
	return values, b.notImages(c, values, col)
}

// raggedReason says that list at of a level holds have values, not what the
// level's others hold.
func raggedReason(dims []int, level, at, have int) string {
	switch {
	case dims[level] == 0 || have == 0:
		return "empty patch"
	case len(dims) == 1:
		return fmt.Sprintf("patch of %d values, expected %d", have, dims[level])
	case level == 0:
		return fmt.Sprintf("patch of %d lists, expected %d", have, dims[level])
	}
	return fmt.Sprintf("list %d of the patch holds %d values, expected %d", at, have, dims[level])
}

// notImages looks at the first patch: bytes of an image file are not pixels.
func (b *Binding) notImages(c *cursor, values []byte, col *boundColumn) error {
	if c.runs() == 0 {
		return nil
	}
	s := c.start(0)
	if err := notImage(values[s:s+c.run], col); err != nil {
		err.(*RowError).Row = int64(c.rows[0])
		return err
	}
	return nil
}

func notImage(value []byte, col *boundColumn) error {
	format := ""
	switch {
	case bytes.HasPrefix(value, []byte("\x89PNG\r\n\x1a\n")):
		format = "PNG"
	// Pixels may start like a JPEG's first marker; they hardly go on with the
	// start of a second one.
	case len(value) > 4 && bytes.HasPrefix(value, []byte{0xff, 0xd8, 0xff}) && value[3] >= 0xc0 && value[3] != 0xff:
		format = "JPEG"
	default:
		return nil
	}
	return &RowError{Column: col.name, Reason: "holds a " + format + " file, not raw pixels", Hint: "`aefeat patches` cuts patches from images"}
}

// lookUp copies the numbers that a dictionary array stands for into one piece.
func (b *Binding) lookUp(x *array.Dictionary, c *cursor, col *boundColumn) ([]byte, error) {
	values := x.Dictionary()
	for {
		ext, ok := values.(array.ExtensionArray)
		if !ok {
			break
		}
		values = ext.Storage()
	}
	if values.DataType().ID() != col.element.id {
		return nil, bindError(col.name, fmt.Sprintf("dictionary of %s, expected %s", values.DataType(), col.element.name), "")
	}
	size := col.element.size
	table := bufferBytes(values, 1)
	if len(table) < (values.Data().Offset()+values.Len())*size {
		return nil, bindError(col.name, fmt.Sprintf("%d bytes for a dictionary of %d values", len(table), values.Len()), "")
	}
	table = table[values.Data().Offset()*size:]
	each := c.perRow * c.run
	b.gathered = resize(b.gathered, words(c.runs()*c.run*size))
	out := asBytes(b.gathered)
	nulls := values.NullN() > 0
	for i, r := range c.rows {
		for k := i * c.perRow; k < (i+1)*c.perRow; k++ {
			s := c.start(k)
			for j := range c.run {
				at := x.GetValueIndex(s + j)
				to := (k*c.run + j) * size
				switch {
				case at < 0 || at >= values.Len():
					b.mark(r, col.name, Damaged, func() string {
						return fmt.Sprintf("index %d into a dictionary of %d values", at, values.Len())
					})
				case nulls && values.IsNull(at):
					b.mark(r, col.name, Null, func() string {
						if each == 1 {
							return "null value"
						}
						return fmt.Sprintf("null at element %d", (k-i*c.perRow)*c.run+j)
					})
				default:
					copy(out[to:to+size], table[at*size:])
				}
			}
		}
	}
	c.starts, c.base, c.perRow, c.run = nil, 0, 1, each
	b.dropBad(c)
	return out, nil
}

// patchRows reads a column that holds whole patches.
func (b *Binding) patchRows(batch arrow.RecordBatch, m int) ([]byte, []int32, error) {
	col := &b.columns[0]
	if product(b.dims) == unknown {
		if err := b.learn(batch, col, m); err != nil || product(b.dims) == unknown {
			return nil, nil, err
		}
	}
	b.rows = resize(b.rows, m)
	for i := range b.rows {
		b.rows[i] = int32(i)
	}
	c := &cursor{rows: b.rows, perRow: 1, run: 1}
	a, err := b.reach(batch, col, c)
	if err != nil {
		return nil, nil, err
	}
	raw, err := b.descend(a, c, col, b.dims)
	if err != nil || len(c.rows) == 0 {
		return nil, nil, err
	}

	data := b.elements(raw, c)
	c.rows = b.keepGood(c.rows)
	return data, c.rows, nil
}

// elements returns the patches that a cursor stands on, one after the other, in
// the form of b.kind, without those that it marks bad because they are not
// finite. raw is what the cursor's positions refer to.
func (b *Binding) elements(raw []byte, c *cursor) []byte {
	size := b.source.size
	total := len(c.rows) * b.width * size
	var in []byte // as stored, in one piece
	if c.starts == nil {
		in = raw[c.base*size : c.base*size+total]
	}
	if in == nil || !aligned(in, size) {
		b.gathered, b.out = b.out, b.gathered // raw may lie in gathered
		b.gathered = resize(b.gathered, words(total))
		piece := asBytes(b.gathered)[:total]
		if in == nil {
			gather(piece, raw, c, size)
		} else {
			copy(piece, in)
		}
		in = piece
	}
	data := in
	if b.source.toFloat32 != nil {
		n := len(c.rows) * b.width * b.kind.Size()
		b.out = resize(b.out, words(n))
		data = asBytes(b.out)[:n]
		b.source.toFloat32(arrow.Float32Traits.CastFromBytes(data), in)
	}
	if b.source.float {
		data = b.dropNotFinite(data, c.rows, func(k, e int) float64 { return b.source.value(in, k*b.width+e) })
	}
	return data
}

// learn takes the sizes of the list levels from the first row that is good on
// its own.
func (b *Binding) learn(batch arrow.RecordBatch, col *boundColumn, m int) error {
	dims := slices.Clone(b.dims)
	var one [1]int32
	for r := range m {
		if b.anyBad && !b.skip {
			return nil
		}
		copy(dims, b.dims)
		one[0] = int32(r)
		c := &cursor{rows: one[:], perRow: 1, run: 1, base: r}
		a, err := b.reach(batch, col, c)
		if err != nil {
			return err
		}
		raw, err := b.descend(a, c, col, dims)
		if err != nil {
			return err
		}
		if len(c.rows) == 0 {
			continue
		}
		n := product(dims)
		if b.width > 0 && n != b.width {
			b.mark(int32(r), col.name, Ragged, func() string { return fmt.Sprintf("patch of %d values, expected %d", n, b.width) })
			continue
		}
		asked := b.width
		b.width = n
		b.elements(raw, c)
		if b.bad[r] {
			b.width = asked
			continue
		}
		copy(b.dims, dims)
		return nil
	}
	return nil
}

// gather copies the runs of a cursor into one piece.
func gather(dst, raw []byte, c *cursor, size int) {
	n := c.run * size
	for k := range c.runs() {
		s := c.start(k) * size
		copy(dst[k*n:(k+1)*n], raw[s:s+n])
	}
}

package patch

import (
	"fmt"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/bitutil"
)

// A rowReader leads from the rows of a column to the elements in them: begin
// puts its cursor on rows, reach passes structs, descend passes lists and
// dictionaries, and inOnePiece gathers what the cursor then stands on. Rows
// that have no patch are marked on the way and leave the cursor. Its memory is
// reused from batch to batch.
type rowReader struct {
	marks
	cursor
	column *boundColumn
	dims   []int // sizes of the lists; the first run shows those unknown
	level  int   // of lists, where the cursor stands

	// element is what the column holds. In cells of bytes that may be .npy
	// files it is not known while it is open; the first run shows it, and the
	// shape of the file.
	element *element
	open    bool
	shape   []int
	cells   []npyCell

	// images are what is known of encoded images, and looked says that this
	// batch has none.
	images encoded
	looked bool

	all      []int32  // every row of the batch
	spare    [2][]int // starts, in turn: exploding one cursor writes the other
	turn     int
	gathered []uint64 // elements as stored, where they do not lie in one piece
	out      []uint64 // the rows; words, so that every element is aligned
	number   []int64  // their positions in the input
	raw      [][]byte // elements of scalar columns
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

// begin puts the cursor on rows of a column, which follow one another from the
// batch's row base on.
func (rd *rowReader) begin(column *boundColumn, dims []int, rows []int32, base int) {
	rd.column, rd.dims, rd.level = column, dims, 0
	rd.element, rd.open, rd.shape, rd.images = column.element, false, nil, encoded{}
	rd.cursor = cursor{rows: rows, perRow: 1, run: 1, base: base}
}

// every returns the positions of m rows. The next call reuses them.
func (rd *rowReader) every(m int) []int32 {
	rows := resize(rd.all, m)
	for i := range rows {
		rows[i] = int32(i)
	}
	rd.all = rows
	return rows
}

// buffer returns n bytes for rows.
func (rd *rowReader) buffer(n int) []byte {
	rd.out = resize(rd.out, words(n))
	return asBytes(rd.out)[:n]
}

// reject marks a row of the column.
func (rd *rowReader) reject(row int32, reason Reason, text func() string) {
	rd.mark(row, rd.column.name, reason, text)
}

// scatter gives the cursor a start for every run, so that runs can be taken
// out.
func (rd *rowReader) scatter() {
	if rd.starts != nil {
		return
	}
	starts := rd.nextStarts(rd.runs())
	for k := range starts {
		starts[k] = rd.start(k)
	}
	rd.starts = starts
}

// nextStarts returns a buffer that no cursor uses.
func (rd *rowReader) nextStarts(n int) []int {
	rd.turn = 1 - rd.turn
	rd.spare[rd.turn] = resize(rd.spare[rd.turn], n)
	return rd.spare[rd.turn]
}

// dropBad takes the rows marked bad out of the cursor.
func (rd *rowReader) dropBad() {
	if !slices.ContainsFunc(rd.rows, func(r int32) bool { return rd.bad[r] }) {
		return
	}
	rd.scatter()
	kept := 0
	for i, r := range rd.rows {
		if rd.bad[r] {
			continue
		}
		rd.rows[kept] = r
		copy(rd.starts[kept*rd.perRow:(kept+1)*rd.perRow], rd.starts[i*rd.perRow:(i+1)*rd.perRow])
		kept++
	}
	rd.rows = rd.rows[:kept]
	rd.starts = rd.starts[:kept*rd.perRow]
}

// dropNulls marks and drops the rows that have a null where the cursor stands.
// within names the struct, if it is one.
func (rd *rowReader) dropNulls(a arrow.Array, within string) {
	if a.NullN() == 0 {
		return
	}
	bitmap, offset := a.NullBitmapBytes(), a.Data().Offset()
	if len(bitmap) == 0 {
		return
	}
	if len(bitmap) < int(bitutil.BytesForBits(int64(offset+a.Len()))) {
		for _, r := range rd.rows {
			rd.reject(r, Damaged, func() string { return shortBitmap })
		}
		rd.dropBad()
		return
	}
	for i, r := range rd.rows {
		for k := i * rd.perRow; k < (i+1)*rd.perRow; k++ {
			s := rd.start(k)
			if bitutil.CountSetBits(bitmap, offset+s, rd.run) == rd.run {
				continue
			}
			rd.reject(r, Null, func() string {
				if within != "" {
					return fmt.Sprintf("null value in struct %q", within)
				}
				if rd.perRow*rd.run == 1 {
					return "null value"
				}
				at := 0
				for bitutil.BitIsSet(bitmap, offset+s+at) {
					at++
				}
				return fmt.Sprintf("null at element %d", (k-i*rd.perRow)*rd.run+at)
			})
			break
		}
	}
	rd.dropBad()
}

// shortBitmap is the reason of rows in an array whose nulls cannot be told.
const shortBitmap = "validity bitmap is cut short"

// read takes the cursor to the elements of its rows, and returns what its
// positions then refer to.
func (rd *rowReader) read(batch arrow.RecordBatch) ([]byte, error) {
	a, err := rd.reach(batch, rd.column.index)
	if err != nil {
		return nil, err
	}
	switch {
	case rd.column.vector:
		return rd.vectors(a)
	case rd.column.image:
		if a, err = rd.fileOf(a); err != nil {
			return nil, err
		}
	case rd.column.isPair():
		values, err := rd.reach(batch, rd.column.other)
		if err != nil {
			return nil, err
		}
		return rd.pairs(a, values)
	}
	return rd.descend(a)
}

// reach follows structs from a batch's column down to the one that index leads
// to.
func (rd *rowReader) reach(batch arrow.RecordBatch, index []int) (arrow.Array, error) {
	a := batch.Column(index[0])
	for depth, i := range index[1:] {
		st, ok := a.(*array.Struct)
		if !ok {
			return nil, bindError(rd.column.name, fmt.Sprintf("array of %s, expected a struct", a.DataType()), "")
		}
		rd.dropNulls(st, strings.Join(rd.column.path[:depth+1], "."))
		a = st.Field(i)
	}
	if need := int(batch.NumRows()); a.Len() < need {
		return nil, bindError(rd.column.name, fmt.Sprintf("%d values in a batch of %d rows", a.Len(), need), "")
	}
	return a, nil
}

// descend takes the cursor through the levels of a down to its elements. It
// returns their bytes, to which the cursor's positions then refer.
func (rd *rowReader) descend(a arrow.Array) ([]byte, error) {
	for {
		if len(rd.rows) == 0 {
			return nil, nil
		}
		if ext, ok := a.(array.ExtensionArray); ok {
			a = ext.Storage()
			continue
		}
		rd.dropNulls(a, "")
		if len(rd.rows) == 0 {
			return nil, nil
		}
		if x, ok := a.(*array.Dictionary); ok {
			// Single numbers are looked up now: a position takes 8 bytes.
			if len(rd.column.dims) == rd.level {
				return rd.lookUp(x)
			}
			rd.follow(x)
			a = x.Dictionary()
			continue
		}
		inner, err := rd.enter(a)
		if err != nil {
			return nil, err
		}
		if inner == nil {
			return rd.innermost(a)
		}
		a = inner
		rd.level++
	}
}

// follow moves the cursor from the indexes of a dictionary to its values.
func (rd *rowReader) follow(x *array.Dictionary) {
	n := x.Dictionary().Len()
	starts := rd.nextStarts(rd.runs() * rd.run)
	for i, r := range rd.rows {
		for k := i * rd.perRow; k < (i+1)*rd.perRow; k++ {
			s := rd.start(k)
			for j := range rd.run {
				at := x.GetValueIndex(s + j)
				if at < 0 || at >= n {
					rd.reject(r, Damaged, func() string { return noSuchIndex(at, n) })
					at = 0
				}
				starts[k*rd.run+j] = at
			}
		}
	}
	rd.starts, rd.perRow, rd.run = starts, rd.perRow*rd.run, 1
	rd.dropBad()
}

// enter moves the cursor from lists to what is in them, and returns that; nil
// where a is no list.
func (rd *rowReader) enter(a arrow.Array) (arrow.Array, error) {
	list, ok := a.(array.ListLike)
	if !ok {
		return nil, nil
	}
	inner := list.ListValues()
	switch x := a.(type) {
	case *array.FixedSizeList:
		n := int(x.DataType().(*arrow.FixedSizeListType).Len())
		rd.widenFixed(x.Data().Offset(), n, inner.Len())
		return inner, nil
	case *array.List:
		return inner, widen(rd, x.Offsets(), x.Data(), inner.Len(), nil)
	case *array.LargeList:
		return inner, widen(rd, x.Offsets(), x.Data(), inner.Len(), nil)
	case *array.ListView:
		return inner, widenView(rd, x.Offsets(), x.Sizes(), x.Data(), inner.Len())
	case *array.LargeListView:
		return inner, widenView(rd, x.Offsets(), x.Sizes(), x.Data(), inner.Len())
	}
	return nil, nil
}

// innermost returns what the innermost lists hold: numbers, or bytes that are.
func (rd *rowReader) innermost(a arrow.Array) ([]byte, error) {
	if rd.level == 0 && rd.column.mayHoldFiles() {
		for _, decode := range []func(arrow.Array) ([]byte, bool, error){rd.decodeImages, rd.decodeFiles} {
			if raw, done, err := decode(a); done {
				return raw, err
			}
		}
	}
	switch x := a.(type) {
	case *array.FixedSizeBinary:
		n := x.DataType().(*arrow.FixedSizeBinaryType).ByteWidth
		values := bufferBytes(x, 1)
		rd.widenFixed(x.Data().Offset(), n, len(values))
		return values, rd.notImages(values)
	case *array.Binary:
		offsets := arrow.Int32Traits.CastFromBytes(bufferBytes(x, 1))
		return widenBytes(rd, offsets, x.Data())
	case *array.LargeBinary:
		offsets := arrow.Int64Traits.CastFromBytes(bufferBytes(x, 1))
		return widenBytes(rd, offsets, x.Data())
	case *array.BinaryView:
		return rd.copyViews(x)
	}
	if rd.column.elementOf(a) != rd.column.element || rd.level != len(rd.dims) {
		return nil, bindError(rd.column.name, fmt.Sprintf("array of %s, expected %s", a.DataType(), rd.column.element.name), "")
	}
	if unpack := rd.column.unpackerOf(a); unpack != nil {
		return rd.unpack(unpack, a)
	}
	return rd.numbers(a, a.Len())
}

// numbers returns the first n values of an array of numbers as its buffer has
// them.
func (rd *rowReader) numbers(a arrow.Array, n int) ([]byte, error) {
	return rd.numbersOf(rd.column.element, a, n)
}

func (rd *rowReader) numbersOf(e *element, a arrow.Array, n int) ([]byte, error) {
	size := e.size
	values, lo := bufferBytes(a, 1), a.Data().Offset()*size
	if len(values) < lo+n*size {
		return nil, bindError(rd.column.name, fmt.Sprintf("%d bytes for %d values of %s", len(values), a.Data().Offset()+n, a.DataType()), "")
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

// widenFixed takes the cursor into lists of n values each, of the ones that
// there are.
func (rd *rowReader) widenFixed(offset, n, have int) {
	lists := 0 // that there are; where one ends may be beyond an int
	if n > 0 {
		lists = have / n
	}
	for i, r := range rd.rows {
		for k := i * rd.perRow; k < (i+1)*rd.perRow; k++ {
			if end := offset + rd.start(k) + rd.run; end > lists {
				rd.reject(r, Damaged, func() string { return fmt.Sprintf("list ends at value %d of %d", product([]int{end, n}), have) })
				break
			}
		}
	}
	rd.dropBad()
	rd.base = (offset + rd.base) * n
	for k := range rd.starts {
		rd.starts[k] = (offset + rd.starts[k]) * n
	}
	rd.run *= n
}

// widen takes the cursor into lists given by their offsets, which all have to
// hold dims[level] values. misfit, if not nil, is told of the first list that
// does not.
func widen[T int32 | int64](rd *rowReader, offsets []T, data arrow.ArrayData, have int, misfit func(lo, hi T) error) error {
	if need := data.Offset() + data.Len() + 1; len(offsets) < need {
		return bindError(rd.column.name, fmt.Sprintf("%d list offsets, expected %d", len(offsets), need), "")
	}
	offsets = offsets[data.Offset():]
	if rd.dims[rd.level] == unknown {
		s := rd.start(0)
		rd.dims[rd.level] = int(offsets[s+1] - offsets[s])
	}
	n := T(rd.dims[rd.level])

	if rd.starts == nil && n > 0 {
		if span := offsets[rd.base : rd.base+rd.runs()*rd.run+1]; evenly(span, n, have) {
			rd.base = int(span[0])
			rd.run *= int(n)
			return nil
		}
	}
	var stop error
	for i, r := range rd.rows {
	row:
		for k := i * rd.perRow; k < (i+1)*rd.perRow; k++ {
			s := rd.start(k)
			for j := s; j < s+rd.run; j++ {
				lo, hi := offsets[j], offsets[j+1]
				switch {
				case lo < 0 || hi < lo || int64(hi) > int64(have):
					rd.reject(r, Damaged, func() string { return fmt.Sprintf("list from value %d to %d of %d", lo, hi, have) })
				case hi-lo != n || n == 0:
					if misfit != nil && stop == nil {
						if stop = misfit(lo, hi); stop != nil {
							stop.(*RowError).Row = int64(r)
						}
					}
					rd.reject(r, Ragged, func() string {
						return rd.raggedReason((k-i*rd.perRow)*rd.run+j-s, int(hi-lo))
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
	rd.dropBad()
	rd.scatter()
	for k, s := range rd.starts {
		rd.starts[k] = int(offsets[s])
	}
	rd.run *= int(n)
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
func widenBytes[T int32 | int64](rd *rowReader, offsets []T, data arrow.ArrayData) ([]byte, error) {
	var values []byte
	if buf := data.Buffers()[2]; buf != nil {
		values = buf.Bytes()
	}
	err := widen(rd, offsets, data, len(values), func(lo, hi T) error { return rd.notImage(values[lo:hi]) })
	if err != nil {
		return nil, err
	}
	return values, rd.notImages(values)
}

// widenView is widen for list views, which may lie anywhere and in any order.
func widenView[T int32 | int64](rd *rowReader, offsets, sizes []T, data arrow.ArrayData, have int) error {
	if need := data.Offset() + data.Len(); len(offsets) < need || len(sizes) < need {
		return bindError(rd.column.name, fmt.Sprintf("%d list offsets and %d sizes, expected %d", len(offsets), len(sizes), need), "")
	}
	offsets, sizes = offsets[data.Offset():], sizes[data.Offset():]
	if rd.dims[rd.level] == unknown {
		rd.dims[rd.level] = int(sizes[rd.start(0)])
	}
	n := T(rd.dims[rd.level])
	starts := rd.nextStarts(rd.runs() * rd.run)
	for i, r := range rd.rows {
		for k := i * rd.perRow; k < (i+1)*rd.perRow; k++ {
			s := rd.start(k)
			for j := range rd.run {
				lo, size := offsets[s+j], sizes[s+j]
				starts[k*rd.run+j] = int(lo)
				switch {
				case lo < 0 || size < 0 || int64(lo) > int64(have)-int64(size):
					rd.reject(r, Damaged, func() string { return fmt.Sprintf("list of %d values from value %d of %d", size, lo, have) })
				case size != n || n == 0:
					rd.reject(r, Ragged, func() string { return rd.raggedReason((k-i*rd.perRow)*rd.run+j, int(size)) })
				}
			}
		}
	}
	rd.starts, rd.perRow, rd.run = starts, rd.perRow*rd.run, 1
	rd.dropBad()
	rd.run = int(n)
	return nil
}

// copyViews copies binary views, which lie anywhere, into one piece.
func (rd *rowReader) copyViews(a *array.BinaryView) ([]byte, error) {
	need := a.Data().Offset() + a.Len()
	if have := len(bufferBytes(a, 1)) / arrow.ViewHeaderSizeBytes; have < need {
		return nil, bindError(rd.column.name, fmt.Sprintf("%d view headers, expected %d", have, need), "")
	}
	if err := rd.checkViews(a); err != nil || len(rd.rows) == 0 {
		return nil, err
	}
	n := rd.dims[rd.level]
	starts := rd.nextStarts(rd.runs() * rd.run)
	rd.gathered = resize(rd.gathered, words(len(starts)*n))
	values := asBytes(rd.gathered)
	for k := range rd.runs() {
		s := rd.start(k)
		for j := range rd.run {
			at := k*rd.run + j
			starts[at] = at * n
			copy(values[at*n:], a.Value(s+j))
		}
	}
	rd.starts, rd.perRow, rd.run = starts, rd.perRow*rd.run, n
	return values, rd.notImages(values)
}

// checkViews drops the rows with views that cannot be read or do not hold
// dims[level] values.
func (rd *rowReader) checkViews(a *array.BinaryView) error {
	buffers := a.Data().Buffers()[2:]
	for i, r := range rd.rows {
		for k := i * rd.perRow; k < (i+1)*rd.perRow; k++ {
			s := rd.start(k)
			for j := range rd.run {
				h := a.ValueHeader(s + j)
				if why := viewDamage(h, buffers); why != "" {
					rd.reject(r, Damaged, func() string { return why })
					continue
				}
				if rd.dims[rd.level] == unknown {
					rd.dims[rd.level] = h.Len()
				}
				if n := rd.dims[rd.level]; h.Len() == n && n > 0 {
					continue
				}
				if err := rd.notImage(a.Value(s + j)); err != nil {
					err.(*RowError).Row = int64(r)
					return err
				}
				rd.reject(r, Ragged, func() string { return rd.raggedReason((k-i*rd.perRow)*rd.run+j, h.Len()) })
			}
		}
	}
	rd.dropBad()
	return nil
}

// raggedReason says that list at of a level holds have values, not what the
// level's others hold.
func (rd *rowReader) raggedReason(at, have int) string {
	want := rd.dims[rd.level]
	switch {
	case want == 0 || have == 0:
		return "empty patch"
	case len(rd.dims) == 1:
		return fmt.Sprintf("patch of %d values, expected %d", have, want)
	case rd.level == 0:
		return fmt.Sprintf("patch of %d lists, expected %d", have, want)
	}
	return fmt.Sprintf("list %d of the patch holds %d values, expected %d", at, have, want)
}

// notImages looks at the first patch: bytes of an image file are not pixels.
func (rd *rowReader) notImages(values []byte) error {
	if rd.runs() == 0 {
		return nil
	}
	s := rd.start(0)
	if err := rd.notImage(values[s : s+rd.run]); err != nil {
		err.(*RowError).Row = int64(rd.rows[0])
		return err
	}
	return nil
}

func (rd *rowReader) notImage(value []byte) error {
	format := fileFormat(value)
	if format == "" {
		return nil
	}
	return &RowError{Column: rd.column.name, Reason: "holds a " + format + " file, not raw pixels", Key: KeyType,
		Hint: "cut patches out of the images of this column with `aefeat patches`, and take those"}
}

// lookUp copies the numbers that a dictionary array stands for into one piece.
func (rd *rowReader) lookUp(x *array.Dictionary) ([]byte, error) {
	values := stored(x.Dictionary())
	if rd.column.elementOf(values) != rd.column.element {
		return nil, bindError(rd.column.name, fmt.Sprintf("dictionary of %s, expected %s", values.DataType(), rd.column.element.name), "")
	}
	size := rd.column.element.size
	table, err := rd.firstNumbers(values, values.Len())
	if err != nil {
		return nil, err
	}
	each := rd.perRow * rd.run
	rd.gathered = resize(rd.gathered, words(rd.runs()*rd.run*size))
	out := asBytes(rd.gathered)
	nulls := values.NullN() > 0
	for i, r := range rd.rows {
		for k := i * rd.perRow; k < (i+1)*rd.perRow; k++ {
			s := rd.start(k)
			for j := range rd.run {
				at := x.GetValueIndex(s + j)
				to := (k*rd.run + j) * size
				switch {
				case at < 0 || at >= values.Len():
					rd.reject(r, Damaged, func() string { return noSuchIndex(at, values.Len()) })
				case nulls && values.IsNull(at):
					rd.reject(r, Null, func() string {
						if each == 1 {
							return "null value"
						}
						return fmt.Sprintf("null at element %d", (k-i*rd.perRow)*rd.run+j)
					})
				default:
					copy(out[to:to+size], table[at*size:])
				}
			}
		}
	}
	rd.starts, rd.base, rd.perRow, rd.run = nil, 0, 1, each
	rd.dropBad()
	return out, nil
}

// inOnePiece returns the elements that the cursor stands on as they are stored,
// one after the other. raw is what descend returned.
func (rd *rowReader) inOnePiece(raw []byte) []byte {
	size := rd.element.size
	run := rd.run * size
	total := rd.runs() * run
	if rd.starts == nil {
		if in := raw[rd.base*size : rd.base*size+total]; aligned(in, size) {
			return in
		}
	}
	rd.gathered, rd.out = rd.out, rd.gathered // raw may lie in gathered
	rd.gathered = resize(rd.gathered, words(total))
	piece := asBytes(rd.gathered)[:total]
	if rd.starts == nil {
		copy(piece, raw[rd.base*size:])
		return piece
	}
	for k, s := range rd.starts {
		copy(piece[k*run:(k+1)*run], raw[s*size:s*size+run])
	}
	return piece
}

package arrowio

import (
	"fmt"
	"math"
	"math/big"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
)

// A outColumn is one column of a Parquet file: the values at the end of one path through the type of an Arrow column, with the
// definition and repetition levels that say where nulls, empty lists and starts of lists are (Melnik et al., Dremel:
// Interactive Analysis of Web-Scale Datasets, VLDB 2010, section 4).
type outColumn struct {
	column         int    // of the batch
	name           string // for errors
	path           []step
	maxDef, maxRep int16
	text, stats    bool

	values   outValues
	levels   []levelRun
	row      int   // of the batch, being shredded
	firstRow int64 // what row 0 of the batch is in the file
}

// scratchLevels is room to write runs out, shared by all columns.
type scratchLevels struct{ def, rep []int16 }

// A levelRun is n positions of equal levels. Most columns are a few long runs.
type levelRun struct {
	rep, def int16
	n        int32
}

// outValues are the values of a leaf without its nulls.
type outValues interface {
	// add appends the value at i, or at lo to hi, all of them valid.
	add(a arrow.Array, lo, hi int) error
	bytes() int64
	// write writes values from to to and their levels.
	write(w file.ColumnChunkWriter, from, to int, def, rep []int16) error
	reset()
}

func (c *outColumn) bytes() int64 { return c.values.bytes() + int64(len(c.levels))*8 }

// level adds n positions.
func (c *outColumn) level(rep, def int16, n int) {
	if n == 0 {
		return
	}
	if k := len(c.levels) - 1; k >= 0 && c.levels[k].rep == rep && c.levels[k].def == def && int(c.levels[k].n)+n <= math.MaxInt32 {
		c.levels[k].n += int32(n)
		return
	}
	c.levels = append(c.levels, levelRun{rep, def, int32(n)})
}

// shred adds rows lo to hi of the column.
func (c *outColumn) shred(a arrow.Array, lo, hi int) error {
	return c.visit(a, 0, lo, hi, place{top: true})
}

// A place is where a visit stands: the repetition levels of its first position and of the others, the definition level that a
// null has here, the number of lists around, and whether positions are rows.
type place struct {
	first, next, def, lists int16
	top                     bool
}

// visit adds positions lo to hi of an array k steps down the path.
func (c *outColumn) visit(a arrow.Array, k, lo, hi int, p place) error {
	if lo >= hi {
		return nil
	}
	if ext, ok := a.(array.ExtensionArray); ok {
		return c.visit(ext.Storage(), k, lo, hi, p)
	}
	step := &c.path[k]
	present := p.def
	if step.nullable {
		present++
	}
	never := a.DataType().ID() == arrow.NULL
	nulls := never || a.NullN() > 0
	null := func(i int) error {
		if p.top {
			c.row = i
		}
		if !step.nullable {
			return c.fault("null in a column that may have none")
		}
		c.level(p.first, p.def, 1)
		return nil
	}

	switch x := a.(type) {
	case *array.Dictionary:
		values := x.Dictionary()
		for i := lo; i < hi; i++ {
			if p.top {
				c.row = i
			}
			if nulls && x.IsNull(i) {
				if err := null(i); err != nil {
					return err
				}
			} else {
				at := x.GetValueIndex(i)
				if at < 0 || at >= values.Len() {
					return c.fault(fmt.Sprintf("index %d into a dictionary of %d values", at, values.Len()))
				}
				value := p // the same step: a null among the values of the dictionary is a null here
				value.top = false
				if err := c.visit(values, k, at, at+1, value); err != nil {
					return err
				}
			}
			p.first = p.next
		}
		return nil

	case *array.Struct:
		child := x.Field(step.child)
		if child.Len() < hi {
			return c.fault(fmt.Sprintf("field of %d values in a struct of %d", child.Len(), x.Len()))
		}
		for i := lo; i < hi; {
			if nulls && x.IsNull(i) {
				if err := null(i); err != nil {
					return err
				}
				i++
			} else {
				end := hi
				if nulls {
					end = validUntil(x, i, hi)
				}
				field := p
				field.def = present
				if err := c.visit(child, k+1, i, end, field); err != nil {
					return err
				}
				i = end
			}
			p.first = p.next
		}
		return nil

	case array.ListLike:
		values := x.ListValues()
		for i := lo; i < hi; i++ {
			if p.top {
				c.row = i
			}
			if nulls && x.IsNull(i) {
				if err := null(i); err != nil {
					return err
				}
				p.first = p.next
				continue
			}
			from, to := x.ValueOffsets(i)
			switch {
			case from < 0 || to < from || to > int64(values.Len()):
				return c.fault(fmt.Sprintf("list from value %d to %d of %d", from, to, values.Len()))
			case from == to:
				c.level(p.first, present, 1)
			default:
				inside := place{first: p.first, next: p.lists + 1, def: present + 1, lists: p.lists + 1}
				if err := c.visit(values, k+1, int(from), int(to), inside); err != nil {
					return err
				}
			}
			p.first = p.next
		}
		return nil
	}

	for i := lo; i < hi; {
		if nulls && (never || a.IsNull(i)) {
			if err := null(i); err != nil {
				return err
			}
			i++
		} else {
			end := hi
			if nulls {
				end = validUntil(a, i, hi)
			}
			c.level(p.first, present, 1)
			c.level(p.next, present, end-i-1)
			if err := c.add(a, i, end, p.top); err != nil {
				return err
			}
			i = end
		}
		p.first = p.next
	}
	return nil
}

// validUntil returns the first null of a after i, or hi.
func validUntil(a arrow.Array, i, hi int) int {
	for i++; i < hi && a.IsValid(i); i++ {
	}
	return i
}

func (c *outColumn) add(a arrow.Array, lo, hi int, top bool) error {
	err := c.values.add(a, lo, hi)
	if bad, ok := err.(*valueError); ok {
		if top {
			c.row = bad.at
		}
		return c.fault(bad.reason)
	}
	return err
}

// A valueError says that the value at a position does not fit the column.
type valueError struct {
	at     int
	reason string
}

func (e *valueError) Error() string { return e.reason }

func (c *outColumn) fault(reason string) error {
	return &RowError{Column: c.name, Row: c.firstRow + int64(c.row), Reason: reason}
}

// flush writes the values and levels held to a column chunk, and forgets them.
func (c *outColumn) flush(w file.ColumnChunkWriter, s *scratchLevels) error {
	const chunk = 8192 // positions at a time, so that levels never take much
	at := 0
	s.def, s.rep = s.def[:0], s.rep[:0]
	valid := 0
	send := func() error {
		def, rep := s.def, s.rep
		if c.maxDef == 0 {
			def = nil
		}
		if c.maxRep == 0 {
			rep = nil
		}
		if err := c.values.write(w, at, at+valid, def, rep); err != nil {
			return err
		}
		at += valid
		s.def, s.rep, valid = s.def[:0], s.rep[:0], 0
		return nil
	}
	for _, r := range c.levels {
		for n := int(r.n); n > 0; {
			take := min(n, chunk-len(s.def))
			for range take {
				s.def = append(s.def, r.def)
				s.rep = append(s.rep, r.rep)
			}
			if r.def == c.maxDef {
				valid += take
			}
			if n -= take; len(s.def) == chunk {
				if err := send(); err != nil {
					return err
				}
			}
		}
	}
	if len(s.def) > 0 {
		if err := send(); err != nil {
			return err
		}
	}
	c.levels = c.levels[:0]
	c.values.reset()
	return nil
}

// A columnWriter is what the library's writers of every physical type T share.
type columnWriter[T any] interface {
	WriteBatch(values []T, def, rep []int16) (int64, error)
}

// plain holds values of a fixed size.
type plain[T any] struct {
	values []T
	size   int
	take   func(dst []T, a arrow.Array, lo, hi int) ([]T, error)
}

func (p *plain[T]) add(a arrow.Array, lo, hi int) (err error) {
	p.values, err = p.take(p.values, a, lo, hi)
	return err
}

func (p *plain[T]) bytes() int64 { return int64(len(p.values) * p.size) }
func (p *plain[T]) reset()       { p.values = p.values[:0] }

func (p *plain[T]) write(w file.ColumnChunkWriter, from, to int, def, rep []int16) error {
	typed, ok := w.(columnWriter[T])
	if !ok {
		return fmt.Errorf("values of another type than the column's, %s", w.Type())
	}
	_, err := typed.WriteBatch(p.values[from:to], def, rep)
	return err
}

// blobs holds values of bytes, one after the other.
type blobs[T ~[]byte] struct {
	data []byte
	ends []int
	take func(a arrow.Array, i int, scratch []byte) ([]byte, error)
	out  []T
	tmp  [32]byte
}

func (p *blobs[T]) add(a arrow.Array, lo, hi int) error {
	for i := lo; i < hi; i++ {
		v, err := p.take(a, i, p.tmp[:])
		if err != nil {
			return err
		}
		p.data = append(p.data, v...)
		p.ends = append(p.ends, len(p.data))
	}
	return nil
}

func (p *blobs[T]) bytes() int64 { return int64(len(p.data) + 8*len(p.ends)) }
func (p *blobs[T]) reset()       { p.data, p.ends = p.data[:0], p.ends[:0] }

func (p *blobs[T]) write(w file.ColumnChunkWriter, from, to int, def, rep []int16) error {
	typed, ok := w.(columnWriter[T])
	if !ok {
		return fmt.Errorf("values of another type than the column's, %s", w.Type())
	}
	p.out = p.out[:0]
	for i := from; i < to; i++ {
		start := 0
		if i > 0 {
			start = p.ends[i-1]
		}
		p.out = append(p.out, T(p.data[start:p.ends[i]]))
	}
	_, err := typed.WriteBatch(p.out, def, rep)
	return err
}

func ints32[T number](values func(arrow.Array) []T) outValues {
	return &plain[int32]{size: 4, take: func(dst []int32, a arrow.Array, lo, hi int) ([]int32, error) {
		for _, v := range values(a)[lo:hi] {
			dst = append(dst, int32(v))
		}
		return dst, nil
	}}
}

// copied holds values that Parquet stores as Arrow does.
func copied[T any](size int, values func(arrow.Array) []T) outValues {
	return &plain[T]{size: size, take: func(dst []T, a arrow.Array, lo, hi int) ([]T, error) {
		return append(dst, values(a)[lo:hi]...), nil
	}}
}

// words64 returns the values of any array of 64-bit integers.
func words64(a arrow.Array) []int64 {
	lo := a.Data().Offset()
	return arrow.Int64Traits.CastFromBytes(bufferBytes(a, 1))[lo : lo+a.Len()]
}

func words32(a arrow.Array) []int32 {
	lo := a.Data().Offset()
	return arrow.Int32Traits.CastFromBytes(bufferBytes(a, 1))[lo : lo+a.Len()]
}

// newOutValues returns what holds values of a type, if Parquet can.
func newOutValues(t arrow.DataType) (outValues, bool) {
	switch t := t.(type) {
	case *arrow.NullType:
		return &plain[int32]{size: 4}, true
	case *arrow.BooleanType:
		return &plain[bool]{size: 1, take: func(dst []bool, a arrow.Array, lo, hi int) ([]bool, error) {
			for i := lo; i < hi; i++ {
				dst = append(dst, a.(*array.Boolean).Value(i))
			}
			return dst, nil
		}}, true
	case *arrow.Uint8Type:
		return ints32(func(a arrow.Array) []uint8 { return a.(*array.Uint8).Uint8Values() }), true
	case *arrow.Uint16Type:
		return ints32(func(a arrow.Array) []uint16 { return a.(*array.Uint16).Uint16Values() }), true
	case *arrow.Int8Type:
		return ints32(func(a arrow.Array) []int8 { return a.(*array.Int8).Int8Values() }), true
	case *arrow.Int16Type:
		return ints32(func(a arrow.Array) []int16 { return a.(*array.Int16).Int16Values() }), true
	case *arrow.Int32Type, *arrow.Uint32Type, *arrow.Date32Type:
		return copied(4, words32), true
	case *arrow.Int64Type, *arrow.Uint64Type, *arrow.DurationType, *arrow.Time64Type:
		return copied(8, words64), true
	case *arrow.Float32Type:
		return copied(4, func(a arrow.Array) []float32 { return a.(*array.Float32).Float32Values() }), true
	case *arrow.Float64Type:
		return copied(8, func(a arrow.Array) []float64 { return a.(*array.Float64).Float64Values() }), true
	case *arrow.Time32Type:
		if t.Unit == arrow.Millisecond {
			return copied(4, words32), true
		}
		return &plain[int32]{size: 4, take: func(dst []int32, a arrow.Array, lo, hi int) ([]int32, error) {
			for i, v := range words32(a)[lo:hi] {
				if v < 0 || v > 24*60*60 {
					return dst, &valueError{lo + i, fmt.Sprintf("%d seconds are no time of day", v)}
				}
				dst = append(dst, v*1000)
			}
			return dst, nil
		}}, true
	case *arrow.TimestampType:
		if t.Unit != arrow.Second {
			return copied(8, words64), true
		}
		return &plain[int64]{size: 8, take: func(dst []int64, a arrow.Array, lo, hi int) ([]int64, error) {
			for i, v := range words64(a)[lo:hi] {
				if v > math.MaxInt64/1000 || v < math.MinInt64/1000 {
					return dst, &valueError{lo + i, fmt.Sprintf("timestamp of %d seconds is too large for milliseconds, the unit of Parquet", v)}
				}
				dst = append(dst, v*1000)
			}
			return dst, nil
		}}, true
	case *arrow.Date64Type:
		const day = 24 * 60 * 60 * 1000
		return &plain[int32]{size: 4, take: func(dst []int32, a arrow.Array, lo, hi int) ([]int32, error) {
			for i, v := range words64(a)[lo:hi] {
				if v%day != 0 || v/day > math.MaxInt32 || v/day < math.MinInt32 {
					return dst, &valueError{lo + i, fmt.Sprintf("date64 of %d ms is not a whole day, as the dates of Parquet are", v)}
				}
				dst = append(dst, int32(v/day))
			}
			return dst, nil
		}}, true
	case *arrow.StringType, *arrow.LargeStringType, *arrow.StringViewType:
		return &blobs[parquet.ByteArray]{take: func(a arrow.Array, i int, _ []byte) ([]byte, error) {
			return []byte(a.(array.StringLike).Value(i)), nil
		}}, true
	case *arrow.BinaryType, *arrow.LargeBinaryType, *arrow.BinaryViewType:
		return &blobs[parquet.ByteArray]{take: func(a arrow.Array, i int, _ []byte) ([]byte, error) {
			return a.(interface{ Value(int) []byte }).Value(i), nil
		}}, true
	case *arrow.FixedSizeBinaryType:
		return &blobs[parquet.FixedLenByteArray]{take: func(a arrow.Array, i int, _ []byte) ([]byte, error) {
			return a.(*array.FixedSizeBinary).Value(i), nil
		}}, true
	case *arrow.Float16Type:
		return &blobs[parquet.FixedLenByteArray]{take: func(a arrow.Array, i int, scratch []byte) ([]byte, error) {
			v := a.(*array.Float16).Value(i).Uint16()
			scratch[0], scratch[1] = byte(v), byte(v>>8)
			return scratch[:2], nil
		}}, true
	case arrow.DecimalType:
		size := int(pqarrow.DecimalSize(t.GetPrecision()))
		return &blobs[parquet.FixedLenByteArray]{take: func(a arrow.Array, i int, scratch []byte) ([]byte, error) {
			v := decimalAt(a, i)
			if v.BitLen() > 8*size-1 {
				return nil, &valueError{i, fmt.Sprintf("decimal of more than %d digits", t.GetPrecision())}
			}
			return bigEndian(scratch[:size], v), nil
		}}, true
	}
	return nil, false
}

// decimalAt returns the unscaled value of a decimal.
func decimalAt(a arrow.Array, i int) *big.Int {
	switch x := a.(type) {
	case *array.Decimal32:
		return big.NewInt(int64(x.Value(i)))
	case *array.Decimal64:
		return big.NewInt(int64(x.Value(i)))
	case *array.Decimal128:
		return x.Value(i).BigInt()
	case *array.Decimal256:
		return x.Value(i).BigInt()
	}
	panic("arrowio: not a decimal")
}

// bigEndian writes v in two's complement.
func bigEndian(dst []byte, v *big.Int) []byte {
	if v.Sign() < 0 {
		v = new(big.Int).Add(v, new(big.Int).Lsh(big.NewInt(1), uint(8*len(dst))))
	}
	return v.FillBytes(dst)
}

package parquetw

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"math/big"
	"slices"
	"sort"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/endian"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
)

// values are the values of a column without its nulls, held as the encoding
// PLAIN has them; booleans and uint8 take a byte each.
type values struct {
	form  valueForm
	order valueOrder
	width int // bytes of a value; 0: ends says
	data  []byte
	ends  []int
	// take appends the values lo to hi, all of them valid.
	take func(v *values, a arrow.Array, lo, hi int) error
}

// A valueForm is how values are held and encoded.
type valueForm uint8

const (
	formPlain valueForm = iota
	formBool
	formByte // uint8: numbers of 4 bytes to Parquet
	formText // worth a dictionary
)

// A valueOrder is by what values compare in the statistics of a column chunk.
type valueOrder uint8

const (
	orderNone valueOrder = iota
	orderSigned
	orderUnsigned
	orderBytes
)

func (v *values) bytes() int64 { return int64(len(v.data) + 8*len(v.ends)) }

func (v *values) count() int {
	if v.width > 0 {
		return len(v.data) / v.width
	}
	return len(v.ends)
}

// at returns where value i begins.
func (v *values) at(i int) int {
	switch {
	case v.width > 0:
		return i * v.width
	case i == 0:
		return 0
	}
	return v.ends[i-1]
}

// fit returns how many of the values from lo on, up to n, have limit bytes
// together, the last one perhaps beyond it.
func (v *values) fit(lo, n, limit int) int {
	if v.width > 0 {
		return min(n, (limit+v.width-1)/v.width)
	}
	end := v.at(lo) + limit
	return min(n, sort.Search(n, func(i int) bool { return v.ends[lo+i] >= end })+1)
}

// text returns value i of a column of bytes, without its length.
func (v *values) text(i int) []byte { return v.data[v.at(i)+4 : v.at(i+1)] }

// span returns the lowest and the highest value as statistics have them; nil if
// they have none.
func (v *values) span() (low, high []byte) {
	if v.count() == 0 {
		return nil, nil
	}
	word := func(b []byte) int64 {
		switch {
		case v.width == 1:
			return int64(b[0])
		case v.width == 4 && v.order == orderSigned:
			return int64(int32(binary.LittleEndian.Uint32(b)))
		case v.width == 4:
			return int64(binary.LittleEndian.Uint32(b))
		case v.order == orderSigned:
			return int64(binary.LittleEndian.Uint64(b))
		}
		return int64(binary.LittleEndian.Uint64(b) ^ 1<<63) // in the order of signed numbers
	}
	const longest = 1024 // of a text in a footer
	switch v.order {
	case orderNone:
		return nil, nil
	case orderBytes:
		low, high = v.text(0), v.text(0)
		for i := range v.count() {
			if t := v.text(i); bytes.Compare(t, low) < 0 {
				low = t
			} else if bytes.Compare(t, high) > 0 {
				high = t
			}
		}
		if len(low) > longest || len(high) > longest {
			return nil, nil
		}
		return low, high
	}
	from, to := 0, 0
	least, most := word(v.data), word(v.data)
	for i := v.width; i < len(v.data); i += v.width {
		if x := word(v.data[i:]); x < least {
			least, from = x, i
		} else if x > most {
			most, to = x, i
		}
	}
	low, high = v.data[from:from+v.width], v.data[to:to+v.width]
	if v.form == formByte {
		low, high = []byte{low[0], 0, 0, 0}, []byte{high[0], 0, 0, 0}
	}
	return low, high
}

// stored takes numbers that Parquet stores as Arrow does.
func stored(width int, order valueOrder) *values {
	return &values{width: width, order: order, take: func(v *values, a arrow.Array, lo, hi int) error {
		from := len(v.data)
		off := a.Data().Offset()
		v.data = append(v.data, bufferBytes(a, 1)[(off+lo)*width:(off+hi)*width]...)
		if endian.IsBigEndian {
			for x := range slices.Chunk(v.data[from:], width) {
				slices.Reverse(x)
			}
		}
		return nil
	}}
}

// widened takes integers that Parquet stores in 4 bytes.
func widened[T int8 | int16 | uint16](of func(arrow.Array) []T) *values {
	return &values{width: 4, order: orderSigned, take: func(v *values, a arrow.Array, lo, hi int) error {
		for _, x := range of(a)[lo:hi] {
			v.data = binary.LittleEndian.AppendUint32(v.data, uint32(int32(x)))
		}
		return nil
	}}
}

// texts takes values of any length.
func texts[T ~string | ~[]byte](form valueForm, order valueOrder, value func(a arrow.Array, i int) T) *values {
	return &values{form: form, order: order, take: func(v *values, a arrow.Array, lo, hi int) error {
		for i := lo; i < hi; i++ {
			x := value(a, i)
			v.data = binary.LittleEndian.AppendUint32(v.data, uint32(len(x)))
			v.data = append(v.data, x...)
			v.ends = append(v.ends, len(v.data))
		}
		return nil
	}}
}

// words32 returns the values of any array of 32-bit integers.
func words32(a arrow.Array) []int32 {
	lo := a.Data().Offset()
	return arrow.Int32Traits.CastFromBytes(bufferBytes(a, 1))[lo : lo+a.Len()]
}

func words64(a arrow.Array) []int64 {
	lo := a.Data().Offset()
	return arrow.Int64Traits.CastFromBytes(bufferBytes(a, 1))[lo : lo+a.Len()]
}

// newValues returns what holds values of a type, nil if Parquet cannot.
func newValues(t arrow.DataType) *values {
	switch t := t.(type) {
	case *arrow.NullType:
		return &values{width: 4}
	case *arrow.BooleanType:
		return booleans()
	case *arrow.Uint8Type:
		v := stored(1, orderUnsigned)
		v.form = formByte
		return v
	case *arrow.Uint16Type:
		return widened(func(a arrow.Array) []uint16 { return a.(*array.Uint16).Uint16Values() })
	case *arrow.Int8Type:
		return widened(func(a arrow.Array) []int8 { return a.(*array.Int8).Int8Values() })
	case *arrow.Int16Type:
		return widened(func(a arrow.Array) []int16 { return a.(*array.Int16).Int16Values() })
	case *arrow.Int32Type, *arrow.Date32Type:
		return stored(4, orderSigned)
	case *arrow.Uint32Type:
		return stored(4, orderUnsigned)
	case *arrow.Int64Type, *arrow.DurationType, *arrow.Time64Type:
		return stored(8, orderSigned)
	case *arrow.Uint64Type:
		return stored(8, orderUnsigned)
	case *arrow.Float16Type:
		return stored(2, orderNone)
	case *arrow.Float32Type:
		return stored(4, orderNone)
	case *arrow.Float64Type:
		return stored(8, orderNone)
	case *arrow.Time32Type:
		if t.Unit == arrow.Millisecond {
			return stored(4, orderSigned)
		}
		return timesOfDay()
	case *arrow.TimestampType:
		if t.Unit != arrow.Second {
			return stored(8, orderSigned)
		}
		return seconds()
	case *arrow.Date64Type:
		return days()
	case *arrow.StringType, *arrow.LargeStringType, *arrow.StringViewType:
		return texts(formText, orderBytes, func(a arrow.Array, i int) string { return a.(array.StringLike).Value(i) })
	case *arrow.BinaryType, *arrow.LargeBinaryType, *arrow.BinaryViewType:
		return texts(formPlain, orderNone, func(a arrow.Array, i int) []byte { return a.(interface{ Value(int) []byte }).Value(i) })
	case *arrow.FixedSizeBinaryType:
		return fixed(t.ByteWidth)
	case arrow.DecimalType:
		return decimals(t.GetPrecision())
	}
	return nil
}

func booleans() *values {
	return &values{form: formBool, width: 1, order: orderUnsigned, take: func(v *values, a arrow.Array, lo, hi int) error {
		for i := lo; i < hi; i++ {
			b := byte(0)
			if a.(*array.Boolean).Value(i) {
				b = 1
			}
			v.data = append(v.data, b)
		}
		return nil
	}}
}

// timesOfDay takes times in seconds, which Parquet stores as milliseconds.
func timesOfDay() *values {
	return &values{width: 4, order: orderSigned, take: func(v *values, a arrow.Array, lo, hi int) error {
		for i, x := range words32(a)[lo:hi] {
			if x < 0 || x > 24*60*60 {
				return &valueError{lo + i, fmt.Sprintf("%d seconds are no time of day", x)}
			}
			v.data = binary.LittleEndian.AppendUint32(v.data, uint32(x*1000))
		}
		return nil
	}}
}

// seconds takes timestamps in seconds, which Parquet stores as milliseconds.
func seconds() *values {
	return &values{width: 8, order: orderSigned, take: func(v *values, a arrow.Array, lo, hi int) error {
		for i, x := range words64(a)[lo:hi] {
			if x > math.MaxInt64/1000 || x < math.MinInt64/1000 {
				return &valueError{lo + i, fmt.Sprintf("timestamp of %d seconds is too large for milliseconds, the unit of Parquet", x)}
			}
			v.data = binary.LittleEndian.AppendUint64(v.data, uint64(x*1000))
		}
		return nil
	}}
}

// days takes dates in milliseconds, which Parquet stores as days.
func days() *values {
	const day = 24 * 60 * 60 * 1000
	return &values{width: 4, order: orderSigned, take: func(v *values, a arrow.Array, lo, hi int) error {
		for i, x := range words64(a)[lo:hi] {
			if x%day != 0 || x/day > math.MaxInt32 || x/day < math.MinInt32 {
				return &valueError{lo + i, fmt.Sprintf("date64 of %d ms is not a whole day, as the dates of Parquet are", x)}
			}
			v.data = binary.LittleEndian.AppendUint32(v.data, uint32(int32(x/day)))
		}
		return nil
	}}
}

func fixed(width int) *values {
	return &values{width: width, take: func(v *values, a arrow.Array, lo, hi int) error {
		for i := lo; i < hi; i++ {
			v.data = append(v.data, a.(*array.FixedSizeBinary).Value(i)...)
		}
		return nil
	}}
}

func decimals(precision int32) *values {
	size := int(pqarrow.DecimalSize(precision))
	return &values{width: size, take: func(v *values, a arrow.Array, lo, hi int) error {
		for i := lo; i < hi; i++ {
			x := decimalAt(a, i)
			if x.BitLen() > 8*size-1 {
				return &valueError{i, fmt.Sprintf("decimal of more than %d digits", precision)}
			}
			v.data = append(v.data, bigEndian(make([]byte, size), x)...)
		}
		return nil
	}}
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

// bufferBytes returns the bytes of one of an array's buffers.
func bufferBytes(a arrow.Array, i int) []byte {
	if buf := a.Data().Buffers()[i]; buf != nil {
		return buf.Bytes()
	}
	return nil
}

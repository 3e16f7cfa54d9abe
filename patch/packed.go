package patch

import (
	"fmt"
	"math"
	"strconv"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/bitutil"
	"github.com/apache/arrow-go/v18/arrow/decimal"
)

// An unpacker sets dst to the values of an array from position lo on, as an
// element has them. It is for arrays that hold elements in a form with which
// nobody can compute: bits, and decimals.
type unpacker func(dst []byte, a arrow.Array, lo int)

// unpackerOf returns nil for an array that has elements as they are.
func unpackerOf(a arrow.Array) unpacker {
	switch a.(type) {
	case *array.Boolean:
		return unpackBits
	case *array.Decimal32:
		return unpackDecimals[decimal.Decimal32]
	case *array.Decimal64:
		return unpackDecimals[decimal.Decimal64]
	case *array.Decimal128:
		return unpackDecimals[decimal.Decimal128]
	case *array.Decimal256:
		return unpackDecimals[decimal.Decimal256]
	}
	return nil
}

// isPacked reports whether arrays of a type need an unpacker.
func isPacked(t arrow.DataType) bool {
	_, isDecimal := t.(arrow.DecimalType)
	return isDecimal || t.ID() == arrow.BOOL
}

func unpackBits(dst []byte, a arrow.Array, lo int) {
	bits, offset := bufferBytes(a, 1), a.Data().Offset()
	for i := range dst {
		dst[i] = 0
		if bitutil.BitIsSet(bits, offset+lo+i) {
			dst[i] = 1
		}
	}
}

// unpackTruths reads truth values of 8 bits: all but 0 are true.
func unpackTruths(dst []byte, a arrow.Array, lo int) {
	values := bufferBytes(a, 1)[a.Data().Offset()+lo:]
	for i := range dst {
		dst[i] = 0
		if values[i] != 0 {
			dst[i] = 1
		}
	}
}

// A decimalNumber is a decimal of any width.
type decimalNumber[T decimal.DecimalTypes] interface {
	decimal.DecimalTypes
	decimal.Num[T]
}

func unpackDecimals[T decimalNumber[T]](dst []byte, a arrow.Array, lo int) {
	values := a.(interface{ Value(int) T })
	scale := a.DataType().(arrow.DecimalType).GetScale()
	for i, out := 0, arrow.GetData[float64](dst); i < len(out); i++ {
		out[i] = decimalValue(values.Value(lo+i), scale)
	}
}

// decimalValue returns the float64 next to a decimal. The library's own
// conversion rounds more than once.
func decimalValue[T decimalNumber[T]](v T, scale int32) float64 {
	const (
		exact = 1 << 53 // integers up to here, and
		tens  = 22      // powers of ten, have no rounding of their own
	)
	if whole := v.ToFloat64(0); math.Abs(whole) <= exact && scale >= 0 && scale <= tens {
		return whole / math.Pow10(int(scale))
	}
	f, _ := strconv.ParseFloat(v.ToString(0)+"e"+strconv.Itoa(-int(scale)), 64) // infinite where it is too large
	return f
}

// unpack copies the elements that the cursor stands on into one piece.
func (rd *rowReader) unpack(unpack unpacker, a arrow.Array) ([]byte, error) {
	if err := rd.checkPacked(a); err != nil {
		return nil, err
	}
	for i, r := range rd.rows {
		for k := i * rd.perRow; k < (i+1)*rd.perRow; k++ {
			if end := rd.start(k) + rd.run; end > a.Len() {
				rd.reject(r, Damaged, func() string { return fmt.Sprintf("list ends at value %d of %d", end, a.Len()) })
				break
			}
		}
	}
	rd.dropBad()
	run := rd.run * rd.column.element.size
	rd.gathered = resize(rd.gathered, words(rd.runs()*run))
	out := asBytes(rd.gathered)
	for k := range rd.runs() {
		unpack(out[k*run:(k+1)*run], a, rd.start(k))
	}
	rd.starts, rd.base = nil, 0
	return out, nil
}

// firstNumbers returns the first n values of an array of numbers. They outlive
// the look at other columns.
func (rd *rowReader) firstNumbers(a arrow.Array, n int) ([]byte, error) {
	unpack := rd.column.unpackerOf(a)
	if unpack == nil {
		return rd.numbers(a, n)
	}
	if err := rd.checkPacked(a); err != nil {
		return nil, err
	}
	size := n * rd.column.element.size
	out := asBytes(make([]uint64, words(size)))[:size]
	unpack(out, a, 0)
	return out, nil
}

// checkPacked reports an array whose buffer is cut short.
func (rd *rowReader) checkPacked(a arrow.Array) error {
	bits := a.DataType().(arrow.FixedWidthDataType).BitWidth()
	n := a.Data().Offset() + a.Len()
	if have := len(bufferBytes(a, 1)); have < int(bitutil.BytesForBits(int64(n)*int64(bits))) {
		return bindError(rd.column.name, fmt.Sprintf("%d bytes for %d values of %s", have, n, a.DataType()), "")
	}
	return nil
}

package parquet

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/bits"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/endian"

	"github.com/aefeat/aefeat/arrowio/internal/bound"
)

// int96Bytes is the size of an INT96 timestamp: the nanoseconds of the day in 8
// bytes, then the day in 4.
const int96Bytes = 12

const (
	// julianEpoch is the number of the day 1970-01-01.
	julianEpoch = 2440588

	dayNanoseconds = 24 * 60 * 60 * 1e9
)

var errFar = &bound.UnsupportedError{
	What: "its INT96 timestamps lie outside the years 1677 to 2262, which nanoseconds can tell",
	Hint: "leave the column out with `Keep`, or write it again as TIMESTAMP_MICROS",
}

// fromSpark says whether Spark wrote the file, whose INT96 timestamps are whole
// microseconds of any year, and who does not read nanoseconds.
func (f *footer) fromSpark() bool {
	return !endian.IsBigEndian && strings.HasPrefix(f.creator, "parquet-mr") &&
		slices.ContainsFunc(f.meta, func(m keyValue) bool { return m.key == "org.apache.spark.version" })
}

// timestamps makes timestamps of a unit of INT96 ones.
func timestamps(dst, src []byte, unit arrow.TimeUnit) error {
	per := int64(1) // nanoseconds
	if unit == arrow.Microsecond {
		per = 1000
	}
	for ; len(dst) > 0; dst, src = dst[8:], src[int96Bytes:] {
		nanoseconds := binary.LittleEndian.Uint64(src)
		day := int64(binary.LittleEndian.Uint32(src[8:])) - julianEpoch
		if nanoseconds >= dayNanoseconds {
			return fmt.Errorf("INT96 timestamp with %d ns of the day", nanoseconds)
		}
		if int64(nanoseconds)%per != 0 {
			return errors.New("INT96 timestamp of Spark that is no whole microsecond")
		}
		v, ok := dayTime(day, int64(nanoseconds)/per, dayNanoseconds/per)
		if !ok {
			return errFar
		}
		binary.LittleEndian.PutUint64(dst, uint64(v))
	}
	return nil
}

// dayTime returns day*length + time, and whether it has 64 bits.
func dayTime(day, time, length int64) (int64, bool) {
	if day < 0 { // towards zero, where nothing overflows before the sum does
		day, time = day+1, time-length
	}
	high, low := bits.Mul64(uint64(max(day, -day)), uint64(length))
	if high != 0 || low > math.MaxInt64 {
		return 0, false
	}
	v := int64(low)
	if day < 0 {
		v = -v
	}
	sum := v + time
	return sum, (time < 0) == (sum < v)
}

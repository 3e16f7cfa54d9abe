package kill

import (
	"errors"
	"math"
	"os"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// width is the number of values of a patch.
const width = 64

// writePatches writes an IPC stream of patches, values from 0 to 1 whose means
// and deviations differ from place to place.
func writePatches(name string, rows, batch int) (err error) {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	schema := arrow.NewSchema([]arrow.Field{{Name: "patch", Type: arrow.FixedSizeListOfNonNullable(width, arrow.PrimitiveTypes.Float32)}}, nil)
	w := ipc.NewWriter(f, ipc.WithSchema(schema))
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	defer b.Release()
	patches := b.Field(0).(*array.FixedSizeListBuilder)
	values := patches.ValueBuilder().(*array.Float32Builder)
	for row := range rows {
		patches.Append(true)
		for j := range width {
			x := math.Sin(0.37*float64(row*row%1009) + 0.11*float64(j*(1+row%7)))
			values.Append(float32(0.5 + 0.45*x*math.Cos(0.05*float64(j))))
		}
		if (row+1)%batch == 0 || row+1 == rows {
			rec := b.NewRecordBatch()
			err := w.Write(rec)
			rec.Release()
			if err != nil {
				return err
			}
		}
	}
	return w.Close()
}

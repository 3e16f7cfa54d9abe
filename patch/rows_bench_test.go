package patch

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/aefeat/aefeat/internal/arrowtest"
)

// BenchmarkRows reads batches of 4,096 patches of 784 values. Bytes are those
// of the input.
func BenchmarkRows(b *testing.B) {
	const m, n = 4096, 784
	u8, f32 := arrow.PrimitiveTypes.Uint8, arrow.PrimitiveTypes.Float32
	for name, t := range map[string]arrow.DataType{
		"fixed-uint8":      arrow.FixedSizeListOf(n, u8),
		"list-uint8":       arrow.ListOf(u8),
		"list-float32":     arrow.ListOf(f32),
		"list-float16":     arrow.ListOf(arrow.FixedWidthTypes.Float16),
		"list-float64":     arrow.ListOf(arrow.PrimitiveTypes.Float64),
		"list-int64":       arrow.ListOf(arrow.PrimitiveTypes.Int64),
		"nested-uint8":     arrow.ListOf(arrow.ListOf(u8)),
		"binary":           arrow.BinaryTypes.Binary,
		"binary-view":      arrow.BinaryTypes.BinaryView,
		"dictionary-fixed": &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int32, ValueType: arrow.FixedSizeListOf(n, u8)},
		"scalars-uint8":    u8,
		"scalars-float32":  f32,
		"scalars-int64":    arrow.PrimitiveTypes.Int64,
	} {
		b.Run(name, func(b *testing.B) {
			g := &arrowtest.Maker{Rand: rand.New(rand.NewPCG(1, 2)), Mem: memory.DefaultAllocator}
			e, dims, _ := patchType(t)
			var fields []arrow.Field
			if len(dims) == 0 {
				for i := range n {
					fields = append(fields, arrow.Field{Name: fmt.Sprintf("p%d", i), Type: t, Nullable: true})
				}
			} else {
				fields = []arrow.Field{{Name: "p0", Type: t, Nullable: true}}
			}
			lengths := []int{n}
			if len(dims) == 2 {
				lengths = []int{28, 28}
			}
			var columns []arrow.Array
			for _, f := range fields {
				columns = append(columns, g.Piece(f.Type, m, lengths))
			}
			schema := arrow.NewSchema(fields, nil)
			rec := array.NewRecordBatch(schema, columns, m)
			bound, err := Bind(schema, BindOptions{Columns: []string{"p*"}})
			if err != nil {
				b.Fatal(err)
			}
			b.SetBytes(int64(m * n * e.size))
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := bound.Rows(rec, 0); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

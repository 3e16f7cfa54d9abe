package arrowio

import (
	"fmt"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/aefeat/aefeat/internal/arrowtest"
)

// BenchmarkWriteParquet writes batches of 4,096 rows. Bytes are those of the
// batches.
func BenchmarkWriteParquet(b *testing.B) {
	const m = 4096
	g := &arrowtest.Maker{Rand: rand.New(rand.NewPCG(1, 2)), Mem: memory.DefaultAllocator}
	codes := func(n int) []arrow.Field {
		var fields []arrow.Field
		for i := range n {
			fields = append(fields, arrow.Field{Name: fmt.Sprintf("code_%d", i), Type: arrow.PrimitiveTypes.Float32})
		}
		return fields
	}
	for name, fields := range map[string][]arrow.Field{
		"196-codes":   codes(196),
		"1600-codes":  codes(1600),
		"fixed-uint8": {{Name: "p", Type: arrow.FixedSizeListOf(784, arrow.PrimitiveTypes.Uint8)}},
		"fixed-codes": {{Name: "p", Type: arrow.FixedSizeListOf(196, arrow.PrimitiveTypes.Float32)}},
		"strings":     {{Name: "s", Type: arrow.BinaryTypes.String, Nullable: true}},
	} {
		b.Run(name, func(b *testing.B) {
			schema := arrow.NewSchema(fields, nil)
			var columns []arrow.Array
			for _, f := range fields {
				columns = append(columns, g.Piece(f.Type, m, nil))
			}
			rec := array.NewRecordBatch(schema, columns, m)
			var size int64
			for _, c := range columns {
				size += bufferBytes(c.Data())
			}
			w, err := Create("-", schema, WriteOptions{Stdout: io.Discard})
			if err != nil {
				b.Fatal(err)
			}
			b.SetBytes(size)
			b.ReportAllocs()
			for b.Loop() {
				if err := w.Write(rec); err != nil {
					b.Fatal(err)
				}
			}
			if err := w.Close(); err != nil {
				b.Fatal(err)
			}
		})
	}
}

func bufferBytes(d arrow.ArrayData) int64 {
	n := int64(0)
	for _, b := range d.Buffers() {
		if b != nil {
			n += int64(b.Len())
		}
	}
	for _, c := range d.Children() {
		n += bufferBytes(c)
	}
	return n
}

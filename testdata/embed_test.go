package testdata_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"

	"github.com/aefeat/aefeat/testdata"
)

// The sums are of all pixels and of all labels, one byte each in row order,
// taken from the IDX files by other means:
//
//	x[::12].tobytes() and y[::12].tobytes() of the arrays in numpy.
func TestDigits(t *testing.T) {
	for _, tt := range []struct {
		name, data     string
		rows           int
		pixels, labels string
	}{
		{"train", testdata.DigitsTrain, 5000, "ec39b6d116c25d29e273dc3379d1a4b750879aecd70e2fb64685558d52043824", "059c777449e0945ed776bb2461586dc441d75e03d9a8cf3d5a8a4396b1c08fc7"},
		{"test", testdata.DigitsTest, 1000, "7185a4f5272ad30b570eefeba02b9b2e8df301e55a174a34fc14b032acf68b2d", "b41a531cecab241e80773cecd6b9c1a4cce9e68392f4f491b7198f1998485b8a"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
			defer mem.AssertSize(t, 0)

			f, err := file.NewParquetReader(strings.NewReader(tt.data))
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			r, err := pqarrow.NewFileReader(f, pqarrow.ArrowReadProperties{}, mem)
			if err != nil {
				t.Fatal(err)
			}
			table, err := r.ReadTable(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			defer table.Release()
			if got := int(table.NumRows()); got != tt.rows {
				t.Fatalf("%d rows, want %d", got, tt.rows)
			}

			pixels, labels := sha256.New(), sha256.New()
			batches := array.NewTableReader(table, 0)
			defer batches.Release()
			for batches.Next() {
				batch := batches.RecordBatch()
				images, ok := batch.Column(0).(*array.FixedSizeList)
				if !ok || batch.ColumnName(0) != "image" || batch.ColumnName(1) != "label" {
					t.Fatalf("schema: %v", batch.Schema())
				}
				if images.NullN() > 0 || batch.Column(1).NullN() > 0 {
					t.Fatal("nulls among the digits")
				}
				first, _ := images.ValueOffsets(0)
				_, last := images.ValueOffsets(images.Len() - 1)
				pixels.Write(images.ListValues().(*array.Uint8).Uint8Values()[first:last])
				labels.Write(batch.Column(1).(*array.Uint8).Uint8Values())
			}
			if err := batches.Err(); err != nil {
				t.Fatal(err)
			}
			if got := hex.EncodeToString(pixels.Sum(nil)); got != tt.pixels {
				t.Errorf("pixels: sha256 %s, want %s", got, tt.pixels)
			}
			if got := hex.EncodeToString(labels.Sum(nil)); got != tt.labels {
				t.Errorf("labels: sha256 %s, want %s", got, tt.labels)
			}
		})
	}
}

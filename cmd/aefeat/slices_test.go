package main

import (
	"slices"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

const sparseRows = 128 // of batches with vectors of unknown width

// Batches with sparse vectors or codes are cut, others are left alone.
func TestInSlices(t *testing.T) {
	mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
	defer mem.AssertSize(t, 0)
	for name, c := range map[string]struct {
		typ  arrow.DataType
		want []int64
	}{
		"vectors": {vectorType, []int64{sparseRows, sparseRows, 5, 3}},
		"structs": {arrow.StructOf(vectorType.Field(0)), []int64{2*sparseRows + 5, 0, 3}},
	} {
		schema := arrow.NewSchema([]arrow.Field{{Name: "v", Type: c.typ, Nullable: true}}, nil)
		var batches []arrow.RecordBatch
		for _, n := range []int{2*sparseRows + 5, 0, 3} {
			b := array.NewRecordBuilder(mem, schema)
			b.Field(0).AppendNulls(n)
			batches = append(batches, b.NewRecordBatch())
			b.Release()
		}
		all, err := array.NewRecordReader(schema, batches)
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range batches {
			b.Release()
		}
		r := inSlices(all)
		var got []int64
		for r.Next() {
			got = append(got, r.RecordBatch().NumRows())
		}
		if !slices.Equal(got, c.want) || r.Err() != nil {
			t.Errorf("%s: batches of %d rows, want %d; %v", name, got, c.want, r.Err())
		}
		r.Release()
	}
}

package main

import (
	"fmt"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/aefeat/aefeat/arrowio"
)

// wideFile writes a file of n columns of numbers, and one of texts.
func wideFile(t *testing.T, name string, n int) {
	t.Helper()
	numbers, texts := array.NewFloat32Builder(memory.DefaultAllocator), array.NewStringBuilder(memory.DefaultAllocator)
	for i := range 10 {
		numbers.Append(float32(i) / 10)
		texts.Append("a")
	}
	column, label := numbers.NewArray(), texts.NewArray()
	fields, columns := []arrow.Field{{Name: "label", Type: label.DataType()}}, []arrow.Array{label}
	for i := range n {
		fields, columns = append(fields, arrow.Field{Name: fmt.Sprintf("c%d", i), Type: column.DataType()}), append(columns, column)
	}
	of := arrow.NewSchema(fields, nil)
	w, err := arrowio.Create(name, of, arrowio.WriteOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Write(array.NewRecordBatch(of, columns, 10)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

// The work of commands grows with the number of columns and not with its
// square. What is allocated tells of the work on every machine.
func TestWideInput(t *testing.T) {
	const n, more = 400, 4
	work := map[string][2]uint64{}
	for at, n := range []int{n, more * n} {
		dir := t.TempDir()
		data, model, out := filepath.Join(dir, "wide.parquet"), filepath.Join(dir, "m"), filepath.Join(dir, "out.parquet")
		wideFile(t, data, n)
		for _, args := range [][]string{
			{"inspect", "--stats", "--head=2", data},
			{"fit", "--hidden=1", "--epochs=1", "-o", model, data},
			{"transform", "-m", model, "-o", out, data},
			{"evaluate", "-m", model, data},
		} {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, stderr := runQuietly(args...)
			runtime.ReadMemStats(&after)
			if len(stderr) > 0 && string(stderr[:min(len(stderr), 14)]) == "aefeat: error:" {
				t.Fatalf("%q: %s", args, stderr)
			}
			of := work[args[0]]
			of[at] = after.TotalAlloc - before.TotalAlloc
			work[args[0]] = of
		}
	}
	for command, bytes := range work {
		if bytes[1] > 2*more*bytes[0] {
			t.Errorf("%s: %d columns take %d bytes, %d take %d", command, n, bytes[0], more*n, bytes[1])
		}
	}
}

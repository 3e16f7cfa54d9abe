package main

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/aefeat/aefeat/arrowio"
	"github.com/aefeat/aefeat/model"
	"github.com/aefeat/aefeat/stage"
)

// transform returns the code of each row, as text that tells all bits. It goes
// through a file of codes.
func (t *trial) transform(ctx context.Context, m *model.Model, s *stored, layout string) ([]string, error) {
	in, err := s.read(ctx)
	if err != nil {
		return nil, err
	}
	defer in.close()
	tr, err := stage.NewTransformer(m, in.Schema(), stage.TransformConfig{
		Columns: columnsOf(s.layout), Skip: t.table.null != nil, PixelMax: t.table.pixelMax(), Layout: layout, Keep: []string{"id"},
	})
	if err != nil {
		return nil, err
	}
	var file bytes.Buffer
	w, err := arrowio.NewWriter(&file, tr.Schema(), arrowio.WriteOptions{
		Format: pick(t.random, arrowio.Parquet, arrowio.Arrow, arrowio.Stream), RowGroupBytes: int64(pick(t.random, 0, 1000, 100_000)),
	})
	if err != nil {
		return nil, err
	}
	defer w.Abort()
	t.sum.transforms++
	report, err := tr.Run(ctx, in, w)
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		return nil, err
	}
	if report.Rows != int64(t.table.rows) {
		return nil, fmt.Errorf("%d rows were transformed", report.Rows)
	}
	src, err := arrowio.OpenReaderAt(bytes.NewReader(file.Bytes()), int64(file.Len()), "codes", arrowio.OpenOptions{})
	if err != nil {
		return nil, err
	}
	defer src.Close()
	r, err := src.Reader(ctx, nil)
	if err != nil {
		return nil, err
	}
	defer r.Release()
	t.sum.reads++
	var rows []string
	for r.Next() {
		rows = appendRows(rows, r.RecordBatch())
	}
	return rows, r.Err()
}

func appendRows(rows []string, batch arrow.RecordBatch) []string {
	for i := range int(batch.NumRows()) {
		var b strings.Builder
		for _, c := range batch.Columns() {
			writeCell(&b, c, i)
		}
		rows = append(rows, b.String())
	}
	return rows
}

func writeCell(b *strings.Builder, c arrow.Array, i int) {
	if c.IsNull(i) {
		b.WriteString("null ")
		return
	}
	switch c := c.(type) {
	case *array.Int64:
		fmt.Fprintf(b, "%d ", c.Value(i))
	case *array.Uint32:
		fmt.Fprintf(b, "%d ", c.Value(i))
	case *array.Float32:
		fmt.Fprintf(b, "%08x ", math.Float32bits(c.Value(i)))
	case array.ListLike:
		b.WriteString("[")
		for from, to := c.ValueOffsets(i); from < to; from++ {
			writeCell(b, c.ListValues(), int(from))
		}
		b.WriteString("] ")
	default:
		fmt.Fprintf(b, "%T? ", c)
	}
}

func sameRows(got, want []string) error {
	if len(got) != len(want) {
		return fmt.Errorf("%d rows, not %d", len(got), len(want))
	}
	for i := range got {
		if got[i] != want[i] {
			return fmt.Errorf("row %d: %.80s, not %.80s", i, got[i], want[i])
		}
	}
	return nil
}

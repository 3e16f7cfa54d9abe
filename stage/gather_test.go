package stage

import (
	"slices"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/aefeat/aefeat/model"
	"github.com/aefeat/aefeat/patch"
)

// numberedBatches returns batches of patches of one value and a column of
// numbers, of which bad, if not nil, is null.
func numberedBatches(t *testing.T, numbers []int64, batch int, null int) array.RecordReader {
	t.Helper()
	schema := arrow.NewSchema([]arrow.Field{
		{Name: "patch", Type: arrow.FixedSizeListOfNonNullable(1, arrow.PrimitiveTypes.Uint8)},
		{Name: "number", Type: arrow.PrimitiveTypes.Int64, Nullable: true},
	}, nil)
	var batches []arrow.RecordBatch
	for lo := 0; lo < len(numbers); lo += batch {
		b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
		for i := lo; i < min(lo+batch, len(numbers)); i++ {
			list := b.Field(0).(*array.FixedSizeListBuilder)
			list.Append(true)
			list.ValueBuilder().(*array.Uint8Builder).Append(uint8(numbers[i]))
			if i == null {
				b.Field(1).AppendNull()
			} else {
				b.Field(1).(*array.Int64Builder).Append(numbers[i])
			}
		}
		batches = append(batches, b.NewRecordBatch())
	}
	r, err := array.NewRecordReader(schema, batches)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// Rows have the numbers of their column, or those from the first on, whatever
// the batches are.
func TestGather(t *testing.T) {
	noGoroutinesLeft(t)
	m, err := model.New(model.Config{Inputs: 1, Hidden: 1})
	if err != nil {
		t.Fatal(err)
	}
	m.Preprocess = model.Preprocess{Method: model.PreprocessScale, Source: "uint8", Scale: 1. / 255, Max: 255}
	numbers := make([]int64, 2500)
	for i := range numbers {
		numbers[i] = int64(len(numbers) - i)
	}
	gather := func(c GatherConfig, r array.RecordReader) (got []int64, g Gathered, err error) {
		c.Columns = []string{"patch"}
		g, err = Gather(t.Context(), m, r, c, func(*model.Model) func(model.Rows) error {
			return func(r model.Rows) error {
				for i, n := range r.Number {
					if c.RowColumn != "" && r.Data[i] != uint8(n) {
						t.Fatalf("row %d has the value %d", n, r.Data[i])
					}
				}
				got = append(got, r.Number...)
				return nil
			}
		})
		return got, g, err
	}
	for _, batch := range []int{7, 1000, 2500} {
		got, g, err := gather(GatherConfig{RowColumn: "number"}, numberedBatches(t, numbers, batch, -1))
		if err != nil || !slices.Equal(got, numbers) || g.First != model.UnknownRow || g.End != model.UnknownRow || g.Rows != 2500 {
			t.Errorf("%d rows from %d on, error %v", g.Rows, g.First, err)
		}
	}
	got, g, err := gather(GatherConfig{EvaluateConfig: EvaluateConfig{FirstRow: 40}}, numberedBatches(t, numbers, 1000, -1))
	if err != nil || got[0] != 40 || got[2499] != 2539 || g.First != 40 || g.End != 2540 {
		t.Errorf("rows from %d on, error %v", g.First, err)
	}
	if _, g, err := gather(GatherConfig{}, numberedBatches(t, nil, 1, -1)); err != nil || g.Rows != 0 || g.First != 0 || g.End != 0 {
		t.Errorf("%d rows, error %v", g.Rows, err)
	}
	numbers[1200] = -1
	for name, bad := range map[string]struct {
		column string
		null   int
		row    int64
	}{"below 0": {"number", -1, 1200}, "null": {"number", 3, 3}, "missing": {"nothing", -1, -1}, "no integers": {"patch", -1, -1}} {
		_, _, err := gather(GatherConfig{RowColumn: bad.column}, numberedBatches(t, numbers, 1000, bad.null))
		if e, ok := err.(*patch.RowError); !ok || e.Row != bad.row || e.Column != bad.column {
			t.Errorf("%s: %v", name, err)
		}
	}
}

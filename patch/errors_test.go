package patch

import (
	"errors"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/aefeat/aefeat/internal/arrowtest"
)

// Programs tell errors by their keys.
func TestKeys(t *testing.T) {
	mem := memory.NewGoAllocator()
	u8, f64 := arrow.PrimitiveTypes.Uint8, arrow.PrimitiveTypes.Float64
	list := func(n int32) arrow.DataType { return arrow.FixedSizeListOf(n, u8) }
	for name, c := range map[string]struct {
		typ     arrow.DataType // of the column p
		values  string         // "": it is the schema that is at fault
		columns []string
		width   int
		want    string
	}{
		"width":         {list(2), "", nil, 3, KeyWidth},
		"no such":       {list(2), "", []string{"q"}, 0, KeyMissing},
		"no match":      {list(2), "", []string{"q*"}, 0, KeyMissing},
		"string":        {arrow.BinaryTypes.String, "", []string{"p"}, 0, KeyType},
		"only a string": {arrow.BinaryTypes.String, "", nil, 0, KeyNoPatch},
		"two":           {arrow.StructOf(arrow.Field{Name: "a", Type: list(2)}, arrow.Field{Name: "b", Type: list(2)}), "", nil, 0, KeyAmbiguous},
		"two, named":    {arrow.StructOf(arrow.Field{Name: "a", Type: list(2)}, arrow.Field{Name: "b", Type: list(2)}), "", []string{"p"}, 0, KeyAmbiguous},

		"null":         {arrow.ListOf(u8), `[[1,2],null]`, nil, 0, string(Null)},
		"ragged":       {arrow.ListOf(u8), `[[1,2],[1]]`, nil, 0, string(Ragged)},
		"out of range": {arrow.ListOf(f64), `[[1,2],[3,1e300]]`, nil, 0, string(OutOfRange)},
		"an image":     {arrow.BinaryTypes.Binary, `["/9j/4C4uSkZJRg=="]`, nil, 0, KeyType},
	} {
		values := c.values
		if values == "" {
			values = "[]"
		}
		rec := arrowtest.JSONBatch(t, mem, c.typ, values)
		b, err := Bind(rec.Schema(), BindOptions{Columns: c.columns, Width: c.width})
		if err == nil {
			_, _, err = b.Rows(rec, 0)
		}
		var e *RowError
		if !errors.As(err, &e) || e.Key != c.want {
			t.Errorf("%s: %v with key %q, want %q", name, err, e.Key, c.want)
		}
		rec.Release()
	}
}

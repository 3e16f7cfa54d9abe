package patch

import (
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// labelBatch makes a batch of one column, from JSON.
func labelBatch(t *testing.T, mem memory.Allocator, typ arrow.DataType, json string) arrow.RecordBatch {
	t.Helper()
	a, _, err := array.FromJSON(mem, typ, strings.NewReader(json))
	if err != nil {
		t.Fatal(err)
	}
	defer a.Release()
	schema := arrow.NewSchema([]arrow.Field{{Name: "y", Type: typ, Nullable: true}}, nil)
	return array.NewRecordBatch(schema, []arrow.Array{a}, int64(a.Len()))
}

func TestLabels(t *testing.T) {
	const null = "\x00"
	for _, test := range []struct {
		typ    arrow.DataType
		column string
		json   string
		want   []string
	}{
		{arrow.PrimitiveTypes.Int8, "y", `[3, null, -4]`, []string{"3", null, "-4"}},
		{arrow.PrimitiveTypes.Uint64, "y", `[0, 12]`, []string{"0", "12"}},
		{arrow.FixedWidthTypes.Boolean, "y", `[true, false, null]`, []string{"true", "false", null}},
		{arrow.BinaryTypes.String, "y", `["cat", "", null, "null"]`, []string{"cat", "", null, "null"}},
		{arrow.BinaryTypes.LargeString, "y", `["cat", null]`, []string{"cat", null}},
		{arrow.BinaryTypes.StringView, "y", `["cat", "a label too long to be inlined", null]`, []string{"cat", "a label too long to be inlined", null}},
		{&arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int8, ValueType: arrow.BinaryTypes.String}, "y", `["b", "a", null, "b"]`, []string{"b", "a", null, "b"}},
		{&arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Uint16, ValueType: arrow.PrimitiveTypes.Int64}, "y", `[7, null, 5]`, []string{"7", null, "5"}},
		{arrow.StructOf(arrow.Field{Name: "class", Type: arrow.PrimitiveTypes.Int32, Nullable: true}), "y.class",
			`[{"class": 1}, null, {"class": null}, {"class": 2}]`, []string{"1", null, null, "2"}},
	} {
		t.Run(test.typ.String(), func(t *testing.T) {
			mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
			defer mem.AssertSize(t, 0)
			batch := labelBatch(t, mem, test.typ, test.json)
			defer batch.Release()
			b, err := BindLabel(batch.Schema(), test.column)
			if err != nil {
				t.Fatal(err)
			}
			for cut := range test.want { // slices have offsets
				part := batch.NewSlice(int64(cut), batch.NumRows())
				labels, err := b.Labels(nil, part)
				part.Release()
				if err != nil {
					t.Fatal(err)
				}
				var got []string
				for _, l := range labels {
					if l.Null {
						l.Text = null
					}
					got = append(got, l.Text)
				}
				if !slices.Equal(got, test.want[cut:]) {
					t.Errorf("from row %d: got %q, want %q", cut, got, test.want[cut:])
				}
			}
		})
	}
}

func TestLabelOrder(t *testing.T) {
	for _, test := range []struct {
		typ  arrow.DataType
		want []string
	}{
		{arrow.PrimitiveTypes.Int16, []string{"-10", "-9", "0", "2", "10"}},
		{arrow.PrimitiveTypes.Uint64, []string{"2", "10", "18446744073709551615"}},
		{arrow.BinaryTypes.String, []string{"10", "9", "a", "b"}},
		{arrow.FixedWidthTypes.Boolean, []string{"false", "true"}},
	} {
		b, err := BindLabel(arrow.NewSchema([]arrow.Field{{Name: "y", Type: test.typ}}, nil), "y")
		if err != nil {
			t.Fatal(err)
		}
		got := slices.Clone(test.want)
		slices.Reverse(got)
		slices.SortFunc(got, b.Compare)
		if !slices.Equal(got, test.want) {
			t.Errorf("%s: sorted %q, want %q", test.typ, got, test.want)
		}
	}
}

func TestBindLabelErrors(t *testing.T) {
	schema := arrow.NewSchema([]arrow.Field{
		{Name: "y", Type: arrow.PrimitiveTypes.Float32},
		{Name: "list", Type: arrow.ListOf(arrow.PrimitiveTypes.Int8)},
		{Name: "when", Type: arrow.FixedWidthTypes.Date32},
		{Name: "bytes", Type: arrow.BinaryTypes.Binary},
		{Name: "none", Type: arrow.Null},
		{Name: "s", Type: arrow.StructOf(arrow.Field{Name: "a", Type: arrow.PrimitiveTypes.Int8})},
	}, nil)
	for column, want := range map[string]string{
		"x": "no such column", "s.b": "no such column", "y": "cannot be a label", "list": "cannot be a label", "when": "cannot be a label",
		"bytes": "cannot be a label", "none": "cannot be a label", "s": "cannot be a label",
	} {
		if _, err := BindLabel(schema, column); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q", column, err, want)
		}
	}
	if _, err := BindLabel(schema, "s.a"); err != nil {
		t.Error(err)
	}
}

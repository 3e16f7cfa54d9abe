package labelled_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/aefeat/aefeat/internal/labelled"
	"github.com/aefeat/aefeat/patch"
)

var schema = arrow.NewSchema([]arrow.Field{
	{Name: "digit", Type: arrow.PrimitiveTypes.Int32, Nullable: true},
	{Name: "code", Type: arrow.FixedSizeListOf(2, arrow.PrimitiveTypes.Float32), Nullable: true},
	{Name: "image", Type: arrow.FixedSizeListOf(3, arrow.PrimitiveTypes.Uint8)},
}, nil)

func batch(t *testing.T, rows string) arrow.RecordBatch {
	t.Helper()
	b, _, err := array.RecordFromJSON(memory.DefaultAllocator, schema, strings.NewReader(rows))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// A row that is bad in its label or one of the sets is left out of all.
func TestBadRowsAreLeftOutOfAllSets(t *testing.T) {
	b := batch(t, `[
		{"digit": 10, "code": [1, 2], "image": [1, 2, 3]},
		{"digit": null, "code": [3, 4], "image": [4, 5, 6]},
		{"digit": 9, "code": null, "image": [7, 8, 9]},
		{"digit": 9, "code": [5, 6], "image": [10, 11, 12]}]`)
	sets := [][]string{{"code"}, {"image"}}
	var classes labelled.Classes
	rows, err := labelled.New(schema, "digit", sets, patch.BindOptions{Skip: true}, &classes)
	if err != nil {
		t.Fatal(err)
	}
	here := func(int64) *labelled.Rows { return rows }
	if err := rows.Add(b, 100, here); err != nil {
		t.Fatal(err)
	}
	texts, _ := classes.Settle(rows, rows.Apart())
	if !slices.Equal(texts, []string{"9", "10"}) || !slices.Equal(rows.Labels, []int{1, 0}) || rows.Bad.Total() != 2 {
		t.Errorf("classes %v, labels %v, %d skipped", texts, rows.Labels, rows.Bad.Total())
	}
	if x := rows.Sets[0].X; !slices.Equal(x, []float32{1, 2, 5, 6}) {
		t.Errorf("codes %v", x)
	}
	if x := rows.Sets[1].X; !slices.Equal(x, []float32{1, 2, 3, 10, 11, 12}) {
		t.Errorf("images %v", x)
	}

	if rows, err = labelled.New(schema, "digit", sets, patch.BindOptions{}, &classes); err != nil {
		t.Fatal(err)
	}
	var e *patch.RowError
	if err := rows.Add(b, 100, here); !errors.As(err, &e) || e.Column != "digit" || e.Row != 101 {
		t.Errorf("error %v, want one about the label of row 101", err)
	}
}

// Test rows are numbered as the training rows are, also from another schema,
// and those of other classes are counted.
func TestSettle(t *testing.T) {
	var classes labelled.Classes
	train, err := labelled.New(schema, "digit", [][]string{{"code"}}, patch.BindOptions{}, &classes)
	if err != nil {
		t.Fatal(err)
	}
	apart, test := train.Apart(), (*labelled.Rows)(nil)
	if test, err = train.Bind(schema); err != nil {
		t.Fatal(err)
	}
	b := batch(t, `[
		{"digit": 7, "code": [1, 1], "image": [0, 0, 0]},
		{"digit": 5, "code": [2, 2], "image": [0, 0, 0]},
		{"digit": 3, "code": [3, 3], "image": [0, 0, 0]}]`)
	if err := train.Add(b, 0, func(row int64) *labelled.Rows {
		if row == 1 {
			return apart
		}
		return train
	}); err != nil {
		t.Fatal(err)
	}
	if err := test.Add(b, 0, func(int64) *labelled.Rows { return test }); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(apart.Sets[0].X, []float32{2, 2}) || len(apart.Labels) != 1 {
		t.Errorf("set apart: %v", apart.Sets[0].X)
	}
	texts, unseen := classes.Settle(train, test)
	if !slices.Equal(texts, []string{"3", "7"}) || unseen != 1 {
		t.Errorf("classes %v, %d unseen", texts, unseen)
	}
	if !slices.Equal(train.Labels, []int{1, 0}) || !slices.Equal(test.Labels, []int{1, 0}) {
		t.Errorf("labels %v and %v", train.Labels, test.Labels)
	}
	if x := test.Sets[0].X; !slices.Equal(x, []float32{1, 1, 3, 3}) {
		t.Errorf("test rows %v", x)
	}
}

// An error about a label counts rows as the caller does.
func TestDamagedLabel(t *testing.T) {
	typ := &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int8, ValueType: arrow.PrimitiveTypes.Int32}
	schema := arrow.NewSchema([]arrow.Field{{Name: "digit", Type: typ}, {Name: "code", Type: arrow.FixedSizeListOf(1, arrow.PrimitiveTypes.Float32)}}, nil)
	indexes := array.NewInt8Builder(memory.DefaultAllocator)
	indexes.AppendValues([]int8{0, 1}, nil)
	digits := array.NewInt32Builder(memory.DefaultAllocator)
	digits.Append(7)
	codes, _, err := array.FromJSON(memory.DefaultAllocator, schema.Field(1).Type, strings.NewReader(`[[1], [2]]`))
	if err != nil {
		t.Fatal(err)
	}
	b := array.NewRecordBatch(schema, []arrow.Array{array.NewDictionaryArray(typ, indexes.NewArray(), digits.NewArray()), codes}, 2)
	var classes labelled.Classes
	rows, err := labelled.New(schema, "digit", [][]string{{"code"}}, patch.BindOptions{}, &classes)
	if err != nil {
		t.Fatal(err)
	}
	err = rows.Add(b, 100, func(int64) *labelled.Rows { return rows })
	if want := `column "digit": row 101: index 1 into a dictionary of 1 values`; err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
}

// The training rows settle how wide rows are and how classes are ordered, the
// test rows neither.
func TestBindKeepsWidthAndOrder(t *testing.T) {
	ragged := arrow.NewSchema([]arrow.Field{
		{Name: "digit", Type: arrow.PrimitiveTypes.Int32},
		{Name: "code", Type: arrow.ListOf(arrow.PrimitiveTypes.Float32)},
	}, nil)
	texts := arrow.NewSchema([]arrow.Field{{Name: "digit", Type: arrow.BinaryTypes.String}, ragged.Field(1)}, nil)
	read := func(schema *arrow.Schema, rows string) arrow.RecordBatch {
		b, _, err := array.RecordFromJSON(memory.DefaultAllocator, schema, strings.NewReader(rows))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	var classes labelled.Classes
	train, err := labelled.New(ragged, "digit", [][]string{{"code"}}, patch.BindOptions{Skip: true}, &classes)
	if err != nil {
		t.Fatal(err)
	}
	if err := train.Add(read(ragged, `[{"digit": 10, "code": [1, 2]}, {"digit": 9, "code": [3, 4]}]`), 0, func(int64) *labelled.Rows { return train }); err != nil {
		t.Fatal(err)
	}
	test, err := train.Bind(texts)
	if err != nil {
		t.Fatal(err)
	}
	if err := test.Add(read(texts, `[{"digit": "9", "code": [5]}, {"digit": "9", "code": [6, 7]}]`), 0, func(int64) *labelled.Rows { return test }); err != nil {
		t.Fatal(err)
	}
	if names, _ := classes.Settle(train, test); !slices.Equal(names, []string{"9", "10"}) {
		t.Errorf("classes %v", names)
	}
	if !slices.Equal(test.Sets[0].X, []float32{6, 7}) || test.Bad.Total() != 1 {
		t.Errorf("test rows %v, %d skipped", test.Sets[0].X, test.Bad.Total())
	}
}

func TestLabelAmongFeatures(t *testing.T) {
	var classes labelled.Classes
	if _, err := labelled.New(schema, "digit", [][]string{{"digit"}}, patch.BindOptions{}, &classes); err == nil || !strings.Contains(err.Error(), "is the label") {
		t.Errorf("error %v", err)
	}
}

package patch

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/aefeat/aefeat/internal/arrowtest"
)

// pairSchema is that of codes of so many units; "": nothing tells.
func pairSchema(indices, values arrow.DataType, units string) *arrow.Schema {
	field := arrow.Field{Name: "code_indices", Type: indices, Nullable: true}
	if units != "" {
		field.Metadata = arrow.NewMetadata([]string{UnitsKey}, []string{units})
	}
	return arrow.NewSchema([]arrow.Field{
		{Name: "label", Type: arrow.PrimitiveTypes.Int64, Nullable: true}, field, {Name: "code_values", Type: values, Nullable: true},
	}, nil)
}

var (
	uintLists  = arrow.ListOf(arrow.PrimitiveTypes.Uint32)
	floatLists = arrow.ListOf(arrow.PrimitiveTypes.Float32)
)

func pairBatch(t testing.TB, mem memory.Allocator, schema *arrow.Schema, rows string) arrow.RecordBatch {
	t.Helper()
	b, _, err := array.RecordFromJSON(mem, schema, strings.NewReader(rows))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Sparse codes are the rows that they were, whatever the kind of their lists
// and the type of their numbers, in slices too, and bad ones are left out.
func TestPairs(t *testing.T) {
	mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
	defer mem.AssertSize(t, 0)
	lists := []func(arrow.DataType) arrow.DataType{
		func(t arrow.DataType) arrow.DataType { return arrow.ListOf(t) },
		func(t arrow.DataType) arrow.DataType { return arrow.LargeListOf(t) },
		func(t arrow.DataType) arrow.DataType { return arrow.ListViewOf(t) },
		func(t arrow.DataType) arrow.DataType { return arrow.LargeListViewOf(t) },
	}
	const rows = `[
		{"code_indices": [3], "code_values": [9]},
		{"code_indices": [0, 2], "code_values": [4, -0.5]},
		{"code_indices": [], "code_values": []},
		{"code_indices": null, "code_values": null},
		{"code_indices": [4], "code_values": [1]},
		{"code_indices": [0, 1, 2, 3], "code_values": [1, 2, 3, 4]}]`
	for _, list := range lists {
		for _, index := range arrowtest.Numbers[:8] {
			for _, value := range []arrow.DataType{arrow.FixedWidthTypes.Float16, arrow.PrimitiveTypes.Float32, arrow.PrimitiveTypes.Float64} {
				schema := pairSchema(list(index), list(value), "4")
				rec := pairBatch(t, mem, schema, rows)
				part := rec.NewSlice(1, 6)
				b, err := Bind(schema, BindOptions{Skip: true})
				if err != nil {
					t.Fatal(err)
				}
				if got := b.Columns(); !slices.Equal(got, []string{"code"}) || b.Source() != value.Name() && value.ID() != arrow.FLOAT16 || b.Width() != 4 {
					t.Errorf("columns %q, %d of %s", got, b.Width(), b.Source())
				}
				got, skipped, err := b.Rows(part, 1)
				if err != nil {
					t.Fatal(err)
				}
				want := [][]float64{{4, 0, -0.5, 0}, {0, 0, 0, 0}, {1, 2, 3, 4}}
				if x := floats(got); !slices.EqualFunc(x, want, slices.Equal) || !slices.Equal(skipped, []BadRow{{3, Null}, {4, Damaged}}) {
					t.Errorf("%s, %s: %v without %v, want %v", schema.Field(1).Type, value, x, skipped, want)
				}
				part.Release()
				rec.Release()
			}
		}
	}
}

// The bits of values stay, and a row out of nothing is zeros.
func TestPairsKeepBits(t *testing.T) {
	schema := pairSchema(uintLists, floatLists, "3")
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	b.Field(0).AppendNull()
	indices, values := b.Field(1).(*array.ListBuilder), b.Field(2).(*array.ListBuilder)
	indices.Append(true)
	values.Append(true)
	want := []float32{math.Float32frombits(1), float32(math.Copysign(0, -1)), -math.MaxFloat32}
	for i, v := range want {
		indices.ValueBuilder().(*array.Uint32Builder).Append(uint32(i))
		values.ValueBuilder().(*array.Float32Builder).Append(v)
	}
	bound, err := Bind(schema, BindOptions{})
	if err != nil {
		t.Fatal(err)
	}
	rows, _, err := bound.Rows(b.NewRecordBatch(), 0)
	if err != nil {
		t.Fatal(err)
	}
	for i, got := range arrow.Float32Traits.CastFromBytes(rows.Data) {
		if math.Float32bits(got) != math.Float32bits(want[i]) {
			t.Errorf("%v, want %v", got, want[i])
		}
	}
}

// What cannot be a code is an error that names the row and the pair.
func TestBadPairs(t *testing.T) {
	mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
	defer mem.AssertSize(t, 0)
	for name, c := range map[string]struct{ indices, values, want string }{
		"null":           {`null`, `null`, "null value"},
		"no indices":     {`null`, `[1]`, "values without indices"},
		"no values":      {`[1]`, `null`, "indices without values"},
		"null index":     {`[null]`, `[1]`, "null at value 0 of the code"},
		"null among":     {`[1,2]`, `[1,null]`, "null at value 1 of the code"},
		"lengths":        {`[1,2]`, `[1]`, "code of 2 indices and 1 values"},
		"outside":        {`[3]`, `[1]`, "index 3 after -1 in a code of 3 values"},
		"negative":       {`[-1]`, `[1]`, "index -1 after -1 in a code of 3 values"},
		"twice":          {`[1,1]`, `[1,2]`, "index 1 after 1 in a code of 3 values"},
		"out of order":   {`[2,0]`, `[1,2]`, "index 0 after 2 in a code of 3 values"},
		"beyond float32": {`[1]`, `[1e300]`, "1e+300 at element 1 is beyond the range of float32"},
	} {
		schema := pairSchema(arrow.ListOf(arrow.PrimitiveTypes.Int64), arrow.ListOf(arrow.PrimitiveTypes.Float64), "3")
		good := `{"code_indices": [0], "code_values": [1]}`
		rec := pairBatch(t, mem, schema, fmt.Sprintf(`[%s, {"code_indices": %s, "code_values": %s}]`, good, c.indices, c.values))
		b, err := Bind(schema, BindOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err = b.Rows(rec, 7); err == nil || err.Error() != `column "code": row 8: `+c.want {
			t.Errorf("%s: error %v, want %s", name, err, c.want)
		}
		rec.Release()
	}
	schema := pairSchema(uintLists, floatLists, "2147483647")
	rec := pairBatch(t, mem, schema, `[{"code_indices": [0], "code_values": [1]}]`)
	defer rec.Release()
	b, err := Bind(schema, BindOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := b.Rows(rec, 0); err == nil || !strings.Contains(err.Error(), "1 codes of 2147483647 values in one batch") {
		t.Errorf("error %v", err)
	}
}

// The metadata or the caller tell how many units there are; batches need not.
func TestUnits(t *testing.T) {
	rec := pairBatch(t, memory.DefaultAllocator, pairSchema(uintLists, floatLists, ""), `[{"code_indices": [1], "code_values": [5]}]`)
	for _, units := range []string{"", "x", "0", "-3", "1.5", "2147483648"} {
		schema := pairSchema(uintLists, floatLists, units)
		_, err := Bind(schema, BindOptions{})
		if err == nil || !strings.Contains(err.Error(), `column "code_indices" has no number aefeat.units`) || !strings.Contains(err.(*RowError).Hint, "`Units`") {
			t.Errorf("%q: error %v", units, err)
		}
		if c := Candidates(schema); len(c) != 1 || c[0].Column != "code" || c[0].Width != 0 {
			t.Errorf("%q: candidates %v", units, c)
		}
		for _, o := range []BindOptions{{Width: 3}, {Units: 3}, {Width: 3, Units: 4}} {
			b, err := Bind(schema, o)
			if err != nil {
				t.Fatal(err)
			}
			if rows, _, err := b.Rows(rec, 0); err != nil || !slices.Equal(floats(rows)[0], []float64{0, 5, 0}) {
				t.Errorf("%v, %v", rows, err)
			}
		}
	}
	if b, err := Bind(pairSchema(uintLists, floatLists, "4"), BindOptions{Units: 3}); err != nil || b.Width() != 4 {
		t.Errorf("%v: metadata come first", err)
	}
	if _, err := Bind(pairSchema(uintLists, floatLists, "4"), BindOptions{Width: 3}); err == nil || !strings.Contains(err.Error(), "patch of 4 values, expected 3") {
		t.Errorf("error %v", err)
	}
	b, err := Bind(pairSchema(uintLists, floatLists, "2"), BindOptions{})
	if err != nil {
		t.Fatal(err)
	}
	other := pairBatch(t, memory.DefaultAllocator, pairSchema(uintLists, arrow.ListOf(arrow.PrimitiveTypes.Float64), ""), `[]`)
	if _, _, err := b.Rows(other, 0); err == nil || !strings.Contains(err.Error(), "expected list<item: float32") {
		t.Errorf("error %v", err)
	}
	if n := BatchRows(pairSchema(uintLists, floatLists, "4096")); n != 2048 {
		t.Errorf("batches of %d rows", n)
	}
}

// A pair has a name, unless a column has it; and its columns have theirs.
func TestNamesOfPairs(t *testing.T) {
	units := arrow.NewMetadata([]string{UnitsKey}, []string{"4"})
	indices := arrow.Field{Name: "x_indices", Type: uintLists, Metadata: units}
	values := arrow.Field{Name: "x_values", Type: floatLists}
	within := arrow.Field{Name: "s", Type: arrow.StructOf(values, indices)}
	other := arrow.Field{Name: "x", Type: arrow.FixedSizeListOf(3, arrow.PrimitiveTypes.Float32)}
	clash := arrow.Field{Name: "s.x", Type: other.Type}
	for _, c := range []struct {
		fields  []arrow.Field
		columns string // "": detected
		want    string
		index   []int // of the indices
		other   []int // of the values
	}{
		{[]arrow.Field{indices, values}, "", "x", []int{0}, []int{1}},
		{[]arrow.Field{values, indices}, "x", "x", []int{1}, []int{0}},
		{[]arrow.Field{values, indices}, "x*", "x", []int{1}, []int{0}},
		{[]arrow.Field{values, indices}, "x_*", "x", []int{1}, []int{0}},
		{[]arrow.Field{values, indices}, "?", "x", []int{1}, []int{0}},
		{[]arrow.Field{values, indices}, "x_indices,x_values", "x", []int{1}, []int{0}},
		{[]arrow.Field{values, indices}, "x_values", "x_values", []int{0}, nil},
		{[]arrow.Field{values, indices}, "x_ind*", "x_indices", []int{1}, nil},
		{[]arrow.Field{indices, within}, "", "s.x", []int{1, 1}, []int{1, 0}},
		{[]arrow.Field{within}, "s", "s.x", []int{0, 1}, []int{0, 0}},
		{[]arrow.Field{within}, "s.x*", "s.x", []int{0, 1}, []int{0, 0}},
		{[]arrow.Field{indices, values, other}, "x", "x", []int{2}, nil},
		{[]arrow.Field{within, clash}, "s.x", "s.x", []int{1}, nil},
	} {
		schema := arrow.NewSchema(c.fields, nil)
		var o BindOptions
		if c.columns != "" {
			o.Columns = strings.Split(c.columns, ",")
		}
		if c.want == "s.x" && c.columns == "" { // x_indices alone is a list
			o.Columns = []string{"s.x"}
		}
		b, err := Bind(schema, o)
		if err != nil {
			t.Errorf("%q of %v: %v", c.columns, schema, err)
			continue
		}
		if got := b.columns[0]; got.name != c.want || !slices.Equal(got.index, c.index) || !slices.Equal(got.other, c.other) {
			t.Errorf("%q of %v: %s at %v and %v", c.columns, schema, got.name, got.index, got.other)
		}
		want := [][]int{c.index}
		if c.other != nil {
			want = append(want, c.other)
		}
		if paths, err := Paths(schema, b.Columns()); err != nil || !slices.EqualFunc(paths, want, slices.Equal) {
			t.Errorf("%q: paths %v, %v", c.want, paths, err)
		}
	}
	// Lists that are none, and a name that stands for two columns.
	for _, fields := range [][]arrow.Field{
		{indices, {Name: "x_values", Type: other.Type}},
		{indices, {Name: "x_values", Type: uintLists}},
		{{Name: "x_indices", Type: floatLists}, values},
		{{Name: "x_indices", Type: arrow.ListOf(uintLists)}, values},
		{{Name: "x_indices", Type: arrow.ListOf(arrow.FixedWidthTypes.Boolean)}, values},
		{indices, {Name: "x_values", Type: arrow.ListOf(&arrow.Decimal128Type{Precision: 9, Scale: 2})}},
		{indices, {Name: "x_values", Type: arrow.ListOf(&arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int8, ValueType: arrow.PrimitiveTypes.Float32})}},
		{indices, values, values}, {indices, values, indices}, {indices, {Name: "y_values", Type: floatLists}},
		{{Name: "_indices", Type: uintLists}, {Name: "_values", Type: floatLists}},
	} {
		schema := arrow.NewSchema(fields, nil)
		for _, c := range Candidates(schema) {
			if strings.HasPrefix(c.Type, "sparse") {
				t.Errorf("%v has the candidate %v", schema, c)
			}
		}
	}
}

// Numbers that lie in an array in another form than rows have are no vector.
func TestVectorsOfOtherElements(t *testing.T) {
	coded := &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int8, ValueType: arrow.PrimitiveTypes.Float64}
	for _, typ := range []arrow.DataType{coded, &arrow.Decimal128Type{Precision: 9, Scale: 2}} {
		st := arrow.StructOf(smallLists.Field(0), smallLists.Field(1), smallLists.Field(2), arrow.Field{Name: "values", Type: arrow.ListOf(typ)})
		if vectorElement(st) != nil {
			t.Errorf("%s is a vector", st)
		}
	}
}

func FuzzPairs(f *testing.F) {
	f.Add(uint64(1))
	f.Fuzz(func(t *testing.T, seed uint64) { testRandomPairs(t, seed) })
}

func TestPairsRandom(t *testing.T) {
	for seed := range uint64(300) {
		testRandomPairs(t, seed)
	}
}

// testRandomPairs reads whatever offsets and indices there may be.
func testRandomPairs(t *testing.T, seed uint64) {
	mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
	defer mem.AssertSize(t, 0)
	g := &arrowtest.Maker{Rand: rand.New(rand.NewPCG(seed, 4)), Mem: mem, Nulls: 0.1, Ragged: 0.1, Odd: 0.1}
	list := func(of arrow.DataType) arrow.DataType {
		if g.IntN(2) == 0 {
			return arrow.LargeListOf(of)
		}
		return arrow.ListOf(of)
	}
	schema := pairSchema(list(arrowtest.Numbers[g.IntN(8)]), list(arrowtest.Numbers[8+g.IntN(3)]), "200")
	n := g.IntN(20)
	columns := make([]arrow.Array, 3)
	for i := range columns {
		columns[i] = g.Array(schema.Field(i), n, []int{1})
		defer columns[i].Release()
	}
	rec := array.NewRecordBatch(schema, columns, int64(n))
	defer rec.Release()
	b, err := Bind(schema, BindOptions{Skip: true})
	if err != nil {
		t.Fatal(err)
	}
	rows, skipped, err := b.Rows(rec, 0)
	if err != nil {
		t.Fatal(err)
	}
	if rows.Len()+len(skipped) != n {
		t.Errorf("%d rows and %d bad ones of %d", rows.Len(), len(skipped), n)
	}
}

package patch

import (
	"encoding/json"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/aefeat/aefeat/internal/arrowtest"
)

// A row that is skipped has a reason, in every form of patch.
func TestReasons(t *testing.T) {
	mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
	defer mem.AssertSize(t, 0)
	u8, f32, f64 := arrow.PrimitiveTypes.Uint8, arrow.PrimitiveTypes.Float32, arrow.PrimitiveTypes.Float64
	inStruct := arrow.StructOf(arrow.Field{Name: "x", Type: arrow.FixedSizeListOf(1, f32), Nullable: true})
	for name, c := range map[string]struct {
		typ    arrow.DataType
		values string
		want   []BadRow
	}{
		"null rows and elements": {arrow.FixedSizeListOf(2, u8), `[null,[1,2],[3,null]]`, []BadRow{{100, Null}, {102, Null}}},
		"null in a list":         {arrow.ListOf(u8), `[[1,2],[3,null],null]`, []BadRow{{101, Null}, {102, Null}}},
		"null struct":            {inStruct, `[{"x":[1]},null,{"x":null}]`, []BadRow{{101, Null}, {102, Null}}},
		"ragged":                 {arrow.ListOf(u8), `[[1,2],[1],[],[3,4]]`, []BadRow{{101, Ragged}, {102, Ragged}}},
		"ragged large lists":     {arrow.LargeListOf(f64), `[[],[1,2],[1]]`, []BadRow{{100, Ragged}, {102, Ragged}}},
		"ragged views":           {arrow.ListViewOf(u8), `[[1,2],[1],[1,2,3]]`, []BadRow{{101, Ragged}, {102, Ragged}}},
		"ragged lines":           {arrow.ListOf(arrow.ListOf(u8)), `[[[1,2],[3,4]],[[1,2],[3]],[[1,2]]]`, []BadRow{{101, Ragged}, {102, Ragged}}},
		"ragged bytes":           {arrow.BinaryTypes.Binary, `["AAAA","AA=="]`, []BadRow{{101, Ragged}}},
		"beyond float32":         {arrow.ListOf(f64), `[[1,2],[3,1e300],[-1e39,0]]`, []BadRow{{101, OutOfRange}, {102, OutOfRange}}},
		"a null before others":   {arrow.ListOf(f64), `[[1,2],[null,1e300],[null]]`, []BadRow{{101, Null}, {102, Ragged}}},
		"all kinds":              {arrow.ListOf(f64), `[[1,2],[1e300,0],[1],null,[3,4]]`, []BadRow{{101, OutOfRange}, {102, Ragged}, {103, Null}}},
	} {
		t.Run(name, func(t *testing.T) {
			rec := arrowtest.JSONBatch(t, mem, c.typ, c.values)
			defer rec.Release()
			b, err := Bind(rec.Schema(), BindOptions{Skip: true})
			if err != nil {
				t.Fatal(err)
			}
			rows, bad, err := b.Rows(rec, 100)
			if err != nil || !slices.Equal(bad, c.want) || rows.Len() != int(rec.NumRows())-len(bad) {
				t.Errorf("%d rows without %v, %v; want %v", rows.Len(), bad, err, c.want)
			}
		})
	}
}

// An index that leads out of its dictionary is not looked up.
func TestDamagedRowsAreSkipped(t *testing.T) {
	mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
	defer mem.AssertSize(t, 0)
	indices := array.NewInt8Builder(mem)
	defer indices.Release()
	indices.AppendValues([]int8{0, 5, 1}, nil)
	values := array.NewUint8Builder(mem)
	defer values.Release()
	values.AppendValues([]uint8{10, 20}, nil)
	i, v := indices.NewArray(), values.NewArray()
	defer i.Release()
	defer v.Release()
	typ := &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int8, ValueType: arrow.PrimitiveTypes.Uint8}
	a := array.NewDictionaryArray(typ, i, v)
	defer a.Release()
	rec := array.NewRecordBatch(arrow.NewSchema([]arrow.Field{{Name: "p1", Type: typ}}, nil), []arrow.Array{a}, 3)
	defer rec.Release()
	b, err := Bind(rec.Schema(), BindOptions{Columns: []string{"p#"}, Skip: true})
	if err != nil {
		t.Fatal(err)
	}
	rows, bad, err := b.Rows(rec, 0)
	if err != nil || string(rows.Data) != "\x0a\x14" || !slices.Equal(bad, []BadRow{{1, Damaged}}) {
		t.Errorf("%v without %v, %v", rows.Data, bad, err)
	}
}

// scalarBatch has a column of float64 for each slice.
func scalarBatch(mem memory.Allocator, columns ...[]float64) arrow.RecordBatch {
	var fields []arrow.Field
	for _, name := range []string{"p1", "p2", "p3"}[:len(columns)] {
		fields = append(fields, arrow.Field{Name: name, Type: arrow.PrimitiveTypes.Float64, Nullable: true})
	}
	b := array.NewRecordBuilder(mem, arrow.NewSchema(fields, nil))
	defer b.Release()
	for j, c := range columns {
		for _, v := range c {
			if v == null {
				b.Field(j).AppendNull()
			} else {
				b.Field(j).(*array.Float64Builder).Append(v)
			}
		}
	}
	return b.NewRecordBatch()
}

// null stands for one in the columns of scalarBatch.
const null = -1234.5

func TestReasonsOfScalarColumns(t *testing.T) {
	mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
	defer mem.AssertSize(t, 0)
	rec := scalarBatch(mem,
		[]float64{0, 1, null, 3, math.NaN(), 5, 6},
		[]float64{0, math.Inf(1), 2, 1e300, null, 5, null})
	defer rec.Release()
	b, err := Bind(rec.Schema(), BindOptions{Skip: true})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // buffers are used again
		rows, bad, err := b.Rows(rec, 0)
		want := []BadRow{{1, NotFinite}, {2, Null}, {3, OutOfRange}, {4, Null}, {6, Null}}
		if err != nil || !slices.Equal(bad, want) || !slices.Equal(rows.Number, []int64{0, 5}) {
			t.Errorf("rows %v without %v, %v; want %v", rows.Number, bad, err, want)
		}
	}
	if n := testing.AllocsPerRun(100, func() { b.Rows(rec, 0) }); n > 0 {
		t.Errorf("%g allocations for a batch with bad rows", n)
	}
}

// Whatever the order in which rows are told of, the counts are those of all and
// the list has the lowest.
func TestBadRowsAreCountedAndListed(t *testing.T) {
	if n := (BadRows{}).Total(); n != 0 {
		t.Errorf("the zero value has %d", n)
	}
	reasons := []Reason{Null, Ragged, NotFinite, OutOfRange, Damaged}
	var all []BadRow
	for i := range int64(1000) {
		all = append(all, BadRow{3 * i, reasons[i%7%5]})
	}
	counts := map[Reason]int64{}
	for _, r := range all {
		counts[r.Reason]++
	}
	g := rand.New(rand.NewPCG(1, 2))
	for range 20 {
		g.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		var b, other BadRows
		b.Add(all[:200]...)
		for _, r := range all[200:500] {
			other.Add(r)
		}
		before := other.Clone()
		b.Merge(other)
		b.Add(all[500:]...)
		if b.Total() != 1000 || !maps.Equal(b.Counts, counts) || len(b.First) != 100 {
			t.Fatalf("%d rows, %v, %d listed", b.Total(), b.Counts, len(b.First))
		}
		for i, r := range b.First {
			if r.Row != int64(3*i) || r.Reason != reasons[i%7%5] {
				t.Fatalf("listed %v in place %d", r, i)
			}
		}
		if !maps.Equal(before.Counts, other.Counts) || !slices.Equal(before.First, other.First) {
			t.Fatal("what was merged has changed")
		}
	}
}

func TestBadRowsInJSON(t *testing.T) {
	var b BadRows
	b.Add(BadRow{7, OutOfRange}, BadRow{2, Null}, BadRow{9, Null})
	got, err := json.Marshal(b)
	want := `{"counts":{"null":2,"out_of_range":1},"first":[{"row":2,"reason":"null"},{"row":7,"reason":"out_of_range"},{"row":9,"reason":"null"}]}`
	if err != nil || string(got) != want {
		t.Errorf("%s, %v", got, err)
	}
	var back BadRows
	if err := json.Unmarshal(got, &back); err != nil || back.Total() != 3 || !slices.Equal(back.First, b.First) {
		t.Errorf("read back as %v, %v", back, err)
	}
}

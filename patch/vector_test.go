package patch

import (
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/aefeat/aefeat/internal/arrowtest"
)

// vectorStruct is what Spark calls VectorUDT.
func vectorStruct(list func(arrow.DataType) arrow.DataType) *arrow.StructType {
	return arrow.StructOf(
		arrow.Field{Name: "type", Type: arrow.PrimitiveTypes.Int8},
		arrow.Field{Name: "size", Type: arrow.PrimitiveTypes.Int32, Nullable: true},
		arrow.Field{Name: "indices", Type: list(arrow.PrimitiveTypes.Int32), Nullable: true},
		arrow.Field{Name: "values", Type: list(arrow.PrimitiveTypes.Float64), Nullable: true},
	)
}

var (
	smallLists = vectorStruct(func(t arrow.DataType) arrow.DataType { return arrow.ListOf(t) })
	largeLists = vectorStruct(func(t arrow.DataType) arrow.DataType { return arrow.LargeListOf(t) })
)

// Dense and sparse vectors are one column of patches.
func TestVectors(t *testing.T) {
	mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
	defer mem.AssertSize(t, 0)
	const dense, sparse = `{"type":1,"size":null,"indices":null,"values":[1,2,3]}`, `{"type":0,"size":3,"indices":[0,2],"values":[4,5]}`
	for _, typ := range []*arrow.StructType{smallLists, largeLists} {
		rec := arrowtest.JSONBatch(t, mem, typ, "["+dense+","+sparse+`,{"type":0,"size":3,"indices":[],"values":[]},null,`+dense+"]")
		part := rec.NewSlice(1, 5)
		b, err := Bind(rec.Schema(), BindOptions{Skip: true})
		if err != nil {
			t.Fatal(err)
		}
		if got := b.Columns(); !slices.Equal(got, []string{"p"}) || b.Source() != "float64" {
			t.Errorf("columns %q of %s", got, b.Source())
		}
		rows, skipped, err := b.Rows(part, 1)
		if err != nil {
			t.Fatal(err)
		}
		want := [][]float64{{4, 0, 5}, {0, 0, 0}, {1, 2, 3}}
		if got := floats(rows); !slices.EqualFunc(got, want, slices.Equal) || len(skipped) != 1 || skipped[0] != (BadRow{3, Null}) {
			t.Errorf("%v without %v, want %v", got, skipped, want)
		}
		part.Release()
		rec.Release()
	}
	for name, c := range map[string][2]string{
		"first null":   {`[null]`, "null value"},
		"no values":    {`[{"type":1,"values":null}]`, "null in the vector"},
		"no indices":   {`[{"type":0,"size":3,"values":[1]}]`, "null in the vector"},
		"null value":   {`[{"type":1,"values":[1,null]}]`, "null at value 1 of the vector"},
		"null index":   {`[{"type":0,"size":3,"indices":[null],"values":[1]}]`, "null at value 0 of the vector"},
		"empty":        {`[{"type":1,"values":[]}]`, "empty patch"},
		"kind":         {`[{"type":7,"values":[1]}]`, "vector of type 7"},
		"too few":      {`[{"type":0,"size":3,"indices":[1],"values":[1,2]}]`, "vector of 1 indices and 2 values"},
		"outside":      {`[{"type":0,"size":3,"indices":[3],"values":[1]}]`, "index 3 after -1 in a vector of 3 values"},
		"twice":        {`[{"type":0,"size":3,"indices":[1,1],"values":[1,2]}]`, "index 1 after 1 in a vector of 3 values"},
		"negative":     {`[{"type":0,"size":3,"indices":[-1],"values":[1]}]`, "index -1 after -1"},
		"no size":      {`[{"type":0,"size":-3,"indices":[],"values":[]}]`, "vector of -3 values"},
		"other width":  {`[` + dense + `,{"type":0,"size":4,"indices":[],"values":[]}]`, "row 1: patch of 4 values, expected 3"},
		"not finite":   {`[` + dense + `,{"type":1,"values":[1,2,1e300]}]`, "row 1: 1e+300 at element 2 is beyond the range of float32"},
		"out of range": {`[` + strings.Repeat(`{"type":0,"size":2147483647,"indices":[],"values":[]},`, 3) + sparse + `]`, "vectors of 2147483647 values in one batch"},
	} {
		rec := arrowtest.JSONBatch(t, mem, smallLists, c[0])
		b, err := Bind(rec.Schema(), BindOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := b.Rows(rec, 0); err == nil || !strings.Contains(err.Error(), c[1]) {
			t.Errorf("%s: error %v, want %s", name, err, c[1])
		}
		rec.Release()
	}
}

// A struct is a vector by the names and the types of its fields.
func TestVectorCandidates(t *testing.T) {
	schema := arrow.NewSchema([]arrow.Field{{Name: "features", Type: smallLists}, {Name: "label", Type: arrow.PrimitiveTypes.Float64}}, nil)
	if got := Candidates(schema); len(got) != 1 || got[0].Column != "features" || got[0].Columns != 1 {
		t.Errorf("candidates %v", got)
	}
	if b, err := Bind(schema, BindOptions{Columns: []string{"features.values"}}); err != nil || b.Columns()[0] != "features.values" {
		t.Errorf("%v", err)
	}
	other := arrow.StructOf(smallLists.Field(0), smallLists.Field(1), smallLists.Field(3), smallLists.Field(2))
	if e := vectorElement(other); e != nil {
		t.Errorf("%s is a vector", other)
	}
}

// structExtension is an extension over a struct as a program may register it.
type structExtension struct{ arrow.ExtensionBase }

func (*structExtension) ArrayType() reflect.Type { return reflect.TypeFor[structExtensionArray]() }
func (*structExtension) ExtensionName() string   { return "org.example.struct" }
func (*structExtension) Serialize() string       { return "" }
func (t *structExtension) ExtensionEquals(o arrow.ExtensionType) bool {
	return arrow.TypeEqual(t.Storage, o.StorageType())
}
func (*structExtension) Deserialize(storage arrow.DataType, _ string) (arrow.ExtensionType, error) {
	return &structExtension{arrow.ExtensionBase{Storage: storage}}, nil
}

type structExtensionArray struct{ array.ExtensionArrayBase }

// A vector may be a registered extension. Other structs that are hold nothing.
func TestVectorExtension(t *testing.T) {
	rec := arrowtest.JSONBatch(t, memory.DefaultAllocator, smallLists, `[{"type":1,"values":[1,2]}]`)
	typ := &structExtension{arrow.ExtensionBase{Storage: smallLists}}
	schema := arrow.NewSchema([]arrow.Field{{Name: "p", Type: typ}}, nil)
	b, err := Bind(schema, BindOptions{})
	if err != nil {
		t.Fatal(err)
	}
	a := array.NewExtensionArrayWithStorage(typ, rec.Column(0))
	rows, _, err := b.Rows(array.NewRecordBatch(schema, []arrow.Array{a}, 1), 0)
	if err != nil || !slices.Equal(floats(rows)[0], []float64{1, 2}) {
		t.Errorf("%v, %v", rows, err)
	}
	other := &structExtension{arrow.ExtensionBase{Storage: arrow.StructOf(arrow.Field{Name: "x", Type: arrow.ListOf(arrow.PrimitiveTypes.Uint8)})}}
	if got := Candidates(arrow.NewSchema([]arrow.Field{{Name: "p", Type: other}}, nil)); len(got) > 0 {
		t.Errorf("candidates %v", got)
	}
}

func FuzzVectors(f *testing.F) {
	f.Add(uint64(1))
	f.Fuzz(func(t *testing.T, seed uint64) { testRandomVectors(t, seed) })
}

func TestVectorsRandom(t *testing.T) {
	for seed := range uint64(300) {
		testRandomVectors(t, seed)
	}
}

// testRandomVectors reads whatever offsets and indices there may be.
func testRandomVectors(t *testing.T, seed uint64) {
	mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
	defer mem.AssertSize(t, 0)
	g := &arrowtest.Maker{Rand: rand.New(rand.NewPCG(seed, 3)), Mem: mem, Nulls: 0.1, Ragged: 0.1}
	typ := []*arrow.StructType{smallLists, largeLists}[g.IntN(2)]
	field := arrow.Field{Name: "p", Type: typ, Nullable: true}
	a := g.Array(field, g.IntN(20), []int{2})
	defer a.Release()
	// Most of the random types are none: make them so.
	for i, v := range a.(*array.Struct).Field(0).(*array.Int8).Int8Values() {
		if seed%2 == 0 {
			a.(*array.Struct).Field(0).(*array.Int8).Int8Values()[i] = v & 1
		}
	}
	schema := arrow.NewSchema([]arrow.Field{field}, nil)
	rec := array.NewRecordBatch(schema, []arrow.Array{a}, int64(a.Len()))
	defer rec.Release()
	b, err := Bind(schema, BindOptions{Skip: true, Width: 2})
	if err != nil {
		t.Fatal(err)
	}
	rows, skipped, err := b.Rows(rec, 0)
	if err != nil {
		t.Fatal(err)
	}
	if rows.Len()+len(skipped) != a.Len() {
		t.Errorf("%d rows and %d bad ones of %d", rows.Len(), len(skipped), a.Len())
	}
}

package patch

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
)

// wideSchemas are schemas of n columns, by what they are made of.
func wideSchemas(n int) map[string]*arrow.Schema {
	u8, f32, lists := arrow.PrimitiveTypes.Uint8, arrow.PrimitiveTypes.Float32, arrow.ListOf(arrow.PrimitiveTypes.Uint8)
	kinds := map[string][]arrow.Field{}
	var inside []arrow.Field
	for i := range n {
		add := func(kind, name string, t arrow.DataType) {
			kinds[kind] = append(kinds[kind], arrow.Field{Name: name, Type: t})
		}
		add("numbers", fmt.Sprintf("c%d", i), u8)
		add("families", fmt.Sprintf("%s_%d", letters(i/2), i%2), u8)
		add("lists", fmt.Sprintf("l%d", i), lists)
		add("structs", fmt.Sprintf("s%d", i), arrow.StructOf(arrow.Field{Name: "v", Type: u8}))
		if i%2 == 0 {
			add("pairs", fmt.Sprintf("%d_indices", i), lists)
			add("pairs", fmt.Sprintf("%d_values", i), arrow.ListOf(f32))
		}
		inside = append(inside, arrow.Field{Name: fmt.Sprintf("c%d", i), Type: u8})
	}
	kinds["a struct"] = []arrow.Field{{Name: "s", Type: arrow.StructOf(inside...)}}
	schemas := map[string]*arrow.Schema{}
	for kind, fields := range kinds {
		schemas[kind] = arrow.NewSchema(fields, nil)
	}
	return schemas
}

// letters writes a number without digits.
func letters(i int) string {
	if i < 26 {
		return string(rune('a' + i))
	}
	return letters(i/26-1) + letters(i%26)
}

// wideUses are what is done with a schema, and who knows how many columns.
var wideUses = map[string]func(*arrow.Schema){
	"detect":     func(s *arrow.Schema) { Bind(s, BindOptions{}) },
	"a pattern":  func(s *arrow.Schema) { Bind(s, BindOptions{Columns: []string{"*.*"}}) },
	"all named":  func(s *arrow.Schema) { Bind(s, BindOptions{Columns: leafNames(s), Units: 3}) },
	"paths":      func(s *arrow.Schema) { Paths(s, leafNames(s)) },
	"candidates": func(s *arrow.Schema) { Candidates(s); Families(s) },
}

func leafNames(s *arrow.Schema) (names []string) {
	for _, l := range leaves(s) {
		names = append(names, l.name)
	}
	return names
}

// The work grows with the number of columns and not with its square. What is
// allocated tells of the work on every machine.
func TestWideSchemas(t *testing.T) {
	const n, more = 500, 4
	few, many := wideSchemas(n), wideSchemas(more*n)
	for use, f := range wideUses {
		for kind := range few {
			if a, b := allocated(func() { f(few[kind]) }), allocated(func() { f(many[kind]) }); b > 2*more*a {
				t.Errorf("%s of %s: %d columns take %d bytes, %d take %d", use, kind, n, a, more*n, b)
			}
		}
	}
}

func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

func BenchmarkWideSchemas(b *testing.B) {
	for _, n := range []int{1000, 10_000, 100_000} {
		schemas := wideSchemas(n)
		for use, f := range wideUses {
			b.Run(fmt.Sprintf("%s/%d", use, n), func(b *testing.B) {
				for b.Loop() {
					f(schemas["numbers"])
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/column")
			})
		}
	}
}

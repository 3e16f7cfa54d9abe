package schema

import (
	"fmt"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
)

// A Selection is a column, or a field of a struct, to be read. No Children: all
// of it.
type Selection struct {
	Index    int
	Children []Selection
}

// Project chooses columns by their paths. The result is in the order of the
// schema.
func Project(schema *arrow.Schema, paths [][]int) (*arrow.Schema, []Selection, error) {
	if paths == nil {
		var all []Selection
		for i := range schema.NumFields() {
			all = append(all, Selection{Index: i})
		}
		return schema, all, nil
	}
	var chosen []Selection
	for _, path := range paths {
		if !leads(schema.Fields(), path) {
			return nil, nil, fmt.Errorf("no column has the path %v", path)
		}
		chosen = choose(chosen, path)
	}
	fields := selectFields(schema.Fields(), chosen)
	meta := schema.Metadata()
	return arrow.NewSchema(fields, &meta), chosen, nil
}

// leads reports whether a path ends at a field.
func leads(fields []arrow.Field, path []int) bool {
	if len(path) == 0 || path[0] < 0 || path[0] >= len(fields) {
		return false
	}
	if len(path) == 1 {
		return true
	}
	t, ok := fields[path[0]].Type.(*arrow.StructType)
	return ok && leads(t.Fields(), path[1:])
}

// choose adds a path to selections that are in order.
func choose(s []Selection, path []int) []Selection {
	at, found := slices.BinarySearchFunc(s, path[0], func(s Selection, i int) int { return s.Index - i })
	switch {
	case !found:
		one := Selection{Index: path[0]}
		if len(path) > 1 {
			one.Children = choose(nil, path[1:])
		}
		return slices.Insert(s, at, one)
	case len(path) == 1:
		s[at].Children = nil // all of it
	case s[at].Children != nil:
		s[at].Children = choose(s[at].Children, path[1:])
	}
	return s
}

func selectFields(fields []arrow.Field, chosen []Selection) []arrow.Field {
	out := make([]arrow.Field, len(chosen))
	for i, s := range chosen {
		out[i] = fields[s.Index]
		if s.Children != nil {
			out[i].Type = arrow.StructOf(selectFields(out[i].Type.(*arrow.StructType).Fields(), s.Children)...)
		}
	}
	return out
}

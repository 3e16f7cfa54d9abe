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
	for _, path := range paths {
		if !leads(schema, path) {
			return nil, nil, fmt.Errorf("no column has the path %v", path)
		}
	}
	chosen := choose(slices.SortedFunc(slices.Values(paths), slices.Compare))
	fields := selectFields(schema, chosen)
	meta := schema.Metadata()
	return arrow.NewSchema(fields, &meta), chosen, nil
}

// A record has fields: a schema, or a struct.
type record interface {
	NumFields() int
	Field(i int) arrow.Field
}

// leads reports whether a path ends at a field.
func leads(in record, path []int) bool {
	if len(path) == 0 || path[0] < 0 || path[0] >= in.NumFields() {
		return false
	}
	if len(path) == 1 {
		return true
	}
	t, ok := in.Field(path[0]).Type.(*arrow.StructType)
	return ok && leads(t, path[1:])
}

// choose makes selections of paths that are in order: a column comes before
// what is in it.
func choose(paths [][]int) []Selection {
	var chosen []Selection
	for len(paths) > 0 {
		s, n := Selection{Index: paths[0][0]}, 1
		for n < len(paths) && paths[n][0] == s.Index {
			n++
		}
		if len(paths[0]) > 1 { // less than all of it
			inside := make([][]int, n)
			for i, path := range paths[:n] {
				inside[i] = path[1:]
			}
			s.Children = choose(inside)
		}
		chosen, paths = append(chosen, s), paths[n:]
	}
	return chosen
}

func selectFields(in record, chosen []Selection) []arrow.Field {
	out := make([]arrow.Field, len(chosen))
	for i, s := range chosen {
		out[i] = in.Field(s.Index)
		if s.Children != nil {
			out[i].Type = arrow.StructOf(selectFields(out[i].Type.(*arrow.StructType), s.Children)...)
		}
	}
	return out
}

// Of returns the selection of a column among those chosen, nil if it is not.
func Of(chosen []Selection, index int) *Selection {
	at, found := slices.BinarySearchFunc(chosen, index, func(s Selection, i int) int { return s.Index - i })
	if !found {
		return nil
	}
	return &chosen[at]
}

// Find returns what to choose of a file for the columns chosen of a schema into
// which that of the file was merged, in the order of the file; and for each of
// them its place in that choice, -1 for a column that the file does not have.
func Find(chosen []Selection, merged, file *arrow.Schema) (of []Selection, at []int) {
	at = make([]int, len(chosen))
	for i, s := range chosen {
		at[i] = -1
		f := merged.Field(s.Index)
		j := s.Index
		if j >= file.NumFields() || file.Field(j).Name != f.Name {
			found := file.FieldIndices(f.Name)
			if len(found) == 0 {
				continue
			}
			j = found[0]
		}
		of = append(of, Selection{j, findFields(s.Children, f.Type, file.Field(j).Type)})
		at[i] = j
	}
	slices.SortFunc(of, func(a, b Selection) int { return a.Index - b.Index })
	for i, j := range at {
		if j >= 0 {
			at[i], _ = slices.BinarySearchFunc(of, j, func(s Selection, j int) int { return s.Index - j })
		}
	}
	return of, at
}

// findFields is Find for the fields chosen of a struct.
func findFields(chosen []Selection, merged, file arrow.DataType) []Selection {
	from, ok := file.(*arrow.StructType)
	if chosen == nil || !ok { // a column of nulls
		return nil
	}
	of := make([]Selection, len(chosen))
	for i, s := range chosen {
		f := merged.(*arrow.StructType).Field(s.Index)
		j, _ := fieldOf(from, f.Name, s.Index)
		of[i] = Selection{j, findFields(s.Children, f.Type, from.Field(j).Type)}
	}
	slices.SortFunc(of, func(a, b Selection) int { return a.Index - b.Index })
	return of
}

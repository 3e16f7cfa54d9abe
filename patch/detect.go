package patch

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
)

// A Candidate is a column, or a family of scalar columns, that could be the
// patch.
type Candidate struct {
	// Column is what to give as BindOptions.Columns: a name, a dotted path, or
	// a pattern such as "pixel*".
	Column string
	// Type is Arrow's name of the type, of the single columns in a family.
	Type string
	// Columns counts those of the family: 1 where one holds a whole patch.
	Columns int
	// Width is the number of values in a patch, 0 where only the rows tell.
	Width int
}

// String returns the candidate as error messages show it.
func (c Candidate) String() string {
	name := strconv.Quote(c.Column)
	if quotedParts(c.Column) != nil && !strings.ContainsFunc(c.Column, func(r rune) bool { return !strconv.IsPrint(r) }) {
		name = c.Column // has its quotes
	}
	if c.Columns > 1 {
		return fmt.Sprintf("%s (%d columns of %s)", name, c.Columns, c.Type)
	}
	return fmt.Sprintf("%s (%s)", name, c.Type)
}

// Candidates returns the columns of schema that could be the patch: lists of
// numbers, bytes, and families of scalar columns whose names differ in their
// numbers alone. Without a schema there are none.
func Candidates(schema *arrow.Schema) []Candidate {
	if schema == nil {
		return nil
	}
	return candidates(leaves(schema))
}

func candidates(all []leaf) []Candidate {
	var out []Candidate
	for _, l := range all {
		if l.guessable && len(l.dims) > 0 {
			out = append(out, Candidate{Column: l.name, Type: l.typ.String(), Columns: 1, Width: max(product(l.dims), 0)})
		}
	}
	for _, f := range families(all) {
		typ := promote(f.columns).name
		out = append(out, Candidate{Column: f.pattern, Type: typ, Columns: len(f.columns), Width: len(f.columns)})
	}
	return out
}

// A leaf is a column, or a field of a struct column, made of numbers in some
// form.
type leaf struct {
	name      string   // which [Find] takes
	path      []string // column, then field in each struct
	at        []int    // the same as positions
	typ       arrow.DataType
	element   *element
	bytes     bool // the innermost level is binary
	guessable bool // may be the patch though nobody named it

	// dims holds the sizes of the list levels, outermost first, unknown where
	// the type leaves one open; it is empty for a scalar.
	dims []int

	tensor tensor // what metadata say of the axes; zero: nothing
}

// patchType reads a type as levels of lists around a number. Dictionaries and
// extension types count as what they stand for, and binary as lists of uint8.
func patchType(t arrow.DataType) (e *element, dims []int, ok bool) {
	for {
		switch x := t.(type) {
		case arrow.ExtensionType:
			t = x.StorageType()
		case *arrow.DictionaryType:
			t = x.ValueType
		case *arrow.FixedSizeListType:
			dims = append(dims, int(x.Len()))
			t = x.Elem()
		case *arrow.ListType:
			dims = append(dims, unknown)
			t = x.Elem()
		case *arrow.LargeListType:
			dims = append(dims, unknown)
			t = x.Elem()
		case *arrow.ListViewType:
			dims = append(dims, unknown)
			t = x.Elem()
		case *arrow.LargeListViewType:
			dims = append(dims, unknown)
			t = x.Elem()
		case *arrow.FixedSizeBinaryType:
			return elementOfID(arrow.UINT8), append(dims, x.ByteWidth), true
		case *arrow.BinaryType, *arrow.LargeBinaryType, *arrow.BinaryViewType:
			return elementOfID(arrow.UINT8), append(dims, unknown), true
		default:
			e = elementOf(t)
			return e, dims, e != nil
		}
	}
}

// holdsBytes reports whether the innermost level of a patch type is binary.
func holdsBytes(t arrow.DataType) bool {
	for {
		switch x := t.(type) {
		case arrow.ExtensionType:
			t = x.StorageType()
		case *arrow.DictionaryType:
			t = x.ValueType
		case arrow.ListLikeType:
			t = x.Elem()
		default:
			switch t.ID() {
			case arrow.BINARY, arrow.LARGE_BINARY, arrow.FIXED_SIZE_BINARY, arrow.BINARY_VIEW:
				return true
			}
			return false
		}
	}
}

const (
	fixedShapeTensor     = "arrow.fixed_shape_tensor"
	extensionNameKey     = "ARROW:extension:name"
	extensionMetadataKey = "ARROW:extension:metadata"
)

// leaves lists the numeric columns of a schema, fields of structs included, in
// the order of the schema.
func leaves(schema *arrow.Schema) []leaf {
	var all []leaf
	described := featuresOf(schema)
	var visit func(path []string, at []int, f arrow.Field)
	visit = func(path []string, at []int, f arrow.Field) {
		path = append(slices.Clone(path), f.Name)
		if st, ok := f.Type.(*arrow.StructType); ok {
			for i, child := range st.Fields() {
				visit(path, append(slices.Clone(at), i), child)
			}
			return
		}
		e, dims, ok := patchType(f.Type)
		if !ok {
			return
		}
		// A tensor is a patch whatever it is called; other extension types
		// (UUID, JSON, geometry) mean something else.
		extension, metadata := extensionOf(f)
		axes := tensorOf(extension, metadata)
		if len(axes.Shape) == 0 {
			axes = described.tensor(path)
		}
		all = append(all, leaf{
			name: nameOf(schema.Fields(), at), path: path, at: at, typ: f.Type, element: e, dims: dims, bytes: holdsBytes(f.Type),
			guessable: extension == "" || extension == fixedShapeTensor || arrayExtension(extension), tensor: axes,
		})
	}
	for i, f := range schema.Fields() {
		visit(nil, []int{i}, f)
	}
	return all
}

// detect chooses the patch among the columns that nobody named.
func detect(all []leaf) ([]leaf, error) {
	var lists, binaries []leaf
	for _, l := range all {
		switch {
		case !l.guessable || len(l.dims) == 0:
		case l.bytes:
			binaries = append(binaries, l)
		default:
			lists = append(lists, l)
		}
	}
	scalars := families(all)
	if len(lists) == 0 && len(binaries) > 0 && len(scalars) == 1 {
		binaries = slices.DeleteFunc(binaries, looksLikeKey)
	}
	switch {
	case len(lists) == 1:
		return lists, nil
	case len(lists) == 0 && len(binaries) == 1:
		return binaries, nil
	case len(lists) == 0 && len(binaries) == 0 && len(scalars) == 1:
		return scalars[0].columns, nil
	}
	could := candidates(all)
	if len(could) == 0 {
		return nil, bindError("", "no column can be a patch: it takes a list of numbers, bytes, or scalar columns with numbered names", "")
	}
	names := make([]string, len(could))
	for i, c := range could {
		names[i] = c.String()
	}
	return nil, bindError("", "several columns could be the patch: "+strings.Join(names, ", "), "name one with `Columns`")
}

// looksLikeKey reports fixed-size bytes of the sizes of a UUID, SHA-1 or
// SHA-256.
func looksLikeKey(l leaf) bool {
	return len(l.dims) == 1 && (l.dims[0] == 16 || l.dims[0] == 20 || l.dims[0] == 32)
}

// A family is a set of scalar columns whose names differ in their numbers
// alone.
type family struct {
	pattern string
	columns []leaf // in natural order
}

// families finds the families of two columns or more, in the order of their
// first columns.
func families(all []leaf) []family {
	var (
		keys   []string
		groups = map[string][]leaf{}
	)
	for _, l := range all {
		if len(l.dims) > 0 || !l.guessable {
			continue
		}
		key := maskNumbers(l.name)
		if key == l.name { // no number in it
			continue
		}
		if groups[key] == nil {
			keys = append(keys, key)
		}
		groups[key] = append(groups[key], l)
	}
	var out []family
	for _, key := range keys {
		columns := groups[key]
		if len(columns) < 2 {
			continue
		}
		sortNatural(columns)
		pattern := key
		// "pixel*" is what people type; show it where it selects the same
		// columns.
		if prefix, _, _ := strings.Cut(key, "#"); prefix != "" {
			n := 0
			for _, l := range all {
				if matchPattern(prefix+"*", l.name) {
					n++
				}
			}
			if n == len(columns) {
				pattern = prefix + "*"
			}
		}
		out = append(out, family{pattern, columns})
	}
	return out
}

// selectColumns finds the columns that the user named.
func selectColumns(schema *arrow.Schema, all []leaf, names []string) ([]leaf, error) {
	var chosen []leaf
	seen := map[string]bool{}
	for _, name := range names {
		found, err := selectOne(schema, all, name)
		if err != nil {
			return nil, err
		}
		for _, l := range found {
			if seen[l.name] {
				return nil, bindError(l.name, "named twice", "")
			}
			seen[l.name] = true
		}
		chosen = append(chosen, found...)
	}
	if len(chosen) > 1 {
		for _, l := range chosen {
			if len(l.dims) > 0 {
				return nil, bindError(l.name, fmt.Sprintf("%s holds a whole patch and cannot be one of %d columns of it", l.typ, len(chosen)), "")
			}
		}
	}
	return chosen, nil
}

func selectOne(schema *arrow.Schema, all []leaf, name string) ([]leaf, error) {
	if path := find(schema.Fields(), name); path != nil {
		if ambiguous(schema.Fields(), path) {
			return nil, bindError(name, "the name stands for two columns", "")
		}
		if i := slices.IndexFunc(all, func(l leaf) bool { return slices.Equal(l.at, path) }); i >= 0 {
			return all[i : i+1 : i+1], nil
		}
		f := fieldAt(schema.Fields(), path)
		if _, isStruct := f.Type.(*arrow.StructType); !isStruct {
			return nil, bindError(name, fmt.Sprintf("%s cannot be a patch", typeName(f)), "")
		}
		// A struct stands for the patch inside it, if there is no doubt which
		// field that is.
		inside := slices.DeleteFunc(slices.Clone(all), func(l leaf) bool {
			return len(l.at) <= len(path) || !slices.Equal(l.at[:len(path)], path)
		})
		chosen, err := detect(inside)
		if err != nil {
			err := err.(*RowError)
			return nil, bindError(name, "struct: "+err.Reason, err.Hint)
		}
		return chosen, nil
	}
	if !strings.ContainsAny(name, "*?#") {
		return nil, bindError(name, "no such column", columnsHint(schema))
	}
	var matched []leaf
	for _, l := range all {
		if (len(l.path) == 1 || strings.Contains(name, ".")) && matchPattern(name, l.name) {
			matched = append(matched, l)
		}
	}
	for _, f := range schema.Fields() {
		if _, _, ok := patchType(f.Type); !ok && f.Type.ID() != arrow.STRUCT && matchPattern(name, f.Name) {
			return nil, bindError(f.Name, fmt.Sprintf("%s cannot be part of a patch, but matches %q", f.Type, name), "in a pattern # stands for a number, where * stands for anything")
		}
	}
	if len(matched) == 0 {
		return nil, bindError("", fmt.Sprintf("no column matches %q", name), columnsHint(schema))
	}
	sortNatural(matched)
	return matched, nil
}

// ambiguous reports whether one of the names of a path stands for two columns.
func ambiguous(fields []arrow.Field, path []int) bool {
	for depth, at := range path {
		for i, f := range fields {
			if i != at && f.Name == fields[at].Name {
				return true
			}
		}
		if depth < len(path)-1 {
			fields = fields[at].Type.(*arrow.StructType).Fields()
		}
	}
	return false
}

// typeName returns Arrow's name of a field's type, with that of its extension.
func typeName(f arrow.Field) string {
	name, _ := extensionOf(f)
	typ := f.Type
	if ext, ok := typ.(arrow.ExtensionType); ok {
		typ = ext.StorageType()
	}
	if name == "" {
		return typ.String()
	}
	return fmt.Sprintf("%s (%s)", typ, name)
}

func sortNatural(columns []leaf) {
	slices.SortStableFunc(columns, func(a, b leaf) int { return compareNatural(a.name, b.name) })
}

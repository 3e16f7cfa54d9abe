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
	// Type is Arrow's name of the type, of the single columns in a family, and
	// that of an extension in brackets.
	Type string
	// Columns counts those of the family: 1 where one holds a whole patch.
	Columns int
	// Width is the number of values in a patch, 0 where only the rows tell.
	Width int
}

// String returns the candidate as error messages show it.
func (c Candidate) String() string {
	if c.Columns > 1 {
		return fmt.Sprintf("%s (%d columns of %s)", c.Name(), c.Columns, c.Type)
	}
	return fmt.Sprintf("%s (%s)", c.Name(), c.Type)
}

// Name returns Column in quotes, with whatever a terminal should not see
// escaped.
func (c Candidate) Name() string {
	if quotedParts(c.Column) != nil && !strings.ContainsFunc(c.Column, func(r rune) bool { return !strconv.IsPrint(r) }) {
		return c.Column // has its quotes
	}
	return strconv.Quote(c.Column)
}

// Candidates returns the columns of schema that could be the patch: lists of
// numbers, bytes, and families of scalar columns whose names differ in their
// numbers alone; then the extension types that have to be named. Where there is
// no other than these, single numbers follow, which make up a patch together.
// Without a schema there are none.
func Candidates(schema *arrow.Schema) []Candidate {
	if schema == nil {
		return nil
	}
	return candidates(leaves(schema))
}

func candidates(all []leaf) []Candidate {
	out, named := guesses(all), []Candidate{}
	for _, l := range all {
		if l.standing == inQuestion && len(l.dims) > 0 {
			named = append(named, l.candidate())
		}
	}
	if len(out) > 0 {
		return append(out, named...)
	}
	for _, l := range all {
		if len(l.dims) == 0 && l.standing != partOfPatch {
			named = append(named, l.candidate())
		}
	}
	return named
}

// guesses returns the candidates that need not be named.
func guesses(all []leaf) []Candidate {
	var out []Candidate
	for _, l := range all {
		if l.standing == plain && len(l.dims) > 0 {
			out = append(out, l.candidate())
		}
	}
	for _, f := range families(all) {
		typ := promote(f.columns).name
		out = append(out, Candidate{Column: f.pattern, Type: typ, Columns: len(f.columns), Width: len(f.columns)})
	}
	return out
}

func (l leaf) candidate() Candidate {
	return Candidate{Column: l.name, Type: l.shown, Columns: 1, Width: max(product(l.dims), 0)}
}

// A leaf is a column, or a field of a struct column, made of numbers in some
// form.
type leaf struct {
	name     string   // which [Find] takes
	path     []string // column, then field in each struct
	at       []int    // the same as positions
	typ      arrow.DataType
	shown    string // typ, with the name of an extension
	element  *element
	bytes    bool // the innermost level is binary
	vector   bool // of Spark
	standing standing

	// dims holds the sizes of the list levels, outermost first, unknown where
	// the type leaves one open; it is empty for a scalar.
	dims []int

	tensor tensor // what metadata say of the axes; zero: nothing
}

// standing says whether a column may be the patch.
type standing int

const (
	plain       standing = iota // also when nobody named it
	inQuestion                  // when it is named: an extension means something else
	partOfPatch                 // the same, as part of another that may be
)

// packed reports a column that detection takes last.
func (l leaf) packed() bool { return isPacked(innermostType(l.typ)) }

// columnType is patchType, for vectors of Spark too.
func columnType(t arrow.DataType) (e *element, dims []int, ok bool) {
	if st, isStruct := storage(t).(*arrow.StructType); isStruct {
		e := vectorElement(st)
		return e, []int{unknown}, e != nil
	}
	return patchType(t)
}

// storage returns the type that an extension is stored as.
func storage(t arrow.DataType) arrow.DataType {
	for {
		ext, ok := t.(arrow.ExtensionType)
		if !ok {
			return t
		}
		t = ext.StorageType()
	}
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

// innermostType returns what the lists of a type are made of.
func innermostType(t arrow.DataType) arrow.DataType {
	for {
		switch x := t.(type) {
		case arrow.ExtensionType:
			t = x.StorageType()
		case *arrow.DictionaryType:
			t = x.ValueType
		case arrow.ListLikeType:
			t = x.Elem()
		default:
			return t
		}
	}
}

// holdsBytes reports whether the innermost level of a patch type is binary.
func holdsBytes(t arrow.DataType) bool {
	switch innermostType(t).ID() {
	case arrow.BINARY, arrow.LARGE_BINARY, arrow.FIXED_SIZE_BINARY, arrow.BINARY_VIEW:
		return true
	}
	return false
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
	var visit func(path []string, at []int, f arrow.Field, least standing)
	visit = func(path []string, at []int, f arrow.Field, least standing) {
		path = append(slices.Clone(path), f.Name)
		e, dims, ok := columnType(f.Type)
		st, isStruct := storage(f.Type).(*arrow.StructType)
		if ok {
			extension, metadata := extensionOf(f)
			l := leaf{
				name: nameOf(schema.Fields(), at), path: path, at: at, typ: f.Type, shown: TypeName(f), element: e, dims: dims,
				bytes: holdsBytes(f.Type), vector: isStruct, standing: least, tensor: tensorOf(extension, metadata),
			}
			if len(l.tensor.Shape) == 0 {
				l.tensor = described.tensor(path)
			}
			if extension != "" && !isStruct && (l.bytes || !arrayExtension(extension)) { // bytes may be pickled
				l.standing = max(least, inQuestion)
			}
			all = append(all, l)
			least = partOfPatch
		}
		if !isStruct {
			return
		}
		for i, child := range st.Fields() {
			inner := least
			if child.Name == "shape" && holdsTensor(st) {
				inner = partOfPatch
			}
			visit(path, append(slices.Clone(at), i), child, inner)
		}
	}
	for i, f := range schema.Fields() {
		visit(nil, []int{i}, f, plain)
	}
	return all
}

// detect chooses the patch among the columns that nobody named.
func detect(all []leaf) ([]leaf, error) {
	// What may be the patch, the likeliest first: lists, bytes, numbered
	// columns, and at last truth values and decimals.
	const (
		lists = iota
		binaries
		scalars
		packed
		kinds
	)
	var could [kinds][][]leaf
	for i, l := range all {
		kind := lists
		switch {
		case l.standing != plain || len(l.dims) == 0:
			continue
		case l.bytes:
			kind = binaries
		case l.packed():
			kind = packed
		}
		could[kind] = append(could[kind], all[i:i+1:i+1])
	}
	for _, f := range families(all) {
		kind := packed
		if slices.ContainsFunc(f.columns, func(l leaf) bool { return !l.packed() }) {
			kind = scalars
		}
		could[kind] = append(could[kind], f.columns)
	}
	if len(could[lists]) == 0 && len(could[scalars]) == 1 {
		could[binaries] = slices.DeleteFunc(could[binaries], func(l []leaf) bool { return looksLikeKey(l[0]) })
	}
	for _, columns := range could {
		if len(columns) == 1 {
			return columns[0], nil
		}
		if len(columns) > 1 {
			return nil, bindError("", "several columns could be the patch: "+listed(guesses(all)), "name one with `Columns`")
		}
	}
	if named := candidates(all); len(named) > 0 {
		return nil, bindError("", "no column can be a patch unless it is named; there are "+listed(named),
			"name those that make up the patch with `Columns`; if they have different units, choose `Preprocess` standardize")
	}
	return nil, bindError("", "no column can be a patch: it takes a list of numbers, bytes, or columns of numbers", "")
}

// listed writes candidates, as many as one line holds.
func listed(all []Candidate) string {
	const most = 12
	var names []string
	for i, c := range all {
		if i == most && len(all) > most+1 {
			names = append(names, fmt.Sprintf("... (%d in all)", len(all)))
			break
		}
		names = append(names, c.String())
	}
	return strings.Join(names, ", ")
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
		if len(l.dims) > 0 || l.standing != plain {
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
			return nil, bindError(name, fmt.Sprintf("%s cannot be a patch", TypeName(f)), "")
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

// TypeName returns Arrow's name of a column's type, with that of an extension
// in brackets.
func TypeName(f arrow.Field) string {
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

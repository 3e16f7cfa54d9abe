package patch

import (
	"encoding/binary"
	"fmt"
	"slices"
	"sort"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow"
)

// A Candidate is a column, or a family of scalar columns, that could be the
// patch.
type Candidate struct {
	// Column is what to give as BindOptions.Columns: a name, a dotted path, or
	// a pattern such as "pixel*".
	Column string
	// Type is Arrow's name of the type, of the single columns in a family, and
	// that of an extension in brackets; of a pair "sparse codes".
	Type string
	// Columns counts those of the family: 1 where one, or a pair, holds a whole
	// patch.
	Columns int
	// Width is the number of values in a patch, by the type or by what metadata
	// say of the shape; 0 where only the rows tell.
	Width int
}

// String returns the candidate as error messages show it.
func (c Candidate) String() string {
	if c.Columns > 1 {
		return fmt.Sprintf("%s (%d columns of %s)", c.Name(), c.Columns, c.Type)
	}
	return fmt.Sprintf("%s (%s)", c.Name(), c.Type)
}

// Name returns Column in quotes as [Find] takes it, a quote in it doubled; with
// escapes, where it has what a terminal should not see.
func (c Candidate) Name() string { return quotedName(c.Column) }

func quotedName(name string) string {
	switch {
	case !utf8.ValidString(name) || strings.ContainsFunc(name, func(r rune) bool { return !strconv.IsPrint(r) }):
		return strconv.Quote(name)
	case quotedParts(name) != nil: // has its quotes
		return name
	}
	return inQuotes(name)
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

// Families returns the names of the columns of each family among the candidates
// of schema, in the order of the patch, by [Candidate] Column.
func Families(schema *arrow.Schema) map[string][]string {
	if schema == nil {
		return nil
	}
	members := map[string][]string{}
	for _, f := range families(leaves(schema)) {
		for _, l := range f.columns {
			members[f.pattern] = append(members[f.pattern], l.name)
		}
	}
	return members
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
	width := product(l.dims)
	if said := l.tensor.Shape; width == unknown && len(said) > 0 && !slices.ContainsFunc(said, func(n int) bool { return n < 1 }) {
		width = product(said)
	}
	return Candidate{Column: l.name, Type: l.shown, Columns: 1, Width: max(width, 0)}
}

// detect chooses the patch among the columns that nobody named.
func detect(all []leaf) ([]leaf, error) {
	// What may be the patch, the likeliest first: lists, image files, bytes,
	// numbered columns, and at last truth values and decimals.
	const (
		lists = iota
		files
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
		case l.image:
			kind = files
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
			return nil, bindError("", "several columns could be the patch: "+Listed(guesses(all)), "name one with `Columns`").keyed(KeyAmbiguous)
		}
	}
	if named := candidates(all); len(named) > 0 {
		return nil, bindError("", "no column can be a patch unless it is named; there are "+Listed(named),
			"name those that make up the patch with `Columns`; if they have different units, choose `Preprocess` standardize").keyed(KeyNoPatch)
	}
	return nil, bindError("", "no column can be a patch: it takes a list of numbers, bytes, or columns of numbers", "").keyed(KeyNoPatch)
}

// Listed writes candidates as error messages do, as many as one line holds.
func Listed(all []Candidate) string {
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
		names  = make([]string, len(all))
	)
	for i, l := range all {
		names[i] = l.name
	}
	slices.Sort(names)
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
		prefix, _, _ := strings.Cut(key, "#")
		if prefix != "" && !strings.ContainsAny(prefix, "*?") && countPrefix(names, prefix) == len(columns) {
			pattern = prefix + "*"
		}
		out = append(out, family{pattern, columns})
	}
	return out
}

// countPrefix returns how many names, which are sorted, begin with a prefix.
func countPrefix(names []string, prefix string) int {
	from, _ := slices.BinarySearch(names, prefix)
	return sort.Search(len(names)-from, func(i int) bool { return !strings.HasPrefix(names[from+i], prefix) })
}

// A catalog is the numeric columns of a schema, to be looked up.
type catalog struct {
	schema *arrow.Schema
	all    []leaf // in the order of their places
	pairs  map[string]leaf
}

func newCatalog(schema *arrow.Schema) catalog {
	all := leaves(schema)
	return catalog{schema, all, pairsByName(all)}
}

// at returns the column at a place, a slice of none or one, and not the pair
// that begins there.
func (c catalog) at(place []int) []leaf {
	inside := c.within(place)
	for i, l := range inside {
		if len(l.at) > len(place) {
			break
		}
		if !l.isPair() {
			return inside[i : i+1 : i+1]
		}
	}
	return nil
}

// within returns the columns at a place and, if a struct is there, inside it.
func (c catalog) within(place []int) []leaf {
	from := sort.Search(len(c.all), func(i int) bool { return slices.Compare(c.all[i].at, place) >= 0 })
	n := sort.Search(len(c.all)-from, func(i int) bool {
		at := c.all[from+i].at
		return !slices.Equal(at[:min(len(at), len(place))], place)
	})
	return c.all[from : from+n : from+n]
}

// selectColumns finds the columns that the user named.
func (c catalog) selectColumns(names []string) ([]leaf, error) {
	var chosen []leaf
	seen := map[string]bool{}
	for _, name := range names {
		found, err := c.selectOne(name)
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
	for _, pair := range c.all {
		if pair.isPair() && len(chosen) == 2 && chosen[0].partOf(pair) && chosen[1].partOf(pair) {
			return []leaf{pair}, nil
		}
	}
	if len(chosen) > 1 {
		for _, l := range chosen {
			if len(l.dims) > 0 {
				return nil, bindError(l.name, fmt.Sprintf("%s holds a whole patch and cannot be one of %d columns of it", l.typ, len(chosen)), "").keyed(KeyType)
			}
		}
	}
	return chosen, nil
}

func (c catalog) selectOne(name string) ([]leaf, error) {
	if path := find(c.schema, name); path != nil {
		if ambiguous(c.schema, path) {
			return nil, bindError(name, "the name stands for two columns", "").keyed(KeyAmbiguous)
		}
		if column := c.at(path); column != nil {
			return column, nil
		}
		f := fieldAt(c.schema, path)
		if fieldsOf(f.Type) == nil {
			return nil, bindError(name, fmt.Sprintf("%s cannot be a patch", TypeName(f)), othersHint(c.all)).keyed(KeyType)
		}
		// A struct stands for the patch inside it, if there is no doubt which
		// field that is.
		chosen, err := detect(c.within(path))
		if err != nil {
			err := err.(*RowError)
			return nil, bindError(name, "struct: "+err.Reason, err.Hint).keyed(err.Key)
		}
		return chosen, nil
	}
	if pair, ok := c.pairs[name]; ok {
		return []leaf{pair}, nil
	}
	if !strings.ContainsAny(name, "*?#") {
		return nil, bindError(name, "no such column", columnsHint(c.schema)).keyed(KeyMissing)
	}
	matched := c.matching(name)
	for i := range c.schema.NumFields() {
		f := c.schema.Field(i)
		if _, _, ok := patchType(f.Type); !ok && f.Type.ID() != arrow.STRUCT && matchPattern(name, f.Name) {
			return nil, bindError(f.Name, fmt.Sprintf("%s cannot be part of a patch, but matches %q", f.Type, name), "in a pattern # stands for a number, where * stands for anything").keyed(KeyType)
		}
	}
	if len(matched) == 0 {
		return nil, bindError("", fmt.Sprintf("no column matches %q", name), columnsHint(c.schema)).keyed(KeyMissing)
	}
	sortNatural(matched)
	return matched, nil
}

// matching returns the columns whose names match a pattern. A pair that
// matches, or whose columns both do, stands for these.
func (c catalog) matching(pattern string) []leaf {
	var matched []leaf
	for _, l := range c.all {
		if (len(l.path) == 1 || strings.Contains(pattern, ".")) && matchPattern(pattern, l.name) {
			matched = append(matched, l)
		}
	}
	if len(c.pairs) == 0 {
		return matched
	}
	pairOf := map[string]string{} // of both columns of a pair: the place of the pair
	for _, l := range c.all {
		if l.isPair() {
			at := placeKey(l.at)
			pairOf[at], pairOf[placeKey(l.valuesAt)] = at, at
		}
	}
	const both, whole = 2, 3
	found := map[string]int{} // by the place of the pair
	for _, l := range matched {
		if at, ok := pairOf[placeKey(l.at)]; ok && l.isPair() {
			found[at] += whole
		} else if ok {
			found[at]++
		}
	}
	matched = slices.DeleteFunc(matched, func(l leaf) bool { return !l.isPair() && found[pairOf[placeKey(l.at)]] >= both })
	for _, l := range c.all {
		if l.isPair() && found[placeKey(l.at)] == both {
			matched = append(matched, l)
		}
	}
	return matched
}

// placeKey is a place as a key of maps.
func placeKey(at []int) string {
	var key []byte
	for _, i := range at {
		key = binary.AppendUvarint(key, uint64(i))
	}
	return string(key)
}

// othersHint says what to name in place of a column that cannot be a patch.
func othersHint(all []leaf) string {
	if could := candidates(all); len(could) > 0 {
		return "name the patch with `Columns`, which could be " + Listed(could)
	}
	return ""
}

// ambiguous reports whether one of the names of a path stands for two columns.
func ambiguous(in record, path []int) bool {
	for _, at := range path {
		f := in.Field(at)
		if len(in.FieldIndices(f.Name)) > 1 {
			return true
		}
		in = fieldsOf(f.Type)
	}
	return false
}

func sortNatural(columns []leaf) {
	slices.SortStableFunc(columns, func(a, b leaf) int { return compareNatural(a.name, b.name) })
}

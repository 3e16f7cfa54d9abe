package patch

import (
	"fmt"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
)

// Find returns the path of the column called name, and what the schema says of
// it. The path is its index in the schema, then that of the field in each
// struct on the way. A dot leads into a struct, and a column of exactly that
// name, dots and all, comes first. What stands in double quotes is one name
// whatever is in it, "" for a quote: "img"."pixels" is the field, also where a
// column is called img.pixels. The error is a [*RowError] with Row -1.
func Find(schema *arrow.Schema, name string) (path []int, field arrow.Field, err error) {
	if schema == nil {
		return nil, field, errNoSchema
	}
	if path := find(schema, name); path != nil {
		return path, fieldAt(schema, path), nil
	}
	return nil, field, bindError(name, "no such column", columnsHint(schema)).keyed(KeyMissing)
}

// Paths is [Find] for each name of a projection; the name of a pair of sparse
// codes has two paths. No names (nil) are nil: all columns.
func Paths(schema *arrow.Schema, names []string) ([][]int, error) {
	if names == nil {
		return nil, nil
	}
	paths := make([][]int, 0, len(names))
	var pairs map[string]leaf // nil until one is looked for
	for _, name := range names {
		path, _, err := Find(schema, name)
		if err == nil {
			paths = append(paths, path)
			continue
		}
		if schema == nil {
			return nil, err
		}
		if pairs == nil {
			pairs = pairsByName(leaves(schema))
		}
		pair, ok := pairs[name]
		if !ok {
			return nil, err
		}
		paths = append(paths, pair.at, pair.valuesAt)
	}
	return paths, nil
}

// A record has fields: a schema, or a struct. It finds one by its name without
// going over all, of which there may be a hundred thousand.
type record interface {
	NumFields() int
	Field(i int) arrow.Field
	FieldIndices(name string) []int
}

// fieldsOf returns what the fields of a struct are in, nil of another type.
func fieldsOf(t arrow.DataType) record {
	if st, ok := t.(*arrow.StructType); ok {
		return st
	}
	return nil
}

// find returns nil where there is no such column.
func find(in record, name string) []int {
	if path := findPlain(in, name); path != nil {
		return path
	}
	var path []int
	for _, part := range quotedParts(name) {
		if in == nil {
			return nil
		}
		at := in.FieldIndices(part)
		if len(at) == 0 {
			return nil
		}
		path = append(path, at[0])
		in = fieldsOf(in.Field(at[0]).Type)
	}
	return path
}

// quotedParts takes a path apart of which one name or more is in quotes; nil:
// it is no such path.
func quotedParts(path string) (parts []string) {
	if !strings.Contains(path, `"`) {
		return nil
	}
	for {
		part, rest, ok := cutQuoted(path)
		if !ok {
			part, rest = path, ""
			if dot := strings.IndexByte(path, '.'); dot >= 0 {
				part, rest = path[:dot], path[dot:]
			}
			if strings.Contains(part, `"`) {
				return nil
			}
		}
		parts = append(parts, part)
		if rest == "" {
			return parts
		}
		if path, ok = strings.CutPrefix(rest, "."); !ok {
			return nil
		}
	}
}

// cutQuoted takes a name in quotes from the beginning of s.
func cutQuoted(s string) (name, rest string, ok bool) {
	if !strings.HasPrefix(s, `"`) {
		return "", s, false
	}
	for at := 1; at < len(s); at++ {
		switch {
		case s[at] != '"':
		case strings.HasPrefix(s[at+1:], `"`):
			at++
		default:
			return strings.ReplaceAll(s[1:at], `""`, `"`), s[at+1:], true
		}
	}
	return "", s, false
}

// nameOf returns the name by which find finds the column that a path leads to:
// its names with dots between them, in quotes where that is another column.
func nameOf(in record, path []int) string {
	plain, quoted := "", ""
	for i := range path {
		name := fieldAt(in, path[:i+1]).Name
		plain += "." + name
		quoted += "." + inQuotes(name)
	}
	if len(path) == 1 || slices.Equal(find(in, plain[1:]), path) {
		return plain[1:]
	}
	return quoted[1:]
}

// inQuotes returns one name in quotes, which cutQuoted takes.
func inQuotes(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// findPlain is find for a name as it is, or names with dots between them.
func findPlain(in record, name string) []int {
	if at := in.FieldIndices(name); len(at) > 0 {
		return at[:1]
	}
	// The longest name that fits comes first: names may have dots in them.
	for end := strings.LastIndexByte(name, '.'); end > 0; end = strings.LastIndexByte(name[:end], '.') {
		for _, at := range in.FieldIndices(name[:end]) {
			inside := fieldsOf(in.Field(at).Type)
			if inside == nil {
				continue
			}
			if rest := findPlain(inside, name[end+1:]); rest != nil {
				return append([]int{at}, rest...)
			}
		}
	}
	return nil
}

// fieldAt returns the field that a path leads to.
func fieldAt(in record, path []int) arrow.Field {
	f := in.Field(path[0])
	for _, i := range path[1:] {
		f = f.Type.(*arrow.StructType).Field(i)
	}
	return f
}

// columnsHint names the columns there are, as many as one line holds.
func columnsHint(schema *arrow.Schema) string {
	const most = 12 // more names than this hide the one that is looked for
	var names []string
	for i := range schema.NumFields() {
		if i == most {
			names = append(names, fmt.Sprintf("... (%d columns)", schema.NumFields()))
			break
		}
		names = append(names, quotedName(schema.Field(i).Name))
	}
	if len(names) == 0 {
		return ""
	}
	return "the columns are " + strings.Join(names, ", ")
}

// matchPattern matches a whole name: * is any text, ? any one character, # a
// run of digits. What follows the last * met is tried at each place until it
// fits: no earlier * need ever take more, since what stands for a part that
// begins later does not end earlier.
func matchPattern(pattern, name string) bool {
	star, rest := "", "" // behind the last *: the pattern, and what it takes next
	starred := false
	for {
		switch n := matchOne(pattern, name); {
		case strings.HasPrefix(pattern, "*"):
			pattern = pattern[1:]
			starred, star, rest = true, pattern, name
		case pattern == "" && name == "":
			return true
		case n > 0:
			pattern, name = pattern[1:], name[n:]
		case !starred || rest == "":
			return false
		default:
			rest = rest[1:]
			pattern, name = star, rest
		}
	}
}

// matchOne returns how much of name the first sign of a pattern, which is no *,
// stands for; 0 where it does not fit.
func matchOne(pattern, name string) int {
	switch {
	case pattern == "" || name == "":
		return 0
	case pattern[0] == '#':
		return digits(name)
	case pattern[0] == '?':
		_, size := firstRune(name)
		return size
	case name[0] == pattern[0]:
		return 1
	}
	return 0
}

func firstRune(s string) (rune, int) {
	for i, r := range s {
		if i > 0 {
			return r, i
		}
	}
	return 0, len(s)
}

// digits returns the length of the number that s starts with.
func digits(s string) int {
	n := 0
	for n < len(s) && s[n] >= '0' && s[n] <= '9' {
		n++
	}
	return n
}

// maskNumbers puts a # in the place of every number.
func maskNumbers(s string) string {
	var b strings.Builder
	for s != "" {
		if n := digits(s); n > 0 {
			b.WriteByte('#')
			s = s[n:]
			continue
		}
		b.WriteByte(s[0])
		s = s[1:]
	}
	return b.String()
}

// compareNatural orders names with numbers by their values: pixel2 before
// pixel10, 2x10 before 10x2.
func compareNatural(a, b string) int {
	x, y := a, b
	for x != "" && y != "" {
		n, m := digits(x), digits(y)
		if n == 0 || m == 0 {
			if x[0] != y[0] {
				return int(x[0]) - int(y[0])
			}
			x, y = x[1:], y[1:]
			continue
		}
		p, q := strings.TrimLeft(x[:n], "0"), strings.TrimLeft(y[:m], "0")
		if len(p) != len(q) {
			return len(p) - len(q)
		}
		if c := strings.Compare(p, q); c != 0 {
			return c
		}
		x, y = x[n:], y[m:]
	}
	if x != "" || y != "" {
		return len(x) - len(y)
	}
	return strings.Compare(a, b) // pixel1 and pixel01
}

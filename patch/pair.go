package patch

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
)

// Codes of which most are 0 take two columns: X_indices, lists of whole numbers
// from 0 up that ascend, and X_values, lists of as many values. The rest is
// zeros. X is the name of the pair.
const (
	IndicesSuffix = "_indices"
	ValuesSuffix  = "_values"

	// UnitsKey is the key of metadata, on the field of the indices, that tells
	// how many values a code has, zeros included.
	UnitsKey = "aefeat.units"
)

// A pair is the two columns of sparse codes, as positions among fields.
type pair struct {
	name            string
	indices, values int
	units           int // unknown where metadata do not say
}

// pairsOf finds the pairs among fields. A field of the name that a pair would
// have comes first.
func pairsOf(fields []arrow.Field) (pairs []pair) {
	const twice = -1
	at := map[string]int{}
	for i, f := range fields {
		if _, ok := at[f.Name]; ok {
			i = twice
		}
		at[f.Name] = i
	}
	for i, f := range fields {
		name, ok := strings.CutSuffix(f.Name, IndicesSuffix)
		if !ok || name == "" || at[f.Name] == twice {
			continue
		}
		if _, taken := at[name]; taken {
			continue
		}
		values, ok := at[name+ValuesSuffix]
		if ok && values != twice && holdsPair(f.Type, fields[values].Type) {
			pairs = append(pairs, pair{name, i, values, unitsOf(f)})
		}
	}
	return pairs
}

// unitsOf returns how many values a code has by the metadata of its indices.
func unitsOf(indices arrow.Field) int {
	text, _ := indices.Metadata.GetValue(UnitsKey)
	if n, err := strconv.ParseInt(text, 10, 32); err == nil && n > 0 {
		return int(n)
	}
	return unknown
}

// holdsPair reports whether columns of these types can be a pair.
func holdsPair(indices, values arrow.DataType) bool {
	i, v := listElement(indices), listElement(values)
	return i != nil && v != nil && i.bits >= 8 && !i.float && !i.huge && v.float
}

// listElement returns what lists of any length are made of, nil for other types
// and for elements that lie in an array in another form than their own.
func listElement(t arrow.DataType) *element {
	switch t.ID() {
	case arrow.LIST, arrow.LARGE_LIST, arrow.LIST_VIEW, arrow.LARGE_LIST_VIEW:
		return bareElement(t.(arrow.ListLikeType).Elem())
	}
	return nil
}

// bareElement returns the element that the buffer of an array of this type
// holds as it is, nil if there is none.
func bareElement(t arrow.DataType) *element {
	if isPacked(t) {
		return nil
	}
	return elementOfID(t.ID())
}

// leaf returns a pair as a column. The path and the position are those of the
// struct around it, which has the fields.
func (p pair) leaf(path []string, at []int, fields []arrow.Field) leaf {
	indices, values := fields[p.indices], fields[p.values]
	within := func(name string) []string { return append(slices.Clone(path), name) }
	shown := "sparse codes"
	if p.units == unknown {
		shown += " of an unknown number of units"
	}
	return leaf{
		name: strings.Join(within(p.name), "."), element: listElement(values.Type), dims: []int{p.units},
		path: within(indices.Name), at: append(slices.Clone(at), p.indices), typ: indices.Type,
		values: within(values.Name), valuesAt: append(slices.Clone(at), p.values), valuesType: values.Type,
		shown: shown,
	}
}

// partOf reports whether l is one of the two columns of a pair.
func (l leaf) partOf(pair leaf) bool {
	return !l.isPair() && (slices.Equal(l.path, pair.path) || slices.Equal(l.path, pair.values))
}

// pairsByName returns the pairs among columns; of two with one name the first.
func pairsByName(all []leaf) map[string]leaf {
	pairs := map[string]leaf{}
	for _, l := range all {
		if _, ok := pairs[l.name]; l.isPair() && !ok {
			pairs[l.name] = l
		}
	}
	return pairs
}

// errNoUnits says that nothing tells how many values the codes of a pair have.
func errNoUnits(pair leaf) error {
	return bindError(pair.name, fmt.Sprintf("how many units the codes have is not known: column %q has no number %s in its metadata, which some programs drop",
		strings.Join(pair.path, "."), UnitsKey), "give the number with `Units`").keyed(KeyUnits)
}

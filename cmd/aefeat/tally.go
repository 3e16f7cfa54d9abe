package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
)

// A tally is what is counted of the values of a column, in bounded memory: of
// those in its lists, or of a family of columns.
type tally struct {
	Column string
	listed bool // among those of the survey

	values, nulls, nans int64 // nulls apart; nans: and infinities
	noted               int64 // numbers in what follows
	first               float64
	sum, squares        float64 // less first
	min, max            float64
	lengths             bool // they are those of texts and bytes

	inputs map[string]int // the places of the columns of a family
	places []place        // of the values in a row; nil: too many, or none
	wide   bool           // there are too many places

	counts map[string]int64 // of single values that are no fractions
	many   bool             // too many are different, or too long
}

// place is the range of the values at one place of all rows.
type place struct {
	min, max float64
	seen     bool
}

const (
	// tallyPlaces is more than patches have. They take 1.5 MiB of a column.
	tallyPlaces = 1 << 16
	// mostCounts is more classes than a person reads through; counting ends
	// there.
	mostCounts = 100
	// longestLabel is how many bytes of a text make it no label.
	longestLabel = 64
)

var errDamaged = errors.New("an array leads out of its values")

// at says that a column of a family is the value at a place.
func (t *tally) at(column string, place int) {
	if t.inputs == nil {
		t.inputs = map[string]int{}
	}
	t.inputs[column] = place
}

// add counts the values of one column of a batch, which is in structs.
func (t *tally) add(name string, a arrow.Array, in []arrow.Array) error {
	at, family := t.inputs[name]
	for i := range a.Len() {
		if slices.ContainsFunc(in, func(outer arrow.Array) bool { return outer.IsNull(i) }) {
			t.nulls++
			continue
		}
		place := at
		if err := t.visit(a, i, &place); err != nil {
			return err
		}
	}
	if !family && countable(a.DataType()) {
		t.count(a)
	}
	return nil
}

// visit counts the value of row i, or those in its list. place is that of the
// next value in the row.
func (t *tally) visit(a arrow.Array, i int, place *int) error {
	for {
		extension, ok := a.(array.ExtensionArray)
		if !ok {
			break
		}
		a = extension.Storage()
	}
	if a.IsNull(i) {
		t.nulls++
		*place++
		return nil
	}
	switch a := a.(type) {
	case *array.Dictionary:
		at := a.GetValueIndex(i)
		if at < 0 || at >= a.Dictionary().Len() {
			return errDamaged
		}
		return t.visit(a.Dictionary(), at, place)
	case array.ListLike:
		start, end := a.ValueOffsets(i)
		values := a.ListValues()
		if start < 0 || end < start || end > int64(values.Len()) {
			return errDamaged
		}
		for k := start; k < end; k++ {
			if err := t.visit(values, int(k), place); err != nil {
				return err
			}
		}
		return nil
	case *array.FixedSizeBinary: // pixels
		for _, b := range a.Value(i) {
			t.values++
			t.see(float64(b), *place)
			*place++
		}
		return nil
	}
	t.values++
	if x, ok := numberAt(a, i); ok {
		t.see(x, *place)
	} else if n := lengthAt(a, i); n >= 0 {
		t.lengths = true
		t.note(float64(n))
	}
	*place++
	return nil
}

// see counts a number at a place of a row.
func (t *tally) see(x float64, at int) {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		t.nans++
		return
	}
	t.note(x)
	if at >= tallyPlaces {
		t.wide, t.places = true, nil
	}
	if t.wide {
		return
	}
	if at >= len(t.places) {
		t.places = append(t.places, make([]place, at+1-len(t.places))...)
	}
	p := &t.places[at]
	if !p.seen {
		*p = place{x, x, true}
	}
	p.min, p.max = min(p.min, x), max(p.max, x)
}

// note adds a finite number to the sums.
func (t *tally) note(x float64) {
	if t.noted == 0 {
		t.first, t.min, t.max = x, x, x
	}
	t.noted++
	d := x - t.first
	t.sum += d
	t.squares += d * d
	t.min, t.max = min(t.min, x), max(t.max, x)
}

// mean and deviation are those of the population; NaN of nothing.
func (t *tally) mean() float64 { return t.first + t.sum/float64(t.noted) }

func (t *tally) deviation() float64 {
	m := t.sum / float64(t.noted)
	return math.Sqrt(max(0, t.squares/float64(t.noted)-m*m))
}

// constant returns the share of the places whose values are all alike, and how
// many places there are; 0 places: unknown.
func (t *tally) constant() (share float64, places int) {
	alike := 0
	for _, p := range t.places {
		if p.seen && p.min == p.max {
			alike++
		}
	}
	return float64(alike) / float64(len(t.places)), len(t.places)
}

// count counts how often each value of a column occurs, unless they are many.
func (t *tally) count(a arrow.Array) {
	if t.counts == nil {
		t.counts = map[string]int64{}
	}
	for i := 0; i < a.Len() && !t.many; i++ {
		if a.IsNull(i) {
			continue
		}
		text := a.ValueStr(i)
		t.counts[text]++
		t.many = len(t.counts) > mostCounts || len(text) > longestLabel
	}
}

// countable reports a type that labels have.
func countable(t arrow.DataType) bool {
	if d, ok := t.(*arrow.DictionaryType); ok {
		t = d.ValueType
	}
	switch t.ID() {
	case arrow.STRING, arrow.LARGE_STRING, arrow.STRING_VIEW, arrow.BOOL:
		return true
	}
	return arrow.IsInteger(t.ID())
}

// lengthAt returns how long a text or a string of bytes is, -1 for others.
func lengthAt(a arrow.Array, i int) int {
	switch a := a.(type) {
	case *array.String:
		return len(a.Value(i))
	case *array.LargeString:
		return len(a.Value(i))
	case *array.StringView:
		return len(a.Value(i))
	case *array.Binary:
		return len(a.Value(i))
	case *array.LargeBinary:
		return len(a.Value(i))
	case *array.BinaryView:
		return len(a.Value(i))
	}
	return -1
}

// numberAt returns a number or a truth value.
func numberAt(a arrow.Array, i int) (x float64, ok bool) {
	switch a := a.(type) {
	case *array.Uint8:
		return float64(a.Value(i)), true
	case *array.Float32:
		return float64(a.Value(i)), true
	case *array.Float64:
		return a.Value(i), true
	case *array.Uint16:
		return float64(a.Value(i)), true
	case *array.Uint32:
		return float64(a.Value(i)), true
	case *array.Uint64:
		return float64(a.Value(i)), true
	case *array.Int8:
		return float64(a.Value(i)), true
	case *array.Int16:
		return float64(a.Value(i)), true
	case *array.Int32:
		return float64(a.Value(i)), true
	case *array.Int64:
		return float64(a.Value(i)), true
	case *array.Float16:
		return float64(a.Value(i).Float32()), true
	case *array.Boolean:
		if a.Value(i) {
			return 1, true
		}
		return 0, true
	case *array.Decimal32:
		return a.Value(i).ToFloat64(scaleOf(a)), true
	case *array.Decimal64:
		return a.Value(i).ToFloat64(scaleOf(a)), true
	case *array.Decimal128:
		return a.Value(i).ToFloat64(scaleOf(a)), true
	case *array.Decimal256:
		return a.Value(i).ToFloat64(scaleOf(a)), true
	}
	return 0, false
}

func scaleOf(a arrow.Array) int32 { return a.DataType().(arrow.DecimalType).GetScale() }

// line is the tally as cells of a table.
func (t *tally) line() string {
	cells := []string{columnName(t.Column), count(t.values), count(t.nulls), count(t.nans)}
	switch share, places := t.constant(); {
	case t.noted == 0:
	case t.lengths:
		cells = append(cells, fmt.Sprintf("%g long", t.min), fmt.Sprintf("%g long", t.max), fmt.Sprintf("%.4g long", t.mean()))
	default:
		cells = append(cells, fmt.Sprintf("%.6g", t.min), fmt.Sprintf("%.6g", t.max), fmt.Sprintf("%.4g", t.mean()), fmt.Sprintf("%.4g", t.deviation()))
		if places > 1 {
			cells = append(cells, fmt.Sprintf("%.3g%% of %s", 100*share, count(int64(places))))
		} else if share == 1 {
			cells = append(cells, "yes")
		}
	}
	return strings.Join(cells, "\t")
}

// labels writes how often each value occurs, the most frequent first, "" where
// they are no labels: each value is another, or they are too many.
func (t *tally) labels() string {
	const classes = 40 // more are ages rather than labels
	if len(t.counts) == 0 || len(t.counts) > classes || t.many || len(t.counts) > 2 && int64(len(t.counts)) == t.values {
		return ""
	}
	const most = 12 // as many as a line or two hold
	var parts []string
	for i, value := range t.frequent() {
		if i == most && len(t.counts) > most+1 {
			parts = append(parts, fmt.Sprintf("%d more", len(t.counts)-most))
			break
		}
		parts = append(parts, fmt.Sprintf("%s (%s)", shownName(value), count(t.counts[value])))
	}
	return strings.Join(parts, ", ")
}

// frequent returns the values, the most frequent first.
func (t *tally) frequent() []string {
	return slices.SortedFunc(maps.Keys(t.counts), func(a, b string) int {
		return cmp.Or(cmp.Compare(t.counts[b], t.counts[a]), cmp.Compare(len(a), len(b)), cmp.Compare(a, b))
	})
}

// MarshalJSON writes the tally for programs. What is not known is null.
func (t *tally) MarshalJSON() ([]byte, error) {
	out := struct {
		Column   string           `json:"column"`
		Values   int64            `json:"values"` // that are not null
		Nulls    int64            `json:"nulls"`
		NaN      int64            `json:"nan"`     // and infinities
		Lengths  bool             `json:"lengths"` // the rest is about how long they are
		Min      any              `json:"min"`
		Max      any              `json:"max"`
		Mean     any              `json:"mean"`
		SD       any              `json:"deviation"`
		Constant any              `json:"constant"` // share of the places
		Places   int              `json:"places"`   // in a row; 0: unknown
		Counts   map[string]int64 `json:"counts"`   // null: too many
	}{Column: t.Column, Values: t.values, Nulls: t.nulls, NaN: t.nans, Lengths: t.lengths}
	if t.noted > 0 {
		out.Min, out.Max, out.Mean, out.SD = number(t.min), number(t.max), number(t.mean()), number(t.deviation())
	}
	share, places := t.constant()
	out.Constant, out.Places = number(share), places
	if !t.many {
		out.Counts = t.counts
	}
	return json.Marshal(out)
}

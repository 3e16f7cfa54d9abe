package message

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/aefeat/aefeat/arrowio/internal/bound"
)

// A Schema is a verified schema. Integers of 128 bits, which polars writes and
// the format does not know, become 16 bytes each, in the metadata too.
type Schema struct {
	fields       []field
	dictionaries map[int64]*field // the values, by id
}

// HasDictionaries reports whether some values are encoded as indexes.
func (s *Schema) HasDictionaries() bool { return len(s.dictionaries) > 0 }

// Equal says whether two schemas have the same fields.
func (s *Schema) Equal(t *Schema) bool {
	return slices.EqualFunc(s.fields, t.fields, func(a, b field) bool { return a.equal(&b) })
}

// A field is a field of a schema, as far as the layout of its arrays goes.
type field struct {
	name       string
	nullable   bool
	typ        byte
	width      int   // bits of a fixed-width value
	size       int64 // elements of a fixed-size list
	params     [3]int64
	children   []field
	dictionary bool
	dictID     int64
	indexWidth int
}

func (f *field) equal(g *field) bool {
	return f.name == g.name && f.nullable == g.nullable &&
		f.typ == g.typ && f.width == g.width && f.size == g.size && f.params == g.params &&
		f.dictionary == g.dictionary && f.dictID == g.dictID && f.indexWidth == g.indexWidth &&
		slices.EqualFunc(f.children, g.children, func(a, b field) bool { return a.equal(&b) })
}

// sameValues says whether two fields have values of one type.
func (f *field) sameValues(g *field) bool {
	x, y := *f, *g
	x.name, x.nullable, x.dictionary = y.name, y.nullable, y.dictionary
	x.indexWidth, x.params[2] = y.indexWidth, y.params[2]
	return x.equal(&y)
}

// parseSchema verifies the schema that find finds in b.
func parseSchema(b []byte, find func() (table, error)) (*Schema, error) {
	s, wide, err := walkSchema(find)
	if err != nil || len(wide) == 0 {
		return s, err
	}
	// A field that is an integer, whose parameter at the first place is 128
	// bits, becomes bytes, whose parameter there is their number.
	for _, at := range wide {
		b[at.kind] = typeFixedBinary
		binary.LittleEndian.PutUint32(b[at.width:], 16)
	}
	// What was written may have been something else too.
	if s, wide, err = walkSchema(find); err == nil && len(wide) > 0 {
		err = ErrDamaged
	}
	return s, err
}

// A wideInteger is where the type of an integer of 128 bits and its width are.
type wideInteger struct{ kind, width int }

func walkSchema(find func() (table, error)) (*Schema, []wideInteger, error) {
	t, err := find()
	if err != nil {
		return nil, nil, err
	}
	w := &walk{schema: &Schema{dictionaries: map[int64]*field{}}, left: 4*len(t.b) + 1024}
	err = w.read(t)
	return w.schema, w.wide, err
}

func (w *walk) read(t table) error {
	if e, err := t.int16(0, 0); err != nil || e < 0 || e > 1 {
		return ErrDamaged
	}
	v, err := t.vector(1, 4)
	if err != nil {
		return err
	}
	if err := w.metadata(t, 2); err != nil {
		return err
	}
	w.schema.fields, err = w.fields(v, 0)
	return err
}

// A walk goes over a flatbuffer, and bounds how far: tables may be shared, and
// a few bytes stand for endless ones.
type walk struct {
	schema *Schema
	left   int
	wide   []wideInteger
}

func (w *walk) spend(n int) error {
	if w.left -= n; w.left < 0 {
		return ErrDamaged
	}
	return nil
}

// metadata checks a vector of keys and values.
func (w *walk) metadata(t table, slot int) error {
	v, err := t.vector(slot, 4)
	if err != nil {
		return err
	}
	for i := range v.n {
		kv, err := v.table(i)
		if err != nil {
			return err
		}
		for slot := range 2 {
			s, err := kv.vector(slot, 1)
			if err != nil {
				return err
			}
			if err := w.spend(s.n); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *walk) fields(v vector, depth int) ([]field, error) {
	if depth > maxNesting {
		return nil, &bound.BeyondError{
			What: fmt.Sprintf("its schema is nested beyond the %d levels that are read", maxNesting),
			Hint: "leave the column out, or write it with fewer levels",
		}
	}
	if v.n == 0 {
		return nil, nil
	}
	if err := w.spend(16 * v.n); err != nil { // a field takes more bytes than this
		return nil, err
	}
	fields := make([]field, v.n)
	for i := range fields {
		t, err := v.table(i)
		if err != nil {
			return nil, err
		}
		if err := w.field(t, &fields[i], depth); err != nil {
			return nil, err
		}
	}
	return fields, nil
}

func (w *walk) field(t table, f *field, depth int) error {
	var err error
	if f.name, err = t.string(0); err != nil {
		return err
	}
	if err := w.spend(len(f.name)); err != nil {
		return err
	}
	nullable, err := t.byte(1, 0)
	if err != nil {
		return err
	}
	f.nullable = nullable != 0
	if f.typ, err = t.byte(2, 0); err != nil {
		return err
	}
	typ, found, err := t.table(3)
	if err != nil {
		return err
	}
	if !found {
		return ErrDamaged
	}
	dict, hasDict, err := t.table(4)
	if err != nil {
		return err
	}
	kids, err := t.vector(5, 4)
	if err != nil {
		return err
	}
	if err := w.metadata(t, 6); err != nil {
		return err
	}
	if f.children, err = w.fields(kids, depth+1); err != nil {
		return err
	}
	if err := f.readType(typ); err != nil {
		return err
	}
	if f.typ == typeInt && f.width == 128 {
		kind, err := t.at(2, 1)
		if err != nil {
			return err
		}
		width, err := typ.at(0, 4)
		if err != nil {
			return err
		}
		w.wide = append(w.wide, wideInteger{kind, width})
	}
	if hasDict {
		return w.dictionary(dict, f)
	}
	return nil
}

// dictionary reads how a field's values are encoded as indexes.
func (w *walk) dictionary(t table, f *field) error {
	var err error
	f.dictionary = true
	if f.dictID, err = t.int64(0, 0); err != nil {
		return err
	}
	f.indexWidth = 32
	if index, found, err := t.table(1); err != nil {
		return err
	} else if found {
		n, err := index.int32(0, 0)
		if err != nil {
			return err
		}
		signed, err := index.byte(1, 0)
		if err != nil {
			return err
		}
		f.indexWidth = int(n)
		f.params[2] = int64(signed)
	}
	if !slices.Contains([]int{8, 16, 32, 64}, f.indexWidth) {
		return ErrDamaged
	}
	if _, err := t.byte(2, 0); err != nil {
		return err
	}
	if kind, err := t.int16(3, 0); err != nil || kind != 0 {
		return ErrDamaged
	}
	values := *f
	values.dictionary = false
	if other := w.schema.dictionaries[f.dictID]; other != nil {
		// Two columns may share a dictionary of one type.
		if !other.sameValues(&values) {
			return errors.New("dictionary with two types")
		}
		return nil
	}
	w.schema.dictionaries[f.dictID] = &values
	return nil
}

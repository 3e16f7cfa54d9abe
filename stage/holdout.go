package stage

import (
	"fmt"
	"hash/fnv"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/aefeat/aefeat/internal/rng"
	"github.com/aefeat/aefeat/model"
	"github.com/aefeat/aefeat/patch"
)

// holdout decides which rows are held out: those whose number, or key, gives a
// random number below the share. A row's lot depends on the seed and on that
// alone.
type holdout struct {
	share  float64
	seed   uint64
	column string // of the key; "": the row's number decides

	schema *arrow.Schema // the one that path belongs to
	path   []int         // of the column in it, then of the field in each struct
	marks  []bool
}

// The streams of rng.Validation, one for each form of key. Frozen.
const (
	lotOfNumber  = 0
	lotOfInteger = 1 // two's complement, of any width
	lotOfBytes   = 2 // FNV-1a of them
	lotOfNull    = 3
)

func (h *holdout) draw(form uint32, key uint64) bool {
	s := rng.New(h.seed, rng.Validation, form, key)
	return s.Float64() < h.share
}

// mark says of the good rows of a batch, whose first row has the given
// number, which are held out. The answer is valid until the next call.
func (h *holdout) mark(batch arrow.RecordBatch, rows model.Rows, first int64) ([]bool, error) {
	h.marks = slices.Grow(h.marks[:0], len(rows.Number))[:len(rows.Number)]
	if h.column == "" {
		for i, n := range rows.Number {
			h.marks[i] = h.draw(lotOfNumber, uint64(n))
		}
		return h.marks, nil
	}
	if err := h.resolve(batch.Schema()); err != nil {
		return nil, err
	}
	// Of a struct that is null the field counts as null too.
	columns := []arrow.Array{batch.Column(h.path[0])}
	for _, at := range h.path[1:] {
		columns = append(columns, columns[len(columns)-1].(*array.Struct).Field(at))
	}
	key := columns[len(columns)-1]
	for i, n := range rows.Number {
		row := int(n - first)
		if slices.ContainsFunc(columns, func(c arrow.Array) bool { return c.IsNull(row) }) {
			h.marks[i] = h.draw(lotOfNull, 0)
			continue
		}
		if damage := patch.Damage(key, row); damage != "" {
			return nil, &patch.RowError{Column: h.column, Row: n, Reason: damage, Key: string(patch.Damaged)}
		}
		h.marks[i] = h.drawKey(key, row)
	}
	return h.marks, nil
}

func (h *holdout) drawKey(keys arrow.Array, row int) bool {
	if a, ok := keys.(*array.Dictionary); ok {
		index := a.GetValueIndex(row)
		if a.Dictionary().IsNull(index) {
			return h.draw(lotOfNull, 0)
		}
		return h.drawKey(a.Dictionary(), index)
	}
	if v, ok := integerAt(keys, row); ok {
		return h.draw(lotOfInteger, uint64(v))
	}
	sum := fnv.New64a()
	switch a := keys.(type) {
	case interface{ Value(int) []byte }:
		sum.Write(a.Value(row))
	case array.StringLike:
		sum.Write([]byte(a.Value(row)))
	}
	return h.draw(lotOfBytes, sum.Sum64())
}

// resolve finds the key in a schema.
func (h *holdout) resolve(schema *arrow.Schema) error {
	if h.column == "" || schema == h.schema {
		return nil
	}
	path, field, err := patch.Find(schema, h.column)
	if err != nil {
		return &patch.RowError{Column: h.column, Row: -1, Key: patch.KeyMissing, Reason: "no such column", Hint: "name a column that says which rows belong together"}
	}
	typ := field.Type
	if d, ok := typ.(*arrow.DictionaryType); ok {
		typ = d.ValueType
	}
	switch {
	case arrow.IsInteger(typ.ID()), arrow.IsBinaryLike(typ.ID()), arrow.IsLargeBinaryLike(typ.ID()):
	case typ.ID() == arrow.BINARY_VIEW, typ.ID() == arrow.STRING_VIEW, typ.ID() == arrow.FIXED_SIZE_BINARY:
	default:
		return &patch.RowError{Column: h.column, Row: -1, Key: patch.KeyType, Reason: fmt.Sprintf("%s cannot be the key of rows", typ),
			Hint: "name a column of integers, strings or bytes"}
	}
	h.schema, h.path = schema, path
	return nil
}

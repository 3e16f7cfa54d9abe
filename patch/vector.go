package patch

import (
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
)

// Spark writes vectors as struct<type, size, indices, values> (VectorUDT). One
// of type 1 is dense, and has values alone. One of type 0 is sparse: it has
// size values, those at indices, which ascend, and zeros elsewhere.
const (
	sparseVector = 0
	denseVector  = 1
)

// vectorFields are the fields of such a struct, by these positions.
var vectorFields = []string{"type", "size", "indices", "values"}

const (
	vectorType = iota
	vectorSize
	vectorIndices
	vectorValues
)

// maxVectorBytes bounds what the vectors of one batch take as rows: a sparse
// vector of a few bytes may stand for a row of any width.
const maxVectorBytes = 1 << 30

// vectorElement returns what the vectors of such a struct are made of, nil for
// other structs.
func vectorElement(t *arrow.StructType) *element {
	if t.NumFields() != len(vectorFields) {
		return nil
	}
	for i, name := range vectorFields {
		if t.Field(i).Name != name {
			return nil
		}
	}
	whole := func(e *element) bool { return e != nil && e.signed && !e.float && !e.huge }
	values := listElement(t.Field(vectorValues).Type)
	if !whole(bareElement(t.Field(vectorType).Type)) || !whole(bareElement(t.Field(vectorSize).Type)) ||
		!whole(listElement(t.Field(vectorIndices).Type)) || values == nil || !values.float {
		return nil
	}
	return values
}

// BatchRows returns how many rows the batches of a schema should have at most,
// 0 for any number. Sparse vectors and codes take much more memory as rows than
// in their columns: a few bytes may stand for a row of any width.
func BatchRows(schema *arrow.Schema) int64 {
	const (
		unknownWidth = 128      // as hashing makes them, 2^18 values of float64: 256 MiB
		bytes        = 32 << 20 // where the width is known
	)
	rows := int64(0)
	for _, l := range leaves(schema) {
		most := int64(unknownWidth)
		switch {
		case l.isPair() && l.dims[0] != unknown:
			most = max(1, bytes/(int64(l.dims[0])*int64(l.element.size)))
		case !l.vector && !l.isPair():
			continue
		}
		if rows == 0 || most < rows {
			rows = most
		}
	}
	return rows
}

// vectors reads the rows that the cursor stands on, positions of a, and leaves
// it on their values, zeros included.
func (rd *rowReader) vectors(a arrow.Array) ([]byte, error) {
	a = stored(a)
	st, ok := a.(*array.Struct)
	if !ok || st.NumField() != len(vectorFields) {
		return nil, bindError(rd.column.name, fmt.Sprintf("array of %s, expected %s", a.DataType(), rd.column.typ), "")
	}
	rd.dropNulls(st, "")
	v, err := rd.vectorsOf(st)
	if err != nil {
		return nil, err
	}
	return rd.densify(v)
}

// pairs is vectors for the two columns of sparse codes.
func (rd *rowReader) pairs(indices, values arrow.Array) (_ []byte, err error) {
	v := vectorArrays{noun: "code", units: rd.dims[0]}
	if v.indices, err = rd.listsOf(indices, nil); err != nil {
		return nil, err
	}
	if v.values, err = rd.listsOf(values, rd.column.element); err != nil {
		return nil, err
	}
	return rd.densify(v)
}

// densify leaves the cursor on the values of its rows, zeros included.
func (rd *rowReader) densify(v vectorArrays) ([]byte, error) {
	for k, r := range rd.rows {
		rd.checkVector(v, rd.start(k), r)
	}
	rd.dropBad()
	if len(rd.rows) == 0 {
		return nil, nil
	}
	n, size := rd.dims[0], rd.column.element.size
	if total := int64(len(rd.rows)) * int64(n) * int64(size); total > maxVectorBytes {
		return nil, bindError(rd.column.name, fmt.Sprintf("%d %ss of %d values in one batch are %d bytes as rows", len(rd.rows), v.noun, n, total),
			"write them in smaller batches or row groups, or make them shorter")
	}
	rd.gathered = resize(rd.gathered, words(len(rd.rows)*n*size))
	out := asBytes(rd.gathered)[:len(rd.rows)*n*size]
	clear(out)
	for k := range rd.rows {
		i, row := rd.start(k), out[k*n*size:(k+1)*n*size]
		lo, hi := v.values.at(i)
		if !v.sparse(i) {
			copy(row, v.values.numbers[lo*size:hi*size])
			continue
		}
		from, _ := v.indices.at(i)
		for j := range hi - lo {
			at := v.indices.value(from + j)
			copy(row[at*size:(at+1)*size], v.values.numbers[(lo+j)*size:])
		}
	}
	rd.starts, rd.base, rd.run = nil, 0, n
	return out, nil
}

// vectorArrays are the fields of an array of vectors, or the columns of a pair:
// all sparse, and of the same size.
type vectorArrays struct {
	noun            string
	typ, size       vectorInts
	units           int // of a pair; 0: these are vectors
	indices, values vectorLists
}

func (v vectorArrays) sparse(i int) bool { return v.units > 0 || v.typ.at(i) == sparseVector }

// width returns the size of sparse vector i.
func (v vectorArrays) width(i int) int {
	if v.units > 0 {
		return v.units
	}
	return v.size.at(i)
}

type vectorInts struct {
	arrow.Array
	element *element
	numbers []byte
}

func (v vectorInts) at(i int) int { return int(v.element.value(v.numbers, i)) }

type vectorLists struct {
	array.ListLike
	inner   arrow.Array
	element *element
	numbers []byte
}

// at returns where list i lies in inner.
func (v vectorLists) at(i int) (lo, hi int) {
	from, to := v.ValueOffsets(i)
	return int(from), int(to)
}

func (v vectorLists) value(i int) int { return int(v.element.value(v.numbers, i)) }

// fault says why list i cannot be read; "": it can.
func (v vectorLists) fault(i int, noun string) (Reason, string) {
	lo, hi := v.at(i)
	if lo < 0 || hi < lo || hi > v.inner.Len() {
		return Damaged, fmt.Sprintf("list from value %d to %d of %d", lo, hi, v.inner.Len())
	}
	if v.inner.NullN() > 0 {
		for j := lo; j < hi; j++ {
			if v.inner.IsNull(j) {
				return Null, fmt.Sprintf("null at value %d of the %s", j-lo, noun)
			}
		}
	}
	return "", ""
}

// vectorsOf takes an array of vectors apart. Its error is one of buffers that
// are cut short.
func (rd *rowReader) vectorsOf(st *array.Struct) (v vectorArrays, err error) {
	v.noun = "vector"
	for i, ints := range []*vectorInts{&v.typ, &v.size} {
		ints.Array, ints.element = st.Field(i), bareElement(st.Field(i).DataType())
		if ints.numbers, err = rd.whole(ints.Array); err != nil {
			return v, err
		}
	}
	if v.indices, err = rd.listsOf(st.Field(vectorIndices), nil); err == nil {
		v.values, err = rd.listsOf(st.Field(vectorValues), rd.column.element)
	}
	return v, err
}

// listsOf takes an array of lists apart. They hold elements of the type that is
// wanted; nil: of any.
func (rd *rowReader) listsOf(a arrow.Array, want *element) (lists vectorLists, err error) {
	list, ok := a.(array.ListLike)
	if !ok || listElement(a.DataType()) == nil || want != nil && listElement(a.DataType()) != want {
		return lists, bindError(rd.column.name, fmt.Sprintf("array of %s cannot be read", a.DataType()), "")
	}
	if cutShort(a) {
		return lists, bindError(rd.column.name, shortBitmap, "")
	}
	need, have := a.Data().Offset()+a.Len(), 0
	switch x := a.(type) {
	case *array.List:
		have = len(x.Offsets()) - 1
	case *array.LargeList:
		have = len(x.Offsets()) - 1
	case *array.ListView:
		have = min(len(x.Offsets()), len(x.Sizes()))
	case *array.LargeListView:
		have = min(len(x.Offsets()), len(x.Sizes()))
	}
	if have < need {
		return lists, bindError(rd.column.name, fmt.Sprintf("offsets of %d lists, expected %d", max(have, 0), need), "")
	}
	lists = vectorLists{ListLike: list, inner: list.ListValues()}
	lists.element = bareElement(lists.inner.DataType())
	lists.numbers, err = rd.whole(lists.inner)
	return lists, err
}

// whole returns all numbers of an array, whose nulls can be told.
func (rd *rowReader) whole(a arrow.Array) ([]byte, error) {
	if cutShort(a) {
		return nil, bindError(rd.column.name, shortBitmap, "")
	}
	return rd.numbersOf(bareElement(a.DataType()), a, a.Len())
}

// cutShort reports an array whose nulls cannot be told.
func cutShort(a arrow.Array) bool {
	bitmap := a.NullBitmapBytes()
	return len(bitmap) > 0 && 8*len(bitmap) < a.Data().Offset()+a.Len()
}

// checkVector marks row r, vector i, unless it holds dims[0] values.
func (rd *rowReader) checkVector(v vectorArrays, i int, r int32) {
	n, reason, text := v.examine(i)
	if reason != "" {
		rd.reject(r, reason, func() string { return text })
		return
	}
	if rd.dims[0] == unknown && n > 0 {
		rd.dims[0] = n
	}
	if n != rd.dims[0] {
		rd.reject(r, Ragged, func() string { return rd.raggedReason(0, n) })
	}
}

// examine returns how many values vector i has, or why it cannot be read; "":
// it can.
func (v vectorArrays) examine(i int) (n int, reason Reason, text string) {
	if text := v.null(i); text != "" {
		return 0, Null, text
	}
	if reason, text := v.values.fault(i, v.noun); reason != "" {
		return 0, reason, text
	}
	if v.units == 0 {
		switch typ := v.typ.at(i); typ {
		case denseVector:
			lo, hi := v.values.at(i)
			return hi - lo, "", ""
		case sparseVector:
		default:
			return 0, Damaged, fmt.Sprintf("vector of type %d", typ)
		}
	}
	if reason, text := v.indices.fault(i, v.noun); reason != "" {
		return 0, reason, text
	}
	if text := v.sparseFault(i); text != "" {
		return 0, Damaged, text
	}
	return v.width(i), "", ""
}

// null says what of vector i is null that may not be; "": nothing.
func (v vectorArrays) null(i int) string {
	if v.units > 0 {
		switch {
		case v.indices.IsNull(i) && v.values.IsNull(i):
			return "null value"
		case v.indices.IsNull(i):
			return "values without indices"
		case v.values.IsNull(i):
			return "indices without values"
		}
		return ""
	}
	if v.typ.IsNull(i) || v.values.IsNull(i) || v.typ.at(i) == sparseVector && (v.size.IsNull(i) || v.indices.IsNull(i)) {
		return "null in the vector"
	}
	return ""
}

// sparseFault says what keeps sparse vector i, whose lists can be read, from
// being one; "": nothing.
func (v vectorArrays) sparseFault(i int) string {
	lo, hi := v.values.at(i)
	from, to := v.indices.at(i)
	if to-from != hi-lo {
		return fmt.Sprintf("%s of %d indices and %d values", v.noun, to-from, hi-lo)
	}
	size := v.width(i)
	if size < 0 {
		return fmt.Sprintf("vector of %d values", size)
	}
	last := -1
	for j := from; j < to; j++ {
		at := v.indices.value(j)
		if at <= last || at >= size {
			return fmt.Sprintf("index %d after %d in a %s of %d values", at, last, v.noun, size)
		}
		last = at
	}
	return ""
}

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
	var levels [4]int
	var elements [4]*element
	for i, name := range vectorFields {
		if t.Field(i).Name != name {
			return nil
		}
		e, dims, ok := patchType(t.Field(i).Type)
		if !ok {
			return nil
		}
		elements[i], levels[i] = e, len(dims)
	}
	whole := func(i int) bool { return elements[i].signed && !elements[i].float && !elements[i].huge }
	lists := func(i int) bool {
		id := t.Field(i).Type.ID()
		return levels[i] == 1 && (id == arrow.LIST || id == arrow.LARGE_LIST)
	}
	if levels[vectorType] != 0 || levels[vectorSize] != 0 || !lists(vectorIndices) || !lists(vectorValues) ||
		!whole(vectorType) || !whole(vectorSize) || !whole(vectorIndices) || !elements[vectorValues].float {
		return nil
	}
	return elements[vectorValues]
}

// Sparse reports the type of a column whose patches may take much more memory
// as rows than in the column: vectors of Spark. Batches of them should have few
// rows, a hundred or so.
func Sparse(t arrow.DataType) bool {
	st, ok := storage(t).(*arrow.StructType)
	return ok && vectorElement(st) != nil
}

// vectors reads the rows that the cursor stands on, positions of a, and leaves
// it on their values, zeros included.
func (rd *rowReader) vectors(a arrow.Array) ([]byte, error) {
	for {
		ext, ok := a.(array.ExtensionArray)
		if !ok {
			break
		}
		a = ext.Storage()
	}
	st, ok := a.(*array.Struct)
	if !ok || st.NumField() != len(vectorFields) {
		return nil, bindError(rd.column.name, fmt.Sprintf("array of %s, expected %s", a.DataType(), rd.column.typ), "")
	}
	rd.dropNulls(st, "")
	v, err := rd.vectorsOf(st)
	if err != nil {
		return nil, err
	}
	for k, r := range rd.rows {
		rd.checkVector(v, rd.start(k), r)
	}
	rd.dropBad()
	if len(rd.rows) == 0 {
		return nil, nil
	}
	n, size := rd.dims[0], rd.column.element.size
	if total := int64(len(rd.rows)) * int64(n) * int64(size); total > maxVectorBytes {
		return nil, bindError(rd.column.name, fmt.Sprintf("%d vectors of %d values in one batch are %d bytes as rows", len(rd.rows), n, total),
			"write them in smaller batches or row groups, or make the vectors shorter")
	}
	rd.gathered = resize(rd.gathered, words(len(rd.rows)*n*size))
	out := asBytes(rd.gathered)[:len(rd.rows)*n*size]
	clear(out)
	for k := range rd.rows {
		i, row := rd.start(k), out[k*n*size:(k+1)*n*size]
		lo, hi := v.values.at(i)
		if v.typ.at(i) == denseVector {
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

// vectorArrays are the fields of an array of vectors.
type vectorArrays struct {
	typ, size       vectorInts
	indices, values vectorLists
}

type vectorInts struct {
	arrow.Array
	element *element
	numbers []byte
}

func (v vectorInts) at(i int) int { return int(v.element.value(v.numbers, i)) }

type vectorLists struct {
	arrow.Array
	offset  func(i int) int
	inner   arrow.Array
	element *element
	numbers []byte
}

// at returns where list i lies in inner.
func (v vectorLists) at(i int) (lo, hi int) { return v.offset(i), v.offset(i + 1) }

func (v vectorLists) value(i int) int { return int(v.element.value(v.numbers, i)) }

// fault says why list i cannot be read; "": it can.
func (v vectorLists) fault(i int) (Reason, string) {
	lo, hi := v.at(i)
	if lo < 0 || hi < lo || hi > v.inner.Len() {
		return Damaged, fmt.Sprintf("list from value %d to %d of %d", lo, hi, v.inner.Len())
	}
	if v.inner.NullN() > 0 {
		for j := lo; j < hi; j++ {
			if v.inner.IsNull(j) {
				return Null, fmt.Sprintf("null at value %d of the vector", j-lo)
			}
		}
	}
	return "", ""
}

// vectorsOf takes an array of vectors apart. Its error is one of buffers that
// are cut short.
func (rd *rowReader) vectorsOf(st *array.Struct) (v vectorArrays, err error) {
	for i, ints := range []*vectorInts{&v.typ, &v.size} {
		ints.Array, ints.element = st.Field(i), elementOf(st.Field(i).DataType())
		if ints.numbers, err = rd.whole(ints.Array); err != nil {
			return v, err
		}
	}
	for i, lists := range []*vectorLists{&v.indices, &v.values} {
		lists.Array = st.Field(vectorIndices + i)
		first, have := lists.Data().Offset(), 0
		switch x := lists.Array.(type) {
		case *array.List:
			offsets := x.Offsets()
			lists.offset, have = func(i int) int { return int(offsets[first+i]) }, len(offsets)
		case *array.LargeList:
			offsets := x.Offsets()
			lists.offset, have = func(i int) int { return int(offsets[first+i]) }, len(offsets)
		}
		if need := first + lists.Len() + 1; have < need {
			return v, bindError(rd.column.name, fmt.Sprintf("%d list offsets, expected %d", have, need), "")
		}
		lists.inner = lists.Array.(array.ListLike).ListValues()
		lists.element = elementOf(lists.inner.DataType())
		if lists.numbers, err = rd.whole(lists.inner); err != nil {
			return v, err
		}
	}
	return v, nil
}

// whole returns all numbers of an array, whose nulls can be told.
func (rd *rowReader) whole(a arrow.Array) ([]byte, error) {
	if bitmap := a.NullBitmapBytes(); len(bitmap) > 0 && 8*len(bitmap) < a.Data().Offset()+a.Len() {
		return nil, bindError(rd.column.name, shortBitmap, "")
	}
	return rd.numbersOf(elementOf(a.DataType()), a, a.Len())
}

// checkVector marks row r, vector i, unless it holds dims[0] values.
func (rd *rowReader) checkVector(v vectorArrays, i int, r int32) {
	for _, a := range []arrow.Array{v.typ, v.values} {
		if a.IsNull(i) {
			rd.reject(r, Null, func() string { return "null in the vector" })
			return
		}
	}
	if reason, text := v.values.fault(i); reason != "" {
		rd.reject(r, reason, func() string { return text })
		return
	}
	lo, hi := v.values.at(i)
	n := hi - lo
	switch typ := v.typ.at(i); typ {
	case denseVector:
	case sparseVector:
		if v.size.IsNull(i) || v.indices.IsNull(i) {
			rd.reject(r, Null, func() string { return "null in the vector" })
			return
		}
		n = v.size.at(i)
		if reason, text := v.indices.fault(i); reason != "" {
			rd.reject(r, reason, func() string { return text })
			return
		}
		if text := v.sparseFault(i); text != "" {
			rd.reject(r, Damaged, func() string { return text })
			return
		}
	default:
		rd.reject(r, Damaged, func() string { return fmt.Sprintf("vector of type %d", typ) })
		return
	}
	if rd.dims[0] == unknown && n > 0 {
		rd.dims[0] = n
	}
	if n != rd.dims[0] {
		rd.reject(r, Ragged, func() string { return rd.raggedReason(0, n) })
	}
}

// sparseFault says what keeps sparse vector i, whose lists can be read, from
// being one; "": nothing.
func (v vectorArrays) sparseFault(i int) string {
	lo, hi := v.values.at(i)
	from, to := v.indices.at(i)
	if to-from != hi-lo {
		return fmt.Sprintf("vector of %d indices and %d values", to-from, hi-lo)
	}
	if size := v.size.at(i); size < 0 {
		return fmt.Sprintf("vector of %d values", size)
	}
	last := -1
	for j := from; j < to; j++ {
		at := v.indices.value(j)
		if at <= last || at >= v.size.at(i) {
			return fmt.Sprintf("index %d after %d in a vector of %d values", at, last, v.size.at(i))
		}
		last = at
	}
	return ""
}

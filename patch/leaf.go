package patch

import (
	"fmt"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
)

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
	image    bool // a struct of bytes and path
	bool8    bool // numbers of 8 bits stand for truth values
	standing standing

	// dims holds the sizes of the list levels, outermost first, unknown where
	// the type leaves one open; it is empty for a scalar.
	dims []int

	tensor tensor // what metadata say of the axes; zero: nothing

	// Of a pair the path leads to the indices, whose type is typ, and values to
	// the other column.
	values     []string
	valuesAt   []int
	valuesType arrow.DataType
}

// isPair reports two columns of sparse codes.
func (l leaf) isPair() bool { return l.values != nil }

// standing says whether a column may be the patch.
type standing int

const (
	plain       standing = iota // also when nobody named it
	inQuestion                  // when it is named: an extension means something else
	partOfPatch                 // the same, as part of another that may be
)

// packed reports a column that detection takes last.
func (l leaf) packed() bool { return l.bool8 || isPacked(innermostType(l.typ)) }

// elementOf returns the element that an array of the column's numbers holds,
// nil if it holds none.
func (l leaf) elementOf(a arrow.Array) *element {
	if l.bool8 && a.DataType().ID() == arrow.INT8 {
		return elementOfID(arrow.BOOL)
	}
	return elementOf(a.DataType())
}

// unpackerOf returns nil for an array that has elements as they are.
func (l leaf) unpackerOf(a arrow.Array) unpacker {
	if l.bool8 && a.DataType().ID() == arrow.INT8 {
		return unpackTruths
	}
	return unpackerOf(a)
}

// columnType is patchType, for vectors of Spark, image files and truth values
// of 8 bits too.
func columnType(f arrow.Field) (e *element, dims []int, ok bool) {
	if st, isStruct := storage(f.Type).(*arrow.StructType); isStruct {
		e := vectorElement(st)
		if isImageFile(st) {
			e = elementOfID(arrow.UINT8)
		}
		return e, []int{unknown}, e != nil
	}
	e, dims, ok = patchType(f.Type)
	if ok && holdsBool8(f) {
		e = elementOfID(arrow.BOOL)
	}
	return e, dims, ok
}

// holdsBool8 reports whether the numbers of a column are Arrow's truth values
// of 8 bits.
func holdsBool8(f arrow.Field) bool {
	for {
		if name, _ := extensionOf(f); name == bool8 {
			return storage(f.Type).ID() == arrow.INT8
		}
		switch t := f.Type.(type) {
		case arrow.ExtensionType:
			f = arrow.Field{Type: t.StorageType()}
		case *arrow.DictionaryType:
			f = arrow.Field{Type: t.ValueType}
		case arrow.ListLikeType:
			f = t.ElemField()
		default:
			return false
		}
	}
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

// stored returns the array in which an extension is stored.
func stored(a arrow.Array) arrow.Array {
	for {
		ext, ok := a.(array.ExtensionArray)
		if !ok {
			return a
		}
		a = ext.Storage()
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
		case *arrow.ListType, *arrow.LargeListType, *arrow.ListViewType, *arrow.LargeListViewType:
			dims = append(dims, unknown)
			t = x.(arrow.ListLikeType).Elem()
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
	bool8                = "arrow.bool8"
	extensionNameKey     = "ARROW:extension:name"
	extensionMetadataKey = "ARROW:extension:metadata"
)

// leaves lists the numeric columns of a schema, fields of structs included, in
// the order of the schema.
func leaves(schema *arrow.Schema) []leaf {
	var all []leaf
	described := featuresOf(schema)
	var visit func(path []string, at []int, f arrow.Field, least standing)
	var visitAll func(path []string, at []int, fields []arrow.Field, least standing, tensor bool)
	visit = func(path []string, at []int, f arrow.Field, least standing) {
		path = append(slices.Clone(path), f.Name)
		e, dims, ok := columnType(f)
		st, isStruct := f.Type.(*arrow.StructType)
		if ok {
			extension, metadata := extensionOf(f)
			stored, isStruct := storage(f.Type).(*arrow.StructType)
			image := isStruct && isImageFile(stored)
			l := leaf{
				name: nameOf(schema, at), path: path, at: at, typ: f.Type, shown: TypeName(f), element: e, dims: dims,
				bytes: image || holdsBytes(f.Type), vector: isStruct && !image, image: image, bool8: holdsBool8(f), standing: least, tensor: tensorOf(extension, metadata),
			}
			if len(l.tensor.Shape) == 0 {
				l.tensor = described.tensor(path)
			}
			if kind := l.tensor.Type; image && kind != "" && kind != imageFeature {
				l.standing = max(least, inQuestion) // sound and films are files too
			}
			if extension != "" && !l.vector && (l.bytes || !arrayExtension(extension)) && extension != bool8 { // bytes may be pickled
				l.standing = max(least, inQuestion)
			}
			all = append(all, l)
			least = partOfPatch
		}
		if isStruct {
			visitAll(path, at, st.Fields(), least, holdsTensor(st))
		}
	}
	visitAll = func(path []string, at []int, fields []arrow.Field, least standing, tensor bool) {
		pairs, parts := map[int]leaf{}, map[int]bool{} // by position
		for _, p := range pairsOf(fields) {
			l := p.leaf(path, at, fields)
			if l.standing = least; find(schema, l.name) == nil {
				pairs[p.indices] = l
				parts[p.indices], parts[p.values] = true, true
			}
		}
		for i, f := range fields {
			if l, ok := pairs[i]; ok {
				all = append(all, l)
			}
			inner := least
			if parts[i] || tensor && f.Name == "shape" {
				inner = partOfPatch
			}
			visit(path, append(slices.Clone(at), i), f, inner)
		}
	}
	visitAll(nil, nil, schema.Fields(), plain, false)
	return all
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

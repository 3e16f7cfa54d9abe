package parquetw

import (
	"fmt"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/aefeat/aefeat/arrowio/internal/container"
	"github.com/aefeat/aefeat/arrowio/internal/format"
)

// A mapper goes down one column's type. It finds how Parquet holds it, what the
// stored Arrow schema says of it, and the leaves to write.
type mapper struct {
	column  int
	path    []step
	leaves  []*column
	logical []logicalNode
}

// A logicalNode is a group with a logical type: the one around a leaf.
type logicalNode struct {
	leaf int
	of   logical
}

// A step is one level on the way from a column to a leaf.
type step struct {
	name     string
	nullable bool
	list     bool
	child    int // of a struct
}

// A mapped is a field as Parquet holds it and as the stored schema declares it.
type mapped struct{ physical, declared arrow.Field }

// field maps a field, which errors call name.
func (m *mapper) field(f arrow.Field, name string) (mapped, error) {
	f.Metadata = cleanMetadata(f.Metadata)
	switch t := f.Type.(type) {
	case arrow.ExtensionType:
		keys, values := slices.Clone(f.Metadata.Keys()), slices.Clone(f.Metadata.Values())
		keys = append(keys, format.ExtensionNameKey, format.ExtensionValueKey)
		values = append(values, t.ExtensionName(), t.Serialize())
		f.Metadata = arrow.NewMetadata(keys, values)
		f.Type = t.StorageType()
		return m.field(f, name)
	case *arrow.DictionaryType:
		return m.dictionary(f, t, name)
	case *arrow.FixedSizeListType:
		return m.fixedList(f, t, name)
	case *arrow.ListType:
		return m.list(f, t.ElemField(), name, listOf)
	case *arrow.LargeListType:
		return m.list(f, t.ElemField(), name, largeListOf)
	case *arrow.ListViewType:
		return m.list(f, t.ElemField(), name, listOf)
	case *arrow.LargeListViewType:
		return m.list(f, t.ElemField(), name, largeListOf)
	case *arrow.MapType:
		return m.entries(f, t, name)
	case *arrow.StructType:
		return m.fields(f, t, name)
	}
	return m.leaf(f, name)
}

// mappedTo returns f with two types.
func mappedTo(f arrow.Field, physical, declared arrow.DataType) mapped {
	both := mapped{f, f}
	both.physical.Type, both.declared.Type = physical, declared
	return both
}

func refused(f arrow.Field, name, why string) error {
	return &container.ColumnError{
		Column: name, Row: -1,
		Reason: fmt.Sprintf("Parquet cannot hold %s%s", f.Type, why),
		Hint:   "`Format` arrow can",
	}
}

func (m *mapper) dictionary(f arrow.Field, t *arrow.DictionaryType, name string) (mapped, error) {
	f.Type = t.ValueType
	value, err := m.field(f, name)
	if err != nil {
		return mapped{}, err
	}
	of := value.declared.Type
	if of.ID() == arrow.LARGE_STRING {
		of = arrow.BinaryTypes.String // readers make dictionaries of no other
	}
	switch of.ID() {
	case arrow.STRING, arrow.BINARY:
		value.declared.Type = &arrow.DictionaryType{IndexType: declaredIndex(f, t), ValueType: of, Ordered: t.Ordered}
	}
	return value, nil
}

// declaredIndex returns the type of a dictionary's indexes in the stored
// schema. Row groups have dictionaries of their own: a narrow index may not do
// for the values of all. Where polars lists the values, it does, and polars
// reads them by no other.
func declaredIndex(f arrow.Field, t *arrow.DictionaryType) arrow.DataType {
	const values = "_PL_ENUM_VALUES2"
	if f.Metadata.FindKey(values) >= 0 || t.IndexType.ID() == arrow.UINT32 {
		return t.IndexType
	}
	return arrow.PrimitiveTypes.Int32
}

func listOf(elem arrow.Field) arrow.DataType      { return arrow.ListOfField(elem) }
func largeListOf(elem arrow.Field) arrow.DataType { return arrow.LargeListOfField(elem) }

// list maps lists, which Parquet has of one kind; declare makes the type that
// the stored schema has.
func (m *mapper) list(f, elem arrow.Field, name string, declare func(arrow.Field) arrow.DataType) (mapped, error) {
	m.push(step{name: name, nullable: f.Nullable, list: true})
	defer m.pop()
	// As Parquet calls it, whatever Arrow does: readers match the names.
	elem.Name = "element"
	e, err := m.field(elem, name+".element")
	if err != nil {
		return mapped{}, err
	}
	return mappedTo(f, listOf(e.physical), declare(e.declared)), nil
}

func (m *mapper) fixedList(f arrow.Field, t *arrow.FixedSizeListType, name string) (mapped, error) {
	// In a null struct it has no values, which readers of a fixed-size list
	// allow for a null alone.
	f.Nullable = f.Nullable || m.underNullableStruct()
	return m.list(f, t.ElemField(), name, func(elem arrow.Field) arrow.DataType {
		if holdsNullType(elem.Type) {
			return listOf(elem) // the library's reader panics at a fixed-size list of these
		}
		return arrow.FixedSizeListOfField(t.Len(), elem)
	})
}

func (m *mapper) entries(f arrow.Field, t *arrow.MapType, name string) (mapped, error) {
	m.push(step{name: name, nullable: f.Nullable, list: true})
	defer m.pop()
	m.push(step{name: name})
	defer m.pop()
	key, item := t.KeyField(), t.ItemField()
	key.Name, item.Name, key.Nullable = "key", "value", false
	k, err := m.field(key, name+".key")
	if err != nil {
		return mapped{}, err
	}
	m.path[len(m.path)-1].child = 1
	v, err := m.field(item, name+".value")
	if err != nil {
		return mapped{}, err
	}
	declared := arrow.MapOfFields(k.declared, v.declared)
	declared.KeysSorted = t.KeysSorted
	return mappedTo(f, arrow.MapOfFields(k.physical, v.physical), declared), nil
}

func (m *mapper) fields(f arrow.Field, t *arrow.StructType, name string) (mapped, error) {
	if t.NumFields() == 0 {
		return mapped{}, refused(f, name, " without fields")
	}
	if of := logicalGroup(f); of != nil {
		m.logical = append(m.logical, logicalNode{len(m.leaves), *of})
	}
	m.push(step{name: name, nullable: f.Nullable})
	defer m.pop()
	var physical, declared []arrow.Field
	seen := map[string]bool{}
	for i, child := range t.Fields() {
		if seen[child.Name] {
			return mapped{}, refused(f, name, fmt.Sprintf(": two fields are named %q", child.Name))
		}
		seen[child.Name] = true
		m.path[len(m.path)-1].child = i
		c, err := m.field(child, name+"."+child.Name)
		if err != nil {
			return mapped{}, err
		}
		physical, declared = append(physical, c.physical), append(declared, c.declared)
	}
	return mappedTo(f, arrow.StructOf(physical...), arrow.StructOf(declared...)), nil
}

// leaf maps single values.
func (m *mapper) leaf(f arrow.Field, name string) (mapped, error) {
	switch t := f.Type.(type) {
	case *arrow.NullType:
		if !f.Nullable {
			return mapped{}, refused(f, name, " that may have no nulls")
		}
	case *arrow.FixedSizeBinaryType:
		if t.ByteWidth == 0 {
			return mapped{}, refused(f, name, "")
		}
	case arrow.DecimalType:
		if t.GetScale() < 0 || t.GetScale() > t.GetPrecision() || t.GetPrecision() < 1 {
			return mapped{}, refused(f, name, ": its scale must lie between 0 and its precision")
		}
	}
	values := newValues(f.Type)
	if values == nil {
		return mapped{}, refused(f, name, "")
	}
	leaf := &column{column: m.column, name: name, values: *values, logical: logicalLeaf(f)}
	if keptType(f) != nil {
		f.Metadata = withoutKey(f.Metadata, format.TypeKey) // the type tells it
	}
	// Labels and keys have statistics, by which queries filter; for pixels
	// and codes they are a waste.
	leaf.stats = len(m.path) == 0 && values.order != orderNone
	leaf.path = append(slices.Clone(m.path), step{name: name, nullable: f.Nullable})
	m.leaves = append(m.leaves, leaf)

	if f.Type.ID() == arrow.DURATION {
		return mappedTo(f, arrow.PrimitiveTypes.Int64, f.Type), nil
	}
	return mappedTo(f, wider(f.Type), wider(f.Type)), nil
}

// wider returns the type that values of type t come back as.
func wider(t arrow.DataType) arrow.DataType {
	switch t := t.(type) {
	case *arrow.StringViewType:
		return arrow.BinaryTypes.String
	case *arrow.BinaryViewType:
		return arrow.BinaryTypes.Binary
	case *arrow.Date64Type:
		return arrow.FixedWidthTypes.Date32
	case *arrow.Time32Type:
		if t.Unit == arrow.Second {
			return arrow.FixedWidthTypes.Time32ms
		}
	case *arrow.TimestampType:
		if t.Unit == arrow.Second {
			return &arrow.TimestampType{Unit: arrow.Millisecond, TimeZone: t.TimeZone}
		}
	case *arrow.Decimal32Type:
		return &arrow.Decimal128Type{Precision: t.Precision, Scale: t.Scale}
	case *arrow.Decimal64Type:
		return &arrow.Decimal128Type{Precision: t.Precision, Scale: t.Scale}
	}
	return t
}

// underNullableStruct reports whether a struct around, with no list between,
// may be null.
func (m *mapper) underNullableStruct() bool {
	for i := len(m.path) - 1; i >= 0 && !m.path[i].list; i-- {
		if m.path[i].nullable {
			return true
		}
	}
	return false
}

// holdsNullType reports whether a type is, or is made of, nulls alone.
func holdsNullType(t arrow.DataType) bool {
	if nested, ok := t.(arrow.NestedType); ok {
		return slices.ContainsFunc(nested.Fields(), func(f arrow.Field) bool { return holdsNullType(f.Type) })
	}
	return t.ID() == arrow.NULL
}

func (m *mapper) push(s step) { m.path = append(m.path, s) }
func (m *mapper) pop()        { m.path = m.path[:len(m.path)-1] }

// cleanMetadata leaves out what the reading of a Parquet file adds to every
// field, a number it does not have.
func cleanMetadata(m arrow.Metadata) arrow.Metadata {
	const fieldID = "PARQUET:field_id"
	if v, ok := m.GetValue(fieldID); !ok || !strings.HasPrefix(v, "-") {
		return m
	}
	return withoutKey(m, fieldID)
}

func withoutKey(m arrow.Metadata, key string) arrow.Metadata {
	var keys, values []string
	for i, k := range m.Keys() {
		if k != key {
			keys, values = append(keys, k), append(values, m.Values()[i])
		}
	}
	return arrow.NewMetadata(keys, values)
}

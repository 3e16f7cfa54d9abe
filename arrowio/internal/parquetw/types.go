package parquetw

import (
	"fmt"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/aefeat/aefeat/arrowio/internal/container"
)

// A mapper goes down one column's type. It finds how Parquet holds it, what the
// stored Arrow schema says of it, and the leaves to write.
type mapper struct {
	column int
	path   []step
	leaves []*column
}

// A step is one level on the way from a column to a leaf.
type step struct {
	name     string
	nullable bool
	list     bool
	child    int // of a struct
}

// The keys of metadata that tell of an extension type.
const (
	extensionNameKey  = "ARROW:extension:name"
	extensionValueKey = "ARROW:extension:metadata"
)

// field returns the field as Parquet holds it and as the stored schema declares
// it.
func (m *mapper) field(f arrow.Field, name string) (physical, declared arrow.Field, err error) {
	f.Metadata = cleanMetadata(f.Metadata)
	switch t := f.Type.(type) {
	case arrow.ExtensionType:
		keys, values := slices.Clone(f.Metadata.Keys()), slices.Clone(f.Metadata.Values())
		keys = append(keys, extensionNameKey, extensionValueKey)
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

func refused(f arrow.Field, name, why string) error {
	return &container.ColumnError{
		Column: name, Row: -1,
		Reason: fmt.Sprintf("Parquet cannot hold %s%s", f.Type, why),
		Hint:   "`Format` arrow can",
	}
}

func (m *mapper) dictionary(f arrow.Field, t *arrow.DictionaryType, name string) (physical, declared arrow.Field, err error) {
	f.Type = t.ValueType
	physical, declared, err = m.field(f, name)
	if err != nil {
		return f, f, err
	}
	switch declared.Type.ID() {
	case arrow.STRING, arrow.BINARY:
		// Row groups have dictionaries of their own: a narrow index may
		// not do for the values of all.
		declared.Type = &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int32, ValueType: declared.Type, Ordered: t.Ordered}
	}
	return physical, declared, nil
}

func listOf(elem arrow.Field) arrow.DataType      { return arrow.ListOfField(elem) }
func largeListOf(elem arrow.Field) arrow.DataType { return arrow.LargeListOfField(elem) }

// list maps lists, which Parquet has of one kind; declare makes the type that
// the stored schema has.
func (m *mapper) list(f, elem arrow.Field, name string, declare func(arrow.Field) arrow.DataType) (physical, declared arrow.Field, err error) {
	m.push(step{name: name, nullable: f.Nullable, list: true})
	defer m.pop()
	// As Parquet calls it, whatever Arrow does: readers match the names.
	elem.Name = "element"
	p, d, err := m.field(elem, name+".element")
	if err != nil {
		return f, f, err
	}
	physical, declared = f, f
	physical.Type, declared.Type = listOf(p), declare(d)
	return physical, declared, nil
}

func (m *mapper) fixedList(f arrow.Field, t *arrow.FixedSizeListType, name string) (physical, declared arrow.Field, err error) {
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

func (m *mapper) entries(f arrow.Field, t *arrow.MapType, name string) (physical, declared arrow.Field, err error) {
	m.push(step{name: name, nullable: f.Nullable, list: true})
	defer m.pop()
	m.push(step{name: name})
	defer m.pop()
	key, item := t.KeyField(), t.ItemField()
	key.Name, item.Name, key.Nullable = "key", "value", false
	pk, dk, err := m.field(key, name+".key")
	if err != nil {
		return f, f, err
	}
	m.path[len(m.path)-1].child = 1
	pv, dv, err := m.field(item, name+".value")
	if err != nil {
		return f, f, err
	}
	declaredMap := arrow.MapOfFields(dk, dv)
	declaredMap.KeysSorted = t.KeysSorted
	physical, declared = f, f
	physical.Type, declared.Type = arrow.MapOfFields(pk, pv), declaredMap
	return physical, declared, nil
}

func (m *mapper) fields(f arrow.Field, t *arrow.StructType, name string) (physical, declared arrow.Field, err error) {
	if t.NumFields() == 0 {
		return f, f, refused(f, name, " without fields")
	}
	m.push(step{name: name, nullable: f.Nullable})
	defer m.pop()
	var ps, ds []arrow.Field
	seen := map[string]bool{}
	for i, child := range t.Fields() {
		if seen[child.Name] {
			return f, f, refused(f, name, fmt.Sprintf(": two fields are named %q", child.Name))
		}
		seen[child.Name] = true
		m.path[len(m.path)-1].child = i
		p, d, err := m.field(child, name+"."+child.Name)
		if err != nil {
			return f, f, err
		}
		ps, ds = append(ps, p), append(ds, d)
	}
	physical, declared = f, f
	physical.Type, declared.Type = arrow.StructOf(ps...), arrow.StructOf(ds...)
	return physical, declared, nil
}

// leaf maps single values.
func (m *mapper) leaf(f arrow.Field, name string) (physical, declared arrow.Field, err error) {
	switch t := f.Type.(type) {
	case *arrow.NullType:
		if !f.Nullable {
			return f, f, refused(f, name, " that may have no nulls")
		}
	case *arrow.FixedSizeBinaryType:
		if t.ByteWidth == 0 {
			return f, f, refused(f, name, "")
		}
	case arrow.DecimalType:
		if t.GetScale() < 0 || t.GetScale() > t.GetPrecision() || t.GetPrecision() < 1 {
			return f, f, refused(f, name, ": its scale must lie between 0 and its precision")
		}
	}
	values := newValues(f.Type)
	if values == nil {
		return f, f, refused(f, name, "")
	}
	leaf := &column{column: m.column, name: name, values: *values}
	// Labels and keys have statistics, by which queries filter; for pixels
	// and codes they are a waste.
	leaf.stats = len(m.path) == 0 && values.order != orderNone
	leaf.path = append(slices.Clone(m.path), step{name: name, nullable: f.Nullable})
	m.leaves = append(m.leaves, leaf)

	f.Type = wider(f.Type)
	physical, declared = f, f
	if f.Type.ID() == arrow.DURATION {
		physical.Type = arrow.PrimitiveTypes.Int64
	}
	return physical, declared, nil
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
	var keys, values []string
	for i, k := range m.Keys() {
		if k != fieldID {
			keys, values = append(keys, k), append(values, m.Values()[i])
		}
	}
	return arrow.NewMetadata(keys, values)
}

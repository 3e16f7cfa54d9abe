package arrowio

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/metadata"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
	"github.com/apache/arrow-go/v18/parquet/schema"
)

// A parquetEncoder collects rows, column by column, until they make a row group. The columns hold what the file will (plain
// values, and levels as runs), so the size of the row group is known as it grows, batches of any size make row groups of
// one size, and no batch is kept. The pages of a row group are then encoded on all cores, and written in their order.
//
// The library's own way from Arrow to Parquet is not taken: it writes wrong rows for a fixed-size list that is a slice,
// refuses one with nulls and other lists with values under a null, and knows no durations. Its pages take several times as long: it walks over
// every level of every value, on one core.
type parquetEncoder struct {
	out     io.Writer
	columns []*outColumn
	limit   int64
	started bool
	at      int64 // bytes written
	rows    int64 // in the file before this row group
	held    int   // in this row group
	groups  int
	listed  []byte             // the row groups, as the footer lists them
	fields  map[int16]rawField // of the footer: what does not depend on the rows
	pages   []*outPage         // to be encoded, again and again

	reserved bool // room for a row group
}

// A rawField is the value of a Thrift field.
type rawField struct {
	typ   byte
	value []byte
}

const (
	parquetMagic = "PAR1"

	// maxGroupRows ends row groups of narrow rows, so that engines that share work out by row groups find some.
	maxGroupRows = 1 << 20
)

func newParquetEncoder(out io.Writer, of *arrow.Schema, o WriteOptions) (*parquetEncoder, error) {
	e := &parquetEncoder{out: out, limit: o.RowGroupBytes}
	var physical, declared []arrow.Field
	for i, f := range of.Fields() {
		m := fieldMapper{column: i}
		p, d, err := m.field(f, f.Name)
		if err != nil {
			return nil, err
		}
		physical, declared = append(physical, p), append(declared, d)
		e.columns = append(e.columns, m.leaves...)
	}
	root, err := pqarrow.ToParquet(arrow.NewSchema(physical, nil), nil, pqarrow.DefaultWriterProps())
	if err != nil {
		return nil, fmt.Errorf("write Parquet: %w", err)
	}
	if root.NumColumns() != len(e.columns) {
		return nil, fmt.Errorf("write Parquet: %d columns for a schema of %d", root.NumColumns(), len(e.columns))
	}
	for i, c := range e.columns {
		leaf := root.Column(i)
		c.maxDef, c.maxRep = leaf.MaxDefinitionLevel(), leaf.MaxRepetitionLevel()
		c.physical, c.names = int32(leaf.PhysicalType()), leaf.ColumnPath()
	}

	schemaMetadata := of.Metadata()
	keep := metadata.KeyValueMetadata{}
	for i, key := range schemaMetadata.Keys() {
		if key != arrowSchemaKey {
			if err := keep.Append(key, schemaMetadata.Values()[i]); err != nil {
				return nil, fmt.Errorf("write Parquet: metadata %q: %w", key, err)
			}
		}
	}
	serialized, err := serializeSchema(arrow.NewSchema(declared, &schemaMetadata), o.Allocator)
	if err != nil {
		return nil, err
	}
	if err := keep.Append(arrowSchemaKey, serialized); err != nil {
		return nil, err
	}
	if e.fields, err = libraryFields(root, keep); err != nil {
		return nil, fmt.Errorf("write Parquet: %w", err)
	}
	return e, nil
}

// libraryFields returns the fields of the footer that the library writes for a file without rows.
func libraryFields(root *schema.Schema, keep metadata.KeyValueMetadata) (map[int16]rawField, error) {
	empty, err := metadata.NewFileMetadataBuilder(root, parquet.NewWriterProperties(parquet.WithCreatedBy("aefeat")), keep).Finish()
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if _, err := empty.WriteTo(&b, nil); err != nil {
		return nil, err
	}
	fields := map[int16]rawField{}
	r := &thriftReader{b: b.Bytes()}
	r.fields(0, func(id int16, typ byte) bool {
		from := r.pos
		r.skip(typ, 1)
		fields[id] = rawField{typ, r.b[from:r.pos]}
		return true
	})
	return fields, r.err
}

const arrowSchemaKey = "ARROW:schema"

// serializeSchema returns the schema as readers look for it in a Parquet file: an IPC message in base64.
func serializeSchema(schema *arrow.Schema, mem memory.Allocator) (text string, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("write Parquet: schema cannot be stored: %v", p)
		}
	}()
	p := ipc.GetSchemaPayload(schema, mem)
	defer p.Release()
	var b bytes.Buffer
	if _, err := p.WritePayload(&b); err != nil {
		return "", fmt.Errorf("write Parquet: schema: %w", err)
	}
	return base64.StdEncoding.EncodeToString(b.Bytes()), nil
}

func (e *parquetEncoder) start() error {
	if e.started {
		return nil
	}
	e.started = true
	return e.put([]byte(parquetMagic))
}

// put writes to the file.
func (e *parquetEncoder) put(parts ...[]byte) error {
	for _, b := range parts {
		n, err := e.out.Write(b)
		e.at += int64(n)
		if err != nil {
			return err
		}
	}
	return nil
}

func (e *parquetEncoder) write(rec arrow.RecordBatch) error {
	if err := e.start(); err != nil {
		return err
	}
	m := int(rec.NumRows())
	for lo := 0; lo < m; {
		hi := min(lo+e.step(), m)
		for _, c := range e.columns {
			c.firstRow = e.rows + int64(e.held) - int64(lo)
			if err := c.shred(rec.Column(c.column), lo, hi); err != nil {
				return err
			}
		}
		e.held += hi - lo
		lo = hi
		switch size := e.bytes(); {
		case e.held >= maxGroupRows || size >= e.limit:
			if err := e.flush(); err != nil {
				return err
			}
		case !e.reserved && size >= e.limit/16:
			e.reserve(float64(e.limit) / float64(size))
		}
	}
	return nil
}

func (e *parquetEncoder) bytes() int64 {
	var n int64
	for _, c := range e.columns {
		n += c.bytes()
	}
	return n
}

// reserve makes room for so many times the bytes held, which a row group will come to: growing there bit by bit would cost several times the
// memory.
func (e *parquetEncoder) reserve(times float64) {
	e.reserved = true
	const more = 1.1 // than on average
	for _, c := range e.columns {
		n := len(c.values.data)
		c.values.data = slices.Grow(c.values.data, int(float64(n)*times*more)-n)
	}
}

// step is the number of rows to take before the size of the row group is looked at again: they should be a small part of it.
func (e *parquetEncoder) step() int {
	if e.held == 0 {
		return 16 // of unknown size
	}
	rowBytes := max(1, e.bytes()/int64(e.held))
	return int(min(max(e.limit/16/rowBytes, 1), 8192, maxGroupRows-int64(e.held)))
}

// flush writes the rows held as a row group.
func (e *parquetEncoder) flush() error {
	if e.held == 0 {
		return nil
	}
	if err := e.encodePages(); err != nil {
		return err
	}
	w := &thriftWriter{b: e.listed}
	w.begin()
	w.list(1, thriftStruct, len(e.columns))
	plain, packed := int64(0), int64(0)
	for _, c := range e.columns {
		c.list(w)
		plain += c.chunk.plain
		packed += c.chunk.packed
		c.reset()
	}
	w.i64(2, plain)
	w.i64(3, int64(e.held))
	w.i64(6, packed)
	w.end()
	e.listed = w.b
	e.groups++
	e.rows += int64(e.held)
	e.held = 0
	return nil
}

func (e *parquetEncoder) close() error {
	if err := e.start(); err != nil {
		return err
	}
	if err := e.flush(); err != nil {
		return err
	}
	e.columns, e.pages = nil, nil
	return e.put(e.footer())
}

// footer returns what ends the file.
func (e *parquetEncoder) footer() []byte {
	w := &thriftWriter{}
	raw := func(id int16) {
		if f, ok := e.fields[id]; ok {
			w.field(id, f.typ)
			w.b = append(w.b, f.value...)
		}
	}
	w.begin()
	raw(1) // version
	raw(2) // schema
	w.i64(3, e.rows)
	w.list(4, thriftStruct, e.groups)
	w.b = append(w.b, e.listed...)
	raw(5) // metadata
	raw(6) // created by
	raw(7) // orders of columns
	w.end()
	w.b = binary.LittleEndian.AppendUint32(w.b, uint32(len(w.b)))
	return append(w.b, parquetMagic...)
}

// abort leaves out the footer. The zeros are for the case that the last bytes of the data look like one.
func (e *parquetEncoder) abort() []byte {
	e.columns, e.pages = nil, nil
	return make([]byte, 8)
}

// A fieldMapper goes down one column's type. It finds how Parquet holds it, what the stored Arrow schema says of it, and the
// leaves to write.
type fieldMapper struct {
	column int
	path   []step
	leaves []*outColumn
}

// A step is one level on the way from a column to a leaf.
type step struct {
	name     string
	nullable bool
	list     bool
	child    int // of a struct
}

// field returns the field as Parquet holds it and as the stored schema declares it.
func (m *fieldMapper) field(f arrow.Field, name string) (physical, declared arrow.Field, err error) {
	f.Metadata = cleanMetadata(f.Metadata)
	if ext, ok := f.Type.(arrow.ExtensionType); ok {
		keys, values := f.Metadata.Keys(), f.Metadata.Values()
		keys = append(keys[:len(keys):len(keys)], extensionNameKey, extensionValueKey)
		values = append(values[:len(values):len(values)], ext.ExtensionName(), ext.Serialize())
		f.Metadata = arrow.NewMetadata(keys, values)
		f.Type = ext.StorageType()
		return m.field(f, name)
	}
	physical, declared = f, f
	refuse := func(why string) (arrow.Field, arrow.Field, error) {
		return f, f, &ColumnError{Column: name, Row: -1, Reason: fmt.Sprintf("Parquet cannot hold %s%s", f.Type, why), Hint: "`Format` arrow can"}
	}
	list := func(elem arrow.Field, physicalOf, declaredOf func(arrow.Field) arrow.DataType) error {
		m.push(step{name: name, nullable: f.Nullable, list: true})
		defer m.pop()
		elem.Name = "element" // as Parquet calls it, whatever Arrow does: readers match the names
		p, d, err := m.field(elem, name+".element")
		if err != nil {
			return err
		}
		physical.Type, declared.Type = physicalOf(p), declaredOf(d)
		return nil
	}
	asList := func(e arrow.Field) arrow.DataType { return arrow.ListOfField(e) }
	asLargeList := func(e arrow.Field) arrow.DataType { return arrow.LargeListOfField(e) }

	switch t := f.Type.(type) {
	case *arrow.DictionaryType:
		value := f
		value.Type = t.ValueType
		if physical, declared, err = m.field(value, name); err != nil {
			return f, f, err
		}
		switch declared.Type.ID() {
		case arrow.STRING, arrow.BINARY:
			// Row groups have dictionaries of their own: a narrow index may not do for the values of all.
			declared.Type = &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int32, ValueType: declared.Type, Ordered: t.Ordered}
		}
		return physical, declared, nil
	case *arrow.FixedSizeListType:
		// In a null struct it has no values, which readers of a fixed-size list allow for a null alone.
		if f.Nullable = f.Nullable || m.underNullableStruct(); f.Nullable {
			physical.Nullable, declared.Nullable = true, true
		}
		return physical, declared, list(t.ElemField(), asList, func(e arrow.Field) arrow.DataType {
			if holdsNullType(e.Type) {
				return arrow.ListOfField(e) // the library's reader panics at a fixed-size list of these
			}
			return arrow.FixedSizeListOfField(t.Len(), e)
		})
	case *arrow.ListType:
		return physical, declared, list(t.ElemField(), asList, asList)
	case *arrow.LargeListType:
		return physical, declared, list(t.ElemField(), asList, asLargeList)
	case *arrow.ListViewType:
		return physical, declared, list(t.ElemField(), asList, asList)
	case *arrow.LargeListViewType:
		return physical, declared, list(t.ElemField(), asList, asLargeList)
	case *arrow.MapType:
		m.push(step{name: name, nullable: f.Nullable, list: true})
		defer m.pop()
		key, item := t.KeyField(), t.ItemField()
		key.Name, item.Name, key.Nullable = "key", "value", false
		m.push(step{name: name})
		defer m.pop()
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
		physical.Type, declared.Type = arrow.MapOfFields(pk, pv), declaredMap
		return physical, declared, nil
	case *arrow.StructType:
		if t.NumFields() == 0 {
			return refuse(" without fields")
		}
		m.push(step{name: name, nullable: f.Nullable})
		defer m.pop()
		var ps, ds []arrow.Field
		seen := map[string]bool{}
		for i, child := range t.Fields() {
			if seen[child.Name] {
				return refuse(fmt.Sprintf(": two fields are named %q", child.Name))
			}
			seen[child.Name] = true
			m.path[len(m.path)-1].child = i
			p, d, err := m.field(child, name+"."+child.Name)
			if err != nil {
				return f, f, err
			}
			ps, ds = append(ps, p), append(ds, d)
		}
		physical.Type, declared.Type = arrow.StructOf(ps...), arrow.StructOf(ds...)
		return physical, declared, nil
	}

	leaf := &outColumn{column: m.column, name: name}
	var same arrow.DataType // physical and declared type, where it is not f's
	switch t := f.Type.(type) {
	case *arrow.NullType:
		if !f.Nullable {
			return refuse(" that may have no nulls")
		}
	case *arrow.StringViewType:
		same = arrow.BinaryTypes.String
	case *arrow.BinaryViewType:
		same = arrow.BinaryTypes.Binary
	case *arrow.Date64Type:
		same = arrow.FixedWidthTypes.Date32
	case *arrow.Time32Type:
		if t.Unit == arrow.Second {
			same = arrow.FixedWidthTypes.Time32ms
		}
	case *arrow.TimestampType:
		if t.Unit == arrow.Second {
			same = &arrow.TimestampType{Unit: arrow.Millisecond, TimeZone: t.TimeZone}
		}
	case *arrow.DurationType:
		physical.Type = arrow.PrimitiveTypes.Int64
	case *arrow.FixedSizeBinaryType:
		if t.ByteWidth == 0 {
			return refuse("")
		}
	case arrow.DecimalType:
		if t.GetScale() < 0 || t.GetScale() > t.GetPrecision() || t.GetPrecision() < 1 {
			return refuse(": its scale must lie between 0 and its precision")
		}
		if t.ID() == arrow.DECIMAL32 || t.ID() == arrow.DECIMAL64 {
			same = &arrow.Decimal128Type{Precision: t.GetPrecision(), Scale: t.GetScale()}
		}
	}
	if same != nil {
		physical.Type, declared.Type = same, same
	}
	values := newOutValues(f.Type)
	if values == nil {
		return refuse("")
	}
	leaf.values = *values
	leaf.stats = len(m.path) == 0 && values.order != orderNone // labels and keys that queries filter by; for pixels and codes they are a waste
	leaf.path = append(append(leaf.path, m.path...), step{name: name, nullable: f.Nullable})
	m.leaves = append(m.leaves, leaf)
	return physical, declared, nil
}

// underNullableStruct reports whether a struct around, with no list between, may be null.
func (m *fieldMapper) underNullableStruct() bool {
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

func (m *fieldMapper) push(s step) { m.path = append(m.path, s) }
func (m *fieldMapper) pop()        { m.path = m.path[:len(m.path)-1] }

// cleanMetadata leaves out what the reading of a Parquet file adds to every field, a number it does not have.
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

package parquet

import (
	"encoding/json"
	"slices"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/aefeat/aefeat/arrowio/internal/format"
	"github.com/aefeat/aefeat/arrowio/internal/schema"
	"github.com/aefeat/aefeat/arrowio/internal/thrift"
)

// extend gives a schema what the library does not find: the metadata of the
// file; the extension types of the stored schema, and those that stand for
// logical types; timestamps of INT96 without a zone, which they do not have.
// stored is the Arrow schema in the footer, nil if there is none.
func (f *footer) extend(s, stored *arrow.Schema) *arrow.Schema {
	x := &extender{nodes: f.nodes, next: 1}
	fields := slices.Clone(s.Fields())
	for i := range fields {
		var was *arrow.Field
		if stored != nil && i < stored.NumFields() && stored.Field(i).Name == fields[i].Name {
			was = new(stored.Field(i))
		}
		n := &f.nodes[x.next]
		fields[i] = x.field(fields[i], was)
		if n.physical == format.Int96 && fields[i].Type.ID() == arrow.TIMESTAMP && f.fromSpark() {
			fields[i].Type = &arrow.TimestampType{Unit: arrow.Microsecond}
		}
	}
	meta := f.metadata(s.Metadata())
	return arrow.NewSchema(fields, &meta)
}

// metadata returns the keys and values of the file, and then those of the
// stored schema that are not among them. Those that are no text are left out:
// they cannot be written.
func (f *footer) metadata(stored arrow.Metadata) arrow.Metadata {
	var keys, values []string
	seen := map[string]bool{}
	add := func(key, value string) {
		if !seen[key] && utf8.ValidString(key) && utf8.ValidString(value) {
			seen[key] = true
			keys, values = append(keys, key), append(values, value)
		}
	}
	for _, m := range f.meta {
		add(m.key, m.value)
	}
	for i, key := range stored.Keys() {
		add(key, stored.Values()[i])
	}
	return arrow.NewMetadata(keys, values)
}

// An extender goes down the nodes of a schema and the types that the library
// made of them side by side.
type extender struct {
	nodes []node
	next  int
}

// field extends the field that the next node became. was is the field as it was
// when it was written, nil if that is not known.
func (x *extender) field(f arrow.Field, was *arrow.Field) arrow.Field {
	n := &x.nodes[x.next]
	x.next++
	if n.physical < 0 {
		f.Type = x.group(n, f.Type, was)
	} else {
		f = n.extend(f)
	}
	if was != nil {
		f = likeStored(f, *was)
	}
	return f
}

// likeStored gives a field what the library forgets of it: the extension type,
// unsigned indexes of a dictionary, and in nested types the metadata. Those of
// narrower indexes are left out: polars takes them at their word.
func likeStored(f, was arrow.Field) arrow.Field {
	switch t := was.Type.(type) {
	case arrow.ExtensionType:
		if t.ExtensionName() != format.ExtensionJSON && arrow.TypeEqual(t.StorageType(), f.Type) {
			f.Type = t
		}
	case *arrow.DictionaryType:
		have, ok := f.Type.(*arrow.DictionaryType)
		switch {
		case !ok:
			return f
		case t.IndexType.ID() == arrow.UINT32 && have.IndexType.ID() == arrow.INT32:
			f.Type = &arrow.DictionaryType{IndexType: t.IndexType, ValueType: have.ValueType, Ordered: have.Ordered}
		case !arrow.TypeEqual(t.IndexType, have.IndexType):
			return f
		}
	}
	for i, key := range was.Metadata.Keys() {
		if f.Metadata.FindKey(key) < 0 {
			f.Metadata = arrow.NewMetadata(append(slices.Clone(f.Metadata.Keys()), key), append(slices.Clone(f.Metadata.Values()), was.Metadata.Values()[i]))
		}
	}
	return f
}

// group extends the type of a node with children.
func (x *extender) group(n *node, t arrow.DataType, was *arrow.Field) arrow.DataType {
	nested, ok := t.(arrow.NestedType)
	inner := &x.nodes[x.next]
	children := int(n.children)
	if ok && t.ID() != arrow.STRUCT {
		// A list or map: a repeated group around what is in it.
		ok = n.children == 1 && inner.physical < 0 && inner.repetition == format.Repeated
		if ok {
			children = int(inner.children)
			x.next++
		}
	}
	var fields []arrow.Field
	if ok {
		fields = nested.Fields()
		if m, isMap := t.(*arrow.MapType); isMap {
			fields = m.Elem().(*arrow.StructType).Fields()
		}
	}
	if !ok || len(fields) != children || n.repetition == format.Repeated {
		for range children {
			x.skip()
		}
		return t
	}
	stored := storedFields(was, len(fields))
	for i := range fields {
		var child *arrow.Field
		if stored != nil {
			child = &stored[i]
		}
		fields[i] = x.field(fields[i], child)
	}
	if m, isMap := t.(*arrow.MapType); isMap {
		out := arrow.MapOfFields(fields[0], fields[1])
		out.KeysSorted = m.KeysSorted
		return out
	}
	return schema.WithFields(t, fields)
}

// storedFields returns the fields in a field as it was written, nil if they are
// not n.
func storedFields(was *arrow.Field, n int) []arrow.Field {
	if was == nil {
		return nil
	}
	t := was.Type
	if m, ok := t.(*arrow.MapType); ok {
		t = m.Elem()
	}
	nested, ok := t.(arrow.NestedType)
	if !ok || nested.NumFields() != n {
		return nil
	}
	return nested.Fields()
}

// skip passes over the next node and what is in it.
func (x *extender) skip() {
	n := &x.nodes[x.next]
	x.next++
	for range max(n.children, 0) {
		x.skip()
	}
}

// extend extends the field of a column.
func (n *node) extend(f arrow.Field) arrow.Field {
	id, value := n.logicalType()
	if kept := n.keptType(id, value); kept != "" {
		f.Metadata = arrow.NewMetadata(append(slices.Clone(f.Metadata.Keys()), format.TypeKey), append(slices.Clone(f.Metadata.Values()), kept))
	}
	switch {
	case n.physical == format.Int96 && f.Type.ID() == arrow.TIMESTAMP:
		f.Type = &arrow.TimestampType{Unit: arrow.Nanosecond}
	case f.Type.ID() != arrow.BINARY:
	case id == format.LogicalJSON || id == 0 && n.converted == format.ConvertedJSON:
		// Not as the library's type, whose arrays panic where the text is
		// no JSON.
		f.Type = arrow.BinaryTypes.String
		f.Metadata = withExtension(f.Metadata, format.ExtensionJSON, "")
	case id == format.LogicalGeometry, id == format.LogicalGeography:
		f.Metadata = withExtension(f.Metadata, format.ExtensionGeometry, shapes(id, value))
	}
	return f
}

// keptType returns what the metadata of a column keeps of its logical type.
func (n *node) keptType(id int16, value []byte) string {
	switch {
	case n.physical == format.ByteArray && (id == format.LogicalEnum || id == 0 && n.converted == format.ConvertedEnum):
		return format.TypeEnum
	case n.physical == format.ByteArray && (id == format.LogicalBSON || id == 0 && n.converted == format.ConvertedBSON):
		return format.TypeBSON
	case n.physical == format.Fixed && n.length == 12 && n.converted == format.ConvertedInterval:
		return format.TypeInterval
	case id == format.LogicalTime:
		utc := false
		thrift.NewReader(value).Struct(func(i int16, typ byte) bool {
			utc = utc || i == 1 && typ == thrift.True
			return false
		})
		if utc {
			return format.TypeTimeUTC
		}
	}
	return ""
}

// logicalType returns the logical type of a node, 0 if it has none.
func (n *node) logicalType() (id int16, value []byte) {
	r := thrift.NewReader(n.logical)
	if n.logical == nil {
		return 0, nil
	}
	r.Struct(func(i int16, typ byte) bool {
		id, value = i, r.Raw(typ)
		return true
	})
	return id, value
}

// withExtension returns metadata that names an extension type, unless it does
// already.
func withExtension(m arrow.Metadata, name, value string) arrow.Metadata {
	if m.FindKey(format.ExtensionNameKey) >= 0 {
		return m
	}
	return arrow.NewMetadata(
		append(slices.Clone(m.Keys()), format.ExtensionNameKey, format.ExtensionValueKey),
		append(slices.Clone(m.Values()), name, value))
}

// shapes returns the metadata of the extension type for a geometry or a
// geography.
func shapes(id int16, value []byte) string {
	crs, edges := "", int32(0)
	r := thrift.NewReader(value)
	r.Struct(func(i int16, typ byte) bool {
		switch {
		case i == 1 && typ == thrift.Binary:
			crs = string(r.Bytes(typ))
		case i == 2 && typ == thrift.I32:
			r.Int32(typ, &edges)
		default:
			return false
		}
		return true
	})
	if crs == "" {
		crs = format.DefaultCRS
	}
	var of struct {
		CRS   any    `json:"crs"`
		Edges string `json:"edges,omitempty"`
	}
	of.CRS = crs
	if crs[0] == '{' && json.Valid([]byte(crs)) {
		of.CRS = json.RawMessage(crs)
	}
	if id == format.LogicalGeography && edges >= 0 && int(edges) < len(format.Edges) {
		of.Edges = format.Edges[edges]
	}
	b, err := json.Marshal(of)
	if err != nil {
		return ""
	}
	return string(b)
}

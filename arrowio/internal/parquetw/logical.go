package parquetw

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/aefeat/aefeat/arrowio/internal/format"
	"github.com/aefeat/aefeat/arrowio/internal/thrift"
)

// A logical is the logical type of a node of the schema, where it is not what
// the library makes of the node's Arrow type.
type logical struct {
	id        int16  // in the union of logical types; 0: none
	value     []byte // its struct
	converted int32  // the type for older readers; -1: none
}

// plainLogical is a logical type without parameters.
func plainLogical(id int16, converted int32) *logical {
	return &logical{id, []byte{thrift.Stop}, converted}
}

// logicalLeaf returns the logical type of a column that stands for an extension
// type, nil for others.
func logicalLeaf(f arrow.Field) *logical {
	if kept := keptType(f); kept != nil {
		return kept
	}
	name, _ := f.Metadata.GetValue(format.ExtensionNameKey)
	switch f.Type.ID() {
	case arrow.STRING, arrow.LARGE_STRING, arrow.STRING_VIEW:
		if name == format.ExtensionJSON {
			return plainLogical(format.LogicalJSON, format.ConvertedJSON)
		}
	case arrow.FIXED_SIZE_BINARY:
		if name == format.ExtensionUUID && f.Type.(*arrow.FixedSizeBinaryType).ByteWidth == 16 {
			return plainLogical(format.LogicalUUID, -1)
		}
	case arrow.BINARY, arrow.LARGE_BINARY, arrow.BINARY_VIEW:
		if name == format.ExtensionGeometry {
			value, _ := f.Metadata.GetValue(format.ExtensionValueKey)
			return shapes(value)
		}
	}
	return nil
}

// keptType returns the logical type that a field's metadata has kept of the
// file that it comes from, nil if there is none that its type can have.
func keptType(f arrow.Field) *logical {
	kept, _ := f.Metadata.GetValue(format.TypeKey)
	switch t := f.Type.(type) {
	case *arrow.BinaryType, *arrow.LargeBinaryType, *arrow.BinaryViewType:
		switch kept {
		case format.TypeEnum:
			return plainLogical(format.LogicalEnum, format.ConvertedEnum)
		case format.TypeBSON:
			return plainLogical(format.LogicalBSON, format.ConvertedBSON)
		}
	case *arrow.FixedSizeBinaryType:
		if kept == format.TypeInterval && t.ByteWidth == 12 {
			return &logical{converted: format.ConvertedInterval}
		}
	case *arrow.Time32Type:
		if kept == format.TypeTimeUTC {
			return timeUTC(1, format.ConvertedTimeMillis)
		}
	case *arrow.Time64Type:
		switch {
		case kept != format.TypeTimeUTC:
		case t.Unit == arrow.Nanosecond:
			return timeUTC(3, -1)
		default:
			return timeUTC(2, format.ConvertedTimeMicros)
		}
	}
	return nil
}

// timeUTC returns the type of times of day in UTC: whether they are, and the
// unit by its number in a union.
func timeUTC(unit int16, converted int32) *logical {
	w := &thrift.Writer{}
	w.Begin()
	w.Bool(1, true)
	w.BeginField(2)
	w.BeginField(unit)
	w.End()
	w.End()
	w.End()
	return &logical{format.LogicalTime, w.Bytes(), converted}
}

// logicalGroup returns the logical type of a struct, nil for most. Its first
// field is a column: the metadata of the variant.
func logicalGroup(f arrow.Field) *logical {
	name, _ := f.Metadata.GetValue(format.ExtensionNameKey)
	t, ok := f.Type.(*arrow.StructType)
	if !ok || name != format.ExtensionVariant || t.NumFields() < 2 || t.Field(0).Name != "metadata" || t.Field(0).Type.ID() != arrow.BINARY {
		return nil
	}
	w := &thrift.Writer{}
	w.Begin()
	w.Field(1, thrift.Byte)
	w.Raw([]byte{1}) // the version of the specification
	w.End()
	return &logical{format.LogicalVariant, w.Bytes(), -1}
}

// shapes returns the type of a column of well-known binary, whose metadata is
// that of GeoArrow; nil if it cannot be read.
func shapes(value string) *logical {
	var of struct {
		CRS   json.RawMessage `json:"crs"`
		Edges string          `json:"edges"`
	}
	if value != "" && json.Unmarshal([]byte(value), &of) != nil {
		return nil
	}
	var crs string
	switch {
	case len(of.CRS) == 0 || string(of.CRS) == "null":
		crs = "srid:0" // not known, which no name would say is known
	case json.Unmarshal(of.CRS, &crs) != nil:
		crs = string(of.CRS)
	}
	w := &thrift.Writer{}
	w.Begin()
	if crs != format.DefaultCRS {
		w.Text(1, crs)
	}
	id := int16(format.LogicalGeometry)
	if of.Edges != "" && of.Edges != "planar" {
		edges := slices.Index(format.Edges, of.Edges)
		if edges < 0 {
			return nil
		}
		id = format.LogicalGeography
		w.Int32(2, int32(edges))
	}
	w.End()
	return &logical{id, bytes.Clone(w.Bytes()), -1}
}

// setLogical puts the logical types of columns and groups into the schema that
// the library wrote.
func (e *encoder) setLogical(groups []logicalNode) error {
	const between = "\x00" // names
	types := map[string]*logical{}
	for _, c := range e.columns {
		if c.logical != nil {
			types[strings.Join(c.names, between)] = c.logical
		}
	}
	for _, g := range groups {
		names := e.columns[g.leaf].names
		types[strings.Join(names[:len(names)-1], between)] = &g.of
	}
	if len(types) == 0 {
		return nil
	}
	const schema = 2
	w := &thrift.Writer{}
	var path []string
	var left []int32 // children to come, of each group of the path
	n := 0
	r := thrift.NewReader(e.fields[schema].value)
	r.Structs(thrift.List, func() {
		var name string
		var children int32
		fields := readElement(r, &name, &children)
		if n++; n > 1 { // the root has no name in paths
			path = append(path, name)
			left[len(left)-1]--
			types[strings.Join(path, between)].write(w, fields)
		} else {
			(*logical)(nil).write(w, fields)
		}
		switch {
		case children > 0:
			left = append(left, children)
		case len(path) > 0:
			path = path[:len(path)-1]
		}
		for len(left) > 0 && left[len(left)-1] == 0 {
			left = left[:len(left)-1]
			path = path[:max(len(path)-1, 0)]
		}
	})
	if r.Err() != nil {
		return r.Err()
	}
	list := &thrift.Writer{}
	list.Begin()
	list.List(schema, thrift.Struct, n)
	value := append(bytes.Clone(list.Bytes()[1:]), w.Bytes()...)
	e.fields[schema] = rawField{thrift.List, value}
	return nil
}

// An element is a field of an element of the schema.
type element struct {
	id int16
	rawField
}

// readElement reads an element of the schema.
func readElement(r *thrift.Reader, name *string, children *int32) []element {
	var fields []element
	r.Struct(func(id int16, typ byte) bool {
		value := r.Raw(typ)
		field := thrift.NewReader(value)
		switch id {
		case 4:
			*name = string(field.Bytes(typ))
		case 5:
			field.Int32(typ, children)
		}
		fields = append(fields, element{id, rawField{typ, value}})
		return true
	})
	return fields
}

// write writes an element of the schema with the logical type, nil for what it
// had.
func (l *logical) write(w *thrift.Writer, fields []element) {
	const converted, logicalType = 6, 10
	w.Begin()
	if l != nil {
		fields = slices.DeleteFunc(fields, func(f element) bool { return f.id == converted || f.id == logicalType })
	}
	done := l == nil || l.converted < 0
	for _, f := range fields {
		if !done && f.id > converted {
			w.Int32(converted, l.converted)
			done = true
		}
		w.Field(f.id, f.typ)
		w.Raw(f.value)
	}
	if !done {
		w.Int32(converted, l.converted)
	}
	if l != nil && l.id != 0 {
		w.BeginField(logicalType)
		w.Field(l.id, thrift.Struct)
		w.Raw(l.value)
		w.End()
	}
	w.End()
}

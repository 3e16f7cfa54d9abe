package arrow17

import (
	"errors"
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	old "github.com/apache/arrow/go/v17/arrow"
	oldarray "github.com/apache/arrow/go/v17/arrow/array"
)

// Importer turns record batches of v17 into batches of v18. It is safe for
// concurrent use.
type Importer struct {
	source *old.Schema
	schema *arrow.Schema
}

// NewImporter returns an Importer for batches of the given schema.
func NewImporter(schema *old.Schema) (*Importer, error) {
	if schema == nil {
		return nil, errors.New("arrow17: the schema is nil")
	}
	converted, err := importSchema(schema)
	if err != nil {
		return nil, fmt.Errorf("convert schema of v17 to v18: %w", err)
	}
	return &Importer{source: schema, schema: converted}, nil
}

// Schema returns the schema of all batches that RecordBatch returns, always
// the same pointer.
func (im *Importer) Schema() *arrow.Schema { return im.schema }

// RecordBatch returns a batch that shares the buffers of rec. The caller
// releases both, in any order. A batch whose fields are not those of the
// Importer's schema is an error, and so is one that was released.
func (im *Importer) RecordBatch(rec old.Record) (batch arrow.RecordBatch, err error) {
	if rec == nil {
		return nil, errors.New("arrow17: the record batch is nil")
	}
	if s := rec.Schema(); s != im.source && !s.Equal(im.source) {
		return nil, fmt.Errorf("record batch of v17 has another schema: %v, want %v", s, im.source)
	}
	if n := rec.NumCols(); n != int64(im.schema.NumFields()) {
		return nil, fmt.Errorf("record batch of v17 has %d columns of %d: was it released?", n, im.schema.NumFields())
	}
	defer recovered(&err, "convert record batch of v17 to v18")
	columns := make([]arrow.Array, rec.NumCols())
	for i, column := range rec.Columns() {
		data := importData(im.schema.Field(i).Type, column.Data())
		defer data.Release()
		columns[i] = array.MakeFromData(data)
		defer columns[i].Release()
	}
	return array.NewRecordBatch(im.schema, columns, rec.NumRows()), nil
}

// importData returns d as data of v18, of type t, the converted type of d.
func importData(t arrow.DataType, d old.ArrayData) *array.Data {
	storage := t
	if e, ok := t.(arrow.ExtensionType); ok {
		storage = e.StorageType()
	}
	buffers := make([]*memory.Buffer, len(d.Buffers()))
	for i, b := range d.Buffers() {
		if b != nil {
			b.Retain()
			buffers[i] = memory.NewBufferWithAllocator(b.Bytes(), shared{b})
			defer buffers[i].Release()
		}
	}
	if values, _ := d.Dictionary().(*oldarray.Data); values != nil {
		dictionary := importData(storage.(*arrow.DictionaryType).ValueType, values)
		defer dictionary.Release()
		return array.NewDataWithDictionary(t, d.Len(), buffers, d.NullN(), d.Offset(), dictionary)
	}
	var fields []arrow.Field
	if nested, ok := storage.(arrow.NestedType); ok {
		fields = nested.Fields()
	}
	children := make([]arrow.ArrayData, len(d.Children()))
	for i, child := range d.Children() {
		children[i] = importData(fields[i].Type, child)
		defer children[i].Release()
	}
	return array.NewData(t, d.Len(), buffers, children, d.NullN(), d.Offset())
}

package arrow17

import (
	"errors"
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	old "github.com/apache/arrow/go/v17/arrow"
	oldarray "github.com/apache/arrow/go/v17/arrow/array"
	oldmemory "github.com/apache/arrow/go/v17/arrow/memory"
)

// Exporter turns record batches of v18 into batches of v17. It is safe for
// concurrent use.
type Exporter struct {
	source *arrow.Schema
	schema *old.Schema
}

// NewExporter returns an Exporter for batches of the given schema. A type that
// v17 lacks is an error.
func NewExporter(schema *arrow.Schema) (*Exporter, error) {
	if schema == nil {
		return nil, errors.New("arrow17: the schema is nil")
	}
	converted, err := exportSchema(schema)
	if err != nil {
		return nil, fmt.Errorf("convert schema of v18 to v17: %w", err)
	}
	return &Exporter{source: schema, schema: converted}, nil
}

// Schema returns the schema of all batches that Record returns, always the
// same pointer.
func (ex *Exporter) Schema() *old.Schema { return ex.schema }

// Record returns a batch that shares the buffers of batch. The caller releases
// both, in any order. A batch whose fields are not those of the Exporter's
// schema is an error, and so is one that was released.
func (ex *Exporter) Record(batch arrow.RecordBatch) (rec old.Record, err error) {
	if batch == nil {
		return nil, errors.New("arrow17: the record batch is nil")
	}
	if s := batch.Schema(); s != ex.source && !s.Equal(ex.source) {
		return nil, fmt.Errorf("record batch of v18 has another schema: %v, want %v", s, ex.source)
	}
	if n := batch.NumCols(); n != int64(ex.schema.NumFields()) {
		return nil, fmt.Errorf("record batch of v18 has %d columns of %d: was it released?", n, ex.schema.NumFields())
	}
	defer recovered(&err, "convert record batch of v18 to v17")
	columns := make([]old.Array, batch.NumCols())
	for i, column := range batch.Columns() {
		data := exportData(ex.schema.Field(i).Type, column.Data())
		defer data.Release()
		columns[i] = oldarray.MakeFromData(data)
		defer columns[i].Release()
	}
	return oldarray.NewRecord(ex.schema, columns, batch.NumRows()), nil
}

// Writer returns a Writer that hands each batch to write, the method Write of
// one of v17's writers for example. write must keep no reference to a batch
// unless it retains it.
func (ex *Exporter) Writer(write func(old.Record) error) *Writer {
	return &Writer{exporter: ex, write: write}
}

// Writer takes record batches of v18 and passes them on as batches of v17. A
// stage.Transformer runs into one. It is as safe for concurrent use as the
// function that it passes them to.
type Writer struct {
	exporter *Exporter
	write    func(old.Record) error
}

// Write passes batch on, which must have the fields of the Exporter's schema.
func (w *Writer) Write(batch arrow.RecordBatch) error {
	rec, err := w.exporter.Record(batch)
	if err != nil {
		return err
	}
	defer rec.Release()
	return w.write(rec)
}

// exportData returns d as data of v17, of type t, the converted type of d.
func exportData(t old.DataType, d arrow.ArrayData) *oldarray.Data {
	storage := t
	if e, ok := t.(old.ExtensionType); ok {
		storage = e.StorageType()
	}
	buffers := make([]*oldmemory.Buffer, len(d.Buffers()))
	for i, b := range d.Buffers() {
		if b != nil {
			b.Retain()
			buffers[i] = oldmemory.NewBufferWithAllocator(b.Bytes(), shared{b})
			defer buffers[i].Release()
		}
	}
	if values, _ := d.Dictionary().(*array.Data); values != nil {
		dictionary := exportData(storage.(*old.DictionaryType).ValueType, values)
		defer dictionary.Release()
		return oldarray.NewDataWithDictionary(t, d.Len(), buffers, d.NullN(), d.Offset(), dictionary)
	}
	var fields []old.Field
	if nested, ok := storage.(old.NestedType); ok {
		fields = nested.Fields()
	}
	children := make([]old.ArrayData, len(d.Children()))
	for i, child := range d.Children() {
		children[i] = exportData(fields[i].Type, child)
		defer children[i].Release()
	}
	return oldarray.NewData(t, d.Len(), buffers, children, d.NullN(), d.Offset())
}

package connect

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/aefeat/aefeat/arrowio"
	"github.com/aefeat/aefeat/model"
	"github.com/aefeat/aefeat/patch"
)

// form is what the rows of a fit have in common.
type form struct {
	kind  model.Kind // "": not known yet
	width int        // 0: not known yet
}

// schema returns the schema of batches that hold rows of the form in a column.
func (f form) schema(column string) *arrow.Schema {
	return arrow.NewSchema([]arrow.Field{{Name: column, Type: arrow.FixedSizeListOfNonNullable(int32(f.width), elements[f.kind])}}, nil)
}

// elements are the types of the values of rows, the ones that a fit takes.
var elements = map[model.Kind]arrow.DataType{
	model.Uint8:   arrow.PrimitiveTypes.Uint8,
	model.Uint16:  arrow.PrimitiveTypes.Uint16,
	model.Float16: arrow.FixedWidthTypes.Float16,
	model.Float32: arrow.PrimitiveTypes.Float32,
}

// batch returns rows as a batch of the given schema. It shares their memory.
func batch(schema *arrow.Schema, r model.Rows) arrow.RecordBatch {
	m, list := r.Len(), schema.Field(0).Type.(*arrow.FixedSizeListType)
	values := array.NewData(list.Elem(), m*r.Width, []*memory.Buffer{nil, memory.NewBufferBytes(r.Data)}, nil, 0, 0)
	defer values.Release()
	data := array.NewData(list, m, []*memory.Buffer{nil}, []arrow.ArrayData{values}, 0, 0)
	defer data.Release()
	lists := array.NewFixedSizeListData(data)
	defer lists.Release()
	return array.NewRecordBatch(schema, []arrow.Array{lists}, int64(m))
}

// source says where the rows of a message are.
type source struct {
	patch  string // a field of an object, with dots, or a column
	number number // of JSON
}

// rows returns the rows of a message, all of it or an error: a JSON object has
// one, an Arrow or Parquet file any number. Number is nil.
func (s source) rows(message []byte) (model.Rows, error) {
	if isPayload(message) {
		return s.file(message)
	}
	value, _, err := findField(message, strings.Split(s.patch, "."), nil)
	if err != nil {
		return model.Rows{}, err
	}
	switch {
	case value[0] != '[':
		return model.Rows{}, fmt.Errorf("field %q is %s, expected an array of numbers", s.patch, describe(value))
	case !bytes.ContainsAny(value, "-0123456789"):
		return model.Rows{}, fmt.Errorf("field %q has no numbers", s.patch)
	}
	// As many as there are, since those of arrays in arrays count alike.
	r := model.Rows{Kind: s.number.kind, Width: 1 + bytes.Count(value, []byte{','})}
	p := patchParser{number: s.number, field: s.patch, width: r.Width}
	r.Data, err = p.appendPatch(make([]byte, 0, r.Width*r.Kind.Size()), value)
	return r, err
}

// file returns the rows of an Arrow or Parquet file.
func (s source) file(message []byte) (rows model.Rows, err error) {
	from, err := arrowio.OpenReaderAt(bytes.NewReader(message), int64(len(message)), "the message", arrowio.OpenOptions{})
	if err != nil {
		return rows, err
	}
	defer from.Close()
	binding, err := patch.Bind(from.Schema(), patch.BindOptions{Columns: []string{s.patch}})
	if err != nil {
		return rows, err
	}
	r, err := from.Reader(context.Background(), nil)
	if err != nil {
		return rows, err
	}
	defer r.Release()
	for r.Next() {
		for part := range patch.Slices(r.RecordBatch(), binding.BatchRows) {
			some, _, err := binding.Rows(part, int64(rows.Len()))
			if err != nil {
				return rows, err
			}
			rows.Kind, rows.Width = some.Kind, some.Width
			rows.Data = append(rows.Data, some.Data...)
		}
	}
	if err := r.Err(); err != nil && !errors.Is(err, io.EOF) {
		return rows, err
	}
	if source := binding.Source(); rows.Len() > 0 && source != string(rows.Kind) && source != "float64" {
		return rows, fmt.Errorf("column %q has values of type %s: a fit of messages takes uint8, uint16 and floats", s.patch, source)
	}
	return rows, nil
}

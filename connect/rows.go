package connect

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
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
	field string     // of an object, with dots, or a column
	kind  model.Kind // of numbers in JSON
}

// rows returns the rows of a message, all of it or an error: a JSON object has
// one, an Arrow or Parquet file any number. Number is nil.
func (s source) rows(message []byte) (model.Rows, error) {
	if text := bytes.TrimLeft(message, " \t\r\n"); len(text) > 0 && (text[0] == '{' || text[0] == '[') {
		return s.object(text)
	}
	return s.file(message)
}

// object returns the row of a JSON object.
func (s source) object(text []byte) (model.Rows, error) {
	value := json.RawMessage(text)
	for _, name := range strings.Split(s.field, ".") {
		var o map[string]json.RawMessage
		if err := json.Unmarshal(value, &o); err != nil {
			return model.Rows{}, fmt.Errorf("no object with a field %q: %w", name, err)
		}
		var ok bool
		if value, ok = o[name]; !ok {
			return model.Rows{}, fmt.Errorf("field %q is missing", s.field)
		}
	}
	list := bytes.TrimSpace(value)
	if list[0] != '[' {
		return model.Rows{}, fmt.Errorf("field %q is no array of numbers", s.field)
	}
	list = bytes.TrimSpace(list[1 : len(list)-1])
	if len(list) == 0 {
		return model.Rows{}, fmt.Errorf("field %q is empty", s.field)
	}
	r := model.Rows{Kind: s.kind, Width: 1 + bytes.Count(list, []byte{','})}
	r.Data = make([]byte, 0, r.Width*s.kind.Size())
	i := 0
	for n := range bytes.SplitSeq(list, []byte{','}) {
		var err error
		if r.Data, err = appendNumber(r.Data, s.kind, string(bytes.TrimSpace(n))); err != nil {
			return model.Rows{}, fmt.Errorf("field %q, value %d: %w", s.field, i, err)
		}
		i++
	}
	return r, nil
}

// appendNumber appends a JSON number as an element of the given kind. One that
// the kind cannot hold is an error, and never wraps around.
func appendNumber(b []byte, kind model.Kind, text string) ([]byte, error) {
	x, err := strconv.ParseFloat(text, 64)
	switch {
	case errors.Is(err, strconv.ErrRange):
	case err != nil:
		return nil, fmt.Errorf("%.40q is no number", text)
	}
	most := map[model.Kind]float64{model.Uint8: math.MaxUint8, model.Uint16: math.MaxUint16}
	switch kind {
	case model.Float32:
		if math.IsInf(float64(float32(x)), 0) {
			return nil, fmt.Errorf("%.40s is beyond float32", text)
		}
		return binary.NativeEndian.AppendUint32(b, math.Float32bits(float32(x))), nil
	case model.Uint8, model.Uint16:
		if x < 0 || x > most[kind] || x != math.Trunc(x) {
			return nil, fmt.Errorf("%.40s is no integer of 0 to %v", text, most[kind])
		}
		if kind == model.Uint8 {
			return append(b, uint8(x)), nil
		}
		return binary.NativeEndian.AppendUint16(b, uint16(x)), nil
	}
	panic("connect: a kind that JSON does not have")
}

// file returns the rows of an Arrow or Parquet file.
func (s source) file(message []byte) (rows model.Rows, err error) {
	from, err := arrowio.OpenReaderAt(bytes.NewReader(message), int64(len(message)), "message", arrowio.OpenOptions{})
	if errors.Is(err, arrowio.ErrForeign) {
		err = errors.New("it is neither a JSON object nor an Arrow or Parquet file")
	}
	if err != nil {
		return rows, err
	}
	defer from.Close()
	binding, err := patch.Bind(from.Schema(), patch.BindOptions{Columns: []string{s.field}})
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
			rows.Number = append(rows.Number, some.Number...)
		}
	}
	if err := r.Err(); err != nil && !errors.Is(err, io.EOF) {
		return rows, err
	}
	rows.Number = nil
	if source := binding.Source(); rows.Len() > 0 && source != string(rows.Kind) && source != "float64" {
		return rows, fmt.Errorf("column %q has values of type %s: a fit of messages takes uint8, uint16 and floats", s.field, source)
	}
	return rows, nil
}

package arrowio

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/compute"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// An ipcEncoder writes Arrow IPC, as a file or a stream.
type ipcEncoder struct {
	w interface {
		Write(arrow.RecordBatch) error
		Close() error
	}
	schema     *arrow.Schema // as written
	file       bool
	batchBytes int64
	mem        memory.Allocator
	dense      []bool // columns whose dictionaries are written out
}

// newIPCEncoder checks the schema by encoding it. A file can hold one dictionary for a column, which nobody knows before the
// last batch, so dictionaries are written out there; a stream keeps them.
func newIPCEncoder(out io.Writer, schema *arrow.Schema, o WriteOptions) (*ipcEncoder, error) {
	e := &ipcEncoder{schema: schema, file: o.Format == Arrow, batchBytes: o.RowGroupBytes, mem: o.Allocator}
	e.dense = make([]bool, schema.NumFields())
	if e.file {
		fields := schema.Fields()
		for i := range fields {
			if t := denseType(fields[i].Type); t != fields[i].Type {
				fields[i].Type, e.dense[i] = t, true
			}
		}
		metadata := schema.Metadata()
		e.schema = arrow.NewSchema(fields, &metadata)
	}
	for _, f := range e.schema.Fields() {
		if err := encodable(f, e.mem); err != nil {
			return nil, err
		}
	}
	options := []ipc.Option{ipc.WithSchema(e.schema), ipc.WithAllocator(e.mem)}
	if !e.file {
		e.w = ipc.NewWriter(out, options...)
		return e, nil
	}
	w, err := ipc.NewFileWriter(out, options...)
	if err != nil {
		return nil, fmt.Errorf("write Arrow file: %w", err)
	}
	e.w = w
	return e, nil
}

// encodable encodes the schema of one column, to see whether the library can.
func encodable(f arrow.Field, mem memory.Allocator) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = bindError(f.Name, fmt.Sprintf("%s cannot be written: %v", f.Type, p), "")
		}
	}()
	p := ipc.GetSchemaPayload(arrow.NewSchema([]arrow.Field{f}, nil), mem)
	p.Release()
	return nil
}

func (e *ipcEncoder) write(rec arrow.RecordBatch) error {
	m := rec.NumRows()
	var size int64
	for _, c := range rec.Columns() {
		size += arrayBytes(c)
	}
	step := max(m, 1)
	if size > e.batchBytes {
		step = max(1, int64(float64(m)*float64(e.batchBytes)/float64(size)))
	}
	for lo := int64(0); lo == 0 || lo < m; lo += step {
		if err := e.writeSlice(rec, lo, min(lo+step, m)); err != nil {
			return err
		}
	}
	return nil
}

func (e *ipcEncoder) writeSlice(rec arrow.RecordBatch, lo, hi int64) error {
	columns := make([]arrow.Array, rec.NumCols())
	for i, c := range rec.Columns() {
		part := array.NewSlice(c, lo, hi)
		if e.dense[i] {
			data, err := denseData(part.Data(), e.mem)
			part.Release()
			if err != nil {
				return fmt.Errorf("write out the dictionary of column %q: %w", rec.ColumnName(i), err)
			}
			part = array.MakeFromData(data)
			data.Release()
		}
		defer part.Release()
		columns[i] = part
	}
	batch := array.NewRecordBatch(e.schema, columns, hi-lo)
	defer batch.Release()
	return e.w.Write(batch)
}

func (e *ipcEncoder) close() error { return e.w.Close() }

// abort ends a stream with the head of a message that never comes. What is not a file's magic ends a file.
func (e *ipcEncoder) abort() []byte {
	if e.file {
		return make([]byte, 8)
	}
	const anyLength = 1024
	return binary.LittleEndian.AppendUint32([]byte{0xff, 0xff, 0xff, 0xff}, anyLength)
}

// denseType returns t with what dictionaries stand for in their place, t itself if there are none.
func denseType(t arrow.DataType) arrow.DataType {
	elem := func(f arrow.Field) (arrow.Field, bool) {
		d := denseType(f.Type)
		changed := d != f.Type
		f.Type = d
		return f, changed
	}
	switch x := t.(type) {
	case *arrow.DictionaryType:
		return denseType(x.ValueType)
	case *arrow.ListType:
		if f, ok := elem(x.ElemField()); ok {
			return arrow.ListOfField(f)
		}
	case *arrow.LargeListType:
		if f, ok := elem(x.ElemField()); ok {
			return arrow.LargeListOfField(f)
		}
	case *arrow.ListViewType:
		if f, ok := elem(x.ElemField()); ok {
			return arrow.ListViewOfField(f)
		}
	case *arrow.LargeListViewType:
		if f, ok := elem(x.ElemField()); ok {
			return arrow.LargeListViewOfField(f)
		}
	case *arrow.FixedSizeListType:
		if f, ok := elem(x.ElemField()); ok {
			return arrow.FixedSizeListOfField(x.Len(), f)
		}
	case *arrow.MapType:
		k, kc := elem(x.KeyField())
		v, vc := elem(x.ItemField())
		if kc || vc {
			m := arrow.MapOfFields(k, v)
			m.KeysSorted = x.KeysSorted
			return m
		}
	case *arrow.StructType:
		fields := x.Fields()
		changed := false
		for i := range fields {
			f, ok := elem(fields[i])
			fields[i], changed = f, changed || ok
		}
		if changed {
			return arrow.StructOf(fields...)
		}
	}
	return t
}

// denseData returns data of the type that denseType gives.
func denseData(data arrow.ArrayData, mem memory.Allocator) (arrow.ArrayData, error) {
	t := denseType(data.DataType())
	if t == data.DataType() {
		data.Retain()
		return data, nil
	}
	if _, ok := data.DataType().(*arrow.DictionaryType); ok {
		d := array.NewDictionaryData(data)
		defer d.Release()
		values, err := compute.TakeArray(compute.WithAllocator(context.Background(), mem), d.Dictionary(), d.Indices())
		if err != nil {
			return nil, err
		}
		defer values.Release()
		return denseData(values.Data(), mem)
	}
	children := make([]arrow.ArrayData, len(data.Children()))
	for i, c := range data.Children() {
		child, err := denseData(c, mem)
		if err != nil {
			return nil, err
		}
		defer child.Release()
		children[i] = child
	}
	return array.NewData(t, data.Len(), data.Buffers(), children, data.NullN(), data.Offset()), nil
}

// arrayBytes returns about how many bytes the values of an array take, of a slice those of the slice.
func arrayBytes(a arrow.Array) int64 { return rangeBytes(a, 0, int64(a.Len())) }

func rangeBytes(a arrow.Array, lo, hi int64) int64 {
	if hi <= lo {
		return 0
	}
	n := hi - lo
	switch x := a.(type) {
	case array.ExtensionArray:
		return rangeBytes(x.Storage(), lo, hi)
	case *array.Dictionary:
		return n*int64(x.Indices().DataType().(arrow.FixedWidthDataType).Bytes()) + arrayBytes(x.Dictionary())
	case *array.Struct:
		total := n / 8
		for i := range x.NumField() {
			total += rangeBytes(x.Field(i), lo, min(hi, int64(x.Field(i).Len())))
		}
		return total
	case *array.Map:
		first, _ := x.ValueOffsets(int(lo))
		_, last := x.ValueOffsets(int(hi - 1))
		return 4*n + rangeBytes(x.ListValues(), first, last)
	case *array.ListView, *array.LargeListView:
		return 16*n + arrayBytes(x.(array.ListLike).ListValues())
	case array.ListLike:
		first, _ := x.ValueOffsets(int(lo))
		_, last := x.ValueOffsets(int(hi - 1))
		return 4*n + rangeBytes(x.ListValues(), first, last)
	case *array.String:
		return 4*n + int64(x.ValueOffset(int(hi-1))+x.ValueLen(int(hi-1))-x.ValueOffset(int(lo)))
	case *array.LargeString:
		return 8*n + x.ValueOffset(int(hi-1)) + int64(x.ValueLen(int(hi-1))) - x.ValueOffset(int(lo))
	case *array.Binary:
		return 4*n + int64(x.ValueOffset(int(hi-1))+x.ValueLen(int(hi-1))-x.ValueOffset(int(lo)))
	case *array.LargeBinary:
		return 8*n + x.ValueOffset(int(hi-1)) + int64(x.ValueLen(int(hi-1))) - x.ValueOffset(int(lo))
	}
	if t, ok := a.DataType().(arrow.FixedWidthDataType); ok {
		return n * int64(t.BitWidth()) / 8
	}
	var total int64
	for _, b := range a.Data().Buffers() {
		if b != nil {
			total += int64(b.Len())
		}
	}
	return total
}

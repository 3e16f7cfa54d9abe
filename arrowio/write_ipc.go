package arrowio

import (
	"context"
	"encoding/binary"
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/bitutil"
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
	out        *sink
	schema     *arrow.Schema // as written
	file       bool
	batchBytes int64
	mem        memory.Allocator
	dense      []bool // columns written as another type
}

// newIPCEncoder checks the schema by encoding it. A file can hold one dictionary for a column, which nobody knows before the
// last batch, so dictionaries are written out there; a stream keeps them. List views become lists: the library fails at
// slices of them that hold no values.
func newIPCEncoder(out *sink, schema *arrow.Schema, o WriteOptions) (*ipcEncoder, error) {
	e := &ipcEncoder{out: out, schema: schema, file: o.Format == Arrow, batchBytes: o.RowGroupBytes, mem: o.Allocator}
	e.dense = make([]bool, schema.NumFields())
	fields := schema.Fields()
	for i := range fields {
		if t := e.denseType(fields[i].Type); t != fields[i].Type {
			fields[i].Type, e.dense[i] = t, true
		}
	}
	metadata := schema.Metadata()
	e.schema = arrow.NewSchema(fields, &metadata)
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
			err = &ColumnError{Column: f.Name, Row: -1, Reason: fmt.Sprintf("%s cannot be written: %v", f.Type, p)}
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
			data, err := e.denseData(part.Data())
			part.Release()
			if err != nil {
				return fmt.Errorf("write out column %q: %w", rec.ColumnName(i), err)
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
	// The library lets go of dictionaries when it ends the output, which is not to end like that.
	e.out.discard = true
	func() {
		defer func() { _ = recover() }()
		_ = e.w.Close()
	}()
	e.out.discard = false
	if e.file {
		return make([]byte, 8)
	}
	const anyLength = 1024
	return binary.LittleEndian.AppendUint32([]byte{0xff, 0xff, 0xff, 0xff}, anyLength)
}

// denseType returns t with lists in the place of list views, and in a file, or around a list view, what a dictionary stands for
// in its place; t itself if it has neither.
func (e *ipcEncoder) denseType(t arrow.DataType) arrow.DataType {
	elem := func(f arrow.Field) (arrow.Field, bool) {
		d := e.denseType(f.Type)
		changed := d != f.Type
		f.Type = d
		return f, changed
	}
	switch x := t.(type) {
	case *arrow.DictionaryType:
		if e.file || e.denseType(x.ValueType) != x.ValueType {
			return e.expand().denseType(x.ValueType)
		}
	case *arrow.ListType:
		if f, ok := elem(x.ElemField()); ok {
			return arrow.ListOfField(f)
		}
	case *arrow.LargeListType:
		if f, ok := elem(x.ElemField()); ok {
			return arrow.LargeListOfField(f)
		}
	case *arrow.ListViewType:
		f, _ := elem(x.ElemField())
		return arrow.ListOfField(f)
	case *arrow.LargeListViewType:
		f, _ := elem(x.ElemField())
		return arrow.LargeListOfField(f)
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

// expand returns the encoder whose denseType leaves no dictionary.
func (e *ipcEncoder) expand() *ipcEncoder { return &ipcEncoder{file: true, mem: e.mem} }

// denseData returns data of the type that denseType gives.
func (e *ipcEncoder) denseData(data arrow.ArrayData) (arrow.ArrayData, error) {
	t := e.denseType(data.DataType())
	if t == data.DataType() {
		data.Retain()
		return data, nil
	}
	a := array.MakeFromData(data)
	defer a.Release()
	buffers, offset := data.Buffers(), data.Offset()
	var children []arrow.ArrayData
	switch x := a.(type) {
	case *array.Dictionary:
		dense, err := e.expand().denseData(x.Dictionary().Data())
		if err != nil {
			return nil, err
		}
		defer dense.Release()
		dictionary := array.MakeFromData(dense)
		defer dictionary.Release()
		values, err := e.lookUp(x, dictionary)
		if err != nil {
			return nil, err
		}
		defer values.Release()
		values.Data().Retain()
		return values.Data(), nil
	case *array.ListView, *array.LargeListView:
		view := a.(array.ListLike)
		n := view.Len()
		var (
			small = []int32{0}
			large = []int64{0}
			runs  [][2]int64
		)
		for i := range n {
			end := large[i]
			if view.IsValid(i) {
				lo, hi := view.ValueOffsets(i)
				runs = append(runs, [2]int64{lo, hi})
				end += hi - lo
			}
			small, large = append(small, int32(end)), append(large, end)
		}
		values, err := e.concatenate(view.ListValues(), runs)
		if err != nil {
			return nil, err
		}
		defer values.Release()
		offsets := memory.NewBufferBytes(arrow.Int32Traits.CastToBytes(small))
		if t.ID() == arrow.LARGE_LIST {
			offsets = memory.NewBufferBytes(arrow.Int64Traits.CastToBytes(large))
		}
		defer offsets.Release()
		var valid *memory.Buffer
		if view.NullN() > 0 {
			valid = memory.NewBufferBytes(make([]byte, bitutil.BytesForBits(int64(n))))
			defer valid.Release()
			bitutil.CopyBitmap(view.NullBitmapBytes(), offset, n, valid.Bytes(), 0)
		}
		buffers, offset = []*memory.Buffer{valid, offsets}, 0
		children = []arrow.ArrayData{values.Data()}
	default:
		children = data.Children()
	}
	dense := make([]arrow.ArrayData, len(children))
	for i, c := range children {
		child, err := e.denseData(c)
		if err != nil {
			return nil, err
		}
		defer child.Release()
		dense[i] = child
	}
	return array.NewData(t, data.Len(), buffers, dense, data.NullN(), offset), nil
}

// lookUp returns what a dictionary array stands for, its values taken from dictionary.
func (e *ipcEncoder) lookUp(x *array.Dictionary, dictionary arrow.Array) (arrow.Array, error) {
	switch dictionary.DataType().(type) {
	case arrow.NestedType, *arrow.Decimal32Type, *arrow.Decimal64Type, arrow.ExtensionType, *arrow.BinaryViewType, *arrow.StringViewType: // not taken
	default:
		return compute.TakeArray(compute.WithAllocator(context.Background(), e.mem), dictionary, x.Indices())
	}
	null := array.MakeArrayOfNull(e.mem, dictionary.DataType(), 1)
	defer null.Release()
	parts := []arrow.Array{array.NewSlice(dictionary, 0, 0)}
	for i := range x.Len() {
		if x.IsNull(i) {
			null.Retain()
			parts = append(parts, null)
		} else {
			at := int64(x.GetValueIndex(i))
			parts = append(parts, array.NewSlice(dictionary, at, at+1))
		}
	}
	defer func() {
		for _, p := range parts {
			p.Release()
		}
	}()
	return array.Concatenate(parts, e.mem)
}

// concatenate returns the given runs of values one after the other.
func (e *ipcEncoder) concatenate(values arrow.Array, runs [][2]int64) (arrow.Array, error) {
	parts := []arrow.Array{array.NewSlice(values, 0, 0)}
	for _, r := range runs {
		parts = append(parts, array.NewSlice(values, r[0], r[1]))
	}
	defer func() {
		for _, p := range parts {
			p.Release()
		}
	}()
	return array.Concatenate(parts, e.mem)
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

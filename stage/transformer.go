package stage

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/bitutil"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/aefeat/aefeat/arrowio"
	"github.com/aefeat/aefeat/model"
)

// The layouts of codes.
const (
	// LayoutColumns is one float32 column for each hidden unit: code_000,
	// code_001 and so on, all numbers as wide as the last.
	LayoutColumns = "columns"
	// LayoutList is one column of fixed-size lists of float32: code.
	LayoutList = "list"
)

// TransformConfig says where the patch is and what comes out. The zero value
// takes the columns of the model and adds columns code_0...
type TransformConfig struct {
	Columns  []string // names or patterns of the patch columns; nil: those of the model
	Skip     bool     // a bad row gets a null code, instead of an error
	PixelMax float64  // divisor for elements of another type than the model's; 0: that is an error
	Layout   string   // LayoutColumns, the default, or LayoutList
	Prefix   string   // name of the list, or of the columns before their numbers; "": "code"
	Keep     []string // input columns that stay; nil: all, empty: none
	FirstRow int64    // number of the first row, for errors

	Allocator memory.Allocator // of the codes; nil: memory.DefaultAllocator
}

// Transformer adds codes to record batches. It is safe for concurrent use.
type Transformer struct {
	model    *model.Model
	first    int64
	mem      memory.Allocator
	keep     []int // input columns that stay, in the order of the input
	list     bool
	nullable bool
	in, out  *arrow.Schema
	columns  []string
	workers  sync.Pool
}

// worker is what one goroutine needs to encode.
type worker struct {
	binding *arrowio.Binding
	encoder *model.Encoder
	codes   []float32 // of a chunk of rows
}

// encodeRows is how many rows are encoded at a time: enough to keep a matrix
// product at full speed, few enough for their codes to stay in the cache.
const encodeRows = 512

// NewTransformer returns a Transformer for batches of the given schema. It
// checks everything that can be checked before the first row: that the
// columns are there and fit the model, and that no name is used twice. m must
// not change while the Transformer is in use.
func NewTransformer(m *model.Model, schema *arrow.Schema, c TransformConfig) (*Transformer, error) {
	m, binding, err := bindTo(m, schema, c.Columns, c.Skip, c.PixelMax)
	if err != nil {
		return nil, err
	}
	t := &Transformer{
		model: m, first: c.FirstRow, mem: c.Allocator, nullable: c.Skip,
		in: schema, columns: binding.Columns(),
	}
	if t.mem == nil {
		t.mem = memory.DefaultAllocator
	}
	switch c.Layout {
	case "", LayoutColumns:
	case LayoutList:
		t.list = true
	default:
		return nil, &model.ConfigError{Setting: "layout", Reason: fmt.Sprintf("%q is unknown", c.Layout), Hint: "choose columns or list"}
	}
	if c.Prefix == "" {
		c.Prefix = "code"
	}
	if err := t.build(c.Keep, c.Prefix); err != nil {
		return nil, err
	}
	t.workers.New = func() any {
		return &worker{
			binding: binding.Clone(),
			encoder: model.NewEncoder(m),
			codes:   make([]float32, encodeRows*m.Hidden),
		}
	}
	return t, nil
}

// build makes the output schema.
func (t *Transformer) build(keep []string, prefix string) error {
	for _, name := range keep {
		if !t.in.HasField(name) {
			return &arrowio.RowError{Column: name, Row: -1, Reason: "the column to keep is not in the data", Hint: "check the names given to --keep"}
		}
	}
	var fields []arrow.Field
	taken := map[string]bool{}
	for i, field := range t.in.Fields() {
		if keep == nil || slices.Contains(keep, field.Name) {
			t.keep = append(t.keep, i)
			fields = append(fields, field)
			taken[field.Name] = true
		}
	}
	for _, field := range t.codeFields(prefix) {
		if taken[field.Name] {
			return &arrowio.RowError{Column: field.Name, Row: -1, Reason: "the name is already taken in the data",
				Hint: "name the codes otherwise with --prefix, or keep fewer columns with --keep"}
		}
		fields = append(fields, field)
	}
	metadata := t.in.Metadata()
	t.out = arrow.NewSchema(fields, &metadata)
	return nil
}

func (t *Transformer) codeFields(prefix string) []arrow.Field {
	h := t.model.Hidden
	if t.list {
		return []arrow.Field{{Name: prefix, Type: arrow.FixedSizeListOf(int32(h), arrow.PrimitiveTypes.Float32), Nullable: t.nullable}}
	}
	fields := make([]arrow.Field, h)
	digits := len(strconv.Itoa(h - 1))
	for j := range fields {
		fields[j] = arrow.Field{Name: fmt.Sprintf("%s_%0*d", prefix, digits, j), Type: arrow.PrimitiveTypes.Float32, Nullable: t.nullable}
	}
	return fields
}

// Schema returns the schema of the batches that Transform returns: the kept
// columns, then the codes.
func (t *Transformer) Schema() *arrow.Schema { return t.out }

// Columns returns the names of the input columns that hold the patch.
func (t *Transformer) Columns() []string { return slices.Clone(t.columns) }

// Transform returns batch with codes: as many rows, in their order, with the
// kept columns by reference. The caller releases it. Errors number the rows
// of the batch from TransformConfig.FirstRow.
func (t *Transformer) Transform(ctx context.Context, batch arrow.RecordBatch) (arrow.RecordBatch, error) {
	return t.TransformAt(ctx, batch, t.first)
}

// TransformAt is Transform for a batch whose first row has the given number.
func (t *Transformer) TransformAt(ctx context.Context, batch arrow.RecordBatch, first int64) (arrow.RecordBatch, error) {
	out, _, err := t.transform(ctx, batch, first)
	return out, err
}

// transform also returns how many rows were skipped.
func (t *Transformer) transform(ctx context.Context, batch arrow.RecordBatch, first int64) (arrow.RecordBatch, int, error) {
	if err := ctx.Err(); err != nil {
		return nil, 0, err
	}
	if s := batch.Schema(); s != t.in && !s.Equal(t.in) {
		return nil, 0, fmt.Errorf("batch at row %d: its schema is not the one of the data", first)
	}
	w := t.workers.Get().(*worker)
	defer t.workers.Put(w)
	bound, err := w.binding.Rows(batch, first)
	if err != nil {
		return nil, 0, err
	}
	rows := rowsOf(bound)
	if rows.Len() > 0 {
		if err := t.model.Check(rows); err != nil {
			return nil, 0, located(err, t.columns)
		}
	}
	codes := newCodes(t, int(batch.NumRows()))
	defer codes.release()
	if err := codes.encode(ctx, w, rows, first); err != nil {
		return nil, 0, err
	}
	columns := make([]arrow.Array, 0, t.out.NumFields())
	for _, i := range t.keep {
		columns = append(columns, batch.Column(i))
	}
	made := codes.arrays()
	out := array.NewRecordBatch(t.out, append(columns, made...), batch.NumRows())
	for _, a := range made {
		a.Release()
	}
	return out, len(bound.Skipped), nil
}

// codes is the memory of the codes of one batch of m rows.
type codes struct {
	t      *Transformer
	m      int
	stride int // elements from one column to the next, for columns
	buffer *memory.Buffer
	values []float32
	valid  *memory.Buffer // nil when all are
	nulls  int
}

// newCodes takes all memory in one piece. Columns begin at multiples of 64
// bytes, as Arrow recommends.
func newCodes(t *Transformer, m int) *codes {
	c := &codes{t: t, m: m, stride: m, buffer: memory.NewResizableBuffer(t.mem)}
	if !t.list {
		c.stride = (m + 15) / 16 * 16
	}
	c.buffer.Resize(c.stride * t.model.Hidden * arrow.Float32SizeBytes)
	c.values = arrow.Float32Traits.CastFromBytes(c.buffer.Bytes())
	return c
}

// encode fills in the codes of rows; those of the batch that are missing
// among them are null.
func (c *codes) encode(ctx context.Context, w *worker, rows model.Rows, first int64) error {
	h := c.t.model.Hidden
	if c.nulls = c.m - rows.Len(); c.nulls > 0 {
		clear(c.values)
		c.valid = memory.NewResizableBuffer(c.t.mem)
		c.valid.Resize(int(bitutil.BytesForBits(int64(c.m))))
		clear(c.valid.Bytes())
		for _, n := range rows.Number {
			bitutil.SetBit(c.valid.Bytes(), int(n-first))
		}
	}
	rowBytes := rows.Width * rows.Kind.Size()
	for lo := 0; lo < rows.Len(); lo += encodeRows {
		if err := ctx.Err(); err != nil {
			return err
		}
		hi := min(lo+encodeRows, rows.Len())
		chunk := model.Rows{Kind: rows.Kind, Width: rows.Width, Data: rows.Data[lo*rowBytes : hi*rowBytes], Number: rows.Number[lo:hi]}
		if c.t.list && c.nulls == 0 {
			if err := w.encoder.Encode(c.values[lo*h:hi*h], chunk); err != nil {
				return err
			}
			continue
		}
		if err := w.encoder.Encode(w.codes[:(hi-lo)*h], chunk); err != nil {
			return err
		}
		switch {
		case c.t.list:
			for i, n := range chunk.Number {
				copy(c.values[int(n-first)*h:][:h], w.codes[i*h:])
			}
		case c.nulls == 0:
			c.transpose(w.codes, lo, hi)
		default:
			for i, n := range chunk.Number {
				for j := range h {
					c.values[j*c.stride+int(n-first)] = w.codes[i*h+j]
				}
			}
		}
	}
	return nil
}

// transpose copies the codes of rows lo up to hi into columns, 16 rows at a
// time: a cache line of each column.
func (c *codes) transpose(from []float32, lo, hi int) {
	h := c.t.model.Hidden
	for i := lo; i < hi; i += 16 {
		tile := from[(i-lo)*h:]
		n := min(16, hi-i)
		for j := range h {
			column := c.values[j*c.stride+i:][:n]
			for k := range column {
				column[k] = tile[k*h+j]
			}
		}
	}
}

// arrays returns the code columns. The caller releases them.
func (c *codes) arrays() []arrow.Array {
	if c.t.list {
		return []arrow.Array{c.listArray()}
	}
	arrays := make([]arrow.Array, c.t.model.Hidden)
	for j := range arrays {
		column := memory.SliceBuffer(c.buffer, j*c.stride*arrow.Float32SizeBytes, c.m*arrow.Float32SizeBytes)
		data := array.NewData(arrow.PrimitiveTypes.Float32, c.m, []*memory.Buffer{c.valid, column}, nil, c.nulls, 0)
		column.Release()
		arrays[j] = array.NewFloat32Data(data)
		data.Release()
	}
	return arrays
}

func (c *codes) listArray() arrow.Array {
	values := array.NewData(arrow.PrimitiveTypes.Float32, c.m*c.t.model.Hidden, []*memory.Buffer{nil, c.buffer}, nil, 0, 0)
	defer values.Release()
	typ := c.t.out.Field(c.t.out.NumFields() - 1).Type
	data := array.NewData(typ, c.m, []*memory.Buffer{c.valid}, []arrow.ArrayData{values}, c.nulls, 0)
	defer data.Release()
	return array.NewFixedSizeListData(data)
}

func (c *codes) release() {
	c.buffer.Release()
	if c.valid != nil {
		c.valid.Release()
	}
}

package stage

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/aefeat/aefeat/model"
	"github.com/aefeat/aefeat/patch"
)

// The layouts of codes.
const (
	// LayoutColumns is one float32 column for each hidden unit: code_000,
	// code_001 and so on, all numbers as wide as the last.
	LayoutColumns = "columns"
	// LayoutList is one column of fixed-size lists of float32: code.
	LayoutList = "list"
	// LayoutArray is one column of lists of float32 that may have any length:
	// code. Some programs, such as Spark, take no fixed-size lists.
	LayoutArray = "array"
	// LayoutSparse is two columns, of what is not 0 in each code: code_indices,
	// lists of uint32 that ascend from 0 up, and code_values, as many float32.
	// -0 counts as 0. The field of the indices has the number of units as
	// metadata, under patch.UnitsKey. A null code is null in both.
	LayoutSparse = "sparse"
	// LayoutNone leaves the codes out, for who wants reconstructions or scores
	// alone.
	LayoutNone = "none"
)

// TransformConfig says where the patch is and what comes out. The zero value
// takes the columns of the model and adds columns code_0...
type TransformConfig struct {
	Columns []string // names or patterns of the patch; nil: those of the model

	// Skip gives bad rows null codes, and [Transformer.BadRows] tells of them,
	// instead of failing at the first. See the package comment.
	Skip bool

	// Decode decodes encoded images; nil: they are an error. Images says what
	// they become; where it is zero, what the model says.
	Decode patch.Decoder
	Images model.Images

	// PixelMax is the divisor for elements of another type than the model's. 0:
	// that is an error.
	PixelMax float64

	Layout   string   // LayoutColumns, the default, or another
	Prefix   string   // of the columns' names, or name of the list; "": "code"
	Keep     []string // input columns, or pairs of sparse codes, that stay; nil: all, empty: none
	FirstRow int64    // number of the first row, from 0 up, for errors

	// Reconstruction adds a column of that name, fixed-size lists of n float32:
	// what the model makes of the row, in the space of preprocessed rows. Score
	// adds a column score, float32: the squared error of that, sum |y - x|^2.
	Reconstruction, Score bool

	// ModelHash is that of the model's file, as model.ReadInfo tells it. The
	// metadata of the output have it under ModelKey. "": they name no model.
	ModelHash string

	Allocator memory.Allocator // of what is added; nil: memory.DefaultAllocator
}

// The names of the columns that TransformConfig.Reconstruction and Score add.
const (
	reconstructionName = "reconstruction"
	scoreName          = "score"
)

// Validate reports the first setting that is out of bounds or does not go with
// the others, as a [*model.ConfigError]. [NewTransformer] does so too.
func (c TransformConfig) Validate() error {
	switch c.Layout {
	case "", LayoutColumns, LayoutList, LayoutArray, LayoutSparse:
	case LayoutNone:
		if !c.Reconstruction && !c.Score {
			return &model.ConfigError{Setting: "Layout", Reason: "layout none leaves nothing to add",
				Hint: "ask for `Reconstruction`, or ask for `Score`, or choose `Layout` list"}
		}
	default:
		return &model.ConfigError{Setting: "Layout", Reason: fmt.Sprintf("%q is unknown", c.Layout), Hint: "choose columns, list, array, sparse or none"}
	}
	return checkNumbers(c.FirstRow, 0)
}

// Transformer adds codes to record batches. It is safe for concurrent use.
type Transformer struct {
	model    *model.Model
	first    int64
	mem      memory.Allocator
	keep     []int  // input columns that stay, in their order; out begins with them
	code     string // layout of the codes
	y, score bool   // reconstructions and scores are wanted
	skip     bool   // bad rows have null codes, and no row fails
	images   bool   // rows may be encoded images
	in, out  *arrow.Schema
	columns  []string
	workers  sync.Pool

	mutex sync.Mutex
	bad   patch.BadRows // of all calls
}

// worker is what one goroutine needs to encode.
type worker struct {
	binding *patch.Binding
	encoder *model.Encoder
	codes   []float32         // of a chunk of rows, on their way to columns or pairs
	kept    model.SparseCodes // the same of a k-sparse model, on their way to pairs
	rows    []byte            // of a batch, without those that are out of range

	schema *arrow.Schema // of the batch before
	keep   []int         // its columns that stay
}

// screen takes the rows that are out of range out, and notes them in bad,
// unless the first of them is an error. The batch, where the rows may lie,
// stays as it is.
func (w *worker) screen(t *Transformer, rows model.Rows, bad *patch.BadRows) (model.Rows, error) {
	at, err := outside(t.model, rows, t.skip)
	if len(at) == 0 {
		return rows, err
	}
	for _, i := range at {
		bad.Add(patch.BadRow{Row: rows.Number[i], Reason: patch.OutOfRange})
	}
	w.rows = slices.Grow(w.rows[:0], len(rows.Data))
	return drop(rows, at, w.rows[:len(rows.Data)]), nil
}

// encodeRows is how many rows are encoded at a time: enough to keep a matrix
// product at full speed, few enough for their codes to stay in the cache.
const encodeRows = 512

// NewTransformer returns a Transformer for batches of the given schema. It
// checks everything that can be checked before the first row: that the
// columns are there and fit the model, and that no name is used twice. For that
// m need not have parameters yet, nor Inputs, unless a reconstruction is wanted
// whose width the schema does not tell. It must not change while the
// Transformer is in use.
func NewTransformer(m *model.Model, schema *arrow.Schema, c TransformConfig) (*Transformer, error) {
	m, binding, err := bindTo(m, schema, EvaluateConfig{Columns: c.Columns, Skip: c.Skip, PixelMax: c.PixelMax, Decode: c.Decode, Images: c.Images})
	if err != nil {
		return nil, err
	}
	if err := c.Validate(); err != nil {
		return nil, err
	}
	t := &Transformer{
		model: m, first: c.FirstRow, mem: c.Allocator, skip: c.Skip,
		in: schema, columns: binding.Columns(), code: cmp.Or(c.Layout, LayoutColumns), y: c.Reconstruction, score: c.Score,
		images: binding.MayHoldImages(),
	}
	if t.mem == nil {
		t.mem = memory.DefaultAllocator
	}
	if err := t.checkWidths(); err != nil {
		return nil, err
	}
	if err := t.build(c.Keep, cmp.Or(c.Prefix, "code"), c.ModelHash); err != nil {
		return nil, err
	}
	t.workers.New = func() any {
		w := &worker{binding: binding.Clone(), encoder: model.NewEncoder(m), schema: t.in, keep: t.keep}
		if t.code == LayoutColumns || t.code == LayoutSparse && m.K == 0 {
			w.codes = make([]float32, encodeRows*m.Hidden)
		}
		return w
	}
	return t, nil
}

// checkWidths reports what no schema can hold, or what it needs and is not
// known.
func (t *Transformer) checkWidths() error {
	n, h := t.model.Inputs, t.model.Hidden
	switch {
	case t.code != LayoutNone && h > math.MaxInt32:
		return &model.ConfigError{Setting: "Hidden", Reason: fmt.Sprintf("%d codes are more than a row can have", h), Hint: "choose `Layout` none"}
	case t.y && n < 1:
		return &model.ConfigError{Setting: "Inputs", Reason: "the width of a reconstruction is not known", Hint: "leave `Reconstruction` out"}
	}
	return nil
}

// build makes the output schema. hash is that of the model; "": unknown.
func (t *Transformer) build(keep []string, prefix, hash string) error {
	stays, err := t.kept(keep)
	if err != nil {
		return err
	}
	var fields []arrow.Field
	taken := map[string]bool{}
	for i, field := range t.in.Fields() {
		if keep == nil || stays[i] {
			t.keep = append(t.keep, i)
			fields = append(fields, field)
			taken[field.Name] = true
		}
	}
	o := newOutputColumns(slices.Clone(fields), t.added(prefix))
	for _, field := range o.added {
		if taken[field.Name] {
			hint := "name the codes otherwise with `Prefix`, or keep fewer columns with `Keep`"
			if !strings.HasPrefix(field.Name, prefix) {
				hint = "keep fewer columns with `Keep`"
			}
			return &patch.RowError{Column: field.Name, Row: -1, Key: patch.KeyTaken, Reason: "the name is already taken", Hint: hint}
		}
		fields = append(fields, field)
		taken[field.Name] = true
	}
	metadata := WithModel(o.metadata(t.in.Metadata()), hash)
	t.out = arrow.NewSchema(fields, &metadata)
	return nil
}

// kept reports of each input column whether it is among those to keep.
func (t *Transformer) kept(keep []string) ([]bool, error) {
	stays := make([]bool, t.in.NumFields())
	var pairs []string // what may be one
	for _, name := range keep {
		at := t.in.FieldIndices(name)
		if len(at) == 0 {
			pairs = append(pairs, name)
		}
		for _, i := range at {
			stays[i] = true
		}
	}
	missing := func(name string) error {
		return &patch.RowError{Column: name, Row: -1, Key: patch.KeyMissing, Reason: "the column to keep is not in the data", Hint: "check the names given to `Keep`"}
	}
	for _, name := range pairs {
		if _, _, err := patch.Find(t.in, name); err == nil { // a field of a struct
			return nil, missing(name)
		}
	}
	paths, err := patch.Paths(t.in, pairs)
	if at := (*patch.RowError)(nil); errors.As(err, &at) {
		return nil, missing(at.Column)
	}
	for i, path := range paths { // two of each pair
		if len(path) > 1 {
			return nil, missing(pairs[i/2])
		}
		stays[path[0]] = true
	}
	return stays, nil
}

// added returns the fields of the columns that are added.
func (t *Transformer) added(prefix string) []arrow.Field {
	fields := CodeFields(t.code, prefix, t.model.Hidden)
	if t.y {
		fields = append(fields, arrow.Field{Name: reconstructionName, Type: listOf(t.model.Inputs)})
	}
	if t.score {
		fields = append(fields, arrow.Field{Name: scoreName, Type: arrow.PrimitiveTypes.Float32})
	}
	for i := range fields {
		fields[i].Nullable = t.skip
	}
	return fields
}

// CodeFields returns the fields of columns without nulls that hold codes of h
// units in a layout. prefix is their name, or begins it.
func CodeFields(layout, prefix string, h int) []arrow.Field {
	switch layout {
	case LayoutList:
		return []arrow.Field{{Name: prefix, Type: listOf(h)}}
	case LayoutArray:
		return []arrow.Field{{Name: prefix, Type: arrow.ListOf(arrow.PrimitiveTypes.Float32)}}
	case LayoutSparse:
		units := arrow.NewMetadata([]string{patch.UnitsKey}, []string{strconv.Itoa(h)})
		return []arrow.Field{
			{Name: prefix + patch.IndicesSuffix, Type: arrow.ListOf(arrow.PrimitiveTypes.Uint32), Metadata: units},
			{Name: prefix + patch.ValuesSuffix, Type: arrow.ListOf(arrow.PrimitiveTypes.Float32)},
		}
	case LayoutColumns:
		var fields []arrow.Field
		digits := len(strconv.Itoa(h - 1))
		for j := range h {
			fields = append(fields, arrow.Field{Name: fmt.Sprintf("%s_%0*d", prefix, digits, j), Type: arrow.PrimitiveTypes.Float32})
		}
		return fields
	}
	return nil
}

// listOf is the type of a column with width values in each row.
func listOf(width int) arrow.DataType {
	return arrow.FixedSizeListOf(int32(width), arrow.PrimitiveTypes.Float32)
}

// rowBytes is the size of what is added to a row.
func (t *Transformer) rowBytes() int {
	floats := 0
	if t.code != LayoutNone {
		floats += t.model.Hidden
	}
	if t.y {
		floats += t.model.Inputs
	}
	if t.score {
		floats++
	}
	return floats * arrow.Float32SizeBytes
}

// Schema returns the schema of the batches that Transform returns: the kept
// columns, then the codes, the reconstruction and the score. Its metadata is
// that of the input. Keys that list the columns (of pandas, Spark, Hugging Face
// and GeoParquet) list those of the output; where they cannot (of Avro,
// Iceberg, Protocol Buffers and Thrift) they are left out. [ModelKey] and
// [EarlierModelsKey] tell of the models.
func (t *Transformer) Schema() *arrow.Schema { return t.out }

// Columns returns the names of the input columns that hold the patch, which
// [patch.Paths] finds.
func (t *Transformer) Columns() []string { return slices.Clone(t.columns) }

// Transform returns batch with codes: as many rows, in their order, with the
// kept columns by reference. The caller releases it. The fields of batch may
// differ from the schema in order and nullability, and those may be missing
// that are neither kept nor among [Transformer.Columns]. A null in a kept
// column whose field in the schema may have none is an error, with Skip too.
// Errors number the rows of the batch from TransformConfig.FirstRow.
func (t *Transformer) Transform(ctx context.Context, batch arrow.RecordBatch) (arrow.RecordBatch, error) {
	return t.TransformAt(ctx, batch, t.first)
}

// TransformAt is Transform for a batch whose first row has the given number.
func (t *Transformer) TransformAt(ctx context.Context, batch arrow.RecordBatch, first int64) (arrow.RecordBatch, error) {
	out, _, err := t.transform(ctx, batch, first)
	return out, err
}

// stays returns where the columns that stay are in a batch of the given schema.
func (t *Transformer) stays(s *arrow.Schema) ([]int, error) {
	if s.Equal(t.in) {
		return t.keep, nil
	}
	for i := range s.NumFields() {
		if f := s.Field(i); !t.in.HasField(f.Name) {
			return nil, fmt.Errorf("column %q is one too many", f.Name)
		}
	}
	keep := make([]int, len(t.keep))
	for i := range keep {
		want := t.out.Field(i)
		switch at := s.FieldIndices(want.Name); {
		case len(at) == 0:
			return nil, fmt.Errorf("column %q is missing", want.Name)
		case len(at) > 1:
			return nil, fmt.Errorf("two columns are called %q", want.Name)
		default:
			keep[i] = at[0]
		}
		if got := s.Field(keep[i]).Type; !arrow.TypeEqual(got, want.Type) {
			return nil, fmt.Errorf("column %q is %s, expected %s", want.Name, got, want.Type)
		}
	}
	return keep, nil
}

// checkNulls reports the first null in a column that stays and may have none;
// keep says where these columns are.
func (t *Transformer) checkNulls(batch arrow.RecordBatch, keep []int, first int64) error {
	for i, at := range keep {
		f, a := t.out.Field(i), batch.Column(at)
		if f.Nullable || f.Type.ID() == arrow.NULL || a.NullN() == 0 {
			continue
		}
		for row := range a.Len() {
			if a.IsNull(row) {
				return &patch.RowError{Column: f.Name, Row: first + int64(row), Reason: "null in a column that may have none",
					Hint: "make the field nullable in the schema, or leave the column out of `Keep`"}
			}
		}
	}
	return nil
}

// BadRows tells of the rows that were given null codes so far, by all calls
// that have returned without an error, numbered as they were then.
func (t *Transformer) BadRows() patch.BadRows {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	return t.bad.Clone()
}

// transform also returns which rows were skipped.
func (t *Transformer) transform(ctx context.Context, batch arrow.RecordBatch, first int64) (arrow.RecordBatch, patch.BadRows, error) {
	var none patch.BadRows
	switch {
	case t.model == nil:
		return nil, none, errZeroTransformer
	case t.model.Params == nil:
		return nil, none, errNoParams
	}
	if err := alive(ctx); err != nil {
		return nil, none, err
	}
	if err := patch.Usable(batch); err != nil {
		return nil, none, err
	}
	if err := checkNumbers(first, batch.NumRows()); err != nil {
		return nil, none, err
	}
	out, bad, err := t.add(ctx, batch, first)
	// Rows are read before their values are checked, and these before they are
	// encoded: an earlier row may have a fault that would be found later.
	for n := ahead(err, first); n > 0; n = ahead(err, first) {
		part := batch.NewSlice(0, n)
		out, _, earlier := t.add(ctx, part, first)
		part.Release()
		if earlier == nil {
			out.Release()
			break
		}
		err = earlier
	}
	if err != nil {
		return nil, none, err
	}
	t.mutex.Lock()
	t.bad.Merge(bad)
	t.mutex.Unlock()
	return out, bad, nil
}

// add adds the features to a batch.
func (t *Transformer) add(ctx context.Context, batch arrow.RecordBatch, first int64) (arrow.RecordBatch, patch.BadRows, error) {
	var bad patch.BadRows
	w := t.workers.Get().(*worker)
	defer t.workers.Put(w)
	if s := batch.Schema(); s != w.schema {
		keep, err := t.stays(s)
		if err != nil {
			return nil, bad, fmt.Errorf("batch at row %d: %w", first, err)
		}
		w.schema, w.keep = s, keep
	}
	if err := t.checkNulls(batch, w.keep, first); err != nil {
		return nil, bad, err
	}
	rows, skipped, err := w.binding.Rows(batch, first)
	if err != nil {
		return nil, bad, err
	}
	bad.Add(skipped...)
	if rows.Len() > 0 {
		if rows, err = w.screen(t, rows, &bad); err != nil {
			return nil, bad, located(err, t.columns, t.model, nil)
		}
	}
	f, err := newFeatures(t, int(batch.NumRows()))
	if err != nil {
		return nil, bad, err
	}
	defer f.release()
	if err := f.encode(ctx, w, rows, first, &bad); err != nil {
		return nil, bad, located(err, t.columns, t.model, nil)
	}
	columns := make([]arrow.Array, 0, t.out.NumFields())
	for _, i := range w.keep {
		columns = append(columns, batch.Column(i))
	}
	made := f.arrays()
	out := array.NewRecordBatch(t.out, append(columns, made...), batch.NumRows())
	for _, a := range made {
		a.Release()
	}
	return out, bad, nil
}

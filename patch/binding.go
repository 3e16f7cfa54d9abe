package patch

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/aefeat/aefeat/model"
)

// BindOptions says which columns hold the patch and what to do about rows that
// hold none. The zero value finds the columns by itself, takes the width from
// the data and fails at the first bad row.
type BindOptions struct {
	// Columns names the patch: one column of lists or bytes, or the scalar
	// columns that make it up. A dot leads into a struct ("img.pixels"), whose
	// name alone stands for the one patch in it, where there is one. In a
	// pattern * stands for anything, ? for one character and # for a number;
	// the columns it matches are taken in the natural order of the numbers in
	// their names, names without a pattern in the order given. An existing
	// column of exactly that name comes before any other meaning. Empty:
	// detect.
	Columns []string

	// Width is the number of values in a patch. 0: the first good row shows it.
	Width int

	// Units is the number of values in sparse codes where neither Width nor the
	// metadata tell it, which is an error for them. It says nothing of other
	// columns.
	Units int

	// Source is the type of the values in cells of bytes: "uint8" for raw
	// bytes, or of .npy files, all of one type. "": the first good row shows
	// it. It says nothing of other columns.
	Source string

	// BytesCure is what to do where cells hold raw bytes, encoded images or
	// .npy files of uint8 and Source is another type; for the hint.
	BytesCure string

	// Decode decodes encoded images, PNG and others, in cells of bytes of any
	// length, or in structs of bytes and a path as Hugging Face datasets have
	// them. Then it is the first rows that tell whether cells hold images or
	// pixels. It is called on all cores. nil: encoded images are an error.
	Decode Decoder

	// Images says what encoded images become. The zero value takes the size and
	// the channels of the first one, and of no other; its channels are those
	// that make patches of Width, where that is given. It says nothing of other
	// columns.
	Images model.Images

	// Skip leaves bad rows out, and [Binding.Rows] returns their positions and
	// what is wrong with them, where otherwise the first of them is an error.
	Skip bool
}

// A Binding reads patches out of record batches of one schema. It is made by
// [Bind]. It keeps nothing of a batch, but buffers that are as large as the
// largest batch needed. So it is not safe for concurrent use; [Binding.Clone]
// makes another for another goroutine.
type Binding struct {
	columns []boundColumn
	scalar  bool     // the columns are one value each
	source  *element // what the columns hold, or what covers them all
	kind    model.Kind
	open    bool // source is not known: cells may be .npy files
	images  encoded
	dims    []int // as in leaf; unknown where a row has to show it
	width   int   // product of dims, or as asked for; 0 while unknown

	schema *arrow.Schema // the one that boundColumn.index belongs to
	reader rowReader
}

// A boundColumn is one column of the patch.
type boundColumn struct {
	leaf
	index []int  // of the column in the schema, then of the field in each struct
	other []int  // the same of the values of a pair
	weave weaver // of scalar columns like it
	asked bool   // the type of values in cells of bytes is not up to the rows
	cure  string // of cells of uint8 where that is another
}

// unknown is the size of a list level that no row has shown yet.
const unknown = -1

// Bind decides which columns of schema hold the patch. When it cannot, the
// error lists the candidates. Errors are [*RowError] with Row -1.
//
// A patch is a FixedSizeList, List, LargeList or a view of numbers, uint8 to
// uint64, int8 to int64, float16 to float64, decimals and truth values, or of
// lists of them to any depth (rows of pixels), all of one shape; raw uint8
// pixels in fixed_size_binary, binary, large_binary or binary_view, where a
// cell of any length may also be a whole .npy file in C order; a vector of
// Spark, dense or sparse; sparse codes, two columns X_indices and X_values that
// are called X together, unless a column is; or one scalar column for every
// value. It may be a field of structs, dictionary-encoded at any level, and an
// extension type: an arrow.fixed_shape_tensor is taken in the order in which it
// is stored, whatever its permutation says, and [Binding.Shape] tells that
// order.
//
// With no columns named the patch is the one list of numbers, vector or pair of
// sparse codes; in a schema without them the one column of bytes; in one
// without bytes either (keys of 16, 20 or 32 bytes do not count) the scalar
// columns whose names differ in their numbers alone. Columns of truth values or
// decimals come after all these. Extension types have to be named, but for
// arrays: the tensors of Arrow, Ray and Daft and the arrays of Hugging Face
// datasets.
func Bind(schema *arrow.Schema, o BindOptions) (*Binding, error) {
	switch {
	case o.Width < 0:
		return nil, bindError("", fmt.Sprintf("width %d is negative", o.Width), "")
	case o.Units < 0 || o.Units > math.MaxInt32:
		return nil, bindError("", fmt.Sprintf("%d is not a number of units", o.Units), "")
	case o.Width > math.MaxInt32:
		return nil, bindError("", "patch of too many values", "")
	}
	if schema == nil {
		return nil, errNoSchema
	}
	var (
		chosen []leaf
		err    error
	)
	if len(o.Columns) == 0 {
		chosen, err = detect(leaves(schema))
	} else {
		chosen, err = newCatalog(schema).selectColumns(o.Columns)
	}
	if err != nil {
		return nil, err
	}

	b := &Binding{width: o.Width}
	b.reader.skip = o.Skip
	for _, l := range chosen {
		b.columns = append(b.columns, boundColumn{leaf: l})
	}
	if err := b.settleElements(chosen, o); err != nil {
		return nil, err
	}
	if err := b.settleWidth(o.Width); err != nil {
		return nil, err
	}
	if err := b.resolve(schema); err != nil {
		return nil, err
	}
	return b, nil
}

// settleElements sets what the chosen columns hold, and the sizes of their
// lists as far as these are known.
func (b *Binding) settleElements(chosen []leaf, o BindOptions) error {
	first := chosen[0]
	if b.scalar = len(first.dims) == 0; b.scalar {
		b.source = promote(chosen)
		b.dims = []int{len(chosen)}
	} else {
		b.source = first.element
		if first.mayHoldFiles() {
			b.open = o.Source == ""
			b.columns[0].asked, b.columns[0].cure = !b.open, o.BytesCure
			b.source = cmp.Or(elementNamed(o.Source), b.source)
			b.images = encoded{decode: o.Decode, want: o.Images}
			if first.image && first.tensor.Type == imageFeature {
				b.images.cells = images
			}
		}
		b.dims = slices.Clone(first.dims)
		if len(b.dims) == 1 && b.dims[0] == unknown && o.Width > 0 {
			b.dims[0] = o.Width
		}
		if first.isPair() && b.dims[0] == unknown {
			if o.Units == 0 {
				return errNoUnits(first)
			}
			b.dims[0] = o.Units
		}
	}
	b.kind = b.source.kind
	for i := range b.columns {
		b.columns[i].weave = b.columns[i].element.weave[b.kind]
	}
	return nil
}

// settleWidth sets the width as the schema tells it, if it does. asked is 0, or
// what it has to be.
func (b *Binding) settleWidth(asked int) error {
	n, first := product(b.dims), b.columns[0]
	switch {
	case n == unknown:
		return nil
	case n == 0:
		return bindError(first.name, fmt.Sprintf("%s holds empty patches", first.typ), "").keyed(KeyWidth)
	case n > math.MaxInt32: // no model comes near, and products of widths stay int
		return bindError(first.name, "patch of too many values", "")
	case asked > 0 && n != asked && b.scalar:
		return bindError("", fmt.Sprintf("patch of %d columns (%q to %q), expected %d", n, first.name, b.columns[n-1].name, asked), "").keyed(KeyWidth)
	case asked > 0 && n != asked:
		return bindError(first.name, fmt.Sprintf("patch of %d values, expected %d", n, asked), "").keyed(KeyWidth)
	}
	b.width = n
	return nil
}

// Columns returns the columns of the patch in its order: names, with dots into
// structs, and the one of a pair of sparse codes. [Paths] leads to what a
// projection has to keep.
func (b *Binding) Columns() []string {
	names := make([]string, len(b.columns))
	for i, c := range b.columns {
		names[i] = c.name
	}
	return names
}

// Source returns the type of the elements in the input, "uint8" to "float64",
// "bool" or "decimal". Scalar columns of several types give the narrowest type
// that covers them. Of cells of bytes it is "uint8" until the first row shows
// that they are .npy files of another type, and so is Kind.
func (b *Binding) Source() string { return b.source.name }

// Kind returns the form of the elements in the rows.
func (b *Binding) Kind() model.Kind { return b.kind }

// Width returns the number of values in a patch, 0 until a row has shown it.
func (b *Binding) Width() int { return b.width }

// Clone returns a binding of the same columns, with what b has learned of the
// width and with buffers of its own. Make clones once the width is known, or
// each learns it from the first row that it sees.
func (b *Binding) Clone() *Binding {
	c := *b
	c.dims = slices.Clone(b.dims)
	c.columns = slices.Clone(b.columns)
	c.reader = rowReader{marks: marks{skip: b.reader.skip}}
	return &c
}

// resolve finds the columns in a batch's schema, which may be a projection of
// the one that was bound. Where that fails, b stays as it is.
func (b *Binding) resolve(schema *arrow.Schema) error {
	if schema == b.schema {
		return nil
	}
	indexes, others := make([][]int, len(b.columns)), make([][]int, len(b.columns))
	for i := range b.columns {
		var err error
		if indexes[i], others[i], err = b.columns[i].locate(schema); err != nil {
			return err
		}
	}
	for i := range b.columns {
		b.columns[i].index, b.columns[i].other = indexes[i], others[i]
	}
	b.schema = schema
	return nil
}

// locate returns where a schema has the column, as boundColumn.index and other.
func (c *boundColumn) locate(schema *arrow.Schema) (index, other []int, err error) {
	if !c.isPair() {
		index, err = c.follow(schema, c.path, c.typ, func(f arrow.Field) bool {
			e, dims, ok := columnType(f)
			return ok && e == c.element && slices.Equal(dims, c.dims)
		})
		return index, nil, err
	}
	index, err = c.follow(schema, c.path, c.typ, func(f arrow.Field) bool { return holdsPair(f.Type, c.valuesType) })
	if err != nil {
		return nil, nil, err
	}
	other, err = c.follow(schema, c.values, c.valuesType, func(f arrow.Field) bool { return listElement(f.Type) == c.element })
	return index, other, err
}

// follow returns where a path leads in a schema. fits reports whether a field
// can be read as one of the type expected.
func (c *boundColumn) follow(schema *arrow.Schema, path []string, expected arrow.DataType, fits func(arrow.Field) bool) ([]int, error) {
	index := make([]int, 0, len(path))
	in := record(schema)
	for depth, name := range path {
		at := in.FieldIndices(name)
		switch len(at) {
		case 0:
			return nil, bindError(c.name, "no such column", "").keyed(KeyMissing)
		case 1:
		default:
			return nil, bindError(c.name, fmt.Sprintf("the name %q stands for two columns", strings.Join(path[:depth+1], ".")), "").keyed(KeyAmbiguous)
		}
		index = append(index, at[0])
		f := in.Field(at[0])
		if depth == len(path)-1 {
			if !fits(f) {
				return nil, bindError(c.name, fmt.Sprintf("type %s, expected %s", f.Type, expected), "").keyed(KeyType)
			}
			break
		}
		if in = fieldsOf(f.Type); in == nil {
			return nil, bindError(c.name, fmt.Sprintf("%q is %s, expected a struct", name, f.Type), "").keyed(KeyType)
		}
	}
	return index, nil
}

// product returns the number of values that lists of these sizes hold together,
// the largest int where they are more, or unknown.
func product(dims []int) int {
	switch {
	case slices.Contains(dims, 0):
		return 0
	case slices.Contains(dims, unknown):
		return unknown
	}
	n := 1
	for _, d := range dims {
		if n > math.MaxInt/d {
			return math.MaxInt
		}
		n *= d
	}
	return n
}

// bindError reports what is wrong with a column, or with the choice of it,
// whatever the row.
func bindError(column, reason, hint string) *RowError {
	return &RowError{Column: column, Row: -1, Reason: reason, Hint: hint}
}

var (
	errNoSchema    = bindError("", "there is no schema", "")
	errZeroBinding = bindError("", "a Binding comes from Bind", "")
)

package imageset

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/aefeat/aefeat/arrowio"
	"github.com/aefeat/aefeat/imagery"
	"github.com/aefeat/aefeat/internal/disk"
	"github.com/aefeat/aefeat/internal/npy"
	"github.com/aefeat/aefeat/model"
	"github.com/aefeat/aefeat/patch"
)

// A table is files of Parquet or Arrow with a column of images.
type table struct {
	o      *Options
	names  []string
	source *arrowio.Source
	column imageColumn
	extra  []string // of the label and the kept columns, as asked for
	fields []arrow.Field

	reader *arrowio.Reader // nil: not begun
	batch  arrow.RecordBatch
	at     int   // row of the batch that is next
	row    int64 // the same, of the whole source
	cells  cells // of the batch
}

// openTable opens files that lie one after the other.
func openTable(names []string, o *Options) (*table, error) {
	source, err := arrowio.Open(names, o.Open)
	if err != nil {
		return nil, err
	}
	t := &table{o: o, names: names, source: source}
	if err := t.choose(); err != nil {
		source.Close()
		return nil, ofFile(names[0], err)
	}
	return t, nil
}

// choose finds the columns.
func (t *table) choose() (err error) {
	schema := t.source.Schema()
	if t.column, err = findImages(schema, t.o); err != nil {
		return err
	}
	switch l := t.o.Label; {
	case l.Folder, l.File != "":
		return &hintedError{errors.New("the labels of Parquet and Arrow are in a column"), "name it with `Label`"}
	case l.Column != "":
		t.extra = append(t.extra, l.Column)
	}
	keep := t.o.Keep
	if t.o.KeepAll {
		for _, f := range schema.Fields() {
			if f.Name != t.column.name && f.Name != t.o.Label.Column {
				keep = append(keep, f.Name)
			}
		}
	}
	t.extra = append(t.extra, keep...)
	for i, name := range t.extra {
		_, f, err := patch.Find(schema, name)
		if err != nil {
			return err
		}
		f.Name, f.Nullable = name, true
		if i == 0 && t.o.Label.Column != "" {
			f.Name = LabelName
		}
		t.fields = append(t.fields, f)
	}
	return nil
}

func (t *table) count() int64 {
	n, ok := t.source.NumRows()
	if !ok {
		return -1
	}
	return n - t.row
}

func (t *table) files() []string { return t.names }

func (t *table) close() {
	t.drop()
	if t.reader != nil {
		t.reader.Release()
		t.reader = nil
	}
	t.source.Close()
}

func (t *table) drop() {
	if t.batch != nil {
		t.batch.Release()
		t.batch = nil
	}
}

// next returns the image of the next row.
func (t *table) next(ctx context.Context) (*item, error) {
	if t.reader == nil {
		paths, err := patch.Paths(t.source.Schema(), append([]string{t.column.name}, t.extra...))
		if err != nil {
			return nil, err
		}
		// The source ends with the set, and not with the context of a call.
		if t.reader, err = t.source.Reader(context.WithoutCancel(ctx), paths); err != nil {
			return nil, err
		}
	}
	for t.batch == nil || t.at == int(t.batch.NumRows()) {
		if err := t.load(); err != nil {
			return nil, err
		}
	}
	at, row := t.at, t.row
	t.at++
	t.row++
	file, inFile, ok := t.source.Locate(row)
	if !ok {
		file, inFile = t.names[0], row
	}
	it := &item{Image: Image{Name: fmt.Sprintf("%s#%d", file, inFile)}}
	column := t.column.name
	it.fault = func(err error) error { return ofRow(file, column, inFile, err) }
	it.decode, it.bytes = t.cells.cell(at, file)
	if len(t.fields) > 0 {
		t.batch.Retain()
		it.extra, it.at = t.batch, at
	}
	return it, nil
}

// load reads the next batch.
func (t *table) load() error {
	t.drop()
	if !t.reader.Next() {
		if err := t.reader.Err(); err != nil {
			return err
		}
		return io.EOF
	}
	read := t.reader.RecordBatch()
	var err error
	if t.cells, err = t.column.cells(read, t.o); err != nil {
		return t.located(err)
	}
	columns := make([]arrow.Array, len(t.extra))
	for i, name := range t.extra {
		if columns[i], err = columnOf(read, name); err != nil {
			return err
		}
	}
	t.batch, t.at = array.NewRecordBatch(arrow.NewSchema(t.fields, nil), columns, read.NumRows()), 0
	return nil
}

// located names the file in an error about the batch that begins with row
// t.row of the source.
func (t *table) located(err error) error {
	named := patch.RowError{Column: t.column.name, Row: -1, Reason: err.Error(), Hint: hintOf(err)}
	var at *patch.RowError
	if errors.As(err, &at) {
		named = *at
	}
	file, _, ok := t.source.Locate(t.row)
	if !ok {
		file = t.names[0]
	}
	if named.File = file; named.Row >= 0 {
		named.Row += t.row
		named.File, named.Row, _ = t.source.Locate(named.Row)
	}
	return &named
}

// columnOf returns a column of a batch, or the field of a struct.
func columnOf(batch arrow.RecordBatch, name string) (arrow.Array, error) {
	path, _, err := patch.Find(batch.Schema(), name)
	if err != nil {
		return nil, err
	}
	a := batch.Column(path[0])
	for _, i := range path[1:] {
		a = a.(*array.Struct).Field(i)
	}
	return a, nil
}

// cells are the images of a batch.
type cells interface {
	// cell returns what decodes the image in a row of a file, and about how
	// many bytes it has.
	cell(row int, file string) (func() (*imagery.Picture, uint64, error), int)
}

// An imageColumn is a column that can hold images.
type imageColumn struct {
	name  string
	lists *patch.Binding // of lists of numbers; nil: it holds bytes
}

// cells returns the images of a batch.
func (c imageColumn) cells(batch arrow.RecordBatch, o *Options) (cells, error) {
	if c.lists != nil {
		return c.numbers(batch, o)
	}
	a, err := columnOf(batch, c.name)
	if err != nil {
		return nil, err
	}
	switch a := a.(type) {
	case *array.Struct:
		e := encoded{shape: o.Shape, output: o.Output, null: a}
		t := a.DataType().(*arrow.StructType)
		if i, ok := t.FieldIdx("bytes"); ok {
			e.bytes = a.Field(i)
		}
		if i, ok := t.FieldIdx("path"); ok {
			e.path, _ = a.Field(i).(array.StringLike)
		}
		return e, nil
	}
	return encoded{shape: o.Shape, bytes: a}, nil
}

// encoded are image files, or .npy files, in cells of bytes or by their paths.
type encoded struct {
	shape  imagery.Shape
	output string      // which no path may name
	null   arrow.Array // the struct; nil: there is none
	bytes  arrow.Array // nil: paths only
	path   array.StringLike
}

func (e encoded) cell(row int, file string) (func() (*imagery.Picture, uint64, error), int) {
	if e.null == nil || e.null.IsValid(row) {
		if e.bytes != nil && e.bytes.IsValid(row) {
			data, err := bytesAt(e.bytes, row)
			return func() (*imagery.Picture, uint64, error) {
				if err != nil {
					return nil, 0, err
				}
				return e.decode(data)
			}, max(len(data), min(imagery.Pixels(data), imagery.MaxPixels))
		}
		if e.path != nil && e.path.IsValid(row) && e.path.Value(row) != "" {
			name := e.path.Value(row)
			if !filepath.IsAbs(name) {
				name = filepath.Join(filepath.Dir(file), name)
			}
			return func() (*imagery.Picture, uint64, error) { return decodePath(name, e.output) }, jobBytes
		}
	}
	return func() (*imagery.Picture, uint64, error) { return nil, 0, errNull }, 0
}

// decode decodes the bytes of a cell.
func (e encoded) decode(data []byte) (p *imagery.Picture, key uint64, err error) {
	switch {
	case imagery.Format(data) != "":
		return decodeBytes(data)
	case bytes.HasPrefix(data, []byte(npy.Magic)):
		p, err = decodeNPY(data, e.shape)
	case e.shape != imagery.Shape{}:
		p, err = picture(e.shape, data, nil)
	case len(data) == 0:
		return nil, 0, errNull
	default:
		err = &hintedError{imagery.ErrFormat, "if the bytes are pixels, say what an image is with `Shape`"}
	}
	return p, keyOf(data), err
}

// decodePath decodes an image that a cell names. It has to be a file: a pipe
// might never end.
func decodePath(name, output string) (*imagery.Picture, uint64, error) {
	info, err := disk.Stat(name)
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("no file")
	}
	if out, outErr := disk.Stat(output); err == nil && outErr == nil && os.SameFile(info, out) {
		err = errOutput
	}
	var p *imagery.Picture
	var key uint64
	if err == nil {
		p, key, err = decodeFile(name)
	}
	switch {
	case ofMachine(err):
		err = ofFile(name, withoutPath(err))
	case err != nil:
		err = fmt.Errorf("%s: %w", name, withoutPath(err))
	}
	return p, key, err
}

// bytesAt returns the bytes in a row.
func bytesAt(a arrow.Array, row int) ([]byte, error) {
	if reason := patch.Damage(a, row); reason != "" {
		return nil, errors.New(reason)
	}
	switch a := a.(type) {
	case *array.Dictionary:
		return bytesAt(a.Dictionary(), a.GetValueIndex(row))
	case array.ExtensionArray:
		return bytesAt(a.Storage(), row)
	case interface{ Value(int) []byte }: // of any width, viewed or of fixed size
		return a.Value(row), nil
	}
	return nil, fmt.Errorf("%s holds no bytes", a.DataType())
}

// numbers are images of one shape, (m) of n values.
type numbers struct {
	shape  imagery.Shape
	bytes  []uint8
	floats []float32
	index  []int // of a row among those; -1: it has none
	why    map[int]error
}

// numbers reads lists of numbers.
func (c imageColumn) numbers(batch arrow.RecordBatch, o *Options) (cells, error) {
	rows, skipped, err := c.lists.Rows(batch, 0)
	if err != nil {
		return nil, err
	}
	n := numbers{index: make([]int, batch.NumRows()), why: map[int]error{}}
	for i := range n.index {
		n.index[i] = -1
	}
	for i, row := range rows.Number {
		n.index[row] = i
	}
	for _, bad := range skipped {
		n.why[int(bad.Row)] = fmt.Errorf("bad row: %s", bad.Reason)
		if bad.Reason == patch.Null {
			n.why[int(bad.Row)] = errNull
		}
	}
	if rows.Len() == 0 {
		return n, nil
	}
	switch n.shape = c.lists.Shape(); {
	case o.Shape != imagery.Shape{}:
		n.shape = o.Shape
	case n.shape == imagery.Shape{}:
		return nil, errNoShape
	}
	if n.shape.Len() != rows.Width {
		return nil, fmt.Errorf("rows of %d values, expected %d of an image of %v", rows.Width, n.shape.Len(), n.shape)
	}
	// The binding uses its buffers again.
	if rows.Kind == model.Uint8 {
		n.bytes = bytes.Clone(rows.Data)
	} else {
		n.floats = rows.AppendFloat32(nil)
	}
	return n, nil
}

func (n numbers) cell(row int, _ string) (func() (*imagery.Picture, uint64, error), int) {
	i := n.index[row]
	if i < 0 {
		return func() (*imagery.Picture, uint64, error) { return nil, 0, n.why[row] }, 0
	}
	width := n.shape.Len()
	if n.bytes != nil {
		data := n.bytes[i*width : (i+1)*width]
		return func() (*imagery.Picture, uint64, error) {
			p, err := picture(n.shape, data, nil)
			return p, keyOf(data), err
		}, width
	}
	data := n.floats[i*width : (i+1)*width]
	return func() (*imagery.Picture, uint64, error) {
		p, err := picture(n.shape, nil, data)
		return p, keyOf(model.Float32Rows(data, width).Data), err
	}, 4 * width
}

// findImages finds the column of images: the one that is named, or the only one
// that can be one.
func findImages(schema *arrow.Schema, o *Options) (imageColumn, error) {
	if o.Column != "" {
		_, f, err := patch.Find(schema, o.Column)
		if err != nil {
			return imageColumn{}, err
		}
		f.Name = o.Column
		c, ok, err := asImages(schema, f)
		if err == nil && !ok {
			err = fmt.Errorf("column %q: %s cannot hold images", o.Column, f.Type)
		}
		return c, err
	}
	// Of the likeliest kind there must be one: datasets have embeddings and
	// hashes beside their images.
	var could []imageColumn
	var names []string
	least := math.MaxInt
	for _, f := range schema.Fields() {
		c, ok, err := asImages(schema, f)
		if err != nil {
			return c, err
		}
		if !ok || f.Name == o.Label.Column || slices.Contains(o.Keep, f.Name) {
			continue
		}
		rank := c.rank(f.Type, o)
		if rank < least {
			could, names, least = nil, nil, rank
		}
		if rank == least {
			could = append(could, c)
			names = append(names, fmt.Sprintf("%q", f.Name))
		}
	}
	switch len(could) {
	case 0:
		return imageColumn{}, errors.New("no column can hold images: it takes struct<bytes, path>, bytes, or lists of numbers")
	case 1:
		return could[0], nil
	}
	return imageColumn{}, &hintedError{fmt.Errorf("several columns could hold images: %s", strings.Join(names, ", ")), "name one with `Column`"}
}

package parquet

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/metadata"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"

	"github.com/aefeat/aefeat/arrowio/internal/bound"
	"github.com/aefeat/aefeat/arrowio/internal/container"
	"github.com/aefeat/aefeat/arrowio/internal/format"
)

// openLibrary opens a row group for the library, or no row group, which is
// enough for the schema.
func (f *footer) openLibrary(g *rowGroup, from *gate, mem memory.Allocator) (*pqarrow.FileReader, error) {
	meta, err := metadata.NewFileMetaData(f.rewrite(g), nil)
	if err != nil {
		return nil, err
	}
	// Finalizers release the pages, not whoever reads.
	props := parquet.NewReaderProperties(memory.NewGoAllocator())
	props.BufferedStreamEnabled = true
	props.BufferSize = 4 << 10
	props.MaxCompressedPageSize = math.MaxInt32 // of what is there
	props.MaxUncompressedPageSize = format.MaxPage
	r, err := file.NewParquetReader(from, file.WithMetadata(meta), file.WithReadProps(props))
	if err != nil {
		return nil, err
	}
	out, err := pqarrow.NewFileReader(r, pqarrow.ArrowReadProperties{}, mem)
	if err != nil {
		return nil, err
	}
	if g == nil {
		return out, nil
	}
	// There are no page indexes, which the library would look for in all
	// columns for each of them.
	if err := r.GetPageIndexReader().WillNeed([]int32{0}, nil, metadata.PageIndexSelection{}); err != nil {
		return nil, err
	}
	for i := range out.Manifest.Fields {
		readable(&out.Manifest.Fields[i])
	}
	return out, nil
}

// readable has the library read durations, which it cannot, as the numbers that
// they are. They get their type back later.
func readable(f *pqarrow.SchemaField) {
	if f.Field.Type.ID() == arrow.DURATION {
		f.Field.Type = arrow.PrimitiveTypes.Int64
	}
	for i := range f.Children {
		readable(&f.Children[i])
	}
}

// A verifiedSchema is the Arrow schema of a file, and the one that its footer
// has, as footer.schema.
type verifiedSchema struct {
	of     *arrow.Schema
	stored string
}

// arrowSchema returns the Arrow schema of the file. Files that say the same of
// their columns have one.
func (f *footer) arrowSchema(memo *container.Memo) (*arrow.Schema, error) {
	made, err := memo.Get(f.schemaKey(), func() (any, error) {
		if err := f.checkSchema(); err != nil {
			return nil, bound.Damaged("Parquet schema", err)
		}
		of, err := f.convertSchema()
		return &verifiedSchema{of, f.schema}, err
	})
	if err != nil {
		return nil, err
	}
	s := made.(*verifiedSchema)
	f.schema = s.stored
	return s.of, nil
}

// schemaKey is all that the Arrow schema is made of.
func (f *footer) schemaKey() string {
	var key []byte
	add := func(part string) {
		key = strconv.AppendInt(key, int64(len(part)), 10)
		key = append(append(key, ':'), part...)
	}
	add(string(f.raw))
	add(f.schema)
	add(f.creator)
	for _, m := range f.meta {
		add(m.key)
		add(m.value)
	}
	return string(key)
}

// convertSchema has the library make an Arrow schema of what the footer says.
func (f *footer) convertSchema() (schema *arrow.Schema, err error) {
	err = bound.Guard(func() error {
		r, err := f.openLibrary(nil, nil, memory.NewGoAllocator())
		if err != nil {
			return err
		}
		if schema, err = r.Schema(); err != nil {
			return err
		}
		if schema.NumFields() == f.fields {
			schema = f.extend(schema, r.Manifest.OriginSchema)
		}
		return nil
	})
	switch {
	case errors.Is(err, bound.ErrUndecodable):
		return nil, bound.Damaged("Parquet schema", err)
	case err != nil: // what we have verified is no schema that it knows
		return nil, &bound.UnsupportedError{
			What: fmt.Sprintf("its schema has no meaning in Arrow: %v", err),
			Hint: "write it again with a newer version of the program that wrote it",
		}
	}
	if schema.NumFields() != f.fields {
		return nil, errors.New("damaged Parquet schema: columns are missing")
	}
	return schema, nil
}

// A libraryColumn is a column that the library reads.
type libraryColumn struct {
	records *pqarrow.ColumnReader
	chunks  []*gatedChunk
	mem     memory.Allocator
}

// openColumn opens a column at the top, which has these chunks.
func (g *groups) openColumn(ctx context.Context, r *pqarrow.FileReader, top int, chunks []*gatedChunk) (*libraryColumn, error) {
	if field := &r.Manifest.Fields[top]; len(field.Children) > 0 {
		if err := rehearse(r, field, r.ParquetReader().RowGroup(0), g.leaves); err != nil {
			return nil, err
		}
	}
	c, err := r.GetFieldReader(ctx, top, g.leaves, []int{0})
	if err != nil {
		return nil, err
	}
	if c == nil {
		return nil, errors.New("a column cannot be read")
	}
	return &libraryColumn{c, chunks, g.mem}, nil
}

// rehearse opens the leaves of a column as the library does. It opens those of
// a struct in goroutines, whose panics nobody recovers: what panics there
// panics here first. It reads nothing yet; reading is done by who asks for it.
func rehearse(r *pqarrow.FileReader, f *pqarrow.SchemaField, group *file.RowGroupReader, leaves map[int]bool) error {
	for i := range f.Children {
		if err := rehearse(r, &f.Children[i], group, leaves); err != nil {
			return err
		}
	}
	if !f.IsLeaf() || !leaves[f.ColIndex] {
		return nil
	}
	from := r.ParquetReader()
	pages, err := group.GetColumnPageReader(f.ColIndex)
	if err != nil {
		return err
	}
	descr := from.MetaData().Schema.Column(f.ColIndex)
	file.NewRecordReader(descr, f.LevelInfo, f.Field.Type, memory.NewGoAllocator(), from.BufferPool()).Release()
	return pages.Close()
}

// read implements column.
func (c *libraryColumn) read(n int) (arrow.Array, error) {
	chunked, err := c.records.NextBatch(int64(n))
	if err != nil {
		return nil, c.explain(err)
	}
	defer chunked.Release()
	if chunked.Len() != n {
		return nil, fmt.Errorf("%d rows, expected %d", chunked.Len(), n)
	}
	if chunks := chunked.Chunks(); len(chunks) == 1 {
		chunks[0].Retain()
		return chunks[0], nil
	}
	return array.Concatenate(chunked.Chunks(), c.mem)
}

// explain tells timestamps that are too far away from damage.
func (c *libraryColumn) explain(err error) error {
	for _, r := range c.chunks {
		if r.leaf.physical == format.Int96 && errors.Is(err, arrow.ErrInvalid) {
			return errFar
		}
	}
	return err
}

// finish implements column: it sees that the library has no more rows, and that
// the pages that it did not read have no more values.
func (c *libraryColumn) finish() error {
	more, err := c.records.NextBatch(1)
	if err != nil {
		return err
	}
	defer more.Release()
	if more.Len() > 0 {
		return errors.New("more rows than the row group")
	}
	for _, r := range c.chunks {
		if r.err == nil {
			r.err = r.drain()
		}
		if r.err != nil {
			return r.err
		}
	}
	return nil
}

// release implements column.
func (c *libraryColumn) release() { c.records.Release() }

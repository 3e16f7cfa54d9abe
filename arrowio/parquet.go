package arrowio

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/metadata"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
)

const (
	// batchBytes is the size of a batch from Parquet: small against any memory, large against what a batch costs.
	batchBytes = 8 << 20

	// maxBatchRows bounds batches of narrow rows.
	maxBatchRows = 64 << 10

	// maxRowBytes bounds the values of one row.
	maxRowBytes = 1 << 30

	// freeMemory is what decoding a batch may take before the pages have to explain it.
	freeMemory = 1 << 30
)

// fileReader opens a row group for the library, or no row group, which is enough for the schema.
func (f *footer) fileReader(g *rowGroup, chunks []*chunkReader, mem memory.Allocator) (*pqarrow.FileReader, error) {
	meta, err := metadata.NewFileMetaData(f.checkedFooter(g), nil)
	if err != nil {
		return nil, err
	}
	props := parquet.NewReaderProperties(memory.NewGoAllocator()) // for pages, which finalizers release
	props.BufferedStreamEnabled = true
	props.BufferSize = 4 << 10
	props.MaxCompressedPageSize = math.MaxInt32 // sizes are checked before
	props.MaxUncompressedPageSize = math.MaxInt32
	r, err := file.NewParquetReader(&groupFile{chunks}, file.WithMetadata(meta), file.WithReadProps(props))
	if err != nil {
		return nil, err
	}
	out, err := pqarrow.NewFileReader(r, pqarrow.ArrowReadProperties{}, mem)
	if err != nil {
		return nil, err
	}
	if g != nil {
		for i := range out.Manifest.Fields {
			readable(&out.Manifest.Fields[i])
		}
	}
	return out, nil
}

// readable has the library read durations, which it cannot, as the numbers that they are. They get their type back later.
func readable(f *pqarrow.SchemaField) {
	if f.Field.Type.ID() == arrow.DURATION {
		f.Field.Type = arrow.PrimitiveTypes.Int64
	}
	for i := range f.Children {
		readable(&f.Children[i])
	}
}

// arrowSchema returns the Arrow schema of a Parquet file.
func (f *footer) arrowSchema() (schema *arrow.Schema, err error) {
	err = guard(func() error {
		r, err := f.fileReader(nil, nil, memory.NewGoAllocator())
		if err != nil {
			return err
		}
		schema, err = r.Schema()
		return err
	})
	if err != nil {
		return nil, damaged("Parquet schema", err)
	}
	if schema.NumFields() != f.fields {
		return nil, errors.New("damaged Parquet schema: columns are missing")
	}
	return schema, nil
}

// A parquetReader reads the batches of a Parquet file. Row groups are read one after the other, so batches never cross them.
type parquetReader struct {
	file    io.ReaderAt
	footer  *footer
	schema  *arrow.Schema
	chosen  []selection
	leaves  []bool // to be read
	maxRows int
	mem     *budget
	free    buffers

	group   int // the next one
	left    int64
	step    int64
	columns []parquetColumn
	chunks  []*chunkReader
	largest int // page
}

func newParquetReader(r io.ReaderAt, f *footer, schema *arrow.Schema, chosen []selection, maxRows int, mem memory.Allocator) *parquetReader {
	p := &parquetReader{file: r, footer: f, schema: schema, chosen: chosen, maxRows: maxRows, mem: newBudget(mem)}
	p.leaves = make([]bool, len(f.leaves))
	for i := range f.leaves {
		p.leaves[i] = chosenLeaf(schema.Fields(), chosen, f.leaves[i].top, f.leaves[i].path)
	}
	return p
}

// chosenLeaf says whether a Parquet column is part of what is selected.
func chosenLeaf(fields []arrow.Field, chosen []selection, top int, path []string) bool {
	for _, s := range chosen {
		if s.index == top {
			return s.children == nil || insideStruct(fields[top].Type, s.children, path[1:])
		}
	}
	return false
}

func insideStruct(t arrow.DataType, chosen []selection, path []string) bool {
	st, ok := t.(*arrow.StructType)
	if !ok || len(path) == 0 {
		return true
	}
	for _, s := range chosen {
		if f := st.Field(s.index); f.Name == path[0] {
			return s.children == nil || insideStruct(f.Type, s.children, path[1:])
		}
	}
	return false
}

func (p *parquetReader) close() {
	columns := p.columns
	p.columns = nil
	_ = guard(func() error {
		for _, c := range columns {
			if c.records != nil {
				c.records.Release()
			}
		}
		return nil
	})
}

// A parquetColumn is a column being read, in one way or the other.
type parquetColumn struct {
	records *pqarrow.ColumnReader
	direct  *directColumn
}

// next returns the next batch of the columns selected, for the caller to release, or io.EOF.
func (p *parquetReader) next(ctx context.Context) (arrow.RecordBatch, error) {
	for p.left == 0 {
		if err := p.finishGroup(); err != nil {
			return nil, err
		}
		if p.group == len(p.footer.groups) {
			return nil, io.EOF
		}
		if err := p.openGroup(ctx); err != nil {
			return nil, p.fault(fmt.Errorf("row group %d: %w", p.group-1, err))
		}
	}
	n := min(p.left, p.step)
	p.left -= n
	arrays := make([]arrow.Array, 0, len(p.columns))
	defer func() {
		for _, a := range arrays {
			a.Release()
		}
	}()
	fields := make([]arrow.Field, 0, len(p.columns))
	explained := int64(0)
	for _, c := range p.chunks {
		if c != nil {
			explained += int64(c.largest)
		}
	}
	p.mem.grant(freeMemory + 16*explained)
	defer p.mem.grant(math.MaxInt64)
	for i, c := range p.columns {
		a, err := p.column(c, n)
		if err != nil {
			return nil, p.fault(fmt.Errorf("row group %d: column %q: %w", p.group-1, p.schema.Field(p.chosen[i].index).Name, err))
		}
		arrays = append(arrays, a)
		field := p.schema.Field(p.chosen[i].index)
		field.Type = a.DataType()
		fields = append(fields, field)
	}
	return array.NewRecordBatch(arrow.NewSchema(fields, nil), arrays, n), nil
}

// fault puts the error of a page before that of the library, which stumbled over it.
func (p *parquetReader) fault(err error) error {
	if cause := p.chunkError(); cause != nil {
		err = cause
	}
	return damaged("Parquet data", err)
}

func (p *parquetReader) chunkError() error {
	for i, c := range p.chunks {
		if c != nil && c.err != nil {
			return p.chunkFault(i, c.err)
		}
	}
	return nil
}

func (p *parquetReader) chunkFault(leaf int, err error) error {
	return fmt.Errorf("row group %d: column %q: %w", p.group-1, p.footer.name(leaf), err)
}

// column reads n rows of a column.
func (p *parquetReader) column(c parquetColumn, n int64) (arr arrow.Array, err error) {
	if c.direct != nil {
		err = guard(func() error {
			arr, err = c.direct.read(int(n))
			return err
		})
		return arr, err
	}
	err = guard(func() error {
		chunked, err := c.records.NextBatch(n)
		if err != nil {
			return err
		}
		defer chunked.Release()
		if int64(chunked.Len()) != n {
			return fmt.Errorf("%d rows, expected %d", chunked.Len(), n)
		}
		if chunks := chunked.Chunks(); len(chunks) == 1 {
			arr = chunks[0]
			arr.Retain()
			return nil
		}
		arr, err = array.Concatenate(chunked.Chunks(), p.mem)
		return err
	})
	return arr, err
}

func (p *parquetReader) openGroup(ctx context.Context) error {
	g := &p.footer.groups[p.group]
	p.group++
	p.chunks = nil
	if g.rows == 0 {
		return nil
	}
	chunks := make([]*chunkReader, len(g.chunks))
	perRow := int64(0)
	for i, c := range g.chunks {
		if !p.leaves[i] {
			continue
		}
		var err error
		if chunks[i], err = newChunkReader(p.file, &p.footer.leaves[i], c, g.rows, &p.free); err == nil {
			err = chunks[i].readDictionary()
		}
		if err != nil {
			return fmt.Errorf("column %q: %w", p.footer.name(i), err)
		}
		perRow += chunks[i].rowBytes()
	}
	p.chunks = chunks
	declared := int64(0)
	for _, s := range p.chosen {
		declared += declaredBytes(p.schema.Field(s.index).Type)
	}
	perRow = max(perRow, declared, 1)
	if perRow > maxRowBytes {
		return &unsupportedError{"its rows take more than 1 GiB each"}
	}
	p.step = max(1, min(batchBytes/perRow, maxBatchRows))
	if p.maxRows > 0 {
		p.step = min(p.step, int64(p.maxRows))
	}
	p.left = g.rows
	return guard(func() error {
		r, err := p.footer.fileReader(g, chunks, p.mem)
		if err != nil {
			return err
		}
		leaves := map[int]bool{}
		for i, want := range p.leaves {
			if want {
				leaves[i] = true
			}
		}
		for _, s := range p.chosen {
			if c := p.directColumn(s.index, chunks); c != nil {
				p.columns = append(p.columns, parquetColumn{direct: c})
				continue
			}
			c, err := r.GetFieldReader(ctx, s.index, leaves, []int{0})
			if err != nil {
				return err
			}
			if c == nil {
				return errors.New("a column cannot be read")
			}
			p.columns = append(p.columns, parquetColumn{records: c})
		}
		return nil
	})
}

// directColumn returns a decoder for a column at the top that needs no library, nil for others.
func (p *parquetReader) directColumn(top int, chunks []*chunkReader) *directColumn {
	var c *directColumn
	for i := range p.footer.leaves {
		if leaf := &p.footer.leaves[i]; leaf.top == top {
			if c != nil {
				return nil
			}
			if c = newDirectColumn(leaf, p.schema.Field(top), p.mem); c == nil {
				return nil
			}
			c.chunk = chunks[i]
		}
	}
	return c
}

// finishGroup checks that the row group ended where it should.
func (p *parquetReader) finishGroup() error {
	p.close()
	for i, c := range p.chunks {
		if c == nil {
			continue
		}
		p.largest = max(p.largest, c.largest)
		for c.err == nil {
			if _, err := c.next(); err == io.EOF {
				break
			} else if err != nil {
				c.err = err
			}
		}
		c.release()
		if c.err != nil {
			return damaged("Parquet data", p.chunkFault(i, c.err))
		}
	}
	p.chunks = nil
	return nil
}

// readDictionary reads the dictionary ahead of the data, to know how large the values are.
func (r *chunkReader) readDictionary() error {
	if r.leaf.physical != typeBytes || r.columnChunk.values == 0 {
		return nil
	}
	at := r.pos
	h, err := r.readHeader()
	r.pos = at
	if err != nil {
		return err
	}
	if h.kind != pageDictionary {
		return nil
	}
	p, err := r.next()
	if err != nil {
		return err
	}
	r.serve(p)
	return nil
}

// rowBytes estimates what a row of the column takes in memory.
func (r *chunkReader) rowBytes() int64 {
	perRow := (r.columnChunk.values-1)/r.groupRows + 1
	width := int64(r.leaf.length)
	switch r.leaf.physical {
	case typeBoolean:
		width = 1
	case typeBytes:
		// What the footer says is as good as any estimate: the pages decide.
		width = 4 + max(int64(r.longest), min(r.uncompressed/r.columnChunk.values, 1<<20), 0)
	}
	if r.leaf.maxDef > 0 {
		width += 2
	}
	if r.leaf.maxRep > 0 {
		width += 2
	}
	if perRow > maxRowBytes/width {
		return maxRowBytes + 1
	}
	return perRow * width
}

// declaredBytes returns the bytes that a value takes even where it is null: those of fixed-size lists.
func declaredBytes(t arrow.DataType) int64 {
	switch t := t.(type) {
	case *arrow.FixedSizeListType:
		elem := max(declaredBytes(t.Elem()), 1)
		if n := int64(t.Len()); n <= maxRowBytes/elem {
			return n * elem
		}
		return maxRowBytes + 1
	case *arrow.StructType:
		sum := int64(0)
		for _, f := range t.Fields() {
			sum = min(sum+declaredBytes(f.Type), maxRowBytes+1)
		}
		return sum
	case arrow.ExtensionType:
		return declaredBytes(t.StorageType())
	case arrow.FixedWidthDataType:
		return int64(t.Bytes())
	}
	return 0
}

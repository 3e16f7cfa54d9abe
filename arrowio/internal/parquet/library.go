package parquet

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

	"github.com/aefeat/aefeat/arrowio/internal/bound"
	"github.com/aefeat/aefeat/arrowio/internal/format"
	"github.com/aefeat/aefeat/arrowio/internal/thrift"
)

// openLibrary opens a row group for the library, or no row group, which is
// enough for the schema.
func (f *footer) openLibrary(g *rowGroup, chunks []*servedChunk, mem memory.Allocator) (*pqarrow.FileReader, error) {
	meta, err := metadata.NewFileMetaData(f.rewrite(g), nil)
	if err != nil {
		return nil, err
	}
	props := parquet.NewReaderProperties(memory.NewGoAllocator()) // for pages, which finalizers release
	props.BufferedStreamEnabled = true
	props.BufferSize = 4 << 10
	props.MaxCompressedPageSize = math.MaxInt32 // sizes are checked before
	props.MaxUncompressedPageSize = math.MaxInt32
	r, err := file.NewParquetReader(&servedGroup{chunks}, file.WithMetadata(meta), file.WithReadProps(props))
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

// arrowSchema returns the Arrow schema of the file.
func (f *footer) arrowSchema() (schema *arrow.Schema, err error) {
	err = bound.Guard(func() error {
		r, err := f.openLibrary(nil, nil, memory.NewGoAllocator())
		if err != nil {
			return err
		}
		schema, err = r.Schema()
		return err
	})
	if err != nil {
		return nil, bound.Damaged("Parquet schema", err)
	}
	if schema.NumFields() != f.fields {
		return nil, errors.New("damaged Parquet schema: columns are missing")
	}
	return schema, nil
}

// A libraryColumn is a column that the library reads.
type libraryColumn struct {
	records *pqarrow.ColumnReader
	mem     memory.Allocator
}

func newLibraryColumn(ctx context.Context, r *pqarrow.FileReader, top int, leaves map[int]bool, mem memory.Allocator) (*libraryColumn, error) {
	c, err := r.GetFieldReader(ctx, top, leaves, []int{0})
	if err != nil {
		return nil, err
	}
	if c == nil {
		return nil, errors.New("a column cannot be read")
	}
	return &libraryColumn{c, mem}, nil
}

func (c *libraryColumn) read(n int) (arrow.Array, error) {
	chunked, err := c.records.NextBatch(int64(n))
	if err != nil {
		return nil, err
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

func (c *libraryColumn) release() { c.records.Release() }

// A servedChunk is a column chunk as the library sees it, a part of a file: the
// same pages, uncompressed, with headers that hold what was checked and nothing
// else. The library never sees the bytes of the file itself.
type servedChunk struct {
	*chunkReader
	parts  [4][]byte // what the library has still to read of the page
	cursor int64     // of the library
	header thrift.Writer
}

// readAt is io.ReaderAt over the pages. They have to be read in order.
func (r *servedChunk) readAt(b []byte, off int64) (int, error) {
	if r.err != nil {
		return 0, r.err
	}
	if off != r.cursor {
		r.err = fmt.Errorf("read at %d, expected at %d", off, r.cursor)
		return 0, r.err
	}
	n := 0
	for n == 0 && len(b) > 0 {
		empty := true
		for i := range r.parts {
			k := copy(b[n:], r.parts[i])
			r.parts[i] = r.parts[i][k:]
			n += k
			empty = empty && len(r.parts[i]) == 0
		}
		if empty {
			r.release()
		}
		if n > 0 {
			break
		}
		p, err := r.next()
		if err != nil {
			if err != io.EOF {
				r.err = err
			}
			return 0, err
		}
		r.serve(p)
	}
	r.cursor += int64(n)
	return n, nil
}

// serveDictionary reads the dictionary ahead of the data, to know how large the
// values are.
func (r *servedChunk) serveDictionary() error {
	if r.leaf.physical != format.ByteArray || r.chunk.values == 0 {
		return nil
	}
	at := r.pos
	h, err := r.readHeader()
	r.pos = at
	if err != nil {
		return err
	}
	if h.kind != format.DictionaryPage {
		return nil
	}
	p, err := r.next()
	if err != nil {
		return err
	}
	r.serve(p)
	return nil
}

// serve puts a page before the library: its header and then its bytes.
func (r *servedChunk) serve(p *page) {
	w := &r.header
	w.Reset()
	w.Begin()
	if p.dictionary {
		w.Int32(1, format.DictionaryPage)
	} else {
		w.Int32(1, format.DataPageV2)
	}
	w.Int32(2, int32(p.size()))
	w.Int32(3, int32(p.size()))
	if p.dictionary {
		w.BeginField(7)
		w.Int32(1, int32(p.values))
		w.Int32(2, p.encoding)
	} else {
		w.BeginField(8)
		w.Int32(1, int32(p.values))
		w.Int32(2, int32(p.values-p.present))
		w.Int32(3, int32(p.rows))
		w.Int32(4, p.encoding)
		w.Int32(5, int32(len(p.def)))
		w.Int32(6, int32(len(p.rep)))
		w.Bool(7, false)
	}
	w.End()
	w.End()
	r.parts = [4][]byte{w.Bytes(), p.rep, p.def, p.data}
}

// A servedGroup is a row group as the library sees it: a file in which the
// chunks lie chunkSpace bytes apart.
type servedGroup struct{ chunks []*servedChunk } // nil: not to be read

func (g *servedGroup) ReadAt(b []byte, off int64) (int, error) {
	i := off/chunkSpace - 1
	if i < 0 || i >= int64(len(g.chunks)) || g.chunks[i] == nil {
		return 0, fmt.Errorf("read outside the columns, at %d", off)
	}
	return g.chunks[i].readAt(b, off%chunkSpace)
}

// Read and Seek are in the interface that the library wants, which calls
// neither.
func (g *servedGroup) Read([]byte) (int, error)       { return 0, errors.ErrUnsupported }
func (g *servedGroup) Seek(int64, int) (int64, error) { return 0, errors.ErrUnsupported }

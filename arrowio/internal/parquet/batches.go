package parquet

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/aefeat/aefeat/arrowio/internal/bound"
	"github.com/aefeat/aefeat/arrowio/internal/format"
	"github.com/aefeat/aefeat/arrowio/internal/schema"
)

const (
	// batchBytes is the size of a batch: small against any memory, large
	// against what a batch costs.
	batchBytes = 8 << 20

	// maxBatchRows bounds batches of narrow rows.
	maxBatchRows = 64 << 10

	// maxRowBytes bounds the values of one row.
	maxRowBytes = 1 << 30

	// freeMemory is what decoding a batch may take before the pages have to
	// explain it.
	freeMemory = 1 << 30
)

// A groups reads the batches of a file. Row groups are read one after the
// other, so batches never cross them.
type groups struct {
	file    io.ReaderAt
	footer  *footer
	schema  *arrow.Schema
	chosen  []schema.Selection
	leaves  map[int]bool // to be read
	maxRows int
	mem     *bound.Budget
	free    buffers

	group   int // the next one
	left    int64
	step    int64
	columns []column
	chunks  []*chunkReader
}

// A column is a column being read, in one way or the other.
type column interface {
	// read returns the next n rows.
	read(n int) (arrow.Array, error)

	// finish checks that there are no more, and nothing wrong after them.
	finish() error

	release()
}

func newGroups(f *fileReader, chosen []schema.Selection) *groups {
	g := &groups{file: f.r, footer: f.footer, schema: f.schema, chosen: chosen, maxRows: f.o.BatchRows}
	g.mem = bound.NewBudget(f.o.Allocator)
	g.leaves = map[int]bool{}
	for i, l := range f.footer.leaves {
		s := schema.Of(chosen, l.top)
		if s != nil && isInside(f.schema.Field(l.top).Type, s.Children, l.path[1:]) {
			g.leaves[i] = true
		}
	}
	return g
}

// isInside says whether a leaf is part of what is selected of a column: the
// path leads to it from there.
func isInside(t arrow.DataType, chosen []schema.Selection, path []string) bool {
	st, ok := t.(*arrow.StructType)
	if !ok || len(path) == 0 || chosen == nil {
		return true
	}
	for _, at := range st.FieldIndices(path[0]) {
		if s := schema.Of(chosen, at); s != nil {
			return isInside(st.Field(at).Type, s.Children, path[1:])
		}
	}
	return false
}

// Next implements [container.Batches].
func (g *groups) Next(ctx context.Context) (arrow.RecordBatch, error) {
	for g.left == 0 {
		if err := g.finish(); err != nil {
			return nil, err
		}
		if g.group == len(g.footer.groups) {
			return nil, io.EOF
		}
		if err := g.open(ctx); err != nil {
			return nil, g.fault(fmt.Errorf("row group %d: %w", g.group-1, err))
		}
	}
	n := min(g.left, g.step)
	g.left -= n
	arrays := make([]arrow.Array, 0, len(g.columns))
	defer func() {
		for _, a := range arrays {
			a.Release()
		}
	}()
	fields := make([]arrow.Field, 0, len(g.columns))
	explained := int64(0)
	for _, c := range g.chunks {
		if c != nil {
			explained += int64(c.largest)
		}
	}
	g.mem.Grant(freeMemory + 16*explained)
	defer g.mem.Grant(math.MaxInt64)
	for i, c := range g.columns {
		field := g.schema.Field(g.chosen[i].Index)
		var a arrow.Array
		err := bound.Guard(func() (err error) {
			a, err = c.read(int(n))
			return err
		})
		if err != nil {
			return nil, g.fault(fmt.Errorf("row group %d: column %q: %w", g.group-1, field.Name, err))
		}
		arrays = append(arrays, a)
		field.Type = a.DataType()
		fields = append(fields, field)
	}
	return array.NewRecordBatch(arrow.NewSchema(fields, nil), arrays, n), nil
}

// fault puts the error of a page before that of the library, which stumbled
// over it.
func (g *groups) fault(err error) error {
	for i, c := range g.chunks {
		if c != nil && c.err != nil {
			err = g.chunkFault(i, c.err)
			break
		}
	}
	return bound.Damaged("Parquet data", err)
}

func (g *groups) chunkFault(leaf int, err error) error {
	return fmt.Errorf("row group %d: column %q: %w", g.group-1, g.footer.name(leaf), err)
}

// open begins the next row group.
func (g *groups) open(ctx context.Context) error {
	group := &g.footer.groups[g.group]
	g.group++
	g.chunks = nil
	if group.rows == 0 {
		return nil
	}
	g.chunks = make([]*chunkReader, len(group.chunks))
	most := &growth{freePages}
	for i, c := range group.chunks {
		if !g.leaves[i] {
			continue
		}
		var err error
		if g.chunks[i], err = newChunkReader(g.file, &g.footer.leaves[i], c, &g.free); err != nil {
			return fmt.Errorf("column %q: %w", g.footer.name(i), err)
		}
		g.chunks[i].most = most
		most.left += maxGrowth * c.size
		// Its pages of version 2 deny it: ARROW-10353.
		g.chunks[i].packed = strings.HasPrefix(g.footer.creator, "parquet-cpp version 1.")
	}
	if err := bound.Guard(func() error { return g.openColumns(ctx, group) }); err != nil {
		return err
	}
	perRow := int64(0)
	for _, c := range g.chunks {
		if c != nil {
			perRow += c.rowBytes(group.rows)
		}
	}
	declared := int64(0)
	for _, s := range g.chosen {
		declared += declaredBytes(g.schema.Field(s.Index).Type)
	}
	perRow = max(perRow, declared, 1)
	if perRow > maxRowBytes {
		return &bound.BeyondError{What: "its rows are beyond the 1 GiB that each may take",
			Hint: "write the file with smaller rows or shorter lists, or leave their columns out"}
	}
	g.step = max(1, min(batchBytes/perRow, maxBatchRows))
	if g.maxRows > 0 {
		g.step = min(g.step, int64(g.maxRows))
	}
	g.left = group.rows
	return nil
}

// openColumns opens the columns chosen: those of numbers here, the others with
// the library.
func (g *groups) openColumns(ctx context.Context, group *rowGroup) error {
	var file gate
	gated := map[int][]*gatedChunk{} // by column at the top
	g.columns = make([]column, len(g.chosen))
	for i, s := range g.chosen {
		if c := g.direct(s.Index, group.rows); c != nil {
			g.columns[i] = c
			continue
		}
		for j, end := g.footer.leavesOf(s.Index); j < end; j++ {
			if !g.leaves[j] {
				continue
			}
			c := newGatedChunk(g.chunks[j])
			if err := c.admitDictionary(); err != nil {
				return fmt.Errorf("column %q: %w", g.footer.name(j), err)
			}
			gated[s.Index] = append(gated[s.Index], c)
			file.chunks = append(file.chunks, c)
		}
	}
	if len(file.chunks) == 0 {
		return nil
	}
	slices.SortFunc(file.chunks, func(a, b *gatedChunk) int { return cmp.Compare(a.chunk.start, b.chunk.start) })
	r, err := g.footer.openLibrary(group, &file, g.mem)
	if err != nil {
		return err
	}
	for i, s := range g.chosen {
		if g.columns[i] != nil {
			continue
		}
		c, err := g.openColumn(ctx, r, s.Index, gated[s.Index])
		if err != nil {
			return err
		}
		g.columns[i] = c
	}
	return nil
}

// direct returns a decoder for a column at the top that needs no library, nil
// for others.
func (g *groups) direct(top int, rows int64) *direct {
	from, to := g.footer.leavesOf(top)
	if to-from != 1 {
		return nil
	}
	c := newDirect(&g.footer.leaves[from], g.schema.Field(top), g.mem)
	if c != nil {
		c.pages = newPageReader(g.chunks[from], rows)
	}
	return c
}

// finish checks that the row group ended where it should.
func (g *groups) finish() error {
	for i, c := range g.columns {
		if err := bound.Guard(c.finish); err != nil {
			return g.fault(fmt.Errorf("row group %d: column %q: %w", g.group-1, g.schema.Field(g.chosen[i].Index).Name, err))
		}
	}
	g.release()
	return nil
}

// release frees the columns being read.
func (g *groups) release() {
	columns := g.columns
	g.columns, g.chunks = nil, nil
	_ = bound.Guard(func() error {
		for _, c := range columns {
			if c != nil { // where opening failed
				c.release()
			}
		}
		return nil
	})
}

// rowBytes estimates what a row of the column takes in memory.
func (r *chunkReader) rowBytes(rows int64) int64 {
	perRow := (r.chunk.values-1)/rows + 1
	width := int64(r.leaf.length)
	switch r.leaf.physical {
	case format.Boolean:
		width = 1
	case format.ByteArray:
		// What the footer says is as good as any estimate: the pages
		// decide.
		width = 4 + max(int64(r.longest), min(r.chunk.uncompressed/r.chunk.values, 1<<20), 0)
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

// declaredBytes returns the bytes that a value takes even where it is null:
// those of fixed-size lists.
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

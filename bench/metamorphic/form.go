package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/compress"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"

	"github.com/aefeat/aefeat/arrowio"
)

// A form is a way in which a table is stored and read.
type form struct {
	layout    string
	element   arrow.DataType
	parts     []part
	way       string // in
	batchRows int    // of what is read from Parquet
	slices    int    // batches are cut again into at most so many; 0: they stay
	spool     bool   // a pipe is copied
}

// A part is a file.
type part struct {
	from, to  int    // rows
	container string // parquet, arrow, stream, or ours: as package arrowio writes it
	batch     int    // rows of a batch or row group
	ours      arrowio.Format
	codec     compress.Compression
	page      int64
	paging    int // version of data pages
	dict      bool
	encoding  parquet.Encoding
}

var codecs = []compress.Compression{
	compress.Codecs.Uncompressed, compress.Codecs.Snappy, compress.Codecs.Gzip, compress.Codecs.Zstd, compress.Codecs.Brotli, compress.Codecs.Lz4Raw,
}

func (f form) String() string {
	var parts []string
	for _, p := range f.parts {
		text := fmt.Sprintf("%d-%d %s batch=%d", p.from, p.to, p.container, p.batch)
		switch p.container {
		case "ours":
			text += " " + string(p.ours)
		case "parquet":
			text += fmt.Sprintf(" %v page=%d v%d dict=%t %v", p.codec, p.page, p.paging, p.dict, p.encoding)
		case "arrow", "stream":
			text += fmt.Sprintf(" %v", p.codec)
		}
		parts = append(parts, text)
	}
	return fmt.Sprintf("%s of %v by %s (read=%d slices=%d spool=%t): %s", f.layout, f.element, f.way, f.batchRows, f.slices, f.spool, strings.Join(parts, "; "))
}

// plainForm is the one that others are compared with.
func plainForm(t *table, element arrow.DataType) form {
	return form{layout: "list", element: element, way: "paths", parts: []part{{to: t.rows, container: "stream", batch: max(1, t.rows)}}}
}

func drawForm(r *rand.Rand, t *table, element arrow.DataType, layouts []string) form {
	f := form{element: element, layout: layouts[r.IntN(len(layouts))]}
	for f.layout == "bytes" && element.ID() != arrow.UINT8 || f.layout == "columns" && t.width > 64 {
		f.layout = layouts[r.IntN(len(layouts))]
	}
	ways := []string{"paths", "folder", "pattern", "hive"}
	most := 6
	if r.IntN(3) == 0 {
		ways, most = []string{"file on stdin", "pipe", "memory"}, 1
	}
	f.way = ways[r.IntN(len(ways))]
	at := cuts(r, t.rows, most)
	for i := range len(at) - 1 {
		p := drawPart(r, at[i], at[i+1])
		p.page = max(p.page, int64(p.to-p.from)*int64(t.width)*8/pqarrowPages)
		f.parts = append(f.parts, p)
	}
	if r.IntN(2) == 0 {
		f.batchRows = 1 + r.IntN(2000)
	}
	if r.IntN(2) == 0 {
		f.slices = 1 + r.IntN(5)
	}
	f.spool = r.IntN(2) == 0
	return f
}

// pqarrowPages is a number of pages that the Arrow library counts in a column,
// by an int16: after 65,536 it writes a wrong offset into the footer.
const pqarrowPages = 1 << 15

func drawPart(r *rand.Rand, from, to int) part {
	p := part{from: from, to: to, container: []string{"parquet", "arrow", "stream", "ours"}[r.IntN(4)]}
	p.batch = 1 + r.IntN(max(1, to-from)+100)
	p.batch = max(p.batch, (to-from)/50)
	p.ours = []arrowio.Format{arrowio.Parquet, arrowio.Arrow, arrowio.Stream}[r.IntN(3)]
	p.codec = codecs[r.IntN(len(codecs))]
	p.page = int64(256 << r.IntN(12))
	p.paging = 1 + r.IntN(2)
	p.dict = r.IntN(2) == 0
	p.encoding = []parquet.Encoding{parquet.Encodings.Plain, parquet.Encodings.ByteStreamSplit, parquet.Encodings.DeltaBinaryPacked}[r.IntN(3)]
	return p
}

// write writes the files below a folder, and returns what to open.
func (f form) write(t *table, dir string) (inputs []string, err error) {
	schema := t.schema(f.layout, f.element)
	for i, p := range f.parts {
		name := filepath.Join(dir, fmt.Sprintf("part-%d", i))
		if f.way == "hive" {
			name = filepath.Join(dir, fmt.Sprintf("k=%d", i), "data")
		}
		var b bytes.Buffer
		rows := func(a, b int) arrow.RecordBatch { return t.batch(schema, f.layout, a, b) }
		err := p.write(&b, schema, rows)
		if err != nil && p.container == "parquet" && p.encoding == parquet.Encodings.DeltaBinaryPacked {
			// The Arrow library's encoder of deltas goes out of its buffer for
			// some numbers.
			p.encoding, f.parts[i].encoding = parquet.Encodings.Plain, parquet.Encodings.Plain
			b.Reset()
			err = p.write(&b, schema, rows)
		}
		if err != nil {
			return nil, fmt.Errorf("write %s: %w", f, err)
		}
		if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o777), os.WriteFile(name, b.Bytes(), 0o666)); err != nil {
			return nil, err
		}
		inputs = append(inputs, name)
	}
	switch f.way {
	case "folder", "hive":
		return []string{dir}, nil
	case "pattern":
		return []string{filepath.Join(dir, "part-*")}, nil
	}
	return inputs, nil
}

func (p part) write(w io.Writer, schema *arrow.Schema, batch func(a, b int) arrow.RecordBatch) error {
	out, err := p.writer(w, schema)
	if err != nil {
		return err
	}
	for a := p.from; a < p.to || a == p.from; a += p.batch {
		rec := batch(a, min(a+p.batch, p.to))
		err := out.Write(rec)
		rec.Release()
		if err != nil {
			return errors.Join(err, out.Close())
		}
	}
	return out.Close()
}

type writer interface {
	Write(arrow.RecordBatch) error
	Close() error
}

func (p part) writer(w io.Writer, schema *arrow.Schema) (writer, error) {
	container := p.container
	if _, ok := schema.Field(1).Type.(*arrow.FixedSizeListType); ok && schema.Field(1).Nullable && container == "parquet" {
		container = "ours" // arrow-go refuses null lists of a fixed size
	}
	switch container {
	case "ours":
		return arrowio.NewWriter(w, schema, arrowio.WriteOptions{Format: p.ours, RowGroupBytes: p.page * 16})
	case "parquet":
		return pqarrow.NewFileWriter(schema, struct{ io.Writer }{w}, p.properties(schema), pqarrow.NewArrowWriterProperties(pqarrow.WithStoreSchema()))
	}
	options := []ipc.Option{ipc.WithSchema(schema)}
	switch p.codec {
	case compress.Codecs.Zstd:
		options = append(options, ipc.WithZstd())
	case compress.Codecs.Lz4Raw:
		options = append(options, ipc.WithLZ4())
	}
	if container == "arrow" {
		return ipc.NewFileWriter(w, options...)
	}
	return ipc.NewWriter(w, options...), nil
}

func (p part) properties(schema *arrow.Schema) *parquet.WriterProperties {
	version := parquet.DataPageV1
	if p.paging == 2 {
		version = parquet.DataPageV2
	}
	o := []parquet.WriterProperty{
		parquet.WithCompression(p.codec), parquet.WithDataPageSize(p.page), parquet.WithDataPageVersion(version),
		parquet.WithDictionaryDefault(p.dict), parquet.WithBatchSize(int64(1 + p.page/64)),
	}
	id := schema.Field(1).Type.ID()
	if path := elementPath(schema); path != "" && !p.dict {
		isFloat := strings.Contains(schema.Field(1).Type.String(), "float32") || strings.Contains(schema.Field(1).Type.String(), "float64")
		switch {
		case id == arrow.BINARY, p.encoding == parquet.Encodings.Plain:
		case isFloat == (p.encoding == parquet.Encodings.ByteStreamSplit) && !strings.Contains(schema.Field(1).Type.String(), "float16"):
			o = append(o, parquet.WithEncodingFor(path, p.encoding))
		}
	}
	return parquet.NewWriterProperties(o...)
}

// elementPath is the path of the elements of lists in Parquet, "" if there are
// none.
func elementPath(schema *arrow.Schema) string {
	switch schema.Field(1).Type.ID() {
	case arrow.LIST, arrow.LARGE_LIST, arrow.FIXED_SIZE_LIST:
		return "patch.list.element"
	}
	return ""
}

// An input is a form that is open.
type input struct {
	array.RecordReader
	close func()
}

// open opens what write has written.
func (f form) open(ctx context.Context, inputs []string, dir string) (*input, error) {
	o := arrowio.OpenOptions{SpoolDir: dir, Rewindable: f.spool, BatchRows: f.batchRows}
	var src *arrowio.Source
	var err error
	done := func() {}
	switch f.way {
	case "memory":
		data, readErr := os.ReadFile(inputs[0])
		if readErr != nil {
			return nil, readErr
		}
		src, err = arrowio.OpenReaderAt(bytes.NewReader(data), int64(len(data)), "memory", o)
	case "file on stdin", "pipe":
		file, openErr := os.Open(inputs[0])
		if openErr != nil {
			return nil, openErr
		}
		done = func() { file.Close() }
		if o.Stdin = file; f.way == "pipe" {
			o.Stdin = struct{ io.Reader }{file}
		}
		src, err = arrowio.Open(nil, o)
	default:
		src, err = arrowio.Open(inputs, o)
	}
	if err != nil {
		done()
		return nil, err
	}
	r, err := src.Reader(ctx, nil)
	if err != nil {
		src.Close()
		done()
		return nil, err
	}
	in := &input{r, func() { r.Release(); src.Close(); done() }}
	if f.slices > 0 {
		in.RecordReader = &slicer{RecordReader: r, most: f.slices, random: rand.New(rand.NewPCG(uint64(f.slices), 1))}
	}
	return in, nil
}

// A slicer cuts batches into slices, empty ones among them.
type slicer struct {
	array.RecordReader
	most   int
	random *rand.Rand
	at     []int // where the present batch is cut
	slice  arrow.RecordBatch
}

func (s *slicer) Next() bool {
	if s.slice != nil {
		s.slice.Release()
		s.slice = nil
	}
	for len(s.at) < 2 {
		if !s.RecordReader.Next() {
			return false
		}
		s.at = cuts(s.random, int(s.RecordReader.RecordBatch().NumRows()), s.most)
	}
	s.slice = s.RecordReader.RecordBatch().NewSlice(int64(s.at[0]), int64(s.at[1]))
	s.at = s.at[1:]
	return true
}

func (s *slicer) RecordBatch() arrow.RecordBatch { return s.slice }
func (s *slicer) Record() arrow.RecordBatch      { return s.slice }

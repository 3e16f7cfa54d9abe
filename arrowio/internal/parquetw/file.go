// Package parquetw writes Parquet.
//
// The library's own way from Arrow to Parquet is not taken: it writes wrong
// rows for a fixed-size list that is a slice, refuses one with nulls and other
// lists with values under a null, and knows no durations. Its pages take
// several times as long: it walks over every level of every value, on one core.
//
// # Settings
//
// The settings are not for choice, but what measurements favoured. Pages have
// 1 MiB before compression, the format's first version and a checksum. They are
// encoded on all cores, and the bytes of the file do not depend on how many
// there are.
//
//   - Values of uint8, which Parquet stores in 4 bytes, are indexes of 8 bits
//     into the dictionary 0, 1, 2...: a byte each, taken over as they are.
//   - A column chunk is compressed, with Zstandard's fast end, where a sample
//     says that it loses an eighth or more. Sparse codes do; those of a sigmoid
//     and photographs do not, and cost reader and writer no time. Texts always
//     are.
//   - Numbers are PLAIN, texts have a dictionary unless most differ, and
//     columns of scalars but floats have statistics.
//
// Sizes are parts of a byte a pixel, or 4 bytes a code; MB/s, of these bytes,
// are those of one core compressing. Digits are MNIST, photographs 6x6 patches
// of Kodak's in colour, codes those of 196 sigmoid units on MNIST; (a) are
// sizes from pyarrow, on digits alone, with Zstandard. Not every reader has
// BYTE_STREAM_SPLIT for integers.
//
//	                                   digits          photographs
//	pixels  PLAIN, Zstandard           0.32  138 MB/s  1.17   42 MB/s
//	        PLAIN, Snappy              0.52  202       1.58   92
//	        DELTA_BINARY_PACKED (a)    0.41
//	        BYTE_STREAM_SPLIT (a)      0.21
//	        runs and indexes (a)       0.22
//	        8-bit indexes, Zstandard   0.21  271       0.98  277
//	        8-bit indexes, Snappy      0.29  403       0.91  279
//	        8-bit indexes, LZ4         0.28  399       0.95  248
//	        8-bit indexes alone        1.00            1.00
//	codes   PLAIN, Zstandard           0.91  331
//	        PLAIN, Snappy or LZ4       1.00
//	        BYTE_STREAM_SPLIT, Zstd    0.88  351
//	        BYTE_STREAM_SPLIT, Snappy  0.86  870
//	        PLAIN alone                1.00
//
// Against PLAIN with Zstandard, 200,000 digits take 34 MB and not 50, and a
// core of pyarrow reads them in 1.6 s and not 1.8, of DuckDB in 1.45 s and not
// 1.6; 576,000 photographs 65 MB and not 73, in 0.41 s and not 0.67, 0.77 s and
// not 0.92.
package parquetw

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/metadata"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
	"github.com/apache/arrow-go/v18/parquet/schema"

	"github.com/aefeat/aefeat/arrowio/internal/container"
	"github.com/aefeat/aefeat/arrowio/internal/format"
	"github.com/aefeat/aefeat/arrowio/internal/thrift"
)

// An encoder collects rows, column by column, until they make a row group. The
// columns hold what the file will (plain values, and levels as runs), so the
// size of the row group is known as it grows, batches of any size make row
// groups of one size, and no batch is kept. The pages of a row group are then
// encoded on all cores, and written in their order.
type encoder struct {
	out     io.Writer
	columns []*column
	limit   int64
	started bool
	at      int64 // bytes written
	rows    int64 // in the file before this row group
	held    int   // in this row group
	groups  int
	listed  thrift.Writer      // the row groups, as the footer lists them
	fields  map[int16]rawField // of the footer: what does not depend on the rows
	pages   []*page            // to be encoded, again and again

	reserved bool // room for a row group
}

// A rawField is the value of a Thrift field.
type rawField struct {
	typ   byte
	value []byte
}

// maxGroupRows ends row groups of narrow rows, so that engines that share work
// out by row groups find some.
const maxGroupRows = 1 << 20

// NewEncoder implements [container.Format].
func NewEncoder(out io.Writer, of *arrow.Schema, o container.WriteOptions) (container.Encoder, error) {
	e := &encoder{out: out, limit: o.GroupBytes}
	var physical, declared []arrow.Field
	var groups []logicalNode
	for i, f := range of.Fields() {
		m := mapper{column: i}
		both, err := m.field(f, f.Name)
		if err != nil {
			return nil, err
		}
		physical, declared = append(physical, both.physical), append(declared, both.declared)
		for _, g := range m.logical {
			groups = append(groups, logicalNode{len(e.columns) + g.leaf, g.of})
		}
		e.columns = append(e.columns, m.leaves...)
	}
	root, err := pqarrow.ToParquet(arrow.NewSchema(physical, nil), nil, pqarrow.DefaultWriterProps())
	if err != nil {
		return nil, fmt.Errorf("write Parquet: %w", err)
	}
	if root.NumColumns() != len(e.columns) {
		return nil, fmt.Errorf("write Parquet: %d columns for a schema of %d", root.NumColumns(), len(e.columns))
	}
	for i, c := range e.columns {
		leaf := root.Column(i)
		c.maxDef, c.maxRep = leaf.MaxDefinitionLevel(), leaf.MaxRepetitionLevel()
		c.physical, c.names = int32(leaf.PhysicalType()), leaf.ColumnPath()
	}
	meta := of.Metadata()
	keep, err := fileMetadata(arrow.NewSchema(declared, &meta), o.Allocator)
	if err != nil {
		return nil, err
	}
	if e.fields, err = libraryFields(root, keep); err != nil {
		return nil, fmt.Errorf("write Parquet: %w", err)
	}
	if err := e.setLogical(groups); err != nil {
		return nil, fmt.Errorf("write Parquet: %w", err)
	}
	return e, nil
}

// fileMetadata returns the keys and values of the footer: those of the schema,
// and the schema.
func fileMetadata(declared *arrow.Schema, mem memory.Allocator) (metadata.KeyValueMetadata, error) {
	meta := declared.Metadata()
	keep := metadata.KeyValueMetadata{}
	for i, key := range meta.Keys() {
		if key == format.SchemaKey {
			continue
		}
		if err := keep.Append(key, meta.Values()[i]); err != nil {
			return nil, fmt.Errorf("write Parquet: metadata %q: %w", key, err)
		}
	}
	serialized, err := serializeSchema(declared, mem)
	if err != nil {
		return nil, err
	}
	return keep, keep.Append(format.SchemaKey, serialized)
}

// libraryFields returns the fields of the footer that the library writes for a
// file without rows.
func libraryFields(root *schema.Schema, keep metadata.KeyValueMetadata) (map[int16]rawField, error) {
	props := parquet.NewWriterProperties(parquet.WithCreatedBy("aefeat"))
	empty, err := metadata.NewFileMetadataBuilder(root, props, keep).Finish()
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if _, err := empty.WriteTo(&b, nil); err != nil {
		return nil, err
	}
	fields := map[int16]rawField{}
	r := thrift.NewReader(b.Bytes())
	r.Struct(func(id int16, typ byte) bool {
		fields[id] = rawField{typ, r.Raw(typ)}
		return true
	})
	return fields, r.Err()
}

// serializeSchema returns the schema as readers look for it in a Parquet file:
// an IPC message in base64.
func serializeSchema(schema *arrow.Schema, mem memory.Allocator) (text string, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("write Parquet: schema cannot be stored: %v", p)
		}
	}()
	p := ipc.GetSchemaPayload(schema, mem)
	defer p.Release()
	var b bytes.Buffer
	if _, err := p.WritePayload(&b); err != nil {
		return "", fmt.Errorf("write Parquet: schema: %w", err)
	}
	return base64.StdEncoding.EncodeToString(b.Bytes()), nil
}

func (e *encoder) start() error {
	if e.started {
		return nil
	}
	e.started = true
	return e.put([]byte(format.Magic))
}

// put writes to the file.
func (e *encoder) put(parts ...[]byte) error {
	for _, b := range parts {
		n, err := e.out.Write(b)
		e.at += int64(n)
		if err != nil {
			return err
		}
	}
	return nil
}

// Write implements [container.Encoder].
func (e *encoder) Write(rec arrow.RecordBatch) error {
	if err := e.start(); err != nil {
		return err
	}
	m := int(rec.NumRows())
	for lo := 0; lo < m; {
		hi := min(lo+e.step(), m)
		for _, c := range e.columns {
			c.firstRow = e.rows + int64(e.held) - int64(lo)
			if err := c.shred(rec.Column(c.column), lo, hi); err != nil {
				return err
			}
		}
		e.held += hi - lo
		lo = hi
		switch size := e.bytes(); {
		case e.held >= maxGroupRows || size >= e.limit:
			if err := e.flush(); err != nil {
				return err
			}
		case !e.reserved && size >= e.limit/16:
			e.reserve(float64(e.limit) / float64(size))
		}
	}
	return nil
}

func (e *encoder) bytes() int64 {
	var n int64
	for _, c := range e.columns {
		n += c.bytes()
	}
	return n
}

// reserve makes room for so many times the bytes held, which a row group will
// come to: growing there bit by bit would cost several times the memory.
func (e *encoder) reserve(times float64) {
	e.reserved = true
	const more = 1.1 // than on average
	for _, c := range e.columns {
		n := len(c.values.data)
		c.values.data = slices.Grow(c.values.data, int(float64(n)*times*more)-n)
	}
}

// step is the number of rows to take before the size of the row group is looked
// at again: they should be a small part of it.
func (e *encoder) step() int {
	const first = 16 // of unknown size
	switch {
	case e.held == 0:
		return 1 // which may be a large part
	case e.held < first && e.bytes() < e.limit/first:
		return first - e.held
	}
	rowBytes := max(1, e.bytes()/int64(e.held))
	return int(min(max(e.limit/16/rowBytes, 1), 8192, maxGroupRows-int64(e.held)))
}

// flush writes the rows held as a row group.
func (e *encoder) flush() error {
	if e.held == 0 {
		return nil
	}
	if err := e.encodePages(); err != nil {
		return err
	}
	w := &e.listed
	w.Begin()
	w.List(1, thrift.Struct, len(e.columns))
	plain, packed := int64(0), int64(0)
	for _, c := range e.columns {
		c.list(w)
		plain += c.chunk.plain
		packed += c.chunk.packed
		c.reset()
	}
	w.Int64(2, plain)
	w.Int64(3, int64(e.held))
	w.Int64(6, packed)
	w.End()
	e.groups++
	e.rows += int64(e.held)
	e.held = 0
	return nil
}

// Close implements [container.Encoder].
func (e *encoder) Close() error {
	if err := e.start(); err != nil {
		return err
	}
	if err := e.flush(); err != nil {
		return err
	}
	e.columns, e.pages = nil, nil
	return e.put(e.footer())
}

// footer returns what ends the file.
func (e *encoder) footer() []byte {
	w := &thrift.Writer{}
	raw := func(id int16) {
		if f, ok := e.fields[id]; ok {
			w.Field(id, f.typ)
			w.Raw(f.value)
		}
	}
	w.Begin()
	raw(1) // version
	raw(2) // schema
	w.Int64(3, e.rows)
	w.List(4, thrift.Struct, e.groups)
	w.Raw(e.listed.Bytes())
	raw(5) // metadata
	raw(6) // created by
	raw(7) // orders of columns
	w.End()
	b := binary.LittleEndian.AppendUint32(w.Bytes(), uint32(len(w.Bytes())))
	return append(b, format.Magic...)
}

// Abort implements [container.Encoder]. The footer is left out. The zeros are
// for the case that the last bytes of the data look like one.
func (e *encoder) Abort() []byte {
	e.columns, e.pages = nil, nil
	return make([]byte, 8)
}

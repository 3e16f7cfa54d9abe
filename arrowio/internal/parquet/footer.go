package parquet

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/aefeat/aefeat/arrowio/internal/bound"
	"github.com/aefeat/aefeat/arrowio/internal/format"
	"github.com/aefeat/aefeat/arrowio/internal/message"
	"github.com/aefeat/aefeat/arrowio/internal/thrift"
)

// ErrEncrypted is the error of a file that has to be decrypted first.
var ErrEncrypted = errors.New("encrypted Parquet is not supported")

// A footer is what a Parquet footer says, as far as reading needs it, after it
// has been checked: the schema is a tree, every column chunk lies inside the
// file and apart from the others, and the row counts add up.
type footer struct {
	tree
	rows    int64
	groups  []rowGroup
	schema  string // the Arrow schema, base64, verified; "" if there is none to use
	raw     []byte // of the tree, as it lies in the file
	meta    []keyValue
	creator string
	sum     [sha256.Size]byte // of its bytes
}

// A keyValue is what the writer said of the file, but for the Arrow schema.
type keyValue struct{ key, value string }

type rowGroup struct {
	rows   int64
	chunks []columnChunk
}

type columnChunk struct {
	physical     int32
	codec        int32
	start, size  int64
	values       int64
	uncompressed int64 // as claimed; only ever shown
}

// readFooter reads and checks the footer of a file.
func readFooter(r io.ReaderAt, size int64) (*footer, error) {
	if size < 12 {
		return nil, errors.New("truncated Parquet file")
	}
	var tail [8]byte
	if err := bound.ReadFullAt(r, tail[:], size-8); err != nil {
		return nil, fmt.Errorf("read the footer: %w", err)
	}
	switch string(tail[4:]) {
	case format.Magic:
	case encryptedMagic:
		return nil, ErrEncrypted
	default:
		return nil, errors.New("truncated or damaged Parquet file: its end is missing")
	}
	n := int64(binary.LittleEndian.Uint32(tail[:]))
	if n > size-12 {
		return nil, fmt.Errorf("damaged Parquet file: footer of %d bytes in a file of %d", n, size)
	}
	b := make([]byte, n)
	if err := bound.ReadFullAt(r, b, size-8-n); err != nil {
		return nil, fmt.Errorf("read the footer: %w", err)
	}
	f, err := parseFooter(b)
	if err != nil {
		if errors.Is(err, ErrEncrypted) {
			return nil, err
		}
		return nil, bound.Damaged("Parquet footer", err)
	}
	if err := f.checkGroups(size - 8 - n); err != nil {
		return nil, bound.Damaged("Parquet footer", err)
	}
	f.sum = sha256.Sum256(b)
	return f, nil
}

func parseFooter(b []byte) (*footer, error) {
	r := &footerReader{Reader: thrift.NewReader(b)}
	f := &footer{rows: -1}
	r.footer(f)
	switch {
	case r.encrypted && r.Err() == nil:
		return nil, ErrEncrypted
	case r.Err() != nil:
		return nil, r.Err()
	case f.rows < 0:
		return nil, errors.New("no number of rows")
	case len(f.nodes) == 0:
		return nil, errors.New("no schema")
	case !r.hasGroups:
		return nil, errors.New("no row groups")
	case r.Left() > 0:
		return nil, fmt.Errorf("%d bytes after its end", r.Left())
	}
	if err := f.build(); err != nil {
		return nil, err
	}
	for i, g := range f.groups {
		if len(g.chunks) != len(f.leaves) {
			return nil, fmt.Errorf("row group %d has %d columns, the schema %d", i, len(g.chunks), len(f.leaves))
		}
		for j, c := range g.chunks {
			if c.physical != f.leaves[j].physical {
				return nil, fmt.Errorf("row group %d: column %q has another type than in the schema", i, f.name(j))
			}
		}
	}
	return f, nil
}

// A footerReader reads the structs of a footer.
type footerReader struct {
	*thrift.Reader
	encrypted bool
	hasGroups bool
}

func (r *footerReader) footer(f *footer) {
	r.Struct(func(id int16, typ byte) bool {
		from := r.Pos()
		switch id {
		case 2:
			r.Structs(typ, func() { f.nodes = append(f.nodes, r.node()) })
			f.raw = r.Since(from)
		case 3:
			r.Int64(typ, &f.rows)
		case 4:
			r.hasGroups = true
			r.Structs(typ, func() { f.groups = append(f.groups, r.rowGroup()) })
		case 5:
			r.Structs(typ, func() {
				switch key, value := r.keyValue(); {
				case key != format.SchemaKey:
					f.meta = append(f.meta, keyValue{key, value})
				case f.schema == "":
					f.schema = value
				}
			})
		case 6:
			f.creator = string(r.Bytes(typ))
		case 8:
			r.encrypted = true
			return false
		default:
			return false
		}
		return true
	})
}

func (r *footerReader) keyValue() (key, value string) {
	r.Struct(func(id int16, typ byte) bool {
		switch id {
		case 1:
			key = string(r.Bytes(typ))
		case 2:
			value = string(r.Bytes(typ))
		default:
			return false
		}
		return true
	})
	return key, value
}

func (r *footerReader) rowGroup() rowGroup {
	g := rowGroup{rows: -1}
	r.Struct(func(id int16, typ byte) bool {
		switch id {
		case 1:
			r.Structs(typ, func() { g.chunks = append(g.chunks, r.columnChunk()) })
		case 3:
			r.Int64(typ, &g.rows)
		default:
			return false
		}
		return true
	})
	if g.rows < 0 {
		r.Fail(errors.New("row group without a number of rows"))
	}
	return g
}

func (r *footerReader) columnChunk() (c columnChunk) {
	found, encrypted := false, false
	r.Struct(func(id int16, typ byte) bool {
		switch id {
		case 1:
			if len(r.Bytes(typ)) > 0 {
				r.Fail(&bound.UnsupportedError{What: "its columns lie in other files", Hint: "write them into one file"})
			}
		case 3:
			found = true
			if r.Want(typ, thrift.Struct) {
				r.columnMetadata(&c)
			}
		case 8, 9:
			encrypted = true
			return false
		default:
			return false
		}
		return true
	})
	r.encrypted = r.encrypted || encrypted
	if !found && !encrypted {
		r.Fail(errors.New("column chunk without metadata"))
	}
	return c
}

func (r *footerReader) columnMetadata(c *columnChunk) {
	data, dict := int64(-1), int64(0)
	c.physical, c.codec, c.values, c.size = -1, -1, -1, -1
	r.Struct(func(id int16, typ byte) bool {
		switch id {
		case 1:
			r.Int32(typ, &c.physical)
		case 4:
			r.Int32(typ, &c.codec)
		case 5:
			r.Int64(typ, &c.values)
		case 6:
			r.Int64(typ, &c.uncompressed)
		case 7:
			r.Int64(typ, &c.size)
		case 9:
			r.Int64(typ, &data)
		case 11:
			r.Int64(typ, &dict)
		default:
			return false
		}
		return true
	})
	c.start = data
	// Some writers say 0 for no dictionary, and some give the dictionary's
	// place as that of the data.
	if dict > 0 && dict < data {
		c.start = dict
	}
	if data < 0 || c.values < 0 || c.size < 0 || c.codec < 0 {
		r.Fail(errors.New("incomplete column metadata"))
	}
}

// checkSchema verifies the Arrow schema that some writers store beside the
// Parquet one. One with types that are not known is left out.
func (f *footer) checkSchema() error {
	if err := f.checkTexts(); err != nil || f.schema == "" {
		return err
	}
	b, err := base64.StdEncoding.DecodeString(f.schema)
	if err != nil {
		if b, err = base64.RawStdEncoding.DecodeString(f.schema); err != nil {
			return fmt.Errorf("%s is not base64", format.SchemaKey)
		}
	}
	// It is a message of an IPC stream, with its length before it.
	meta, rest, err := message.Cut(b)
	if err != nil {
		return fmt.Errorf("%s: %w", format.SchemaKey, err)
	}
	if len(rest) > 8 {
		return fmt.Errorf("%s has bytes after its end", format.SchemaKey)
	}
	_, err = message.ParseSchema(meta)
	if errors.Is(err, message.ErrUnknownType) {
		f.schema = ""
		return nil
	}
	if err != nil {
		return fmt.Errorf("%s: %w", format.SchemaKey, err)
	}
	f.schema = base64.StdEncoding.EncodeToString(b) // parsing may have changed it
	return nil
}

// maxText bounds names, and the Arrow schema: the library reads no text that is
// longer.
const maxText = 100 << 20

// checkTexts checks the texts that the library will read.
func (f *footer) checkTexts() error {
	longest, what := len(f.schema), "its Arrow schema"
	for _, n := range f.nodes {
		if len(n.name) > longest {
			longest, what = len(n.name), "the name of a column"
		}
	}
	if longest <= maxText {
		return nil
	}
	return &bound.BeyondError{
		What: fmt.Sprintf("%s of %d MiB is beyond the %d MiB that are read", what, longest>>20, maxText>>20),
		Hint: "write it with shorter names and less metadata",
	}
}

// checkGroups checks the row counts, and that column chunks lie before end and
// apart.
func (f *footer) checkGroups(end int64) error {
	rows := int64(0)
	var chunks []*columnChunk
	for i := range f.groups {
		g := &f.groups[i]
		if g.rows > math.MaxInt64-rows {
			return errors.New("row counts overflow")
		}
		rows += g.rows
		for j := range g.chunks {
			c := &g.chunks[j]
			if err := c.check(g.rows, f.leaves[j].maxRep > 0, end); err != nil {
				return fmt.Errorf("row group %d, column %q: %w", i, f.name(j), err)
			}
			if c.values > 0 {
				chunks = append(chunks, c)
			}
		}
	}
	if f.rows == 0 {
		f.rows = rows // parquet-rs 0.3 never counted them
	}
	if rows != f.rows {
		return fmt.Errorf("%d rows in the row groups, %d in the file", rows, f.rows)
	}
	slices.SortFunc(chunks, func(a, b *columnChunk) int { return cmp.Compare(a.start, b.start) })
	for i := 1; i < len(chunks); i++ {
		if before := chunks[i-1]; chunks[i].start < before.start+before.size {
			return fmt.Errorf("two column chunks share the bytes at %d", chunks[i].start)
		}
	}
	if f.shortChunks() {
		for _, c := range chunks {
			c.size += min(100, end-c.start-c.size)
		}
	}
	return nil
}

// check checks a chunk of a column in a group of rows.
func (c *columnChunk) check(rows int64, repeated bool, end int64) error {
	switch {
	case c.codec > format.LZ4Raw:
		return fmt.Errorf("unknown compression %d", c.codec)
	case !repeated && c.values != rows, c.values < rows:
		return fmt.Errorf("%d values for %d rows", c.values, rows)
	case rows == 0 && c.values > 0:
		return fmt.Errorf("%d values in no rows", c.values)
	case c.values == 0:
		return nil
	case c.start < 4 || c.size <= 0 || c.start > end || c.size > end-c.start:
		return fmt.Errorf("its bytes %d+%d lie outside the file", c.start, c.size)
	}
	return nil
}

// shortChunks says whether the file comes from a version of parquet-mr that
// left the header of the dictionary out of a chunk's size.
func (f *footer) shortChunks() bool {
	var minor, patch int
	n, _ := fmt.Sscanf(f.creator, "parquet-mr version 1.%d.%d", &minor, &patch)
	return f.creator == "parquet-mr" || n == 2 && (minor < 2 || minor == 2 && patch <= 8)
}

package arrowio

import (
	"cmp"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
)

// Parquet's physical types and codecs, by their numbers in the format.
const (
	typeBoolean = 0
	typeInt32   = 1
	typeInt64   = 2
	typeInt96   = 3
	typeFloat   = 4
	typeDouble  = 5
	typeBytes   = 6
	typeFixed   = 7

	codecNone   = 0
	codecSnappy = 1
	codecGzip   = 2
	codecLZO    = 3
	codecBrotli = 4
	codecLZ4    = 5
	codecZstd   = 6
	codecLZ4Raw = 7

	required = 0
	optional = 1
	repeated = 2
)

// maxNesting bounds the depth of schemas: deeper than any table, and far from the end of the stack.
const maxNesting = 64

// A footer is what a Parquet footer says, as far as reading needs it, after it has been checked: the schema is a tree, every column chunk lies
// inside the file and apart from the others, and the row counts add up.
type footer struct {
	size    int64 // of the file
	nodes   []schemaNode
	leaves  []leafColumn
	fields  int // columns at the top
	rows    int64
	groups  []rowGroup
	schema  string // ARROW:schema, base64, verified; "" if there is none to use
	creator string
}

// A schemaNode is an element of the schema, which is a tree in preorder.
type schemaNode struct {
	physical   int32 // -1: a group
	length     int32 // of a fixed-length value
	repetition int32
	name       string
	children   int32
	converted  int32 // -1: none
	scale      int32
	precision  int32
	hasScale   bool
	hasPrec    bool
	fieldID    int32
	hasFieldID bool
	logical    []byte // a Thrift struct, well formed; nil: none
}

// A leafColumn is a column as Parquet stores it.
type leafColumn struct {
	node           int // index in nodes
	path           []string
	top            int // index of the column at the top
	physical       int32
	length         int // bytes of a value; 0 if it varies
	maxDef, maxRep int
	repetition     []int32 // of the fields along the path
}

type rowGroup struct {
	rows   int64
	chunks []columnChunk
}

type columnChunk struct {
	codec        int32
	start, size  int64
	values       int64
	uncompressed int64 // as claimed; only ever shown
}

var errEncrypted = errors.New("encrypted Parquet is not supported")

// readFooter reads and checks the footer of a Parquet file.
func readFooter(r io.ReaderAt, size int64) (*footer, error) {
	if size < 12 {
		return nil, errors.New("truncated Parquet file")
	}
	var tail [8]byte
	if _, err := r.ReadAt(tail[:], size-8); err != nil {
		return nil, fmt.Errorf("read the footer: %w", err)
	}
	switch string(tail[4:]) {
	case "PAR1":
	case "PARE":
		return nil, errEncrypted
	default:
		return nil, errors.New("truncated or damaged Parquet file: its end is missing")
	}
	n := int64(binary.LittleEndian.Uint32(tail[:]))
	if n > size-12 {
		return nil, fmt.Errorf("damaged Parquet file: footer of %d bytes in a file of %d", n, size)
	}
	b := make([]byte, n)
	if _, err := r.ReadAt(b, size-8-n); err != nil {
		return nil, fmt.Errorf("read the footer: %w", err)
	}
	f, err := parseFooter(b)
	if err != nil {
		if errors.Is(err, errEncrypted) {
			return nil, err
		}
		return nil, fmt.Errorf("damaged Parquet footer: %w", err)
	}
	f.size = size
	if err := f.checkSchema(); err != nil {
		return nil, fmt.Errorf("damaged Parquet schema: %w", err)
	}
	if err := f.checkGroups(size - 8 - n); err != nil {
		return nil, fmt.Errorf("damaged Parquet footer: %w", err)
	}
	return f, nil
}

func parseFooter(b []byte) (*footer, error) {
	r := &thriftReader{b: b}
	f := &footer{rows: -1}
	var chunkTypes [][]int32
	encrypted, hasGroups := false, false
	r.fields(0, func(id int16, typ byte) bool {
		switch id {
		case 2:
			if !r.want(typ, thriftList) {
				return true
			}
			n := r.list(thriftStruct)
			f.nodes = make([]schemaNode, 0, min(n, 1024))
			for i := 0; i < n && r.err == nil; i++ {
				f.nodes = append(f.nodes, r.schemaNode())
			}
		case 3:
			if r.want(typ, thriftI64) {
				f.rows = r.i64()
			}
		case 4:
			if !r.want(typ, thriftList) {
				return true
			}
			hasGroups = true
			n := r.list(thriftStruct)
			for i := 0; i < n && r.err == nil; i++ {
				g, types, enc := r.rowGroup()
				encrypted = encrypted || enc
				f.groups = append(f.groups, g)
				chunkTypes = append(chunkTypes, types)
			}
		case 5:
			if !r.want(typ, thriftList) {
				return true
			}
			n := r.list(thriftStruct)
			for i := 0; i < n && r.err == nil; i++ {
				var key, value []byte
				r.fields(1, func(id int16, typ byte) bool {
					switch id {
					case 1:
						if r.want(typ, thriftBinary) {
							key = r.bytes()
						}
					case 2:
						if r.want(typ, thriftBinary) {
							value = r.bytes()
						}
					default:
						return false
					}
					return true
				})
				if string(key) == "ARROW:schema" && f.schema == "" {
					f.schema = string(value)
				}
			}
		case 6:
			if r.want(typ, thriftBinary) {
				f.creator = string(r.bytes())
			}
		case 8:
			encrypted = true
			return false
		default:
			return false
		}
		return true
	})
	switch {
	case encrypted && r.err == nil:
		return nil, errEncrypted
	case r.err != nil:
		return nil, r.err
	case f.rows < 0:
		return nil, errors.New("no number of rows")
	case len(f.nodes) == 0:
		return nil, errors.New("no schema")
	case !hasGroups:
		return nil, errors.New("no row groups")
	case r.left() > 0:
		return nil, fmt.Errorf("%d bytes after its end", r.left())
	}
	for i, g := range f.groups {
		if len(chunkTypes[i]) != len(g.chunks) {
			return nil, fmt.Errorf("row group %d: column without a type", i)
		}
	}
	if err := f.build(); err != nil {
		return nil, err
	}
	for i, types := range chunkTypes {
		if len(types) != len(f.leaves) {
			return nil, fmt.Errorf("row group %d has %d columns, the schema %d", i, len(types), len(f.leaves))
		}
		for j, t := range types {
			if t != f.leaves[j].physical {
				return nil, fmt.Errorf("row group %d: column %q has another type than in the schema", i, f.name(j))
			}
		}
	}
	return f, nil
}

func (r *thriftReader) schemaNode() schemaNode {
	n := schemaNode{physical: -1, repetition: -1, converted: -1}
	num := func(to *int32, typ byte) {
		if r.want(typ, thriftI32) {
			*to = r.i32()
		}
	}
	r.fields(1, func(id int16, typ byte) bool {
		switch id {
		case 1:
			num(&n.physical, typ)
			if n.physical < 0 || n.physical > typeFixed {
				r.fail(fmt.Errorf("unknown physical type %d", n.physical))
			}
		case 2:
			num(&n.length, typ)
		case 3:
			num(&n.repetition, typ)
		case 4:
			if r.want(typ, thriftBinary) {
				n.name = string(r.bytes())
			}
		case 5:
			num(&n.children, typ)
		case 6:
			num(&n.converted, typ)
		case 7:
			num(&n.scale, typ)
			n.hasScale = true
		case 8:
			num(&n.precision, typ)
			n.hasPrec = true
		case 9:
			num(&n.fieldID, typ)
			n.hasFieldID = true
		case 10:
			if r.want(typ, thriftStruct) {
				from := r.pos
				r.skip(thriftStruct, 2)
				// Types that are not known are to be ignored.
				if r.err == nil && knownLogical(r.b[from:r.pos]) {
					n.logical = r.b[from:r.pos]
				}
			}
		default:
			return false
		}
		return true
	})
	return n
}

// knownLogical says whether a logical type, a union, is one that the library knows.
func knownLogical(b []byte) bool {
	known := false
	r := &thriftReader{b: b}
	r.fields(0, func(id int16, typ byte) bool {
		known = id >= 1 && id <= 18 && id != 9 && typ == thriftStruct
		return false
	})
	return known
}

func (r *thriftReader) rowGroup() (g rowGroup, types []int32, encrypted bool) {
	g.rows = -1
	r.fields(1, func(id int16, typ byte) bool {
		switch id {
		case 1:
			if !r.want(typ, thriftList) {
				return true
			}
			n := r.list(thriftStruct)
			for i := 0; i < n && r.err == nil; i++ {
				c, t, enc := r.columnChunk()
				g.chunks = append(g.chunks, c)
				types = append(types, t)
				encrypted = encrypted || enc
			}
		case 3:
			if r.want(typ, thriftI64) {
				g.rows = r.i64()
			}
		default:
			return false
		}
		return true
	})
	if r.err == nil && g.rows < 0 {
		r.fail(errors.New("row group without a number of rows"))
	}
	return g, types, encrypted
}

func (r *thriftReader) columnChunk() (c columnChunk, physical int32, encrypted bool) {
	found := false
	r.fields(2, func(id int16, typ byte) bool {
		switch id {
		case 1:
			if r.want(typ, thriftBinary) && len(r.bytes()) > 0 {
				r.fail(errors.New("column data in another file is not supported"))
			}
		case 3:
			if r.want(typ, thriftStruct) {
				found = true
				physical = r.columnMetaData(&c)
			}
		case 8, 9:
			encrypted = true
			return false
		default:
			return false
		}
		return true
	})
	if r.err == nil && !found && !encrypted {
		r.fail(errors.New("column chunk without metadata"))
	}
	return c, physical, encrypted
}

func (r *thriftReader) columnMetaData(c *columnChunk) int32 {
	physical, data, dict := int32(-1), int64(-1), int64(0)
	c.codec, c.values, c.size = -1, -1, -1
	num := func(to *int64, typ byte) {
		if r.want(typ, thriftI64) {
			*to = r.i64()
		}
	}
	r.fields(3, func(id int16, typ byte) bool {
		switch id {
		case 1:
			if r.want(typ, thriftI32) {
				physical = r.i32()
			}
		case 4:
			if r.want(typ, thriftI32) {
				c.codec = r.i32()
			}
		case 5:
			num(&c.values, typ)
		case 6:
			num(&c.uncompressed, typ)
		case 7:
			num(&c.size, typ)
		case 9:
			num(&data, typ)
		case 11:
			num(&dict, typ)
		default:
			return false
		}
		return true
	})
	c.start = data
	// Some writers say 0 for no dictionary, and some give the dictionary's place as that of the data.
	if dict > 0 && dict < data {
		c.start = dict
	}
	if r.err == nil && (data < 0 || c.values < 0 || c.size < 0 || c.codec < 0) {
		r.fail(errors.New("incomplete column metadata"))
	}
	return physical
}

// build finds the leaves of the schema.
func (f *footer) build() error {
	root := f.nodes[0]
	if root.physical >= 0 || root.children < 0 {
		return errors.New("schema without a root")
	}
	if root.children == 0 {
		return errors.New("schema without columns")
	}
	f.fields = int(root.children)
	next := 1
	var walk func(path []string, along []int32, top, def, rep int) error
	walk = func(path []string, along []int32, top, def, rep int) error {
		if next >= len(f.nodes) {
			return errors.New("schema ends early")
		}
		if len(path) >= maxNesting {
			return errors.New("schema nested too deeply")
		}
		i := next
		n := &f.nodes[i]
		next++
		switch n.repetition {
		case required:
		case optional:
			def++
		case repeated:
			def++
			rep++
		default:
			return fmt.Errorf("column %q is neither required nor optional nor repeated", n.name)
		}
		path, along = append(slices.Clip(path), n.name), append(slices.Clip(along), n.repetition)
		if n.physical >= 0 {
			if n.children != 0 {
				return fmt.Errorf("column %q has a type and children", n.name)
			}
			leaf := leafColumn{node: i, path: path, top: top, physical: n.physical, maxDef: def, maxRep: rep, repetition: along}
			switch n.physical {
			case typeInt32, typeFloat:
				leaf.length = 4
			case typeInt64, typeDouble:
				leaf.length = 8
			case typeInt96:
				leaf.length = 12
			case typeFixed:
				if n.length <= 0 {
					return fmt.Errorf("column %q has values of %d bytes", n.name, n.length)
				}
				leaf.length = int(n.length)
			}
			f.leaves = append(f.leaves, leaf)
			return nil
		}
		if n.children <= 0 {
			return fmt.Errorf("column %q has neither a type nor children", n.name)
		}
		if int(n.children) > len(f.nodes)-next {
			return errors.New("schema ends early")
		}
		names := map[string]bool{}
		for range n.children {
			if next < len(f.nodes) {
				if name := f.nodes[next].name; names[name] {
					return fmt.Errorf("column %q has two children %q", n.name, name)
				} else {
					names[name] = true
				}
			}
			if err := walk(path, along, top, def, rep); err != nil {
				return err
			}
		}
		return nil
	}
	for top := range f.fields {
		if err := walk(nil, nil, top, 0, 0); err != nil {
			return err
		}
	}
	if next != len(f.nodes) {
		return errors.New("schema with elements outside its root")
	}
	return nil
}

func (f *footer) name(leaf int) string { return f.nodes[f.leaves[leaf].node].name }

// checkSchema verifies the Arrow schema that some writers store beside the Parquet one. One with types that are not known is left out.
func (f *footer) checkSchema() error {
	if f.schema == "" {
		return nil
	}
	b, err := base64.StdEncoding.DecodeString(f.schema)
	if err != nil {
		if b, err = base64.RawStdEncoding.DecodeString(f.schema); err != nil {
			return errors.New("ARROW:schema is not base64")
		}
	}
	// It is a message of an IPC stream, with its length before it.
	meta, rest, err := cutMessage(b)
	if err != nil {
		return fmt.Errorf("ARROW:schema: %w", err)
	}
	if len(rest) > 8 {
		return errors.New("ARROW:schema has bytes after its end")
	}
	msg, err := parseMessage(meta)
	if err == nil && msg.kind != messageSchema {
		err = errors.New("not a schema")
	}
	if err == nil {
		_, err = parseSchema(msg.header)
	}
	if errors.Is(err, errUnknownType) {
		f.schema = ""
		return nil
	}
	if err != nil {
		return fmt.Errorf("ARROW:schema: %w", err)
	}
	return nil
}

func (f *footer) checkGroups(end int64) error {
	var rows int64
	type span struct{ start, end int64 }
	var spans []span
	for i := range f.groups {
		g := &f.groups[i]
		if g.rows > math.MaxInt64-rows {
			return errors.New("row counts overflow")
		}
		rows += g.rows
		for j := range g.chunks {
			c := &g.chunks[j]
			bad := func(format string, a ...any) error {
				return fmt.Errorf("row group %d, column %q: %s", i, f.name(j), fmt.Sprintf(format, a...))
			}
			switch {
			case c.codec > codecLZ4Raw:
				return bad("unknown compression %d", c.codec)
			case f.leaves[j].maxRep == 0 && c.values != g.rows:
				return bad("%d values for %d rows", c.values, g.rows)
			case c.values < g.rows:
				return bad("%d values for %d rows", c.values, g.rows)
			case g.rows == 0 && c.values > 0:
				return bad("%d values in no rows", c.values)
			}
			if c.values == 0 {
				continue
			}
			if c.start < 4 || c.size <= 0 || c.start > end || c.size > end-c.start {
				return bad("its bytes %d+%d lie outside the file", c.start, c.size)
			}
			spans = append(spans, span{c.start, c.start + c.size})
		}
	}
	if rows != f.rows {
		return fmt.Errorf("%d rows in the row groups, %d in the file", rows, f.rows)
	}
	slices.SortFunc(spans, func(a, b span) int { return cmp.Compare(a.start, b.start) })
	if f.shortChunks() {
		for _, g := range f.groups {
			for i := range g.chunks {
				c := &g.chunks[i]
				c.size += max(0, min(100, end-c.start-c.size))
			}
		}
	}
	for i := 1; i < len(spans); i++ {
		if spans[i].start < spans[i-1].end {
			return fmt.Errorf("two column chunks share the bytes at %d", spans[i].start)
		}
	}
	return nil
}

// shortChunks says whether the file comes from a version of parquet-mr that left the header of the dictionary out of a chunk's size.
func (f *footer) shortChunks() bool {
	var minor, patch int
	n, _ := fmt.Sscanf(f.creator, "parquet-mr version 1.%d.%d", &minor, &patch)
	return f.creator == "parquet-mr" || n == 2 && (minor < 2 || minor == 2 && patch <= 8)
}

// The library is shown row groups whose columns lie chunkSpace bytes apart, uncompressed. See chunkReader.
const chunkSpace = int64(1) << 40

// checkedFooter writes a footer for the library, which holds what has been checked and nothing else: no statistics, indexes,
// keys or offsets of the file. It has the one row group given, or none.
func (f *footer) checkedFooter(g *rowGroup) []byte {
	w := &thriftWriter{}
	w.begin()
	w.i32(1, 2)
	w.list(2, thriftStruct, len(f.nodes))
	for i, n := range f.nodes {
		w.begin()
		if n.physical >= 0 {
			w.i32(1, n.physical)
			if n.physical == typeFixed {
				w.i32(2, n.length)
			}
		}
		if i > 0 {
			w.i32(3, n.repetition)
		}
		w.string(4, n.name)
		if n.physical < 0 {
			w.i32(5, n.children)
		}
		if n.converted >= 0 {
			w.i32(6, n.converted)
		}
		if n.hasScale {
			w.i32(7, n.scale)
		}
		if n.hasPrec {
			w.i32(8, n.precision)
		}
		if n.hasFieldID {
			w.i32(9, n.fieldID)
		}
		if n.logical != nil {
			w.field(10, thriftStruct)
			w.b = append(w.b, n.logical...)
		}
		w.end()
	}
	groups, rows := 0, int64(0)
	if g != nil {
		groups, rows = 1, g.rows
	}
	w.i64(3, rows)
	w.list(4, thriftStruct, groups)
	if g != nil {
		w.begin()
		w.list(1, thriftStruct, len(g.chunks))
		for i, c := range g.chunks {
			start := int64(i+1) * chunkSpace
			w.begin()
			w.i64(2, start)
			w.field(3, thriftStruct)
			w.begin()
			w.i32(1, f.leaves[i].physical)
			w.list(2, thriftI32, 0)
			w.list(3, thriftBinary, len(f.leaves[i].path))
			for _, name := range f.leaves[i].path {
				w.text(name)
			}
			w.i32(4, codecNone)
			w.i64(5, c.values)
			w.i64(6, chunkSpace-1)
			w.i64(7, chunkSpace-1)
			w.i64(9, start)
			w.end()
			w.end()
		}
		w.i64(2, 0)
		w.i64(3, g.rows)
		w.end()
	}
	if f.schema != "" {
		w.list(5, thriftStruct, 1)
		w.begin()
		w.string(1, "ARROW:schema")
		w.string(2, f.schema)
		w.end()
	}
	w.end()
	return w.b
}

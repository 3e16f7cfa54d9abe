package arrowio

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
)

// Kinds of IPC messages and of types, by their numbers in the format.
const (
	messageSchema     = 1
	messageDictionary = 2
	messageBatch      = 3

	arrowNull        = 1
	arrowInt         = 2
	arrowFloat       = 3
	arrowBinary      = 4
	arrowUtf8        = 5
	arrowBool        = 6
	arrowDecimal     = 7
	arrowDate        = 8
	arrowTime        = 9
	arrowTimestamp   = 10
	arrowInterval    = 11
	arrowList        = 12
	arrowStruct      = 13
	arrowUnion       = 14
	arrowFixedBinary = 15
	arrowFixedList   = 16
	arrowMap         = 17
	arrowDuration    = 18
	arrowLargeBinary = 19
	arrowLargeUtf8   = 20
	arrowLargeList   = 21
	arrowRunEnd      = 22
	arrowBinaryView  = 23
	arrowUtf8View    = 24
	arrowListView    = 25
	arrowLargeLView  = 26

	compressionNone = -1
	compressionLZ4  = 0
	compressionZstd = 1

	metadataV4 = 3
	metadataV5 = 4
)

var errUnknownType = errors.New("unknown type")

// An ipcMessage is the verified head of an IPC message.
type ipcMessage struct {
	kind    byte
	version int16
	header  fbTable
	body    int64 // bytes
}

// cutMessage splits bytes into the metadata of the message that they begin with, and what follows.
func cutMessage(b []byte) (meta, rest []byte, err error) {
	if len(b) >= 8 && binary.LittleEndian.Uint32(b) == math.MaxUint32 {
		b = b[4:]
	}
	if len(b) < 4 {
		return nil, nil, errFlatbuffer
	}
	n := binary.LittleEndian.Uint32(b)
	if uint64(n) > uint64(len(b)-4) {
		return nil, nil, errFlatbuffer
	}
	return b[4 : 4+n], b[4+n:], nil
}

func parseMessage(meta []byte) (ipcMessage, error) {
	var m ipcMessage
	t, err := fbRoot(meta)
	if err != nil {
		return m, err
	}
	if m.version, err = t.int16(0, 0); err != nil {
		return m, err
	}
	if m.version < metadataV4 || m.version > metadataV5 {
		return m, fmt.Errorf("unknown version %d of the metadata", m.version)
	}
	if m.kind, err = t.byte(1, 0); err != nil {
		return m, err
	}
	if m.kind < messageSchema || m.kind > messageBatch {
		return m, fmt.Errorf("unknown message type %d", m.kind)
	}
	var found bool
	if m.header, found, err = t.table(2); err != nil || !found {
		return m, errFlatbuffer
	}
	if m.body, err = t.int64(3, 0); err != nil {
		return m, err
	}
	if m.body < 0 {
		return m, errFlatbuffer
	}
	if m.kind == messageSchema && m.body != 0 {
		return m, errFlatbuffer
	}
	return m, (&fbWalk{left: len(meta)}).metadata(t, 4)
}

// An ipcField is a field of a schema, as far as the layout of its arrays goes.
type ipcField struct {
	name       string
	nullable   bool
	typ        byte
	width      int   // bits of a fixed-width value
	size       int64 // elements of a fixed-size list
	params     [3]int64
	children   []ipcField
	dictionary bool
	dictID     int64
	indexWidth int
}

func (f *ipcField) equal(g *ipcField) bool {
	return f.name == g.name && f.nullable == g.nullable && f.typ == g.typ && f.width == g.width && f.size == g.size && f.params == g.params &&
		f.dictionary == g.dictionary && f.dictID == g.dictID && f.indexWidth == g.indexWidth &&
		slices.EqualFunc(f.children, g.children, func(a, b ipcField) bool { return a.equal(&b) })
}

// An ipcSchema is a verified schema.
type ipcSchema struct {
	fields       []ipcField
	dictionaries map[int64]*ipcField // the values, by id
}

// A fbWalk bounds a walk: in a flatbuffer, tables may be shared, and a few bytes stand for endless ones.
type fbWalk struct{ left int }

func (w *fbWalk) spend(n int) error {
	if w.left -= n; w.left < 0 {
		return errFlatbuffer
	}
	return nil
}

// metadata checks a vector of keys and values.
func (w *fbWalk) metadata(t fbTable, slot int) error {
	v, err := t.vector(slot, 4)
	if err != nil {
		return err
	}
	for i := range v.n {
		kv, err := v.table(i)
		if err != nil {
			return err
		}
		for slot := range 2 {
			s, err := kv.vector(slot, 1)
			if err != nil {
				return err
			}
			if err := w.spend(s.n); err != nil {
				return err
			}
		}
	}
	return nil
}

func parseSchema(t fbTable) (*ipcSchema, error) {
	s := &ipcSchema{dictionaries: map[int64]*ipcField{}}
	w := &fbWalk{left: 4*len(t.b) + 1024}
	if e, err := t.int16(0, 0); err != nil || e < 0 || e > 1 {
		return nil, errFlatbuffer
	}
	v, err := t.vector(1, 4)
	if err != nil {
		return nil, err
	}
	if err := w.metadata(t, 2); err != nil {
		return nil, err
	}
	s.fields, err = w.fieldList(v, s, 0)
	return s, err
}

func (w *fbWalk) fieldList(v fbVector, s *ipcSchema, depth int) ([]ipcField, error) {
	if depth > maxNesting {
		return nil, errors.New("schema nested too deeply")
	}
	if v.n == 0 {
		return nil, nil
	}
	if err := w.spend(16 * v.n); err != nil { // a field takes more bytes than this
		return nil, err
	}
	fields := make([]ipcField, v.n)
	for i := range fields {
		t, err := v.table(i)
		if err != nil {
			return nil, err
		}
		if err := w.field(t, &fields[i], s, depth); err != nil {
			return nil, err
		}
	}
	return fields, nil
}

func (w *fbWalk) field(t fbTable, f *ipcField, s *ipcSchema, depth int) error {
	var err error
	if f.name, err = t.string(0); err != nil {
		return err
	}
	if err := w.spend(len(f.name)); err != nil {
		return err
	}
	nullable, err := t.byte(1, 0)
	if err != nil {
		return err
	}
	f.nullable = nullable != 0
	if f.typ, err = t.byte(2, 0); err != nil {
		return err
	}
	typ, found, err := t.table(3)
	if err != nil {
		return err
	}
	if !found {
		return errFlatbuffer
	}
	dict, hasDict, err := t.table(4)
	if err != nil {
		return err
	}
	kids, err := t.vector(5, 4)
	if err != nil {
		return err
	}
	if err := w.metadata(t, 6); err != nil {
		return err
	}
	if f.children, err = w.fieldList(kids, s, depth+1); err != nil {
		return err
	}
	if err := f.readType(typ); err != nil {
		return err
	}
	if !hasDict {
		return nil
	}
	f.dictionary = true
	if f.dictID, err = dict.int64(0, 0); err != nil {
		return err
	}
	f.indexWidth = 32
	if index, found, err := dict.table(1); err != nil {
		return err
	} else if found {
		n, err := index.int32(0, 0)
		if err != nil {
			return err
		}
		signed, err := index.byte(1, 0)
		if err != nil {
			return err
		}
		f.indexWidth = int(n)
		f.params[2] = int64(signed)
	}
	switch f.indexWidth {
	case 8, 16, 32, 64:
	default:
		return errFlatbuffer
	}
	if _, err := dict.byte(2, 0); err != nil {
		return err
	}
	if kind, err := dict.int16(3, 0); err != nil || kind != 0 {
		return errFlatbuffer
	}
	values := *f
	values.dictionary = false
	if other := s.dictionaries[f.dictID]; other != nil {
		// Two columns may share a dictionary of one type.
		if !sameValues(other, &values) {
			return errors.New("dictionary with two types")
		}
		return nil
	}
	s.dictionaries[f.dictID] = &values
	return nil
}

// sameValues says whether two fields have values of one type.
func sameValues(a, b *ipcField) bool {
	x, y := *a, *b
	x.name, x.nullable, x.indexWidth, x.dictionary, x.params[2] = y.name, y.nullable, y.indexWidth, y.dictionary, y.params[2]
	return x.equal(&y)
}

// readType reads the parameters of the field's type and checks that they have a meaning.
func (f *ipcField) readType(t fbTable) error {
	kids := 0 // -1: any number
	num := func(slot int, def int32) int {
		v, err := t.int32(slot, def)
		if err != nil {
			return -1 << 40 // no parameter has this value
		}
		return int(v)
	}
	short := func(slot int, def int16) int {
		v, err := t.int16(slot, def)
		if err != nil {
			return -1 << 40
		}
		return int(v)
	}
	oneOf := func(v int, of ...int) bool { return slices.Contains(of, v) }
	ok := true
	switch f.typ {
	case arrowNull, arrowBinary, arrowUtf8, arrowLargeBinary, arrowLargeUtf8, arrowBinaryView, arrowUtf8View:
	case arrowBool:
		f.width = 1
	case arrowInt:
		f.width = num(0, 0)
		ok = oneOf(f.width, 8, 16, 32, 64)
		signed, err := t.byte(1, 0)
		f.params[0] = int64(signed)
		ok = ok && err == nil
	case arrowFloat:
		precision := short(0, 0)
		if ok = oneOf(precision, 0, 1, 2); ok {
			f.width = 16 << precision
		}
	case arrowDecimal:
		precision, scale := num(0, 0), num(1, 0)
		f.width = num(2, 128)
		f.params = [3]int64{int64(precision), int64(scale)}
		digits := map[int]int{32: 9, 64: 18, 128: 38, 256: 76}[f.width]
		ok = digits > 0 && precision >= 1 && precision <= digits && scale >= -digits && scale <= digits
	case arrowDate:
		unit := short(0, 1)
		ok = oneOf(unit, 0, 1)
		f.width = 32 << (unit & 1)
		f.params[0] = int64(unit)
	case arrowTime:
		unit := short(0, 1)
		f.width = num(1, 32)
		f.params[0] = int64(unit)
		ok = f.width == 32 && oneOf(unit, 0, 1) || f.width == 64 && oneOf(unit, 2, 3)
	case arrowTimestamp:
		f.width = 64
		unit := short(0, 0)
		f.params[0] = int64(unit)
		_, err := t.string(1)
		ok = oneOf(unit, 0, 1, 2, 3) && err == nil
	case arrowDuration:
		f.width = 64
		unit := short(0, 1)
		f.params[0] = int64(unit)
		ok = oneOf(unit, 0, 1, 2, 3)
	case arrowInterval:
		unit := short(0, 0)
		f.params[0] = int64(unit)
		ok = oneOf(unit, 0, 1, 2)
		if ok {
			f.width = []int{32, 64, 128}[unit]
		}
	case arrowFixedBinary:
		n := num(0, 0)
		ok = n >= 0 && n <= math.MaxInt32/8
		f.width = 8 * n
	case arrowFixedList:
		n := num(0, 0)
		ok = n >= 0
		f.size = int64(n)
		kids = 1
	case arrowList, arrowLargeList, arrowListView, arrowLargeLView:
		kids = 1
	case arrowMap:
		kids = 1
		_, err := t.byte(0, 0)
		ok = err == nil && len(f.children) == 1 && f.children[0].typ == arrowStruct && len(f.children[0].children) == 2 && !f.children[0].dictionary
	case arrowStruct:
		kids = -1
	case arrowRunEnd:
		kids = 2
		if ok = len(f.children) == 2; ok {
			ends := f.children[0]
			ok = ends.typ == arrowInt && ends.params[0] != 0 && oneOf(ends.width, 16, 32, 64) && !ends.dictionary && !ends.nullable
		}
	case arrowUnion:
		kids = -1
		mode := short(0, 0)
		ok = oneOf(mode, 0, 1)
		f.params[0] = int64(mode)
		ids, err := t.vector(1, 4)
		ok = ok && err == nil && len(f.children) <= 128 && (ids.n == 0 || ids.n == len(f.children))
		if ok {
			for i := range ids.n {
				ok = ok && ids.int32(i) >= 0 && ids.int32(i) <= 127
			}
		}
	default:
		return fmt.Errorf("column %q: %w %d", f.name, errUnknownType, f.typ)
	}
	if !ok || kids >= 0 && len(f.children) != kids {
		return fmt.Errorf("column %q: its type is damaged", f.name)
	}
	return nil
}

// A batchHead is the verified head of a record batch.
type batchHead struct {
	rows     int64
	nodes    fbVector // 16 bytes each: length, null count
	buffers  fbVector // 16 bytes each: offset, length
	variadic fbVector // int64 each
	codec    int
}

func parseBatch(t fbTable, body int64) (batchHead, error) {
	var h batchHead
	var err error
	if h.rows, err = t.int64(0, 0); err != nil {
		return h, err
	}
	if h.rows < 0 {
		return h, errFlatbuffer
	}
	if h.nodes, err = t.vector(1, 16); err != nil {
		return h, err
	}
	if h.buffers, err = t.vector(2, 16); err != nil {
		return h, err
	}
	c, found, err := t.table(3)
	if err != nil {
		return h, err
	}
	h.codec = compressionNone
	if found {
		codec, err := c.byte(0, 0)
		if err != nil {
			return h, err
		}
		if codec > compressionZstd {
			return h, fmt.Errorf("unknown compression %d", codec)
		}
		h.codec = int(codec)
		if method, err := c.byte(1, 0); err != nil || method != 0 {
			return h, errFlatbuffer
		}
	}
	if h.variadic, err = t.vector(4, 8); err != nil {
		return h, err
	}
	for i := range h.buffers.n {
		off, n := h.buffers.int64(2*i), h.buffers.int64(2*i+1)
		if off < 0 || n < 0 || off > body || n > body-off {
			return h, fmt.Errorf("buffer %d lies outside its message", i)
		}
	}
	return h, nil
}

// A batchCheck walks over the nodes and buffers of a record batch.
type batchCheck struct {
	batchHead
	version int16
	body    []byte
	node    int
	buffer  int
	views   int
}

// checkBatch checks that a record batch has what the fields need: lengths that agree, buffers that are long enough.
func checkBatch(h batchHead, version int16, fields []ipcField, body []byte) error {
	c := &batchCheck{batchHead: h, version: version, body: body}
	for i := range fields {
		n, err := c.field(&fields[i], 0)
		if err != nil {
			return fmt.Errorf("column %q: %w", fields[i].name, err)
		}
		if n != h.rows {
			return fmt.Errorf("column %q: %d rows, expected %d", fields[i].name, n, h.rows)
		}
	}
	return nil
}

// size checks the next buffer and returns its size without compression.
func (c *batchCheck) size() (int64, error) {
	if c.buffer >= c.buffers.n {
		return 0, errors.New("buffers are missing")
	}
	off, n := c.buffers.int64(2*c.buffer), c.buffers.int64(2*c.buffer+1)
	c.buffer++
	if c.codec == compressionNone || n == 0 {
		return n, nil
	}
	b := c.body[off : off+n]
	if len(b) < 8 {
		return 0, errUnpack
	}
	size := int64(binary.LittleEndian.Uint64(b))
	b = b[8:]
	if size == -1 {
		return int64(len(b)), nil
	}
	if size < 0 {
		return 0, errUnpack
	}
	var bound int64
	var err error
	if c.codec == compressionZstd {
		bound, err = zstdBound(b, size)
	} else {
		bound, err = lz4Bound(b)
	}
	if err != nil {
		return 0, err
	}
	if size > bound {
		return 0, fmt.Errorf("%w: %d bytes cannot come from %d", errUnpack, size, len(b))
	}
	return size, nil
}

// need checks that the next buffer holds n values of some bits.
func (c *batchCheck) need(n, width int64) error {
	size, err := c.size()
	if err != nil {
		return err
	}
	if n > math.MaxInt64/64/max(width, 1) || size < (n*width+7)/8 {
		return fmt.Errorf("buffer of %d bytes for %d values of %d bits", size, n, width)
	}
	return nil
}

func (c *batchCheck) field(f *ipcField, depth int) (int64, error) {
	if depth > maxNesting {
		return 0, errors.New("nested too deeply")
	}
	if c.node >= c.nodes.n {
		return 0, errors.New("arrays are missing")
	}
	n, nulls := c.nodes.int64(2*c.node), c.nodes.int64(2*c.node+1)
	c.node++
	if n < 0 || n > math.MaxInt64/1024 || nulls < 0 || nulls > n {
		return 0, fmt.Errorf("%d nulls in %d values", nulls, n)
	}
	if f.typ == arrowUnion && c.version < metadataV5 {
		return 0, errors.New("unions of this old version of the format are not supported")
	}
	if f.dictionary || f.typ != arrowNull && f.typ != arrowUnion && f.typ != arrowRunEnd {
		if nulls == 0 {
			if _, err := c.size(); err != nil {
				return 0, err
			}
		} else if err := c.need(n, 1); err != nil {
			return 0, err
		}
	}
	// offsets checks the buffer of offsets, which an empty array may lack.
	offsets := func(width int64) error {
		if n == 0 {
			_, err := c.size()
			return err
		}
		return c.need(n+1, width)
	}
	child := func(i int) (int64, error) { return c.field(&f.children[i], depth+1) }
	if f.dictionary {
		return n, c.need(n, int64(f.indexWidth))
	}
	switch f.typ {
	case arrowNull:
	case arrowBinary, arrowUtf8, arrowLargeBinary, arrowLargeUtf8:
		width := int64(32)
		if f.typ == arrowLargeBinary || f.typ == arrowLargeUtf8 {
			width = 64
		}
		if err := offsets(width); err != nil {
			return 0, err
		}
		_, err := c.size()
		return n, err
	case arrowBinaryView, arrowUtf8View:
		if err := c.need(n, 128); err != nil {
			return 0, err
		}
		if c.views >= c.variadic.n {
			return 0, errors.New("its count of buffers is missing")
		}
		more := c.variadic.int64(c.views)
		c.views++
		if more < 0 || more > int64(c.buffers.n-c.buffer) {
			return 0, errors.New("buffers are missing")
		}
		for range more {
			if _, err := c.size(); err != nil {
				return 0, err
			}
		}
	case arrowList, arrowMap, arrowLargeList:
		width := int64(32)
		if f.typ == arrowLargeList {
			width = 64
		}
		if err := offsets(width); err != nil {
			return 0, err
		}
		_, err := child(0)
		return n, err
	case arrowListView, arrowLargeLView:
		width := int64(32)
		if f.typ == arrowLargeLView {
			width = 64
		}
		for range 2 {
			if err := c.need(n, width); err != nil {
				return 0, err
			}
		}
		_, err := child(0)
		return n, err
	case arrowFixedList:
		m, err := child(0)
		if err != nil {
			return 0, err
		}
		if f.size > 0 && m/f.size < n {
			return 0, fmt.Errorf("%d values in %d lists of %d", m, n, f.size)
		}
	case arrowStruct:
		for i := range f.children {
			m, err := child(i)
			if err != nil {
				return 0, err
			}
			if m < n {
				return 0, fmt.Errorf("field %q has %d values, expected %d", f.children[i].name, m, n)
			}
		}
	case arrowRunEnd:
		for i := range f.children {
			if _, err := child(i); err != nil {
				return 0, err
			}
		}
	case arrowUnion:
		if err := c.need(n, 8); err != nil {
			return 0, err
		}
		if f.params[0] == 1 {
			if err := c.need(n, 32); err != nil {
				return 0, err
			}
		}
		for i := range f.children {
			m, err := child(i)
			if err != nil {
				return 0, err
			}
			if f.params[0] == 0 && m < n {
				return 0, fmt.Errorf("field %q has %d values, expected %d", f.children[i].name, m, n)
			}
		}
	default: // a fixed width
		return n, c.need(n, int64(f.width))
	}
	return n, nil
}

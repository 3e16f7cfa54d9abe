// Package message verifies the metadata of Arrow's IPC messages, which are
// flatbuffers: schemas, and where the buffers of a batch lie. The Arrow library
// follows them as they are, and a damaged one leads it anywhere.
package message

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/aefeat/aefeat/arrowio/internal/bound"
)

// Kinds of messages, by their numbers in the format.
const (
	KindSchema     = 1
	KindDictionary = 2
	KindBatch      = 3
)

const (
	metadataV4 = 3
	metadataV5 = 4
)

// maxNesting bounds the depth of schemas: deeper than any table, far from the
// end of the stack, and as deep as the library goes.
const maxNesting = 64

// A Message is the verified head of a message.
type Message struct {
	Kind   byte
	Body   int64 // bytes
	header table
}

// Cut splits bytes into the metadata of the message that they begin with, and
// what follows.
func Cut(b []byte) (meta, rest []byte, err error) {
	if len(b) >= 8 && binary.LittleEndian.Uint32(b) == math.MaxUint32 {
		b = b[4:]
	}
	if len(b) < 4 {
		return nil, nil, ErrDamaged
	}
	n := binary.LittleEndian.Uint32(b)
	if uint64(n) > uint64(len(b)-4) {
		return nil, nil, ErrDamaged
	}
	return b[4 : 4+n], b[4+n:], nil
}

// Parse verifies the head of a message. The message keeps meta.
func Parse(meta []byte) (Message, error) {
	var m Message
	t, err := root(meta)
	if err != nil {
		return m, err
	}
	version, err := t.int16(0, 0)
	if err != nil {
		return m, err
	}
	if version > metadataV5 {
		return m, &bound.UnsupportedError{
			What: fmt.Sprintf("its metadata is of version %d, and the last one known is %d", version+1, metadataV5+1),
			Hint: "write it in the format of an older version",
		}
	}
	if version < metadataV4 {
		return m, fmt.Errorf("unknown version %d of the metadata", version)
	}
	if m.Kind, err = t.byte(1, 0); err != nil {
		return m, err
	}
	if m.Kind < KindSchema || m.Kind > KindBatch {
		return m, fmt.Errorf("unknown message type %d", m.Kind)
	}
	var found bool
	if m.header, found, err = t.table(2); err != nil || !found {
		return m, ErrDamaged
	}
	if m.Body, err = t.int64(3, 0); err != nil {
		return m, err
	}
	if m.Body < 0 || m.Kind == KindSchema && m.Body != 0 {
		return m, ErrDamaged
	}
	return m, (&walk{left: len(meta)}).metadata(t, 4)
}

// ParseSchema verifies a message that has to be a schema. It may change meta:
// see [Schema].
func ParseSchema(meta []byte) (*Schema, error) {
	return parseSchema(meta, func() (table, error) {
		m, err := Parse(meta)
		if err == nil && m.Kind != KindSchema {
			err = errors.New("it does not begin with a schema")
		}
		return m.header, err
	})
}

// A Block is where a message lies in an IPC file.
type Block struct {
	Offset     int64
	Meta, Body int64 // bytes, one after the other
}

// A Footer is the verified footer of an IPC file. That its blocks lie in the
// file is left to the reader.
type Footer struct {
	Schema                *Schema
	First                 []byte // metadata of a message with the schema
	Dictionaries, Batches []Block
}

// ParseFooter verifies a footer.
func ParseFooter(b []byte) (*Footer, error) {
	t, err := root(b)
	if err != nil {
		return nil, err
	}
	schema, found, err := t.table(1)
	if err != nil || !found {
		return nil, ErrDamaged
	}
	f := &Footer{First: asMessage(b, schema.pos)}
	if f.Schema, err = ParseSchema(f.First); err != nil {
		return nil, err
	}
	if f.Dictionaries, err = t.blocks(2); err != nil {
		return nil, err
	}
	f.Batches, err = t.blocks(3)
	return f, err
}

// asMessage returns a message around the schema at a place of a footer: a
// table that refers to it, then the footer.
func asMessage(footer []byte, at int) []byte {
	const (
		vtable = 4  // after the offset of the root
		head   = 16 // the table
		size   = 32 // a multiple of 8, so that the footer stays aligned
	)
	le := binary.LittleEndian
	b := make([]byte, size, size+len(footer))
	le.PutUint32(b, head)
	// Of the table: its length, and where version, kind and header are.
	for i, v := range []uint16{10, 12, 4, 6, 8} {
		le.PutUint16(b[vtable+2*i:], v)
	}
	le.PutUint32(b[head:], head-vtable)
	le.PutUint16(b[head+4:], metadataV5)
	b[head+6] = KindSchema
	le.PutUint32(b[head+8:], uint32(size+at-(head+8)))
	return append(b, footer...)
}

func (t table) blocks(slot int) ([]Block, error) {
	v, err := t.vector(slot, 24)
	if err != nil {
		return nil, err
	}
	blocks := make([]Block, v.n)
	for i := range blocks {
		blocks[i] = Block{Offset: v.int64(3 * i), Meta: int64(v.int32(6*i + 2)), Body: v.int64(3*i + 2)}
	}
	return blocks, nil
}

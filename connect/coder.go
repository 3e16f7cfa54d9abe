package connect

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/aefeat/aefeat/model"
	"github.com/aefeat/aefeat/patch"
	"github.com/aefeat/aefeat/stage"
)

// codeOptions say where the patch is in a message and what is added.
type codeOptions struct {
	path   []string // of the field in JSON
	column string   // of Arrow and Parquet; "": the model's
	name   string   // name of the field or column
	layout string   // stage.LayoutList or LayoutSparse
}

// added returns the names of the fields that are added.
func (o codeOptions) added() []string {
	if o.layout == stage.LayoutSparse {
		return []string{o.name + patch.IndicesSuffix, o.name + patch.ValuesSuffix}
	}
	return []string{o.name}
}

// coder adds the codes of one model to messages. It is safe for concurrent use.
type coder struct {
	codeOptions
	model    *model.Model
	hash     string
	names    []string // that are added
	keys     []string // of these, as JSON, with a colon
	number   number
	encoders sync.Pool // of *encoder
	payloads payloads
}

// newCoder returns a coder for a model whose file has the given hash.
func newCoder(m *model.Model, hash string, o codeOptions) (*coder, error) {
	c := &coder{codeOptions: o, model: m, hash: hash, names: o.added(), number: numberOf(m.Preprocess.Source)}
	if m.Params == nil {
		return nil, errors.New("the file has no parameters")
	}
	for _, name := range c.names {
		key, err := jsontext.AppendQuote(nil, name)
		if err != nil {
			return nil, fmt.Errorf("field code: %w", err)
		}
		c.keys = append(c.keys, string(key)+":")
	}
	c.encoders.New = func() any { return newEncoder(c) }
	return c, nil
}

// code adds codes to the messages of a batch, and marks those that have none.
// The error is ctx's.
func (c *coder) code(ctx context.Context, batch service.MessageBatch) error {
	e := c.encoders.Get().(*encoder)
	defer c.encoders.Put(e)
	defer e.reset()
	for _, m := range batch {
		text, err := m.AsBytes()
		if err == nil && isPayload(text) {
			if text, err = c.payloads.code(ctx, c, text); err == nil {
				c.done(m, text)
			}
		} else if err == nil {
			err = e.add(m, text)
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if err != nil {
			m.SetError(err)
		}
		if len(e.messages) == encodeRows {
			e.encode()
		}
	}
	e.encode()
	return nil
}

// done gives a message its new content.
func (c *coder) done(m *service.Message, text []byte) {
	m.SetBytes(text)
	m.MetaSetMut(ModelKey, c.hash)
}

// encodeRows is how many messages are encoded at a time, as many as package
// stage does.
const encodeRows = 512

// encoder encodes JSON messages in blocks. It is not safe for concurrent use.
type encoder struct {
	*coder
	parser   patchParser
	encoder  *model.Encoder
	messages []jsonMessage
	rows     []byte // of the messages
	codes    []float32
	sparse   model.SparseCodes
}

// jsonMessage is a message whose patch has been read.
type jsonMessage struct {
	message *service.Message
	text    []byte
	end     int // of the object, where its closing brace is
}

func newEncoder(c *coder) *encoder {
	return &encoder{
		coder: c, encoder: model.NewEncoder(c.model),
		parser: patchParser{number: c.number, field: strings.Join(c.path, "."), width: c.model.Inputs},
	}
}

// reset forgets messages.
func (e *encoder) reset() {
	clear(e.messages)
	e.messages, e.rows = e.messages[:0], e.rows[:0]
}

// add reads the patch of a message.
func (e *encoder) add(m *service.Message, text []byte) error {
	value, end, err := findField(text, e.path, e.names)
	if err != nil {
		return err
	}
	rows, err := e.parser.appendPatch(e.rows, value)
	if err != nil {
		return err
	}
	row := e.asRows(rows[len(e.rows):])
	var at *model.RangeError
	if err := e.model.Check(row); errors.As(err, &at) {
		return fmt.Errorf("%s is %v, outside %v to %v: %s", e.parser.located(at.Component), float32(at.Value), at.Min, at.Max, at.Reason)
	} else if err != nil {
		return err
	}
	e.rows = rows
	e.messages = append(e.messages, jsonMessage{m, text, end})
	return nil
}

// asRows returns rows of patches as package model takes them.
func (e *encoder) asRows(data []byte) model.Rows {
	return model.Rows{Kind: e.number.kind, Width: e.model.Inputs, Data: data}
}

// encode encodes the messages that were added, and forgets them.
func (e *encoder) encode() {
	if err := e.block(e.messages, e.rows); err != nil {
		// The code of a message is too large. The others have theirs.
		size := e.model.Inputs * e.number.kind.Size()
		for i := range e.messages {
			if err := e.block(e.messages[i:i+1], e.rows[i*size:(i+1)*size]); err != nil {
				e.messages[i].message.SetError(err)
			}
		}
	}
	e.reset()
}

// block gives messages the codes of their rows; all or, with an error, none.
func (e *encoder) block(messages []jsonMessage, rows []byte) error {
	if len(messages) == 0 {
		return nil
	}
	e.sparse.Reset()
	if e.layout == stage.LayoutSparse && e.model.K > 0 {
		if err := e.encoder.ReconstructSparse(&e.sparse, nil, nil, e.asRows(rows)); err != nil {
			return tooLarge(err)
		}
		e.writeSparse(messages)
		return nil
	}
	h := e.model.Hidden
	if want := len(messages) * h; cap(e.codes) < want {
		e.codes = make([]float32, want)
	}
	codes := e.codes[:len(messages)*h]
	if err := e.encoder.Encode(codes, e.asRows(rows)); err != nil {
		return tooLarge(err)
	}
	if e.layout == stage.LayoutSparse {
		for i := range messages {
			for j, v := range codes[i*h : (i+1)*h] {
				if v != 0 {
					e.sparse.Index = append(e.sparse.Index, uint32(j))
					e.sparse.Value = append(e.sparse.Value, v)
				}
			}
			e.sparse.End = append(e.sparse.End, len(e.sparse.Index))
		}
		e.writeSparse(messages)
		return nil
	}
	for i, m := range messages {
		out := e.begin(m, 16*h)
		out = appendFloats(append(out, e.keys[0]...), codes[i*h:(i+1)*h])
		e.done(m.message, append(out, m.text[m.end:]...))
	}
	return nil
}

// tooLarge is the error of a row whose code overflows.
func tooLarge(err error) error {
	var at *model.RangeError
	if errors.As(err, &at) {
		return fmt.Errorf("the patch has values up to %v: %s", float32(at.Value), at.Reason)
	}
	return err
}

// writeSparse gives messages their sparse codes.
func (e *encoder) writeSparse(messages []jsonMessage) {
	at := 0
	for i, m := range messages {
		end := e.sparse.End[i]
		out := e.begin(m, 24*(end-at)+32)
		out = append(append(out, e.keys[0]...), '[')
		for j, index := range e.sparse.Index[at:end] {
			if j > 0 {
				out = append(out, ',')
			}
			out = strconv.AppendUint(out, uint64(index), 10)
		}
		out = append(append(out, "],"...), e.keys[1]...)
		out = appendFloats(out, e.sparse.Value[at:end])
		e.done(m.message, append(out, m.text[m.end:]...))
		at = end
	}
}

// begin returns a message without its closing brace, ready for a field, and
// with room for more bytes.
func (e *encoder) begin(m jsonMessage, room int) []byte {
	out := make([]byte, 0, len(m.text)+room)
	return append(append(out, m.text[:m.end]...), ',') // the patch stands before
}

// appendFloats appends an array of numbers, each in the fewest digits that
// give back its bits.
func appendFloats(out []byte, values []float32) []byte {
	out = append(out, '[')
	for i, v := range values {
		if i > 0 {
			out = append(out, ',')
		}
		out = strconv.AppendFloat(out, float64(v), 'g', -1, 32)
	}
	return append(out, ']')
}

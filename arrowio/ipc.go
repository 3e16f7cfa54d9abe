package arrowio

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

var (
	errNoEnd    = errors.New("the Arrow stream ends without its end marker")
	errCut      = errors.New("truncated Arrow data: it ends in the middle of a message")
	errTrailing = errors.New("more bytes after the end of the Arrow stream")
)

const (
	// trustedBody is the size up to which a message is allocated because it says so, where it cannot be compared with the size of
	// the file.
	trustedBody = 64 << 20

	maxMetadata = 256 << 20 // of a message; a schema of a million columns takes less
)

// A messages hands the library checked messages: a schema, then dictionaries and record batches. It implements [ipc.MessageReader].
type messages struct {
	next   func() (meta []byte, body *memory.Buffer, err error) // io.EOF at a proper end
	schema *ipcSchema
	first  []byte // metadata of the schema, until it is handed on
	msg    *ipc.Message
	rows   int64 // of the batch handed on last
	err    error
	// largest is the largest message so far, body and metadata.
	largest int64
}

func (m *messages) Retain() {}

func (m *messages) Release() {
	if m.msg != nil {
		m.msg.Release()
		m.msg = nil
	}
}

// Message implements [ipc.MessageReader]. The message is valid until the next call.
func (m *messages) Message() (*ipc.Message, error) {
	m.Release()
	if m.err != nil {
		return nil, m.err
	}
	meta, body, err := m.read()
	if err != nil {
		m.err = err
		return nil, err
	}
	defer body.Release()
	buf := memory.NewBufferBytes(meta)
	defer buf.Release()
	m.msg = ipc.NewMessage(buf, body)
	return m.msg, nil
}

func (m *messages) read() ([]byte, *memory.Buffer, error) {
	if m.first != nil {
		meta := m.first
		m.first = nil
		return meta, memory.NewBufferBytes(nil), nil
	}
	meta, body, err := m.next()
	if err != nil {
		return nil, nil, err
	}
	m.largest = max(m.largest, int64(len(meta))+int64(body.Len()))
	if err := m.check(meta, body.Bytes()); err != nil {
		body.Release()
		return nil, nil, fmt.Errorf("damaged Arrow message: %w", err)
	}
	return meta, body, nil
}

func (m *messages) check(meta, body []byte) error {
	msg, err := parseMessage(meta)
	if err != nil {
		return err
	}
	h, fields, err := m.schema.batch(msg)
	if err != nil {
		return err
	}
	if msg.kind == messageBatch {
		m.rows = h.rows
	}
	return checkBatch(h, msg.version, fields, body)
}

// batch returns the head of a message with data and the fields that it has data for.
func (s *ipcSchema) batch(msg ipcMessage) (batchHead, []ipcField, error) {
	switch msg.kind {
	case messageBatch:
		h, err := parseBatch(msg.header, msg.body)
		return h, s.fields, err
	case messageDictionary:
		id, err := msg.header.int64(0, 0)
		if err != nil {
			return batchHead{}, nil, err
		}
		if _, err := msg.header.byte(2, 0); err != nil {
			return batchHead{}, nil, err
		}
		values := s.dictionaries[id]
		if values == nil {
			return batchHead{}, nil, fmt.Errorf("dictionary %d is not in the schema", id)
		}
		data, found, err := msg.header.table(1)
		if err != nil || !found {
			return batchHead{}, nil, errFlatbuffer
		}
		h, err := parseBatch(data, msg.body)
		return h, []ipcField{*values}, err
	}
	return batchHead{}, nil, errors.New("a second schema")
}

// A streamReader cuts a stream of messages. known is how many bytes are left, -1 if that is not known.
type streamReader struct {
	r          io.Reader
	known      int64
	allowNoEnd bool
	mem        memory.Allocator
	largest    int64 // body so far: the next one may claim as much without growing into it
}

// metadata reads the head of the next message: io.EOF at the end of the stream.
func (s *streamReader) metadata() ([]byte, error) {
	var word [4]byte
	n, err := io.ReadFull(s.r, word[:])
	switch {
	case err == io.EOF && s.allowNoEnd:
		return nil, io.EOF
	case err == io.EOF:
		return nil, errNoEnd
	case err == io.ErrUnexpectedEOF:
		return nil, errCut
	case err != nil:
		return nil, err
	}
	s.took(int64(n))
	size := binary.LittleEndian.Uint32(word[:])
	if size == math.MaxUint32 { // since version 0.15 of the format
		if err := s.full(word[:]); err != nil {
			return nil, err
		}
		size = binary.LittleEndian.Uint32(word[:])
	}
	if size == 0 {
		if n, err := io.ReadFull(s.r, word[:1]); n > 0 {
			return nil, errTrailing
		} else if err != io.EOF {
			return nil, err
		}
		return nil, io.EOF
	}
	if size > maxMetadata || size < 8 {
		return nil, fmt.Errorf("damaged Arrow message: metadata of %d bytes", size)
	}
	if s.known >= 0 && int64(size) > s.known {
		return nil, errCut
	}
	b, err := readGrowing(s.r, int64(size), 1<<20)
	if err != nil {
		return nil, cut(err)
	}
	s.took(int64(size))
	return b, nil
}

func (s *streamReader) took(n int64) {
	if s.known >= 0 {
		s.known -= n
	}
}

func (s *streamReader) full(b []byte) error {
	_, err := io.ReadFull(s.r, b)
	s.took(int64(len(b)))
	return cut(err)
}

func cut(err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return errCut
	}
	return err
}

// message reads the next message.
func (s *streamReader) message() ([]byte, *memory.Buffer, error) {
	meta, err := s.metadata()
	if err != nil {
		return nil, nil, err
	}
	msg, err := parseMessage(meta)
	if err != nil {
		return nil, nil, fmt.Errorf("damaged Arrow message: %w", err)
	}
	if s.known >= 0 && msg.body > s.known {
		return nil, nil, errCut
	}
	body := memory.NewResizableBuffer(s.mem)
	size := msg.body
	if s.known < 0 {
		size = min(size, max(trustedBody, s.largest))
	}
	for done := int64(0); done < msg.body; size = min(msg.body, 2*size) {
		body.Resize(int(size))
		if err := s.full(body.Bytes()[done:size]); err != nil {
			body.Release()
			return nil, nil, err
		}
		done = size
	}
	s.largest = max(s.largest, msg.body)
	return meta, body, nil
}

// openStream reads the schema from a stream.
func openStream(s *streamReader) (*messages, error) {
	meta, err := s.metadata()
	switch {
	case err == io.EOF || err == errNoEnd:
		return nil, errCut
	case err != nil:
		return nil, err
	}
	schema, err := schemaMessage(meta)
	if err != nil {
		return nil, err
	}
	return &messages{next: s.message, schema: schema, first: meta}, nil
}

func schemaMessage(meta []byte) (*ipcSchema, error) {
	msg, err := parseMessage(meta)
	if err == nil && msg.kind != messageSchema {
		err = errors.New("it does not begin with a schema")
	}
	var schema *ipcSchema
	if err == nil {
		schema, err = parseSchema(msg.header)
	}
	if err != nil {
		return nil, fmt.Errorf("damaged Arrow schema: %w", err)
	}
	return schema, nil
}

// A block is a message in an IPC file.
type block struct {
	offset     int64
	meta, body int64
}

// maxGap is more than the padding between messages, or the end marker after them, and less than a message.
const maxGap = 80

// An ipcFile is the checked index of an IPC file.
type ipcFile struct {
	r       io.ReaderAt
	schema  *ipcSchema
	first   []byte  // metadata of the schema
	blocks  []block // dictionaries, then batches
	batches int
	rows    int64
	largest int64 // message
}

func openIPCFile(r io.ReaderAt, size int64) (*ipcFile, error) {
	const magic = "ARROW1"
	// The least file: magic with padding, a footer with its length, magic.
	if size < 8+4+6 {
		return nil, errors.New("truncated Arrow file")
	}
	var tail [10]byte
	if err := readFullAt(r, tail[:], size-10); err != nil {
		return nil, err
	}
	if string(tail[4:]) != magic {
		return nil, errors.New("truncated or damaged Arrow file: its end is missing")
	}
	n := int64(binary.LittleEndian.Uint32(tail[:]))
	end := size - 10 - n
	if end < 8 {
		return nil, fmt.Errorf("damaged Arrow file: footer of %d bytes in a file of %d", n, size)
	}
	b := make([]byte, n)
	if err := readFullAt(r, b, end); err != nil {
		return nil, err
	}
	f := &ipcFile{r: r}
	if err := f.readFooter(b, end); err != nil {
		return nil, fmt.Errorf("damaged Arrow footer: %w", err)
	}
	return f, f.index()
}

func (f *ipcFile) readFooter(b []byte, end int64) error {
	t, err := fbRoot(b)
	if err != nil {
		return err
	}
	schema, found, err := t.table(1)
	if err != nil || !found {
		return errFlatbuffer
	}
	footer, err := parseSchema(schema)
	if err != nil {
		return err
	}
	// A file holds a stream, which begins with the schema too. That one goes to the library.
	s := &streamReader{r: io.NewSectionReader(f.r, 8, end-8), known: end - 8}
	if f.first, err = s.metadata(); err != nil {
		return errors.New("the schema before the data is missing")
	}
	if f.schema, err = schemaMessage(f.first); err != nil {
		return err
	}
	if !slices.EqualFunc(footer.fields, f.schema.fields, func(a, b ipcField) bool { return a.equal(&b) }) {
		return errors.New("the schemas at the beginning and in the footer differ")
	}
	for slot := 2; slot <= 3; slot++ {
		v, err := t.vector(slot, 24)
		if err != nil {
			return err
		}
		for i := range v.n {
			bl := block{offset: v.int64(3 * i), meta: int64(v.int32(6*i + 2)), body: v.int64(3*i + 2)}
			if bl.offset < 8 || bl.meta < 8 || bl.body < 0 || bl.offset > end || bl.meta > end-bl.offset || bl.body > end-bl.offset-bl.meta {
				return fmt.Errorf("message %d lies outside the file", i)
			}
			f.blocks = append(f.blocks, bl)
		}
		f.batches = v.n
	}
	sorted := slices.Clone(f.blocks)
	slices.SortFunc(sorted, func(a, b block) int { return int(min(1, max(-1, a.offset-b.offset))) })
	// Messages lie one after the other. A gap is a message that the footer has lost.
	at := end - s.known
	for _, bl := range append(sorted, block{offset: end}) {
		switch {
		case bl.offset < at:
			return fmt.Errorf("two messages share the bytes at %d", bl.offset)
		case bl.offset-at > maxGap:
			return fmt.Errorf("the bytes from %d to %d belong to no message", at, bl.offset)
		}
		at = bl.offset + bl.meta + bl.body
	}
	return nil
}

// index reads the heads of all messages.
func (f *ipcFile) index() error {
	for i, bl := range f.blocks {
		meta, err := f.head(bl)
		if err != nil {
			return fmt.Errorf("damaged Arrow file: %w", err)
		}
		msg, err := parseMessage(meta)
		if err != nil {
			return fmt.Errorf("damaged Arrow message: %w", err)
		}
		want := byte(messageBatch)
		if i < len(f.blocks)-f.batches {
			want = messageDictionary
		}
		if msg.kind != want || msg.body != bl.body {
			return errors.New("damaged Arrow file: a message differs from its entry in the footer")
		}
		h, _, err := f.schema.batch(msg)
		if err != nil {
			return fmt.Errorf("damaged Arrow message: %w", err)
		}
		f.largest = max(f.largest, bl.meta+bl.body)
		if want == messageBatch {
			if f.rows += h.rows; f.rows < 0 {
				return errors.New("damaged Arrow file: row counts overflow")
			}
		}
	}
	return nil
}

// head reads the metadata of a message.
func (f *ipcFile) head(bl block) ([]byte, error) {
	b := make([]byte, bl.meta)
	if err := readFullAt(f.r, b, bl.offset); err != nil {
		return nil, cut(err)
	}
	meta, rest, err := cutMessage(b)
	if err != nil || len(rest) >= 8 {
		return nil, fmt.Errorf("the length of a message differs from its entry in the footer")
	}
	return meta, nil
}

func (f *ipcFile) messages(mem memory.Allocator) *messages {
	i := 0
	m := &messages{schema: f.schema, first: f.first}
	m.next = func() ([]byte, *memory.Buffer, error) {
		if i == len(f.blocks) {
			return nil, nil, io.EOF
		}
		bl := f.blocks[i]
		i++
		meta, err := f.head(bl)
		if err != nil {
			return nil, nil, err
		}
		msg, err := parseMessage(meta)
		if err != nil {
			return nil, nil, err
		}
		if msg.body != bl.body {
			return nil, nil, errFlatbuffer
		}
		body := memory.NewResizableBuffer(mem)
		body.Resize(int(bl.body))
		if err := readFullAt(f.r, body.Bytes(), bl.offset+bl.meta); err != nil {
			body.Release()
			return nil, nil, cut(err)
		}
		return meta, body, nil
	}
	return m
}

// An ipcReader reads the batches of a stream or an IPC file.
type ipcReader struct {
	m *messages
	r *ipc.Reader
}

func newIPCReader(m *messages, mem memory.Allocator) (*ipcReader, error) {
	r := &ipcReader{m: m}
	err := guard(func() (err error) {
		r.r, err = ipc.NewReaderFromMessageReader(m, ipc.WithAllocator(mem))
		return err
	})
	if err == nil && m.err != nil && m.err != io.EOF {
		err = m.err
	}
	if err != nil {
		return nil, fmt.Errorf("damaged Arrow schema: %w", err)
	}
	return r, nil
}

func (r *ipcReader) schema() *arrow.Schema { return r.r.Schema() }

// read returns the next batch, for the caller to release, or io.EOF.
func (r *ipcReader) read() (arrow.RecordBatch, error) {
	var rec arrow.RecordBatch
	err := guard(func() error {
		r.m.rows = -1
		if !r.r.Next() {
			if err := r.r.Err(); err != nil {
				return fmt.Errorf("damaged Arrow message: %w", err)
			}
			return io.EOF
		}
		rec = r.r.RecordBatch()
		if rec.NumRows() != r.m.rows {
			return fmt.Errorf("damaged Arrow message: %d rows, expected %d", rec.NumRows(), r.m.rows)
		}
		return nil
	})
	if r.m.err != nil && r.m.err != io.EOF {
		return nil, r.m.err
	}
	if err == io.EOF && r.m.err == nil {
		// The library has stopped, the messages have not.
		err = errors.New("damaged Arrow data: the library cannot read on")
	}
	if err != nil {
		return nil, err
	}
	rec.Retain()
	return rec, nil
}

func (r *ipcReader) close() { _ = guard(func() error { r.r.Release(); return nil }) }

package ipc

import (
	"bufio"
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"syscall"

	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/aefeat/aefeat/arrowio/internal/bound"
	"github.com/aefeat/aefeat/arrowio/internal/container"
	"github.com/aefeat/aefeat/arrowio/internal/message"
)

// File is the format of Arrow IPC files.
var File = container.Format{
	Is:         func(head []byte) bool { return bytes.HasPrefix(head, []byte(magic)) },
	Open:       openFile,
	NewEncoder: newFileEncoder,
}

const (
	magic = "ARROW1"

	// magicBytes is where the messages begin.
	magicBytes = 8

	// maxGap is more than the padding between messages, or the end marker
	// after them, and less than a message.
	maxGap = 80
)

// A file is the messages of a file, by its index.
type file struct {
	*decoder
	r       io.ReaderAt
	schema  *message.Schema
	first   []byte          // metadata of the schema
	blocks  []message.Block // dictionaries, then batches
	batches int
	rows    int64
	largest int64             // message
	sum     [sha256.Size]byte // of the footer
}

func openFile(r *io.SectionReader, o container.Options) (container.File, error) {
	// The least file: magic with padding, a footer with its length, magic.
	size := r.Size()
	if size < 8+4+6 {
		return nil, errors.New("truncated Arrow file")
	}
	var tail [10]byte
	if err := bound.ReadFullAt(r, tail[:], size-10); err != nil {
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
	if err := bound.ReadFullAt(r, b, end); err != nil {
		return nil, err
	}
	f := &file{r: r, sum: sha256.Sum256(b)}
	if err := f.readFooter(b, end); err != nil {
		return nil, bound.Damaged("Arrow footer", err)
	}
	if err := f.index(); err != nil {
		return nil, err
	}
	var err error
	f.decoder, err = newDecoder(f.messages(o.Allocator), o.Allocator)
	if err != nil {
		return nil, err
	}
	return f, nil
}

func (f *file) readFooter(b []byte, end int64) error {
	footer, err := message.ParseFooter(b)
	if err != nil {
		return err
	}
	f.schema, f.first = footer.Schema, footer.First
	f.blocks = append(footer.Dictionaries, footer.Batches...)
	f.batches = len(footer.Batches)
	at, err := f.checkFirst(end, int64(len(b)))
	if err != nil {
		return err
	}
	return checkBlocks(f.blocks, at, end)
}

// checkFirst checks what lies before the data, and returns where it ends. A
// file holds a stream, which begins with the schema too. The one in the footer
// counts, but where both can be read and differ one of them is damaged.
func (f *file) checkFirst(end, footer int64) (int64, error) {
	s := &cutter{r: bufio.NewReader(io.NewSectionReader(f.r, magicBytes, end-magicBytes)), known: end - magicBytes}
	meta, err := s.metadata()
	var system syscall.Errno
	if errors.As(err, &system) {
		return 0, err
	}
	framed := err == nil
	if !framed || !f.isSchema(meta) {
		// Versions of polars leave out what a message begins with, its
		// mark and its length, so that nothing says where it ends: not
		// much later than what the footer has, which is more.
		first := end
		for _, b := range f.blocks {
			first = min(first, b.Offset)
		}
		size := first - magicBytes
		switch {
		case size <= 0:
			return 0, errors.New("the schema before the data is missing")
		case size > footer+maxGap:
			return 0, unlisted(magicBytes, first)
		}
		meta = make([]byte, size)
		if err := bound.ReadFullAt(f.r, meta, magicBytes); err != nil {
			return 0, cut(err)
		}
		if holdsData(meta) {
			return 0, unlisted(magicBytes, first)
		}
		s.known = end - first
	}
	if schema, err := message.ParseSchema(meta); err == nil && !schema.Equal(f.schema) {
		return 0, errors.New("the schemas at the beginning and in the footer differ")
	}
	return end - s.known, nil
}

// isSchema says whether a message is one with a schema.
func (f *file) isSchema(meta []byte) bool {
	m, err := message.Parse(meta)
	return err == nil && m.Kind == message.KindSchema
}

// holdsData says whether bytes hold a message with data.
func holdsData(b []byte) bool {
	for ; len(b) >= 8; b = b[8:] {
		if binary.LittleEndian.Uint32(b) != math.MaxUint32 {
			continue
		}
		if meta, _, err := message.Cut(b); err == nil && len(meta) > 0 {
			if m, err := message.Parse(meta); err == nil && m.Kind != message.KindSchema {
				return true
			}
		}
	}
	return false
}

// checkBlocks checks that messages lie one after the other. A gap is a message
// that the footer has lost.
func checkBlocks(blocks []message.Block, at, end int64) error {
	for i, b := range blocks {
		if b.Offset < 8 || b.Meta < 8 || b.Body < 0 ||
			b.Offset > end || b.Meta > end-b.Offset || b.Body > end-b.Offset-b.Meta {
			return fmt.Errorf("message %d lies outside the file", i)
		}
	}
	sorted := slices.SortedFunc(slices.Values(blocks), func(a, b message.Block) int {
		return cmp.Compare(a.Offset, b.Offset)
	})
	for _, b := range append(sorted, message.Block{Offset: end}) {
		switch {
		case b.Offset < at:
			return fmt.Errorf("two messages share the bytes at %d", b.Offset)
		case b.Offset-at > maxGap:
			return unlisted(at, b.Offset)
		}
		at = b.Offset + b.Meta + b.Body
	}
	return nil
}

func unlisted(from, to int64) error {
	return fmt.Errorf("the bytes from %d to %d belong to no message", from, to)
}

// index reads the heads of all messages.
func (f *file) index() error {
	for i, b := range f.blocks {
		meta, err := f.head(b)
		if err != nil {
			return bound.Damaged("Arrow file", err)
		}
		msg, err := message.Parse(meta)
		if err != nil {
			return damagedMessage(err)
		}
		want := byte(message.KindBatch)
		if i < len(f.blocks)-f.batches {
			want = message.KindDictionary
		}
		if msg.Kind != want || msg.Body != b.Body {
			return errors.New("damaged Arrow file: a message differs from its entry in the footer")
		}
		h, err := f.schema.Batch(msg)
		if err != nil {
			return damagedMessage(err)
		}
		f.largest = max(f.largest, b.Meta+b.Body)
		if want == message.KindBatch {
			if f.rows += h.Rows; f.rows < 0 {
				return errors.New("damaged Arrow file: row counts overflow")
			}
		}
	}
	return nil
}

// head reads the metadata of a message.
func (f *file) head(at message.Block) ([]byte, error) {
	b := make([]byte, at.Meta)
	if err := bound.ReadFullAt(f.r, b, at.Offset); err != nil {
		return nil, cut(err)
	}
	meta, rest, err := message.Cut(b)
	if err != nil || len(rest) >= 8 {
		return nil, errors.New("the length of a message differs from its entry in the footer")
	}
	return meta, nil
}

// messages returns the messages of the file in the order of its index.
func (f *file) messages(mem memory.Allocator) *messages {
	i := 0
	m := &messages{schema: f.schema, first: f.first}
	m.next = func() ([]byte, *memory.Buffer, error) {
		if i == len(f.blocks) {
			return nil, nil, io.EOF
		}
		b := f.blocks[i]
		i++
		meta, err := f.head(b)
		if err != nil {
			return nil, nil, err
		}
		msg, err := message.Parse(meta)
		if err != nil {
			return nil, nil, err
		}
		if msg.Body != b.Body {
			return nil, nil, message.ErrDamaged
		}
		body := memory.NewResizableBuffer(mem)
		body.Resize(int(b.Body))
		if err := bound.ReadFullAt(f.r, body.Bytes(), b.Offset+b.Meta); err != nil {
			body.Release()
			return nil, nil, cut(err)
		}
		return meta, body, nil
	}
	return m
}

// Rows implements [container.File].
func (f *file) Rows() int64 { return f.rows }

// Sum implements [container.File].
func (f *file) Sum() [sha256.Size]byte { return f.sum }

// Inspect implements [container.File].
func (f *file) Inspect() (container.Summary, error) {
	var sum container.Summary
	for _, b := range f.blocks[len(f.blocks)-f.batches:] {
		meta, err := f.head(b)
		if err != nil {
			return sum, err
		}
		msg, err := message.Parse(meta)
		if err != nil {
			return sum, err
		}
		h, err := f.schema.Batch(msg)
		if err != nil {
			return sum, err
		}
		addBatch(&sum, h)
	}
	sum.Held = f.largest
	return sum, nil
}

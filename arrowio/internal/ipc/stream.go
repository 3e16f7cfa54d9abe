package ipc

import (
	"bufio"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/aefeat/aefeat/arrowio/internal/bound"
	"github.com/aefeat/aefeat/arrowio/internal/container"
	"github.com/aefeat/aefeat/arrowio/internal/message"
)

// Stream is the format of Arrow IPC streams.
var Stream = container.Format{
	Is:         isStream,
	Open:       openStream,
	OpenPipe:   openPipe,
	NewEncoder: newStreamEncoder,
	Live:       true,
}

// ErrNoEnd is the error of a stream that stops between two messages.
var ErrNoEnd = errors.New("the Arrow stream ends without its end marker")

var (
	errCut      = errors.New("truncated Arrow data: it ends in the middle of a message")
	errTrailing = errors.New("more bytes after the end of the Arrow stream")
)

const (
	// trustedBody is the size up to which a message is allocated because it
	// says so, where it cannot be compared with the size of the file.
	trustedBody = 64 << 20

	// maxMetadata bounds that of a message; a schema of a million columns
	// takes less.
	maxMetadata = 256 << 20
)

// isStream tells a stream by the mark before its first message. Until 2019
// there was none: the length of the schema, then the offset of its root.
func isStream(head []byte) bool {
	if len(head) >= 4 && binary.LittleEndian.Uint32(head) == math.MaxUint32 {
		return true
	}
	if len(head) < 8 {
		return false
	}
	size, root := binary.LittleEndian.Uint32(head), binary.LittleEndian.Uint32(head[4:])
	return size > 0 && size < 1<<16 && size%4 == 0 && root > 0 && root < 1<<8
}

func openStream(r *io.SectionReader, o container.Options) (container.File, error) {
	return newStream(r, r.Size(), o)
}

func openPipe(r io.Reader, o container.Options) (container.File, error) {
	return newStream(r, -1, o)
}

// A stream is the messages of a stream.
type stream struct {
	*decoder
	cutter
}

// newStream reads the schema. size is that of the stream, -1 if it is not
// known.
func newStream(r io.Reader, size int64, o container.Options) (container.File, error) {
	buffer := int64(64 << 10)
	if size >= 0 {
		buffer = min(buffer, size) // a message of a queue may be a single row
	}
	s := &stream{cutter: cutter{
		r: bufio.NewReaderSize(r, int(buffer)), known: size,
		allowNoEnd: o.AllowMissingEOS, mem: o.Allocator,
	}}
	meta, err := s.metadata()
	switch {
	case err == io.EOF || err == ErrNoEnd:
		return nil, errCut
	case err != nil:
		return nil, err
	}
	schema, err := message.ParseSchema(meta)
	if err != nil {
		return nil, bound.Damaged("Arrow schema", err)
	}
	s.decoder, err = newDecoder(&messages{next: s.message, schema: schema, first: meta}, o.Allocator)
	if err != nil {
		return nil, err
	}
	return s, nil
}

// Rows implements [container.File].
func (s *stream) Rows() int64 { return -1 }

// Sum implements [container.File].
func (s *stream) Sum() (none [sha256.Size]byte) { return none }

// Inspect implements [container.File].
func (s *stream) Inspect() (container.Summary, error) {
	var sum container.Summary
	for {
		meta, err := s.metadata()
		if err == io.EOF {
			return sum, nil
		}
		if err != nil {
			return sum, err
		}
		msg, err := message.Parse(meta)
		if err != nil {
			return sum, err
		}
		h, err := s.m.schema.Batch(msg)
		if err != nil {
			return sum, damagedMessage(err)
		}
		if msg.Kind == message.KindBatch {
			addBatch(&sum, h)
		}
		sum.Held = max(sum.Held, int64(len(meta))+msg.Body)
		if err := s.skip(msg.Body); err != nil {
			return sum, err
		}
	}
}

// addBatch notes what the head of a batch says.
func addBatch(sum *container.Summary, h *message.Batch) {
	sum.Rows += h.Rows
	sum.Groups++
	sum.LargestGroup = max(sum.LargestGroup, h.Rows)
	if !slices.Contains(sum.Compression, h.Codec) {
		sum.Compression = append(sum.Compression, h.Codec)
	}
}

// A cutter cuts a stream into messages.
type cutter struct {
	r          *bufio.Reader
	known      int64 // bytes left; -1: not known
	allowNoEnd bool
	mem        memory.Allocator
	largest    int64 // body so far: the next one may claim as much
}

// metadata reads the head of the next message: io.EOF at the end of the stream.
func (s *cutter) metadata() ([]byte, error) {
	var word [4]byte
	n, err := io.ReadFull(s.r, word[:])
	switch {
	case err == io.EOF && s.allowNoEnd:
		return nil, io.EOF
	case err == io.EOF:
		return nil, ErrNoEnd
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
	most := int64(math.MaxInt32) // by the format
	if s.known >= 0 {
		most = max(s.known, maxMetadata)
	}
	switch {
	case size < 8, int64(size) > most:
		return nil, fmt.Errorf("damaged Arrow message: metadata of %d bytes", size)
	case s.known >= 0 && int64(size) > s.known:
		return nil, errCut
	case size > maxMetadata:
		return nil, &bound.BeyondError{
			What: fmt.Sprintf("metadata of %d MiB are beyond the %d MiB that are read", size>>20, maxMetadata>>20),
			Hint: "write it with fewer columns, shorter names or less metadata",
		}
	}
	b, err := bound.ReadGrowing(s.r, int64(size), 1<<20)
	if err != nil {
		return nil, cut(err)
	}
	s.took(int64(size))
	return b, nil
}

// message reads the next message.
func (s *cutter) message() ([]byte, *memory.Buffer, error) {
	meta, err := s.metadata()
	if err != nil {
		return nil, nil, err
	}
	msg, err := message.Parse(meta)
	if err != nil {
		return nil, nil, damagedMessage(err)
	}
	if s.known >= 0 && msg.Body > s.known {
		return nil, nil, errCut
	}
	body := memory.NewResizableBuffer(s.mem)
	size := msg.Body
	if s.known < 0 {
		size = min(size, max(trustedBody, s.largest))
	}
	for done := int64(0); done < msg.Body; size = min(msg.Body, 2*size) {
		body.Resize(int(size))
		if err := s.full(body.Bytes()[done:size]); err != nil {
			body.Release()
			return nil, nil, err
		}
		done = size
	}
	s.largest = max(s.largest, msg.Body)
	return meta, body, nil
}

// skip passes over the body of a message.
func (s *cutter) skip(body int64) error {
	if s.known >= 0 && body > s.known {
		return errCut
	}
	s.took(body)
	for left := body; left > 0; {
		n, err := s.r.Discard(int(min(left, 1<<30)))
		if err != nil {
			return cut(err)
		}
		left -= int64(n)
	}
	return nil
}

func (s *cutter) full(b []byte) error {
	_, err := io.ReadFull(s.r, b)
	s.took(int64(len(b)))
	return cut(err)
}

func (s *cutter) took(n int64) {
	if s.known >= 0 {
		s.known -= n
	}
}

// cut says where an end is in the middle of a message.
func cut(err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return errCut
	}
	return err
}

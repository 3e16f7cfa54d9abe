package parquet

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/apache/arrow-go/v18/parquet/compress"

	"github.com/aefeat/aefeat/arrowio/internal/bound"
	"github.com/aefeat/aefeat/arrowio/internal/format"
)

// A chunkReader cuts a column chunk into pages, as they lie in the file, and
// checks what can be checked without decompressing them.
type chunkReader struct {
	file  io.ReaderAt
	leaf  *leaf
	chunk columnChunk
	codec compress.Codec
	free  *buffers
	most  *growth // of all columns; nil: it does not matter

	// packed says that pages of the second version are compressed, whatever
	// they say themselves.
	packed bool

	pos, end int64 // in the file
	values   int64 // so far
	seen     bool  // a page
	largest  int   // page so far, decompressed
	grown    int   // largest page that was compressed
	longest  int   // bytes of the longest value in the dictionary
	err      error // that ended the reading of the column

	head []byte    // that readHeader reads into
	held [2][]byte // buffers in use: of the page as it lies, and decompressed
}

func newChunkReader(file io.ReaderAt, l *leaf, c columnChunk, free *buffers) (*chunkReader, error) {
	r := &chunkReader{file: file, leaf: l, chunk: c, free: free, pos: c.start, end: c.start + c.size}
	switch c.codec {
	case format.LZ4:
		return nil, &bound.UnsupportedError{What: "the old LZ4 compression, with or without Hadoop's framing, is not supported"}
	case format.LZO:
		return nil, &bound.UnsupportedError{What: "LZO compression is not supported"}
	}
	var err error
	r.codec, err = compress.GetCodec(compress.Compression(c.codec))
	return r, err
}

// A packedPage is a page as it lies in the file.
type packedPage struct {
	pageHeader
	at   int64  // where it begins
	body []byte // the levels and values
}

// next reads the next page, which is valid until the next call or release. It
// returns io.EOF when the chunk is complete, and an error if it is not.
func (r *chunkReader) next() (packedPage, error) {
	r.release()
	if r.values == r.chunk.values {
		return packedPage{}, io.EOF
	}
	if r.pos >= r.end {
		return packedPage{}, fmt.Errorf("its pages hold %d values, expected %d", r.values, r.chunk.values)
	}
	p := packedPage{at: r.pos}
	if err := r.read(&p); err != nil {
		r.release()
		return packedPage{}, p.fault(err)
	}
	return p, nil
}

// fault says at which page something is wrong.
func (p *packedPage) fault(err error) error { return fmt.Errorf("page at byte %d: %w", p.at, err) }

func (r *chunkReader) read(p *packedPage) (err error) {
	if p.pageHeader, err = r.readHeader(); err != nil {
		return err
	}
	switch {
	case p.kind != format.DataPage && p.kind != format.DataPageV2 && p.kind != format.DictionaryPage:
		return fmt.Errorf("unknown page type %d", p.kind)
	case !p.hasBody || p.values < 0 || p.plain < 0 || p.packed < 0:
		return errors.New("its header is incomplete")
	case int64(p.packed) > r.end-r.pos:
		return fmt.Errorf("its %d bytes go beyond the end of the column chunk", p.packed)
	case p.kind == format.DictionaryPage && r.seen:
		return errors.New("dictionary page after another page")
	}
	r.seen = true
	p.compressed = p.compressed || r.packed
	if p.kind != format.DictionaryPage {
		if int64(p.values) > r.chunk.values-r.values {
			return fmt.Errorf("more values than the %d of the column chunk", r.chunk.values)
		}
		r.values += int64(p.values)
	}
	p.body = r.free.get(int(p.packed))
	r.held[0] = p.body
	if err := bound.ReadFullAt(r.file, p.body, r.pos); err != nil {
		return err
	}
	r.pos += int64(p.packed)
	if p.hasCRC && crc32.ChecksumIEEE(p.body) != uint32(p.crc) {
		return errors.New("its checksum is wrong")
	}
	r.largest = max(r.largest, int(p.plain))
	return nil
}

// release lets the page go.
func (r *chunkReader) release() {
	for i, b := range r.held {
		r.free.put(b)
		r.held[i] = nil
	}
}

// drain checks the pages that are left.
func (r *chunkReader) drain() error {
	for {
		if _, err := r.next(); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// skim reads the headers of the pages alone. It returns the size of the
// largest.
func (r *chunkReader) skim() (int64, error) {
	largest := int64(0)
	for left := r.chunk.values; left > 0; {
		h, err := r.readHeader()
		if err != nil {
			return 0, err
		}
		if h.packed < 0 || h.values < 0 || int64(h.packed) > r.end-r.pos {
			return 0, fmt.Errorf("the header of the page before byte %d is damaged", r.pos)
		}
		r.pos += int64(h.packed)
		largest = max(largest, int64(h.plain), int64(h.packed))
		if h.kind != format.DictionaryPage {
			left -= int64(h.values)
		}
	}
	return largest, nil
}

// buffers keeps buffers for pages between one and the next.
type buffers struct{ list [][]byte }

func (p *buffers) get(n int) []byte {
	best := -1
	for i, b := range p.list {
		if cap(b) >= n && (best < 0 || cap(b) < cap(p.list[best])) {
			best = i
		}
	}
	if best < 0 {
		return make([]byte, n, n+n/8)
	}
	b := p.list[best][:n]
	p.list[best] = p.list[len(p.list)-1]
	p.list = p.list[:len(p.list)-1]
	return b
}

func (p *buffers) put(b []byte) {
	if cap(b) > 0 && len(p.list) < 4 {
		p.list = append(p.list, b)
	}
}

package parquet

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/apache/arrow-go/v18/parquet/compress"

	"github.com/aefeat/aefeat/arrowio/internal/bound"
	"github.com/aefeat/aefeat/arrowio/internal/format"
)

// A page is a page of a column chunk, decompressed and checked: the values that
// it says it has are there.
type page struct {
	dictionary bool
	encoding   int32
	values     int    // levels, for a data page
	rows       int    // rows that begin in it
	present    int    // values that are not null
	rep, def   []byte // levels, hybrid encoding
	data       []byte
}

// A chunkReader reads the pages of a column chunk.
type chunkReader struct {
	file      io.ReaderAt
	leaf      *leaf
	chunk     columnChunk
	groupRows int64
	codec     compress.Codec
	free      *buffers

	pos, end int64 // in the file
	values   int64 // so far
	rows     int64
	dict     int // values in the dictionary; -1: none
	longest  int // bytes of the longest value in the dictionary
	pageSeen bool
	largest  int // page so far

	page page
	held [2][]byte // buffers that page points into
	err  error     // that ended the reading of the column
}

// newChunkReader returns a reader of a chunk with this many rows.
func newChunkReader(file io.ReaderAt, l *leaf, c columnChunk, rows int64, free *buffers) (*chunkReader, error) {
	r := &chunkReader{
		file: file, leaf: l, chunk: c, groupRows: rows, free: free,
		pos: c.start, end: c.start + c.size, dict: -1,
	}
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

// next reads the next page, which is valid until the next call or release. It
// returns io.EOF when the chunk is complete, and an error if it is not.
func (r *chunkReader) next() (*page, error) {
	r.release()
	if r.values == r.chunk.values {
		if r.leaf.maxRep == 0 {
			r.rows = r.values
		}
		if r.rows != r.groupRows {
			return nil, fmt.Errorf("%d rows, expected %d", r.rows, r.groupRows)
		}
		return nil, io.EOF
	}
	if r.pos >= r.end {
		return nil, fmt.Errorf("its pages hold %d values, expected %d", r.values, r.chunk.values)
	}
	at := r.pos
	p, err := r.readPage()
	if err != nil {
		r.release()
		return nil, fmt.Errorf("page at byte %d: %w", at, err)
	}
	r.largest = max(r.largest, p.size())
	return p, nil
}

func (p *page) size() int { return len(p.rep) + len(p.def) + len(p.data) }

// release lets the page go.
func (r *chunkReader) release() {
	for i, b := range r.held {
		r.free.put(b)
		r.held[i] = nil
	}
	r.page = page{}
}

func (r *chunkReader) readPage() (*page, error) {
	h, err := r.readHeader()
	if err != nil {
		return nil, err
	}
	switch {
	case h.kind != format.DataPage && h.kind != format.DataPageV2 && h.kind != format.DictionaryPage:
		return nil, fmt.Errorf("unknown page type %d", h.kind)
	case !h.hasBody || h.values < 0 || h.plain < 0 || h.packed < 0:
		return nil, errors.New("its header is incomplete")
	case int64(h.packed) > r.end-r.pos:
		return nil, fmt.Errorf("its %d bytes go beyond the end of the column chunk", h.packed)
	}
	packed := r.free.get(int(h.packed))
	r.held[0] = packed
	if err := bound.ReadFullAt(r.file, packed, r.pos); err != nil {
		return nil, err
	}
	r.pos += int64(h.packed)
	if h.hasCRC && crc32.ChecksumIEEE(packed) != uint32(h.crc) {
		return nil, errors.New("its checksum is wrong")
	}
	seen := r.pageSeen
	r.pageSeen = true
	r.page = page{encoding: h.encoding, values: int(h.values)}
	p := &r.page
	switch h.kind {
	case format.DictionaryPage:
		if seen {
			return nil, errors.New("dictionary page after another page")
		}
		return p, r.readDictionary(p, h, packed)
	case format.DataPage:
		err = r.readFirst(p, h, packed)
	default:
		err = r.readSecond(p, h, packed)
	}
	if err != nil {
		return nil, err
	}
	return p, r.checkData(p, h)
}

func (r *chunkReader) readDictionary(p *page, h pageHeader, packed []byte) (err error) {
	p.dictionary = true
	if p.data, err = r.unpack(packed, int(h.plain)); err != nil {
		return err
	}
	if p.encoding != format.Plain && p.encoding != format.PlainDictionary {
		return fmt.Errorf("unknown dictionary encoding %d", p.encoding)
	}
	p.encoding = format.Plain
	if r.leaf.physical == format.Boolean {
		return errors.New("dictionary of booleans")
	}
	r.dict = p.values
	r.longest, err = r.checkPlain(p.data, p.values)
	return err
}

// readFirst reads a data page of the first version.
func (r *chunkReader) readFirst(p *page, h pageHeader, packed []byte) (err error) {
	if p.data, err = r.unpack(packed, int(h.plain)); err != nil {
		return err
	}
	if p.rep, err = p.levels(h.repEncoding, r.leaf.maxRep); err != nil {
		return err
	}
	p.def, err = p.levels(h.defEncoding, r.leaf.maxDef)
	return err
}

// levels cuts the levels of a page of the first version off its data.
func (p *page) levels(encoding int32, highest int) ([]byte, error) {
	if highest == 0 {
		return nil, nil
	}
	switch encoding {
	case format.RLE:
		if len(p.data) < 4 {
			return nil, errLevels
		}
		n := binary.LittleEndian.Uint32(p.data)
		if uint64(n) > uint64(len(p.data)-4) {
			return nil, errLevels
		}
		levels := p.data[4 : 4+n]
		p.data = p.data[4+n:]
		return levels, nil
	case format.BitPacked:
		levels, size, err := repackLevels(p.data, p.values, highest)
		if err != nil {
			return nil, err
		}
		p.data = p.data[size:]
		return levels, nil
	}
	return nil, fmt.Errorf("unknown encoding %d of levels", encoding)
}

// readSecond reads a data page of the second version, whose levels are not
// compressed.
func (r *chunkReader) readSecond(p *page, h pageHeader, packed []byte) (err error) {
	levels := int64(h.repLength) + int64(h.defLen)
	if h.repLength < 0 || h.defLen < 0 || levels > int64(h.packed) || levels > int64(h.plain) {
		return errLevels
	}
	rep, def, data := packed[:h.repLength], packed[h.repLength:levels], packed[levels:]
	if h.compressed {
		if data, err = r.unpack(data, int(int64(h.plain)-levels)); err != nil {
			return err
		}
	}
	p.data = data
	if r.leaf.maxRep > 0 {
		p.rep = rep
	}
	if r.leaf.maxDef > 0 {
		p.def = def
	}
	return nil
}

// checkData checks the levels and values of a data page.
func (r *chunkReader) checkData(p *page, h pageHeader) error {
	if int64(p.values) > r.chunk.values-r.values {
		return fmt.Errorf("more values than the %d of the column chunk", r.chunk.values)
	}
	p.present, p.rows = p.values, p.values
	if r.leaf.maxRep > 0 && p.values > 0 {
		c, err := countLevels(p.rep, p.values, r.leaf.maxRep)
		if err != nil {
			return err
		}
		if r.values == 0 && c.first != 0 {
			return errLevels
		}
		p.rows = c.zero
	}
	if r.leaf.maxDef > 0 {
		c, err := countLevels(p.def, p.values, r.leaf.maxDef)
		if err != nil {
			return err
		}
		p.present = c.top
	}
	r.values += int64(p.values)
	r.rows += int64(p.rows)
	if r.rows > r.groupRows {
		return fmt.Errorf("more rows than the %d of the row group", r.groupRows)
	}
	if h.kind == format.DataPageV2 && h.rows >= 0 && int(h.rows) != p.rows {
		return fmt.Errorf("%d rows, its header says %d", p.rows, h.rows)
	}
	return r.checkValues(p)
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

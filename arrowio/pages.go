package arrowio

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"math/bits"

	"github.com/apache/arrow-go/v18/parquet/compress"
)

// Parquet's page types and encodings, by their numbers in the format.
const (
	pageData       = 0
	pageDictionary = 2
	pageDataV2     = 3

	encodingPlain           = 0
	encodingPlainDictionary = 2
	encodingRLE             = 3
	encodingBitPacked       = 4
	encodingDelta           = 5
	encodingDeltaLength     = 6
	encodingDeltaBytes      = 7
	encodingDictionary      = 8
	encodingByteSplit       = 9
)

const (
	// maxPageHeader bounds page headers, which hold statistics: a minimum and a maximum of any length.
	maxPageHeader = 16 << 20

	// trustedPage is the size up to which a page is allocated because its header says so. Beyond it the compressed bytes have to
	// explain the size.
	trustedPage = 4 << 20

	// maxPage bounds pages. Writers aim at 1 MiB; DuckDB has pages of 100.
	maxPage = 1 << 30

	// maxPrefixed bounds what a page of prefix-compressed strings may grow to.
	maxPrefixed = 1 << 30
)

// A page is a page of a column chunk, decompressed and checked: the values that it says it has are there.
type page struct {
	dictionary bool
	encoding   int32
	values     int    // levels, for a data page
	rows       int    // rows that begin in it
	present    int    // values that are not null
	rep, def   []byte // levels, hybrid encoding
	data       []byte
}

// A chunkReader reads the pages of a column chunk. To the library it is a part of a file: the same pages, uncompressed, with
// headers that hold what was checked and nothing else. The library never sees the bytes of the file itself.
type chunkReader struct {
	file io.ReaderAt
	leaf *leafColumn
	chunk
	pos, end int64 // in the file
	values   int64 // so far
	rows     int64
	dict     int // values in the dictionary; -1: none
	longest  int // bytes of the longest value in the dictionary
	pageSeen bool
	codec    compress.Codec
	free     *buffers
	largest  int // page so far

	page   page
	ahead  bool      // page was read before it was asked for
	held   [2][]byte // buffers that page points into
	parts  [5][]byte // what the library has still to read of the page
	cursor int64     // of the library
	header thriftWriter
	err    error
}

// A chunk is a column chunk and the number of its rows.
type chunk struct {
	columnChunk
	groupRows int64
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

func newChunkReader(file io.ReaderAt, leaf *leafColumn, c columnChunk, rows int64, free *buffers) (*chunkReader, error) {
	r := &chunkReader{file: file, leaf: leaf, chunk: chunk{c, rows}, pos: c.start, end: c.start + c.size, dict: -1, free: free}
	switch c.codec {
	case codecNone, codecSnappy, codecGzip, codecBrotli, codecZstd, codecLZ4Raw:
		var err error
		r.codec, err = compress.GetCodec(compress.Compression(c.codec))
		if err != nil {
			return nil, err
		}
	case codecLZ4:
		return nil, &unsupportedError{"LZ4 compression in Hadoop's framing is not supported"}
	default:
		return nil, &unsupportedError{"LZO compression is not supported"}
	}
	return r, nil
}

type pageHeader struct {
	kind                int32
	plain, packed       int32 // sizes
	crc                 uint32
	hasCRC              bool
	values              int32
	encoding            int32
	repEncoding         int32
	defEncoding         int32
	rows                int32
	repLength, defLen   int32
	compressed, hasBody bool
}

func parsePageHeader(b []byte) (pageHeader, int, error) {
	r := &thriftReader{b: b}
	h := pageHeader{kind: -1, plain: -1, packed: -1, values: -1, encoding: -1, repEncoding: encodingRLE, defEncoding: encodingRLE, rows: -1, repLength: -1, defLen: -1, compressed: true}
	num := func(to *int32, typ byte) {
		if r.want(typ, thriftI32) {
			*to = r.i32()
		}
	}
	r.fields(0, func(id int16, typ byte) bool {
		switch id {
		case 1:
			num(&h.kind, typ)
		case 2:
			num(&h.plain, typ)
		case 3:
			num(&h.packed, typ)
		case 4:
			var v int32
			num(&v, typ)
			h.crc, h.hasCRC = uint32(v), true
		case 5:
			if !r.want(typ, thriftStruct) || h.kind != pageData {
				return false
			}
			h.hasBody = true
			r.fields(1, func(id int16, typ byte) bool {
				switch id {
				case 1:
					num(&h.values, typ)
				case 2:
					num(&h.encoding, typ)
				case 3:
					num(&h.defEncoding, typ)
				case 4:
					num(&h.repEncoding, typ)
				default:
					return false
				}
				return true
			})
		case 7:
			if !r.want(typ, thriftStruct) || h.kind != pageDictionary {
				return false
			}
			h.hasBody = true
			r.fields(1, func(id int16, typ byte) bool {
				switch id {
				case 1:
					num(&h.values, typ)
				case 2:
					num(&h.encoding, typ)
				default:
					return false
				}
				return true
			})
		case 8:
			if !r.want(typ, thriftStruct) || h.kind != pageDataV2 {
				return false
			}
			h.hasBody = true
			r.fields(1, func(id int16, typ byte) bool {
				switch id {
				case 1:
					num(&h.values, typ)
				case 3:
					num(&h.rows, typ)
				case 4:
					num(&h.encoding, typ)
				case 5:
					num(&h.defLen, typ)
				case 6:
					num(&h.repLength, typ)
				case 7:
					switch typ {
					case thriftTrue:
					case thriftFalse:
						h.compressed = false
					default:
						r.want(typ, thriftTrue)
					}
				default:
					return false
				}
				return true
			})
		default:
			return false
		}
		return true
	})
	return h, r.pos, r.err
}

// readHeader reads the header of the next page, and leaves pos behind it.
func (r *chunkReader) readHeader() (pageHeader, error) {
	var small [512]byte
	b := small[:]
	for {
		if left := r.end - r.pos; left < int64(len(b)) {
			b = b[:left]
		}
		if err := readFullAt(r.file, b, r.pos); err != nil {
			return pageHeader{}, err
		}
		h, n, err := parsePageHeader(b)
		switch {
		case err == nil:
			r.pos += int64(n)
			return h, nil
		case errors.Is(err, errThriftEnd) && int64(len(b)) < r.end-r.pos && len(b) < maxPageHeader:
			b = make([]byte, 8*len(b))
		default:
			return pageHeader{}, fmt.Errorf("its header is damaged: %w", err)
		}
	}
}

// next reads the next page. It returns io.EOF when the chunk is complete, and an error if it is not.
func (r *chunkReader) next() (*page, error) {
	r.release()
	if r.values == r.columnChunk.values {
		if r.leaf.maxRep == 0 {
			r.rows = r.values
		}
		if r.rows != r.groupRows {
			return nil, fmt.Errorf("%d rows, expected %d", r.rows, r.groupRows)
		}
		return nil, io.EOF
	}
	if r.pos >= r.end {
		return nil, fmt.Errorf("its pages hold %d values, expected %d", r.values, r.columnChunk.values)
	}
	at := r.pos
	p, err := r.readPage()
	if err != nil {
		r.release()
		return nil, fmt.Errorf("page at byte %d: %w", at, err)
	}
	r.largest = max(r.largest, len(p.rep)+len(p.def)+len(p.data))
	return p, nil
}

func (r *chunkReader) readPage() (*page, error) {
	h, err := r.readHeader()
	if err != nil {
		return nil, err
	}
	switch {
	case h.kind != pageData && h.kind != pageDataV2 && h.kind != pageDictionary:
		return nil, fmt.Errorf("unknown page type %d", h.kind)
	case !h.hasBody || h.values < 0 || h.plain < 0 || h.packed < 0:
		return nil, errors.New("its header is incomplete")
	case int64(h.packed) > r.end-r.pos:
		return nil, fmt.Errorf("its %d bytes go beyond the end of the column chunk", h.packed)
	}
	packed := r.free.get(int(h.packed))
	r.held[0] = packed
	if err := readFullAt(r.file, packed, r.pos); err != nil {
		return nil, err
	}
	r.pos += int64(h.packed)
	if h.hasCRC && crc32.ChecksumIEEE(packed) != h.crc {
		return nil, errors.New("its checksum is wrong")
	}
	r.page = page{encoding: h.encoding, values: int(h.values)}
	p := &r.page
	switch h.kind {
	case pageDictionary:
		if r.pageSeen {
			return nil, errors.New("dictionary page after another page")
		}
		r.pageSeen = true
		p.dictionary = true
		if p.data, err = r.unpack(packed, int(h.plain)); err != nil {
			return nil, err
		}
		if p.encoding != encodingPlain && p.encoding != encodingPlainDictionary {
			return nil, fmt.Errorf("unknown dictionary encoding %d", p.encoding)
		}
		p.encoding = encodingPlain
		if r.leaf.physical == typeBoolean {
			return nil, errors.New("dictionary of booleans")
		}
		r.dict = p.values
		r.longest, err = r.checkPlain(p.data, p.values)
		return p, err

	case pageData:
		r.pageSeen = true
		if p.data, err = r.unpack(packed, int(h.plain)); err != nil {
			return nil, err
		}
		if p.rep, err = p.levels(h.repEncoding, r.leaf.maxRep); err != nil {
			return nil, err
		}
		if p.def, err = p.levels(h.defEncoding, r.leaf.maxDef); err != nil {
			return nil, err
		}

	case pageDataV2:
		r.pageSeen = true
		if h.repLength < 0 || h.defLen < 0 || int64(h.repLength)+int64(h.defLen) > int64(h.packed) || int64(h.repLength)+int64(h.defLen) > int64(h.plain) {
			return nil, errLevels
		}
		rep, def, data := packed[:h.repLength], packed[h.repLength:h.repLength+h.defLen], packed[h.repLength+h.defLen:]
		size := int(h.plain) - len(rep) - len(def)
		if h.compressed && r.columnChunk.codec != codecNone {
			if data, err = r.unpack(data, size); err != nil {
				return nil, err
			}
		}
		p.data = data
		if r.leaf.maxRep > 0 {
			p.rep = rep
		}
		if r.leaf.maxDef > 0 {
			p.def = def
		}
	}
	return p, r.checkData(p, h)
}

// levels cuts the levels of a page of the first version off its data.
func (p *page) levels(encoding int32, highest int) ([]byte, error) {
	if highest == 0 {
		return nil, nil
	}
	switch encoding {
	case encodingRLE:
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
	case encodingBitPacked:
		levels, size, err := repackLevels(p.data, p.values, highest)
		if err != nil {
			return nil, err
		}
		p.data = p.data[size:]
		return levels, nil
	}
	return nil, fmt.Errorf("unknown encoding %d of levels", encoding)
}

// checkData checks the levels and values of a data page.
func (r *chunkReader) checkData(p *page, h pageHeader) error {
	if int64(p.values) > r.columnChunk.values-r.values {
		return fmt.Errorf("more values than the %d of the column chunk", r.columnChunk.values)
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
	if h.kind == pageDataV2 && h.rows >= 0 && int(h.rows) != p.rows {
		return fmt.Errorf("%d rows, its header says %d", p.rows, h.rows)
	}
	return r.checkValues(p)
}

var errShortPage = errors.New("it has fewer values than it says")

func (r *chunkReader) checkValues(p *page) error {
	if p.present == 0 {
		// Nothing to decode; the library would still look for a header.
		p.data, p.encoding = nil, encodingPlain
		return nil
	}
	switch p.encoding {
	case encodingPlain:
		_, err := r.checkPlain(p.data, p.present)
		return err

	case encodingPlainDictionary, encodingDictionary:
		if r.dict < 0 {
			return errors.New("dictionary indexes without a dictionary")
		}
		p.encoding = encodingDictionary
		return checkIndexes(p.data, p.present, r.dict)

	case encodingRLE:
		if r.leaf.physical != typeBoolean || len(p.data) < 4 {
			break
		}
		n := binary.LittleEndian.Uint32(p.data)
		if uint64(n) > uint64(len(p.data)-4) {
			return errShortPage
		}
		_, err := countLevels(p.data[4:4+n], p.present, 1)
		return err

	case encodingByteSplit:
		switch r.leaf.physical {
		case typeFloat, typeDouble, typeInt32, typeInt64, typeFixed:
			if len(p.data)/r.leaf.length != p.present || len(p.data)%r.leaf.length != 0 {
				return errShortPage
			}
			return nil
		}

	case encodingDelta:
		if r.leaf.physical != typeInt32 && r.leaf.physical != typeInt64 {
			break
		}
		d, err := newDeltaReader(p.data, r.leaf.physical == typeInt64)
		if err != nil {
			return err
		}
		if d.total != p.present {
			return errShortPage
		}
		_, err = d.skipAll()
		return err

	case encodingDeltaLength:
		if r.leaf.physical == typeBytes {
			_, err := checkDeltaLengths(p.data, p.present)
			return err
		}

	case encodingDeltaBytes:
		if r.leaf.physical == typeBytes || r.leaf.physical == typeFixed {
			return r.checkDeltaBytes(p.data, p.present)
		}
	}
	return fmt.Errorf("encoding %d of this type is unknown or damaged", p.encoding)
}

// checkPlain checks that b holds n plain values. It returns the size of the longest.
func (r *chunkReader) checkPlain(b []byte, n int) (int, error) {
	switch {
	case r.leaf.physical == typeBoolean:
		if len(b) < (n+7)/8 {
			return 0, errShortPage
		}
		return 1, nil
	case r.leaf.length > 0:
		if len(b)/r.leaf.length < n {
			return 0, errShortPage
		}
		return r.leaf.length, nil
	}
	longest := uint32(0)
	for range n {
		if len(b) < 4 {
			return 0, errShortPage
		}
		size := binary.LittleEndian.Uint32(b)
		if uint64(size) > uint64(len(b)-4) {
			return 0, errShortPage
		}
		b = b[4+size:]
		longest = max(longest, size)
	}
	return int(longest), nil
}

// checkDeltaLengths checks n strings whose lengths come first, delta-packed. It returns the sum of the lengths.
func checkDeltaLengths(b []byte, n int) (int, error) {
	d, err := newDeltaReader(b, false)
	if err != nil {
		return 0, err
	}
	if d.total != n {
		return 0, errShortPage
	}
	sum := int64(0)
	for range n {
		v, err := d.next()
		if err != nil {
			return 0, err
		}
		if v < 0 || sum+v > int64(len(b)) {
			return 0, errDelta
		}
		sum += v
	}
	if sum > int64(len(b)-d.pos) {
		return 0, errShortPage
	}
	return int(sum), nil
}

// checkDeltaBytes checks n strings, each given as the length of what it shares with the one before, and the rest.
func (r *chunkReader) checkDeltaBytes(b []byte, n int) error {
	prefixes, err := newDeltaReader(b, false)
	if err != nil {
		return err
	}
	if prefixes.total != n {
		return errShortPage
	}
	ahead := *prefixes
	at, err := ahead.skipAll()
	if err != nil {
		return err
	}
	if _, err := checkDeltaLengths(b[at:], n); err != nil {
		return err
	}
	suffixes, err := newDeltaReader(b[at:], false)
	if err != nil {
		return err
	}
	last, total := int64(0), int64(0)
	for range n {
		prefix, err := prefixes.next()
		if err != nil {
			return err
		}
		suffix, err := suffixes.next()
		if err != nil {
			return err
		}
		if prefix < 0 || prefix > last {
			return errDelta
		}
		last = prefix + suffix
		if r.leaf.physical == typeFixed && last != int64(r.leaf.length) {
			return errDelta
		}
		if total += last; total > maxPrefixed {
			return &unsupportedError{"its strings take more than 1 GiB"}
		}
	}
	return nil
}

// unpack decompresses b, which has to give size bytes. No more is allocated than the compressed bytes can explain.
func (r *chunkReader) unpack(b []byte, size int) ([]byte, error) {
	if r.columnChunk.codec == codecNone {
		return b, nil // some writers give another size
	}
	if size > maxPage {
		return nil, &unsupportedError{fmt.Sprintf("its %d MiB are more than a page may have", size>>20)}
	}
	if size == 0 && len(b) == 0 {
		return b, nil
	}
	bound := int64(math.MaxInt64)
	switch r.columnChunk.codec {
	case codecSnappy:
		n, k := binary.Uvarint(b)
		if k <= 0 || n != uint64(size) {
			return nil, errUnpack
		}
		bound = 22*int64(len(b)) + 64 // a copy of 64 bytes takes 3
	case codecLZ4Raw:
		bound = 255*int64(len(b)) + 64
	case codecZstd:
		var err error
		if bound, err = zstdBound(b, int64(size)); err != nil {
			return nil, err
		}
	case codecGzip, codecBrotli:
		if size > trustedPage && size/64 > len(b) {
			return r.unpackGrowing(b, size)
		}
	}
	if int64(size) > bound {
		return nil, fmt.Errorf("%w: %d bytes cannot come from %d", errUnpack, size, len(b))
	}
	dst := r.free.get(size)
	r.held[1] = dst
	out, err := compress.Decode(r.codec, dst, b)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errUnpack, err)
	}
	if len(out) != size {
		return nil, fmt.Errorf("%w: %d bytes, expected %d", errUnpack, len(out), size)
	}
	return out, nil
}

var errUnpack = errors.New("cannot be decompressed")

// unpackGrowing decompresses into memory that grows with what comes out.
func (r *chunkReader) unpackGrowing(b []byte, size int) ([]byte, error) {
	in := r.codec.(compress.StreamingCodec).NewReader(byteStream(b))
	defer in.Close()
	out, err := readGrowing(in, int64(size), trustedPage)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errUnpack, err)
	}
	if n, _ := in.Read(make([]byte, 1)); n != 0 {
		return nil, fmt.Errorf("%w: more than %d bytes", errUnpack, size)
	}
	return out, nil
}

// pending returns the next page to a reader other than the library: the dictionary that was read ahead, or a new page.
func (r *chunkReader) pending() (*page, error) {
	if r.ahead {
		r.ahead = false
		return &r.page, nil
	}
	return r.next()
}

func (r *chunkReader) release() {
	for i, b := range r.held {
		r.free.put(b)
		r.held[i] = nil
	}
	r.page = page{}
	r.parts = [5][]byte{}
}

// readAt is io.ReaderAt over the pages as the library sees them. It has to be read in order.
func (r *chunkReader) readAt(b []byte, off int64) (int, error) {
	if r.err != nil {
		return 0, r.err
	}
	if off != r.cursor {
		r.err = fmt.Errorf("read at %d, expected at %d", off, r.cursor)
		return 0, r.err
	}
	n := 0
	for n == 0 && len(b) > 0 {
		empty := true
		for i := range r.parts {
			k := copy(b[n:], r.parts[i])
			r.parts[i] = r.parts[i][k:]
			n += k
			empty = empty && len(r.parts[i]) == 0
		}
		if empty {
			r.release()
		}
		if n > 0 {
			break
		}
		p, err := r.next()
		if err != nil {
			if err != io.EOF {
				r.err = err
			}
			return 0, err
		}
		r.serve(p)
	}
	r.cursor += int64(n)
	return n, nil
}

// serve puts a page before the library: its header and then its bytes.
func (r *chunkReader) serve(p *page) {
	size := int32(len(p.rep) + len(p.def) + len(p.data))
	w := thriftWriter{b: r.header.b[:0], last: r.header.last[:0]}
	w.begin()
	if p.dictionary {
		w.i32(1, pageDictionary)
	} else {
		w.i32(1, pageDataV2)
	}
	w.i32(2, size)
	w.i32(3, size)
	if p.dictionary {
		w.field(7, thriftStruct)
		w.begin()
		w.i32(1, int32(p.values))
		w.i32(2, p.encoding)
		w.end()
	} else {
		w.field(8, thriftStruct)
		w.begin()
		w.i32(1, int32(p.values))
		w.i32(2, int32(p.values-p.present))
		w.i32(3, int32(p.rows))
		w.i32(4, p.encoding)
		w.i32(5, int32(len(p.def)))
		w.i32(6, int32(len(p.rep)))
		w.bool(7, false)
		w.end()
	}
	w.end()
	r.header = w
	r.parts = [5][]byte{w.b, p.rep, p.def, p.data}
}

// A groupFile is a row group as the library sees it: a file in which the chunks lie chunkSpace bytes apart.
type groupFile struct{ chunks []*chunkReader } // nil: not to be read

func (g *groupFile) ReadAt(b []byte, off int64) (int, error) {
	i := off/chunkSpace - 1
	if i < 0 || i >= int64(len(g.chunks)) || g.chunks[i] == nil {
		return 0, fmt.Errorf("read outside the columns, at %d", off)
	}
	return g.chunks[i].readAt(b, off%chunkSpace)
}

// Read and Seek are in the interface that the library wants, which calls neither.
func (g *groupFile) Read([]byte) (int, error)       { return 0, errors.ErrUnsupported }
func (g *groupFile) Seek(int64, int) (int64, error) { return 0, errors.ErrUnsupported }

// zstdBound walks over the blocks of Zstandard frames without decompressing them. It returns how many bytes they can hold at most,
// and an error for a frame that claims more than size or wants a window that is out of proportion.
func zstdBound(b []byte, size int64) (int64, error) {
	bound := int64(0)
	for len(b) > 0 {
		if len(b) < 8 {
			return 0, errUnpack
		}
		magic := binary.LittleEndian.Uint32(b)
		if magic&^15 == 0x184D2A50 { // a frame to be skipped
			n := int64(binary.LittleEndian.Uint32(b[4:])) + 8
			if n > int64(len(b)) {
				return 0, errUnpack
			}
			b = b[n:]
			continue
		}
		if magic != 0xFD2FB528 {
			return 0, errUnpack
		}
		desc := b[4]
		b = b[5:]
		single := desc&0x20 != 0
		window := int64(0)
		if !single {
			exp, mantissa := b[0]>>3, int64(b[0]&7)
			if exp > 31 {
				return 0, errUnpack
			}
			window = 1 << (10 + exp)
			window += window / 8 * mantissa
			b = b[1:]
		}
		fields := []int{0, 1, 2, 4}[desc&3]
		content := []int{0, 2, 4, 8}[desc>>6]
		if single && content == 0 {
			content = 1
		}
		if len(b) < fields+content {
			return 0, errUnpack
		}
		b = b[fields:]
		var word [8]byte
		copy(word[:], b[:content])
		b = b[content:]
		claim := binary.LittleEndian.Uint64(word[:])
		if content == 2 {
			claim += 256
		}
		if content > 0 && claim > uint64(size) {
			return 0, fmt.Errorf("%w: it claims %d bytes, expected %d", errUnpack, claim, size)
		}
		if window > max(128<<20, 2*size) {
			return 0, fmt.Errorf("%w: it wants a window of %d bytes", errUnpack, window)
		}
		for last := false; !last; {
			if len(b) < 3 {
				return 0, errUnpack
			}
			h := uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16
			b = b[3:]
			last = h&1 != 0
			n := int(h >> 3)
			switch h >> 1 & 3 {
			case 0: // raw
				bound += int64(n)
			case 1: // one byte, repeated
				bound += int64(n)
				n = 1
			case 2:
				bound += 128 << 10
			default:
				return 0, errUnpack
			}
			if n > len(b) {
				return 0, errUnpack
			}
			b = b[n:]
		}
		if desc&4 != 0 { // checksum
			if len(b) < 4 {
				return 0, errUnpack
			}
			b = b[4:]
		}
	}
	return bound, nil
}

// lz4Bound is zstdBound for LZ4 frames.
func lz4Bound(b []byte) (int64, error) {
	bound := int64(0)
	for len(b) > 0 {
		if len(b) < 7 {
			return 0, errUnpack
		}
		magic := binary.LittleEndian.Uint32(b)
		if magic&^15 == 0x184D2A50 {
			if len(b) < 8 {
				return 0, errUnpack
			}
			n := int64(binary.LittleEndian.Uint32(b[4:])) + 8
			if n > int64(len(b)) {
				return 0, errUnpack
			}
			b = b[n:]
			continue
		}
		if magic != 0x184D2204 {
			return 0, errUnpack
		}
		flags := b[4]
		size := b[5] >> 4 & 7
		if size < 4 {
			return 0, errUnpack
		}
		block := int64(1) << (2*size + 8) // 64 KiB to 4 MiB
		head := 7 + 8*int(flags>>3&1) + 4*int(flags&1)
		if len(b) < head {
			return 0, errUnpack
		}
		b = b[head:]
		for {
			if len(b) < 4 {
				return 0, errUnpack
			}
			n := binary.LittleEndian.Uint32(b)
			b = b[4:]
			if n == 0 {
				break
			}
			n &= math.MaxInt32
			n += uint32(bits.OnesCount8(flags&16)) * 4 // checksum of the block
			if uint64(n) > uint64(len(b)) {
				return 0, errUnpack
			}
			b = b[n:]
			bound += block
		}
		if flags&4 != 0 {
			if len(b) < 4 {
				return 0, errUnpack
			}
			b = b[4:]
		}
	}
	return bound, nil
}

package arrowio

import (
	"encoding/binary"
	"hash/crc32"
	"math"
	"math/bits"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/apache/arrow-go/v18/parquet/compress"
)

const (
	// outPageBytes is the size of pages before compression, that most writers have.
	outPageBytes = 1 << 20

	// outPageLevels bounds pages of small or no values.
	outPageLevels = 1 << 20

	// zstdLevel is the fast end: higher levels take much longer and shrink pixels a little more, codes hardly.
	zstdLevel = 1

	// leastPacked is the size of values below which compression is not tried.
	leastPacked = 256

	// sampleBytes of a column chunk, from samplePlaces, show whether it is worth compressing.
	sampleBytes  = 8 << 10
	samplePlaces = 4

	// maxDictionary bounds the dictionary of a text column.
	maxDictionary = 1 << 20
)

// An outChunk is what a row group has of a column, beside the values: what is found out before its pages are encoded,
// and then what was written.
type outChunk struct {
	codec     int32
	dict      []byte   // plain values, if there is a dictionary
	entries   int      // in it
	index     []uint32 // of every value, for text
	low, high []byte   // statistics
	pages     []pageSpan

	start, dataStart int64 // in the file
	plain, packed    int64 // bytes, headers included
}

// A pageSpan is the levels and values of a data page.
type pageSpan struct {
	run, skip int // the first run of levels, and how many of it belong to the page before
	levels    int
	lo, hi    int // values
}

// prepare makes ready to encode the rows held.
func (c *outColumn) prepare() {
	v := &c.values
	c.chunk = outChunk{pages: c.cut(c.chunk.pages[:0]), index: c.chunk.index[:0]}
	if c.stats {
		c.chunk.low, c.chunk.high = v.span()
	}
	switch v.form {
	case formByte:
		c.byteDictionary()
	case formText:
		c.textDictionary()
	}
	if len(v.data) >= leastPacked && (v.form == formText || shrinks(v.data)) {
		c.chunk.codec = codecZstd
	}
}

// cut cuts the column into pages, each of whole rows.
func (c *outColumn) cut(pages []pageSpan) []pageSpan {
	var p pageSpan
	for i, r := range c.levels {
		for left := int(r.n); left > 0; {
			take := left
			if r.rep == 0 { // every one begins a row
				size := c.values.at(p.hi) - c.values.at(p.lo)
				if p.levels >= outPageLevels || size >= outPageBytes {
					pages = append(pages, p)
					p = pageSpan{run: i, skip: int(r.n) - left, lo: p.hi, hi: p.hi}
					size = 0
				}
				take = min(take, outPageLevels-p.levels)
				if r.def == c.maxDef {
					take = c.values.fit(p.hi, take, outPageBytes-size)
				}
			}
			p.levels += take
			if r.def == c.maxDef {
				p.hi += take
			}
			left -= take
		}
	}
	return append(pages, p)
}

// shrinks reports whether compression takes away an eighth of b or more, by a sample. Less is not worth the time of who writes and
// who reads: codes of a sigmoid or a tanh, and pixels of photographs.
func shrinks(b []byte) bool {
	if len(b) > sampleBytes {
		const part = sampleBytes / samplePlaces
		sample := make([]byte, 0, sampleBytes)
		for i := range samplePlaces {
			at := (len(b) - part) / (samplePlaces - 1) * i &^ 7 // whole values
			sample = append(sample, b[at:at+part]...)
		}
		b = sample
	}
	return len(pack(nil, b)) <= len(b)-len(b)/8
}

// pack compresses b, into dst if that is long enough.
func pack(dst, b []byte) []byte {
	codec, err := compress.GetCodec(compress.Codecs.Zstd)
	if err != nil {
		panic(err) // it is linked in
	}
	return codec.EncodeLevel(dst, b, zstdLevel)
}

// byteDictionary gives a column of uint8 the dictionary 0, 1, 2... up to its largest value, which Parquet stores in 4 bytes each. The values then are the
// indexes: 8 bits each, and nothing is to be done to them. A column of few values is better without.
func (c *outColumn) byteDictionary() {
	most := byte(0)
	for part := range slices.Chunk(c.values.data, 4096) {
		if most = max(most, slices.Max(part)); most == math.MaxUint8 {
			break // pixels come to that soon
		}
	}
	n := int(most) + 1
	if 4*n >= 3*len(c.values.data) {
		return
	}
	c.chunk.dict, c.chunk.entries = make([]byte, 4*n), n
	for i := range n {
		c.chunk.dict[4*i] = byte(i)
	}
}

// textDictionary gives a column of text the dictionary of its values, unless most of them differ.
func (c *outColumn) textDictionary() {
	v := &c.values
	n := v.count()
	seen := map[string]uint32{}
	var dict []byte
	for i := range n {
		text := v.text(i)
		k, ok := seen[string(text)]
		if !ok {
			k = uint32(len(seen))
			seen[string(text)] = k
			dict = append(dict, v.data[v.at(i):v.at(i+1)]...)
			if len(dict) > maxDictionary || len(seen) > 1000 && len(seen) > i/2 {
				return
			}
		}
		c.chunk.index = append(c.chunk.index, k)
	}
	if n > 0 {
		c.chunk.dict, c.chunk.entries = dict, len(seen)
	}
}

// An outPage is a page being encoded, and its buffers. It is encoded in one goroutine and written in another.
type outPage struct {
	column *outColumn
	span   *pageSpan // nil: the dictionary
	done   chan struct{}

	head   thriftWriter
	levels []byte // and what comes before values that stay where they are
	body   []byte // values that are encoded
	whole  []byte // all of it, to be compressed
	packed []byte
	parts  [3][]byte // after the header
	plain  int
	err    error
}

// encodePages encodes the pages of the row group and writes them. What is in the file does not depend on the number of goroutines.
func (e *parquetEncoder) encodePages() error {
	workers := runtime.GOMAXPROCS(0)
	if workers == 1 || e.bytes() < outPageBytes {
		return e.encodeHere()
	}
	inParallel(workers, len(e.columns), func(i int) { e.columns[i].prepare() })

	for len(e.pages) < 2*workers { // so that pages wait for the file, not the file for pages
		e.pages = append(e.pages, &outPage{done: make(chan struct{}, 1)})
	}
	free, work, ordered := make(chan *outPage, len(e.pages)), make(chan *outPage, len(e.pages)), make(chan *outPage, len(e.pages))
	for _, p := range e.pages {
		free <- p
	}
	stop := make(chan struct{})
	go func() {
		defer close(work)
		defer close(ordered)
		for _, c := range e.columns {
			for i := range c.pageCount() {
				select {
				case p := <-free:
					p.column, p.span = c, c.page(i)
					work <- p
					ordered <- p
				case <-stop:
					return
				}
			}
		}
	}()
	for range workers {
		go func() {
			for p := range work {
				p.encode()
				p.done <- struct{}{}
			}
		}()
	}
	var err error
	for p := range ordered {
		<-p.done
		if err == nil {
			if err = p.err; err == nil {
				err = e.putPage(p)
			}
			if err != nil {
				close(stop)
			}
		}
		free <- p
	}
	return err
}

// encodeHere is encodePages without goroutines: a small row group is not worth them.
func (e *parquetEncoder) encodeHere() error {
	if len(e.pages) == 0 {
		e.pages = append(e.pages, &outPage{done: make(chan struct{}, 1)})
	}
	p := e.pages[0]
	for _, c := range e.columns {
		c.prepare()
		for i := range c.pageCount() {
			p.column, p.span = c, c.page(i)
			p.encode()
			if p.err != nil {
				return p.err
			}
			if err := e.putPage(p); err != nil {
				return err
			}
		}
	}
	return nil
}

// inParallel calls f with the numbers up to n, from goroutines.
func inParallel(workers, n int, f func(i int)) {
	var next atomic.Int64
	var all sync.WaitGroup
	for range min(workers, n) {
		all.Go(func() {
			for i := next.Add(1) - 1; i < int64(n); i = next.Add(1) - 1 {
				f(int(i))
			}
		})
	}
	all.Wait()
}

// pageCount returns the number of pages, that of the dictionary included.
func (c *outColumn) pageCount() int {
	if c.chunk.dict != nil {
		return len(c.chunk.pages) + 1
	}
	return len(c.chunk.pages)
}

// page returns what page i holds, nil for the dictionary, which comes first.
func (c *outColumn) page(i int) *pageSpan {
	if c.chunk.dict != nil {
		i--
	}
	if i < 0 {
		return nil
	}
	return &c.chunk.pages[i]
}

func (e *parquetEncoder) putPage(p *outPage) error {
	c := &p.column.chunk
	if c.packed == 0 {
		c.start = e.at
	}
	if p.span != nil && c.dataStart == 0 {
		c.dataStart = e.at
	}
	from := e.at
	if err := e.put(p.head.b); err != nil {
		return err
	}
	head := e.at - from
	if err := e.put(p.parts[:]...); err != nil {
		return err
	}
	c.plain += head + int64(p.plain)
	c.packed += e.at - from
	return nil
}

// encode makes the parts of the page and its header. The page is of the first version, which every reader knows.
func (p *outPage) encode() {
	p.parts, p.err = [3][]byte{}, nil
	c, s := p.column, p.span
	v := &c.values
	p.levels = p.levels[:0]
	var values []byte // where they are, or in body
	var pad []byte
	encoding := int32(encodingPlain)
	switch {
	case s == nil:
		values = c.chunk.dict
	default:
		p.levels = c.appendLevels(p.levels, s, c.maxRep, func(r levelRun) int16 { return r.rep })
		p.levels = c.appendLevels(p.levels, s, c.maxDef, func(r levelRun) int16 { return r.def })
		n := s.hi - s.lo
		values = v.data[v.at(s.lo):v.at(s.hi)]
		switch {
		case v.form == formByte && c.chunk.dict != nil:
			encoding = encodingDictionary
			groups := (n + 7) / 8
			p.levels = append(p.levels, 8) // bits
			p.levels = binary.AppendUvarint(p.levels, uint64(groups)<<1|1)
			var zeros [8]byte
			pad = zeros[:8*groups-n]
		case v.form == formByte:
			p.body = p.body[:0]
			for _, x := range values {
				p.body = append(p.body, x, 0, 0, 0)
			}
			values = p.body
		case v.form == formBool:
			p.body = p.body[:0]
			for x := range slices.Chunk(values, 8) {
				b := byte(0)
				for i, bit := range x {
					b |= bit << i
				}
				p.body = append(p.body, b)
			}
			values = p.body
		case c.chunk.dict != nil:
			encoding = encodingDictionary
			width := max(bits.Len(uint(c.chunk.entries-1)), 1)
			h := hybridWriter{b: append(p.body[:0], byte(width)), width: width}
			for _, k := range c.chunk.index[s.lo:s.hi] {
				h.add(k, 1)
			}
			p.body = h.end()
			values = p.body
		}
	}
	p.plain = len(p.levels) + len(values) + len(pad)
	if p.plain > maxPage {
		p.err = &ColumnError{Column: c.name, Row: -1, Reason: "a row of more than 1 GiB"}
		return
	}
	p.parts = [3][]byte{p.levels, values, pad}
	packed := p.plain
	if c.chunk.codec == codecZstd {
		p.whole = append(append(append(p.whole[:0], p.levels...), values...), pad...)
		p.packed = pack(p.packed, p.whole)
		p.parts = [3][]byte{p.packed}
		packed = len(p.packed)
	}
	sum := uint32(0)
	for _, b := range p.parts {
		sum = crc32.Update(sum, crc32.IEEETable, b)
	}

	w := thriftWriter{b: p.head.b[:0], last: p.head.last[:0]}
	w.begin()
	if s == nil {
		w.i32(1, pageDictionary)
	} else {
		w.i32(1, pageData)
	}
	w.i32(2, int32(p.plain))
	w.i32(3, int32(packed))
	w.i32(4, int32(sum))
	if s == nil {
		w.field(7, thriftStruct)
		w.begin()
		w.i32(1, int32(c.chunk.entries))
		w.i32(2, encodingPlain)
		w.end()
	} else {
		w.field(5, thriftStruct)
		w.begin()
		w.i32(1, int32(s.levels))
		w.i32(2, encoding)
		w.i32(3, encodingRLE)
		w.i32(4, encodingRLE)
		w.end()
	}
	w.end()
	p.head = w
}

// appendLevels appends the levels of a page, with their length before them.
func (c *outColumn) appendLevels(to []byte, s *pageSpan, highest int16, level func(levelRun) int16) []byte {
	if highest == 0 {
		return to
	}
	at := len(to)
	h := hybridWriter{b: append(to, 0, 0, 0, 0), width: bits.Len(uint(highest))}
	skip := s.skip
	for i, left := s.run, s.levels; left > 0; i++ {
		r := c.levels[i]
		n := min(int(r.n)-skip, left)
		h.add(uint32(level(r)), n)
		left -= n
		skip = 0
	}
	to = h.end()
	binary.LittleEndian.PutUint32(to[at:], uint32(len(to)-at-4))
	return to
}

// A hybridWriter appends small numbers to b in the encoding that Parquet has for levels and indexes: runs of equal ones, and groups of 8 packed ones.
type hybridWriter struct {
	b     []byte
	width int // bits

	value uint32 // the run being collected
	n     int

	group  [8]uint32
	filled int // of group
	head   int // where the head of the packed groups is in b
	groups int // behind it; 0: there is none
}

// add adds n times the same number.
func (h *hybridWriter) add(value uint32, n int) {
	if value == h.value || h.n == 0 {
		h.value = value
		h.n += n
		return
	}
	h.put()
	h.value, h.n = value, n
}

// put encodes the run collected.
func (h *hybridWriter) put() {
	for h.n > 0 && (h.filled > 0 || h.n < 8) {
		h.group[h.filled] = h.value
		h.filled++
		h.n--
		if h.filled == 8 {
			h.putGroup()
		}
	}
	if h.n == 0 {
		return
	}
	h.groups = 0
	h.b = binary.AppendUvarint(h.b, uint64(h.n)<<1)
	for shift := 0; shift < h.width; shift += 8 {
		h.b = append(h.b, byte(h.value>>shift))
	}
	h.n = 0
}

func (h *hybridWriter) putGroup() {
	const most = 63 // that a head of one byte can count
	if h.groups == 0 || h.groups == most {
		h.head, h.groups = len(h.b), 0
		h.b = append(h.b, 0)
	}
	h.groups++
	h.b[h.head] = byte(h.groups<<1 | 1)
	word, held := uint64(0), 0
	for i := range h.group {
		word |= uint64(h.group[i]) << held
		for held += h.width; held >= 8; held -= 8 {
			h.b = append(h.b, byte(word))
			word >>= 8
		}
	}
	h.filled = 0
}

// end returns b, complete.
func (h *hybridWriter) end() []byte {
	h.put()
	if h.filled > 0 {
		clear(h.group[h.filled:])
		h.putGroup()
	}
	return h.b
}

// list adds the column chunk to the row groups of the footer.
func (c *outColumn) list(w *thriftWriter) {
	k := &c.chunk
	levels := int64(0)
	for i := range k.pages {
		levels += int64(k.pages[i].levels)
	}
	w.begin()
	w.i64(2, k.start)
	w.field(3, thriftStruct)
	w.begin()
	w.i32(1, c.physical)
	encodings := []int32{encodingPlain, encodingRLE}
	if k.dict != nil {
		encodings = append(encodings, encodingDictionary)
	}
	w.list(2, thriftI32, len(encodings))
	for _, x := range encodings {
		w.b = binary.AppendVarint(w.b, int64(x))
	}
	w.list(3, thriftBinary, len(c.names))
	for _, name := range c.names {
		w.text(name)
	}
	w.i32(4, k.codec)
	w.i64(5, levels)
	w.i64(6, k.plain)
	w.i64(7, k.packed)
	w.i64(9, k.dataStart)
	if k.dict != nil {
		w.i64(11, k.start)
	}
	if c.stats {
		w.field(12, thriftStruct)
		w.begin()
		w.i64(3, levels-int64(c.values.count())) // nulls
		if k.low != nil {
			w.string(5, string(k.high))
			w.string(6, string(k.low))
		}
		w.end()
	}
	w.end()
	w.end()
}

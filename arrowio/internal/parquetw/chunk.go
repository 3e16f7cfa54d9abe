package parquetw

import (
	"math"
	"slices"

	"github.com/apache/arrow-go/v18/parquet/compress"

	"github.com/aefeat/aefeat/arrowio/internal/format"
	"github.com/aefeat/aefeat/arrowio/internal/thrift"
)

const (
	// pageBytes is the size of pages before compression, that most writers
	// have.
	pageBytes = 1 << 20

	// pageLevels bounds pages of small or no values.
	pageLevels = 1 << 20

	// zstdLevel is the fast end: higher levels take much longer and shrink
	// pixels a little more, codes hardly.
	zstdLevel = 1

	// leastPacked is the size of values below which compression is not
	// tried.
	leastPacked = 256

	// sampleBytes of a column chunk, from samplePlaces, show whether it is
	// worth compressing.
	sampleBytes  = 8 << 10
	samplePlaces = 4

	// maxDictionary bounds the dictionary of a text column.
	maxDictionary = 1 << 20
)

// A chunk is what a row group has of a column, beside the values: what is
// found out before its pages are encoded, and then what was written.
type chunk struct {
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
func (c *column) prepare() {
	v := &c.values
	c.chunk = chunk{pages: c.cut(c.chunk.pages[:0]), index: c.chunk.index[:0]}
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
		c.chunk.codec = format.Zstd
	}
}

// cut cuts the column into pages, each of whole rows.
func (c *column) cut(pages []pageSpan) []pageSpan {
	var p pageSpan
	for i, r := range c.levels {
		for left := int(r.n); left > 0; {
			take := left
			if r.rep == 0 { // every one begins a row
				size := c.values.at(p.hi) - c.values.at(p.lo)
				if p.levels >= pageLevels || size >= pageBytes {
					pages = append(pages, p)
					p = pageSpan{run: i, skip: int(r.n) - left, lo: p.hi, hi: p.hi}
					size = 0
				}
				take = min(take, pageLevels-p.levels)
				if r.def == c.maxDef {
					take = c.values.fit(p.hi, take, pageBytes-size)
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

// shrinks reports whether compression takes away an eighth of b or more, by a
// sample. Less is not worth the time of who writes and who reads: codes of a
// sigmoid or a tanh, and pixels of photographs.
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

// byteDictionary gives a column of uint8 the dictionary 0, 1, 2... up to its
// largest value, which Parquet stores in 4 bytes each. The values then are the
// indexes: 8 bits each, and nothing is to be done to them. A column of few
// values is better without.
func (c *column) byteDictionary() {
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

// textDictionary gives a column of text the dictionary of its values, unless
// most of them differ.
func (c *column) textDictionary() {
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

// pageCount returns the number of pages, that of the dictionary included.
func (c *column) pageCount() int {
	if c.chunk.dict != nil {
		return len(c.chunk.pages) + 1
	}
	return len(c.chunk.pages)
}

// page returns what page i holds, nil for the dictionary, which comes first.
func (c *column) page(i int) *pageSpan {
	if c.chunk.dict != nil {
		i--
	}
	if i < 0 {
		return nil
	}
	return &c.chunk.pages[i]
}

// list adds the column chunk to the row groups of the footer.
func (c *column) list(w *thrift.Writer) {
	k := &c.chunk
	levels := int64(0)
	for i := range k.pages {
		levels += int64(k.pages[i].levels)
	}
	w.Begin()
	w.Int64(2, k.start)
	w.BeginField(3)
	w.Int32(1, c.physical)
	encodings := []int32{format.Plain, format.RLE}
	if k.dict != nil {
		encodings = append(encodings, format.Dictionary)
	}
	w.List(2, thrift.I32, len(encodings))
	for _, x := range encodings {
		w.Element(int64(x))
	}
	w.List(3, thrift.Binary, len(c.names))
	for _, name := range c.names {
		w.TextElement(name)
	}
	w.Int32(4, k.codec)
	w.Int64(5, levels)
	w.Int64(6, k.plain)
	w.Int64(7, k.packed)
	w.Int64(9, k.dataStart)
	if k.dict != nil {
		w.Int64(11, k.start)
	}
	if c.stats {
		w.BeginField(12)
		w.Int64(3, levels-int64(c.values.count())) // nulls
		if k.low != nil {
			w.Text(5, string(k.high))
			w.Text(6, string(k.low))
		}
		w.End()
	}
	w.End()
	w.End()
}

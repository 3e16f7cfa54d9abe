package parquetw

import (
	"encoding/binary"
	"hash/crc32"
	"math/bits"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/aefeat/aefeat/arrowio/internal/container"
	"github.com/aefeat/aefeat/arrowio/internal/format"
	"github.com/aefeat/aefeat/arrowio/internal/thrift"
)

// A page is a page being encoded, and its buffers. It is encoded in one
// goroutine and written in another.
type page struct {
	column *column
	span   *pageSpan // nil: the dictionary
	done   chan struct{}

	head   thrift.Writer
	levels []byte // and what comes before values that stay where they are
	body   []byte // values that are encoded
	whole  []byte // all of it, to be compressed
	packed []byte
	parts  [3][]byte // after the header
	plain  int
	err    error
}

// encodePages encodes the pages of the row group and writes them. What is in
// the file does not depend on the number of goroutines.
func (e *encoder) encodePages() error {
	workers := runtime.GOMAXPROCS(0)
	if workers == 1 || e.bytes() < pageBytes {
		return e.encodeHere()
	}
	inParallel(workers, len(e.columns), func(i int) { e.columns[i].prepare() })

	for len(e.pages) < 2*workers { // so that pages wait for the file, not the file for pages
		e.pages = append(e.pages, &page{done: make(chan struct{}, 1)})
	}
	n := len(e.pages)
	free, work, ordered := make(chan *page, n), make(chan *page, n), make(chan *page, n)
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

// encodeHere is encodePages without goroutines: a small row group is not worth
// them.
func (e *encoder) encodeHere() error {
	if len(e.pages) == 0 {
		e.pages = append(e.pages, &page{done: make(chan struct{}, 1)})
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

func (e *encoder) putPage(p *page) error {
	c := &p.column.chunk
	if c.packed == 0 {
		c.start = e.at
	}
	if p.span != nil && c.dataStart == 0 {
		c.dataStart = e.at
	}
	from := e.at
	if err := e.put(p.head.Bytes()); err != nil {
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

// encode makes the parts of the page and its header. The page is of the first
// version, which every reader knows.
func (p *page) encode() {
	p.err = nil
	c, s := p.column, p.span
	p.levels = p.levels[:0]
	encoding := int32(format.Plain)
	if s == nil {
		p.parts = [3][]byte{nil, c.chunk.dict}
	} else {
		p.levels = c.appendLevels(p.levels, s, c.maxRep, func(r levelRun) int16 { return r.rep })
		p.levels = c.appendLevels(p.levels, s, c.maxDef, func(r levelRun) int16 { return r.def })
		encoding = p.encodeValues()
	}
	p.plain = 0
	for _, b := range p.parts {
		p.plain += len(b)
	}
	if p.plain > format.MaxPage {
		p.err = &container.ColumnError{Column: c.name, Row: -1, Reason: "a row of more than 1 GiB"}
		return
	}
	packed := p.plain
	if c.chunk.codec == format.Zstd {
		p.whole = append(append(append(p.whole[:0], p.parts[0]...), p.parts[1]...), p.parts[2]...)
		p.packed = pack(p.packed, p.whole)
		p.parts = [3][]byte{p.packed}
		packed = len(p.packed)
	}
	p.encodeHeader(encoding, packed)
}

// encodeValues makes the parts of a data page, whose levels are there, and
// returns the encoding of its values: where they lie, or in body.
func (p *page) encodeValues() int32 {
	c, s := p.column, p.span
	v := &c.values
	n := s.hi - s.lo
	values := v.data[v.at(s.lo):v.at(s.hi)]
	var pad []byte
	encoding := int32(format.Plain)
	switch {
	case v.form == formByte && c.chunk.dict != nil:
		encoding = format.Dictionary
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
		encoding = format.Dictionary
		width := max(bits.Len(uint(c.chunk.entries-1)), 1)
		h := format.NewHybridWriter(append(p.body[:0], byte(width)), width)
		for _, k := range c.chunk.index[s.lo:s.hi] {
			h.Add(k, 1)
		}
		p.body = h.End()
		values = p.body
	}
	p.parts = [3][]byte{p.levels, values, pad}
	return encoding
}

func (p *page) encodeHeader(encoding int32, packed int) {
	sum := uint32(0)
	for _, b := range p.parts {
		sum = crc32.Update(sum, crc32.IEEETable, b)
	}
	w := &p.head
	w.Reset()
	w.Begin()
	if p.span == nil {
		w.Int32(1, format.DictionaryPage)
	} else {
		w.Int32(1, format.DataPage)
	}
	w.Int32(2, int32(p.plain))
	w.Int32(3, int32(packed))
	w.Int32(4, int32(sum))
	if p.span == nil {
		w.BeginField(7)
		w.Int32(1, int32(p.column.chunk.entries))
		w.Int32(2, format.Plain)
	} else {
		w.BeginField(5)
		w.Int32(1, int32(p.span.levels))
		w.Int32(2, encoding)
		w.Int32(3, format.RLE)
		w.Int32(4, format.RLE)
	}
	w.End()
	w.End()
}

// appendLevels appends the levels of a page, with their length before them.
func (c *column) appendLevels(to []byte, s *pageSpan, highest int16, level func(levelRun) int16) []byte {
	if highest == 0 {
		return to
	}
	at := len(to)
	h := format.NewHybridWriter(append(to, 0, 0, 0, 0), bits.Len(uint(highest)))
	skip := s.skip
	for i, left := s.run, s.levels; left > 0; i++ {
		r := c.levels[i]
		n := min(int(r.n)-skip, left)
		h.Add(uint32(level(r)), n)
		left -= n
		skip = 0
	}
	to = h.End()
	binary.LittleEndian.PutUint32(to[at:], uint32(len(to)-at-4))
	return to
}

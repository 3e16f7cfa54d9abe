package parquet

import (
	"errors"
	"fmt"
	"io"
	"sort"

	"github.com/aefeat/aefeat/arrowio/internal/format"
	"github.com/aefeat/aefeat/arrowio/internal/thrift"
)

// A gate is the file as the library sees it: the pages of a row group, each of
// them after it has been checked, behind headers that hold what was checked and
// nothing else. What the library allocates for a page is what its bytes
// explain, and checksums, which it does not look at, are right.
type gate struct{ chunks []*gatedChunk } // in the order of the file

func (g *gate) ReadAt(b []byte, off int64) (int, error) {
	i := sort.Search(len(g.chunks), func(i int) bool { return g.chunks[i].end > off })
	if i == len(g.chunks) || g.chunks[i].chunk.start > off {
		return 0, fmt.Errorf("read outside the columns, at %d", off)
	}
	return g.chunks[i].readAt(b, off)
}

// Read and Seek are in the interface that the library wants, which calls
// neither.
func (g *gate) Read([]byte) (int, error)       { return 0, errors.ErrUnsupported }
func (g *gate) Seek(int64, int) (int64, error) { return 0, errors.ErrUnsupported }

// A gatedChunk is a column chunk as the library sees it.
type gatedChunk struct {
	*chunkReader
	parts  [2][]byte // what the library has still to read of the page
	cursor int64     // of the library
	header thrift.Writer
}

func newGatedChunk(r *chunkReader) *gatedChunk {
	return &gatedChunk{chunkReader: r, cursor: r.chunk.start}
}

// readAt reads what is left of the page in hand, or of the next. It has to be
// called in order.
func (r *gatedChunk) readAt(b []byte, off int64) (int, error) {
	if r.err == nil && off != r.cursor {
		r.err = fmt.Errorf("read at %d, expected at %d", off, r.cursor)
	}
	if r.err != nil {
		return 0, r.err
	}
	if len(r.parts[0])+len(r.parts[1]) == 0 {
		if err := r.admit(); err != nil {
			if err != io.EOF {
				r.err = err
			}
			return 0, err
		}
	}
	n := 0
	for i := range r.parts {
		k := copy(b[n:], r.parts[i])
		r.parts[i] = r.parts[i][k:]
		n += k
	}
	r.cursor += int64(n)
	if len(r.parts[0])+len(r.parts[1]) == 0 {
		r.release() // the library has a copy
	}
	return n, nil
}

// admit reads the next page and checks that its size is explained.
func (r *gatedChunk) admit() error {
	p, err := r.next()
	for err == nil && p.values == 0 && p.kind != format.DictionaryPage {
		p, err = r.next() // nothing to see, not even for a decompressor
	}
	if err != nil {
		return err
	}
	if err = r.explainPage(&p); err == nil && p.kind == format.DictionaryPage {
		err = r.explainDictionary(&p)
	}
	if err != nil {
		return p.fault(err)
	}
	r.parts = [2][]byte{p.rewrite(&r.header), p.body}
	return nil
}

// explainPage checks the size of a page, or sets it right where writers differ:
// some say anything where nothing is compressed.
func (r *gatedChunk) explainPage(p *packedPage) error {
	plain := r.chunk.codec == format.Uncompressed || !p.compressed
	data, size := p.body, int(p.plain)
	if p.kind == format.DataPageV2 {
		rep, def, values, err := p.split()
		if err != nil {
			return err
		}
		data, size = values, size-len(rep)-len(def)
		if plain {
			size = len(data)
		}
		if size == 0 {
			// No values are compressed to no bytes by some writers,
			// to a few by others, which not every decompressor
			// takes. Nor does every encoding take none.
			p.body = p.body[:len(rep)+len(def)]
			p.packed = int32(len(p.body))
			p.encoding = format.Plain
			plain, p.compressed = true, false
		}
	}
	if plain {
		p.plain = p.packed
		return nil
	}
	return r.explain(data, size)
}

// explainDictionary checks that a dictionary has the bytes of its values, for
// which the library makes room at once.
func (r *gatedChunk) explainDictionary(p *packedPage) error {
	width := int64(r.leaf.length)
	if r.leaf.physical == format.ByteArray {
		width = 4 // of the length
	}
	if int64(p.values)*width > int64(p.plain) {
		return fmt.Errorf("%d values in a dictionary of %d bytes", p.values, p.plain)
	}
	return nil
}

// rewrite writes the header of the page anew.
func (p *packedPage) rewrite(w *thrift.Writer) []byte {
	w.Reset()
	w.Begin()
	w.Int32(1, p.kind)
	w.Int32(2, p.plain)
	w.Int32(3, p.packed)
	switch p.kind {
	case format.DictionaryPage:
		w.BeginField(7)
		w.Int32(1, p.values)
		w.Int32(2, p.encoding)
	case format.DataPage:
		w.BeginField(5)
		w.Int32(1, p.values)
		w.Int32(2, p.encoding)
		w.Int32(3, p.defEncoding)
		w.Int32(4, p.repEncoding)
	default:
		w.BeginField(8)
		w.Int32(1, p.values)
		w.Int32(2, 0) // nulls, which the levels tell
		w.Int32(3, max(p.rows, 0))
		w.Int32(4, p.encoding)
		w.Int32(5, p.defLen)
		w.Int32(6, p.repLength)
		if !p.compressed {
			w.Bool(7, false)
		}
	}
	w.End()
	w.End()
	return w.Bytes()
}

// admitDictionary reads the dictionary of texts ahead of the data, to know how
// large the values are.
func (r *gatedChunk) admitDictionary() error {
	if r.leaf.physical != format.ByteArray {
		return nil
	}
	at := r.pos
	h, err := r.readHeader()
	r.pos = at
	if err != nil {
		return err
	}
	if h.kind != format.DictionaryPage {
		return nil
	}
	if err := r.admit(); err != nil {
		return err
	}
	plain, err := r.unpack(r.parts[1], int(h.plain))
	if err == nil {
		r.longest, err = longestText(plain, int(h.values))
	}
	if err != nil {
		return fmt.Errorf("page at byte %d: %w", at, err)
	}
	return nil
}

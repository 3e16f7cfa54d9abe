package parquet

import (
	"errors"
	"fmt"
	"io"
	"sort"

	"github.com/aefeat/aefeat/arrowio/internal/format"
)

// A gate is the file as the library sees it: the pages of a row group, each of
// them after it has been checked. What the library would allocate for a page is
// what its bytes explain, and checksums, which it does not look at, are right.
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
	if err != nil {
		return err
	}
	if err := r.explainPage(&p); err != nil {
		return p.fault(err)
	}
	r.parts = [2][]byte{p.head, p.body}
	return nil
}

func (r *gatedChunk) explainPage(p *packedPage) error {
	if p.kind != format.DataPageV2 {
		return r.explain(p.body, int(p.plain))
	}
	rep, def, data, err := p.split()
	switch {
	case err != nil:
		return err
	case !p.compressed && p.plain != p.packed:
		return errors.New("its header gives two sizes")
	case !p.compressed:
		return nil
	}
	return r.explain(data, int(p.plain)-len(rep)-len(def))
}

// admitDictionary reads the dictionary of texts ahead of the data, to know how
// large the values are.
func (r *gatedChunk) admitDictionary() error {
	if r.leaf.physical != format.ByteArray {
		return nil
	}
	at := r.pos
	h, _, err := r.readHeader()
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

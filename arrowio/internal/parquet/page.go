package parquet

import (
	"encoding/binary"
	"fmt"
	"io"

	"github.com/aefeat/aefeat/arrowio/internal/format"
)

// A page is a page of a column of numbers, decompressed and checked: the values
// that it says it has are there.
type page struct {
	dictionary bool
	encoding   int32
	values     int    // levels, for a data page
	present    int    // values that are not null
	rep, def   []byte // levels, hybrid encoding
	data       []byte
}

// A pageReader reads the pages of a column of numbers.
type pageReader struct {
	*chunkReader
	groupRows int64
	rows      int64 // so far
	dict      int   // values in the dictionary; -1: none
	page      page
}

func newPageReader(r *chunkReader, rows int64) *pageReader {
	return &pageReader{chunkReader: r, groupRows: rows, dict: -1}
}

// next reads the next page, which is valid until the next call or release. It
// returns io.EOF when the chunk is complete, and an error if it is not.
func (r *pageReader) next() (*page, error) {
	from, err := r.chunkReader.next()
	if err == io.EOF && r.rows != r.groupRows {
		err = fmt.Errorf("%d rows, expected %d", r.rows, r.groupRows)
	}
	if err != nil {
		return nil, err
	}
	if err := r.readPage(&from); err != nil {
		r.release()
		return nil, from.fault(err)
	}
	return &r.page, nil
}

func (r *pageReader) readPage(from *packedPage) (err error) {
	r.page = page{encoding: from.encoding, values: int(from.values)}
	p := &r.page
	switch from.kind {
	case format.DictionaryPage:
		return r.readDictionary(p, from)
	case format.DataPage:
		err = r.readFirst(p, from)
	default:
		err = r.readSecond(p, from)
	}
	if err != nil {
		return err
	}
	return r.checkData(p, &from.pageHeader)
}

func (r *pageReader) readDictionary(p *page, from *packedPage) (err error) {
	p.dictionary = true
	if p.data, err = r.unpack(from.body, int(from.plain)); err != nil {
		return err
	}
	if p.encoding != format.Plain && p.encoding != format.PlainDictionary {
		return fmt.Errorf("unknown dictionary encoding %d", p.encoding)
	}
	r.dict = p.values
	return r.checkPlain(p.data, p.values)
}

// readFirst reads a data page of the first version.
func (r *pageReader) readFirst(p *page, from *packedPage) (err error) {
	if p.data, err = r.unpack(from.body, int(from.plain)); err != nil {
		return err
	}
	if p.rep, err = p.levels(from.repEncoding, r.leaf.maxRep); err != nil {
		return err
	}
	p.def, err = p.levels(from.defEncoding, r.leaf.maxDef)
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
func (r *pageReader) readSecond(p *page, from *packedPage) (err error) {
	rep, def, data, err := from.split()
	if err != nil {
		return err
	}
	if from.compressed {
		if data, err = r.unpack(data, int(from.plain)-len(rep)-len(def)); err != nil {
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

// split cuts a page of the second version into its levels and its values, which
// may be compressed.
func (p *packedPage) split() (rep, def, data []byte, err error) {
	n := int64(p.repLength) + int64(p.defLen)
	if p.repLength < 0 || p.defLen < 0 || n > int64(p.packed) || n > int64(p.plain) {
		return nil, nil, nil, errLevels
	}
	return p.body[:p.repLength], p.body[p.repLength:n], p.body[n:], nil
}

// checkData checks the levels and values of a data page.
func (r *pageReader) checkData(p *page, h *pageHeader) error {
	p.present = p.values
	rows := p.values
	if r.leaf.maxRep > 0 && p.values > 0 {
		c, err := countLevels(p.rep, p.values, r.leaf.maxRep)
		if err != nil {
			return err
		}
		if r.rows == 0 && c.first != 0 {
			return errLevels
		}
		rows = c.zero
	}
	if r.leaf.maxDef > 0 {
		c, err := countLevels(p.def, p.values, r.leaf.maxDef)
		if err != nil {
			return err
		}
		p.present = c.top
	}
	if r.rows += int64(rows); r.rows > r.groupRows {
		return fmt.Errorf("more rows than the %d of the row group", r.groupRows)
	}
	if h.kind == format.DataPageV2 && h.rows >= 0 && int(h.rows) != rows {
		return fmt.Errorf("%d rows, its header says %d", rows, h.rows)
	}
	return r.checkValues(p)
}

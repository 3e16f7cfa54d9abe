package parquet

import (
	"errors"
	"fmt"

	"github.com/aefeat/aefeat/arrowio/internal/bound"
	"github.com/aefeat/aefeat/arrowio/internal/format"
	"github.com/aefeat/aefeat/arrowio/internal/thrift"
)

// maxPageHeader bounds page headers, which hold statistics: a minimum and a
// maximum of any length.
const maxPageHeader = 16 << 20

// A pageHeader is what a page says of itself. Numbers are -1 where it does not.
type pageHeader struct {
	kind          int32
	plain, packed int32 // sizes
	crc           int32
	hasCRC        bool
	hasBody       bool // the part that belongs to the kind
	values        int32
	encoding      int32

	// Of the first version.
	repEncoding, defEncoding int32

	// Of the second.
	rows              int32
	repLength, defLen int32
	compressed        bool
}

// parsePageHeader returns a header and its size.
func parsePageHeader(b []byte) (pageHeader, int, error) {
	r := thrift.NewReader(b)
	h := pageHeader{
		kind: -1, plain: -1, packed: -1, values: -1, encoding: -1,
		repEncoding: format.RLE, defEncoding: format.RLE,
		rows: -1, repLength: -1, defLen: -1, compressed: true,
	}
	r.Struct(func(id int16, typ byte) bool {
		switch {
		case id == 1:
			r.Int32(typ, &h.kind)
		case id == 2:
			r.Int32(typ, &h.plain)
		case id == 3:
			r.Int32(typ, &h.packed)
		case id == 4:
			r.Int32(typ, &h.crc)
			h.hasCRC = true
		case id == 5 && h.kind == format.DataPage,
			id == 7 && h.kind == format.DictionaryPage,
			id == 8 && h.kind == format.DataPageV2:
			h.hasBody = true
			if r.Want(typ, thrift.Struct) {
				r.Struct(func(id int16, typ byte) bool { return h.body(r, id, typ) })
			}
		default:
			return false
		}
		return true
	})
	return h, r.Pos(), r.Err()
}

// body reads a field of the part that belongs to the kind of page.
func (h *pageHeader) body(r *thrift.Reader, id int16, typ byte) bool {
	var to *int32
	switch h.kind {
	case format.DictionaryPage:
		to = map[int16]*int32{1: &h.values, 2: &h.encoding}[id]
	case format.DataPage:
		to = map[int16]*int32{1: &h.values, 2: &h.encoding, 3: &h.defEncoding, 4: &h.repEncoding}[id]
	case format.DataPageV2:
		if id == 7 {
			r.Bool(typ, &h.compressed)
			return true
		}
		to = map[int16]*int32{1: &h.values, 3: &h.rows, 4: &h.encoding, 5: &h.defLen, 6: &h.repLength}[id]
	}
	if to == nil {
		return false
	}
	r.Int32(typ, to)
	return true
}

// readHeader reads the header of the next page, and leaves pos behind it.
func (r *chunkReader) readHeader() (pageHeader, error) {
	for size := int64(512); ; size *= 8 {
		if size = min(size, r.end-r.pos); size > int64(len(r.head)) {
			r.head = make([]byte, size)
		}
		b := r.head[:size]
		if err := bound.ReadFullAt(r.file, b, r.pos); err != nil {
			return pageHeader{}, err
		}
		h, n, err := parsePageHeader(b)
		switch {
		case err == nil:
			r.pos += int64(n)
			return h, nil
		case errors.Is(err, thrift.ErrEnd) && size < r.end-r.pos && size < maxPageHeader:
		case errors.Is(err, thrift.ErrEnd) && size < r.end-r.pos:
			return pageHeader{}, &bound.BeyondError{
				What: fmt.Sprintf("its header is beyond the %d MiB that are read, or damaged", maxPageHeader>>20),
				Hint: "write the file without statistics",
			}
		default:
			return pageHeader{}, fmt.Errorf("its header is damaged: %w", err)
		}
	}
}

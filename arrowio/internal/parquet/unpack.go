package parquet

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"

	"github.com/apache/arrow-go/v18/parquet/compress"

	"github.com/aefeat/aefeat/arrowio/internal/bound"
	"github.com/aefeat/aefeat/arrowio/internal/format"
)

// trustedPage is the size up to which a page is allocated because its header
// says so. Beyond it the compressed bytes have to explain the size.
const trustedPage = 4 << 20

// unpack decompresses b, which has to give size bytes. No more is allocated
// than the compressed bytes can explain.
func (r *chunkReader) unpack(b []byte, size int) ([]byte, error) {
	if r.chunk.codec == format.Uncompressed {
		return b, nil // some writers give another size
	}
	if size > format.MaxPage {
		return nil, &bound.UnsupportedError{What: fmt.Sprintf("its %d MiB are more than a page may have", size>>20)}
	}
	if size == 0 && len(b) == 0 {
		return b, nil
	}
	most := int64(math.MaxInt64)
	switch r.chunk.codec {
	case format.Snappy:
		n, k := binary.Uvarint(b)
		if k <= 0 || n != uint64(size) {
			return nil, bound.ErrUnpack
		}
		most = 22*int64(len(b)) + 64 // a copy of 64 bytes takes 3
	case format.LZ4Raw:
		most = 255*int64(len(b)) + 64
	case format.Zstd:
		var err error
		if most, err = bound.Zstd(b, int64(size)); err != nil {
			return nil, err
		}
	case format.Gzip, format.Brotli:
		if size > trustedPage && size/64 > len(b) {
			return r.unpackGrowing(b, size)
		}
	}
	if int64(size) > most {
		return nil, fmt.Errorf("%w: %d bytes cannot come from %d", bound.ErrUnpack, size, len(b))
	}
	dst := r.free.get(size)
	r.held[1] = dst
	out, err := compress.Decode(r.codec, dst, b)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", bound.ErrUnpack, err)
	}
	if len(out) != size {
		return nil, fmt.Errorf("%w: %d bytes, expected %d", bound.ErrUnpack, len(out), size)
	}
	return out, nil
}

// unpackGrowing decompresses into memory that grows with what comes out.
func (r *chunkReader) unpackGrowing(b []byte, size int) ([]byte, error) {
	in := r.codec.(compress.StreamingCodec).NewReader(bytes.NewReader(b))
	defer in.Close()
	out, err := bound.ReadGrowing(in, int64(size), trustedPage)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", bound.ErrUnpack, err)
	}
	if n, _ := in.Read(make([]byte, 1)); n != 0 {
		return nil, fmt.Errorf("%w: more than %d bytes", bound.ErrUnpack, size)
	}
	return out, nil
}

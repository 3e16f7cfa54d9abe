package parquet

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
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
	if size == 0 {
		return nil, nil // whatever it is compressed to; not every decompressor takes it
	}
	if err := r.explain(b, size); err != nil {
		return nil, err
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

// explain checks that size bytes can come from b, without memory for them.
func (r *chunkReader) explain(b []byte, size int) error {
	if size > format.MaxPage {
		return &bound.BeyondError{What: fmt.Sprintf("its %d MiB are beyond the %d MiB that a page may have", size>>20, format.MaxPage>>20),
			Hint: "write the file again with smaller pages"}
	}
	most := int64(math.MaxInt64)
	switch r.chunk.codec {
	case format.Uncompressed:
		most = int64(len(b))
	case format.Snappy:
		n, k := binary.Uvarint(b)
		if k <= 0 || n != uint64(size) {
			return bound.ErrUnpack
		}
		most = 22*int64(len(b)) + 64 // a copy of 64 bytes takes 3
	case format.LZ4Raw:
		most = 255*int64(len(b)) + 64
	case format.Zstd:
		var err error
		if most, err = bound.Zstd(b, int64(size)); err != nil {
			return err
		}
	case format.Gzip, format.Brotli:
		if size > trustedPage && size/64 > len(b) {
			if err := r.count(b, size); err != nil {
				return err
			}
		}
	}
	if int64(size) > most {
		return fmt.Errorf("%w: %d bytes cannot come from %d", bound.ErrUnpack, size, len(b))
	}
	return r.grow(size)
}

// A growth is what the pages of a row group may still be decompressed to, one
// of each column at a time.
type growth struct{ left int64 }

const (
	// freePages is what they may take whatever the size of the row group.
	freePages = 1 << 30

	// maxGrowth is how many times the size of the row group they may take
	// beyond that.
	maxGrowth = 64
)

// grow notes that a page of the column takes size bytes.
func (r *chunkReader) grow(size int) error {
	if r.most == nil || size <= r.grown {
		return nil
	}
	r.most.left -= int64(size - r.grown)
	r.grown = size
	if r.most.left < 0 {
		return &bound.BeyondError{
			What: fmt.Sprintf("the pages of all columns are beyond %d MiB, and %d times the size of the row group", freePages>>20, maxGrowth),
			Hint: "write the file again with smaller pages",
		}
	}
	return nil
}

// count decompresses to nowhere, where there is no other way to see what comes
// out.
func (r *chunkReader) count(b []byte, size int) error {
	in := r.codec.(compress.StreamingCodec).NewReader(bytes.NewReader(b))
	defer in.Close()
	n, err := io.Copy(io.Discard, io.LimitReader(in, int64(size)+1))
	if err != nil {
		return fmt.Errorf("%w: %w", bound.ErrUnpack, err)
	}
	if n != int64(size) {
		return fmt.Errorf("%w: not the %d bytes expected", bound.ErrUnpack, size)
	}
	return nil
}

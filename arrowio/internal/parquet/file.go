// Package parquet reads Parquet.
//
// The footer is checked first, then each page as it comes: sizes, checksums,
// compression, levels, encodings, numbers of values. Columns of numbers and of
// lists of numbers, which patches are made of, are decoded here; all others go
// through the Arrow library, which sees what was checked and nothing else.
package parquet

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/parquet/compress"

	"github.com/aefeat/aefeat/arrowio/internal/bound"
	"github.com/aefeat/aefeat/arrowio/internal/container"
	"github.com/aefeat/aefeat/arrowio/internal/format"
	"github.com/aefeat/aefeat/arrowio/internal/schema"
)

// encryptedMagic is the magic of a file whose footer is encrypted.
const encryptedMagic = "PARE"

// Is implements [container.Format]. An encrypted file is one, too.
func Is(head []byte) bool {
	return bytes.HasPrefix(head, []byte(format.Magic)) || bytes.HasPrefix(head, []byte(encryptedMagic))
}

// A fileReader is a file whose footer has been checked.
type fileReader struct {
	r      *io.SectionReader
	footer *footer
	schema *arrow.Schema
	o      container.Options
	group  *groups
}

// Open implements [container.Format].
func Open(r *io.SectionReader, o container.Options) (container.File, error) {
	var head [4]byte
	switch err := bound.ReadFullAt(r, head[:], 0); {
	case err != nil && err != io.ErrUnexpectedEOF:
		return nil, err
	case string(head[:]) == encryptedMagic:
		return nil, ErrEncrypted
	}
	f, err := readFooter(r, r.Size())
	if err != nil {
		return nil, err
	}
	s, err := f.arrowSchema(o.Memo)
	if err != nil {
		return nil, err
	}
	return &fileReader{r: r, footer: f, schema: s, o: o}, nil
}

// Schema implements [container.File].
func (f *fileReader) Schema() *arrow.Schema { return f.schema }

// Rows implements [container.File].
func (f *fileReader) Rows() int64 { return f.footer.rows }

// Sum implements [container.File].
func (f *fileReader) Sum() [sha256.Size]byte { return f.footer.sum }

// Batches implements [container.File].
func (f *fileReader) Batches(chosen []schema.Selection) (container.Batches, error) {
	f.group = newGroups(f, chosen)
	return f.group, nil
}

// Close implements [container.File].
func (f *fileReader) Close() {
	if f.group != nil {
		f.group.release()
	}
}

// Inspect implements [container.File]. It reads the headers of pages.
func (f *fileReader) Inspect() (container.Summary, error) {
	sum := container.Summary{Rows: f.footer.rows, Groups: len(f.footer.groups)}
	for i, g := range f.footer.groups {
		sum.LargestGroup = max(sum.LargestGroup, g.rows)
		held := int64(0)
		for j, c := range g.chunks {
			if c.values == 0 {
				continue
			}
			r := &chunkReader{file: f.r, chunk: c, pos: c.start, end: c.start + c.size}
			page, err := r.skim()
			if err != nil {
				err = fmt.Errorf("row group %d: column %q: %w", i, f.footer.name(j), err)
				return sum, bound.Damaged("Parquet data", err)
			}
			held += page
			if codec := compress.Compression(c.codec).String(); !slices.Contains(sum.Compression, codec) {
				sum.Compression = append(sum.Compression, codec)
			}
		}
		sum.Held = max(sum.Held, held)
	}
	return sum, nil
}

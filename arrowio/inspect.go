package arrowio

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/parquet/compress"
)

// Info is what a data file says of itself.
type Info struct {
	Name   string
	Format Format
	Size   int64 // bytes
	Rows   int64
	Schema *arrow.Schema

	// Groups is the number of row groups, or of record batches, and LargestGroup the rows of the largest.
	Groups       int
	LargestGroup int64

	// Compression names the codecs in use.
	Compression []string

	// Held is what reading all columns holds of the file at once, in bytes: of each column its largest page, without
	// compression, or the largest message. A batch comes on top.
	Held int64
}

// Inspect describes one file. It reads the heads of pages or messages and no values, so that a file may be damaged in ways that only
// reading it shows. Of o, what concerns pipes and Arrow streams applies.
func Inspect(path string, o OpenOptions) (*Info, error) {
	o.Rewindable = true
	s, err := Open([]string{path}, o)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	if len(s.inputs) != 1 {
		return nil, &FileError{File: path, Err: errors.New("stands for several files"), Hint: "name one of them"}
	}
	in := s.inputs[0]
	info := &Info{Name: in.name, Format: in.format, Size: in.size, Rows: in.rows, Schema: s.schema}
	f := in.file
	if f == nil {
		if f, err = os.Open(in.path); err != nil {
			return nil, pathError(in.name, err)
		}
		defer f.Close()
	}
	r := io.NewSectionReader(f, in.base, in.size)
	switch in.format {
	case Parquet:
		err = info.parquet(r)
	case Arrow:
		err = info.arrow(r)
	default:
		err = info.stream(s.stream(in, r))
	}
	if err != nil {
		return nil, in.fault(err)
	}
	return info, nil
}

func (info *Info) parquet(r io.ReaderAt) error {
	f, err := readFooter(r, info.Size)
	if err != nil {
		return err
	}
	info.Groups = len(f.groups)
	for i, g := range f.groups {
		info.LargestGroup = max(info.LargestGroup, g.rows)
		held := int64(0)
		for j, c := range g.chunks {
			if c.values == 0 {
				continue
			}
			page, err := skimPages(r, c)
			if err != nil {
				return damaged("Parquet data", fmt.Errorf("row group %d: column %q: %w", i, f.name(j), err))
			}
			held += page
			info.compressed(compress.Compression(c.codec).String())
		}
		info.Held = max(info.Held, held)
	}
	return nil
}

// skimPages reads the headers of a column chunk's pages. It returns the size of the largest.
func skimPages(file io.ReaderAt, c columnChunk) (int64, error) {
	r := &chunkReader{file: file, pos: c.start, end: c.start + c.size}
	largest := int64(0)
	for left := c.values; left > 0; {
		h, err := r.readHeader()
		if err != nil {
			return 0, err
		}
		if h.packed < 0 || h.values < 0 || int64(h.packed) > r.end-r.pos {
			return 0, fmt.Errorf("the header of the page before byte %d is damaged", r.pos)
		}
		r.pos += int64(h.packed)
		largest = max(largest, int64(h.plain), int64(h.packed))
		if h.kind != pageDictionary {
			left -= int64(h.values)
		}
	}
	return largest, nil
}

func (info *Info) compressed(codec string) {
	if !slices.Contains(info.Compression, codec) {
		info.Compression = append(info.Compression, codec)
	}
}

var ipcCodecs = map[int]string{compressionNone: "UNCOMPRESSED", compressionLZ4: "LZ4", compressionZstd: "ZSTD"}

func (info *Info) arrow(r io.ReaderAt) error {
	f, err := openIPCFile(r, info.Size)
	if err != nil {
		return err
	}
	info.Groups = f.batches
	info.Held = f.largest
	for _, bl := range f.blocks[len(f.blocks)-f.batches:] {
		meta, err := f.head(bl)
		if err == nil {
			err = info.batch(f.schema, meta)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// batch notes what the head of a message says.
func (info *Info) batch(schema *ipcSchema, meta []byte) error {
	msg, err := parseMessage(meta)
	if err != nil {
		return err
	}
	h, _, err := schema.batch(msg)
	if err != nil {
		return err
	}
	if msg.kind == messageBatch {
		info.LargestGroup = max(info.LargestGroup, h.rows)
		info.compressed(ipcCodecs[h.codec])
	}
	return nil
}

func (info *Info) stream(s *streamReader) error {
	m, err := openStream(s)
	if err != nil {
		return err
	}
	info.Rows = 0
	for {
		meta, err := s.metadata()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		msg, err := parseMessage(meta)
		if err != nil {
			return err
		}
		if err := info.batch(m.schema, meta); err != nil {
			return fmt.Errorf("damaged Arrow message: %w", err)
		}
		if msg.kind == messageBatch {
			h, err := parseBatch(msg.header, msg.body)
			if err != nil {
				return err
			}
			info.Rows += h.rows
			info.Groups++
		}
		info.Held = max(info.Held, int64(len(meta))+msg.body)
		if msg.body > s.known {
			return errCut
		}
		s.took(msg.body)
		for left := msg.body; left > 0; {
			n, err := s.r.(*bufio.Reader).Discard(int(min(left, 1<<30)))
			if err != nil {
				return cut(err)
			}
			left -= int64(n)
		}
	}
}

package imageset

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/aefeat/aefeat/arrowio"
	"github.com/aefeat/aefeat/imagery"
	"github.com/aefeat/aefeat/internal/disk"
)

// Open opens inputs: paths of files, of folders (all files below, in the
// natural order of their names, except those whose names begin with a dot or
// underscore), patterns as in [path/filepath.Match], and "-" for Parquet or
// Arrow on standard input. Files of folders that hold no images are passed
// over; one that is named is an error.
func Open(inputs []string, o Options) (*Set, error) {
	s := &Set{o: o, channels: o.Channels}
	if err := s.open(inputs); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// open opens the files that inputs stand for, each run of one kind as a feed.
func (s *Set) open(inputs []string) (err error) {
	if s.labels, err = newLabels(s.o.Label); err != nil {
		return err
	}
	var of kind // of names
	var names []string
	flush := func() error {
		if len(names) == 0 {
			return nil
		}
		f, err := s.feed(of, names)
		if err != nil {
			return ofFile(names[0], err)
		}
		s.feeds = append(s.feeds, f)
		names = nil
		return s.agree(f, of)
	}
	for _, input := range inputs {
		files, err := arrowio.Expand([]string{input})
		if err != nil {
			return err
		}
		info, err := disk.Stat(input)
		folder := err == nil && info.IsDir()
		for _, name := range files {
			k, err := kindOf(name)
			if folder && errors.Is(err, errForeign) {
				s.passed++
				continue
			}
			if err != nil {
				return ofFile(name, err)
			}
			if k != of || k == records {
				if err := flush(); err != nil {
					return err
				}
			}
			of, names = k, append(names, name)
		}
	}
	return flush()
}

// feed opens files of one kind.
func (s *Set) feed(of kind, names []string) (feed, error) {
	switch of {
	case tables:
		return openTable(names, &s.o)
	case records:
		return openRecords(names[0], &s.o, s.labels)
	}
	return &imageFiles{names: names, labels: s.labels}, nil
}

// agree checks that a feed has the columns that others have.
func (s *Set) agree(f feed, of kind) error {
	var fields []arrow.Field
	var err error
	name := f.files()[0]
	switch f := f.(type) {
	case *table:
		fields = f.fields
	case *recordFile:
		fields, err = s.labels.fields(true, f.label != nil)
	default:
		fields, err = s.labels.fields(false, false)
	}
	if err == nil && of != tables && len(s.o.Keep) > 0 {
		err = errors.New("only Parquet and Arrow have columns to keep")
	}
	if err == nil && len(s.feeds) > 1 && !slices.EqualFunc(fields, s.fields, func(a, b arrow.Field) bool { return a.Name == b.Name && arrow.TypeEqual(a.Type, b.Type) }) {
		err = fmt.Errorf("has not the columns of the files before it: %s, expected %s", describe(fields), describe(s.fields))
	}
	if err != nil {
		return ofFile(name, err)
	}
	s.fields = fields
	return nil
}

// describe lists fields.
func describe(fields []arrow.Field) string {
	var names []string
	for _, f := range fields {
		names = append(names, fmt.Sprintf("%q (%s)", f.Name, f.Type))
	}
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

// A kind is a kind of file.
type kind int

const (
	images  kind = iota // one each
	tables              // Parquet, Arrow
	records             // IDX, .npy, CIFAR
)

// kindOf looks at the name of a file and, where that does not tell, at its
// first bytes.
func kindOf(name string) (kind, error) {
	if name == "-" {
		return tables, nil
	}
	if knownImage(name) {
		return images, nil
	}
	// What is read from a pipe is gone. Parquet and Arrow may come through one.
	if info, err := disk.Stat(name); err == nil && !info.Mode().IsRegular() {
		return tables, nil
	}
	head, err := readHead(name)
	if err != nil {
		return images, err
	}
	switch {
	case imagery.Format(head) != "":
		return images, nil
	case isTable(head):
		return tables, nil
	}
	f, err := openRecords(name, &Options{Shape: imagery.Shape{}}, nil)
	if err == nil {
		f.close()
	}
	if errors.Is(err, errForeign) {
		return images, err
	}
	return records, nil // and what else is wrong is found when it is opened
}

// isTable reports whether a file begins like Parquet, an Arrow IPC file or an
// IPC stream.
func isTable(head []byte) bool {
	return bytes.HasPrefix(head, []byte("PAR1")) || bytes.HasPrefix(head, []byte("ARROW1")) || bytes.HasPrefix(head, []byte("\xff\xff\xff\xff"))
}

// errForeign is the error of a file that holds no images.
var errForeign = errors.New("neither an image (PNG, JPEG, WebP, TIFF, BMP) nor Parquet, Arrow, IDX, .npy or CIFAR records")

// readHead reads the bytes that tell what a file is.
func readHead(name string) ([]byte, error) {
	f, err := disk.Open(name)
	if err != nil {
		return nil, withoutPath(err)
	}
	defer f.Close()
	head := make([]byte, imagery.HeadBytes)
	n, err := io.ReadFull(f, head)
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return nil, withoutPath(err)
	}
	return head[:n], nil
}

// withoutPath returns what an error of the file system says beside the path,
// which its message would have twice.
func withoutPath(err error) error {
	var at *fs.PathError
	if errors.As(err, &at) {
		return at.Err
	}
	return err
}

// knownImage are the endings of names that need no look into the file.
func knownImage(name string) bool {
	switch strings.ToLower(filepath.Ext(name)) {
	case ".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp":
		return true
	}
	return false
}

// keyOf is a hash of the bytes that an image is decoded from.
func keyOf(data []byte) uint64 {
	sum := sha256.Sum256(data)
	return binary.LittleEndian.Uint64(sum[:])
}

// maxFileBytes bounds an encoded image: MaxPixels of 16 bits and four channels,
// not compressed at all.
const maxFileBytes = 8*imagery.MaxPixels + 1<<20

func tooLarge(size int64) error {
	return fmt.Errorf("%d bytes are more than an image can have (%d)", size, maxFileBytes)
}

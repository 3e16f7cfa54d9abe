package imageset

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/aefeat/aefeat/arrowio"
	"github.com/aefeat/aefeat/imagery"
)

// Open opens inputs: paths of files, of folders (all files below, in the
// natural order of their names, except those whose names begin with a dot or
// underscore), patterns as in [path/filepath.Match], and "-" for Parquet or
// Arrow on standard input. Files of folders that hold no images are passed
// over; one that is named is an error.
func Open(inputs []string, o Options) (*Set, error) {
	s := &Set{o: o, channels: o.Channels}
	for _, input := range inputs {
		if err := s.add(input); err != nil {
			s.Close()
			return nil, err
		}
	}
	return s, nil
}

// add adds the files that an input stands for.
func (s *Set) add(input string) error {
	names, err := arrowio.Expand([]string{input})
	if err != nil {
		return err
	}
	info, err := os.Stat(input)
	folder := err == nil && info.IsDir()
	for _, name := range names {
		err := s.addFile(name)
		if folder && errors.Is(err, errForeign) {
			s.passed++
			continue
		}
		if err != nil {
			return ofFile(name, err)
		}
	}
	return nil
}

// errForeign is the error of a file that holds no images.
var errForeign = errors.New("neither an image (PNG, JPEG, WebP, TIFF, BMP) nor Parquet, Arrow, IDX, .npy or CIFAR records")

// addFile adds a file, to the feed before it if that can take it.
func (s *Set) addFile(name string) error {
	if !knownImage(name) {
		head, err := readHead(name)
		if err != nil {
			return err
		}
		if imagery.Format(head) == "" {
			return errForeign
		}
	}
	if n := len(s.feeds); n > 0 {
		if f, ok := s.feeds[n-1].(*imageFiles); ok {
			f.names = append(f.names, name)
			return nil
		}
	}
	s.feeds = append(s.feeds, &imageFiles{names: []string{name}})
	return nil
}

// readHead reads the bytes that tell what a file is.
func readHead(name string) ([]byte, error) {
	f, err := os.Open(name)
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

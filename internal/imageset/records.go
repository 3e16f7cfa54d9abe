package imageset

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/aefeat/aefeat/imagery"
	"github.com/aefeat/aefeat/internal/disk"
	"github.com/aefeat/aefeat/internal/npy"
)

// A recordFile is a file of images of one size, one after the other: IDX, .npy
// or the records of CIFAR. It is read as it lies, from front to back.
type recordFile struct {
	name   string
	file   *disk.File
	r      *bufio.Reader
	total  int64 // records that the file claims
	size   int   // of a record, in bytes
	at     int64
	decode func(record []byte) (*imagery.Picture, error)
	label  func(record []byte) uint8 // of CIFAR; nil: the records have none
	labels *labels
}

// blockBytes is how much of a file is read at a time.
const blockBytes = 1 << 18

// openRecords opens a file; its error is errForeign if it is none of these.
func openRecords(name string, o *Options, labels *labels) (*recordFile, error) {
	file, err := disk.Open(name)
	if err != nil {
		return nil, withoutPath(err)
	}
	info, err := file.Stat()
	if err == nil {
		var f *recordFile
		if f, err = newRecords(name, file, info.Size(), o, labels); err == nil {
			f.file = file
			return f, nil
		}
	}
	file.Close()
	return nil, withoutPath(err)
}

// newRecords reads the header of size bytes of r.
func newRecords(name string, r io.Reader, size int64, o *Options, labels *labels) (*recordFile, error) {
	f := &recordFile{name: name, r: bufio.NewReaderSize(r, blockBytes), labels: labels}
	left := size // -1: not known
	if head, _ := f.r.Peek(2); string(head) == "\x1f\x8b" {
		z, err := gzip.NewReader(f.r)
		if err != nil {
			return nil, err
		}
		f.r, left = bufio.NewReaderSize(z, blockBytes), -1
	}
	return f, f.open(left, o)
}

// open reads the header. left bytes are there; -1: nobody knows.
func (f *recordFile) open(left int64, o *Options) error {
	head, err := f.r.Peek(8)
	if err != nil && err != io.EOF {
		return err
	}
	header := 0
	switch {
	case isIDX(head):
		header, err = f.openIDX(o)
	case bytes.HasPrefix(head, []byte(npy.Magic)):
		header, err = f.openNPY(o)
	case strings.EqualFold(filepath.Ext(f.name), ".bin"):
		err = f.openCIFAR(head, left)
	default:
		err = errForeign
	}
	if err != nil || left < 0 {
		return err
	}
	left -= int64(header)
	if left/int64(f.size) != f.total || left%int64(f.size) != 0 {
		return fmt.Errorf("damaged: %d bytes of images, expected %d images of %d bytes", left, f.total, f.size)
	}
	return nil
}

func (f *recordFile) count() int64    { return f.total - f.at }
func (f *recordFile) files() []string { return []string{f.name} }
func (f *recordFile) close()          { f.file.Close() }

// next reads a record. What a file claims is given memory only as far as bytes
// are there.
func (f *recordFile) next(context.Context) (*item, error) {
	if f.at == f.total {
		if _, err := f.r.Peek(1); err == nil {
			return nil, ofFile(f.name, fmt.Errorf("damaged: bytes follow the %d images", f.total))
		} else if err != io.EOF {
			return nil, ofFile(f.name, err)
		}
		return nil, io.EOF
	}
	var record bytes.Buffer
	record.Grow(min(f.size, blockBytes))
	if n, err := io.CopyN(&record, f.r, int64(f.size)); err != nil {
		if err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF) {
			err = fmt.Errorf("damaged: image %d of %d ends after %d bytes of %d", f.at, f.total, n, f.size)
		}
		return nil, ofFile(f.name, err)
	}
	data, at := record.Bytes(), f.at
	f.at++
	it := &item{
		Image: Image{Name: fmt.Sprintf("%s#%d", f.name, at)},
		bytes: f.size,
		decode: func() (*imagery.Picture, uint64, error) {
			p, err := f.decode(data)
			return p, keyOf(data), err
		},
		fault: func(err error) error { return ofRow(f.name, "", at, err) },
	}
	own := int64(-1)
	if f.label != nil {
		own = int64(f.label(data))
	}
	return it, f.labels.give(it, f.name, own)
}

// isIDX reports whether a file begins like IDX: two zeros, a type, and the
// number of dimensions.
func isIDX(head []byte) bool {
	return len(head) >= 4 && head[0] == 0 && head[1] == 0 && idxType[head[2]] != "" && head[3] >= 1 && head[3] <= 4
}

// idxType are the types of IDX as .npy has them (Y. LeCun, "The MNIST
// database", file formats).
var idxType = map[byte]string{8: "u1", 9: "i1", 11: "i2", 12: "i4", 13: "f4", 14: "f8"}

// readIDX reads the header of an IDX file: its dimensions come first as bytes,
// then as numbers.
func readIDX(r io.Reader) (e element, dims []int, err error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil || !isIDX(head[:]) {
		return e, nil, errors.New("no IDX file")
	}
	sizes := make([]byte, 4*head[3])
	if _, err := io.ReadFull(r, sizes); err != nil {
		return e, nil, errors.New("the header of the IDX file is cut short")
	}
	for ; len(sizes) > 0; sizes = sizes[4:] {
		dims = append(dims, int(binary.BigEndian.Uint32(sizes)))
	}
	return elements[idxType[head[2]]], dims, nil
}

// errLabels is the error of labels where images should be: in a folder they are
// no images.
var errLabels = fmt.Errorf("%w: it holds one number each, as labels do", errForeign)

// openIDX reads the header of an IDX file of images, and returns its length.
func (f *recordFile) openIDX(o *Options) (header int, err error) {
	e, dims, err := readIDX(f.r)
	if err != nil {
		return 0, err
	}
	if len(dims) == 1 {
		return 0, errLabels
	}
	return 4 + 4*len(dims), f.hold(e, binary.BigEndian, dims, o)
}

// openNPY reads the header of a .npy file, and returns its length. Three
// dimensions are images of two, unless the last can be nothing but channels.
func (f *recordFile) openNPY(o *Options) (header int, err error) {
	h, err := readNPY(f.r)
	if err != nil {
		return 0, err
	}
	dims := h.Dims
	shaped := o.Shape != (imagery.Shape{})
	switch {
	case len(dims) == 0, len(dims) == 1 && !shaped:
		return 0, errLabels
	case len(dims) == 2 && !shaped, len(dims) == 3 && dims[2] <= mostChannels && !shaped:
		dims = append([]int{1}, dims...)
	}
	return h.Length, f.hold(elements[h.Type], h.Order, dims, o)
}

// hold sets what an array holds: images along its first dimension.
func (f *recordFile) hold(e element, order binary.ByteOrder, dims []int, o *Options) error {
	s, err := given(o.Shape, dims[1:])
	if err != nil {
		return err
	}
	f.total, f.size = int64(dims[0]), s.Len()*e.size
	f.decode = func(record []byte) (*imagery.Picture, error) {
		bytes, floats := e.values(order, record)
		return picture(s, bytes, floats)
	}
	return nil
}

// openCIFAR tells the two sets apart, whose records are one or two labels and
// then 32x32 pixels in three planes (A. Krizhevsky, "The CIFAR-10 dataset",
// binary version).
func (f *recordFile) openCIFAR(head []byte, left int64) error {
	const side, pixels = 32, 3 * 32 * 32
	marks := 0
	switch {
	case left <= 0 || len(head) < 2:
		return errForeign
	case left%(pixels+1) == 0 && head[0] < 10:
		marks = 1
	case left%(pixels+2) == 0 && head[0] < 20 && head[1] < 100:
		marks = 2 // coarse and fine
	default:
		return errForeign
	}
	s := imagery.Shape{Height: side, Width: side, Channels: 3, Order: "CHW"}
	f.size = marks + pixels
	f.total = left / int64(f.size)
	f.decode = func(record []byte) (*imagery.Picture, error) { return picture(s, record[marks:], nil) }
	f.label = func(record []byte) uint8 { return record[marks-1] }
	return nil
}

package imageset

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/aefeat/aefeat/internal/disk"
	"github.com/aefeat/aefeat/internal/npy"
)

// labels gives the images of files their labels.
type labels struct {
	label Label
	// Of Label.File: a label for each name, or numbers in the order of the
	// images.
	byName  map[string]string
	inOrder []int64
	used    int
}

// mostLabels bounds a file of labels.
const mostLabels = 1 << 28

// newLabels reads the file that labels come from, if they do.
func newLabels(label Label) (*labels, error) {
	l := &labels{label: label}
	if label.File == "" {
		return l, nil
	}
	file, err := disk.Open(label.File)
	if err != nil {
		return nil, ofFile(label.File, withoutPath(err))
	}
	defer file.Close()
	if err := l.read(bufio.NewReader(file)); err != nil {
		return nil, ofFile(label.File, err)
	}
	return l, nil
}

func (l *labels) read(r *bufio.Reader) error {
	if head, _ := r.Peek(2); string(head) == "\x1f\x8b" {
		z, err := gzip.NewReader(r)
		if err != nil {
			return err
		}
		r = bufio.NewReader(z)
	}
	head, err := r.Peek(8)
	if err != nil && err != io.EOF {
		return err
	}
	switch {
	case isIDX(head):
		e, dims, err := readIDX(r)
		if err != nil {
			return err
		}
		return l.numbers(r, e, binary.BigEndian, dims)
	case bytes.HasPrefix(head, []byte(npy.Magic)):
		h, err := readNPY(r)
		if err != nil {
			return err
		}
		return l.numbers(r, elements[h.Type], h.Order, h.Dims)
	}
	return l.lines(r)
}

// numbers reads one number for each image.
func (l *labels) numbers(r io.Reader, e element, order binary.ByteOrder, dims []int) error {
	if len(dims) != 1 || dims[0] > mostLabels {
		return fmt.Errorf("an array of shape %v is no list of labels", dims)
	}
	data, err := io.ReadAll(io.LimitReader(r, int64(dims[0]*e.size)+1))
	if err != nil {
		return err
	}
	if len(data) != dims[0]*e.size {
		return fmt.Errorf("damaged: %d labels take %d bytes, and not %d", dims[0], dims[0]*e.size, len(data))
	}
	const exact = 1 << 24 // of float32
	small, numbers := e.values(order, data)
	l.inOrder = make([]int64, 0, dims[0])
	for _, v := range small {
		l.inOrder = append(l.inOrder, int64(v))
	}
	for i, v := range numbers {
		if float32(int32(v)) != v || v < -exact || v > exact {
			return fmt.Errorf("label %d is %v, which is no small whole number", i, v)
		}
		l.inOrder = append(l.inOrder, int64(v))
	}
	return nil
}

// lines reads lines of name and label.
func (l *labels) lines(r io.Reader) error {
	l.byName = map[string]string{}
	lines := csv.NewReader(r)
	lines.FieldsPerRecord = 2
	for {
		line, err := lines.Read()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return &hintedError{err, "labels are an IDX or .npy file of numbers, or lines of a name, a comma and a label"}
		}
		name := filepath.Clean(line[0])
		if old, ok := l.byName[name]; ok && old != line[1] {
			return fmt.Errorf("%s has two labels, %q and %q", line[0], old, line[1])
		}
		l.byName[name] = line[1]
	}
}

// fields returns the field of the labels of files: none, or one.
func (l *labels) fields(records bool, own bool) ([]arrow.Field, error) {
	text := arrow.Field{Name: LabelName, Type: arrow.BinaryTypes.String}
	number := arrow.Field{Name: LabelName, Type: arrow.PrimitiveTypes.Int64}
	switch {
	case l.label.Column != "":
		return nil, errors.New("labels come from a column, and only Parquet and Arrow have columns")
	case l.label.Folder:
		return []arrow.Field{text}, nil
	case l.inOrder != nil:
		return []arrow.Field{number}, nil
	case l.byName != nil && records:
		return nil, &hintedError{errors.New("its images have no names for labels to go by"), "name an IDX or .npy file of labels"}
	case l.byName != nil:
		return []arrow.Field{text}, nil
	case own:
		return []arrow.Field{number}, nil
	}
	return nil, nil
}

// give gives an image that is a file, or in one, its label. own is the one
// that it carries, -1 for none.
func (l *labels) give(it *item, file string, own int64) error {
	switch {
	case l.label.Folder:
		return it.setText(filepath.Base(filepath.Dir(absolute(file))))
	case l.byName != nil:
		text, ok := l.named(file)
		if !ok {
			return ofFile(file, fmt.Errorf("has no label in %s", l.label.File))
		}
		return it.setText(text)
	case l.inOrder != nil:
		if l.used == len(l.inOrder) {
			return ofFile(l.label.File, fmt.Errorf("has %d labels, and there are more images", len(l.inOrder)))
		}
		l.used++
		return it.setNumber(l.inOrder[l.used-1])
	case own >= 0:
		return it.setNumber(own)
	}
	return nil
}

// named finds the label of a file: by its path, by its path from the folder of
// the labels, or by its name alone.
func (l *labels) named(file string) (string, bool) {
	names := []string{filepath.Clean(file)}
	if from, err := filepath.Rel(absolute(filepath.Dir(l.label.File)), absolute(file)); err == nil {
		names = append(names, from)
	}
	for _, name := range append(names, filepath.Base(file)) {
		if text, ok := l.byName[name]; ok {
			return strings.TrimSpace(text), true
		}
	}
	return "", false
}

// unused returns an error where numbers are left for which there was no image.
func (l *labels) unused() error {
	if l.used < len(l.inOrder) {
		return ofFile(l.label.File, fmt.Errorf("has %d labels, and there are %d images", len(l.inOrder), l.used))
	}
	return nil
}

func absolute(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}

func (it *item) setText(text string) error {
	b := array.NewStringBuilder(memory.DefaultAllocator)
	defer b.Release()
	b.Append(text)
	it.setLabel(b.NewArray())
	return nil
}

func (it *item) setNumber(n int64) error {
	b := array.NewInt64Builder(memory.DefaultAllocator)
	defer b.Release()
	b.Append(n)
	it.setLabel(b.NewArray())
	return nil
}

// setLabel makes a of one value, which it takes over, the label.
func (it *item) setLabel(a arrow.Array) {
	defer a.Release()
	schema := arrow.NewSchema([]arrow.Field{{Name: LabelName, Type: a.DataType()}}, nil)
	it.extra, it.at = array.NewRecordBatch(schema, []arrow.Array{a}, 1), 0
}

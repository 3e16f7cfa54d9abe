package imageset

import (
	"bytes"
	"context"
	"io"

	"github.com/aefeat/aefeat/imagery"
	"github.com/aefeat/aefeat/internal/disk"
)

// imageFiles are files that are one image each.
type imageFiles struct {
	names  []string
	labels *labels
}

func (f *imageFiles) count() int64    { return int64(len(f.names)) }
func (f *imageFiles) files() []string { return f.names }
func (f *imageFiles) close()          {}

func (f *imageFiles) next(context.Context) (*item, error) {
	if len(f.names) == 0 {
		return nil, io.EOF
	}
	name := f.names[0]
	f.names = f.names[1:]
	it := &item{
		Image:  Image{Name: name},
		bytes:  jobBytes, // a file is worth a job
		decode: func() (*imagery.Picture, uint64, error) { return decodeFile(name) },
		fault:  func(err error) error { return ofFile(name, err) },
	}
	return it, f.labels.give(it, name, -1)
}

// decodeFile reads the image in a file.
func decodeFile(name string) (*imagery.Picture, uint64, error) {
	f, err := disk.Open(name)
	if err != nil {
		return nil, 0, withoutPath(err)
	}
	defer f.Close()
	size := int64(0)
	if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
		size = info.Size()
	}
	if size > maxFileBytes {
		return nil, 0, tooLarge(size)
	}
	data := bytes.NewBuffer(make([]byte, 0, size+bytes.MinRead)) // one read, and one for the end
	if n, err := data.ReadFrom(io.LimitReader(f, maxFileBytes+1)); err != nil {
		return nil, 0, withoutPath(err)
	} else if n > maxFileBytes {
		return nil, 0, tooLarge(n)
	}
	return decodeBytes(data.Bytes())
}

// decodeBytes decodes an encoded image.
func decodeBytes(data []byte) (*imagery.Picture, uint64, error) {
	p, err := imagery.Decode(data)
	if err != nil {
		return nil, 0, err
	}
	return p, keyOf(data), nil
}

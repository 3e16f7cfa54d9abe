// Package imageset reads sets of images, wherever they stand, on all cores.
//
// [Open] opens image files, folders of them, patterns, image columns of Parquet
// and Arrow, IDX and .npy files and the binary records of CIFAR. [Run] decodes
// the images and does the caller's work on all cores, and hands the results
// over in order. [Columns] gathers the labels and the other columns of images
// as Arrow arrays.
//
// # What holds images
//
//	files, by their first bytes     one image: PNG, JPEG, WebP, TIFF, BMP
//	Parquet, Arrow                  a column of them, a row each: encoded
//	                                images (binary, or struct<bytes, path>),
//	                                lists and tensors of numbers of a known
//	                                shape, .npy files in binary
//	IDX, gzipped or not             (m), height, width and perhaps channels
//	.npy                            the same; two dimensions are one image
//	CIFAR-10 and CIFAR-100          records of 32x32 pixels in three planes
//	(.bin)
//
// No length in a file is trusted: what it claims is compared with what is
// there before anything of that size is made.
package imageset

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/aefeat/aefeat/arrowio"
	"github.com/aefeat/aefeat/imagery"
	"github.com/aefeat/aefeat/patch"
)

// Options says what to read. The zero value reads images as they are, without
// labels.
type Options struct {
	// Column names the column of images in Parquet and Arrow. "": the only one
	// that can hold them.
	Column string

	// Shape is that of images in rows of numbers that do not tell it. Zero:
	// the file has to.
	Shape imagery.Shape

	// Channels makes all images grey (1) or colour (3). 0: as the first image
	// is; if that is grey, one in colour is an error, since its colours would
	// be lost.
	Channels int

	Label Label // where labels come from

	// Keep names more columns of Parquet and Arrow; KeepAll is all but that
	// of the images and that of the label.
	Keep    []string
	KeepAll bool

	// Skip leaves images out that cannot be read, or that the work of [Run]
	// returns an error about, and counts them.
	Skip bool

	// Output is a file that will be written. A cell that names it as its image
	// ends the run, with Skip too. "": there is none.
	Output string

	Open arrowio.OpenOptions // how Parquet and Arrow are opened
}

// A Label says where the labels of images come from. At most one field is set;
// none: from nowhere, but for the records of CIFAR, which carry theirs.
type Label struct {
	Folder bool   // the name of the folder that the file is in
	Column string // a column of the table
	File   string // an IDX file of labels, or CSV lines of name and label
}

// LabelName is the column that labels get.
const LabelName = "label"

// An Image is one image of a set. It is valid until the write function of
// [Run] returns.
type Image struct {
	// Name is that of the file, with "#" and the number of the image in it,
	// from 0, where a file holds many.
	Name    string
	Picture *imagery.Picture

	// Key stands for the image whatever its name and place: it is a hash of
	// the bytes that it was decoded from.
	Key uint64

	extra arrow.RecordBatch // label and kept columns; nil: none
	at    int               // row in it
}

// A Set is an open set of images. It is made by [Open], read once by [Run], and
// not safe for concurrent use.
type Set struct {
	o        Options
	feeds    []feed
	fields   []arrow.Field // of the label and the kept columns
	labels   *labels
	channels int   // 0: not known yet
	first    *item // read by First, and to be given again
	bad      patch.BadRows
	why      error // of the first that was left out
	passed   int
}

// A feed gives the images of one file, or of a run of them.
type feed interface {
	// next returns the next image, and io.EOF at the end.
	next(ctx context.Context) (*item, error)
	// count returns the number of images, -1 where it is not known.
	count() int64
	files() []string
	close()
}

// An item is an image that is still to be decoded.
type item struct {
	Image
	bytes int // about as many will be read

	// decode reads the picture and makes its key, on any goroutine.
	decode func() (*imagery.Picture, uint64, error)
	// fault makes an error about the image one that names file and row.
	fault func(error) error
}

// read sets the picture, as the set wants it. Errors name file and row.
func (it *item) read(s *Set) error {
	if it.Picture != nil { // First has read it
		return nil
	}
	p, key, err := it.decode()
	if err == nil {
		p, err = s.convert(p)
	}
	if err != nil {
		return faultOf(it, err, reasonOf(err))
	}
	it.Picture, it.Key = p, key
	return nil
}

func (it *item) release() {
	if it.extra != nil {
		it.extra.Release()
		it.extra = nil
	}
}

// Extra returns the fields of the label and of the kept columns.
func (s *Set) Extra() []arrow.Field { return slices.Clone(s.fields) }

// Count returns the number of images, those that cannot be read included, if it
// is known before they are read.
func (s *Set) Count() (int64, bool) {
	sum := s.bad.Total()
	if s.first != nil {
		sum++
	}
	for _, f := range s.feeds {
		n := f.count()
		if n < 0 {
			return 0, false
		}
		sum += n
	}
	return sum, true
}

// Bad tells of the images that were left out so far; their rows count over the
// whole set.
func (s *Set) Bad() patch.BadRows { return s.bad.Clone() }

// PassedOver counts the files of folders that hold no images.
func (s *Set) PassedOver() int { return s.passed }

// Close ends the set.
func (s *Set) Close() error {
	for _, f := range s.feeds {
		f.close()
	}
	if s.first != nil {
		s.first.release()
	}
	s.feeds, s.first = nil, nil
	return nil
}

// ErrNoImages is returned where a set has none.
var ErrNoImages = errors.New("no images")

// First returns the first image that can be read, which Run will give again;
// with Skip those before it are left out. It is [ErrNoImages] where there is
// none. The image is valid until Run begins.
func (s *Set) First(ctx context.Context) (*Image, error) {
	for s.first == nil {
		it, err := s.next(ctx)
		if err == io.EOF {
			return nil, s.NoImages()
		}
		if err != nil {
			return nil, err
		}
		if err := it.read(s); err == nil {
			s.first = it
		} else if it.release(); !s.leaveOut(s.bad.Total(), err) {
			return nil, err
		}
	}
	if s.channels == 0 {
		s.channels = s.first.Picture.Shape.Channels
	}
	return &s.first.Image, nil
}

// leaveOut counts the image of a number that err is about. It reports whether
// the set may go on.
func (s *Set) leaveOut(number int64, err error) bool {
	var bad *badImage
	if !s.o.Skip || !errors.As(err, &bad) {
		return false
	}
	if s.bad.Total() == 0 {
		s.why = err
	}
	s.bad.Add(patch.BadRow{Row: number, Reason: bad.reason})
	return true
}

// NoImages is [ErrNoImages] with what became of those that were left out.
func (s *Set) NoImages() error {
	if s.why == nil {
		return ErrNoImages
	}
	return fmt.Errorf("%w: all %d were left out, the first for %v", ErrNoImages, s.bad.Total(), s.why)
}

// next returns the next item of all feeds.
func (s *Set) next(ctx context.Context) (*item, error) {
	for len(s.feeds) > 0 {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		it, err := s.feeds[0].next(ctx)
		if err != io.EOF {
			return it, err
		}
		s.feeds[0].close()
		s.feeds = s.feeds[1:]
	}
	if err := s.labels.unused(); err != nil {
		return nil, err
	}
	return nil, io.EOF
}

// convert gives a picture the channels of the set.
func (s *Set) convert(p *imagery.Picture) (*imagery.Picture, error) {
	switch {
	case s.channels == 0:
		return p, nil
	case s.o.Channels == 0 && s.channels == 1 && p.Shape.Channels == 3:
		return nil, &hintedError{errors.New("the image is in colour, and the first one is grey"), "say which they are to be with `Channels`"}
	}
	return p.WithChannels(s.channels)
}

// ParseLabel reads "folder", "column:NAME" or "file:PATH"; "" is no label.
func ParseLabel(text string) (Label, error) {
	switch kind, name, found := strings.Cut(text, ":"); {
	case text == "":
		return Label{}, nil
	case text == "folder":
		return Label{Folder: true}, nil
	case found && kind == "column" && name != "":
		return Label{Column: name}, nil
	case found && kind == "file" && name != "":
		return Label{File: name}, nil
	}
	return Label{}, fmt.Errorf("labels come from folder, column:NAME or file:PATH, not from %q", text)
}

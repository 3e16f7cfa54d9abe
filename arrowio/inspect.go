package arrowio

import (
	"errors"

	"github.com/apache/arrow-go/v18/arrow"
)

// Info is what a data file says of itself.
type Info struct {
	Name   string
	Format Format
	Size   int64 // bytes
	Rows   int64
	Schema *arrow.Schema

	// Groups is the number of row groups, or of record batches, and
	// LargestGroup the rows of the largest.
	Groups       int
	LargestGroup int64

	// Compression names the codecs in use.
	Compression []string

	// Held is what reading all columns holds of the file at once, in bytes:
	// of each column its largest page, without compression, or the largest
	// message. A batch comes on top.
	Held int64
}

// Inspect describes one file. It reads the heads of pages or messages and no
// values, so that a file may be damaged in ways that only reading it shows. Of
// o, what concerns pipes, paths and Arrow streams applies.
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
	infos, err := s.Inspect()
	if err != nil {
		return nil, err
	}
	infos[0].Schema = s.schema
	return &infos[0], nil
}

// Inspect describes the files of the source, in their order, each with the
// columns that it has itself. It reads what the function Inspect does. A stream
// that comes through a pipe needs OpenOptions.Rewindable.
func (s *Source) Inspect() ([]Info, error) {
	infos := make([]Info, len(s.inputs))
	for i, in := range s.inputs {
		var err error
		if infos[i], err = s.inspect(in); err != nil {
			return nil, in.fault(err)
		}
	}
	return infos, nil
}

func (s *Source) inspect(in *input) (Info, error) {
	if in.pipe != nil {
		return Info{}, errOnce
	}
	f, err := in.open(s.reading())
	if err != nil {
		return Info{}, err
	}
	defer f.Close()
	sum, err := f.Inspect()
	if err != nil {
		return Info{}, err
	}
	return Info{
		Name: in.name, Format: in.format, Size: in.size, Schema: in.schema,
		Rows: sum.Rows, Groups: sum.Groups, LargestGroup: sum.LargestGroup,
		Compression: sum.Compression, Held: sum.Held,
	}, nil
}

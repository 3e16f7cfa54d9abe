package imageset

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/aefeat/aefeat/imagery"
	"github.com/aefeat/aefeat/internal/npy"
)

// readNPY reads the header of a .npy file.
func readNPY(r io.Reader) (npy.Header, error) {
	h, err := npy.Read(r)
	if errors.Is(err, npy.ErrFortran) {
		err = &hintedError{err, npy.FortranHint}
	}
	return h, err
}

// decodeNPY decodes a .npy file that is one image.
func decodeNPY(data []byte, shape imagery.Shape) (*imagery.Picture, error) {
	h, err := readNPY(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	dims := h.Dims
	for len(dims) > 2 && dims[0] == 1 && len(dims) != 3 { // a batch of one
		dims = dims[1:]
	}
	s, err := given(shape, dims)
	if err != nil {
		return nil, err
	}
	values := data[h.Length:]
	if len(values) != s.Len()*h.Size {
		return nil, fmt.Errorf("%d bytes of values in the .npy file, expected %d", len(values), s.Len()*h.Size)
	}
	bytes, floats := elements[h.Type].values(h.Order, values)
	return picture(s, bytes, floats)
}

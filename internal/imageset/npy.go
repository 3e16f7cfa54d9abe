package imageset

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"strconv"
	"strings"

	"github.com/aefeat/aefeat/imagery"
)

// npyMagic begins a .npy file: NumPy Enhancement Proposal 1, "A simple file
// format for NumPy arrays", versions 1.0 to 3.0.
const npyMagic = "\x93NUMPY"

// maxHeader bounds the header of a .npy file, which has about 80 bytes for an
// array of numbers.
const maxHeader = 1 << 16

// An npyHeader says what a .npy file holds.
type npyHeader struct {
	element element
	order   binary.ByteOrder
	dims    []int
	length  int // of the header, in bytes: where values begin
}

var (
	npyType    = regexp.MustCompile(`'descr'\s*:\s*'([<>=|]?)([a-zA-Z]\d+)'`)
	npyFortran = regexp.MustCompile(`'fortran_order'\s*:\s*(True|False)`)
	npyShape   = regexp.MustCompile(`'shape'\s*:\s*\(([\d\s,L]*)\)`)
)

// readNPY reads the header of a .npy file.
func readNPY(r io.Reader) (npyHeader, error) {
	var h npyHeader
	var head [12]byte
	if _, err := io.ReadFull(r, head[:8]); err != nil || string(head[:6]) != npyMagic {
		return h, errors.New("no .npy file")
	}
	version, size := head[6], 2
	if version >= 2 {
		size = 4
	}
	if version < 1 || version > 3 {
		return h, fmt.Errorf("version %d of .npy is not known", version)
	}
	if _, err := io.ReadFull(r, head[8:8+size]); err != nil {
		return h, errors.New("the header of the .npy file is cut short")
	}
	n := int64(binary.LittleEndian.Uint16(head[8:]))
	if size == 4 {
		n = int64(binary.LittleEndian.Uint32(head[8:]))
	}
	if n > maxHeader {
		return h, fmt.Errorf("the header of the .npy file claims %d bytes", n)
	}
	text := make([]byte, n)
	if _, err := io.ReadFull(r, text); err != nil {
		return h, errors.New("the header of the .npy file is cut short")
	}
	h.length = 8 + size + len(text)
	return h, h.parse(string(text))
}

// parse reads the Python dictionary of a header.
func (h *npyHeader) parse(text string) error {
	typ, fortran, shape := npyType.FindStringSubmatch(text), npyFortran.FindStringSubmatch(text), npyShape.FindStringSubmatch(text)
	if fortran == nil || shape == nil {
		return errors.New("the header of the .npy file cannot be read")
	}
	known := false
	if typ != nil {
		h.element, known = elements[typ[2]]
	}
	if !known {
		return errors.New("the .npy file does not hold numbers")
	}
	h.order = binary.LittleEndian
	if typ[1] == ">" {
		h.order = binary.BigEndian
	}
	if fortran[1] == "True" {
		return &hintedError{errors.New("the .npy file is in Fortran order"), "save numpy.ascontiguousarray of the array"}
	}
	for _, d := range strings.FieldsFunc(shape[1], func(r rune) bool { return r == ',' || r == ' ' || r == 'L' }) {
		n, err := strconv.Atoi(d)
		if err != nil || n > math.MaxInt32 && len(h.dims) > 0 {
			return fmt.Errorf("a .npy array of %s elements is too large", d)
		}
		h.dims = append(h.dims, n)
	}
	return nil
}

// decodeNPY decodes a .npy file that is one image.
func decodeNPY(data []byte, shape imagery.Shape) (*imagery.Picture, error) {
	h, err := readNPY(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	dims := h.dims
	for len(dims) > 2 && dims[0] == 1 && len(dims) != 3 { // a batch of one
		dims = dims[1:]
	}
	s, err := given(shape, dims)
	if err != nil {
		return nil, err
	}
	values := data[h.length:]
	if len(values) != s.Len()*h.element.size {
		return nil, fmt.Errorf("%d bytes of values in the .npy file, expected %d", len(values), s.Len()*h.element.size)
	}
	bytes, floats := h.element.values(h.order, values)
	return picture(s, bytes, floats)
}

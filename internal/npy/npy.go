// Package npy reads the headers of .npy files: NumPy Enhancement Proposal 1,
// "A simple file format for NumPy arrays", versions 1.0 to 3.0.
package npy

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Magic begins a .npy file.
const Magic = "\x93NUMPY"

// maxHeader bounds the header of a .npy file, which has about 80 bytes for an
// array of numbers.
const maxHeader = 1 << 16

// A Header says what a .npy file holds.
type Header struct {
	Type   string // of an element: its kind and its size in bytes, "u1" to "f8"
	Size   int    // of an element in bytes
	Order  binary.ByteOrder
	Dims   []int // slowest axis first
	Length int   // of the header, in bytes: where values begin
}

// ErrFortran is the error of an array whose first axis is the fastest. The
// cure is in FortranHint.
var ErrFortran = errors.New("the .npy file is in Fortran order")

const FortranHint = "save numpy.ascontiguousarray of the array"

// types are those that Header.Type may be: truth values, integers and floats.
var types = []string{"b1", "u1", "i1", "u2", "i2", "f2", "u4", "i4", "f4", "u8", "i8", "f8"}

var (
	descr   = regexp.MustCompile(`'descr'\s*:\s*'([<>=|]?)([a-zA-Z]\d+)'`)
	fortran = regexp.MustCompile(`'fortran_order'\s*:\s*(True|False)`)
	shape   = regexp.MustCompile(`'shape'\s*:\s*\(([\d\s,L]*)\)`)
)

// Read reads the header of a .npy file.
func Read(r io.Reader) (Header, error) {
	var h Header
	var head [12]byte
	if _, err := io.ReadFull(r, head[:8]); err != nil || string(head[:6]) != Magic {
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
	h.Length = 8 + size + len(text)
	return h, h.parse(string(text))
}

// parse reads the Python dictionary of a header.
func (h *Header) parse(text string) error {
	typ, order, dims := descr.FindStringSubmatch(text), fortran.FindStringSubmatch(text), shape.FindStringSubmatch(text)
	if order == nil || dims == nil {
		return errors.New("the header of the .npy file cannot be read")
	}
	if typ == nil || !slices.Contains(types, typ[2]) {
		return errors.New("the .npy file does not hold numbers")
	}
	h.Type, h.Size = typ[2], int(typ[2][1]-'0')
	h.Order = binary.LittleEndian
	if typ[1] == ">" {
		h.Order = binary.BigEndian
	}
	if order[1] == "True" {
		return ErrFortran
	}
	for _, d := range strings.FieldsFunc(dims[1], func(r rune) bool { return strings.ContainsRune(", L\t\n\v\f\r", r) }) {
		n, err := strconv.Atoi(d)
		if err != nil || n > math.MaxInt32 && len(h.Dims) > 0 {
			return fmt.Errorf("a .npy array of %s elements is too large", d)
		}
		h.Dims = append(h.Dims, n)
	}
	return nil
}

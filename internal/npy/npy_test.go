package npy

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"testing"
)

// file is the beginning of a .npy file as NumPy writes it.
func file(version byte, header string) []byte {
	out := append([]byte(Magic), version, 0)
	if version == 1 {
		out = binary.LittleEndian.AppendUint16(out, uint16(len(header)))
	} else {
		out = binary.LittleEndian.AppendUint32(out, uint32(len(header)))
	}
	return append(out, header...)
}

func TestRead(t *testing.T) {
	for _, c := range []struct {
		version byte
		header  string
		typ     string
		dims    []int
		err     string
	}{
		{1, "{'descr': '|u1', 'fortran_order': False, 'shape': (16,), }   \n", "u1", []int{16}, ""},
		{2, "{'descr': '<f4', 'fortran_order': False, 'shape': (4, 4), }\n", "f4", []int{4, 4}, ""},
		{3, "{'descr': '>i2', 'fortran_order': False, 'shape': (), }\n", "i2", nil, ""},
		{1, "{'descr': '|b1', 'fortran_order': False, 'shape': (2L,\t3L), }", "b1", []int{2, 3}, ""},
		{4, "", "", nil, "version 4"},
		{1, "{'descr': '<c8', 'fortran_order': False, 'shape': (1,), }", "", nil, "does not hold numbers"},
		{1, "{'descr': [('x', '<f4')], 'fortran_order': False, 'shape': (1,), }", "", nil, "does not hold numbers"},
		{1, "{'descr': '|u1', 'shape': (1,), }", "", nil, "cannot be read"},
		{1, "{'descr': '|u1', 'fortran_order': False, 'shape': (1, 99999999999), }", "", nil, "too large"},
		{2, strings.Repeat(" ", maxHeader+1), "", nil, "claims 65537 bytes"},
	} {
		data := file(c.version, c.header)
		h, err := Read(bytes.NewReader(append(data, "values"...)))
		if c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("%s: error %v, want %s", c.header, err, c.err)
			}
			continue
		}
		if err != nil || h.Type != c.typ || !slices.Equal(h.Dims, c.dims) || h.Length != len(data) || h.Size != int(c.typ[1]-'0') {
			t.Errorf("%s: %+v, %v", c.header, h, err)
		}
	}
	_, err := Read(bytes.NewReader(file(1, "{'descr': '|u1', 'fortran_order': True, 'shape': (2, 2), }")))
	if !errors.Is(err, ErrFortran) {
		t.Errorf("error %v", err)
	}
}

func FuzzRead(f *testing.F) {
	f.Add(file(1, "{'descr': '|u1', 'fortran_order': False, 'shape': (16,), }\n"))
	f.Add(file(2, "{'descr': '>f8', 'fortran_order': True, 'shape': (2, 2), }\n"))
	f.Add([]byte(Magic))
	f.Fuzz(func(t *testing.T, data []byte) {
		h, err := Read(bytes.NewReader(data))
		if err == nil && (h.Length > len(data) || h.Size < 1 || h.Order == nil) {
			t.Errorf("%+v of %d bytes", h, len(data))
		}
	})
}

package patch

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/aefeat/aefeat/internal/arrowtest"
	"github.com/aefeat/aefeat/internal/npy"
)

// npyFile is a .npy file as NumPy writes it.
func npyFile(version byte, descr, order, shape string, values ...byte) []byte {
	header := fmt.Sprintf("{'descr': '%s', 'fortran_order': %s, 'shape': (%s), }\n", descr, order, shape)
	out := append([]byte(npy.Magic), version, 0)
	if version == 1 {
		out = binary.LittleEndian.AppendUint16(out, uint16(len(header)))
	} else {
		out = binary.LittleEndian.AppendUint32(out, uint32(len(header)))
	}
	return append(append(out, header...), values...)
}

// cellBatch is a batch of cells; nil is a null.
func cellBatch(t *testing.T, mem memory.Allocator, typ arrow.DataType, cells ...[]byte) arrow.RecordBatch {
	var text []string
	for _, c := range cells {
		if c == nil {
			text = append(text, "null")
			continue
		}
		text = append(text, `"`+base64.StdEncoding.EncodeToString(c)+`"`)
	}
	return arrowtest.JSONBatch(t, mem, typ, "["+strings.Join(text, ",")+"]")
}

// Cells of bytes that are whole .npy files are what the files hold, never the
// bytes of their headers.
func TestNPYCells(t *testing.T) {
	mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
	defer mem.AssertSize(t, 0)
	le := binary.LittleEndian
	f4 := le.AppendUint32(le.AppendUint32(nil, math.Float32bits(0.5)), math.Float32bits(-2))
	bytes2 := npyFile(1, "|u1", "False", "2,", 7, 9)
	for name, c := range map[string]struct {
		cells  [][]byte
		o      BindOptions
		source string
		shape  string
		want   [][]float64
		err    string
	}{
		"bytes":          {[][]byte{nil, bytes2, npyFile(2, "|u1", "False", "1, 2", 1, 2)}, BindOptions{Skip: true}, "uint8", "0x0x0", [][]float64{{7, 9}, {1, 2}}, ""},
		"shape":          {[][]byte{npyFile(1, "|u1", "False", "2, 3", 1, 2, 3, 4, 5, 6)}, BindOptions{}, "uint8", "2x3", [][]float64{{1, 2, 3, 4, 5, 6}}, ""},
		"floats":         {[][]byte{npyFile(1, "<f4", "False", "2,", f4...)}, BindOptions{}, "float32", "0x0x0", [][]float64{{0.5, -2}}, ""},
		"big-endian":     {[][]byte{npyFile(1, ">i2", "False", "2,", 0xff, 0xfe, 1, 0)}, BindOptions{}, "int16", "0x0x0", [][]float64{{-2, 256}}, ""},
		"halves":         {[][]byte{npyFile(1, "<f2", "False", "2,", 0, 0x3c, 0, 0xc0)}, BindOptions{}, "float16", "0x0x0", [][]float64{{1, -2}}, ""},
		"truth":          {[][]byte{npyFile(1, "|b1", "False", "2,", 2, 0)}, BindOptions{}, "bool", "0x0x0", [][]float64{{1, 0}}, ""},
		"a number":       {[][]byte{npyFile(1, "|u1", "False", "", 7)}, BindOptions{}, "uint8", "0x0x0", [][]float64{{7}}, ""},
		"width as asked": {[][]byte{npyFile(1, "<f4", "False", "2,", f4...)}, BindOptions{Width: 2}, "float32", "0x0x0", [][]float64{{0.5, -2}}, ""},
		"type as asked":  {[][]byte{npyFile(1, "<f4", "False", "2,", f4...)}, BindOptions{Width: 2, Source: "float32"}, "float32", "0x0x0", [][]float64{{0.5, -2}}, ""},
		"raw and files":  {[][]byte{{1, 2}, bytes2}, BindOptions{}, "uint8", "0x0x0", [][]float64{{1, 2}, {7, 9}}, ""},
		"not finite first": {[][]byte{npyFile(1, "<f4", "False", "1,", 0, 0, 0x80, 0x7f), bytes2}, BindOptions{Skip: true}, "uint8", "0x0x0",
			[][]float64{{7, 9}}, ""},
		"Fortran":       {[][]byte{npyFile(1, "|u1", "True", "2, 2", 1, 2, 3, 4)}, BindOptions{}, "", "", nil, "row 0: the .npy file is in Fortran order: save numpy.ascontiguousarray"},
		"objects":       {[][]byte{npyFile(1, "|O8", "False", "1,")}, BindOptions{}, "", "", nil, "row 0: the .npy file does not hold numbers"},
		"cut":           {[][]byte{bytes2[:20]}, BindOptions{}, "", "", nil, "row 0: the header of the .npy file is cut short"},
		"too few":       {[][]byte{bytes2, npyFile(1, "|u1", "False", "3,", 1, 2)}, BindOptions{}, "", "", nil, "row 1: 2 bytes of values in a .npy file of [3] elements of uint8"},
		"huge":          {[][]byte{npyFile(1, "<f8", "False", "2147483647, 2147483647, 2147483647", 1, 2)}, BindOptions{}, "", "", nil, "row 0: 2 bytes of values"},
		"other width":   {[][]byte{bytes2, npyFile(1, "|u1", "False", "3,", 1, 2, 3)}, BindOptions{}, "", "", nil, "row 1: patch of 3 values, expected 2"},
		"other type":    {[][]byte{bytes2, npyFile(1, "<f4", "False", "2,", f4...)}, BindOptions{}, "", "", nil, "row 1: a .npy file of float32, expected uint8"},
		"raw for float": {[][]byte{{1, 2}}, BindOptions{Width: 2, Source: "float32"}, "", "", nil, "row 0: no .npy file of float32"},
		"file in raw":   {[][]byte{make([]byte, len(bytes2)), bytes2}, BindOptions{}, "", "", nil, "row 1: patch of 2 values, expected"},
		"PNG in files":  {[][]byte{bytes2, []byte("\x89PNG\r\n\x1a\n....")}, BindOptions{}, "", "", nil, "row 1: holds a PNG file"},
		"empty":         {[][]byte{npyFile(1, "|u1", "False", "0,")}, BindOptions{}, "", "", nil, "row 0: empty patch"},
	} {
		for _, typ := range []arrow.DataType{arrow.BinaryTypes.Binary, arrow.BinaryTypes.LargeBinary, arrow.BinaryTypes.BinaryView} {
			rec := cellBatch(t, mem, typ, c.cells...)
			b, err := Bind(rec.Schema(), c.o)
			if err != nil {
				t.Fatal(err)
			}
			rows, _, err := b.Rows(rec, 0)
			switch {
			case c.err != "":
				if err == nil || !strings.Contains(err.Error(), c.err) {
					t.Errorf("%s in %s: error %v, want %s", name, typ, err, c.err)
				}
			case err != nil:
				t.Errorf("%s in %s: %v", name, typ, err)
			case b.Source() != c.source || b.Kind() != rows.Kind || !slices.EqualFunc(floats(rows), c.want, slices.Equal) || b.Shape().String() != c.shape:
				t.Errorf("%s in %s: %v of %s, shape %v, want %v of %s, shape %s", name, typ, floats(rows), b.Source(), b.Shape(), c.want, c.source, c.shape)
			}
			rec.Release()
		}
	}
}

// Whatever the cells are, rows have one width, and bad ones a reason.
func FuzzNPYCells(f *testing.F) {
	f.Add(npyFile(1, "|u1", "False", "2,", 7, 9), []byte{1, 2}, npyFile(2, ">f8", "False", "1, 1", 0, 0, 0, 0, 0, 0, 0, 0))
	f.Add(npyFile(1, "<f2", "False", "2,", 7, 9, 0xff, 0xff), []byte(npy.Magic), []byte{})
	f.Fuzz(func(t *testing.T, x, y, z []byte) {
		b := array.NewBinaryBuilder(memory.DefaultAllocator, arrow.BinaryTypes.Binary)
		for _, c := range [][]byte{x, y, z, x} {
			b.Append(c)
		}
		rec := oneColumn(b.NewArray())
		bound, err := Bind(rec.Schema(), BindOptions{Skip: true})
		if err != nil {
			t.Fatal(err)
		}
		rows, skipped, err := bound.Rows(rec, 0)
		if err == nil && (rows.Len()+len(skipped) != 4 || len(rows.Data) != rows.Len()*rows.Width*rows.Kind.Size()) {
			t.Errorf("%d rows and %d bad ones, %d bytes", rows.Len(), len(skipped), len(rows.Data))
		}
	})
}

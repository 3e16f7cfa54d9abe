package patch

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/aefeat/aefeat/internal/npy"
)

// npyElements are the elements of .npy files by the names that NumPy has for
// their types.
var npyElements = map[string]*element{
	"b1": elementOfID(arrow.BOOL),
	"u1": elementOfID(arrow.UINT8), "u2": elementOfID(arrow.UINT16), "u4": elementOfID(arrow.UINT32), "u8": elementOfID(arrow.UINT64),
	"i1": elementOfID(arrow.INT8), "i2": elementOfID(arrow.INT16), "i4": elementOfID(arrow.INT32), "i8": elementOfID(arrow.INT64),
	"f2": elementOfID(arrow.FLOAT16), "f4": elementOfID(arrow.FLOAT32), "f8": elementOfID(arrow.FLOAT64),
}

// mayHoldFiles reports a column of bytes of any length, whose cells may be .npy
// files.
func (l leaf) mayHoldFiles() bool {
	return l.bytes && len(l.dims) == 1 && l.dims[0] == unknown
}

// An npyCell is what a cell holds.
type npyCell struct {
	row    int32
	header *npy.Header // nil: raw bytes
	values []byte
}

// decodeFiles decodes cells of bytes that are .npy files. Where none is, done
// is false, and the bytes are values themselves.
func (rd *rowReader) decodeFiles(a arrow.Array) (raw []byte, done bool, err error) {
	cell := cellsOf(a)
	if cell == nil {
		return nil, false, nil
	}
	isFile := func(r int) bool { return bytes.HasPrefix(cell(rd.start(r)), []byte(npy.Magic)) }
	files := false
	for k := range rd.rows {
		if files = isFile(k); files {
			break
		}
	}
	bytesAre := elementOfID(arrow.UINT8)
	if !files && !rd.column.image {
		if err := rd.notForeign(cell, a.Len()); err != nil {
			return nil, true, err
		}
		if rd.open {
			rd.element = bytesAre
		}
		if rd.element == bytesAre {
			return nil, false, nil
		}
	}
	cells, err := rd.npyCells(a, cell)
	if err != nil || len(cells) == 0 {
		return nil, true, err
	}
	run := rd.dims[0] * rd.element.size
	rd.gathered = resize(rd.gathered, words(len(cells)*run))
	out := asBytes(rd.gathered)[:len(cells)*run]
	for k, c := range cells {
		c.copyTo(out[k*run : (k+1)*run])
	}
	rd.starts, rd.base, rd.perRow, rd.run = nil, 0, 1, rd.dims[0]
	return out, true, nil
}

// npyCells returns the cells of the rows that hold a patch, and drops the
// others.
func (rd *rowReader) npyCells(a arrow.Array, cell func(i int) []byte) ([]npyCell, error) {
	cells := rd.cells[:0]
	var head []byte // of the last file: most have the same
	var header *npy.Header
	for k, r := range rd.rows {
		v := cell(rd.start(k))
		c := npyCell{row: r, values: v}
		switch {
		case v == nil:
			rd.reject(r, Damaged, func() string { return Damage(a, rd.start(k)) })
			continue
		case !bytes.HasPrefix(v, []byte(npy.Magic)):
			if err := rd.notImage(v); err != nil {
				err.(*RowError).Row = int64(r)
				return nil, err
			}
		case header == nil || !bytes.HasPrefix(v, head):
			h, err := npy.Read(bytes.NewReader(v))
			if err != nil {
				if errors.Is(err, npy.ErrFortran) {
					err = fmt.Errorf("%w: %s", err, npy.FortranHint)
				}
				rd.reject(r, Damaged, func() string { return err.Error() })
				continue
			}
			header, head = &h, v[:h.Length]
			fallthrough
		default:
			c.header, c.values = header, v[len(head):]
		}
		if rd.checkCell(c) {
			cells = append(cells, c)
		}
	}
	rd.cells = cells
	rd.dropBad()
	return cells, nil
}

// checkCell marks the row of a cell that does not hold dims[0] elements.
func (rd *rowReader) checkCell(c npyCell) bool {
	if c.header == nil && rd.column.image {
		rd.reject(c.row, Unreadable, func() string { return "neither an image nor a .npy file" })
		return false
	}
	e, n := elementOfID(arrow.UINT8), len(c.values)
	if h := c.header; h != nil {
		e, n = npyElements[h.Type], product(h.Dims)
		if int64(len(c.values)) != int64(n)*int64(h.Size) || n > len(c.values) {
			rd.reject(c.row, Damaged, func() string {
				return fmt.Sprintf("%d bytes of values in a .npy file of %v elements of %s", len(c.values), h.Dims, e.name)
			})
			return false
		}
	}
	if rd.open && n > 0 {
		rd.element, rd.open = e, false
		if c.header != nil {
			rd.shape = c.header.Dims
		}
	}
	switch {
	case e != rd.element && rd.column.asked:
		rd.rejectImage(c.row, rd.unasked(e, c.header != nil))
		return false
	case e != rd.element && c.header == nil:
		rd.reject(c.row, Damaged, func() string { return rd.noFile() })
		return false
	case e != rd.element:
		rd.reject(c.row, Damaged, func() string { return fmt.Sprintf("a .npy file of %s, expected %s", e.name, rd.element.name) })
		return false
	}
	if rd.dims[0] == unknown {
		rd.dims[0] = n
	}
	if n == 0 || n != rd.dims[0] {
		rd.reject(c.row, Ragged, func() string { return rd.raggedReason(0, n) })
		return false
	}
	return true
}

// noFile says that a cell holds raw bytes, where it should be a .npy file.
func (rd *rowReader) noFile() string { return fmt.Sprintf("no .npy file of %s", rd.element.name) }

// unasked says that a cell holds e, where another type was asked for.
func (rd *rowReader) unasked(e *element, isFile bool) *imageFault {
	text, hint := rd.noFile(), rd.column.cure
	if isFile {
		text = fmt.Sprintf("a .npy file of %s, expected %s values, as the model was fitted to", e.name, rd.element.name)
	}
	if e.id != arrow.UINT8 || hint == "" {
		hint = fmt.Sprintf("make it a .npy file of %s", rd.element.name)
	}
	return &imageFault{Damaged, text, hint}
}

// copyTo copies the values of a cell, in the order of this machine.
func (c npyCell) copyTo(dst []byte) {
	copy(dst, c.values)
	switch h := c.header; {
	case h == nil:
	case h.Type == "b1":
		for i, v := range dst {
			dst[i] = min(v, 1)
		}
	case h.Order.Uint16([]byte{1, 0}) != binary.NativeEndian.Uint16([]byte{1, 0}):
		for at := 0; at < len(dst); at += h.Size {
			slices.Reverse(dst[at : at+h.Size])
		}
	}
}

// cellsOf returns what reads the cells of an array of bytes, nil from one that
// cannot be read; nil where a is none, or its offsets are cut short.
func cellsOf(a arrow.Array) func(i int) []byte {
	need := a.Data().Offset() + a.Len()
	switch x := a.(type) {
	case *array.Binary:
		return cellsAt(arrow.Int32Traits.CastFromBytes(bufferBytes(a, 1)), a, need)
	case *array.LargeBinary:
		return cellsAt(arrow.Int64Traits.CastFromBytes(bufferBytes(a, 1)), a, need)
	case *array.BinaryView:
		if len(bufferBytes(a, 1))/arrow.ViewHeaderSizeBytes < need {
			return nil
		}
		buffers := a.Data().Buffers()[2:]
		return func(i int) []byte {
			if viewDamage(x.ValueHeader(i), buffers) != "" {
				return nil
			}
			return present(x.Value(i))
		}
	}
	return nil
}

func cellsAt[T int32 | int64](offsets []T, a arrow.Array, need int) func(i int) []byte {
	if len(offsets) < need+1 {
		return nil
	}
	values := bufferBytes(a, 2)
	offsets = offsets[a.Data().Offset():]
	return func(i int) []byte {
		lo, hi := offsets[i], offsets[i+1]
		if lo < 0 || hi < lo || int64(hi) > int64(len(values)) {
			return nil
		}
		return present(values[lo:hi])
	}
}

// present returns an empty cell as one that is not nil.
func present(cell []byte) []byte {
	if cell == nil {
		return []byte{}
	}
	return cell
}

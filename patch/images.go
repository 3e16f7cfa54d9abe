package patch

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"iter"
	"math"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/aefeat/aefeat/model"
)

// A Decoder decodes an encoded image as want says: lines of pixels from top to
// bottom, the channels of a pixel side by side, whatever want.Shape.Order is.
// An image that has another shape than want asks for it returns without pixels,
// and with the shape that it has. It keeps nothing of file, is safe for
// concurrent use, and what it takes is bounded whatever an image claims.
type Decoder func(file []byte, want model.Images) (pixels []uint8, shape model.Shape, err error)

// encoded is what is known of encoded images in cells of bytes.
type encoded struct {
	decode Decoder      // nil: they are errors
	want   model.Images // with the shape, once an image has shown it
	cells  contents
}

// contents are what cells of bytes hold.
type contents int

const (
	anything contents = iota // not known yet
	images
	others // pixels or .npy files
)

// imageBatchBytes is about what the images of a batch should take as rows: as
// much as a batch of a file does.
const imageBatchBytes = 8 << 20

// maxImageBytes bounds what the images of one batch take as rows: a few bytes
// may stand for a million pixels.
const maxImageBytes = 1 << 30

// BatchRows returns how many rows a batch should have at most, where patches
// may take much more memory than the cells that hold them, as encoded images
// do; [Binding.Rows] refuses batches that make a GiB.
func (b *Binding) BatchRows() int {
	switch {
	case !b.MayHoldImages():
		return math.MaxInt
	case b.width == 0:
		return 64 // enough to tell what the column holds
	}
	return max(1, imageBatchBytes/b.width)
}

// Slices yields a batch in slices of so many rows, whole where it has no more.
// It asks for the number before each: what a slice has shown may change it. A
// slice is valid until the next.
func Slices(batch arrow.RecordBatch, rows func() int) iter.Seq[arrow.RecordBatch] {
	return func(yield func(arrow.RecordBatch) bool) {
		m := batch.NumRows()
		for lo := int64(0); lo == 0 || lo < m; {
			n := min(int64(rows()), m-lo)
			part := batch
			if n < m {
				part = batch.NewSlice(lo, lo+n)
			}
			more := yield(part)
			if n < m {
				part.Release()
			}
			if !more || m == 0 {
				return
			}
			lo += n
		}
	}
}

// MayHoldImages reports whether the cells may be encoded images, which are
// decoded.
func (b *Binding) MayHoldImages() bool {
	return b.images.decode != nil && b.images.cells != others
}

// Images returns what becomes of encoded images, with their shape; nil until a
// row has shown that there are some.
func (b *Binding) Images() *model.Images {
	if b.images.cells != images || b.width == 0 {
		return nil
	}
	want := b.images.want
	return &want
}

// isImageFile reports a struct of the bytes of a file and its path, as Hugging
// Face datasets have images.
func isImageFile(t *arrow.StructType) bool {
	data, hasBytes := t.FieldByName("bytes")
	path, hasPath := t.FieldByName("path")
	return hasBytes && hasPath && isBytes(data.Type) && isText(path.Type)
}

func isBytes(t arrow.DataType) bool {
	e, dims, ok := patchType(t)
	return ok && e.id == arrow.UINT8 && holdsBytes(t) && len(dims) == 1 && dims[0] == unknown
}

func isText(t arrow.DataType) bool {
	if d, ok := t.(*arrow.DictionaryType); ok {
		t = d.ValueType
	}
	switch t.ID() {
	case arrow.STRING, arrow.LARGE_STRING, arrow.STRING_VIEW:
		return true
	}
	return false
}

// fileOf takes the cursor from a struct of bytes and path to its bytes. A path
// alone is of no use: nobody knows where the file is now.
func (rd *rowReader) fileOf(a arrow.Array) (arrow.Array, error) {
	a = stored(a)
	st, ok := a.(*array.Struct)
	if !ok || !isImageFile(st.DataType().(*arrow.StructType)) {
		return nil, bindError(rd.column.name, fmt.Sprintf("array of %s, expected %s", a.DataType(), rd.column.typ), "").keyed(KeyType)
	}
	rd.dropNulls(st, "")
	t := st.DataType().(*arrow.StructType)
	at, _ := t.FieldIdx("bytes")
	data := st.Field(at)
	at, _ = t.FieldIdx("path")
	path := st.Field(at)
	if data.NullN() == 0 || data.Len() < a.Len() || path.Len() < a.Len() {
		return data, nil
	}
	for k, r := range rd.rows {
		i := rd.start(k)
		if data.IsValid(i) || path.IsNull(i) || Damage(path, i) != "" || path.ValueStr(i) == "" {
			continue
		}
		rd.rejectImage(r, &imageFault{Null, fmt.Sprintf("the image is not in the data, only its path %q", path.ValueStr(i)),
			"embed the files in the column `bytes`, or read them by their paths with `aefeat patches`"})
	}
	rd.dropBad()
	return data, nil
}

// An imageFault says why a cell makes no row.
type imageFault struct {
	reason     Reason
	text, hint string
}

// rejectImage marks a row of the column.
func (rd *rowReader) rejectImage(row int32, f *imageFault) {
	rd.reject(row, f.reason, func() string { return f.text })
	if f.hint != "" && rd.marks.first != nil && rd.marks.first.Row == int64(row) {
		rd.marks.first.Hint = f.hint + ", or leave bad rows out with `Skip`"
	}
}

// decodeImages decodes cells of bytes that are encoded images. Where they are
// something else, done is false.
func (rd *rowReader) decodeImages(a arrow.Array) (raw []byte, done bool, err error) {
	im := &rd.images
	if im.decode == nil || im.cells == others || rd.looked {
		return nil, false, nil
	}
	cell := cellsOf(a)
	if cell == nil {
		return nil, false, nil
	}
	if im.cells == anything {
		if rd.looked = !holdImages(cell, a.Len(), rd.column.image); rd.looked {
			return nil, false, nil
		}
		im.cells = images
	}
	bytesAre := elementOfID(arrow.UINT8)
	if !rd.open && rd.element != bytesAre {
		return nil, true, bindError(rd.column.name, fmt.Sprintf("encoded images of uint8, expected %s values, as the model was fitted to", rd.element.name),
			rd.column.cure).keyed(KeyType)
	}
	rd.element, rd.open = bytesAre, false
	raw, err = rd.decodeCells(func(k int) ([]byte, *imageFault) {
		i := rd.start(k)
		v := cell(i)
		switch {
		case v == nil:
			return nil, &imageFault{reason: Damaged, text: Damage(a, i)}
		case len(v) == 0:
			return nil, &imageFault{reason: Null, text: "no image: the cell is empty"}
		}
		return v, nil
	})
	return raw, true, err
}

// holdImages reports whether one of n cells is an encoded image. Cells with a
// path are files: where they are not .npy files, they should be images.
func holdImages(cell func(i int) []byte, n int, paths bool) bool {
	arrays := false
	for i := range n {
		switch fileFormat(cell(i)) {
		case "":
		case ".npy":
			arrays = true
		default:
			return true
		}
	}
	return paths && !arrays
}

// decodeCells decodes the cells of the rows that the cursor stands on, on all
// cores. The first one shows what is not known of their shape.
func (rd *rowReader) decodeCells(cell func(k int) ([]byte, *imageFault)) ([]byte, error) {
	im := &rd.images
	if s := im.want.Shape; s.Height == 0 || s.Channels == 0 {
		file, fault := cell(0)
		if fault == nil {
			fault = im.learn(file, rd.dims[0])
		}
		if fault != nil {
			rd.rejectImage(rd.rows[0], fault)
			rd.dropBad()
			return nil, nil
		}
	}
	n := im.want.Shape.Len()
	if rd.dims[0] == unknown {
		rd.dims[0] = n
	}
	if n != rd.dims[0] {
		return nil, bindError(rd.column.name, fmt.Sprintf("images of %v are patches of %d values, expected %d", im.want.Shape, n, rd.dims[0]), "").keyed(KeyWidth)
	}
	if total := int64(len(rd.rows)) * int64(n); total > maxImageBytes {
		return nil, bindError(rd.column.name, fmt.Sprintf("%d images of %v in one batch are %d bytes as rows", len(rd.rows), im.want.Shape, total),
			"write them in smaller batches, or make the images smaller with `Resize`")
	}
	rd.gathered = resize(rd.gathered, words(len(rd.rows)*n))
	out := asBytes(rd.gathered)[:len(rd.rows)*n]
	faults := make([]*imageFault, len(rd.rows))
	onAllCores(len(rd.rows), func(k int) {
		file, fault := cell(k)
		if fault == nil {
			fault = im.put(out[k*n:(k+1)*n], file)
		}
		faults[k] = fault
	})
	rd.starts, rd.base, rd.perRow, rd.run = nil, 0, 1, n
	for k, r := range rd.rows {
		if faults[k] != nil {
			rd.rejectImage(r, faults[k])
		}
	}
	rd.dropBad()
	return out, nil
}

// onAllCores calls work for 0 to n-1 and returns when all are done.
func onAllCores(n int, work func(k int)) {
	workers := min(n, runtime.GOMAXPROCS(0))
	if workers < 2 {
		for k := range n {
			work(k)
		}
		return
	}
	var next atomic.Int64
	var running sync.WaitGroup
	for range workers {
		running.Go(func() {
			for k := int(next.Add(1)) - 1; k < n; k = int(next.Add(1)) - 1 {
				work(k)
			}
		})
	}
	running.Wait()
}

// learn takes the shape of all images from the first. width is what it has to
// make, unless that is unknown.
func (im *encoded) learn(file []byte, width int) *imageFault {
	want := im.want
	_, shape, fault := im.pixels(file, want)
	if fault == nil && want.Shape.Channels == 0 && shape.Channels == 1 && 3*shape.Len() == width && !want.Grey {
		want.Shape.Channels = 3
		_, shape, fault = im.pixels(file, want)
	}
	if fault != nil {
		return fault
	}
	if n := shape.Len(); width != unknown && n != width {
		if n == 3*width && shape.Channels == 3 {
			return &imageFault{Ragged, fmt.Sprintf("image of %d by %d pixels in colour, expected %d values", shape.Height, shape.Width, width), greyHint}
		}
		return &imageFault{Ragged, fmt.Sprintf("image of %v pixels, expected %d values", shape, width), sizeHint(model.GuessShape(width))}
	}
	shape.Order = want.Shape.Order
	im.want.Shape = shape
	return nil
}

// put decodes an image into its row.
func (im *encoded) put(row []byte, file []byte) *imageFault {
	pixels, shape, fault := im.pixels(file, im.want)
	if fault != nil {
		return fault
	}
	line, pixel, channel := im.want.Shape.Strides()
	if channel == 1 && pixel == shape.Channels {
		copy(row, pixels)
		return nil
	}
	at := 0
	for y := range shape.Height {
		for x := range shape.Width {
			for c := range shape.Channels {
				row[y*line+x*pixel+c*channel] = pixels[at]
				at++
			}
		}
	}
	return nil
}

// greyHint is what to do about colours that would be lost.
const greyHint = "take the brightness of colours with `Grey`"

// sizeHint is what to do about images of another size.
func sizeHint(s model.Shape) string {
	return fmt.Sprintf("bring all images to one size with `Resize` %dx%d, cut patches of one size out of them with `aefeat patches`", s.Height, s.Width)
}

// pixels decodes an image of the shape that is wanted.
func (im *encoded) pixels(file []byte, want model.Images) ([]uint8, model.Shape, *imageFault) {
	pixels, s, err := im.decode(file, want)
	asked := want.Shape
	format, cure := foreignFormat(file)
	switch {
	case err != nil && format != "":
		return nil, s, &imageFault{Unreadable, format + " cannot be decoded", cure}
	case err != nil:
		return nil, s, &imageFault{Unreadable, strings.TrimPrefix(err.Error(), "imagery: "), "mend it or convert it to PNG"}
	case asked.Height > 0 && (s.Height != asked.Height || s.Width != asked.Width):
		return nil, s, &imageFault{Ragged, fmt.Sprintf("image of %d by %d pixels (height by width), expected %d by %d", s.Height, s.Width, asked.Height, asked.Width), sizeHint(asked)}
	case asked.Channels == 1 && s.Channels == 3:
		return nil, s, &imageFault{Ragged, "the image is in colour, expected grey", greyHint}
	case pixels == nil:
		return nil, s, &imageFault{Ragged, fmt.Sprintf("image of %d by %d pixels (height by width) is too large for one patch", s.Height, s.Width), sizeHint(model.Shape{Height: 32, Width: 32})}
	case asked.Channels > 0 && s.Channels != asked.Channels:
		return nil, s, &imageFault{Ragged, fmt.Sprintf("image of %d channels, expected %d", s.Channels, asked.Channels), ""}
	case len(pixels) == 0 || len(pixels) != s.Len():
		return nil, s, &imageFault{Unreadable, fmt.Sprintf("%d pixels decoded for an image of %v", len(pixels), s), ""}
	}
	return pixels, s, nil
}

// fileFormat names the format of a file of an image or array by its first
// bytes, "" for what may be pixels.
func fileFormat(value []byte) string {
	begins := func(magic string) bool { return bytes.HasPrefix(value, []byte(magic)) }
	switch {
	case begins("\x89PNG\r\n\x1a\n"):
		return "PNG"
	// Pixels may start like a JPEG's first marker; they hardly go on with the
	// start of a second one.
	case len(value) > 4 && begins("\xff\xd8\xff") && value[3] >= 0xc0 && value[3] != 0xff:
		return "JPEG"
	case len(value) > 12 && begins("RIFF") && string(value[8:12]) == "WEBP":
		return "WebP"
	case len(value) > 8 && (begins("II\x2a\x00") || begins("MM\x00\x2a")):
		return "TIFF"
	// Two letters are too few: the length of the file follows, then zeros.
	case len(value) > 10 && begins("BM") && binary.LittleEndian.Uint32(value[2:]) == uint32(len(value)) && string(value[6:10]) == "\x00\x00\x00\x00":
		return "BMP"
	case begins("\x93NUMPY"):
		return ".npy"
	}
	return ""
}

// foreignFormats are formats of files that are not decoded, by their first
// bytes. No start is so short that pixels are likely to have it.
var foreignFormats = []struct{ magic, name, hint string }{
	{"GIF87a", "GIF images", convertHint},
	{"GIF89a", "GIF images", convertHint},
	{"%PDF-", "PDF files", convertHint},
	{"\x1f\x8b\x08", "gzip files", unpackHint},
	{"\x28\xb5\x2f\xfd", "zstd files", unpackHint},
	{"PK\x03\x04", "zip and .npz files", unpackHint},
	{"PAR1", "Parquet files", tableHint},
	{"ARROW1", "Arrow files", tableHint},
}

const (
	convertHint = "convert them to PNG, JPEG or WebP"
	unpackHint  = "unpack them, and store what is in them: images, .npy files or raw pixels"
	tableHint   = "store the patches that are in them, or give these files as the input"
)

// foreignFormat names the format of files that are not decoded, and what to do
// about them; "" for what may be something else.
func foreignFormat(value []byte) (name, hint string) {
	for _, f := range foreignFormats {
		if bytes.HasPrefix(value, []byte(f.magic)) {
			return f.name, f.hint
		}
	}
	if len(value) >= 12 && string(value[4:8]) == "ftyp" {
		switch string(value[8:12]) {
		case "avif", "avis":
			return "AVIF images", convertHint
		case "heic", "heix", "heim", "heis", "hevc", "mif1", "msf1":
			return "HEIC images", convertHint
		}
		return "MP4 files", convertHint
	}
	return "", ""
}

// notForeign refuses n cells that are all files that are not decoded. The first
// bytes of some cells may be chance, those of all are not.
func (rd *rowReader) notForeign(cell func(i int) []byte, n int) error {
	first, cure := "", ""
	for i := range n {
		v := cell(i)
		if len(v) == 0 {
			continue
		}
		name, hint := foreignFormat(v)
		if name == "" {
			return nil
		}
		if first == "" {
			first, cure = name, hint
		}
	}
	if first == "" {
		return nil
	}
	return &RowError{Column: rd.column.name, Row: int64(rd.rows[0]), Reason: first + " cannot be decoded", Hint: cure, Key: KeyType}
}

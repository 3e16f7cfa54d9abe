package imageset

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"strings"
	"testing"

	"github.com/aefeat/aefeat/imagery"
)

// npyFile is a .npy file as NumPy writes it.
func npyFile(version byte, descr string, fortran bool, shape string, values []byte) []byte {
	order := map[bool]string{true: "True", false: "False"}[fortran]
	header := fmt.Sprintf("{'descr': '%s', 'fortran_order': %s, 'shape': (%s), }\n", descr, order, shape)
	data := append([]byte("\x93NUMPY"), version, 0)
	if version == 1 {
		data = binary.LittleEndian.AppendUint16(data, uint16(len(header)))
	} else {
		data = binary.LittleEndian.AppendUint32(data, uint32(len(header)))
	}
	return append(append(data, header...), values...)
}

// idx is an IDX file.
func idx(kind byte, values []byte, dims ...uint32) []byte {
	data := []byte{0, 0, kind, byte(len(dims))}
	for _, d := range dims {
		data = binary.BigEndian.AppendUint32(data, d)
	}
	return append(data, values...)
}

func zipped(t testing.TB, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestIDX(t *testing.T) {
	dir := t.TempDir()
	pixels := []byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}
	one, two := seen{"x#0", "2x3", "[1 2 3 4 5 6]", ""}, seen{"x#1", "2x3", "[7 8 9 10 11 12]", ""}
	for _, data := range [][]byte{idx(8, pixels, 2, 2, 3), zipped(t, idx(8, pixels, 2, 2, 3))} {
		got, s, err := readAll(t, []string{write(t, dir, "x", data)}, Options{})
		check(t, got, err, one, two)
		if len(s.Extra()) != 0 {
			t.Errorf("columns %v", s.Extra())
		}
		for _, labels := range [][]byte{idx(8, []byte{9, 0}, 2), zipped(t, idx(12, []byte{0, 0, 0, 9, 0, 0, 0, 0}, 2)), npyFile(1, "<i8", false, "2,", []byte{9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0})} {
			got, _, err = readAll(t, []string{dir + "/x"}, Options{Label: Label{File: write(t, t.TempDir(), "y", labels)}})
			check(t, got, err, seen{"x#0", "2x3", one.values, "9"}, seen{"x#1", "2x3", two.values, "0"})
		}
	}
	// Labels go on from file to file; too few or too many are errors.
	for n, want := range map[uint32]string{2: "", 3: "labels, and there are 4 images", 1: "has 1 labels, and there are more images", 5: "has 5 labels, and there are 4 images"} {
		labels := write(t, t.TempDir(), "y", idx(8, make([]byte, 2*n), 2*n))
		if n != 2 {
			labels = write(t, t.TempDir(), "y", idx(8, make([]byte, n), n))
		}
		if n == 3 {
			want = "has 3 labels, and there are more images"
		}
		_, _, err := readAll(t, []string{dir + "/x", dir + "/x"}, Options{Label: Label{File: labels}})
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%d labels: %v, want %q", n, err, want)
		}
	}
	// A folder has the labels beside the images.
	write(t, dir, "y", idx(8, []byte{9, 0}, 2))
	got, s, err := readAll(t, []string{dir}, Options{})
	check(t, got, err, one, two)
	if s.PassedOver() != 1 {
		t.Errorf("%d passed over", s.PassedOver())
	}

	floats := binary.BigEndian.AppendUint32(nil, math.Float32bits(-2.5))
	got, _, err = readAll(t, []string{write(t, dir, "z/f", idx(13, floats, 1, 1, 1))}, Options{})
	check(t, got, err, seen{"f#0", "1x1", "[-2.5]", ""})
	got, _, err = readAll(t, []string{write(t, dir, "z/c", idx(8, []byte{1, 2, 3, 4, 5, 6}, 1, 1, 2, 3))}, Options{})
	check(t, got, err, seen{"c#0", "1x2x3", "[1 2 3 4 5 6]", ""})
	got, _, err = readAll(t, []string{write(t, dir, "z/r", idx(8, pixels, 2, 6))}, Options{Shape: imagery.Shape{Height: 3, Width: 2, Channels: 1}})
	check(t, got, err, seen{"r#0", "3x2", one.values, ""}, seen{"r#1", "3x2", two.values, ""})
}

func TestNPY(t *testing.T) {
	dir := t.TempDir()
	for name, c := range map[string]struct {
		data []byte
		want []seen
	}{
		"(h,w)":     {npyFile(1, "|u1", false, "1, 2", []byte{1, 2}), []seen{{"a#0", "1x2", "[1 2]", ""}}},
		"(n,h,w)":   {npyFile(2, "|u1", false, "2, 1, 7", []byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1, 2, 3, 4}), []seen{{"a#0", "1x7", "[1 2 3 4 5 6 7]", ""}, {"a#1", "1x7", "[8 9 0 1 2 3 4]", ""}}},
		"(h,w,c)":   {npyFile(3, "|u1", false, "1, 2, 3", []byte{1, 2, 3, 4, 5, 6}), []seen{{"a#0", "1x2x3", "[1 2 3 4 5 6]", ""}}},
		"(n,h,w,c)": {npyFile(1, "|u1", false, "2, 1, 1, 3", []byte{1, 2, 3, 4, 5, 6}), []seen{{"a#0", "1x1x3", "[1 2 3]", ""}, {"a#1", "1x1x3", "[4 5 6]", ""}}},
		"(n,c,h,w)": {npyFile(1, "|u1", false, "1, 3, 1, 5", []byte{1, 2, 3, 4, 5, 11, 12, 13, 14, 15, 21, 22, 23, 24, 25}), []seen{{"a#0", "1x5x3", "[1 11 21 2 12 22 3 13 23 4 14 24 5 15 25]", ""}}},
		"big":       {npyFile(1, ">i2", false, "1, 2", []byte{0xff, 0xfe, 1, 0}), []seen{{"a#0", "1x2", "[-2 256]", ""}}},
		"double":    {npyFile(1, "<f8", false, "1, 1", binary.LittleEndian.AppendUint64(nil, math.Float64bits(0.1))), []seen{{"a#0", "1x1", "[0.1]", ""}}},
		"half":      {npyFile(1, "<f2", false, "1, 4", []byte{0, 0x3c, 1, 0, 0xff, 0xfb, 0, 0x80}), []seen{{"a#0", "1x4", "[1 5.9604645e-08 -65504 -0]", ""}}},
		"bool":      {npyFile(1, "|b1", false, "1, 2", []byte{0, 1}), []seen{{"a#0", "1x2", "[0 1]", ""}}},
		"none":      {npyFile(1, "|u1", false, "0, 28, 28", nil), nil},
	} {
		t.Run(name, func(t *testing.T) {
			got, _, err := readAll(t, []string{write(t, dir, "a", c.data)}, Options{})
			check(t, got, err, c.want...)
		})
	}
}

func TestCIFAR(t *testing.T) {
	dir := t.TempDir()
	record := make([]byte, 3072)
	for i := range record {
		record[i] = byte(100 * (i / 1024)) // planes of 0, 100 and 200
	}
	record[1], record[1024+1], record[2048+1] = 1, 2, 3 // the second pixel
	ten := append(append([]byte{7}, record...), append([]byte{9}, record...)...)
	hundred := append([]byte{5, 66}, record...)
	for _, c := range []struct {
		data   []byte
		labels []string
	}{{ten, []string{"7", "9"}}, {hundred, []string{"66"}}} {
		got, s, err := readAll(t, []string{write(t, dir, "batch.bin", c.data)}, Options{})
		if err != nil || len(got) != len(c.labels) || len(s.Extra()) != 1 {
			t.Fatalf("%d images, %v", len(got), err)
		}
		for i, g := range got {
			if g.extra != c.labels[i] || g.shape != "32x32x3" || !strings.HasPrefix(g.values, "[0 100 200 1 2 3 0 100 200 ") {
				t.Errorf("%s, label %s, %.40s", g.shape, g.extra, g.values)
			}
		}
	}
	got, _, err := readAll(t, []string{dir + "/batch.bin"}, Options{Label: Label{Folder: true}})
	if err != nil || got[0].extra == "66" {
		t.Errorf("label by folder: %v, %v", got[0].extra, err)
	}
}

// Claims that the bytes do not bear out are errors, before memory is asked for.
func TestRecordErrors(t *testing.T) {
	for name, c := range map[string]struct {
		file string
		data []byte
		want string
	}{
		"cut":               {"x", idx(8, make([]byte, 7), 2, 2, 2), "damaged: 7 bytes of images, expected 2 images of 4 bytes"},
		"more":              {"x", idx(8, make([]byte, 9), 2, 2, 2), "damaged: 9 bytes"},
		"gzip, cut":         {"x", zipped(t, idx(8, make([]byte, 7), 2, 2, 2)), "damaged: image 1 of 2 ends after 3 bytes of 4"},
		"gzip, more":        {"x", zipped(t, idx(8, make([]byte, 9), 2, 2, 2)), "damaged: bytes follow the 2 images"},
		"gzip, huge":        {"x", zipped(t, idx(8, nil, 1<<31, 8000, 8000)), "damaged: image 0 of 2147483648 ends after 0 bytes of 64000000"},
		"huge image":        {"x", idx(8, nil, 1, 1<<31, 1<<31), "no shape of an image"},
		"empty image":       {"x", idx(8, nil, 1, 0, 5), "no shape of an image"},
		"header":            {"x", []byte{0, 0, 8, 3, 0, 0}, "header of the IDX file is cut short"},
		"labels":            {"x", idx(8, []byte{1}, 1), "neither an image"},
		"rows":              {"x", idx(8, []byte{1, 2}, 1, 2), "rows of numbers without a shape"},
		"gzip of words":     {"x", zipped(t, []byte("words, many words")), "neither an image"},
		"npy, cut":          {"x", npyFile(1, "|u1", false, "2, 2", make([]byte, 3)), "damaged: 3 bytes of images"},
		"npy, header":       {"x", npyFile(1, "|u1", false, "2, 2", nil)[:20], "cut short"},
		"npy, huge header":  {"x", append([]byte("\x93NUMPY\x02\x00\xff\xff\xff\xff"), make([]byte, 100)...), "claims 4294967295 bytes"},
		"npy, version":      {"x", []byte("\x93NUMPY\x09\x00\x01\x00 \n"), "version 9"},
		"npy, Fortran":      {"x", npyFile(1, "|u1", true, "2, 2", make([]byte, 4)), "Fortran order"},
		"npy, objects":      {"x", npyFile(1, "|O", false, "2, 2", make([]byte, 4)), "does not hold numbers"},
		"npy, scalar":       {"x", npyFile(1, "|u1", false, "", make([]byte, 1)), "neither an image"},
		"npy, many":         {"x", npyFile(1, "|u1", false, "9223372036854775807, 9, 9", make([]byte, 4)), "damaged"},
		"npy, too many":     {"x", npyFile(1, "|u1", false, "9223372036854775808, 2, 2", make([]byte, 4)), "too large"},
		"CIFAR, no records": {"x.bin", make([]byte, 3000), "neither an image"},
		"CIFAR, no label":   {"x.bin", append([]byte{100}, make([]byte, 3072)...), "neither an image"},
	} {
		path := write(t, t.TempDir(), c.file, c.data)
		if _, _, err := readAll(t, []string{path}, Options{}); err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: error %v, want %q and the file", name, err, c.want)
		}
	}
}

// Whatever bytes claim: no panic, no image that is not there.
func FuzzRecords(f *testing.F) {
	f.Add(idx(8, make([]byte, 8), 2, 2, 2), false)
	f.Add(zipped(f, idx(12, make([]byte, 32), 2, 2, 2)), false)
	f.Add(npyFile(1, "<f4", false, "2, 2, 2", make([]byte, 32)), false)
	f.Add(npyFile(2, ">u2", false, "1, 2, 2, 3", make([]byte, 24)), true)
	f.Add(append([]byte{7}, make([]byte, 3072)...), true)
	f.Fuzz(func(t *testing.T, data []byte, shaped bool) {
		var o Options
		if shaped {
			o.Shape = imagery.Shape{Height: 2, Width: 2, Channels: 1}
		}
		name := "x.bin"
		r, err := newRecords(name, bytes.NewReader(data), int64(len(data)), &o, &labels{})
		if err != nil {
			return
		}
		for range 100 {
			it, err := r.next(context.Background())
			if err == io.EOF {
				break
			}
			if err != nil {
				return
			}
			if p, _, err := it.decode(); err == nil {
				if err := p.Check(); err != nil {
					t.Fatal(err)
				}
			}
		}
	})
}

func FuzzNPYCell(f *testing.F) {
	f.Add(npyFile(1, "<f4", false, "2, 2", make([]byte, 16)))
	f.Add(npyFile(3, "|b1", false, "1, 2, 2, 3", make([]byte, 12)))
	f.Fuzz(func(t *testing.T, data []byte) {
		if p, err := decodeNPY(data, imagery.Shape{}); err == nil {
			if err := p.Check(); err != nil {
				t.Fatal(err)
			}
		}
	})
}

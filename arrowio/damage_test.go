package arrowio_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aefeat/aefeat/arrowio"
)

// whole returns a file of the sample.
func whole(t testing.TB, format arrowio.Format, rows, batch int) []byte {
	t.Helper()
	name := filepath.Join(t.TempDir(), "whole")
	writeSample(t, name, format, 0, rows, batch, 0)
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// readBytes reads a file of these bytes.
func readBytes(t testing.TB, b []byte) (int64, error) {
	t.Helper()
	name := filepath.Join(t.TempDir(), "damaged")
	if err := os.WriteFile(name, b, 0o600); err != nil {
		t.Fatal(err)
	}
	rows, err := readAll(name)
	var at *arrowio.FileError
	if err != nil && (!errors.As(err, &at) || at.File != name) {
		t.Fatalf("%v does not name the file", err)
	}
	return rows, err
}

// readPipe reads bytes that come through a pipe.
func readPipe(t testing.TB, b []byte, o arrowio.OpenOptions) (int64, error) {
	t.Helper()
	o.Stdin = io.MultiReader(bytes.NewReader(b)) // nothing but a reader
	src, err := arrowio.Open(nil, o)
	if err != nil {
		return 0, err
	}
	defer src.Close()
	r, err := src.Reader(context.Background(), nil)
	if err != nil {
		return 0, err
	}
	defer r.Release()
	rows := int64(0)
	for r.Next() {
		rows += r.RecordBatch().NumRows()
	}
	return rows, r.Err()
}

func TestTruncated(t *testing.T) {
	for _, format := range formats {
		t.Run(string(format), func(t *testing.T) {
			t.Parallel()
			b := whole(t, format, 20, 10)
			name := filepath.Join(t.TempDir(), "cut")
			for n := range b {
				if err := os.WriteFile(name, b[:n], 0o600); err != nil {
					t.Fatal(err)
				}
				rows, err := readAll(name)
				var at *arrowio.FileError
				if !errors.As(err, &at) || at.File != name {
					t.Fatalf("cut at %d of %d: %d rows, %v", n, len(b), rows, err)
				}
				if format != arrowio.Stream {
					continue
				}
				if rows, err := readPipe(t, b[:n], arrowio.OpenOptions{}); err == nil {
					t.Fatalf("pipe cut at %d of %d: %d rows", n, len(b), rows)
				}
			}
			if rows, err := readBytes(t, b); rows != 20 || err != nil {
				t.Fatal(rows, err)
			}
		})
	}
}

// TestStreamEnd cuts a stream at every message, and lets it go on after its
// end.
func TestStreamEnd(t *testing.T) {
	b := whole(t, arrowio.Stream, 30, 10)
	rows := map[int64]int{}
	for n := 0; n <= len(b); n++ {
		got, err := readPipe(t, b[:n], arrowio.OpenOptions{AllowMissingEOS: true})
		if err == nil {
			rows[got]++
		}
	}
	// Without the marker, after the schema with its dictionaries or after a
	// batch, there is no telling. A cut between the dictionaries and the
	// first batch is one of them, too.
	for _, want := range []int64{0, 10, 20, 30} {
		if rows[want] == 0 || rows[want] > 3 {
			t.Errorf("%d cuts give %d rows: %v", rows[want], want, rows)
		}
	}
	if len(rows) != 4 {
		t.Errorf("rows %v", rows)
	}
	for name, more := range map[string][]byte{"a byte": {0}, "a second stream": b, "a second marker": b[len(b)-8:]} {
		for _, allow := range []bool{false, true} {
			o := arrowio.OpenOptions{AllowMissingEOS: allow}
			if rows, err := readPipe(t, append(bytes.Clone(b), more...), o); err == nil || !strings.Contains(err.Error(), "after the end") {
				t.Errorf("%s: %d rows, %v", name, rows, err)
			}
		}
	}
}

func TestNamedDamage(t *testing.T) {
	parquet, file, stream := whole(t, arrowio.Parquet, 20, 10), whole(t, arrowio.Arrow, 20, 10), whole(t, arrowio.Stream, 20, 10)
	with := func(b []byte, at int, put string) []byte {
		b = bytes.Clone(b)
		if at < 0 {
			at += len(b)
		}
		copy(b[at:], put)
		return b
	}
	const huge = "\xff\xff\xff\x7f"
	for _, c := range []struct {
		name, want string
		data       []byte
	}{
		{"empty", "empty input", nil},
		{"text", "neither Parquet nor Arrow", []byte("id,label\n1,2\n3,4\n")},
		{"gzip", "compressed with gzip", []byte("\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03")},
		{"image", "a PNG image", []byte("\x89PNG\r\n\x1a\n0000000000")},
		{"numpy", "a NumPy array", []byte("\x93NUMPY\x01\x00v\x00{}")},
		{"zeros", "neither Parquet nor Arrow", make([]byte, 1000)},
		{"only magic", "truncated", []byte("PAR1")},
		{"half of the magic", "truncated", []byte("PA")},
		{"magic twice", "truncated", []byte("PAR1PAR1")},
		{"encrypted", "encrypted Parquet is not supported", with(with(parquet, 0, "PARE"), -4, "PARE")},
		{"encrypted footer", "encrypted Parquet is not supported", with(parquet, -4, "PARE")},
		{"no end of Parquet", "its end is missing", with(parquet, -4, "XXXX")},
		{"footer too long", "footer of 2147483647 bytes", with(parquet, -8, huge)},
		{"footer of no bytes", "damaged Parquet footer", with(parquet, -8, "\x00\x00\x00\x00")},
		{"footer cut in front", "damaged Parquet footer", with(parquet, -8, string([]byte{parquet[len(parquet)-8] - 1}))},
		{"zeroed pages", "damaged Parquet data", with(parquet, 4, strings.Repeat("\x00", 1000))},
		{"no end of Arrow", "its end is missing", with(file, -6, "XXXXXX")},
		{"Arrow footer too long", "damaged Arrow file", with(file, -10, huge)},
		{"Arrow footer of no bytes", "damaged Arrow footer", with(file, -10, "\x00\x00\x00\x00")},
		{"zeroed messages", "damaged Arrow", with(file, 8, strings.Repeat("\x00", 2000))},
		{"metadata too long", "truncated Arrow data", with(stream, 4, "\x00\x00\x00\x08")},
		{"metadata out of proportion", "metadata of 2147483647 bytes", with(stream, 4, huge)},
		{"metadata too short", "damaged Arrow schema", with(stream, 4, "\x10\x00\x00\x00")},
		{"end marker at once", "truncated Arrow data", []byte("\xff\xff\xff\xff\x00\x00\x00\x00")},
	} {
		_, err := readBytes(t, c.data)
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, expected %q", c.name, err, c.want)
		}
		_, err = readPipe(t, c.data, arrowio.OpenOptions{})
		if err == nil || !strings.Contains(err.Error(), "standard input: ") {
			t.Errorf("%s from a pipe: %v", c.name, err)
		}
	}
}

// TestDamagedFiles reads the files in testdata/damaged of the repository, each
// of which once broke a reader.
func TestDamagedFiles(t *testing.T) {
	files, err := filepath.Glob("../testdata/damaged/*")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, name := range files {
		if filepath.Ext(name) == ".md" {
			continue
		}
		before := allocated()
		rows, err := readAll(name)
		if used := allocated() - before; used > 256<<20 {
			t.Errorf("%s: %d MiB allocated", name, used>>20)
		}
		var at *arrowio.FileError
		if !errors.As(err, &at) {
			t.Errorf("%s: %d rows, %v", name, rows, err)
		}
	}
}

// TestClaimedSizes makes pages and messages that claim gigabytes.
func TestClaimedSizes(t *testing.T) {
	for _, name := range []string{"pyarrow-flat-snappy.parquet", "pyarrow-flat-zstd.parquet", "pyarrow-nested-gzip.parquet", "pyarrow-nested-plain.parquet", "duckdb-zstd.parquet"} {
		b, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		claims := 0
		for i := 4; i+8 < len(b); i++ {
			// The size without compression, field 2, in the header
			// of a page, in the bytes that it has.
			if b[i] != 0x15 || b[i+1] > 6 || b[i+1]%2 != 0 || b[i+2] != 0x15 {
				continue
			}
			d := bytes.Clone(b)
			at := i + 3
			for d[at]&0x80 != 0 {
				d[at] |= 0x7f
				at++
			}
			d[at] = 0x7e
			if bytes.Equal(b, d) {
				continue
			}
			claims++
			before := allocated()
			_, err := readBytes(t, d)
			if used := allocated() - before; used > 64<<20 {
				t.Errorf("%s, byte %d: %d MiB allocated: %v", name, i, used>>20, err)
			}
		}
		if claims < 5 {
			t.Errorf("%s: %d pages", name, claims)
		}
	}
	stream := whole(t, arrowio.Stream, 20, 10)
	for i := 0; i+8 <= len(stream); i += 4 {
		d := bytes.Clone(stream)
		binary.LittleEndian.PutUint32(d[i:], 1<<30)
		before := allocated()
		rows, err := readPipe(t, d, arrowio.OpenOptions{})
		if used := allocated() - before; used > 128<<20 {
			t.Errorf("word %d: %d MiB allocated: %d rows, %v", i, used>>20, rows, err)
		}
	}
}

func ExampleFileError() {
	f, err := os.CreateTemp("", "digits-*.parquet")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.Remove(f.Name())
	fmt.Fprint(f, "PAR1, and then the disk was full")
	f.Close()

	_, err = arrowio.Open([]string{f.Name()}, arrowio.OpenOptions{})
	var at *arrowio.FileError
	fmt.Println(errors.As(err, &at) && at.File == f.Name(), at.Err)
	// Output: true truncated or damaged Parquet file: its end is missing
}

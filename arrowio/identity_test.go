package arrowio_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/aefeat/aefeat/arrowio"
)

// A changed is a file that a Source has seen, as somebody makes it another.
type changed struct {
	path string
	data []byte
	time time.Time // when it was written
}

// The ways to do so, with as many bytes and rows as before.
var changes = map[string]func(c changed) error{
	"replaced by a copy": func(c changed) error {
		return errors.Join(os.WriteFile(c.path+".new", c.data, 0o666), os.Chtimes(c.path+".new", c.time, c.time), os.Rename(c.path+".new", c.path))
	},
	"written in place": func(c changed) error { return os.WriteFile(c.path, c.data, 0o666) },
	"written in place with its time kept": func(c changed) error {
		at := bytes.LastIndex(c.data, []byte("PAR1"))
		name := bytes.LastIndex(c.data[:at], []byte("aefeat")) // of the writer, in the footer
		if name < 0 {
			return errors.New("no such text in the footer")
		}
		other := bytes.Clone(c.data)
		other[name] = 'A'
		return errors.Join(os.WriteFile(c.path, other, 0o666), os.Chtimes(c.path, c.time, c.time))
	},
	"appended to": func(c changed) error { return os.WriteFile(c.path, append(c.data[:len(c.data):len(c.data)], 0), 0o666) },
	"removed":     func(c changed) error { return os.Remove(c.path) },
}

// TestChangedBetweenReadings reads a file twice that becomes another in
// between, or while it is read the second time.
func TestChangedBetweenReadings(t *testing.T) {
	for way, change := range changes {
		for _, format := range formats {
			if way == "written in place with its time kept" && format != arrowio.Parquet {
				continue // there is no more to know it by
			}
			for _, rows := range []int{20, 3000} { // read at once, or by and by
				c := changed{path: filepath.Join(t.TempDir(), "a"), time: time.Now().Add(-time.Hour)}
				writeSample(t, c.path, format, 0, rows, 1000, 0)
				if err := os.Chtimes(c.path, c.time, c.time); err != nil {
					t.Fatal(err)
				}
				var err error
				if c.data, err = os.ReadFile(c.path); err != nil {
					t.Fatal(err)
				}
				src, err := arrowio.Open([]string{c.path}, arrowio.OpenOptions{Hash: true, Rewindable: true})
				if err != nil {
					t.Fatal(err)
				}
				if err := readAllOf(src); err != nil {
					t.Errorf("%s, %s, first: %v", way, format, err)
				}
				if _, err := src.Files(context.Background()); err != nil {
					t.Fatal(err)
				}
				if err := change(c); err != nil {
					t.Fatalf("%s, %s: %v", way, format, err)
				}
				want := arrowio.KeyChanged
				if way == "removed" {
					want = arrowio.KeyMissing
				}
				var at *arrowio.FileError
				if err := readAllOf(src); !errors.As(err, &at) || at.File != c.path || at.Key != want {
					t.Errorf("%s, %s of %d rows: error %v", way, format, rows, err)
				}
				src.Close()
			}
		}
	}
}

// TestChangedWhileRead writes into a file of which all but the end has been
// read, and into one that is standard input.
func TestChangedWhileRead(t *testing.T) {
	for _, format := range formats {
		for _, input := range []string{"", "-"} {
			path := filepath.Join(t.TempDir(), "a")
			writeSample(t, path, format, 0, 3000, 1000, 0)
			old := time.Now().Add(-time.Hour)
			data, err := os.ReadFile(path)
			if err := errors.Join(err, os.Chtimes(path, old, old)); err != nil {
				t.Fatal(err)
			}
			name, named, stdin := path, path, io.Reader(nil)
			if input == "-" {
				f, err := os.Open(path)
				if err != nil {
					t.Fatal(err)
				}
				defer f.Close()
				name, named, stdin = "-", "standard input", f
			}
			src, err := arrowio.Open([]string{name}, arrowio.OpenOptions{Stdin: stdin, BatchRows: 500})
			if err != nil {
				t.Fatal(err)
			}
			r, err := src.Reader(context.Background(), nil)
			if err != nil {
				t.Fatal(err)
			}
			if !r.Next() {
				t.Fatal(r.Err())
			}
			if err := os.WriteFile(path, data, 0o666); err != nil { // the very bytes
				t.Fatal(err)
			}
			for r.Next() {
			}
			var at *arrowio.FileError
			if !errors.As(r.Err(), &at) || at.File != named || at.Key != arrowio.KeyChanged {
				t.Errorf("%s, %s: error %v", format, named, r.Err())
			}
			r.Release()
			src.Close()
		}
	}
}

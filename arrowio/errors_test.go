package arrowio_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aefeat/aefeat/arrowio"
)

// Programs tell errors by their keys.
func TestKeys(t *testing.T) {
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	writeSample(t, in("good.parquet"), arrowio.Parquet, 0, 30, 10, 1)
	writeSample(t, in("good.arrows"), arrowio.Stream, 0, 30, 10, 1)
	good, err := os.ReadFile(in("good.parquet"))
	if err != nil {
		t.Fatal(err)
	}
	stream, err := os.ReadFile(in("good.arrows"))
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string]string{
		"empty": "", "text": "neither", "cut": string(good[:len(good)-9]), "flipped": strings.Replace(string(good), "PAR1", "PAR2", 1),
		"encrypted": string(good[:len(good)-4]) + "PARE", "unfinished": string(stream[:len(stream)-8]),
	} {
		if err := os.WriteFile(in(name), []byte(data), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(in("hollow"), 0o777); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"nothing": arrowio.KeyMissing, "text/x": arrowio.KeyMissing, "*.nothing": arrowio.KeyMissing, "[": arrowio.KeyMissing, "hollow": arrowio.KeyMissing,
		"empty": arrowio.KeyEmpty, "text": arrowio.KeyForeign, "flipped": arrowio.KeyForeign, "cut": arrowio.KeyDamaged,
		"encrypted": arrowio.KeyEncrypted, "unfinished": arrowio.KeyUnfinished,
	} {
		s, err := arrowio.Open([]string{in(name)}, arrowio.OpenOptions{})
		if err == nil {
			err = readAllOf(s)
			s.Close()
		}
		var e *arrowio.FileError
		if !errors.As(err, &e) || e.Key != want {
			t.Errorf("%s: %v, want one with key %q", name, err, want)
		}
	}
}

// A file that others write while it is read is not called damaged.
func TestChangedKey(t *testing.T) {
	for name, change := range map[string]func(path string) error{
		"longer":  func(path string) error { return os.WriteFile(path, make([]byte, 1<<20), 0o666) },
		"shorter": func(path string) error { return os.Truncate(path, 100) },
	} {
		path := filepath.Join(t.TempDir(), "a.parquet")
		writeSample(t, path, arrowio.Parquet, 0, 3000, 10, 1)
		s, err := arrowio.Open([]string{path}, arrowio.OpenOptions{})
		if err != nil {
			t.Fatal(err)
		}
		r, err := s.Reader(context.Background(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if !r.Next() {
			t.Fatal(r.Err())
		}
		if err := change(path); err != nil {
			t.Fatal(err)
		}
		for r.Next() {
		}
		var e *arrowio.FileError
		if !errors.As(r.Err(), &e) || e.Key != arrowio.KeyChanged {
			t.Errorf("%s: %v", name, r.Err())
		}
		r.Release()
		s.Close()
	}
}

func readAllOf(s *arrowio.Source) error {
	r, err := s.Reader(context.Background(), nil)
	if err != nil {
		return err
	}
	defer r.Release()
	for r.Next() {
	}
	return r.Err()
}

package arrowio_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/aefeat/aefeat/arrowio"
)

func shaOf(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%x", sha256.Sum256(data))
}

// What Files tells of files, of pipes of each format, and of files that stand
// for standard input.
func TestFiles(t *testing.T) {
	dir := t.TempDir()
	type content struct {
		format arrowio.Format
		bytes  int64
		sha    string
	}
	sample := map[string]content{}
	for _, format := range formats {
		name := filepath.Join(dir, string(format))
		writeSample(t, name, format, 0, 500, 100, 0)
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		sample[name] = content{format, info.Size(), shaOf(t, name)}
	}
	for name, c := range sample {
		for _, how := range []string{"file", "pipe", "rewindable pipe", "redirected"} {
			input, named, stdin := name, name, io.Reader(nil)
			if how != "file" {
				f, err := os.Open(name)
				if err != nil {
					t.Fatal(err)
				}
				defer f.Close()
				input, named, stdin = "-", "standard input", f
				if how != "redirected" {
					stdin = io.MultiReader(f) // which is no file
				}
			}
			for _, wanted := range []bool{true, false} {
				src, err := arrowio.Open([]string{input}, arrowio.OpenOptions{Stdin: stdin, SpoolDir: dir, Rewindable: how == "rewindable pipe", Hash: wanted})
				if err != nil {
					t.Fatal(err)
				}
				readRows(t, src, nil)
				got, err := src.Files(context.Background())
				want := arrowio.InputFile{Name: named, Format: c.format, Rows: 500, Bytes: c.bytes, SHA256: c.sha}
				if !wanted {
					want.SHA256 = ""
				}
				if !wanted && len(got) == 1 && got[0].Bytes == 0 {
					want.Bytes = 0 // of a pipe nobody counts the bytes
				}
				if err != nil || !reflect.DeepEqual(got, []arrowio.InputFile{want}) {
					t.Errorf("%s, %s: %+v, want %+v, error %v", how, c.format, got, want, err)
				}
				if err := src.Close(); err != nil {
					t.Error(err)
				}
				if f, ok := stdin.(*os.File); ok {
					if _, err := f.Seek(0, io.SeekStart); err != nil {
						t.Fatal(err)
					}
				}
				if stdin != nil && how != "redirected" {
					break // it is at its end
				}
			}
		}
	}
}

// Of a pipe that was not read to the end nobody knows the hash.
func TestFilesOfPipes(t *testing.T) {
	name := filepath.Join(t.TempDir(), "stream")
	writeSample(t, name, arrowio.Stream, 0, 20000, 100, 0)
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	src, err := arrowio.Open(nil, arrowio.OpenOptions{Stdin: io.MultiReader(bytes.NewReader(data)), Hash: true})
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	files, err := src.Files(context.Background())
	if err != nil || files[0].SHA256 != "" || files[0].Bytes >= int64(len(data)) {
		t.Errorf("%+v, error %v", files, err)
	}
}

// A file that is replaced after its source was opened is found out, or was read
// before.
func TestFilesChanged(t *testing.T) {
	dir := t.TempDir()
	var names []string
	for i := range 3 {
		names = append(names, filepath.Join(dir, fmt.Sprint(i)))
		writeSample(t, names[i], arrowio.Parquet, 0, 100*(i+1), 100, 0)
	}
	first := shaOf(t, names[2])
	src, err := arrowio.Open(names, arrowio.OpenOptions{Hash: true})
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	if err := os.Truncate(names[2], 100); err != nil {
		t.Fatal(err)
	}
	files, err := src.Files(context.Background())
	if err == nil && files[2].SHA256 != first {
		t.Errorf("%+v", files)
	}
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := src.Files(ended); err == nil && files == nil {
		t.Error("no error of a context that has ended")
	}
}

// A writer gives its hash what it writes, to files and to writers.
func TestWriterHash(t *testing.T) {
	name := filepath.Join(t.TempDir(), "x")
	for _, format := range formats {
		var direct bytes.Buffer
		for _, to := range []string{name, "-"} {
			sum := sha256.New()
			w, err := arrowio.Create(to, sampleSchema, arrowio.WriteOptions{Format: format, Hash: sum, Stdout: &direct})
			if err != nil {
				t.Fatal(err)
			}
			rec := sampleRows(checked(t), 0, 200)
			if err := w.Write(rec); err != nil {
				t.Fatal(err)
			}
			rec.Release()
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			if got := hex.EncodeToString(sum.Sum(nil)); got != shaOf(t, name) {
				t.Errorf("%s to %s: hash %s, want %s", format, to, got, shaOf(t, name))
			}
		}
	}
}

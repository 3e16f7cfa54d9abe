package arrowio_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/aefeat/aefeat/arrowio"
)

// payload returns rows of the sample as the bytes of a format.
func payload(t testing.TB, format arrowio.Format, rows int) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := arrowio.NewWriter(&out, sampleSchema, arrowio.WriteOptions{Format: format, RowGroupBytes: 2000})
	if err != nil {
		t.Fatal(err)
	}
	if err := writeRows(w, rows); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// writeRows writes rows of the sample in batches of 10, and closes.
func writeRows(w *arrowio.Writer, rows int) error {
	for at := 0; at < rows; at += 10 {
		rec := sampleRows(memory.DefaultAllocator, at, min(10, rows-at))
		err := w.Write(rec)
		rec.Release()
		if err != nil {
			w.Abort()
			return err
		}
	}
	return w.Close()
}

func TestMemory(t *testing.T) {
	for _, format := range formats {
		b := payload(t, format, 95)
		src, err := arrowio.OpenReaderAt(bytes.NewReader(b), int64(len(b)), "message 7", arrowio.OpenOptions{Allocator: checked(t)})
		if err != nil {
			t.Fatal(err)
		}
		if n, known := src.NumRows(); known != (format != arrowio.Stream) || known && n != 95 {
			t.Errorf("%s: %d rows, %v", format, n, known)
		}
		if file, row, ok := src.Locate(12); file != "message 7" || row != 12 || !ok {
			t.Errorf("%s: row 12 is row %d of %s, %v", format, row, file, ok)
		}
		// Any number of times, and at once.
		var readers sync.WaitGroup
		for range 3 {
			readers.Go(func() {
				if n, err := countRows(src); n != 95 || err != nil {
					t.Errorf("%s: %d rows, %v", format, n, err)
				}
			})
		}
		readers.Wait()
		got, _ := readRows(t, src, nil)
		sameRows(t, got, sampleTexts(0, 95))
		if err := src.Close(); err != nil {
			t.Error(err)
		}
	}
}

func countRows(src *arrowio.Source) (rows int64, err error) {
	r, err := src.Reader(context.Background(), nil)
	if err != nil {
		return 0, err
	}
	defer r.Release()
	for r.Next() {
		rows += r.RecordBatch().NumRows()
	}
	return rows, r.Err()
}

// Errors name what was opened.
func TestMemoryDamaged(t *testing.T) {
	for _, format := range formats {
		b := payload(t, format, 30)
		for name, b := range map[string][]byte{"empty": nil, "cut": b[:len(b)-1], "foreign": []byte("id,label\n1,2\n")} {
			var at *arrowio.FileError
			src, err := arrowio.OpenReaderAt(bytes.NewReader(b), int64(len(b)), "object a/b", arrowio.OpenOptions{Allocator: checked(t)})
			if err == nil {
				_, err = countRows(src)
				src.Close()
			}
			if !errors.As(err, &at) || at.File != "object a/b" {
				t.Errorf("%s, %s: %v", format, name, err)
			}
		}
		// A size beyond the end is a file that is not there.
		if _, err := arrowio.OpenReaderAt(bytes.NewReader(b), int64(len(b))+1000, "b", arrowio.OpenOptions{}); format != arrowio.Stream && err == nil {
			t.Errorf("%s: a size beyond the end is taken", format)
		}
	}
}

func TestNil(t *testing.T) {
	if _, err := arrowio.OpenReaderAt(nil, 10, "x", arrowio.OpenOptions{}); err == nil || !strings.Contains(err.Error(), "nil") {
		t.Errorf("no reader: %v", err)
	}
	if _, err := arrowio.OpenReaderAt(bytes.NewReader(nil), -1, "x", arrowio.OpenOptions{}); err == nil || !strings.Contains(err.Error(), "-1 bytes") {
		t.Errorf("a negative size: %v", err)
	}
	if _, err := arrowio.NewWriter(nil, sampleSchema, arrowio.WriteOptions{}); err == nil || !strings.Contains(err.Error(), "nil") {
		t.Errorf("no writer: %v", err)
	}
	if _, err := arrowio.NewWriter(io.Discard, nil, arrowio.WriteOptions{}); err == nil || !strings.Contains(err.Error(), "nil") {
		t.Errorf("no schema: %v", err)
	}
	b := payload(t, arrowio.Parquet, 1)
	src, err := arrowio.OpenReaderAt(bytes.NewReader(b), int64(len(b)), "x", arrowio.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	var none context.Context
	if _, err := src.Reader(none, nil); err == nil || !strings.Contains(err.Error(), "nil") {
		t.Errorf("no context: %v", err)
	}
	w, err := arrowio.NewWriter(io.Discard, sampleSchema, arrowio.WriteOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Abort()
	if err := w.Write(nil); err == nil || !strings.Contains(err.Error(), "nil") {
		t.Errorf("no batch: %v", err)
	}
	if _, err := arrowio.Create(t.TempDir()+"/x", nil, arrowio.WriteOptions{}); err == nil || !strings.Contains(err.Error(), "nil") {
		t.Errorf("no schema: %v", err)
	}
}

// A shortWriter takes so many bytes, and then no more.
type shortWriter struct {
	bytes.Buffer
	left int
	err  error // nil: it does not even say so
}

func (w *shortWriter) Write(p []byte) (int, error) {
	n := min(len(p), w.left)
	w.left -= n
	w.Buffer.Write(p[:n])
	if n < len(p) {
		return n, w.err
	}
	return n, nil
}

// Wherever a writer fails, the error arrives, and what it has taken does not
// read as whole.
func TestWriterFails(t *testing.T) {
	broken := errors.New("the line went dead")
	for _, format := range formats {
		whole := payload(t, format, 60)
		for n := range len(whole) {
			if n%29 > 0 && n < len(whole)-20 {
				continue
			}
			w := &shortWriter{left: n, err: broken}
			if n%2 == 1 {
				w.err = nil
			}
			out, err := arrowio.NewWriter(w, sampleSchema, arrowio.WriteOptions{Format: format, RowGroupBytes: 2000, Allocator: checked(t)})
			if err != nil {
				t.Fatal(err)
			}
			err = writeRows(out, 60)
			if w.err != nil && !errors.Is(err, broken) || w.err == nil && !errors.Is(err, io.ErrShortWrite) {
				t.Fatalf("%s, %d of %d bytes: %v", format, n, len(whole), err)
			}
			if again := out.Close(); again == nil {
				t.Fatalf("%s, %d of %d bytes: a second Close returns nil", format, n, len(whole))
			}
			src, err := arrowio.OpenReaderAt(bytes.NewReader(w.Bytes()), int64(w.Len()), "part", arrowio.OpenOptions{})
			if err == nil {
				_, err = countRows(src)
				src.Close()
			}
			if err == nil {
				t.Fatalf("%s: %d of %d bytes read as whole", format, n, len(whole))
			}
		}
	}
}

// Aborting is not whole either, whatever the number of batches before.
func TestWriterAborts(t *testing.T) {
	for _, format := range formats {
		for batches := range 4 {
			var b bytes.Buffer
			w, err := arrowio.NewWriter(&b, sampleSchema, arrowio.WriteOptions{Format: format, Allocator: checked(t)})
			if err != nil {
				t.Fatal(err)
			}
			for range batches {
				rec := sampleBatch(t)
				if err := w.Write(rec); err != nil {
					t.Fatal(err)
				}
				rec.Release()
			}
			if err := w.Abort(); err != nil {
				t.Fatal(err)
			}
			src, err := arrowio.OpenReaderAt(bytes.NewReader(b.Bytes()), int64(b.Len()), "part", arrowio.OpenOptions{AllowMissingEOS: true})
			if err == nil {
				_, err = countRows(src)
				src.Close()
			}
			if err == nil {
				t.Errorf("%s: aborted after %d batches, and read as whole", format, batches)
			}
		}
	}
}

func ExampleOpenReaderAt() {
	message := digitsAsStream() // the payload of a message, an object of a store...
	src, err := arrowio.OpenReaderAt(bytes.NewReader(message), int64(len(message)), "message 7", arrowio.OpenOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer src.Close()
	r, err := src.Reader(context.Background(), nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer r.Release()
	for r.Next() {
		fmt.Println(r.RecordBatch().NumRows(), "rows of", r.Schema().Field(0).Name)
	}
	if err := r.Err(); err != nil {
		fmt.Println(err)
	}
	// Output: 2 rows of pixels
}

// digitsAsStream returns the pictures as an Arrow IPC stream.
func digitsAsStream() []byte {
	schema, batch := digits()
	defer batch.Release()
	var out bytes.Buffer
	w, err := arrowio.NewWriter(&out, schema, arrowio.WriteOptions{Format: arrowio.Stream})
	if err == nil {
		err = w.Write(batch)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		panic(err)
	}
	return out.Bytes()
}

func ExampleNewWriter() {
	schema, batch := digits()
	defer batch.Release()

	var object bytes.Buffer // or a request to a store
	w, err := arrowio.NewWriter(&object, schema, arrowio.WriteOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer w.Abort() // does nothing after Close
	if err := w.Write(batch); err != nil {
		fmt.Println(err)
		return
	}
	if err := w.Close(); err != nil { // until now it is not a whole file
		fmt.Println(err)
		return
	}
	fmt.Printf("%s...%s\n", object.Bytes()[:4], object.Bytes()[object.Len()-4:])
	// Output: PAR1...PAR1
}

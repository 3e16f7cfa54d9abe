package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/iotest"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/aefeat/aefeat/arrowio"
	"github.com/aefeat/aefeat/patch"
)

func TestInterruptible(t *testing.T) {
	want := bytes.Repeat([]byte("0123456789"), 300_000) // over both buffers
	for name, in := range map[string]io.Reader{
		"whole": bytes.NewReader(want),
		"half":  iotest.HalfReader(bytes.NewReader(want)),
		"end":   iotest.DataErrReader(bytes.NewReader(want)),
	} {
		if got, err := io.ReadAll(interruptible(t.Context(), in)); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: got %d bytes, error %v", name, len(got), err)
		}
	}
	failure := errors.New("failure")
	got, err := io.ReadAll(interruptible(t.Context(), io.MultiReader(bytes.NewReader(want), iotest.ErrReader(failure))))
	if !errors.Is(err, failure) || !bytes.Equal(got, want) {
		t.Errorf("got %d bytes, error %v", len(got), err)
	}
}

func TestInterruptibleEnds(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	ctx, cancel := context.WithCancel(t.Context())
	in := interruptible(ctx, r)
	if _, err := w.WriteString("data"); err != nil {
		t.Fatal(err)
	}
	buffer := make([]byte, 10)
	if n, err := in.Read(buffer); n != 4 || err != nil {
		t.Fatalf("%d bytes, error %v", n, err)
	}
	cancel()
	if n, err := in.Read(buffer); n != 0 || !errors.Is(err, context.Canceled) {
		t.Fatalf("%d bytes, error %v", n, err)
	}
}

func TestInterruptibleLeavesFiles(t *testing.T) {
	f, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if interruptible(t.Context(), f) != io.Reader(f) {
		t.Error("a regular file cannot be sought in any more")
	}
}

// What the writer refuses is a row of the input too, and names its file.
func TestLocatedNamesTheFile(t *testing.T) {
	schema := arrow.NewSchema([]arrow.Field{{Name: "id", Type: arrow.PrimitiveTypes.Int32}}, nil)
	name := filepath.Join(t.TempDir(), "in.parquet")
	w, err := arrowio.Create(name, schema, arrowio.WriteOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	src, err := arrowio.Open([]string{name}, arrowio.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	want := name + `: column "id": row 7: null value`
	for _, err := range []error{
		&patch.RowError{Column: "id", Row: 7, Reason: "null value", Hint: "mend it"},
		&arrowio.ColumnError{Column: "id", Row: 7, Reason: "null value", Hint: "mend it"},
	} {
		got := located(src, err)
		if got.Error() != want || !slices.Equal(hintsOf(got), []string{"mend it"}) {
			t.Errorf("%T: %v, hints %q, want %s", err, got, hintsOf(got), want)
		}
	}
}

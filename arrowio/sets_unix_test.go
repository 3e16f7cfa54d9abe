//go:build unix

package arrowio_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/aefeat/aefeat/arrowio"
)

// TestLinksAndPipes finds in a folder what is no file.
func TestLinksAndPipes(t *testing.T) {
	dir := t.TempDir()
	data := writeJSON(t, filepath.Join(t.TempDir(), "data"), arrowio.Parquet, `[{"a": 1}]`, fieldOf("a", arrow.PrimitiveTypes.Int32))
	pipe, linked := filepath.Join(dir, "a-pipe"), filepath.Join(dir, "z-folder")
	if err := errors.Join(syscall.Mkfifo(pipe, 0o600), os.Symlink(data, filepath.Join(dir, "link"))); err != nil {
		t.Fatal(err)
	}
	src, err := arrowio.Open([]string{dir}, arrowio.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	if n, _ := src.NumRows(); n != 1 || !slices.Equal(src.Passed(), []string{pipe}) {
		t.Errorf("%d rows, passed over %q", n, src.Passed())
	}
	if err := os.Symlink(filepath.Dir(data), linked); err != nil {
		t.Fatal(err)
	}
	_, err = arrowio.Open([]string{dir}, arrowio.OpenOptions{})
	var at *arrowio.FileError
	if !errors.As(err, &at) || at.File != linked || !strings.Contains(err.Error(), "link to a folder") {
		t.Error(err)
	}
}

//go:build unix

package arrowio

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/memory"
)

// write100 writes a hundred rows to path and closes.
func write100(path string, o WriteOptions) error {
	mem := memory.NewGoAllocator()
	o.Allocator = mem
	w, err := Create(path, int64Schema, o)
	if err != nil {
		return err
	}
	rec := int64Batch(mem, int64Schema, 0, 100)
	defer rec.Release()
	if err := w.Write(rec); err != nil {
		w.Abort()
		return err
	}
	return w.Close()
}

func TestCreateDevices(t *testing.T) {
	if err := write100("/dev/null", WriteOptions{}); err != nil {
		t.Error(err)
	}
	if info, err := os.Stat("/dev/null"); err != nil || info.Mode()&os.ModeDevice == 0 {
		t.Errorf("/dev/null is %v, %v", info, err)
	}
	if _, err := os.Stat("/dev/full"); err == nil {
		if err := write100("/dev/full", WriteOptions{}); !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "/dev/full") {
			t.Errorf("/dev/full: %v", err)
		}
	}
}

func TestCreateFIFO(t *testing.T) {
	path := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Skip(err)
	}
	done := make(chan error, 1)
	var data []byte
	go func() {
		var err error
		data, err = os.ReadFile(path)
		done <- err
	}()
	if err := write100(path, WriteOptions{Format: Stream}); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if _, rows, err := readBack(data, Stream, memory.DefaultAllocator); err != nil || len(rows) != 100 {
		t.Errorf("%d rows, %v", len(rows), err)
	}
}

func TestClosedPipe(t *testing.T) {
	for _, format := range []Format{Parquet, Arrow, Stream} {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		r.Close()
		if err := write100("-", WriteOptions{Format: format, Stdout: w}); !errors.Is(err, syscall.EPIPE) {
			t.Errorf("%s: %v", format, err)
		}
		w.Close()
	}
}

func TestCreateFileUmask(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0o027))
	path := filepath.Join(t.TempDir(), "out")
	if err := write100(path, WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}

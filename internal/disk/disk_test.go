package disk

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// TestInterrupted makes every call be interrupted twice before it is made.
func TestInterrupted(t *testing.T) {
	calls := 0
	defer Inject(func(c Call) (f Fault) {
		if calls++; calls%3 != 0 || c.Op == "close" {
			f.Err = syscall.EINTR
		}
		return f
	})()
	path := filepath.Join(t.TempDir(), "a", "b")
	if err := MkdirAll(filepath.Dir(path), 0o777); err != nil {
		t.Fatal(err)
	}
	f, err := OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.Write([]byte("one two"))
	_, err2 := f.WriteAt([]byte("TWO"), 4)
	at, err3 := f.Seek(0, io.SeekStart)
	if err := errors.Join(err, err2, err3, f.Chmod(0o600), f.Sync(), f.Truncate(6)); err != nil || at != 0 {
		t.Fatal(at, err)
	}
	all, err := io.ReadAll(f)
	tail := make([]byte, 2)
	_, err2 = f.ReadAt(tail, 4)
	if err := errors.Join(err, err2, f.Close()); err != nil || string(all)+string(tail) != "one TWTW" {
		t.Fatalf("%q %q: %v", all, tail, err)
	}
	if err := errors.Join(Rename(path, path+"2"), Remove(path+"2")); err != nil {
		t.Fatal(err)
	}
	if _, err := Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	if f, err := CreateUnnamed(filepath.Dir(path), "unnamed"); err == nil {
		if err := errors.Join(f.Link(path), f.Close()); err != nil {
			t.Error(err)
		}
	}
}

// TestFaults wants errors such as those of os.
func TestFaults(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a")
	f, err := OpenFile(path, os.O_RDWR|os.O_CREATE, 0o666)
	if err != nil {
		t.Fatal(err)
	}
	want := Fault{Err: syscall.ENOSPC, Short: true}
	restore := Inject(func(Call) Fault { return want })
	n, err := f.Write([]byte("1234567"))
	var at *fs.PathError
	if n != 4 || !errors.As(err, &at) || *at != (fs.PathError{Op: "write", Path: path, Err: syscall.ENOSPC}) {
		t.Errorf("wrote %d bytes, error %v", n, err)
	}
	want = Fault{Err: io.EOF, Short: true}
	b := make([]byte, 4)
	if n, err = f.ReadAt(b, 0); n != 2 || err != io.EOF || string(b[:n]) != "12" {
		t.Errorf("read %d bytes, error %v", n, err)
	}
	want = Fault{Err: syscall.EIO}
	if err := f.Close(); !errors.Is(err, syscall.EIO) {
		t.Error(err)
	}
	if _, err := Open(path); !errors.Is(err, syscall.EIO) {
		t.Error(err)
	}
	restore()
	if _, err := f.Stat(); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("after a Close that failed: %v", err)
	}
}

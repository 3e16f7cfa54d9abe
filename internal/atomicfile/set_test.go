package atomicfile

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/aefeat/aefeat/internal/disk"
)

// write creates a file and writes text into it.
func write(t *testing.T, path, text string) *File {
	t.Helper()
	f, err := Create(path)
	if err == nil {
		_, err = io.WriteString(f, text)
	}
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// TestCommitAll makes the first, second, ... call to the system fail of those
// that commit two files, of which one replaces another. Both appear, or none;
// or it is the rename of the second that failed.
func TestCommitAll(t *testing.T) {
	for fails := 0; ; fails++ {
		folder := t.TempDir()
		first, second := filepath.Join(folder, "first"), filepath.Join(folder, "second")
		if err := os.WriteFile(second, []byte("old"), 0o666); err != nil {
			t.Fatal(err)
		}
		a, b := write(t, first, "new"), write(t, second, "new")
		calls, failed := 0, ""
		restore := disk.Inject(func(c disk.Call) disk.Fault {
			if calls++; calls-1 == fails {
				failed = c.Op + " " + filepath.Base(c.Name)
				return disk.Fault{Err: syscall.EIO}
			}
			return disk.Fault{}
		})
		err := CommitAll(a, b)
		restore()
		gotA, _ := os.ReadFile(first)
		gotB, _ := os.ReadFile(second)
		got, names := string(gotA)+" "+string(gotB), dir(t, folder)
		want := " old"
		switch {
		case err == nil:
			want = "new new"
		case failed == "rename second":
			want = "new old"
		}
		if got != want || slices.ContainsFunc(names, func(n string) bool { return strings.HasPrefix(n, ".") }) {
			t.Errorf("after %s failed: error %v, contents %q, files %q", failed, err, got, names)
		}
		var at *os.PathError
		if err != nil && (!errors.As(err, &at) || at.Path != first && at.Path != second) {
			t.Errorf("after %s failed: error %v", failed, err)
		}
		if failed == "" {
			if err != nil {
				t.Error(err)
			}
			return
		}
	}
}

// TestLinkFails has a system that gives no name to a file without one.
func TestLinkFails(t *testing.T) {
	for _, fault := range []error{syscall.EPERM, syscall.EXDEV, syscall.ENOSPC, syscall.EINTR} {
		for _, old := range []bool{false, true} {
			folder := t.TempDir()
			path := filepath.Join(folder, "out")
			if old {
				if err := os.WriteFile(path, []byte("old"), 0o640); err != nil {
					t.Fatal(err)
				}
			}
			f := write(t, path, "text")
			left := 5 // of interruptions
			restore := disk.Inject(func(c disk.Call) disk.Fault {
				if left--; c.Op == "link" && (fault != syscall.EINTR || left >= 0) {
					return disk.Fault{Err: fault}
				}
				return disk.Fault{}
			})
			err := f.Commit()
			restore()
			if got, _ := os.ReadFile(path); err != nil || string(got) != "text" {
				t.Errorf("%v: error %v, the file holds %q", fault, err, got)
			}
			if info, err := os.Stat(path); old && (err != nil || info.Mode().Perm() != 0o640) {
				t.Errorf("%v: permissions became %v", fault, info.Mode())
			}
			if names := dir(t, folder); len(names) != 1 {
				t.Errorf("%v: %q", fault, names)
			}
		}
	}
}

// TestReserve takes room for more than is written, by either way, and for more
// than there is.
func TestReserve(t *testing.T) {
	for _, fault := range []error{nil, syscall.EOPNOTSUPP} {
		path := filepath.Join(t.TempDir(), "out")
		f := write(t, path, "te")
		restore := disk.Inject(func(c disk.Call) disk.Fault {
			if c.Op == "allocate" {
				return disk.Fault{Err: fault}
			}
			return disk.Fault{}
		})
		err := f.Reserve(3 << 20)
		restore()
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(f, "xt")
		if err := f.Commit(); err != nil {
			t.Fatal(err)
		}
		if got, _ := os.ReadFile(path); string(got) != "text" {
			t.Errorf("%v: the file holds %d bytes", fault, len(got))
		}
	}
	f := write(t, filepath.Join(t.TempDir(), "out"), "")
	defer f.Abort()
	defer disk.Inject(func(c disk.Call) disk.Fault {
		if c.Op == "allocate" || c.Op == "write" {
			return disk.Fault{Err: syscall.ENOSPC}
		}
		return disk.Fault{}
	})()
	if err := f.Reserve(1); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("error %v", err)
	}
}

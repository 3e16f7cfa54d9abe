//go:build unix

package arrowio

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
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

// TestCreateDescriptor writes to /dev/fd: output goes on where the descriptor stands, as a shell's >> expects.
func TestCreateDescriptor(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	f.WriteString("before ")
	out, err := CreateFile(fmt.Sprintf("/dev/fd/%d", f.Fd()))
	if err != nil {
		t.Skip(err)
	}
	io.WriteString(out, "after")
	if err := out.Commit(); err != nil {
		t.Fatal(err)
	}
	if got, _ := os.ReadFile(path); string(got) != "before after" {
		t.Errorf("the file holds %q", got)
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

func TestCreateFileProtected(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("nothing is protected from root")
	}
	path := filepath.Join(t.TempDir(), "out")
	os.WriteFile(path, nil, 0o444)
	if _, err := CreateFile(path); !errors.Is(err, os.ErrPermission) {
		t.Errorf("error %v", err)
	}
}

func TestCreateFileLinkLoop(t *testing.T) {
	path := filepath.Join(t.TempDir(), "loop")
	if err := os.Symlink("loop", path); err != nil {
		t.Skip(err)
	}
	if _, err := CreateFile(path); err == nil {
		t.Error("a link to itself was opened")
	}
}

func TestSameOutput(t *testing.T) {
	folder := t.TempDir()
	at := func(name string) string { return filepath.Join(folder, name) }
	if err := errors.Join(os.Mkdir(at("real"), 0o777), os.Symlink("real", at("link")), os.WriteFile(at("real/old"), nil, 0o666),
		os.Symlink("real/new", at("near")), os.Symlink("near", at("far")), os.Symlink("loop", at("loop"))); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{at("real/new"), at("link/new"), true},
		{at("real/old"), at("link/old"), true},
		{at("real/new"), at("far"), true},
		{at("real/new"), at("real/old"), false},
		{at("real/new"), at("new"), false},
		{at("loop"), at("real/new"), false},
		{"-", at("real/new"), false},
		{"-", "-", true},
		{"/dev/null", "/dev/./null", false}, // room for both
	} {
		if SameOutput(c.a, c.b) != c.want || SameOutput(c.b, c.a) != c.want {
			t.Errorf("%s and %s: not %t", c.a, c.b, c.want)
		}
	}
}

// TestKilled kills a process in the middle of writing. Where files can be without a name, nothing is left.
func TestKilled(t *testing.T) {
	if folder := os.Getenv("ARROWIO_TEST_KILL"); folder != "" {
		w, err := Create(filepath.Join(folder, "out"), int64Schema, WriteOptions{RowGroupBytes: 64})
		if err == nil {
			rec := int64Batch(memory.DefaultAllocator, int64Schema, 0, 1<<18)
			err = w.Write(rec)
		}
		fmt.Println("written", err)
		select {}
	}
	if runtime.GOOS != "linux" {
		t.Skip("needs files without a name")
	}
	folder := t.TempDir()
	if f, err := openUnnamed(folder, "probe"); err != nil {
		t.Skip(err)
	} else {
		f.Close()
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestKilled$")
	cmd.Env = append(os.Environ(), "ARROWIO_TEST_KILL="+folder)
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil || line != "written <nil>\n" {
		t.Errorf("child said %q, %v", line, err)
	}
	cmd.Process.Kill()
	cmd.Wait()
	if names := dir(t, folder); len(names) > 0 {
		t.Errorf("left behind: %q", names)
	}
}

// TestCreateFileNamed goes the way of systems that cannot keep a file without a name.
func TestCreateFileNamed(t *testing.T) {
	folder := t.TempDir()
	target := filepath.Join(folder, "out")
	for _, commit := range []bool{false, true} {
		f := &File{name: "given", target: target}
		var err error
		f.temp, f.f, err = f.named(func(temp string) (*os.File, error) {
			return os.OpenFile(temp, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o666)
		})
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(f, "text")
		if commit {
			err = f.Commit()
		} else {
			err = f.Abort()
		}
		if err != nil {
			t.Fatal(err)
		}
		want := ""
		if commit {
			want = "out"
		}
		if names := dir(t, folder); strings.Join(names, " ") != want {
			t.Errorf("commit %v: %q", commit, names)
		}
	}
}

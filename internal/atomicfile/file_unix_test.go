//go:build unix

package atomicfile

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/aefeat/aefeat/internal/disk"
)

// TestCreateDescriptor writes to /dev/fd: output goes on where the descriptor
// stands, as a shell's >> expects.
func TestCreateDescriptor(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	f.WriteString("before ")
	out, err := Create(fmt.Sprintf("/dev/fd/%d", f.Fd()))
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

func TestCreateProtected(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("nothing is protected from root")
	}
	path := filepath.Join(t.TempDir(), "out")
	os.WriteFile(path, nil, 0o444)
	if _, err := Create(path); !errors.Is(err, os.ErrPermission) {
		t.Errorf("error %v", err)
	}
}

func TestCreateLinkLoop(t *testing.T) {
	path := filepath.Join(t.TempDir(), "loop")
	if err := os.Symlink("loop", path); err != nil {
		t.Skip(err)
	}
	if _, err := Create(path); err == nil {
		t.Error("a link to itself was opened")
	}
}

func TestSame(t *testing.T) {
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
		if Same(c.a, c.b) != c.want || Same(c.b, c.a) != c.want {
			t.Errorf("%s and %s: not %t", c.a, c.b, c.want)
		}
	}
}

// TestKilled kills a process in the middle of writing, and between giving the
// output another name and renaming it. Where files can be without a name,
// nothing is left of the first, and the next output of the name removes what is
// left of the second, but nothing of a process that lives.
func TestKilled(t *testing.T) {
	folder, when := os.Getenv("ATOMICFILE_TEST_KILL"), os.Getenv("ATOMICFILE_TEST_WHEN")
	if folder != "" {
		killed(filepath.Join(folder, "out"), when)
	}
	if runtime.GOOS != "linux" {
		t.Skip("needs files without a name")
	}
	for _, when := range []string{"write", "rename", "named"} {
		folder := t.TempDir()
		if f, err := disk.CreateUnnamed(folder, "probe"); err != nil {
			t.Skip(err)
		} else {
			f.Close()
		}
		out := filepath.Join(folder, "out")
		if err := os.WriteFile(out, []byte("old"), 0o666); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(os.Args[0], "-test.run=^TestKilled$")
		cmd.Env = append(os.Environ(), "ATOMICFILE_TEST_KILL="+folder, "ATOMICFILE_TEST_WHEN="+when)
		stdout, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		line, err := bufio.NewReader(stdout).ReadString('\n')
		if err != nil || line != "written\n" {
			t.Errorf("child said %q, %v", line, err)
		}
		between := []string{".out.0.tmp", "out"}
		if when == "write" {
			between = between[1:]
		}
		again := func(want []string) {
			t.Helper()
			f, err := Create(out)
			if err != nil {
				t.Fatal(err)
			}
			if names := dir(t, folder); !slices.Equal(names, want) {
				t.Errorf("%s: %q, want %q", when, names, want)
			}
			if err := f.Abort(); err != nil {
				t.Error(err)
			}
		}
		again(between) // a process that lives
		cmd.Process.Kill()
		cmd.Wait()
		if names := dir(t, folder); !slices.Equal(names, between) {
			t.Errorf("%s: left behind: %q", when, names)
		}
		again([]string{"out"})
		if got, _ := os.ReadFile(out); string(got) != "old" {
			t.Errorf("the file holds %q", got)
		}
	}
}

// killed writes path as far as when says, tells so, and waits to be killed.
func killed(path, when string) {
	opened := 0
	disk.Inject(func(c disk.Call) disk.Fault {
		if when == "named" && c.Op == "open" && c.Name == path {
			if opened++; opened == 2 { // after the one that it replaces
				return disk.Fault{Err: syscall.EOPNOTSUPP}
			}
		}
		if c.Op == "rename" {
			fmt.Println("written")
			select {}
		}
		return disk.Fault{}
	})
	w, err := Create(path)
	if err == nil {
		_, err = w.Write(make([]byte, 1<<20))
	}
	if err == nil && when == "rename" {
		err = w.Commit()
	}
	if err != nil {
		fmt.Println(err)
	}
	fmt.Println("written")
	select {}
}

// TestCreateNamed goes the way of systems that cannot keep a file without a
// name.
func TestCreateNamed(t *testing.T) {
	folder := t.TempDir()
	target := filepath.Join(folder, "out")
	for _, commit := range []bool{false, true} {
		f := &File{name: "given", target: target}
		var err error
		f.temp, f.f, err = f.createNamed()
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

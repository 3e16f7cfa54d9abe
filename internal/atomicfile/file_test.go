package atomicfile

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// dir returns the names in a folder.
func dir(t *testing.T, folder string) []string {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestCreateErrors(t *testing.T) {
	folder := t.TempDir()
	for _, path := range []string{folder, filepath.Join(folder, "missing", "out")} {
		if _, err := Create(path); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: error %v", path, err)
		}
	}
	if names := dir(t, folder); len(names) != 0 {
		t.Errorf("the folder holds %q", names)
	}
}

func TestFileWholeOrNothing(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "out")
	if err := os.WriteFile(path, []byte("old"), 0o640); err != nil {
		t.Fatal(err)
	}
	f, err := Create(path)
	if err != nil {
		t.Fatal(err)
	}
	f.Write([]byte("new"))
	if got, _ := os.ReadFile(path); string(got) != "old" {
		t.Errorf("before Commit the file holds %q", got)
	}
	if err := f.Abort(); err != nil {
		t.Fatal(err)
	}
	if got, _ := os.ReadFile(path); string(got) != "old" {
		t.Errorf("after Abort the file holds %q", got)
	}
	if names := dir(t, folder); len(names) != 1 {
		t.Errorf("after Abort the folder holds %q", names)
	}

	link := filepath.Join(folder, "link")
	if err := os.Symlink("out", link); err != nil {
		t.Skip(err)
	}
	for _, name := range []string{path, link} {
		if f, err = Create(name); err != nil {
			t.Fatal(err)
		}
		f.Write([]byte("new by " + name))
		if err := f.Commit(); err != nil {
			t.Fatal(err)
		}
		if got, _ := os.ReadFile(path); string(got) != "new by "+name {
			t.Errorf("the file holds %q", got)
		}
		if err := f.Abort(); err != nil {
			t.Errorf("Abort after Commit: %v", err)
		}
	}
	if info, _ := os.Lstat(link); info.Mode()&os.ModeSymlink == 0 {
		t.Error("the symlink was replaced")
	}
	if info, _ := os.Stat(path); info.Mode().Perm() != 0o640 {
		t.Errorf("permissions became %v", info.Mode())
	}
	if names := dir(t, folder); len(names) != 2 {
		t.Errorf("the folder holds %q", names)
	}
}

func TestWrite(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "out")
	fault := errors.New("no more")
	for _, c := range []struct {
		text string
		err  error
		want string
	}{{"first", nil, "first"}, {"half of the sec", fault, "first"}, {"third", nil, "third"}} {
		err := Write(path, func(w io.Writer) error {
			io.WriteString(w, c.text)
			return c.err
		})
		if got, _ := os.ReadFile(path); err != c.err || string(got) != c.want {
			t.Errorf("%s: the file holds %q, error %v", c.text, got, err)
		}
	}
	if err := Write(filepath.Join(folder, "missing", "out"), nil); err == nil {
		t.Error("a folder that is not there is no error")
	}
	if names := dir(t, folder); len(names) != 1 {
		t.Errorf("the folder holds %q", names)
	}
}

package disk

import (
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
)

func TestScratch(t *testing.T) {
	left := []string{".x-1-y", ".x-4294967295-y"}
	kept := []string{".x--y", ".x-1-", ".x-1a-y", ".x-1-y.parquet", "x-1-y", ".x-3-y"} // the last is a folder
	for name, unnamed := range map[string]bool{"without a name": true, "with one": false} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for _, name := range append(left, kept...) {
				var err error
				if name == ".x-3-y" {
					err = os.Mkdir(filepath.Join(dir, name), 0o777)
				} else {
					err = os.WriteFile(filepath.Join(dir, name), nil, 0o666)
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			named := false
			restore := Inject(func(c Call) Fault {
				if c.Op == "open" && c.Name == dir && !unnamed {
					unnamed = true // but for the next call
					return Fault{Err: syscall.EOPNOTSUPP}
				}
				for _, name := range names(t, dir) {
					named = named || !slices.Contains(left, name) && !slices.Contains(kept, name)
				}
				return Fault{}
			})
			defer restore()
			hidden := unnamed && runtime.GOOS == "linux"
			f, err := CreateScratch(dir, ".x-*-y")
			if err != nil {
				t.Fatal(err)
			}
			if _, err := f.Write([]byte("abc")); err != nil {
				t.Fatal(err)
			}
			if got := names(t, dir); runtime.GOOS != "windows" && len(got) != len(kept) {
				t.Errorf("the folder holds %q", got)
			}
			if hidden == named {
				t.Errorf("at some moment it has a name: %t", named)
			}
			if err := f.Close(); err != nil {
				t.Error(err)
			}
			if got := names(t, dir); len(got) != len(kept) {
				t.Errorf("the folder holds %q", got)
			}
		})
	}
}

// A name that cannot be removed from an open file goes when it is closed.
func TestScratchWithName(t *testing.T) {
	dir := t.TempDir()
	restore := Inject(func(c Call) Fault {
		if c.Op == "remove" || c.Op == "open" && !strings.Contains(c.Name, ".x-") && runtime.GOOS == "linux" {
			return Fault{Err: syscall.EACCES}
		}
		return Fault{}
	})
	defer restore()
	if _, err := CreateScratch(dir, ".x-*"); err == nil {
		t.Fatal("no file can be created, and there is one")
	}
	opens := 0
	restore = Inject(func(c Call) Fault {
		if c.Op == "open" {
			opens++
		}
		if c.Op == "remove" || c.Op == "open" && opens == 1 {
			return Fault{Err: syscall.EACCES}
		}
		return Fault{}
	})
	defer restore()
	f, err := CreateScratch(dir, ".x-*")
	if runtime.GOOS != "linux" && err != nil { // there the first one is no call
		f, err = CreateScratch(dir, ".x-*")
	}
	if err != nil || len(names(t, dir)) != 1 {
		t.Fatalf("%v, and the folder holds %q", err, names(t, dir))
	}
	restore()
	if err := f.Close(); err != nil || len(names(t, dir)) != 0 {
		t.Errorf("%v, and the folder holds %q", err, names(t, dir))
	}
}

func names(t *testing.T, dir string) (all []string) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return all
}

package arrowio

import (
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/aefeat/aefeat/internal/disk"
)

func TestNaturalOrder(t *testing.T) {
	want := []string{"a", "a/z", "a1", "a01/x", "a2", "a10", "a10b2", "a10b11", "b", "part-9.parquet", "part-010.parquet", "part-10.parquet"}
	got := slices.Clone(want)
	for range 20 {
		rand.Shuffle(len(got), func(i, j int) { got[i], got[j] = got[j], got[i] })
		slices.SortFunc(got, naturalOrder)
	}
	for i, a := range got {
		for j, b := range got {
			if c := naturalOrder(a, b); c != -naturalOrder(b, a) || (c < 0) != (i < j) {
				t.Errorf("%q and %q: %d", a, b, c)
			}
		}
	}
	if slices.Index(got, "a2") > slices.Index(got, "a10") || slices.Index(got, "part-9.parquet") > slices.Index(got, "part-010.parquet") || slices.Index(got, "a/z") > slices.Index(got, "a1") {
		t.Error(got)
	}
}

func TestWalk(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a", "sub/b10", "sub/b9", "sub/_hidden", "sub/deep/c"} {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(dir)
	for _, c := range []struct {
		inputs []string
		want   []File
	}{
		{nil, []File{{"-", ""}}},
		{[]string{"a", "-"}, []File{{"a", ""}, {"-", ""}}},
		{[]string{"sub/"}, []File{{"sub/b9", "sub/"}, {"sub/b10", "sub/"}, {"sub/deep/c", "sub/"}}},
		{[]string{"[as]*"}, []File{{"a", ""}, {"sub/b9", "sub"}, {"sub/b10", "sub"}, {"sub/deep/c", "sub"}}},
		{[]string{"sub/b*", "sub/deep"}, []File{{"sub/b9", ""}, {"sub/b10", ""}, {"sub/deep/c", "sub/deep"}}},
		{[]string{"."}, []File{{"a", "."}, {"sub/b9", "."}, {"sub/b10", "."}, {"sub/deep/c", "."}}},
	} {
		got, err := Walk(c.inputs)
		for i := range got {
			got[i].Name = filepath.ToSlash(got[i].Name)
		}
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%q: %v %v, expected %v", c.inputs, got, err, c.want)
		}
	}
}

func TestKeysOf(t *testing.T) {
	for path, want := range map[string][]key{
		"a/b.parquet":                       nil,
		"label=1":                           nil, // the file itself
		"a/label=1/b":                       {{"label", "1", false}},
		"/x/a=1/b=%C3%A9%2F=y/c":            {{"a", "1", false}, {"b", "é/=y", false}},
		"a=__HIVE_DEFAULT_PARTITION__/b=/c": {{"a", "__HIVE_DEFAULT_PARTITION__", true}, {"b", "", false}},
		"a=1/a=2/c":                         {{"a", "1", false}},
		"=1/k%20y=%zz/c":                    {{"k y", "%zz", false}},
		"a=%ff/c":                           {{"a", "%ff", false}},
		"./../a=1/./c":                      {{"a", "1", false}},
	} {
		if got := keysOf(filepath.FromSlash(path)); !slices.Equal(got, want) {
			t.Errorf("%s: %v, expected %v", path, got, want)
		}
	}
	for value, want := range map[string]bool{"0": true, "-7": true, "007": true, "9223372036854775807": true, "9223372036854775808": false, "+1": false, "1.0": false, "": false, " 1": false, "1_000": false, "0x1": false} {
		if isInteger(value) != want {
			t.Errorf("%q", value)
		}
	}
}

func FuzzKeys(f *testing.F) {
	f.Add("a=1/b=%C3%A9/c")
	f.Add("=/%=%/x=%ff/")
	f.Fuzz(func(t *testing.T, path string) {
		for _, k := range keysOf(path) {
			if k.name == "" || strings.Count(path, "=") == 0 {
				t.Errorf("%q: %v", path, k)
			}
			for _, typ := range []arrow.DataType{arrow.BinaryTypes.String, arrow.PrimitiveTypes.Int64} {
				if typ.ID() == arrow.INT64 && !isInteger(k.value) {
					continue
				}
				a := k.column(memory.DefaultAllocator, typ, 3)
				if a.Len() != 3 || a.IsNull(2) != k.null || !k.null && typ.ID() == arrow.STRING && a.ValueStr(2) != k.value {
					t.Errorf("%q: %v as %s", path, k, a)
				}
				a.Release()
			}
		}
	})
}

// TestPatterns compares patterns with what filepath.Glob makes of them.
func TestPatterns(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a/x1/p.q", "a/x2/p.q", "a/x2/.h", "b/x1/p.r", "b/y", "c[d/p.q", `e\f/p.q`} {
		name = filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o777), os.WriteFile(name, nil, 0o666)); err != nil {
			t.Fatal(err)
		}
	}
	for _, pattern := range []string{
		"*", "*/*", "*/*/*", "*/x?/p.q", "a/x1/*", "a/x[12]/p.*", "//a//x1//*", "b/y/*", "b/*/p.r", "none/*", "*/none/*", "a*/", "*/x1/",
		`c\[d/*`, `e\\f/*`, "a/.*", "a/x2/.*", "[", "a/[/x", "a/x1/[", "none/[", "../*/a/*", "./a/*",
	} {
		pattern = dir + "/" + pattern
		want, wantErr := filepath.Glob(pattern)
		files, err := Expand([]string{pattern})
		if wantErr != nil || len(want) == 0 {
			if err == nil || wantErr != nil && !errors.Is(err, wantErr) {
				t.Errorf("%s: %q, error %v, want %v", pattern, files, err, wantErr)
			}
			continue
		}
		var all []string
		for _, name := range want {
			below, err := Expand([]string{name})
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, below...)
		}
		if err != nil || !slices.Equal(files, all) {
			t.Errorf("%s: %q, want %q, error %v", pattern, files, all, err)
		}
	}
}

// TestUnreadableFolders refuses what it cannot read in full: fewer files are
// other data.
func TestUnreadableFolders(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a/1", "b/1"} {
		name = filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o777), os.WriteFile(name, nil, 0o666)); err != nil {
			t.Fatal(err)
		}
	}
	closed := filepath.Join(dir, "b")
	defer disk.Inject(func(c disk.Call) (f disk.Fault) {
		if c.Op == "readdir" && c.Name == closed {
			f.Err = syscall.EACCES
		}
		return f
	})()
	for _, input := range []string{filepath.Join(dir, "*", "1"), dir} {
		files, err := Expand([]string{input})
		var at *FileError
		if !errors.As(err, &at) || at.File != closed || !errors.Is(err, syscall.EACCES) {
			t.Errorf("%s: %q, error %v", input, files, err)
		}
	}
}

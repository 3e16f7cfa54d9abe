// Package internal holds the test of the import table: which package of this
// module may know which other.
package internal

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const (
	module  = "github.com/aefeat/aefeat/"
	arrowGo = "github.com/apache/arrow-go/v18/"
)

// mayImport is the whole table for packages outside cmd, bench and testdata,
// which may import everything. An edge that is not here is an error, and so
// is a package that is not here.
var mayImport = map[string][]string{
	"arrowio": {
		"arrowio/internal/bound", "arrowio/internal/schema", "arrowio/internal/container",
		"arrowio/internal/parquet", "arrowio/internal/parquetw", "arrowio/internal/ipc",
		"internal/atomicfile", "internal/disk",
	},
	"model":                {"internal/f32", "internal/lbfgs", "internal/rng", "internal/symmetric"},
	"patch":                {"model", "internal/npy"},
	"stage":                {"patch", "model", "internal/rng", "internal/spill"},
	"linear":               {"internal/f32", "internal/lbfgs"},
	"imagery":              {"model"},
	"imagery/report":       {"model"},
	"imagery/gabor":        {"model", "internal/f32"},
	"imagery/pool":         {"model", "internal/f32"},
	"internal/cpu":         {},
	"internal/descriptors": {},
	"internal/f32":         {"internal/cpu"},
	"internal/labelled":    {"patch", "model"},
	"internal/imageset":    {"arrowio", "patch", "model", "imagery", "internal/disk", "internal/npy"},
	"internal/arrowtest":   {},
	"internal/atomicfile":  {"internal/disk"},
	"internal/disk":        {},
	"internal/lbfgs":       {},
	"internal/limits":      {},
	"internal/npy":         {},
	"internal/onnx":        {"model"},
	"internal/rng":         {},
	"internal/spill":       {"internal/disk", "internal/rng"},
	"internal/symmetric":   {},

	// The layers of arrowio, from the bottom up. The formats know nothing of
	// each other.
	"arrowio/internal/thrift":    {},
	"arrowio/internal/format":    {},
	"arrowio/internal/bound":     {},
	"arrowio/internal/message":   {"arrowio/internal/bound"},
	"arrowio/internal/schema":    {"arrowio/internal/bound"},
	"arrowio/internal/container": {"arrowio/internal/schema"},
	"arrowio/internal/parquet": {
		"arrowio/internal/thrift", "arrowio/internal/format", "arrowio/internal/bound",
		"arrowio/internal/message", "arrowio/internal/schema", "arrowio/internal/container",
	},
	"arrowio/internal/parquetw": {
		"arrowio/internal/thrift", "arrowio/internal/format", "arrowio/internal/container",
	},
	"arrowio/internal/ipc": {
		"arrowio/internal/bound", "arrowio/internal/message", "arrowio/internal/schema",
		"arrowio/internal/container",
	},
}

// knowsNo lists libraries that a package must not import: the model knows no
// Arrow, the kernels and the formats know nothing of each other.
var knowsNo = map[string][]string{
	"model":          {"github.com/apache/arrow-go", "os", "github.com/urfave/cli"},
	"linear":         {"github.com/apache/arrow-go"},
	"imagery":        {"github.com/apache/arrow-go"},
	"imagery/report": {"github.com/apache/arrow-go", "gonum.org", "net/http"},
	"arrowio":        {"gonum.org", arrowGo + "parquet", arrowGo + "arrow/ipc"},
	"patch":          {"gonum.org"},
	"stage":          {"gonum.org"},

	"arrowio/internal/thrift":    {arrowGo},
	"arrowio/internal/format":    {arrowGo},
	"arrowio/internal/bound":     {arrowGo + "parquet", arrowGo + "arrow/ipc"},
	"arrowio/internal/message":   {arrowGo},
	"arrowio/internal/schema":    {arrowGo + "parquet", arrowGo + "arrow/ipc"},
	"arrowio/internal/container": {arrowGo + "parquet", arrowGo + "arrow/ipc"},
	"arrowio/internal/ipc":       {arrowGo + "parquet"},
	"arrowio/internal/parquet":   {arrowGo + "arrow/ipc"},
}

// Whoever has batches of their own links no file format, and no network.
func TestStageLinksNoFileFormat(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", "../stage", "../patch").Output()
	if err != nil {
		t.Fatal(err)
	}
	packages := strings.Fields(string(out))
	if !slices.Contains(packages, strings.TrimSuffix(module, "/")+"/stage") {
		t.Fatalf("the list has no stage: %q", packages)
	}
	for _, pkg := range packages {
		for _, part := range []string{"parquet", "arrow/ipc", "arrow/flight", "grpc", "protobuf"} {
			if strings.Contains(pkg, part) {
				t.Errorf("stage or patch links %s", pkg)
			}
		}
	}
}

// Only internal/disk calls what package os has for files, so that a test can
// make each call fail, and nothing but tests does.
func TestFilesGoThroughDisk(t *testing.T) {
	calls := []string{
		"Open", "OpenFile", "Create", "CreateTemp", "Mkdir", "MkdirAll", "MkdirTemp", "ReadDir", "ReadFile", "WriteFile",
		"Stat", "Lstat", "Rename", "Link", "Symlink", "Remove", "RemoveAll", "Truncate", "Chmod", "Glob", "WalkDir", "Walk",
	}
	for _, dir := range []string{"../arrowio", "../cmd", "../imagery", "../linear", "../model", "../patch", "../stage", "."} {
		err := filepath.WalkDir(dir, func(file string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if d.IsDir() && (file == "disk" || d.Name() == "testdata" || strings.HasPrefix(d.Name(), "_")) {
				return filepath.SkipDir
			}
			if !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
				return nil
			}
			set := token.NewFileSet()
			parsed, err := parser.ParseFile(set, file, nil, 0)
			if err != nil {
				return err
			}
			ast.Inspect(parsed, func(n ast.Node) bool {
				s, ok := n.(*ast.SelectorExpr)
				if !ok {
					return true
				}
				switch pkg, _ := s.X.(*ast.Ident); {
				case pkg == nil:
				case (pkg.Name == "os" || pkg.Name == "filepath") && slices.Contains(calls, s.Sel.Name):
					t.Errorf("%s: %s.%s, where tests cannot make it fail: use internal/disk", set.Position(s.Pos()), pkg.Name, s.Sel.Name)
				case pkg.Name == "disk" && s.Sel.Name == "Inject":
					t.Errorf("%s: faults are for tests", set.Position(s.Pos()))
				}
				return true
			})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestImportTable(t *testing.T) {
	seen := map[string]bool{}
	err := filepath.WalkDir("..", func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() {
			if name == "testdata" || name == "bench" || name == "cmd" || name != ".." && strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_") {
				return filepath.SkipDir
			}
			// A module of its own has other libraries and its own tests.
			if _, err := os.Stat(filepath.Join(file, "go.mod")); name != ".." && err == nil {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		rel, err := filepath.Rel("..", file)
		if err != nil {
			return err
		}
		pkg := path.Dir(filepath.ToSlash(rel))
		allowed, known := mayImport[pkg]
		if !known {
			t.Errorf("%s: package %s is not in the import table", rel, pkg)
			return nil
		}
		seen[pkg] = true
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, spec := range parsed.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			if ours, ok := strings.CutPrefix(imported, module); ok && !slices.Contains(allowed, ours) {
				t.Errorf("%s: %s may not import %s", rel, pkg, ours)
			}
			for _, foreign := range knowsNo[pkg] {
				if imported == foreign || strings.HasPrefix(imported, strings.TrimSuffix(foreign, "/")+"/") {
					t.Errorf("%s: %s may not import %s", rel, pkg, imported)
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for pkg := range mayImport {
		if !seen[pkg] {
			t.Errorf("package %s of the import table does not exist", pkg)
		}
	}
}

package internal

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// fieldsOf lists the structs whose fields are settings, by package.
var fieldsOf = map[string][]string{
	"arrowio":           {"OpenOptions", "WriteOptions"},
	"patch":             {"BindOptions"},
	"internal/imageset": {"Options"},
	"model":             {"Config", "TrainOptions", "Images"},
	"stage":             {"Config", "TransformConfig", "EvaluateConfig", "ExplainConfig"},
	"imagery/pool":      {"Config"},
}

// labelSetting is what internal/labelled calls the column of the labels, an
// argument of its own and no field.
const labelSetting = "Label"

// Flags are the command's words: a library names a setting by the field of its
// own that holds it.
func TestLibrariesNameNoFlags(t *testing.T) {
	flag := regexp.MustCompile(`--[a-z]`)
	for file, parsed := range libraryFiles(t) {
		for text := range literals(parsed) {
			if flag.MatchString(text) {
				t.Errorf("%s names a flag: %q", file, text)
			}
		}
	}
}

// What ConfigErrors call a setting, and what messages put in backquotes, are
// fields that there are.
func TestSettingsAreFields(t *testing.T) {
	files := libraryFiles(t)
	fields := map[string]bool{labelSetting: true}
	for file, parsed := range files {
		for _, name := range structFields(parsed, fieldsOf[filepath.Dir(file)]) {
			fields[name] = true
		}
	}
	quoted := regexp.MustCompile("`([A-Z][A-Za-z]*)`")
	keys := 0
	for file, parsed := range files {
		for text := range literals(parsed) {
			for _, match := range quoted.FindAllStringSubmatch(text, -1) {
				if keys++; !fields[match[1]] {
					t.Errorf("%s: %s is no field of the settings", file, match[0])
				}
			}
		}
		for _, key := range settingsOf(parsed) {
			if keys++; !fields[key] {
				t.Errorf("%s: a ConfigError with the setting %q, which is no field", file, key)
			}
		}
	}
	if keys < 50 {
		t.Errorf("found %d names of settings: this test looks in the wrong place", keys)
	}
}

// libraryFiles parses the files of all packages but cmd, bench, testdata and
// other modules, test files aside.
func libraryFiles(t *testing.T) map[string]*ast.File {
	files := map[string]*ast.File{}
	err := filepath.WalkDir("..", func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() {
			own, _ := filepath.Glob(filepath.Join(file, "go.mod"))
			if slices.Contains([]string{"testdata", "bench", "cmd"}, name) || name != ".." && (strings.ContainsAny(name[:1], "._") || own != nil) {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel("..", file)
		files[filepath.ToSlash(rel)] = parsed
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// literals yields the values of the string literals in a file.
func literals(file *ast.File) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for n := range ast.Preorder(file) {
			if l, ok := n.(*ast.BasicLit); ok && l.Kind == token.STRING {
				if text, err := strconv.Unquote(l.Value); err == nil && !yield(text) {
					return
				}
			}
		}
	}
}

// structFields returns the names of the fields of the named structs, as far as
// the file declares them.
func structFields(file *ast.File, structs []string) []string {
	var names []string
	for n := range ast.Preorder(file) {
		spec, ok := n.(*ast.TypeSpec)
		if !ok || !slices.Contains(structs, spec.Name.Name) {
			continue
		}
		for _, field := range spec.Type.(*ast.StructType).Fields.List {
			for _, name := range field.Names {
				names = append(names, name.Name)
			}
		}
	}
	return names
}

// settingsOf returns the settings of the ConfigErrors that a file makes, where
// they are literals.
func settingsOf(file *ast.File) []string {
	var keys []string
	for n := range ast.Preorder(file) {
		made, ok := n.(*ast.CompositeLit)
		if !ok || len(made.Elts) == 0 {
			continue
		}
		name := ""
		switch typ := made.Type.(type) {
		case *ast.Ident:
			name = typ.Name
		case *ast.SelectorExpr:
			name = typ.Sel.Name
		}
		first := made.Elts[0]
		if pair, ok := first.(*ast.KeyValueExpr); ok {
			first = pair.Value
		}
		if l, ok := first.(*ast.BasicLit); ok && name == "ConfigError" {
			if key, err := strconv.Unquote(l.Value); err == nil {
				keys = append(keys, key)
			}
		}
	}
	return keys
}

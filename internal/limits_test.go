package internal

import (
	"fmt"
	"go/ast"
	"go/constant"
	"go/parser"
	"go/token"
	"go/types"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// limits are the constants that docs/limits.md tells of, by file and name, with
// the beginning of their lines there. %d is the value, or its part of a unit.
var limits = map[string]struct {
	line string
	unit int64
}{
	"arrowio/internal/parquet/tree.go maxNesting":      {"| %d levels of lists and structs", 1},
	"arrowio/internal/message/message.go maxNesting":   {"| %d levels of lists and structs", 1},
	"arrowio/internal/ipc/stream.go maxMetadata":       {"| %d MiB for the schema, or the description of a batch", 1 << 20},
	"arrowio/internal/parquet/footer.go maxText":       {"| %d MiB for the name of a column", 1 << 20},
	"arrowio/internal/parquet/batches.go maxRowBytes":  {"| %d GiB for a row of Parquet", 1 << 30},
	"arrowio/internal/format/format.go MaxPage":        {"| %d GiB for a page of Parquet", 1 << 30},
	"arrowio/internal/parquet/header.go maxPageHeader": {"| %d MiB for the header of a page", 1 << 20},
	"arrowio/internal/parquet/unpack.go freePages":     {"| %d GiB, and 64 times the size of the row group", 1 << 30},
	"arrowio/internal/parquet/unpack.go maxGrowth":     {"| 1 GiB, and %d times the size of the row group", 1},
	"arrowio/internal/parquet/batches.go freeMemory":   {"| %d GiB, and 16 times its pages", 1 << 30},
	"arrowio/internal/ipc/decoder.go freeBatch":        {"| %d MiB, or 64 times its size", 1 << 20},
	"arrowio/internal/ipc/decoder.go maxGrowth":        {"| 256 MiB, or %d times its size", 1},
	"arrowio/internal/ipc/pieces.go maxPiece":          {"| %d GiB for a piece of a compressed Arrow batch", 1 << 30},
	"arrowio/internal/ipc/pieces.go largeBatch":        {"Compressed Arrow batches of more than %d MiB", 1 << 20},
	"arrowio/internal/ipc/pieces.go pieceBytes":        {"are read in pieces of about %d MiB", 1 << 20},
	"arrowio/internal/schema/conform.go maxNulls":      {"| %d GiB for nulls in place of a column", 1 << 30},
	"patch/vector.go maxVectorBytes":                   {"| %d GiB for the sparse vectors of a batch", 1 << 30},
	"patch/images.go maxImageBytes":                    {"| %d GiB for the encoded images of a batch", 1 << 30},
	"imagery/decode.go MaxPixels":                      {"| %d pixels in an image |", 1},
	"imagery/whole.go MaxWhole":                        {"| %d pixels in an image that is one patch", 1},
	"model/shape.go maxSide":                           {"| %d pixels along a side of a patch", 1},
	"internal/npy/npy.go maxHeader":                    {"| %d bytes for the header of a .npy file", 1},
	"internal/imageset/labels.go mostLabels":           {"| %d labels in one file", 1},
	"stage/tags.go maxTag":                             {"| %d bytes for a value that goes with a row", 1},
	"model/config.go maxWeights":                       {"| %d weights", 1},
	"model/file.go maxHeader":                          {"| %d MiB for the header of a model file", 1 << 20},
	"model/optimizer.go maxEpochs":                     {"| %d epochs", 1},
	"model/optimizer.go maxBatchSize":                  {"| %d rows in a mini-batch", 1},
	"stage/explain.go maxKept":                         {"| %d GiB for the rows that `explain` and `report` keep", 1 << 30},
	"imagery/filters.go maxPictureSide":                {"| %d pixels along a side of a picture", 1},
	"imagery/pool/pool.go maxWidth":                    {"| %d features of an image", 1},
	"imagery/pool/grid.go maxCells":                    {"| %d cells along a side", 1},
	"cmd/aefeat/survey.go mostHead":                    {"| %d rows for `inspect --head`", 1},
}

// noLimits are constants that are called like limits and refuse nothing that is
// sound, or bound what is kept, shown or tried.
var noLimits = regexp.MustCompile(`^(` + strings.Join([]string{
	"arrowio/columns.go maxSchemas", "arrowio/validate.go manyFields", "arrowio/internal/container/container.go maxMade(Key)?",
	"arrowio/internal/thrift/thrift.go maxDepth", "arrowio/internal/parquet/batches.go maxBatchRows", "arrowio/internal/parquetw/.*",
	"arrowio/internal/ipc/file.go maxGap", "arrowio/internal/ipc/pieces.go maxStreams",
	"model/optimizer.go maxRate", "model/read.go maxRowsSeen", "model/likeness.go maxCompared", "model/sums.go maxCount", "model/shards.go MaxShards", "model/pass.go mostSkipping(Rows|Inputs)", "model/encoder.go mostBlockRows",
	"imagery/cut.go maxDraws", "imagery/whole.go max(Lines|Side)", "imagery/filters.go mostThick", "imagery/report/.*", "imagery/gabor/.*",
	"internal/lbfgs/.*", "internal/f32/.*", "internal/imageset/layout.go most(Channels|Values)", "internal/imageset/open.go maxFileBytes",
	"stage/warnings.go maxDrift", "stage/identity.go maxMarks",
	"cmd/aefeat/(cells|tally|inspect_data|recorder|completion|patches|explain|input|report|watch|survey).go .*",
}, "|") + `)$`)

var limitName = regexp.MustCompile(`^([mM]ax|most)[A-Z]`)

// TestLimits compares the page of limits with the code.
func TestLimits(t *testing.T) {
	page, err := os.ReadFile("../docs/limits.md")
	if err != nil {
		t.Fatal(err)
	}
	text := strings.NewReplacer(",", "", "\n", " ").Replace(string(page))
	seen := map[string]bool{}
	err = fs.WalkDir(os.DirFS(".."), ".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != "." && (strings.HasPrefix(d.Name(), ".") || strings.HasPrefix(d.Name(), "_") || path == "bench" || isModule(path)):
			return fs.SkipDir
		case !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		return eachConstant(path, func(name string, value constant.Value) {
			key := path + " " + name
			l, listed := limits[key]
			if !listed {
				if limitName.MatchString(name) && !noLimits.MatchString(key) {
					t.Errorf("%s is neither in docs/limits.md nor said to be no limit", key)
				}
				return
			}
			seen[key] = true
			n, exact := constant.Int64Val(constant.ToInt(value))
			if !exact || n%l.unit != 0 {
				t.Errorf("%s is %v, no multiple of %d", key, value, l.unit)
			}
			if want := strings.ReplaceAll(fmt.Sprintf(l.line, n/l.unit), ",", ""); !strings.Contains(text, want) {
				t.Errorf("docs/limits.md has no %q, for %s", want, key)
			}
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	for key := range limits {
		if !seen[key] {
			t.Errorf("there is no %s", key)
		}
	}
}

// isModule reports a folder with a module of its own.
func isModule(path string) bool {
	_, err := os.Stat(filepath.Join("..", path, "go.mod"))
	return err == nil
}

// eachConstant calls f for the constants of a file that are numbers by
// themselves.
func eachConstant(path string, f func(name string, value constant.Value)) error {
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, filepath.Join("..", path), nil, parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	ast.Inspect(file, func(n ast.Node) bool {
		g, ok := n.(*ast.GenDecl)
		if !ok || g.Tok != token.CONST {
			return true
		}
		for _, s := range g.Specs {
			spec := s.(*ast.ValueSpec)
			for i, name := range spec.Names {
				if i < len(spec.Values) {
					// What refers to others is no error: it stands for them.
					v, err := types.Eval(files, nil, token.NoPos, types.ExprString(spec.Values[i]))
					if err == nil && v.Value != nil && (v.Value.Kind() == constant.Int || v.Value.Kind() == constant.Float) {
						f(name.Name, v.Value)
					}
				}
			}
		}
		return true
	})
	return nil
}

// Package examples has pipeline files of package connect, and their test.
package examples

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/array"
	_ "github.com/redpanda-data/benthos/v4/public/components/io"
	_ "github.com/redpanda-data/benthos/v4/public/components/pure"
	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/aefeat/aefeat/arrowio"
	_ "github.com/aefeat/aefeat/connect"
	"github.com/aefeat/aefeat/model"
	"github.com/aefeat/aefeat/stage"
)

const digits = "../../testdata/digits_test.parquet" // 1,000 rows: image, label

// run runs a pipeline file to its end, with variables.
func run(t *testing.T, file string, variables map[string]string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	b := service.NewStreamBuilder()
	b.SetEnvVarLookupFunc(func(name string) (string, bool) {
		value, ok := variables[name]
		return value, ok
	})
	if err := b.SetYAML(string(text)); err != nil {
		t.Fatal(err)
	}
	if err := b.SetLoggerYAML("level: NONE"); err != nil {
		t.Fatal(err)
	}
	s, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// reader reads the digits.
func reader(t *testing.T) *arrowio.Reader {
	t.Helper()
	source, err := arrowio.Open([]string{digits}, arrowio.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	r, err := source.Reader(context.Background(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		r.Release()
		source.Close()
	})
	return r
}

// fit makes a model of the digits, in a file, and writes their codes to
// another as package stage gives them.
func fit(t *testing.T, path, codes string) *model.Model {
	t.Helper()
	m, _, err := stage.Fit(t.Context(), reader(t), stage.Config{Model: model.Sparse(8), Epochs: 1})
	if err != nil {
		t.Fatal(err)
	}
	var file bytes.Buffer
	if _, err := m.WriteTo(&file); err != nil {
		t.Fatal(err)
	}
	_, info, err := model.ReadInfo(bytes.NewReader(file.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, file.Bytes(), 0o666); err != nil {
		t.Fatal(err)
	}
	r := reader(t)
	tr, err := stage.NewTransformer(m, r.Schema(), stage.TransformConfig{Layout: stage.LayoutList, ModelHash: info.Hash})
	if err != nil {
		t.Fatal(err)
	}
	w, err := arrowio.Create(codes, tr.Schema(), arrowio.WriteOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tr.Run(t.Context(), r, w); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return m
}

func TestJSON(t *testing.T) {
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	m := fit(t, in("m.aef"), in("want.parquet"))

	var lines bytes.Buffer
	var want [][]float32
	encoder := model.NewEncoder(m)
	for r, id := reader(t), 0; r.Next(); {
		pixels := r.RecordBatch().Column(0).(*array.FixedSizeList).ListValues().(*array.Uint8).Uint8Values()
		for ; len(pixels) > 0; pixels, id = pixels[m.Inputs:], id+1 {
			patch := make([]int, m.Inputs)
			for j, v := range pixels[:m.Inputs] {
				patch[j] = int(v)
			}
			if id%300 == 5 {
				patch[9] = 300
			}
			line, err := json.Marshal(map[string]any{"id": id, "patch": patch})
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(&lines, "%s\n", line)
			code := make([]float32, m.Hidden)
			if err := encoder.Encode(code, model.Uint8Rows(pixels[:m.Inputs], m.Inputs)); err != nil {
				t.Fatal(err)
			}
			want = append(want, code)
		}
	}
	if err := os.WriteFile(in("in.jsonl"), lines.Bytes(), 0o666); err != nil {
		t.Fatal(err)
	}
	run(t, "json.yaml", map[string]string{"MODEL": in("m.aef"), "INPUT": in("in.jsonl"), "OUTPUT": in("out.jsonl"), "BAD": in("bad.jsonl")})

	good := 0
	each(t, in("out.jsonl"), func(line []byte) {
		var c struct {
			ID   int
			Code []float32
		}
		if err := json.Unmarshal(line, &c); err != nil {
			t.Fatal(err)
		}
		if fmt.Sprint(c.Code) != fmt.Sprint(want[c.ID]) {
			t.Errorf("message %d: %v, want %v", c.ID, c.Code, want[c.ID])
		}
		good++
	})
	bad := 0
	each(t, in("bad.jsonl"), func(line []byte) {
		var b struct{ Line, Reason string }
		if err := json.Unmarshal(line, &b); err != nil {
			t.Fatal(err)
		}
		if b.Reason != "patch[9] is 300, expected uint8, a whole number from 0 to 255" || !strings.Contains(lines.String(), b.Line+"\n") {
			t.Errorf("%s", line)
		}
		bad++
	})
	if good != 996 || bad != 4 {
		t.Errorf("%d coded, %d not; want 996 and 4", good, bad)
	}
}

// each calls f with the lines of a file.
func each(t *testing.T, path string, f func(line []byte)) {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	s := bufio.NewScanner(file)
	for s.Scan() {
		f(s.Bytes())
	}
}

func TestParquet(t *testing.T) {
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	fit(t, in("m.aef"), in("want.parquet"))
	data, err := os.ReadFile(digits)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(in("in"), 0o777); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"in/a.parquet", "in/b.parquet"} {
		if err := os.WriteFile(in(name), data, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	run(t, "parquet.yaml", map[string]string{"MODEL": in("m.aef"), "INPUT": in("in"), "OUTPUT": in("out")})
	want, err := os.ReadFile(in("want.parquet"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"out/a.parquet", "out/b.parquet"} {
		if got, err := os.ReadFile(in(name)); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %d bytes, want %d; %v", name, len(got), len(want), err)
		}
	}
}

// The page shows the pipeline files as they are.
func TestPage(t *testing.T) {
	page, err := os.ReadFile("../../docs/connect.md")
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("*.yaml")
	if err != nil || len(files) != 3 {
		t.Fatalf("%q, %v", files, err)
	}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(page), "```yaml\n"+string(text)+"```\n") {
			t.Errorf("docs/connect.md does not show %s as it is", name)
		}
	}
}

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/aefeat/aefeat/testdata"
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// hostile has what a terminal obeys or is upset by: titles and colours, a
// cleared screen, lines, directions of text, a C1 control as a rune and as a
// byte that is no UTF-8.
const hostile = "\x1b]0;t\a\x1b[2J\r\nx\u202ey\u2066z\u2028\u009b31m\x9b\x7f\t\b"

// hostileText is hostile as far as it is text.
var hostileText = strings.ToValidUTF8(hostile, "")

// upsets returns the first of what a terminal should not see in a command's
// output.
func upsets(out []byte) string {
	for i, r := range string(out) {
		_, size := utf8.DecodeRune(out[i:])
		if r == utf8.RuneError && size == 1 || r != '\n' && !unicode.IsPrint(r) {
			return fmt.Sprintf("%q in %.300q", out[i:i+size], out[max(0, i-150):])
		}
	}
	return ""
}

// runQuietly runs a command and returns what it writes to a terminal.
func runQuietly(args ...string) (stdout, stderr []byte) {
	var out, err bytes.Buffer
	ui := &console{in: strings.NewReader(""), out: &out, err: &err, json: wantsJSON(args)}
	finish(context.Background(), ui, runApp(context.Background(), newApp(ui), append([]string{"aefeat"}, args...)))
	return out.Bytes(), err.Bytes()
}

// hostileData writes a stream whose names and texts are hostile.
func hostileData(t *testing.T, name, text string) {
	t.Helper()
	texts, pixels := array.NewStringBuilder(memory.DefaultAllocator), array.NewFixedSizeListBuilder(memory.DefaultAllocator, 9, arrow.PrimitiveTypes.Uint8)
	values := pixels.ValueBuilder().(*array.Uint8Builder)
	for i := range 40 {
		texts.Append(text + string(rune('a'+i%2)))
		pixels.Append(true)
		for j := range 9 {
			values.Append(uint8(i*j*(1+i%2)*7 + i))
		}
	}
	label, patch := texts.NewArray(), pixels.NewArray()
	inner, err := array.NewStructArray([]arrow.Array{label, label}, []string{text + "f", "g"})
	if err != nil {
		t.Fatal(err)
	}
	meta := arrow.NewMetadata([]string{text, "aefeat.model", "aefeat.earlier_models"}, []string{text, text, text + " " + text})
	of := arrow.NewSchema([]arrow.Field{
		{Name: text + "p", Type: patch.DataType(), Metadata: arrow.NewMetadata([]string{"ARROW:extension:name"}, []string{text})},
		{Name: text + "l", Type: label.DataType()},
		{Name: text + "s", Type: inner.DataType()},
		{Name: text + ",\"q", Type: label.DataType()},
	}, &meta)
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w := ipc.NewWriter(f, ipc.WithSchema(of))
	if err := w.Write(array.NewRecordBatch(of, []arrow.Array{patch, label, inner, label}, 40)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

// forgeModels writes models that say hostile things, one for each text in the
// settings of a sound one.
func forgeModels(t *testing.T, model, dir string) (names []string) {
	t.Helper()
	b, err := os.ReadFile(model)
	if err != nil {
		t.Fatal(err)
	}
	n := int(b[0]) | int(b[1])<<8 | int(b[2])<<16
	var header map[string]json.RawMessage
	var meta map[string]string
	var config any
	if json.Unmarshal(b[8:8+n], &header) != nil || json.Unmarshal(header["__metadata__"], &meta) != nil || json.Unmarshal([]byte(meta["config"]), &config) != nil {
		t.Fatal("no model")
	}
	delete(meta, "checksum")
	write := func() {
		of, _ := json.Marshal(config)
		meta["config"] = string(of)
		header["__metadata__"], _ = json.Marshal(meta)
		head, _ := json.Marshal(header)
		name := filepath.Join(dir, fmt.Sprintf("%d.m", len(names)))
		file := append([]byte{byte(len(head)), byte(len(head) >> 8), byte(len(head) >> 16), 0, 0, 0, 0, 0}, head...)
		if err := os.WriteFile(name, append(file, b[8+n:]...), 0o666); err != nil {
			t.Fatal(err)
		}
		names = append(names, name)
	}
	var walk func(v any, set func(any))
	walk = func(v any, set func(any)) {
		switch v := v.(type) {
		case map[string]any:
			for key, inner := range v {
				walk(inner, func(x any) { v[key] = x })
			}
			v[hostileText] = hostileText
			write()
			delete(v, hostileText)
		case []any:
			for i := range v[:min(2, len(v))] {
				walk(v[i], func(x any) { v[i] = x })
			}
		case string:
			set(v + hostileText)
			write()
			set(v)
		default:
			set(hostileText)
			write()
			set(v)
		}
	}
	walk(config, func(any) {})
	format := meta["format"]
	meta["format"] = format + hostileText
	write()
	meta["format"] = format
	header[hostileText] = json.RawMessage(`{"dtype":"F32","shape":[1],"data_offsets":[0,4]}`)
	write()
	return names
}

// Nothing that a terminal would obey reaches it, whatever files, columns,
// models and flags are called and hold.
func TestHostileText(t *testing.T) {
	if runtime.GOOS == "windows" || runtime.GOOS == "darwin" {
		t.Skip("files cannot have such names")
	}
	dir := filepath.Join(t.TempDir(), "d"+hostile)
	if err := os.Mkdir(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir()) // for what flags name
	in := func(name string) string { return filepath.Join(dir, name) }
	data, raw, model := in(hostile+".arrows"), in("raw.arrows"), in(hostile+".m")
	hostileData(t, data, hostileText)
	hostileData(t, raw, hostile)
	if err := os.WriteFile(in("junk"+hostile), []byte(hostile+hostile), 0o666); err != nil {
		t.Fatal(err)
	}
	column := "--column=" + quotedColumn(hostileText+"p")
	label := hostileText + "l"
	commands := [][]string{
		{"fit", column, "--hidden=3", "--epochs=2", "--validation=0.2", "--report=" + in("r.json"), "-o", model, data},
		{"fit", "--hidden=3", "-o", in("x.m"), data},
		{"fit", column, "--hidden=3", "--emit", data, "-o", in("x.m"), data},
		{"fit", column, "--hidden=3", "-o", in("no/where/x.m"), data},
		{"fit", column, "--hidden=3", "--resume", model},
		{"fit", column, "--hidden=3", "--validation-key", hostileText + "s", "-o", in("x.m"), data},
		{"transform", "-m", model, "-o", in("o" + hostile + ".parquet"), data},
		{"transform", "-m", model, "-o", in("o.arrow"), data, raw, in("missing" + hostile)},
		{"transform", "-m", model, "--keep", hostile, "-o", in("o.arrow"), data},
		{"transform", "-m", model, "--prefix", hostileText + "l", "--layout=list", "-o", in("o.arrow"), data},
		{"transform", "-m", model, "-o", in("out"+hostile) + "/", dir},
		{"evaluate", "-m", model, data},
		{"evaluate", "-m", model, "--json", data},
		{"evaluate", "-m", in("junk" + hostile), data},
		{"evaluate", "-m", model, in("junk" + hostile)},
		{"probe", "--label", label, "--features", quotedColumn(hostileText + "p"), data},
		{"probe", "--label", label, "--json", "--features", quotedColumn(hostileText + "p"), data},
		{"probe", "--label", label, data},
		{"probe", "--label", hostile, data},
		{"inspect", data}, {"inspect", "--json", data}, {"inspect", "--head=2", "--stats", data}, {"inspect", "--head=2", "--stats", "--json", data},
		{"inspect", raw}, {"inspect", "--json", "--head=2", "--stats", raw}, {"inspect", "--head=2", "--stats", raw},
		{"inspect", dir}, {"inspect", "--json", dir}, {"inspect", model, model}, {"inspect", "--json", model}, {"inspect", in("junk" + hostile)},
		{"patches", "--size=2", "-o", in("p.parquet"), data}, {"patches", "--size=2", "--column", hostileText + "l", "-o", in("p.parquet"), data},
		{"patches", "--size=2", "-o", in("p.parquet"), dir}, {"patches", "--size=2", "--list", in("junk" + hostile), "-o", in("p.parquet")},
		{"image-features", "-m", model, "-o", in("i.parquet"), dir},
		{"filters", "-m", model, "-o", in("f.png"), data}, {"filters", "-m", model, "--json", "-o", in("f.png")},
		{"filters", "-m", model, "-m", in("missing" + hostile), "-o", in("f.png")},
		{"explain", "-m", model, "--keep", label, "-o", in("e.parquet"), data}, {"explain", "-m", model, "--keep", hostile, "-o", in("e.parquet"), data},
		{"report", "-m", model, "--label", label, "-o", in("r.html"), data},
		{"sums", "-m", model, "--shard=0", "-o", in("s" + hostile), data}, {"sums", "-m", model, "--shard=0", "--row-column", hostile, data},
		{"merge", in("s" + hostile), in("s" + hostile)}, {"merge", in("junk" + hostile)}, {"merge", "-o", in("s" + hostile), in("s" + hostile)},
		{"average", model, in("junk" + hostile)}, {"drive", "-m", model, "--shards=1", "-o", in("d" + hostile)},
		{"export", "--onnx", "-m", model, "-o", in("m.onnx")}, {"export", "--onnx", "-m", model, "-o", model},
		{"demo", hostile}, {"demo", "--progress=" + hostile},
		{hostile}, {"--" + hostile}, {"help", hostile}, {"completion", hostile}, {"version", hostile}, {"man", hostile},
	}
	for _, forged := range forgeModels(t, fitFor(t, column, data, in("m.m")), t.TempDir()) {
		commands = append(commands, []string{"inspect", forged}, []string{"inspect", "--json", forged}, []string{"evaluate", "-m", forged, data})
	}
	flags := len(commands) // from here on, whose errors are written in one place
	for _, c := range newApp(&console{}).Commands {
		for _, f := range c.Flags {
			if c.Name == "demo" { // it takes its time
				continue
			}
			commands = append(commands, []string{c.Name, spell(f.Names()[0]) + "=" + hostile, data})
		}
		commands = append(commands, []string{c.Name, "--" + hostile}, []string{c.Name, "--" + hostile + "=" + hostile}, []string{c.Name, in("missing" + hostile)})
	}
	defer func(n int, train string) { demoEpochs, demoTrain = n, train }(demoEpochs, demoTrain)
	demoEpochs, demoTrain = 1, testdata.DigitsTest
	if stdout, stderr := runQuietly("demo", "--dir", filepath.Join(t.TempDir(), hostileText)); upsets(stdout)+upsets(stderr) != "" || len(stdout) == 0 {
		t.Errorf("demo: standard output has %s, standard error has %s\n%s", upsets(stdout), upsets(stderr), stderr)
	}
	for i, args := range commands {
		for _, asJSON := range []bool{false, true} {
			if asJSON {
				if i >= flags && i%4 != 0 {
					continue
				}
				args = append([]string{args[0]}, append([]string{"--progress=json"}, args[1:]...)...)
			}
			stdout, stderr := runQuietly(args...)
			if what := upsets(stdout); what != "" {
				t.Errorf("aefeat %.200q: standard output has %s", args, what)
			}
			if what := upsets(stderr); what != "" {
				t.Errorf("aefeat %.200q: standard error has %s", args, what)
			}
		}
	}
}

// quotedColumn is a name that no list and no path cuts.
func quotedColumn(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// fitFor fits a small model and returns its name.
func fitFor(t *testing.T, column, data, model string) string {
	t.Helper()
	if _, stderr := runQuietly("fit", column, "--hidden=3", "--epochs=2", "-o", model, data); !bytes.Contains(stderr, []byte("fitted")) {
		t.Fatalf("fit: %s", stderr)
	}
	return model
}

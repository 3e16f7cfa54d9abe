package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/aefeat/aefeat/arrowio"
	"github.com/aefeat/aefeat/model"
	"github.com/aefeat/aefeat/stage"
)

// inFolder makes a new folder the current one and writes files of patches of 4
// values into it: so many rows of each, of which every tenth is null.
func inFolder(t *testing.T, rows map[string]int) {
	t.Helper()
	t.Chdir(t.TempDir())
	schema := arrow.NewSchema([]arrow.Field{{Name: "patch", Type: arrow.FixedSizeListOf(4, arrow.PrimitiveTypes.Uint8), Nullable: true}}, nil)
	for name, n := range rows {
		if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
			t.Fatal(err)
		}
		b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
		list := b.Field(0).(*array.FixedSizeListBuilder)
		for i := range n {
			list.Append(i%10 != 9)
			for j := range 4 {
				list.ValueBuilder().(*array.Uint8Builder).Append(uint8(i*7 + j*50))
			}
		}
		format := arrowio.Parquet
		if strings.HasSuffix(name, ".arrows") {
			format = arrowio.Stream
		}
		w, err := arrowio.Create(name, schema, arrowio.WriteOptions{Format: format})
		if err != nil {
			t.Fatal(err)
		}
		batch := b.NewRecordBatch()
		if err := w.Write(batch); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		batch.Release()
		b.Release()
	}
}

// runIn runs a command line and returns what it writes to standard output.
func runIn(t *testing.T, stdin io.Reader, line string) []byte {
	t.Helper()
	var out, err bytes.Buffer
	ui := &console{in: stdin, out: &out, err: &err}
	if e := runApp(context.Background(), newApp(ui), append([]string{"aefeat"}, strings.Fields(line)...)); e != nil {
		t.Fatalf("%s: %v\n%s", line, e, err.Bytes())
	}
	return out.Bytes()
}

// A knownRecord is a record as a program in another language would read it.
type knownRecord struct {
	Record    int
	Command   string
	Arguments []string
	Seed      uint64
	Rows      int64
	Skipped   int64
	HeldOut   int64 `json:"held_out"`
	Best      int   `json:"best_epoch"`
	BadRows   struct {
		Counts map[string]int64
		First  []struct {
			File string
			Row  int64
		}
	} `json:"bad_rows"`
	Inputs, Outputs []struct {
		File, Kind, Format, Input, SHA256 string
		Rows, Bytes                       int64
	}
	Model  knownModel
	Parent *knownModel

	Epochs   []model.Epoch
	Units    map[string]int
	Settings map[string]any
	Training map[string]any

	Evaluation *model.Evaluation
}

type knownModel struct {
	File, SHA256 string
	RowsSeen     int64 `json:"rows_seen"`
}

func readRecord(t *testing.T, name string) (r knownRecord) {
	t.Helper()
	data, err := os.ReadFile(name)
	if err == nil {
		err = json.Unmarshal(data, &r)
	}
	if err != nil {
		t.Fatal(err)
	}
	// What a record says of files is what is there.
	for _, f := range append(r.Inputs, r.Outputs...) {
		data, err := os.ReadFile(f.File)
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprintf("%x", sha256.Sum256(data)); got != f.SHA256 || int64(len(data)) != f.Bytes {
			t.Errorf("%s: %s has %d bytes, SHA-256 %s, and the record %+v", name, f.File, len(data), got, f)
		}
	}
	return r
}

func readModelFile(t *testing.T, name string) (*model.Model, string) {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	m, err := model.Read(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	return m, fmt.Sprintf("%x", sha256.Sum256(data))
}

// metadataOf returns the metadata of a file's schema.
func metadataOf(t *testing.T, name string) map[string]string {
	t.Helper()
	info, err := arrowio.Inspect(name, arrowio.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return info.Schema.Metadata().ToMap()
}

func TestRecordOfFit(t *testing.T) {
	inFolder(t, map[string]int{"a.parquet": 400, "b.parquet": 200})
	runIn(t, nil, "fit --hidden 3 --epochs 3 --seed 5 --validation 0.2 --on-bad-row skip --progress none -o first --report first.json a.parquet b.parquet")
	runIn(t, nil, "fit --init first --epochs 2 --optimizer sgd --on-bad-row skip --progress none -o second --emit features.arrow --report second.json a.parquet")
	first, firstHash := readModelFile(t, "first")
	second, secondHash := readModelFile(t, "second")

	r := readRecord(t, "first.json")
	if r.Record != 1 || r.Command != "fit" || len(r.Arguments) != 19 || r.Arguments[18] != "b.parquet" || r.Seed != 5 || r.Parent != nil {
		t.Errorf("%+v", r)
	}
	if len(r.Inputs) != 2 || r.Inputs[0].Rows != 400 || r.Inputs[1].Rows != 200 || r.Inputs[1].File != "b.parquet" || r.Inputs[1].Format != "parquet" {
		t.Errorf("inputs %+v", r.Inputs)
	}
	if r.Rows+r.HeldOut != 540 || r.Rows != first.History[0].Rows || r.Skipped != 60 || r.BadRows.Counts["null"] != 60 || r.BadRows.First[40].File != "b.parquet" || r.BadRows.First[40].Row != 9 {
		t.Errorf("%d rows, %d held out, %d skipped: %+v", r.Rows, r.HeldOut, r.Skipped, r.BadRows)
	}
	if len(r.Outputs) != 1 || r.Outputs[0].Kind != "model" || r.Model != (knownModel{"first", firstHash, first.RowsSeen}) {
		t.Errorf("outputs %+v, model %+v", r.Outputs, r.Model)
	}
	if !reflect.DeepEqual(r.Epochs, first.History) || len(r.Epochs) != 3 || r.Best != first.Best || r.Units["hidden"] != 3 || r.Units["dead_units"] != first.History[first.Best-1].Dead {
		t.Errorf("epochs %+v, best %d, units %v", r.Epochs, r.Best, r.Units)
	}
	if r.Settings["sparsity_weight"] != first.SparsityWeight || r.Training["learning_rate"] != model.DefaultAdamRate || r.Training["batch_size"] != 256. || r.Training["validation"] != 0.2 || r.Training["on_bad_row"] != "skip" {
		t.Errorf("settings %v, training %v", r.Settings, r.Training)
	}

	r = readRecord(t, "second.json")
	if r.Parent == nil || *r.Parent != (knownModel{"first", firstHash, first.RowsSeen}) || second.Parent != firstHash {
		t.Errorf("parent %+v, in the file %s, want %s", r.Parent, second.Parent, firstHash)
	}
	if r.Model.RowsSeen != first.RowsSeen+2*360 || r.Skipped != 40 || r.Training["momentum"] != model.DefaultMomentum {
		t.Errorf("model %+v, %d skipped, training %v", r.Model, r.Skipped, r.Training)
	}
	if len(r.Inputs) != 1 || len(r.Outputs) != 2 || r.Outputs[1].Kind != "features" || r.Outputs[1].Format != "arrow" || r.Outputs[1].Rows != 400 {
		t.Errorf("inputs %+v, outputs %+v", r.Inputs, r.Outputs)
	}
	if got := metadataOf(t, "features.arrow"); got[stage.ModelKey] != secondHash {
		t.Errorf("metadata %v, want the model %s", got, secondHash)
	}
}

func TestRecordOfTransform(t *testing.T) {
	inFolder(t, map[string]int{"in/a.parquet": 40, "in/deep/b.parquet": 20, "c.parquet": 10})
	runIn(t, nil, "fit --hidden 3 --epochs 1 --on-bad-row skip --progress none -o m in")
	m, hash := readModelFile(t, "m")

	// To a folder: pairs.
	runIn(t, nil, "transform -m m --on-bad-row skip --progress none -o out/ --report each.json in")
	r := readRecord(t, "each.json")
	if len(r.Inputs) != 2 || len(r.Outputs) != 2 || r.Rows != 60 || r.Skipped != 6 || r.BadRows.Counts["null"] != 6 {
		t.Errorf("%+v", r)
	}
	for i, in := range r.Inputs {
		if out := r.Outputs[i]; out.Input != in.File || out.Rows != in.Rows || out.File != "out"+strings.TrimPrefix(in.File, "in") || metadataOf(t, out.File)[stage.ModelKey] != hash {
			t.Errorf("input %+v, output %+v", in, out)
		}
	}

	// From standard input, in place of which a file stands for the reader.
	stream := runIn(t, nil, "transform -m m --on-bad-row skip --progress none --format stream --report plain.json -o - c.parquet")
	if err := os.WriteFile("-", stream, 0o666); err != nil {
		t.Fatal(err)
	}
	runIn(t, io.MultiReader(bytes.NewReader(stream)), "transform -m m --prefix again --on-bad-row skip --progress none --report pipe.json -o twice.parquet -")
	r = readRecord(t, "pipe.json")
	if len(r.Inputs) != 1 || r.Inputs[0].Format != "stream" || r.Inputs[0].Rows != 10 || r.Model != (knownModel{"m", hash, m.RowsSeen}) || r.Settings["prefix"] != "again" {
		t.Errorf("%+v", r)
	}
	if got := metadataOf(t, "twice.parquet"); got[stage.ModelKey] != hash || got[stage.EarlierModelsKey] != hash {
		t.Errorf("metadata %v", got)
	}

	// The hash is that of the bytes of the file.
	before, err := os.ReadFile("c.parquet")
	if err != nil {
		t.Fatal(err)
	}
	runIn(t, nil, "transform -m m --on-bad-row skip --progress none --report third.json -o third.parquet c.parquet")
	data, err := os.ReadFile("third.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &r); err != nil {
		t.Fatal(err)
	}
	if want := fmt.Sprintf("%x", sha256.Sum256(before)); r.Inputs[0].SHA256 != want {
		t.Errorf("%+v, want %s", r.Inputs, want)
	}

	runIn(t, nil, "evaluate -m m --on-bad-row skip --progress none --report evaluate.json in/a.parquet")
	if r = readRecord(t, "evaluate.json"); r.Rows != 36 || r.Evaluation == nil || r.Evaluation.Rows != 36 || r.Evaluation.Cost.Total <= 0 || len(r.Outputs) != 0 {
		t.Errorf("%+v", r)
	}
}

package model

import (
	"bytes"
	"errors"
	"flag"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var writeMissing = flag.Bool("write-models", false, "write those files of testdata/models that are missing")

// Model files of all versions so far stay in testdata/models and stay
// readable. They are never written anew: the codes of one row, noted here when
// they were made, tell whether they still mean the same.
func TestOldModelFiles(t *testing.T) {
	row := []uint8{0, 50, 100, 150, 255}
	for _, old := range []struct {
		name  string
		c     Config // of a model that was trained on scaled rows,
		learn string // or the method of one whose preprocessing was learned
		codes []float64
	}{
		{"v1-sparse.safetensors", configs[1].c, "", []float64{0.23790348, 0.52780116, 0.54112266}},
		{"v1-denoising-tied.safetensors", configs[5].c, "", []float64{0.2434682, 0.53732486, 0.55028214}},
		{"v1-contractive-tanh.safetensors", configs[8].c, "", []float64{-0.81086202, 0.1422265, 0.17694486}},
		{"v1-parent.safetensors", configs[1].c, "", []float64{0.23124096, 0.51844764, 0.53181916}},
		{"v1-patch.safetensors", Config{}, PreprocessPatch, []float64{0.23210293, 0.54206937, 0.47760619}},
		{"v1-standardize.safetensors", Config{}, PreprocessStandardize, []float64{0.46776229, 0.34353083, 0.83433699}},
		{"v1-zca.safetensors", Config{}, PreprocessZCA, []float64{0.37889285, 0.41853601, 0.71745082}},
	} {
		path := filepath.Join("../testdata/models", old.name)
		data, err := os.ReadFile(path)
		if *writeMissing && errors.Is(err, fs.ErrNotExist) {
			m := trainedModel(t, old.c)
			if old.learn != "" {
				m = learnedModel(t, old.learn)
			}
			m.Parent = strings.Repeat("0123456789abcdef", 4)
			data = bytesOf(t, m)
			err = os.WriteFile(path, data, 0o666)
		}
		if err != nil {
			t.Fatal(err)
		}
		m, err := Read(bytes.NewReader(data))
		if err != nil {
			t.Errorf("%s: %v", old.name, err)
			continue
		}
		if m.Activation != old.c.Activation || old.learn != "" && m.Preprocess.Method != old.learn || m.Tied != old.c.Tied || m.RowsSeen != 20 || len(m.History) != 2 || m.Binding.Columns[0] != "pixel*" {
			t.Errorf("%s: %+v", old.name, m)
		}
		if err := m.Check(Uint8Rows(row, 5)); err != nil {
			t.Errorf("%s: %v", old.name, err)
		}
		codes := encodeAll(t, m, Uint8Rows(row, 5))
		if len(codes) != len(old.codes) {
			t.Errorf("%s: codes %v, want %v", old.name, codes, old.codes)
			continue
		}
		for i, want := range old.codes {
			if math.Abs(float64(codes[i])-want) > 1e-6 {
				t.Errorf("%s: code %d is %v, want %v", old.name, i, codes[i], want)
			}
		}
	}
}

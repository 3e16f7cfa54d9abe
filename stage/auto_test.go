package stage

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/aefeat/aefeat/model"
)

// autoRows are 3,000 rows of 4 values as arrays of a type, whose last row holds
// the value last.
func autoRows(t *testing.T, of arrow.DataType, scale, last float64) *array.FixedSizeList {
	t.Helper()
	b := array.NewFixedSizeListBuilder(memory.DefaultAllocator, 4, of)
	for i := range 3000 {
		b.Append(true)
		for j := range 4 {
			v := float64((i*7+j*i)%200) * scale
			if i == 2999 {
				v = last
			}
			if err := b.ValueBuilder().AppendValueFromString(fmt.Sprint(v)); err != nil {
				t.Fatal(err)
			}
		}
	}
	return b.NewListArray()
}

func fitAuto(t *testing.T, rows *array.FixedSizeList, c Config, size int) (*model.Model, []byte) {
	t.Helper()
	schema := arrow.NewSchema([]arrow.Field{{Name: "patch", Type: rows.DataType()}}, nil)
	var batches []arrow.RecordBatch
	for lo := 0; lo < rows.Len(); lo += size {
		n := min(size, rows.Len()-lo)
		batches = append(batches, array.NewRecordBatch(schema, []arrow.Array{array.NewSlice(rows, int64(lo), int64(lo+n))}, int64(n)))
	}
	r, err := array.NewRecordReader(schema, batches)
	if err != nil {
		t.Fatal(err)
	}
	m, _, err := Fit(t.Context(), r, c)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if _, err := m.WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	return m, b.Bytes()
}

// TestPreprocessAuto compares a fit under auto with one under what the rows ask
// for, however they are cut into batches.
func TestPreprocessAuto(t *testing.T) {
	types := arrow.PrimitiveTypes
	for _, tt := range []struct {
		name  string
		of    arrow.DataType
		scale float64
		last  float64
		rows  int // to decide over
		want  string
		max   float64
	}{
		{"bytes", types.Uint8, 1, 255, 0, model.PreprocessScale, 0},
		{"bytes in int32", types.Int32, 1, 255, 0, model.PreprocessScale, 255},
		{"bytes in uint16", types.Uint16, 1, 255, 0, model.PreprocessScale, 255},
		{"uint16", types.Uint16, 300, 0, 0, model.PreprocessStandardize, 0},
		{"int32 in the last row", types.Int32, 1, 256, 0, model.PreprocessStandardize, 0},
		{"negative in the last row", types.Int32, 1, -1, 0, model.PreprocessStandardize, 0},
		{"shares", types.Float32, 1. / 256, 1, 0, model.PreprocessScale, 0},
		{"floats", types.Float32, 1, 0, 0, model.PreprocessStandardize, 0},
		{"more than 1 in the last row", types.Float64, 1. / 256, 1.5, 0, model.PreprocessStandardize, 0},
		{"the last row is not asked", types.Float32, 1. / 256, 1, 2000, model.PreprocessScale, 0},
	} {
		for _, epochs := range []int{1, 2, NoEpochs} {
			rows := autoRows(t, tt.of, tt.scale, tt.last)
			config, err := model.ForObjective(model.ObjectiveSparse, 3, model.PreprocessAuto)
			if err != nil {
				t.Fatal(err)
			}
			c := Config{Model: config, Epochs: epochs, Preprocess: model.PreprocessAuto, PreprocessRows: tt.rows}
			m, got := fitAuto(t, rows, c, 1000)
			if m.Preprocess.Method != tt.want {
				t.Errorf("%s, %d epochs: %s, want %s", tt.name, epochs, m.Preprocess.Method, tt.want)
				continue
			}
			for _, size := range []int{1, 77, 3000} {
				if _, again := fitAuto(t, rows, c, size); !bytes.Equal(again, got) {
					t.Errorf("%s, %d epochs: another model of batches of %d rows", tt.name, epochs, size)
				}
			}
			if c.Model, err = model.ForObjective(model.ObjectiveSparse, 3, tt.want); err != nil {
				t.Fatal(err)
			}
			c.Preprocess, c.PixelMax = tt.want, tt.max
			if tt.want == model.PreprocessScale {
				c.PreprocessRows = 0
			}
			if _, want := fitAuto(t, rows, c, 1000); !bytes.Equal(got, want) {
				t.Errorf("%s, %d epochs: another model than with %s", tt.name, epochs, tt.want)
			}
		}
	}
}

// TestPreprocessAutoResumes goes on from each checkpoint of a fit under auto.
func TestPreprocessAutoResumes(t *testing.T) {
	rows := autoRows(t, arrow.PrimitiveTypes.Float32, 1, 0)
	config, err := model.ForObjective(model.ObjectiveSparse, 3, model.PreprocessAuto)
	if err != nil {
		t.Fatal(err)
	}
	c := Config{Model: config, Epochs: 3, Preprocess: model.PreprocessAuto, CheckpointEvery: 1}
	_, want := fitAuto(t, rows, c, 1000)
	var kept [][]byte
	c.Checkpoint = func(k *Checkpoint) error {
		var b bytes.Buffer
		_, err := k.WriteTo(&b)
		kept = append(kept, b.Bytes())
		return err
	}
	fitAuto(t, rows, c, 1000)
	schema := arrow.NewSchema([]arrow.Field{{Name: "patch", Type: rows.DataType()}}, nil)
	for _, b := range kept {
		from, err := ReadCheckpoint(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		f, err := Resume(from, schema, Config{})
		if err != nil {
			t.Fatal(err)
		}
		if err := f.Write(t.Context(), array.NewRecordBatch(schema, []arrow.Array{rows}, int64(rows.Len()))); err != nil {
			t.Fatal(err)
		}
		m, _, err := f.Finish(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var got bytes.Buffer
		if _, err := m.WriteTo(&got); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got.Bytes(), want) {
			t.Fatal("another model after a resume")
		}
	}
}

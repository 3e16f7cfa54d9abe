package stage

import (
	"errors"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/aefeat/aefeat/model"
)

// tensor is p's batches with metadata that tell a shape.
func (p patches) tensor(t *testing.T, metadata string) array.RecordReader {
	mem := checked(t)
	batch := p.batch(mem, 0, p.rows())
	defer batch.Release()
	fields := batch.Schema().Fields()
	for i := range fields {
		if fields[i].Name == "image" {
			fields[i].Metadata = arrow.NewMetadata([]string{"ARROW:extension:name", "ARROW:extension:metadata"},
				[]string{"arrow.fixed_shape_tensor", metadata})
		}
	}
	schema := arrow.NewSchema(fields, nil)
	with := array.NewRecordBatch(schema, batch.Columns(), batch.NumRows())
	defer with.Release()
	r, err := array.NewRecordReader(schema, []arrow.RecordBatch{with})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Release)
	return r
}

// Asked for, else of the initial model, else of the data, else unknown.
func TestShapeTravels(t *testing.T) {
	p := makePatches(50, 12, 1)
	asked := model.Shape{Height: 2, Width: 6, Channels: 1}
	data := model.Shape{Height: 2, Width: 2, Channels: 3, Order: "CHW"}
	const metadata = `{"shape":[3,2,2],"permutation":[1,2,0]}`
	one := Config{Model: model.Plain(2), Epochs: 1}
	m, _ := fit(t, p.reader(t, checked(t), 20), one)
	if m.Shape != (model.Shape{}) {
		t.Errorf("shape %v, and nothing tells one", m.Shape)
	}
	if m, _ = fit(t, p.tensor(t, metadata), one); m.Shape != data {
		t.Errorf("shape %v, the data say %v", m.Shape, data)
	}
	if next, _ := fit(t, p.reader(t, checked(t), 20), Config{Init: m, Epochs: 1}); next.Shape != data {
		t.Errorf("shape %v, the initial model has %v", next.Shape, data)
	}
	one.Shape = asked
	if m, _ = fit(t, p.tensor(t, metadata), one); m.Shape != asked {
		t.Errorf("shape %v, asked for %v", m.Shape, asked)
	}
	if next, _ := fit(t, p.tensor(t, metadata), Config{Init: m, Epochs: 1}); next.Shape != asked {
		t.Errorf("shape %v, the initial model has %v", next.Shape, asked)
	}
}

func TestShapeOfAnotherWidth(t *testing.T) {
	wrong := model.Shape{Height: 4, Width: 4, Channels: 1}
	var setting *model.ConfigError
	for name, c := range map[string]Config{
		"of known width": {Model: model.Config{Hidden: 2, Inputs: 12}, Shape: wrong},
		"no shape":       {Model: model.Plain(2), Shape: model.Shape{Height: 3, Width: 4}},
	} {
		if err := c.Validate(); !errors.As(err, &setting) || setting.Setting != "Shape" {
			t.Errorf("%s: %v", name, err)
		}
	}
	p := makePatches(5, 12, 1)
	batch := p.batch(checked(t), 0, 5)
	defer batch.Release()
	_, err := NewFitter(batch.Schema(), Config{Model: model.Plain(2), Shape: wrong})
	if !errors.As(err, &setting) || setting.Setting != "Shape" {
		t.Errorf("rows of 12 values: %v", err)
	}
}

package stage_test

import (
	"context"
	"errors"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/aefeat/aefeat/model"
	"github.com/aefeat/aefeat/patch"
	"github.com/aefeat/aefeat/stage"
)

// pairs returns rows of two values each.
func pairs(t *testing.T) arrow.RecordBatch {
	t.Helper()
	schema := arrow.NewSchema([]arrow.Field{{Name: "p", Type: arrow.FixedSizeListOf(2, arrow.PrimitiveTypes.Uint8)}}, nil)
	b, _, err := array.RecordFromJSON(memory.DefaultAllocator, schema, strings.NewReader(`[{"p": [1, 2]}, {"p": [3, 4]}, {"p": [5, 6]}]`))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func reader(t *testing.T, batch arrow.RecordBatch) array.RecordReader {
	t.Helper()
	r, err := array.NewRecordReader(batch.Schema(), []arrow.RecordBatch{batch})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// discard is a Writer that keeps nothing.
type discard struct{}

func (discard) Write(arrow.RecordBatch) error { return nil }

// What is nil, zero or released is an error that says so, never a panic.
func TestMisuse(t *testing.T) {
	ctx, batch := t.Context(), pairs(t)
	released := pairs(t)
	released.Release()
	config := stage.Config{Model: model.Plain(2)}
	m, _, err := stage.Fit(ctx, reader(t, batch), config)
	if err != nil {
		t.Fatal(err)
	}
	fitter := func() *stage.Fitter {
		f, err := stage.NewFitter(batch.Schema(), config)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		return f
	}
	transformer, err := stage.NewTransformer(m, batch.Schema(), stage.TransformConfig{})
	if err != nil {
		t.Fatal(err)
	}
	transform := func(tr *stage.Transformer, ctx context.Context, b arrow.RecordBatch) error {
		_, err := tr.Transform(ctx, b)
		return err
	}
	bare, err := stage.NewTransformer(&model.Model{Config: m.Config, Preprocess: m.Preprocess, Binding: m.Binding}, batch.Schema(), stage.TransformConfig{})
	if err != nil {
		t.Fatal(err)
	}
	newTransformer := func(m *model.Model, s *arrow.Schema) error {
		_, err := stage.NewTransformer(m, s, stage.TransformConfig{})
		return err
	}
	var none context.Context
	for want, got := range map[string]error{
		"fit: the reader is nil":                    func() error { _, _, err := stage.Fit(ctx, nil, config); return err }(),
		"fit: the context is nil":                   func() error { _, _, err := stage.Fit(none, reader(t, batch), config); return err }(),
		"write: the batch is nil":                   fitter().Write(ctx, nil),
		"write: the context is nil":                 fitter().Write(none, batch),
		"write: it was released":                    fitter().Write(ctx, released),
		"write: a fitter without a schema":          new(stage.Fitter).Write(ctx, batch),
		"run: the reader is nil":                    func() error { _, _, err := fitter().Run(ctx, nil); return err }(),
		"finish: a Fitter comes from NewFitter":     func() error { _, _, err := new(stage.Fitter).Finish(ctx); return err }(),
		"finish: the context is nil":                func() error { _, _, err := fitter().Finish(none); return err }(),
		"explain: the context is nil":               func() error { _, err := stage.Explain(none, m, reader(t, batch), stage.ExplainConfig{}); return err }(),
		"explain: the model is nil":                 func() error { _, err := stage.Explain(ctx, nil, reader(t, batch), stage.ExplainConfig{}); return err }(),
		"explain: the reader is nil":                func() error { _, err := stage.Explain(ctx, m, nil, stage.ExplainConfig{}); return err }(),
		"evaluate: the model is nil":                func() error { _, err := stage.Evaluate(ctx, nil, reader(t, batch), stage.EvaluateConfig{}); return err }(),
		"evaluate: the reader is nil":               func() error { _, err := stage.Evaluate(ctx, m, nil, stage.EvaluateConfig{}); return err }(),
		"new: the model is nil":                     newTransformer(nil, batch.Schema()),
		"transform: the model has no parameters":    transform(bare, ctx, batch),
		"new: the schema is nil":                    newTransformer(m, nil),
		"transform: the batch is nil":               transform(transformer, ctx, nil),
		"transform: the context is nil":             transform(transformer, none, batch),
		"transform: it was released":                transform(transformer, ctx, released),
		"zero: a Transformer comes from NewTransfo": transform(new(stage.Transformer), ctx, batch),
		"all: the writer is nil": func() error {
			_, err := stage.Transform(ctx, m, reader(t, batch), nil, stage.TransformConfig{})
			return err
		}(),
		"run all: the reader is nil": func() error { _, err := transformer.Run(ctx, nil, discard{}); return err }(),
		"all: the reader is nil":     func() error { _, err := stage.Transform(ctx, m, nil, nil, stage.TransformConfig{}); return err }(),
	} {
		_, text, _ := strings.Cut(want, ": ")
		if got == nil || !strings.Contains(got.Error(), text) {
			t.Errorf("%s: %v", want, got)
		}
	}
}

// A context that ended before anything was copied does not end the Fitter.
func TestEndedContextIsNotSticky(t *testing.T) {
	batch := pairs(t)
	f, err := stage.NewFitter(batch.Schema(), stage.Config{Model: model.Plain(2)})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := f.Write(ended, batch); !errors.Is(err, context.Canceled) {
		t.Fatalf("error %v", err)
	}
	if err := f.Write(t.Context(), batch); err != nil {
		t.Fatal(err)
	}
	if _, report, err := f.Finish(t.Context()); err != nil || report.Rows != 3 {
		t.Errorf("%+v, %v", report, err)
	}
}

// A batch may have its fields in another order, and other nullability; what
// differs otherwise is named.
func TestTransformArranges(t *testing.T) {
	patch := arrow.Field{Name: "p", Type: arrow.FixedSizeListOf(2, arrow.PrimitiveTypes.Uint8)}
	id := arrow.Field{Name: "id", Type: arrow.PrimitiveTypes.Int32}
	m, err := model.New(model.Config{Inputs: 2, Hidden: 2, Output: model.Linear})
	if err != nil {
		t.Fatal(err)
	}
	m.Preprocess = model.Preprocess{Method: model.PreprocessScale, Source: "uint8", Max: 255}
	tr, err := stage.NewTransformer(m, arrow.NewSchema([]arrow.Field{patch, id}, nil), stage.TransformConfig{Columns: []string{"p"}})
	if err != nil {
		t.Fatal(err)
	}
	nullable, wide, other := patch, id, id
	nullable.Nullable, wide.Type, other.Name = true, arrow.PrimitiveTypes.Int64, "other"
	for _, test := range []struct {
		fields []arrow.Field
		want   string // "": taken
	}{
		{[]arrow.Field{patch, id}, ""},
		{[]arrow.Field{id, nullable}, ""},
		{[]arrow.Field{patch}, `batch at row 0: column "id" is missing`},
		{[]arrow.Field{patch, wide}, `batch at row 0: column "id" is int64, expected int32`},
		{[]arrow.Field{other, patch, id}, `batch at row 0: column "other" is one too many`},
		{[]arrow.Field{id, patch, id}, `batch at row 0: two columns are called "id"`},
	} {
		mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
		b := array.NewRecordBuilder(mem, arrow.NewSchema(test.fields, nil))
		for i, f := range test.fields {
			switch field := b.Field(i).(type) {
			case *array.FixedSizeListBuilder:
				field.Append(true)
				field.ValueBuilder().(*array.Uint8Builder).AppendValues([]uint8{1, 2}, nil)
			case *array.Int32Builder:
				field.Append(7)
			case *array.Int64Builder:
				field.Append(7)
			default:
				t.Fatal(f)
			}
		}
		batch := b.NewRecordBatch()
		b.Release()
		out, err := tr.Transform(t.Context(), batch)
		switch {
		case test.want != "":
			if err == nil || err.Error() != test.want {
				t.Errorf("%v: error %v, want %s", test.fields, err, test.want)
			}
		case err != nil:
			t.Errorf("%v: %v", test.fields, err)
		default:
			if got := out.Column(1).ValueStr(0); out.ColumnName(1) != "id" || got != "7" || out.NumCols() != 4 {
				t.Errorf("%v: column %s is %s", test.fields, out.ColumnName(1), got)
			}
			out.Release()
		}
		batch.Release()
		mem.AssertSize(t, 0)
	}
}

// A batch may lack columns that are neither kept nor part of the patch, and
// fields of structs beside the patch: a projection has what Columns and Keep
// name.
func TestTransformProjections(t *testing.T) {
	pixels := arrow.Field{Name: "pixels", Type: arrow.FixedSizeListOf(2, arrow.PrimitiveTypes.Uint8)}
	size := arrow.Field{Name: "size", Type: arrow.PrimitiveTypes.Int32}
	image := arrow.Field{Name: "image", Type: arrow.StructOf(pixels, size)}
	id := arrow.Field{Name: "id", Type: arrow.PrimitiveTypes.Int32}
	label := arrow.Field{Name: "label", Type: arrow.PrimitiveTypes.Int32}
	m, err := model.New(model.Config{Inputs: 2, Hidden: 2, Output: model.Linear})
	if err != nil {
		t.Fatal(err)
	}
	m.Preprocess = model.Preprocess{Method: model.PreprocessScale, Source: "uint8", Max: 255}
	whole := arrow.NewSchema([]arrow.Field{label, image, id}, nil)
	tr, err := stage.NewTransformer(m, whole, stage.TransformConfig{Columns: []string{"image.pixels"}, Keep: []string{"id"}})
	if err != nil {
		t.Fatal(err)
	}
	part := image
	part.Type = arrow.StructOf(pixels)
	for _, test := range []struct {
		fields []arrow.Field
		json   string
		want   string // "": taken
	}{
		{whole.Fields(), `{"label": 1, "image": {"pixels": [1, 2], "size": 3}, "id": 7}`, ""},
		{[]arrow.Field{part, id}, `{"image": {"pixels": [1, 2]}, "id": 7}`, ""},
		{[]arrow.Field{id, part}, `{"image": {"pixels": [1, 2]}, "id": 7}`, ""},
		{[]arrow.Field{part, label}, `{"image": {"pixels": [1, 2]}, "label": 1}`, `batch at row 0: column "id" is missing`},
		{[]arrow.Field{id, label}, `{"id": 7, "label": 1}`, `column "image.pixels": no such column`},
	} {
		batch, _, err := array.RecordFromJSON(memory.DefaultAllocator, arrow.NewSchema(test.fields, nil), strings.NewReader("["+test.json+"]"))
		if err != nil {
			t.Fatal(err)
		}
		for range 2 { // the first batch of a schema, and another
			out, err := tr.Transform(t.Context(), batch)
			switch {
			case test.want != "":
				if err == nil || err.Error() != test.want {
					t.Errorf("%v: error %v, want %s", test.fields, err, test.want)
				}
			case err != nil:
				t.Errorf("%v: %v", test.fields, err)
			case out.NumCols() != 3 || out.ColumnName(0) != "id" || out.Column(0).ValueStr(0) != "7":
				t.Errorf("%v: %v", test.fields, out)
			}
		}
	}
}

// Settings that no rows could make good fail before there are any.
func TestValidateEarly(t *testing.T) {
	none := t.TempDir() + "/none"
	file := none + "-file"
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	linear, wide := model.Plain(2), model.Plain(2)
	linear.Output, wide.Inputs = model.Linear, 1<<20
	trained, _, err := stage.Fit(t.Context(), reader(t, pairs(t)), stage.Config{Model: linear, Preprocess: model.PreprocessNone, Epochs: stage.NoEpochs})
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		setting string // "": a missing folder
		config  stage.Config
	}{
		{"Preprocess", stage.Config{Preprocess: "zac"}},
		{"PixelMax", stage.Config{PixelMax: -1}},
		{"PixelMax", stage.Config{PixelMax: 255, Preprocess: model.PreprocessNone}},
		{"PixelMax", stage.Config{PixelMax: 255, Init: trained}},
		{"Memory", stage.Config{Memory: -5}},
		{"Memory", stage.Config{Memory: -5, Epochs: stage.NoEpochs}},
		{"Memory", stage.Config{Memory: 16<<20 - 1}},
		{"Memory", stage.Config{Memory: 32<<20 - 1, Validation: 0.1}},
		{"Memory", stage.Config{Memory: 16<<20 - 1, Epochs: 1, Validation: 0.1}},
		{"Memory", stage.Config{Memory: 16 << 20, Model: wide}},
		{"Epochs", stage.Config{Epochs: -2}},
		{"Epochs", stage.Config{Train: model.TrainOptions{Epochs: 3}}},
		{"Validate", stage.Config{Train: model.TrainOptions{Validate: true}}},
		{"", stage.Config{SpillDir: none}},
		{"", stage.Config{SpillDir: file}},
		{"", stage.Config{SpillDir: none, Epochs: 1, Validation: 0.1}},
	} {
		c := test.config
		if c.Model.Hidden == 0 {
			c.Model = linear
		}
		_, late := stage.NewFitter(pairs(t).Schema(), c)
		for _, err := range []error{c.Validate(), late} {
			var setting *model.ConfigError
			var folder *stage.SpillError
			switch {
			case test.setting != "" && errors.As(err, &setting) && setting.Setting == test.setting:
			case test.setting == "" && errors.As(err, &folder) && folder.Dir == c.SpillDir && folder.Hint != "":
			default:
				t.Errorf("%+v: error %v, want one about %q", test.config, err, test.setting)
			}
		}
	}
	// What keeps no rows needs no memory for them and no folder.
	for _, c := range []stage.Config{{Epochs: 1}, {Epochs: stage.NoEpochs}, {Epochs: stage.NoEpochs, Validation: 0.1}} {
		c.Model, c.SpillDir, c.Memory = model.Plain(2), none, 1
		if err := c.Validate(); err != nil {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

// A model of a program's own, whose preprocessing nobody settled, takes values
// as they are.
func TestModelWithoutPreprocessing(t *testing.T) {
	m, err := model.New(model.Config{Inputs: 2, Hidden: 2, Output: model.Linear})
	if err != nil {
		t.Fatal(err)
	}
	batch := pairs(t)
	transformer, err := stage.NewTransformer(m, batch.Schema(), stage.TransformConfig{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := transformer.Transform(t.Context(), batch); err != nil {
		t.Error(err)
	}
	if _, err := stage.NewTransformer(m, batch.Schema(), stage.TransformConfig{PixelMax: 9}); err == nil {
		t.Error("values were divided")
	}
}

// batches is a reader that delivers what it holds, nil and released batches
// too.
type batches struct {
	array.RecordReader // of which the schema is used
	left               []arrow.RecordBatch
	now                arrow.RecordBatch
}

func (b *batches) Next() bool {
	if len(b.left) == 0 {
		return false
	}
	b.now, b.left = b.left[0], b.left[1:]
	return true
}

func (b *batches) RecordBatch() arrow.RecordBatch { return b.now }
func (b *batches) Err() error                     { return nil }

// A reader that delivers no batch, or one that was released, ends what reads it
// with an error.
func TestReadersOfUnusableBatches(t *testing.T) {
	ctx, good := t.Context(), pairs(t)
	m, _, err := stage.Fit(ctx, reader(t, good), stage.Config{Model: model.Plain(2)})
	if err != nil {
		t.Fatal(err)
	}
	released := pairs(t)
	released.Release()
	for want, bad := range map[string]arrow.RecordBatch{"the batch is nil": nil, "it was released": released} {
		read := func() array.RecordReader {
			return &batches{RecordReader: reader(t, good), left: []arrow.RecordBatch{good, bad}}
		}
		_, _, fit := stage.Fit(ctx, read(), stage.Config{Model: model.Plain(2)})
		_, transform := stage.Transform(ctx, m, read(), discard{}, stage.TransformConfig{})
		_, evaluate := stage.Evaluate(ctx, m, read(), stage.EvaluateConfig{})
		for name, err := range map[string]error{"fit": fit, "transform": transform, "evaluate": evaluate} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, want %s", name, err, want)
			}
		}
	}
}

// What is missing in a model, or contradicts its sizes, is an error when it is
// used.
func TestIncompleteModels(t *testing.T) {
	ctx, batch := t.Context(), pairs(t)
	whole, _, err := stage.Fit(ctx, reader(t, batch), stage.Config{Model: model.Plain(2)})
	if err != nil {
		t.Fatal(err)
	}
	change := func(change func(*model.Model)) *model.Model {
		m := *whole
		change(&m)
		return &m
	}
	for name, c := range map[string]struct {
		model *model.Model
		want  string
	}{
		"zero":          {&model.Model{}, "Hidden: 0 is not a positive number"},
		"no parameters": {change(func(m *model.Model) { m.Params = nil }), "stage: the model has no parameters"},
		"more units":    {change(func(m *model.Model) { m.Hidden = 3 }), "stage: the model's parameters are not of its sizes"},
		"no inputs":     {change(func(m *model.Model) { m.Inputs = 0 }), "stage: the model's parameters are not of its sizes"},
		"other decoder": {change(func(m *model.Model) { m.Tied = true }), "stage: the model's parameters are not of its sizes"},
		"no views":      {change(func(m *model.Model) { m.Params = &model.Params{Flat: m.Params.Flat} }), "stage: the model's parameters are not of its sizes"},
		"rule that has learned nothing": {change(func(m *model.Model) { m.Preprocess.Method = model.PreprocessZCA }),
			"stage: the model's preprocessing zca has not been learned"},
		"rule of another width": {change(func(m *model.Model) {
			m.Preprocess.Method = model.PreprocessStandardize
			m.Preprocess.Learned = &model.Learned{Rows: 3, Mean: make([]float32, 1), Scale: make([]float32, 1)}
		}), "stage: the model's preprocessing standardize was learned from rows of another width"},
	} {
		_, transform := stage.Transform(ctx, c.model, reader(t, batch), discard{}, stage.TransformConfig{})
		_, evaluate := stage.Evaluate(ctx, c.model, reader(t, batch), stage.EvaluateConfig{})
		for _, err := range []error{transform, evaluate} {
			if err == nil || err.Error() != c.want {
				t.Errorf("%s: %v, want %s", name, err, c.want)
			}
		}
	}
}

// Without parameters the schema of the output is known where its widths are,
// and what no schema can hold is an error.
func TestWidthsOfOutput(t *testing.T) {
	fixed := func(width int32, of arrow.DataType) *arrow.Schema {
		return arrow.NewSchema([]arrow.Field{{Name: "p", Type: arrow.FixedSizeListOf(width, of)}}, nil)
	}
	bytes := arrow.PrimitiveTypes.Uint8
	any := arrow.NewSchema([]arrow.Field{{Name: "p", Type: arrow.ListOf(bytes)}}, nil)
	for name, c := range map[string]struct {
		hidden int
		schema *arrow.Schema
		config stage.TransformConfig
		want   string // the setting that is at fault; "": none
	}{
		"from the schema":  {2, fixed(2, bytes), stage.TransformConfig{Reconstruction: true}, ""},
		"not needed":       {2, any, stage.TransformConfig{}, ""},
		"score alone":      {2, any, stage.TransformConfig{Score: true}, ""},
		"not known":        {2, any, stage.TransformConfig{Reconstruction: true}, "Inputs"},
		"no hidden units":  {0, any, stage.TransformConfig{}, "Hidden"},
		"none in a list":   {0, any, stage.TransformConfig{Layout: stage.LayoutList}, "Hidden"},
		"negative":         {-1, any, stage.TransformConfig{}, "Hidden"},
		"too many":         {1 << 31, any, stage.TransformConfig{Layout: stage.LayoutList}, "Hidden"},
		"too many columns": {1 << 31, any, stage.TransformConfig{}, "Hidden"},
	} {
		m := &model.Model{Config: model.Config{Hidden: c.hidden, Output: model.Linear}}
		tr, err := stage.NewTransformer(m, c.schema, c.config)
		var setting *model.ConfigError
		switch {
		case c.want == "":
			if err != nil {
				t.Errorf("%s: %v", name, err)
			} else if c.config.Reconstruction && tr.Schema().Field(3).Type.String() != "fixed_size_list<item: float32, nullable>[2]" {
				t.Errorf("%s: %v", name, tr.Schema())
			}
		case !errors.As(err, &setting) || setting.Setting != c.want:
			t.Errorf("%s: %v, want an error about %s", name, err, c.want)
		}
	}
}

// An initial model is checked before there are rows: its parameters, and that
// the rule it brings has learned.
func TestIncompleteInit(t *testing.T) {
	linear := model.Plain(2)
	linear.Output = model.Linear
	whole, _, err := stage.Fit(t.Context(), reader(t, pairs(t)), stage.Config{Model: linear, Preprocess: model.PreprocessStandardize})
	if err != nil {
		t.Fatal(err)
	}
	unlearned := func(m *model.Model) { m.Preprocess.Learned = nil }
	for name, c := range map[string]struct {
		change     func(*model.Model)
		preprocess string
		want       string // "": taken
	}{
		"as it is":                {func(m *model.Model) {}, "", ""},
		"no parameters":           {func(m *model.Model) { m.Params = nil }, "", "Init: the model has no parameters"},
		"fewer parameters":        {func(m *model.Model) { p := *m.Params; p.Flat = p.Flat[1:]; m.Params = &p }, "", "Init: the model's parameters are not of its sizes"},
		"other sizes":             {func(m *model.Model) { m.Inputs = 3 }, "", "Init: the model's parameters are not of its sizes"},
		"no inputs":               {func(m *model.Model) { m.Inputs = 0 }, "", "Init: the model's parameters are not of its sizes"},
		"learned nothing":         {unlearned, "", "Init: the model's preprocessing standardize has not been learned"},
		"learned nothing, named":  {unlearned, model.PreprocessStandardize, "Init: the model's preprocessing standardize has not been learned"},
		"learned nothing, other":  {unlearned, model.PreprocessZCA, ""},
		"learned nothing, needed": {func(m *model.Model) { m.Preprocess = model.Preprocess{Method: model.PreprocessNone} }, "", ""},
	} {
		for _, epochs := range []int{stage.NoEpochs, 1, 2} {
			init := *whole
			c.change(&init)
			config := stage.Config{Init: &init, Epochs: epochs, Preprocess: c.preprocess}
			_, _, late := stage.Fit(t.Context(), reader(t, pairs(t)), config)
			for _, err := range []error{config.Validate(), late} {
				if c.want == "" && err != nil || c.want != "" && (err == nil || err.Error() != c.want) {
					t.Errorf("%s, %d epochs: %v, want %q", name, epochs, err, c.want)
				}
			}
		}
	}
}

// Run with a context that is nil or has ended takes no batch from its reader
// and ends nothing: the next Run has all the rows. Nor does Finish lose them.
func TestRunAgain(t *testing.T) {
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	var none context.Context
	f, err := stage.NewFitter(pairs(t).Schema(), stage.Config{Model: model.Plain(2)})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r := &batches{RecordReader: reader(t, pairs(t)), left: []arrow.RecordBatch{pairs(t), pairs(t)}}
	for _, ctx := range []context.Context{ended, none} {
		if _, _, err := f.Run(ctx, r); err == nil || len(r.left) != 2 {
			t.Errorf("error %v, %d batches are left", err, len(r.left))
		}
	}
	if err := f.Write(t.Context(), pairs(t)); err != nil {
		t.Fatal(err)
	}
	if _, _, err := f.Finish(ended); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	m, report, err := f.Run(t.Context(), r)
	if err != nil || report.Rows != 9 {
		t.Fatalf("%+v, %v", report, err)
	}
	r.left = []arrow.RecordBatch{pairs(t), pairs(t)}
	tr, err := stage.NewTransformer(m, pairs(t).Schema(), stage.TransformConfig{})
	if err != nil {
		t.Fatal(err)
	}
	for _, ctx := range []context.Context{ended, none} {
		_, transform := tr.Run(ctx, r, discard{})
		_, evaluate := stage.Evaluate(ctx, m, r, stage.EvaluateConfig{})
		if transform == nil || evaluate == nil || len(r.left) != 2 {
			t.Errorf("errors %v and %v, %d batches are left", transform, evaluate, len(r.left))
		}
	}
}

// ending is a reader whose Next ends a context.
type ending struct {
	*batches
	end func()
}

func (e ending) Next() bool {
	e.end()
	return e.batches.Next()
}

// A batch that a reader gave as the context ended is not lost either.
func TestContextEndsWhileReading(t *testing.T) {
	f, err := stage.NewFitter(pairs(t).Schema(), stage.Config{Model: model.Plain(2)})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r := &batches{RecordReader: reader(t, pairs(t)), left: []arrow.RecordBatch{pairs(t), pairs(t)}}
	ctx, cancel := context.WithCancel(t.Context())
	if _, _, err := f.Run(ctx, ending{r, cancel}); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	if _, report, err := f.Run(t.Context(), r); err != nil || report.Rows != 6 {
		t.Errorf("%+v, %v", report, err)
	}
}

// A column that stays and whose field has no nulls must have none.
func TestNullsUnderOtherNullability(t *testing.T) {
	pixels := arrow.Field{Name: "p", Type: arrow.FixedSizeListOf(2, arrow.PrimitiveTypes.Uint8)}
	id := arrow.Field{Name: "id", Type: arrow.PrimitiveTypes.Int32}
	nullable := id
	nullable.Nullable = true
	m, err := model.New(model.Config{Inputs: 2, Hidden: 2, Output: model.Linear})
	if err != nil {
		t.Fatal(err)
	}
	m.Preprocess = model.Preprocess{Method: model.PreprocessScale, Source: "uint8", Max: 255}
	for _, test := range []struct {
		field arrow.Field // of the schema
		keep  []string
		want  string // "": taken
	}{
		{id, nil, `column "id": row 11: null in a column that may have none`},
		{id, []string{"p"}, ""},
		{nullable, nil, ""},
	} {
		tr, err := stage.NewTransformer(m, arrow.NewSchema([]arrow.Field{pixels, test.field}, nil),
			stage.TransformConfig{Columns: []string{"p"}, Keep: test.keep, FirstRow: 9, Skip: true})
		if err != nil {
			t.Fatal(err)
		}
		batch, _, err := array.RecordFromJSON(memory.DefaultAllocator, arrow.NewSchema([]arrow.Field{nullable, pixels}, nil),
			strings.NewReader(`[{"id": 1, "p": [0, 0]}, {"id": 2, "p": [1, 2]}, {"p": [1, 2]}, {"p": [3, 4]}]`))
		if err != nil {
			t.Fatal(err)
		}
		_, err = tr.Transform(t.Context(), batch)
		var e *patch.RowError
		switch {
		case test.want == "" && err != nil, test.want != "" && (!errors.As(err, &e) || err.Error() != test.want):
			t.Errorf("%v: error %v, want %q", test.field, err, test.want)
		}
		part := batch.NewSlice(0, 2)
		if _, err := tr.Transform(t.Context(), part); err != nil {
			t.Errorf("%v: rows without nulls: %v", test.field, err)
		}
	}
}

// full is a Writer that takes some batches.
type full struct{ left int }

func (f *full) Write(arrow.RecordBatch) error {
	if f.left--; f.left < 0 {
		return errors.New("full")
	}
	return nil
}

// The report counts what was written.
func TestReportOfFailedWrite(t *testing.T) {
	m, err := model.New(model.Config{Inputs: 2, Hidden: 2, Output: model.Linear})
	if err != nil {
		t.Fatal(err)
	}
	r := &batches{RecordReader: reader(t, pairs(t)), left: []arrow.RecordBatch{pairs(t), pairs(t), pairs(t)}}
	report, err := stage.Transform(t.Context(), m, r, &full{left: 1}, stage.TransformConfig{})
	if err == nil || err.Error() != "full" || report.Rows != 3 {
		t.Errorf("%+v, %v", report, err)
	}
}

// Rows have numbers from 0 up: others are refused.
func TestRowNumbers(t *testing.T) {
	ctx := t.Context()
	m, err := model.New(model.Config{Inputs: 2, Hidden: 2, Output: model.Linear})
	if err != nil {
		t.Fatal(err)
	}
	m.Binding.Columns = []string{"p"}
	const last = math.MaxInt64
	for _, c := range []struct {
		first int64
		want  string // "": taken
	}{
		{0, ""},
		{last - 3, ""},
		{last - 2, "FirstRow: "},
		{last, "FirstRow: "},
		{-1, "FirstRow: -1 is negative"},
	} {
		batch := pairs(t)
		config := stage.Config{Model: model.Plain(2), FirstRow: c.first}
		_, _, fit := stage.Fit(ctx, reader(t, batch), config)
		config.Epochs = stage.NoEpochs
		_, _, initial := stage.Fit(ctx, reader(t, batch), config)
		_, transform := stage.Transform(ctx, m, reader(t, batch), discard{}, stage.TransformConfig{FirstRow: c.first})
		_, evaluate := stage.Evaluate(ctx, m, reader(t, batch), stage.EvaluateConfig{FirstRow: c.first})
		tr, err := stage.NewTransformer(m, batch.Schema(), stage.TransformConfig{})
		if err != nil {
			t.Fatal(err)
		}
		_, at := tr.TransformAt(ctx, batch, c.first)
		for verb, err := range map[string]error{"fit": fit, "initial": initial, "transform": transform, "evaluate": evaluate, "at": at} {
			var setting *model.ConfigError
			switch {
			case c.want == "" && err != nil, c.want != "" && (!errors.As(err, &setting) || !strings.HasPrefix(err.Error(), c.want)):
				t.Errorf("%s from row %d: %v, want %q", verb, c.first, err, c.want)
			}
		}
		for verb, err := range map[string]error{"fit": config.Validate(), "transform": stage.TransformConfig{FirstRow: c.first}.Validate()} {
			if (err != nil) != (c.first < 0) {
				t.Errorf("%s from row %d: %v", verb, c.first, err)
			}
		}
	}
}

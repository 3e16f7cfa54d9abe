package stage

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/aefeat/aefeat/model"
	"github.com/aefeat/aefeat/patch"
)

// cap200 makes all pixels 200 at the most.
func cap200(p patches) patches {
	for i, v := range p.pixels {
		p.pixels[i] = min(v, 200)
	}
	return p
}

// brighten returns a copy of p with a pixel of 250 in each of the rows.
func (p patches) brighten(rows ...int) patches {
	p.pixels = slices.Clone(p.pixels)
	for _, i := range rows {
		p.pixels[i*p.n+i%p.n] = 250
	}
	return p
}

// wantBad is what is told of rows that were left out for one reason.
func wantBad(reason patch.Reason, rows ...int) patch.BadRows {
	var b patch.BadRows
	for _, i := range rows {
		b.Add(patch.BadRow{Row: int64(i), Reason: reason})
	}
	return b
}

func sameBad(a, b patch.BadRows) bool {
	return maps.Equal(a.Counts, b.Counts) && slices.Equal(a.First, b.First)
}

// A row that is out of range leaves a fit as a null in its place does, bit for
// bit: in the first block, in a block of nothing else, among rows that are held
// out or teach preprocessing, and at the end.
func TestOutOfRangeRowsLeaveAsNullsDo(t *testing.T) {
	noGoroutinesLeft(t)
	const m, n = 5000, 16
	p := cap200(makePatches(m, n, 41))
	bad := []int{0, 3, 500, 1023, 4990, m - 1}
	for i := 1024; i < 3*1024; i++ {
		bad = append(bad, i)
	}
	slices.Sort(bad)
	bright := p.brighten(bad...)
	sigmoid, linear := model.Denoising(3), linearModel(3)
	linear.Corruption = 0.2
	for _, c := range []Config{
		{Model: sigmoid, Epochs: 1},
		{Model: sigmoid, Epochs: 3},
		{Model: sigmoid, Epochs: 2, Validation: 0.3},
		{Model: sigmoid, Epochs: 1, Validation: 0.3},
		{Model: sigmoid, Epochs: 3, Validation: 0.3, Train: model.TrainOptions{Optimizer: model.LBFGS}},
		{Model: sigmoid, Epochs: 2, Preprocess: model.PreprocessPatch},
		{Model: linear, Epochs: 1, Preprocess: model.PreprocessZCA, PreprocessRows: 1500},
		{Model: linear, Epochs: 2, Preprocess: model.PreprocessZCA, Validation: 0.3},
		{Model: linear, Epochs: 1, Preprocess: model.PreprocessStandardize, PreprocessRows: 700, Validation: 0.3},
		{Model: linear, Epochs: NoEpochs, Preprocess: model.PreprocessStandardize, PreprocessRows: 1500},
	} {
		c.PixelMax, c.Skip = 200, true
		name := fmt.Sprintf("%d epochs, %q, validation %v, %s", c.Epochs, c.Preprocess, c.Validation, c.Train.Optimizer)
		want, nulls := fit(t, p.reader(t, checked(t), 777, bad...), c)
		for _, size := range []int{m, 100} {
			got, report := fit(t, bright.reader(t, checked(t), size), c)
			if !bytes.Equal(file(t, got), file(t, want)) {
				t.Errorf("%s: batches of %d: another model than with nulls", name, size)
			}
			if report.Rows != nulls.Rows || report.HeldOut != nulls.HeldOut || report.Drift != nulls.Drift {
				t.Errorf("%s: %d rows and %d held out, with nulls %d and %d", name, report.Rows, report.HeldOut, nulls.Rows, nulls.HeldOut)
			}
			if c.Epochs > 0 && (report.Skipped != int64(len(bad)) || !sameBad(report.BadRows, wantBad(patch.OutOfRange, bad...))) {
				t.Errorf("%s: skipped %d, %v", name, report.Skipped, report.BadRows.Counts)
			}
		}
		if c.Epochs > 0 && !sameBad(nulls.BadRows, wantBad(patch.Null, bad...)) {
			t.Errorf("%s: with nulls: %v", name, nulls.BadRows.Counts)
		}
	}
}

// One value in a batch costs one row, and the Fitter takes the next batch.
func TestFitterOutlivesOutOfRangeRows(t *testing.T) {
	noGoroutinesLeft(t)
	const n = 16
	mem := checked(t)
	p := cap200(makePatches(4000, n, 42)).brighten(123, 1500, 3999)
	f, err := NewFitter(patchSchema(n), Config{Model: model.Plain(2), Epochs: 2, PixelMax: 200, Skip: true, FirstRow: 1000})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for lo := 0; lo < 4000; lo += 500 {
		b := p.batch(mem, lo, lo+500, 7, 1501)
		err := f.Write(context.Background(), b)
		b.Release()
		if err != nil {
			t.Fatalf("batch at %d: %v", lo, err)
		}
	}
	_, report, err := f.Finish(context.Background())
	want := wantBad(patch.OutOfRange, 1123, 2500, 4999)
	want.Merge(wantBad(patch.Null, 1007, 2501))
	if err != nil || report.Rows != 3995 || report.Skipped != 5 || !sameBad(report.BadRows, want) {
		t.Errorf("%+v, %v", report, err)
	}
}

// The rows that are listed are the first, though the block that tells of values
// comes after the batch that tells of nulls.
func TestFirstBadRowsAreListed(t *testing.T) {
	noGoroutinesLeft(t)
	const m = 3000
	p := cap200(makePatches(m, 16, 43))
	var bright, null []int
	var want patch.BadRows
	for i := range m {
		switch {
		case i%4 == 1 && i < 200:
			bright = append(bright, i)
			want.Add(patch.BadRow{Row: int64(i), Reason: patch.OutOfRange})
		case i%4 == 3:
			null = append(null, i)
			want.Add(patch.BadRow{Row: int64(i), Reason: patch.Null})
		}
	}
	p = p.brighten(bright...)
	for _, size := range []int{m, 50} {
		_, report := fit(t, p.reader(t, checked(t), size, null...), Config{Model: model.Plain(2), Epochs: 1, PixelMax: 200, Skip: true})
		if len(report.BadRows.First) != 100 || !sameBad(report.BadRows, want) {
			t.Errorf("batches of %d: %v", size, report.BadRows)
		}
	}
}

// What is in range depends on the method, the output and the divisor; a value
// that is not makes its row bad, and without Skip the error that names it.
func TestRangeOfEachPreprocessing(t *testing.T) {
	noGoroutinesLeft(t)
	sigmoid, linear := model.Plain(2), linearModel(2)
	values := []float32{-1, -0.25, 0.5, 1, 1.5, 7}
	for _, c := range []struct {
		config Config
		out    []int // positions in values
	}{
		{Config{Model: sigmoid}, []int{0, 1, 4, 5}},
		{Config{Model: sigmoid, Preprocess: model.PreprocessNone}, []int{0, 1, 4, 5}},
		{Config{Model: sigmoid, PixelMax: 2}, []int{0, 1, 5}},
		{Config{Model: sigmoid, Preprocess: model.PreprocessPatch}, nil},
		{Config{Model: sigmoid, Preprocess: model.PreprocessPatch, PixelMax: 2}, []int{0, 1, 5}},
		{Config{Model: linear, Preprocess: model.PreprocessScale}, nil},
		{Config{Model: linear, Preprocess: model.PreprocessScale, PixelMax: 2}, []int{0, 1, 5}},
		{Config{Model: linear, Preprocess: model.PreprocessNone}, nil},
		{Config{Model: linear, Preprocess: model.PreprocessStandardize}, nil},
		{Config{Model: linear, Preprocess: model.PreprocessStandardize, PixelMax: 2}, []int{0, 1, 5}},
		{Config{Model: linear, Preprocess: model.PreprocessZCA}, nil},
	} {
		name := fmt.Sprintf("%s, %s, pixel maximum %v", c.config.Model.Output, c.config.Preprocess, c.config.PixelMax)
		rows := make([][2]float32, 1200)
		for i := range rows {
			rows[i] = [2]float32{float32(i%7) / 8, float32(i%5) / 8}
		}
		var out []int
		for i, v := range values {
			rows[1050+i] = [2]float32{0.5, v}
			if slices.Contains(c.out, i) {
				out = append(out, 1050+i)
			}
		}
		c.config.Epochs = 2
		if len(out) > 0 {
			r := floats(t, checked(t), 100, rows...)
			_, _, err := Fit(context.Background(), r, c.config)
			r.Release()
			var e *patch.RowError
			if !errors.As(err, &e) || e.Row != int64(out[0]) || e.Column != "x2" || !strings.Contains(e.Reason, fmt.Sprint(values[c.out[0]])) {
				t.Errorf("%s: %v", name, err)
			}
		}
		c.config.Skip = true
		m, report := fit(t, floats(t, checked(t), 100, rows...), c.config)
		want := wantBad(patch.OutOfRange, out...)
		if report.Rows != int64(1200-len(out)) || !sameBad(report.BadRows, want) {
			t.Errorf("%s: %d rows without %v, want without %v", name, report.Rows, report.BadRows, want)
		}

		// The model takes what it was fitted to.
		r := floats(t, checked(t), 100, rows...)
		transformed, err := Transform(context.Background(), m, r, nowhere{}, TransformConfig{Skip: true})
		r.Release()
		if err != nil || transformed.Rows != 1200 || transformed.Skipped != int64(len(out)) || !sameBad(transformed.BadRows, want) {
			t.Errorf("%s: transform: %+v, %v", name, transformed, err)
		}
		r = floats(t, checked(t), 100, rows...)
		evaluated, err := Evaluate(context.Background(), m, r, EvaluateConfig{Skip: true})
		r.Release()
		if err != nil || evaluated.Rows != int64(1200-len(out)) || evaluated.Skipped != int64(len(out)) || !sameBad(evaluated.BadRows, want) {
			t.Errorf("%s: evaluate: %+v, %v", name, evaluated, err)
		}
	}
}

// nowhere is a writer of nothing.
type nowhere struct{}

func (nowhere) Write(arrow.RecordBatch) error { return nil }

// When all rows are out of range, the rule does not suit the data: the error
// says of the first what may cure it.
func TestAllRowsOutOfRange(t *testing.T) {
	noGoroutinesLeft(t)
	rows := make([][2]float32, 1500)
	for i := range rows {
		rows[i] = [2]float32{3, 200}
	}
	check := func(name string, err error) {
		t.Helper()
		var e *patch.RowError
		if !errors.Is(err, ErrNoRows) || !errors.As(err, &e) || e.Row != 0 || e.Column != "x1" || !strings.Contains(e.Hint, "`PixelMax`") ||
			!strings.HasPrefix(err.Error(), "no rows: all 1500 were skipped: ") {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, c := range []Config{{Model: model.Plain(2), Epochs: 2}, {Model: model.Plain(2), Epochs: 1},
		{Model: model.Plain(2), Epochs: 1, Validation: 0.5},
		{Model: linearModel(2), Epochs: NoEpochs, Preprocess: model.PreprocessZCA, PixelMax: 1},
		{Model: linearModel(2), Epochs: 1, Preprocess: model.PreprocessZCA, PixelMax: 1}} {
		c.Skip = true
		r := floats(t, checked(t), 100, rows...)
		_, _, err := Fit(context.Background(), r, c)
		r.Release()
		check(fmt.Sprintf("fit, %d epochs %s", c.Epochs, c.Preprocess), err)
	}
	m := untrained(t, 2, 3)
	m.Preprocess = model.Preprocess{Method: model.PreprocessScale, Source: "float32", Scale: 1}
	m.Binding.Columns = []string{"x#"}
	r := floats(t, checked(t), 100, rows...)
	defer r.Release()
	_, err := Evaluate(context.Background(), m, r, EvaluateConfig{Skip: true})
	check("evaluate", err)
}

// Where the values themselves settle the rule, a bad one is not told from a
// good one: the error asks for the maximum, and with that it is a bad row.
func TestWideIntegersNeedAMaximumToSkip(t *testing.T) {
	noGoroutinesLeft(t)
	schema := arrow.NewSchema([]arrow.Field{{Name: "x1", Type: arrow.PrimitiveTypes.Int32}, {Name: "x2", Type: arrow.PrimitiveTypes.Int32}}, nil)
	b := array.NewRecordBuilder(checked(t), schema)
	defer b.Release()
	for i := range 500 {
		b.Field(0).(*array.Int32Builder).Append(int32(i % 256))
		v := int32(i % 100)
		if i == 77 {
			v = -1
		}
		b.Field(1).(*array.Int32Builder).Append(v)
	}
	batch := b.NewRecordBatch()
	defer batch.Release()
	single := func() array.RecordReader {
		r, err := array.NewRecordReader(schema, []arrow.RecordBatch{batch})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	c := Config{Model: model.Plain(2), Epochs: 1, Skip: true}
	r := single()
	_, _, err := Fit(context.Background(), r, c)
	r.Release()
	var setting *model.ConfigError
	if !errors.As(err, &setting) || setting.Setting != "PixelMax" {
		t.Errorf("got %v", err)
	}
	c.PixelMax = 255
	_, report := fit(t, single(), c)
	if report.Rows != 499 || !sameBad(report.BadRows, wantBad(patch.OutOfRange, 77)) {
		t.Errorf("%+v", report)
	}
}

// Rows that are out of range have null codes beside those that are null, and
// the others have the codes that they always have. The input stays as it is.
func TestOutOfRangeRowsHaveNullCodes(t *testing.T) {
	const rows, n, h = 1300, 20, 5
	mem := checked(t)
	out, null := []int{3, 8, 600, 601, 1299}, []int{0, 7, 602}
	p := cap200(makePatches(rows, n, 44)).brighten(append(slices.Clone(out), null[0])...)
	m := untrained(t, n, h)
	var err error
	if m.Preprocess, err = model.NewPreprocess(model.PreprocessScale, "uint8", 200, model.Rows{}); err != nil {
		t.Fatal(err)
	}
	want := encoded(t, m, p)
	want[0] = float32(math.NaN())
	for _, null := range [][]int{nil, null} {
		q := p
		if null == nil { // then the binding hands on the batch's own memory
			q.pixels = slices.Clone(p.pixels)
			q.pixels[0] = 0
		}
		batch := q.batch(mem, 0, rows, null...)
		defer batch.Release()
		wantBad := wantBad(patch.OutOfRange, out...)
		for _, i := range null {
			wantBad.Add(patch.BadRow{Row: int64(i), Reason: patch.Null})
		}
		for _, layout := range layouts {
			tr, err := NewTransformer(m, patchSchema(n), TransformConfig{Layout: layout, Skip: true, Allocator: mem})
			if err != nil {
				t.Fatal(err)
			}
			if tr.BadRows().Total() != 0 {
				t.Error("bad rows before any row")
			}
			got, err := tr.Transform(context.Background(), batch)
			if err != nil {
				t.Fatal(err)
			}
			defer got.Release()
			codes := codesOf(t, got, h)
			for i := 1; i < rows; i++ {
				row := codes[i*h : i*h+h]
				if slices.Contains(null, i) || slices.Contains(out, i) {
					if row[0] == row[0] {
						t.Errorf("%s: row %d has a code", layout, i)
					}
				} else if !sameBits(row, want[i*h:i*h+h]) {
					t.Fatalf("%s: row %d has another code", layout, i)
				}
			}
			if b := tr.BadRows(); !sameBad(b, wantBad) {
				t.Errorf("%s: %v, want %v", layout, b, wantBad)
			}
			if err := array.ValidateRecord(got); err != nil {
				t.Error(err)
			}
		}
		image := batch.Column(1).(*array.FixedSizeList).ListValues().(*array.Uint8).Uint8Values()
		if !slices.Equal(image[n:], q.pixels[n:]) {
			t.Error("the input was changed")
		}
	}
	tr, err := NewTransformer(m, patchSchema(n), TransformConfig{Allocator: mem})
	if err != nil {
		t.Fatal(err)
	}
	batch := p.batch(mem, 1, rows)
	defer batch.Release()
	_, err = tr.TransformAt(context.Background(), batch, 100)
	var e *patch.RowError
	if !errors.As(err, &e) || e.Row != 102 || e.Column != "image" || !strings.Contains(e.Reason, "value 3 is 250, outside 0 to 200") {
		t.Errorf("got %v", err)
	}
}

// A Transformer counts the bad rows of all its goroutines.
func TestBadRowsOfConcurrentBatches(t *testing.T) {
	noGoroutinesLeft(t)
	const rows, n = 600, 16
	m := untrained(t, n, 3)
	p := makePatches(rows, n, 45)
	tr, err := NewTransformer(m, patchSchema(n), TransformConfig{Skip: true})
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for i := range 6 {
		wg.Go(func() {
			lo := 100 * i
			batch := p.batch(memory.DefaultAllocator, lo, lo+100, lo+5, lo+50)
			defer batch.Release()
			out, err := tr.TransformAt(context.Background(), batch, int64(lo))
			if err != nil {
				t.Error(err)
				return
			}
			out.Release()
			tr.BadRows()
		})
	}
	wg.Wait()
	want := wantBad(patch.Null, 5, 50, 105, 150, 205, 250, 305, 350, 405, 450, 505, 550)
	if got := tr.BadRows(); !sameBad(got, want) {
		t.Errorf("%v", got)
	}
}

// A row whose code overflows is out of range: what is allowed then depends on
// the weights.
func TestOverflowingRowsAreSkipped(t *testing.T) {
	noGoroutinesLeft(t)
	const rows = 1500
	config := model.Config{Inputs: 2, Hidden: 3, Activation: model.Linear, Output: model.Linear, Seed: 3}
	m, err := model.New(config)
	if err != nil {
		t.Fatal(err)
	}
	m.Preprocess = model.Preprocess{Method: model.PreprocessNone, Source: "float32", Scale: 1}
	m.Binding = model.Binding{Columns: []string{"x#"}, Source: "float32", Width: 2}
	for i := range m.Params.Flat {
		m.Params.Flat[i] = 2
	}
	input := make([][2]float32, rows)
	for i := range input {
		input[i] = [2]float32{float32(i), 1}
	}
	bad := []int{0, 511, 512, 700, 701, 702, rows - 1}
	for _, i := range bad {
		input[i][1] = 3e38
	}
	for _, c := range []TransformConfig{{}, {Layout: LayoutList}, {Layout: LayoutArray}, {Layout: LayoutSparse}, {Reconstruction: true, Score: true}, {Layout: LayoutNone, Score: true}} {
		c.Skip = true
		name := fmt.Sprintf("%+v", c)
		clean := slices.Clone(input)
		for _, i := range bad {
			clean[i][1] = 0
		}
		transform := func(input [][2]float32) arrow.RecordBatch {
			t.Helper()
			r := floats(t, memory.DefaultAllocator, rows, input...)
			defer r.Release()
			r.Next()
			tr, err := NewTransformer(m, r.Schema(), c)
			if err != nil {
				t.Fatal(err)
			}
			out, err := tr.Transform(context.Background(), r.RecordBatch())
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if err := array.ValidateRecord(out); err != nil {
				t.Error(err)
			}
			want := wantBad(patch.OutOfRange, bad...)
			if &input[0] == &clean[0] {
				want = patch.BadRows{}
			}
			if !sameBad(tr.BadRows(), want) {
				t.Errorf("%s: %v", name, tr.BadRows())
			}
			return out
		}
		got, want := transform(input), transform(clean)
		defer got.Release()
		defer want.Release()
		for j := 2; j < int(got.NumCols()); j++ {
			for i := range rows {
				if isBad := slices.Contains(bad, i); got.Column(j).IsNull(i) != isBad {
					t.Fatalf("%s: column %d row %d: null is %t", name, j, i, !isBad)
				} else if !isBad && got.Column(j).ValueStr(i) != want.Column(j).ValueStr(i) {
					t.Fatalf("%s: column %d row %d is %s, want %s", name, j, i, got.Column(j).ValueStr(i), want.Column(j).ValueStr(i))
				}
			}
		}
		c.Skip = false
		r := floats(t, memory.DefaultAllocator, rows, input...)
		_, err := Transform(context.Background(), m, r, nowhere{}, c)
		r.Release()
		var e *patch.RowError
		if !errors.As(err, &e) || e.Row != 0 {
			t.Errorf("%s: without Skip: %v", name, err)
		}
	}
}

// The first bad row is the error, whatever is wrong with it and with later
// ones, and however rows are cut into batches.
func TestFirstBadRowIsTheError(t *testing.T) {
	noGoroutinesLeft(t)
	mem := checked(t)
	fixed := arrow.NewSchema([]arrow.Field{{Name: "p", Type: arrow.FixedSizeListOf(2, arrow.PrimitiveTypes.Uint8), Nullable: true}}, nil)
	lists := arrow.NewSchema([]arrow.Field{{Name: "p", Type: arrow.ListOf(arrow.PrimitiveTypes.Float32), Nullable: true}}, nil)
	scalars := arrow.NewSchema([]arrow.Field{{Name: "x0", Type: arrow.PrimitiveTypes.Int64, Nullable: true}, {Name: "x1", Type: arrow.PrimitiveTypes.Int64, Nullable: true}}, nil)
	for _, c := range []struct {
		name   string
		schema *arrow.Schema
		rows   []string
		want   string
	}{
		{"value, then null", fixed, []string{`{"p": [1, 2]}`, `{"p": [250, 2]}`, `{"p": [1, 2]}`, `{"p": null}`, `{"p": [1, 2]}`}, `column "p": row 11: value 0 is 250`},
		{"null, then value", fixed, []string{`{"p": [1, 2]}`, `{"p": null}`, `{"p": [1, 2]}`, `{"p": [250, 2]}`}, `column "p": row 11: null value`},
		{"value, then null at the end", fixed, []string{`{"p": [1, 2]}`, `{"p": [1, 250]}`, `{"p": [250, 2]}`, `{"p": null}`}, `column "p": row 11: value 1 is 250`},
		{"null first", fixed, []string{`{"p": null}`, `{"p": [250, 2]}`}, `column "p": row 10: null value`},
		{"value, then ragged", lists, []string{`{"p": [1, 2]}`, `{"p": [1, 999]}`, `{"p": [1]}`, `{"p": null}`}, `column "p": row 11: value 1 is 999`},
		{"value, then null column", scalars, []string{`{"x0": 1, "x1": 2}`, `{"x0": 1, "x1": 999}`, `{"x0": null, "x1": 2}`}, `column "x1": row 11: value 999`},
	} {
		m := untrained(t, 2, 3)
		m.Output, m.Binding = model.Linear, model.Binding{}
		m.Preprocess = model.Preprocess{Method: model.PreprocessScale, Source: map[*arrow.Schema]string{fixed: "uint8", lists: "float32", scalars: "int64"}[c.schema], Scale: 1. / 200, Max: 200}
		for size := range len(c.rows) + 1 {
			read := func() array.RecordReader {
				var batches []arrow.RecordBatch
				for rows := range slices.Chunk(c.rows, size+1) {
					b, _, err := array.RecordFromJSON(mem, c.schema, strings.NewReader("["+strings.Join(rows, ",")+"]"))
					if err != nil {
						t.Fatal(err)
					}
					defer b.Release()
					batches = append(batches, b)
				}
				r, err := array.NewRecordReader(c.schema, batches)
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(r.Release)
				return r
			}
			config := Config{Model: model.Plain(2), PixelMax: 200, FirstRow: 10}
			_, _, fit := Fit(t.Context(), read(), config)
			config.Epochs, config.Validation = 1, 0.5
			_, _, once := Fit(t.Context(), read(), config)
			_, transform := Transform(t.Context(), m, read(), nowhere{}, TransformConfig{FirstRow: 10, Allocator: mem})
			_, evaluate := Evaluate(t.Context(), m, read(), EvaluateConfig{FirstRow: 10})
			for verb, err := range map[string]error{"fit": fit, "fit once": once, "transform": transform, "evaluate": evaluate} {
				if err == nil || !strings.HasPrefix(err.Error(), c.want) {
					t.Errorf("%s, batches of %d: %s: %v, want %s", c.name, size+1, verb, err, c.want)
				}
			}
		}
	}
}

// A row whose code overflows, which is found last, is the error nevertheless
// where it comes before others.
func TestOverflowBeforeOtherBadRows(t *testing.T) {
	m, err := model.New(model.Config{Inputs: 2, Hidden: 3, Activation: model.Linear, Output: model.Linear})
	if err != nil {
		t.Fatal(err)
	}
	for i := range m.Params.Flat {
		m.Params.Flat[i] = 2
	}
	m.Preprocess = model.Preprocess{Method: model.PreprocessScale, Source: "float32", Scale: 1, Max: 3.2e38}
	rows := make([][2]float32, 1200)
	rows[600][0] = 3e38
	rows[700][0] = -1
	rows[800][0] = float32(math.NaN())
	for _, size := range []int{1200, 650, 50} {
		r := floats(t, checked(t), size, rows...)
		defer r.Release()
		_, err := Transform(t.Context(), m, r, nowhere{}, TransformConfig{Columns: []string{"x#"}, FirstRow: 1000, Allocator: checked(t)})
		if err == nil || !strings.HasPrefix(err.Error(), `column "x1": row 1600: value 3.0000000054977558e+38: too large`) {
			t.Errorf("batches of %d: %v", size, err)
		}
	}
}

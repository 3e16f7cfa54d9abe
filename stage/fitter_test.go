package stage

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/aefeat/aefeat/model"
	"github.com/aefeat/aefeat/patch"
)

func TestFitLearns(t *testing.T) {
	noGoroutinesLeft(t)
	p := makePatches(3000, 64, 1)
	var seen []Progress
	m, report := fit(t, p.reader(t, checked(t), 700), Config{
		Model: model.Plain(16), Epochs: 4, Train: model.TrainOptions{LearningRate: 0.04},
		Observer: func(p Progress) { seen = append(seen, p) },
	})
	if report.Rows != 3000 || report.Skipped != 0 || report.Spilled != 0 || len(report.Epochs) != 4 || len(m.History) != 4 {
		t.Errorf("report %+v, history of %d", report, len(m.History))
	}
	first, last := report.Epochs[0].Cost.Total, report.Epochs[3].Cost.Total
	if last > 0.7*first {
		t.Errorf("cost went from %v to %v", first, last)
	}
	if m.Inputs != 64 || m.Preprocess.Source != "uint8" || !slices.Equal(m.Binding.Columns, []string{"image"}) || m.Binding.Width != 64 || m.Binding.Source != "uint8" {
		t.Errorf("inputs %d, preprocessing %+v, binding %+v", m.Inputs, m.Preprocess, m.Binding)
	}
	done := 0
	for i, p := range seen {
		if p.Epochs != 4 || p.Phase == PhaseTrain && p.TotalRows != 3000 {
			t.Errorf("progress %+v", p)
		}
		if p.Done {
			done++
			if p.Epoch != done || !reflect.DeepEqual(p.Result, report.Epochs[done-1]) || p.Rows != 3000 {
				t.Errorf("end of epoch %d: %+v", done, p)
			}
		} else if i > 0 && !seen[i-1].Done && p.Rows <= seen[i-1].Rows {
			t.Errorf("rows went from %d to %d", seen[i-1].Rows, p.Rows)
		}
	}
	if done != 4 || len(seen) > 4*5 {
		t.Errorf("%d ends among %d reports", done, len(seen))
	}
}

// The order of training, and so the model, must depend on rows, settings and
// seed alone. 17,000 rows of 784 bytes do not fit 16 MiB.
func TestFitIsRepeatable(t *testing.T) {
	if testing.Short() {
		t.Skip()
	}
	const m, n = 17000, 784
	p := makePatches(m, n, 2)
	mem := checked(t)
	denoising := model.Denoising(2)
	denoising.SparsityWeight, denoising.Sparsity = 1, 0.2
	denoising.Output = model.Linear
	sparse := model.Sparse(2)
	sparse.Output = model.Linear
	for _, c := range []struct {
		name  string
		model model.Config
		train model.TrainOptions
		share float64 // held out
	}{
		{"mini-batches", denoising, model.TrainOptions{}, 0},
		{"full batch", sparse, model.TrainOptions{BatchSize: model.FullBatch}, 0},
		{"L-BFGS", denoising, model.TrainOptions{Optimizer: model.LBFGS}, 0},
		{"held-out rows", denoising, model.TrainOptions{}, 0.05},
	} {
		t.Run(c.name, func(t *testing.T) {
			var want []byte
			for i, v := range []struct {
				batch   int
				memory  int64
				threads int
			}{{5000, 4 << 30, 2}, {5000, 16 << 20, 1}, {7, 16 << 20, 2}} {
				small := v.memory == 16<<20
				if small && c.share > 0 {
					v.memory *= 2 // the least for two stores
				}
				defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(v.threads))
				got, report := fit(t, p.reader(t, mem, v.batch), Config{Model: c.model, Train: c.train, Epochs: 2, Memory: v.memory, Validation: c.share, SpillDir: t.TempDir()})
				if spilled := report.Spilled > 0; spilled != small {
					t.Errorf("%d bytes spilled", report.Spilled)
				}
				var file bytes.Buffer
				if _, err := got.WriteTo(&file); err != nil {
					t.Fatal(err)
				}
				if i == 0 {
					want = file.Bytes()
				} else if !bytes.Equal(file.Bytes(), want) {
					t.Errorf("batches of %d, %d bytes of memory, %d threads: another model", v.batch, v.memory, v.threads)
				}
			}
		})
	}
}

// Rows that came sorted by label must train as well as they would under a
// perfect shuffle.
func TestSortedInputTrainsAsWell(t *testing.T) {
	const m, n = 17000, 784 // some buckets, in a spill file
	p := makePatches(m, n, 3).sorted()
	config, train := model.Plain(6), model.TrainOptions{LearningRate: 0.005, BatchSize: 128}
	config.Output = model.Linear
	_, report := fit(t, p.reader(t, checked(t), 5000), Config{Model: config, Train: train, Epochs: 3, Memory: 16 << 20, SpillDir: t.TempDir()})

	config.Inputs, train.Epochs = n, 3
	perfect, err := model.New(config)
	if err != nil {
		t.Fatal(err)
	}
	if perfect.Preprocess, err = model.NewPreprocess(model.PreprocessScale, "uint8", 0, model.Rows{}); err != nil {
		t.Fatal(err)
	}
	trainer, err := model.NewTrainer(perfect, train)
	if err != nil {
		t.Fatal(err)
	}
	order := make([]int32, m)
	for i := range order {
		order[i] = int32(i)
	}
	r := rand.New(rand.NewPCG(1, 1))
	for epoch := range 3 {
		r.Shuffle(m, func(i, j int) { order[i], order[j] = order[j], order[i] })
		if err := trainer.Add(model.Uint8Rows(p.pixels, n), order); err != nil {
			t.Fatal(err)
		}
		want, err := trainer.EndEpoch()
		if err != nil {
			t.Fatal(err)
		}
		if got := report.Epochs[epoch].Cost.Total; got > 1.02*want.Cost.Total || got < 0.98*want.Cost.Total {
			t.Errorf("epoch %d: cost %v, of a perfect shuffle %v", epoch+1, got, want.Cost.Total)
		}
	}
}

// liveHeap returns the bytes of the heap that are in use, whenever they were
// last collected.
func liveHeap() int64 {
	var s runtime.MemStats
	runtime.GC() // leaves what lies in a sync.Pool
	runtime.GC()
	runtime.ReadMemStats(&s)
	return int64(s.HeapAlloc)
}

// A stream several times as large as the budget: the heap and what the store
// maps outside of it must keep to the formula of the package comment.
func TestMemoryFormula(t *testing.T) {
	if testing.Short() {
		t.Skip()
	}
	const n, size, batches = 784, 2000, 30 // 45 MiB of rows
	const budget = 16 << 20
	p := makePatches(size, n, 4)
	batch := p.batch(memory.DefaultAllocator, 0, size)
	defer batch.Release()
	dir := t.TempDir()
	before := liveHeap()
	var most int64
	calls := 0
	c := model.Plain(2)
	c.Output = model.Linear
	f, err := NewFitter(patchSchema(n), Config{Model: c, Epochs: 2, Memory: budget, SpillDir: dir, Observer: func(Progress) {
		if calls++; calls%8 == 0 {
			most = max(most, liveHeap())
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for range batches {
		if err := f.Write(context.Background(), batch); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := f.Finish(context.Background()); err != nil {
		t.Fatal(err)
	}
	// The budget is not in the heap.
	allowed := before + f.plan.train.Memory(f.model.Config) + feedBlocks*blockBytes + 1<<20
	if most > allowed {
		t.Errorf("the heap grew to %d bytes, the formula allows %d", most, allowed)
	}
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("%s is left", left[0].Name())
	}
}

// What may cure a value out of range depends on its side, on what is done with
// it, and never is what was done already.
func TestRangeHints(t *testing.T) {
	rule := func(method, source string, pixelMax float64) *model.Model {
		return &model.Model{Preprocess: model.Preprocess{Method: method, Source: source, PixelMax: pixelMax}}
	}
	scale, none := rule(model.PreprocessScale, "float32", 0), rule(model.PreprocessNone, "float32", 0)
	entropy := rule(model.PreprocessScale, "float32", 0)
	entropy.Loss = model.CrossEntropy
	for _, c := range []struct {
		value   float64
		m       *model.Model
		fits    *rulePlan
		columns string
		want    string
	}{
		{-0.5, scale, &rulePlan{}, "patch", "choose `Preprocess` standardize, or choose `Preprocess` none with `Output` linear"},
		{7, scale, &rulePlan{}, "patch", "name the largest with `PixelMax`, or choose `Preprocess` standardize, or choose `Preprocess` none with `Output` linear"},
		{7, scale, &rulePlan{}, "x1 x2", "name the largest with `PixelMax`, or choose `Preprocess` standardize, or choose `Preprocess` none with `Output` linear"},
		{7, scale, &rulePlan{}, "age income", "choose `Preprocess` standardize, or name the largest with `PixelMax`, or choose `Preprocess` none with `Output` linear"},
		{-0.5, entropy, &rulePlan{}, "patch", "choose `Preprocess` standardize and with `Loss` squared, or choose `Preprocess` none with `Output` linear and `Loss` squared"},
		{-0.5, rule(model.PreprocessScale, "float32", 9), &rulePlan{pixelMax: 9}, "patch", "choose `Preprocess` standardize without `PixelMax`"},
		{7, none, &rulePlan{}, "patch", "choose `Output` linear, or choose `Preprocess` standardize"},
		{7, none, &rulePlan{}, "age income", "choose `Preprocess` standardize, or choose `Output` linear"},
		{-0.5, rule(model.PreprocessStandardize, "int64", 9), &rulePlan{}, "patch", "leave `PixelMax` out"},
		{-0.5, rule(model.PreprocessZCA, "float64", 9), &rulePlan{}, "patch", "leave `PixelMax` out"},
		{-0.5, rule(model.PreprocessZCA, "int64", 0), &rulePlan{}, "patch", "choose `Preprocess` standardize, or cast the column to floating point"},
		{7, rule(model.PreprocessPatch, "int64", 0), &rulePlan{}, "patch",
			"name the largest with `PixelMax`, or choose `Preprocess` standardize, or cast the column to floating point"},
		{-0.5, rule(model.PreprocessZCA, "int64", 0), &rulePlan{epsilon: 1, noContrast: true}, "patch",
			"choose `Preprocess` standardize without `ZCAEpsilon` and `NoContrast`, or cast the column to floating point"},
		{-0.5, scale, nil, "patch", "fit a model to rows that have them"},
		{7, none, nil, "patch", "fit a model to rows that have them"},
		{7, scale, nil, "age income", "name the largest with `PixelMax`, or fit a model to rows that have them"},
	} {
		err := located(&model.RangeError{Value: c.value, Max: 1, Reason: "no"}, strings.Fields(c.columns), c.m, c.fits)
		var e *patch.RowError
		if !errors.As(err, &e) || e.Hint != "if such values are meant, "+c.want {
			t.Errorf("value %v under %+v: %v, hint %q", c.value, c.m.Preprocess, err, e.Hint)
		}
	}
}

func TestSettings(t *testing.T) {
	p := makePatches(300, 16, 5)
	init, _ := fit(t, p.reader(t, checked(t), 100), Config{Model: model.Plain(3), Epochs: 1})
	other := model.Plain(3)
	other.Inputs = 17
	for _, c := range []struct {
		name   string
		config Config
		want   string
	}{
		{"no hidden units", Config{}, "Hidden: "},
		{"init of another size", Config{Model: model.Plain(4), Init: init}, "Hidden: 4 were asked for, the initial model has 3"},
		{"init of another width", Config{Model: other, Init: init}, "Inputs: 17"},
		{"width of the data", Config{Model: other}, "16"},
		{"memory", Config{Model: model.Plain(3), Memory: 1 << 20}, "16MiB"},
		{"preprocessing", Config{Model: model.Plain(3), Preprocess: "magic"}, "magic"},
		{"column", Config{Model: model.Plain(3), Columns: []string{"picture"}}, "picture"},
		{"training", Config{Model: model.Plain(3), Train: model.TrainOptions{LearningRate: -1}}, "LearningRate: "},
	} {
		t.Run(c.name, func(t *testing.T) {
			noGoroutinesLeft(t)
			r := p.reader(t, checked(t), 100)
			defer r.Release()
			_, _, err := Fit(context.Background(), r, c.config)
			if err == nil {
				t.Fatal("no error")
			}
			text := err.Error()
			var setting *model.ConfigError
			if errors.As(err, &setting) {
				text += " " + setting.Hint
			}
			if !strings.Contains(text, c.want) {
				t.Errorf("got %q, want an error with %q", text, c.want)
			}
		})
	}
}

func TestInitialModel(t *testing.T) {
	p := makePatches(2500, 16, 6)
	mem := checked(t)
	want, err := model.New(model.Config{Inputs: 16, Hidden: 3, Seed: 9})
	if err != nil {
		t.Fatal(err)
	}
	// From data that give the width.
	m, report := fit(t, p.reader(t, mem, 100), Config{Model: model.Config{Hidden: 3, Seed: 9}, Epochs: NoEpochs})
	if !sameBits(m.Params.Flat, want.Params.Flat) || m.Preprocess.Scale == 0 || report.Rows != 0 || len(m.History) != 0 {
		t.Errorf("not the initial model: %+v", m)
	}
	// Without data.
	f, err := NewFitter(nil, Config{Model: model.Config{Inputs: 16, Hidden: 3, Seed: 9}, Epochs: NoEpochs, Preprocess: model.PreprocessNone})
	if err != nil {
		t.Fatal(err)
	}
	m, _, err = f.Finish(context.Background())
	if err != nil || !sameBits(m.Params.Flat, want.Params.Flat) {
		t.Errorf("without data: %v", err)
	}
	// Without data, but with a rule that needs them.
	f, err = NewFitter(nil, Config{Model: model.Config{Inputs: 16, Hidden: 3}, Epochs: NoEpochs})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := f.Finish(context.Background()); !errors.Is(err, ErrNoRows) {
		t.Errorf("got %v", err)
	}
	// From another model, settings and all.
	trained, _ := fit(t, p.reader(t, mem, 100), Config{Model: model.Sparse(3), Epochs: 1})
	before := slices.Clone(trained.Params.Flat)
	m, _ = fit(t, p.reader(t, mem, 100), Config{Init: trained, Epochs: NoEpochs})
	if !sameBits(m.Params.Flat, before) || m.Config != trained.Config {
		t.Error("epochs -1 changed the model")
	}
	moved := *trained
	moved.Binding.Columns = []string{"elsewhere"} // then the column is found again
	m, _ = fit(t, p.reader(t, mem, 100), Config{Init: &moved, Epochs: NoEpochs})
	if !slices.Equal(m.Binding.Columns, []string{"image"}) {
		t.Errorf("the patch is said to be in %q", m.Binding.Columns)
	}
	m, _ = fit(t, p.reader(t, mem, 100), Config{Init: trained, Epochs: 1})
	if sameBits(m.Params.Flat, before) || !sameBits(trained.Params.Flat, before) {
		t.Error("training from a model must change the copy alone")
	}
}

func TestNoRows(t *testing.T) {
	noGoroutinesLeft(t)
	p := makePatches(3, 16, 7)
	mem := checked(t)
	empty := p.batch(mem, 0, 0)
	defer empty.Release()
	nulls := p.batch(mem, 0, 3, 0, 1, 2)
	defer nulls.Release()
	for _, c := range []struct {
		batches []arrow.RecordBatch
		want    string
	}{
		{nil, "no rows"},
		{[]arrow.RecordBatch{empty, empty}, "no rows"},
		{[]arrow.RecordBatch{empty, nulls}, "no rows: all 3 were skipped"},
	} {
		f, err := NewFitter(patchSchema(16), Config{Model: model.Plain(2), Skip: true})
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range c.batches {
			if err := f.Write(context.Background(), b); err != nil {
				t.Fatal(err)
			}
		}
		if _, _, err := f.Finish(context.Background()); !errors.Is(err, ErrNoRows) || err.Error() != c.want {
			t.Errorf("got %v, want %s", err, c.want)
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestBadRows(t *testing.T) {
	noGoroutinesLeft(t)
	p := makePatches(4000, 16, 8)
	mem := checked(t)
	a, b := p.batch(mem, 0, 2500), p.batch(mem, 2500, 4000, 2600, 3999)
	defer a.Release()
	defer b.Release()
	write := func(c Config) (*Report, error) {
		f, err := NewFitter(patchSchema(16), c)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if err := f.Write(context.Background(), a); err != nil {
			t.Fatal(err)
		}
		if err := f.Write(context.Background(), b); err != nil {
			if again := f.Write(context.Background(), a); again != err {
				t.Errorf("the error was %v, and then %v", err, again)
			}
			return nil, err
		}
		_, report, err := f.Finish(context.Background())
		return report, err
	}
	_, err := write(Config{Model: model.Plain(2), Epochs: 1, FirstRow: 1000})
	var e *patch.RowError
	if !errors.As(err, &e) || e.Row != 3600 || e.Column != "image" {
		t.Errorf("got %v", err)
	}
	report, err := write(Config{Model: model.Plain(2), Epochs: 2, Skip: true})
	if err != nil || report.Rows != 3998 || report.Skipped != 2 {
		t.Errorf("got %+v, %v", report, err)
	}
}

// floats is a reader of rows of two scalar columns.
func floats(t *testing.T, mem memory.Allocator, size int, rows ...[2]float32) array.RecordReader {
	schema := arrow.NewSchema([]arrow.Field{{Name: "x1", Type: arrow.PrimitiveTypes.Float32}, {Name: "x2", Type: arrow.PrimitiveTypes.Float32}}, nil)
	b := array.NewRecordBuilder(mem, schema)
	defer b.Release()
	var batches []arrow.RecordBatch
	for chunk := range slices.Chunk(rows, size) {
		for _, r := range chunk {
			b.Field(0).(*array.Float32Builder).Append(r[0])
			b.Field(1).(*array.Float32Builder).Append(r[1])
		}
		batches = append(batches, b.NewRecordBatch())
	}
	r, err := array.NewRecordReader(schema, batches)
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range batches {
		b.Release()
	}
	return r
}

func TestValueOutsideTheRuleNamesColumnAndRow(t *testing.T) {
	rows := make([][2]float32, 3000)
	rows[2500][1] = 3
	for _, size := range []int{7, 5000} {
		r := floats(t, checked(t), size, rows...)
		defer r.Release()
		_, _, err := Fit(context.Background(), r, Config{Model: model.Plain(2), Epochs: 1, FirstRow: 5})
		var e *patch.RowError
		if !errors.As(err, &e) || e.Row != 2505 || e.Column != "x2" || !strings.Contains(e.Reason, "3") {
			t.Errorf("got %v", err)
		}
	}
}

func TestDivergence(t *testing.T) {
	noGoroutinesLeft(t)
	p := makePatches(20000, 64, 9)
	c := model.Plain(8)
	c.Activation, c.Output = model.Linear, model.Linear
	r := p.reader(t, checked(t), 100)
	defer r.Release()
	_, _, err := Fit(context.Background(), r, Config{Model: c, Train: model.TrainOptions{Optimizer: model.SGD, LearningRate: 100, Momentum: model.NoMomentum}})
	var e *model.DivergedError
	if !errors.As(err, &e) {
		t.Errorf("got %v", err)
	}
}

func TestCancelFit(t *testing.T) {
	p := makePatches(10000, 64, 10)
	for _, stop := range []struct {
		name  string
		phase string
		epoch int
	}{{"first epoch", PhaseStream, 1}, {"later epoch", PhaseTrain, 2}} {
		t.Run(stop.name, func(t *testing.T) {
			noGoroutinesLeft(t)
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			r := p.reader(t, checked(t), 100)
			defer r.Release()
			after := 0
			_, _, err := Fit(ctx, r, Config{Model: model.Plain(8), Observer: func(p Progress) {
				if ctx.Err() != nil {
					after++
				}
				if p.Phase == stop.phase && p.Epoch == stop.epoch {
					cancel()
				}
			}})
			if !errors.Is(err, context.Canceled) {
				t.Errorf("got %v", err)
			}
			if after > feedBlocks {
				t.Errorf("%d reports after the end", after)
			}
		})
	}
}

// Whoever reuses the memory of a batch once Write is back must not change the
// model.
func TestWriteKeepsNoReference(t *testing.T) {
	p := makePatches(5000, 16, 13)
	c := Config{Model: model.Plain(2), Epochs: 2}
	want, _ := fit(t, p.reader(t, checked(t), 500), c)
	f, err := NewFitter(patchSchema(16), c)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	mem := checked(t)
	for lo := 0; lo < 5000; lo += 500 {
		batch := p.batch(mem, lo, lo+500)
		if err := f.Write(context.Background(), batch); err != nil {
			t.Fatal(err)
		}
		clear(batch.Column(1).(*array.FixedSizeList).ListValues().(*array.Uint8).Uint8Values())
		batch.Release()
	}
	got, _, err := f.Finish(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if !sameBits(got.Params.Flat, want.Params.Flat) {
		t.Error("the model changed with the batches")
	}
}

// Once a batch is released, the garbage collector may have its buffers.
func TestWriteKeepsNoBuffers(t *testing.T) {
	const rows, columns, batches = 500, 4, 3
	var fields []arrow.Field
	for i := range columns {
		fields = append(fields, arrow.Field{Name: fmt.Sprintf("p%d", i), Type: arrow.PrimitiveTypes.Uint8})
	}
	schema := arrow.NewSchema(fields, nil)
	f, err := NewFitter(schema, Config{Model: model.Plain(2), Epochs: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var gone atomic.Int32
	write := func() {
		var arrays []arrow.Array
		for _, field := range fields {
			values := make([]byte, rows)
			runtime.AddCleanup(&values[0], func(int) { gone.Add(1) }, 0)
			data := array.NewData(field.Type, rows, []*memory.Buffer{nil, memory.NewBufferBytes(values)}, nil, 0, 0)
			arrays = append(arrays, array.MakeFromData(data))
		}
		batch := array.NewRecordBatch(schema, arrays, rows)
		if err := f.Write(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
		for _, a := range arrays {
			a.Release()
		}
		batch.Release()
	}
	for range batches {
		write()
	}
	for wait := time.Now(); time.Since(wait) < 20*time.Second && gone.Load() < batches*columns; {
		runtime.GC()
		time.Sleep(time.Millisecond) // cleanups run on a goroutine of their own
	}
	if n := gone.Load(); n < batches*columns {
		t.Errorf("%d of %d buffers are still held", batches*columns-n, batches*columns)
	}
	runtime.KeepAlive(f)
}

func TestCloseAtAnyTime(t *testing.T) {
	noGoroutinesLeft(t)
	p := makePatches(5000, 16, 11)
	mem := checked(t)
	for _, rows := range []int{0, 10, 5000} {
		f, err := NewFitter(patchSchema(16), Config{Model: model.Plain(2)})
		if err != nil {
			t.Fatal(err)
		}
		batch := p.batch(mem, 0, rows)
		if err := f.Write(context.Background(), batch); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := f.Close(); err != nil {
				t.Error(err)
			}
		}
		if err := f.Write(context.Background(), batch); err == nil {
			t.Error("a closed fitter takes rows")
		}
		if _, _, err := f.Finish(context.Background()); err == nil {
			t.Error("a closed fitter finishes")
		}
		batch.Release()
	}
}

func TestSpillFolderIsNamed(t *testing.T) {
	p := makePatches(3000, 784, 12)
	batch := p.batch(memory.DefaultAllocator, 0, 3000)
	defer batch.Release()
	dir := t.TempDir() + "/none"
	c := Config{Model: model.Plain(2), Memory: 16 << 20, SpillDir: dir}
	_, err := NewFitter(patchSchema(784), c)
	named := func() {
		var e *SpillError
		if !errors.As(err, &e) || e.Dir != dir || e.Hint == "" {
			t.Errorf("got %v", err)
		}
	}
	named()
	// A folder may go while it is needed.
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	f, err := NewFitter(patchSchema(784), c)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := os.Remove(dir); err != nil {
		t.Fatal(err)
	}
	for i := 0; i < 10 && err == nil; i++ {
		err = f.Write(context.Background(), batch)
	}
	named()
}

// The rule is learned from the first rows, whatever batches they come in.
func TestWideIntegers(t *testing.T) {
	schema := arrow.NewSchema([]arrow.Field{{Name: "x", Type: arrow.FixedSizeListOf(2, arrow.PrimitiveTypes.Int32)}}, nil)
	for _, c := range []struct {
		large    int32
		at       int
		pixelMax float64
		want     string
	}{
		{255, 20, 0, ""},
		{1000, 20, 0, "1000"},
		{1000, 20, 1000, ""},
		{1000, 1500, 0, "1000"},
	} {
		for _, size := range []int{7, 5000} {
			t.Run(fmt.Sprint(c.large, c.at, c.pixelMax, size), func(t *testing.T) {
				b := array.NewRecordBuilder(checked(t), schema)
				defer b.Release()
				f, err := NewFitter(schema, Config{Model: model.Plain(2), Epochs: 1, PixelMax: c.pixelMax})
				if err != nil {
					t.Fatal(err)
				}
				defer f.Close()
				for lo := 0; lo < 2000 && err == nil; lo += size {
					for i := lo; i < min(lo+size, 2000); i++ {
						b.Field(0).(*array.FixedSizeListBuilder).Append(true)
						v := int32(i % 200)
						if i == c.at {
							v = c.large
						}
						b.Field(0).(*array.FixedSizeListBuilder).ValueBuilder().(*array.Int32Builder).AppendValues([]int32{v, 1}, nil)
					}
					batch := b.NewRecordBatch()
					err = f.Write(context.Background(), batch)
					batch.Release()
				}
				if err == nil {
					_, _, err = f.Finish(context.Background())
				}
				switch {
				case c.want == "" && err != nil:
					t.Error(err)
				case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
					t.Errorf("got %v, want an error with %q", err, c.want)
				}
			})
		}
	}
}

// Once the input has ended, the buffers of what took rows out of batches are
// free for the training.
func TestIntakeIsEmptiedAtTheEnd(t *testing.T) {
	noGoroutinesLeft(t)
	const m, n = 4000, 1024
	schema := arrow.NewSchema([]arrow.Field{{Name: "p", Type: arrow.FixedSizeListOf(n, arrow.PrimitiveTypes.Float64)}}, nil)
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	list := b.Field(0).(*array.FixedSizeListBuilder)
	for range m {
		list.Append(true)
		list.ValueBuilder().(*array.Float64Builder).AppendValues(make([]float64, n), nil)
	}
	batch := b.NewRecordBatch()
	b.Release()
	var training int64
	f, err := NewFitter(schema, Config{Model: model.Plain(2), Epochs: 2, Validation: 0.1, Observer: func(p Progress) {
		if p.Phase == PhaseTrain && training == 0 {
			training = liveHeap()
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Write(t.Context(), batch); err != nil {
		t.Fatal(err)
	}
	reading := liveHeap()
	if _, _, err := f.Finish(t.Context()); err != nil {
		t.Fatal(err)
	}
	// The batch, in float64, became rows of float32. Half of these is slack for
	// what training takes.
	if freed := reading - training; freed < m*n*4/2 {
		t.Errorf("%d bytes were in use while rows were read, %d in training", reading, training)
	}
	runtime.KeepAlive(batch)
}

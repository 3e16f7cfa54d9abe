package stage

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/aefeat/aefeat/imagery"
	"github.com/aefeat/aefeat/model"
)

// A fit of one epoch, checkpointed and gone on with after any number of rows,
// is the fit of all rows at once: no row is lost, none is there twice, bad ones
// included.
func TestResumeForward(t *testing.T) {
	noGoroutinesLeft(t)
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	smallWindow(t, 2500*16)
	p := cap200(makePatches(6000, 16, 6)).brighten(0, 2000, 5990)
	bad := []int{7, 2048, 2049, 5999}
	linear := linearModel(4)
	for _, c := range []resumeCase{
		{"adam", Config{Model: model.Sparse(4), Epochs: 1}},
		{"sgd, denoising", Config{Model: model.Denoising(4), Epochs: 1, Train: model.TrainOptions{Optimizer: model.SGD, BatchSize: 700}, FirstRow: 1e12}},
		{"standardize", Config{Model: linear, Epochs: 1, Preprocess: model.PreprocessStandardize, PreprocessRows: 1500}},
		{"zca", Config{Model: linear, Epochs: 1, Preprocess: model.PreprocessZCA, PreprocessRows: 1000}},
		{"patch", Config{Model: model.Sparse(4), Epochs: 1, Preprocess: model.PreprocessPatch, PreprocessRows: 3000}},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.config.Skip, c.config.PixelMax = true, 200
			want := fitAll(t, p.reader(t, memory.DefaultAllocator, 512, bad...), c.config)
			f, err := NewFitter(patchSchema(16), c.config)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { f.Close() }()
			resumes := 0
			for lo := 0; lo < p.rows(); {
				hi := min(p.rows(), lo+1+random.IntN(700))
				batch := p.batch(memory.DefaultAllocator, lo, hi, bad...)
				if err := f.Write(t.Context(), batch); err != nil {
					t.Fatal(err)
				}
				batch.Release()
				lo = hi
				if random.IntN(2) == 0 {
					continue
				}
				var b bytes.Buffer
				if err := f.Checkpoint(&b); errors.Is(err, ErrTooEarly) && resumes == 0 {
					continue
				} else if err != nil {
					t.Fatal(err)
				}
				if _, err := model.Read(bytes.NewReader(b.Bytes())); err != nil {
					t.Error(err)
				}
				if err := f.Checkpoint(failing{}); !errors.Is(err, errCallback) {
					t.Errorf("a writer that fails: %v", err)
				}
				if random.IntN(2) == 0 {
					continue // or else the fit goes on itself
				}
				f.Close()
				if f, err = goForward(&b, patchSchema(16), Config{}); err != nil {
					t.Fatal(err)
				}
				resumes++
			}
			m, report, err := f.Finish(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			want.same(t, fmt.Sprintf("%d resumes, seed %d", resumes, seed), outcome{file(t, m), report})
			if resumes == 0 {
				t.Logf("no resume, seed %d", seed)
			}
		})
	}
}

func goForward(r io.Reader, schema *arrow.Schema, c Config) (*Fitter, error) {
	from, err := ReadCheckpoint(r)
	if err != nil {
		return nil, err
	}
	return ResumeForward(from, schema, c)
}

var errCallback = errors.New("no room")

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, errCallback }

// What a checkpoint of a stream cannot do is an error that says so.
func TestForwardMisuse(t *testing.T) {
	p := makePatches(3000, 16, 6)
	batch := p.batch(memory.DefaultAllocator, 0, 3000)
	defer batch.Release()
	checkpoint := func(c Config) ([]byte, error) {
		f, err := NewFitter(patchSchema(16), c)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if err := f.Write(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		err = f.Checkpoint(&b)
		return b.Bytes(), err
	}
	for setting, c := range map[string]Config{
		"Epochs":     {Model: model.Sparse(4), Epochs: 2},
		"Validation": {Model: model.Sparse(4), Epochs: 1, Validation: 0.1},
		"BatchSize":  {Model: model.Sparse(4), Epochs: 1, Train: model.TrainOptions{BatchSize: model.FullBatch}},
	} {
		_, err := checkpoint(c)
		wantSetting(t, setting, err)
	}
	if _, err := checkpoint(Config{Model: model.Sparse(4), Epochs: NoEpochs}); err == nil {
		t.Error("a checkpoint without epochs")
	}
	if _, err := checkpoint(Config{Model: model.Sparse(4), Epochs: 1, Preprocess: model.PreprocessPatch}); !errors.Is(err, ErrTooEarly) {
		t.Errorf("before preprocessing is learned: %v", err)
	}
	if err := new(Fitter).Checkpoint(io.Discard); err == nil {
		t.Error("a checkpoint of no fitter")
	}
	stream, err := checkpoint(Config{Model: model.Sparse(4), Epochs: 1})
	if err != nil {
		t.Fatal(err)
	}
	replay := moments(t, p.reader(t, memory.DefaultAllocator, 500), Config{Model: model.Sparse(4), Epochs: 1})[0]
	if _, err := resumed(t, stream, p.reader(t, memory.DefaultAllocator, 500), Config{}); err == nil || !strings.Contains(err.Error(), "ResumeForward") {
		t.Errorf("Resume of a stream: %v", err)
	}
	if _, err := goForward(bytes.NewReader(replay), patchSchema(16), Config{}); err == nil || !strings.Contains(err.Error(), "use Resume") {
		t.Errorf("ResumeForward of another: %v", err)
	}
	_, err = goForward(bytes.NewReader(stream), patchSchema(16), Config{Epochs: 3})
	wantSetting(t, "Epochs", err)
	_, err = goForward(bytes.NewReader(stream), patchSchema(16), Config{Checkpoint: func(*Checkpoint) error { return nil }})
	wantSetting(t, "Checkpoint", err)
	if _, err := ResumeForward(nil, patchSchema(16), Config{}); err == nil {
		t.Error("no checkpoint, and no error")
	}
	// Rows of another type.
	r := p.as(t, array.NewListBuilder(memory.DefaultAllocator, arrow.PrimitiveTypes.Uint16), "more")
	defer r.Release()
	f, err := goForward(bytes.NewReader(stream), r.Schema(), Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, _, err := f.Run(t.Context(), r); !errors.As(err, new(*InputChangedError)) {
		t.Errorf("rows of uint16: %v", err)
	}
}

func wantSetting(t *testing.T, setting string, err error) {
	t.Helper()
	var e *model.ConfigError
	if !errors.As(err, &e) || e.Setting != setting {
		t.Errorf("error %v, want one about %s", err, setting)
	}
}

// Settings come from the checkpoint: those that say the same may be there,
// others may not.
func TestResumeSettings(t *testing.T) {
	p := makePatches(3000, 16, 7)
	initial, _ := fit(t, p.reader(t, memory.DefaultAllocator, 500), Config{Model: model.Sparse(4), Epochs: 1, Preprocess: model.PreprocessPatch})
	c := Config{Init: initial, Epochs: 3, Train: model.TrainOptions{LearningRate: 0.01}, Validation: 0.1, Columns: []string{"im*ge"}}
	want := fitAll(t, p.reader(t, memory.DefaultAllocator, 500), c)
	saved := moments(t, p.reader(t, memory.DefaultAllocator, 500), c)
	for i, again := range []Config{
		c,
		{Model: model.Sparse(4), Epochs: 3, Preprocess: model.PreprocessPatch},
		{Model: initial.Config, Train: model.TrainOptions{LearningRate: 0.01, BatchSize: 256}, Memory: 64 << 20, SpillDir: t.TempDir()},
	} {
		got, err := resumed(t, saved[i], p.reader(t, memory.DefaultAllocator, 500), again)
		if err != nil {
			t.Fatal(err)
		}
		want.same(t, fmt.Sprintf("settings %d", i), got)
	}
	for setting, again := range map[string]Config{
		"Hidden":       {Model: model.Config{Hidden: 5}},
		"LearningRate": {Train: model.TrainOptions{LearningRate: 0.02}},
		"Optimizer":    {Train: model.TrainOptions{Optimizer: model.LBFGS}},
		"Columns":      {Columns: []string{"label"}},
		"Preprocess":   {Preprocess: model.PreprocessZCA},
		"PixelMax":     {PixelMax: 3},
		"Skip":         {Skip: true},
		"FirstRow":     {FirstRow: 4},
		"Validation":   {Validation: 0.2},
		"Epochs":       {Epochs: 1},
	} {
		_, err := resumed(t, saved[2], p.reader(t, memory.DefaultAllocator, 500), again)
		wantSetting(t, setting, err)
	}
	_, err := resumed(t, saved[2], p.reader(t, memory.DefaultAllocator, 500), Config{Epochs: NoEpochs})
	wantSetting(t, "Epochs", err)
	from, err := ReadCheckpoint(bytes.NewReader(saved[1]))
	if err != nil {
		t.Fatal(err)
	}
	if from.Epochs != 3 || from.Epoch != 2 || from.Settings.Validation != 0.1 || from.Settings.Model.Hidden != 4 || from.Model.Inputs != 16 {
		t.Errorf("%+v", from)
	}
	f, err := Resume(from, patchSchema(16), Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := Resume(from, patchSchema(16), Config{}); err == nil {
		t.Error("resumed twice")
	}
	if _, err := Resume(nil, patchSchema(16), Config{}); err == nil {
		t.Error("no checkpoint, and no error")
	}
}

// A checkpoint keeps every setting but those of which a resumed fit has its
// own.
func TestSettingsAreKept(t *testing.T) {
	var c Config
	v := reflect.ValueOf(&c).Elem()
	for i := range v.NumField() {
		field := v.Type().Field(i)
		switch at := v.Field(i); {
		case transient(field):
		case at.CanInt():
			at.SetInt(3)
		case at.CanFloat():
			at.SetFloat(0.25)
		case at.Kind() == reflect.Bool:
			at.SetBool(true)
		case at.Kind() == reflect.String:
			at.SetString("zca")
		case field.Name == "Columns":
			c.Columns = []string{"a", "b"}
		case field.Name == "Model":
			c.Model = model.KSparse(7)
		case field.Name == "Train":
			c.Train = model.TrainOptions{Optimizer: model.SGD, LearningRate: 0.3, Patience: 2}
		case field.Name == "Shape":
			c.Shape = model.Shape{Height: 2, Width: 3, Channels: 3, Order: "planar"}
		case field.Name == "Images":
			c.Images = model.Images{Shape: model.Shape{Height: 2, Width: 3, Channels: 1}, Grey: true, Resize: true}
		default:
			t.Errorf("%s is not tested", field.Name)
		}
	}
	b, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	var got Config
	if err := json.Unmarshal(b, &got); err != nil || !reflect.DeepEqual(got, c) {
		t.Errorf("%+v, want %+v; error %v", got, c, err)
	}
	if !reflect.DeepEqual(c.settings(), c) {
		t.Error("settings are lost")
	}
	var transients []string
	for i := range v.NumField() {
		if field := v.Type().Field(i); transient(field) {
			transients = append(transients, field.Name)
		}
	}
	if got, want := strings.Join(transients, " "), "Init Decode Memory SpillDir Observer Checkpoint CheckpointEvery OtherKernels"; got != want {
		t.Errorf("not kept are %s, want %s", got, want)
	}
}

// A fit goes on after its end, and from one pass to several: with mini-batches
// at a constant rate it is the longer fit.
func TestResumeForMoreEpochs(t *testing.T) {
	p := makePatches(3000, 16, 8)
	read := func() array.RecordReader { return p.reader(t, memory.DefaultAllocator, 500) }
	for _, c := range []struct {
		resumeCase
		epochs int
		same   bool // as the longer fit
	}{
		{resumeCase{"full batch", Config{Model: model.Sparse(4), Epochs: 1, Train: model.TrainOptions{BatchSize: model.FullBatch}}}, 3, true},
		{resumeCase{"lbfgs", Config{Model: model.Sparse(4), Epochs: 2, Train: model.TrainOptions{Optimizer: model.LBFGS}}}, 4, true},
		{resumeCase{"one pass", Config{Model: model.Sparse(4), Epochs: 1}}, 3, true},
		{resumeCase{"schedule", Config{Model: model.Sparse(4), Epochs: 4, Validation: 0.1}}, 6, false},
		{resumeCase{"learned ahead", Config{Model: model.Sparse(4), Epochs: 1, Preprocess: model.PreprocessPatch, PreprocessRows: 1000}}, 2, false},
		{resumeCase{"fewer, kept", Config{Model: model.Sparse(4), Epochs: 3, Preprocess: model.PreprocessPatch}}, 1, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			var saved [][]byte
			fitAll(t, read(), every(t, c.config, &saved))
			b := saved[len(saved)-1]
			if c.epochs < c.config.Epochs {
				b = saved[0]
			}
			got, err := resumed(t, b, read(), Config{Epochs: c.epochs})
			if err != nil {
				t.Fatal(err)
			}
			if n := len(got.report.Epochs); n != c.epochs || got.report.Stop != model.OutOfEpochs || slices.Contains(got.report.warnings, Warning{Key: WarnUnused, Setting: "PreprocessRows"}) {
				t.Errorf("%d epochs, stopped by %v, warnings %v", n, got.report.Stop, got.report.warnings)
			}
			if !c.same {
				return
			}
			c.config.Epochs = c.epochs
			longer := fitAll(t, read(), c.config)
			if !bytes.Equal(longer.file, got.file) {
				t.Error("another model than that of the longer fit")
			}
		})
	}
}

// The error of a callback ends the fit, and notes come back.
func TestCheckpointCallback(t *testing.T) {
	p := makePatches(3000, 16, 9)
	for _, every := range []int{1, -1} {
		r := p.reader(t, memory.DefaultAllocator, 500)
		defer r.Release()
		_, _, err := Fit(t.Context(), r, Config{Model: model.Plain(3), Epochs: 2, CheckpointEvery: time.Duration(every), Checkpoint: func(*Checkpoint) error { return errCallback }})
		if !errors.Is(err, errCallback) {
			t.Errorf("every %d: %v", every, err)
		}
	}
	var kept *Checkpoint
	var saved []byte
	c := Config{Model: model.Plain(3), Epochs: 2, CheckpointEvery: -1, Checkpoint: func(k *Checkpoint) error {
		var b bytes.Buffer
		k.Notes["epoch"] = fmt.Sprint(k.Epoch)
		_, err := k.WriteTo(&b)
		kept, saved = k, b.Bytes()
		return err
	}}
	fit(t, p.reader(t, memory.DefaultAllocator, 500), c)
	if _, err := kept.WriteTo(io.Discard); err == nil {
		t.Error("written after the call")
	}
	from, err := ReadCheckpoint(bytes.NewReader(saved))
	if err != nil || from.Notes["epoch"] != "2" || from.Epoch != 2 {
		t.Errorf("%+v, error %v", from, err)
	}
	if _, err := from.WriteTo(io.Discard); err == nil {
		t.Error("one that was read is written")
	}
}

// Rows in a spill file are passed over as those in memory are.
func TestResumeSpilled(t *testing.T) {
	if testing.Short() {
		t.Skip()
	}
	const n = 2048 // in buckets of more than one block
	p := makePatches(6300, n, 10)
	plain := model.Plain(2)
	plain.Output = model.Linear
	c := Config{Model: plain, Epochs: 2, Memory: 16 << 20, SpillDir: t.TempDir(), Train: model.TrainOptions{LearningRate: 1e-4}}
	want := fitAll(t, p.reader(t, memory.DefaultAllocator, 500), c)
	if want.report.Spilled == 0 {
		t.Fatal("nothing spilled")
	}
	var saved [][]byte
	fitAll(t, p.reader(t, memory.DefaultAllocator, 500), every(t, c, &saved))
	arrived := (6300 + blockRows/2 - 1) / (blockRows / 2) // checkpoints of the first epoch
	for i, budget := range map[int]int64{3: 16 << 20, arrived + 1: 16 << 20, arrived + 3: 1 << 30, len(saved) - 4: 16 << 20} {
		got, err := resumed(t, saved[i], p.reader(t, memory.DefaultAllocator, 77), Config{Memory: budget, SpillDir: t.TempDir()})
		if err != nil {
			t.Fatal(err)
		}
		want.same(t, fmt.Sprintf("checkpoint %d of %d", i, len(saved)), got)
	}
}

// Encoded images go on, and the size that the first one has shown with them.
func TestResumeImages(t *testing.T) {
	all := makePatches(1400, 12, 13).encodedImages(t, memory.DefaultAllocator, 3, 100)
	defer all.Release()
	var batches []arrow.RecordBatch
	for all.Next() {
		all.RecordBatch().Retain()
		batches = append(batches, all.RecordBatch())
	}
	read := func(lo, hi int) array.RecordReader {
		r, err := array.NewRecordReader(all.Schema(), batches[lo:hi])
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	var saved [][]byte
	c := Config{Model: model.Sparse(3), Epochs: 1, Decode: imagery.Whole(), Columns: []string{"image"}}
	want := fitAll(t, read(0, 14), every(t, c, &saved))
	got, err := resumed(t, saved[0], read(0, 14), Config{Decode: imagery.Whole()})
	if err != nil {
		t.Fatal(err)
	}
	want.same(t, "resumed", got)

	f, err := NewFitter(all.Schema(), c)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, batch := range batches[:12] {
		if err := f.Write(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
	}
	var b bytes.Buffer
	if err := f.Checkpoint(&b); err != nil {
		t.Fatal(err)
	}
	next, err := goForward(&b, all.Schema(), Config{Decode: imagery.Whole()})
	if err != nil {
		t.Fatal(err)
	}
	defer next.Close()
	rest := read(12, 14)
	defer rest.Release()
	m, report, err := next.Run(t.Context(), rest)
	if err != nil {
		t.Fatal(err)
	}
	want.same(t, "forward", outcome{file(t, m), report})
}

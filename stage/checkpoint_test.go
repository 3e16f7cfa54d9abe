package stage

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/aefeat/aefeat/model"
)

// outcome is what a fit came to.
type outcome struct {
	file   []byte
	report *Report
}

// fitAll fits to its end.
func fitAll(t *testing.T, r array.RecordReader, c Config) outcome {
	t.Helper()
	m, report := fit(t, r, c)
	return outcome{file(t, m), report}
}

// same fails unless two fits came to the same.
func (o outcome) same(t *testing.T, name string, got outcome) {
	t.Helper()
	if !bytes.Equal(got.file, o.file) {
		t.Errorf("%s: another model", name)
	}
	a, b := *o.report, *got.report
	a.Spilled, b.Spilled = 0, 0 // depends on the memory
	if !reflect.DeepEqual(a, b) {
		t.Errorf("%s: report\n%+v, want\n%+v", name, b, a)
	}
}

// every returns c with checkpoints at every moment that has one, which end up
// in saved.
func every(t *testing.T, c Config, saved *[][]byte) Config {
	c.CheckpointEvery = 1
	c.Checkpoint = func(k *Checkpoint) error {
		var b bytes.Buffer
		n, err := k.WriteTo(&b)
		if err != nil || n != int64(b.Len()) {
			t.Errorf("%d of %d bytes, error %v", n, b.Len(), err)
		}
		*saved = append(*saved, b.Bytes())
		return err
	}
	return c
}

// resumed goes on from a checkpoint to the end.
func resumed(t *testing.T, saved []byte, r array.RecordReader, c Config) (outcome, error) {
	t.Helper()
	defer r.Release()
	from, err := ReadCheckpoint(bytes.NewReader(saved))
	if err != nil {
		t.Fatal(err)
	}
	f, err := Resume(from, r.Schema(), c)
	if err != nil {
		return outcome{}, err
	}
	defer f.Close()
	m, report, err := f.Run(context.Background(), r)
	if err != nil {
		return outcome{}, err
	}
	return outcome{file(t, m), report}, nil
}

// resumeCase is a fit that is interrupted.
type resumeCase struct {
	name   string
	config Config
}

func resumeCases() []resumeCase {
	sparse, denoising := model.Sparse(6), model.Denoising(6)
	linear := linearModel(6)
	train := func(o model.Optimizer, batch int) model.TrainOptions {
		return model.TrainOptions{Optimizer: o, BatchSize: batch}
	}
	return []resumeCase{
		{"adam", Config{Model: sparse, Epochs: 3}},
		{"one pass", Config{Model: sparse, Epochs: 1}},
		{"sgd, denoising", Config{Model: denoising, Epochs: 3, Train: train(model.SGD, 300)}},
		{"k-sparse", Config{Model: model.KSparse(6), FitDecay: true, Epochs: 4, Train: train(model.Adam, 100)}},
		{"full batch", Config{Model: sparse, Epochs: 4, Train: train(model.Adam, model.FullBatch)}},
		{"full batch, one pass", Config{Model: sparse, Epochs: 1, Train: train(model.SGD, model.FullBatch)}},
		{"lbfgs", Config{Model: sparse, Epochs: 6, Train: train(model.LBFGS, 0)}},
		{"lbfgs, one iteration", Config{Model: sparse, Epochs: 1, Train: train(model.LBFGS, 0)}},
		{"patch", Config{Model: sparse, Epochs: 2, Preprocess: model.PreprocessPatch}},
		{"standardize ahead", Config{Model: linear, Epochs: 1, Preprocess: model.PreprocessStandardize, PreprocessRows: 1500}},
		{"zca", Config{Model: linear, Epochs: 2, Preprocess: model.PreprocessZCA}},
		{"zca ahead", Config{Model: linear, Epochs: 1, Preprocess: model.PreprocessZCA, PreprocessRows: 1000, Validation: 0.2}},
		{"validation, key, patience", Config{Model: sparse, Epochs: 8, Validation: 0.3, ValidationKey: "label", Train: model.TrainOptions{LearningRate: 0.3, Patience: 2}}},
		{"validation, lbfgs", Config{Model: denoising, Epochs: 5, Validation: 0.1, Train: train(model.LBFGS, 0)}},
		{"validation, one pass", Config{Model: sparse, Epochs: 1, Validation: 0.1, FirstRow: 1 << 40}},
		{"bad rows", Config{Model: sparse, Epochs: 2, Skip: true, PixelMax: 200, Validation: 0.1}},
	}
}

// A fit with checkpoints at all moments is the fit without any, and from each
// of them it goes on to the same bits, however the rows are cut, on one
// goroutine or several.
func TestResume(t *testing.T) {
	noGoroutinesLeft(t)
	seed := rand.Uint64()
	defer func() {
		if t.Failed() {
			t.Logf("seed %d", seed)
		}
	}()
	random := rand.New(rand.NewPCG(seed, 0))
	smallWindow(t, 1700*16)
	p := cap200(makePatches(5000, 16, 1)).brighten(0, 3, 1023, 4990)
	bad := []int{7, 2048, 2049, 4999}
	for _, c := range resumeCases() {
		t.Run(c.name, func(t *testing.T) {
			read := func(size int) array.RecordReader {
				if c.config.Skip {
					return p.reader(t, memory.DefaultAllocator, size, bad...)
				}
				return p.reader(t, memory.DefaultAllocator, size)
			}
			want := fitAll(t, read(700), c.config)
			var saved [][]byte
			want.same(t, "with checkpoints", fitAll(t, read(400), every(t, c.config, &saved)))
			if least := min(c.config.Epochs, len(want.report.Epochs)); len(saved) < least {
				t.Fatalf("%d checkpoints of %d epochs", len(saved), least)
			}
			for i, b := range saved {
				if i > 0 && i < len(saved)-1 && random.IntN(4) > 0 {
					continue
				}
				again := Config{}
				var more [][]byte
				if random.IntN(2) == 0 {
					again = every(t, again, &more)
				}
				threads := runtime.GOMAXPROCS(1 + random.IntN(4))
				got, err := resumed(t, b, read(1+random.IntN(5000)), again)
				runtime.GOMAXPROCS(threads)
				if err != nil {
					t.Fatalf("checkpoint %d of %d: %v", i+1, len(saved), err)
				}
				want.same(t, fmt.Sprintf("checkpoint %d of %d", i+1, len(saved)), got)
				if again.Checkpoint != nil && !slices.EqualFunc(more, saved[i+1:], bytes.Equal) {
					t.Errorf("checkpoint %d of %d: later ones differ", i+1, len(saved))
				}
			}
		})
	}
}

// moments returns checkpoints of a fit of p: in the first epoch, in the second,
// and at the end.
func moments(t *testing.T, r array.RecordReader, c Config) [3][]byte {
	t.Helper()
	var saved [][]byte
	fitAll(t, r, every(t, c, &saved))
	return [3][]byte{saved[2], saved[len(saved)-2], saved[len(saved)-1]}
}

// with returns a copy of p in which change has changed some pixels.
func (p patches) with(change func(q patches)) patches {
	q := patches{p.n, slices.Clone(p.pixels), slices.Clone(p.labels)}
	change(q)
	return q
}

// without returns p without row i.
func (p patches) without(i int) patches {
	return patches{p.n, slices.Delete(slices.Clone(p.pixels), i*p.n, (i+1)*p.n), slices.Delete(slices.Clone(p.labels), i, i+1)}
}

// doubled returns p with row i twice.
func (p patches) doubled(i int) patches {
	row := slices.Clone(p.pixels[i*p.n : (i+1)*p.n])
	return patches{p.n, slices.Insert(slices.Clone(p.pixels), i*p.n, row...), slices.Insert(slices.Clone(p.labels), i, p.labels[i])}
}

// An input that is another is found before any row is trained on, and what does
// not matter to the fit may change.
func TestResumeOtherInput(t *testing.T) {
	noGoroutinesLeft(t)
	const m = 5000
	p := makePatches(m, 16, 2)
	c := Config{Model: model.Sparse(4), Epochs: 2, Validation: 0.2, ValidationKey: "label"}
	saved := moments(t, p.reader(t, memory.DefaultAllocator, 512), c)
	for _, to := range []struct {
		name   string
		q      patches
		reason [3]string // at each of the moments; "": none
	}{
		{"a pixel", p.with(func(q patches) { q.pixels[2100*16+3] ^= 1 }), [3]string{"rows 2048 to 3071 differ", "rows 2048 to 3071 differ", "rows 2048 to 3071 differ"}},
		{"a later pixel", p.with(func(q patches) { q.pixels[4999*16] ^= 1 }), [3]string{"", "rows 4096 to 4999 differ", "rows 4096 to 4999 differ"}},
		{"two rows swapped", p.with(func(q patches) {
			for j := range 16 {
				q.pixels[j], q.pixels[16+j] = q.pixels[16+j], q.pixels[j]
			}
		}), [3]string{"rows 0 to 1023 differ", "rows 0 to 1023 differ", "rows 0 to 1023 differ"}},
		{"a row added", p.doubled(100), [3]string{"rows 0 to 1023 differ", "rows 0 to 1023 differ", "rows 0 to 1023 differ"}},
		{"a row added at the end", p.doubled(m - 1), [3]string{"", "more than 5000 rows", "more than 5000 rows"}},
		{"a row removed", p.without(1500), [3]string{"rows 1024 to 2047 differ", "rows 1024 to 2047 differ", "rows 1024 to 2047 differ"}},
		{"the last row removed", p.without(m - 1), [3]string{"", "it has 4999 rows, and had 5000", "it has 4999 rows, and had 5000"}},
		{"half of it", patches{16, p.pixels[:1000*16], p.labels[:1000]}, [3]string{"it has 1000 rows, and had at least 3072", "it has 1000 rows, and had 5000", "it has 1000 rows, and had 5000"}},
		{"nothing", patches{n: 16}, [3]string{"it has 0 rows", "it has 0 rows", "it has 0 rows"}},
		{"a key", p.with(func(q patches) { q.labels[1100] = (q.labels[1100] + 5) % 10 }), [3]string{"rows 1024 to 2047 differ", "rows 1024 to 2047 differ", "rows 1024 to 2047 differ"}},
	} {
		for i, b := range saved {
			_, err := resumed(t, b, to.q.reader(t, memory.DefaultAllocator, 700), Config{Observer: func(p Progress) {
				if p.Phase != PhaseResume && to.reason[i] != "" {
					t.Errorf("%s: trained: %+v", to.name, p)
				}
			}})
			var changed *InputChangedError
			if got := errors.As(err, &changed); got != (to.reason[i] != "") || got && !strings.Contains(err.Error(), to.reason[i]) || !got && err != nil {
				t.Errorf("%s, moment %d: error %v, want %q", to.name, i, err, to.reason[i])
			}
		}
	}
}

// Only the values of the patch and the key are looked at.
func TestResumeOtherColumns(t *testing.T) {
	p := makePatches(3000, 16, 2)
	c := Config{Model: model.Sparse(4), Epochs: 2, Validation: 0.2}
	want := fitAll(t, p.reader(t, memory.DefaultAllocator, 512), c)
	for i, b := range moments(t, p.reader(t, memory.DefaultAllocator, 512), c) {
		q := p.with(func(q patches) { slices.Reverse(q.labels) })
		got, err := resumed(t, b, q.reader(t, memory.DefaultAllocator, 100), Config{})
		if err != nil {
			t.Fatal(err)
		}
		want.same(t, fmt.Sprintf("other labels, moment %d", i), got)
		got, err = resumed(t, b, p.as(t, array.NewListBuilder(memory.DefaultAllocator, arrow.PrimitiveTypes.Uint8), "more"), Config{})
		if err != nil {
			t.Fatal(err)
		}
		want.same(t, fmt.Sprintf("another list and one more column, moment %d", i), got)
		for _, typ := range []arrow.DataType{arrow.PrimitiveTypes.Uint16, arrow.PrimitiveTypes.Int32, arrow.PrimitiveTypes.Float32} {
			_, err = resumed(t, b, p.as(t, array.NewListBuilder(memory.DefaultAllocator, typ), "label"), Config{})
			if changed := (*InputChangedError)(nil); !errors.As(err, &changed) || !strings.Contains(err.Error(), fmt.Sprintf("values are of type %v, and were uint8", typ)) {
				t.Errorf("%v: error %v", typ, err)
			}
		}
	}
}

// as returns the rows as lists of other numbers, in one batch that has another
// column of lists.
func (p patches) as(t *testing.T, list *array.ListBuilder, other string) array.RecordReader {
	t.Helper()
	defer list.Release()
	for i := range p.rows() {
		list.Append(true)
		for _, v := range p.pixels[i*p.n : (i+1)*p.n] {
			if err := list.ValueBuilder().AppendValueFromString(fmt.Sprint(v)); err != nil {
				t.Fatal(err)
			}
		}
	}
	column := list.NewArray()
	defer column.Release()
	schema := arrow.NewSchema([]arrow.Field{{Name: other, Type: column.DataType()}, {Name: "image", Type: column.DataType()}}, nil)
	batch := array.NewRecordBatch(schema, []arrow.Array{column, column}, int64(p.rows()))
	defer batch.Release()
	r, err := array.NewRecordReader(schema, []arrow.RecordBatch{batch})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

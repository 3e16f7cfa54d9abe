package stage

import (
	"bytes"
	"errors"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/aefeat/aefeat/internal/rng"
	"github.com/aefeat/aefeat/model"
)

// smallWindow has windows hold so many values during a test.
func smallWindow(t *testing.T, values int) {
	was := windowValues
	windowValues = values
	t.Cleanup(func() { windowValues = was })
}

// arrived returns rows in the order in which the first epoch trains on them.
func arrived(t *testing.T, rows model.Rows, seed uint64) model.Rows {
	t.Helper()
	if rows.Number == nil {
		for i := range rows.Len() {
			rows.Number = append(rows.Number, int64(i))
		}
	}
	size := min(windowSize(rows.Width), rows.Len())
	in := make([]int, size) // positions of the rows that are in
	var out []int
	for i := range rows.Len() {
		if i < size {
			in[i] = i
			continue
		}
		r := rng.New(seed, rng.Window, 0, uint64(rows.Number[i]))
		at := r.Uint32n(uint32(size))
		out = append(out, in[at])
		in[at] = i
	}
	r := rng.New(seed, rng.Window, 1, 0)
	r.Shuffle(size, func(i, j int) { in[i], in[j] = in[j], in[i] })
	shuffled := model.Rows{Kind: rows.Kind, Width: rows.Width}
	for _, i := range append(out, in...) {
		row := cut(rows, i, i+1)
		shuffled.Data = append(shuffled.Data, row.Data...)
		shuffled.Number = append(shuffled.Number, row.Number...)
	}
	return shuffled
}

// Each value of a row counts, and one row always fits.
func TestWindowSize(t *testing.T) {
	for width, want := range map[int]int{1: 65536, 256: 65536, 784: 21399, 1 << 24: 1, 1 << 30: 1} {
		if got := windowSize(width); got != want {
			t.Errorf("%d values: %d rows, want %d", width, got, want)
		}
	}
}

// Of an input sorted by label the first batches have rows of all labels that
// the window has met, in a fit of one pass too.
func TestOnePassOfSortedInput(t *testing.T) {
	const m, n = 4000, 16
	sorted := makePatches(m, n, 3).sorted()
	c := Config{Model: model.Plain(6), Epochs: 1, Train: model.TrainOptions{BatchSize: 32}}
	cost := func(p patches) float64 {
		fitted, _ := fit(t, p.reader(t, memory.DefaultAllocator, 500), c)
		r := sorted.reader(t, memory.DefaultAllocator, 500)
		defer r.Release()
		report, err := Evaluate(t.Context(), fitted, r, EvaluateConfig{})
		if err != nil {
			t.Fatal(err)
		}
		return report.Cost.Total
	}
	mixed := cost(makePatches(m, n, 3))
	if got := cost(sorted); got > 1.02*mixed {
		t.Errorf("cost %v, of mixed rows %v", got, mixed)
	}
	smallWindow(t, n) // of one row: as they come
	if got := cost(sorted); got < 1.05*mixed {
		t.Errorf("cost %v without a shuffle, of mixed rows %v: the test shows nothing", got, mixed)
	}
}

// What a checkpoint says is in the window is checked as rows that come are.
func TestForwardChecksWindow(t *testing.T) {
	const n, size = 4, 300
	smallWindow(t, size*n)
	p := makePatches(1100, n, 5)
	f, err := NewFitter(patchSchema(n), Config{Model: model.Sparse(3), Epochs: 1, PixelMax: 200})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	batch := cap200(p).batch(memory.DefaultAllocator, 0, 1100)
	defer batch.Release()
	var b bytes.Buffer
	if err := errors.Join(f.Write(t.Context(), batch), f.Checkpoint(&b)); err != nil {
		t.Fatal(err)
	}
	if from, err := ReadCheckpoint(bytes.NewReader(b.Bytes())); err != nil || from.Rows != 1024-size {
		t.Errorf("%+v, error %v", from, err)
	}
	for name, change := range map[string]func(h *model.Host){
		"out of range": func(h *model.Host) { h.Data[dataWindow] = bytes.Repeat([]byte{201}, size*n) },
		"fewer rows": func(h *model.Host) {
			h.Data[dataWindow], h.Data[dataWindowNumbers] = h.Data[dataWindow][n:], h.Data[dataWindowNumbers][8:]
		},
		"more rows": func(h *model.Host) {
			h.Data[dataWindow] = append(bytes.Clone(h.Data[dataWindow]), make([]byte, n)...)
			h.Data[dataWindowNumbers] = append(bytes.Clone(h.Data[dataWindowNumbers]), make([]byte, 8)...)
		},
	} {
		if _, err := ReadCheckpoint(bytes.NewReader(forged(t, b.Bytes(), change))); !errors.As(err, new(*model.FormatError)) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

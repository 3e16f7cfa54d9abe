package stage

import (
	"bytes"
	"slices"
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

// Rows that a checkpoint says are in the window are checked as those that come.
func TestForwardOfBadRows(t *testing.T) {
	p := makePatches(1100, 4, 5)
	f, err := NewFitter(patchSchema(4), Config{Model: model.Sparse(3), Epochs: 1, PixelMax: 255})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	batch := p.batch(memory.DefaultAllocator, 0, 1100)
	defer batch.Release()
	var b bytes.Buffer
	if err := f.Write(t.Context(), batch); err != nil {
		t.Fatal(err)
	}
	if err := f.Checkpoint(&b); err != nil {
		t.Fatal(err)
	}
	from, err := ReadCheckpoint(&b)
	if err != nil {
		t.Fatal(err)
	}
	if held, ok := from.rows(dataWindow, dataWindowNumbers); !ok || held.Len() != 1024 || !slices.IsSorted(held.Number) {
		t.Errorf("%d rows in the window", held.Len())
	}
}

package stage

import (
	"context"
	"errors"
	"math"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/aefeat/aefeat/model"
	"github.com/aefeat/aefeat/patch"
)

func TestObserve(t *testing.T) {
	noGoroutinesLeft(t)
	p := makePatches(3000, 16, 1)
	m, _ := fit(t, p.reader(t, memory.DefaultAllocator, 700), Config{Model: model.Sparse(5), Epochs: 2})
	a, err := Observe(t.Context(), m, p.reader(t, memory.DefaultAllocator, 700, 10, 11), EvaluateConfig{Skip: true})
	if err != nil {
		t.Fatal(err)
	}
	e, err := Evaluate(t.Context(), m, p.reader(t, memory.DefaultAllocator, 700, 10, 11), EvaluateConfig{Skip: true})
	if err != nil {
		t.Fatal(err)
	}
	mean := 0.
	for _, v := range a.MeanCodes() {
		mean += v / 5
	}
	if math.Abs(mean-e.MeanActivation.Mean) > 1e-9 || a.Rows() != e.Rows || a.BadRows.Counts[patch.Null] != 2 {
		t.Errorf("mean code %v of %d rows, %+v; Evaluate has %+v", mean, a.Rows(), a.BadRows, e)
	}
	if _, err := Observe(t.Context(), m, p.reader(t, memory.DefaultAllocator, 700, 10), EvaluateConfig{}); err == nil {
		t.Error("a null, and no error")
	}
	if _, err := Observe(t.Context(), m, makePatches(0, 16, 1).reader(t, memory.DefaultAllocator, 1), EvaluateConfig{}); !errors.Is(err, ErrNoRows) {
		t.Errorf("no rows: %v", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Observe(ended, m, p.reader(t, memory.DefaultAllocator, 700), EvaluateConfig{}); !errors.Is(err, context.Canceled) {
		t.Errorf("ended: %v", err)
	}
	if _, err := Observe(t.Context(), nil, p.reader(t, memory.DefaultAllocator, 700), EvaluateConfig{}); err == nil {
		t.Error("no model, and no error")
	}
}

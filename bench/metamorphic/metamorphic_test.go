package main

import (
	"context"
	"testing"
	"time"
)

// TestMetamorphic is a short run, of the same trials each time. The first that
// spills takes long, and comes after these.
func TestMetamorphic(t *testing.T) {
	limit := 5 * time.Second
	if testing.Short() {
		limit = time.Second
	}
	sum, _ := run(context.Background(), 0, limit, 0, func(tr *trial, err error) {
		if err != nil {
			t.Errorf("%v: %v\nagain: go run ./bench/metamorphic -v -n 1 -seed %d", tr, err, tr.seed)
		}
	})
	t.Log(sum)
}

// A model of another seed, or a row that is missing, is found.
func TestFindsDifferences(t *testing.T) {
	var sum summary
	found := 0
	for seed := range uint64(30) {
		tr := newTrial(seed, &sum)
		if tr.table.rows > 600 {
			continue
		}
		tr.dir = t.TempDir()
		plain, err := tr.store(plainForm(tr.table, tr.element))
		if err != nil {
			t.Fatal(err)
		}
		want, err := tr.fit(context.Background(), plain, tr.config)
		if err != nil {
			continue
		}
		tr.config.Model.Seed++
		if tr.sameFit(context.Background(), plain, want, nil) == nil {
			t.Errorf("%v: another seed is not found", tr)
		}
		if codes, err := tr.transform(context.Background(), want, plain, "list"); err != nil || sameRows(codes[1:], codes) == nil {
			t.Errorf("%v: a missing row is not found: %v", tr, err)
		}
		found++
	}
	if found == 0 {
		t.Error("no fit")
	}
}

package arrowio

import (
	"math/rand/v2"
	"slices"
	"testing"
)

func TestNaturalOrder(t *testing.T) {
	want := []string{"a", "a/z", "a1", "a01/x", "a2", "a10", "a10b2", "a10b11", "b", "part-9.parquet", "part-010.parquet", "part-10.parquet"}
	got := slices.Clone(want)
	for range 20 {
		rand.Shuffle(len(got), func(i, j int) { got[i], got[j] = got[j], got[i] })
		slices.SortFunc(got, naturalOrder)
	}
	for i, a := range got {
		for j, b := range got {
			if c := naturalOrder(a, b); c != -naturalOrder(b, a) || (c < 0) != (i < j) {
				t.Errorf("%q and %q: %d", a, b, c)
			}
		}
	}
	if slices.Index(got, "a2") > slices.Index(got, "a10") || slices.Index(got, "part-9.parquet") > slices.Index(got, "part-010.parquet") || slices.Index(got, "a/z") > slices.Index(got, "a1") {
		t.Error(got)
	}
}

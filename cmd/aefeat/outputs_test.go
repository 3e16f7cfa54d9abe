package main

import (
	"testing"

	"github.com/aefeat/aefeat/arrowio"
)

func TestWithEnd(t *testing.T) {
	for _, test := range []struct {
		name   string
		format arrowio.Format
		want   string
	}{
		{"a.parquet", "", "a.parquet"},
		{"a.arrow", "", "a.arrow"},
		{"a", "", "a"},
		{"a.pq", "", "a.pq"},
		{"a.parquet", arrowio.Parquet, "a.parquet"},
		{"a.PARQUET", arrowio.Parquet, "a.PARQUET"},
		{"a.parquet", arrowio.Arrow, "a.arrow"},
		{"a.feather", arrowio.Arrow, "a.feather"},
		{"a.feather", arrowio.Stream, "a.arrows"},
		{"b/a.arrows", arrowio.Parquet, "b/a.parquet"},
		{"part-0.snappy.parquet", arrowio.Arrow, "part-0.snappy.arrow"},
		// Ends that stand for no format stay: they may be part of the name.
		{"000000_0", arrowio.Parquet, "000000_0.parquet"},
		{"v1.2", arrowio.Arrow, "v1.2.arrow"},
		{"b.parquet/a", arrowio.Arrow, "b.parquet/a.arrow"},
	} {
		if got := withEnd(test.name, test.format); got != test.want {
			t.Errorf("%s as %q: %s, want %s", test.name, test.format, got, test.want)
		}
	}
}

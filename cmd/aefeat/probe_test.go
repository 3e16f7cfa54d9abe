package main

import (
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
)

func TestProbeRefusesWhatDoesNotFit(t *testing.T) {
	schema := arrow.NewSchema([]arrow.Field{
		{Name: "label", Type: arrow.PrimitiveTypes.Int8},
		{Name: "code", Type: arrow.FixedSizeListOf(256, arrow.PrimitiveTypes.Float32)},
		{Name: "image", Type: arrow.FixedSizeListOf(768, arrow.PrimitiveTypes.Uint8)},
	}, nil)
	rows, err := newProbeRows(schema, "label", [][]string{{"code"}, {"image"}}, false, newClasses())
	if err != nil {
		t.Fatal(err)
	}
	const want = "2,097,153 rows of 1,024 values take 8 GiB of memory, and this machine has 8 GiB"
	if err := rows.fit(1<<21+1, 8<<30); err == nil || err.Error() != want {
		t.Errorf("error %v, want %q", err, want)
	}
	for _, fits := range []struct{ rows, has int64 }{{1 << 21, 8 << 30}, {0, 8 << 30}, {1 << 40, 0}} {
		if err := rows.fit(fits.rows, fits.has); err != nil {
			t.Errorf("%+v: %v", fits, err)
		}
	}
}

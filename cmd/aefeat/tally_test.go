package main

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

func recordOf(t *testing.T, schema *arrow.Schema, rows string) arrow.RecordBatch {
	t.Helper()
	rec, _, err := array.RecordFromJSON(memory.DefaultAllocator, schema, strings.NewReader(rows))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(rec.Release)
	return rec
}

// surveyed returns the tallies of rec, cut into batches of so many rows.
func surveyed(t *testing.T, rec arrow.RecordBatch, batch int64) map[string]*tally {
	t.Helper()
	s := newSurvey(rec.Schema(), 0, true)
	for from := int64(0); from < rec.NumRows(); from += batch {
		cut := rec.NewSlice(from, min(from+batch, rec.NumRows()))
		if err := s.look(cut, false); err != nil {
			t.Fatal(err)
		}
		cut.Release()
	}
	return s.tallied
}

// The sums of closed form: 0 to n-1 has the mean (n-1)/2 and the variance
// (n^2-1)/12, far from 0 too.
func TestTallyNumbers(t *testing.T) {
	const n, far = 1000, 1e9
	types := map[string]arrow.DataType{
		"i64": arrow.PrimitiveTypes.Int64, "u16": arrow.PrimitiveTypes.Uint16, "f64": arrow.PrimitiveTypes.Float64,
		"dec": &arrow.Decimal128Type{Precision: 20, Scale: 0}, "list": arrow.ListOf(arrow.PrimitiveTypes.Float64),
	}
	var fields []arrow.Field
	for name, typ := range types {
		fields = append(fields, arrow.Field{Name: name, Type: typ, Nullable: true})
	}
	var rows []string
	for i := range n {
		rows = append(rows, fmt.Sprintf(`{"i64":%d,"u16":%d,"f64":%d,"dec":"%d","list":[%d,7]}`, i-500, i, i+far, i, i))
	}
	rec := recordOf(t, arrow.NewSchema(fields, nil), "["+strings.Join(rows, ",")+"]")
	deviation := math.Sqrt((n*n - 1) / 12.)
	for _, batch := range []int64{n, 7} {
		got := surveyed(t, rec, batch)
		for name, lo := range map[string]float64{"i64": -500, "u16": 0, "f64": far, "dec": 0} {
			c := got[name]
			if c.values != n || c.noted != n || c.min != lo || c.max != lo+n-1 || c.mean() != lo+(n-1)/2. || math.Abs(c.deviation()-deviation) > 1e-9 {
				t.Errorf("batches of %d, %s: %+v, mean %v, deviation %v", batch, name, c, c.mean(), c.deviation())
			}
		}
		if share, places := got["list"].constant(); share != 0.5 || places != 2 || got["list"].values != 2*n {
			t.Errorf("batches of %d, list: %v of %d places are constant, %d values", batch, share, places, got["list"].values)
		}
	}
}

func TestTallyCounts(t *testing.T) {
	pixels := arrow.FixedSizeListOf(2, arrow.PrimitiveTypes.Float32)
	schema := arrow.NewSchema([]arrow.Field{
		{Name: "p", Type: pixels, Nullable: true},
		{Name: "label", Type: &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int8, ValueType: arrow.BinaryTypes.String}, Nullable: true},
		{Name: "s", Type: arrow.StructOf(arrow.Field{Name: "x", Type: arrow.PrimitiveTypes.Int32, Nullable: true}), Nullable: true},
		{Name: "x0", Type: arrow.PrimitiveTypes.Uint8}, {Name: "x1", Type: arrow.PrimitiveTypes.Uint8},
		{Name: "text", Type: arrow.BinaryTypes.String}, {Name: "blob", Type: &arrow.FixedSizeBinaryType{ByteWidth: 2}},
	}, nil)
	rec := recordOf(t, schema, `[
		{"p": [1, "NaN"], "label": "cat", "s": {"x": 4}, "x0": 5, "x1": 0, "text": "ab", "blob": "AAE="},
		{"p": null, "label": "dog", "s": null, "x0": 5, "x1": 9, "text": "abcd", "blob": "AAM="},
		{"p": [1, null], "label": null, "s": {"x": null}, "x0": 5, "x1": 9, "text": "", "blob": "AAU="},
		{"p": [1, "+Inf"], "label": "cat", "s": {"x": 6}, "x0": 5, "x1": 0, "text": "ab", "blob": "AAc="}]`)
	for _, batch := range []int64{4, 1} {
		got := surveyed(t, rec, batch)
		for name, want := range map[string]string{
			"p":     `{"column":"p","values":5,"nulls":2,"nan":2,"lengths":false,"min":1,"max":1,"mean":1,"deviation":0,"constant":1,"places":1,"counts":null}`,
			"label": `{"column":"label","values":3,"nulls":1,"nan":0,"lengths":true,"min":3,"max":3,"mean":3,"deviation":0,"constant":null,"places":0,"counts":{"cat":2,"dog":1}}`,
			"s.x":   `{"column":"s.x","values":2,"nulls":2,"nan":0,"lengths":false,"min":4,"max":6,"mean":5,"deviation":1,"constant":0,"places":1,"counts":{"4":1,"6":1}}`,
			"x0":    `{"column":"x*","values":8,"nulls":0,"nan":0,"lengths":false,"min":0,"max":9,"mean":4.75,"deviation":3.191786333700926,"constant":0.5,"places":2,"counts":null}`,
			"text":  `{"column":"text","values":4,"nulls":0,"nan":0,"lengths":true,"min":0,"max":4,"mean":2,"deviation":1.4142135623730951,"constant":null,"places":0,"counts":{"":1,"ab":2,"abcd":1}}`,
			"blob":  `{"column":"blob","values":8,"nulls":0,"nan":0,"lengths":false,"min":0,"max":7,"mean":2,"deviation":2.5495097567963922,"constant":0.5,"places":2,"counts":null}`,
		} {
			text, err := json.Marshal(got[name])
			if err != nil || string(text) != want {
				t.Errorf("batches of %d, %s:\n%s, want\n%s (%v)", batch, name, text, want, err)
			}
		}
		if got["x0"] != got["x1"] {
			t.Error("a family of columns is counted apart")
		}
	}
}

// A column of many values takes no more memory than one of some.
func TestTallyIsBounded(t *testing.T) {
	c := &tally{Column: "id"}
	b := array.NewInt64Builder(memory.DefaultAllocator)
	defer b.Release()
	for i := range 10000 {
		b.Append(int64(i))
	}
	ids := b.NewInt64Array()
	defer ids.Release()
	if err := c.add("id", ids, nil); err != nil || !c.many || len(c.counts) > mostCounts+1 {
		t.Errorf("%d values are counted (%v)", len(c.counts), err)
	}
	for i := range tallyPlaces + 10 {
		c.see(1, i)
	}
	if _, places := c.constant(); places != 0 {
		t.Errorf("%d places are kept", places)
	}
}

// What is shown of a cell is short, whatever it holds.
func TestCells(t *testing.T) {
	long := strings.Repeat("é", 5000)
	schema := arrow.NewSchema([]arrow.Field{
		{Name: "list", Type: arrow.ListOf(arrow.PrimitiveTypes.Int64), Nullable: true},
		{Name: "nested", Type: arrow.ListOf(arrow.ListOf(arrow.ListOf(arrow.ListOf(arrow.PrimitiveTypes.Int8))))},
		{Name: "text", Type: arrow.BinaryTypes.String},
		{Name: "bytes", Type: arrow.BinaryTypes.Binary},
		{Name: "struct", Type: arrow.StructOf(arrow.Field{Name: "a\x1b", Type: arrow.PrimitiveTypes.Float32}, arrow.Field{Name: "b", Type: arrow.BinaryTypes.String})},
	}, nil)
	rec := recordOf(t, schema, `[{"list":[1,2,3,4,5,6,7,8],"nested":[[[[1]]]],"text":"`+long+`","bytes":"AAEC","struct":{"a\u001b":0.25,"b":"x\ny"}},
		{"list":null,"nested":[],"text":"","bytes":"","struct":{"a\u001b":1,"b":""}},
		{"list":[1,2,3,4,5,6,7],"nested":[[]],"text":"t","bytes":"","struct":{"a\u001b":1,"b":""}}]`)
	for i, want := range []string{
		"[1, 2, 3, 4, 5, 6, ... 8 values]|[[[[...]]]]|" + long[:2*mostRunes] + "...|<3 bytes>|{\"a\\x1b\": 0.25, b: x\\ny}",
		"null|[]||<0 bytes>|{\"a\\x1b\": 1, b: }",
		"[1, 2, 3, 4, 5, 6, 7]|[[]]|t|<0 bytes>|{\"a\\x1b\": 1, b: }",
	} {
		var cells []string
		for _, c := range rec.Columns() {
			cells = append(cells, cell(c, i))
		}
		if got := strings.Join(cells, "|"); got != want {
			t.Errorf("row %d: %s, want %s", i, got, want)
		}
	}
}

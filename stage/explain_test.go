package stage

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/aefeat/aefeat/model"
	"github.com/aefeat/aefeat/patch"
)

// bestRows are the rows with the largest codes, by sorting all of them.
func bestRows(t *testing.T, m *model.Model, p patches, unit, top int) (rows []int64, codes []float32) {
	t.Helper()
	all := make([]float32, p.rows()*m.Hidden)
	if err := model.NewEncoder(m).Encode(all, model.Uint8Rows(p.pixels, p.n)); err != nil {
		t.Fatal(err)
	}
	code := func(row int64) float32 { return all[int(row)*m.Hidden+unit] }
	for row := range int64(p.rows()) {
		if code(row) != 0 || m.K == 0 && m.Activation != model.ReLU {
			rows = append(rows, row)
		}
	}
	slices.SortStableFunc(rows, func(a, b int64) int { return cmp.Compare(code(b), code(a)) })
	rows = rows[:min(top, len(rows))]
	for _, row := range rows {
		codes = append(codes, code(row))
	}
	return rows, codes
}

func TestExplain(t *testing.T) {
	noGoroutinesLeft(t)
	mem := checked(t)
	p := makePatches(3000, 20, 7)
	copy(p.pixels[2000*20:], p.pixels[:1000*20]) // rows of equal codes
	for _, c := range []model.Config{
		model.Plain(9),
		{Hidden: 9, Activation: model.ReLU},
		{Hidden: 9, Activation: model.Linear},
		model.KSparse(9),
	} {
		c.Inputs = 20
		m, err := model.New(c)
		if err != nil {
			t.Fatal(err)
		}
		m.Params.EncoderBias[3] = -1000 // dead, or never kept
		m.Preprocess = model.Preprocess{Method: model.PreprocessScale, Source: "uint8", Scale: 1. / 255, Max: 255}
		var first *Explanation
		for _, size := range []int{3000, 700, 7} {
			r := p.reader(t, mem, size)
			x, err := Explain(t.Context(), m, r, ExplainConfig{Top: 5, Sample: 20, Keep: []string{"label", "id"}})
			r.Release()
			if err != nil {
				t.Fatal(err)
			}
			if first == nil {
				first = x
			} else if !reflect.DeepEqual(x, first) {
				t.Errorf("%s: batches of %d give another result", c.Objective, size)
			}
		}
		if first.Rows != 3000 || len(first.Units) != 9 || len(first.Sample) != 20 {
			t.Fatalf("%d rows, %d units, a sample of %d", first.Rows, len(first.Units), len(first.Sample))
		}
		for i, u := range first.Units {
			rows, codes := bestRows(t, m, p, i, 5)
			if len(u.Best) != len(rows) {
				t.Fatalf("%s, unit %d: %d rows, want %d", c.Activation, i, len(u.Best), len(rows))
			}
			for k, best := range u.Best {
				if best.Row != rows[k] || best.Code != codes[k] {
					t.Errorf("%s, unit %d: row %d with %v, want %d with %v", c.Activation, i, best.Row, best.Code, rows[k], codes[k])
				}
				p.checkKept(t, best)
			}
		}
		for _, row := range first.Sample {
			p.checkKept(t, row)
		}
		if dead := first.Units[3]; !dead.Dead && c.Activation != model.Linear || first.Units[1].Dead {
			t.Errorf("%s: unit 3 %+v, unit 1 %+v", c.Activation, dead.Unit, first.Units[1].Unit)
		}
	}
}

// checkKept reports a row that is not the one of its number.
func (p patches) checkKept(t *testing.T, r KeptRow) {
	t.Helper()
	want := []patch.Label{{Text: fmt.Sprint(p.labels[r.Row])}, {Text: fmt.Sprint(r.Row)}}
	if !slices.Equal(r.Kept, want) || !bytes.Equal(r.Patch.Data, p.pixels[int(r.Row)*p.n:][:p.n]) || r.Patch.Len() != 1 || r.Patch.Number[0] != r.Row {
		t.Errorf("row %d: %v, %+v", r.Row, r.Kept, r.Patch)
	}
}

func TestExplainCores(t *testing.T) {
	p := makePatches(2000, 30, 3)
	m := untrained(t, 30, 40)
	var first *Explanation
	for _, cores := range []int{1, 3} {
		before := runtime.GOMAXPROCS(cores)
		x, err := Explain(t.Context(), m, p.reader(t, memory.DefaultAllocator, 300), ExplainConfig{Sample: 3})
		runtime.GOMAXPROCS(before)
		if err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = x
		} else if !reflect.DeepEqual(x, first) {
			t.Errorf("%d cores give another result", cores)
		}
	}
	if len(first.Units[0].Best) != DefaultTop {
		t.Errorf("%d rows of a unit", len(first.Units[0].Best))
	}
}

// What is wrong with rows is what Evaluate says of them.
func TestExplainBadRows(t *testing.T) {
	noGoroutinesLeft(t)
	mem := checked(t)
	p := makePatches(3000, 20, 7)
	m := untrained(t, 20, 5)
	for _, c := range []EvaluateConfig{{Skip: true}, {FirstRow: 10}} {
		r := p.reader(t, mem, 900, 5, 2500)
		want, wantErr := Evaluate(t.Context(), m, r, c)
		r.Release()
		r = p.reader(t, mem, 900, 5, 2500)
		got, err := Explain(t.Context(), m, r, ExplainConfig{EvaluateConfig: c})
		r.Release()
		if fmt.Sprint(err) != fmt.Sprint(wantErr) {
			t.Fatalf("%v, Evaluate: %v", err, wantErr)
		}
		if err == nil && (got.Rows != want.Rows || got.Skipped != want.Skipped || !reflect.DeepEqual(got.BadRows, want.BadRows)) {
			t.Errorf("%d rows, %+v; Evaluate: %d, %+v", got.Rows, got.BadRows, want.Rows, want.BadRows)
		}
	}
	r, err := array.NewRecordReader(patchSchema(20), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Release()
	if _, err := Explain(t.Context(), m, r, ExplainConfig{}); !errors.Is(err, ErrNoRows) {
		t.Errorf("no rows: %v", err)
	}
}

// A row whose code overflows is out of range, and the others stay.
func TestExplainOverflow(t *testing.T) {
	m, err := model.New(model.Config{Inputs: 2, Hidden: 3, Activation: model.Linear, Output: model.Linear})
	if err != nil {
		t.Fatal(err)
	}
	for i := range m.Params.Flat {
		m.Params.Flat[i] = 2
	}
	m.Preprocess = model.Preprocess{Method: model.PreprocessScale, Source: "float32", Scale: 1}
	rows := make([][2]float32, 1200)
	for i := range rows {
		rows[i][0] = float32(i)
	}
	rows[600][0] = 3e38
	r := floats(t, checked(t), 500, rows...)
	defer r.Release()
	var at *patch.RowError
	if _, err := Explain(t.Context(), m, r, ExplainConfig{}); !errors.As(err, &at) || at.Row != 600 {
		t.Errorf("got %v", err)
	}
	r = floats(t, checked(t), 500, rows...)
	defer r.Release()
	x, err := Explain(t.Context(), m, r, ExplainConfig{EvaluateConfig: EvaluateConfig{Skip: true}, Top: 1200})
	if err != nil {
		t.Fatal(err)
	}
	if x.Rows != 1199 || x.Skipped != 1 || x.BadRows.Counts[patch.OutOfRange] != 1 || len(x.Units[0].Best) != 1199 || x.Units[0].Best[0].Row != 1199 {
		t.Errorf("%d rows, %+v, %d best", x.Rows, x.BadRows, len(x.Units[0].Best))
	}
}

func TestExplainSettings(t *testing.T) {
	p := makePatches(10, 20, 7)
	m := untrained(t, 20, 5)
	for want, c := range map[string]ExplainConfig{
		"Top: -1 is not a positive number":                                       {Top: -1},
		"Sample: -1 is negative":                                                 {Sample: -1},
		"Top: 1000000000 rows for each of 5 units take more than 1 GiB":          {Top: 1e9},
		`column "missing": no such column`:                                       {Keep: []string{"missing"}},
		`column "image": fixed_size_list<item: uint8, nullable>[20] cannot be a`: {Keep: []string{"image"}},
	} {
		r := p.reader(t, memory.DefaultAllocator, 10)
		_, err := Explain(context.Background(), m, r, c)
		r.Release()
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

// Texts that go with rows are bounded; a null stays one.
func TestExplainKeptText(t *testing.T) {
	schema := arrow.NewSchema([]arrow.Field{
		{Name: "image", Type: arrow.FixedSizeListOf(1, arrow.PrimitiveTypes.Uint8)},
		{Name: "name", Type: arrow.BinaryTypes.String, Nullable: true},
	}, nil)
	m := untrained(t, 1, 2)
	for length, want := range map[int]string{
		maxTag:     "",
		maxTag + 1: `column "name": row 1: text of 4097 bytes, more than the 4096 that go with a row`,
	} {
		b, _, err := array.RecordFromJSON(memory.DefaultAllocator, schema, strings.NewReader(
			`[{"image": [9], "name": null}, {"image": [1], "name": "`+strings.Repeat("n", length)+`"}]`))
		if err != nil {
			t.Fatal(err)
		}
		r, err := array.NewRecordReader(schema, []arrow.RecordBatch{b})
		if err != nil {
			t.Fatal(err)
		}
		x, err := Explain(t.Context(), m, r, ExplainConfig{Sample: 2, Keep: []string{"name"}})
		r.Release()
		switch {
		case want != "" && (err == nil || err.Error() != want):
			t.Errorf("%d bytes: %v", length, err)
		case want == "" && (err != nil || !x.Sample[0].Kept[0].Null || len(x.Sample[1].Kept[0].Text) != length):
			t.Errorf("%d bytes: %v, %+v", length, err, x)
		}
	}
}

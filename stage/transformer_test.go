package stage

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/aefeat/aefeat/model"
	"github.com/aefeat/aefeat/patch"
)

// untrained returns a model of h units over images of n uint8 pixels.
func untrained(t testing.TB, n, h int) *model.Model {
	t.Helper()
	m, err := model.New(model.Config{Inputs: n, Hidden: h, Seed: 3})
	if err != nil {
		t.Fatal(err)
	}
	m.Binding = model.Binding{Columns: []string{"image"}, Source: "uint8", Width: n}
	m.Preprocess, err = model.NewPreprocess(model.PreprocessScale, "uint8", 0, model.Rows{})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// encoded returns the codes of all rows, (m,h).
func encoded(t testing.TB, m *model.Model, p patches) []float32 {
	t.Helper()
	dst := make([]float32, p.rows()*m.Hidden)
	if err := model.NewEncoder(m).Encode(dst, model.Uint8Rows(p.pixels, p.n)); err != nil {
		t.Fatal(err)
	}
	return dst
}

// layouts are those that have codes.
var layouts = []string{LayoutColumns, LayoutList, LayoutArray, LayoutSparse}

// codesOf reads the codes of a batch, whichever layout, (m,h), NaN for null.
func codesOf(t testing.TB, batch arrow.RecordBatch, h int) []float32 {
	t.Helper()
	m := int(batch.NumRows())
	out := make([]float32, m*h)
	cols := int(batch.NumCols())
	if list, ok := batch.Column(cols - 1).(array.ListLike); ok {
		values := list.ListValues().(*array.Float32)
		var pair array.ListLike // of codes without their zeros
		if cols > 1 && batch.ColumnName(cols-2) == "code_indices" {
			pair = batch.Column(cols - 2).(*array.List)
		}
		for i := range m {
			code := out[i*h : (i+1)*h]
			lo, hi := list.ValueOffsets(i)
			switch {
			case list.IsNull(i):
				for j := range code {
					code[j] = float32(math.NaN())
				}
				if pair != nil && pair.IsValid(i) {
					t.Errorf("row %d has indices without values", i)
				}
			case pair == nil:
				copy(code, values.Float32Values()[lo:hi])
			default:
				from, to := pair.ValueOffsets(i)
				if from != lo || to != hi {
					t.Fatalf("row %d has %d indices and %d values", i, to-from, hi-lo)
				}
				last := -1
				for k := lo; k < hi; k++ {
					j := int(pair.ListValues().(*array.Uint32).Value(int(k)))
					if code[j] = values.Value(int(k)); j <= last || code[j] == 0 {
						t.Fatalf("row %d has %v at index %d after %d", i, code[j], j, last)
					}
					last = j
				}
			}
		}
		return out
	}
	for j := range h {
		column := batch.Column(cols - h + j).(*array.Float32)
		for i := range m {
			out[i*h+j] = column.Value(i)
			if column.IsNull(i) {
				out[i*h+j] = float32(math.NaN())
			}
		}
	}
	return out
}

func TestTransform(t *testing.T) {
	for _, layout := range layouts {
		for _, rows := range []int{0, 1, 15, 16, 17, 511, 1300} {
			t.Run(fmt.Sprint(layout, rows), func(t *testing.T) {
				mem := checked(t)
				p := makePatches(max(rows, 1), 20, 1)
				m := untrained(t, 20, 11)
				tr, err := NewTransformer(m, patchSchema(20), TransformConfig{Layout: layout, Allocator: mem})
				if err != nil {
					t.Fatal(err)
				}
				batch := p.batch(mem, 0, rows)
				out, err := tr.Transform(context.Background(), batch)
				if err != nil {
					t.Fatal(err)
				}
				batch.Release()
				defer out.Release()
				if !out.Schema().Equal(tr.Schema()) || out.NumRows() != int64(rows) {
					t.Fatalf("%d rows of %v", out.NumRows(), out.Schema())
				}
				if want := encoded(t, m, p)[:rows*11]; !sameBits(codesOf(t, out, 11), want) {
					t.Error("not the codes of the model")
				}
				for i := range rows {
					if out.Column(0).(*array.Int64).Value(i) != int64(i) || out.Column(2).(*array.Int32).Value(i) != p.labels[i] {
						t.Fatal("the other columns changed")
					}
				}
				if rows > 0 {
					if err := array.ValidateRecord(out); err != nil {
						t.Error(err)
					}
				}
			})
		}
	}
}

// A slice of a batch must give the codes of its rows, not of the first ones.
func TestTransformSlice(t *testing.T) {
	mem := checked(t)
	p := makePatches(100, 20, 2)
	m := untrained(t, 20, 5)
	batch := p.batch(mem, 0, 100)
	defer batch.Release()
	slice := batch.NewSlice(37, 90)
	defer slice.Release()
	want := encoded(t, m, p)[37*5 : 90*5]
	for _, layout := range layouts {
		tr, err := NewTransformer(m, patchSchema(20), TransformConfig{Layout: layout, Allocator: mem})
		if err != nil {
			t.Fatal(err)
		}
		out, err := tr.Transform(context.Background(), slice)
		if err != nil {
			t.Fatal(err)
		}
		defer out.Release()
		if !sameBits(codesOf(t, out, 5), want) || out.Column(0).(*array.Int64).Value(0) != 37 {
			t.Errorf("%s: other rows", layout)
		}
		again := out.NewSlice(3, 20)
		defer again.Release()
		if !sameBits(codesOf(t, again, 5), want[3*5:20*5]) {
			t.Errorf("%s: a slice of the output has other rows", layout)
		}
	}
}

func TestSkippedRowsHaveNullCodes(t *testing.T) {
	mem := checked(t)
	p := makePatches(1200, 20, 3)
	m := untrained(t, 20, 5)
	null := []int{0, 7, 8, 600, 1199}
	batch := p.batch(mem, 0, 1200, null...)
	defer batch.Release()
	want := encoded(t, m, p)
	for _, layout := range layouts {
		tr, err := NewTransformer(m, patchSchema(20), TransformConfig{Layout: layout, Skip: true, Allocator: mem, FirstRow: 40})
		if err != nil {
			t.Fatal(err)
		}
		out, err := tr.Transform(context.Background(), batch)
		if err != nil {
			t.Fatal(err)
		}
		defer out.Release()
		got := codesOf(t, out, 5)
		for i := range 1200 {
			row := got[i*5 : i*5+5]
			if slices.Contains(null, i) {
				if row[0] == row[0] {
					t.Errorf("%s: row %d has a code", layout, i)
				}
			} else if !sameBits(row, want[i*5:i*5+5]) {
				t.Fatalf("%s: row %d has another code", layout, i)
			}
		}
		last := out.Schema().Field(out.Schema().NumFields() - 1)
		if !last.Nullable {
			t.Errorf("%s: the field does not say that it may be null", layout)
		}
		if err := array.ValidateRecord(out); err != nil {
			t.Error(err)
		}
	}

	tr, err := NewTransformer(m, patchSchema(20), TransformConfig{Allocator: mem})
	if err != nil {
		t.Fatal(err)
	}
	_, err = tr.TransformAt(context.Background(), batch, 10)
	var e *patch.RowError
	if !errors.As(err, &e) || e.Row != 10 || e.Column != "image" {
		t.Errorf("got %v", err)
	}
}

func TestOutputSchema(t *testing.T) {
	names := func(s *arrow.Schema) string {
		var out []string
		for _, f := range s.Fields() {
			out = append(out, f.Name)
		}
		return strings.Join(out, " ")
	}
	for _, c := range []struct {
		h      int
		config TransformConfig
		want   string
	}{
		{1, TransformConfig{}, "id image label code_0"},
		{2, TransformConfig{Prefix: "f", Keep: []string{"label", "id"}}, "id label f_0 f_1"},
		{2, TransformConfig{Layout: LayoutList, Keep: []string{}}, "code"},
		{2, TransformConfig{Layout: LayoutArray, Prefix: "f", Keep: []string{}}, "f"},
		{2, TransformConfig{Layout: LayoutSparse, Prefix: "f", Keep: []string{"id"}, Score: true}, "id f_indices f_values score"},
		{2, TransformConfig{Reconstruction: true, Score: true, Keep: []string{"id"}}, "id code_0 code_1 reconstruction score"},
		{2, TransformConfig{Layout: LayoutNone, Score: true}, "id image label score"},
		{2, TransformConfig{Layout: LayoutList, Prefix: "image", Keep: []string{"label"}}, "label image"},
	} {
		tr, err := NewTransformer(untrained(t, 20, c.h), patchSchema(20), c.config)
		if err != nil {
			t.Error(err)
			continue
		}
		if got := names(tr.Schema()); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
	tr, err := NewTransformer(untrained(t, 20, 196), patchSchema(20), TransformConfig{Keep: []string{}})
	if err != nil {
		t.Fatal(err)
	}
	if s := tr.Schema(); s.NumFields() != 196 || s.Field(0).Name != "code_000" || s.Field(195).Name != "code_195" || s.Field(0).Nullable {
		t.Errorf("196 codes are %q to %q", s.Field(0).Name, s.Field(195).Name)
	}
}

// Reconstructions and scores are those of the encoder, beside every layout of
// codes, and null where the row is bad.
func TestReconstructionAndScore(t *testing.T) {
	const n, h, rows = 20, 5, 1200
	p := makePatches(rows, n, 3)
	m := untrained(t, n, h)
	y, score := make([]float32, rows*n), make([]float32, rows)
	if err := model.NewEncoder(m).Reconstruct(nil, y, score, model.Uint8Rows(p.pixels, n)); err != nil {
		t.Fatal(err)
	}
	for _, layout := range append(layouts, LayoutNone) {
		for _, null := range [][]int{nil, {0, 7, 8, 600, 1199}, {3}} {
			for _, wanted := range []struct{ y, score bool }{{true, true}, {true, false}, {false, true}} {
				t.Run(fmt.Sprint(layout, len(null), wanted), func(t *testing.T) {
					mem := checked(t)
					batch := p.batch(mem, 0, rows, null...)
					defer batch.Release()
					tr, err := NewTransformer(m, patchSchema(n), TransformConfig{Layout: layout, Skip: null != nil, Keep: []string{},
						Reconstruction: wanted.y, Score: wanted.score, Allocator: mem, FirstRow: 40})
					if err != nil {
						t.Fatal(err)
					}
					out, err := tr.Transform(context.Background(), batch)
					if err != nil {
						t.Fatal(err)
					}
					defer out.Release()
					if err := array.ValidateRecord(out); err != nil {
						t.Error(err)
					}
					left := int(out.NumCols())
					if wanted.score {
						left--
						column := out.Column(left).(*array.Float32)
						for i, want := range score {
							if bad := slices.Contains(null, i); column.IsNull(i) != bad || !bad && column.Value(i) != want {
								t.Fatalf("score of row %d is %v, want %v", i, column.ValueStr(i), want)
							}
						}
					}
					if wanted.y {
						left--
						column := out.Column(left).(*array.FixedSizeList)
						got := column.ListValues().(*array.Float32).Float32Values()
						for i := range rows {
							if bad := slices.Contains(null, i); column.IsNull(i) != bad || !bad && !sameBits(got[i*n:(i+1)*n], y[i*n:(i+1)*n]) {
								t.Fatalf("another reconstruction of row %d", i)
							}
						}
					}
					if want := map[string]int{LayoutColumns: h, LayoutList: 1, LayoutArray: 1, LayoutSparse: 2, LayoutNone: 0}[layout]; left != want {
						t.Fatalf("%d columns of codes, want %d", left, want)
					}
					if left == 0 {
						return
					}
					codes := array.NewRecordBatch(arrow.NewSchema(tr.Schema().Fields()[:left], nil), out.Columns()[:left], rows)
					defer codes.Release()
					got, want := codesOf(t, codes, h), encoded(t, m, p)
					for i := range rows {
						if row := got[i*h : (i+1)*h]; slices.Contains(null, i) != (row[0] != row[0]) || row[0] == row[0] && !sameBits(row, want[i*h:(i+1)*h]) {
							t.Fatalf("another code of row %d", i)
						}
					}
				})
			}
		}
	}
}

// A name is refused that the data have, or that is given twice.
func TestAddedNames(t *testing.T) {
	var fields []arrow.Field
	fields = append(fields, patchSchema(20).Fields()...)
	fields = append(fields, arrow.Field{Name: "score", Type: arrow.PrimitiveTypes.Int8}, arrow.Field{Name: "reconstruction", Type: arrow.PrimitiveTypes.Int8})
	schema := arrow.NewSchema(fields, nil)
	m := untrained(t, 20, 5)
	for want, c := range map[string]TransformConfig{
		"score":          {Score: true},
		"reconstruction": {Reconstruction: true, Score: true},
	} {
		_, err := NewTransformer(m, schema, c)
		var e *patch.RowError
		if !errors.As(err, &e) || e.Column != want || !strings.Contains(e.Hint, "`Keep`") || strings.Contains(e.Hint, "`Prefix`") {
			t.Errorf("%+v: error %v", c, err)
		}
		c.Keep = []string{"label"}
		if _, err := NewTransformer(m, schema, c); err != nil {
			t.Errorf("%+v: %v", c, err)
		}
	}
	_, err := NewTransformer(m, patchSchema(20), TransformConfig{Layout: LayoutList, Prefix: "score", Score: true})
	var e *patch.RowError
	if !errors.As(err, &e) || e.Column != "score" || !strings.Contains(e.Hint, "`Prefix`") {
		t.Errorf("error %v", err)
	}
	var config *model.ConfigError
	if _, err := NewTransformer(m, patchSchema(20), TransformConfig{Layout: LayoutNone}); !errors.As(err, &config) {
		t.Errorf("nothing to add: error %v", err)
	}
}

// The name of a pair of sparse codes keeps both columns.
func TestKeepPair(t *testing.T) {
	fields := append(CodeFields(LayoutSparse, "x", 9), patchSchema(20).Fields()...)
	tr, err := NewTransformer(untrained(t, 20, 1), arrow.NewSchema(fields, nil), TransformConfig{Keep: []string{"label", "x"}})
	if err != nil {
		t.Fatal(err)
	}
	if s := tr.Schema(); s.NumFields() != 4 || s.Field(0).Name != "x_indices" || s.Field(1).Name != "x_values" || !s.Field(0).Equal(fields[0]) {
		t.Errorf("%v", s)
	}
}

func TestModelAndDataDisagree(t *testing.T) {
	schema := func(name string, typ arrow.DataType) *arrow.Schema {
		return arrow.NewSchema([]arrow.Field{{Name: "id", Type: arrow.PrimitiveTypes.Int64}, {Name: name, Type: typ}}, nil)
	}
	list := func(n int32, typ arrow.DataType) arrow.DataType { return arrow.FixedSizeListOf(n, typ) }
	for _, c := range []struct {
		name   string
		schema *arrow.Schema
		config TransformConfig
		want   []string
	}{
		{"width", schema("image", list(19, arrow.PrimitiveTypes.Uint8)), TransformConfig{}, []string{"image", "19", "20"}},
		{"column", schema("img", list(20, arrow.PrimitiveTypes.Uint8)), TransformConfig{}, []string{"image", `"img"`, "`Columns`"}},
		{"source", schema("image", list(20, arrow.PrimitiveTypes.Float32)), TransformConfig{}, []string{"uint8", "float32", "`PixelMax`"}},
		{"source, pixel maximum repeated", schema("image", list(20, arrow.PrimitiveTypes.Int32)), TransformConfig{PixelMax: 255}, nil},
		{"other column", schema("img", list(20, arrow.PrimitiveTypes.Uint8)), TransformConfig{Columns: []string{"img"}}, nil},
		{"taken name", schema("image", list(20, arrow.PrimitiveTypes.Uint8)), TransformConfig{Layout: LayoutList, Prefix: "id"}, []string{"id", "taken", "`Prefix`"}},
		{"keep", schema("image", list(20, arrow.PrimitiveTypes.Uint8)), TransformConfig{Keep: []string{"label"}}, []string{"label", "`Keep`"}},
		{"layout", schema("image", list(20, arrow.PrimitiveTypes.Uint8)), TransformConfig{Layout: "cube"}, []string{"cube"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := NewTransformer(untrained(t, 20, 3), c.schema, c.config)
			if c.want == nil {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if err == nil {
				t.Fatal("no error")
			}
			text := err.Error()
			var row *patch.RowError
			var setting *model.ConfigError
			switch {
			case errors.As(err, &row):
				text += " " + row.Hint
			case errors.As(err, &setting):
				text += " " + setting.Hint
			}
			for _, want := range c.want {
				if !strings.Contains(text, want) {
					t.Errorf("%q does not name %q", text, want)
				}
			}
		})
	}
}

func TestTransformOtherSchema(t *testing.T) {
	mem := checked(t)
	tr, err := NewTransformer(untrained(t, 20, 3), patchSchema(20), TransformConfig{})
	if err != nil {
		t.Fatal(err)
	}
	p := makePatches(1, 21, 1)
	batch := p.batch(mem, 0, 1)
	defer batch.Release()
	if _, err := tr.Transform(context.Background(), batch); err == nil {
		t.Error("a batch of another schema was taken")
	}
}

func TestTransformerIsSafeForConcurrentUse(t *testing.T) {
	mem := checked(t)
	p := makePatches(600, 20, 4)
	m := untrained(t, 20, 5)
	want := encoded(t, m, p)
	tr, err := NewTransformer(m, patchSchema(20), TransformConfig{Allocator: mem})
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for k := range 5 {
				lo := g*100 + k*20
				batch := p.batch(mem, lo, lo+100)
				defer batch.Release()
				out, err := tr.Transform(context.Background(), batch)
				if err != nil {
					t.Error(err)
					return
				}
				defer out.Release()
				if !sameBits(codesOf(t, out, 5), want[lo*5:(lo+100)*5]) {
					t.Error("other codes")
				}
			}
		})
	}
	wg.Wait()
}

// collect is a Writer that keeps ids and codes.
type collect struct {
	t     *testing.T
	h     int
	ids   []int64
	codes []float32
	fail  int // of which Write fails, counted from 1
	calls int
}

var errFull = errors.New("full")

func (c *collect) Write(b arrow.RecordBatch) error {
	if c.calls++; c.calls == c.fail {
		return errFull
	}
	c.ids = append(c.ids, b.Column(0).(*array.Int64).Int64Values()...)
	c.codes = append(c.codes, codesOf(c.t, b, c.h)...)
	return nil
}

func TestTransformReader(t *testing.T) {
	noGoroutinesLeft(t)
	mem := checked(t)
	// 1,100 codes a row: a batch of 5,000 is cut in pieces.
	p := makePatches(6000, 6, 5)
	m := untrained(t, 6, 1100)
	r := p.reader(t, mem, 5000)
	defer r.Release()
	w := &collect{t: t, h: 1100}
	report, err := Transform(context.Background(), m, r, w, TransformConfig{Allocator: mem})
	if err != nil || report.Rows != 6000 || report.Skipped != 0 {
		t.Fatalf("%+v, %v", report, err)
	}
	for i, id := range w.ids {
		if id != int64(i) {
			t.Fatalf("row %d came at place %d", id, i)
		}
	}
	if w.calls != 4 || !sameBits(w.codes, encoded(t, m, p)) {
		t.Errorf("%d batches, or other codes", w.calls)
	}
}

func TestTransformReaderFails(t *testing.T) {
	p := makePatches(5000, 20, 6)
	m := untrained(t, 20, 5)
	readers := func(t *testing.T, mem memory.Allocator) array.RecordReader {
		var batches []arrow.RecordBatch
		for lo := 0; lo < 5000; lo += 100 {
			batches = append(batches, p.batch(mem, lo, lo+100, 3333))
		}
		r, err := array.NewRecordReader(patchSchema(20), batches)
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range batches {
			b.Release()
		}
		return r
	}
	t.Run("writer", func(t *testing.T) {
		noGoroutinesLeft(t)
		r := readers(t, checked(t))
		defer r.Release()
		if _, err := Transform(context.Background(), m, r, &collect{t: t, h: 5, fail: 3}, TransformConfig{}); !errors.Is(err, errFull) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("row", func(t *testing.T) {
		noGoroutinesLeft(t)
		r := readers(t, checked(t))
		defer r.Release()
		w := &collect{t: t, h: 5}
		report, err := Transform(context.Background(), m, r, w, TransformConfig{FirstRow: 1000})
		var e *patch.RowError
		if !errors.As(err, &e) || e.Row != 4333 {
			t.Errorf("got %v", err)
		}
		if len(w.ids) != 3300 || report.Rows != 3300 {
			t.Errorf("%d rows were written before the bad one, %d reported", len(w.ids), report.Rows)
		}
	})
	t.Run("skipped row", func(t *testing.T) {
		r := readers(t, checked(t))
		defer r.Release()
		report, err := Transform(context.Background(), m, r, &collect{t: t, h: 5}, TransformConfig{Skip: true})
		if err != nil || report.Rows != 5000 || report.Skipped != 1 {
			t.Errorf("%+v, %v", report, err)
		}
	})
	t.Run("reader", func(t *testing.T) {
		noGoroutinesLeft(t)
		r := readers(t, checked(t))
		defer r.Release()
		broken := &breaking{RecordReader: r, after: 20}
		w := &collect{t: t, h: 5}
		if _, err := Transform(context.Background(), m, broken, w, TransformConfig{}); !errors.Is(err, errFull) || len(w.ids) != 2000 {
			t.Errorf("got %v after %d rows", err, len(w.ids))
		}
		broken = &breaking{RecordReader: r, after: 5}
		if _, _, err := Fit(context.Background(), broken, Config{Model: model.Plain(2)}); !errors.Is(err, errFull) {
			t.Errorf("fit: got %v", err)
		}
		broken = &breaking{RecordReader: r, after: 5}
		if _, err := Evaluate(context.Background(), m, broken, EvaluateConfig{}); !errors.Is(err, errFull) {
			t.Errorf("evaluate: got %v", err)
		}
	})
	t.Run("cancelled", func(t *testing.T) {
		noGoroutinesLeft(t)
		r := readers(t, checked(t))
		defer r.Release()
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if _, err := Transform(ctx, m, r, &collect{t: t, h: 5}, TransformConfig{}); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	})
}

// breaking is a reader that fails after some batches.
type breaking struct {
	array.RecordReader
	after int
}

func (b *breaking) Next() bool {
	if b.after == 0 {
		return false
	}
	b.after--
	return b.RecordReader.Next()
}

func (b *breaking) Err() error {
	if b.after == 0 {
		return errFull
	}
	return b.RecordReader.Err()
}

func TestEvaluate(t *testing.T) {
	noGoroutinesLeft(t)
	mem := checked(t)
	p := makePatches(3000, 20, 7)
	m := untrained(t, 20, 5)
	var want model.Evaluation
	for i, size := range []int{3000, 7} {
		r := p.reader(t, mem, size)
		defer r.Release()
		got, err := Evaluate(context.Background(), m, r, EvaluateConfig{})
		if err != nil {
			t.Fatal(err)
		}
		if got.Rows != 3000 || got.Skipped != 0 || !(got.Cost.Total > 0) {
			t.Errorf("%+v", got)
		}
		if i == 0 {
			want = got.Evaluation
		} else if got.Evaluation != want {
			t.Errorf("batches of %d: %+v, and of 3000: %+v", size, got.Evaluation, want)
		}
	}

	batch := p.batch(mem, 0, 3000, 5, 2500)
	defer batch.Release()
	single := func() array.RecordReader {
		r, err := array.NewRecordReader(patchSchema(20), []arrow.RecordBatch{batch})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	r := single()
	defer r.Release()
	if got, err := Evaluate(context.Background(), m, r, EvaluateConfig{Skip: true}); err != nil || got.Rows != 2998 || got.Skipped != 2 {
		t.Errorf("%+v, %v", got, err)
	}
	r = single()
	defer r.Release()
	var e *patch.RowError
	if _, err := Evaluate(context.Background(), m, r, EvaluateConfig{FirstRow: 10}); !errors.As(err, &e) || e.Row != 15 {
		t.Errorf("got %v", err)
	}
	r, err := array.NewRecordReader(patchSchema(20), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Release()
	if _, err := Evaluate(context.Background(), m, r, EvaluateConfig{}); !errors.Is(err, ErrNoRows) {
		t.Errorf("got %v", err)
	}
}

func BenchmarkTransform(b *testing.B) {
	p := makePatches(4096, 784, 1)
	m := untrained(b, 784, 196)
	batch := p.batch(memory.DefaultAllocator, 0, 4096)
	defer batch.Release()
	for _, layout := range layouts {
		b.Run(layout, func(b *testing.B) {
			tr, err := NewTransformer(m, patchSchema(784), TransformConfig{Layout: layout})
			if err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				out, err := tr.Transform(context.Background(), batch)
				if err != nil {
					b.Fatal(err)
				}
				out.Release()
			}
			b.ReportMetric(float64(4096*b.N)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}

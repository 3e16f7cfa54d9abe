package stage

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/aefeat/aefeat/model"
	"github.com/aefeat/aefeat/patch"
)

// Held-out rows must not touch the model: it is that of a fit to the others,
// and what they cost is what the model says of them.
func TestHeldOutRows(t *testing.T) {
	const m, n = 3000, 64
	p := makePatches(m, n, 11)
	lot := holdout{share: 0.25, seed: 3}
	var kept, held patches
	kept.n, held.n = n, n
	var numbers []int64
	for i := range m {
		into := &kept
		if lot.draw(lotOfNumber, uint64(i)) {
			into = &held
		} else {
			numbers = append(numbers, int64(i))
		}
		into.pixels = append(into.pixels, p.pixels[i*n:(i+1)*n]...)
		into.labels = append(into.labels, p.labels[i])
	}
	if share := float64(held.rows()) / m; math.Abs(share-0.25) > 0.03 {
		t.Errorf("%v of the rows are held out", share)
	}
	config := model.Sparse(8)
	config.Seed = 3
	for _, o := range []model.TrainOptions{{}, {Optimizer: model.LBFGS}} {
		t.Run(o.Optimizer.String(), func(t *testing.T) {
			var seen []Progress
			got, report := fit(t, p.reader(t, checked(t), 700), Config{Model: config, Train: o, Epochs: 3, Validation: 0.25,
				Observer: func(p Progress) { seen = append(seen, p) }})
			if report.Rows != int64(kept.rows()) || report.HeldOut != int64(held.rows()) || report.Best != got.Best || got.Best == 0 {
				t.Errorf("report %+v, best %d", report, got.Best)
			}

			// The first epoch alone.
			first, err := model.New(got.Config)
			if err != nil {
				t.Fatal(err)
			}
			first.Preprocess = got.Preprocess
			o := o
			o.Epochs = 3
			trainer, err := model.NewTrainer(first, o)
			if err != nil {
				t.Fatal(err)
			}
			rows := model.Uint8Rows(kept.pixels, n)
			rows.Number = numbers
			if o.Optimizer != model.LBFGS {
				rows = arrived(t, rows, config.Seed)
			}
			if err := trainer.Add(rows, nil); err != nil {
				t.Fatal(err)
			}
			e, err := trainer.EndEpoch()
			if err != nil {
				t.Fatal(err)
			}
			if o.Optimizer != model.LBFGS && (e.Cost != report.Epochs[0].Cost || e.Rows != report.Epochs[0].Rows) {
				t.Errorf("the first epoch cost %+v, without the held-out rows %+v", report.Epochs[0], e)
			}

			r := held.reader(t, checked(t), 999)
			defer r.Release()
			want, err := Evaluate(context.Background(), got, r, EvaluateConfig{})
			if err != nil {
				t.Fatal(err)
			}
			v := report.Epochs[got.Best-1].Validation
			if v == nil || math.Abs(v.Total-want.Cost.Total) > 1e-9*want.Cost.Total {
				t.Errorf("held-out rows cost %+v, by Evaluate %+v", v, want.Cost)
			}
			for _, e := range report.Epochs {
				if e.Validation == nil || e.Validation.Total < v.Total {
					t.Errorf("epoch %d cost %+v, the best %v", e.Epoch, e.Validation, v.Total)
				}
			}
			ends := 0
			for _, p := range seen {
				if p.Done {
					if ends++; p.Result.Validation == nil {
						t.Errorf("progress %+v", p)
					}
				}
			}
			if ends != len(report.Epochs) {
				t.Errorf("%d ends of %d epochs", ends, len(report.Epochs))
			}
		})
	}
}

// Rows with one key stay together, whatever the type of the key.
func TestKeysStayTogether(t *testing.T) {
	const rows = 400
	mem := checked(t)
	ints := array.NewInt64Builder(mem)
	defer ints.Release()
	narrow := array.NewUint8Builder(mem)
	defer narrow.Release()
	text := array.NewStringBuilder(mem)
	defer text.Release()
	raw := array.NewBinaryBuilder(mem, arrow.BinaryTypes.LargeBinary)
	defer raw.Release()
	view := array.NewStringViewBuilder(mem)
	defer view.Release()
	dictionary := array.NewDictionaryBuilder(mem, &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int16, ValueType: arrow.BinaryTypes.String}).(*array.BinaryDictionaryBuilder)
	defer dictionary.Release()
	nested := array.NewStructBuilder(mem, arrow.StructOf(arrow.Field{Name: "id", Type: arrow.BinaryTypes.String, Nullable: true}))
	defer nested.Release()
	key := func(i int) int { return i / 8 }
	for i := range rows {
		k := key(i)
		if k == 7 {
			for _, b := range []array.Builder{ints, narrow, text, raw, view, dictionary} {
				b.AppendNull()
			}
			nested.AppendNull()
			continue
		}
		s := fmt.Sprintf("image %d", k)
		ints.Append(int64(k))
		narrow.Append(uint8(k))
		text.Append(s)
		raw.Append([]byte(s))
		view.Append(s)
		if err := dictionary.AppendString(s); err != nil {
			t.Fatal(err)
		}
		nested.Append(true)
		nested.FieldBuilder(0).(*array.StringBuilder).Append(s)
	}
	names := []string{"ints", "narrow", "text", "raw", "view", "dictionary", "nested"}
	var fields []arrow.Field
	var columns []arrow.Array
	for i, b := range []array.Builder{ints, narrow, text, raw, view, dictionary, nested} {
		column := b.NewArray()
		defer column.Release()
		columns = append(columns, column)
		fields = append(fields, arrow.Field{Name: names[i], Type: column.DataType(), Nullable: true})
	}
	batch := array.NewRecordBatch(arrow.NewSchema(fields, nil), columns, rows)
	defer batch.Release()
	bound := model.Rows{}
	for i := range rows {
		bound.Number = append(bound.Number, int64(1000+i))
	}
	marks := func(column string) []bool {
		h := holdout{share: 0.4, seed: 5, column: column}
		if err := h.resolve(batch.Schema()); err != nil {
			t.Fatal(err)
		}
		whole, err := h.mark(batch, bound, 1000)
		if err != nil {
			t.Fatal(err)
		}
		whole = slices.Clone(whole)
		// A slice of the batch says the same of its rows.
		part := batch.NewSlice(100, 300)
		defer part.Release()
		again, err := h.mark(part, model.Rows{Number: bound.Number[110:300:300]}, 1100)
		if err != nil || !slices.Equal(again, whole[110:300]) {
			t.Errorf("%s: a slice differs, error %v", column, err)
		}
		return whole
	}
	for _, column := range []string{"ints", "narrow", "text", "raw", "view", "dictionary", "nested.id"} {
		held := marks(column)
		count := 0
		for i, is := range held {
			if is != held[key(i)*8] {
				t.Fatalf("%s: key %d is torn", column, key(i))
			}
			if is {
				count++
			}
		}
		if count < rows/5 || count > 3*rows/5 {
			t.Errorf("%s: %d of %d rows are held out", column, count, rows)
		}
	}
	if !slices.Equal(marks("ints"), marks("narrow")) {
		t.Error("integers of two widths differ")
	}
	for _, column := range []string{"raw", "view", "dictionary", "nested.id"} {
		if !slices.Equal(marks("text"), marks(column)) {
			t.Errorf("%s differs from text", column)
		}
	}
	for column, want := range map[string]string{"none": "no such column", "nested": "cannot be the key"} {
		h := holdout{column: column}
		var e *patch.RowError
		if err := h.resolve(batch.Schema()); !errors.As(err, &e) || e.Column != column || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v", column, err)
		}
	}
}

// Which rows a seed holds out must never change.
func TestLotsAreFrozen(t *testing.T) {
	h := holdout{share: 0.2, seed: 7}
	for form, want := range map[uint32][]uint64{
		lotOfNumber:  {0, 2, 10, 14, 17, 24, 29, 35, 37},
		lotOfInteger: {4, 7, 11, 13, 14, 18, 21, 22, 30, 36, 39},
		lotOfBytes:   {2, 31, 35, 39},
	} {
		var got []uint64
		for key := range uint64(40) {
			if h.draw(form, key) {
				got = append(got, key)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("form %d: %d are held out, want %d", form, got, want)
		}
	}
}

// A key that cannot be read is an error that names its row.
func TestDamagedKey(t *testing.T) {
	typ := &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int8, ValueType: arrow.BinaryTypes.String}
	schema := arrow.NewSchema([]arrow.Field{
		{Name: "image", Type: arrow.FixedSizeListOf(2, arrow.PrimitiveTypes.Uint8)},
		{Name: "subject", Type: typ},
	}, nil)
	images, _, err := array.FromJSON(memory.DefaultAllocator, schema.Field(0).Type, strings.NewReader(`[[1, 2], [3, 4], [5, 6]]`))
	if err != nil {
		t.Fatal(err)
	}
	subjects, _, err := array.FromJSON(memory.DefaultAllocator, typ.ValueType, strings.NewReader(`["a", "b"]`))
	if err != nil {
		t.Fatal(err)
	}
	indexes := array.NewInt8Builder(memory.DefaultAllocator)
	indexes.AppendValues([]int8{0, 1, 2}, nil)
	keys := array.NewDictionaryArray(typ, indexes.NewArray(), subjects)
	batch := array.NewRecordBatch(schema, []arrow.Array{images, keys}, 3)
	for _, skip := range []bool{false, true} {
		f, err := NewFitter(schema, Config{Model: model.Plain(2), Columns: []string{"image"}, Validation: 0.5, ValidationKey: "subject", Skip: skip, FirstRow: 100})
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		err = f.Write(t.Context(), batch)
		var e *patch.RowError
		if !errors.As(err, &e) || err.Error() != `column "subject": row 102: index 2 into a dictionary of 2 values` {
			t.Errorf("skip %v: %v", skip, err)
		}
	}
}

func TestNothingToHoldOut(t *testing.T) {
	p := makePatches(50, 8, 1)
	for _, test := range []struct {
		config Config
		want   string
	}{
		{Config{Validation: 1e-9}, "none of the 50 rows"},
		{Config{Validation: 1 - 1e-9}, "all of the 50 rows"},
		{Config{Validation: 1}, "not a share"},
		{Config{Validation: -0.1}, "not a share"},
		{Config{Validation: math.NaN()}, "not a share"},
		{Config{ValidationKey: "id"}, "no share"},
		{Config{Train: model.TrainOptions{Patience: 2}}, "held out"},
		{Config{Validation: 0.5, Train: model.TrainOptions{Patience: -2}}, "Patience: "},
	} {
		r := p.reader(t, memory.DefaultAllocator, 20)
		defer r.Release()
		c := test.config
		c.Model = model.Plain(2)
		_, _, err := Fit(context.Background(), r, c)
		var e *model.ConfigError
		if !errors.As(err, &e) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%+v: error %v, want %q", test.config, err, test.want)
		}
	}
}

// Patience ends a fit whose held-out rows gain nothing.
func TestPatience(t *testing.T) {
	p := makePatches(600, 16, 4)
	m, report := fit(t, p.reader(t, checked(t), 100), Config{Model: model.Plain(4), Epochs: 300, Validation: 0.3, ValidationKey: "label",
		Train: model.TrainOptions{LearningRate: 0.3, Patience: 3}})
	if report.Stop != model.OutOfPatience || len(report.Epochs) != m.Best+3 || len(m.History) != m.Best+3 {
		t.Errorf("stopped by %v after %d epochs, best %d", report.Stop, len(report.Epochs), m.Best)
	}
}

// Validation is told as part of the epoch that it judges.
func TestValidationProgress(t *testing.T) {
	p := makePatches(6000, 16, 4)
	for _, train := range []model.TrainOptions{{}, {Optimizer: model.LBFGS}} {
		seen := map[int]bool{}
		fit(t, p.reader(t, checked(t), 1000), Config{Model: model.Plain(4), Epochs: 3, Validation: 0.5, Train: train, Observer: func(p Progress) {
			if p.Phase != PhaseValidate {
				return
			}
			if seen[p.Epoch] = true; p.Epoch != p.Result.Epoch {
				t.Errorf("%+v", p)
			}
		}})
		if len(seen) != 3 {
			t.Errorf("validation in epochs %v", seen)
		}
	}
}

package stage

import (
	"context"
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

// kSparse returns a model of h units of which a row keeps k.
func kSparse(t testing.TB, n, h, k int) *model.Model {
	t.Helper()
	config := model.KSparse(h)
	config.Inputs, config.Hidden, config.K, config.KEncode, config.Seed = n, h, k, 1, 3
	m, err := model.New(config)
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

// The codes of a k-sparse model lose their zeros and nothing else.
func TestSparseLayout(t *testing.T) {
	const n, h, k, rows = 20, 64, 3, 1300
	mem := checked(t)
	p := makePatches(rows, n, 1)
	m := kSparse(t, n, h, k)
	tr, err := NewTransformer(m, patchSchema(n), TransformConfig{Layout: LayoutSparse, Allocator: mem})
	if err != nil {
		t.Fatal(err)
	}
	batch := p.batch(mem, 0, rows)
	defer batch.Release()
	out, err := tr.Transform(context.Background(), batch)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Release()
	if !sameBits(codesOf(t, out, h), encoded(t, m, p)) {
		t.Error("not the codes of the model")
	}
	indices := out.Schema().Field(int(out.NumCols()) - 2)
	if units, _ := indices.Metadata.GetValue(patch.UnitsKey); indices.Name != "code_indices" || units != "64" {
		t.Errorf("column %q of %s units", indices.Name, units)
	}
	if values := out.Column(int(out.NumCols()) - 1).(*array.List).ListValues(); values.Len() > k*rows {
		t.Errorf("%d values of %d rows, each of which keeps %d", values.Len(), rows, k)
	}
}

// Zeros of both signs are left out; bits of the rest stay.
func TestNonzeros(t *testing.T) {
	mem := checked(t)
	z := newNonzeros(mem)
	defer z.indices.Release()
	defer z.values.Release()
	least, negative := math.Float32frombits(1), float32(math.Copysign(0, -1))
	z.add([]float32{0, negative, 2, 0, 0, 0}, 3)
	z.add([]float32{least, 0, -1}, 3)
	if got := arrow.Uint32Traits.CastFromBytes(z.indices.Bytes()); !slices.Equal(got, []uint32{2, 0, 2}) {
		t.Errorf("indices %v", got)
	}
	if got := arrow.Float32Traits.CastFromBytes(z.values.Bytes()); !sameBits(got, []float32{2, least, -1}) {
		t.Errorf("values %v", got)
	}
	if !slices.Equal(z.ends, []int32{1, 1, 3}) {
		t.Errorf("ends %v", z.ends)
	}
}

// Lists of any length have offsets of 32 bits, which say how many codes a batch
// may have.
func TestTooManyCodesInABatch(t *testing.T) {
	const h = 1 << 30
	m := &model.Model{Config: model.Config{Inputs: 20, Hidden: h}}
	for _, layout := range []string{LayoutArray, LayoutSparse} {
		tr, err := NewTransformer(m, patchSchema(20), TransformConfig{Layout: layout, Allocator: memory.DefaultAllocator})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := newFeatures(tr, 2); err == nil || !strings.Contains(err.Error(), "no 2 codes of 1073741824 units in one batch") {
			t.Errorf("%s: error %v", layout, err)
		}
	}
}

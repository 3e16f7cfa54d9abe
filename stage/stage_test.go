package stage

import (
	"context"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/aefeat/aefeat/model"
)

// patches are m rows of n pixels with a label each.
type patches struct {
	n      int
	pixels []uint8
	labels []int32
}

func (p patches) rows() int { return len(p.labels) }

// makePatches draws rows around one pattern for each of ten labels.
func makePatches(m, n int, seed uint64) patches {
	r := rand.New(rand.NewPCG(seed, 1))
	var pattern [10][]uint8
	for l := range pattern {
		pattern[l] = make([]uint8, n)
		for j := range n {
			if r.IntN(3) == 0 {
				pattern[l][j] = 200
			}
		}
	}
	p := patches{n: n, pixels: make([]uint8, m*n), labels: make([]int32, m)}
	for i := range m {
		l := r.IntN(10)
		p.labels[i] = int32(l)
		noise := r.Uint64()
		for j := range n {
			noise = noise*6364136223846793005 + 1442695040888963407
			p.pixels[i*n+j] = pattern[l][j] + uint8(noise>>58)
			if noise>>32&7 == 0 {
				p.pixels[i*n+j] = 0
			}
		}
	}
	return p
}

// sorted returns the rows in the order of their labels.
func (p patches) sorted() patches {
	order := make([]int, p.rows())
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return int(p.labels[a] - p.labels[b]) })
	s := patches{n: p.n}
	for _, i := range order {
		s.pixels = append(s.pixels, p.pixels[i*p.n:(i+1)*p.n]...)
		s.labels = append(s.labels, p.labels[i])
	}
	return s
}

func patchSchema(n int) *arrow.Schema {
	return arrow.NewSchema([]arrow.Field{
		{Name: "id", Type: arrow.PrimitiveTypes.Int64},
		{Name: "image", Type: arrow.FixedSizeListOf(int32(n), arrow.PrimitiveTypes.Uint8), Nullable: true},
		{Name: "label", Type: arrow.PrimitiveTypes.Int32},
	}, nil)
}

// batch builds rows lo up to hi; those that null names have no image.
func (p patches) batch(mem memory.Allocator, lo, hi int, null ...int) arrow.RecordBatch {
	b := array.NewRecordBuilder(mem, patchSchema(p.n))
	defer b.Release()
	list := b.Field(1).(*array.FixedSizeListBuilder)
	values := list.ValueBuilder().(*array.Uint8Builder)
	for i := lo; i < hi; i++ {
		b.Field(0).(*array.Int64Builder).Append(int64(i))
		list.Append(!slices.Contains(null, i))
		values.AppendValues(p.pixels[i*p.n:(i+1)*p.n], nil)
		b.Field(2).(*array.Int32Builder).Append(p.labels[i])
	}
	return b.NewRecordBatch()
}

// reader returns all rows in batches of the given size; those that null names
// have no image.
func (p patches) reader(t testing.TB, mem memory.Allocator, size int, null ...int) array.RecordReader {
	t.Helper()
	var batches []arrow.RecordBatch
	for lo := 0; lo < p.rows(); lo += size {
		batches = append(batches, p.batch(mem, lo, min(lo+size, p.rows()), null...))
	}
	r, err := array.NewRecordReader(patchSchema(p.n), batches)
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range batches {
		b.Release()
	}
	return r
}

// checked returns an allocator that fails the test when memory is left.
func checked(t testing.TB) *memory.CheckedAllocator {
	mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
	t.Cleanup(func() { mem.AssertSize(t, 0) })
	return mem
}

// noGoroutinesLeft fails the test when it ends with more goroutines than it
// began with.
func noGoroutinesLeft(t testing.TB) {
	before := runtime.NumGoroutine()
	t.Cleanup(func() {
		// A goroutine that has closed its channel may still be ending.
		for wait := time.Now(); runtime.NumGoroutine() > before; time.Sleep(time.Millisecond) {
			if time.Since(wait) > 20*time.Second {
				t.Errorf("%d goroutines are left", runtime.NumGoroutine()-before)
				return
			}
		}
	})
}

// fit fits with Fit and fails the test on an error.
func fit(t testing.TB, r array.RecordReader, c Config) (*model.Model, *Report) {
	t.Helper()
	defer r.Release()
	m, report, err := Fit(context.Background(), r, c)
	if err != nil {
		t.Fatal(err)
	}
	return m, report
}

func sameBits(a, b []float32) bool {
	return slices.EqualFunc(a, b, func(x, y float32) bool { return math.Float32bits(x) == math.Float32bits(y) })
}

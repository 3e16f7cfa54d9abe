package model

import (
	"bytes"
	"encoding"
	"encoding/binary"
	"fmt"
	"hash/crc64"
	"math"
	"slices"
	"strings"
	"testing"
)

// mergeable is what the four kinds of sums have in common.
type mergeable interface {
	encoding.BinaryMarshaler
	encoding.BinaryUnmarshaler
}

// sumsCase is a kind of sums: how to make them, add rows and merge.
type sumsCase struct {
	name  string
	make  func() mergeable
	add   func(mergeable, Rows) error
	merge func(a, b mergeable) error
}

// sumsModel has every term that sums hold something for.
func sumsModel(t testing.TB, n, h int) *Model {
	return newModel(t, Config{Sparsity: 0.1, SparsityWeight: 1, Contraction: 0.1, Corruption: 0.25}, n, h)
}

func sumsOf(m *Model) []sumsCase {
	cases := []sumsCase{
		{"accumulator", func() mergeable { return NewAccumulator(m) },
			func(s mergeable, r Rows) error { return s.(*Accumulator).Add(r, nil) },
			func(a, b mergeable) error { return a.(*Accumulator).Merge(b.(*Accumulator)) }},
		{"validator", func() mergeable { return NewValidator(m) },
			func(s mergeable, r Rows) error { return s.(*Validator).Add(r, nil) },
			func(a, b mergeable) error { return a.(*Validator).Merge(b.(*Validator)) }},
		{"evaluator", func() mergeable { return NewEvaluator(m) },
			func(s mergeable, r Rows) error { return s.(*Evaluator).Add(r) },
			func(a, b mergeable) error { return a.(*Evaluator).Merge(b.(*Evaluator)) }},
	}
	for _, method := range learning {
		p, err := NewPreprocess(method, "float32", 0, Rows{})
		if err != nil {
			panic(err)
		}
		cases = append(cases, sumsCase{"statistics of " + method, func() mergeable { return NewStatistics(p, m.Inputs) },
			func(s mergeable, r Rows) error { return s.(*Statistics).Add(r) },
			func(a, b mergeable) error { return a.(*Statistics).Merge(b.(*Statistics)) }})
	}
	return cases
}

// numbered returns rows lo up to hi of x, numbered by their place.
func numbered(x []float32, n, lo, hi int) Rows {
	r := Float32Rows(x[lo*n:hi*n], n)
	for k := lo; k < hi; k++ {
		r.Number = append(r.Number, int64(k))
	}
	return r
}

func marshalled(t testing.TB, s mergeable) []byte {
	t.Helper()
	data, err := s.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// words returns the numbers of a marshalled form.
func wordsOf(data []byte) []float64 {
	var x []float64
	for b := data[sumsHeader : len(data)-8]; len(b) > 0; b = b[8:] {
		x = append(x, math.Float64frombits(binary.LittleEndian.Uint64(b)))
	}
	return x
}

// Sums of parts that are whole chunks, merged in order after a way over the
// wire, are those of one pass.
func TestMergeSums(t *testing.T) {
	const n, h, rows, cut = 20, 7, 10000, 8192
	m := sumsModel(t, n, h)
	x := randomRows(5, rows, n)
	for _, c := range sumsOf(m) {
		t.Run(c.name, func(t *testing.T) {
			whole, first, second := c.make(), c.make(), c.make()
			for s, r := range map[mergeable]Rows{whole: numbered(x, n, 0, rows), first: numbered(x, n, 0, cut), second: numbered(x, n, cut, rows)} {
				if err := c.add(s, r); err != nil {
					t.Fatal(err)
				}
			}
			received := c.make()
			if err := received.UnmarshalBinary(marshalled(t, second)); err != nil {
				t.Fatal(err)
			}
			if err := c.merge(first, received); err != nil {
				t.Fatal(err)
			}
			// An empty part changes nothing, and is whole.
			if err := c.merge(first, c.make()); err != nil {
				t.Fatal(err)
			}
			got, want := wordsOf(marshalled(t, first)), wordsOf(marshalled(t, whole))
			for i, w := range want {
				count := math.Abs(w) < 1e-300 // its bits read as a float
				if got[i] != w && (count || !(math.Abs(got[i]-w) <= 1e-12*max(1, math.Abs(w)))) {
					t.Fatalf("number %d is %v, want %v", i, got[i], w)
				}
			}
			if got := marshalled(t, received); !bytes.Equal(got, marshalled(t, second)) {
				t.Error("merging changed what was merged")
			}
		})
	}
}

// What the sums tell of is that of one pass, wherever the rows were cut.
func TestMergedResults(t *testing.T) {
	const n, h, rows = 20, 7, 3000
	m := sumsModel(t, n, h)
	x := randomRows(6, rows, n)
	for _, cut := range []int{0, 1, 1024, 1777, rows} {
		a, b, whole := NewEvaluator(m), NewEvaluator(m), NewEvaluator(m)
		va, vb, vwhole := NewValidator(m), NewValidator(m), NewValidator(m)
		for _, s := range []struct {
			e      *Evaluator
			v      *Validator
			lo, hi int
		}{{a, va, 0, cut}, {b, vb, cut, rows}, {whole, vwhole, 0, rows}} {
			r := numbered(x, n, s.lo, s.hi)
			if err := s.e.Add(r); err != nil {
				t.Fatal(err)
			}
			if err := s.v.Add(r, nil); err != nil {
				t.Fatal(err)
			}
		}
		if err := a.Merge(b); err != nil {
			t.Fatal(err)
		}
		if err := va.Merge(vb); err != nil {
			t.Fatal(err)
		}
		got, want := a.Result(), whole.Result()
		checkCost(t, got.Cost, want.Cost, 1e-12)
		near := func(a, b float64) bool { return math.Abs(a-b) <= 1e-12*math.Abs(b) }
		if got.Rows != rows || got.DeadUnits != want.DeadUnits || got.DenseUnits != want.DenseUnits || got.SaturatedUnits != want.SaturatedUnits ||
			!near(got.NMSE, want.NMSE) || !near(got.MeanActivation.Mean, want.MeanActivation.Mean) ||
			!near(got.MeanActivation.Min, want.MeanActivation.Min) || !near(got.MeanActivation.Max, want.MeanActivation.Max) {
			t.Errorf("cut at %d: %+v, want %+v", cut, got, want)
		}
		if va.Rows() != rows {
			t.Errorf("cut at %d: %d rows held out", cut, va.Rows())
		}
		checkCost(t, va.Cost(), vwhole.Cost(), 1e-12)
	}
}

// Bytes keep every bit, and sums go on from them as from their own.
func TestMarshalSums(t *testing.T) {
	const n, h = 20, 7
	m := sumsModel(t, n, h)
	x := randomRows(7, 3000, n)
	for _, c := range sumsOf(m) {
		t.Run(c.name, func(t *testing.T) {
			a, b := c.make(), c.make()
			if err := c.add(a, numbered(x, n, 0, 1100)); err != nil {
				t.Fatal(err)
			}
			// These sums are replaced below.
			if err := c.add(b, numbered(x, n, 5, 20)); err != nil {
				t.Fatal(err)
			}
			if err := b.UnmarshalBinary(marshalled(t, a)); err != nil {
				t.Fatal(err)
			}
			for range 2 {
				if !bytes.Equal(marshalled(t, a), marshalled(t, b)) {
					t.Fatal("what was unmarshalled is not what was marshalled")
				}
				for _, s := range []mergeable{a, b} {
					if err := c.add(s, numbered(x, n, 1100, 3000)); err != nil {
						t.Fatal(err)
					}
				}
			}
		})
	}
}

// Sums of anything else, and damaged ones, are errors that change nothing.
func TestForeignSums(t *testing.T) {
	const n, h = 6, 3
	m := sumsModel(t, n, h)
	moved := sumsModel(t, n, h)
	moved.Params.DecoderBias[1] += 1e-6
	other := *m
	other.Sparsity = 0.2
	rule := *m
	rule.Preprocess = Preprocess{Method: PreprocessScale, Source: "uint8", Scale: 1. / 255, Max: 255}
	x := randomRows(8, 50, n)
	cases := sumsOf(m)
	for i, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s := c.make()
			if err := c.add(s, numbered(x, n, 0, 50)); err != nil {
				t.Fatal(err)
			}
			data := marshalled(t, s)
			refuse := func(what string, b []byte, want string) {
				t.Helper()
				if err := s.UnmarshalBinary(b); err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("%s: error %v, want %q", what, err, want)
				}
				if !bytes.Equal(marshalled(t, s), data) {
					t.Fatalf("%s: changed what there was", what)
				}
			}
			for k, foreign := range cases {
				if k != i {
					refuse(foreign.name, marshalled(t, foreign.make()), "")
				}
			}
			if i < 3 {
				for what, m := range map[string]*Model{"other weights": moved, "other settings": &other, "other preprocessing": &rule} {
					foreign := sumsOf(m)[i].make()
					refuse(what, marshalled(t, foreign), "other settings or weights")
					if err := c.merge(s, foreign); err == nil || !bytes.Equal(marshalled(t, s), data) {
						t.Errorf("%s: merged, error %v", what, err)
					}
				}
			} else {
				foreign := sumsOf(newModel(t, Config{}, n+1, h))[i].make()
				refuse("another width", marshalled(t, foreign), "other settings")
				if err := c.merge(s, foreign); err == nil || !bytes.Equal(marshalled(t, s), data) {
					t.Errorf("another width: merged, error %v", err)
				}
			}
			if err := c.merge(s, s); err == nil {
				t.Error("merged with itself")
			}
			for length := range data {
				refuse(fmt.Sprintf("%d of %d bytes", length, len(data)), data[:length], "")
			}
			for bit := range 8 * len(data) {
				b := bytes.Clone(data)
				b[bit/8] ^= 1 << (bit % 8)
				refuse(fmt.Sprintf("bit %d turned", bit), b, "")
			}
			refuse("a byte too many", append(bytes.Clone(data), 0), "bytes")
			b := bytes.Clone(data)
			b[len(sumsMagic)] = '1'
			refuse("version 1", b, `version '1'`)
			for _, rows := range []int64{-1, math.MinInt64, maxCount + 1} {
				b := bytes.Clone(data)
				binary.LittleEndian.PutUint64(b[sumsHeader:], uint64(rows))
				refuse(fmt.Sprintf("%d rows", rows), sealed(b), "count")
			}
		})
	}
}

// sealed puts the right checksum at the end of changed sums.
func sealed(data []byte) []byte {
	end := len(data) - 8
	return binary.LittleEndian.AppendUint64(data[:end:end], crc64.Checksum(data[:end], sumsTable))
}

// Statistics that were learned from are over.
func TestLearnedStatisticsStay(t *testing.T) {
	p, err := NewPreprocess(PreprocessZCA, "float32", 0, Rows{})
	if err != nil {
		t.Fatal(err)
	}
	s, b := NewStatistics(p, 4), NewStatistics(p, 4)
	if err := s.Add(Float32Rows(randomRows(1, 30, 4), 4)); err != nil {
		t.Fatal(err)
	}
	data := marshalled(t, s)
	if _, err := s.Learn(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := s.MarshalBinary(); err == nil {
		t.Error("marshalled after Learn")
	}
	if err := s.UnmarshalBinary(data); err == nil {
		t.Error("unmarshalled after Learn")
	}
	if s.Merge(b) == nil || b.Merge(s) == nil {
		t.Error("merged after Learn")
	}
}

// Zero values and nils give errors.
func TestSumsOfNothing(t *testing.T) {
	for _, s := range []mergeable{new(Accumulator), new(Validator), new(Evaluator), new(Statistics)} {
		if _, err := s.MarshalBinary(); err == nil {
			t.Errorf("%T marshalled", s)
		}
		if err := s.UnmarshalBinary(nil); err == nil {
			t.Errorf("%T unmarshalled", s)
		}
	}
	m := sumsModel(t, 3, 2)
	p, _ := NewPreprocess(PreprocessPatch, "float32", 0, Rows{})
	for i, err := range []error{
		NewAccumulator(m).Merge(nil), NewAccumulator(m).Merge(new(Accumulator)), new(Accumulator).Merge(NewAccumulator(m)),
		NewValidator(m).Merge(nil), NewValidator(m).Merge(new(Validator)), new(Validator).Merge(NewValidator(m)),
		NewEvaluator(m).Merge(nil), NewEvaluator(m).Merge(new(Evaluator)), new(Evaluator).Merge(NewEvaluator(m)),
		NewStatistics(p, 3).Merge(nil), NewStatistics(p, 3).Merge(new(Statistics)), new(Statistics).Merge(NewStatistics(p, 3)),
	} {
		if err == nil {
			t.Errorf("merge %d of nothing", i)
		}
	}
}

// The layout that the package comment tells of.
func TestSumsLayout(t *testing.T) {
	m := newModel(t, Config{}, 3, 2)
	e := NewEvaluator(m)
	if err := e.Add(Float32Rows([]float32{0, 0.5, 1, 1, 1, 0}, 3)); err != nil {
		t.Fatal(err)
	}
	data := marshalled(t, e)
	if want := 24 + 8*(4+3+2+2+2+2+2) + 8; len(data) != want {
		t.Fatalf("%d bytes, want %d", len(data), want)
	}
	if string(data[:16]) != "aefsums2evaluate" || binary.LittleEndian.Uint64(data[24:]) != 2 {
		t.Errorf("begins with %q", data[:32])
	}
	if got := wordsOf(data)[4:7]; !slices.Equal(got, []float64{1, 1.5, 1}) {
		t.Errorf("sums of the inputs %v", got)
	}
	for c, kind := range []string{"gradient", "cost    ", "evaluate", "moments "} {
		if got := string(marshalled(t, sumsOf(m)[c].make())[8:16]); got != kind {
			t.Errorf("kind %q, want %q", got, kind)
		}
	}
}

// fuzzSums feeds arbitrary bytes, and bytes with their checksum put right, to
// a kind of sums: they are refused and change nothing, or come back as they
// were and work.
func fuzzSums(f *testing.F, kind int) {
	const n, h = 3, 2
	m := sumsModel(f, n, h)
	c := sumsOf(m)[kind]
	s := c.make()
	if err := c.add(s, numbered(randomRows(1, 10, n), n, 0, 10)); err != nil {
		f.Fatal(err)
	}
	data := marshalled(f, s)
	f.Add(data)
	f.Add(data[:len(data)-1])
	f.Add(marshalled(f, c.make()))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) >= sumsFrame {
			fuzzOne(t, c, sealed(b))
		}
		fuzzOne(t, c, b)
	})
}

func fuzzOne(t *testing.T, c sumsCase, b []byte) {
	s := c.make()
	before := marshalled(t, s)
	if err := s.UnmarshalBinary(b); err != nil {
		if !bytes.Equal(marshalled(t, s), before) {
			t.Errorf("%v, and changed what there was", err)
		}
		return
	}
	back := marshalled(t, s)
	if got := wordsOf(back); len(back) != len(b) || len(got) == 0 {
		t.Fatalf("%d bytes became %d", len(b), len(back))
	}
	if err := c.merge(c.make(), s); err != nil {
		t.Error(err)
	}
	switch s := s.(type) {
	case *Accumulator:
		s.Cost()
		s.Gradient(make([]float32, len(s.m.Params.Flat)))
	case *Validator:
		s.Cost()
	case *Evaluator:
		s.Result()
	case *Statistics:
		_, _ = s.Learn(t.Context()) // numbers may be anything
	}
}

func FuzzUnmarshalAccumulator(f *testing.F) { fuzzSums(f, 0) }
func FuzzUnmarshalValidator(f *testing.F)   { fuzzSums(f, 1) }
func FuzzUnmarshalEvaluator(f *testing.F)   { fuzzSums(f, 2) }
func FuzzUnmarshalStatistics(f *testing.F)  { fuzzSums(f, 5) } // of zca

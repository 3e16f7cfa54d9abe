package model

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc64"
	"math"
	"slices"
	"testing"
)

// shardsOf gathers the rows of some shards by themselves, with rows that keep
// their numbers.
func shardsOf(t *testing.T, r Rows, shards int, begin func() (Gatherer, func(Rows) error)) []*Sums {
	t.Helper()
	var all []*Sums
	rows, size := r.Len(), r.Width*r.Kind.Size()
	for i := range shards {
		lo, hi := i*rows/shards, (i+1)*rows/shards
		g, add := begin()
		if err := add(Rows{Kind: r.Kind, Width: r.Width, Data: r.Data[lo*size : hi*size], Number: r.Number[lo:hi]}); err != nil {
			t.Fatal(err)
		}
		s, err := gathered(g, i, numbers{int64(hi - lo), r.Number[lo], r.Number[hi-1] + 1})
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, s)
	}
	return all
}

// numbers are those of the rows of a shard.
type numbers struct{ rows, first, end int64 }

func unknown(rows int64) numbers { return numbers{rows, UnknownRow, UnknownRow} }

// gathered returns the sums of a shard.
func gathered(g Gatherer, shard int, of numbers) (*Sums, error) {
	var b bytes.Buffer
	info, err := WriteSums(&b, g, int64(shard), of.first, of.end)
	if err != nil {
		return nil, err
	}
	s := new(Sums)
	if err := s.UnmarshalBinary(b.Bytes()); err == nil && s.SumsInfo != info {
		return nil, fmt.Errorf("written %+v, read %+v", info, s.SumsInfo)
	}
	return s, err
}

// whole merges sums by the tree.
func whole(t *testing.T, all []*Sums) *Sums {
	t.Helper()
	var m Merger
	for _, s := range all {
		if err := m.Add(s); err != nil {
			t.Fatal(err)
		}
	}
	s, err := m.Sums()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func sumsBytes(t *testing.T, s *Sums) []byte {
	t.Helper()
	b, err := s.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// copyOf reads the bytes of sums, as another process would.
func copyOf(t *testing.T, s *Sums) *Sums {
	t.Helper()
	c := new(Sums)
	if err := c.UnmarshalBinary(slices.Clone(sumsBytes(t, s))); err != nil {
		t.Fatal(err)
	}
	return c
}

// gradientAt returns how to gather gradients of m with the noise of epoch 3.
func gradientAt(m *Model) func() (Gatherer, func(Rows) error) {
	return func() (Gatherer, func(Rows) error) {
		a := NewAccumulator(m)
		a.Reset(3)
		return a, func(r Rows) error { return a.Add(r, nil) }
	}
}

// Sums of shards, wherever they are cut, are those of one pass, for every
// objective and all preprocessing that is learned.
func TestShardsOfObjectives(t *testing.T) {
	const n, h, rows = 12, 6, chunkRows + 900
	x := numbered(randomRows(7, rows, n), n, 0, rows)
	for _, method := range append([]string{PreprocessNone}, learning...) {
		rule := shardsLearn(t, x, method)
		for _, objective := range Objectives() {
			c, err := ForObjective(objective, h, method)
			if err != nil {
				t.Fatal(err)
			}
			c.Inputs = n
			m, err := New(c)
			if err != nil {
				t.Fatal(err)
			}
			m.Preprocess = rule
			t.Run(method+" "+objective, func(t *testing.T) { compareShards(t, m, x) })
		}
	}
}

// compareShards compares cost and gradient of shards with those of one pass.
func compareShards(t *testing.T, m *Model, x Rows) {
	t.Helper()
	one, add := gradientAt(m)()
	if err := add(x); err != nil {
		t.Fatal(err)
	}
	want, got := make([]float32, len(m.Params.Flat)), make([]float32, len(m.Params.Flat))
	one.(*Accumulator).Gradient(want)
	for _, shards := range []int{1, 3, 8, 16} {
		s := copyOf(t, whole(t, shardsOf(t, x, shards, gradientAt(m))))
		if s.Rows != int64(x.Len()) || s.Shard != 0 || s.Shards != int64(shards) || s.Epoch != 3 {
			t.Errorf("%+v", s.SumsInfo)
		}
		g, _ := gradientAt(m)()
		if err := errors.Join(s.Fits(g), s.Into(g)); err != nil {
			t.Fatal(err)
		}
		a := g.(*Accumulator)
		a.Gradient(got)
		checkCost(t, a.Cost(), one.(*Accumulator).Cost(), 1e-12)
		checkNear(t, fmt.Sprintf("the gradient of %d shards", shards), got, want)
	}
}

// shardsLearn learns a rule from all rows, and checks that shards learn it, too.
func shardsLearn(t *testing.T, x Rows, method string) Preprocess {
	t.Helper()
	p, err := NewPreprocess(method, "float32", 0, x)
	if err != nil {
		t.Fatal(err)
	}
	if !p.Learns() {
		return p
	}
	begin := func() (Gatherer, func(Rows) error) { s := NewStatistics(p, x.Width); return s, s.Add }
	learn := func(g Gatherer) (Preprocess, []float32) {
		p, err := g.(*Statistics).Learn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		l := p.Learned
		if l.Rows != int64(x.Len()) {
			t.Errorf("%s: learned from %d rows", method, l.Rows)
		}
		return p, slices.Concat(l.Mean, l.Scale, l.Whiten, []float32{float32(l.Deviation)})
	}
	one, add := begin()
	if err := add(x); err != nil {
		t.Fatal(err)
	}
	rule, want := learn(one)
	for _, shards := range []int{1, 3, 8, 16} {
		g, _ := begin()
		if err := copyOf(t, whole(t, shardsOf(t, x, shards, begin))).Into(g); err != nil {
			t.Fatal(err)
		}
		_, got := learn(g)
		checkNear(t, fmt.Sprintf("%s of %d shards", method, shards), got, want)
	}
	return rule
}

// checkNear checks that numbers are within 1e-6 of the largest of those wanted.
func checkNear(t *testing.T, what string, got, want []float32) {
	t.Helper()
	largest := 0.
	for _, v := range want {
		largest = max(largest, math.Abs(float64(v)))
	}
	for i, w := range want {
		if d := math.Abs(float64(got[i] - w)); !(d <= 1e-6*largest) {
			t.Fatalf("%s: element %d is %v, want %v", what, i, got[i], w)
		}
	}
}

// Merged bytes are those that merged gatherers give, of all kinds.
func TestMergeSumsAsGatherers(t *testing.T) {
	const n, h, rows = 10, 4, 300
	x := numbered(randomRows(8, rows, n), n, 0, rows)
	m := sumsModel(t, n, h)
	rule := func(method string) Preprocess {
		p, err := NewPreprocess(method, "float32", 0, x)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	statistics := func(method string) func() (Gatherer, func(Rows) error) {
		return func() (Gatherer, func(Rows) error) { s := NewStatistics(rule(method), n); return s, s.Add }
	}
	for name, begin := range map[string]func() (Gatherer, func(Rows) error){
		"gradient": gradientAt(m),
		"cost": func() (Gatherer, func(Rows) error) {
			v := NewValidator(m)
			return v, func(r Rows) error { return v.Add(r, nil) }
		},
		"evaluation":          func() (Gatherer, func(Rows) error) { e := NewEvaluator(m); return e, e.Add },
		PreprocessPatch:       statistics(PreprocessPatch),
		PreprocessStandardize: statistics(PreprocessStandardize),
		PreprocessZCA:         statistics(PreprocessZCA),
	} {
		parts := shardsOf(t, x, 2, begin)
		first, _ := begin()
		second, _ := begin()
		if err := errors.Join(parts[0].Into(first), parts[1].Into(second)); err != nil {
			t.Fatal(err)
		}
		var err error
		switch a := first.(type) {
		case *Accumulator:
			err = a.Merge(second.(*Accumulator))
		case *Validator:
			err = a.Merge(second.(*Validator))
		case *Evaluator:
			err = a.Merge(second.(*Evaluator))
		case *Statistics:
			err = a.Merge(second.(*Statistics))
		}
		if err != nil {
			t.Fatal(err)
		}
		want, err := first.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		merged, err := MergeSums(sumsBytes(t, parts[0]), sumsBytes(t, parts[1]))
		if err != nil {
			t.Fatal(err)
		}
		if got := merged[shardsHeader : len(merged)-8]; !bytes.Equal(got, want) {
			t.Errorf("%s: merged bytes are not those of merged gatherers", name)
		}
	}
}

// Groups of 2^k shards that were merged by themselves give the bits of all.
func TestMergeTree(t *testing.T) {
	const n, h, rows = 10, 4, 440
	x := numbered(randomRows(9, rows, n), n, 0, rows)
	m := sumsModel(t, n, h)
	want := sumsBytes(t, whole(t, shardsOf(t, x, 11, gradientAt(m))))
	for _, size := range []int{2, 4, 8} {
		parts, groups := shardsOf(t, x, 11, gradientAt(m)), []*Sums{}
		for group := range slices.Chunk(parts, size) {
			groups = append(groups, whole(t, group))
		}
		if got := sumsBytes(t, whole(t, groups)); !bytes.Equal(got, want) {
			t.Errorf("groups of %d give other bytes", size)
		}
	}
}

// Values that are the same after scaling have the same sums and fingerprint,
// whatever type they are stored in.
func TestFingerprintOfType(t *testing.T) {
	const n, rows = 4, 30
	bytes := Rows{Kind: Uint8, Width: n, Data: make([]byte, rows*n)}
	floats := make([]float32, rows*n)
	for i := range floats {
		bytes.Data[i] = uint8(37 * i)
		floats[i] = float32(bytes.Data[i])
	}
	m := sumsModel(t, n, 3)
	var err error
	if m.Preprocess, err = NewPreprocess(PreprocessScale, "uint8", 0, Rows{}); err != nil {
		t.Fatal(err)
	}
	want := sumsBytes(t, shardsOf(t, numberedFrom(bytes), 1, gradientAt(m))[0])
	for _, test := range []struct {
		source   string
		pixelMax float64
		same     bool
	}{{"float32", 255, true}, {"int16", 255, true}, {"float32", 256, false}, {"int16", 256, false}, {"uint8", 128, false}} {
		other := *m
		if other.Preprocess, err = m.Preprocess.Adapt(test.source, test.pixelMax); err != nil {
			t.Fatal(err)
		}
		if same := m.fingerprint(1) == other.fingerprint(1); same != test.same {
			t.Errorf("%s to %v: the same fingerprint: %t", test.source, test.pixelMax, same)
		}
		got := sumsBytes(t, shardsOf(t, numberedFrom(Float32Rows(floats, n)), 1, gradientAt(&other))[0])
		if test.same != slices.Equal(got, want) {
			t.Errorf("%s to %v: the same sums: %t", test.source, test.pixelMax, !test.same)
		}
	}
}

// numberedFrom numbers rows from 0 on.
func numberedFrom(r Rows) Rows {
	for k := range r.Len() {
		r.Number = append(r.Number, int64(k))
	}
	return r
}

// What is no sums, or of other shards, is an error with its key.
func TestBadShards(t *testing.T) {
	const n, h = 10, 4
	x := numbered(randomRows(9, 60, n), n, 0, 60)
	m, moved := sumsModel(t, n, h), sumsModel(t, n, h)
	moved.Params.EncoderBias[0]++
	parts, foreign := shardsOf(t, x, 3, gradientAt(m)), shardsOf(t, x, 3, gradientAt(moved))
	a, b, c := sumsBytes(t, parts[0]), sumsBytes(t, parts[1]), sumsBytes(t, parts[2])
	damage := func(at int, with byte, sealed bool) []byte {
		d := slices.Clone(b)
		d[at] = with
		if sealed {
			binary.LittleEndian.PutUint64(d[len(d)-8:], crc64.Checksum(d[:len(d)-8], sumsTable))
		}
		return d
	}
	for name, bad := range map[string]struct {
		key  string
		next []byte
	}{
		"twice":             {SumsShards, a},
		"missing":           {SumsShards, c},
		"other weights":     {SumsForeign, sumsBytes(t, foreign[1])},
		"other version":     {SumsVersion, damage(7, '2', false)},
		"old sums":          {SumsVersion, damage(shardsHeader+7, '1', false)},
		"no sums":           {SumsFormat, []byte("PAR1")},
		"cut":               {SumsFormat, b[:len(b)-8]},
		"cut in its head":   {SumsFormat, b[:60]},
		"nothing":           {SumsFormat, nil},
		"a bit":             {SumsFormat, damage(200, b[200]^1, false)},
		"other shape":       {SumsFormat, damage(6*8, n+1, true)},
		"a shard below 0":   {SumsFormat, damage(2*8-1, 0x80, true)},
		"no kind of sums":   {SumsFormat, damage(shardsHeader+8, 'x', true)},
		"rows below 0":      {SumsFormat, damage(infoBytes-1, 0x80, true)},
		"a number below -1": {SumsFormat, damage(4*8-1, 0x80, true)},
		"numbers too few":   {SumsFormat, damage(4*8, b[3*8]+1, true)},
		"a shard too large": {SumsFormat, damage(2*8-2, 0x7f, true)},
	} {
		_, err := MergeSums(a, bad.next)
		if e := (*SumsError)(nil); !errors.As(err, &e) || e.Key != bad.key {
			t.Errorf("%s: %v", name, err)
		}
	}
	for shards, ok := range map[int64]bool{3: true, 2: false, 4: false} {
		if err := whole(t, []*Sums{copyOf(t, parts[0]), copyOf(t, parts[1]), copyOf(t, parts[2])}).Whole(shards); (err == nil) != ok {
			t.Errorf("%d shards: %v", shards, err)
		}
	}
	if _, err := gathered(NewAccumulator(m), -1, numbers{}); err == nil {
		t.Error("a shard below 0")
	}
}

// numberedSums returns sums of some rows that are told to have such numbers.
func numberedSums(g Gatherer, shard int, of numbers) (*Sums, error) {
	x := Rows{Kind: Float32, Width: 3, Data: make([]byte, of.rows*3*4)}
	err := error(nil)
	switch g := g.(type) {
	case *Accumulator:
		err = g.Add(x, nil)
	case *Validator:
		err = g.Add(x, nil)
	case *Evaluator:
		err = g.Add(x)
	}
	if err != nil {
		return nil, err
	}
	return gathered(g, shard, of)
}

// Where noise is drawn by the numbers of rows, shards whose numbers overlap are
// an error, if they were counted. What was left out may leave gaps.
func TestRowNumbers(t *testing.T) {
	noisy, clean := sumsModel(t, 3, 2), newModel(t, Config{}, 3, 2)
	gradient := func() Gatherer { return NewAccumulator(noisy) }
	same := []numbers{{5, 0, 5}, {5, 0, 5}}
	for name, test := range map[string]struct {
		begin  func() Gatherer
		shards []numbers
		want   numbers // without rows: an error
	}{
		"one after the other": {gradient, []numbers{{5, 0, 5}, {5, 5, 10}, {5, 10, 15}}, numbers{15, 0, 15}},
		"with gaps":           {gradient, []numbers{{5, 2, 9}, {5, 12, 20}, {5, 20, 25}}, numbers{15, 2, 25}},
		"all from 0 on":       {gradient, same, numbers{}},
		"in a gap":            {gradient, []numbers{{5, 0, 20}, {5, 10, 15}}, numbers{}},
		"in the last":         {gradient, []numbers{{5, 0, 5}, {5, 5, 10}, {5, 9, 14}}, numbers{}},
		"not counted":         {gradient, []numbers{unknown(5), unknown(5)}, unknown(10)},
		"once not counted":    {gradient, []numbers{{5, 0, 5}, unknown(5), {5, 0, 5}}, unknown(15)},
		"without rows":        {gradient, []numbers{{0, 0, 0}, {5, 0, 5}, {0, 0, 0}, unknown(0), {5, 5, 10}}, numbers{10, 0, 10}},
		"cost":                {func() Gatherer { return NewValidator(noisy) }, same, numbers{}},
		"no noise":            {func() Gatherer { return NewAccumulator(clean) }, same, unknown(10)},
		"evaluation":          {func() Gatherer { return NewEvaluator(noisy) }, same, unknown(10)},
	} {
		var parts []*Sums
		for i, of := range test.shards {
			s, err := numberedSums(test.begin(), i, of)
			if err != nil {
				t.Fatal(err)
			}
			parts = append(parts, copyOf(t, s))
		}
		s, err := parts[0], error(nil)
		for _, next := range parts[1:] {
			err = errors.Join(err, s.Merge(next))
		}
		if e := (*SumsError)(nil); test.want.rows == 0 && (!errors.As(err, &e) || e.Key != SumsShards || !e.Rows) {
			t.Errorf("%s: %v", name, err)
		}
		if got := (numbers{s.Rows, s.FirstRow, s.EndRow}); test.want.rows > 0 && (err != nil || got != test.want) {
			t.Errorf("%s: %+v, want %+v, error %v", name, got, test.want, err)
		}
	}
	for _, bad := range []numbers{{5, 0, 4}, {5, -2, 9}, {5, UnknownRow, 5}, {5, 9, 2}} {
		if _, err := numberedSums(gradient(), 0, bad); err == nil {
			t.Errorf("taken: %+v", bad)
		}
	}
}

// The size of the bytes that docs/scale.md tells.
func TestSumsSize(t *testing.T) {
	const n, h = 10, 4
	m := sumsModel(t, n, h)
	m.Contraction, m.Tied = 0, false
	s, err := gathered(NewAccumulator(m), 0, numbers{})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := len(sumsBytes(t, s)), 24*h*n+24*h+8*n+128; got != want {
		t.Errorf("%d bytes, want %d", got, want)
	}
}

// An average counts models by their rows.
func TestAverage(t *testing.T) {
	model := func(v float32, rows int64) *Model {
		m := sumsModel(t, 3, 2)
		for i := range m.Params.Flat {
			m.Params.Flat[i] = v
		}
		m.History = []Epoch{{Epoch: 1, Rows: rows, Cost: Cost{Reconstruction: float64(v)}}}
		m.RowsSeen = 100 + rows
		return m
	}
	var a Average
	if err := errors.Join(a.Add(model(1, 10)), a.Add(model(5, 30))); err != nil {
		t.Fatal(err)
	}
	other := model(1, 10)
	other.Config.WeightDecay++
	for _, bad := range []*Model{sumsModel(t, 3, 2), other} {
		if err := a.Add(bad); err == nil {
			t.Error("taken in")
		}
	}
	m, err := a.Model()
	if err != nil || m.Params.Flat[0] != 4 || m.RowsSeen != 140 || m.History[0].Rows != 40 || m.Cost.Reconstruction != 4 {
		t.Errorf("%+v, error %v", m, err)
	}
	if _, err := new(Average).Model(); err == nil {
		t.Error("an average of nothing")
	}
}

// L-BFGS with sums of shards goes where it goes with all rows in one process.
// The shards are whole chunks: otherwise rounding in float32 differs, which
// iterations enlarge.
func TestShardsOfLBFGS(t *testing.T) {
	const n, h, rows = 10, 5, 3 * chunkRows
	x := numbered(randomRows(11, rows, n), n, 0, rows)
	m, want := sumsModel(t, n, h), sumsModel(t, n, h)
	o := TrainOptions{Optimizer: LBFGS, Epochs: 20}
	driver, single := newTrainer(t, m, o), newTrainer(t, want, o)
	for single.Stopped() == NotStopped {
		if err := single.Add(x, nil); err != nil {
			t.Fatal(err)
		}
		if _, err := single.EndEpoch(); err != nil {
			t.Fatal(err)
		}
	}
	for driver.Stopped() == NotStopped {
		noise, err := driver.Begin()
		if err != nil {
			t.Fatal(err)
		}
		gather := func() (Gatherer, func(Rows) error) {
			a := NewAccumulator(m)
			a.Reset(noise)
			return a, func(r Rows) error { return a.Add(r, nil) }
		}
		a := NewAccumulator(m)
		a.Reset(noise)
		if err := errors.Join(whole(t, shardsOf(t, x, 3, gather)).Into(a), driver.AddSums(a)); err != nil {
			t.Fatal(err)
		}
		if _, err := driver.EndEpoch(); err != nil {
			t.Fatal(err)
		}
	}
	if d := math.Abs(m.Cost.Total - want.Cost.Total); len(m.History) != 20 || d > 1e-7*want.Cost.Total {
		t.Errorf("%d iterations to a cost of %v, want %v", len(m.History), m.Cost.Total, want.Cost.Total)
	}
}
